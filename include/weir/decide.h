/* Deciding any task: questions with labels as weir/classify.h answers them, questions in words (summarize, generate) by generating.
 *
 * Order: weir_engine_open, weir_task_open, optionally weir_profile_open, weir_decider_open, weir_decide as often as needed,
 * weir_decider_close. A decider refers to its engine, task and profile, which must outlive it; it belongs to one thread at a time. A row's
 * answers never depend on the other rows of the call, on the number of threads or on earlier calls. */
#ifndef WEIR_DECIDE_H
#define WEIR_DECIDE_H

#include "weir/classify.h"
#include "weir/generate.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_decider;

/* A question of a type that this version does not answer is WEIR_ERR_UNSUPPORTED and named. A profile of another task or model, or one for
 * a task that has no question with labels, is WEIR_ERR_REFUSED. */
WEIR_API enum weir_status weir_decider_open(struct weir_engine *engine, const struct weir_task *task,
                                            const struct weir_profile *profile, struct weir_decider **out,
                                            struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_decider_close(struct weir_decider **decider);

/* The words of an answer; all zero for a question with labels. */
struct weir_words {
    char
        *text; /* owned, valid UTF-8 without white space around it, NUL after `size` bytes; free with weir_words_free */
    size_t size;
    enum weir_finish finish; /* WEIR_FINISH_LENGTH: cut at the question's max_tokens */
    size_t tokens;           /* generated for it, in all parts */
    size_t parts;            /* 1, or what a text that did not fit was cut into (map_reduce) */
    size_t cut_parts;        /* parts whose own summary was cut at max_tokens */
};
WEIR_API void weir_words_free(struct weir_words *words);

/* Numbers that size the caller's buffers. */
WEIR_API size_t weir_decider_questions(const struct weir_decider *decider);
WEIR_API size_t weir_decider_probabilities(const struct weir_decider *decider); /* sum of n_labels over the questions */
WEIR_API size_t weir_decider_batch(const struct weir_decider *decider);         /* rows a call handles best at once */

/* texts: [count]; decisions, words: [count, questions]; probabilities: [count, weir_decider_probabilities()]. A row that cannot be answered
 * has its own status in `decisions`; the call fails only when nothing could be answered, and then leaves no words to free.
 * For a question in words `decisions` holds status, tokens, latency and, as probability, the confidence of
 * weir_generation_confidence: not calibrated. Of a text in parts it is that of the last summary. */
WEIR_API enum weir_status weir_decide(struct weir_decider *decider, const struct weir_string *texts, size_t count,
                                      struct weir_decision *decisions, struct weir_words *words, double *probabilities,
                                      struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
