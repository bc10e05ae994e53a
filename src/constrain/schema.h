/* A schema document: where its subschemas are, which draft each follows, and what a $ref means.
 *
 * Every subschema has a number. References are resolved inside the document only; nothing is ever fetched. Also numbered are "pseudo
 * schemas" that later stages need: the one that nothing satisfies, and "equals this value" for const and enum. */
#ifndef WEIR_CONSTRAIN_SCHEMA_H
#define WEIR_CONSTRAIN_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"
#include "weir/status.h"

enum draft { DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020 };

enum {
    SCHEMA_COUNT_MAX = 100000,
    SCHEMA_URI_BYTES_MAX = 4096,
};

/* A part of the document with a base URI of its own. */
struct schema_resource {
    struct json_text uri; /* absolute, without fragment; empty: none was given */
    const struct json_value *root;
    enum draft draft;
};

enum schema_kind { SCHEMA_FALSE, SCHEMA_VALUE, SCHEMA_EQUALS };

struct schema_entry {
    enum schema_kind kind;
    const struct json_value *value; /* the schema, or what it equals */
    uint32_t resource;
};

struct schema_anchor {
    uint32_t resource;
    struct json_text name;
    const struct json_value *value;
};

struct schema_document {
    struct arena *arena;
    const struct json_value *root;
    struct schema_entry *entries;
    size_t n_entries, entries_capacity;
    struct schema_resource *resources;
    size_t n_resources, resources_capacity;
    struct schema_anchor *anchors;
    size_t n_anchors, anchors_capacity;
    struct weir_error *error;
};

enum { SCHEMA_NUMBER_FALSE = 0, SCHEMA_NUMBER_ROOT = 1 };

/* Numbers the subschemas of `root`, which outlives the document as its arena does. `fallback` holds where no $schema is given. */
enum weir_status schema_open(struct schema_document *document, struct arena *arena, const struct json_value *root,
                             enum draft fallback, struct weir_error *error) WEIR_MUST_USE;

/* The number of a subschema of the document; one that no keyword announced (a $ref led there) is numbered as part of `resource`. */
enum weir_status schema_number(struct schema_document *document, struct json_value *value, uint32_t resource,
                               uint32_t *number) WEIR_MUST_USE;
enum weir_status schema_equals(struct schema_document *document, const struct json_value *value,
                               uint32_t *number) WEIR_MUST_USE;

/* What `reference`, the value of a $ref in a schema of `resource`, leads to. WEIR_ERR_UNSUPPORTED: outside the document or nowhere. */
enum weir_status schema_resolve(struct schema_document *document, uint32_t resource, const struct json_value *reference,
                                uint32_t *number) WEIR_MUST_USE;

/* "draft-07", "draft2020-12", "http://json-schema.org/draft-07/schema#" and the like. */
bool schema_draft_of(struct json_text name, enum draft *out);

/* `keyword` at its pointer: the error every refusal ends in. */
enum weir_status schema_refuse(const struct schema_document *document, enum weir_status status,
                               const struct json_value *keyword, const char *why);

/* RFC 3986, 5.2: `reference` seen from `base`, without fragment, in `arena`. An empty text: no memory, or too long. */
struct json_text uri_resolve(struct arena *arena, struct json_text base, struct json_text reference);

#endif
