/* The thread pool: every index exactly once, for many shapes, from one caller and from several; sleeping and waking. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/threads.h"
#include "check.h"

enum { COUNT_MAX = 5000, CALLERS = 3, CALLER_RUNS = 500 };

struct visits {
    _Atomic unsigned char seen[COUNT_MAX];
    unsigned threads;
    size_t grain;
    _Atomic unsigned wrong; /* ranges that are empty, too long, or of a worker that does not exist */
};

static void visit(void *context, size_t begin, size_t end, unsigned worker)
{
    struct visits *visits = context;
    bool is_one_range = visits->threads == 1 || visits->grain == 0;
    if (begin >= end || worker >= visits->threads || (!is_one_range && end - begin > visits->grain)) visits->wrong++;
    for (size_t i = begin; i < end; i++) visits->seen[i]++;
}

static void check_visits(struct thread_pool *pool, struct visits *visits, size_t count, size_t grain)
{
    for (size_t i = 0; i < COUNT_MAX; i++) visits->seen[i] = 0;
    visits->grain = grain ? grain : 1;
    visits->threads = thread_pool_size(pool);
    thread_pool_run(pool, visit, visits, count, grain);
    for (size_t i = 0; i < COUNT_MAX; i++)
        if (visits->seen[i] != (i < count))
            fail_msg("%u threads, count %zu, grain %zu: index %zu expected %d times, found %d", visits->threads, count,
                     grain, i, i < count, visits->seen[i]);
    assert_int_equal(visits->wrong, 0);
}

static void every_index_is_visited_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 31, 64, 100, 999, COUNT_MAX};
    static const size_t grains[] = {0, 1, 2, 3, 8, 50, 998, 999, 1000, SIZE_MAX};
    static struct visits visits;
    for (unsigned threads = 1; threads <= 8; threads++) {
        struct thread_pool *pool = NULL;
        struct weir_error error = {0};
        check_status(thread_pool_open(threads, &pool, &error), WEIR_OK, &error);
        assert_int_equal(thread_pool_size(pool), threads);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
                check_visits(pool, &visits, counts[c], grains[g]);
        thread_pool_close(&pool);
        assert_null(pool);
    }
    check_visits(NULL, &visits, 100, 100); /* no pool: the caller, in one range */
}

static void add_index(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    _Atomic size_t *sum = context;
    for (size_t i = begin; i < end; i++) *sum += i;
}

/* Short runs, back to back and after pauses in which the workers fall asleep: none may hang or lose an index. */
static void workers_sleep_and_wake(void **state)
{
    (void)state;
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    check_status(thread_pool_open(4, &pool, &error), WEIR_OK, &error);
    for (unsigned i = 0; i < 3000; i++) {
        _Atomic size_t sum = 0;
        if (i % 100 == 0) nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
        thread_pool_run(pool, add_index, &sum, 8, 1);
        if (sum != 28) fail_msg("run %u: expected a sum of 28, found %zu", i, (size_t)sum);
    }
    thread_pool_close(&pool);
}

struct caller {
    struct thread_pool *pool;
    unsigned wrong;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    for (unsigned i = 0; i < CALLER_RUNS; i++) {
        _Atomic size_t sum = 0;
        thread_pool_run(caller->pool, add_index, &sum, 100, 7);
        caller->wrong += sum != 4950;
    }
    return NULL;
}

static void callers_take_turns(void **state)
{
    (void)state;
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    pthread_t threads[CALLERS];
    struct caller callers[CALLERS];
    check_status(thread_pool_open(3, &pool, &error), WEIR_OK, &error);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.pool = pool};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].wrong, 0);
    }
    thread_pool_close(&pool);
}

/* Plain memory written by one range is read by the caller after the run, and by other workers in the next. */
static void increment(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    unsigned *values = context;
    for (size_t i = begin; i < end; i++) values[i]++;
}

static void a_run_sees_what_the_last_one_wrote(void **state)
{
    (void)state;
    static unsigned values[64];
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    check_status(thread_pool_open(4, &pool, &error), WEIR_OK, &error);
    for (unsigned run = 0; run < 2000; run++) thread_pool_run(pool, increment, values, 64, 1);
    for (int i = 0; i < 64; i++) assert_int_equal(values[i], 2000);
    thread_pool_close(&pool);
}

static void opening_fails_cleanly(void **state)
{
    (void)state;
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    assert_int_equal(thread_pool_open(THREADS_MAX + 1, &pool, &error), WEIR_ERR_INVALID);
    check_contains(error.text, "found 257");
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    while (status == WEIR_ERR_NOMEM) {
        assert_true(++n < 20);
        mem_fail_after(n);
        status = thread_pool_open(4, &pool, &error);
        mem_fail_after(0);
        if (status) assert_null(pool);
    }
    check_status(status, WEIR_OK, &error);
    assert_true(n > 3);
    thread_pool_close(&pool);
    thread_pool_close(&pool);
    assert_int_equal(thread_pool_size(NULL), 1);
    assert_in_range(thread_count_default(), 1, THREADS_MAX);
    check_status(thread_pool_open(0, &pool, &error), WEIR_OK, &error);
    assert_int_equal(thread_pool_size(pool), thread_count_default());
    thread_pool_close(&pool);
}

static volatile sig_atomic_t handled;

static void note_signal(int number)
{
    (void)number;
    handled = 1;
}

/* A signal that the program's threads block stays pending: no worker takes it. (Ctrl-C at a prompt was lost to one.) */
static void workers_take_no_signals(void **state)
{
    (void)state;
    struct thread_pool *pool = NULL;
    struct weir_error error = {0};
    struct sigaction action = {.sa_handler = note_signal}, old;
    sigset_t one, before, pending;
    (void)sigaction(SIGUSR1, &action, &old);
    check_status(thread_pool_open(4, &pool, &error), WEIR_OK, &error);
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &one, &before);
    (void)kill(getpid(), SIGUSR1);
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    (void)sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGUSR1), 1);
    assert_int_equal(handled, 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(handled, 1);
    thread_pool_close(&pool);
    (void)sigaction(SIGUSR1, &old, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_visited_once), cmocka_unit_test(workers_sleep_and_wake),
        cmocka_unit_test(callers_take_turns),          cmocka_unit_test(a_run_sees_what_the_last_one_wrote),
        cmocka_unit_test(opening_fails_cleanly),       cmocka_unit_test(workers_take_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
