/* Answers in words to one question: the prompt's instructions are evaluated once, each text forks from them, and several are generated
 * at once. A text that does not fit is an error, or summarised in parts when the question says map_reduce. */
#ifndef WEIR_DECIDE_WRITER_H
#define WEIR_DECIDE_WRITER_H

#include "decide/prompt_tokens.h"
#include "weir/decide.h"

struct writer {
    struct weir_engine *engine;           /* not owned */
    const struct weir_question *question; /* not owned */
    struct prompt prompt;
    struct prompt_tokens tokens;
    struct weir_session *root; /* holds what all prompts share */
};

enum weir_status writer_open(struct weir_engine *engine, const struct weir_question *question, struct writer **out,
                             struct weir_error *error) WEIR_MUST_USE;
void writer_close(struct writer **writer);

/* texts: [count]; row i's results go to decisions[i * stride] and words[i * stride]. Fails only without memory or when the model gives no
 * tokens; rows answered before that hold words. */
enum weir_status writer_answer(struct writer *writer, const struct weir_string *texts, size_t count, size_t stride,
                               struct weir_decision *decisions, struct weir_words *words,
                               struct weir_error *error) WEIR_MUST_USE;

#endif
