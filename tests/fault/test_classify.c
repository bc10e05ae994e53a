/* Classifiers short of memory: a clean ERR_NOMEM, nothing leaked, and the same answers once memory is there again. */
#include <stdlib.h>

#include "fault/samples.h"
#include "weir/classify.h"

/* What a classifier is made of; `profile` may be NULL. */
struct parts {
    struct weir_engine *engine;
    struct weir_task *task;
    struct weir_profile *profile;
};

static struct parts parts_open(const struct tiny_model *model, const char *scoring, bool is_tuned)
{
    struct parts parts = {.engine = fault_engine(model), .task = sample_task(scoring)};
    if (!is_tuned) return parts;
    struct weir_string texts[SAMPLES];
    int32_t labels[SAMPLES];
    sample_rows(texts, labels);
    struct weir_tune_rows rows = {.texts = texts, .labels = labels, .count = SAMPLES};
    struct weir_tune_options options = weir_tune_options_default();
    options.folds = 2;
    struct weir_error error = {0};
    check_status(weir_tune(parts.engine, parts.task, &rows, &options, &parts.profile, &error), WEIR_OK, &error);
    return parts;
}

static void parts_close(struct parts *parts)
{
    weir_profile_close(&parts->profile);
    weir_task_close(&parts->task);
    weir_engine_close(&parts->engine);
}

static struct weir_classifier *classifier_open(const struct parts *parts)
{
    struct weir_classifier *classifier = NULL;
    struct weir_error error = {0};
    check_status(weir_classifier_open(parts->engine, parts->task, parts->profile, &classifier, &error), WEIR_OK,
                 &error);
    if (parts->profile) check_status(weir_classifier_use_head(classifier, WEIR_HEAD_BOTH, &error), WEIR_OK, &error);
    return classifier;
}

/* p: [SAMPLES, SAMPLE_LABELS] */
static enum weir_status decide(struct weir_classifier *classifier, double *p, struct weir_error *error)
{
    struct weir_string texts[SAMPLES];
    int32_t labels[SAMPLES];
    struct weir_decision decisions[SAMPLES];
    sample_rows(texts, labels);
    enum weir_status status = weir_classify(classifier, texts, SAMPLES, decisions, p, error);
    for (size_t i = 0; !status && i < SAMPLES; i++) {
        if (decisions[i].status) fail_msg("row %zu: %s", i, decisions[i].error);
    }
    return status;
}

static void check_open(const struct parts *parts)
{
    struct starve s = starve_begin(1);
    while (starve_goes_on(&s)) {
        struct weir_classifier *classifier = NULL;
        struct weir_error error = {0};
        enum weir_status status = weir_classifier_open(parts->engine, parts->task, parts->profile, &classifier, &error);
        starve_end(&s);
        check_round(&s, status, &error);
        if (status) assert_null(classifier);
        weir_classifier_close(&classifier);
    }
    check_rounds_ended(&s, 2);
}

/* One classifier goes through all rounds: it must not matter to it what failed before. */
static void check_decide(const struct parts *parts)
{
    double expected[SAMPLES * SAMPLE_LABELS], found[SAMPLES * SAMPLE_LABELS];
    struct weir_error error = {0};
    struct weir_classifier *classifier = classifier_open(parts);
    check_status(decide(classifier, expected, &error), WEIR_OK, &error);
    weir_classifier_close(&classifier);
    classifier = classifier_open(parts);
    struct starve s = starve_begin(1);
    while (starve_goes_on(&s)) {
        enum weir_status status = decide(classifier, found, &error);
        starve_end(&s);
        check_round(&s, status, &error);
        if (s.for_good) { /* what the classifier keeps between calls would hide allocations from the next rounds */
            weir_classifier_close(&classifier);
            classifier = classifier_open(parts);
        }
        check_status(decide(classifier, found, &error), WEIR_OK, &error);
        assert_memory_equal(found, expected, sizeof expected);
    }
    check_rounds_ended(&s, 60);
    weir_classifier_close(&classifier);
}

static void check_classifier(const struct tiny_model *model, const char *scoring, bool is_tuned)
{
    struct parts parts = parts_open(model, scoring, is_tuned);
    check_open(&parts);
    check_decide(&parts);
    parts_close(&parts);
}

static void codes(void **state)
{
    (void)state;
    check_classifier(&fault_llama, "codes", false);
    check_classifier(&fault_gemma3, "codes", false);
}

static void names(void **state)
{
    (void)state;
    check_classifier(&fault_llama, "names", false);
    check_classifier(&fault_gemma3, "names", false);
}

static void a_profile(void **state)
{
    (void)state;
    check_classifier(&fault_llama, "auto", true);
}

static void a_fingerprint(void **state)
{
    (void)state;
    struct weir_engine *engine = fault_engine(&fault_llama);
    struct weir_task *task = sample_task("auto");
    struct starve s = starve_begin(1);
    while (starve_goes_on(&s)) {
        char hex[65] = "untouched";
        struct weir_error error = {0};
        enum weir_status status = weir_engine_fingerprint(engine, hex, &error);
        if (!status) status = weir_task_fingerprint(task, hex, &error);
        starve_end(&s);
        check_round(&s, status, &error);
    }
    weir_task_close(&task);
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes),
        cmocka_unit_test(names),
        cmocka_unit_test(a_profile),
        cmocka_unit_test(a_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
