/* The formats time and date-time, with leap seconds that depend on the offset. */
#ifndef WEIR_CONSTRAIN_CLOCK_H
#define WEIR_CONSTRAIN_CLOCK_H

#include "constrain/dfa.h"

enum weir_status clock_time(const struct dfa_maker *maker, const struct dfa **out) WEIR_MUST_USE;

/* A date and the letter T as `date_and_t` says (an anchored pattern of ASCII, after whose end nothing can follow), then a time. */
enum weir_status clock_date_time(const struct dfa_maker *maker, const char *date_and_t,
                                 const struct dfa **out) WEIR_MUST_USE;

#endif
