/* JSON as it was written: a strict reader whose values know their own bytes.
 *
 * For schemas and instances, where 1.0 is not 1 and a long integer must not lose digits. Refused: bytes that are not UTF-8, lone
 * surrogates, a key twice in one object, nesting beyond 256, anything after the value. Values live as long as the document and the
 * text it was read from. Everything is immutable and thread-safe once read. */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include <stddef.h>

#include "weir/gguf.h" /* struct weir_string */
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir_json_kind {
    WEIR_JSON_NULL,
    WEIR_JSON_FALSE,
    WEIR_JSON_TRUE,
    WEIR_JSON_NUMBER,
    WEIR_JSON_STRING,
    WEIR_JSON_ARRAY,
    WEIR_JSON_OBJECT
};

struct weir_json;       /* a document */
struct weir_json_value; /* one of its values */

/* `text` must outlive the document. WEIR_ERR_FORMAT, WEIR_ERR_LIMIT, WEIR_ERR_NOMEM. */
WEIR_API enum weir_status weir_json_read(const char *text, size_t size, struct weir_json **out,
                                         struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_json_close(struct weir_json **document);
WEIR_API const struct weir_json_value *weir_json_root(const struct weir_json *document);

WEIR_API enum weir_json_kind weir_json_kind(const struct weir_json_value *value);
WEIR_API struct weir_string weir_json_source(const struct weir_json_value *value); /* the bytes it was written as */
WEIR_API struct weir_string weir_json_string(const struct weir_json_value *value); /* decoded; {NULL,0}: no string */
WEIR_API struct weir_string weir_json_key(const struct weir_json_value *value);    /* decoded, of a member */

/* NULL: no such member, no child, no next one. */
WEIR_API const struct weir_json_value *weir_json_member(const struct weir_json_value *object, const char *key);
WEIR_API const struct weir_json_value *weir_json_first(const struct weir_json_value *value);
WEIR_API const struct weir_json_value *weir_json_next(const struct weir_json_value *value);

#ifdef __cplusplus
}
#endif
#endif
