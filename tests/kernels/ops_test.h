/* Shared by the tests of the kernels around the matrix products: random numbers, fenced buffers, comparers. */
#ifndef WEIR_TESTS_KERNELS_OPS_TEST_H
#define WEIR_TESTS_KERNELS_OPS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "kernels/ops.h"

/* xorshift64*, seeded by WEIR_TEST_SEED or 1; the seed is printed once by rng_open. */
struct rng {
    uint64_t state;
};

static inline struct rng rng_open(const char *test)
{
    const char *text = getenv("WEIR_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    print_message("%s: WEIR_TEST_SEED=%llu\n", test, (unsigned long long)seed);
    return (struct rng){seed * 0x9e3779b97f4a7c15u + 1};
}

static inline uint64_t rng_next(struct rng *rng)
{
    rng->state ^= rng->state >> 12;
    rng->state ^= rng->state << 25;
    rng->state ^= rng->state >> 27;
    return rng->state * 0x2545f4914f6cdd1du;
}

/* Uniform in [-range, range). */
static inline float rng_float(struct rng *rng, float range)
{
    return range * ((float)(rng_next(rng) >> 40) * 0x1p-23f - 1.0f);
}

static inline void rng_fill(struct rng *rng, float *out, size_t n, float range)
{
    for (size_t i = 0; i < n; i++) out[i] = rng_float(rng, range);
}

/* A buffer of `n` floats that begins 4 bytes past a 64-byte boundary, between two fences; free_fenced() checks the fences. */
enum { FENCE = 17 };
#define FENCE_VALUE 1234.5f

static inline float *fenced(size_t n)
{
    float *base = mem_aligned(n + 2 * FENCE, sizeof *base);
    assert_non_null(base);
    for (size_t i = 0; i < n + 2 * FENCE; i++) base[i] = FENCE_VALUE;
    return base + FENCE;
}

static inline void free_fenced(float *buffer, size_t n)
{
    for (size_t i = 0; i < FENCE; i++) {
        assert_float_equal(buffer[-1 - (ptrdiff_t)i], FENCE_VALUE, 0.0f);
        assert_float_equal(buffer[n + i], FENCE_VALUE, 0.0f);
    }
    free(buffer - FENCE);
}

/* The same for bytes, at an even address of no further alignment. */
static inline uint8_t *fenced_bytes(size_t n)
{
    uint8_t *base = mem_aligned(n + 2 * FENCE + 2, 1);
    assert_non_null(base);
    memset(base, 0xa5, n + 2 * FENCE + 2);
    return base + FENCE + 1;
}

static inline void free_fenced_bytes(uint8_t *buffer, size_t n)
{
    for (size_t i = 0; i < FENCE; i++) {
        assert_int_equal(buffer[-1 - (ptrdiff_t)i], 0xa5);
        assert_int_equal(buffer[n + i], 0xa5);
    }
    free(buffer - FENCE - 1);
}

static inline enum cpu_level best_level(void)
{
    enum cpu_level best;
    assert_int_equal(cpu_level_choose(NULL, &best, NULL), WEIR_OK);
    return best;
}

/* The kernels of a level that are tested here; the others are NULL. */
static inline struct kernels ops_of_level(enum cpu_level level)
{
    struct kernels k = {.level = level};
    kernels_init_ops_ref(&k);
#if defined(__x86_64__)
    if (level >= CPU_AVX2) kernels_init_ops_avx2(&k);
    if (level >= CPU_AVX512VNNI) kernels_init_ops_avx512vnni(&k);
#endif
    return k;
}

static inline void assert_same_bits(const char *what, size_t at, float expected, float found)
{
    if (memcmp(&expected, &found, sizeof found) == 0) return;
    fail_msg("%s [%zu]: expected %a, found %a", what, at, (double)expected, (double)found);
}

static inline void assert_rows_same(const char *what, const float *expected, const float *found, size_t n)
{
    for (size_t i = 0; i < n; i++) assert_same_bits(what, i, expected[i], found[i]);
}

static inline void assert_bytes_same(const char *what, const uint8_t *expected, const uint8_t *found, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (expected[i] != found[i]) fail_msg("%s [byte %zu]: expected %u, found %u", what, i, expected[i], found[i]);
}

static inline void assert_near(const char *what, size_t at, double expected, double found, double bound)
{
    double distance = found > expected ? found - expected : expected - found;
    if (distance <= bound) return;
    fail_msg("%s [%zu]: expected %.17g, found %.17g, bound %g", what, at, expected, found, bound);
}

#endif
