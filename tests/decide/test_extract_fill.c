/* Answers filled in by a model that wants to write a given text: logits are made up, so every choice is known. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "decide/extractor_internal.h"
#include "model/tiny_engine.h"

enum { IM_START = 265, IM_END = 266, VOCABULARY = 267, BYTES_MAX = 1024 };

struct fixture {
    struct weir_engine *engine;
    struct extract_model model;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    struct weir_error error = {0};
    f.engine = tiny_engine(&tiny_models[0], 1, 0);
    check_status(extract_model_open(f.engine, &f.model, &error), WEIR_OK, &error);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    extract_model_close(&f->model);
    weir_engine_close(&f->engine);
    return 0;
}

static enum weir_status try_plan(const struct fixture *f, const char *schema, bool lenient, struct extract_plan *plan,
                                 struct weir_error *error)
{
    char path[64];
    (void)snprintf(path, sizeof path, "schema-%ld.json", (long)getpid());
    check_status(file_write_atomic(path, schema, strlen(schema), error), WEIR_OK, error);
    enum weir_status status = extract_plan_open(path, lenient, f->model.vocabulary, plan, error);
    (void)unlink(path);
    return status;
}

static struct extract_plan open_plan(const struct fixture *f, const char *schema)
{
    struct extract_plan plan;
    struct weir_error error = {0};
    check_status(try_plan(f, schema, false, &plan, &error), WEIR_OK, &error);
    return plan;
}

/* What the model has seen; checks that the pending tokens say what it wanted, and that none is special. */
static size_t see(const struct fixture *f, const struct extract_fill *fill, const char *wish, size_t seen)
{
    for (size_t i = 0; i < fill->pending.count; i++) {
        int32_t id = fill->pending.ids[i];
        assert_true(id >= 0 && id < IM_START);
        struct weir_string text = weir_token_text(f->engine->tokenizer, id);
        if (seen + text.size > strlen(wish) || memcmp(text.data, wish + seen, text.size) != 0)
            fail_msg("%s: the model is shown \"%.*s\" at byte %zu", wish, (int)text.size, text.data, seen);
        seen += text.size;
    }
    return seen;
}

/* The model wants the next byte of `wish`, and special tokens even more; of a value that is no object its end. */
static void wish_logits(float *logits, const char *wish, size_t seen)
{
    for (size_t i = 0; i < VOCABULARY; i++) logits[i] = 0;
    logits[(unsigned char)wish[seen]] = 12;
    logits[IM_START] = 60;
    if (wish[0] == '{' || !wish[seen]) logits[IM_END] = 60;
}

/* Fills `out` in as the model wishes; the number of choices it had. */
static size_t fill_in(const struct fixture *f, const struct extract_plan *plan, const char *wish, uint32_t max_tokens,
                      struct extract_fill *out)
{
    struct extract_form form = {f->engine, &f->model.tokens, plan, "", false, max_tokens};
    struct weir_error error = {0};
    size_t seen = 0, choices = 0;
    check_status(extract_fill_open(&form, out, &error), WEIR_OK, &error);
    while (!out->is_done && !out->status) {
        float logits[VOCABULARY];
        seen = see(f, out, wish, seen);
        wish_logits(logits, wish, seen);
        extract_fill_choose(out, logits);
        if (++choices > BYTES_MAX) fail_msg("%s: no end", wish);
    }
    return choices;
}

#define TWO "\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\"}"
#define CLOSED "\"additionalProperties\":false"

static const struct {
    const char *schema, *wish, *value;
    size_t n_fields;
} cases[] = {
    /* null where the text does not say: left out, or null */
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":[\"string\",\"null\"]},\"c\":{"
     "\"type\":\"integer\"}},\"required\":[\"b\",\"c\"]," CLOSED "}",
     "{\"a\":null,\"b\":\"x\",\"c\":12}", "{\"b\":\"x\",\"c\":12}", 3},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":[\"string\",\"null\"]},\"c\":{"
     "\"type\":\"integer\"}},\"required\":[\"b\",\"c\"]}",
     "{\"a\":\"car the\",\"b\":null,\"c\":-3}", "{\"a\":\"car the\",\"b\":null,\"c\":-3}", 3},
    {"{\"properties\":{" TWO "}}", "{\"a\":null,\"b\":null}", "{}", 2},
    {"{\"properties\":{" TWO "}}", "{\"a\":null,\"b\":\"y\"}", "{\"b\":\"y\"}", 2},
    {"{\"properties\":{" TWO "},\"minProperties\":1," CLOSED "}", "{\"a\":null,\"b\":\"z\"}", "{\"b\":\"z\"}", 2},
    {"{\"properties\":{" TWO "},\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":\"q\",\"b\":\"z\"}",
     "{\"a\":\"q\",\"b\":\"z\"}", 2},
    {"{\"properties\":{\"a\":{},\"b\":{}},\"required\":[\"a\",\"b\"]}", "{\"a\":null,\"b\":[1,null]}",
     "{\"a\":null,\"b\":[1,null]}", 2},
    /* lexemes */
    {"{\"properties\":{\"n\":{\"type\":\"number\"}},\"required\":[\"n\"]}", "{\"n\":1.50e1}", "{\"n\":1.50e1}", 1},
    {"{\"properties\":{\"n\":{\"type\":\"integer\"}}}", "{\"n\":123456789012345678901234567890}",
     "{\"n\":123456789012345678901234567890}", 1},
    {"{\"properties\":{\"s\":{\"type\":\"string\"}}}", "{\"s\":\"a\\\"},\\\\ {}\"}", "{\"s\":\"a\\\"},\\\\ {}\"}", 1},
    {"{\"properties\":{\"y\":{\"type\":\"boolean\"},\"z\":{\"type\":\"boolean\"}},\"required\":[\"y\",\"z\"]}",
     "{\"y\":true,\"z\":false}", "{\"y\":true,\"z\":false}", 2},
    /* nested values */
    {"{\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}},\"required\":[\"x\"]},"
     "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"maxItems\":2}},\"required\":[\"o\",\"l\"]}",
     "{\"o\":{\"x\":1,\"y\":\"}\"},\"l\":[true,false]}", "{\"o\":{\"x\":1,\"y\":\"}\"},\"l\":[true,false]}", 2},
    /* keys that need escapes */
    {"{\"properties\":{\"a\\\"b\\n\\u00e9\":{\"type\":\"integer\"}}}", "{\"a\\\"b\\u000a\xc3\xa9\":7}",
     "{\"a\\\"b\\u000a\xc3\xa9\":7}", 1},
    /* what cannot stand there */
    {"{\"properties\":{\"a\":false,\"b\":{\"type\":\"null\"}},\"required\":[\"b\"]}", "{\"b\":null}", "{\"b\":null}",
     2},
    /* members beside the fields */
    {"{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"zz\"]}", "{\"a\":null,\"zz\":5}", "{\"zz\":5}", 1},
    {"{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"zz\"]}", "{\"a\":\"1\",\"zz\":5}",
     "{\"a\":\"1\",\"zz\":5}", 1},
    /* other roots */
    {"{\"$ref\":\"#/$defs/r\",\"$defs\":{\"r\":{\"type\":\"object\",\"properties\":{" TWO "}}}}",
     "{\"a\":\"1\",\"b\":null}", "{\"a\":\"1\"}", 2},
    {"{\"type\":\"object\",\"allOf\":[{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}]}",
     "{\"a\":1}", "{\"a\":1}", 0},
    {"{\"type\":[\"object\",\"null\"],\"properties\":{" TWO "}}", "null", "null", 0},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[1,22]", "[1,22]", 0},
    {"{\"type\":\"string\"}", "\"the car\"", "\"the car\"", 0},
    {"{\"type\":\"integer\"}", "42", "42", 0},
};

static void wishes(void **state)
{
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct extract_plan plan = open_plan(f, cases[i].schema);
        struct extract_fill fill;
        (void)fill_in(f, &plan, cases[i].wish, 200, &fill);
        check_status(fill.status, WEIR_OK, &fill.error);
        if (fill.json.size != strlen(cases[i].value) || memcmp(fill.json.data, cases[i].value, fill.json.size) != 0)
            fail_msg("%s, %s: expected %s, found %.*s", cases[i].schema, cases[i].wish, cases[i].value,
                     (int)fill.json.size, fill.json.data);
        if (plan.n_fields != cases[i].n_fields)
            fail_msg("%s: expected %zu fields, found %zu", cases[i].schema, cases[i].n_fields, plan.n_fields);
        assert_true(fill.log_probability <= 0);
        extract_fill_close(&fill);
        extract_plan_free(&plan);
    }
}

/* The model is asked once, for the letter that tells the colours apart; all else is appended. */
static void forced_text_costs_no_choice(void **state)
{
    const struct fixture *f = *state;
    static const char schema[] =
        "{\"properties\":{\"kind\":{\"const\":\"fixed\"},\"colour\":{\"enum\":[\"red\",\"rust\"]},"
        "\"end\":{\"const\":[\"x\",{}]}},\"required\":[\"kind\",\"colour\",\"end\"]}";
    static const char wish[] = "{\"kind\":\"fixed\",\"colour\":\"rust\",\"end\":[\"x\",{}]}";
    struct extract_plan plan = open_plan(f, schema);
    struct extract_fill fill;
    assert_int_equal(fill_in(f, &plan, wish, 200, &fill), 1);
    assert_int_equal(fill.json.size, strlen(wish));
    assert_memory_equal(fill.json.data, wish, strlen(wish));
    assert_true(fill.filled[0].log_probability == 0 && fill.filled[2].log_probability == 0);
    assert_true(fill.filled[1].log_probability < 0);
    extract_fill_close(&fill);
    extract_plan_free(&plan);
}

/* Ways to say the same add up, over the softmax of what is allowed. */
static void probabilities_are_of_meanings(void **state)
{
    const struct fixture *f = *state;
    struct extract_plan plan =
        open_plan(f, "{\"properties\":{\"n\":{\"type\":\"integer\"},\"m\":{\"type\":\"integer\"}}}");
    struct extract_form form = {f->engine, &f->model.tokens, &plan, "", false, 100};
    struct extract_fill fill;
    struct weir_error error = {0};
    float logits[VOCABULARY];
    const uint32_t *mask;
    double sum = 0;
    check_status(extract_fill_open(&form, &fill, &error), WEIR_OK, &error);
    wish_logits(logits, "1", 0);
    extract_fill_choose(&fill, logits);
    check_status(weir_matcher_mask(fill.matcher, &mask, &error), WEIR_OK, &error);
    for (size_t i = 0; i < VOCABULARY; i++) {
        logits[i] = i == '5' ? 1.0f : i == ',' || i == '}' ? 0.7f : 0.1f;
        if (mask[i / 32] >> (i % 32) & 1) sum += exp((double)logits[i]);
    }
    double before = fill.log_probability, expected = log(2 * exp((double)0.7f) / sum);
    extract_fill_choose(&fill, logits);
    assert_int_equal(fill.field, 1); /* the number has ended: 2 e^0.7 > e */
    if (fabs(fill.log_probability - before - expected) > 1e-5)
        fail_msg("expected %.9g, found %.9g", expected, fill.log_probability - before);
    extract_fill_close(&fill);
    extract_plan_free(&plan);
}

static void an_answer_that_does_not_end(void **state)
{
    const struct fixture *f = *state;
    struct extract_plan plan = open_plan(f, "{\"properties\":{\"name\":{\"type\":\"string\"}}}");
    struct extract_fill fill;
    (void)fill_in(f, &plan, "{\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 20, &fill);
    check_status(fill.status, WEIR_ERR_LIMIT, &fill.error);
    check_contains(fill.error.text, "does not end within 20 tokens (`max_tokens`); it stands in field `name`");
    extract_fill_close(&fill);
    extract_plan_free(&plan);
}

static void schemas_that_are_refused(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *schema, *part;
        enum weir_status status;
    } refused[] = {
        {"{\"properties\":{\"a\":{\"type\":\"array\",\"uniqueItems\":true}}}", "/properties/a", WEIR_ERR_UNSUPPORTED},
        {"{\"properties\":{\"a\":{\"type\":\"array\",\"uniqueItems\":true}}}", "uniqueItems", WEIR_ERR_UNSUPPORTED},
        {"{\"properties\":{\"a\":false},\"required\":[\"a\"],\"type\":\"object\"}", "no JSON value", WEIR_ERR_REFUSED},
        {"{\"type\":", "schema-", WEIR_ERR_FORMAT},
        {"", "empty", WEIR_ERR_FORMAT},
        {"{\"type\":\"strin\"}", "type", WEIR_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct extract_plan plan;
        struct weir_error error = {0};
        check_status(try_plan(f, refused[i].schema, false, &plan, &error), refused[i].status, &error);
        check_contains(error.text, refused[i].part);
    }
    struct extract_plan plan;
    struct weir_error error = {0};
    check_status(try_plan(f, refused[0].schema, true, &plan, &error), WEIR_OK, &error);
    assert_int_equal(plan.n_notes, 1);
    check_contains(plan.notes[0], "uniqueItems");
    extract_plan_free(&plan);
    check_status(extract_plan_open("no/such.json", false, f->model.vocabulary, &plan, &error), WEIR_ERR_NOT_FOUND,
                 &error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wishes),
        cmocka_unit_test(forced_text_costs_no_choice),
        cmocka_unit_test(probabilities_are_of_meanings),
        cmocka_unit_test(an_answer_that_does_not_end),
        cmocka_unit_test(schemas_that_are_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
