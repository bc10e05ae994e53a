/* A prompt as tokens: what its rows share, and the rest of each row.
 *
 *     prefix of the template and task | the row's text | suffix
 *
 * A row's ids are those of its whole prompt tokenized at once (tokenizer/resume.h): the text between two special tokens is one stretch,
 * whoever wrote it. So where the prefix ends within a stretch its last ids may depend on the row; `shared` holds those that do
 * not as a rule, and a row forks from as many of them as are its own. Special tokens are recognised in the template's own text alone.
 *
 * Immutable after prompt_tokens_open. */
#ifndef WEIR_DECIDE_PROMPT_TOKENS_H
#define WEIR_DECIDE_PROMPT_TOKENS_H

#include "engine/engine.h"
#include "task/prompt.h"
#include "tokenizer/resume.h"

/* What a model's own prompts are made with: its chat template (empty: none) and how it spells BOS and EOS. */
struct prompt_model {
    struct weir_string source, bos, eos;
};
struct prompt_model prompt_model_of(const struct weir_engine *engine);

struct prompt_tokens {
    const struct weir_tokenizer *tokenizer; /* not owned */
    struct resume_point point;              /* its settled ids are those of `shared` */
    struct weir_tokens shared;              /* owned; prefill them */
    size_t n_settled;                       /* the first ids of `shared`, with BOS: the same in every row's prompt */
    struct weir_text_piece *suffix;         /* owned; the texts are the prompt's */
    size_t n_suffix;
};

/* `prompt` must outlive it. BOS comes first where the vocabulary asks for it and the template did not write it. */
enum weir_status prompt_tokens_open(const struct weir_engine *engine, const struct prompt *prompt,
                                    struct prompt_tokens *out, struct weir_error *error) WEIR_MUST_USE;
void prompt_tokens_free(struct prompt_tokens *tokens); /* accepts a zeroed one */

/* Appends the ids of a row's prompt after the first n_settled. `text` is trimmed already. */
enum weir_status prompt_tokens_of_row(const struct prompt_tokens *tokens, struct weir_string text,
                                      struct weir_tokens *row, struct weir_error *error) WEIR_MUST_USE;

/* How many of the row's ids are in `shared`, not counting the settled ones; fewer than row->count. */
size_t prompt_tokens_common(const struct prompt_tokens *tokens, const struct weir_tokens *row);

#endif
