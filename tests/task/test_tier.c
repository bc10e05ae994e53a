/* The keys of a tier that is asked over HTTP: what they mean, what they are when absent, what is refused and where. */
#include <stdio.h>

#include "check.h"
#include "weir/task.h"

#define HEAD "task: t\ninstructions: x\ntype: yesno\ntiers:\n"

static struct weir_task *open_good(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
    return task;
}

static void every_key_is_read(void **state)
{
    (void)state;
    struct weir_task *task =
        open_good(HEAD "  - name: far\n    kind: openai\n    model: m\n    url: https://example.org/v1\n"
                       "    key: {file: keys/far}\n    timeout_ms: 900\n    concurrency: 64\n"
                       "    price: {input: 0.042, cached: 0.000001, cache_write: 2.5, output: 10,\n"
                       "            long: {above_tokens: 272000, input: 4, output: 15.000001}}\n"
                       "    requests_per_minute: 60\n    tokens_per_minute: 90000\n    max_tokens: 77\n"
                       "    stream: true\n    logprobs: true\n    effort: low\n");
    const struct weir_tier_spec *t = weir_task_tier(task, 0);
    assert_string_equal(t->url, "https://example.org/v1");
    assert_int_equal(t->key_source, WEIR_KEY_FILE);
    assert_string_equal(t->key_name, "keys/far");
    assert_true(t->has_price && t->stream && t->logprobs);
    assert_int_equal(t->price.rates.input, 42000);
    assert_int_equal(t->price.rates.cached, 1);
    assert_int_equal(t->price.rates.cache_write, 2500000);
    assert_int_equal(t->price.rates.output, 10000000);
    assert_int_equal(t->price.long_above_tokens, 272000);
    assert_int_equal(t->price.long_rates.cached, 4000000);
    assert_int_equal(t->price.long_rates.cache_write, 4000000);
    assert_int_equal(t->price.long_rates.output, 15000001);
    assert_int_equal(t->timeout_ms, 900);
    assert_int_equal(t->concurrency, 64);
    assert_int_equal(t->requests_per_minute, 60);
    assert_int_equal(t->tokens_per_minute, 90000);
    assert_int_equal(t->max_tokens, 77);
    assert_string_equal(t->effort, "low");
    weir_task_close(&task);
}

static void absent_keys_have_the_defaults_of_the_docs(void **state)
{
    (void)state;
    struct weir_task *task = open_good(HEAD "  - {name: far, kind: systemone, model: jev-latest}\n"
                                            "  - {name: b, kind: decisions, model: m, key: {env: K}}\n"
                                            "  - {name: c, kind: anthropic, model: m, key: {credential: c.key}}\n");
    const struct weir_tier_spec *t = weir_task_tier(task, 0);
    assert_string_equal(t->url, "");
    assert_string_equal(t->key_name, "");
    assert_string_equal(t->effort, "");
    assert_int_equal(t->key_source, WEIR_KEY_DEFAULT);
    assert_false(t->has_price || t->stream || t->logprobs);
    assert_int_equal(t->max_tokens, 1024);
    assert_int_equal(t->requests_per_minute, 0);
    assert_int_equal(t->tokens_per_minute, 0);
    assert_int_equal(weir_task_tier(task, 1)->key_source, WEIR_KEY_ENV);
    assert_string_equal(weir_task_tier(task, 1)->key_name, "K");
    assert_int_equal(weir_task_tier(task, 2)->key_source, WEIR_KEY_CREDENTIAL);
    weir_task_close(&task);
}

static const struct {
    const char *text, *message;
} BAD[] = {
    {"  - {name: a, kind: gguf, model: m, url: u}\n", "t.yaml:5:42: tier 1 is of kind gguf, which has no `url`"},
    {"  - {name: a, kind: decisions, model: m, stream: true}\n",
     "t.yaml:5:50: tier 1 is of kind decisions, which has no `stream`"},
    {"  - {name: a, kind: anthropic, model: m, logprobs: true}\n",
     "t.yaml:5:52: tier 1 is of kind anthropic, which has no `logprobs`"},
    {"  - {name: a, kind: openai, model: m, key: sk-123}\n",
     "t.yaml:5:44: `key` must say where the key is ({env: NAME}, {file: PATH} or {credential: NAME}), not be one"},
    {"  - {name: a, kind: openai, model: m, key: {env: A, file: b}}\n",
     "t.yaml:5:44: `key` must have one of env, file and credential"},
    {"  - {name: a, kind: openai, model: m, key: {credential: ../b}}\n",
     "t.yaml:5:57: `credential` is a name, without slashes"},
    {"  - {name: a, kind: openai, model: m, price: {input: 1}}\n", "t.yaml:5:46: `price` lacks `output`"},
    {"  - {name: a, kind: openai, model: m, price: {output: 1}}\n", "t.yaml:5:46: `price` lacks `input`"},
    {"  - {name: a, kind: openai, model: m, price: {input: -1, output: 1}}\n",
     "t.yaml:5:54: `input` must be an amount in dollars below 10^10 with at most six decimals, such as 5.00"},
    {"  - {name: a, kind: openai, model: m, price: {input: 1, output: 0.0000001}}\n",
     "t.yaml:5:65: `output` must be an amount in dollars below 10^10 with at most six decimals, such as 5.00"},
    {"  - {name: a, kind: openai, model: m, price: {input: 1, output: 1, long: {input: 1, output: 1}}}\n",
     "t.yaml:5:74: `long` lacks `above_tokens`"},
    {"  - {name: a, kind: openai, model: m, concurrency: 2000}\n",
     "t.yaml:5:52: `concurrency` of a tier is at most 1024, not 2000"},
};

static void wrong_keys_are_refused_where_they_stand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, HEAD "%s", BAD[i].text);
        struct weir_task *task = NULL;
        struct weir_error error = {0};
        assert_int_not_equal(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK);
        assert_string_equal(error.text, BAD[i].message);
        assert_null(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_key_is_read),
                                       cmocka_unit_test(absent_keys_have_the_defaults_of_the_docs),
                                       cmocka_unit_test(wrong_keys_are_refused_where_they_stand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
