/* Keywords about objects, and equality with objects and arrays. */
#include <string.h>

#include "constrain/expand.h"

static enum weir_status expect_object(struct compiler *c, const struct json_value *keyword)
{
    if (keyword->kind == JSON_OBJECT) return WEIR_OK;
    return compile_refuse(c, WEIR_ERR_FORMAT, keyword, "expected an object");
}

static struct key_set key_named(struct json_text name)
{
    return (struct key_set){.kind = KEY_NAME, .name = name};
}

enum weir_status keyword_properties(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    struct choice *choice = negated ? choice_new(c, use->value) : NULL;
    enum weir_status status = expect_object(c, use->value);
    for (const struct json_value *p = use->value->first; p && !status; p = p->next) {
        literal value;
        status = schema_literal(c, use, p, negated, &value);
        if (status) return status;
        if (negated) {
            status = choice_option(c, choice, (struct atom){.kind = ATOM_PROPERTY, .name = p->key, .value = value});
            for (const struct json_value *q = use->value->first; q != p && !status; q = q->next) { /* the others hold */
                struct atom before = {.kind = ATOM_RULE, .keys = key_named(q->key)};
                status = schema_literal(c, use, q, false, &before.value);
                if (!status) status = choice_also(c, choice, before);
            }
        } else {
            status = branch_order(c, b, p->key);
            if (!status) status = branch_rule(c, b, key_named(p->key), value);
        }
    }
    return status || !negated ? status : branch_choose(c, b, choice);
}

/* A rule for the keys, or for the negation a member among them. */
static enum weir_status rule_or_need(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                     struct key_set keys, const struct json_value *schema, bool negated,
                                     struct choice *choice)
{
    literal value;
    enum weir_status status = schema_literal(c, use, schema, negated, &value);
    if (status) return status;
    if (!negated) return branch_rule(c, b, keys, value);
    return choice_option(c, choice, (struct atom){.kind = ATOM_NEED, .keys = keys, .value = value});
}

enum weir_status keyword_pattern_properties(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                            bool negated)
{
    struct choice *choice = negated ? choice_new(c, use->value) : NULL;
    enum weir_status status = expect_object(c, use->value);
    for (const struct json_value *p = use->value->first; p && !status; p = p->next) {
        struct key_set keys = {.kind = KEY_PATTERN};
        status = compile_pattern(c, p, p->key, &keys.dfa);
        if (!status) status = rule_or_need(c, b, use, keys, p, negated, choice);
    }
    return status || !negated ? status : branch_choose(c, b, choice);
}

enum weir_status key_set_exclude(struct compiler *c, struct key_set *keys, const struct json_value *object)
{
    struct name_list *fresh = arena_zero(c->work, 1, sizeof *fresh);
    if (!fresh) return compile_no_room(c);
    *fresh = (struct name_list){object, keys->names};
    keys->names = fresh;
    return WEIR_OK;
}

enum weir_status key_set_exclude_declared(struct compiler *c, struct key_set *out, const struct json_value *schema)
{
    const struct json_value *names = json_member(schema, "properties");
    const struct json_value *patterns = json_member(schema, "patternProperties");
    enum weir_status status = names ? key_set_exclude(c, out, names) : WEIR_OK;
    for (const struct json_value *p = patterns ? patterns->first : NULL; p && !status; p = p->next) {
        struct dfa_list *fresh = arena_zero(c->work, 1, sizeof *fresh);
        if (!fresh) return compile_no_room(c);
        status = compile_pattern(c, p, p->key, &fresh->dfa);
        fresh->next = out->patterns;
        out->patterns = fresh;
    }
    return status;
}

enum weir_status keyword_additional_properties(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                               bool negated)
{
    struct key_set keys = {.kind = KEY_OTHER};
    struct choice *choice = negated ? choice_new(c, use->value) : NULL;
    enum weir_status status = key_set_exclude_declared(c, &keys, use->object);
    if (!status) status = rule_or_need(c, b, use, keys, use->value, negated, choice);
    return status || !negated ? status : branch_choose(c, b, choice);
}

enum weir_status keyword_required(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    if (use->value->kind == JSON_TRUE || use->value->kind == JSON_FALSE) { /* draft 3's flag of a property */
        if (negated) branch_types(b, 0);
        return WEIR_OK;
    }
    if (use->value->kind != JSON_ARRAY) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected an array");
    struct choice *choice = negated ? choice_new(c, use->value) : NULL;
    enum weir_status status = WEIR_OK;
    if (negated) branch_types(b, TYPE_OBJECT);
    for (const struct json_value *name = use->value->first; name && !status; name = name->next) {
        if (name->kind != JSON_STRING) return compile_refuse(c, WEIR_ERR_FORMAT, name, "expected a string");
        if (!negated) {
            status = branch_require(c, b, name->string);
            continue;
        }
        status = choice_option(c, choice, (struct atom){.kind = ATOM_FORBID, .name = name->string});
        for (const struct json_value *q = use->value->first; q != name && !status;
             q = q->next) /* the others are there */
            status = choice_also(c, choice, (struct atom){.kind = ATOM_REQUIRE, .name = q->string});
    }
    return status || !negated ? status : branch_choose(c, b, choice);
}

/* One option: `name` is there and every other name too, or (negated) `other` is not. */
static enum weir_status require_all(struct compiler *c, struct choice *choice, const struct json_value *dependency)
{
    enum weir_status status = choice_option(c, choice, (struct atom){.kind = ATOM_REQUIRE, .name = dependency->key});
    for (const struct json_value *n = dependency->first; n && !status; n = n->next)
        status = choice_also(c, choice, (struct atom){.kind = ATOM_REQUIRE, .name = n->string});
    return status;
}

static enum weir_status require_not_all(struct compiler *c, struct choice *choice, const struct json_value *dependency)
{
    enum weir_status status = WEIR_OK;
    for (const struct json_value *n = dependency->first; n && !status; n = n->next) {
        status = choice_option(c, choice, (struct atom){.kind = ATOM_FORBID, .name = n->string});
        if (!status) status = choice_also(c, choice, (struct atom){.kind = ATOM_REQUIRE, .name = dependency->key});
    }
    return status;
}

static enum weir_status check_names(struct compiler *c, const struct json_value *list)
{
    for (const struct json_value *n = list->first; n; n = n->next)
        if (n->kind != JSON_STRING) return compile_refuse(c, WEIR_ERR_FORMAT, n, "expected a string");
    return WEIR_OK;
}

/* `dependency` is a list of names, a name (draft 3, still met) or a schema. */
static enum weir_status add_dependency(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                       const struct json_value *dependency, bool negated, struct choice *negations)
{
    struct choice *own = negated ? negations : choice_new(c, dependency);
    enum weir_status status = WEIR_OK;
    struct atom there = {.kind = ATOM_REQUIRE, .name = dependency->key};
    if (!negated) status = choice_option(c, own, (struct atom){.kind = ATOM_FORBID, .name = dependency->key});
    if (status) return status;
    if (dependency->kind == JSON_ARRAY) {
        status = check_names(c, dependency);
        if (!status) status = (negated ? require_not_all : require_all)(c, own, dependency);
    } else if (dependency->kind == JSON_STRING) {
        enum atom_kind kind = negated ? ATOM_FORBID : ATOM_REQUIRE;
        status = choice_option(c, own, there);
        if (!status) status = choice_also(c, own, (struct atom){.kind = kind, .name = dependency->string});
    } else {
        struct atom holds = {.kind = ATOM_LITERAL};
        status = schema_literal(c, use, dependency, negated, &holds.value);
        if (!status) status = choice_option(c, own, there);
        if (!status) status = choice_also(c, own, holds);
    }
    return status || negated ? status : branch_choose(c, b, own);
}

enum weir_status keyword_dependencies(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    struct choice *negations = negated ? choice_new(c, use->value) : NULL;
    enum weir_status status = expect_object(c, use->value);
    bool old = json_text_is(use->value->key, "dependencies") && use->draft >= DRAFT_2019;
    if (!status && old && !json_member(c->document.root, "$schema"))
        return compile_refuse(c, WEIR_ERR_UNSUPPORTED, use->value,
                              "drafts before 2019-09 define it, the draft assumed here does not: name one in $schema");
    if (!(b->box.types & TYPE_OBJECT)) {
        if (negated) branch_types(b, 0);
        return status;
    }
    for (const struct json_value *d = use->value->first; d && !status; d = d->next)
        status = add_dependency(c, b, use, d, negated, negations);
    return status || !negated ? status : branch_choose(c, b, negations);
}

/* Keys whose names the schema accepts; a rule that others have no value, or the need of another. */
enum weir_status keyword_property_names(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                        bool negated)
{
    struct key_set keys = {.kind = KEY_OUTSIDE};
    literal value;
    enum weir_status status = schema_literal(c, use, use->value, false, &value);
    if (!status) status = conjunction_strings(c, use->value, value, &keys.dfa);
    if (status) return status;
    if (!negated) return dfa_is_all(keys.dfa) ? WEIR_OK : branch_rule(c, b, keys, LITERAL_FALSE);
    branch_types(b, TYPE_OBJECT);
    return branch_need(c, b, keys, LITERAL_TRUE);
}

static enum weir_status equal_object(struct compiler *c, struct branch *b, const struct json_value *value)
{
    enum weir_status status = WEIR_OK;
    branch_types(b, TYPE_OBJECT);
    for (const struct json_value *m = value->first; m && !status; m = m->next) {
        uint32_t number;
        status = schema_equals(&c->document, m, &number);
        if (!status) status = branch_order(c, b, m->key);
        if (!status) status = branch_require(c, b, m->key);
        if (!status) status = branch_rule(c, b, key_named(m->key), literal_of(number, false));
    }
    struct key_set others = {.kind = KEY_OTHER};
    if (!status) status = key_set_exclude(c, &others, value);
    return status ? status : branch_rule(c, b, others, LITERAL_FALSE);
}

static enum weir_status equal_array(struct compiler *c, struct branch *b, const struct json_value *value)
{
    struct atom length = {.kind = ATOM_LENGTH, .index = value->count, .last = value->count};
    struct choice *choice = choice_new(c, value);
    enum weir_status status = choice_option(c, choice, length);
    if (!status) status = branch_choose(c, b, choice);
    for (const struct json_value *item = value->first; item && !status; item = item->next) {
        uint32_t number;
        status = schema_equals(&c->document, item, &number);
        if (!status) status = branch_item(c, b, item->index, item->index, literal_of(number, false));
    }
    return status;
}

static enum weir_status different_object(struct compiler *c, struct choice *choice, const struct json_value *value)
{
    struct key_set others = {.kind = KEY_OTHER};
    enum weir_status status = key_set_exclude(c, &others, value);
    if (!status)
        status = choice_option(c, choice, (struct atom){.kind = ATOM_NEED, .keys = others, .value = LITERAL_TRUE});
    for (const struct json_value *m = value->first; m && !status; m = m->next) {
        struct atom other = {.kind = ATOM_PROPERTY, .name = m->key};
        uint32_t number;
        status = choice_option(c, choice, (struct atom){.kind = ATOM_FORBID, .name = m->key});
        if (!status) status = choice_also(c, choice, (struct atom){.kind = ATOM_TYPES, .index = TYPE_OBJECT});
        if (!status) status = schema_equals(&c->document, m, &number);
        if (status) return status;
        other.value = literal_of(number, true);
        status = choice_option(c, choice, other);
    }
    return status;
}

static enum weir_status different_array(struct compiler *c, struct choice *choice, const struct json_value *value)
{
    struct atom longer = {.kind = ATOM_LENGTH, .index = (uint64_t)value->count + 1, .last = COUNT_ANY};
    enum weir_status status = choice_option(c, choice, longer);
    if (!status && value->count)
        status = choice_option(c, choice, (struct atom){.kind = ATOM_LENGTH, .last = (uint64_t)value->count - 1});
    for (const struct json_value *item = value->first; item && !status; item = item->next) {
        uint32_t number;
        status = schema_equals(&c->document, item, &number);
        if (status) return status;
        status = choice_option(
            c, choice, (struct atom){.kind = ATOM_ITEM, .index = item->index, .value = literal_of(number, true)});
    }
    return status;
}

enum weir_status apply_equals(struct compiler *c, struct branch *b, const struct json_value *value, bool negated)
{
    if (value->kind != JSON_ARRAY && value->kind != JSON_OBJECT) return apply_scalars(c, b, value, negated);
    bool is_array = value->kind == JSON_ARRAY;
    if (!negated) return is_array ? equal_array(c, b, value) : equal_object(c, b, value);
    struct choice *choice = choice_new(c, value);
    unsigned other_types = TYPE_ALL & ~(unsigned)(is_array ? TYPE_ARRAY : TYPE_OBJECT);
    enum weir_status status = choice_option(c, choice, (struct atom){.kind = ATOM_TYPES, .index = other_types});
    if (!status) status = is_array ? different_array(c, choice, value) : different_object(c, choice, value);
    return status ? status : branch_choose(c, b, choice);
}
