/* The thread pool: work split by output row, so a result never depends on the number of threads.
 *
 * thread_pool_run calls `work(context, begin, end, worker)` for disjoint ranges that cover [0, count), on the calling
 * thread and on the workers, and returns when all of them are done. Ranges are claimed from a shared counter in steps of
 * `grain`: a thread that the system holds up takes fewer of them, so the pool keeps its share when another process
 * takes a core, and one that has not come at all by the time the ranges run out is not waited for. Workers spin for a short time between runs and then sleep on a futex.
 * Workers block all signals but those of their own faults, so that a handler always runs on a thread of the program.
 * A pool serves one caller at a time; calls from several threads wait for each other. `work` must not call the pool. */
#ifndef WEIR_BASE_THREADS_H
#define WEIR_BASE_THREADS_H

#include <stddef.h>

#include "weir/status.h"

enum { THREADS_MAX = 256 };

struct thread_pool;

typedef void thread_work(void *context, size_t begin, size_t end, unsigned worker);

/* `threads` in 1..THREADS_MAX counts the caller; 0 takes thread_count_default(). */
enum weir_status thread_pool_open(unsigned threads, struct thread_pool **out, struct weir_error *error) WEIR_MUST_USE;
void thread_pool_close(struct thread_pool **pool);
unsigned thread_pool_size(const struct thread_pool *pool);

/* `worker` is below thread_pool_size(). A NULL pool runs everything on the caller. */
void thread_pool_run(struct thread_pool *pool, thread_work *work, void *context, size_t count, size_t grain);

/* CPUs this process may use: the affinity mask, cut by the cgroup's cpu.max quota (rounded up). At least 1. */
unsigned thread_count_default(void);

#endif
