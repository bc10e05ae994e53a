/* Certificates: a sequence of thresholds planned on other rows, tested on fresh ones by exact binomial tests.
 *
 * A threshold passes when at most `wrong` errors of `accepted` would come with probability at most 1 - confidence if the true error
 * were max_error: P(Bin(accepted, max_error) <= wrong) <= 1 - confidence, which is the Clopper-Pearson bound's "at most max_error".
 * What the plan says about a threshold (error, share) decides only where the sequence starts, never whether it passes. */
#include "weir/certify.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

struct answer {
    double probability;
    bool is_wrong;
};

/* The answers of one class (or all), most probable first. */
struct answers {
    struct answer *items; /* [count], owned */
    size_t count;
};

/* A threshold of the plan. */
struct step {
    double threshold;
    double share; /* of the class's planning rows at or above it */
    double error; /* of those, drawn a little towards one half: (wrong + 1/2) / (rows + 1) */
};

struct plan {
    struct step steps[WEIR_CERTIFY_STEPS]; /* from strict to lax */
    size_t count;
};

struct level {
    double max_error, alpha; /* alpha: largest probability of a false statement */
};

struct weir_certify_options weir_certify_options_default(void)
{
    return (struct weir_certify_options){.max_error = 0.05, .confidence = 0.95};
}

static int by_probability_falling(const void *a, const void *b)
{
    double x = ((const struct answer *)a)->probability, y = ((const struct answer *)b)->probability;
    return (x < y) - (x > y);
}

/* one_class < 0: all answers. */
static enum weir_status answers_open(const struct weir_eval_rows *rows, int32_t one_class, struct answers *answers,
                                     struct weir_error *error)
{
    answers->count = 0;
    answers->items = mem_zero(rows->count + 1, sizeof *answers->items);
    if (!answers->items) return error_nomem(error, "certificate");
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->predicted[i] < 0 || (one_class >= 0 && rows->predicted[i] != one_class)) continue;
        answers->items[answers->count++] = (struct answer){rows->probability[i], rows->predicted[i] != rows->gold[i]};
    }
    qsort(answers->items, answers->count, sizeof *answers->items, by_probability_falling);
    return WEIR_OK;
}

/* P(X <= k) for X ~ Bin(n, p). */
static double binomial_tail(size_t k, size_t n, double p)
{
    return k >= n ? 1 : weir_eval_beta((double)(n - k), (double)k + 1, 1 - p);
}

static bool passes(size_t wrong, size_t accepted, const struct level *level)
{
    return accepted > 0 && binomial_tail(wrong, accepted, level->max_error) <= level->alpha;
}

/* The most errors with which `accepted` rows pass; -1 when not even none will do. P rises with the count: bisection, from the mean of the
 * distribution down, where P is near one half already. */
static double errors_allowed(size_t accepted, const struct level *level)
{
    if (!passes(0, accepted, level)) return -1;
    size_t good = 0, bad = (size_t)(level->max_error * (double)accepted) + 1;
    while (bad < accepted && passes(bad, accepted, level)) bad = 2 * bad < accepted ? 2 * bad : accepted;
    while (bad - good > 1) {
        size_t middle = good + (bad - good) / 2;
        if (passes(middle, accepted, level))
            good = middle;
        else
            bad = middle;
    }
    return (double)good;
}

/* Steps at equal ranks of the planning answers; equal probabilities stay together. */
static void plan_make(const struct answers *planning, struct plan *plan)
{
    size_t wrong = 0, n = planning->count;
    plan->count = 0;
    for (size_t i = 0; i < n; i++) {
        wrong += planning->items[i].is_wrong;
        bool is_tied = i + 1 < n && planning->items[i + 1].probability >= planning->items[i].probability;
        if (is_tied || ((i + 1) * WEIR_CERTIFY_STEPS / n == i * WEIR_CERTIFY_STEPS / n && i + 1 < n)) continue;
        plan->steps[plan->count++] = (struct step){.threshold = planning->items[i].probability,
                                                   .share = (double)(i + 1) / (double)n,
                                                   .error = ((double)wrong + 0.5) / ((double)i + 2)};
        if (plan->count == WEIR_CERTIFY_STEPS) break;
    }
}

/* How probable it is that the step passes with `rows` fresh rows, if the plan is right about it. */
static double power(const struct step *step, size_t rows, const struct level *level)
{
    size_t accepted = (size_t)(step->share * (double)rows);
    double allowed = accepted ? errors_allowed(accepted, level) : -1;
    return allowed < 0 ? 0 : binomial_tail((size_t)allowed, accepted, step->error);
}

/* The laxest of the steps that pass with the greatest probability, give or take a thousandth. The fresh rows' labels and probabilities
 * play no part, only how many there are. */
static size_t plan_start(const struct plan *plan, size_t rows, const struct level *level)
{
    double powers[WEIR_CERTIFY_STEPS], best = 0;
    size_t start = 0;
    for (size_t i = 0; i < plan->count; i++) {
        powers[i] = power(&plan->steps[i], rows, level);
        if (powers[i] > best) best = powers[i];
    }
    for (size_t i = 0; i < plan->count; i++)
        if (powers[i] > 0 && powers[i] >= best - 0.001) start = i;
    return start;
}

/* The sequence over the fresh answers, from `start` to the first failure. */
static void test_sequence(const struct plan *plan, size_t start, const struct answers *fresh, const struct level *level,
                          struct weir_certified *out)
{
    size_t accepted = 0, wrong = 0;
    for (size_t i = start; i < plan->count; i++) {
        while (accepted < fresh->count && fresh->items[accepted].probability >= plan->steps[i].threshold)
            wrong += fresh->items[accepted++].is_wrong;
        if (!passes(wrong, accepted, level)) break;
        out->is_certified = true;
        out->threshold = plan->steps[i].threshold;
        out->accepted = accepted;
        out->wrong = wrong;
    }
}

enum { ROWS_MORE_MAX = 10000000 };

/* The fewest accepted rows with which a step passes with a probability of 1/2 or so, were its errors as planned; 0: none will do. */
static size_t accepted_needed(const struct step *step, const struct level *level)
{
    size_t few = 0, many = 16;
    if (step->error >= level->max_error) return 0;
    while (!passes((size_t)ceil(step->error * (double)many), many, level)) {
        few = many;
        many *= 2;
        if (many > ROWS_MORE_MAX) return 0;
    }
    while (many - few > 1) { /* not quite monotone, since errors are whole; near enough for an estimate */
        size_t middle = few + (many - few) / 2;
        if (passes((size_t)ceil(step->error * (double)middle), middle, level))
            many = middle;
        else
            few = middle;
    }
    return many;
}

static size_t rows_more(const struct plan *plan, size_t rows, const struct level *level)
{
    double best = INFINITY;
    for (size_t i = 0; i < plan->count; i++) {
        size_t needed = accepted_needed(&plan->steps[i], level);
        if (needed && (double)needed / plan->steps[i].share < best) best = (double)needed / plan->steps[i].share;
    }
    if (isinf(best)) return 0;
    return best > (double)rows ? (size_t)ceil(best - (double)rows) : 1;
}

static enum weir_status certify_class(const struct weir_eval_rows *planning, const struct weir_eval_rows *fresh,
                                      int32_t one_class, const struct level *level, struct weir_certified *out,
                                      struct weir_error *error)
{
    struct answers planned = {0}, tested = {0};
    struct plan plan = {.count = 0};
    *out = (struct weir_certified){.threshold = 2, .bound = 1};
    enum weir_status status = answers_open(planning, one_class, &planned, error);
    if (!status) status = answers_open(fresh, one_class, &tested, error);
    if (!status) {
        plan_make(&planned, &plan);
        out->rows = tested.count;
        test_sequence(&plan, plan_start(&plan, tested.count, level), &tested, level, out);
        if (out->is_certified)
            out->bound = weir_eval_upper_bound(out->wrong, out->accepted, 1 - level->alpha);
        else
            out->rows_more = rows_more(&plan, tested.count, level);
    }
    free(planned.items);
    free(tested.items);
    return status;
}

static enum weir_status check_rows(const struct weir_eval_rows *rows, const char *which, struct weir_error *error)
{
    struct weir_eval_summary summary;
    if (!rows->probability) return error_set(error, WEIR_ERR_INVALID, "%s rows: no probabilities", which);
    enum weir_status status = weir_eval_measure(rows, &summary, NULL, error);
    return status ? error_prefix(error, status, "%s rows", which) : WEIR_OK;
}

static enum weir_status check_options(const struct weir_certify_options *options, struct weir_error *error)
{
    if (!(options->max_error > 0 && options->max_error < 1))
        return error_set(error, WEIR_ERR_INVALID, "max_error is %g, expected between 0 and 1", options->max_error);
    if (!(options->confidence > 0 && options->confidence < 1))
        return error_set(error, WEIR_ERR_INVALID, "confidence is %g, expected between 0 and 1", options->confidence);
    if (options->simultaneous && !options->per_class)
        return error_set(error, WEIR_ERR_INVALID, "simultaneous statements need per_class");
    return WEIR_OK;
}

enum weir_status weir_certify(const struct weir_eval_rows *planning, const struct weir_eval_rows *fresh,
                              const struct weir_certify_options *options, struct weir_certified *out,
                              struct weir_error *error)
{
    enum weir_status status = check_options(options, error);
    if (!status && planning->n_classes != fresh->n_classes)
        status = error_set(error, WEIR_ERR_INVALID, "planning rows have %zu classes, fresh rows %zu",
                           planning->n_classes, fresh->n_classes);
    if (!status) status = check_rows(planning, "planning", error);
    if (!status) status = check_rows(fresh, "fresh", error);
    if (status) return status;
    struct level level = {.max_error = options->max_error, .alpha = 1 - options->confidence};
    if (!options->per_class) return certify_class(planning, fresh, -1, &level, out, error);
    if (options->simultaneous) level.alpha /= (double)fresh->n_classes;
    for (size_t k = 0; k < fresh->n_classes && !status; k++)
        status = certify_class(planning, fresh, (int32_t)k, &level, &out[k], error);
    return status;
}

bool weir_certificate_accepts(const struct weir_certificate *certificate, size_t class_index, double probability)
{
    size_t index = certificate->options.per_class ? class_index : 0;
    if (index >= certificate->count) return false;
    const struct weir_certified *item = &certificate->items[index];
    return item->is_certified && probability >= item->threshold;
}
