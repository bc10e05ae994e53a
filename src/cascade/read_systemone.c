/* Reads replies of /v1/systemone. The sources are those of wire_systemone.c. */
#include <stdio.h>

#include "cascade/said.h"
#include "cascade/wire.h"

static void take_usage(struct said *said, const struct json_value *usage)
{
    int64_t input = 0, output = 0;
    if (!usage || usage->kind != JSON_OBJECT || !said_count(usage, "input_tokens", false, &input) ||
        !said_count(usage, "output_tokens", false, &output))
        return;
    said->usage = (struct weir_usage){.is_known = true, .input = input, .output = output};
}

static bool noul(const struct json_value *answer, double *p)
{
    const struct json_value *type = json_member(answer, "type");
    return type && json_text_is(type->string, "noul") && said_number(json_member(answer, "noul"), p) && *p >= 0 &&
           *p <= 1;
}

/* Probabilities by name of the choice, or by number of the level. */
static bool distribution(const struct weir_question *question, const struct json_value *answer, double *p)
{
    const struct json_value *type = json_member(answer, "type"), *all = json_member(answer, "probabilities");
    bool is_score = question->type == WEIR_QUESTION_SCORE;
    if (!type || !json_text_is(type->string, is_score ? "score" : "choice")) return false;
    if (!all || all->kind != JSON_OBJECT || all->count != question->n_labels) return false;
    for (size_t i = 0; i < question->n_labels; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        if (!said_number(json_member(all, is_score ? number : question->labels[i].name), &p[i])) return false;
    }
    return wire_is_distribution(p, question->n_labels);
}

static bool take_multi(const struct form *form, size_t index, const struct json_value *answers, double *p,
                       bool *is_chosen)
{
    char name[WIRE_NAME_BYTES_MAX];
    for (size_t i = 0; i < form_question(form, index)->n_labels; i++) {
        if (!noul(json_member(answers, wire_name(form, index, i, name)), &p[i])) return false;
        is_chosen[i] = p[i] >= 0.5;
    }
    return true;
}

static bool take(const struct form *form, size_t index, const struct json_value *answers, double *p)
{
    char name[WIRE_NAME_BYTES_MAX];
    const struct weir_question *question = form_question(form, index);
    const struct json_value *answer = json_member(answers, wire_name(form, index, 0, name));
    if (question->type != WEIR_QUESTION_YESNO) return distribution(question, answer, p);
    if (!noul(answer, &p[0])) return false;
    p[1] = 1 - p[0];
    return true;
}

static void take_question(struct said *said, const struct form *form, size_t index, const struct json_value *answers)
{
    const struct weir_question *question = form_question(form, index);
    struct weir_provider_answer *out = &said->answers[index];
    double *p = said_probabilities(said, question);
    bool *is_chosen = arena_zero(&said->arena, question->n_labels, sizeof *is_chosen);
    if (!p || !is_chosen) {
        said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answers");
        return;
    }
    if (!(question->multi ? take_multi(form, index, answers, p, is_chosen) : take(form, index, answers, p))) {
        said_fail(said, WEIR_OUTCOME_WRONG_SHAPE,
                  "question %s: expected an answer of its type with a probability for each label", question->name);
        return;
    }
    if (!question->multi) {
        said_set_distribution(out, question, p);
        return;
    }
    out->probabilities = p;
    out->is_chosen = is_chosen;
}

void read_systemone(struct said *said, const struct form *form, const struct json_value *root)
{
    const struct json_value *answers = json_member(root, "answers");
    take_usage(said, json_member(root, "usage"));
    said->is_whole = true;
    if (!answers || answers->kind != JSON_OBJECT) {
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply has no `answers`");
        return;
    }
    if (!said_begin_answers(said, form)) return;
    for (size_t i = 0; i < form->n_questions && said->outcome == WEIR_OUTCOME_ANSWERED; i++)
        take_question(said, form, i, answers);
}
