#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* AddressSanitizer watches the heap only: there pages come from it. */
#if defined(__SANITIZE_ADDRESS__)
enum { PAGES_FROM_HEAP = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { PAGES_FROM_HEAP = 1 };
#else
enum { PAGES_FROM_HEAP = 0 };
#endif
#else
enum { PAGES_FROM_HEAP = 0 };
#endif

void *mem_pages(size_t bytes)
{
    if (PAGES_FROM_HEAP) return mem_aligned(bytes, 1);
    if (allocation_must_fail()) return NULL;
    void *pages = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void mem_pages_free(void *pages, size_t bytes)
{
    if (PAGES_FROM_HEAP)
        free(pages);
    else if (pages)
        (void)munmap(pages, bytes ? bytes : 1);
}

void mem_pages_huge(void *pages, size_t bytes)
{
    if (!PAGES_FROM_HEAP) (void)madvise(pages, bytes, MADV_HUGEPAGE);
}

void mem_pages_drop(void *at, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), skip = (page - (uintptr_t)at % page) % page;
    if (PAGES_FROM_HEAP || bytes < skip) return;
    size_t whole = (bytes - skip) / page * page;
    if (whole) (void)madvise((uint8_t *)at + skip, whole, MADV_DONTNEED);
}

char *mem_text(const char *text, size_t size)
{
    size_t bytes;
    if (!size_add(size, 1, &bytes)) return NULL;
    char *copy = mem_zero(bytes, 1);
    if (copy && size) memcpy(copy, text, size);
    return copy;
}
