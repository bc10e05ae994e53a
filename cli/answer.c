#include "answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

bool answer_problem(const struct weir_row *row, const struct weir_decision *decisions, size_t questions,
                    struct problem *problem)
{
    *problem = (struct problem){.status = row->status};
    if (row->status) (void)snprintf(problem->text, sizeof problem->text, "%s", row->error);
    for (size_t i = 0; !problem->status && i < questions; i++) {
        problem->status = decisions[i].status;
        if (!problem->status) continue;
        const char *text = decisions[i].error[0] ? decisions[i].error : weir_status_text(problem->status);
        (void)snprintf(problem->text, sizeof problem->text, "line %zu: %s", row->line, text);
    }
    return problem->status != WEIR_OK;
}

/* WEIR_ERR_TOO_LONG is "too_long". */
static json_t *code_json(enum weir_status status)
{
    char code[48];
    const char *name = weir_status_name(status);
    if (strncmp(name, "ERR_", 4) == 0) name += 4;
    size_t size = 0;
    for (; name[size] && size + 1 < sizeof code; size++) code[size] = (char)tolower((unsigned char)name[size]);
    return json_stringn(code, size);
}

json_t *answer_error(enum weir_status status, const char *words)
{
    struct weir_string message = {words, strlen(words)};
    return json_pack("{s:o, s:o}", "code", code_json(status), "message", text_json(message));
}

static json_t *probabilities_json(const struct weir_question *question, const struct weir_decision *decision)
{
    json_t *object = json_object();
    for (size_t i = 0; i < question->n_labels; i++)
        (void)json_object_set_new(object, question->labels[i].name, json_real(decision->probabilities[i]));
    return object;
}

/* The mean of a score's levels under the probabilities. */
static double expectation(const struct weir_question *question, const struct weir_decision *decision)
{
    double sum = 0;
    for (size_t i = 0; i < question->n_labels; i++) sum += question->labels[i].value * decision->probabilities[i];
    return sum;
}

/* How an answer in words came about: cut short, in parts. */
static void add_words(json_t *object, const struct weir_decision *decision, const struct weir_words *words)
{
    (void)json_object_set_new(object, "value", text_json((struct weir_string){words->text, words->size}));
    if (decision->probability >= 0) (void)json_object_set_new(object, "probability", json_real(decision->probability));
    (void)json_object_set_new(object, "finish_reason", json_string(weir_finish_name(words->finish)));
    (void)json_object_set_new(object, "parts", json_integer((json_int_t)words->parts));
    if (words->cut_parts) (void)json_object_set_new(object, "cut_parts", json_integer((json_int_t)words->cut_parts));
}

static json_t *field_json(const struct weir_field *field)
{
    json_t *object = json_pack("{s:o, s:f}", "value", answer_raw(field->value), "probability", field->probability);
    if (field->has_span)
        (void)json_object_set_new(object, "span",
                                  json_pack("[I, I]", (json_int_t)field->span_begin, (json_int_t)field->span_end));
    return object;
}

/* What was found in the text. */
static void add_extraction(json_t *object, const struct weir_decision *decision, const struct weir_words *words)
{
    (void)json_object_set_new(object, "value", answer_raw((struct weir_string){words->text, words->size}));
    if (decision->probability >= 0) (void)json_object_set_new(object, "probability", json_real(decision->probability));
    if (words->fields) {
        json_t *fields = json_object();
        for (size_t i = 0; i < words->n_fields; i++)
            (void)json_object_setn_new(fields, words->fields[i].name.data, words->fields[i].name.size,
                                       field_json(&words->fields[i]));
        (void)json_object_set_new(object, "fields", fields);
    }
    if (!words->n_notes) return;
    json_t *notes = json_array();
    for (size_t i = 0; i < words->n_notes; i++)
        (void)json_array_append_new(notes, text_json((struct weir_string){words->notes[i], strlen(words->notes[i])}));
    (void)json_object_set_new(object, "not_enforced", notes);
}

/* The label; with `multi` the list of those that apply. */
static json_t *value_json(const struct weir_question *question, const struct weir_decision *decision)
{
    if (!question->multi) return json_string(question->labels[decision->label].name);
    json_t *list = json_array();
    for (size_t i = 0; i < question->n_labels; i++)
        if (decision->probabilities[i] >= 0.5) (void)json_array_append_new(list, json_string(question->labels[i].name));
    return list;
}

void answer_add_value(json_t *object, const struct weir_question *question, const struct weir_decision *decision,
                      const struct weir_words *words)
{
    if (words && words->text) {
        if (question->type == WEIR_QUESTION_EXTRACT)
            add_extraction(object, decision, words);
        else
            add_words(object, decision, words);
        return;
    }
    if (decision->label >= question->n_labels && !(question->multi && decision->probabilities)) return;
    (void)json_object_set_new(object, "value", value_json(question, decision));
    if (question->type == WEIR_QUESTION_ROUTE)
        (void)json_object_set_new(object, "to", json_string(question->labels[decision->label].to));
    if (decision->probability >= 0) (void)json_object_set_new(object, "probability", json_real(decision->probability));
    if (!decision->probabilities) return;
    (void)json_object_set_new(object, "probabilities", probabilities_json(question, decision));
    if (question->type == WEIR_QUESTION_SCORE)
        (void)json_object_set_new(object, "expectation", json_real(expectation(question, decision)));
}

bool answer_accepted(const struct acceptance *acceptance, size_t index, const struct weir_question *question,
                     const struct weir_decision *decision, enum weir_reason *reason)
{
    struct weir_acceptance rule = {.gate = &acceptance->gate, .certificates = acceptance->certificates};
    return weir_gate_accepts(&rule, index, question, decision, reason);
}

/* An answer that does not stand is an abstention, for nobody else is asked. */
static void add_acceptance(json_t *object, bool is_accepted, enum weir_reason reason)
{
    json_t *word =
        is_accepted ? json_string(weir_reason_name(reason)) : json_sprintf("abstained_%s", weir_reason_name(reason));
    (void)json_object_set_new(object, "accepted", json_boolean(is_accepted));
    (void)json_object_set_new(object, "reason", word);
}

/* A row is accepted when all its answers are; its reason is that of the first that is not. */
static void add_row_acceptance(json_t *object, const struct parts *parts, const struct acceptance *acceptance,
                               const struct weir_decision *decisions, size_t questions)
{
    enum weir_reason reason = WEIR_REASON_NO_GATE;
    bool is_accepted = true;
    for (size_t i = 0; i < questions && is_accepted; i++)
        is_accepted = answer_accepted(acceptance, i, weir_task_question(parts->task, i), &decisions[i], &reason);
    add_acceptance(object, is_accepted, reason);
}

static json_t *question_json(const struct weir_question *question, const struct acceptance *acceptance, size_t index,
                             const struct weir_decision *decision, const struct weir_words *words)
{
    json_t *object = json_pack("{s:s}", "type", weir_question_type_name(question->type));
    enum weir_reason reason = WEIR_REASON_NO_GATE;
    bool is_accepted = answer_accepted(acceptance, index, question, decision, &reason);
    answer_add_value(object, question, decision, words);
    add_acceptance(object, is_accepted, reason);
    return object;
}

/* Tokens of all questions together; the latency is that of the slowest. */
static void add_effort(json_t *object, const struct weir_decision *decisions, const struct weir_words *words,
                       size_t questions)
{
    size_t fresh = 0, prefix = 0, written = 0;
    double latency_ms = 0;
    for (size_t i = 0; i < questions; i++) {
        fresh += decisions[i].fresh_tokens;
        prefix += decisions[i].prefix_tokens;
        if (words) written += words[i].tokens;
        if (decisions[i].latency_ms > latency_ms) latency_ms = decisions[i].latency_ms;
    }
    json_t *tokens = json_pack("{s:I, s:I}", "fresh", (json_int_t)fresh, "prefix", (json_int_t)prefix);
    if (written) (void)json_object_set_new(tokens, "written", json_integer((json_int_t)written));
    (void)json_object_set_new(object, "tokens", tokens);
    (void)json_object_set_new(object, "latency_ms", json_real(latency_ms));
    (void)json_object_set_new(object, "cost_usd_e6", json_integer(0));
}

json_t *answer_json(const struct parts *parts, const struct acceptance *acceptance, const struct weir_row *row,
                    const struct weir_decision *decisions, const struct weir_words *words)
{
    size_t questions = weir_task_question_count(parts->task);
    json_t *object = json_pack("{s:o, s:s}", "id", text_json(row->id), "task", weir_task_name(parts->task));
    struct problem problem;
    if (answer_problem(row, decisions, questions, &problem)) {
        (void)json_object_set_new(object, "error", answer_error(problem.status, problem.text));
        return object;
    }
    const struct weir_question *first = weir_task_question(parts->task, 0);
    if (questions == 1) answer_add_value(object, first, &decisions[0], words);
    if (questions > 1 || first->type == WEIR_QUESTION_SCORE || (words && words->text)) {
        json_t *answers = json_object();
        for (size_t i = 0; i < questions; i++) {
            const struct weir_question *question = weir_task_question(parts->task, i);
            (void)json_object_set_new(answers, question->name,
                                      question_json(question, acceptance, i, &decisions[i], words ? &words[i] : NULL));
        }
        (void)json_object_set_new(object, "answers", answers);
    }
    (void)json_object_set_new(object, "tier", json_string(parts->tier));
    add_row_acceptance(object, parts, acceptance, decisions, questions);
    add_effort(object, decisions, words, questions);
    return object;
}
