/* Tokens to statements. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "task/template_internal.h"

/* What ends a body: names of tags, NULL at the end. */
typedef const char *const *end_names;

static enum weir_status parse_body(struct tpl_parser *p, end_names ends, struct tpl_node **out);

enum weir_status tpl_report_syntax(struct tpl_parser *p, enum weir_status status, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct tpl_place place = tpl_peek(p)->place;
    return error_set(p->error, status, TPL_PLACE "%s", place.line, place.column, text);
}

struct tpl_node *tpl_node(struct tpl_parser *p, enum tpl_kind kind)
{
    struct tpl_node *node = tpl_alloc(p->arena, 1, sizeof *node);
    if (!node) return NULL;
    node->kind = kind;
    node->place = tpl_peek(p)->place;
    return node;
}

static enum weir_status new_node(struct tpl_parser *p, enum tpl_kind kind, struct tpl_node **out)
{
    *out = tpl_node(p, kind);
    return *out ? WEIR_OK : tpl_out_of_memory(p->error);
}

enum weir_status tpl_expect(struct tpl_parser *p, int code, const char *what)
{
    return tpl_accept(p, code) ? WEIR_OK : tpl_syntax(p, WEIR_ERR_FORMAT, "%s is expected", what);
}

bool tpl_accept(struct tpl_parser *p, int code)
{
    if (tpl_peek(p)->code != code || code == TPL_T_END) return false;
    p->at++;
    return true;
}

bool tpl_at_name(const struct tpl_parser *p, const char *name)
{
    return tpl_peek(p)->code == TPL_T_NAME && tpl_text_is(tpl_peek(p)->text, name);
}

bool tpl_accept_name(struct tpl_parser *p, const char *name)
{
    if (!tpl_at_name(p, name)) return false;
    p->at++;
    return true;
}

static enum weir_status block_end(struct tpl_parser *p)
{
    return tpl_expect(p, TPL_T_BLOCK_END, "the end of the tag, `%}`,");
}

/* The closing tag NAME, whose `{%` is already passed. */
static enum weir_status closing_tag(struct tpl_parser *p, const char *name)
{
    if (!tpl_accept_name(p, name)) return tpl_syntax(p, WEIR_ERR_FORMAT, "`%s` is expected", name);
    return block_end(p);
}

static enum weir_status body_and_close(struct tpl_parser *p, const char *end, struct tpl_node **out)
{
    const char *ends[] = {end, NULL};
    enum weir_status status = block_end(p);
    if (!status) status = parse_body(p, ends, out);
    return status ? status : closing_tag(p, end);
}

static enum weir_status take_name(struct tpl_parser *p, struct tpl_text *name)
{
    if (tpl_peek(p)->code != TPL_T_NAME) return tpl_syntax(p, WEIR_ERR_FORMAT, "a name is expected");
    *name = tpl_peek(p)->text;
    p->at++;
    return WEIR_OK;
}

static enum weir_status parse_if(struct tpl_parser *p, struct tpl_node *node)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    for (;;) {
        enum weir_status status = tpl_parse_tuple(p, false, false, &node->a);
        if (!status) status = block_end(p);
        if (!status) status = parse_body(p, ends, &node->list);
        if (status) return status;
        if (!tpl_accept_name(p, "elif")) break;
        status = new_node(p, TPL_S_IF, &node->other);
        if (status) return status;
        node = node->other;
    }
    if (tpl_accept_name(p, "else")) return body_and_close(p, "endif", &node->other);
    return closing_tag(p, "endif");
}

/* NAME, or with `attributes` NAME.NAME. */
static enum weir_status parse_target_name(struct tpl_parser *p, bool attributes, struct tpl_node **out)
{
    struct tpl_node *name, *attribute;
    enum weir_status status = new_node(p, TPL_E_NAME, &name);
    if (!status) status = take_name(p, &name->name);
    if (status) return status;
    *out = name;
    if (!attributes || !tpl_accept(p, '.')) return WEIR_OK;
    status = new_node(p, TPL_E_ATTR, &attribute);
    if (!status) status = take_name(p, &attribute->name);
    if (status) return status;
    attribute->a = name;
    *out = attribute;
    return WEIR_OK;
}

/* A target of `for` or `set`: one name, or several with commas, in brackets or not. */
static enum weir_status parse_target(struct tpl_parser *p, bool attributes, struct tpl_node **out)
{
    struct tpl_node *first, *last, *tuple;
    bool brackets = tpl_accept(p, '('), is_tuple = false;
    enum weir_status status = parse_target_name(p, attributes, &first);
    if (status) return status;
    for (last = first; tpl_accept(p, ','); last = last->next) {
        is_tuple = true;
        if (tpl_peek(p)->code != TPL_T_NAME || tpl_at_name(p, "in")) break; /* a trailing comma */
        status = parse_target_name(p, attributes, &last->next);
        if (status) return status;
    }
    *out = first;
    if (is_tuple) {
        status = new_node(p, TPL_E_TUPLE, &tuple);
        if (status) return status;
        tuple->list = first;
        *out = tuple;
    }
    return brackets ? tpl_expect(p, ')', "`)`") : WEIR_OK;
}

static enum weir_status parse_for(struct tpl_parser *p, struct tpl_node *node)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    enum weir_status status = parse_target(p, false, &node->a);
    if (!status && !tpl_accept_name(p, "in")) status = tpl_syntax(p, WEIR_ERR_FORMAT, "`in` is expected");
    if (!status) status = tpl_parse_tuple(p, false, false, &node->b);
    if (!status && tpl_accept_name(p, "if")) status = tpl_parse_expr(p, true, &node->c);
    if (!status && tpl_at_name(p, "recursive"))
        status = tpl_syntax(p, WEIR_ERR_UNSUPPORTED, "`recursive` loops are not supported");
    if (!status) status = block_end(p);
    if (!status) status = parse_body(p, ends, &node->list);
    if (status) return status;
    if (tpl_accept_name(p, "else")) return body_and_close(p, "endfor", &node->other);
    return closing_tag(p, "endfor");
}

static enum weir_status parse_set(struct tpl_parser *p, struct tpl_node *node)
{
    enum weir_status status = parse_target(p, true, &node->a);
    if (status) return status;
    if (tpl_accept(p, '=')) {
        status = tpl_parse_tuple(p, true, false, &node->b);
        return status ? status : block_end(p);
    }
    node->kind = TPL_S_SETBLOCK;
    if (tpl_accept(p, '|')) status = tpl_parse_filters(p, false, true, &node->b);
    return status ? status : body_and_close(p, "endset", &node->list);
}

/* "(a, b=1)" of a macro. */
static enum weir_status parse_params(struct tpl_parser *p, struct tpl_node **next)
{
    enum weir_status status = tpl_expect(p, '(', "`(`");
    while (!status && !tpl_accept(p, ')')) {
        status = new_node(p, TPL_E_KEYWORD, next);
        if (!status) status = take_name(p, &(*next)->name);
        if (!status && tpl_accept(p, '=')) status = tpl_parse_expr(p, true, &(*next)->a);
        if (status) return status;
        next = &(*next)->next;
        if (tpl_peek(p)->code != ')') status = tpl_expect(p, ',', "`,` or `)`");
    }
    return status;
}

static enum weir_status parse_macro(struct tpl_parser *p, struct tpl_node *node)
{
    enum weir_status status = take_name(p, &node->name);
    if (!status) status = parse_params(p, &node->params);
    return status ? status : body_and_close(p, "endmacro", &node->list);
}

static enum weir_status parse_call_block(struct tpl_parser *p, struct tpl_node *node)
{
    enum weir_status status = tpl_peek(p)->code == '(' ? parse_params(p, &node->params) : WEIR_OK;
    if (!status) status = tpl_parse_expr(p, true, &node->a);
    if (!status && node->a->kind != TPL_E_CALL) status = tpl_syntax(p, WEIR_ERR_FORMAT, "a call is expected");
    return status ? status : body_and_close(p, "endcall", &node->list);
}

static enum weir_status parse_filter_block(struct tpl_parser *p, struct tpl_node *node)
{
    enum weir_status status = tpl_parse_filters(p, false, true, &node->b);
    return status ? status : body_and_close(p, "endfilter", &node->list);
}

static enum weir_status parse_with(struct tpl_parser *p, struct tpl_node *node)
{
    struct tpl_node **next = &node->params;
    while (tpl_peek(p)->code != TPL_T_BLOCK_END) {
        enum weir_status status = node->params ? tpl_expect(p, ',', "`,`") : WEIR_OK;
        if (!status) status = new_node(p, TPL_E_KEYWORD, next);
        if (!status) status = take_name(p, &(*next)->name);
        if (!status) status = tpl_expect(p, '=', "`=`");
        if (!status) status = tpl_parse_expr(p, true, &(*next)->a);
        if (status) return status;
        next = &(*next)->next;
    }
    return body_and_close(p, "endwith", &node->list);
}

static enum weir_status parse_generation(struct tpl_parser *p, struct tpl_node *node)
{
    return body_and_close(p, "endgeneration", &node->list);
}

static enum weir_status parse_jump(struct tpl_parser *p, struct tpl_node *node)
{
    (void)node;
    return block_end(p);
}

/* A tag, whose `{%` is passed and whose name stands at p->at. */
static enum weir_status parse_tag(struct tpl_parser *p, struct tpl_node **out)
{
    static const struct {
        const char *name;
        enum tpl_kind kind;
        enum weir_status (*parse)(struct tpl_parser *p, struct tpl_node *node);
    } tags[] = {{"if", TPL_S_IF, parse_if},
                {"for", TPL_S_FOR, parse_for},
                {"set", TPL_S_SET, parse_set},
                {"macro", TPL_S_MACRO, parse_macro},
                {"call", TPL_S_CALL, parse_call_block},
                {"filter", TPL_S_FILTER, parse_filter_block},
                {"with", TPL_S_WITH, parse_with},
                {"generation", TPL_S_SCOPE, parse_generation},
                {"break", TPL_S_BREAK, parse_jump},
                {"continue", TPL_S_CONTINUE, parse_jump}};
    const struct tpl_token *token = tpl_peek(p);
    if (token->code != TPL_T_NAME) return tpl_syntax(p, WEIR_ERR_FORMAT, "the name of a tag is expected");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!tpl_text_is(token->text, tags[i].name)) continue;
        enum weir_status status = new_node(p, tags[i].kind, out);
        p->at++;
        return status ? status : tags[i].parse(p, *out);
    }
    return tpl_syntax(p, WEIR_ERR_UNSUPPORTED, "the tag `%.*s` is not supported",
                      (int)(token->text.size < 40 ? token->text.size : 40), token->text.data);
}

static bool at_end(const struct tpl_parser *p, end_names ends)
{
    for (; ends && *ends; ends++)
        if (tpl_at_name(p, *ends)) return true;
    return false;
}

static enum weir_status parse_statement(struct tpl_parser *p, struct tpl_node **out)
{
    const struct tpl_token *token = tpl_peek(p);
    enum weir_status status;
    if (token->code == TPL_T_DATA) {
        status = new_node(p, TPL_S_DATA, out);
        if (!status) (*out)->name = token->text;
        p->at++;
        return status;
    }
    if (!tpl_accept(p, TPL_T_PRINT_BEGIN)) return parse_tag(p, out);
    status = new_node(p, TPL_S_PRINT, out);
    if (!status) status = tpl_parse_tuple(p, true, false, &(*out)->a);
    return status ? status : tpl_expect(p, TPL_T_PRINT_END, "the end of the expression, `}}`,");
}

/* Statements up to a tag of `ends`, whose `{%` is passed; up to the end of the source when `ends` is NULL. */
static enum weir_status parse_body(struct tpl_parser *p, end_names ends, struct tpl_node **out)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return tpl_syntax(p, WEIR_ERR_LIMIT, "nested deeper than %d levels", TEMPLATE_DEPTH_MAX);
    enum weir_status status = WEIR_OK;
    for (struct tpl_node **next = out; !status; next = &(*next)->next) {
        if (tpl_peek(p)->code == TPL_T_END) {
            if (ends) return tpl_syntax(p, WEIR_ERR_FORMAT, "the template ends where `%s` is expected", ends[0]);
            break;
        }
        bool is_tag = tpl_accept(p, TPL_T_BLOCK_BEGIN);
        if (is_tag && at_end(p, ends)) break;
        status = parse_statement(p, next);
        if (status) return status;
    }
    p->depth--;
    return status;
}

enum weir_status tpl_parse(struct tpl_parser *p, struct tpl_node **body)
{
    return parse_body(p, NULL, body);
}
