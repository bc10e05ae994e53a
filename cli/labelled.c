#include "labelled.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

int labelled_read(struct labelled *labelled, const struct source *source)
{
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    int status = source_open(source, &input);
    if (status) return status;
    if (weir_input_read(input, SIZE_MAX, &labelled->rows, &error)) status = cli_fail(&error);
    weir_input_close(&input);
    return status;
}

static int gather_row(struct labelled *labelled, const struct weir_row *row, const struct weir_question *question,
                      bool (*keeps)(const void *context, struct weir_string text), const void *context)
{
    if (row->status && !labelled->errors++) (void)cli_say(0, "a row cannot be read: %s", row->error);
    if (row->status) return CLI_DONE;
    if (!row->label.data) {
        labelled->unlabelled++;
        return CLI_DONE;
    }
    struct label_problem problem;
    uint8_t *set = labelled->sets ? labelled->sets + labelled->count * question->n_labels : NULL;
    int32_t gold = parts_row_label(question, row, set, &problem);
    if (gold < 0) return cli_say(CLI_REFUSED, "line %zu: %s", row->line, problem.text);
    if (keeps && !keeps(context, row->text)) {
        labelled->left_out++;
        return CLI_DONE;
    }
    labelled->texts[labelled->count] = row->text;
    labelled->gold[labelled->count++] = gold;
    return CLI_DONE;
}

int labelled_gather(struct labelled *labelled, const struct weir_question *question,
                    bool (*keeps)(const void *context, struct weir_string text), const void *context)
{
    size_t room = labelled->rows.count + 1;
    labelled->texts = calloc(room, sizeof *labelled->texts);
    labelled->gold = calloc(room, sizeof *labelled->gold);
    labelled->sets = question->multi ? calloc(room, question->n_labels) : NULL;
    if (!labelled->texts || !labelled->gold || (question->multi && !labelled->sets)) return cli_nomem();
    int status = CLI_DONE;
    for (size_t i = 0; i < labelled->rows.count && !status; i++)
        status = gather_row(labelled, &labelled->rows.items[i], question, keeps, context);
    for (size_t i = 0; i < labelled->errors && !status; i++) labelled->gold[labelled->count + i] = -1;
    if (labelled->sets && !status)
        memset(labelled->sets + labelled->count * question->n_labels, 0, labelled->errors * question->n_labels);
    if (!status && !labelled->count)
        status =
            cli_say(CLI_FAILED, "no labelled row to work on (%zu without a label, %zu unreadable, %zu learned from)",
                    labelled->unlabelled, labelled->errors, labelled->left_out);
    return status;
}

void labelled_free(struct labelled *labelled)
{
    weir_rows_free(&labelled->rows);
    free(labelled->texts);
    free(labelled->gold);
    free(labelled->sets);
}

int answers_open(struct answers *answers, const struct labelled *labelled, size_t n_labels)
{
    size_t rows = labelled->count + labelled->errors;
    *answers = (struct answers){.predicted = calloc(rows, sizeof *answers->predicted),
                                .probability = calloc(rows, sizeof *answers->probability),
                                .probabilities = calloc(rows, n_labels * sizeof *answers->probabilities),
                                .latency_ms = calloc(rows, sizeof *answers->latency_ms)};
    if (!answers->predicted || !answers->probability || !answers->probabilities || !answers->latency_ms)
        return cli_nomem();
    for (size_t i = 0; i < rows; i++) answers->predicted[i] = -1;
    return CLI_DONE;
}

void answers_free(struct answers *answers)
{
    free(answers->predicted);
    free(answers->probability);
    free(answers->probabilities);
    free(answers->latency_ms);
}

static void take(struct answers *answers, size_t row, const struct weir_decision *decision, size_t n_labels)
{
    if (decision->status) return;
    answers->predicted[row] = (int32_t)decision->label;
    answers->probability[row] = decision->probability;
    memcpy(answers->probabilities + row * n_labels, decision->probabilities, n_labels * sizeof(double));
    answers->latency_ms[answers->n_latencies++] = decision->latency_ms;
}

int answers_decide(struct answers *answers, const struct labelled *labelled, struct weir_classifier *classifier,
                   const struct weir_task *task, size_t index, size_t first, size_t count)
{
    size_t questions = weir_classifier_questions(classifier), n_labels = weir_task_question(task, index)->n_labels;
    struct weir_decision *decisions = calloc(count * questions, sizeof *decisions);
    double *probabilities = calloc(count * weir_classifier_probabilities(classifier), sizeof *probabilities);
    struct weir_error error = {0};
    int status = decisions && probabilities ? CLI_DONE : cli_nomem();
    if (!status && weir_classify(classifier, labelled->texts + first, count, decisions, probabilities, &error))
        status = cli_fail(&error);
    for (size_t i = 0; i < count && !status; i++) take(answers, first + i, &decisions[i * questions + index], n_labels);
    free(decisions);
    free(probabilities);
    return status;
}

struct weir_eval_rows answers_rows(const struct answers *answers, const struct labelled *labelled, size_t n_labels,
                                   bool with_errors)
{
    return (struct weir_eval_rows){.count = labelled->count + (with_errors ? labelled->errors : 0),
                                   .n_classes = n_labels,
                                   .gold = labelled->gold,
                                   .predicted = answers->predicted,
                                   .probability = answers->probability,
                                   .probabilities = answers->probabilities};
}
