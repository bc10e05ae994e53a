#include "fault/starve.h"

#include <stdatomic.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

/* The library's threads allocate too. */
static atomic_size_t asked, fails_at; /* allocations since the round began; the one that fails, 0: none */
static atomic_bool fails_for_good;

static bool must_fail(void)
{
    size_t at = atomic_load(&fails_at);
    if (!at) return false;
    size_t now = atomic_fetch_add(&asked, 1) + 1;
    return now == at || (now > at && atomic_load(&fails_for_good));
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return must_fail() ? NULL : __real_aligned_alloc(alignment, size);
}

struct starve starve_begin(size_t stride)
{
    return (struct starve){.stride = stride};
}

bool starve_goes_on(struct starve *s)
{
    if (s->nth && !s->has_failed) return false;
    if (s->nth && !s->for_good) {
        s->for_good = true;
    } else {
        s->nth += s->nth < STARVE_DENSE ? 1 : s->stride;
        s->for_good = false;
    }
    s->has_failed = false;
    atomic_store(&asked, 0);
    atomic_store(&fails_for_good, s->for_good);
    atomic_store(&fails_at, s->nth);
    return true;
}

void starve_end(struct starve *s)
{
    atomic_store(&fails_at, 0);
    s->has_failed = atomic_load(&asked) >= s->nth;
}
