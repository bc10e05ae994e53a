/* The table of keywords, and those that combine schemas. */
#include <string.h>

#include "base/error.h"
#include "constrain/expand.h"

/* Keywords without an entry for a draft say nothing there: annotations, and keywords of other drafts. */
static const struct keyword keywords[] = {
    {"$ref", DRAFT_4, DRAFT_2020, keyword_ref},
    {"properties", DRAFT_4, DRAFT_2020, keyword_properties},
    {"type", DRAFT_4, DRAFT_2020, keyword_type},
    {"enum", DRAFT_4, DRAFT_2020, keyword_enum},
    {"const", DRAFT_6, DRAFT_2020, keyword_const},
    {"required", DRAFT_4, DRAFT_2020, keyword_required},
    {"patternProperties", DRAFT_4, DRAFT_2020, keyword_pattern_properties},
    {"additionalProperties", DRAFT_4, DRAFT_2020, keyword_additional_properties},
    {"propertyNames", DRAFT_6, DRAFT_2020, keyword_property_names},
    {"minProperties", DRAFT_4, DRAFT_2020, keyword_property_count},
    {"maxProperties", DRAFT_4, DRAFT_2020, keyword_property_count},
    {"dependencies", DRAFT_4, DRAFT_2020, keyword_dependencies}, /* a compatibility keyword from 2019-09 on */
    {"dependentRequired", DRAFT_2019, DRAFT_2020, keyword_dependencies},
    {"dependentSchemas", DRAFT_2019, DRAFT_2020, keyword_dependencies},
    {"items", DRAFT_4, DRAFT_2020, keyword_items},
    {"prefixItems", DRAFT_2020, DRAFT_2020, keyword_prefix_items},
    {"additionalItems", DRAFT_4, DRAFT_2020, keyword_additional_items},
    {"minItems", DRAFT_4, DRAFT_2020, keyword_item_count},
    {"maxItems", DRAFT_4, DRAFT_2020, keyword_item_count},
    {"contains", DRAFT_6, DRAFT_2020, keyword_contains},
    {"uniqueItems", DRAFT_4, DRAFT_2020, keyword_unique_items},
    {"minimum", DRAFT_4, DRAFT_2020, keyword_number_bound},
    {"maximum", DRAFT_4, DRAFT_2020, keyword_number_bound},
    {"exclusiveMinimum", DRAFT_4, DRAFT_2020, keyword_number_bound},
    {"exclusiveMaximum", DRAFT_4, DRAFT_2020, keyword_number_bound},
    {"multipleOf", DRAFT_4, DRAFT_2020, keyword_multiple_of},
    {"minLength", DRAFT_4, DRAFT_2020, keyword_length},
    {"maxLength", DRAFT_4, DRAFT_2020, keyword_length},
    {"pattern", DRAFT_4, DRAFT_2020, keyword_pattern},
    {"format", DRAFT_4, DRAFT_2020, keyword_format},
    {"allOf", DRAFT_4, DRAFT_2020, keyword_all_of},
    {"anyOf", DRAFT_4, DRAFT_2020, keyword_any_of},
    {"oneOf", DRAFT_4, DRAFT_2020, keyword_one_of},
    {"not", DRAFT_4, DRAFT_2020, keyword_not},
    {"if", DRAFT_7, DRAFT_2020, keyword_if},
    {"unevaluatedProperties", DRAFT_2019, DRAFT_2020, keyword_unevaluated_properties},
    {"unevaluatedItems", DRAFT_2019, DRAFT_2020, keyword_unevaluated_items},
    {"contentEncoding", DRAFT_7, DRAFT_7, NULL}, /* assertions there, annotations later */
    {"contentMediaType", DRAFT_7, DRAFT_7, NULL},
    {"$dynamicRef", DRAFT_2020, DRAFT_2020, NULL},
    {"$recursiveRef", DRAFT_2019, DRAFT_2019, NULL},
    {"extends", DRAFT_4, DRAFT_4, NULL},
    {"disallow", DRAFT_4, DRAFT_4, NULL},
};

const struct keyword *keyword_find(struct json_text name, enum draft draft)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (!json_text_is(name, keywords[i].name)) continue;
        return draft >= keywords[i].first && draft <= keywords[i].last ? &keywords[i] : NULL;
    }
    return NULL;
}

enum weir_status keyword_ref(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    uint32_t number;
    enum weir_status status = schema_resolve(&c->document, use->resource, use->value, &number);
    return status ? status : branch_pend(c, b, literal_of(number, negated));
}

static enum weir_status expect_list(struct compiler *c, const struct json_value *keyword)
{
    if (keyword->kind == JSON_ARRAY) return WEIR_OK;
    return compile_refuse(c, WEIR_ERR_FORMAT, keyword, "expected an array of schemas");
}

/* All of the list's schemas, or (all of) their negations. */
static enum weir_status pend_list(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    enum weir_status status = expect_list(c, use->value);
    for (uint32_t i = use->value->count; i-- > 0 && !status;) { /* pending is a stack: the first comes out first */
        const struct json_value *schema = use->value->first;
        for (uint32_t k = 0; k < i; k++) schema = schema->next;
        status = branch_pend_schema(c, b, use, schema, negated);
    }
    return status;
}

static enum weir_status choose_from_list(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                         bool negated)
{
    struct choice *choice = choice_new(c, use->value);
    enum weir_status status = expect_list(c, use->value);
    for (const struct json_value *schema = use->value->first; schema && !status; schema = schema->next) {
        struct atom atom = {.kind = ATOM_LITERAL};
        status = schema_literal(c, use, schema, negated, &atom.value);
        if (!status) status = choice_option(c, choice, atom);
    }
    return status ? status : branch_choose(c, b, choice);
}

enum weir_status keyword_all_of(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    return negated ? choose_from_list(c, b, use, true) : pend_list(c, b, use, false);
}

enum weir_status keyword_any_of(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    return negated ? pend_list(c, b, use, true) : choose_from_list(c, b, use, false);
}

/* literals[i] = the i-th schema of the list. */
static enum weir_status list_literals(struct compiler *c, const struct keyword_use *use, literal *literals)
{
    enum weir_status status = WEIR_OK;
    uint32_t i = 0;
    for (const struct json_value *schema = use->value->first; schema && !status; schema = schema->next)
        status = schema_literal(c, use, schema, false, &literals[i++]);
    return status;
}

/* One option a member: it holds, and no member that could hold beside it does. */
static enum weir_status exactly_one(struct compiler *c, struct choice *choice, const literal *literals, uint32_t n)
{
    enum weir_status status = WEIR_OK;
    for (uint32_t i = 0; i < n && !status; i++) {
        status = choice_option(c, choice, (struct atom){.kind = ATOM_LITERAL, .value = literals[i]});
        for (uint32_t k = 0; k < n && !status; k++) {
            literal pair[2] = {literals[i], literals[k]};
            bool apart = false;
            if (k == i) continue;
            status = conjunction_is_empty(c, pair, 2, &apart);
            if (!status && !apart)
                status = choice_also(c, choice, (struct atom){.kind = ATOM_LITERAL, .value = literals[k] ^ 1});
        }
    }
    return status;
}

/* None, or two at once. */
static enum weir_status none_or_two(struct compiler *c, struct choice *choice, const literal *literals, uint32_t n)
{
    enum weir_status status = choice_option(c, choice, (struct atom){.kind = ATOM_LITERAL, .value = LITERAL_TRUE});
    for (uint32_t i = 0; i < n && !status; i++)
        status = choice_also(c, choice, (struct atom){.kind = ATOM_LITERAL, .value = literals[i] ^ 1});
    for (uint32_t i = 0; i < n && !status; i++)
        for (uint32_t k = i + 1; k < n && !status; k++) {
            status = choice_option(c, choice, (struct atom){.kind = ATOM_LITERAL, .value = literals[i]});
            if (!status) status = choice_also(c, choice, (struct atom){.kind = ATOM_LITERAL, .value = literals[k]});
        }
    return status;
}

enum weir_status keyword_one_of(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    enum weir_status status = expect_list(c, use->value);
    if (status) return status;
    uint32_t n = use->value->count;
    if (n > EXPAND_ONE_OF_MAX)
        return compile_refuse(c, WEIR_ERR_LIMIT, use->value, "too many members to prove them exclusive");
    struct choice *choice = choice_new(c, use->value);
    literal *literals = arena_zero(c->work, n, sizeof *literals);
    if (!literals) return compile_no_room(c);
    status = list_literals(c, use, literals);
    if (!status) status = negated ? none_or_two(c, choice, literals, n) : exactly_one(c, choice, literals, n);
    return status ? status : branch_choose(c, b, choice);
}

enum weir_status keyword_not(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    return branch_pend_schema(c, b, use, use->value, !negated);
}

/* if A then B else C: (A and B) or (not A and C); its negation: (A and not B) or (not A and not C). */
enum weir_status keyword_if(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    static const char *const names[2] = {"then", "else"};
    struct choice *choice = choice_new(c, use->value);
    enum weir_status status = WEIR_OK;
    for (int side = 0; side < 2 && !status; side++) {
        const struct json_value *branch = json_member(use->object, names[side]);
        struct atom atom = {.kind = ATOM_LITERAL}, condition = {.kind = ATOM_LITERAL};
        atom.value = negated ? LITERAL_FALSE : LITERAL_TRUE; /* an absent branch is true */
        if (branch) status = schema_literal(c, use, branch, negated, &atom.value);
        if (!status) status = schema_literal(c, use, use->value, side == 1, &condition.value);
        if (!status) status = choice_option(c, choice, atom);
        if (!status) status = choice_also(c, choice, condition);
    }
    return status ? status : branch_choose(c, b, choice);
}
