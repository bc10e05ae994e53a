/* What a schema is compiled into: nodes, each a union of alternatives sorted by type. Immutable once linked.
 *
 * Scalars of a node are one automaton each; arrays and objects are lists of shapes that are followed side by side until the
 * bytes tell them apart. Every node, shape and state in a linked program can still be completed: what nothing can
 * satisfy was taken out, so a mask never leads into a dead end. */
#ifndef WEIR_CONSTRAIN_PROGRAM_H
#define WEIR_CONSTRAIN_PROGRAM_H

#include "constrain/box.h"

enum {
    PROGRAM_NODES_MAX = 20000,
    OBJECT_NAMES_MAX = 4000,
    OBJECT_NEEDS_MAX = 4,
    ARRAY_CONTAINS_MAX = 3,
    ARRAY_CELLS_MAX = 200000, /* positions times counts of `contains` */
    ARRAY_PREFIX_MAX = 10000,
};
#define NODE_NONE UINT32_MAX

/* Strings of dfa with min..max code points. min is 0 unless dfa accepts everything; elsewhere it is part of dfa. */
struct string_shape {
    const struct dfa *dfa;
    const uint32_t *to_accept; /* [n_states]: code points to the nearest accepting state; NULL: max is COUNT_ANY */
    uint64_t min, max;
};

/* Items 0..n_prefix-1 have nodes of their own, later ones the last row. With `contains` rules, item i may count for a subset of
 * them: node[i * n_subsets + subset] is what it must be then. */
struct array_shape {
    uint32_t n_prefix, n_contains, n_subsets;
    const uint32_t *nodes; /* [n_prefix + 1, n_subsets]; NODE_NONE: impossible */
    uint64_t min, max;
    /* contains: how many were seen of each rule, as one number in a mixed radix */
    uint32_t radix[ARRAY_CONTAINS_MAX], low[ARRAY_CONTAINS_MAX], high[ARRAY_CONTAINS_MAX];
    uint32_t n_counts, n_positions; /* feasible: [n_positions, n_counts]; the last position stands for all later ones */
    const uint8_t *feasible;        /* NULL without contains */
};

/* Named members in the order they are written, then any others. Labels of `keys`: 1 + index of a name, 1 + n_names + class. */
struct object_shape {
    uint32_t n_names, n_classes, n_needs, reach_words;
    const struct json_text *names;
    const uint32_t *nodes;                /* [n_names + n_classes, 1 + n_needs]: plain, and when it serves need k - 1 */
    const uint8_t *required;              /* [n_names] */
    const uint32_t *required_from;        /* [n_names + 1]: required ones at or after */
    const uint32_t *possible_from;        /* [n_names + 1]: possible ones at or after */
    const uint32_t *limit;                /* [n_names + 1]: first required at or after, n_names: none */
    uint32_t need_last[OBJECT_NEEDS_MAX]; /* last name that serves it + 1; need_rest: a class does */
    bool need_rest[OBJECT_NEEDS_MAX];
    bool rest; /* some class is possible */
    const struct dfa *keys;
    const uint32_t *reach; /* [n_states, reach_words]: names reached from a state; bit n_names: a class */
    uint64_t min, max;
};

struct node {
    unsigned types; /* TYPE_NULL, TYPE_FALSE, TYPE_TRUE; TYPE_NUMBER and the others when the lists below say so */
    const struct dfa *number;
    const struct string_shape *strings;
    const struct array_shape *arrays;
    const struct object_shape *objects;
    uint32_t n_strings, n_arrays, n_objects;
};

struct program {
    struct node *nodes;
    uint32_t n_nodes, root;
    bool satisfiable;
};

#endif
