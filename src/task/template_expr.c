/* Tokens to expressions: jinja2's grammar, from the loosest to the tightest binding:
 * if-else, or, and, not, comparison, + -, ~, * / // %, **, unary, postfix (. [] ()), filters and tests. */
#include <string.h>

#include "base/error.h"
#include "task/template_internal.h"

static enum weir_status parse_unary(struct tpl_parser *p, bool with_filters, struct tpl_node **out);
static enum weir_status parse_call_args(struct tpl_parser *p, struct tpl_node **list);

static enum weir_status new_node(struct tpl_parser *p, enum tpl_kind kind, struct tpl_node **out)
{
    *out = tpl_node(p, kind);
    return *out ? WEIR_OK : tpl_out_of_memory(p->error);
}

/* A node of `kind` over a and b: where a is, but for what is looked up by the name that stands here. */
static enum weir_status pair(struct tpl_parser *p, enum tpl_kind kind, int op, struct tpl_node *a, struct tpl_node *b,
                             struct tpl_node **out)
{
    struct tpl_node *node;
    enum weir_status status = new_node(p, kind, &node);
    if (status) return status;
    bool is_named = kind == TPL_E_FILTER || kind == TPL_E_TEST || kind == TPL_E_ATTR;
    if (a && !is_named) node->place = a->place;
    node->op = op;
    node->a = a;
    node->b = b;
    *out = node;
    return WEIR_OK;
}

static enum weir_status constant(struct tpl_parser *p, struct tpl_value value, struct tpl_node **out)
{
    enum weir_status status = new_node(p, TPL_E_CONST, out);
    if (!status) (*out)->constant = value;
    return status;
}

/* Adjacent strings are one. */
static enum weir_status parse_string(struct tpl_parser *p, struct tpl_node **out)
{
    struct tpl_text text = tpl_peek(p)->text;
    enum weir_status status = constant(p, tpl_string(text), out);
    p->at++;
    if (status || tpl_peek(p)->code != TPL_T_STRING) return status;
    struct tpl_builder b = {.arena = p->arena};
    bool ok = tpl_add(&b, text);
    for (; ok && tpl_peek(p)->code == TPL_T_STRING; p->at++) ok = tpl_add(&b, tpl_peek(p)->text);
    if (!ok) return tpl_out_of_memory(p->error);
    (*out)->constant.as.text = tpl_built(&b);
    return WEIR_OK;
}

static enum weir_status parse_list(struct tpl_parser *p, struct tpl_node **out)
{
    enum weir_status status = new_node(p, TPL_E_LIST, out);
    if (status) return status;
    struct tpl_node **next = &(*out)->list;
    p->at++;
    while (!status && !tpl_accept(p, ']')) {
        status = tpl_parse_expr(p, true, next);
        if (status) return status;
        next = &(*next)->next;
        if (tpl_peek(p)->code != ']') status = tpl_expect(p, ',', "`,` or `]`");
    }
    return status;
}

static enum weir_status parse_dict(struct tpl_parser *p, struct tpl_node **out)
{
    enum weir_status status = new_node(p, TPL_E_DICT, out);
    if (status) return status;
    struct tpl_node **next = &(*out)->list;
    p->at++;
    while (!status && !tpl_accept(p, '}')) {
        status = tpl_parse_expr(p, true, next);
        if (!status) status = tpl_expect(p, ':', "`:`");
        if (!status) status = tpl_parse_expr(p, true, &(*next)->next);
        if (status) return status;
        next = &(*next)->next->next;
        if (tpl_peek(p)->code != '}') status = tpl_expect(p, ',', "`,` or `}`");
    }
    return status;
}

static enum weir_status parse_name(struct tpl_parser *p, struct tpl_node **out)
{
    static const struct {
        const char *name;
        struct tpl_value value;
    } constants[] = {{"true", {.type = TPL_BOOL, .as.boolean = true}},
                     {"True", {.type = TPL_BOOL, .as.boolean = true}},
                     {"false", {.type = TPL_BOOL}},
                     {"False", {.type = TPL_BOOL}},
                     {"none", {.type = TPL_NONE}},
                     {"None", {.type = TPL_NONE}}};
    struct tpl_text name = tpl_peek(p)->text;
    enum weir_status status = new_node(p, TPL_E_NAME, out);
    if (status) return status;
    (*out)->name = name;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (!tpl_text_is(name, constants[i].name)) continue;
        (*out)->kind = TPL_E_CONST;
        (*out)->constant = constants[i].value;
    }
    p->at++;
    return WEIR_OK;
}

static enum weir_status parse_primary(struct tpl_parser *p, struct tpl_node **out)
{
    const struct tpl_token *token = tpl_peek(p);
    enum weir_status status;
    switch (token->code) {
    case TPL_T_NAME:
        return parse_name(p, out);
    case TPL_T_STRING:
        return parse_string(p, out);
    case TPL_T_INT:
        status = constant(p, tpl_int(token->integer), out);
        p->at++;
        return status;
    case TPL_T_FLOAT:
        status = constant(p, (struct tpl_value){.type = TPL_FLOAT, .as.real = token->real}, out);
        p->at++;
        return status;
    case '(':
        p->at++;
        status = tpl_parse_tuple(p, true, true, out);
        return status ? status : tpl_expect(p, ')', "`)`");
    case '[':
        return parse_list(p, out);
    case '{':
        return parse_dict(p, out);
    default:
        return tpl_syntax(p, WEIR_ERR_FORMAT, "an expression is expected");
    }
}

/* One bound of a slice; a constant none when it is left out. */
static enum weir_status parse_bound(struct tpl_parser *p, struct tpl_node **out)
{
    int code = tpl_peek(p)->code;
    if (code == ':' || code == ']' || code == ',') return constant(p, (struct tpl_value){.type = TPL_NONE}, out);
    return tpl_parse_expr(p, true, out);
}

static enum weir_status parse_subscript(struct tpl_parser *p, struct tpl_node **node)
{
    struct tpl_node *begin, *result;
    p->at++;
    enum weir_status status = parse_bound(p, &begin);
    if (status) return status;
    if (tpl_accept(p, ':')) {
        status = pair(p, TPL_E_SLICE, 0, *node, NULL, &result);
        if (status) return status;
        result->list = begin;
        status = parse_bound(p, &begin->next);
        if (status) return status;
        struct tpl_node **step = &begin->next->next;
        (void)tpl_accept(p, ':');
        status = parse_bound(p, step);
    } else {
        status = pair(p, TPL_E_ITEM, 0, *node, begin, &result);
    }
    if (status) return status;
    if (tpl_peek(p)->code == ',')
        return tpl_syntax(p, WEIR_ERR_UNSUPPORTED, "a subscript of several values is not supported");
    *node = result;
    return tpl_expect(p, ']', "`]`");
}

static enum weir_status parse_attribute(struct tpl_parser *p, struct tpl_node **node)
{
    p->at++;
    const struct tpl_token *token = tpl_peek(p);
    struct tpl_node *result, *index;
    enum weir_status status;
    if (token->code == TPL_T_NAME) {
        status = pair(p, TPL_E_ATTR, 0, *node, NULL, &result);
        if (status) return status;
        result->name = token->text;
    } else if (token->code == TPL_T_INT) {
        status = constant(p, tpl_int(token->integer), &index);
        if (!status) status = pair(p, TPL_E_ITEM, 0, *node, index, &result);
        if (status) return status;
    } else {
        return tpl_syntax(p, WEIR_ERR_FORMAT, "a name is expected after `.`");
    }
    p->at++;
    *node = result;
    return WEIR_OK;
}

static enum weir_status parse_call(struct tpl_parser *p, struct tpl_node **node)
{
    struct tpl_node *call;
    enum weir_status status = pair(p, TPL_E_CALL, 0, *node, NULL, &call);
    if (!status) status = parse_call_args(p, &call->list);
    if (!status) *node = call;
    return status;
}

enum weir_status tpl_parse_postfix(struct tpl_parser *p, struct tpl_node **node)
{
    for (enum weir_status status = WEIR_OK;;) {
        int code = tpl_peek(p)->code;
        if (code == '.')
            status = parse_attribute(p, node);
        else if (code == '[')
            status = parse_subscript(p, node);
        else if (code == '(')
            status = parse_call(p, node);
        else
            return WEIR_OK;
        if (status) return status;
    }
}

/* "(a, b, c=d)" from its bracket on. */
static enum weir_status parse_call_args(struct tpl_parser *p, struct tpl_node **list)
{
    bool named = false;
    enum weir_status status = tpl_expect(p, '(', "`(`");
    while (!status && !tpl_accept(p, ')')) {
        const struct tpl_token *token = tpl_peek(p);
        if (token->code == '*' || token->code == TPL_T_POW)
            return tpl_syntax(p, WEIR_ERR_UNSUPPORTED, "`*` and `**` arguments are not supported");
        if (token->code == TPL_T_NAME && token[1].code == '=') { /* END is the last token, so token[1] exists */
            named = true;
            status = new_node(p, TPL_E_KEYWORD, list);
            if (status) return status;
            (*list)->name = token->text;
            p->at += 2;
            status = tpl_parse_expr(p, true, &(*list)->a);
        } else {
            if (named) return tpl_syntax(p, WEIR_ERR_FORMAT, "an argument without name follows one with a name");
            status = tpl_parse_expr(p, true, list);
        }
        if (status) return status;
        list = &(*list)->next;
        if (tpl_peek(p)->code != ')') status = tpl_expect(p, ',', "`,` or `)`");
    }
    return status;
}

/* NAME(.NAME)* of a filter or test. */
static enum weir_status parse_dotted(struct tpl_parser *p, struct tpl_text *name)
{
    if (tpl_peek(p)->code != TPL_T_NAME)
        return tpl_syntax(p, WEIR_ERR_FORMAT, "the name of a filter or test is expected");
    *name = tpl_peek(p)->text;
    p->at++;
    if (tpl_peek(p)->code == '.')
        return tpl_syntax(p, WEIR_ERR_UNSUPPORTED, "filters and tests with dotted names are not supported");
    return WEIR_OK;
}

static enum weir_status parse_filter(struct tpl_parser *p, struct tpl_node **node)
{
    struct tpl_node *filter;
    enum weir_status status = pair(p, TPL_E_FILTER, 0, *node, NULL, &filter);
    if (!status) status = parse_dotted(p, &filter->name);
    if (!status && tpl_peek(p)->code == '(') status = parse_call_args(p, &filter->list);
    if (!status) *node = filter;
    return status;
}

/* May the argument of a test stand here without brackets? */
static bool at_bare_argument(const struct tpl_parser *p)
{
    switch (tpl_peek(p)->code) {
    case TPL_T_NAME:
        return !tpl_at_name(p, "else") && !tpl_at_name(p, "or") && !tpl_at_name(p, "and") && !tpl_at_name(p, "is") &&
               !tpl_at_name(p, "if") && !tpl_at_name(p, "not") && !tpl_at_name(p, "in");
    case TPL_T_STRING:
    case TPL_T_INT:
    case TPL_T_FLOAT:
    case '[':
    case '{':
        return true;
    default:
        return false;
    }
}

static enum weir_status parse_test(struct tpl_parser *p, struct tpl_node **node)
{
    bool negated = tpl_accept_name(p, "not");
    struct tpl_node *test;
    enum weir_status status = pair(p, TPL_E_TEST, 0, *node, NULL, &test);
    if (!status) status = parse_dotted(p, &test->name);
    if (status) return status;
    if (tpl_peek(p)->code == '(') {
        status = parse_call_args(p, &test->list);
    } else if (at_bare_argument(p)) {
        status = parse_primary(p, &test->list);
        if (!status) status = tpl_parse_postfix(p, &test->list);
    }
    if (status) return status;
    if (tpl_at_name(p, "is")) return tpl_syntax(p, WEIR_ERR_FORMAT, "tests cannot be chained with `is`");
    if (negated) status = pair(p, TPL_E_NOT, 0, test, NULL, &test);
    if (!status) *node = test;
    return status;
}

enum weir_status tpl_parse_filters(struct tpl_parser *p, bool pipe, bool only_filters, struct tpl_node **node)
{
    enum weir_status status = pipe ? WEIR_OK : parse_filter(p, node);
    while (!status) {
        if (tpl_accept(p, '|'))
            status = parse_filter(p, node);
        else if (!only_filters && tpl_accept_name(p, "is"))
            status = parse_test(p, node);
        else if (!only_filters && tpl_peek(p)->code == '(')
            status = parse_call(p, node);
        else
            return WEIR_OK;
    }
    return status;
}

static enum weir_status parse_unary(struct tpl_parser *p, bool with_filters, struct tpl_node **out)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return tpl_syntax(p, WEIR_ERR_LIMIT, "nested deeper than %d levels", TEMPLATE_DEPTH_MAX);
    struct tpl_node *operand;
    int code = tpl_peek(p)->code;
    enum weir_status status;
    if (code == '-' || code == '+') {
        p->at++;
        status = parse_unary(p, false, &operand);
        if (!status) status = pair(p, code == '-' ? TPL_E_MINUS : TPL_E_PLUS, 0, operand, NULL, out);
    } else {
        status = parse_primary(p, out);
    }
    if (!status) status = tpl_parse_postfix(p, out);
    if (!status && with_filters) status = tpl_parse_filters(p, true, false, out);
    p->depth--;
    return status;
}

static int math_op(const struct tpl_parser *p, int level)
{
    int code = tpl_peek(p)->code;
    switch (level) {
    case 0:
        return code == '+' || code == '-' ? code : 0;
    case 1:
        return code == '~' ? code : 0;
    case 2:
        return code == '*' || code == '/' || code == TPL_T_FLOORDIV || code == '%' ? code : 0;
    default:
        return code == TPL_T_POW ? code : 0;
    }
}

/* The left-associative levels: 0 is + -, 1 is ~, 2 is * / // %, 3 is ** (left-associative in jinja2 too). */
static enum weir_status parse_math(struct tpl_parser *p, int level, struct tpl_node **out)
{
    enum weir_status status = level == 4 ? parse_unary(p, true, out) : parse_math(p, level + 1, out);
    for (int op; !status && level < 4 && (op = math_op(p, level)) != 0;) {
        struct tpl_node *right;
        p->at++;
        status = parse_math(p, level + 1, &right);
        if (!status) status = pair(p, op == '~' ? TPL_E_CONCAT : TPL_E_BINARY, op, *out, right, out);
    }
    return status;
}

/* The comparison operator here, passed; 0 when there is none. */
static int take_comparison(struct tpl_parser *p)
{
    int code = tpl_peek(p)->code;
    if (code == TPL_T_EQ || code == TPL_T_NE || code == TPL_T_LE || code == TPL_T_GE || code == '<' || code == '>') {
        p->at++;
        return code;
    }
    if (tpl_accept_name(p, "in")) return TPL_T_IN;
    const struct tpl_token *next = &tpl_peek(p)[1];
    if (tpl_at_name(p, "not") && next->code == TPL_T_NAME && tpl_text_is(next->text, "in")) {
        p->at += 2;
        return TPL_T_NOTIN;
    }
    return 0;
}

static enum weir_status parse_compare(struct tpl_parser *p, struct tpl_node **out)
{
    enum weir_status status = parse_math(p, 0, out);
    struct tpl_node **next = NULL;
    for (int op; !status && (op = take_comparison(p)) != 0;) {
        if (!next) {
            status = pair(p, TPL_E_COMPARE, 0, *out, NULL, out);
            if (status) return status;
            next = &(*out)->list;
        }
        struct tpl_node *right;
        status = parse_math(p, 0, &right);
        if (!status) status = pair(p, TPL_E_BINARY, op, NULL, right, next);
        if (!status) next = &(*next)->next;
    }
    return status;
}

static enum weir_status parse_not(struct tpl_parser *p, struct tpl_node **out)
{
    if (!tpl_accept_name(p, "not")) return parse_compare(p, out);
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return tpl_syntax(p, WEIR_ERR_LIMIT, "nested deeper than %d levels", TEMPLATE_DEPTH_MAX);
    struct tpl_node *operand;
    enum weir_status status = parse_not(p, &operand);
    p->depth--;
    return status ? status : pair(p, TPL_E_NOT, 0, operand, NULL, out);
}

static enum weir_status parse_logic(struct tpl_parser *p, bool is_or, struct tpl_node **out)
{
    enum weir_status status = is_or ? parse_logic(p, false, out) : parse_not(p, out);
    while (!status && tpl_accept_name(p, is_or ? "or" : "and")) {
        struct tpl_node *right;
        status = is_or ? parse_logic(p, false, &right) : parse_not(p, &right);
        if (!status) status = pair(p, is_or ? TPL_E_OR : TPL_E_AND, 0, *out, right, out);
    }
    return status;
}

static enum weir_status parse_condition(struct tpl_parser *p, struct tpl_node **out)
{
    enum weir_status status = parse_logic(p, true, out);
    while (!status && tpl_accept_name(p, "if")) {
        struct tpl_node *condition, *node;
        status = parse_logic(p, true, &condition);
        if (!status) status = pair(p, TPL_E_COND, 0, condition, *out, &node);
        if (!status && tpl_accept_name(p, "else")) status = tpl_parse_expr(p, true, &node->c);
        if (!status) *out = node;
    }
    return status;
}

enum weir_status tpl_parse_expr(struct tpl_parser *p, bool with_if, struct tpl_node **out)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return tpl_syntax(p, WEIR_ERR_LIMIT, "nested deeper than %d levels", TEMPLATE_DEPTH_MAX);
    enum weir_status status = with_if ? parse_condition(p, out) : parse_logic(p, true, out);
    p->depth--;
    return status;
}

static bool at_tuple_end(const struct tpl_parser *p)
{
    int code = tpl_peek(p)->code;
    return code == TPL_T_PRINT_END || code == TPL_T_BLOCK_END || code == ')' || tpl_at_name(p, "recursive");
}

enum weir_status tpl_parse_tuple(struct tpl_parser *p, bool with_if, bool in_parentheses, struct tpl_node **out)
{
    struct tpl_node *first = NULL, **next = &first;
    size_t count = 0;
    bool is_tuple = false;
    enum weir_status status = WEIR_OK;
    while (!at_tuple_end(p)) {
        status = tpl_parse_expr(p, with_if, next);
        if (status) return status;
        next = &(*next)->next;
        count++;
        if (!tpl_accept(p, ',')) break;
        is_tuple = true;
    }
    if (!is_tuple && count == 1) {
        *out = first;
        return WEIR_OK;
    }
    if (count == 0 && !in_parentheses) return tpl_syntax(p, WEIR_ERR_FORMAT, "an expression is expected");
    status = new_node(p, TPL_E_TUPLE, out);
    if (!status) (*out)->list = first;
    return status;
}
