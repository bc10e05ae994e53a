/* The prompt of a question, split where the row's text goes:
 *
 *     prefix (constant, prefilled once) | the row's text | suffix | the answer
 *
 * With a chat template there is one user turn: instructions, labels, the text; the suffix ends that turn and opens the
 * assistant's. No system turn is used, since some templates refuse one. A model without a template gets the plain format
 *
 *     INSTRUCTIONS \n\n Categories: \n LABELS \n\n Message: \n TEXT \n Category:
 *
 * A question that is answered in words (summarize, generate) has no labels: the turn is INSTRUCTIONS \n\n Text: \n TEXT, and the plain
 * format ends in "Summary:" or "Answer:"; or the turn is what the task's own template makes of instructions and text.
 *
 * A question of type extract shows its JSON Schema between the instructions and the text; its plain format ends in "JSON:".
 *
 * The row's text is meant without white space around it (prompt_trim): then the prompt is the same bytes whether or not
 * the template trims the turn. */
#ifndef WEIR_TASK_PROMPT_H
#define WEIR_TASK_PROMPT_H

#include "task/template.h"
#include "weir/gguf.h"
#include "weir/task.h"

/* Stands in the ledger beside every local answer. Another wording is another version (tests/task/test_prompt.c holds both). */
#define PROMPT_VERSION "1"

struct prompt {
    struct template_piece *prefix, *suffix; /* owned; only pieces with from_template may spell special tokens */
    size_t n_prefix, n_suffix;
    bool has_template;
    const char *
        answer_lead; /* what stands before the code or name in the answer: "" after a template, " " in the plain format */
    char *text;      /* owned: the bytes of the pieces */
};

/* `codes`: one short text a label, asked for in place of the names; NULL: names, or a question without labels. `source`: the chat template, empty when the
 * model has none. `bos`, `eos`: how the model spells these tokens, empty when it has none. A template that changes the
 * user's text (other than trimming it), drops it or repeats it is WEIR_ERR_UNSUPPORTED. Free with prompt_free. */
enum weir_status prompt_build(const struct weir_question *question, const char *const *codes, struct weir_string source,
                              struct weir_string bos, struct weir_string eos, struct prompt *out,
                              struct weir_error *error) WEIR_MUST_USE;

/* As prompt_build, for a question of type extract: `schema` is JSON. */
enum weir_status prompt_build_extract(const struct weir_question *question, struct weir_string schema,
                                      struct weir_string source, struct weir_string bos, struct weir_string eos,
                                      struct prompt *out, struct weir_error *error) WEIR_MUST_USE;
void prompt_free(struct prompt *prompt); /* accepts a zeroed one */

/* The text without the white space around it (Unicode's), inside the same bytes. */
struct weir_string prompt_trim(struct weir_string text);

#endif
