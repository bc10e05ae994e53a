/* One generation of work at a time, run by whoever is there: the caller never waits for a worker that has not joined.
 *
 * `state` is one word: a generation number, STOP, OPEN, and the count of workers that have joined the open generation.
 *
 *     closed, 0 workers --(run: publish the job)--> open, 0 --(worker joins: +1)--> open, n
 *     open, n --(run: the ranges ran out)--> closed, n --(worker leaves: -1)--> closed, 0
 *
 * The job's fields are written only while the word says closed and 0 workers, under `caller`; joining needs OPEN, by
 * compare-and-swap on the same word, so a late worker either joins before the close, and is waited for, or not at all.
 * Everyone, the caller too, claims ranges from `next_range` until they run out.
 * Sleeping: a worker counts itself in `sleepers` before it looks at `state` a last time; a run changes `state` before it
 * looks at `sleepers`. Both in one total order, so one of them sees the other, and no wake is lost; nor is the
 * system asked to wake anyone when nobody sleeps. The caller's own sleep, for workers still in a range, is `caller_sleeps`. */
#include "base/threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* About 20 microseconds: longer than the gap between two matrix products, shorter than a scheduler slice. */
enum { SPINS_BEFORE_SLEEP = 600 };

/* Fields of the state word; generations have the 21 bits from STATE_GENERATION on. */
enum { STATE_WORKERS = 0x1ff, STATE_OPEN = 0x200, STATE_STOP = 0x400, STATE_GENERATION = 0x800 };
_Static_assert((int)THREADS_MAX <= (int)STATE_WORKERS, "every worker can join");

struct thread_pool {
    unsigned threads; /* with the caller */
    pthread_t *workers;
    unsigned workers_started;
    pthread_mutex_t caller; /* held for the whole of a run */

    thread_work *work;
    void *context;
    size_t count;
    size_t grain;
    size_t ranges;                               /* ceil(count / grain) */
    _Alignas(64) _Atomic size_t next_range;      /* first range not yet claimed */
    _Alignas(64) _Atomic uint32_t state;         /* futex of idle workers */
    _Alignas(64) _Atomic uint32_t sleepers;      /* workers asleep on `state`, or about to be */
    _Alignas(64) _Atomic uint32_t caller_sleeps; /* futex: 1 while the caller waits for joined workers */
};

struct worker_start {
    struct thread_pool *pool;
    unsigned index;
};

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Something to do for a worker whose last generation was `seen`. The number comes round after two million runs; a worker
 * that slept through exactly so many sits one run out, nothing worse. */
static bool is_news(uint32_t state, uint32_t seen)
{
    return (state & STATE_STOP) || ((state & STATE_OPEN) && state / STATE_GENERATION != seen);
}

/* The state, once it is news: a short spin, then sleep. */
static uint32_t wait_for_news(struct thread_pool *pool, uint32_t seen)
{
    uint32_t state;
    for (unsigned i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        state = atomic_load_explicit(&pool->state, memory_order_acquire);
        if (is_news(state, seen)) return state;
        spin_pause();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    while (!is_news(state = atomic_load(&pool->state), seen)) futex(&pool->state, FUTEX_WAIT_PRIVATE, state);
    atomic_fetch_sub(&pool->sleepers, 1);
    return state;
}

static void claim_ranges(struct thread_pool *pool, unsigned worker)
{
    for (;;) {
        size_t range = atomic_fetch_add_explicit(&pool->next_range, 1, memory_order_relaxed);
        if (range >= pool->ranges) return;
        size_t begin = range * pool->grain;
        size_t end = pool->count - begin < pool->grain ? pool->count : begin + pool->grain;
        pool->work(pool->context, begin, end, worker);
    }
}

/* False when the state is no longer `state`: closed meanwhile, or another worker joined or left. */
static bool join_generation(struct thread_pool *pool, uint32_t state)
{
    return atomic_compare_exchange_strong_explicit(&pool->state, &state, state + 1, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

static void leave_generation(struct thread_pool *pool)
{
    uint32_t before = atomic_fetch_sub(&pool->state, 1);
    bool is_last = (before & (STATE_WORKERS | STATE_OPEN)) == 1;
    if (is_last && atomic_exchange(&pool->caller_sleeps, 0)) futex(&pool->caller_sleeps, FUTEX_WAKE_PRIVATE, 1);
}

static void *worker_main(void *argument)
{
    struct worker_start start = *(struct worker_start *)argument;
    free(argument);
    struct thread_pool *pool = start.pool;
    uint32_t seen = 0;
    for (;;) {
        uint32_t state = wait_for_news(pool, seen);
        if (state & STATE_STOP) return NULL;
        if (!join_generation(pool, state)) continue;
        seen = state / STATE_GENERATION;
        claim_ranges(pool, start.index);
        leave_generation(pool);
    }
}

/* Workers take no signals but those of their own faults: a handler runs on a thread of the program, whose waiting it is meant to
 * interrupt. The mask is inherited. */
static int create_without_signals(pthread_t *thread, void *(*run)(void *), void *context)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    sigset_t none, before;
    (void)sigfillset(&none);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) (void)sigdelset(&none, faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &none, &before);
    int failed = pthread_create(thread, NULL, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static bool start_worker(struct thread_pool *pool, unsigned index)
{
    struct worker_start *start = mem_zero(1, sizeof *start);
    if (!start) return false;
    *start = (struct worker_start){.pool = pool, .index = index};
    if (create_without_signals(&pool->workers[index - 1], worker_main, start) != 0) {
        free(start);
        return false;
    }
    pool->workers_started++;
    return true;
}

enum weir_status thread_pool_open(unsigned threads, struct thread_pool **out, struct weir_error *error)
{
    if (threads == 0) threads = thread_count_default();
    if (threads > THREADS_MAX)
        return error_set(error, WEIR_ERR_INVALID, "threads: expected 1..%d, found %u", THREADS_MAX, threads);
    struct thread_pool *pool = mem_aligned(1, sizeof *pool);
    if (!pool) return error_nomem(error, "thread pool");
    pthread_mutex_init(&pool->caller, NULL);
    pool->threads = threads;
    pool->workers = mem_zero(threads, sizeof *pool->workers);
    bool ok = pool->workers != NULL;
    for (unsigned i = 1; ok && i < threads; i++) ok = start_worker(pool, i);
    if (!ok) {
        thread_pool_close(&pool);
        return error_set(error, WEIR_ERR_NOMEM, "cannot start %u threads: out of memory, or at a limit of the system",
                         threads);
    }
    *out = pool;
    return WEIR_OK;
}

void thread_pool_close(struct thread_pool **handle)
{
    struct thread_pool *pool = *handle;
    if (!pool) return;
    atomic_fetch_or(&pool->state, STATE_STOP);
    futex(&pool->state, FUTEX_WAKE_PRIVATE, INT_MAX);
    for (unsigned i = 0; i < pool->workers_started; i++) pthread_join(pool->workers[i], NULL);
    pthread_mutex_destroy(&pool->caller);
    free(pool->workers);
    free(pool);
    *handle = NULL;
}

unsigned thread_pool_size(const struct thread_pool *pool)
{
    return pool ? pool->threads : 1;
}

/* Publishes the job whose fields are set, and wakes as many sleepers as it has ranges beside the caller's. */
static void open_generation(struct thread_pool *pool)
{
    atomic_store_explicit(&pool->next_range, 0, memory_order_relaxed);
    uint32_t generation = atomic_load_explicit(&pool->state, memory_order_relaxed) / STATE_GENERATION + 1;
    atomic_store(&pool->state, generation * STATE_GENERATION | STATE_OPEN);
    uint32_t sleepers = atomic_load(&pool->sleepers);
    uint32_t useful = pool->ranges - 1 < sleepers ? (uint32_t)(pool->ranges - 1) : sleepers;
    if (useful) futex(&pool->state, FUTEX_WAKE_PRIVATE, useful);
}

static bool has_workers(struct thread_pool *pool)
{
    return (atomic_load(&pool->state) & STATE_WORKERS) != 0;
}

/* No worker joins any more; returns when those that did have left. */
static void close_generation(struct thread_pool *pool)
{
    uint32_t before = atomic_fetch_and(&pool->state, ~(uint32_t)STATE_OPEN);
    if ((before & STATE_WORKERS) == 0) return;
    for (unsigned i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        if (!has_workers(pool)) return;
        spin_pause();
    }
    for (;;) { /* set anew each time: a late worker of an earlier run may have cleared it */
        atomic_store(&pool->caller_sleeps, 1);
        if (!has_workers(pool)) break;
        futex(&pool->caller_sleeps, FUTEX_WAIT_PRIVATE, 1);
    }
    atomic_store(&pool->caller_sleeps, 0);
}

void thread_pool_run(struct thread_pool *pool, thread_work *work, void *context, size_t count, size_t grain)
{
    if (count == 0) return;
    if (grain == 0) grain = 1;
    if (!pool) {
        work(context, 0, count, 0);
        return;
    }
    pthread_mutex_lock(&pool->caller);
    if (pool->threads == 1 || count <= grain) {
        work(context, 0, count, 0); /* one range: nothing to share */
    } else {
        pool->work = work;
        pool->context = context;
        pool->count = count;
        pool->grain = grain;
        pool->ranges = count / grain + (count % grain != 0);
        open_generation(pool);
        claim_ranges(pool, 0);
        close_generation(pool);
    }
    pthread_mutex_unlock(&pool->caller);
}

/* cgroup v2 quota of this process's own group as seen inside a container; 0 = none. */
static unsigned cgroup_quota_cpus(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (!file) return 0;
    long long quota = 0, period = 0;
    int fields = fscanf(file, "%lld %lld", &quota, &period);
    fclose(file);
    if (fields != 2 || quota <= 0 || period <= 0) return 0; /* "max 100000" reads no number: no quota */
    return (unsigned)((quota + period - 1) / period);
}

unsigned thread_count_default(void)
{
    cpu_set_t set;
    unsigned cpus = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = (unsigned)CPU_COUNT(&set);
    unsigned quota = cgroup_quota_cpus();
    if (quota && quota < cpus) cpus = quota;
    return cpus < 1 ? 1 : cpus > THREADS_MAX ? THREADS_MAX : cpus;
}
