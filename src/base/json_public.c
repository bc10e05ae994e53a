/* include/weir/json.h over the reader. */
#include "weir/json.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"

struct weir_json {
    struct arena arena;
    struct json_value *root;
};

static const struct json_value *inside(const struct weir_json_value *value)
{
    return (const struct json_value *)value;
}

static const struct weir_json_value *outside(const struct json_value *value)
{
    return (const struct weir_json_value *)value;
}

static struct weir_string public_text(struct json_text text)
{
    return (struct weir_string){text.data, text.size};
}

enum weir_status weir_json_read(const char *text, size_t size, struct weir_json **out, struct weir_error *error)
{
    struct weir_json *document = mem_zero(1, sizeof *document);
    if (!document) return error_nomem(error, "a JSON document");
    enum weir_status status = json_read(&document->arena, "JSON", text, size, &document->root, error);
    if (status)
        weir_json_close(&document);
    else
        *out = document;
    return status;
}

void weir_json_close(struct weir_json **document)
{
    if (!document || !*document) return;
    arena_free(&(*document)->arena);
    free(*document);
    *document = NULL;
}

const struct weir_json_value *weir_json_root(const struct weir_json *document)
{
    return outside(document->root);
}

enum weir_json_kind weir_json_kind(const struct weir_json_value *value)
{
    return (enum weir_json_kind)inside(value)->kind;
}

struct weir_string weir_json_source(const struct weir_json_value *value)
{
    return public_text(inside(value)->source);
}

struct weir_string weir_json_string(const struct weir_json_value *value)
{
    return public_text(inside(value)->string);
}

struct weir_string weir_json_key(const struct weir_json_value *value)
{
    return public_text(inside(value)->key);
}

const struct weir_json_value *weir_json_member(const struct weir_json_value *object, const char *key)
{
    return object ? outside(json_member(inside(object), key)) : NULL;
}

const struct weir_json_value *weir_json_first(const struct weir_json_value *value)
{
    return value ? outside(inside(value)->first) : NULL;
}

const struct weir_json_value *weir_json_next(const struct weir_json_value *value)
{
    return value ? outside(inside(value)->next) : NULL;
}
