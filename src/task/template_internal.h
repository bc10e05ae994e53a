/* Insides of the template engine, shared by the template_*.c files.
 *
 * template_arena.c   memory of one parse or rendering    template_lexer.c  source -> tokens, whitespace control
 * template_parser.c  tokens -> statements                template_expr.c   tokens -> expressions
 * template_value.c   values: truth, equality, lookup     template_text.c   texts with origins, Unicode helpers
 * template_print.c   str(), repr() and tojson            template_eval.c   expressions -> values
 * template_filter.c, template_test.c, template_method.c  what follows `|`, `is` and `.`
 * template_markup.c  what `safe` makes of a text
 * template_run.c     statements -> output                template.c        the API, JSON in, pieces out
 *
 * Every value lives in the arena of its rendering and is never freed alone. The Python semantics that are copied are those
 * of CPython 3.11 and jinja2 3.1. */
#ifndef WEIR_TASK_TEMPLATE_INTERNAL_H
#define WEIR_TASK_TEMPLATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/template.h"

/* Failures are expressions whose value is visibly not WEIR_OK: compilers and analysers then know that outputs of a failed call
 * are not read. tpl_out_of_memory(error) is for the parser, tpl_nomem(run) for the rendering. */
#define tpl_syntax(p, status, ...) ((void)tpl_report_syntax(p, status, __VA_ARGS__), (status))
#define tpl_fail(r, status, ...) ((void)tpl_report(r, status, __VA_ARGS__), (status))
#define tpl_fail_undefined(r, value) ((void)tpl_report_undefined(r, value), WEIR_ERR_INVALID)
#define tpl_nomem(r) (tpl_report_nomem(r) == WEIR_ERR_LIMIT ? WEIR_ERR_LIMIT : WEIR_ERR_NOMEM)
#define TPL_PLACE "chat template, line %u, column %u: "
#define tpl_out_of_memory(error) ((void)error_nomem(error, "chat template"), WEIR_ERR_NOMEM)

/* --- arena ----------------------------------------------------------------------------------------------------------- */

struct tpl_arena {
    struct tpl_block *blocks; /* owned list */
    size_t used, max;         /* bytes handed out, and how many may be */
    char *next, *end;         /* free part of the newest block */
};

void *tpl_alloc(struct tpl_arena *arena, size_t count, size_t size); /* zeroed; NULL without memory or beyond max */
void tpl_arena_free(struct tpl_arena *arena);

/* --- texts ----------------------------------------------------------------------------------------------------------- */

enum tpl_origin { TPL_TEMPLATE = 0, TPL_DATA = 1 };

/* UTF-8 bytes with the origin of each. */
struct tpl_text {
    const char *data;
    size_t size;
    const uint8_t *origins; /* [size] of enum tpl_origin, or NULL: all bytes are of `origin` */
    uint8_t origin;
    bool is_markup; /* Python's Markup: template_markup.c */
};

struct tpl_builder { /* a text that grows; memory from the arena */
    struct tpl_arena *arena;
    char *data;
    uint8_t *origins;
    size_t size, capacity;
};

#define TPL_TEXT(literal) ((struct tpl_text){.data = (literal), .size = sizeof(literal) - 1})
struct tpl_text tpl_text_c(const char *text); /* refers to `text`, which must live as long; origin template */
bool tpl_text_is(struct tpl_text text, const char *literal);
bool tpl_text_equal(struct tpl_text a, struct tpl_text b);
int tpl_text_compare(struct tpl_text a, struct tpl_text b);
struct tpl_text tpl_text_part(struct tpl_text text, size_t begin, size_t end);
bool tpl_text_find(struct tpl_text text, struct tpl_text what, size_t from, size_t *at);
bool tpl_text_starts(struct tpl_text text, struct tpl_text with);
bool tpl_text_ends(struct tpl_text text, struct tpl_text with);
bool tpl_text_is_ascii(struct tpl_text text);

/* false: no memory */
bool tpl_add(struct tpl_builder *b, struct tpl_text text);
bool tpl_add_bytes(struct tpl_builder *b, const char *bytes, size_t size, enum tpl_origin origin);
struct tpl_text tpl_built(struct tpl_builder *b);

/* UTF-8 code points; a byte that is not part of valid UTF-8 counts as one. */
size_t tpl_char_size(const char *at, size_t left);
size_t tpl_char_count(struct tpl_text text);
uint32_t tpl_char_at(const char *at, size_t size);                      /* of one code point of tpl_char_size bytes */
bool tpl_is_space(uint32_t code);                                       /* str.isspace */
struct tpl_text tpl_strip(struct tpl_text text, bool left, bool right); /* white space */
/* str.splitlines: the line at *at without its end, *at moved past that; false when no line is left. */
bool tpl_next_line(struct tpl_text text, size_t *at, struct tpl_text *line);
struct tpl_text tpl_strip_chars(struct tpl_text text, struct tpl_text chars, bool left, bool right);

/* --- values ---------------------------------------------------------------------------------------------------------- */

enum tpl_type {
    TPL_UNDEFINED, /* text: why, for the error */
    TPL_NONE,
    TPL_BOOL,
    TPL_INT,
    TPL_FLOAT,
    TPL_STRING,
    TPL_LIST,
    TPL_TUPLE,
    TPL_ITERATOR, /* what map, select ... give in Python: only iteration, always true; a list here */
    TPL_DICT,
    TPL_NAMESPACE,
    TPL_LOOP,
    TPL_MACRO,
    TPL_METHOD,  /* a method of a value, not called yet */
    TPL_FUNCTION /* a global function, by its name in text */
};

struct tpl_value {
    enum tpl_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct tpl_text text;
        struct tpl_list *list; /* LIST, TUPLE, ITERATOR */
        struct tpl_dict *dict; /* DICT, NAMESPACE */
        struct tpl_loop *loop;
        struct tpl_macro *macro;
        struct tpl_method *method;
    } as;
};

struct tpl_list {
    struct tpl_value *items;
    size_t count, capacity;
};

struct tpl_dict { /* in order of insertion */
    struct tpl_value *keys, *values;
    size_t count, capacity;
};

struct tpl_method {
    struct tpl_value self;
    struct tpl_text name;
};

struct tpl_macro {
    const struct tpl_node *node;
    struct tpl_scope *scope; /* where it was defined */
};

struct tpl_loop {
    const struct tpl_list *items;
    size_t index0;
    struct tpl_value changed; /* the last argument of loop.changed; UNDEFINED before the first call */
};

static inline struct tpl_value tpl_bool(bool value)
{
    return (struct tpl_value){.type = TPL_BOOL, .as.boolean = value};
}
static inline struct tpl_value tpl_int(int64_t value)
{
    return (struct tpl_value){.type = TPL_INT, .as.integer = value};
}
static inline struct tpl_value tpl_string(struct tpl_text text)
{
    return (struct tpl_value){.type = TPL_STRING, .as.text = text};
}
static inline bool tpl_is_listlike(const struct tpl_value *value)
{
    return value->type == TPL_LIST || value->type == TPL_TUPLE || value->type == TPL_ITERATOR;
}

/* --- the parsed template --------------------------------------------------------------------------------------------- */

enum tpl_kind {
    /* expressions */
    TPL_E_CONST,   /* constant */
    TPL_E_NAME,    /* name */
    TPL_E_LIST,    /* list */
    TPL_E_TUPLE,   /* list */
    TPL_E_DICT,    /* list: key, value, key, value ... */
    TPL_E_NOT,     /* a */
    TPL_E_MINUS,   /* a */
    TPL_E_PLUS,    /* a */
    TPL_E_BINARY,  /* a op b */
    TPL_E_AND,     /* a, b */
    TPL_E_OR,      /* a, b */
    TPL_E_CONCAT,  /* list */
    TPL_E_COMPARE, /* a, then list of E_BINARY nodes with op and b */
    TPL_E_COND,    /* b if a else c (c may be NULL) */
    TPL_E_ATTR,    /* a.name */
    TPL_E_ITEM,    /* a[b] */
    TPL_E_SLICE,   /* a[list: begin, end, step; E_CONST none where absent] */
    TPL_E_CALL,    /* a(list) */
    TPL_E_KEYWORD, /* in the list of a call: name=a */
    TPL_E_FILTER,  /* a|name(list); a is NULL in a filter block */
    TPL_E_TEST,    /* a is name(list) */
    /* statements */
    TPL_S_DATA,     /* name: the text */
    TPL_S_PRINT,    /* a */
    TPL_S_IF,       /* a, list: then, other: else */
    TPL_S_FOR,      /* a: target, b: iterable, c: condition or NULL, list: body, other: else */
    TPL_S_SET,      /* a: target, b: value */
    TPL_S_SETBLOCK, /* a: target, b: filter chain or NULL, list: body */
    TPL_S_MACRO,    /* name, params: E_KEYWORD nodes (a: default or NULL), list: body */
    TPL_S_CALL,     /* a: the call, params, list: body (`caller`) */
    TPL_S_FILTER,   /* b: filter chain, list: body */
    TPL_S_SCOPE,    /* list: body (generation) */
    TPL_S_WITH,     /* params: E_KEYWORD nodes, list: body */
    TPL_S_BREAK,
    TPL_S_CONTINUE
};

struct tpl_place { /* in the source, from 1; columns count code points */
    unsigned line, column;
};

struct tpl_node {
    enum tpl_kind kind;
    struct tpl_place place;
    int op; /* a token code of template_lexer.c */
    struct tpl_text name;
    struct tpl_value constant;
    struct tpl_node *a, *b, *c;
    struct tpl_node *list, *other, *params; /* first of a chain by `next` */
    struct tpl_node *next;
};

/* Tokens. Operators of one character are that character. */
enum tpl_token_code {
    TPL_T_END = 256, /* of the source */
    TPL_T_DATA,
    TPL_T_PRINT_BEGIN,
    TPL_T_PRINT_END,
    TPL_T_BLOCK_BEGIN,
    TPL_T_BLOCK_END,
    TPL_T_NAME,
    TPL_T_STRING,
    TPL_T_INT,
    TPL_T_FLOAT,
    TPL_T_EQ,
    TPL_T_NE,
    TPL_T_LE,
    TPL_T_GE,
    TPL_T_FLOORDIV,
    TPL_T_POW,
    TPL_T_IN,   /* only as an operator of E_COMPARE */
    TPL_T_NOTIN /* the same */
};

struct tpl_token {
    int code;
    struct tpl_place place;
    struct tpl_text text; /* DATA, NAME, STRING (decoded) */
    int64_t integer;
    double real;
};

struct tpl_parser {
    struct tpl_arena *arena;
    struct weir_error *error;
    struct tpl_token *tokens;
    size_t n_tokens, at;
    unsigned depth;
};

struct template
{
    struct tpl_arena arena; /* all nodes and their texts */
    struct tpl_node *body;
};

enum weir_status tpl_lex(struct tpl_parser *p, const char *source, size_t size) WEIR_MUST_USE;
enum weir_status tpl_parse(struct tpl_parser *p, struct tpl_node **body) WEIR_MUST_USE;

/* Shared by the two parser files. tpl_syntax: "chat template, line 3, column 9: ..." at the current token. */
enum weir_status tpl_report_syntax(struct tpl_parser *p, enum weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct tpl_node *tpl_node(struct tpl_parser *p, enum tpl_kind kind); /* at the current token; NULL without memory */
enum weir_status tpl_expect(struct tpl_parser *p, int code, const char *what) WEIR_MUST_USE;
bool tpl_accept(struct tpl_parser *p, int code);
bool tpl_accept_name(struct tpl_parser *p, const char *name);
bool tpl_at_name(const struct tpl_parser *p, const char *name);
static inline const struct tpl_token *tpl_peek(const struct tpl_parser *p)
{
    return &p->tokens[p->at];
}
enum weir_status tpl_parse_expr(struct tpl_parser *p, bool with_if, struct tpl_node **out) WEIR_MUST_USE;
enum weir_status tpl_parse_tuple(struct tpl_parser *p, bool with_if, bool in_parentheses,
                                 struct tpl_node **out) WEIR_MUST_USE;
enum weir_status tpl_parse_postfix(struct tpl_parser *p, struct tpl_node **node) WEIR_MUST_USE;
/* `|f(x)|g` after *node, `is` tests too unless `only_filters`; without `pipe` the first filter's name stands at once. */
enum weir_status tpl_parse_filters(struct tpl_parser *p, bool pipe, bool only_filters,
                                   struct tpl_node **node) WEIR_MUST_USE;

/* --- rendering ------------------------------------------------------------------------------------------------------- */

struct tpl_binding {
    struct tpl_text name;
    struct tpl_value value;
    struct tpl_binding *next;
};

struct tpl_scope {
    struct tpl_scope *parent;
    struct tpl_binding *first;
};

struct tpl_args {
    struct tpl_value *values; /* positional */
    size_t count;
    struct tpl_text *names; /* of the keyword arguments */
    struct tpl_value *named;
    size_t n_named;
};

struct tpl_run {
    struct tpl_arena arena;
    struct weir_error *error;
    struct tpl_scope *scope;
    struct tpl_builder *out;
    const struct tm *now;
    struct tpl_place place; /* of the node being evaluated, for errors */
    unsigned depth;
    size_t steps;
};

/* "chat template, line 3, column 9: ..." */
enum weir_status tpl_report(struct tpl_run *r, enum weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum weir_status tpl_report_nomem(struct tpl_run *r); /* memory or TEMPLATE_MEMORY_BYTES_MAX ran out */
enum weir_status tpl_step(struct tpl_run *r, size_t work) WEIR_MUST_USE;
enum weir_status tpl_enter(struct tpl_run *r) WEIR_MUST_USE; /* one level deeper; tpl_leave after success */
static inline void tpl_leave(struct tpl_run *r)
{
    r->depth--;
}

/* Values. */
bool tpl_truth(const struct tpl_value *value);
enum weir_status tpl_equal(struct tpl_run *r, const struct tpl_value *a, const struct tpl_value *b,
                           bool *out) WEIR_MUST_USE;
enum weir_status tpl_less(struct tpl_run *r, const struct tpl_value *a, const struct tpl_value *b,
                          bool *out) WEIR_MUST_USE;
enum weir_status tpl_contains(struct tpl_run *r, const struct tpl_value *item, const struct tpl_value *container,
                              bool *out) WEIR_MUST_USE;
enum weir_status tpl_iterate(struct tpl_run *r, const struct tpl_value *value, struct tpl_list **out) WEIR_MUST_USE;
enum weir_status tpl_length(struct tpl_run *r, const struct tpl_value *value, int64_t *out) WEIR_MUST_USE;
enum weir_status tpl_attribute(struct tpl_run *r, const struct tpl_value *value, struct tpl_text name,
                               struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_item(struct tpl_run *r, const struct tpl_value *value, const struct tpl_value *key,
                          struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_undefined(struct tpl_run *r, struct tpl_value *out, const char *format, ...) WEIR_MUST_USE
    __attribute__((format(printf, 3, 4)));
enum weir_status tpl_report_undefined(struct tpl_run *r, const struct tpl_value *value);
const char *tpl_type_name(const struct tpl_value *value);      /* as Python calls it: "str", "NoneType" */
bool tpl_number(const struct tpl_value *value, double *out);   /* of INT, FLOAT, BOOL */
bool tpl_integer(const struct tpl_value *value, int64_t *out); /* of INT, BOOL */

struct tpl_list *tpl_list_new(struct tpl_run *r, size_t capacity); /* NULL without memory */
bool tpl_list_add(struct tpl_run *r, struct tpl_list *list, struct tpl_value value);
struct tpl_dict *tpl_dict_new(struct tpl_run *r, size_t capacity);
bool tpl_dict_append(struct tpl_run *r, struct tpl_dict *dict, struct tpl_value key, struct tpl_value value);
enum weir_status tpl_dict_set(struct tpl_run *r, struct tpl_dict *dict, struct tpl_value key,
                              struct tpl_value value) WEIR_MUST_USE;
const struct tpl_value *tpl_dict_get(const struct tpl_dict *dict, struct tpl_text key); /* NULL: absent */
enum weir_status tpl_dict_find(struct tpl_run *r, const struct tpl_dict *dict, const struct tpl_value *key,
                               const struct tpl_value **out) WEIR_MUST_USE;
enum weir_status tpl_pairs(struct tpl_run *r, const struct tpl_dict *dict, struct tpl_list **out) WEIR_MUST_USE;

/* Printing. */
enum weir_status tpl_str(struct tpl_run *r, const struct tpl_value *value, struct tpl_text *out) WEIR_MUST_USE;
struct tpl_json_options {
    struct tpl_text indent; /* data NULL: one line */
    struct tpl_text item_separator, key_separator;
    bool ensure_ascii, sort_keys;
};
enum weir_status tpl_tojson(struct tpl_run *r, const struct tpl_value *value, const struct tpl_json_options *options,
                            struct tpl_text *out) WEIR_MUST_USE;

/* Texts that went through `safe`. */
enum weir_status tpl_add_markup(struct tpl_run *r, struct tpl_text a, struct tpl_text b,
                                struct tpl_value *out) WEIR_MUST_USE; /* a + b, where at least one is markup */
/* WEIR_ERR_UNSUPPORTED, "`what` of a text that ...", when the value is markup. */
enum weir_status tpl_check_plain(struct tpl_run *r, const struct tpl_value *value, const char *what) WEIR_MUST_USE;

/* Evaluating. */
enum weir_status tpl_eval(struct tpl_run *r, const struct tpl_node *node, struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_eval_args(struct tpl_run *r, const struct tpl_node *list, struct tpl_args *out) WEIR_MUST_USE;
enum weir_status tpl_call(struct tpl_run *r, const struct tpl_value *callee, const struct tpl_args *args,
                          struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_binary(struct tpl_run *r, int op, const struct tpl_value *a, const struct tpl_value *b,
                            struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_bind(struct tpl_run *r, struct tpl_scope *scope, struct tpl_text name,
                          struct tpl_value value) WEIR_MUST_USE;
enum weir_status tpl_filter(struct tpl_run *r, struct tpl_text name, const struct tpl_value *value,
                            const struct tpl_args *args, struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_test(struct tpl_run *r, struct tpl_text name, const struct tpl_value *value,
                          const struct tpl_args *args, bool *out) WEIR_MUST_USE;
bool tpl_has_method(const struct tpl_value *value, struct tpl_text name);
enum weir_status tpl_method_call(struct tpl_run *r, const struct tpl_method *method, const struct tpl_args *args,
                                 struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_function_call(struct tpl_run *r, struct tpl_text name, const struct tpl_args *args,
                                   struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_macro_call(struct tpl_run *r, const struct tpl_macro *macro, const struct tpl_args *args,
                                struct tpl_value *out) WEIR_MUST_USE;
enum weir_status tpl_run_body(struct tpl_run *r, const struct tpl_node *body) WEIR_MUST_USE;

/* Arguments by position or name: the value, or NULL when it is not given. */
const struct tpl_value *tpl_arg(const struct tpl_args *args, size_t index, const char *name);
/* An error unless there are at most `count_max` positional arguments and all names stand in the list (NULL at the end). */
enum weir_status tpl_check_args(struct tpl_run *r, const char *what, const struct tpl_args *args, size_t count_max,
                                const char *const *names) WEIR_MUST_USE;

#endif
