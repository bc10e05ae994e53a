/* Numbers as languages of lexemes: exact decimal comparison, no doubles anywhere.
 *
 * Without a condition a number is any JSON number. Under a condition it is one of these spellings, for which the conditions below are exact:
 *   plain       -?(0|[1-9][0-9]*)(.[0-9]+)?
 *   scientific  -?[1-9](.[0-9]+)?[eE][+-]?[0-9]+          for bounds, const and enum
 *               -?[1-9][eE]+?[0-9]+                       for integers
 * Other spellings (12e3, 0.5e1, 0e0) are refused there: the exponent comes after digits without limit, and no finite
 * automaton can compare them. */
#ifndef WEIR_CONSTRAIN_NUMBER_H
#define WEIR_CONSTRAIN_NUMBER_H

#include "base/json.h"
#include "constrain/dfa.h"

enum {
    NUMBER_DIGITS_MAX = 400,    /* significant digits of a bound */
    NUMBER_EXPONENT_MAX = 1200, /* decimal places before or after the point of a bound */
};

/* label -> bit: which outcomes of comparing the number with the bound are wanted */
enum number_order { NUMBER_LESS = 1, NUMBER_EQUAL = 2, NUMBER_GREATER = 4 };

enum weir_status number_any(const struct dfa_maker *maker, const struct dfa **out) WEIR_MUST_USE;
enum weir_status number_integer(const struct dfa_maker *maker, const struct dfa **out) WEIR_MUST_USE;
enum weir_status number_not_integer(const struct dfa_maker *maker, const struct dfa **out) WEIR_MUST_USE;

/* The numbers that compare with `bound` in one of the wanted ways (bits of enum number_order). WEIR_ERR_LIMIT: beyond the limits above. */
enum weir_status number_compare(const struct dfa_maker *maker, struct json_text bound, unsigned wanted,
                                const struct dfa **out) WEIR_MUST_USE;

/* Plain multiples of `divisor` (> 0), or plain numbers that are none. WEIR_ERR_LIMIT when the divisor's digits are more than an
 * automaton can hold. */
enum weir_status number_multiple(const struct dfa_maker *maker, struct json_text divisor, bool wanted,
                                 const struct dfa **out) WEIR_MUST_USE;

#endif
