/* Certificates: counts by hand, and a simulation in which the true error is known. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "weir/certify.h"

enum { ROWS_MAX = 1200, CLASSES = 3 };

/* Rows in arrays of their own. */
struct sample {
    int32_t gold[ROWS_MAX], predicted[ROWS_MAX];
    double probability[ROWS_MAX];
    size_t count;
};

static void add(struct sample *s, size_t count, int32_t gold, int32_t predicted, double probability)
{
    assert_true(s->count + count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++, s->count++) {
        s->gold[s->count] = gold;
        s->predicted[s->count] = predicted;
        s->probability[s->count] = probability;
    }
}

static struct weir_eval_rows rows_of(const struct sample *s)
{
    return (struct weir_eval_rows){.count = s->count,
                                   .n_classes = CLASSES,
                                   .gold = s->gold,
                                   .predicted = s->predicted,
                                   .probability = s->probability};
}

static void certify(const struct sample *planning, const struct sample *fresh,
                    const struct weir_certify_options *options, struct weir_certified *out)
{
    struct weir_eval_rows plan = rows_of(planning), rows = rows_of(fresh);
    struct weir_error error = {0};
    check_status(weir_certify(&plan, &rows, options, out, &error), WEIR_OK, &error);
}

/* 0.95^59 = 0.0485, 0.95^58 = 0.0510: 59 rows without an error are the fewest. */
static void fewest_rows_are_59(void **state)
{
    (void)state;
    struct weir_certify_options options = weir_certify_options_default();
    static struct sample planning, fresh;
    planning.count = fresh.count = 0;
    add(&planning, 200, 0, 0, 0.9);
    add(&fresh, 58, 0, 0, 0.95);
    struct weir_certified out;
    certify(&planning, &fresh, &options, &out);
    assert_false(out.is_certified);
    assert_true(out.threshold > 1);
    assert_int_equal(out.rows, 58);
    assert_true(out.rows_more >= 1 && out.rows_more < 100);
    add(&fresh, 1, 1, 1, 0.9);
    certify(&planning, &fresh, &options, &out);
    assert_true(out.is_certified);
    assert_true(out.threshold == 0.9);
    assert_int_equal(out.accepted, 59);
    assert_int_equal(out.wrong, 0);
    assert_true(fabs(out.bound - (1 - pow(0.05, 1.0 / 59))) < 1e-9);
}

/* Two errors in 124 rows give an upper limit of 4.99 %, in 123 of 5.03 % (scipy.stats.beta.ppf(0.95, 3, n - 2)). */
static void errors_are_counted(void **state)
{
    (void)state;
    struct weir_certify_options options = weir_certify_options_default();
    static struct sample planning, fresh;
    planning.count = fresh.count = 0;
    add(&planning, 300, 0, 0, 0.9);
    add(&fresh, 121, 0, 0, 0.95);
    add(&fresh, 2, 1, 0, 0.95);
    struct weir_certified out;
    certify(&planning, &fresh, &options, &out);
    assert_false(out.is_certified);
    add(&fresh, 1, 2, 2, 0.95);
    certify(&planning, &fresh, &options, &out);
    assert_true(out.is_certified);
    assert_int_equal(out.wrong, 2);
    assert_true(out.bound <= 0.05 && out.bound > 0.0495);
}

/* Below 0.5 everything is wrong, above it right: the threshold lies between, and rows without an answer are never accepted. */
static void threshold_parts_right_from_wrong(void **state)
{
    (void)state;
    struct weir_certify_options options = weir_certify_options_default();
    static struct sample planning, fresh;
    planning.count = fresh.count = 0;
    for (size_t i = 0; i < 100; i++) {
        double p = (double)(i + 1) / 100;
        add(&planning, 3, p > 0.5 ? 1 : 0, 1, p);
        add(&fresh, 4, p > 0.5 ? 1 : 0, 1, p);
        add(&fresh, 1, 1, -1, 0);
    }
    struct weir_certified out;
    certify(&planning, &fresh, &options, &out);
    assert_true(out.is_certified);
    assert_int_equal(out.rows, 400);
    assert_true(out.threshold > 0.45 && out.threshold <= 0.51);
    assert_true(out.accepted >= 200 && out.wrong * 20 <= out.accepted);
}

static void classes_stand_alone(void **state)
{
    (void)state;
    struct weir_certify_options options = weir_certify_options_default();
    options.per_class = true;
    static struct sample planning, fresh;
    planning.count = fresh.count = 0;
    add(&planning, 100, 0, 0, 0.9);
    add(&planning, 70, 1, 1, 0.9);
    add(&planning, 100, 0, 1, 0.9);
    add(&fresh, 70, 0, 0, 0.9);
    add(&fresh, 40, 1, 1, 0.9);
    add(&fresh, 40, 0, 1, 0.9);
    struct weir_certified out[CLASSES];
    certify(&planning, &fresh, &options, out);
    assert_true(out[0].is_certified);
    assert_false(out[1].is_certified);
    assert_int_equal(out[1].rows, 80);
    assert_int_equal(out[1].rows_more, 0); /* more than half are wrong: no number of rows helps */
    assert_false(out[2].is_certified);     /* never answered */
    assert_int_equal(out[2].rows, 0);
    options.simultaneous = true; /* 5 % over three classes: 0.95^n <= 0.05/3 needs 80 rows */
    certify(&planning, &fresh, &options, out);
    assert_false(out[0].is_certified);
    assert_true(out[0].rows_more >= 10);
    add(&fresh, 10, 0, 0, 0.9);
    certify(&planning, &fresh, &options, out);
    assert_true(out[0].is_certified);
}

static void wrong_input_is_refused(void **state)
{
    (void)state;
    static struct sample planning, fresh;
    planning.count = fresh.count = 0;
    add(&planning, 10, 0, 0, 0.9);
    add(&fresh, 10, 0, 0, 0.9);
    const struct weir_certify_options wrong[] = {
        {.max_error = 0, .confidence = 0.95},   {.max_error = 1, .confidence = 0.95},
        {.max_error = NAN, .confidence = 0.95}, {.max_error = 0.05, .confidence = 1},
        {.max_error = 0.05, .confidence = 0},   {.max_error = 0.05, .confidence = 0.95, .simultaneous = true},
    };
    struct weir_eval_rows plan = rows_of(&planning), rows = rows_of(&fresh);
    struct weir_certified out[CLASSES];
    struct weir_error error = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_status(weir_certify(&plan, &rows, &wrong[i], out, &error), WEIR_ERR_INVALID, &error);
    struct weir_certify_options options = weir_certify_options_default();
    rows.n_classes = 2;
    check_status(weir_certify(&plan, &rows, &options, out, &error), WEIR_ERR_INVALID, &error);
    rows = rows_of(&fresh);
    rows.probability = NULL;
    check_status(weir_certify(&plan, &rows, &options, out, &error), WEIR_ERR_INVALID, &error);
    fresh.gold[3] = CLASSES;
    rows = rows_of(&fresh);
    check_status(weir_certify(&plan, &rows, &options, out, &error), WEIR_ERR_INVALID, &error);
    assert_non_null(strstr(error.text, "fresh rows"));
}

/* ---- simulation: answers with probability p, uniform in (LOW, 1), are right with probability p^power ---- */

static const double LOW = 0.3;

static double uniform(uint64_t *seed)
{
    *seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void draw(struct sample *s, size_t count, double power, uint64_t *seed)
{
    s->count = 0;
    for (size_t i = 0; i < count; i++) {
        double p = LOW + (1 - LOW) * uniform(seed);
        int32_t answer = (int32_t)(uniform(seed) * (double)CLASSES);
        bool is_right = uniform(seed) < pow(p, power);
        add(s, 1, is_right ? answer : (answer + 1) % CLASSES, answer, p);
    }
}

/* The error of the answers at or above t, exactly: 1 - integral of p^power over (t, 1) / (1 - t). */
static double true_error(double t, double power)
{
    double low = t > LOW ? t : LOW;
    if (low >= 1) return 0;
    return 1 - (1 - pow(low, power + 1)) / ((power + 1) * (1 - low));
}

struct scenario {
    const char *name;
    double planned_power; /* what the planning rows follow */
    double power;         /* what the world follows */
    double max_error;
    bool per_class;
    unsigned draws;
};

static void simulate(const struct scenario *scenario)
{
    static struct sample planning, fresh;
    struct weir_certify_options options = weir_certify_options_default();
    options.per_class = options.simultaneous = scenario->per_class;
    options.max_error = scenario->max_error;
    uint64_t seed = 20260727;
    unsigned violated = 0, certified = 0;
    for (unsigned i = 0; i < scenario->draws; i++) {
        if (i % 50 == 0) draw(&planning, 300, scenario->planned_power, &seed);
        draw(&fresh, 300, scenario->power, &seed);
        struct weir_certified out[CLASSES];
        certify(&planning, &fresh, &options, out);
        bool is_violated = false, is_certified = false;
        for (int k = 0; k < (scenario->per_class ? CLASSES : 1); k++) {
            is_certified = is_certified || out[k].is_certified;
            is_violated = is_violated ||
                          (out[k].is_certified && true_error(out[k].threshold, scenario->power) > options.max_error);
        }
        violated += is_violated;
        certified += is_certified;
    }
    double low, high;
    weir_eval_interval(violated, scenario->draws, 0.95, &low, &high);
    print_message("%s: %u draws, %u certified, %u false (%.2f %%, interval %.2f to %.2f %%)\n", scenario->name,
                  scenario->draws, certified, violated, 100.0 * violated / scenario->draws, 100 * low, 100 * high);
    if (low > 1 - options.confidence)
        fail_msg("%s: seed 20260727: more false certificates than promised", scenario->name);
    if (certified * 2 < scenario->draws)
        fail_msg("%s: only %u certified: the test sees little", scenario->name, certified);
}

static void promise_is_kept(void **state)
{
    (void)state;
    static const struct scenario scenarios[] = {
        {"plan as the world", 0.5, 0.5, 0.12, false, 10000},
        {"plan too hopeful", 0.4, 0.5, 0.12, false, 1000},
        {"three classes at once", 0.5, 0.5, 0.2, true, 1000},
    };
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) simulate(&scenarios[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewest_rows_are_59),
        cmocka_unit_test(errors_are_counted),
        cmocka_unit_test(threshold_parts_right_from_wrong),
        cmocka_unit_test(classes_stand_alone),
        cmocka_unit_test(wrong_input_is_refused),
        cmocka_unit_test(promise_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
