/* What the parser of patterns hands to the automaton's builder. */
#ifndef WEIR_CONSTRAIN_REGEX_INTERNAL_H
#define WEIR_CONSTRAIN_REGEX_INTERNAL_H

#include "constrain/regex.h"

/* Inclusive ranges of code points, ascending and apart once charset_normalise was called. */
struct charset {
    uint32_t count, capacity;
    uint32_t (*ranges)[2];
};

enum weir_status charset_add(struct charset *set, struct arena *arena, uint32_t first, uint32_t last) WEIR_MUST_USE;
enum weir_status charset_add_all(struct charset *set, struct arena *arena, const struct charset *other) WEIR_MUST_USE;
void charset_normalise(struct charset *set);
enum weir_status charset_negate(struct charset *set, struct arena *arena) WEIR_MUST_USE; /* normalises */
/* d D w W s S; `.` everything but line ends. */
enum weir_status charset_add_escape(struct charset *set, struct arena *arena, char escape) WEIR_MUST_USE;
/* \p{name}; WEIR_ERR_UNSUPPORTED for properties without a table here. */
enum weir_status charset_add_property(struct charset *set, struct arena *arena, struct json_text name) WEIR_MUST_USE;

enum regex_kind { REGEX_EMPTY, REGEX_SET, REGEX_CAT, REGEX_ALT, REGEX_REPEAT, REGEX_BEGIN, REGEX_END };

struct regex_node {
    enum regex_kind kind;
    struct charset set;              /* REGEX_SET */
    const struct regex_node *left;   /* CAT, ALT, REPEAT */
    const struct regex_node *right;  /* CAT, ALT */
    uint32_t repeat_min, repeat_max; /* REPEAT; UINT32_MAX: no maximum */
};

enum weir_status regex_parse(struct arena *scratch, struct json_text pattern, const struct regex_node **out,
                             struct weir_error *error) WEIR_MUST_USE;

#endif
