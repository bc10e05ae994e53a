/* What an extraction is asked for: its schema compiled for a vocabulary, the schema as the prompt shows it, and the fields of the answer.
 *
 * A schema whose root is an object with plain `properties` has fields: they are asked for one after the other (extract_fill.h). Any other
 * schema has none here: the value is written freely under the mask. Immutable after extract_plan_open. */
#ifndef WEIR_DECIDE_EXTRACT_PLAN_H
#define WEIR_DECIDE_EXTRACT_PLAN_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "weir/constrain.h"

struct extract_field {
    struct weir_string name; /* decoded */
    struct weir_string key;  /* as JSON, with its colon: "name": */
};

struct extract_plan {
    struct strbuf source; /* the file, which the constraint may refer to */
    struct strbuf text;   /* the schema without white space, as the prompt shows it */
    char hash[65];        /* SHA-256 of `text` */
    struct weir_constraint *constraint;
    struct extract_field *fields; /* [n_fields], in the schema's order */
    size_t n_fields;
    const char **notes; /* [n_notes], what lenient passed over; the constraint's */
    size_t n_notes;
    struct arena arena; /* of names and keys */
};

/* Reads and compiles the file at `path`. Errors name the file; of a refused schema (WEIR_ERR_UNSUPPORTED, WEIR_ERR_REFUSED) also keyword and pointer. */
enum weir_status extract_plan_open(const char *path, bool lenient, const struct weir_vocabulary *vocabulary,
                                   struct extract_plan *out, struct weir_error *error) WEIR_MUST_USE;
void extract_plan_free(struct extract_plan *plan); /* accepts a zeroed one */

#endif
