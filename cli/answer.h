/* One row's answer as one JSON object: the contract of docs/cli.md. */
#ifndef WEIR_CLI_ANSWER_H
#define WEIR_CLI_ANSWER_H

#include <jansson.h>
#include <stdbool.h>

#include "parts.h"
#include "weir/decide.h"
#include "weir/gate.h"
#include "weir/input.h"

/* JSON that is written as it stands: a value of an object of an answer. NULL without memory, or when it is not UTF-8. */
json_t *answer_raw(struct weir_string json);

/* The answer as one line without its end, to be freed. NULL without memory. */
char *answer_text(json_t *answer);

/* Which answers are accepted; the others are abstentions that say why. */
struct acceptance {
    struct weir_gate gate;                       /* accept and threshold; zeroed: certified */
    const struct weir_certificate *certificates; /* WEIR_ACCEPT_CERTIFIED: [questions], not owned */
};

/* Whether the answer to question `index` is accepted; *reason is a word for the output and is not written otherwise. */
bool answer_accepted(const struct acceptance *acceptance, size_t index, const struct weir_question *question,
                     const struct weir_decision *decision, enum weir_reason *reason);

/* `decisions`, `words`: one for each question of the task; not read when row->status is not WEIR_OK. `words` NULL: all questions have
 * labels. NULL without memory. */
json_t *answer_json(const struct parts *parts, const struct acceptance *acceptance, const struct weir_row *row,
                    const struct weir_decision *decisions, const struct weir_words *words);

/* The fields that a question has wherever it stands: value, probability (absent when negative), probabilities (absent when NULL),
 * expectation; of an answer in words value, finish_reason and the parts it was made of. */
void answer_add_value(json_t *object, const struct weir_question *question, const struct weir_decision *decision,
                      const struct weir_words *words);

/* {"code","message"} */
json_t *answer_error(enum weir_status status, const char *text);

/* Why a row has no answer. */
struct problem {
    enum weir_status status;
    char text[WEIR_INPUT_ROW_ERROR_MAX + 64]; /* names the row's line */
};

/* False when the row has an answer to every question; otherwise *problem holds the first reason. */
bool answer_problem(const struct weir_row *row, const struct weir_decision *decisions, size_t questions,
                    struct problem *problem);

#endif
