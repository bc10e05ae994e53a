/* A strict JSON reader (RFC 8259) that keeps what was written.
 *
 * jansson reads configuration and replies elsewhere; here it is not enough, because it turns numbers into doubles and 64-bit
 * integers and refuses \u0000. This reader keeps every lexeme: a value knows the bytes it was written as, a string also its
 * decoded bytes, which may hold NUL. Refused: bytes that are not UTF-8, lone surrogates, a key twice in an object, anything
 * after the value, nesting beyond JSON_DEPTH_MAX, more bytes than the document's arena takes. */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "weir/status.h"

enum { JSON_DEPTH_MAX = 256 };

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_text {
    const char *data;
    size_t size;
};

struct json_value {
    enum json_kind kind;
    uint32_t index;                  /* among its parent's children */
    uint32_t count;                  /* of children */
    uint32_t tag;                    /* for the owner's use; 0 at first */
    struct json_text source;         /* the bytes it was written as */
    struct json_text string;         /* JSON_STRING: decoded */
    struct json_text key;            /* decoded; of a member of an object */
    const struct json_value *parent; /* NULL: the root */
    struct json_value *first, *next; /* first child, next sibling, in the order written */
};

/* Reads all of `text`, which must outlive the document. `name` begins error texts. Values lie in `arena`. WEIR_ERR_FORMAT, WEIR_ERR_LIMIT,
 * WEIR_ERR_NOMEM. */
enum weir_status json_read(struct arena *arena, const char *name, const char *text, size_t size,
                           struct json_value **out, struct weir_error *error) WEIR_MUST_USE;

/* NULL: not an object, or no such member. */
struct json_value *json_member(const struct json_value *object, const char *key);
struct json_value *json_member_text(const struct json_value *object, struct json_text key);

/* As the values of JSON: numbers by their value, whatever the spelling, objects whatever the order. */
bool json_same(const struct json_value *a, const struct json_value *b);

bool json_text_equal(struct json_text a, struct json_text b);
bool json_text_is(struct json_text a, const char *b);

/* A decimal number as sign, digits and exponent: value = digits * 10^exponent, digits without leading or trailing zeros; no digits: 0. */
struct json_decimal {
    bool negative;
    const char *digits; /* inside the arena */
    size_t count;
    int64_t exponent;
};

/* WEIR_ERR_NOMEM; WEIR_ERR_LIMIT: an exponent beyond +-10^9. */
enum weir_status json_decimal(struct arena *arena, struct json_text lexeme, struct json_decimal *out) WEIR_MUST_USE;
int json_decimal_compare(const struct json_decimal *a, const struct json_decimal *b); /* <0, 0, >0 */

/* Appends the pointer (RFC 6901) of `value` to text[0..size), cut there; returns text. */
const char *json_pointer(const struct json_value *value, char *text, size_t size);

/* Appends the code point as UTF-8; returns the bytes written, at most 4. */
size_t json_utf8(uint32_t code, char *out);

/* The code point at text[0], size >= 1, of valid UTF-8. */
size_t json_utf8_code(const char *text, uint32_t *code);

#endif
