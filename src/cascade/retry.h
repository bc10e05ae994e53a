/* When to try again: what the server asks for, else full jitter.
 *
 * Full jitter: before attempt n (the first repetition is n = 0) the wait is uniform in 0..min(widest, first * 2^n) (M. Brooker,
 * "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). Times are milliseconds of the caller's clock. */
#ifndef WEIR_CASCADE_RETRY_H
#define WEIR_CASCADE_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A header's value, seconds or an HTTP date (RFC 9110, 10.2.3 and 5.6.7, all three forms), as milliseconds from `unix_now_s` on; 0 for
 * a date that is over. -1: neither. At most a day. */
int64_t retry_after_ms(const char *value, size_t size, int64_t unix_now_s);

/* The wait before repetition `n`; *state is the generator's, any value. */
int64_t retry_backoff_ms(uint64_t *state, unsigned n, uint32_t first_ms, uint32_t widest_ms);

/* Statuses that a provider gives when it has not done the work and may do it later: 429, 500, 502, 503, 504, 529; also 408 and 425. */
bool retry_is_status(long status);

#endif
