/* Amounts of money inside the cascade: whole micro-dollars, saturating at INT64_MAX, never through floating point. */
#ifndef WEIR_CASCADE_PRICE_H
#define WEIR_CASCADE_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number of dollars with at most six decimals ("0.042") as micro-dollars. false: anything else, or 10^10 dollars and more. */
bool price_parse(const char *text, size_t size, int64_t *usd_e6);

#endif
