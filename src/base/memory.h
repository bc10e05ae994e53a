/* Allocation and size arithmetic that cannot overflow in silence. */
#ifndef WEIR_BASE_MEMORY_H
#define WEIR_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* false on overflow, *out untouched. Every size that comes from a file goes through these. */
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *out = product;
    return true;
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return false;
    *out = sum;
    return true;
}

/* Zeroed array of count * size bytes; NULL on overflow or lack of memory. Never NULL for a zero size. Freed by free(). */
void *mem_zero(size_t count, size_t size);

/* Resizes to count * size bytes; NULL (and `old` still valid) on overflow or lack of memory. */
void *mem_resize(void *old, size_t count, size_t size);

/* Zeroed, aligned to 64 bytes (a cache line, a zmm register); freed by free(). NULL on overflow or lack of memory. */
void *mem_aligned(size_t count, size_t size);

/* Zeroed whole pages from the system: nothing is resident until it is written, and everything goes back when freed. For what is
 * large and lives long. NULL on overflow or lack of memory. Freed by mem_pages_free with the same size. */
void *mem_pages(size_t bytes);
void mem_pages_free(void *pages, size_t bytes); /* accepts NULL */
/* The system may use huge pages for them: for memory that is soon filled as a whole. */
void mem_pages_huge(void *pages, size_t bytes);
/* Whole pages inside [at, at + bytes) of memory from mem_pages are zero again and no longer resident. */
void mem_pages_drop(void *at, size_t bytes);

/* A copy of `size` bytes with a NUL after them. NULL without memory. */
char *mem_text(const char *text, size_t size);

/* Fault injection for tests: the n-th allocation from now (1 = the next) and all after it fail; 0 turns it off.
 * One process-wide setting, meant for single-threaded tests. */
void mem_fail_after(size_t n);

#endif
