/* Boxes: conjunctions of conditions, sorted by the type of value they speak of.
 *
 * A schema is turned into a union of boxes. A literal is a numbered schema or its negation; conditions on members and items hold literals, which
 * are expanded later, so that recursion is no problem. Lists are immutable and grow at the front: a branch that goes two ways
 * shares what came before. A NULL automaton is no condition. */
#ifndef WEIR_CONSTRAIN_BOX_H
#define WEIR_CONSTRAIN_BOX_H

#include "constrain/dfa.h"
#include "constrain/schema.h"

enum type_bit {
    TYPE_NULL = 1,
    TYPE_FALSE = 2,
    TYPE_TRUE = 4,
    TYPE_NUMBER = 8,
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPE_ALL = 127
};

/* Schema number * 2, and 1 when it must not hold. */
typedef uint32_t literal;
enum { LITERAL_FALSE = SCHEMA_NUMBER_FALSE * 2, LITERAL_TRUE = LITERAL_FALSE + 1 };

static inline literal literal_of(uint32_t number, bool negated)
{
    return number * 2 + negated;
}

#define COUNT_ANY UINT64_MAX
enum { COUNT_COMPARED_MAX = 1000000000 }; /* larger maxima are no condition: no output gets there */

enum key_kind {
    KEY_NAME,    /* `name` */
    KEY_PATTERN, /* members of `dfa` */
    KEY_OUTSIDE, /* not members of `dfa` */
    KEY_OTHER,   /* no key of the objects `names` and of no automaton of `patterns` */
};

struct dfa_list {
    const struct dfa *dfa;
    const struct dfa_list *next;
};

struct name_list {
    const struct json_value *object; /* whose keys are meant */
    const struct name_list *next;
};

struct key_set {
    enum key_kind kind;
    struct json_text name;
    const struct dfa *dfa;
    const struct name_list *names;
    const struct dfa_list *patterns;
};

struct key_rule { /* every member whose key is in `keys` has a value with `value` */
    struct key_set keys;
    literal value;
    const struct key_rule *next;
};

struct text_list {
    struct json_text text;
    const struct text_list *next;
};

struct object_box {
    const struct key_rule *rules;
    const struct key_rule *needs; /* some member whose key is in `keys` has a value with `value` */
    const struct text_list *required;
    const struct text_list *order; /* names in reverse of the order they are to be written in */
    uint64_t min, max;
};

struct item_rule { /* items first..last have `value` */
    uint64_t first, last;
    literal value;
    const struct item_rule *next;
};

struct contains_rule { /* of the items from `from` on, min..max have `value` */
    uint64_t from, min, max;
    literal value;
    const struct contains_rule *next;
};

struct array_box {
    const struct item_rule *rules;
    const struct contains_rule *contains;
    uint64_t min, max;
    const struct json_value *unique; /* the keyword that asks for it */
};

struct box {
    unsigned types; /* 0: nothing is left */
    const struct dfa *number, *string;
    uint64_t length_min, length_max; /* of strings, in code points */
    struct array_box array;
    struct object_box object;
};

#endif
