/* unevaluatedProperties and unevaluatedItems, where what is evaluated is known without an instance.
 *
 * That is so when the schema, its allOf and its $ref say which keys and items they look at; where an anyOf, oneOf, if or
 * dependentSchemas that speaks of members or items decides, the keyword is refused. */
#include "constrain/expand.h"

enum { EVALUATED_DEPTH_MAX = 50 };

struct evaluated {
    struct key_set others; /* keys nobody looked at */
    bool all_keys, all_items;
    uint64_t prefix; /* items looked at from the front */
    const struct json_value *undecided;
    unsigned depth;
};

static enum weir_status collect(struct compiler *c, struct evaluated *e, const struct keyword_use *use,
                                const struct json_value *schema, const struct json_value *except);

static void collect_items(struct evaluated *e, const struct json_value *schema, enum draft draft)
{
    const struct json_value *items = json_member(schema, "items");
    const struct json_value *prefix = draft == DRAFT_2020 ? json_member(schema, "prefixItems") : items;
    bool list = items && items->kind == JSON_ARRAY;
    if (items && !list) e->all_items = true;
    if (list && json_member(schema, "additionalItems")) e->all_items = true;
    if (prefix && prefix->kind == JSON_ARRAY && prefix->count > e->prefix) e->prefix = prefix->count;
}

static enum weir_status collect_ref(struct compiler *c, struct evaluated *e, const struct keyword_use *use,
                                    const struct json_value *reference)
{
    uint32_t number;
    enum weir_status status = schema_resolve(&c->document, use->resource, reference, &number);
    if (status) return status;
    struct keyword_use target = *use;
    target.resource = c->document.entries[number].resource;
    target.draft = c->document.resources[target.resource].draft;
    return collect(c, e, &target, c->document.entries[number].value, NULL);
}

static enum weir_status collect_keyword(struct compiler *c, struct evaluated *e, const struct keyword_use *use,
                                        const struct json_value *keyword)
{
    static const char *const undecided[] = {"anyOf",        "oneOf",       "if",           "dependentSchemas",
                                            "dependencies", "$dynamicRef", "$recursiveRef"};
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < sizeof undecided / sizeof undecided[0]; i++)
        if (json_text_is(keyword->key, undecided[i])) e->undecided = keyword;
    if (json_text_is(keyword->key, "contains") && use->draft == DRAFT_2020) e->undecided = keyword;
    if (json_text_is(keyword->key, "additionalProperties") || json_text_is(keyword->key, "unevaluatedProperties"))
        e->all_keys = true;
    if (json_text_is(keyword->key, "unevaluatedItems")) e->all_items = true;
    if (json_text_is(keyword->key, "$ref")) status = collect_ref(c, e, use, keyword);
    if (json_text_is(keyword->key, "allOf"))
        for (const struct json_value *s = keyword->first; s && !status; s = s->next)
            status = collect(c, e, use, s, NULL);
    return status;
}

static enum weir_status collect(struct compiler *c, struct evaluated *e, const struct keyword_use *use,
                                const struct json_value *schema, const struct json_value *except)
{
    if (schema->kind != JSON_OBJECT) return WEIR_OK;
    if (++e->depth > EVALUATED_DEPTH_MAX) {
        e->undecided = use->value; /* a reference to itself, most likely */
        return WEIR_OK;
    }
    enum weir_status status = key_set_exclude_declared(c, &e->others, schema);
    collect_items(e, schema, use->draft);
    for (const struct json_value *k = schema->first; k && !status; k = k->next)
        if (k != except) status = collect_keyword(c, e, use, k);
    return status;
}

static enum weir_status evaluate(struct compiler *c, const struct keyword_use *use, struct evaluated *e)
{
    *e = (struct evaluated){.others = {.kind = KEY_OTHER}};
    enum weir_status status = collect(c, e, use, use->object, use->value);
    if (status || !e->undecided) return status;
    return compile_refuse(c, WEIR_ERR_UNSUPPORTED, use->value, "what was evaluated depends on the instance");
}

enum weir_status keyword_unevaluated_properties(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                                bool negated)
{
    struct evaluated e;
    literal value;
    if (use->value->kind == JSON_TRUE) {
        if (negated) branch_types(b, 0);
        return WEIR_OK;
    }
    enum weir_status status = evaluate(c, use, &e);
    if (!status) status = schema_literal(c, use, use->value, negated, &value);
    if (status) return status;
    if (e.all_keys) {
        if (negated) branch_types(b, 0);
        return WEIR_OK;
    }
    if (!negated) return branch_rule(c, b, e.others, value);
    branch_types(b, TYPE_OBJECT);
    return branch_need(c, b, e.others, value);
}

enum weir_status keyword_unevaluated_items(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                           bool negated)
{
    struct evaluated e;
    literal value;
    if (use->value->kind == JSON_TRUE) {
        if (negated) branch_types(b, 0);
        return WEIR_OK;
    }
    enum weir_status status = evaluate(c, use, &e);
    if (!status) status = schema_literal(c, use, use->value, negated, &value);
    if (status) return status;
    if (e.all_items) {
        if (negated) branch_types(b, 0);
        return WEIR_OK;
    }
    if (!negated) return branch_item(c, b, e.prefix, COUNT_ANY, value);
    branch_types(b, TYPE_ARRAY);
    return branch_contains(c, b, (struct contains_rule){.from = e.prefix, .min = 1, .max = COUNT_ANY, .value = value});
}
