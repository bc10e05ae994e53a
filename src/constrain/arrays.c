/* Arrays: positions with nodes of their own, and how many items were seen that `contains` asks for. */
#include <string.h>

#include "constrain/machine.h"
#include "constrain/nodes.h"

static const struct json_value *any_array(const struct compiler *c)
{
    return c->document.root;
}

/* How many leading positions rules tell apart. */
static uint64_t prefix_length(const struct array_box *box)
{
    uint64_t n = 0;
    for (const struct item_rule *r = box->rules; r; r = r->next) {
        if (r->first > n) n = r->first;
        if (r->last != COUNT_ANY && r->last + 1 > n) n = r->last + 1;
    }
    for (const struct contains_rule *r = box->contains; r; r = r->next)
        if (r->from > n) n = r->from;
    return n;
}

/* The node of item `index` when it counts for the rules of `subset`. A rule with a maximum must not hold where it is not counted. */
static enum weir_status item_node(struct compiler *c, const struct array_box *box, uint64_t index, uint32_t subset,
                                  literal *literals, uint32_t *node)
{
    size_t n = 0;
    uint32_t bit = 0;
    for (const struct item_rule *r = box->rules; r; r = r->next)
        if (r->first <= index && index <= r->last) literals[n++] = r->value;
    for (const struct contains_rule *r = box->contains; r; r = r->next, bit++) {
        bool counted = subset >> bit & 1;
        *node = NODE_NONE;
        if (counted && index < r->from) return WEIR_OK;
        if (counted)
            literals[n++] = r->value;
        else if (r->max != COUNT_ANY && index >= r->from)
            literals[n++] = r->value ^ 1;
    }
    return node_of(c, literals, n, node);
}

static enum weir_status set_counts(struct compiler *c, const struct array_box *box, struct array_shape *a)
{
    uint64_t product = 1;
    for (const struct contains_rule *r = box->contains; r; r = r->next) {
        if (a->n_contains == ARRAY_CONTAINS_MAX)
            return compile_refuse(c, WEIR_ERR_LIMIT, any_array(c), "too many conditions of `contains` at once");
        uint64_t cap = r->max == COUNT_ANY ? r->min : r->max + 1;
        uint32_t i = a->n_contains++;
        product = cap < ARRAY_CELLS_MAX ? product * (cap + 1) : ARRAY_CELLS_MAX;
        if (product >= ARRAY_CELLS_MAX)
            return compile_refuse(c, WEIR_ERR_LIMIT, any_array(c), "too large a count of `contains`");
        a->radix[i] = (uint32_t)cap + 1;
        a->low[i] = (uint32_t)r->min;
        a->high[i] = r->max == COUNT_ANY ? UINT32_MAX : (uint32_t)r->max;
    }
    a->n_subsets = 1U << a->n_contains;
    a->n_counts = (uint32_t)product;
    return WEIR_OK;
}

static enum weir_status build_nodes(struct compiler *c, const struct array_box *box, struct array_shape *a)
{
    size_t rules = 1;
    for (const struct item_rule *r = box->rules; r; r = r->next) rules++;
    literal *literals = arena_zero(c->work, rules + ARRAY_CONTAINS_MAX, sizeof *literals);
    uint32_t *nodes = arena_zero(c->work, ((size_t)a->n_prefix + 1) * a->n_subsets, sizeof *nodes);
    if (!literals || !nodes) return compile_no_room(c);
    enum weir_status status = WEIR_OK;
    for (uint32_t i = 0; i <= a->n_prefix && !status; i++)
        for (uint32_t s = 0; s < a->n_subsets && !status; s++)
            status = item_node(c, box, i, s, literals, &nodes[(size_t)i * a->n_subsets + s]);
    a->nodes = nodes;
    return status;
}

/* Items that must be there and cannot: nothing is left. Only looked at without contains. */
static enum weir_status check_needed(struct compiler *c, const struct array_shape *a, bool *possible)
{
    enum weir_status status = WEIR_OK;
    if (a->n_contains) return status;
    for (uint64_t i = 0; i < a->min && i <= a->n_prefix && *possible && !status; i++) {
        bool empty = false;
        status = node_is_empty(c, a->nodes[i], &empty);
        *possible = !empty;
    }
    return status;
}

enum weir_status raw_array_build(struct compiler *c, const struct array_box *box, struct raw_array **shape)
{
    uint64_t prefix = prefix_length(box);
    *shape = NULL;
    if (prefix > ARRAY_PREFIX_MAX)
        return compile_refuse(c, WEIR_ERR_LIMIT, any_array(c), "too many items with schemas of their own");
    if (box->unique && box->max > 1) {
        enum weir_status status = compile_refuse(c, WEIR_ERR_UNSUPPORTED, box->unique, "not supported for these items");
        if (c->options->lenient) status = compile_note(c);
        if (status) return status;
    }
    struct raw_array *raw = arena_zero(c->work, 1, sizeof *raw);
    if (!raw) return compile_no_room(c);
    struct array_shape *a = &raw->shape;
    a->min = box->min;
    a->max = box->max;
    a->n_prefix = (uint32_t)prefix;
    bool possible = true;
    enum weir_status status = set_counts(c, box, a);
    if (!status) status = build_nodes(c, box, a);
    if (!status) status = check_needed(c, a, &possible);
    if (!status && possible) *shape = raw;
    return status;
}

static bool usable(const struct node_table *t, uint32_t node)
{
    return node != NODE_NONE && t->nodes[node].inhabited;
}

uint32_t array_count_after(const struct array_shape *a, uint32_t counts, uint32_t subset)
{
    uint32_t result = 0, scale = 1;
    for (uint32_t i = 0; i < a->n_contains; i++) {
        uint32_t own = counts % a->radix[i];
        counts /= a->radix[i];
        if ((subset >> i & 1) && own + 1 < a->radix[i]) own++;
        result += own * scale;
        scale *= a->radix[i];
    }
    return result;
}

static bool counts_good(const struct array_shape *a, uint32_t counts)
{
    for (uint32_t i = 0; i < a->n_contains; i++) {
        uint32_t own = counts % a->radix[i];
        counts /= a->radix[i];
        if (own < a->low[i] || own > a->high[i]) return false;
    }
    return true;
}

static bool feasible_at(const struct node_table *t, const struct array_shape *a, const uint8_t *feasible, uint32_t at,
                        uint32_t counts)
{
    if (at >= a->min && counts_good(a, counts)) return true;
    if (at >= a->max) return false;
    uint32_t row = at < a->n_prefix ? at : a->n_prefix, next = at + 1 < a->n_positions ? at + 1 : at;
    for (uint32_t s = 0; s < a->n_subsets; s++)
        if (usable(t, a->nodes[(size_t)row * a->n_subsets + s]) &&
            feasible[(size_t)next * a->n_counts + array_count_after(a, counts, s)])
            return true;
    return false;
}

/* feasible[position][counts]: the array can still be closed well. From the last position back; the last one repeats itself. */
static enum weir_status find_feasible(struct compiler *c, const struct array_shape *a, uint8_t **out)
{
    uint8_t *feasible = arena_zero(c->arena, (size_t)a->n_positions * a->n_counts, 1);
    if (!feasible) return compile_no_room(c);
    for (uint32_t at = a->n_positions; at-- > 0;)
        for (bool changed = true; changed;) {
            changed = false;
            for (uint32_t k = 0; k < a->n_counts; k++) {
                uint8_t *own = &feasible[(size_t)at * a->n_counts + k];
                if (*own || !feasible_at(c->nodes, a, feasible, at, k)) continue;
                *own = 1;
                changed = at + 1 == a->n_positions;
            }
        }
    *out = feasible;
    return WEIR_OK;
}

static enum weir_status set_positions(struct compiler *c, struct array_shape *a)
{
    uint64_t last = a->max != COUNT_ANY ? a->max : a->min > a->n_prefix ? a->min : a->n_prefix;
    if (last >= ARRAY_CELLS_MAX || (last + 1) * a->n_counts > ARRAY_CELLS_MAX)
        return compile_refuse(c, WEIR_ERR_LIMIT, any_array(c), "`contains` in an array with too many items");
    a->n_positions = (uint32_t)last + 1;
    return WEIR_OK;
}

bool raw_array_inhabited(struct compiler *c, const struct raw_array *raw, enum weir_status *status)
{
    const struct array_shape *a = &raw->shape;
    if (a->n_contains == 0) {
        for (uint64_t i = 0; i < a->min && i <= a->n_prefix; i++)
            if (!usable(c->nodes, a->nodes[i])) return false;
        return true;
    }
    struct array_shape shape = *a;
    uint8_t *feasible = NULL;
    *status = set_positions(c, &shape);
    if (!*status) *status = find_feasible(c, &shape, &feasible);
    return !*status && feasible[0];
}

enum weir_status array_link(struct compiler *c, const struct raw_array *raw, struct array_shape *out)
{
    *out = raw->shape;
    size_t n = ((size_t)out->n_prefix + 1) * out->n_subsets;
    uint32_t *nodes = arena_copy(c->arena, out->nodes, n * sizeof *nodes);
    if (!nodes) return compile_no_room(c);
    for (size_t i = 0; i < n; i++)
        if (!usable(c->nodes, nodes[i])) nodes[i] = NODE_NONE;
    out->nodes = nodes;
    if (out->n_contains == 0) { /* no more items than lead somewhere */
        for (uint32_t i = 0; i <= out->n_prefix; i++)
            if (i < out->max && nodes[i] == NODE_NONE) out->max = i;
        return WEIR_OK;
    }
    uint8_t *feasible = NULL;
    enum weir_status status = set_positions(c, out);
    if (!status) status = find_feasible(c, out, &feasible);
    out->feasible = feasible;
    return status;
}
