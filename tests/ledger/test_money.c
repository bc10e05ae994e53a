/* Reserving and settling: the arithmetic, the limits, many threads, days and clocks. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger/bench.h"

/* ---- arithmetic ---------------------------------------------------------------------------------------------------- */

static void test_reserve_settle_release(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, -1).run;
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 1000);
    assert_true(bench_left(b, run, WEIR_LIMIT_DAY) == INT64_MAX);
    int64_t first = bench_reserve(b, run, 400);
    assert_true(first > 0);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 600);
    bench_settle(b, first, 150);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 850);
    int64_t second = bench_reserve(b, run, 850);
    assert_true(second > first);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 0);
    struct weir_grant refused = bench_ask(b, run, 1);
    assert_int_equal(refused.call, 0);
    assert_int_equal(refused.refusal, WEIR_REFUSED_RUN);
    assert_int_equal(refused.left_usd_e6[WEIR_LIMIT_RUN], 0);
    assert_true(bench_reserve(b, run, 0) > 0); /* a free call costs nothing */
    bench_end(b, second, WEIR_CALL_RELEASED);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 850);
    int64_t third = bench_reserve(b, run, 300);
    bench_end(b, third, WEIR_CALL_UNKNOWN); /* charged as reserved */
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 550);
    bench_check(b);
    assert_int_equal(bench_sql(b, "SELECT sum(cost_usd_e6) FROM calls"), 450);
    assert_int_equal(bench_sql(b, "SELECT spent_usd_e6 FROM spending"), 450);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM calls WHERE note = 'http 500'"), 2);
}

/* Every limit refuses by itself, and is named. */
static void test_each_limit(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    for (int limit = 0; limit < WEIR_LIMITS; limit++) {
        struct weir_error error = {0};
        struct weir_run_info info;
        struct weir_run_options options = weir_run_options_default(b->task);
        char source[8];
        (void)snprintf(source, sizeof source, "s%d", limit);
        options.source = source;
        for (int i = 0; i < WEIR_LIMITS; i++) options.limit_usd_e6[i] = i == limit ? 1000 * (limit + 1) : -1;
        check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_OK, &error);
        assert_int_equal(bench_left(b, info.run, (enum weir_limit)limit),
                         limit ? 1000 : 1000); /* 1000 a turn is spent */
        assert_int_equal(bench_ask(b, info.run, 1001).refusal, WEIR_REFUSED_RUN + limit);
        int64_t call = bench_reserve(b, info.run, 1000);
        assert_true(call > 0);
        assert_int_equal(bench_ask(b, info.run, 1).refusal, WEIR_REFUSED_RUN + limit);
        bench_settle(b, call, 1000);
        assert_int_equal(bench_ask(b, info.run, 1).refusal, WEIR_REFUSED_RUN + limit);
    }
    bench_check(b);
}

/* The day of a task and of the ledger are not the same; another task has money of its own. */
static void test_tasks_apart(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t mine = bench_begin(b, b->task, "s", -1, 500).run, other = bench_begin(b, b->keeper, "s", -1, 500).run;
    assert_true(bench_reserve(b, mine, 500) > 0);
    assert_int_equal(bench_ask(b, mine, 1).refusal, WEIR_REFUSED_DAY);
    assert_true(bench_reserve(b, other, 500) > 0);
    bench_check(b);
}

static void test_many_in_one_call(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    enum { COUNT = 10 };
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 350, -1).run;
    struct weir_reserve requests[COUNT];
    struct weir_grant grants[COUNT];
    for (int i = 0; i < COUNT; i++)
        requests[i] = (struct weir_reserve){.tier = "t", .model = "m", .usd_e6 = i == 3 ? 200 : 100, .attempt = 1};
    check_status(weir_ledger_reserve(b->ledger, run, requests, COUNT, grants, &error), WEIR_OK, &error);
    int granted = 0;
    for (int i = 0; i < COUNT; i++) granted += grants[i].call > 0;
    assert_int_equal(granted, 3); /* 100, 100, 100; then 200 and all others do not fit into 50 */
    assert_int_equal(grants[2].left_usd_e6[WEIR_LIMIT_RUN], 50);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 50);
    check_status(weir_ledger_reserve(b->ledger, run, requests, 0, grants, &error), WEIR_OK, &error);
}

static void test_wrong_calls(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, -1).run;
    struct weir_grant grant = {.call = 77};
    struct weir_reserve request = {.tier = "t", .model = "m", .usd_e6 = -1};
    check_status(weir_ledger_reserve(b->ledger, run, &request, 1, &grant, &error), WEIR_ERR_INVALID, &error);
    request.usd_e6 = INT64_MAX;
    check_status(weir_ledger_reserve(b->ledger, run, &request, 1, &grant, &error), WEIR_ERR_INVALID, &error);
    request = (struct weir_reserve){.tier = "t", .model = "m", .key = "short", .usd_e6 = 1};
    check_status(weir_ledger_reserve(b->ledger, run, &request, 1, &grant, &error), WEIR_ERR_INVALID, &error);
    request.key = NULL;
    check_status(weir_ledger_reserve(b->ledger, run + 1, &request, 1, &grant, &error), WEIR_ERR_INVALID, &error);
    check_contains(error.text, "is not open");
    check_status(weir_ledger_reserve(b->ledger, run, &request, WEIR_LEDGER_RESERVE_MAX + 1, &grant, &error),
                 WEIR_ERR_LIMIT, &error);
    assert_int_equal(grant.call, 77);
    int64_t call = bench_reserve(b, run, 10);
    struct weir_settlement settlement = {.call = call, .cost_usd_e6 = -1};
    check_status(weir_ledger_settle(b->ledger, &settlement, NULL, &error), WEIR_ERR_INVALID, &error);
    settlement.cost_usd_e6 = 5;
    check_status(weir_ledger_settle(b->ledger, &settlement, NULL, &error), WEIR_OK, &error);
    check_status(weir_ledger_settle(b->ledger, &settlement, NULL, &error), WEIR_ERR_INVALID, &error);
    for (settlement.call = -1; settlement.call < 1; settlement.call++)
        check_status(weir_ledger_settle(b->ledger, &settlement, NULL, &error), WEIR_ERR_INVALID, &error);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 995);
}

/* A bill above the reservation is booked, closes the tier, and stays closed when the run goes on. */
static void test_over(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, -1).run;
    int64_t call = bench_reserve(b, run, 100), exact = bench_reserve(b, run, 100);
    bool is_over = true;
    check_status(
        weir_ledger_settle(b->ledger, &(struct weir_settlement){.call = exact, .cost_usd_e6 = 100}, &is_over, &error),
        WEIR_OK, &error);
    assert_false(is_over);
    check_status(
        weir_ledger_settle(b->ledger, &(struct weir_settlement){.call = call, .cost_usd_e6 = 101}, &is_over, &error),
        WEIR_OK, &error);
    assert_true(is_over);
    assert_int_equal(bench_ask(b, run, 1).refusal, WEIR_REFUSED_TIER_CLOSED);
    struct weir_reserve other = {.tier = "another", .model = "m", .usd_e6 = 1};
    struct weir_grant grant;
    check_status(weir_ledger_reserve(b->ledger, run, &other, 1, &grant, &error), WEIR_OK, &error);
    assert_int_equal(grant.refusal, WEIR_GRANTED);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 1000 - 100 - 101 - 1);
    bench_close(b);
    bench_open(b);
    struct weir_run_info info = bench_begin(b, b->task, "s", 1000, -1);
    assert_int_equal(info.run, run);
    assert_int_equal(bench_ask(b, run, 1).refusal, WEIR_REFUSED_TIER_CLOSED);
    bench_check(b);
}

/* A huge bill leaves less than nothing, and nothing more is granted. */
static void test_below_zero(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, 1000).run;
    bench_settle(b, bench_reserve(b, run, 10), 5000);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), -4000);
    int64_t next = bench_begin(b, b->task, "s2", 1000, 1000).run;
    assert_int_equal(bench_ask(b, next, 0).refusal, WEIR_REFUSED_DAY);
    bench_check(b);
}

/* A resumed run has what is left of its budget, not a new one. */
static void test_resumed_budget(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, -1).run;
    bench_settle(b, bench_reserve(b, run, 600), 600);
    int64_t open = bench_reserve(b, run, 100);
    assert_true(open > 0);
    bench_close(b); /* the open call is charged */
    bench_open(b);
    assert_int_equal(weir_ledger_recovered(b->ledger).calls, 0); /* an orderly close leaves none */
    struct weir_run_info info = bench_begin(b, b->task, "s", 1000, -1);
    assert_true(info.is_resumed);
    assert_int_equal(info.spent_usd_e6, 700);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 300);
    assert_int_equal(bench_ask(b, run, 301).refusal, WEIR_REFUSED_RUN);
    bench_check(b);
}

/* ---- threads ------------------------------------------------------------------------------------------------------- */

enum { THREADS = 256, CALLS_EACH = 8, LIMIT = 100000 };

struct hammer {
    struct bench *bench;
    int64_t run;
    unsigned seed;
    pthread_barrier_t *start;
    int64_t held; /* what this thread may have spent at most: reservations of calls that were made */
    int granted, refused;
};

static int64_t total_held; /* of all threads at this moment */

static void *hammer(void *context)
{
    struct hammer *h = context;
    (void)pthread_barrier_wait(h->start);
    for (int i = 0; i < CALLS_EACH; i++) {
        int64_t usd = 1 + (int64_t)rand_r(&h->seed) % 400;
        int64_t call = bench_reserve(h->bench, h->run, usd);
        if (!call) {
            h->refused++;
            continue;
        }
        h->granted++;
        if (__atomic_add_fetch(&total_held, usd, __ATOMIC_SEQ_CST) > LIMIT) abort(); /* told by the test's death */
        int64_t cost = (int64_t)rand_r(&h->seed) % (usd + 1);
        unsigned kind = (unsigned)rand_r(&h->seed) % 4;
        int64_t back = kind < 2 ? usd - cost : kind == 2 ? usd : 0;
        (void)__atomic_sub_fetch(&total_held, back, __ATOMIC_SEQ_CST); /* before it is free for others */
        if (kind < 2)
            bench_settle(h->bench, call, cost);
        else
            bench_end(h->bench, call, kind == 2 ? WEIR_CALL_RELEASED : WEIR_CALL_UNKNOWN);
    }
    return NULL;
}

static void test_hammer(void **state)
{
    struct bench *b = *state;
    pthread_t threads[THREADS];
    static struct hammer hammers[THREADS];
    pthread_barrier_t start;
    const char *given = getenv("WEIR_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 1;
    print_message("WEIR_TEST_SEED=%u\n", seed);
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", LIMIT, -1).run;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        hammers[i] = (struct hammer){.bench = b, .run = run, .seed = seed * 1000 + i, .start = &start};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &hammers[i]), 0);
    }
    int granted = 0, refused = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        granted += hammers[i].granted;
        refused += hammers[i].refused;
    }
    (void)pthread_barrier_destroy(&start);
    int64_t left = bench_left(b, run, WEIR_LIMIT_RUN);
    print_message("%d granted, %d refused, %lld of %d left\n", granted, refused, (long long)left, LIMIT);
    assert_int_equal(granted + refused, THREADS * CALLS_EACH);
    assert_true(refused > 0); /* the budget was tight */
    assert_true(left >= 0);
    assert_int_equal(left, LIMIT - total_held);
    assert_int_equal(bench_sql(b, "SELECT sum(cost_usd_e6) FROM calls"), LIMIT - left);
    bench_check(b);
}

/* ---- days and clocks ----------------------------------------------------------------------------------------------- */

static void test_day_roll_over(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, 1000).run;
    b->clock_ms = BENCH_NOON_MS + BENCH_DAY_MS / 2 - 1; /* the last millisecond of the day */
    int64_t call = bench_reserve(b, run, 1000);
    assert_int_equal(bench_ask(b, run, 1).refusal, WEIR_REFUSED_DAY);
    b->clock_ms++;
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 1000);
    int64_t next = bench_reserve(b, run, 700);
    assert_true(next > 0);
    bench_settle(b, call, 200); /* belongs to the day of its reservation */
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 300);
    assert_int_equal(bench_sql(b, "SELECT spent_usd_e6 FROM spending WHERE day = 20780"), 200);
    assert_int_equal(bench_sql(b, "SELECT reserved_usd_e6 FROM spending WHERE day = 20781"), 700);
    bench_check(b);
}

/* A clock that goes back brings no money back, in one process or between two. */
static void test_clock_back(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, 1000).run;
    bench_settle(b, bench_reserve(b, run, 600), 600);
    b->clock_ms -= 3 * BENCH_DAY_MS;
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 400);
    assert_int_equal(bench_ask(b, run, 401).refusal, WEIR_REFUSED_DAY);
    bench_settle(b, bench_reserve(b, run, 300), 300);
    bench_close(b);
    b->clock_ms -= BENCH_DAY_MS;
    bench_open(b);
    run = bench_begin(b, b->task, "s", -1, 1000).run;
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 100);
    b->clock_ms = BENCH_NOON_MS; /* and forward again to where it was */
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 100);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM spending"), 1);
    b->clock_ms = -5; /* before 1970 */
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 100);
    bench_check(b);
}

/* A clock that was ahead leaves the ledger there until it is told; then what was spent counts today. */
static void test_clock_ahead(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, 1000).run;
    bench_settle(b, bench_reserve(b, run, 100), 100);
    b->clock_ms += 365 * BENCH_DAY_MS;
    bench_settle(b, bench_reserve(b, run, 900), 900);
    b->clock_ms = BENCH_NOON_MS;
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 100);
    size_t calls = 0;
    check_status(weir_ledger_reset_day(b->ledger, &calls, &error), WEIR_OK, &error);
    assert_int_equal(calls, 1);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 0);
    b->clock_ms += BENCH_DAY_MS;
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_DAY), 1000);
    bench_check(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reserve_settle_release),
        TEST(test_each_limit),
        TEST(test_tasks_apart),
        TEST(test_many_in_one_call),
        TEST(test_wrong_calls),
        TEST(test_over),
        TEST(test_below_zero),
        TEST(test_resumed_budget),
        TEST(test_hammer),
        TEST(test_day_roll_over),
        TEST(test_clock_back),
        TEST(test_clock_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
