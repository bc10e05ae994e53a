/* Reads replies of /v1/decisions. The sources are those of wire_decisions.c. */
#include "cascade/said.h"
#include "cascade/wire.h"

static void take_usage(struct said *said, const struct json_value *usage)
{
    int64_t input = 0, output = 0, cached = 0, cache_write = 0;
    const struct json_value *details = json_member(usage, "input_tokens_details");
    if (!usage || usage->kind != JSON_OBJECT) return;
    bool good = said_count(usage, "input_tokens", false, &input) && said_count(usage, "output_tokens", true, &output) &&
                said_count(details, "cached_tokens", true, &cached) &&
                said_count(details, "cache_write_tokens", true, &cache_write);
    if (!good || cached + cache_write > input) return;
    said->usage = (struct weir_usage){.is_known = true,
                                      .input = input - cached - cache_write,
                                      .cached = cached,
                                      .cache_write = cache_write,
                                      .output = output};
}

static void fail_answer(struct said *said, const struct weir_question *question, const char *what)
{
    said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "question %s: %s", question->name, what);
}

/* An answer's `type` is `type`; a refusal and anything else fail. */
static bool is_of_type(struct said *said, const struct weir_question *question, const struct json_value *answer,
                       const char *type)
{
    const struct json_value *found = json_member(answer, "type");
    if (found && json_text_is(found->string, type)) return true;
    if (found && json_text_is(found->string, "refusal"))
        said_fail(said, WEIR_OUTCOME_REFUSED, "the model declined to answer question %s", question->name);
    fail_answer(said, question, answer ? "an answer of another type" : "no answer");
    return false;
}

static bool predicate(struct said *said, const struct weir_question *question, const struct json_value *answer,
                      double *p)
{
    if (!is_of_type(said, question, answer, "predicate")) return false;
    if (said_number(json_member(answer, "probability"), p) && *p >= 0 && *p <= 1) return true;
    fail_answer(said, question, "expected a probability from 0 to 1");
    return false;
}

/* The label that an entry of `probabilities` is about: a choice by its value, a level by its number. */
static size_t label_of(const struct weir_question *question, const struct json_value *entry)
{
    const struct json_value *value = json_member(entry, "value");
    double number = 0;
    if (!value) return SIZE_MAX;
    if (question->type == WEIR_QUESTION_SCORE) {
        bool is_level = said_number(value, &number) && number >= 0 && number < (double)question->n_labels;
        return is_level && number == (double)(size_t)number ? (size_t)number : SIZE_MAX;
    }
    for (size_t i = 0; value->kind == JSON_STRING && i < question->n_labels; i++)
        if (json_text_is(value->string, question->labels[i].name)) return i;
    return SIZE_MAX;
}

static bool take_list(const struct weir_question *question, const struct json_value *list, double *p)
{
    if (!list || list->kind != JSON_ARRAY || list->count != question->n_labels) return false;
    for (size_t i = 0; i < question->n_labels; i++) p[i] = -1;
    for (const struct json_value *entry = list->first; entry; entry = entry->next) {
        size_t label = label_of(question, entry);
        if (label == SIZE_MAX || p[label] >= 0 || !said_number(json_member(entry, "probability"), &p[label]))
            return false;
    }
    return wire_is_distribution(p, question->n_labels);
}

static void take_distribution(struct said *said, const struct weir_question *question, const struct json_value *answer,
                              struct weir_provider_answer *out)
{
    bool is_score = question->type == WEIR_QUESTION_SCORE;
    double *p = said_probabilities(said, question);
    if (!p || !is_of_type(said, question, answer, is_score ? "score" : "choice")) return;
    if (!take_list(question, json_member(answer, "probabilities"), p)) {
        fail_answer(said, question, "expected a probability for each label");
        return;
    }
    said_set_distribution(out, question, p);
}

static void take_yesno(struct said *said, const struct weir_question *question, const struct json_value *answer,
                       struct weir_provider_answer *out)
{
    double yes = 0, *p = said_probabilities(said, question);
    if (!p || !predicate(said, question, answer, &yes)) return;
    p[0] = yes;
    p[1] = 1 - yes;
    said_set_distribution(out, question, p);
}

static const struct json_value *take_multi(struct said *said, const struct weir_question *question,
                                           const struct json_value *answer, struct weir_provider_answer *out)
{
    double *p = said_probabilities(said, question);
    bool *is_chosen = arena_zero(&said->arena, question->n_labels, sizeof *is_chosen);
    if (!p || !is_chosen) {
        said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the answers");
        return NULL;
    }
    for (size_t i = 0; i < question->n_labels; i++, answer = answer->next) {
        if (!predicate(said, question, answer, &p[i])) return NULL;
        is_chosen[i] = p[i] >= 0.5;
    }
    out->probabilities = p;
    out->is_chosen = is_chosen;
    return answer;
}

void read_decisions(struct said *said, const struct form *form, const struct json_value *root)
{
    const struct json_value *answers = json_member(root, "answers");
    take_usage(said, json_member(root, "usage"));
    said->is_whole = true;
    if (!answers || answers->kind != JSON_ARRAY) {
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply has no `answers`");
        return;
    }
    if (!said_begin_answers(said, form)) return;
    const struct json_value *answer = answers->first;
    for (size_t i = 0; i < form->n_questions && said->outcome == WEIR_OUTCOME_ANSWERED; i++) {
        const struct weir_question *question = form_question(form, i);
        if (question->multi) {
            answer = take_multi(said, question, answer, &said->answers[i]);
            continue;
        }
        if (question->type == WEIR_QUESTION_YESNO)
            take_yesno(said, question, answer, &said->answers[i]);
        else
            take_distribution(said, question, answer, &said->answers[i]);
        answer = answer ? answer->next : NULL;
    }
    if (answer && said->outcome == WEIR_OUTCOME_ANSWERED)
        said_fail(said, WEIR_OUTCOME_WRONG_SHAPE, "more answers than questions");
}
