#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

struct reader {
    struct arena *arena;
    const char *name, *text;
    size_t size, at;
    size_t depth;
    struct weir_error *error;
};

static enum weir_status fail(const struct reader *r, const char *what)
{
    return error_set(r->error, WEIR_ERR_FORMAT, "%s: byte %zu: %s", r->name, r->at, what);
}

static enum weir_status no_room(const struct reader *r)
{
    if (!r->arena->over) return error_nomem(r->error, r->name);
    return error_set(r->error, WEIR_ERR_LIMIT, "%s: byte %zu: the document takes more than %zu bytes of memory",
                     r->name, r->at, r->arena->bytes_max);
}

static void skip_space(struct reader *r)
{
    static const char spaces[] = {' ', '\t', '\n', '\r'};
    while (r->at < r->size && memchr(spaces, r->text[r->at], sizeof spaces)) r->at++;
}

static bool take(struct reader *r, char c)
{
    if (r->at >= r->size || r->text[r->at] != c) return false;
    r->at++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The four digits after \u; false when there are none. */
static bool read_hex4(struct reader *r, uint32_t *out)
{
    uint32_t value = 0;
    if (r->size - r->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(r->text[r->at + (size_t)i]);
        if (digit < 0) return false;
        value = value << 4 | (uint32_t)digit;
    }
    r->at += 4;
    *out = value;
    return true;
}

size_t json_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00 >> n & 0xFF) | code);
    return n;
}

size_t json_utf8_code(const char *text, uint32_t *code)
{
    uint8_t lead = (uint8_t)text[0];
    if (lead < 0x80) {
        *code = lead;
        return 1;
    }
    size_t n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint32_t value = lead & (0x7FU >> n);
    for (size_t i = 1; i < n; i++) value = value << 6 | ((uint8_t)text[i] & 0x3FU);
    *code = value;
    return n;
}

/* Bytes of the UTF-8 character at text[at], 0 when it is none (RFC 3629). */
static size_t utf8_size(const char *text, size_t left)
{
    uint8_t lead = (uint8_t)text[0];
    if (lead < 0x80) return 1;
    size_t n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || left < n) return 0;
    for (size_t i = 1; i < n; i++)
        if (((uint8_t)text[i] & 0xC0) != 0x80) return 0;
    uint32_t code;
    (void)json_utf8_code(text, &code);
    if (n == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) return 0;
    if (n == 4 && (code < 0x10000 || code > 0x10FFFF)) return 0;
    return n;
}

static enum weir_status read_escape(struct reader *r, char *out, size_t *used)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at >= r->size) return fail(r, "a string that does not end");
    char c = r->text[r->at];
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        r->at++;
        out[(*used)++] = to[simple - from];
        return WEIR_OK;
    }
    uint32_t code, low;
    if (c != 'u') return fail(r, "expected one of \" \\ / b f n r t u after a backslash");
    r->at++;
    if (!read_hex4(r, &code)) return fail(r, "expected four hexadecimal digits after \\u");
    if (code >= 0xD800 && code < 0xE000) {
        if (code >= 0xDC00 || !take(r, '\\') || !take(r, 'u') || !read_hex4(r, &low) || low < 0xDC00 || low >= 0xE000)
            return fail(r, "a surrogate without its other half");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *used += json_utf8(code, out + *used);
    return WEIR_OK;
}

/* From after the opening quote to after the closing one. */
static size_t string_bytes(const struct reader *r)
{
    size_t at = r->at;
    while (at < r->size && r->text[at] != '"') at += r->text[at] == '\\' ? 2 : 1;
    return (at < r->size ? at : r->size) - r->at;
}

static enum weir_status read_string(struct reader *r, struct json_text *out)
{
    char *bytes = arena_zero(r->arena, string_bytes(r) + 4, 1); /* decoding never makes a string longer */
    if (!bytes) return no_room(r);
    size_t used = 0;
    while (r->at < r->size && r->text[r->at] != '"') {
        if ((uint8_t)r->text[r->at] < 0x20) return fail(r, "a control character inside a string");
        if (take(r, '\\')) {
            enum weir_status status = read_escape(r, bytes, &used);
            if (status) return status;
            continue;
        }
        size_t n = utf8_size(r->text + r->at, r->size - r->at);
        if (n == 0) return fail(r, "not UTF-8");
        memcpy(bytes + used, r->text + r->at, n);
        used += n;
        r->at += n;
    }
    if (!take(r, '"')) return fail(r, "a string that does not end");
    *out = (struct json_text){bytes, used};
    return WEIR_OK;
}

static bool skip_digits(struct reader *r)
{
    size_t start = r->at;
    while (r->at < r->size && r->text[r->at] >= '0' && r->text[r->at] <= '9') r->at++;
    return r->at > start;
}

static enum weir_status read_number(struct reader *r)
{
    (void)take(r, '-');
    if (!take(r, '0') && !skip_digits(r)) return fail(r, "expected a value");
    if (take(r, '.') && !skip_digits(r)) return fail(r, "expected a digit after the decimal point");
    if (r->at < r->size && (r->text[r->at] == 'e' || r->text[r->at] == 'E')) {
        r->at++;
        if (!take(r, '-')) (void)take(r, '+');
        if (!skip_digits(r)) return fail(r, "expected a digit in the exponent");
    }
    return WEIR_OK;
}

static bool read_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if (r->size - r->at < n || memcmp(r->text + r->at, word, n) != 0) return false;
    r->at += n;
    return true;
}

static enum weir_status read_value(struct reader *r, struct json_value *value);

static struct json_value *add_child(struct reader *r, struct json_value *parent, struct json_value **last)
{
    struct json_value *child = arena_zero(r->arena, 1, sizeof *child);
    if (!child) return NULL;
    child->parent = parent;
    child->index = parent->count++;
    *(*last ? &(*last)->next : &parent->first) = child;
    *last = child;
    return child;
}

static enum weir_status read_array(struct reader *r, struct json_value *array)
{
    struct json_value *last = NULL;
    skip_space(r);
    if (take(r, ']')) return WEIR_OK;
    do {
        struct json_value *item = add_child(r, array, &last);
        if (!item) return no_room(r);
        enum weir_status status = read_value(r, item);
        if (status) return status;
    } while (take(r, ','));
    return take(r, ']') ? WEIR_OK : fail(r, "expected , or ]");
}

static int compare_keys(const void *a, const void *b)
{
    struct json_text x = (*(struct json_value *const *)a)->key, y = (*(struct json_value *const *)b)->key;
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    return order ? order : (x.size > y.size) - (x.size < y.size);
}

/* Through a sorted list, so that a hostile document costs n log n. */
static enum weir_status check_keys(struct reader *r, const struct json_value *object)
{
    if (object->count < 2) return WEIR_OK;
    struct json_value **members = mem_zero(object->count, sizeof *members);
    if (!members) return error_nomem(r->error, r->name);
    size_t n = 0;
    for (struct json_value *m = object->first; m; m = m->next) members[n++] = m;
    qsort(members, n, sizeof *members, compare_keys);
    enum weir_status status = WEIR_OK;
    for (size_t i = 1; i < n && !status; i++) {
        if (compare_keys(&members[i - 1], &members[i]) != 0) continue;
        status =
            error_set(r->error, WEIR_ERR_FORMAT, "%s: before byte %zu: the key \"%.*s\" twice in one object", r->name,
                      r->at, (int)(members[i]->key.size < 60 ? members[i]->key.size : 60), members[i]->key.data);
    }
    free(members);
    return status;
}

static enum weir_status read_object(struct reader *r, struct json_value *object)
{
    struct json_value *last = NULL;
    skip_space(r);
    if (take(r, '}')) return WEIR_OK;
    do {
        struct json_value *member = add_child(r, object, &last);
        if (!member) return no_room(r);
        skip_space(r);
        if (!take(r, '"')) return fail(r, "expected a key in double quotes");
        enum weir_status status = read_string(r, &member->key);
        if (status) return status;
        skip_space(r);
        if (!take(r, ':')) return fail(r, "expected :");
        status = read_value(r, member);
        if (status) return status;
    } while (take(r, ','));
    if (!take(r, '}')) return fail(r, "expected , or }");
    return check_keys(r, object);
}

static enum weir_status read_nested(struct reader *r, struct json_value *value)
{
    if (r->depth == JSON_DEPTH_MAX)
        return error_set(r->error, WEIR_ERR_LIMIT, "%s: byte %zu: nested deeper than %d", r->name, r->at,
                         JSON_DEPTH_MAX);
    r->depth++;
    r->at++;
    enum weir_status status = value->kind == JSON_ARRAY ? read_array(r, value) : read_object(r, value);
    r->depth--;
    return status;
}

static enum weir_status read_plain(struct reader *r, struct json_value *value)
{
    if (take(r, '"')) {
        value->kind = JSON_STRING;
        return read_string(r, &value->string);
    }
    static const struct {
        const char *word;
        enum json_kind kind;
    } words[] = {{"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};
    for (size_t i = 0; i < 3; i++) {
        value->kind = words[i].kind;
        if (read_word(r, words[i].word)) return WEIR_OK;
    }
    value->kind = JSON_NUMBER;
    return read_number(r);
}

/* One value and the white space around it. */
static enum weir_status read_value(struct reader *r, struct json_value *value)
{
    skip_space(r);
    if (r->at >= r->size) return fail(r, "expected a value, found the end");
    size_t start = r->at;
    enum weir_status status;
    if (r->text[r->at] == '[' || r->text[r->at] == '{') {
        value->kind = r->text[r->at] == '[' ? JSON_ARRAY : JSON_OBJECT;
        status = read_nested(r, value);
    } else {
        status = read_plain(r, value);
    }
    value->source = (struct json_text){r->text + start, r->at - start};
    skip_space(r);
    return status;
}

enum weir_status json_read(struct arena *arena, const char *name, const char *text, size_t size,
                           struct json_value **out, struct weir_error *error)
{
    struct reader r = {.arena = arena, .name = name, .text = text, .size = size, .error = error};
    struct json_value *root = arena_zero(arena, 1, sizeof *root);
    if (!root) return no_room(&r);
    enum weir_status status = read_value(&r, root);
    if (status) return status;
    if (r.at < size) return fail(&r, "expected the end");
    *out = root;
    return WEIR_OK;
}
