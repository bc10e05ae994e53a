/* The thread pool: every index exactly once, for any count, grain and number of threads, from one caller or several. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/threads.h"
#include "check.h"

enum { COUNT_MAX = 1000 };

struct visits {
    _Atomic unsigned seen[COUNT_MAX];
    _Atomic unsigned wrong_ranges;
    size_t count, grain;
    unsigned threads;
};

static void visit(void *context, size_t begin, size_t end, unsigned worker)
{
    struct visits *v = context;
    if (begin >= end || end > v->count || worker >= v->threads) v->wrong_ranges++;
    for (size_t i = begin; i < end && i < v->count; i++) v->seen[i]++;
}

static void check_cover(struct thread_pool *pool, size_t count, size_t grain)
{
    struct visits *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->count = count;
    v->grain = grain;
    v->threads = thread_pool_size(pool);
    thread_pool_run(pool, visit, v, count, grain);
    if (v->wrong_ranges) fail_msg("count %zu, grain %zu: %u wrong ranges", count, grain, (unsigned)v->wrong_ranges);
    for (size_t i = 0; i < COUNT_MAX; i++) {
        unsigned expected = i < count;
        if (v->seen[i] != expected)
            fail_msg("count %zu, grain %zu: index %zu expected %u visits, found %u", count, grain, i, expected,
                     (unsigned)v->seen[i]);
    }
    free(v);
}

static void every_index_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, COUNT_MAX};
    static const size_t grains[] = {0, 1, 2, 7, 64, COUNT_MAX, SIZE_MAX};
    for (unsigned threads = 1; threads <= 5; threads++) {
        struct thread_pool *pool = NULL;
        struct weir_error error = {0};
        check_status(thread_pool_open(threads, &pool, &error), WEIR_OK, &error);
        assert_int_equal(thread_pool_size(pool), threads);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) check_cover(pool, counts[c], grains[g]);
        thread_pool_close(&pool);
        assert_null(pool);
    }
}

static void no_pool_runs_on_the_caller(void **state)
{
    (void)state;
    check_cover(NULL, 100, 3);
    assert_int_equal(thread_pool_size(NULL), 1);
    struct thread_pool *none = NULL;
    thread_pool_close(&none);
}

static void too_many_threads_are_refused(void **state)
{
    (void)state;
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    check_status(thread_pool_open(THREADS_MAX + 1, &pool, &error), WEIR_ERR_INVALID, &error);
    assert_null(pool);
    unsigned count = thread_count_default();
    if (count < 1 || count > THREADS_MAX) fail_msg("default threads: expected 1..%d, found %u", THREADS_MAX, count);
}

static void *run_often(void *pool)
{
    struct visits *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    v->count = 100;
    v->threads = thread_pool_size(pool);
    for (int round = 0; round < 200; round++) thread_pool_run(pool, visit, v, 100, 3);
    return v;
}

/* Runs of several callers are served one after the other; none is lost or mixed up. */
static void callers_take_turns(void **state)
{
    (void)state;
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    check_status(thread_pool_open(3, &pool, &error), WEIR_OK, &error);
    pthread_t callers[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&callers[i], NULL, run_often, pool), 0);
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        pthread_join(callers[i], &result);
        struct visits *v = result;
        assert_non_null(v);
        assert_int_equal(v->wrong_ranges, 0);
        for (size_t j = 0; j < 100; j++) assert_int_equal(v->seen[j], 200);
        free(v);
    }
    thread_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_once),
        cmocka_unit_test(no_pool_runs_on_the_caller),
        cmocka_unit_test(too_many_threads_are_refused),
        cmocka_unit_test(callers_take_turns),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
