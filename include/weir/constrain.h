/* JSON Schema to token masks: which tokens may come next so that the output is valid.
 *
 * Order of calls: weir_vocabulary_open once a model; weir_constraint_open once a schema; weir_matcher_open for each output; then
 * weir_matcher_mask, choose a token, weir_matcher_accept, and so on, appending the tokens of weir_matcher_forced without
 * running the model. Generation writes members in the schema's order: `properties` first to last, then other keys.
 *
 * Fails closed: a schema that says something that is not enforced here is refused (WEIR_ERR_UNSUPPORTED) with the keyword
 * and its JSON pointer, unless `lenient`. Schemas are strangers' bytes: compiling is bounded in memory and in work
 * (WEIR_ERR_LIMIT names the limit).
 *
 * A vocabulary and a constraint are immutable and shared by threads (a cache inside the constraint has its own lock). A
 * matcher is one timeline and belongs to one thread at a time. The constraint must outlive its matchers, the vocabulary its
 * constraints. */
#ifndef WEIR_CONSTRAIN_H
#define WEIR_CONSTRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"
#include "weir/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_vocabulary;
struct weir_constraint;
struct weir_matcher;

enum weir_schema_draft {
    WEIR_DRAFT_4 = 4,
    WEIR_DRAFT_6 = 6,
    WEIR_DRAFT_7 = 7,
    WEIR_DRAFT_2019_09 = 2019,
    WEIR_DRAFT_2020_12 = 2020
};

struct weir_constrain_options {
    enum weir_schema_draft draft; /* of a schema that names none in $schema */
    bool compact;                 /* no white space between tokens of JSON; false: any JSON white space */
    bool lenient;                 /* what cannot be enforced is listed (weir_constraint_note) instead of refused */
    bool formats_are_notes;       /* `format` says nothing, as drafts 2019-09 and 2020-12 have it by default */
};

/* Draft 2020-12, compact, strict, formats enforced. */
WEIR_API struct weir_constrain_options weir_constrain_options_defaults(void);

/* The tokens as a trie of bytes. The tokenizer may be closed afterwards. Control, unknown and unused tokens are never allowed; the
 * end-of-text token is, once the output is complete. */
WEIR_API enum weir_status weir_vocabulary_open(const struct weir_tokenizer *tokenizer, struct weir_vocabulary **out,
                                               struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_vocabulary_close(struct weir_vocabulary **vocabulary);
WEIR_API size_t weir_vocabulary_size(const struct weir_vocabulary *vocabulary); /* bits of a mask */

/* Compiles a schema. WEIR_ERR_FORMAT: no JSON, or no schema; WEIR_ERR_UNSUPPORTED: something that is not enforced here; WEIR_ERR_LIMIT: too
 * large. `options` NULL: the defaults. `vocabulary` NULL: bytes only (weir_matcher_accept_bytes). */
WEIR_API enum weir_status weir_constraint_open(const char *schema, size_t size,
                                               const struct weir_vocabulary *vocabulary,
                                               const struct weir_constrain_options *options,
                                               struct weir_constraint **out, struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_constraint_close(struct weir_constraint **constraint);

/* What is not enforced: with `lenient`, each refusal that was passed over. */
WEIR_API size_t weir_constraint_note_count(const struct weir_constraint *constraint);
WEIR_API const char *weir_constraint_note(const struct weir_constraint *constraint, size_t index);

/* false: no JSON value at all satisfies the schema; every mask is empty. */
WEIR_API bool weir_constraint_is_satisfiable(const struct weir_constraint *constraint);

/* A timeline at its beginning; a second one where another stands. */
WEIR_API enum weir_status weir_matcher_open(struct weir_constraint *constraint, struct weir_matcher **out,
                                            struct weir_error *error) WEIR_MUST_USE;
WEIR_API enum weir_status weir_matcher_copy(const struct weir_matcher *matcher, struct weir_matcher **out,
                                            struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_matcher_close(struct weir_matcher **matcher);

/* Advances by bytes of output. *accepted of `size` bytes could stand next; when fewer than `size` the matcher is where it was before.
 * WEIR_ERR_LIMIT: nested or ambiguous beyond the limits of docs/constrain.md. */
WEIR_API enum weir_status weir_matcher_accept_bytes(struct weir_matcher *matcher, const char *bytes, size_t size,
                                                    size_t *accepted, struct weir_error *error) WEIR_MUST_USE;

/* Advances by a token. WEIR_ERR_REFUSED, matcher unchanged: not allowed here. */
WEIR_API enum weir_status weir_matcher_accept(struct weir_matcher *matcher, int32_t token,
                                              struct weir_error *error) WEIR_MUST_USE;

/* Whether the output so far is a whole valid value. */
WEIR_API bool weir_matcher_is_complete(const struct weir_matcher *matcher);

/* The allowed tokens: bit t % 32 of word t / 32 of *mask, weir_vocabulary_size bits, (size + 31) / 32 words, bits beyond it 0. The words belong to
 * the matcher and hold until its next call. */
WEIR_API enum weir_status weir_matcher_mask(struct weir_matcher *matcher, const uint32_t **mask,
                                            struct weir_error *error) WEIR_MUST_USE;

/* The bytes that must come next whatever the model says, "" when there is a choice. They belong to the matcher and hold until its
 * next call. Append their tokens (jump-forward), then weir_matcher_accept_bytes. */
WEIR_API enum weir_status weir_matcher_forced(struct weir_matcher *matcher, struct weir_string *bytes,
                                              struct weir_error *error) WEIR_MUST_USE;

/* Writes a JSON value compactly with the members of its objects in an order that the constraint accepts, numbers and strings as they
 * were written: what the suites and tests feed. *found false: no order is accepted; then `out` holds the members as they stood.
 * `out` is allocated, freed by free(). WEIR_ERR_FORMAT: no JSON. */
WEIR_API enum weir_status weir_constraint_arrange(struct weir_constraint *constraint, const char *json, size_t size,
                                                  char **out, size_t *out_size, bool *found,
                                                  struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
