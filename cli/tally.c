#include "tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "weir/eval.h"

bool series_add(struct series *series, double value)
{
    if (series->count == series->capacity) {
        size_t capacity = series->capacity ? 2 * series->capacity : 1024;
        double *values = realloc(series->values, capacity * sizeof *values);
        if (!values) return false;
        series->values = values;
        series->capacity = capacity;
    }
    series->values[series->count++] = value;
    return true;
}

/* The label's index (`multi`: 0, and its labels in set [n_labels]), -1 for none or an unknown one, which is noted. */
static int32_t gold_of(struct tally *tally, const struct weir_row *row, uint8_t *set)
{
    struct label_problem problem;
    if (!row->label.data) return -1;
    int32_t gold = parts_row_label(tally->question, row, set, &problem);
    if (gold >= 0 || tally->unknown_labels++) return gold;
    (void)snprintf(tally->first_unknown, sizeof tally->first_unknown, "%s", problem.text);
    tally->first_unknown_line = row->line;
    return gold;
}

/* p: [n_labels], NULL for a row without an answer. */
static bool add_set(struct tally *tally, const uint8_t *set, const double *p)
{
    for (size_t k = 0; k < tally->question->n_labels; k++)
        if (!series_add(&tally->sets, set[k]) || !series_add(&tally->probabilities, p ? p[k] : 0)) return false;
    return series_add(&tally->predicted, p ? 0 : -1);
}

static bool is_right(const struct tally *tally, const struct weir_decision *decision, int32_t gold, const uint8_t *set)
{
    if (!tally->question->multi) return (size_t)gold == decision->label;
    for (size_t k = 0; k < tally->question->n_labels; k++)
        if ((decision->probabilities[k] >= 0.5) != set[k]) return false;
    return true;
}

static bool add_measured(struct tally *tally, int32_t gold, int32_t predicted, double probability)
{
    return series_add(&tally->gold, gold) && series_add(&tally->predicted, predicted) &&
           series_add(&tally->probability, probability);
}

static bool add_error(struct tally *tally, const char *problem, int32_t gold, const uint8_t *set)
{
    if (!tally->errors++) (void)snprintf(tally->first_error, sizeof tally->first_error, "%s", problem);
    return tally->question->multi ? add_set(tally, set, NULL) : add_measured(tally, gold, -1, 0);
}

static bool add_answer(struct tally *tally, const struct weir_row *row, const struct weir_decision *decisions,
                       int32_t gold, const uint8_t *set)
{
    double latency_ms = 0;
    for (size_t i = 0; i < tally->questions; i++) {
        tally->fresh_tokens += (double)decisions[i].fresh_tokens;
        tally->prefix_tokens += (double)decisions[i].prefix_tokens;
        if (decisions[i].latency_ms > latency_ms) latency_ms = decisions[i].latency_ms;
    }
    tally->text_bytes += (double)row->text.size;
    if (!series_add(&tally->latency_ms, latency_ms)) return false;
    const struct weir_decision *decision = &decisions[tally->question_index];
    enum weir_reason reason = WEIR_REASON_NO_GATE;
    if (answer_accepted(tally->acceptance, tally->question_index, tally->question, decision, &reason)) {
        tally->accepted++;
        tally->accepted_labelled += gold >= 0;
        tally->accepted_wrong += gold >= 0 && !is_right(tally, decision, gold, set);
    }
    if (tally->question->multi) return gold < 0 || add_set(tally, set, decision->probabilities);
    return gold < 0 || add_measured(tally, gold, (int32_t)decision->label, decision->probability);
}

bool tally_add(struct tally *tally, const struct weir_row *row, const struct weir_decision *decisions)
{
    struct problem problem;
    bool has_failed = answer_problem(row, decisions, tally->questions, &problem);
    uint8_t set[WEIR_TASK_LABELS_MAX] = {0};
    int32_t gold = gold_of(tally, row, set);
    tally->rows++;
    tally->labelled += row->label.data != NULL;
    return has_failed ? add_error(tally, problem.text, gold, set) : add_answer(tally, row, decisions, gold, set);
}

int32_t *series_integers(const struct series *series)
{
    int32_t *values = calloc(series->count + 1, sizeof *values);
    for (size_t i = 0; values && i < series->count; i++) values[i] = (int32_t)series->values[i];
    return values;
}

/* The same measures of independent labels: accuracy is the share of rows whose whole set is right. */
static bool measure_sets(const struct tally *tally, struct weir_eval_summary *out)
{
    size_t rows = tally->predicted.count, cells = tally->sets.count;
    uint8_t *sets = calloc(cells + 1, 1), *answered = calloc(rows + 1, 1);
    struct weir_eval_multi_summary s = {0};
    for (size_t i = 0; sets && i < cells; i++) sets[i] = tally->sets.values[i] > 0;
    for (size_t i = 0; answered && i < rows; i++) answered[i] = tally->predicted.values[i] >= 0;
    const struct weir_eval_multi_rows given = {.count = rows,
                                               .n_labels = tally->question->n_labels,
                                               .gold = sets,
                                               .answered = answered,
                                               .probabilities = tally->probabilities.values};
    bool good = sets && answered && weir_eval_multi(&given, &s, NULL, NULL) == WEIR_OK;
    free(sets);
    free(answered);
    *out = (struct weir_eval_summary){.accuracy = s.exact,
                                      .accuracy_low = s.exact_low,
                                      .accuracy_high = s.exact_high,
                                      .macro_f1 = s.macro_f1,
                                      .ece = s.ece};
    return good;
}

static bool measure_labels(const struct tally *tally, struct weir_eval_summary *out)
{
    int32_t *gold = series_integers(&tally->gold), *predicted = series_integers(&tally->predicted);
    struct weir_eval_rows rows = {.count = tally->gold.count,
                                  .n_classes = tally->question->n_labels,
                                  .gold = gold,
                                  .predicted = predicted,
                                  .probability = tally->probability.values};
    bool good = gold && predicted && weir_eval_measure(&rows, out, NULL, NULL) == WEIR_OK;
    free(gold);
    free(predicted);
    return good;
}

/* Adds the measures to `object`; false without memory. Labels were checked, so nothing else can fail. */
static bool add_measures(const struct tally *tally, json_t *object)
{
    struct weir_eval_summary s = {0};
    bool good = tally->question->multi ? measure_sets(tally, &s) : measure_labels(tally, &s);
    if (!good) return false;
    json_t *measures = json_pack("{s:f, s:f, s:f, s:f, s:f}", "accuracy", s.accuracy, "accuracy_low", s.accuracy_low,
                                 "accuracy_high", s.accuracy_high, "macro_f1", s.macro_f1, "ece", s.ece);
    good = measures && json_object_update(object, measures) == 0;
    json_decref(measures);
    return good;
}

/* Bytes of what a frontier API would have to be told for a row: instructions, labels, the text. */
static double prompt_bytes(const struct tally *tally, double answered)
{
    const struct weir_question *question = tally->question;
    int size = snprintf(NULL, 0, "%s", question->instructions);
    for (size_t i = 0; i < question->n_labels; i++)
        size += snprintf(NULL, 0, "%s: %s\n", question->labels[i].name, question->labels[i].description);
    return size + (answered > 0 ? tally->text_bytes / answered : 0);
}

/* What the acceptance rule did; nothing when everything is accepted. */
static bool add_accepted(const struct tally *tally, json_t *object)
{
    if (tally->acceptance->gate.accept == WEIR_ACCEPT_ALL) return true;
    double coverage = tally->rows ? (double)tally->accepted / (double)tally->rows : 0;
    json_t *counts = json_pack("{s:I, s:f}", "accepted", (json_int_t)tally->accepted, "coverage", coverage);
    bool good = counts && json_object_update(object, counts) == 0;
    json_decref(counts);
    if (!good || !tally->accepted_labelled) return good;
    double error = (double)tally->accepted_wrong / (double)tally->accepted_labelled;
    return json_object_set_new(object, "accepted_error", json_real(error)) == 0;
}

/* `more` is taken over; false when it or `object` is NULL. */
static bool add_all(json_t *object, json_t *more)
{
    bool good = object && more && json_object_update(object, more) == 0;
    json_decref(more);
    return good;
}

json_t *tally_summary(struct tally *tally, double seconds)
{
    struct series *latency = &tally->latency_ms;
    json_t *object = json_pack("{s:I, s:I}", "rows", (json_int_t)tally->rows, "errors", (json_int_t)tally->errors);
    bool good =
        object && (!tally->labelled || add_measures(tally, object)) &&
        add_all(object, json_pack("{s:f, s:f, s:f}", "rows_per_s", seconds > 0 ? (double)tally->rows / seconds : 0,
                                  "p50_ms", weir_eval_quantile(latency->values, latency->count, 0.5), "p99_ms",
                                  weir_eval_quantile(latency->values, latency->count, 0.99))) &&
        add_accepted(tally, object);
    if (good) return object;
    json_decref(object);
    return NULL;
}

json_t *tally_details(struct tally *tally, double seconds)
{
    double answered = (double)tally->latency_ms.count, per_row = answered > 0 ? 1 / answered : 0;
    json_t *object = tally_summary(tally, seconds);
    json_t *rest = json_pack("{s:I, s:f, s:f, s:f, s:f, s:s}", "labelled", (json_int_t)tally->labelled, "seconds",
                             seconds, "fresh_tokens_per_row", tally->fresh_tokens * per_row, "prefix_tokens",
                             tally->prefix_tokens * per_row, "prompt_bytes_per_row", prompt_bytes(tally, answered),
                             "question", tally->question->name);
    if (add_all(object, rest)) return object;
    json_decref(object);
    return NULL;
}

void tally_free(struct tally *tally)
{
    free(tally->gold.values);
    free(tally->predicted.values);
    free(tally->probability.values);
    free(tally->sets.values);
    free(tally->probabilities.values);
    free(tally->latency_ms.values);
    *tally = (struct tally){0};
}
