/* One generation of work at a time. The caller publishes the job, bumps `generation` (release) and wakes sleepers;
 * everyone, the caller too, claims ranges from `next` until they run out; each worker then subtracts itself from
 * `active` and the caller waits for zero. The job's fields are written only while active == 0 under `caller`. */
#include "base/threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
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

struct thread_pool {
    unsigned threads; /* with the caller */
    pthread_t *workers;
    unsigned workers_started;
    pthread_mutex_t caller; /* held for the whole of a run */

    thread_work *work;
    void *context;
    size_t count;
    size_t grain;
    _Alignas(64) _Atomic size_t next;         /* first index not yet claimed */
    _Alignas(64) _Atomic uint32_t generation; /* futex: changes when there is work, or to stop */
    _Alignas(64) _Atomic uint32_t active;     /* futex: workers that have not finished this generation */
    _Atomic bool stop;
};

struct worker_start {
    struct thread_pool *pool;
    unsigned index;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Returns when *word is no longer `old`: a short spin, then sleep. */
static uint32_t wait_for_change(_Atomic uint32_t *word, uint32_t old)
{
    for (unsigned i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        uint32_t now = atomic_load_explicit(word, memory_order_acquire);
        if (now != old) return now;
        spin_pause();
    }
    for (;;) {
        uint32_t now = atomic_load_explicit(word, memory_order_acquire);
        if (now != old) return now;
        futex_wait(word, old);
    }
}

static void claim_ranges(struct thread_pool *pool, unsigned worker)
{
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&pool->next, pool->grain, memory_order_relaxed);
        if (begin >= pool->count) return;
        size_t end = pool->count - begin < pool->grain ? pool->count : begin + pool->grain;
        pool->work(pool->context, begin, end, worker);
    }
}

static void *worker_main(void *argument)
{
    struct worker_start start = *(struct worker_start *)argument;
    free(argument);
    struct thread_pool *pool = start.pool;
    uint32_t seen = 0;
    for (;;) {
        seen = wait_for_change(&pool->generation, seen);
        if (atomic_load_explicit(&pool->stop, memory_order_acquire)) return NULL;
        claim_ranges(pool, start.index);
        if (atomic_fetch_sub_explicit(&pool->active, 1, memory_order_acq_rel) == 1) futex_wake_all(&pool->active);
    }
}

static bool start_worker(struct thread_pool *pool, unsigned index)
{
    struct worker_start *start = mem_zero(1, sizeof *start);
    if (!start) return false;
    *start = (struct worker_start){.pool = pool, .index = index};
    if (pthread_create(&pool->workers[index - 1], NULL, worker_main, start) != 0) {
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
        return error_set(error, WEIR_ERR_NOMEM, "cannot start %u threads", threads);
    }
    *out = pool;
    return WEIR_OK;
}

void thread_pool_close(struct thread_pool **handle)
{
    struct thread_pool *pool = *handle;
    if (!pool) return;
    atomic_store_explicit(&pool->stop, true, memory_order_release);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    futex_wake_all(&pool->generation);
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

void thread_pool_run(struct thread_pool *pool, thread_work *work, void *context, size_t count, size_t grain)
{
    if (count == 0) return;
    if (grain == 0) grain = 1;
    if (!pool || pool->threads == 1 || count <= grain) {
        /* One range: nothing to share. The lock still keeps a pool's `work` calls from overlapping. */
        if (pool) pthread_mutex_lock(&pool->caller);
        work(context, 0, count, 0);
        if (pool) pthread_mutex_unlock(&pool->caller);
        return;
    }
    pthread_mutex_lock(&pool->caller);
    pool->work = work;
    pool->context = context;
    pool->count = count;
    pool->grain = grain;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->active, pool->threads - 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    futex_wake_all(&pool->generation);
    claim_ranges(pool, 0);
    uint32_t left;
    while ((left = atomic_load_explicit(&pool->active, memory_order_acquire)) != 0)
        wait_for_change(&pool->active, left);
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
