/* A head's calibration in a profile: written, read back, used, damaged, refused. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "check.h"
#include "decide/profile_sample.h"

static const enum weir_head_kind HEAD = WEIR_HEAD_BOTH;

static struct calibration *of(struct weir_profile *profile)
{
    return &profile->questions[0].heads[HEAD].calibration;
}

static struct weir_profile *sample(enum weir_calibration kind)
{
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    struct calibration *c = of(profile);
    weir_task_close(&task);
    c->kind = kind;
    c->scale = mem_zero(SAMPLE_LABELS, sizeof *c->scale);
    c->shift = mem_zero(SAMPLE_LABELS, sizeof *c->shift);
    c->knots = mem_zero((size_t)SAMPLE_LABELS * CALIBRATION_KNOTS, sizeof *c->knots);
    assert_true(c->scale && c->shift && c->knots);
    for (size_t k = 0; k < SAMPLE_LABELS; k++) {
        c->scale[k] = 0.5f + (float)k;
        c->shift[k] = 0.25f * (float)k;
        for (size_t i = 0; i < CALIBRATION_KNOTS; i++) {
            float part = (float)(i < 10 ? i : 10) / 10;
            c->knots[k * CALIBRATION_KNOTS + i] = (struct calibration_knot){part, 0.1f + 0.2f * (float)k * part};
        }
    }
    return profile;
}

static struct strbuf bytes_of(const struct weir_profile *profile)
{
    struct strbuf bytes = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    check_status(profile_bytes(profile, &bytes, &error), WEIR_OK, &error);
    return bytes;
}

static enum weir_status reopen(const struct weir_profile *profile, struct weir_profile **read, struct weir_error *error)
{
    struct strbuf bytes = bytes_of(profile);
    enum weir_status status = weir_profile_open_memory(bytes.data, bytes.size, "sample", read, error);
    strbuf_free(&bytes);
    return status;
}

static void each_kind_survives_writing_and_reading(void **state)
{
    (void)state;
    static const double z[SAMPLE_LABELS] = {0.5, -1, 0.25};
    for (int kind = 0; kind < WEIR_CALIBRATIONS; kind++) {
        struct weir_profile *profile = sample((enum weir_calibration)kind), *read = NULL;
        struct weir_error error = {0};
        check_status(reopen(profile, &read, &error), WEIR_OK, &error);
        struct weir_head_info info;
        weir_profile_head(read, 0, HEAD, &info);
        assert_int_equal(info.calibration, kind);
        weir_profile_head(read, 0, WEIR_HEAD_NGRAM, &info);
        assert_int_equal(info.calibration, WEIR_CALIBRATION_TEMPERATURE);
        double before[SAMPLE_LABELS], after[SAMPLE_LABELS];
        assert_true(calibration_apply(of(profile), z, SAMPLE_LABELS, before));
        assert_true(calibration_apply(of(read), z, SAMPLE_LABELS, after));
        assert_memory_equal(before, after, sizeof before);
        weir_profile_close(&read);
        weir_profile_close(&profile);
    }
}

/* Between the knots (0.2, y) and (0.3, y') a probability of 0.25 lies in the middle; beyond the last knot it stays there. */
static void knots_are_joined_by_lines(void **state)
{
    (void)state;
    struct weir_profile *profile = sample(WEIR_CALIBRATION_ISOTONIC);
    of(profile)->temperature = 1;
    double p[SAMPLE_LABELS], y[SAMPLE_LABELS] = {0.1, 0.1 + 0.2 * 0.25, 0.1 + 0.4 * 0.5};
    double z[SAMPLE_LABELS] = {0, 0, 0.6931471805599453}; /* 1/4, 1/4, 1/2 */
    assert_true(calibration_apply(of(profile), z, SAMPLE_LABELS, p));
    for (size_t k = 0; k < SAMPLE_LABELS; k++) {
        double expected = y[k] / (y[0] + y[1] + y[2]);
        if (p[k] < expected - 1e-6 || p[k] > expected + 1e-6) fail_msg("class %zu: %g, expected %g", k, p[k], expected);
    }
    weir_profile_close(&profile);
}

static void spoil_scale(struct calibration *c)
{
    c->scale[1] = (float)(1e308 * 10);
}
static void spoil_order(struct calibration *c)
{
    c->knots[CALIBRATION_KNOTS + 3].y = 0.9f;
}
static void spoil_zero(struct calibration *c)
{
    c->knots[0].y = 0;
}
static void spoil_range(struct calibration *c)
{
    c->knots[CALIBRATION_KNOTS - 1].x = 1.5f;
}

static void wrong_contents_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum weir_calibration kind;
        void (*spoil)(struct calibration *calibration);
        const char *named;
    } cases[] = {{WEIR_CALIBRATION_VECTOR, spoil_scale, "both.calibration.scale"},
                 {WEIR_CALIBRATION_ISOTONIC, spoil_order, "both.calibration.knots"},
                 {WEIR_CALIBRATION_ISOTONIC, spoil_zero, "both.calibration.knots"},
                 {WEIR_CALIBRATION_ISOTONIC, spoil_range, "both.calibration.knots"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_profile *profile = sample(cases[i].kind), *read = NULL;
        struct weir_error error = {0};
        cases[i].spoil(of(profile));
        check_status(reopen(profile, &read, &error), WEIR_ERR_FORMAT, &error);
        check_contains(error.text, cases[i].named);
        weir_profile_close(&profile);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int kind = WEIR_CALIBRATION_VECTOR; kind < WEIR_CALIBRATIONS; kind++) {
        struct weir_profile *profile = sample((enum weir_calibration)kind);
        struct strbuf bytes = bytes_of(profile);
        enum weir_status status = WEIR_ERR_NOMEM;
        weir_profile_close(&profile);
        for (size_t n = 1; status; n++) {
            struct weir_error error = {0};
            assert_true(n < 500);
            mem_fail_after(n);
            status = weir_profile_open_memory(bytes.data, bytes.size, "starved", &profile, &error);
            mem_fail_after(0);
            if (status) check_status(status, WEIR_ERR_NOMEM, &error);
            weir_profile_close(&profile);
        }
        strbuf_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_survives_writing_and_reading),
        cmocka_unit_test(knots_are_joined_by_lines),
        cmocka_unit_test(wrong_contents_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
