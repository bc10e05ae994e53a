/* Looking at values that json_read gave: members, equality, exact decimals, pointers. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"

bool json_text_equal(struct json_text a, struct json_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool json_text_is(struct json_text a, const char *b)
{
    return json_text_equal(a, (struct json_text){b, strlen(b)});
}

struct json_value *json_member_text(const struct json_value *object, struct json_text key)
{
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (struct json_value *m = object->first; m; m = m->next)
        if (json_text_equal(m->key, key)) return m;
    return NULL;
}

struct json_value *json_member(const struct json_value *object, const char *key)
{
    return json_member_text(object, (struct json_text){key, strlen(key)});
}

enum { EXPONENT_MAX = 1000000000 };

/* "+17", "-3", "": the exponent of a lexeme. */
static bool read_exponent(struct json_text text, int64_t *out)
{
    bool negative = text.size && text.data[0] == '-';
    int64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') continue;
        value = value * 10 + (text.data[i] - '0');
        if (value > EXPONENT_MAX) return false;
    }
    *out = negative ? -value : value;
    return true;
}

enum weir_status json_decimal(struct arena *arena, struct json_text lexeme, struct json_decimal *out)
{
    char *digits = arena_zero(arena, lexeme.size + 1, 1);
    if (!digits) return WEIR_ERR_NOMEM;
    size_t count = 0, i = 0;
    int64_t fraction = 0, exponent = 0;
    bool after_point = false;
    for (; i < lexeme.size && lexeme.data[i] != 'e' && lexeme.data[i] != 'E'; i++) {
        char c = lexeme.data[i];
        if (c == '.') after_point = true;
        if (c < '0' || c > '9') continue;
        if (after_point) fraction++;
        if (count || c != '0') digits[count++] = c;
    }
    if (i < lexeme.size && !read_exponent((struct json_text){lexeme.data + i + 1, lexeme.size - i - 1}, &exponent))
        return WEIR_ERR_LIMIT;
    exponent -= fraction;
    while (count && digits[count - 1] == '0') {
        count--;
        exponent++;
    }
    *out = (struct json_decimal){
        .negative = count && lexeme.data[0] == '-', .digits = digits, .count = count, .exponent = count ? exponent : 0};
    return WEIR_OK;
}

static int compare_magnitude(const struct json_decimal *a, const struct json_decimal *b)
{
    if (!a->count || !b->count) return (a->count > 0) - (b->count > 0);
    int64_t high_a = a->exponent + (int64_t)a->count, high_b = b->exponent + (int64_t)b->count;
    if (high_a != high_b) return high_a < high_b ? -1 : 1;
    int order = memcmp(a->digits, b->digits, a->count < b->count ? a->count : b->count);
    return order ? order : (a->count > b->count) - (a->count < b->count); /* no trailing zeros: longer is larger */
}

int json_decimal_compare(const struct json_decimal *a, const struct json_decimal *b)
{
    if (a->negative != b->negative) return a->negative ? -1 : 1;
    return a->negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

static bool numbers_equal(struct json_text a, struct json_text b)
{
    struct arena arena = {0};
    struct json_decimal x, y;
    bool equal = !json_decimal(&arena, a, &x) && !json_decimal(&arena, b, &y) ? json_decimal_compare(&x, &y) == 0
                                                                              : json_text_equal(a, b);
    arena_free(&arena);
    return equal;
}

static bool arrays_equal(const struct json_value *a, const struct json_value *b)
{
    for (a = a->first, b = b->first; a && b; a = a->next, b = b->next)
        if (!json_same(a, b)) return false;
    return true;
}

static bool objects_equal(const struct json_value *a, const struct json_value *b)
{
    for (const struct json_value *m = a->first; m; m = m->next) {
        const struct json_value *other = json_member_text(b, m->key);
        if (!other || !json_same(m, other)) return false;
    }
    return true;
}

bool json_same(const struct json_value *a, const struct json_value *b)
{
    if (a->kind != b->kind || a->count != b->count) return false;
    switch (a->kind) {
    case JSON_NUMBER:
        return numbers_equal(a->source, b->source);
    case JSON_STRING:
        return json_text_equal(a->string, b->string);
    case JSON_ARRAY:
        return arrays_equal(a, b);
    case JSON_OBJECT:
        return objects_equal(a, b);
    default:
        return true;
    }
}

static size_t put(char *text, size_t size, size_t at, char c)
{
    if (at + 1 < size) text[at++] = c;
    return at;
}

static size_t put_key(char *text, size_t size, size_t at, struct json_text key)
{
    for (size_t i = 0; i < key.size; i++) {
        char c = key.data[i];
        if (c == '~' || c == '/') {
            at = put(text, size, at, '~');
            c = c == '~' ? '0' : '1';
        }
        at = put(text, size, at, (unsigned char)c < 0x20 ? '?' : c);
    }
    return at;
}

static size_t put_pointer(const struct json_value *value, char *text, size_t size, size_t at)
{
    if (!value->parent) return at;
    at = put(text, size, put_pointer(value->parent, text, size, at), '/');
    if (value->parent->kind == JSON_OBJECT) return put_key(text, size, at, value->key);
    char digits[16];
    int n = snprintf(digits, sizeof digits, "%u", value->index);
    return put_key(text, size, at, (struct json_text){digits, (size_t)n});
}

const char *json_pointer(const struct json_value *value, char *text, size_t size)
{
    text[put_pointer(value, text, size, 0)] = '\0';
    return text;
}
