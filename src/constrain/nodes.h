/* From conjunctions of literals to the program. */
#ifndef WEIR_CONSTRAIN_NODES_H
#define WEIR_CONSTRAIN_NODES_H

#include "constrain/expand.h"
#include "constrain/program.h"

enum node_state { NODE_NEW, NODE_OPEN, NODE_DONE };
enum { EMPTY_DEPTH_MAX = 12 }; /* how deep conjunction_is_empty looks */

/* A member's or an array's shape before it is known which nodes can be satisfied. */
struct raw_object {
    struct json_text *names;
    uint32_t *name_nodes; /* [n_names, 1 + n_needs] */
    uint8_t *required;    /* [n_names] */
    uint32_t n_names, n_needs, n_classes;
    uint32_t *class_nodes;  /* [n_classes, 1 + n_needs] */
    const struct dfa *keys; /* labels: 1 + name, 1 + n_names + class */
    bool plain_keys;        /* names and one class of others: no patterns */
    uint64_t min, max;
    struct raw_object *next;
};

struct raw_array {
    struct array_shape shape; /* without `feasible` */
    struct raw_array *next;
};

struct raw_string {
    struct string_shape shape;
    struct raw_string *next;
};

struct raw_node {
    const literal *literals;
    uint32_t n_literals;
    enum node_state state;
    bool inhabited, wanted;
    unsigned types;
    const struct dfa *number;
    struct raw_string *strings;
    struct raw_array *arrays;
    struct raw_object *objects;
};

struct node_table {
    struct raw_node *nodes;
    uint32_t n_nodes, capacity;
    uint32_t *slots; /* node + 1, by hash of the literals */
    uint32_t slots_log2;
};

/* The node of a conjunction, new or known. Literals are sorted and made unique in place. */
enum weir_status node_of(struct compiler *c, literal *literals, size_t n, uint32_t *node) WEIR_MUST_USE;
enum weir_status node_expand(struct compiler *c, uint32_t node) WEIR_MUST_USE;
enum weir_status node_is_empty(struct compiler *c, uint32_t node, bool *empty) WEIR_MUST_USE;

/* Shapes of a box; *shape NULL: nothing can satisfy it. `keyword` is for error texts. */
enum weir_status raw_object_build(struct compiler *c, const struct object_box *box,
                                  struct raw_object **shape) WEIR_MUST_USE;
enum weir_status raw_array_build(struct compiler *c, const struct array_box *box,
                                 struct raw_array **shape) WEIR_MUST_USE;

/* All nodes reachable from `root`, checked for members and linked into c->program. */
enum weir_status program_link(struct compiler *c, uint32_t root) WEIR_MUST_USE;
enum weir_status object_link(struct compiler *c, const struct raw_object *raw, struct object_shape *out) WEIR_MUST_USE;
enum weir_status array_link(struct compiler *c, const struct raw_array *raw, struct array_shape *out) WEIR_MUST_USE;
bool raw_object_inhabited(const struct node_table *t, const struct raw_object *o);
bool raw_array_inhabited(struct compiler *c, const struct raw_array *a, enum weir_status *status);

#endif
