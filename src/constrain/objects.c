/* Objects: from rules about sets of keys to named members and classes of other keys. */
#include <string.h>

#include "base/error.h"
#include "constrain/nodes.h"

/* The automata that tell classes of other keys apart; bit i + 1 of a class: a member of predicates[i]. */
struct predicates {
    const struct dfa *list[DFA_PARTS_MAX];
    uint32_t count;
};

struct object_build {
    const struct object_box *box;
    struct predicates predicates;
    struct raw_object *out;
    uint32_t *class_bits; /* [n_classes] */
    const struct key_rule *needs[OBJECT_NEEDS_MAX];
    literal *literals; /* room for every rule and need */
};

static const struct json_value *any_object(const struct compiler *c)
{
    return c->document.root;
}

static bool known_name(const struct raw_object *o, struct json_text name)
{
    for (uint32_t i = 0; i < o->n_names; i++)
        if (json_text_equal(o->names[i], name)) return true;
    return false;
}

static void add_name(struct raw_object *o, struct json_text name)
{
    if (!known_name(o, name)) o->names[o->n_names++] = name;
}

static size_t names_of_rules(const struct key_rule *rule, struct raw_object *o)
{
    size_t count = 0;
    for (; rule; rule = rule->next) {
        if (rule->keys.kind == KEY_NAME) {
            count++;
            if (o) add_name(o, rule->keys.name);
        }
        for (const struct name_list *list = rule->keys.names; list; list = list->next)
            for (const struct json_value *m = list->object->first; m; m = m->next) {
                count++;
                if (o) add_name(o, m->key);
            }
    }
    return count;
}

/* A list that grew at the front, from its other end. */
static size_t names_of_list(const struct text_list *list, struct raw_object *o)
{
    size_t count = 0;
    for (const struct text_list *t = list; t; t = t->next) count++;
    for (size_t i = count; o && i-- > 0;) {
        const struct text_list *t = list;
        for (size_t k = 0; k < i; k++) t = t->next;
        add_name(o, t->text);
    }
    return count;
}

static enum weir_status find_names(struct compiler *c, struct object_build *b)
{
    const struct object_box *box = b->box;
    size_t most = names_of_rules(box->rules, NULL) + names_of_rules(box->needs, NULL) +
                  names_of_list(box->required, NULL) + names_of_list(box->order, NULL);
    if (most > 4 * (size_t)OBJECT_NAMES_MAX)
        return compile_refuse(c, WEIR_ERR_LIMIT, any_object(c), "an object with too many named members");
    b->out->names = arena_zero(c->work, most + 1, sizeof *b->out->names);
    if (!b->out->names) return compile_no_room(c);
    (void)names_of_list(box->order, b->out);
    (void)names_of_list(box->required, b->out);
    (void)names_of_rules(box->rules, b->out);
    (void)names_of_rules(box->needs, b->out);
    if (b->out->n_names > OBJECT_NAMES_MAX)
        return compile_refuse(c, WEIR_ERR_LIMIT, any_object(c), "an object with too many named members");
    return WEIR_OK;
}

static bool add_predicate(struct predicates *p, const struct dfa *dfa)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->list[i] == dfa) return true;
    if (p->count == DFA_PARTS_MAX - 2) return false;
    p->list[p->count++] = dfa;
    return true;
}

static bool find_predicates(struct predicates *p, const struct key_rule *rule)
{
    bool fits = true;
    for (; rule && fits; rule = rule->next) {
        if (rule->keys.dfa) fits = add_predicate(p, rule->keys.dfa);
        for (const struct dfa_list *d = rule->keys.patterns; d && fits; d = d->next) fits = add_predicate(p, d->dfa);
    }
    return fits;
}

static bool in_name_list(const struct name_list *list, struct json_text name)
{
    for (; list; list = list->next)
        if (json_member_text(list->object, name)) return true;
    return false;
}

static bool name_in_keys(const struct key_set *keys, struct json_text name)
{
    switch (keys->kind) {
    case KEY_NAME:
        return json_text_equal(keys->name, name);
    case KEY_PATTERN:
        return dfa_match(keys->dfa, name) != 0;
    case KEY_OUTSIDE:
        return dfa_match(keys->dfa, name) == 0;
    default:
        if (in_name_list(keys->names, name)) return false;
        for (const struct dfa_list *d = keys->patterns; d; d = d->next)
            if (dfa_match(d->dfa, name)) return false;
        return true;
    }
}

static bool class_has(const struct predicates *p, uint32_t bits, const struct dfa *dfa)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->list[i] == dfa) return bits >> i & 1;
    return false;
}

/* A class holds no named key, and every name that a rule speaks of is named. */
static bool class_in_keys(const struct predicates *p, uint32_t bits, const struct key_set *keys)
{
    switch (keys->kind) {
    case KEY_NAME:
        return false;
    case KEY_PATTERN:
        return class_has(p, bits, keys->dfa);
    case KEY_OUTSIDE:
        return !class_has(p, bits, keys->dfa);
    default:
        for (const struct dfa_list *d = keys->patterns; d; d = d->next)
            if (class_has(p, bits, d->dfa)) return false;
        return true;
    }
}

/* The nodes of a key: plain, then with each need it can serve. `name` NULL: a class of `bits`. */
static enum weir_status key_nodes(struct compiler *c, struct object_build *b, const struct json_text *name,
                                  uint32_t bits, uint32_t *nodes)
{
    size_t n = 0;
    for (const struct key_rule *rule = b->box->rules; rule; rule = rule->next)
        if (name ? name_in_keys(&rule->keys, *name) : class_in_keys(&b->predicates, bits, &rule->keys))
            b->literals[n++] = rule->value;
    struct arena_mark mark = arena_mark(c->scratch);
    literal *copy = arena_zero(c->scratch, n + 1, sizeof *copy);
    enum weir_status status = copy ? WEIR_OK : compile_no_room(c);
    for (uint32_t e = 0; e <= b->out->n_needs && !status; e++) {
        const struct key_rule *need = e ? b->needs[e - 1] : NULL;
        nodes[e] = NODE_NONE;
        if (need && !(name ? name_in_keys(&need->keys, *name) : class_in_keys(&b->predicates, bits, &need->keys)))
            continue;
        memcpy(copy, b->literals, n * sizeof *copy);
        if (need) copy[n] = need->value;
        status = node_of(c, copy, n + (need != NULL), &nodes[e]);
    }
    arena_wind_back(c->scratch, mark);
    return status;
}

static enum weir_status find_needs(struct compiler *c, struct object_build *b)
{
    size_t rules = 1;
    for (const struct key_rule *rule = b->box->rules; rule; rule = rule->next) rules++;
    for (const struct key_rule *need = b->box->needs; need; need = need->next) {
        if (b->out->n_needs == OBJECT_NEEDS_MAX)
            return compile_refuse(c, WEIR_ERR_LIMIT, any_object(c), "too many negated conditions on keys at once");
        b->needs[b->out->n_needs++] = need;
    }
    if (b->out->n_needs && b->box->max != COUNT_ANY)
        return compile_refuse(c, WEIR_ERR_UNSUPPORTED, any_object(c),
                              "maxProperties together with a negated condition on keys is not supported");
    b->literals = arena_zero(c->work, rules, sizeof *b->literals);
    return b->literals ? WEIR_OK : compile_no_room(c);
}

static enum weir_status build_names(struct compiler *c, struct object_build *b, bool *possible)
{
    struct raw_object *o = b->out;
    uint32_t width = 1 + o->n_needs;
    o->name_nodes = arena_zero(c->work, (size_t)o->n_names * width + 1, sizeof *o->name_nodes);
    o->required = arena_zero(c->work, (size_t)o->n_names + 1, 1);
    if (!o->name_nodes || !o->required) return compile_no_room(c);
    enum weir_status status = WEIR_OK;
    for (uint32_t i = 0; i < o->n_names && !status; i++)
        status = key_nodes(c, b, &o->names[i], 0, o->name_nodes + (size_t)i * width);
    for (const struct text_list *t = b->box->required; t && !status; t = t->next) {
        bool empty = false;
        uint32_t i = 0;
        while (!json_text_equal(o->names[i], t->text)) i++;
        o->required[i] = 1;
        status = node_is_empty(c, o->name_nodes[(size_t)i * width], &empty);
        if (empty) *possible = false;
    }
    return status;
}

struct label_context {
    uint32_t n_predicates;
    uint32_t n_names;
};

/* parts: names, everything, predicates. A name's label, or n_names + 1 + the bits of the predicates. */
static uint32_t key_label(const void *context, const uint32_t *labels)
{
    const struct label_context *l = context;
    uint32_t bits = 0;
    if (labels[0]) return labels[0];
    for (uint32_t i = 0; i < l->n_predicates; i++) bits |= (labels[2 + i] != 0 ? 1U : 0U) << i;
    return l->n_names + 1 + bits;
}

static enum weir_status build_keys(struct compiler *c, struct object_build *b)
{
    const struct dfa *parts[DFA_PARTS_MAX];
    struct label_context context = {b->predicates.count, b->out->n_names};
    enum weir_status status = dfa_texts(&c->maker, b->out->names, b->out->n_names, &parts[0]);
    if (!status) status = compile_all(c, &parts[1]);
    memcpy(parts + 2, b->predicates.list, b->predicates.count * sizeof *parts);
    b->out->plain_keys = b->predicates.count == 0;
    if (!status)
        status = (b->out->plain_keys ? dfa_combine_plain : dfa_combine)(&c->maker, parts, 2 + b->predicates.count,
                                                                        key_label, &context, &b->out->keys);
    return compile_automaton(c, status, any_object(c));
}

/* The classes that occur, in the order of their automaton's states; accept labels become 1 + n_names + class. */
static enum weir_status build_classes(struct compiler *c, struct object_build *b)
{
    struct raw_object *o = b->out;
    uint32_t *accept = arena_zero(c->arena, (size_t)o->keys->n_states + 1, sizeof *accept);
    struct dfa *keys = arena_zero(c->arena, 1, sizeof *keys);
    b->class_bits = arena_zero(c->work, (size_t)o->keys->n_states + 1, sizeof *b->class_bits);
    if (!accept || !keys || !b->class_bits) return compile_no_room(c);
    for (uint32_t s = 0; s < o->keys->n_states; s++) {
        uint32_t label = o->keys->accept[s], k = 0;
        accept[s] = label;
        if (label <= o->n_names) continue;
        uint32_t bits = label - o->n_names - 1;
        while (k < o->n_classes && b->class_bits[k] != bits) k++;
        if (k == o->n_classes) b->class_bits[o->n_classes++] = bits;
        accept[s] = 1 + o->n_names + k;
    }
    *keys = *o->keys;
    keys->accept = accept;
    o->keys = keys;
    uint32_t width = 1 + o->n_needs;
    o->class_nodes = arena_zero(c->work, (size_t)o->n_classes * width + 1, sizeof *o->class_nodes);
    if (!o->class_nodes) return compile_no_room(c);
    enum weir_status status = WEIR_OK;
    for (uint32_t k = 0; k < o->n_classes && !status; k++)
        status = key_nodes(c, b, NULL, b->class_bits[k], o->class_nodes + (size_t)k * width);
    return status;
}

enum weir_status raw_object_build(struct compiler *c, const struct object_box *box, struct raw_object **shape)
{
    struct object_build b = {.box = box, .out = arena_zero(c->work, 1, sizeof *b.out)};
    bool possible = true;
    *shape = NULL;
    if (!b.out) return compile_no_room(c);
    b.out->min = box->min;
    b.out->max = box->max;
    if (!find_predicates(&b.predicates, box->rules) || !find_predicates(&b.predicates, box->needs))
        return compile_refuse(c, WEIR_ERR_LIMIT, any_object(c), "too many patterns of keys in one object");
    enum weir_status status = find_needs(c, &b);
    if (!status) status = find_names(c, &b);
    if (!status) status = build_names(c, &b, &possible);
    if (status || !possible) return status;
    status = build_keys(c, &b);
    if (!status) status = build_classes(c, &b);
    if (!status) *shape = b.out;
    return status;
}

static bool usable(const struct node_table *t, uint32_t node)
{
    return node != NODE_NONE && t->nodes[node].inhabited;
}

bool raw_object_inhabited(const struct node_table *t, const struct raw_object *o)
{
    uint32_t width = 1 + o->n_needs;
    uint64_t possible = 0, required = 0;
    bool rest = false, served[OBJECT_NEEDS_MAX] = {false};
    for (uint32_t i = 0; i < o->n_names + o->n_classes; i++) {
        const uint32_t *nodes =
            i < o->n_names ? o->name_nodes + (size_t)i * width : o->class_nodes + (size_t)(i - o->n_names) * width;
        bool here = usable(t, nodes[0]);
        if (i < o->n_names && o->required[i] && !here) return false;
        required += i < o->n_names && o->required[i];
        possible += here;
        rest |= here && i >= o->n_names;
        for (uint32_t e = 0; e < o->n_needs; e++) served[e] |= usable(t, nodes[e + 1]);
    }
    for (uint32_t e = 0; e < o->n_needs; e++)
        if (!served[e]) return false;
    return required <= o->max && (rest || possible >= o->min);
}

struct link_context {
    const struct node_table *table;
    const struct raw_object *raw;
};

/* Keeps the labels of keys whose member can exist. */
static uint32_t possible_label(const void *context, const uint32_t *labels)
{
    const struct link_context *l = context;
    const struct raw_object *o = l->raw;
    uint32_t width = 1 + o->n_needs, label = labels[0];
    if (!label) return 0;
    const uint32_t *nodes = label <= o->n_names ? o->name_nodes + (size_t)(label - 1) * width
                                                : o->class_nodes + (size_t)(label - 1 - o->n_names) * width;
    return usable(l->table, nodes[0]) ? label : 0;
}

/* reach[s] = labels reached from s: passes over all edges until nothing changes. */
static enum weir_status find_reach(struct compiler *c, struct object_shape *o)
{
    const struct dfa *keys = o->keys;
    o->reach_words = o->n_names / 32 + 1;
    uint32_t *reach = arena_zero(c->arena, (size_t)keys->n_states * o->reach_words + 1, sizeof *reach);
    if (!reach) return compile_no_room(c);
    for (uint32_t s = 0; s < keys->n_states; s++) {
        uint32_t label = keys->accept[s] > o->n_names ? o->n_names + 1 : keys->accept[s];
        if (label) reach[(size_t)s * o->reach_words + (label - 1) / 32] |= 1U << ((label - 1) % 32);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t s = keys->n_states; s-- > 0;)
            for (uint32_t k = 0; k < keys->n_classes; k++) {
                uint32_t to = keys->next[(size_t)s * keys->n_classes + k];
                if (to == DFA_DEAD || to == s) continue;
                for (uint32_t w = 0; w < o->reach_words; w++) {
                    uint32_t *own = &reach[(size_t)s * o->reach_words + w];
                    uint32_t more = reach[(size_t)to * o->reach_words + w] & ~*own;
                    *own |= more;
                    changed |= more != 0;
                }
            }
    }
    o->reach = reach;
    return WEIR_OK;
}

/* Running totals from the last name to the first. */
static enum weir_status find_totals(struct compiler *c, struct object_shape *o)
{
    uint32_t n = o->n_names, width = 1 + o->n_needs;
    uint32_t *required_from = arena_zero(c->arena, (size_t)n + 1, sizeof *required_from);
    uint32_t *possible_from = arena_zero(c->arena, (size_t)n + 1, sizeof *possible_from);
    uint32_t *limit = arena_zero(c->arena, (size_t)n + 1, sizeof *limit);
    if (!required_from || !possible_from || !limit) return compile_no_room(c);
    limit[n] = n;
    for (uint32_t i = n; i-- > 0;) {
        required_from[i] = required_from[i + 1] + o->required[i];
        possible_from[i] = possible_from[i + 1] + (o->nodes[(size_t)i * width] != NODE_NONE);
        limit[i] = o->required[i] ? i : limit[i + 1];
    }
    o->required_from = required_from;
    o->possible_from = possible_from;
    o->limit = limit;
    return WEIR_OK;
}

static enum weir_status copy_nodes(struct compiler *c, const struct raw_object *raw, struct object_shape *o)
{
    uint32_t width = 1 + raw->n_needs, rows = raw->n_names + raw->n_classes;
    uint32_t *nodes = arena_zero(c->arena, (size_t)rows * width + 1, sizeof *nodes);
    struct json_text *names = arena_zero(c->arena, (size_t)raw->n_names + 1, sizeof *names);
    o->required = arena_copy(c->arena, raw->required, raw->n_names);
    if (!nodes || !names || !o->required) return compile_no_room(c);
    for (uint32_t i = 0; i < raw->n_names; i++) {
        names[i] = (struct json_text){arena_copy(c->arena, raw->names[i].data, raw->names[i].size), raw->names[i].size};
        if (!names[i].data) return compile_no_room(c);
    }
    for (uint32_t i = 0; i < rows * width; i++) {
        uint32_t node = i < raw->n_names * width ? raw->name_nodes[i] : raw->class_nodes[i - raw->n_names * width];
        uint32_t e = i % width, row = i / width;
        nodes[i] = usable(c->nodes, node) ? node : NODE_NONE;
        if (nodes[i] == NODE_NONE) continue;
        if (row >= raw->n_names) {
            if (e) o->need_rest[e - 1] = true;
            o->rest = true;
        } else if (e) {
            o->need_last[e - 1] = row + 1;
        }
    }
    o->nodes = nodes;
    o->names = names;
    return WEIR_OK;
}

enum weir_status object_link(struct compiler *c, const struct raw_object *raw, struct object_shape *o)
{
    *o = (struct object_shape){.n_names = raw->n_names,
                               .n_classes = raw->n_classes,
                               .n_needs = raw->n_needs,
                               .min = raw->min,
                               .max = raw->max};
    struct link_context context = {c->nodes, raw};
    enum weir_status status = copy_nodes(c, raw, o);
    if (!status) {
        status = (raw->plain_keys ? dfa_combine_plain : dfa_combine)(&c->maker, &raw->keys, 1, possible_label, &context,
                                                                     &o->keys);
        status = compile_automaton(c, status, any_object(c));
    }
    if (!status) status = find_totals(c, o);
    return status ? status : find_reach(c, o);
}
