/* Insides shared by the task*.c files: the object, its memory, and typed reading of YAML nodes with positions.
 *
 * task_yaml.c turns bytes into a document (no aliases, bounded) and reads typed fields; task_read.c and task_question.c
 * know the keys; task.c owns the object. */
#ifndef WEIR_TASK_INTERNAL_H
#define WEIR_TASK_INTERNAL_H

#include <yaml.h>

#include "base/hash.h"
#include "weir/task.h"

struct task_block; /* one allocation of a task, in a list freed at close */

struct weir_task {
    struct task_block *blocks; /* owned: all texts and arrays below lie in them */
    const char *name, *path, *folder;
    const char *instructions; /* "" when the task gives none */
    char hash[HASH_HEX_SIZE];
    size_t n_questions, n_tiers;
    struct weir_question *questions;
    struct weir_tier_spec *tiers;
    struct weir_gate gate;
    struct weir_budget budget;
    struct weir_privacy privacy;
};

/* Zeroed memory owned by the task; NULL without memory. */
void *task_alloc(struct weir_task *task, size_t count, size_t size);
char *task_text(struct weir_task *task, const char *text, size_t size); /* a copy with a NUL after it */

/* One reading of one file. The document outlives every node pointer. */
struct task_reader {
    const char *file; /* for errors */
    yaml_document_t document;
    struct weir_task *task;
    struct weir_error *error;
};

/* Parses `text` into reader->document. The caller deletes the document after success only. */
enum weir_status task_yaml_load(struct task_reader *r, const char *text, size_t size) WEIR_MUST_USE;

/* "FILE:LINE:COLUMN: ..." at the start of `node`. */
enum weir_status task_fail(struct task_reader *r, const yaml_node_t *node, enum weir_status status, const char *format,
                           ...) __attribute__((format(printf, 4, 5)));

/* What a key holds and where it goes. */
enum task_field_kind {
    TASK_NODE,     /* const yaml_node_t *: the value node, interpreted by the caller */
    TASK_TEXT,     /* const char *: any scalar but null */
    TASK_NAME,     /* const char *: a short text without control characters or spaces around it */
    TASK_BOOL,     /* bool */
    TASK_COUNT,    /* uint32_t, 1 .. 2^31 - 1 */
    TASK_FRACTION, /* double, above 0 and below 1 */
    TASK_SHARE,    /* double, 0 .. 1 */
    TASK_USD,      /* int64_t micro-dollars, at most six decimals, never through a double */
    TASK_WORD      /* an enum: index of the scalar in `words` */
};

struct task_key {
    const char *name;
    enum task_field_kind kind;
    size_t offset;            /* of the field in the target struct */
    const char *const *words; /* TASK_WORD: the spellings, NULL at the end */
};

/* Reads the mapping `node` into *target by the table; a key that is absent leaves its field as it was.
 * `what` names the place in errors: "question `category`", "gate". */
enum weir_status task_read_mapping(struct task_reader *r, const yaml_node_t *node, const char *what,
                                   const struct task_key *keys, size_t n_keys, void *target) WEIR_MUST_USE;

/* One value, as the table would read it. */
enum weir_status task_read_field(struct task_reader *r, const yaml_node_t *node, const struct task_key *key,
                                 void *target) WEIR_MUST_USE;
enum weir_status task_read_text(struct task_reader *r, const yaml_node_t *node, const char *key,
                                const char **out) WEIR_MUST_USE;
enum weir_status task_read_name(struct task_reader *r, const yaml_node_t *node, const char *key,
                                const char **out) WEIR_MUST_USE;
enum weir_status task_read_word(struct task_reader *r, const yaml_node_t *node, const char *key,
                                const char *const *words, unsigned *out) WEIR_MUST_USE;

bool task_node_is_null(const yaml_node_t *node);
const char *task_node_kind(const yaml_node_t *node); /* "a list", "null", "text" ... */
static inline const char *task_node_scalar(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}
static inline size_t task_node_items(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}
static inline size_t task_node_pairs(const yaml_node_t *mapping)
{
    return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}
const yaml_node_t *task_node_item(struct task_reader *r, const yaml_node_t *list, size_t index);
const yaml_node_t *task_node_key(struct task_reader *r, const yaml_node_t *mapping, size_t index);
const yaml_node_t *task_node_value(struct task_reader *r, const yaml_node_t *mapping, size_t index);

/* The whole document into r->task, checked. */
enum weir_status task_read_root(struct task_reader *r) WEIR_MUST_USE;

/* The gate into r->task; questions and tiers stand there already. */
enum weir_status task_read_gate(struct task_reader *r, const yaml_node_t *node) WEIR_MUST_USE;

/* One entry of `tiers`, with its defaults. */
enum weir_status task_read_tier(struct task_reader *r, const yaml_node_t *node, size_t index,
                                struct weir_tier_spec *out) WEIR_MUST_USE;

/* The keys of a question, wherever it stands; task_read_question turns them into *question. */
struct task_question_fields {
    const yaml_node_t *type, *own_instructions, *labels, *levels, *none_of_these, *multi, *scoring, *rotations, *schema,
        *lenient, *max_tokens, *too_long, *template_text;
};
enum weir_status task_read_question(struct task_reader *r, const yaml_node_t *at, const char *name,
                                    const struct task_question_fields *fields,
                                    struct weir_question *question) WEIR_MUST_USE;
enum weir_status task_read_questions(struct task_reader *r, const yaml_node_t *node) WEIR_MUST_USE;

#endif
