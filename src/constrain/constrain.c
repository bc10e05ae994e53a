/* Compiling a schema. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "constrain/constrain_internal.h"
#include "constrain/nodes.h"

struct weir_constrain_options weir_constrain_options_defaults(void)
{
    return (struct weir_constrain_options){.draft = WEIR_DRAFT_2020_12, .compact = true};
}

static bool draft_of(enum weir_schema_draft draft, enum draft *out)
{
    static const struct {
        enum weir_schema_draft public;
        enum draft own;
    } drafts[] = {{WEIR_DRAFT_4, DRAFT_4},
                  {WEIR_DRAFT_6, DRAFT_6},
                  {WEIR_DRAFT_7, DRAFT_7},
                  {WEIR_DRAFT_2019_09, DRAFT_2019},
                  {WEIR_DRAFT_2020_12, DRAFT_2020}};
    for (size_t i = 0; i < sizeof drafts / sizeof drafts[0]; i++) {
        if (drafts[i].public != draft) continue;
        *out = drafts[i].own;
        return true;
    }
    return false;
}

static enum weir_status keep_notes(struct compiler *c, struct weir_constraint *constraint)
{
    constraint->notes = arena_zero(c->arena, c->n_notes + 1, sizeof *constraint->notes);
    if (!constraint->notes) return compile_no_room(c);
    constraint->n_notes = c->n_notes;
    size_t i = c->n_notes;
    for (const struct note *note = c->notes; note; note = note->next) constraint->notes[--i] = note->text;
    return WEIR_OK;
}

static enum weir_status compile(struct compiler *c, struct weir_constraint *constraint, const char *schema, size_t size)
{
    struct json_value *root;
    enum draft draft;
    literal whole = literal_of(SCHEMA_NUMBER_ROOT, false);
    uint32_t node;
    if (!draft_of(constraint->options.draft, &draft))
        return error_set(c->error, WEIR_ERR_INVALID, "draft %d: expected 4, 6, 7, 2019 or 2020",
                         (int)constraint->options.draft);
    if (size > CONSTRAINT_SCHEMA_BYTES_MAX)
        return error_set(c->error, WEIR_ERR_LIMIT, "the schema has %zu bytes, the maximum is %d", size,
                         CONSTRAINT_SCHEMA_BYTES_MAX);
    enum weir_status status = json_read(c->work, "schema", schema, size, &root, c->error);
    if (!status) status = schema_open(&c->document, c->work, root, draft, c->error);
    if (!status) status = node_of(c, &whole, 1, &node);
    if (!status) status = program_link(c, node);
    return status ? status : keep_notes(c, constraint);
}

enum weir_status weir_constraint_open(const char *schema, size_t size, const struct weir_vocabulary *vocabulary,
                                      const struct weir_constrain_options *options, struct weir_constraint **out,
                                      struct weir_error *error)
{
    struct weir_constraint *constraint = mem_zero(1, sizeof *constraint);
    if (!constraint) return error_nomem(error, "a constraint");
    constraint->arena = ARENA_MAX(CONSTRAINT_BYTES_MAX);
    constraint->options = options ? *options : weir_constrain_options_defaults();
    constraint->vocabulary = vocabulary;
    struct arena work = ARENA_MAX(CONSTRAINT_BYTES_MAX), scratch = ARENA_MAX(CONSTRAINT_BYTES_MAX);
    struct node_table nodes = {0};
    struct weir_error own = {0};
    struct compiler c = {.arena = &constraint->arena,
                         .work = &work,
                         .scratch = &scratch,
                         .maker = {&constraint->arena, &scratch},
                         .formats = vocabulary ? vocabulary->formats : NULL,
                         .options = &constraint->options,
                         .error = &own,
                         .program = &constraint->program,
                         .nodes = &nodes};
    enum weir_status status = mask_cache_open(&constraint->cache) ? WEIR_OK : error_nomem(&own, "a constraint");
    if (!status) status = compile(&c, constraint, schema, size);
    arena_free(&work);
    arena_free(&scratch);
    if (status) {
        weir_constraint_close(&constraint);
        return error_set(error, status, "%s", own.text);
    }
    *out = constraint;
    return WEIR_OK;
}

void weir_constraint_close(struct weir_constraint **constraint)
{
    if (!constraint || !*constraint) return;
    mask_cache_close(&(*constraint)->cache);
    arena_free(&(*constraint)->arena);
    free(*constraint);
    *constraint = NULL;
}

size_t weir_constraint_note_count(const struct weir_constraint *constraint)
{
    return constraint->n_notes;
}

const char *weir_constraint_note(const struct weir_constraint *constraint, size_t index)
{
    return index < constraint->n_notes ? constraint->notes[index] : NULL;
}

bool weir_constraint_is_satisfiable(const struct weir_constraint *constraint)
{
    return constraint->program.satisfiable;
}
