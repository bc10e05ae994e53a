/* Tuning short of memory, from hidden states to the file on disk: a clean ERR_NOMEM, nothing leaked, and the same profile once
 * memory is there again. */
#include <stdlib.h>

#include "base/file.h"
#include "fault/samples.h"
#include "weir/profile.h"

static size_t stride = 41; /* see starve.h */

static enum weir_status learn(struct weir_engine *engine, const struct weir_task *task, struct weir_profile **profile,
                              struct weir_error *error)
{
    struct weir_string texts[SAMPLES];
    int32_t labels[SAMPLES];
    sample_rows(texts, labels);
    struct weir_tune_rows rows = {.texts = texts, .labels = labels, .count = SAMPLES};
    struct weir_tune_options options = weir_tune_options_default();
    options.folds = 2;
    options.threads = 2;
    return weir_tune(engine, task, &rows, &options, profile, error);
}

static const char *file_name(void)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "fault-%ld.profile", (long)getpid());
    return name;
}

/* The bytes of the profile's file, which is removed. */
static struct strbuf bytes_of(const struct weir_profile *profile)
{
    struct strbuf bytes = STRBUF_MAX(1 << 24);
    struct weir_error error = {0};
    check_status(weir_profile_save(profile, file_name(), &error), WEIR_OK, &error);
    check_status(file_read(file_name(), &bytes, &error), WEIR_OK, &error);
    (void)unlink(file_name());
    return bytes;
}

static struct strbuf expected_bytes(const struct weir_task *task)
{
    struct weir_engine *engine = fault_engine(&fault_llama);
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    check_status(learn(engine, task, &profile, &error), WEIR_OK, &error);
    struct strbuf bytes = bytes_of(profile);
    weir_profile_close(&profile);
    weir_engine_close(&engine);
    return bytes;
}

static void tuning(void **state)
{
    (void)state;
    struct weir_task *task = sample_task("auto");
    struct strbuf expected = expected_bytes(task);
    struct weir_engine *engine = fault_engine(&fault_llama);
    struct weir_profile *profile = NULL;
    struct starve s = starve_begin(stride);
    while (starve_goes_on(&s)) {
        struct weir_error error = {0};
        enum weir_status status = learn(engine, task, &profile, &error);
        starve_end(&s);
        check_round(&s, status, &error);
        if (status) assert_null(profile);
    }
    check_rounds_ended(&s, 1000);
    struct strbuf found = bytes_of(profile); /* the last round's, by an engine that saw all the others */
    assert_int_equal(found.size, expected.size);
    assert_memory_equal(found.data, expected.data, expected.size);
    strbuf_free(&found);
    strbuf_free(&expected);
    weir_profile_close(&profile);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

static void saving(void **state)
{
    (void)state;
    struct weir_task *task = sample_task("auto");
    struct weir_engine *engine = fault_engine(&fault_llama);
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    check_status(learn(engine, task, &profile, &error), WEIR_OK, &error);
    struct starve s = starve_begin(1);
    while (starve_goes_on(&s)) {
        enum weir_status status = weir_profile_save(profile, file_name(), &error);
        starve_end(&s);
        check_round(&s, status, &error);
        assert_int_equal(access(file_name(), F_OK), status ? -1 : 0);
        (void)unlink(file_name());
    }
    check_rounds_ended(&s, 10);
    weir_profile_close(&profile);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

/* test_fault_tune [STRIDE]: 1 fails every allocation, which takes a minute or two. */
int main(int count, char **words)
{
    if (count > 1) stride = strtoul(words[1], NULL, 10);
    if (!stride) return 2;
    const struct CMUnitTest tests[] = {cmocka_unit_test(tuning), cmocka_unit_test(saving)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
