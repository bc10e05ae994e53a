/* A row of the window: its steps through the tiers, and the answers each of them gave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cascade/cascade_internal.h"

struct step *cascade_row_step(struct row *row, size_t tier, enum weir_verdict verdict, const char *reason)
{
    struct step *steps = mem_resize(row->steps, row->n_steps + 1, sizeof *steps);
    if (!steps) return NULL;
    row->steps = steps;
    struct step *step = &steps[row->n_steps++];
    *step = (struct step){.tier = tier, .verdict = verdict};
    (void)snprintf(step->reason, sizeof step->reason, "%s", reason);
    return step;
}

static void answers_free(const struct weir_cascade *c, struct answers *answers)
{
    for (size_t i = 0; answers->words && i < c->questions; i++) weir_words_free(&answers->words[i]);
    free(answers->decisions);
    free(answers->words);
    free(answers->probabilities);
    *answers = (struct answers){0};
}

enum weir_status cascade_answers_open(const struct weir_cascade *c, struct answers *answers)
{
    struct answers made = {.decisions = mem_zero(c->questions, sizeof *made.decisions),
                           .words = mem_zero(c->questions, sizeof *made.words),
                           .probabilities = mem_zero(c->labels, sizeof *made.probabilities)};
    if (!made.decisions || !made.words || !made.probabilities) {
        answers_free(c, &made);
        return WEIR_ERR_NOMEM;
    }
    *answers = made;
    return WEIR_OK;
}

enum weir_status cascade_answers_take(const struct weir_cascade *c, struct answers *answers,
                                      const struct weir_decision *decisions, struct weir_words *words)
{
    if (cascade_answers_open(c, answers)) return WEIR_ERR_NOMEM;
    double *at = answers->probabilities;
    for (size_t i = 0; i < c->questions; i++) {
        size_t labels = weir_task_question(c->o.task, i)->n_labels;
        answers->decisions[i] = decisions[i];
        if (decisions[i].probabilities) {
            memcpy(at, decisions[i].probabilities, labels * sizeof *at);
            answers->decisions[i].probabilities = at;
        }
        at += labels;
        answers->words[i] = words[i];
        words[i] = (struct weir_words){0};
    }
    answers->is_set = true;
    return WEIR_OK;
}

void cascade_row_clear(const struct weir_cascade *c, struct row *row)
{
    for (size_t i = 0; i < row->n_steps; i++) answers_free(c, &row->steps[i].answers);
    free(row->steps);
    free(row->settlements);
    free(row->line);
    *row = (struct row){0};
}

const struct step *cascade_row_answer(const struct row *row)
{
    for (size_t i = row->n_steps; i-- > 0;)
        if (row->steps[i].verdict != WEIR_VERDICT_CHECK && row->steps[i].answers.is_set) return &row->steps[i];
    return NULL;
}
