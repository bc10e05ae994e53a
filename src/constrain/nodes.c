/* The table of nodes, and how a node's boxes become shapes. */
#include "constrain/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int compare_literals(const void *a, const void *b)
{
    literal x = *(const literal *)a, y = *(const literal *)b;
    return (x > y) - (x < y);
}

static uint32_t hash_literals(const literal *literals, size_t n)
{
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++) hash = (hash ^ literals[i]) * 0x9E3779B97F4A7C15U, hash ^= hash >> 29;
    return (uint32_t)(hash >> 16);
}

static uint32_t *find_slot(const struct node_table *t, const literal *literals, size_t n)
{
    uint32_t mask = (1U << t->slots_log2) - 1;
    for (uint32_t at = hash_literals(literals, n) & mask;; at = (at + 1) & mask) {
        if (!t->slots[at]) return &t->slots[at];
        const struct raw_node *known = &t->nodes[t->slots[at] - 1];
        if (known->n_literals == n && (n == 0 || memcmp(known->literals, literals, n * sizeof *literals) == 0))
            return &t->slots[at];
    }
}

static enum weir_status table_grow(struct compiler *c)
{
    struct node_table *t = c->nodes;
    uint32_t capacity = t->capacity ? t->capacity * 2 : 64;
    t->slots_log2 = t->slots_log2 ? t->slots_log2 + 1 : 7;
    struct raw_node *nodes = arena_zero(c->work, capacity, sizeof *nodes);
    t->slots = arena_zero(c->work, (size_t)1 << t->slots_log2, sizeof *t->slots);
    if (!nodes || !t->slots) return compile_no_room(c);
    if (t->n_nodes) memcpy(nodes, t->nodes, t->n_nodes * sizeof *nodes);
    t->nodes = nodes;
    t->capacity = capacity;
    for (uint32_t i = 0; i < t->n_nodes; i++) *find_slot(t, nodes[i].literals, nodes[i].n_literals) = i + 1;
    return WEIR_OK;
}

/* Sorted, unique, without what always holds. */
static size_t normalise(literal *literals, size_t n)
{
    size_t used = 0;
    qsort(literals, n, sizeof *literals, compare_literals);
    for (size_t i = 0; i < n; i++)
        if (literals[i] != LITERAL_TRUE && (used == 0 || literals[used - 1] != literals[i]))
            literals[used++] = literals[i];
    return used;
}

enum weir_status node_of(struct compiler *c, literal *literals, size_t n, uint32_t *node)
{
    struct node_table *t = c->nodes;
    n = normalise(literals, n);
    if (t->n_nodes == t->capacity) {
        enum weir_status status = table_grow(c);
        if (status) return status;
    }
    uint32_t *slot = find_slot(t, literals, n);
    if (!*slot) {
        if (t->n_nodes == PROGRAM_NODES_MAX)
            return error_set(c->error, WEIR_ERR_LIMIT, "the schema needs more than %d nodes", PROGRAM_NODES_MAX);
        literal *copy = arena_copy(c->work, literals, n * sizeof *literals);
        if (!copy) return compile_no_room(c);
        t->nodes[t->n_nodes] = (struct raw_node){.literals = copy, .n_literals = (uint32_t)n};
        *slot = ++t->n_nodes;
    }
    *node = *slot - 1;
    return WEIR_OK;
}

/* Folds a minimum of code points into the automaton, unless it accepts everything. */
static enum weir_status fold_minimum(struct compiler *c, struct string_shape *shape)
{
    const struct dfa *lengths;
    if (shape->min == 0 || dfa_is_all(shape->dfa)) return WEIR_OK;
    enum weir_status status = dfa_lengths(&c->maker, shape->min, COUNT_ANY, &lengths);
    if (!status) status = dfa_pair(&c->maker, shape->dfa, lengths, DFA_AND, &shape->dfa);
    shape->min = 0;
    return status;
}

/* Distances to acceptance, by passes over all edges until nothing changes; the longest chain bounds the passes. */
static enum weir_status find_distances(struct compiler *c, struct string_shape *shape)
{
    const struct dfa *dfa = shape->dfa;
    uint32_t *distance = arena_zero(c->arena, (size_t)dfa->n_states + 1, sizeof *distance);
    if (!distance) return WEIR_ERR_NOMEM;
    for (uint32_t s = 0; s < dfa->n_states; s++) distance[s] = dfa->accept[s] ? 0 : UINT32_MAX - 1;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t s = dfa->n_states; s-- > 0;)
            for (uint32_t k = 0; k < dfa->n_classes; k++) {
                uint32_t to = dfa->next[(size_t)s * dfa->n_classes + k];
                if (to == DFA_DEAD || distance[to] + 1 >= distance[s]) continue;
                distance[s] = distance[to] + 1;
                changed = true;
            }
    }
    shape->to_accept = distance;
    return WEIR_OK;
}

/* The strings of a box; false in *any: there are none. */
static enum weir_status string_shape_of(struct compiler *c, const struct box *box, struct string_shape *shape,
                                        bool *any)
{
    *shape = (struct string_shape){.dfa = box->string, .min = box->length_min, .max = box->length_max};
    enum weir_status status = shape->dfa ? WEIR_OK : compile_all(c, &shape->dfa);
    if (!status) status = fold_minimum(c, shape);
    if (!status && shape->max != COUNT_ANY && !dfa_is_empty(shape->dfa)) status = find_distances(c, shape);
    *any = !status && !dfa_is_empty(shape->dfa) &&
           (!shape->to_accept || shape->to_accept[shape->dfa->start] <= shape->max);
    return status;
}

static enum weir_status add_string(struct compiler *c, struct raw_node *node, const struct box *box)
{
    struct string_shape shape;
    bool any;
    enum weir_status status = string_shape_of(c, box, &shape, &any);
    if (status || !any) return status;
    for (struct raw_string *s = node->strings; s; s = s->next) { /* one automaton for all without lengths */
        if (s->shape.min || shape.min || s->shape.max != COUNT_ANY || shape.max != COUNT_ANY) continue;
        return dfa_pair(&c->maker, s->shape.dfa, shape.dfa, DFA_OR, &s->shape.dfa);
    }
    struct raw_string *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return WEIR_ERR_NOMEM;
    *fresh = (struct raw_string){shape, node->strings};
    node->strings = fresh;
    return WEIR_OK;
}

static enum weir_status add_number(struct compiler *c, struct raw_node *node, const struct dfa *dfa)
{
    enum weir_status status = dfa ? WEIR_OK : compile_number(c, &dfa);
    if (status || dfa_is_empty(dfa)) return status;
    if (!node->number)
        node->number = dfa;
    else
        status = dfa_pair(&c->maker, node->number, dfa, DFA_OR, &node->number);
    return status;
}

/* Nodes may move while their children are numbered: `node` is looked up again. */
static enum weir_status add_box(struct compiler *c, uint32_t node, const struct box *box)
{
    struct raw_object *object = NULL;
    struct raw_array *array = NULL;
    enum weir_status status = WEIR_OK;
    if (box->types & TYPE_OBJECT) status = raw_object_build(c, &box->object, &object);
    if (!status && (box->types & TYPE_ARRAY)) status = raw_array_build(c, &box->array, &array);
    struct raw_node *n = &c->nodes->nodes[node];
    if (object) {
        object->next = n->objects;
        n->objects = object;
    }
    if (array) {
        array->next = n->arrays;
        n->arrays = array;
    }
    n->types |= box->types & (TYPE_NULL | TYPE_FALSE | TYPE_TRUE);
    if (!status && (box->types & TYPE_NUMBER)) status = add_number(c, n, box->number);
    if (!status && (box->types & TYPE_STRING)) status = add_string(c, n, box);
    return status;
}

static const struct json_value *blame(const struct compiler *c, uint32_t node)
{
    const struct raw_node *n = &c->nodes->nodes[node];
    const struct json_value *value = n->n_literals ? c->document.entries[n->literals[0] / 2].value : NULL;
    return value ? value : c->document.root;
}

static void reverse_shapes(struct raw_node *n)
{
    struct raw_object *objects = NULL;
    while (n->objects) {
        struct raw_object *o = n->objects;
        n->objects = o->next;
        o->next = objects;
        objects = o;
    }
    n->objects = objects;
}

enum weir_status node_expand(struct compiler *c, uint32_t node)
{
    struct raw_node *n = &c->nodes->nodes[node];
    if (n->state != NODE_NEW) return WEIR_OK;
    n->state = NODE_OPEN;
    struct box_list *boxes;
    size_t count;
    enum weir_status status = expand(c, n->literals, n->n_literals, &boxes, &count);
    for (; boxes && !status; boxes = boxes->next) status = add_box(c, node, &boxes->box);
    if (status && !c->error->text[0]) status = compile_automaton(c, status, blame(c, node));
    if (status) return status;
    reverse_shapes(&c->nodes->nodes[node]); /* alternatives in the schema's order */
    c->nodes->nodes[node].state = NODE_DONE;
    return WEIR_OK;
}

enum weir_status node_is_empty(struct compiler *c, uint32_t node, bool *empty)
{
    *empty = false;
    if (c->nodes->nodes[node].n_literals == 0 || c->empty_depth == EMPTY_DEPTH_MAX) return WEIR_OK;
    c->empty_depth++;
    enum weir_status status = node_expand(c, node);
    c->empty_depth--;
    const struct raw_node *n = &c->nodes->nodes[node];
    *empty = !status && n->state == NODE_DONE && !n->types && !n->number && !n->strings && !n->arrays && !n->objects;
    return status;
}

enum weir_status conjunction_is_empty(struct compiler *c, const literal *literals, size_t n, bool *empty)
{
    uint32_t node;
    literal copy[4];
    if (n > sizeof copy / sizeof copy[0]) return WEIR_ERR_INVALID;
    memcpy(copy, literals, n * sizeof *copy);
    enum weir_status status = node_of(c, copy, n, &node);
    return status ? status : node_is_empty(c, node, empty);
}

enum weir_status conjunction_strings(struct compiler *c, const struct json_value *keyword, literal value,
                                     const struct dfa **out)
{
    struct box_list *boxes;
    size_t count;
    const struct dfa *all = NULL;
    enum weir_status status = dfa_none(&c->maker, &all);
    if (!status) status = expand(c, &value, 1, &boxes, &count);
    if (status) return compile_automaton(c, status, keyword);
    for (; boxes && !status; boxes = boxes->next) {
        const struct dfa *own = boxes->box.string, *lengths;
        if (!(boxes->box.types & TYPE_STRING)) continue;
        if (!own) status = compile_all(c, &own);
        if (!status) status = dfa_lengths(&c->maker, boxes->box.length_min, boxes->box.length_max, &lengths);
        if (!status) status = dfa_pair(&c->maker, own, lengths, DFA_AND, &own);
        if (!status) status = dfa_pair(&c->maker, all, own, DFA_OR, &all);
    }
    *out = all;
    return compile_automaton(c, status, keyword);
}
