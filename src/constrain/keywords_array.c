/* Keywords about arrays. */
#include "constrain/expand.h"

/* Items first.. (to the end) have the schema, or (negated) one of them has not. */
static enum weir_status rest_items(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                   const struct json_value *schema, uint64_t first, bool negated)
{
    literal value;
    enum weir_status status = schema_literal(c, use, schema, negated, &value);
    if (status) return status;
    if (!negated) return branch_item(c, b, first, COUNT_ANY, value);
    branch_types(b, TYPE_ARRAY);
    return branch_contains(c, b, (struct contains_rule){.from = first, .min = 1, .max = COUNT_ANY, .value = value});
}

static enum weir_status item_list(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    struct choice *choice = negated ? choice_new(c, use->value) : NULL;
    enum weir_status status = WEIR_OK;
    for (const struct json_value *item = use->value->first; item && !status; item = item->next) {
        literal value;
        status = schema_literal(c, use, item, negated, &value);
        if (status) return status;
        if (negated)
            status = choice_option(c, choice, (struct atom){.kind = ATOM_ITEM, .index = item->index, .value = value});
        else
            status = branch_item(c, b, item->index, item->index, value);
    }
    return status || !negated ? status : branch_choose(c, b, choice);
}

enum weir_status keyword_items(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    if (use->value->kind == JSON_ARRAY) return item_list(c, b, use, negated);
    const struct json_value *prefix = use->draft == DRAFT_2020 ? json_member(use->object, "prefixItems") : NULL;
    return rest_items(c, b, use, use->value, prefix ? prefix->count : 0, negated);
}

enum weir_status keyword_prefix_items(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    if (use->value->kind != JSON_ARRAY) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected an array");
    return item_list(c, b, use, negated);
}

/* Says something only beside an array of items. */
enum weir_status keyword_additional_items(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                          bool negated)
{
    const struct json_value *items = json_member(use->object, "items");
    if (items && items->kind == JSON_ARRAY) return rest_items(c, b, use, use->value, items->count, negated);
    if (negated) branch_types(b, 0);
    return WEIR_OK;
}

static enum weir_status contains_bounds(struct compiler *c, const struct keyword_use *use, uint64_t *low,
                                        uint64_t *high)
{
    const struct json_value *min = json_member(use->object, "minContains");
    const struct json_value *max = json_member(use->object, "maxContains");
    enum weir_status status = WEIR_OK;
    *low = 1;
    *high = COUNT_ANY;
    if (use->draft < DRAFT_2019) return status;
    if (min) status = keyword_count(c, min, low);
    if (max && !status) status = keyword_count(c, max, high);
    return status;
}

enum weir_status keyword_contains(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    uint64_t low, high;
    struct atom atom = {.kind = ATOM_CONTAINS, .last = COUNT_ANY};
    enum weir_status status = contains_bounds(c, use, &low, &high);
    if (!status) status = schema_literal(c, use, use->value, false, &atom.value);
    if (status) return status;
    if (!negated)
        return low == 0 && high == COUNT_ANY
                   ? WEIR_OK
                   : branch_contains(c, b, (struct contains_rule){.min = low, .max = high, .value = atom.value});
    struct choice *choice = choice_new(c, use->value);
    if (low) { /* fewer */
        atom.last = low - 1;
        status = choice_option(c, choice, atom);
    }
    if (!status && high != COUNT_ANY) { /* more */
        atom.index = high + 1;
        atom.last = COUNT_ANY;
        status = choice_option(c, choice, atom);
    }
    return status ? status : branch_choose(c, b, choice);
}

enum weir_status keyword_unique_items(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    if (use->value->kind == JSON_TRUE && negated)
        return compile_refuse(c, WEIR_ERR_UNSUPPORTED, use->value, "its negation is not supported");
    if (use->value->kind == JSON_TRUE)
        b->box.array.unique = use->value;
    else if (negated)
        branch_types(b, 0);
    return WEIR_OK;
}
