#include "run_tally.h"

#include <stdlib.h>
#include <string.h>

#include "weir/eval.h"

/* The object that holds value, accepted and probability of the tallied question. */
static const json_t *answer_of(const struct run_tally *tally, const json_t *line)
{
    return tally->is_only_question ? line : json_object_get(json_object_get(line, "answers"), tally->question->name);
}

static int32_t label_of(const struct run_tally *tally, const json_t *answer)
{
    const char *value = json_string_value(json_object_get(answer, "value"));
    return value ? parts_label(tally->question, (struct weir_string){value, strlen(value)}) : -1;
}

static bool add_local(struct run_tally *tally, int32_t gold, int32_t predicted, double probability)
{
    return series_add(&tally->local_gold, gold) && series_add(&tally->local_predicted, predicted) &&
           series_add(&tally->local_probability, probability);
}

bool run_tally_add(struct run_tally *tally, const struct weir_row *row, const char *line, size_t size)
{
    if (!tally->question->n_labels || tally->question->multi) return true;
    if (row->status) return series_add(&tally->gold, -1) && series_add(&tally->predicted, -1);
    if (!row->label.data) return true;
    int32_t gold = parts_label(tally->question, row->label), predicted = -1;
    if (gold < 0) {
        tally->unknown_labels++;
        return true;
    }
    json_t *object = json_loadb(line, size, 0, NULL); /* NULL: an extraction beside it holds a number jansson cannot */
    const json_t *answer = answer_of(tally, object);
    const json_t *probability = json_object_get(answer, "probability");
    const char *tier = json_string_value(json_object_get(object, "tier"));
    if (json_is_true(json_object_get(object, "accepted"))) predicted = label_of(tally, answer);
    bool good = series_add(&tally->gold, gold) && series_add(&tally->predicted, predicted);
    if (good && predicted >= 0 && tier && strcmp(tier, tally->local_tier) == 0 && json_is_number(probability))
        good = add_local(tally, gold, predicted, json_number_value(probability));
    tally->labelled++;
    json_decref(object);
    return good;
}

static bool measure(const struct run_tally *tally, const struct series *gold, const struct series *predicted,
                    const struct series *probability, struct weir_eval_summary *out)
{
    int32_t *g = series_integers(gold), *p = series_integers(predicted);
    struct weir_eval_rows rows = {.count = gold->count,
                                  .n_classes = tally->question->n_labels,
                                  .gold = g,
                                  .predicted = p,
                                  .probability = probability ? probability->values : NULL};
    bool good = g && p && weir_eval_measure(&rows, out, NULL, NULL) == WEIR_OK;
    free(g);
    free(p);
    return good;
}

/* Accuracy of all labelled rows, an abstention or error counted as wrong, and the calibration error of the first tier's answers. */
static bool add_measures(const struct run_tally *tally, json_t *object)
{
    struct weir_eval_summary all = {0}, local = {0};
    if (!tally->labelled) return true;
    if (!measure(tally, &tally->gold, &tally->predicted, NULL, &all) ||
        !measure(tally, &tally->local_gold, &tally->local_predicted, &tally->local_probability, &local))
        return false;
    json_t *measures = json_pack("{s:{s:{s:f, s:f, s:f}}, s:f}", "accuracy", "cascade", "value", all.accuracy, "low",
                                 all.accuracy_low, "high", all.accuracy_high, "ece", local.ece);
    bool good = measures && json_object_update(object, measures) == 0;
    json_decref(measures);
    return good;
}

json_t *run_tally_summary(const struct run_tally *tally, const struct weir_cascade_totals *t, int64_t budget_usd_e6,
                          const struct weir_run_info *run, double seconds)
{
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rows", (json_int_t)t->rows, "local",
                  (json_int_t)t->local, "escalated", (json_int_t)t->escalated, "abstained", (json_int_t)t->abstained,
                  "errors", (json_int_t)t->errors, "cost_usd_e6", (json_int_t)t->cost_usd_e6, "budget_usd_e6",
                  (json_int_t)budget_usd_e6, "frontier_only_cost_usd_e6", (json_int_t)t->frontier_usd_e6);
    json_t *more =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "passed_on",
                  (json_int_t)t->passed_on, "queued", (json_int_t)t->queued, "checked", (json_int_t)t->checked,
                  "check_agreed", (json_int_t)t->check_agreed, "resumed", (json_int_t)t->resumed, "lost_calls",
                  (json_int_t)run->lost.calls, "lost_usd_e6", (json_int_t)run->lost.usd_e6, "over_calls",
                  (json_int_t)t->over_calls, "over_usd_e6", (json_int_t)t->over_usd_e6, "run", (json_int_t)run->run,
                  "unaffordable", (json_int_t)t->unaffordable, "least_worth", t->least_worth, "seconds", seconds);
    bool good = object && more && json_object_update(object, more) == 0 && add_measures(tally, object);
    json_decref(more);
    if (good) return object;
    json_decref(object);
    return NULL;
}

void run_tally_free(struct run_tally *tally)
{
    free(tally->gold.values);
    free(tally->predicted.values);
    free(tally->local_gold.values);
    free(tally->local_predicted.values);
    free(tally->local_probability.values);
}
