/* A build without libcurl: prices and costs work, a pool says why there is none. */
#include "check.h"
#include "weir/provider.h"

static void a_pool_says_why_there_is_none(void **state)
{
    (void)state;
    struct weir_pool *pool = NULL;
    struct weir_error error = {0};
    assert_int_equal(weir_pool_open(NULL, &pool, &error), WEIR_ERR_UNSUPPORTED);
    check_contains(error.text, "built without libcurl");
    assert_null(pool);
    weir_pool_close(&pool);
}

static void prices_work(void **state)
{
    (void)state;
    struct weir_prices *prices = NULL;
    struct weir_error error = {0};
    check_status(weir_prices_open(NULL, &prices, &error), WEIR_OK, &error);
    const struct weir_price *price = weir_prices_find(prices, WEIR_TIER_ANTHROPIC, "claude-sonnet-4-6");
    assert_non_null(price);
    assert_int_equal(weir_price_cost_max(price, 0, 2), 30);
    weir_prices_close(&prices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_pool_says_why_there_is_none), cmocka_unit_test(prices_work)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
