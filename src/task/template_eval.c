/* Expressions to values. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "task/template_internal.h"

/* --- arithmetic ------------------------------------------------------------------------------------------------------ */

static enum weir_status bad_operands(struct tpl_run *r, int op, const struct tpl_value *a, const struct tpl_value *b)
{
    if (a->type == TPL_UNDEFINED) return tpl_fail_undefined(r, a);
    if (b->type == TPL_UNDEFINED) return tpl_fail_undefined(r, b);
    return tpl_fail(r, WEIR_ERR_INVALID, "unsupported operands for %s: '%s' and '%s'",
                    op == TPL_T_FLOORDIV ? "//"
                    : op == TPL_T_POW    ? "**"
                                         : (char[]){(char)op, 0},
                    tpl_type_name(a), tpl_type_name(b));
}

/* Floor division and the remainder with the sign of the divisor. */
static int64_t floor_div(int64_t x, int64_t y)
{
    int64_t q = x / y;
    return x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;
}

static enum weir_status integer_op(struct tpl_run *r, int op, int64_t x, int64_t y, struct tpl_value *out)
{
    int64_t result = 0;
    bool overflow = false;
    if ((op == '/' || op == '%' || op == TPL_T_FLOORDIV) && y == 0)
        return tpl_fail(r, WEIR_ERR_INVALID, "division by zero");
    if (y == -1 && x == INT64_MIN) overflow = op != '+' && op != '-';
    if (!overflow) {
        switch (op) {
        case '+':
            overflow = __builtin_add_overflow(x, y, &result);
            break;
        case '-':
            overflow = __builtin_sub_overflow(x, y, &result);
            break;
        case '*':
            overflow = __builtin_mul_overflow(x, y, &result);
            break;
        case '/':
            *out = (struct tpl_value){.type = TPL_FLOAT, .as.real = (double)x / (double)y};
            return WEIR_OK;
        case '%':
            result = x - floor_div(x, y) * y;
            break;
        case TPL_T_FLOORDIV:
            result = floor_div(x, y);
            break;
        default: /* ** */
            if (y < 0 || y > 63) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "this power is not supported");
            for (result = 1; y > 0 && !overflow; y--) overflow = __builtin_mul_overflow(result, x, &result);
        }
    }
    if (overflow) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "an integer beyond 64 bits");
    *out = tpl_int(result);
    return WEIR_OK;
}

static enum weir_status real_op(struct tpl_run *r, int op, double x, double y, struct tpl_value *out)
{
    double result = 0;
    if ((op == '/' || op == '%' || op == TPL_T_FLOORDIV) && y == 0.0)
        return tpl_fail(r, WEIR_ERR_INVALID, "float division by zero");
    switch (op) {
    case '+':
        result = x + y;
        break;
    case '-':
        result = x - y;
        break;
    case '*':
        result = x * y;
        break;
    case '/':
        result = x / y;
        break;
    case '%':
        result = fmod(x, y);
        if (result != 0.0 && (result < 0.0) != (y < 0.0)) result += y;
        break;
    case TPL_T_FLOORDIV:
        result = floor(x / y);
        break;
    default:
        result = pow(x, y);
    }
    *out = (struct tpl_value){.type = TPL_FLOAT, .as.real = result};
    return WEIR_OK;
}

static enum weir_status add_texts(struct tpl_run *r, struct tpl_text a, struct tpl_text b, struct tpl_value *out)
{
    struct tpl_builder builder = {.arena = &r->arena};
    if (!tpl_add(&builder, a) || !tpl_add(&builder, b)) return tpl_nomem(r);
    *out = tpl_string(tpl_built(&builder));
    return WEIR_OK;
}

static enum weir_status add_lists(struct tpl_run *r, const struct tpl_value *a, const struct tpl_value *b,
                                  struct tpl_value *out)
{
    size_t n = a->as.list->count, m = b->as.list->count;
    enum weir_status status = tpl_step(r, n + m);
    if (status) return status;
    struct tpl_list *list = tpl_list_new(r, n + m);
    if (!list) return tpl_nomem(r);
    if (n) memcpy(list->items, a->as.list->items, n * sizeof *list->items);
    if (m) memcpy(list->items + n, b->as.list->items, m * sizeof *list->items);
    list->count = n + m;
    *out = (struct tpl_value){.type = a->type, .as.list = list};
    return WEIR_OK;
}

/* text * count and list * count */
static enum weir_status repeat(struct tpl_run *r, const struct tpl_value *value, int64_t count, struct tpl_value *out)
{
    struct tpl_builder builder = {.arena = &r->arena};
    struct tpl_list *list = tpl_list_new(r, 0);
    if (!list) return tpl_nomem(r);
    enum weir_status status = tpl_check_plain(r, value, "a multiple");
    if (status) return status;
    for (int64_t i = 0; i < count; i++) {
        status = tpl_step(r, value->type == TPL_STRING ? value->as.text.size / 64 : value->as.list->count);
        if (status) return status;
        bool ok = true;
        if (value->type == TPL_STRING) ok = tpl_add(&builder, value->as.text);
        for (size_t k = 0; ok && value->type != TPL_STRING && k < value->as.list->count; k++)
            ok = tpl_list_add(r, list, value->as.list->items[k]);
        if (!ok) return tpl_nomem(r);
    }
    *out = value->type == TPL_STRING ? tpl_string(tpl_built(&builder))
                                     : (struct tpl_value){.type = value->type, .as.list = list};
    return WEIR_OK;
}

static bool repeats(const struct tpl_value *value)
{
    return value->type == TPL_STRING || value->type == TPL_LIST || value->type == TPL_TUPLE;
}

enum weir_status tpl_binary(struct tpl_run *r, int op, const struct tpl_value *a, const struct tpl_value *b,
                            struct tpl_value *out)
{
    int64_t i, j;
    double x, y;
    if (tpl_integer(a, &i) && tpl_integer(b, &j)) return integer_op(r, op, i, j, out);
    if (tpl_number(a, &x) && tpl_number(b, &y)) return real_op(r, op, x, y, out);
    if (op == '+' && a->type == TPL_STRING && b->type == TPL_STRING) {
        bool is_markup = a->as.text.is_markup || b->as.text.is_markup;
        return (is_markup ? tpl_add_markup : add_texts)(r, a->as.text, b->as.text, out);
    }
    if (op == '+' && (a->type == TPL_LIST || a->type == TPL_TUPLE) && a->type == b->type)
        return add_lists(r, a, b, out);
    if (op == '*' && repeats(a) && tpl_integer(b, &j)) return repeat(r, a, j, out);
    if (op == '*' && repeats(b) && tpl_integer(a, &i)) return repeat(r, b, i, out);
    if (op == '%' && a->type == TPL_STRING)
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "formatting with %% is not supported");
    return bad_operands(r, op, a, b);
}

static enum weir_status compare(struct tpl_run *r, int op, const struct tpl_value *a, const struct tpl_value *b,
                                bool *out)
{
    enum weir_status status;
    switch (op) {
    case TPL_T_EQ:
    case TPL_T_NE:
        status = tpl_equal(r, a, b, out);
        *out = (op == TPL_T_EQ) == *out;
        return status;
    case TPL_T_IN:
    case TPL_T_NOTIN:
        status = tpl_contains(r, a, b, out);
        *out = (op == TPL_T_IN) == *out;
        return status;
    case '<':
        return tpl_less(r, a, b, out);
    case '>':
        return tpl_less(r, b, a, out);
    default: /* <= is < or ==, which also holds for NaN */
        status = op == TPL_T_LE ? tpl_less(r, a, b, out) : tpl_less(r, b, a, out);
        return status || *out ? status : tpl_equal(r, a, b, out);
    }
}

/* --- nodes ----------------------------------------------------------------------------------------------------------- */

static enum weir_status eval_name(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    for (const struct tpl_scope *scope = r->scope; scope; scope = scope->parent) {
        for (const struct tpl_binding *b = scope->first; b; b = b->next) {
            if (!tpl_text_equal(b->name, node->name)) continue;
            *out = b->value;
            return WEIR_OK;
        }
    }
    return tpl_undefined(r, out, "'%.*s' is undefined", (int)node->name.size, node->name.data);
}

static enum weir_status eval_list(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_list *list = tpl_list_new(r, 0);
    if (!list) return tpl_nomem(r);
    for (const struct tpl_node *item = node->list; item; item = item->next) {
        struct tpl_value value = {0};
        enum weir_status status = tpl_eval(r, item, &value);
        if (status) return status;
        if (!tpl_list_add(r, list, value)) return tpl_nomem(r);
    }
    *out = (struct tpl_value){.type = node->kind == TPL_E_LIST ? TPL_LIST : TPL_TUPLE, .as.list = list};
    return WEIR_OK;
}

static enum weir_status eval_dict(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_dict *dict = tpl_dict_new(r, 0);
    if (!dict) return tpl_nomem(r);
    for (const struct tpl_node *item = node->list; item; item = item->next->next) {
        struct tpl_value key = {0}, value = {0};
        enum weir_status status = tpl_eval(r, item, &key);
        if (!status) status = tpl_eval(r, item->next, &value);
        if (!status) status = tpl_dict_set(r, dict, key, value);
        if (status) return status;
    }
    *out = (struct tpl_value){.type = TPL_DICT, .as.dict = dict};
    return WEIR_OK;
}

static enum weir_status eval_sign(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value value;
    double x;
    enum weir_status status = tpl_eval(r, node->a, &value);
    if (status) return status;
    if (value.type == TPL_UNDEFINED) return tpl_fail_undefined(r, &value);
    if (!tpl_number(&value, &x))
        return tpl_fail(r, WEIR_ERR_INVALID, "bad operand type for unary sign: '%s'", tpl_type_name(&value));
    struct tpl_value zero = tpl_int(0);
    if (value.type == TPL_FLOAT) {
        value.as.real = node->kind == TPL_E_MINUS ? -x : x;
        *out = value;
        return WEIR_OK;
    }
    return tpl_binary(r, node->kind == TPL_E_MINUS ? '-' : '+', &zero, &value, out);
}

static enum weir_status eval_concat(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value a, b;
    struct tpl_text left = {0}, right = {0};
    enum weir_status status = tpl_eval(r, node->a, &a);
    if (!status) status = tpl_eval(r, node->b, &b);
    if (!status) status = tpl_str(r, &a, &left);
    if (!status) status = tpl_str(r, &b, &right);
    return status ? status : add_texts(r, left, right, out);
}

static enum weir_status eval_compare(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value left, right;
    bool result = true;
    enum weir_status status = tpl_eval(r, node->a, &left);
    for (const struct tpl_node *next = node->list; !status && result && next; next = next->next) {
        status = tpl_eval(r, next->b, &right);
        if (!status) status = compare(r, next->op, &left, &right, &result);
        left = right;
    }
    *out = tpl_bool(result);
    return status;
}

static enum weir_status eval_condition(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value condition;
    enum weir_status status = tpl_eval(r, node->a, &condition);
    if (status) return status;
    if (tpl_truth(&condition)) return tpl_eval(r, node->b, out);
    if (node->c) return tpl_eval(r, node->c, out);
    return tpl_undefined(r, out, "the inline if-expression evaluated to false and no else section was defined");
}

/* Python's slice indices: begin, end and step brought into 0..count (or -1..count-1 for a negative step). */
static enum weir_status slice_bounds(struct tpl_run *r, const struct tpl_node *bounds, int64_t count, int64_t out[3])
{
    int64_t values[3] = {0, 0, 1};
    bool given[3] = {false, false, false};
    const struct tpl_node *node = bounds;
    for (int i = 0; i < 3; i++, node = node->next) {
        struct tpl_value value;
        enum weir_status status = tpl_eval(r, node, &value);
        if (status) return status;
        given[i] = value.type != TPL_NONE;
        if (given[i] && !tpl_integer(&value, &values[i]))
            return tpl_fail(r, WEIR_ERR_INVALID, "slice indices must be integers or None, not %s",
                            tpl_type_name(&value));
    }
    if (values[2] == 0) return tpl_fail(r, WEIR_ERR_INVALID, "slice step cannot be zero");
    if (values[2] > count) values[2] = count + 1;
    if (values[2] < -count) values[2] = -count - 1;
    int64_t low = values[2] > 0 ? 0 : -1, high = values[2] > 0 ? count : count - 1;
    for (int i = 0; i < 2; i++) {
        if (!given[i])
            values[i] = (i == 0) == (values[2] > 0) ? low : high;
        else if (values[i] < 0)
            values[i] = values[i] < -count ? low : values[i] + count;
        if (values[i] < low) values[i] = low;
        if (values[i] > high) values[i] = high;
    }
    memcpy(out, values, sizeof values);
    return WEIR_OK;
}

static enum weir_status eval_slice(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value value;
    struct tpl_list *items = NULL;
    int64_t bounds[3] = {0, 0, 1};
    enum weir_status status = tpl_eval(r, node->a, &value);
    if (status) return status;
    if (value.type == TPL_UNDEFINED) return tpl_fail_undefined(r, &value);
    if (!repeats(&value)) return tpl_fail(r, WEIR_ERR_INVALID, "'%s' object cannot be sliced", tpl_type_name(&value));
    status = tpl_check_plain(r, &value, "a part");
    if (!status) status = tpl_iterate(r, &value, &items);
    if (!status) status = slice_bounds(r, node->list, (int64_t)items->count, bounds);
    if (status) return status;
    struct tpl_list *part = tpl_list_new(r, 0);
    struct tpl_builder builder = {.arena = &r->arena};
    bool ok = part != NULL;
    for (int64_t i = bounds[0]; ok && (bounds[2] > 0 ? i < bounds[1] : i > bounds[1]); i += bounds[2])
        ok = value.type == TPL_STRING ? tpl_add(&builder, items->items[i].as.text)
                                      : tpl_list_add(r, part, items->items[i]);
    if (!ok) return tpl_nomem(r);
    *out = value.type == TPL_STRING ? tpl_string(tpl_built(&builder))
                                    : (struct tpl_value){.type = value.type, .as.list = part};
    return WEIR_OK;
}

enum weir_status tpl_eval_args(struct tpl_run *r, const struct tpl_node *list, struct tpl_args *out)
{
    size_t count = 0, named = 0;
    for (const struct tpl_node *node = list; node; node = node->next)
        *(node->kind == TPL_E_KEYWORD ? &named : &count) += 1;
    *out = (struct tpl_args){.values = tpl_alloc(&r->arena, count, sizeof *out->values),
                             .names = tpl_alloc(&r->arena, named, sizeof *out->names),
                             .named = tpl_alloc(&r->arena, named, sizeof *out->named)};
    if (!out->values || !out->names || !out->named) return tpl_nomem(r);
    enum weir_status status = WEIR_OK;
    for (const struct tpl_node *node = list; !status && node; node = node->next) {
        if (node->kind == TPL_E_KEYWORD) {
            out->names[out->n_named] = node->name;
            status = tpl_eval(r, node->a, &out->named[out->n_named++]);
        } else {
            status = tpl_eval(r, node, &out->values[out->count++]);
        }
    }
    return status;
}

enum weir_status tpl_call(struct tpl_run *r, const struct tpl_value *callee, const struct tpl_args *args,
                          struct tpl_value *out)
{
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    if (callee->type == TPL_UNDEFINED)
        status = tpl_fail_undefined(r, callee);
    else if (callee->type == TPL_MACRO)
        status = tpl_macro_call(r, callee->as.macro, args, out);
    else if (callee->type == TPL_METHOD)
        status = tpl_method_call(r, callee->as.method, args, out);
    else if (callee->type == TPL_FUNCTION)
        status = tpl_function_call(r, callee->as.text, args, out);
    else
        status = tpl_fail(r, WEIR_ERR_INVALID, "'%s' object is not callable", tpl_type_name(callee));
    tpl_leave(r);
    return status;
}

static enum weir_status eval_call(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value callee;
    struct tpl_args args;
    enum weir_status status = tpl_eval(r, node->a, &callee);
    if (!status) status = tpl_eval_args(r, node->list, &args);
    if (status) return status;
    r->place = node->place;
    return tpl_call(r, &callee, &args, out);
}

static enum weir_status eval_filter(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value value;
    struct tpl_args args;
    enum weir_status status = tpl_eval(r, node->a, &value);
    if (!status) status = tpl_eval_args(r, node->list, &args);
    if (status) return status;
    r->place = node->place;
    return tpl_filter(r, node->name, &value, &args, out);
}

static enum weir_status eval_test(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value value;
    struct tpl_args args;
    bool result = false;
    enum weir_status status = tpl_eval(r, node->a, &value);
    if (!status) status = tpl_eval_args(r, node->list, &args);
    if (status) return status;
    r->place = node->place;
    status = tpl_test(r, node->name, &value, &args, &result);
    *out = tpl_bool(result);
    return status;
}

static enum weir_status eval_pair(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value a, b;
    enum weir_status status = tpl_eval(r, node->a, &a);
    if (status) return status;
    if (node->kind == TPL_E_AND || node->kind == TPL_E_OR) {
        if (tpl_truth(&a) == (node->kind == TPL_E_AND)) return tpl_eval(r, node->b, out);
        *out = a;
        return WEIR_OK;
    }
    status = tpl_eval(r, node->b, &b);
    if (status) return status;
    r->place = node->place;
    return node->kind == TPL_E_ITEM ? tpl_item(r, &a, &b, out) : tpl_binary(r, node->op, &a, &b, out);
}

static enum weir_status eval_one(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    struct tpl_value value;
    enum weir_status status;
    switch (node->kind) {
    case TPL_E_CONST:
        *out = node->constant;
        return WEIR_OK;
    case TPL_E_NAME:
        return eval_name(r, node, out);
    case TPL_E_LIST:
    case TPL_E_TUPLE:
        return eval_list(r, node, out);
    case TPL_E_DICT:
        return eval_dict(r, node, out);
    case TPL_E_NOT:
        status = tpl_eval(r, node->a, &value);
        if (!status) *out = tpl_bool(!tpl_truth(&value));
        return status;
    case TPL_E_MINUS:
    case TPL_E_PLUS:
        return eval_sign(r, node, out);
    case TPL_E_BINARY:
    case TPL_E_AND:
    case TPL_E_OR:
    case TPL_E_ITEM:
        return eval_pair(r, node, out);
    case TPL_E_CONCAT:
        return eval_concat(r, node, out);
    case TPL_E_COMPARE:
        return eval_compare(r, node, out);
    case TPL_E_COND:
        return eval_condition(r, node, out);
    case TPL_E_ATTR:
        status = tpl_eval(r, node->a, &value);
        r->place = node->place;
        return status ? status : tpl_attribute(r, &value, node->name, out);
    case TPL_E_SLICE:
        return eval_slice(r, node, out);
    case TPL_E_CALL:
        return eval_call(r, node, out);
    case TPL_E_FILTER:
        return eval_filter(r, node, out);
    case TPL_E_TEST:
        return eval_test(r, node, out);
    default:
        return tpl_fail(r, WEIR_ERR_FORMAT, "not an expression");
    }
}

enum weir_status tpl_eval(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out)
{
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    r->place = node->place;
    status = eval_one(r, node, out);
    tpl_leave(r);
    return status;
}
