/* What one request asks: the questions, the shape of the answer, the words of the prompt. The same for every provider.
 *
 * A labelled form asks any number of questions with labels and wants one JSON object with a member for each. An extract form asks one
 * question and wants JSON of its schema; a words form asks one and wants plain text. */
#ifndef WEIR_CASCADE_FORM_H
#define WEIR_CASCADE_FORM_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "weir/constrain.h"
#include "weir/task.h"

struct json_t; /* jansson's */

enum { FORM_MEMBER_BYTES_MAX = 64, FORM_BODY_BYTES_MAX = 64 << 20 };

enum form_kind { FORM_LABELS, FORM_EXTRACT, FORM_WORDS };

/* The JSON Schema of an extract question, read once a provider. Zero: none. */
struct form_schema {
    char *text; /* owned */
    size_t size;
    struct json_t *json;                /* owned; without $schema */
    struct weir_constraint *constraint; /* owned; of bytes */
    bool is_strict; /* within what structured outputs take: all members required and no others, no bounds or patterns */
};

struct form {
    const struct weir_task *task;
    const struct weir_tier_spec *tier;
    enum form_kind kind;
    size_t n_questions;
    size_t questions[WEIR_TASK_QUESTIONS_MAX];
    const struct form_schema *schema; /* FORM_EXTRACT */
    bool is_loopback; /* a server of one's own: it is told in its prompt what others read from the schema */
};

/* Stands in the ledger beside every answer of a tier asked over HTTP. Another wording is another version (tests/cascade/test_reply.c holds
 * both). */
#define FORM_VERSION "1"

/* Checks the questions (NULL: all of the task) and fills `form` but for `schema` and `is_loopback`. WEIR_ERR_INVALID. */
enum weir_status form_make(const struct weir_task *task, const struct weir_tier_spec *tier, const size_t *questions,
                           size_t n_questions, struct form *out, struct weir_error *error) WEIR_MUST_USE;

static inline const struct weir_question *form_question(const struct form *form, size_t index)
{
    return weir_task_question(form->task, form->questions[index]);
}

/* The member that answers question `index`: its name where every provider accepts that as a key, else "answer_1". */
const char *form_member(const struct form *form, size_t index, char member[FORM_MEMBER_BYTES_MAX + 1]);

/* A new reference; NULL without memory. Not for FORM_WORDS. */
struct json_t *form_shape(const struct form *form);

/* The instructions, and what stands in the user's turn. */
enum weir_status form_system(const struct form *form, struct strbuf *out, struct weir_error *error) WEIR_MUST_USE;
enum weir_status form_user(const struct form *form, const char *text, size_t size, struct strbuf *out,
                           struct weir_error *error) WEIR_MUST_USE;

/* Reads the schema of extract question `question` of the task. */
enum weir_status form_schema_open(const struct weir_task *task, const struct weir_question *question,
                                  struct form_schema *out, struct weir_error *error) WEIR_MUST_USE;
void form_schema_close(struct form_schema *schema); /* accepts a zeroed one */

#endif
