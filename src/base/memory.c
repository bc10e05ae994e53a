#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Remaining successful allocations plus one; 0 = injection off. Only tests write it. */
static _Atomic size_t fail_countdown;

void mem_fail_after(size_t n)
{
    atomic_store(&fail_countdown, n);
}

static bool allocation_must_fail(void)
{
    size_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (left == 0) return false;
    if (left == 1) return true;
    atomic_store_explicit(&fail_countdown, left - 1, memory_order_relaxed);
    return false;
}

void *mem_zero(size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || allocation_must_fail()) return NULL;
    return calloc(bytes ? bytes : 1, 1);
}

void *mem_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || allocation_must_fail()) return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void *mem_aligned(size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || !size_add(bytes, 63, &bytes) || allocation_must_fail()) return NULL;
    bytes &= ~(size_t)63;
    void *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

char *mem_text(const char *text, size_t size)
{
    size_t bytes;
    if (!size_add(size, 1, &bytes)) return NULL;
    char *copy = mem_zero(bytes, 1);
    if (copy && size) memcpy(copy, text, size);
    return copy;
}
