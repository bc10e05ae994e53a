/* Calibrating extractions of a tiny model: the answers stay, their probabilities become how often such answers are right. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "decide/profile.h"
#include "model/tiny_engine.h"
#include "weir/decide.h"
#include "weir/tune.h"

enum { CTX = 700, ROWS = 120, TEXT_BYTES = 24 };

static const char SCHEMA[] =
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"boolean\",\"null\"]},\"b\":{\"enum\":["
    "\"x\",\"y\"]},\"c\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9}},"
    "\"required\":[\"a\",\"c\"],\"additionalProperties\":false}";

struct fixture {
    struct weir_engine *engine;
    struct weir_task *task;
    char path[40];
    char texts[ROWS][TEXT_BYTES];
    struct weir_string strings[ROWS], values[ROWS];
    struct weir_words words[ROWS];
    struct weir_decision decisions[ROWS];
};

static void write_schema(const struct fixture *f, const char *schema)
{
    struct weir_error error = {0};
    check_status(file_write_atomic(f->path, schema, strlen(schema), &error), WEIR_OK, &error);
}

static enum weir_status decide(struct fixture *f, const struct weir_profile *profile, struct weir_error *error)
{
    struct weir_decider *decider = NULL;
    double probabilities[1];
    enum weir_status status = weir_decider_open(f->engine, f->task, profile, &decider, error);
    for (size_t i = 0; i < ROWS; i++) weir_words_free(&f->words[i]);
    if (!status) status = weir_decide(decider, f->strings, ROWS, f->decisions, f->words, probabilities, error);
    weir_decider_close(&decider);
    return status;
}

/* What is right: the model's own answer in the first rows, nothing at all in the others. */
static void set_values(struct fixture *f, size_t right)
{
    for (size_t i = 0; i < ROWS; i++) {
        f->values[i] =
            i < right ? (struct weir_string){f->words[i].text, f->words[i].size} : (struct weir_string){"{}", 2};
    }
}

static int open_fixture(void **state)
{
    static struct fixture f;
    struct weir_error error = {0};
    char yaml[128];
    (void)snprintf(f.path, sizeof f.path, "tune-extract-%ld.json", (long)getpid());
    write_schema(&f, SCHEMA);
    int size = snprintf(yaml, sizeof yaml, "task: t\ninstructions: Read.\ntype: extract\nschema: %s\n", f.path);
    check_status(weir_task_open_memory(yaml, (size_t)size, "t.yaml", &f.task, &error), WEIR_OK, &error);
    f.engine = tiny_engine(&tiny_models[0], 2, CTX);
    for (unsigned i = 0; i < ROWS; i++) {
        int n = snprintf(f.texts[i], TEXT_BYTES, "the car %u in %u", i * 7919 % 1000, i);
        f.strings[i] = (struct weir_string){f.texts[i], (size_t)n};
    }
    check_status(decide(&f, NULL, &error), WEIR_OK, &error);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ROWS; i++) weir_words_free(&f->words[i]);
    weir_task_close(&f->task);
    weir_engine_close(&f->engine);
    (void)unlink(f->path);
    return 0;
}

static enum weir_status tune(struct fixture *f, struct weir_profile **profile, struct weir_error *error)
{
    struct weir_tune_values rows = {.texts = f->strings, .values = f->values, .count = ROWS};
    return weir_tune_extract(f->engine, f->task, 0, &rows, NULL, profile, error);
}

static double sum_of(const struct fixture *f, size_t field)
{
    double sum = 0;
    for (size_t i = 0; i < ROWS; i++) sum += f->words[i].fields[field].probability;
    return sum;
}

/* Three quarters of the rows have the right value, so answers are right with about that probability; a profile survives its file. */
static void probabilities_become_shares(void **state)
{
    struct fixture *f = *state;
    struct weir_error error = {0};
    struct weir_profile *profile = NULL, *again = NULL;
    char before[ROWS][1024], path[40];
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(f->decisions[i].status, WEIR_OK);
        (void)snprintf(before[i], sizeof before[i], "%s", f->words[i].text);
    }
    set_values(f, ROWS / 4 * 3);
    check_status(tune(f, &profile, &error), WEIR_OK, &error);
    struct weir_profile_info info;
    struct weir_profile_extract extract;
    weir_profile_info(profile, &info);
    weir_profile_extract(profile, 0, &extract);
    assert_int_equal(info.extracts, 1);
    assert_int_equal(info.questions, 0);
    assert_int_equal(extract.rows, ROWS);
    assert_int_equal(extract.n_fields, 3);
    struct weir_extract_info field;
    weir_profile_extract_field(profile, 0, 2, &field);
    assert_string_equal(field.field, "c");
    assert_true(fabs(field.accuracy - 0.75) < 1e-9); /* c is required: {} never has it */
    assert_true(field.log_loss <= field.raw_log_loss);
    (void)snprintf(path, sizeof path, "tune-extract-%ld.profile", (long)getpid());
    check_status(weir_profile_save(profile, path, &error), WEIR_OK, &error);
    check_status(weir_profile_open(path, &again, &error), WEIR_OK, &error);
    (void)unlink(path);
    check_status(decide(f, again, &error), WEIR_OK, &error);
    double mean = sum_of(f, 2) / (double)ROWS;
    if (fabs(mean - 0.75) > 0.05) fail_msg("mean probability of c: expected about 0.75, found %g", mean);
    for (size_t i = 0; i < ROWS; i++) {
        assert_string_equal(f->words[i].text, before[i]); /* the answers stay */
        assert_true(f->decisions[i].probability > 0 && f->decisions[i].probability < 1);
    }
    double first = f->decisions[0].probability;
    check_status(decide(f, profile, &error), WEIR_OK, &error);
    assert_true(f->decisions[0].probability == first);
    weir_profile_close(&again);
    weir_profile_close(&profile);
    check_status(decide(f, NULL, &error), WEIR_OK, &error);
}

static void a_profile_belongs_to_its_schema(void **state)
{
    struct fixture *f = *state;
    struct weir_error error = {0};
    struct weir_profile *profile = NULL;
    struct weir_decider *decider = NULL;
    set_values(f, ROWS);
    check_status(tune(f, &profile, &error), WEIR_OK, &error);
    write_schema(f, "{\"properties\":{\"a\":{},\"b\":{},\"c\":{}}}");
    check_status(weir_decider_open(f->engine, f->task, profile, &decider, &error), WEIR_ERR_REFUSED, &error);
    check_contains(error.text, "another schema");
    write_schema(f, SCHEMA);
    weir_profile_close(&profile);
}

/* Cut after any byte, or with any byte changed, the file is refused or read: never more. */
static void files_are_not_trusted(void **state)
{
    struct fixture *f = *state;
    struct weir_error error = {0};
    struct weir_profile *profile = NULL;
    struct strbuf bytes = STRBUF_MAX(1 << 20);
    size_t opened = 0;
    set_values(f, ROWS / 2);
    check_status(tune(f, &profile, &error), WEIR_OK, &error);
    check_status(profile_bytes(profile, &bytes, &error), WEIR_OK, &error);
    weir_profile_close(&profile);
    for (size_t size = 0; size < bytes.size; size++) {
        if (weir_profile_open_memory(bytes.data, size, "cut", &profile, &error) == WEIR_OK)
            fail_msg("opened without its last %zu bytes", bytes.size - size);
    }
    for (size_t at = 0; at < bytes.size; at++) {
        bytes.data[at] = (char)(bytes.data[at] ^ 0x81);
        opened += weir_profile_open_memory(bytes.data, bytes.size, "changed", &profile, &error) == WEIR_OK;
        weir_profile_close(&profile);
        bytes.data[at] = (char)(bytes.data[at] ^ 0x81);
    }
    assert_true(opened < bytes.size);
    strbuf_free(&bytes);
}

static void what_cannot_be_learned(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *value, *part;
        enum weir_status status;
    } bad[] = {{"{\"a\":true,\"zz\":1}", "row 6: the schema has no field `zz`", WEIR_ERR_REFUSED},
               {"[1]", "row 6: its right value is no JSON object", WEIR_ERR_REFUSED},
               {"{", "row 6: its right value", WEIR_ERR_FORMAT}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct weir_profile *profile = NULL;
        struct weir_error error = {0};
        set_values(f, ROWS);
        f->values[5] = (struct weir_string){bad[i].value, strlen(bad[i].value)};
        check_status(tune(f, &profile, &error), bad[i].status, &error);
        check_contains(error.text, bad[i].part);
        assert_null(profile);
    }
    for (size_t i = 0; i < ROWS; i++) f->values[i] = (struct weir_string){NULL, 0};
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    check_status(tune(f, &profile, &error), WEIR_ERR_INVALID, &error);
    check_contains(error.text, "no row");
}

static void out_of_memory(void **state)
{
    struct fixture *f = *state;
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 1;
    set_values(f, 4);
    for (size_t i = 8; i < ROWS; i++) f->values[i] = (struct weir_string){NULL, 0};
    for (; status && n < 20000; n += n / 16 + 1) {
        mem_fail_after(n);
        status = tune(f, &profile, &error);
        mem_fail_after(0);
        if (status && status != WEIR_ERR_NOMEM) fail_msg("allocation %zu: %s", n, error.text);
    }
    check_status(status, WEIR_OK, &error);
    assert_true(n > 100);
    weir_profile_close(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_become_shares),
        cmocka_unit_test(a_profile_belongs_to_its_schema),
        cmocka_unit_test(files_are_not_trusted),
        cmocka_unit_test(what_cannot_be_learned),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
