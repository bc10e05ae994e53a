/* The random numbers of sampling: xoshiro256** 1.0, seeded by splitmix64 (prng.di.unimi.it, Blackman and Vigna 2018). */
#ifndef WEIR_ENGINE_RANDOM_H
#define WEIR_ENGINE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4]; /* never all zero */
};

static inline uint64_t random_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* Four outputs of splitmix64 that start from `seed`. */
static inline struct random random_make(uint64_t seed)
{
    struct random random;
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        random.state[i] = z ^ z >> 31;
    }
    return random;
}

static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* In [0, 1), 53 bits. */
static inline double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

#endif
