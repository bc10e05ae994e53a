/* Numbering subschemas and resolving references. */
#include "constrain/schema.h"

#include <string.h>

#include "base/error.h"

static enum weir_status no_room(const struct schema_document *d)
{
    if (!d->arena->over) return error_nomem(d->error, "a schema");
    return error_set(d->error, WEIR_ERR_LIMIT, "the schema takes more than %zu bytes of memory", d->arena->bytes_max);
}

enum weir_status schema_refuse(const struct schema_document *d, enum weir_status status,
                               const struct json_value *keyword, const char *why)
{
    char pointer[300];
    struct json_text name = keyword->key.size ? keyword->key : (struct json_text){"schema", 6};
    if (keyword->key.size > 60) name.size = 60;
    return error_set(d->error, status, "%.*s at \"%s\": %s", (int)name.size, name.data,
                     json_pointer(keyword, pointer, sizeof pointer), why);
}

bool schema_draft_of(struct json_text name, enum draft *out)
{
    static const struct {
        const char *part;
        enum draft draft;
    } names[] = {{"draft-04", DRAFT_4},         {"draft4", DRAFT_4},          {"draft-06", DRAFT_6},
                 {"draft6", DRAFT_6},           {"draft-07", DRAFT_7},        {"draft7", DRAFT_7},
                 {"draft/2019-09", DRAFT_2019}, {"draft2019-09", DRAFT_2019}, {"draft/2020-12", DRAFT_2020},
                 {"draft2020-12", DRAFT_2020},  {"2019-09", DRAFT_2019},      {"2020-12", DRAFT_2020}};
    static const char *const places[] = {"http://json-schema.org/", "https://json-schema.org/", ""};
    if (name.size && name.data[name.size - 1] == '#') name.size--;
    for (size_t p = 0; p < 3; p++) {
        size_t skip = strlen(places[p]);
        if (name.size < skip || memcmp(name.data, places[p], skip) != 0) continue;
        struct json_text rest = {name.data + skip, name.size - skip};
        if (skip && rest.size > 7 && memcmp(rest.data + rest.size - 7, "/schema", 7) == 0)
            rest.size -= 7;
        else if (skip)
            continue;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (json_text_is(rest, names[i].part)) {
                *out = names[i].draft;
                return true;
            }
    }
    return false;
}

/* Room for one more of `size` bytes in a list; what lay in the old one is copied, not freed. */
static bool grow(struct arena *arena, void *list, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return true;
    void *old;
    memcpy(&old, list, sizeof old);
    size_t more = *capacity ? *capacity * 2 : 16;
    void *fresh = arena_zero(arena, more, size);
    if (!fresh) return false;
    if (count) memcpy(fresh, old, count * size);
    memcpy(list, &fresh, sizeof fresh);
    *capacity = more;
    return true;
}

static enum weir_status add_entry(struct schema_document *d, struct schema_entry entry, uint32_t *number)
{
    if (d->n_entries == SCHEMA_COUNT_MAX)
        return error_set(d->error, WEIR_ERR_LIMIT, "more than %d subschemas", SCHEMA_COUNT_MAX);
    if (!grow(d->arena, &d->entries, d->n_entries, &d->entries_capacity, sizeof *d->entries)) return no_room(d);
    d->entries[d->n_entries] = entry;
    *number = (uint32_t)d->n_entries++;
    return WEIR_OK;
}

enum weir_status schema_equals(struct schema_document *d, const struct json_value *value, uint32_t *number)
{
    return add_entry(d, (struct schema_entry){.kind = SCHEMA_EQUALS, .value = value}, number);
}

/* Keywords whose value holds schemas, and how. */
enum holds { HOLDS_SCHEMA, HOLDS_LIST, HOLDS_MAP, HOLDS_SCHEMA_OR_LIST };
static const struct {
    const char *keyword;
    enum holds holds;
} holders[] = {{"additionalItems", HOLDS_SCHEMA},
               {"additionalProperties", HOLDS_SCHEMA},
               {"contains", HOLDS_SCHEMA},
               {"contentSchema", HOLDS_SCHEMA},
               {"else", HOLDS_SCHEMA},
               {"if", HOLDS_SCHEMA},
               {"not", HOLDS_SCHEMA},
               {"propertyNames", HOLDS_SCHEMA},
               {"then", HOLDS_SCHEMA},
               {"unevaluatedItems", HOLDS_SCHEMA},
               {"unevaluatedProperties", HOLDS_SCHEMA},
               {"items", HOLDS_SCHEMA_OR_LIST},
               {"allOf", HOLDS_LIST},
               {"anyOf", HOLDS_LIST},
               {"oneOf", HOLDS_LIST},
               {"prefixItems", HOLDS_LIST},
               {"$defs", HOLDS_MAP},
               {"definitions", HOLDS_MAP},
               {"dependencies", HOLDS_MAP},
               {"dependentSchemas", HOLDS_MAP},
               {"patternProperties", HOLDS_MAP},
               {"properties", HOLDS_MAP}};

static bool is_schema(const struct json_value *value)
{
    return value->kind == JSON_OBJECT || value->kind == JSON_TRUE || value->kind == JSON_FALSE;
}

static enum weir_status walk(struct schema_document *d, struct json_value *value, uint32_t resource);

static enum weir_status walk_children(struct schema_document *d, struct json_value *holder, uint32_t resource)
{
    enum weir_status status = WEIR_OK;
    for (struct json_value *child = holder->first; child && !status; child = child->next)
        if (is_schema(child)) status = walk(d, child, resource);
    return status;
}

static enum weir_status walk_member(struct schema_document *d, struct json_value *member, uint32_t resource)
{
    for (size_t i = 0; i < sizeof holders / sizeof holders[0]; i++) {
        if (!json_text_is(member->key, holders[i].keyword)) continue;
        bool list = member->kind == JSON_ARRAY && holders[i].holds != HOLDS_SCHEMA && holders[i].holds != HOLDS_MAP;
        bool map = member->kind == JSON_OBJECT && holders[i].holds == HOLDS_MAP;
        bool one = is_schema(member) && (holders[i].holds == HOLDS_SCHEMA || holders[i].holds == HOLDS_SCHEMA_OR_LIST);
        if (list || map) return walk_children(d, member, resource);
        return one ? walk(d, member, resource) : WEIR_OK;
    }
    return WEIR_OK;
}

static enum weir_status add_anchor(struct schema_document *d, uint32_t resource, struct json_text name,
                                   const struct json_value *value)
{
    if (!grow(d->arena, &d->anchors, d->n_anchors, &d->anchors_capacity, sizeof *d->anchors)) return no_room(d);
    d->anchors[d->n_anchors++] = (struct schema_anchor){resource, name, value};
    return WEIR_OK;
}

static enum weir_status add_resource(struct schema_document *d, struct schema_resource fresh, uint32_t *resource)
{
    if (!grow(d->arena, &d->resources, d->n_resources, &d->resources_capacity, sizeof *d->resources)) return no_room(d);
    d->resources[d->n_resources] = fresh;
    *resource = (uint32_t)d->n_resources++;
    return WEIR_OK;
}

/* $id and $schema of a subschema: a resource of its own, or (up to draft 7) an anchor. */
static enum weir_status read_identity(struct schema_document *d, const struct json_value *value, uint32_t *resource)
{
    struct schema_resource own = d->resources[*resource];
    const struct json_value *dialect = json_member(value, "$schema");
    if (dialect && dialect->kind == JSON_STRING) (void)schema_draft_of(dialect->string, &own.draft);
    const struct json_value *id = json_member(value, own.draft == DRAFT_4 ? "id" : "$id");
    if (!id && own.draft == DRAFT_4 && !value->parent) id = json_member(value, "$id"); /* common in the field */
    if (own.draft <= DRAFT_7 && json_member(value, "$ref")) id = NULL;                 /* siblings are ignored */
    if (!id || id->kind != JSON_STRING) return WEIR_OK;
    if (id->string.size && id->string.data[0] == '#') {
        struct json_text name = {id->string.data + 1, id->string.size - 1};
        return own.draft <= DRAFT_7 ? add_anchor(d, *resource, name, value) : WEIR_OK;
    }
    own.uri = uri_resolve(d->arena, own.uri, id->string);
    if (id->string.size && !own.uri.data) return no_room(d);
    own.root = value;
    if (!value->parent) {
        d->resources[*resource] = own;
        return WEIR_OK;
    }
    return add_resource(d, own, resource);
}

static enum weir_status read_anchors(struct schema_document *d, const struct json_value *value, uint32_t resource)
{
    static const char *const keywords[] = {"$anchor", "$dynamicAnchor"};
    enum weir_status status = WEIR_OK;
    if (d->resources[resource].draft < DRAFT_2019) return status;
    for (size_t i = 0; i < 2 && !status; i++) {
        const struct json_value *anchor = json_member(value, keywords[i]);
        if (anchor && anchor->kind == JSON_STRING) status = add_anchor(d, resource, anchor->string, value);
    }
    return status;
}

static enum weir_status walk(struct schema_document *d, struct json_value *value, uint32_t resource)
{
    if (value->tag) return WEIR_OK;
    enum weir_status status = read_identity(d, value, &resource);
    if (!status) status = read_anchors(d, value, resource);
    if (!status) status = add_entry(d, (struct schema_entry){SCHEMA_VALUE, value, resource}, &value->tag);
    if (value->kind != JSON_OBJECT) return status;
    for (struct json_value *member = value->first; member && !status; member = member->next)
        status = walk_member(d, member, resource);
    return status;
}

enum weir_status schema_open(struct schema_document *d, struct arena *arena, const struct json_value *root,
                             enum draft fallback, struct weir_error *error)
{
    *d = (struct schema_document){.arena = arena, .root = root, .error = error};
    struct schema_resource whole = {.root = root, .draft = fallback};
    const struct json_value *dialect = json_member(root, "$schema");
    uint32_t number;
    if (!is_schema(root)) return schema_refuse(d, WEIR_ERR_FORMAT, root, "a schema is an object, true or false");
    if (dialect && (dialect->kind != JSON_STRING || !schema_draft_of(dialect->string, &whole.draft)))
        return schema_refuse(d, WEIR_ERR_UNSUPPORTED, dialect, "expected draft 4, 6, 7, 2019-09 or 2020-12");
    enum weir_status status = add_entry(d, (struct schema_entry){.kind = SCHEMA_FALSE}, &number);
    if (!status) status = add_resource(d, whole, &number);
    struct json_value *mutable_root;
    memcpy(&mutable_root, &root, sizeof root); /* tags are the document's to write */
    return status ? status : walk(d, mutable_root, 0);
}

enum weir_status schema_number(struct schema_document *d, struct json_value *value, uint32_t resource, uint32_t *number)
{
    if (!value->tag) {
        if (!is_schema(value))
            return schema_refuse(d, WEIR_ERR_FORMAT, value, "expected a schema: an object, true or false");
        enum weir_status status = walk(d, value, resource);
        if (status) return status;
    }
    *number = value->tag;
    return WEIR_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A fragment without its percent signs (RFC 3986, 2.1). */
static struct json_text percent_decode(struct arena *arena, struct json_text text)
{
    char *out = arena_zero(arena, text.size + 1, 1);
    size_t used = 0;
    for (size_t i = 0; out && i < text.size; i++) {
        bool coded = text.data[i] == '%' && i + 2 < text.size && hex_value(text.data[i + 1]) >= 0 &&
                     hex_value(text.data[i + 2]) >= 0;
        char byte = text.data[i];
        if (coded) {
            byte = (char)(16 * hex_value(text.data[i + 1]) + hex_value(text.data[i + 2]));
            i += 2;
        }
        out[used++] = byte;
    }
    return (struct json_text){out, out ? used : 0};
}

/* One step of a JSON pointer, ~0 and ~1 decoded into `out`. */
static struct json_text pointer_step(char *out, struct json_text path, size_t *at)
{
    size_t used = 0;
    for (; *at < path.size && path.data[*at] != '/'; (*at)++) {
        char c = path.data[*at];
        if (c == '~' && *at + 1 < path.size && (path.data[*at + 1] == '0' || path.data[*at + 1] == '1'))
            c = path.data[++*at] == '0' ? '~' : '/';
        out[used++] = c;
    }
    return (struct json_text){out, used};
}

static struct json_value *child_at(const struct json_value *value, struct json_text name)
{
    if (value->kind == JSON_OBJECT) return json_member_text(value, name);
    if (value->kind != JSON_ARRAY || name.size == 0 || name.size > 9) return NULL;
    uint32_t index = 0;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') return NULL;
        index = index * 10 + (uint32_t)(name.data[i] - '0');
    }
    struct json_value *child = value->first;
    while (child && index--) child = child->next;
    return child;
}

/* Follows a JSON pointer; *resource becomes that of the innermost subschema passed. */
static const struct json_value *follow(struct schema_document *d, const struct json_value *from, struct json_text path,
                                       uint32_t *resource)
{
    char *name = arena_zero(d->arena, path.size + 1, 1);
    for (size_t at = 0; name && from && at < path.size;) {
        at++; /* the slash */
        from = child_at(from, pointer_step(name, path, &at));
        if (from && from->tag) *resource = d->entries[from->tag].resource;
    }
    return name ? from : NULL;
}

static const struct json_value *find_target(struct schema_document *d, struct json_text fragment, uint32_t *resource)
{
    const struct json_value *root = d->resources[*resource].root;
    if (fragment.size == 0) return root;
    if (fragment.data[0] == '/') return follow(d, root, fragment, resource);
    for (size_t i = 0; i < d->n_anchors; i++)
        if (d->anchors[i].resource == *resource && json_text_equal(d->anchors[i].name, fragment))
            return d->anchors[i].value;
    return NULL;
}

enum weir_status schema_resolve(struct schema_document *d, uint32_t resource, const struct json_value *reference,
                                uint32_t *number)
{
    if (reference->kind != JSON_STRING) return schema_refuse(d, WEIR_ERR_FORMAT, reference, "expected a string");
    struct json_text text = reference->string;
    const char *hash = text.size ? memchr(text.data, '#', text.size) : NULL;
    struct json_text place = {text.data, hash ? (size_t)(hash - text.data) : text.size};
    struct json_text fragment = {0};
    if (hash) fragment = percent_decode(d->arena, (struct json_text){hash + 1, text.size - place.size - 1});
    if (place.size) {
        struct json_text uri = uri_resolve(d->arena, d->resources[resource].uri, place);
        size_t i = 0;
        while (i < d->n_resources && !(uri.size && json_text_equal(d->resources[i].uri, uri))) i++;
        if (i == d->n_resources)
            return schema_refuse(d, WEIR_ERR_UNSUPPORTED, reference, "a reference out of the document is not followed");
        resource = (uint32_t)i;
    }
    const struct json_value *target = find_target(d, fragment, &resource);
    if (!target) return schema_refuse(d, WEIR_ERR_UNSUPPORTED, reference, "leads nowhere in the document");
    struct json_value *mutable_target;
    memcpy(&mutable_target, &target, sizeof target); /* tags are the document's to write */
    return schema_number(d, mutable_target, resource, number);
}
