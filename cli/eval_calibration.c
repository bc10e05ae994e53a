#include "eval_calibration.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "progress.h"
#include "table.h"
#include "weir/label_free.h"

struct measuring {
    const struct calibration_request *request;
    struct calibration_steps *steps;
    size_t n_labels;
    struct answers first, answers,
        backwards; /* of the first step, of the one at hand, and of that with the labels backwards */
};

static const char *const prior_names[] = {"", ", divided by the neutral prior", ", divided by the rows' own prior"};

/* ---- zero-shot ---- */

/* The label of highest probability of every row that has an answer. */
static void settle(const struct weir_label_free *label_free, size_t rows, size_t n_labels, struct answers *answers)
{
    for (size_t row = 0; row < rows; row++) {
        const double *p = answers->probabilities + row * n_labels;
        size_t best = 0;
        for (size_t k = 1; k < n_labels; k++)
            if (p[k] > p[best]) best = k;
        answers->predicted[row] = weir_label_free_is_answered(label_free, row) ? (int32_t)best : -1;
        answers->probability[row] = p[best];
    }
}

static double flips(const struct measuring *m)
{
    size_t rows = m->request->rows->count, changed = 0;
    for (size_t i = 0; i < rows; i++) changed += m->answers.predicted[i] != m->backwards.predicted[i];
    return rows ? (double)changed / (double)rows : 0;
}

/* Measures `answers` as one more line, against the first one. */
static int add_step(struct measuring *m, const struct answers *answers, double flipped)
{
    struct calibration_step *step = &m->steps->items[m->steps->count++];
    struct weir_eval_rows rows = answers_rows(answers, m->request->rows, m->n_labels, true);
    struct weir_eval_rows first = answers_rows(&m->first, m->request->rows, m->n_labels, true);
    struct weir_error error = {0};
    step->flips = flipped;
    if (weir_eval_measure(&rows, &step->summary, NULL, &error) ||
        weir_eval_compare(&rows, &first, &step->paired, &error))
        return cli_fail(&error);
    return CLI_DONE;
}

static int add_label_free(struct measuring *m, const struct weir_label_free *label_free,
                          const struct weir_label_free_step *step)
{
    size_t rows = m->request->rows->count;
    char *name = m->steps->items[m->steps->count].name;
    struct answers *answers = m->steps->count ? &m->answers : &m->first;
    if (step->is_rotated)
        (void)snprintf(name, sizeof m->steps->items->name, "%zu rotations%s", m->steps->rotations,
                       prior_names[step->prior]);
    else
        (void)snprintf(name, sizeof m->steps->items->name, "zero-shot%s", prior_names[step->prior]);
    weir_label_free_answers(label_free, step, false, m->answers.probabilities);
    weir_label_free_answers(label_free, step, true, m->backwards.probabilities);
    settle(label_free, rows, m->n_labels, &m->answers);
    settle(label_free, rows, m->n_labels, &m->backwards);
    double flipped = flips(m);
    if (answers == &m->first) { /* the others are compared with it */
        weir_label_free_answers(label_free, step, false, m->first.probabilities);
        settle(label_free, rows, m->n_labels, &m->first);
    }
    return add_step(m, answers, flipped);
}

static bool on_progress(void *context, size_t done, size_t total)
{
    struct progress *progress = context;
    if (!progress->total) progress_stage(progress, "calibration", 0, total);
    progress_update(progress, done);
    return true;
}

static int measure_label_free(struct measuring *m)
{
    const struct calibration_request *request = m->request;
    struct progress progress;
    struct weir_label_free *label_free = NULL;
    struct weir_error error = {0};
    struct weir_label_free_options options = {
        .rotations = request->rotations, .progress = on_progress, .progress_context = &progress};
    progress_open(&progress, "rows", request->is_quiet);
    enum weir_status failed =
        weir_label_free_open(request->parts->engine, weir_task_question(request->parts->task, request->index),
                             request->rows->texts, request->rows->count, &options, &label_free, &error);
    progress_clear(&progress);
    if (failed) return cli_fail(&error);
    int status = CLI_DONE;
    m->steps->rotations = weir_label_free_rotations(label_free);
    for (int i = 0; i < 6 && !status; i++) {
        struct weir_label_free_step step = {.is_rotated = i >= 3, .prior = (enum weir_label_prior)(i % 3)};
        status = add_label_free(m, label_free, &step);
    }
    weir_label_free_close(&label_free);
    return status;
}

/* ---- tuned ---- */

/* A head does not see the labels' order: nothing can flip. */
static int measure_tuned(struct measuring *m)
{
    const struct calibration_request *request = m->request;
    struct answers raw;
    struct weir_profile_question question;
    struct weir_head_info head;
    const char *name = weir_task_question(request->parts->task, request->index)->name;
    size_t tuned = (size_t)parts_profile_question(request->parts->profile, name);
    size_t batch = weir_classifier_batch(request->classifier), all = request->rows->count;
    weir_profile_question(request->parts->profile, tuned, &question);
    weir_profile_head(request->parts->profile, tuned, question.head, &head);
    int status = answers_open(&raw, request->rows, m->n_labels);
    weir_classifier_calibrate(request->classifier, false);
    for (size_t done = 0; done < all && !status; done += batch)
        status = answers_decide(&raw, request->rows, request->classifier, request->parts->task, request->index, done,
                                all - done < batch ? all - done : batch);
    weir_classifier_calibrate(request->classifier, true);
    (void)snprintf(m->steps->items[m->steps->count].name, sizeof m->steps->items->name, "tuned head %s",
                   weir_head_kind_name(question.head));
    if (!status) status = add_step(m, &raw, 0);
    answers_free(&raw);
    if (status) return status;
    (void)snprintf(m->steps->items[m->steps->count].name, sizeof m->steps->items->name, "tuned head %s, %s calibration",
                   weir_head_kind_name(question.head), weir_calibration_name(head.calibration));
    return add_step(m, request->tuned, 0);
}

int calibration_measure(const struct calibration_request *request, struct calibration_steps *out)
{
    struct measuring m = {.request = request,
                          .steps = out,
                          .n_labels = weir_task_question(request->parts->task, request->index)->n_labels};
    *out = (struct calibration_steps){.count = 0};
    int status = answers_open(&m.first, request->rows, m.n_labels);
    if (!status) status = answers_open(&m.answers, request->rows, m.n_labels);
    if (!status) status = answers_open(&m.backwards, request->rows, m.n_labels);
    if (!status) status = measure_label_free(&m);
    if (!status && request->tuned) status = measure_tuned(&m);
    answers_free(&m.first);
    answers_free(&m.answers);
    answers_free(&m.backwards);
    return status;
}

/* ---- printing ---- */

enum { CELL = 64 };

int calibration_print(const struct calibration_steps *steps)
{
    static const struct table_column columns[] = {{"CALIBRATION", false}, {"ACCURACY", true}, {"95 % INTERVAL", true},
                                                  {"CHANGE", true},       {"ECE", true},      {"LOG-LOSS", true},
                                                  {"ORDER FLIPS", true}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    (void)printf("\nCalibration, step by step (order flips: answers that change when the labels are listed backwards; "
                 "change: accuracy against the first line, 95 %%):\n");
    for (size_t i = 0; i < steps->count; i++) {
        const struct calibration_step *step = &steps->items[i];
        const struct weir_eval_summary *s = &step->summary;
        char text[6][CELL];
        (void)snprintf(text[0], CELL, "%.1f %%", 100 * s->accuracy);
        (void)snprintf(text[1], CELL, "%.1f - %.1f %%", 100 * s->accuracy_low, 100 * s->accuracy_high);
        (void)snprintf(text[2], CELL, "%+.1f [%+.1f, %+.1f]", 100 * step->paired.difference, 100 * step->paired.low,
                       100 * step->paired.high);
        (void)snprintf(text[3], CELL, "%.3f", s->ece);
        (void)snprintf(text[4], CELL, "%.3f", s->nll);
        (void)snprintf(text[5], CELL, "%.1f %%", 100 * step->flips);
        const char *cells[] = {step->name, text[0], text[1], i ? text[2] : "-", text[3], text[4], text[5]};
        table_add(table, cells);
    }
    bool good = table_print(table);
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

json_t *calibration_json(const struct calibration_steps *steps)
{
    json_t *list = json_array();
    for (size_t i = 0; i < steps->count; i++) {
        const struct calibration_step *step = &steps->items[i];
        const struct weir_eval_summary *s = &step->summary;
        (void)json_array_append_new(
            list, json_pack("{s:s, s:{s:f, s:f, s:f}, s:f, s:f, s:f, s:f, s:f, s:f}", "step", step->name, "accuracy",
                            "value", s->accuracy, "low", s->accuracy_low, "high", s->accuracy_high, "difference",
                            step->paired.difference, "difference_low", step->paired.low, "difference_high",
                            step->paired.high, "ece", s->ece, "nll", s->nll, "order_flips", step->flips));
    }
    return list;
}
