/* A circuit breaker: a provider that fails again and again is left alone for a while, then tried with one request.
 *
 *     closed --failures in a row--> open --after wait_ms, on the next request--> half open --success--> closed
 *                                     ^                                              |
 *                                     +------------------- failure ------------------+
 *
 * Times are milliseconds of the caller's clock, which does not run backwards. One thread at a time. */
#ifndef WEIR_CASCADE_BREAKER_H
#define WEIR_CASCADE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/provider.h"

struct breaker {
    uint32_t failures_max, wait_ms; /* as given */
    enum weir_circuit circuit;
    uint32_t failures; /* in a row, while closed */
    int64_t opened_ms; /* when it opened last */
    bool is_trying;    /* half open: the one request is under way */
};

struct breaker breaker_make(uint32_t failures_max, uint32_t wait_ms);
/* Whether a request may be sent now. While half open one is let through until it ends in one of the calls below. */
bool breaker_allows(struct breaker *breaker, int64_t now_ms);
void breaker_succeeded(struct breaker *breaker);
void breaker_failed(struct breaker *breaker, int64_t now_ms);
void breaker_undecided(struct breaker *breaker); /* it ended without saying anything about the provider (cancelled) */

#endif
