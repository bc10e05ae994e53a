/* Patterns: ECMA-262 regular expressions without look-around, back-references and word boundaries, as automata.
 *
 * A pattern is searched for (ECMA-262 RegExp.prototype.test with the flag u): unanchored unless it says ^ or $. Characters are code points; \d and
 * \w are ASCII, \s is white space and line ends as ECMA-262 lists them. Where the flag u would be stricter than old
 * patterns in the field (identity escapes of punctuation, a brace that begins no quantifier, - beside a class in brackets) they
 * are read as Annex B.1.2 reads them. */
#ifndef WEIR_CONSTRAIN_REGEX_H
#define WEIR_CONSTRAIN_REGEX_H

#include "constrain/dfa.h"

enum {
    REGEX_NODES_MAX = 20000,   /* of the syntax tree */
    REGEX_STATES_MAX = 20000,  /* of the automaton before it is made deterministic */
    REGEX_DEPTH_MAX = 100,     /* of groups */
    REGEX_REPEAT_MAX = 100000, /* {n}; REGEX_STATES_MAX is usually met first */
};

/* The strings in which `pattern` (UTF-8) is found. WEIR_ERR_UNSUPPORTED (look-around and the like), WEIR_ERR_FORMAT (no pattern),
 * WEIR_ERR_LIMIT (too large), WEIR_ERR_NOMEM; *error says what and at which character. */
enum weir_status regex_compile(const struct dfa_maker *maker, struct json_text pattern, const struct dfa **out,
                               struct weir_error *error) WEIR_MUST_USE;

#endif
