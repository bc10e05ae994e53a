/* The work on branches: literals, then choices, then a box. */
#include "constrain/expand.h"

#include <string.h>

#include "base/error.h"

enum weir_status compile_no_room(struct compiler *c)
{
    if (!c->arena->over && !c->work->over && !c->scratch->over) return error_nomem(c->error, "a constraint");
    return error_set(c->error, WEIR_ERR_LIMIT, "the schema takes more memory than a constraint may");
}

enum weir_status compile_refuse(struct compiler *c, enum weir_status status, const struct json_value *keyword,
                                const char *why)
{
    return schema_refuse(&c->document, status, keyword, why);
}

enum weir_status compile_automaton(struct compiler *c, enum weir_status status, const struct json_value *keyword)
{
    if (!status) return status;
    if (c->arena->over || c->work->over || c->scratch->over) return compile_no_room(c);
    if (status == WEIR_ERR_LIMIT) return compile_refuse(c, status, keyword, "its automaton is too large");
    return compile_no_room(c);
}

void branch_types(struct branch *b, unsigned types)
{
    b->box.types &= types;
}

enum weir_status branch_number(struct compiler *c, struct branch *b, const struct dfa *dfa,
                               enum dfa_operation operation)
{
    const struct dfa *number = b->box.number;
    enum weir_status status = WEIR_OK;
    if (!number && operation == DFA_AND) {
        b->box.number = dfa;
    } else {
        if (!number) status = compile_number(c, &number);
        if (!status) status = dfa_pair(&c->maker, number, dfa, operation, &b->box.number);
    }
    if (!status && dfa_is_empty(b->box.number)) branch_types(b, ~(unsigned)TYPE_NUMBER);
    return status;
}

enum weir_status branch_string(struct compiler *c, struct branch *b, const struct dfa *dfa,
                               enum dfa_operation operation)
{
    const struct dfa *string = b->box.string;
    enum weir_status status = WEIR_OK;
    if (!string && operation == DFA_AND) {
        b->box.string = dfa;
    } else {
        if (!string) status = compile_all(c, &string);
        if (!status) status = dfa_pair(&c->maker, string, dfa, operation, &b->box.string);
    }
    if (!status && dfa_is_empty(b->box.string)) branch_types(b, ~(unsigned)TYPE_STRING);
    return status;
}

static struct key_rule *new_rule(struct compiler *c, struct key_set keys, literal value, const struct key_rule *next)
{
    struct key_rule *rule = arena_zero(c->work, 1, sizeof *rule);
    if (rule) *rule = (struct key_rule){.keys = keys, .value = value, .next = next};
    return rule;
}

enum weir_status branch_rule(struct compiler *c, struct branch *b, struct key_set keys, literal value)
{
    const struct key_rule *rule = new_rule(c, keys, value, b->box.object.rules);
    if (!rule) return compile_no_room(c);
    b->box.object.rules = rule;
    return WEIR_OK;
}

enum weir_status branch_need(struct compiler *c, struct branch *b, struct key_set keys, literal value)
{
    const struct key_rule *rule = new_rule(c, keys, value, b->box.object.needs);
    if (!rule) return compile_no_room(c);
    b->box.object.needs = rule;
    return WEIR_OK;
}

static bool listed(const struct text_list *list, struct json_text text)
{
    for (; list; list = list->next)
        if (json_text_equal(list->text, text)) return true;
    return false;
}

static enum weir_status add_text(struct compiler *c, const struct text_list **list, struct json_text text)
{
    struct text_list *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return compile_no_room(c);
    *fresh = (struct text_list){text, *list};
    *list = fresh;
    return WEIR_OK;
}

enum weir_status branch_require(struct compiler *c, struct branch *b, struct json_text name)
{
    if (listed(b->box.object.required, name)) return WEIR_OK;
    return add_text(c, &b->box.object.required, name);
}

enum weir_status branch_order(struct compiler *c, struct branch *b, struct json_text name)
{
    return add_text(c, &b->box.object.order, name);
}

enum weir_status branch_item(struct compiler *c, struct branch *b, uint64_t first, uint64_t last, literal value)
{
    struct item_rule *rule = arena_zero(c->work, 1, sizeof *rule);
    if (!rule) return compile_no_room(c);
    *rule = (struct item_rule){first, last, value, b->box.array.rules};
    b->box.array.rules = rule;
    return WEIR_OK;
}

enum weir_status branch_contains(struct compiler *c, struct branch *b, struct contains_rule rule)
{
    struct contains_rule *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return compile_no_room(c);
    *fresh = rule;
    fresh->next = b->box.array.contains;
    b->box.array.contains = fresh;
    return WEIR_OK;
}

static enum weir_status list_literal(struct compiler *c, const struct literal_list **list, literal value)
{
    struct literal_list *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return compile_no_room(c);
    *fresh = (struct literal_list){value, *list};
    *list = fresh;
    return WEIR_OK;
}

enum weir_status branch_pend(struct compiler *c, struct branch *b, literal value)
{
    return list_literal(c, &b->pending, value);
}

enum weir_status schema_literal(struct compiler *c, const struct keyword_use *use, const struct json_value *schema,
                                bool negated, literal *out)
{
    uint32_t number;
    struct json_value *value;
    memcpy(&value, &schema, sizeof schema); /* its tag is the document's to write */
    enum weir_status status = schema_number(&c->document, value, use->resource, &number);
    if (!status) *out = literal_of(number, negated);
    return status;
}

enum weir_status branch_pend_schema(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                    const struct json_value *schema, bool negated)
{
    literal value;
    enum weir_status status = schema_literal(c, use, schema, negated, &value);
    return status ? status : branch_pend(c, b, value);
}

struct choice *choice_new(struct compiler *c, const struct json_value *keyword)
{
    struct choice *choice = arena_zero(c->work, 1, sizeof *choice);
    if (choice) choice->keyword = keyword;
    return choice;
}

enum weir_status choice_option(struct compiler *c, struct choice *choice, struct atom atom)
{
    struct option *option = choice ? arena_zero(c->work, 1, sizeof *option) : NULL;
    if (!option) return compile_no_room(c);
    if (choice->last)
        choice->last->next = option;
    else
        choice->options = option;
    choice->last = option;
    choice->count++;
    return choice_also(c, choice, atom);
}

enum weir_status choice_also(struct compiler *c, struct choice *choice, struct atom atom)
{
    struct atom *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return compile_no_room(c);
    *fresh = atom;
    if (choice->last->newest)
        choice->last->newest->next = fresh;
    else
        choice->last->atoms = fresh;
    choice->last->newest = fresh;
    return WEIR_OK;
}

static enum weir_status apply_keyword(struct compiler *c, struct branch *b, uint32_t schema,
                                      const struct json_value *keyword, bool negated);

static enum weir_status apply_atom(struct compiler *c, struct branch *b, const struct atom *a)
{
    struct key_set named = {.kind = KEY_NAME, .name = a->name};
    enum weir_status status;
    switch (a->kind) {
    case ATOM_LITERAL:
        return branch_pend(c, b, a->value);
    case ATOM_KEYWORD:
    case ATOM_NOT_KEYWORD:
        return apply_keyword(c, b, a->schema, a->keyword, a->kind == ATOM_NOT_KEYWORD);
    case ATOM_RULE:
        return branch_rule(c, b, a->keys, a->value);
    case ATOM_REQUIRE:
        branch_types(b, TYPE_OBJECT);
        return branch_require(c, b, a->name);
    case ATOM_FORBID:
        return branch_rule(c, b, named, LITERAL_FALSE);
    case ATOM_PROPERTY:
        branch_types(b, TYPE_OBJECT);
        status = branch_require(c, b, a->name);
        return status ? status : branch_rule(c, b, named, a->value);
    case ATOM_NEED:
        branch_types(b, TYPE_OBJECT);
        return branch_need(c, b, a->keys, a->value);
    case ATOM_ITEM:
        branch_types(b, TYPE_ARRAY);
        if (b->box.array.min < a->index + 1) b->box.array.min = a->index + 1;
        return branch_item(c, b, a->index, a->index, a->value);
    case ATOM_TYPES:
        branch_types(b, (unsigned)a->index);
        return WEIR_OK;
    case ATOM_LENGTH:
        branch_types(b, TYPE_ARRAY);
        if (b->box.array.min < a->index) b->box.array.min = a->index;
        if (b->box.array.max > a->last) b->box.array.max = a->last;
        return WEIR_OK;
    case ATOM_CONTAINS:
        branch_types(b, TYPE_ARRAY);
        return branch_contains(c, b, (struct contains_rule){.min = a->index, .max = a->last, .value = a->value});
    default:
        return apply_scalars(c, b, a->keyword, false);
    }
}

static enum weir_status apply_option(struct compiler *c, struct branch *b, const struct option *option)
{
    enum weir_status status = WEIR_OK;
    for (const struct atom *a = option->atoms; a && !status && b->box.types; a = a->next) status = apply_atom(c, b, a);
    return status;
}

enum weir_status branch_choose(struct compiler *c, struct branch *b, const struct choice *choice)
{
    if (!choice) return compile_no_room(c);
    if (choice->count == 0) branch_types(b, 0);
    if (choice->count == 1) return apply_option(c, b, choice->options);
    if (choice->count < 2) return WEIR_OK;
    struct choice *own = arena_zero(c->work, 1, sizeof *own);
    if (!own) return compile_no_room(c);
    *own = *choice;
    own->next = b->choices;
    b->choices = own;
    return WEIR_OK;
}

enum weir_status compile_note(struct compiler *c)
{
    struct note *note = arena_zero(c->arena, 1, sizeof *note);
    const char *text = c->error->text;
    for (const struct note *known = c->notes; known; known = known->next)
        if (strcmp(known->text, text) == 0) return WEIR_OK;
    char *copy = arena_copy(c->arena, text, strlen(text));
    if (!note || !copy) return compile_no_room(c);
    *note = (struct note){copy, c->notes};
    c->notes = note;
    c->error->text[0] = '\0';
    c->n_notes++;
    return WEIR_OK;
}

static enum weir_status apply_keyword(struct compiler *c, struct branch *b, uint32_t schema,
                                      const struct json_value *keyword, bool negated)
{
    const struct schema_entry *entry = &c->document.entries[schema];
    enum draft draft = c->document.resources[entry->resource].draft;
    const struct keyword *known = keyword_find(keyword->key, draft);
    struct keyword_use use = {schema, entry->resource, draft, entry->value, keyword};
    enum weir_status status = WEIR_ERR_UNSUPPORTED;
    if (!known) return WEIR_OK;
    struct branch before = *b;
    if (known->apply)
        status = known->apply(c, b, &use, negated);
    else
        status = compile_refuse(c, status, keyword, "this keyword is not supported");
    if (!c->options->lenient || (status != WEIR_ERR_UNSUPPORTED && status != WEIR_ERR_LIMIT)) return status;
    *b = before;
    return compile_note(c);
}

/* Up to draft 7 a $ref hides what stands beside it. */
static bool hidden(const struct json_value *schema, const struct json_value *keyword, enum draft draft)
{
    return draft <= DRAFT_7 && keyword->key.size && !json_text_is(keyword->key, "$ref") && json_member(schema, "$ref");
}

/* The keyword does not hold, and those before it do: options that exclude each other are told apart sooner. */
static enum weir_status choose_failing(struct compiler *c, struct choice *choice, uint32_t number,
                                       const struct json_value *keyword, enum draft draft)
{
    const struct json_value *schema = c->document.entries[number].value;
    struct atom atom = {.kind = ATOM_NOT_KEYWORD, .schema = number, .keyword = keyword};
    enum weir_status status = choice_option(c, choice, atom);
    atom.kind = ATOM_KEYWORD;
    for (const struct json_value *k = schema->first; k != keyword && !status; k = k->next) {
        if (!keyword_find(k->key, draft) || hidden(schema, k, draft)) continue;
        atom.keyword = k;
        status = choice_also(c, choice, atom);
    }
    return status;
}

static enum weir_status apply_object(struct compiler *c, struct branch *b, uint32_t number, bool negated)
{
    const struct schema_entry entry = c->document.entries[number];
    enum draft draft = c->document.resources[entry.resource].draft;
    struct choice *choice = negated ? choice_new(c, entry.value) : NULL;
    enum weir_status status = negated && !choice ? compile_no_room(c) : WEIR_OK;
    for (const struct json_value *k = entry.value->first; k && !status; k = k->next) {
        if (!keyword_find(k->key, draft) || hidden(entry.value, k, draft)) continue;
        if (negated)
            status = choose_failing(c, choice, number, k, draft);
        else if (b->box.types)
            status = apply_keyword(c, b, number, k, false);
    }
    return status || !negated ? status : branch_choose(c, b, choice);
}

static enum weir_status apply_literal(struct compiler *c, struct branch *b, literal value)
{
    for (const struct literal_list *seen = b->seen; seen; seen = seen->next) {
        if (seen->value == value) return WEIR_OK;
        if (seen->value == (value ^ 1)) {
            branch_types(b, 0);
            return WEIR_OK;
        }
    }
    enum weir_status status = list_literal(c, &b->seen, value);
    if (status) return status;
    const struct schema_entry *entry = &c->document.entries[value / 2];
    bool negated = value & 1;
    if (entry->kind == SCHEMA_EQUALS) return apply_equals(c, b, entry->value, negated);
    bool always = entry->kind == SCHEMA_VALUE && entry->value->kind == JSON_TRUE;
    bool never = entry->kind == SCHEMA_FALSE || entry->value->kind == JSON_FALSE;
    if (!always && !never) return apply_object(c, b, value / 2, negated);
    if (never != negated) branch_types(b, 0);
    return WEIR_OK;
}

struct output {
    struct box_list **boxes;
    size_t count;
};

static bool counts_clash(struct branch *b)
{
    const struct box *box = &b->box;
    if (box->length_min > box->length_max) branch_types(b, ~(unsigned)TYPE_STRING);
    if (box->array.min > box->array.max) branch_types(b, ~(unsigned)TYPE_ARRAY);
    if (box->object.min > box->object.max) branch_types(b, ~(unsigned)TYPE_OBJECT);
    return b->box.types == 0;
}

static enum weir_status run(struct compiler *c, struct branch b, unsigned depth, struct output *out);

/* The choice with the fewest options first: clashes show early. Takes it off the branch. */
static enum weir_status take_choice(struct compiler *c, struct branch *b, const struct choice **taken)
{
    const struct choice *best = b->choices, *rest = NULL;
    for (const struct choice *choice = b->choices; choice; choice = choice->next)
        if (choice->count <= best->count) best = choice;
    for (const struct choice *choice = b->choices; choice; choice = choice->next) {
        if (choice == best) continue;
        struct choice *copy = arena_zero(c->work, 1, sizeof *copy);
        if (!copy) return compile_no_room(c);
        *copy = *choice;
        copy->next = rest;
        rest = copy;
    }
    b->choices = rest;
    *taken = best;
    return WEIR_OK;
}

static enum weir_status run_choice(struct compiler *c, struct branch *b, unsigned depth, struct output *out)
{
    const struct choice *choice = NULL;
    if (depth == EXPAND_DEPTH_MAX)
        return compile_refuse(c, WEIR_ERR_LIMIT, b->choices->keyword, "too many choices that depend on each other");
    enum weir_status status = take_choice(c, b, &choice);
    for (const struct option *option = status ? NULL : choice->options; option && !status; option = option->next) {
        struct branch own = *b;
        if (++c->branches > EXPAND_BRANCHES_MAX)
            return compile_refuse(c, WEIR_ERR_LIMIT, choice->keyword, "too many combinations");
        status = apply_option(c, &own, option);
        if (!status) status = run(c, own, depth + 1, out);
        if (!status && out->count > EXPAND_BOXES_MAX)
            return compile_refuse(c, WEIR_ERR_LIMIT, choice->keyword, "too many combinations");
    }
    return status;
}

static enum weir_status emit(struct compiler *c, const struct branch *b, struct output *out)
{
    struct box_list *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return compile_no_room(c);
    fresh->box = b->box;
    *out->boxes = fresh;
    out->boxes = &fresh->next;
    out->count++;
    return WEIR_OK;
}

static enum weir_status run(struct compiler *c, struct branch b, unsigned depth, struct output *out)
{
    while (b.pending && b.box.types) {
        literal value = b.pending->value;
        b.pending = b.pending->next;
        enum weir_status status = apply_literal(c, &b, value);
        if (status) return status;
    }
    if (counts_clash(&b)) return WEIR_OK;
    return b.choices ? run_choice(c, &b, depth, out) : emit(c, &b, out);
}

enum weir_status expand(struct compiler *c, const literal *literals, size_t n, struct box_list **out, size_t *count)
{
    struct branch start = {
        .box = {.types = TYPE_ALL, .length_max = COUNT_ANY, .array = {.max = COUNT_ANY}, .object = {.max = COUNT_ANY}}};
    enum weir_status status = WEIR_OK;
    *out = NULL;
    for (size_t i = n; i-- > 0 && !status;) status = branch_pend(c, &start, literals[i]);
    struct output output = {.boxes = out};
    if (!status) status = run(c, start, 0, &output);
    *count = output.count;
    return status;
}
