#include "engine/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct weir_sampling weir_sampling_default(void)
{
    return (struct weir_sampling){.top_p = 1, .repeat_penalty = 1, .penalty_window = 64};
}

/* ---- options ---- */

static enum weir_status check_numbers(const struct weir_sampling *o, struct weir_error *error)
{
    const struct {
        const char *name, *range;
        double value;
        bool is_good;
    } rules[] = {
        {"temperature", "0 or more", o->temperature, isfinite(o->temperature) && o->temperature >= 0},
        {"top_p", "above 0, at most 1", o->top_p, o->top_p > 0 && o->top_p <= 1},
        {"min_p", "0 or more, below 1", o->min_p, o->min_p >= 0 && o->min_p < 1},
        {"repeat_penalty", "above 0", o->repeat_penalty, isfinite(o->repeat_penalty) && o->repeat_penalty > 0},
        {"presence_penalty", "a finite number", o->presence_penalty, isfinite(o->presence_penalty)},
        {"frequency_penalty", "a finite number", o->frequency_penalty, isfinite(o->frequency_penalty)},
        {"penalty_window", "at most 65536", o->penalty_window, o->penalty_window <= WEIR_SAMPLING_WINDOW_MAX},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!rules[i].is_good)
            return error_set(error, WEIR_ERR_INVALID, "sampling: %s is %g, expected %s", rules[i].name, rules[i].value,
                             rules[i].range);
    return WEIR_OK;
}

static enum weir_status check_bias(const struct weir_sampling *o, size_t n_vocab, struct weir_error *error)
{
    for (size_t i = 0; i < o->n_bias; i++) {
        const struct weir_logit_bias *b = &o->bias[i];
        if (b->id < 0 || (size_t)b->id >= n_vocab)
            return error_set(error, WEIR_ERR_INVALID, "sampling: logit bias of token %ld, expected an id of 0..%zu",
                             (long)b->id, n_vocab - 1);
        if (isnan(b->bias) || b->bias == INFINITY)
            return error_set(error, WEIR_ERR_INVALID,
                             "sampling: the logit bias of token %ld is %g, expected a number or minus infinity",
                             (long)b->id, (double)b->bias);
    }
    return WEIR_OK;
}

static bool has_penalties(const struct weir_sampling *o)
{
    return o->penalty_window && (o->repeat_penalty != 1 || o->presence_penalty != 0 || o->frequency_penalty != 0);
}

enum weir_status sampler_open(const struct weir_sampling *options, size_t n_vocab, struct sampler *out,
                              struct weir_error *error)
{
    enum weir_status status = check_numbers(options, error);
    if (!status) status = check_bias(options, n_vocab, error);
    if (status) return status;
    struct sampler made = {.options = *options, .n_vocab = n_vocab, .random = random_make(options->seed)};
    made.bias = mem_zero(options->n_bias, sizeof *made.bias);
    made.options.bias = made.bias;
    bool is_greedy = options->temperature == 0;
    if (!is_greedy) made.ranking.items = mem_zero(n_vocab, sizeof *made.ranking.items);
    if (has_penalties(options)) made.window = mem_zero(options->penalty_window, sizeof *made.window);
    if (!made.bias || (!is_greedy && !made.ranking.items) || (has_penalties(options) && !made.window)) {
        sampler_close(&made);
        return error_nomem(error, "sampler");
    }
    if (options->n_bias) memcpy(made.bias, options->bias, options->n_bias * sizeof *made.bias);
    *out = made;
    return WEIR_OK;
}

void sampler_close(struct sampler *sampler)
{
    free(sampler->bias);
    free(sampler->ranking.items);
    free(sampler->window);
    *sampler = (struct sampler){0};
}

bool sampler_changes(const struct sampler *sampler)
{
    return sampler->options.n_bias || sampler->window;
}

/* ---- steps on the logits ---- */

void sampler_clean(float *logits, size_t n_vocab)
{
    for (size_t i = 0; i < n_vocab; i++) {
        float x = logits[i];
        logits[i] = isnan(x) ? -INFINITY : x > FLT_MAX ? FLT_MAX : x;
    }
}

void sampler_filter(float *logits, size_t n_vocab, const uint32_t *bits)
{
    for (size_t i = 0; i < n_vocab; i++)
        if (!(bits[i >> 5] >> (i & 31) & 1)) logits[i] = -INFINITY;
}

/* What adding and scaling finite logits gives may leave the range of a float; only minus infinity forbids a token. */
static float clamped(double x)
{
    if (x > (double)FLT_MAX) return FLT_MAX;
    return x < -(double)FLT_MAX && x != -INFINITY ? -FLT_MAX : (float)x;
}

static void add_bias(const struct weir_sampling *o, float *logits)
{
    for (size_t i = 0; i < o->n_bias; i++) {
        float *logit = &logits[o->bias[i].id];
        *logit = clamped((double)*logit + (double)o->bias[i].bias);
    }
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* `generated`: how often the token was generated within the window; the prompt may hold it too. */
static float penalised(const struct weir_sampling *o, float logit, size_t generated)
{
    double x = (double)logit;
    x = x > 0 ? x / o->repeat_penalty : x * o->repeat_penalty;
    if (generated) x -= o->presence_penalty + o->frequency_penalty * (double)generated;
    return clamped(x);
}

void sampler_penalise(struct sampler *sampler, float *logits, const struct token_history *history)
{
    const struct weir_sampling *o = &sampler->options;
    if (!has_penalties(o)) return;
    size_t n = history->count < o->penalty_window ? history->count : o->penalty_window, from = history->count - n;
    uint64_t *window = sampler->window; /* id * 2 + (generated or not), so that equal ids stand together */
    for (size_t i = 0; i < n; i++)
        window[i] = (uint64_t)(uint32_t)history->ids[from + i] << 1 | (from + i >= history->n_prompt);
    qsort(window, n, sizeof *window, by_number);
    for (size_t i = 0; i < n;) {
        uint64_t id = window[i] >> 1;
        size_t generated = 0;
        for (; i < n && window[i] >> 1 == id; i++) generated += window[i] & 1;
        if (id < sampler->n_vocab && logits[id] != -INFINITY) logits[id] = penalised(o, logits[id], generated);
    }
}

enum { LANES = 16, BEST_BLOCK = 4096 };

/* In lanes, so that the compiler can use vectors: comparing floats in another order gives the same maximum. */
static float highest(const float *logits, size_t count)
{
    float lanes[LANES], best = -INFINITY;
    for (size_t l = 0; l < LANES; l++) lanes[l] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] = logits[i + l] > lanes[l] ? logits[i + l] : lanes[l];
    for (size_t l = 0; l < LANES; l++) best = lanes[l] > best ? lanes[l] : best;
    for (; i < count; i++) best = logits[i] > best ? logits[i] : best;
    return best;
}

int32_t sampler_best(const float *logits, size_t n_vocab)
{
    float best = -INFINITY;
    size_t block = 0;
    for (size_t at = 0; at < n_vocab; at += BEST_BLOCK) {
        float high = highest(logits + at, n_vocab - at < BEST_BLOCK ? n_vocab - at : BEST_BLOCK);
        if (!(high > best)) continue;
        best = high;
        block = at;
    }
    if (best == -INFINITY) return -1;
    while (logits[block] != best) block++;
    return (int32_t)block;
}

/* ---- ranking ---- */

static bool comes_before(struct candidate a, struct candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift_down(struct candidate *heap, size_t count, size_t at)
{
    struct candidate moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && comes_before(heap[child + 1], heap[child])) child++;
        if (!comes_before(heap[child], moving)) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* Tokens below `floor` are left out: nobody will look at them. */
static void rank_logits(struct ranking *r, const float *logits, size_t n_vocab, float floor)
{
    r->total = r->ranked = 0;
    for (size_t i = 0; i < n_vocab; i++)
        if (logits[i] >= floor && logits[i] != -INFINITY)
            r->items[r->total++] = (struct candidate){logits[i], (int32_t)i};
    for (size_t at = r->total / 2; at-- > 0;) sift_down(r->items, r->total, at);
}

static int by_value_down(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

enum { FLOOR_PARTS = 1024 };

/* A bound that at least top_k logits reach: the vocabulary is cut into parts, and the top_k-th highest of the parts' maxima is one.
 * Sorting a few hundred tokens in place of 262,144 is what makes sampling cheap beside a small model. */
static float top_k_floor(const float *logits, size_t n_vocab, size_t top_k)
{
    if (!top_k || top_k > FLOOR_PARTS || n_vocab < 2 * FLOOR_PARTS) return -INFINITY;
    float maxima[FLOOR_PARTS];
    for (size_t i = 0; i < FLOOR_PARTS; i++) {
        size_t from = n_vocab * i / FLOOR_PARTS, to = n_vocab * (i + 1) / FLOOR_PARTS;
        maxima[i] = highest(logits + from, to - from);
    }
    qsort(maxima, FLOOR_PARTS, sizeof *maxima, by_value_down);
    return maxima[top_k - 1];
}

struct candidate sampler_rank(struct ranking *r, size_t rank)
{
    while (r->ranked <= rank) {
        size_t last = r->total - 1 - r->ranked;
        struct candidate top = r->items[0];
        r->items[0] = r->items[last];
        r->items[last] = top;
        sift_down(r->items, last, 0);
        r->ranked++;
    }
    return r->items[r->total - 1 - rank];
}

double sampler_weight(const struct ranking *r, float logit, double temperature)
{
    return exp(((double)logit - (double)r->best) / temperature);
}

/* Sum of the weights of the best `kept` tokens. All of them need no order. */
static double sum_weights(struct ranking *r, size_t kept, double temperature)
{
    double sum = 0;
    for (size_t i = 0; i < kept; i++)
        sum += sampler_weight(r, kept < r->total ? sampler_rank(r, i).logit : r->items[i].logit, temperature);
    return sum;
}

static size_t keep_top_p(struct ranking *r, size_t kept, double top_p)
{
    double enough = top_p * sum_weights(r, kept, 1), sum = 0;
    for (size_t rank = 0; rank < kept; rank++) {
        sum += sampler_weight(r, sampler_rank(r, rank).logit, 1);
        if (sum >= enough) return rank + 1;
    }
    return kept;
}

static size_t keep_min_p(struct ranking *r, size_t kept, double min_p)
{
    size_t rank = 1;
    while (rank < kept && sampler_weight(r, sampler_rank(r, rank).logit, 1) >= min_p) rank++;
    return rank;
}

size_t sampler_keep(struct sampler *sampler, const float *logits)
{
    const struct weir_sampling *o = &sampler->options;
    struct ranking *r = &sampler->ranking;
    r->best = highest(logits, sampler->n_vocab);
    rank_logits(r, logits, sampler->n_vocab, top_k_floor(logits, sampler->n_vocab, o->top_k));
    size_t kept = r->total;
    if (!kept) return 0;
    if (o->top_k && o->top_k < kept) kept = o->top_k;
    if (o->top_p < 1) kept = keep_top_p(r, kept, o->top_p);
    if (o->min_p > 0) kept = keep_min_p(r, kept, o->min_p);
    return kept;
}

int32_t sampler_draw(struct sampler *sampler, size_t kept)
{
    struct ranking *r = &sampler->ranking;
    double temperature = sampler->options.temperature, sum = 0;
    double at = random_unit(&sampler->random) * sum_weights(r, kept, temperature);
    for (size_t rank = 0; rank < kept; rank++) {
        struct candidate c = sampler_rank(r, rank);
        sum += sampler_weight(r, c.logit, temperature);
        if (sum > at) return c.id;
    }
    return sampler_rank(r, 0).id; /* rounding left the sum short: the sums ran in different orders */
}

enum weir_status sampler_pick(struct sampler *sampler, float *logits, const struct token_history *history, int32_t *id,
                              struct weir_error *error)
{
    add_bias(&sampler->options, logits);
    sampler_penalise(sampler, logits, history);
    int32_t found;
    if (sampler->options.temperature == 0) {
        found = sampler_best(logits, sampler->n_vocab);
    } else {
        size_t kept = sampler_keep(sampler, logits);
        found = kept ? sampler_draw(sampler, kept) : -1;
    }
    if (found < 0)
        return error_set(error, WEIR_ERR_INVALID, "no token can follow: every logit is minus infinity or not a number");
    *id = found;
    return WEIR_OK;
}
