/* Template source to tokens, with the white space rules of trim_blocks and lstrip_blocks.
 *
 * Line feeds are normalised and one at the end of the source is dropped, as jinja2 does. Text around a tag:
 *   before  {%- {{- {#-   all white space before it goes;   {%+   none;   {% {#   white space from the line's start goes
 *   after   -%} -}} -#}   all white space after it goes;    +%}   none;   %} #}   one line feed goes */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "task/template_internal.h"

struct lexer {
    struct tpl_parser *p;
    const char *at, *end;   /* of the normalised source */
    struct tpl_place place; /* of `at` */
    size_t capacity;
    bool line_starting; /* the last thing before `at` ended in a line feed, or nothing was before it */
};

static enum weir_status fail(struct lexer *l, enum weir_status status, const char *what)
{
    return error_set(l->p->error, status, TPL_PLACE "%s", l->place.line, l->place.column, what);
}

static enum weir_status add_token(struct lexer *l, struct tpl_token token)
{
    struct tpl_parser *p = l->p;
    if (p->n_tokens == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 256;
        struct tpl_token *tokens = mem_resize(p->tokens, capacity, sizeof *tokens);
        if (!tokens) return tpl_out_of_memory(p->error);
        p->tokens = tokens;
        l->capacity = capacity;
    }
    p->tokens[p->n_tokens++] = token;
    return WEIR_OK;
}

static enum weir_status add_code(struct lexer *l, int code)
{
    return add_token(l, (struct tpl_token){.code = code, .place = l->place});
}

/* Moves past `count` bytes, counting lines and characters. */
static void advance(struct lexer *l, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_feed = l->at[i] == '\n', is_tail = ((unsigned char)l->at[i] & 0xc0) == 0x80;
        l->place.line += is_feed;
        l->place.column = is_feed ? 1 : l->place.column + !is_tail;
    }
    if (count) l->line_starting = l->at[count - 1] == '\n';
    l->at += count;
}

static size_t left(const struct lexer *l)
{
    return (size_t)(l->end - l->at);
}

static bool looking_at(const struct lexer *l, const char *text)
{
    size_t size = strlen(text);
    return left(l) >= size && memcmp(l->at, text, size) == 0;
}

static size_t space_size(const char *at, const char *end)
{
    struct tpl_text rest = {.data = at, .size = (size_t)(end - at)};
    return rest.size - tpl_strip(rest, true, false).size;
}

/* Past the end mark of a tag: "%}" and what it takes with it. `trims` is false for "}}". */
static void pass_tag_end(struct lexer *l, bool trims)
{
    char sign = *l->at;
    advance(l, sign == '-' || sign == '+' ? 3 : 2);
    if (sign == '-')
        advance(l, space_size(l->at, l->end));
    else if (sign != '+' && trims && left(l) && *l->at == '\n')
        advance(l, 1);
}

/* Is the end mark `mark` (such as "%}"), perhaps signed, here? jinja2 knows "+" for blocks and comments only. */
static bool at_tag_end(const struct lexer *l, const char *mark, bool plus)
{
    if (looking_at(l, mark)) return true;
    return left(l) >= 3 && (*l->at == '-' || (plus && *l->at == '+')) && memcmp(l->at + 1, mark, 2) == 0;
}

static const char *find_tag(const char *at, const char *end)
{
    for (; end - at >= 2; at++) {
        at = memchr(at, '{', (size_t)(end - at) - 1);
        if (!at) return NULL;
        if (at[1] == '{' || at[1] == '%' || at[1] == '#') return at;
    }
    return NULL;
}

/* The text [at, tag) before a tag with this sign, as it is kept. */
static size_t kept_before(const struct lexer *l, const char *tag, char sign, bool is_print)
{
    size_t size = (size_t)(tag - l->at);
    struct tpl_text text = {.data = l->at, .size = size};
    if (sign == '-') return tpl_strip(text, false, true).size;
    if (sign == '+' || is_print) return size;
    const char *feed = size ? memrchr(l->at, '\n', size) : NULL;
    size_t start = feed ? (size_t)(feed - l->at) + 1 : 0;
    if (start == 0 && !l->line_starting) return size;
    return space_size(l->at + start, tag) == size - start ? start : size;
}

static enum weir_status add_data(struct lexer *l, const char *text, size_t size)
{
    if (size == 0) return WEIR_OK;
    return add_token(l,
                     (struct tpl_token){.code = TPL_T_DATA, .place = l->place, .text = {.data = text, .size = size}});
}

static enum weir_status lex_comment(struct lexer *l, size_t begin_size)
{
    struct tpl_place begin = l->place;
    advance(l, begin_size);
    while (left(l) && !at_tag_end(l, "#}", true)) advance(l, 1);
    if (!left(l)) {
        l->place = begin;
        return fail(l, WEIR_ERR_FORMAT, "a comment is not closed");
    }
    pass_tag_end(l, true);
    return WEIR_OK;
}

static size_t name_size(const struct lexer *l)
{
    size_t n = 0;
    while (n < left(l) && (l->at[n] == '_' || (l->at[n] >= 'a' && l->at[n] <= 'z') ||
                           (l->at[n] >= 'A' && l->at[n] <= 'Z') || (n && l->at[n] >= '0' && l->at[n] <= '9')))
        n++;
    return n;
}

static bool add_utf8(struct tpl_builder *b, uint32_t code)
{
    char bytes[4];
    size_t size;
    if (code < 0x80) {
        bytes[0] = (char)code;
        size = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3f));
        size = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (code & 0x3f));
        size = 3;
    } else {
        bytes[0] = (char)(0xf0 | code >> 18);
        bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (code & 0x3f));
        size = 4;
    }
    return tpl_add_bytes(b, bytes, size, TPL_TEMPLATE);
}

/* \xHH, \uHHHH, \UHHHHHHHH: exactly `digits` hexadecimal digits from `at`. */
static bool hex_escape(const char *at, const char *end, size_t digits, uint32_t *code)
{
    uint32_t value = 0;
    if ((size_t)(end - at) < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0 || value > 0x10ffff) return false;
        value = value << 4 | (uint32_t)digit;
    }
    *code = value;
    return value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

/* One escape after the backslash, as Python's unicode-escape codec reads it; *at moves past it. */
static enum weir_status unescape(struct lexer *l, const char **at, const char *end, struct tpl_builder *b)
{
    static const char letters[] = "ntr\\'\"abfv", values[] = "\n\t\r\\'\"\a\b\f\v";
    char c = **at;
    const char *letter = c ? strchr(letters, c) : NULL;
    uint32_t code = 0;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    ++*at;
    bool ok = true;
    if (letter) {
        ok = tpl_add_bytes(b, &values[letter - letters], 1, TPL_TEMPLATE);
    } else if (c == '\n') {
        return WEIR_OK; /* a continued line */
    } else if (digits) {
        if (!hex_escape(*at, end, digits, &code))
            return fail(l, WEIR_ERR_UNSUPPORTED, "this \\x, \\u or \\U escape is not supported");
        *at += digits;
        ok = add_utf8(b, code);
    } else if (c >= '0' && c <= '7') {
        code = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *at < end && **at >= '0' && **at <= '7'; i++)
            code = code * 8 + (uint32_t)(*(*at)++ - '0');
        ok = add_utf8(b, code);
    } else if (c == 'N') {
        return fail(l, WEIR_ERR_UNSUPPORTED, "\\N escapes are not supported");
    } else { /* kept with its backslash */
        ok = tpl_add_bytes(b, *at - 2, 2, TPL_TEMPLATE);
    }
    return ok ? WEIR_OK : tpl_out_of_memory(l->p->error);
}

static enum weir_status lex_string(struct lexer *l)
{
    char quote = *l->at;
    const char *begin = l->at + 1, *end = begin;
    while (end < l->end && *end != quote) end += *end == '\\' && l->end - end > 1 ? 2 : 1;
    if (end >= l->end) return fail(l, WEIR_ERR_FORMAT, "a string is not closed");
    struct tpl_token token = {
        .code = TPL_T_STRING, .place = l->place, .text = {.data = begin, .size = (size_t)(end - begin)}};
    if (memchr(begin, '\\', token.text.size)) {
        struct tpl_builder b = {.arena = l->p->arena};
        for (const char *at = begin; at < end;) {
            const char *stop = memchr(at, '\\', (size_t)(end - at));
            if (!stop) stop = end;
            if (!tpl_add_bytes(&b, at, (size_t)(stop - at), TPL_TEMPLATE)) return tpl_out_of_memory(l->p->error);
            at = stop;
            if (at == end) break;
            at++;
            enum weir_status status = unescape(l, &at, end, &b);
            if (status) return status;
        }
        token.text = tpl_built(&b);
        token.text.origins = NULL; /* all of it is template text */
    }
    advance(l, (size_t)(end + 1 - l->at));
    return add_token(l, token);
}

/* Decimal integers, and floats such as 1.5, 1e3, 1.5e-3. */
static enum weir_status lex_number(struct lexer *l)
{
    size_t n = 0;
    bool is_float = false;
    while (n < left(l) && l->at[n] >= '0' && l->at[n] <= '9') n++;
    if (n + 1 < left(l) && l->at[n] == '.' && l->at[n + 1] >= '0' && l->at[n + 1] <= '9') {
        is_float = true;
        for (n++; n < left(l) && l->at[n] >= '0' && l->at[n] <= '9';) n++;
    }
    size_t e = n + 1;
    if (n < left(l) && (l->at[n] == 'e' || l->at[n] == 'E')) {
        if (e < left(l) && (l->at[e] == '+' || l->at[e] == '-')) e++;
        if (e < left(l) && l->at[e] >= '0' && l->at[e] <= '9') {
            is_float = true;
            for (n = e; n < left(l) && l->at[n] >= '0' && l->at[n] <= '9';) n++;
        }
    }
    char text[64];
    char next = n < left(l) ? l->at[n] : ' ';
    if (n >= sizeof text || next == '_' || (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z'))
        return fail(l, WEIR_ERR_UNSUPPORTED, "this form of number is not supported");
    memcpy(text, l->at, n);
    text[n] = 0;
    if (!is_float && n > 1 && text[0] == '0')
        return fail(l, WEIR_ERR_UNSUPPORTED, "a number with leading zeros is not supported");
    struct tpl_token token = {.code = is_float ? TPL_T_FLOAT : TPL_T_INT, .place = l->place};
    errno = 0;
    if (is_float)
        token.real = strtod(text, NULL);
    else
        token.integer = strtoll(text, NULL, 10);
    if (errno) return fail(l, WEIR_ERR_UNSUPPORTED, "a number out of range");
    advance(l, n);
    return add_token(l, token);
}

static enum weir_status lex_operator(struct lexer *l)
{
    static const struct {
        const char *text;
        int code;
    } doubles[] = {{"==", TPL_T_EQ}, {"!=", TPL_T_NE},       {"<=", TPL_T_LE},
                   {">=", TPL_T_GE}, {"//", TPL_T_FLOORDIV}, {"**", TPL_T_POW}};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        if (!looking_at(l, doubles[i].text)) continue;
        enum weir_status status = add_code(l, doubles[i].code);
        advance(l, 2);
        return status;
    }
    char c = *l->at;
    if (!c || !strchr("+-/*%~[](){}<>=.:|,;", c))
        return fail(l, WEIR_ERR_FORMAT, "an unexpected character in an expression");
    enum weir_status status = add_code(l, c);
    advance(l, 1);
    return status;
}

/* The tokens of one tag up to its end mark, which counts only outside brackets. */
static enum weir_status lex_tag(struct lexer *l, bool is_print, size_t begin_size)
{
    struct tpl_place begin = l->place;
    advance(l, begin_size);
    const char *mark = is_print ? "}}" : "%}";
    unsigned brackets = 0;
    enum weir_status status = add_code(l, is_print ? TPL_T_PRINT_BEGIN : TPL_T_BLOCK_BEGIN);
    while (!status) {
        advance(l, space_size(l->at, l->end));
        if (!left(l)) {
            l->place = begin;
            return fail(l, WEIR_ERR_FORMAT, "a tag is not closed");
        }
        if (brackets == 0 && at_tag_end(l, mark, !is_print)) {
            status = add_code(l, is_print ? TPL_T_PRINT_END : TPL_T_BLOCK_END);
            pass_tag_end(l, !is_print);
            return status;
        }
        char c = *l->at;
        size_t name = name_size(l);
        if (name) {
            status = add_token(
                l, (struct tpl_token){.code = TPL_T_NAME, .place = l->place, .text = {.data = l->at, .size = name}});
            advance(l, name);
        } else if (c == '\'' || c == '"') {
            status = lex_string(l);
        } else if (c >= '0' && c <= '9') {
            status = lex_number(l);
        } else {
            if (strchr("([{", c)) brackets++;
            if (strchr(")]}", c)) {
                if (brackets == 0) return fail(l, WEIR_ERR_FORMAT, "a bracket is closed that was not opened");
                brackets--;
            }
            status = lex_operator(l);
        }
    }
    return status;
}

static bool at_raw(const struct lexer *l, size_t begin_size)
{
    const char *at = l->at + begin_size;
    at += space_size(at, l->end);
    if (l->end - at < 3 || memcmp(at, "raw", 3) != 0) return false;
    at += 3;
    at += space_size(at, l->end);
    return l->end - at >= 2 && (memcmp(at, "%}", 2) == 0 || (l->end - at >= 3 && memcmp(at, "-%}", 3) == 0));
}

static enum weir_status lex_source(struct lexer *l)
{
    l->place = (struct tpl_place){1, 1};
    l->line_starting = true;
    while (left(l)) {
        const char *tag = find_tag(l->at, l->end);
        if (!tag) {
            enum weir_status status = add_data(l, l->at, left(l));
            advance(l, left(l));
            return status;
        }
        char sign = l->end - tag > 2 && (tag[2] == '-' || tag[2] == '+') ? tag[2] : ' ';
        enum weir_status status = add_data(l, l->at, kept_before(l, tag, sign, tag[1] == '{'));
        if (status) return status;
        advance(l, (size_t)(tag - l->at));
        size_t begin_size = sign == ' ' ? 2 : 3;
        if (tag[1] == '%' && at_raw(l, begin_size))
            return fail(l, WEIR_ERR_UNSUPPORTED, "the tag `raw` is not supported");
        if (tag[1] == '#') {
            status = lex_comment(l, begin_size);
        } else {
            status = lex_tag(l, tag[1] == '{', begin_size);
        }
        if (status) return status;
    }
    return WEIR_OK;
}

/* A copy of the source in the arena with "\r\n" and "\r" as "\n", less one line feed at the end. */
static char *normalise(struct tpl_arena *arena, const char *source, size_t *size)
{
    char *copy = tpl_alloc(arena, *size + 1, 1);
    if (!copy) return NULL;
    size_t n = 0;
    for (size_t i = 0; i < *size; i++) {
        bool is_return = source[i] == '\r';
        copy[n++] = is_return ? '\n' : source[i];
        if (is_return && i + 1 < *size && source[i + 1] == '\n') i++;
    }
    if (n && copy[n - 1] == '\n') n--;
    *size = n;
    return copy;
}

enum weir_status tpl_lex(struct tpl_parser *p, const char *source, size_t size)
{
    const char *copy = normalise(p->arena, source, &size);
    if (!copy) return tpl_out_of_memory(p->error);
    struct lexer lexer = {.p = p, .at = copy, .end = copy + size};
    enum weir_status status = lex_source(&lexer);
    return status ? status : add_code(&lexer, TPL_T_END);
}
