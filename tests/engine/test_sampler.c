/* Every step of the sampler against a plain calculation of the same thing, and what it draws against the probabilities. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "engine/logprob.h"
#include "engine/sampler.h"

enum { SMALL = 12, LARGE = 5000 };

/* Logits that follow no pattern, many of them equal. */
static void fill(float *logits, size_t count, uint64_t seed)
{
    struct random random = random_make(seed);
    for (size_t i = 0; i < count; i++) logits[i] = (float)((int)(random_next(&random) % 400) - 200) / 16.0f;
}

static struct sampler open_sampler(struct weir_sampling options, size_t n_vocab)
{
    struct sampler sampler = {.n_vocab = 0};
    struct weir_error error = {0};
    check_status(sampler_open(&options, n_vocab, &sampler, &error), WEIR_OK, &error);
    return sampler;
}

/* ---- plain reference: sort everything, then cut ---- */

struct plain {
    struct candidate items[LARGE];
    double probabilities[LARGE]; /* of the kept ones, at the temperature */
    size_t kept;
};

static int by_logit(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static double softmax_of(struct plain *p, size_t count, double temperature)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += p->probabilities[i] = exp(((double)p->items[i].logit - (double)p->items[0].logit) / temperature);
    for (size_t i = 0; i < count; i++) p->probabilities[i] /= sum;
    return sum;
}

static void plain_keep(struct plain *p, const float *logits, size_t n_vocab, const struct weir_sampling *o)
{
    size_t n = 0;
    for (size_t i = 0; i < n_vocab; i++)
        if (logits[i] != -INFINITY) p->items[n++] = (struct candidate){logits[i], (int32_t)i};
    qsort(p->items, n, sizeof *p->items, by_logit);
    if (o->top_k && o->top_k < n) n = o->top_k;
    (void)softmax_of(p, n, 1);
    double sum = 0, best = p->probabilities[0];
    size_t kept = 0;
    while (kept < n && (o->top_p == 1 || sum < o->top_p - 1e-12)) sum += p->probabilities[kept++];
    while (kept > 1 && p->probabilities[kept - 1] < o->min_p * best * (1 - 1e-12)) kept--;
    (void)softmax_of(p, kept, o->temperature > 0 ? o->temperature : 1);
    p->kept = kept;
}

static void check_keeps(const float *logits, size_t n_vocab, struct weir_sampling options)
{
    static struct plain expected;
    options.temperature = 0.7;
    plain_keep(&expected, logits, n_vocab, &options);
    struct sampler sampler = open_sampler(options, n_vocab);
    size_t kept = sampler_keep(&sampler, logits);
    if (kept != expected.kept)
        fail_msg("top_k %u top_p %g min_p %g: %zu tokens kept, expected %zu", options.top_k, options.top_p,
                 options.min_p, kept, expected.kept);
    for (size_t rank = 0; rank < kept; rank++) {
        struct candidate found = sampler_rank(&sampler.ranking, rank);
        if (found.id != expected.items[rank].id)
            fail_msg("rank %zu: token %d, expected %d", rank, found.id, expected.items[rank].id);
        double p = sampler_weight(&sampler.ranking, found.logit, 0.7) /
                   sampler_weight(&sampler.ranking, expected.items[0].logit, 0.7);
        double q = expected.probabilities[rank] / expected.probabilities[0];
        if (!(fabs(p - q) < 1e-12)) fail_msg("rank %zu: weight %.17g, expected %.17g", rank, p, q);
    }
    sampler_close(&sampler);
}

static void top_k_top_p_min_p(void **state)
{
    (void)state;
    static float logits[LARGE];
    const uint32_t top_ks[] = {0, 1, 2, 5, 40, 1024, 1025, LARGE, LARGE + 9};
    const double top_ps[] = {1e-9, 0.1, 0.5, 0.9, 0.999, 1}, min_ps[] = {0, 1e-6, 0.05, 0.5, 0.999};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        fill(logits, LARGE, seed);
        logits[7] = -INFINITY;
        for (size_t k = 0; k < sizeof top_ks / sizeof *top_ks; k++)
            for (size_t p = 0; p < sizeof top_ps / sizeof *top_ps; p++)
                for (size_t m = 0; m < sizeof min_ps / sizeof *min_ps; m++) {
                    struct weir_sampling o = weir_sampling_default();
                    o.top_k = top_ks[k];
                    o.top_p = top_ps[p];
                    o.min_p = min_ps[m];
                    check_keeps(logits, LARGE, o);
                    check_keeps(logits, SMALL, o);
                }
    }
}

/* ---- penalties and bias ---- */

/* Each formula as its source writes it, token by token over the whole vocabulary. */
static float plain_penalty(float logit, const struct weir_sampling *o, const struct token_history *h, int32_t id)
{
    size_t from = h->count > o->penalty_window ? h->count - o->penalty_window : 0;
    bool was_there = false;
    size_t generated = 0;
    for (size_t i = from; i < h->count; i++) {
        was_there |= h->ids[i] == id;
        generated += h->ids[i] == id && i >= h->n_prompt;
    }
    double x = (double)logit;
    if (was_there) x = x > 0 ? x / o->repeat_penalty : x * o->repeat_penalty;
    if (generated) x -= o->presence_penalty;
    x -= o->frequency_penalty * (double)generated;
    return (float)x;
}

static void penalties(void **state)
{
    (void)state;
    const int32_t ids[] = {1, 2, 2, 3, 5, 2, 7, 5, 5, 11, 0, 2};
    enum { IDS = sizeof ids / sizeof *ids };
    const double repeats[] = {1, 1.3, 0.8}, presences[] = {0, 0.5, -0.5}, frequencies[] = {0, 0.25};
    for (uint32_t window = 0; window <= IDS + 1; window++)
        for (int c = 0; c < 18; c++)
            for (size_t n_prompt = 0; n_prompt <= IDS; n_prompt += 4) {
                float logits[SMALL], expected[SMALL];
                struct weir_sampling o = weir_sampling_default();
                o.penalty_window = window;
                o.repeat_penalty = repeats[c % 3];
                o.presence_penalty = presences[c / 3 % 3];
                o.frequency_penalty = frequencies[c / 9];
                struct token_history history = {ids, IDS, n_prompt};
                fill(logits, SMALL, 5);
                for (int i = 0; i < SMALL; i++) expected[i] = plain_penalty(logits[i], &o, &history, i);
                struct sampler sampler = open_sampler(o, SMALL);
                sampler_penalise(&sampler, logits, &history);
                for (int i = 0; i < SMALL; i++)
                    if (!(fabsf(logits[i] - expected[i]) <= 1e-6f * fabsf(expected[i])))
                        fail_msg("window %u, case %d, prompt of %zu: token %d has %.9g, expected %.9g", window, c,
                                 n_prompt, i, (double)logits[i], (double)expected[i]);
                sampler_close(&sampler);
            }
}

static int32_t pick(struct sampler *sampler, const float *logits)
{
    float copy[LARGE];
    memcpy(copy, logits, sampler->n_vocab * sizeof *copy);
    struct token_history history = {NULL, 0, 0};
    struct weir_error error = {0};
    int32_t id = -7;
    sampler_clean(copy, sampler->n_vocab);
    check_status(sampler_pick(sampler, copy, &history, &id, &error), WEIR_OK, &error);
    return id;
}

static void bias_is_added(void **state)
{
    (void)state;
    const float logits[SMALL] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    struct weir_logit_bias bias[] = {{3, 8.5f}, {11, -INFINITY}, {10, 1.4f}};
    struct weir_sampling o = weir_sampling_default();
    o.bias = bias;
    struct {
        size_t n_bias;
        int32_t expected;
    } cases[] = {{0, 11}, {1, 3}, {2, 3}, {3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        o.n_bias = cases[i].n_bias;
        struct sampler sampler = open_sampler(o, SMALL);
        assert_int_equal(pick(&sampler, logits), cases[i].expected);
        sampler_close(&sampler);
    }
    bias[0].bias = -FLT_MAX; /* far down, yet not forbidden */
    bias[1].bias = -FLT_MAX;
    o.n_bias = 2;
    struct sampler sampler = open_sampler(o, SMALL);
    assert_int_equal(pick(&sampler, logits), 10);
    sampler_close(&sampler);
}

/* ---- hostile logits ---- */

static void not_numbers(void **state)
{
    (void)state;
    const float nan = NAN, inf = INFINITY;
    const struct {
        float logits[4];
        int32_t expected; /* -1: nothing can come */
    } cases[] = {{{nan, 1, 0, nan}, 1},      {{nan, nan, -3, nan}, 2},      {{1, inf, 2, nan}, 1},
                 {{inf, inf, 2, -inf}, 0},   {{-inf, -inf, -inf, 5}, 3},    {{-FLT_MAX, nan, -inf, nan}, 0},
                 {{nan, nan, nan, nan}, -1}, {{-inf, -inf, nan, -inf}, -1}, {{2, 2, 2, 2}, 0}};
    const double temperatures[] = {0, 1e-300, 1e-30, 0.01};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
            struct weir_sampling o = weir_sampling_default();
            o.temperature = temperatures[t];
            o.top_k = t == 3 ? 1 : 0;
            struct sampler sampler = open_sampler(o, 4);
            float logits[4];
            memcpy(logits, cases[c].logits, sizeof logits);
            sampler_clean(logits, 4);
            struct token_history history = {NULL, 0, 0};
            struct weir_error error = {0};
            int32_t id = -1;
            enum weir_status expected = cases[c].expected < 0 ? WEIR_ERR_INVALID : WEIR_OK;
            check_status(sampler_pick(&sampler, logits, &history, &id, &error), expected, &error);
            bool is_tie = c == 3 || c == 8; /* drawn among equals, unless greedy or the best one alone */
            if (!is_tie || t == 0 || t == 3)
                if (id != cases[c].expected) fail_msg("case %zu at %g: %d", c, temperatures[t], id);
            sampler_close(&sampler);
        }
}

static void wrong_options(void **state)
{
    (void)state;
    const struct weir_logit_bias beyond = {4, 1}, nan = {1, NAN}, inf = {1, INFINITY};
    const struct {
        size_t offset;
        double value;
        const char *name;
    } cases[] = {{offsetof(struct weir_sampling, temperature), -1, "temperature"},
                 {offsetof(struct weir_sampling, temperature), NAN, "temperature"},
                 {offsetof(struct weir_sampling, temperature), INFINITY, "temperature"},
                 {offsetof(struct weir_sampling, top_p), 0, "top_p"},
                 {offsetof(struct weir_sampling, top_p), 1.01, "top_p"},
                 {offsetof(struct weir_sampling, top_p), NAN, "top_p"},
                 {offsetof(struct weir_sampling, min_p), 1, "min_p"},
                 {offsetof(struct weir_sampling, min_p), -0.1, "min_p"},
                 {offsetof(struct weir_sampling, repeat_penalty), 0, "repeat_penalty"},
                 {offsetof(struct weir_sampling, presence_penalty), NAN, "presence_penalty"},
                 {offsetof(struct weir_sampling, frequency_penalty), INFINITY, "frequency_penalty"}};
    struct weir_error error = {0};
    struct sampler sampler;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_sampling o = weir_sampling_default();
        memcpy((char *)&o + cases[i].offset, &cases[i].value, sizeof(double));
        check_status(sampler_open(&o, 4, &sampler, &error), WEIR_ERR_INVALID, &error);
        check_contains(error.text, cases[i].name);
    }
    struct weir_sampling o = weir_sampling_default();
    o.penalty_window = WEIR_SAMPLING_WINDOW_MAX + 1;
    check_status(sampler_open(&o, 4, &sampler, &error), WEIR_ERR_INVALID, &error);
    const struct weir_logit_bias *biases[] = {&beyond, &nan, &inf};
    for (size_t i = 0; i < 3; i++) {
        o = weir_sampling_default();
        o.bias = biases[i];
        o.n_bias = 1;
        check_status(sampler_open(&o, 4, &sampler, &error), WEIR_ERR_INVALID, &error);
        check_contains(error.text, "logit bias of token");
    }
}

/* ---- drawing ---- */

/* First outputs of xoshiro256** from the state {1, 2, 3, 4}, and of splitmix64 from the seed 1234567: the vectors of the reference
 * implementations at prng.di.unimi.it, as the Rust crate rand_xoshiro and Rosetta Code quote them. */
static void random_numbers(void **state)
{
    (void)state;
    struct random random = {{1, 2, 3, 4}};
    const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        uint64_t found = random_next(&random);
        if (found != expected[i])
            fail_msg("output %zu: %llu, expected %llu", i, (unsigned long long)found, (unsigned long long)expected[i]);
    }
    const uint64_t seeded[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u};
    random = random_make(1234567);
    for (size_t i = 0; i < 4; i++) assert_true(random.state[i] == seeded[i]);
    for (int i = 0; i < 1000; i++) {
        double u = random_unit(&random);
        assert_true(u >= 0 && u < 1);
    }
}

/* Chi-square over the kept tokens; with a fixed seed this is one number, far below the bound unless the draw is wrong. */
static void draws_follow_probabilities(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    const float logits[SMALL] = {1, 0.5f, 2, -1, 0, 1.5f, 2, -3, 0.25f, 1, -0.5f, 0};
    static struct plain expected;
    const struct weir_sampling cases[] = {
        {.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 1},
        {.temperature = 0.5, .top_p = 1, .repeat_penalty = 1, .seed = 2},
        {.temperature = 2, .top_p = 0.8, .repeat_penalty = 1, .seed = 3},
        {.temperature = 1.3, .top_p = 0.95, .top_k = 6, .min_p = 0.1, .repeat_penalty = 1, .seed = 4}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        plain_keep(&expected, logits, SMALL, &cases[c]);
        struct sampler sampler = open_sampler(cases[c], SMALL);
        size_t counts[SMALL] = {0}, others = DRAWS;
        for (int i = 0; i < DRAWS; i++) counts[pick(&sampler, logits)]++;
        double chi = 0;
        for (size_t rank = 0; rank < expected.kept; rank++) {
            double mean = expected.probabilities[rank] * (double)DRAWS,
                   off = (double)counts[expected.items[rank].id] - mean;
            chi += off * off / mean;
            others -= counts[expected.items[rank].id];
        }
        assert_int_equal(others, 0); /* a token that was cut never comes */
        /* 11 degrees of freedom at most: P(chi > 31.3) = 0.001 */
        if (!(chi < 31.3))
            fail_msg("seed %llu: chi-square %g over %zu tokens", (unsigned long long)cases[c].seed, chi, expected.kept);
        sampler_close(&sampler);
    }
}

static void the_seed_decides(void **state)
{
    (void)state;
    static float logits[LARGE];
    fill(logits, LARGE, 9);
    struct weir_sampling o = weir_sampling_default();
    o.temperature = 3;
    int32_t ids[3][50];
    for (size_t run = 0; run < 3; run++) {
        o.seed = run == 2 ? 8 : 7;
        struct sampler sampler = open_sampler(o, LARGE);
        for (int i = 0; i < 50; i++) ids[run][i] = pick(&sampler, logits);
        sampler_close(&sampler);
    }
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    assert_true(memcmp(ids[0], ids[2], sizeof ids[0]) != 0);
}

static void filter_forbids(void **state)
{
    (void)state;
    float logits[40];
    uint32_t bits[2] = {0};
    for (int i = 0; i < 40; i++) logits[i] = (float)i;
    bits[0] = 1u << 3 | 1u << 31;
    bits[1] = 1u << 1;
    sampler_filter(logits, 40, bits);
    for (int i = 0; i < 40; i++) assert_true(logits[i] == (i == 3 || i == 31 || i == 33 ? (float)i : -INFINITY));
}

/* ---- log-probabilities ---- */

static void log_probabilities(void **state)
{
    (void)state;
    static float logits[3 * 4096 + 5];
    enum { N = sizeof logits / sizeof *logits };
    struct kernels kernels;
    kernels_init(&kernels, CPU_REF);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        fill(logits, N, seed);
        if (seed == 2)
            for (size_t i = 0; i < 4096; i++) logits[i] = -INFINITY; /* a whole block */
        if (seed == 3) logits[5000] = FLT_MAX;
        double sum = 0, best = -INFINITY;
        for (size_t i = 0; i < N; i++) best = fmax(best, (double)logits[i]);
        for (size_t i = 0; i < N; i++) sum += exp((double)logits[i] - best);
        double expected = best + log(sum), found = logprob_sum(&kernels, logits, N);
        if (!(fabs(found - expected) <= 1e-5))
            fail_msg("seed %llu: %.9g, expected %.9g", (unsigned long long)seed, found, expected);
        struct weir_token_logprob top[7];
        static struct plain sorted;
        static float few[LARGE];
        memcpy(few, logits, sizeof few);
        struct weir_sampling all = weir_sampling_default();
        plain_keep(&sorted, few, LARGE, &all);
        logprob_top(few, LARGE, expected, top, 7);
        for (size_t i = 0; i < 7; i++) {
            assert_int_equal(top[i].id, sorted.items[i].id);
            assert_true(fabs(top[i].logprob - ((double)sorted.items[i].logit - expected)) < 1e-9);
        }
    }
    for (size_t i = 0; i < N; i++) logits[i] = -INFINITY;
    assert_true(logprob_sum(&kernels, logits, N) == -INFINITY);
    struct weir_token_logprob top[2];
    logits[9] = 1;
    logprob_top(logits, N, 1, top, 2);
    assert_true(top[0].id == 9 && top[0].logprob == 0 && top[1].id == -1 && top[1].logprob == -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_k_top_p_min_p),
        cmocka_unit_test(penalties),
        cmocka_unit_test(bias_is_added),
        cmocka_unit_test(not_numbers),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(draws_follow_probabilities),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(filter_forbids),
        cmocka_unit_test(log_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
