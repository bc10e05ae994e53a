#include "run_line.h"

#include <jansson.h>
#include <string.h>

#include "answer.h"
#include "text.h"

static bool is_accepted(const struct weir_cascade_row *row)
{
    return row->outcome == WEIR_ROW_ANSWERED;
}

static json_t *question_json(const struct weir_question *question, const struct weir_cascade_row *row, size_t index)
{
    json_t *object = json_pack("{s:s}", "type", weir_question_type_name(question->type));
    answer_add_value(object, question, &row->decisions[index], &row->words[index]);
    (void)json_object_set_new(object, "accepted", json_boolean(is_accepted(row)));
    (void)json_object_set_new(object, "reason", json_string(row->reason));
    return object;
}

static void add_answers(json_t *object, const struct weir_task *task, const struct weir_cascade_row *row)
{
    size_t questions = weir_task_question_count(task);
    const struct weir_question *first = weir_task_question(task, 0);
    if (questions == 1) answer_add_value(object, first, &row->decisions[0], &row->words[0]);
    if (questions == 1 && first->n_labels && first->type != WEIR_QUESTION_SCORE) return;
    json_t *answers = json_object();
    for (size_t i = 0; i < questions; i++)
        (void)json_object_set_new(answers, weir_task_question(task, i)->name,
                                  question_json(weir_task_question(task, i), row, i));
    (void)json_object_set_new(object, "answers", answers);
}

static void add_effort(json_t *object, const struct weir_cascade_row *row)
{
    (void)json_object_set_new(object, "attempts", json_integer((json_int_t)row->attempts));
    (void)json_object_set_new(
        object, "tokens",
        json_pack("{s:I, s:I}", "fresh", (json_int_t)row->fresh_tokens, "prefix", (json_int_t)row->prefix_tokens));
    (void)json_object_set_new(object, "latency_ms", json_real(row->latency_ms));
    (void)json_object_set_new(object, "cost_usd_e6", json_integer(row->cost_usd_e6));
}

char *run_line(const struct weir_task *task, const struct weir_cascade_row *row)
{
    json_t *object = json_pack("{s:o, s:s}", "id", text_json(row->row->id), "task", weir_task_name(task));
    if (row->outcome == WEIR_ROW_ERROR) {
        const char *text = row->error_text && *row->error_text ? row->error_text : weir_status_text(row->error);
        (void)json_object_set_new(object, "error", answer_error(row->error, text));
    } else {
        if (row->has_answers) {
            add_answers(object, task, row);
            (void)json_object_set_new(object, "tier", json_string(row->tier));
        }
        (void)json_object_set_new(object, "accepted", json_boolean(is_accepted(row)));
        (void)json_object_set_new(object, "reason", json_string(row->reason));
        if (row->escalated_from)
            (void)json_object_set_new(
                object, "escalated",
                json_pack("{s:s, s:s}", "from", row->escalated_from, "reason", row->escalated_reason));
        add_effort(object, row);
    }
    char *line = answer_text(object);
    json_decref(object);
    return line;
}
