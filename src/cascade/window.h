/* A limit per minute that holds in every minute, not only on average: a sliding window in slots of half a second.
 *
 * A slot counts until a whole minute after its end, so that the sum never falls short. Fixed memory, whatever the limit. Times
 * are milliseconds of the caller's clock, which does not run backwards. One thread at a time. */
#ifndef WEIR_CASCADE_WINDOW_H
#define WEIR_CASCADE_WINDOW_H

#include <stdint.h>

enum { WINDOW_SLOTS = 121, WINDOW_SLOT_MS = 500 };

struct window {
    uint64_t limit;               /* 0: none */
    int64_t newest;               /* number of the newest slot used: time / WINDOW_SLOT_MS */
    uint64_t slots[WINDOW_SLOTS]; /* slot n at n % WINDOW_SLOTS */
};

struct window window_make(uint64_t limit);
/* 0: `amount` fits now; else the milliseconds until it may. An amount above the limit waits for an empty window. */
int64_t window_wait_ms(struct window *window, int64_t now_ms, uint64_t amount);
void window_add(struct window *window, int64_t now_ms, uint64_t amount);
/* What was added at `then_ms` as `before` was `after` in truth. */
void window_correct(struct window *window, int64_t then_ms, uint64_t before, uint64_t after);

#endif
