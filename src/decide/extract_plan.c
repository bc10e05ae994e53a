#include "decide/extract_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"

enum { SCHEMA_BYTES_MAX = 16 << 20, REFERENCES_MAX = 16 };

/* ---- the root object ---- */

/* The value that "#/a/b" points to; NULL: none, or another kind of reference. */
static const struct json_value *local_target(const struct json_value *root, struct json_text reference)
{
    const struct json_value *at = root;
    if (!reference.size || reference.data[0] != '#') return NULL;
    for (size_t i = 1; at && i < reference.size;) {
        if (reference.data[i++] != '/') return NULL;
        size_t begin = i;
        for (; i < reference.size && reference.data[i] != '/'; i++)
            if (reference.data[i] == '~' || reference.data[i] == '%') return NULL;
        at = json_member_text(at, (struct json_text){reference.data + begin, i - begin});
    }
    return at;
}

/* Whether the schema says what members there are elsewhere than in `properties`. */
static bool has_branches(const struct json_value *schema)
{
    static const char *const keywords[] = {"allOf", "anyOf", "oneOf", "if", "dependentSchemas", "dependencies"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (json_member(schema, keywords[i])) return true;
    return false;
}

/* `type` says object, or nothing. */
static bool is_object(const struct json_value *schema)
{
    const struct json_value *type = json_member(schema, "type");
    if (type && type->kind == JSON_ARRAY && type->count == 1) type = type->first;
    return !type || (type->kind == JSON_STRING && json_text_is(type->string, "object"));
}

/* The `properties` of a plain root object; NULL: it is none. */
static const struct json_value *root_properties(const struct json_value *root)
{
    const struct json_value *schema = root;
    for (int hop = 0; hop < REFERENCES_MAX; hop++) {
        if (!schema || has_branches(schema) || !is_object(schema)) return NULL;
        const struct json_value *properties = json_member(schema, "properties"), *ref = json_member(schema, "$ref");
        if (properties && ref) return NULL;
        if (!ref) return properties && properties->kind == JSON_OBJECT ? properties : NULL;
        if (ref->kind != JSON_STRING) return NULL;
        schema = local_target(root, ref->string);
    }
    return NULL;
}

/* ---- fields ---- */

/* The name as JSON: what must be escaped is, and nothing else. */
static enum weir_status quote(struct json_text name, struct strbuf *out)
{
    enum weir_status status = strbuf_text(out, "\"");
    for (size_t i = 0; !status && i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x20)
            status = strbuf_printf(out, "\\u%04x", c);
        else
            status = strbuf_printf(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    return status ? status : strbuf_text(out, "\":");
}

static bool make_field(struct arena *arena, struct json_text name, struct extract_field *out)
{
    struct strbuf key = STRBUF_MAX(SCHEMA_BYTES_MAX);
    char *text = quote(name, &key) ? NULL : arena_copy(arena, key.data, key.size);
    char *copy = arena_copy(arena, name.data ? name.data : "", name.size);
    *out = (struct extract_field){{copy, name.size}, {text, key.size}};
    strbuf_free(&key);
    return text && copy;
}

static enum weir_status make_fields(struct extract_plan *plan, const struct json_value *root, struct weir_error *error)
{
    const struct json_value *properties = root_properties(root);
    if (!properties) return WEIR_OK;
    plan->fields = arena_zero(&plan->arena, properties->count, sizeof *plan->fields);
    if (!plan->fields) return error_nomem(error, "fields");
    for (const struct json_value *p = properties->first; p; p = p->next)
        if (!make_field(&plan->arena, p->key, &plan->fields[plan->n_fields++])) return error_nomem(error, "fields");
    return WEIR_OK;
}

/* ---- the text ---- */

/* Valid JSON without the white space between its tokens, appended. */
static enum weir_status compact(const struct strbuf *json, struct strbuf *out)
{
    bool in_string = false;
    for (size_t i = 0, n = 1; i < json->size; i += n) {
        char c = json->data[i];
        n = in_string && c == '\\' ? 2 : 1;
        if (c == '"') in_string = !in_string;
        if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
        enum weir_status status = strbuf_add(out, json->data + i, n);
        if (status) return status;
    }
    return WEIR_OK;
}

static enum weir_status read_schema(struct extract_plan *plan, struct weir_error *error)
{
    struct arena arena = {0};
    struct json_value *root = NULL;
    enum weir_status status = json_read(&arena, "schema", plan->source.data, plan->source.size, &root, error);
    if (!status) status = make_fields(plan, root, error);
    arena_free(&arena);
    if (!status && compact(&plan->source, &plan->text)) status = error_nomem(error, "schema");
    if (status) return status;
    status = hash_bytes(plan->text.data, plan->text.size, plan->hash);
    return status ? error_set(error, status, "SHA-256 of the schema: %s", weir_status_text(status)) : WEIR_OK;
}

/* ---- open and close ---- */

static enum weir_status compile(struct extract_plan *plan, bool lenient, const struct weir_vocabulary *vocabulary,
                                struct weir_error *error)
{
    struct weir_constrain_options options = weir_constrain_options_defaults();
    options.lenient = lenient;
    enum weir_status status =
        weir_constraint_open(plan->source.data, plan->source.size, vocabulary, &options, &plan->constraint, error);
    if (status == WEIR_ERR_LIMIT) status = error_prefix(error, WEIR_ERR_REFUSED, "the schema");
    if (status) return status;
    if (!weir_constraint_is_satisfiable(plan->constraint))
        return error_set(error, WEIR_ERR_REFUSED, "no JSON value satisfies the schema");
    plan->n_notes = weir_constraint_note_count(plan->constraint);
    plan->notes = arena_zero(&plan->arena, plan->n_notes, sizeof *plan->notes);
    if (!plan->notes) return error_nomem(error, "notes");
    for (size_t i = 0; i < plan->n_notes; i++) plan->notes[i] = weir_constraint_note(plan->constraint, i);
    return WEIR_OK;
}

enum weir_status extract_plan_open(const char *path, bool lenient, const struct weir_vocabulary *vocabulary,
                                   struct extract_plan *out, struct weir_error *error)
{
    struct extract_plan plan = {.source = STRBUF_MAX(SCHEMA_BYTES_MAX), .text = STRBUF_MAX(SCHEMA_BYTES_MAX)};
    enum weir_status status = file_read(path, &plan.source, error);
    if (status) {
        strbuf_free(&plan.source);
        return status;
    }
    if (!plan.source.size) status = error_set(error, WEIR_ERR_FORMAT, "the file is empty");
    if (!status) status = compile(&plan, lenient, vocabulary, error);
    if (!status) status = read_schema(&plan, error);
    if (!status) {
        *out = plan;
        return WEIR_OK;
    }
    extract_plan_free(&plan);
    return error_prefix(error, status, "%s", path);
}

void extract_plan_free(struct extract_plan *plan)
{
    weir_constraint_close(&plan->constraint);
    strbuf_free(&plan->source);
    strbuf_free(&plan->text);
    arena_free(&plan->arena);
    *plan = (struct extract_plan){.n_fields = 0};
}
