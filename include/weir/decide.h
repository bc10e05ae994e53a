/* Deciding any task: questions with labels as weir/classify.h answers them, questions in words (summarize, generate) by generating,
 * extractions by generating under their JSON Schema (weir/constrain.h).
 *
 * Order: weir_engine_open, weir_task_open, optionally weir_profile_open, weir_decider_open, weir_decide as often as needed,
 * weir_decider_close. A decider refers to its engine, task and profile, which must outlive it; it belongs to one thread at a time. A row's
 * answers never depend on the other rows of the call, on the number of threads or on earlier calls. */
#ifndef WEIR_DECIDE_H
#define WEIR_DECIDE_H

#include <stdbool.h>

#include "weir/classify.h"
#include "weir/generate.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_decider;

/* Reads and compiles the schemas of extract questions, from files beside the task's: one that says something that cannot be enforced is
 * WEIR_ERR_UNSUPPORTED with keyword and JSON pointer (unless the question is lenient), one that no value satisfies WEIR_ERR_REFUSED. A profile of
 * another task or model, or one for a task that has no question with labels, is WEIR_ERR_REFUSED. */
WEIR_API enum weir_status weir_decider_open(struct weir_engine *engine, const struct weir_task *task,
                                            const struct weir_profile *profile, struct weir_decider **out,
                                            struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_decider_close(struct weir_decider **decider);

/* One field of an extraction: a member of the object. */
struct weir_field {
    struct weir_string name;  /* decoded; may hold any character */
    struct weir_string value; /* JSON as the model wrote it, numbers by their lexemes; "null": left out, or null */
    double probability;       /* of the value, given what stands before it */
    bool has_span;            /* a string or number that stands in the text byte by byte, at */
    size_t span_begin,
        span_end; /* bytes of the text: the first place, where it is a word or number of its own if there is one */
};

/* The words, or the JSON, of an answer; all zero for a question with labels. */
struct weir_words {
    /* Owned, valid UTF-8 without white space around it, NUL after `size` bytes; free with weir_words_free. Of an extraction: one compact JSON
     * value that is valid under the schema. */
    char *text;
    size_t size;
    enum weir_finish finish; /* WEIR_FINISH_LENGTH: cut at the question's max_tokens */
    size_t tokens;           /* generated for it, in all parts */
    size_t parts;            /* 1, or what a text that did not fit was cut into (map_reduce) */
    size_t cut_parts;        /* parts whose own summary was cut at max_tokens */
    struct weir_field
        *fields; /* extract: [n_fields], owned: of an object, in the schema's order; NULL for other values and types */
    size_t n_fields;
    const char *const *notes; /* extract: [n_notes], the decider's: what a lenient question does not enforce */
    size_t n_notes;
};
WEIR_API void weir_words_free(struct weir_words *words);

/* As weir_classifier_set_prior, for the task's zero-shot questions with labels; without such questions nothing happens. */
WEIR_API enum weir_status weir_decider_set_prior(struct weir_decider *decider, const struct weir_string *texts,
                                                 size_t count, struct weir_error *error) WEIR_MUST_USE;

/* Numbers that size the caller's buffers. */
WEIR_API size_t weir_decider_questions(const struct weir_decider *decider);
WEIR_API size_t weir_decider_probabilities(const struct weir_decider *decider); /* sum of n_labels over the questions */
WEIR_API size_t weir_decider_batch(const struct weir_decider *decider);         /* rows a call handles best at once */

/* texts: [count]; decisions, words: [count, questions]; probabilities: [count, weir_decider_probabilities()]. A row that cannot be answered
 * has its own status in `decisions`; the call fails only when nothing could be answered, and then leaves no words to free.
 * For a question in words `decisions` holds status, tokens, latency and, as probability, the confidence of
 * weir_generation_confidence: not calibrated. Of a text in parts it is that of the last summary. For an extraction it is the probability
 * of the whole value among those that the schema allows, the product of its fields'. An extraction that does not end within max_tokens is
 * WEIR_ERR_LIMIT. */
WEIR_API enum weir_status weir_decide(struct weir_decider *decider, const struct weir_string *texts, size_t count,
                                      struct weir_decision *decisions, struct weir_words *words, double *probabilities,
                                      struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
