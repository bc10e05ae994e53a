/* Every allocation failing in turn: the linker sends malloc, calloc, realloc and aligned_alloc of the test and of the library
 * linked into it through starve.c (`--wrap`). Other libraries keep their memory.
 *
 *     for (struct starve s = starve_begin(1); starve_goes_on(&s);) {
 *         status = what_may_fail(...);
 *         starve_end(&s);      (memory is there again)
 *         check that a failure is clean
 *     }
 *
 * Each allocation fails twice: alone, as when another thread takes the last block for a moment, and with all that come after it. The loop
 * ends behind the round in which nothing was left to fail. `stride` above 1 leaves out rounds beyond STARVE_DENSE, for calls that
 * allocate thousands of times in the same few places. */
#ifndef WEIR_TESTS_STARVE_H
#define WEIR_TESTS_STARVE_H

#include <stdbool.h>
#include <stddef.h>

enum { STARVE_DENSE = 400 };

struct starve {
    size_t stride;
    size_t nth;      /* the allocation that fails in this round, from 1; 0 before the first */
    bool for_good;   /* those after it fail too */
    bool has_failed; /* this round's allocation was asked for, and refused */
};

struct starve starve_begin(size_t stride);

/* Arms the next round; false when the last one had nothing left to fail. */
bool starve_goes_on(struct starve *s);
void starve_end(struct starve *s);

#endif
