/* Patterns to syntax trees. */
#include <string.h>

#include "base/error.h"
#include "constrain/regex_internal.h"

struct parser {
    struct arena *arena;
    struct json_text text;
    size_t at, nodes, depth;
    struct weir_error *error;
};

static enum weir_status fail(const struct parser *p, enum weir_status status, const char *what)
{
    return error_set(p->error, status, "%s at byte %zu of the pattern", what, p->at);
}

static enum weir_status no_memory(const struct parser *p)
{
    return p->arena->over ? fail(p, WEIR_ERR_LIMIT, "too large") : error_nomem(p->error, "a pattern");
}

static bool at_end(const struct parser *p)
{
    return p->at >= p->text.size;
}

static char peek(const struct parser *p)
{
    return at_end(p) ? '\0' : p->text.data[p->at];
}

static bool take(struct parser *p, const char *word)
{
    size_t n = strlen(word);
    if (p->text.size - p->at < n || memcmp(p->text.data + p->at, word, n) != 0) return false;
    p->at += n;
    return true;
}

static enum weir_status new_node(struct parser *p, enum regex_kind kind, struct regex_node **out)
{
    if (++p->nodes > REGEX_NODES_MAX) return fail(p, WEIR_ERR_LIMIT, "too many parts");
    *out = arena_zero(p->arena, 1, sizeof **out);
    if (!*out) return no_memory(p);
    (*out)->kind = kind;
    return WEIR_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly `n` hexadecimal digits; moves past them only then. */
static bool take_hex(struct parser *p, size_t n, uint32_t *out)
{
    uint32_t value = 0;
    if (p->text.size - p->at < n) return false;
    for (size_t i = 0; i < n; i++) {
        int digit = hex_value(p->text.data[p->at + i]);
        if (digit < 0) return false;
        value = value << 4 | (uint32_t)digit;
    }
    p->at += n;
    *out = value;
    return true;
}

/* After \u: {H...}, HHHH, or a surrogate pair as two of the latter. */
static enum weir_status parse_unicode(struct parser *p, uint32_t *code)
{
    if (take(p, "{")) {
        uint32_t digit, value = 0;
        bool any = false;
        while (value < DFA_CODE_END && take_hex(p, 1, &digit)) {
            value = value << 4 | digit;
            any = true;
        }
        if (!any || value >= DFA_CODE_END || !take(p, "}")) return fail(p, WEIR_ERR_FORMAT, "expected \\u{code point}");
        *code = value;
        return WEIR_OK;
    }
    if (!take_hex(p, 4, code)) return fail(p, WEIR_ERR_FORMAT, "expected four hexadecimal digits after \\u");
    size_t before = p->at;
    uint32_t low;
    if (*code >= 0xD800 && *code < 0xDC00 && take(p, "\\u") && take_hex(p, 4, &low) && low >= 0xDC00 && low < 0xE000)
        *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    else
        p->at = before;
    return WEIR_OK;
}

static enum weir_status parse_property(struct parser *p, bool negated, struct charset *set)
{
    struct charset own = {0};
    if (!take(p, "{")) return fail(p, WEIR_ERR_FORMAT, "expected { after \\p");
    size_t start = p->at;
    while (!at_end(p) && peek(p) != '}') p->at++;
    struct json_text name = {p->text.data + start, p->at - start};
    if (!take(p, "}")) return fail(p, WEIR_ERR_FORMAT, "expected } after \\p{");
    enum weir_status status = charset_add_property(&own, p->arena, name);
    if (status == WEIR_ERR_UNSUPPORTED) return fail(p, status, "a Unicode property that is not supported");
    if (!status && negated) status = charset_negate(&own, p->arena);
    if (!status) status = charset_add_all(set, p->arena, &own);
    return status ? no_memory(p) : WEIR_OK;
}

/* One character after a backslash that is no class. */
static enum weir_status parse_character_escape(struct parser *p, uint32_t *code)
{
    static const char from[] = "tnvfr", to[] = "\t\n\v\f\r";
    char c = peek(p);
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        p->at++;
        *code = (uint8_t)to[simple - from];
        return WEIR_OK;
    }
    if (take(p, "u")) return parse_unicode(p, code);
    if (take(p, "x"))
        return take_hex(p, 2, code) ? WEIR_OK : fail(p, WEIR_ERR_FORMAT, "expected two hexadecimal digits after \\x");
    if (take(p, "c")) {
        c = (char)(peek(p) | 0x20);
        if (c < 'a' || c > 'z') return fail(p, WEIR_ERR_FORMAT, "expected a letter after \\c");
        *code = (uint32_t)(c - 'a' + 1);
        p->at++;
        return WEIR_OK;
    }
    if (c == '0' && !(p->at + 1 < p->text.size && p->text.data[p->at + 1] >= '0' && p->text.data[p->at + 1] <= '9')) {
        p->at++;
        *code = 0;
        return WEIR_OK;
    }
    if (c >= '0' && c <= '9') return fail(p, WEIR_ERR_UNSUPPORTED, "a back-reference (not supported)");
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return fail(p, WEIR_ERR_UNSUPPORTED, "an escape that is not supported");
    if (at_end(p)) return fail(p, WEIR_ERR_FORMAT, "a backslash at the end");
    p->at += json_utf8_code(p->text.data + p->at, code);
    return WEIR_OK;
}

/* After a backslash: a class goes into *set (*is_class), a character into *code. */
static enum weir_status parse_escape(struct parser *p, struct charset *set, bool *is_class, uint32_t *code)
{
    char c = peek(p);
    *is_class = c && strchr("dDwWsSpP", c);
    if (!*is_class) return parse_character_escape(p, code);
    p->at++;
    if (c == 'p' || c == 'P') return parse_property(p, c == 'P', set);
    return charset_add_escape(set, p->arena, c) ? no_memory(p) : WEIR_OK;
}

static enum weir_status parse_class_atom(struct parser *p, struct charset *set, bool *is_class, uint32_t *code)
{
    *is_class = false;
    if (at_end(p)) return fail(p, WEIR_ERR_FORMAT, "expected ]");
    if (!take(p, "\\")) {
        p->at += json_utf8_code(p->text.data + p->at, code);
        return WEIR_OK;
    }
    if (take(p, "b")) {
        *code = '\b';
        return WEIR_OK;
    }
    return parse_escape(p, set, is_class, code);
}

static enum weir_status parse_class_item(struct parser *p, struct charset *set)
{
    uint32_t first, last;
    bool first_class, last_class;
    enum weir_status status = parse_class_atom(p, set, &first_class, &first);
    if (status) return status;
    bool range = peek(p) == '-' && p->at + 1 < p->text.size && p->text.data[p->at + 1] != ']';
    if (!range) return first_class || !charset_add(set, p->arena, first, first) ? WEIR_OK : no_memory(p);
    p->at++;
    status = parse_class_atom(p, set, &last_class, &last);
    if (status) return status;
    if (!first_class && !last_class) {
        if (first > last) return fail(p, WEIR_ERR_FORMAT, "a range whose end is below its start");
        return charset_add(set, p->arena, first, last) ? no_memory(p) : WEIR_OK;
    }
    status = charset_add(set, p->arena, '-', '-'); /* beside a class - is itself */
    if (!status && !first_class) status = charset_add(set, p->arena, first, first);
    if (!status && !last_class) status = charset_add(set, p->arena, last, last);
    return status ? no_memory(p) : WEIR_OK;
}

static enum weir_status parse_class(struct parser *p, struct charset *set)
{
    bool negated = take(p, "^");
    while (!take(p, "]")) {
        enum weir_status status = parse_class_item(p, set);
        if (status) return status;
    }
    charset_normalise(set);
    if (!negated) return WEIR_OK;
    return charset_negate(set, p->arena) ? no_memory(p) : WEIR_OK;
}

static enum weir_status parse_alternatives(struct parser *p, const struct regex_node **out);

static enum weir_status parse_group(struct parser *p, const struct regex_node **out)
{
    if (take(p, "?")) {
        if (take(p, "=") || take(p, "!")) return fail(p, WEIR_ERR_UNSUPPORTED, "look-ahead (not supported)");
        if (take(p, "<=") || take(p, "<!")) return fail(p, WEIR_ERR_UNSUPPORTED, "look-behind (not supported)");
        if (take(p, "<")) {
            while (!at_end(p) && peek(p) != '>') p->at++;
            if (!take(p, ">")) return fail(p, WEIR_ERR_FORMAT, "expected > after a group's name");
        } else if (!take(p, ":")) {
            return fail(p, WEIR_ERR_UNSUPPORTED, "a kind of group that is not supported");
        }
    }
    if (p->depth == REGEX_DEPTH_MAX) return fail(p, WEIR_ERR_LIMIT, "groups nested too deeply");
    p->depth++;
    enum weir_status status = parse_alternatives(p, out);
    p->depth--;
    if (status) return status;
    return take(p, ")") ? WEIR_OK : fail(p, WEIR_ERR_FORMAT, "expected )");
}

static enum weir_status parse_set(struct parser *p, struct regex_node *node)
{
    uint32_t code;
    bool is_class = false;
    enum weir_status status = WEIR_OK;
    if (take(p, "[")) return parse_class(p, &node->set);
    if (take(p, ".")) return charset_add_escape(&node->set, p->arena, '.') ? no_memory(p) : WEIR_OK;
    if (take(p, "\\")) {
        if (peek(p) == 'b' || peek(p) == 'B') return fail(p, WEIR_ERR_UNSUPPORTED, "a word boundary (not supported)");
        status = parse_escape(p, &node->set, &is_class, &code);
    } else {
        p->at += json_utf8_code(p->text.data + p->at, &code);
    }
    if (!status && !is_class && charset_add(&node->set, p->arena, code, code)) status = no_memory(p);
    charset_normalise(&node->set);
    return status;
}

static enum weir_status parse_atom(struct parser *p, const struct regex_node **out)
{
    struct regex_node *node;
    if (take(p, "(")) return parse_group(p, out);
    char c = peek(p);
    if (c == '*' || c == '+' || c == '?') return fail(p, WEIR_ERR_FORMAT, "nothing to repeat");
    enum regex_kind kind = c == '^' ? REGEX_BEGIN : c == '$' ? REGEX_END : REGEX_SET;
    enum weir_status status = new_node(p, kind, &node);
    if (status) return status;
    *out = node;
    if (kind == REGEX_SET) return parse_set(p, node);
    p->at++;
    return WEIR_OK;
}

static bool take_number(struct parser *p, uint32_t *out)
{
    uint32_t value = 0;
    size_t start = p->at;
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
        if (value <= REGEX_REPEAT_MAX) value = value * 10 + (uint32_t)(peek(p) - '0');
    *out = value;
    return p->at > start;
}

/* {n}, {n,}, {n,m}; false, nothing taken: no quantifier, the brace is itself. */
static bool take_counts(struct parser *p, uint32_t *low, uint32_t *high)
{
    size_t before = p->at;
    if (take(p, "{") && take_number(p, low)) {
        *high = *low;
        if (take(p, ",") && !take_number(p, high)) *high = UINT32_MAX;
        if (take(p, "}")) return true;
    }
    p->at = before;
    return false;
}

static enum weir_status parse_repeat(struct parser *p, const struct regex_node **out)
{
    enum weir_status status = parse_atom(p, out);
    for (bool first = true; !status; first = false) {
        uint32_t low = 0, high = UINT32_MAX;
        if (take(p, "+"))
            low = 1;
        else if (take(p, "?"))
            high = 1;
        else if (!take(p, "*") && !take_counts(p, &low, &high))
            return WEIR_OK;
        if (!first) return fail(p, WEIR_ERR_FORMAT, "nothing to repeat");
        if (low > high) return fail(p, WEIR_ERR_FORMAT, "a repetition whose maximum is below its minimum");
        if (low > REGEX_REPEAT_MAX || (high != UINT32_MAX && high > REGEX_REPEAT_MAX))
            return fail(p, WEIR_ERR_LIMIT, "too many repetitions");
        (void)take(p, "?"); /* lazy: the same strings */
        struct regex_node *node;
        status = new_node(p, REGEX_REPEAT, &node);
        if (status) return status;
        node->left = *out;
        node->repeat_min = low;
        node->repeat_max = high;
        *out = node;
    }
    return status;
}

static enum weir_status join(struct parser *p, enum regex_kind kind, const struct regex_node *right,
                             const struct regex_node **left)
{
    struct regex_node *node;
    if (!*left) {
        *left = right;
        return WEIR_OK;
    }
    enum weir_status status = new_node(p, kind, &node);
    if (status) return status;
    node->left = *left;
    node->right = right;
    *left = node;
    return WEIR_OK;
}

static enum weir_status parse_sequence(struct parser *p, const struct regex_node **out)
{
    enum weir_status status = WEIR_OK;
    *out = NULL;
    while (!status && !at_end(p) && peek(p) != '|' && peek(p) != ')') {
        const struct regex_node *next = NULL;
        status = parse_repeat(p, &next);
        if (!status) status = join(p, REGEX_CAT, next, out);
    }
    if (status || *out) return status;
    struct regex_node *empty;
    status = new_node(p, REGEX_EMPTY, &empty);
    if (!status) *out = empty;
    return status;
}

static enum weir_status parse_alternatives(struct parser *p, const struct regex_node **out)
{
    const struct regex_node *all = NULL;
    enum weir_status status;
    do {
        const struct regex_node *next = NULL;
        status = parse_sequence(p, &next);
        if (!status) status = join(p, REGEX_ALT, next, &all);
    } while (!status && take(p, "|"));
    *out = all;
    return status;
}

enum weir_status regex_parse(struct arena *scratch, struct json_text pattern, const struct regex_node **out,
                             struct weir_error *error)
{
    struct parser p = {.arena = scratch, .text = pattern, .error = error};
    enum weir_status status = parse_alternatives(&p, out);
    if (status) return status;
    return at_end(&p) ? WEIR_OK : fail(&p, WEIR_ERR_FORMAT, "a ) without its (");
}
