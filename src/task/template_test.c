/* What follows `is`: the tests of jinja2 that templates use. */
#include "task/template_internal.h"

static bool is_number(const struct tpl_value *value)
{
    return value->type == TPL_INT || value->type == TPL_FLOAT || value->type == TPL_BOOL;
}

static bool is_iterable(const struct tpl_value *value)
{
    return value->type == TPL_STRING || tpl_is_listlike(value) || value->type == TPL_DICT ||
           value->type == TPL_UNDEFINED || value->type == TPL_LOOP;
}

static bool is_sequence(const struct tpl_value *value)
{
    return is_iterable(value) && value->type != TPL_ITERATOR && value->type != TPL_LOOP;
}

/* Tests without an argument; false when `name` is none of them. */
static bool plain_test(struct tpl_text name, const struct tpl_value *value, bool *out)
{
    enum tpl_type type = value->type;
    if (tpl_text_is(name, "defined"))
        *out = type != TPL_UNDEFINED;
    else if (tpl_text_is(name, "undefined"))
        *out = type == TPL_UNDEFINED;
    else if (tpl_text_is(name, "none"))
        *out = type == TPL_NONE;
    else if (tpl_text_is(name, "string"))
        *out = type == TPL_STRING;
    else if (tpl_text_is(name, "mapping"))
        *out = type == TPL_DICT;
    else if (tpl_text_is(name, "iterable"))
        *out = is_iterable(value);
    else if (tpl_text_is(name, "sequence"))
        *out = is_sequence(value);
    else if (tpl_text_is(name, "number"))
        *out = is_number(value);
    else if (tpl_text_is(name, "integer"))
        *out = type == TPL_INT;
    else if (tpl_text_is(name, "float"))
        *out = type == TPL_FLOAT;
    else if (tpl_text_is(name, "boolean"))
        *out = type == TPL_BOOL;
    else if (tpl_text_is(name, "true"))
        *out = type == TPL_BOOL && value->as.boolean;
    else if (tpl_text_is(name, "false"))
        *out = type == TPL_BOOL && !value->as.boolean;
    else if (tpl_text_is(name, "callable"))
        *out = type == TPL_MACRO || type == TPL_METHOD || type == TPL_FUNCTION || type == TPL_UNDEFINED;
    else
        return false;
    return true;
}

static enum weir_status divisible(struct tpl_run *r, struct tpl_text name, const struct tpl_value *value, int64_t by,
                                  bool *out)
{
    int64_t number;
    if (!tpl_integer(value, &number) || by == 0)
        return tpl_fail(r, WEIR_ERR_INVALID, "the test `%.*s` needs integers", (int)name.size, name.data);
    bool divides = by == -1 || number % by == 0;
    *out = tpl_text_is(name, "odd") ? !divides : divides;
    return WEIR_OK;
}

static enum weir_status two_values(struct tpl_run *r, struct tpl_text name, const struct tpl_value *a,
                                   const struct tpl_value *b, bool *out)
{
    static const char *const equal[] = {"equalto", "eq", "==", "sameas"};
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
        if (!tpl_text_is(name, equal[i])) continue;
        if (i == 3 && (a->type == TPL_STRING || a->type == TPL_INT || a->type == TPL_FLOAT))
            break; /* identity of such objects is an accident */
        enum weir_status status = tpl_equal(r, a, b, out);
        if (i == 3) *out = *out && a->type == b->type;
        return status;
    }
    if (tpl_text_is(name, "in")) return tpl_contains(r, a, b, out);
    if (tpl_text_is(name, "lt") || tpl_text_is(name, "lessthan")) return tpl_less(r, a, b, out);
    if (tpl_text_is(name, "gt") || tpl_text_is(name, "greaterthan")) return tpl_less(r, b, a, out);
    if (tpl_text_is(name, "ne")) {
        enum weir_status status = tpl_equal(r, a, b, out);
        *out = !*out;
        return status;
    }
    int64_t by;
    if (tpl_text_is(name, "divisibleby") && tpl_integer(b, &by)) return divisible(r, name, a, by, out);
    return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the test `%.*s` is not supported", (int)name.size, name.data);
}

enum weir_status tpl_test(struct tpl_run *r, struct tpl_text name, const struct tpl_value *value,
                          const struct tpl_args *args, bool *out)
{
    if (args->n_named == 0 && args->count == 0 && plain_test(name, value, out)) return WEIR_OK;
    if (args->n_named == 0 && args->count == 0 && (tpl_text_is(name, "odd") || tpl_text_is(name, "even")))
        return divisible(r, name, value, 2, out);
    if (args->n_named == 0 && args->count == 1) return two_values(r, name, value, &args->values[0], out);
    return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the test `%.*s` is not supported", (int)name.size, name.data);
}
