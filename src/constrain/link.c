/* The last step: every node that is reachable, which of them have members, and the program without the others. */
#include <string.h>

#include "constrain/nodes.h"

struct reach {
    uint32_t *stack;
    uint32_t depth, capacity;
};

static enum weir_status want(struct compiler *c, struct reach *r, uint32_t node)
{
    if (node == NODE_NONE || c->nodes->nodes[node].wanted) return WEIR_OK;
    c->nodes->nodes[node].wanted = true;
    if (r->depth == r->capacity) {
        uint32_t capacity = r->capacity ? r->capacity * 2 : 64;
        uint32_t *stack = arena_zero(c->work, capacity, sizeof *stack);
        if (!stack) return compile_no_room(c);
        if (r->depth) memcpy(stack, r->stack, r->depth * sizeof *stack);
        r->stack = stack;
        r->capacity = capacity;
    }
    r->stack[r->depth++] = node;
    return WEIR_OK;
}

static enum weir_status want_all(struct compiler *c, struct reach *r, const uint32_t *nodes, size_t n)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < n && !status; i++) status = want(c, r, nodes[i]);
    return status;
}

static enum weir_status want_children(struct compiler *c, struct reach *r, uint32_t node)
{
    const struct raw_object *o = c->nodes->nodes[node].objects;
    const struct raw_array *a = c->nodes->nodes[node].arrays;
    enum weir_status status = WEIR_OK;
    for (; o && !status; o = o->next) {
        size_t width = 1 + (size_t)o->n_needs;
        status = want_all(c, r, o->name_nodes, o->n_names * width);
        if (!status) status = want_all(c, r, o->class_nodes, o->n_classes * width);
    }
    for (; a && !status; a = a->next)
        status = want_all(c, r, a->shape.nodes, ((size_t)a->shape.n_prefix + 1) * a->shape.n_subsets);
    return status;
}

static enum weir_status expand_reachable(struct compiler *c, uint32_t root)
{
    struct reach r = {0};
    enum weir_status status = want(c, &r, root);
    while (r.depth && !status) {
        uint32_t node = r.stack[--r.depth];
        status = node_expand(c, node);
        if (!status) status = want_children(c, &r, node);
    }
    return status;
}

static bool inhabited(struct compiler *c, const struct raw_node *n, enum weir_status *status)
{
    if (n->types || n->number || n->strings) return true;
    for (const struct raw_object *o = n->objects; o; o = o->next)
        if (raw_object_inhabited(c->nodes, o)) return true;
    for (const struct raw_array *a = n->arrays; a && !*status; a = a->next)
        if (raw_array_inhabited(c, a, status)) return true;
    return false;
}

/* The least set of nodes that have members: a node whose members all need a member of itself has none. */
static enum weir_status find_inhabited(struct compiler *c)
{
    enum weir_status status = WEIR_OK;
    for (bool changed = true; changed && !status;) {
        changed = false;
        for (uint32_t i = c->nodes->n_nodes; i-- > 0 && !status;) {
            struct raw_node *n = &c->nodes->nodes[i];
            if (!n->wanted || n->inhabited || !inhabited(c, n, &status)) continue;
            n->inhabited = changed = true;
        }
    }
    return status;
}

static enum weir_status link_strings(struct compiler *c, const struct raw_node *raw, struct node *out)
{
    for (const struct raw_string *s = raw->strings; s; s = s->next) out->n_strings++;
    struct string_shape *strings = arena_zero(c->arena, (size_t)out->n_strings + 1, sizeof *strings);
    if (!strings) return compile_no_room(c);
    uint32_t i = 0;
    for (const struct raw_string *s = raw->strings; s; s = s->next) strings[i++] = s->shape;
    out->strings = strings;
    return WEIR_OK;
}

static enum weir_status link_arrays(struct compiler *c, const struct raw_node *raw, struct node *out)
{
    uint32_t n = 0;
    for (const struct raw_array *a = raw->arrays; a; a = a->next) n++;
    struct array_shape *arrays = arena_zero(c->arena, (size_t)n + 1, sizeof *arrays);
    if (!arrays) return compile_no_room(c);
    enum weir_status status = WEIR_OK;
    for (const struct raw_array *a = raw->arrays; a && !status; a = a->next)
        if (raw_array_inhabited(c, a, &status)) status = array_link(c, a, &arrays[out->n_arrays++]);
    out->arrays = arrays;
    return status;
}

static enum weir_status link_objects(struct compiler *c, const struct raw_node *raw, struct node *out)
{
    uint32_t n = 0;
    for (const struct raw_object *o = raw->objects; o; o = o->next) n++;
    struct object_shape *objects = arena_zero(c->arena, (size_t)n + 1, sizeof *objects);
    if (!objects) return compile_no_room(c);
    enum weir_status status = WEIR_OK;
    for (const struct raw_object *o = raw->objects; o && !status; o = o->next)
        if (raw_object_inhabited(c->nodes, o)) status = object_link(c, o, &objects[out->n_objects++]);
    out->objects = objects;
    return status;
}

static enum weir_status link_node(struct compiler *c, const struct raw_node *raw, struct node *out)
{
    out->types = raw->types;
    out->number = raw->number;
    enum weir_status status = link_strings(c, raw, out);
    if (!status) status = link_arrays(c, raw, out);
    return status ? status : link_objects(c, raw, out);
}

enum weir_status program_link(struct compiler *c, uint32_t root)
{
    struct program *p = c->program;
    enum weir_status status = expand_reachable(c, root);
    if (!status) status = find_inhabited(c);
    if (status) return status;
    p->n_nodes = c->nodes->n_nodes;
    p->root = root;
    p->satisfiable = c->nodes->nodes[root].inhabited;
    p->nodes = arena_zero(c->arena, (size_t)p->n_nodes + 1, sizeof *p->nodes);
    if (!p->nodes) return compile_no_room(c);
    for (uint32_t i = 0; i < p->n_nodes && !status; i++)
        if (c->nodes->nodes[i].wanted && c->nodes->nodes[i].inhabited)
            status = link_node(c, &c->nodes->nodes[i], &p->nodes[i]);
    return status;
}
