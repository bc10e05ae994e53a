/* Random numbers (the seed comes from WEIR_SEED and is printed) and their comparison. */
#ifndef WEIR_TESTS_TUNE_NUMBERS_H
#define WEIR_TESTS_TUNE_NUMBERS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"

static inline uint64_t random_seed(void)
{
    const char *text = getenv("WEIR_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20261123;
    print_message("WEIR_SEED=%llu\n", (unsigned long long)seed);
    return seed | 1;
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static inline uint64_t random_bits(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* Uniform in [-1, 1). */
static inline float random_float(uint64_t *state)
{
    return (float)(random_bits(state) >> 40) / (float)(1 << 23) - 1;
}

static inline void check_near(double found, double expected, double bound)
{
    if (!(fabs(found - expected) <= bound)) fail_msg("expected %.9g within %g, found %.9g", expected, bound, found);
}

#endif
