/* Costs are rounded up once a call and never pass through floating point; the table is read strictly. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cascade/price.h"
#include "check.h"
#include "weir/provider.h"

static const struct weir_price SONNET = {
    .rates = {.input = 3000000, .cached = 300000, .cache_write = 3750000, .output = 15000000}};

static int64_t cost(const struct weir_price *price, int64_t input, int64_t cached, int64_t write, int64_t output)
{
    struct weir_usage usage = {
        .is_known = true, .input = input, .cached = cached, .cache_write = write, .output = output};
    return weir_price_cost(price, &usage);
}

static void costs_are_rounded_up_once_a_call(void **state)
{
    (void)state;
    assert_int_equal(cost(&SONNET, 0, 0, 0, 0), 0);
    assert_int_equal(cost(&SONNET, 1, 0, 0, 0), 3);
    assert_int_equal(cost(&SONNET, 0, 1, 0, 0), 1);  /* 0.3 */
    assert_int_equal(cost(&SONNET, 0, 1, 1, 1), 20); /* 0.3 + 3.75 + 15 = 19.05 */
    assert_int_equal(cost(&SONNET, 1000000, 0, 0, 1000000), 18000000);
    struct weir_price jev = {.rates = {.input = 42000, .cached = 42000, .cache_write = 42000, .output = 0}};
    assert_int_equal(cost(&jev, 1, 0, 0, 1000), 1);
    assert_int_equal(cost(&jev, 1000, 0, 0, 0), 42);
}

static void nonsense_counts_neither_pay_back_nor_wrap(void **state)
{
    (void)state;
    assert_int_equal(cost(&SONNET, -5, INT64_MIN, 0, -1), 0);
    assert_true(cost(&SONNET, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX) == INT64_MAX);
}

static void long_requests_have_their_own_rates(void **state)
{
    (void)state;
    struct weir_price price = SONNET;
    price.long_above_tokens = 100;
    price.long_rates = (struct weir_price_rates){6000000, 600000, 7500000, 22500000};
    assert_int_equal(cost(&price, 100, 0, 0, 2), 330);
    assert_int_equal(cost(&price, 101, 0, 0, 2), 651);
    assert_int_equal(cost(&price, 50, 50, 1, 0), 338); /* all input counts: 300 + 30 + 7.5 */
    assert_int_equal(weir_price_cost_max(&price, 100, 2), 405);
    assert_int_equal(weir_price_cost_max(&price, 101, 2), 803); /* 757.5 + 45 */
}

/* Whatever the tokens of a request are, at most one a byte, its cost is covered by the most it can cost. */
static void the_most_covers_every_split(void **state)
{
    (void)state;
    for (int64_t cached = 0; cached <= 500; cached += 7)
        for (int64_t write = 0; cached + write <= 500; write += 11) {
            int64_t most = weir_price_cost_max(&SONNET, 500, 20),
                    found = cost(&SONNET, 500 - cached - write, cached, write, 20);
            if (found > most)
                fail_msg("cached %d, written %d: at most %d, found %d", (int)cached, (int)write, (int)most, (int)found);
        }
    assert_true(weir_price_cost_max(&SONNET, SIZE_MAX, UINT32_MAX) == INT64_MAX);
}

static void amounts_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t usd_e6; /* -1: refused */
    } cases[] = {{"0", 0},
                 {"0.000001", 1},
                 {"3", 3000000},
                 {"0.042", 42000},
                 {"12.50", 12500000},
                 {"9999999999", 9999999999000000},
                 {"10000000000", -1},
                 {"0.0000001", -1},
                 {"", -1},
                 {".5", -1},
                 {"1.", -1},
                 {"-1", -1},
                 {"1e3", -1},
                 {"1 ", -1},
                 {"+1", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t found = -1;
        bool is_read = price_parse(cases[i].text, strlen(cases[i].text), &found);
        if (is_read != (cases[i].usd_e6 >= 0) || found != cases[i].usd_e6)
            fail_msg("%s: expected %lld, found %lld", cases[i].text, (long long)cases[i].usd_e6, (long long)found);
    }
}

static void the_table_that_is_built_in_has_a_date_and_known_models(void **state)
{
    (void)state;
    struct weir_prices *prices = NULL;
    struct weir_error error = {0};
    check_status(weir_prices_open(NULL, &prices, &error), WEIR_OK, &error);
    assert_int_equal(strlen(weir_prices_date(prices)), 10);
    const struct weir_price *haiku = weir_prices_find(prices, WEIR_TIER_ANTHROPIC, "claude-haiku-5-5");
    assert_non_null(haiku);
    assert_int_equal(haiku->rates.cached, 10000);
    assert_int_equal(haiku->long_above_tokens, 100000);
    assert_int_equal(haiku->long_rates.output, 2500000);
    const struct weir_price *chat = weir_prices_find(prices, WEIR_TIER_OPENAI, "gpt-6-luna");
    const struct weir_price *decisions = weir_prices_find(prices, WEIR_TIER_DECISIONS, "gpt-6-luna");
    assert_int_equal(chat->rates.output, 500000);
    assert_int_equal(decisions->rates.output, 0);
    assert_null(weir_prices_find(prices, WEIR_TIER_OPENAI, "claude-haiku-5-5"));
    assert_null(weir_prices_find(prices, WEIR_TIER_ANTHROPIC, "claude-haiku-5-5-20261007"));
    weir_prices_close(&prices);
    weir_prices_close(&prices);
}

static void a_model_without_a_price_is_an_error(void **state)
{
    (void)state;
    struct weir_prices *prices = NULL;
    struct weir_error error = {0};
    check_status(weir_prices_open(NULL, &prices, &error), WEIR_OK, &error);
    struct weir_tier_spec tier = {.name = "far", .kind = WEIR_TIER_OPENAI, .model = "gpt-99"};
    struct weir_price price = {0};
    assert_int_equal(weir_tier_price(&tier, prices, &price, &error), WEIR_ERR_NOT_FOUND);
    check_contains(error.text, "tier far: no price is known for model gpt-99");
    tier.model = "gpt-6-sol";
    check_status(weir_tier_price(&tier, prices, &price, &error), WEIR_OK, &error);
    assert_int_equal(price.rates.input, 2000000);
    tier.has_price = true; /* the task's own comes first */
    check_status(weir_tier_price(&tier, prices, &price, &error), WEIR_OK, &error);
    assert_int_equal(price.rates.input, 0);
    tier = (struct weir_tier_spec){.name = "near", .kind = WEIR_TIER_GGUF, .model = "m"};
    check_status(weir_tier_price(&tier, NULL, &price, &error), WEIR_OK, &error);
    assert_int_equal(weir_price_cost_max(&price, 1000, 1000), 0);
    weir_prices_close(&prices);
}

#define TABLE(prices) \
    "{\"date\": \"2026-11-23\", \"unit\": \"US dollars per million tokens\", \"prices\": [" prices "]}"

static const struct {
    const char *text, *message; /* NULL: good */
} TABLES[] = {
    {TABLE(""), NULL},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"input\": 1, \"output\": 2}"), NULL},
    {"[]", "expected an object"},
    {"{\"date\": \"2026-11-23\", \"prices\": []}", "expected `unit`"},
    {"{\"date\": \"today\", \"unit\": \"US dollars per million tokens\", \"prices\": []}", "expected `date`"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"output\": 2}"), "expected `input` and `output`"},
    {TABLE("{\"kind\": \"gguf\", \"model\": \"m\", \"input\": 1, \"output\": 2}"), "expected `kind`"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"\", \"input\": 1, \"output\": 2}"), "expected `model`"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"input\": 1e-3, \"output\": 2}"),
     "/prices/0/input: expected dollars"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"input\": \"1\", \"output\": 2}"),
     "/prices/0/input: expected dollars"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"input\": 1, \"output\": 2, \"batch\": 1}"),
     "/prices/0/batch: unknown key"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"input\": 1, \"output\": 2, \"long\": {\"input\": 1, \"output\": "
           "1}}"),
     "expected `above_tokens`"},
    {TABLE("{\"kind\": \"openai\", \"model\": \"m\", \"input\": 1, \"output\": 2}, "
           "{\"kind\": \"openai\", \"model\": \"m\", \"input\": 1, \"output\": 2}"),
     "/prices/1: this model stands there twice"},
    {"{\"date\": ", "prices.json"},
};

static void tables_are_read_strictly(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-price-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/prices.json", folder);
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
        struct weir_prices *prices = NULL;
        struct weir_error error = {0};
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(TABLES[i].text, file) >= 0 && fclose(file) == 0);
        enum weir_status status = weir_prices_open(path, &prices, &error);
        if (!TABLES[i].message) check_status(status, WEIR_OK, &error);
        if (TABLES[i].message) {
            assert_int_equal(status, WEIR_ERR_FORMAT);
            check_contains(error.text, TABLES[i].message);
            check_contains(error.text, path);
        }
        weir_prices_close(&prices);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(costs_are_rounded_up_once_a_call),
                                       cmocka_unit_test(nonsense_counts_neither_pay_back_nor_wrap),
                                       cmocka_unit_test(long_requests_have_their_own_rates),
                                       cmocka_unit_test(the_most_covers_every_split),
                                       cmocka_unit_test(amounts_are_read_exactly),
                                       cmocka_unit_test(the_table_that_is_built_in_has_a_date_and_known_models),
                                       cmocka_unit_test(a_model_without_a_price_is_an_error),
                                       cmocka_unit_test(tables_are_read_strictly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
