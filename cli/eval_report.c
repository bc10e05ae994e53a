#include "eval_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "eval_tiers.h"
#include "table.h"

enum { CELL = 64, CONFUSIONS = 10 };

const double eval_max_errors[EVAL_COVERAGES] = {0.01, 0.02, 0.05, 0.1};

static void add_way(struct table *table, const struct eval_way *way)
{
    const struct weir_eval_summary *s = &way->summary;
    char text[7][CELL];
    (void)snprintf(text[0], CELL, "%.1f %%", 100 * s->accuracy);
    (void)snprintf(text[1], CELL, "%.1f - %.1f %%", 100 * s->accuracy_low, 100 * s->accuracy_high);
    (void)snprintf(text[2], CELL, "%.3f", s->macro_f1);
    for (int i = 3; i < 7; i++) (void)snprintf(text[i], CELL, "-");
    if (way->has_probabilities) {
        (void)snprintf(text[3], CELL, "%.3f", s->ece);
        (void)snprintf(text[4], CELL, "%.3f", s->nll);
        (void)snprintf(text[5], CELL, "%.1f %%", 100 * way->coverage[2].coverage);
        (void)snprintf(text[6], CELL, "%.1f %%", 100 * way->coverage[0].coverage);
    }
    const char *cells[] = {way->name, text[0], text[1], text[2], text[3], text[4], text[5], text[6]};
    table_add(table, cells);
}

static bool print_ways(const struct eval_result *r)
{
    static const struct table_column columns[] = {{"ANSWERED FROM", false},
                                                  {"ACCURACY", true},
                                                  {"95 % INTERVAL", true},
                                                  {"MACRO F1", true},
                                                  {"ECE", true},
                                                  {"LOG-LOSS", true},
                                                  {"ANSWERED AT 5 % ERROR", true},
                                                  {"AT 1 %", true}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    add_way(table, &r->majority);
    if (r->has_floor) add_way(table, &r->floor);
    add_way(table, &r->local);
    return table_print(table);
}

static void print_micro(const struct eval_result *r)
{
    (void)printf("\nAccuracy: rows whose whole set of labels is right. Micro F1: %.3f (most frequent labels %.3f",
                 r->local.micro_f1, r->majority.micro_f1);
    if (r->has_floor) (void)printf(", n-grams alone %.3f", r->floor.micro_f1);
    (void)printf("). ECE: mean over the labels\n");
}

static void print_difference(const struct eval_result *r)
{
    const struct weir_eval_paired *p = &r->paired;
    (void)printf(
        "\nAgainst %s, row by row: %+.1f points [%+.1f, %+.1f], %zu rows only here right, %zu only there (p = %.2g)\n",
        r->has_floor ? r->floor.name : r->majority.name, 100 * p->difference, 100 * p->low, 100 * p->high,
        p->first_only, p->second_only, p->p_value);
}

static bool print_classes(const struct eval_result *r)
{
    static const struct table_column columns[] = {{"LABEL", false},    {"ROWS", true},   {"ANSWERED", true},
                                                  {"PRECISION", true}, {"RECALL", true}, {"F1", true}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (size_t k = 0; k < r->question->n_labels; k++) {
        const struct weir_eval_class *c = &r->classes[k];
        char text[5][CELL];
        (void)snprintf(text[0], CELL, "%zu", c->support);
        (void)snprintf(text[1], CELL, "%zu", c->predicted);
        (void)snprintf(text[2], CELL, "%.3f", c->precision);
        (void)snprintf(text[3], CELL, "%.3f", c->recall);
        (void)snprintf(text[4], CELL, "%.3f", c->f1);
        const char *cells[] = {r->question->labels[k].name, text[0], text[1], text[2], text[3], text[4]};
        table_add(table, cells);
    }
    return table_print(table);
}

/* The most frequent pair off the diagonal with fewer rows than *below, or equal and behind *at; false: none. */
static bool next_confusion(const struct eval_result *r, size_t *below, size_t *at)
{
    size_t n = r->question->n_labels, best = 0, found = 0;
    for (size_t i = 0; i < n * n; i++) {
        size_t count = r->confusion[i];
        if (i / n == i % n || count > *below || (count == *below && i <= *at)) continue;
        if (count > best) {
            best = count;
            found = i;
        }
    }
    *below = best;
    *at = found;
    return best > 0;
}

static bool print_confusions(const struct eval_result *r)
{
    static const struct table_column columns[] = {{"GOLD", false}, {"ANSWER", false}, {"ROWS", true}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    size_t n = r->question->n_labels, below = SIZE_MAX, at = 0;
    for (int i = 0; i < CONFUSIONS && next_confusion(r, &below, &at); i++) {
        char count[CELL];
        (void)snprintf(count, CELL, "%zu", below);
        const char *cells[] = {r->question->labels[at / n].name, r->question->labels[at % n].name, count};
        table_add(table, cells);
    }
    return table_print(table);
}

int eval_print(const struct eval_result *r)
{
    (void)printf(
        "%s, question %s: %zu rows with a label, %zu unreadable (they count as wrong), %zu without a label\n\n",
        weir_task_name(r->task), r->question->name, r->local.summary.rows - r->errors, r->errors, r->unlabelled);
    bool good = print_ways(r);
    if (r->question->multi) print_micro(r);
    print_difference(r);
    (void)printf("%.1f rows/s, p50 %.1f ms, p99 %.1f ms (%s, %u threads)\n\n",
                 r->seconds > 0 ? (double)r->local.summary.rows / r->seconds : 0, r->p50_ms, r->p99_ms, r->cpu_level,
                 r->threads);
    good = print_classes(r) && good;
    if (!r->question->multi) {
        (void)printf("\nMost frequent mistakes:\n");
        good = print_confusions(r) && good;
    }
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static json_t *share_json(const struct weir_eval_summary *s)
{
    return json_pack("{s:f, s:f, s:f}", "value", s->accuracy, "low", s->accuracy_low, "high", s->accuracy_high);
}

static json_t *accuracies_json(const struct eval_result *r)
{
    json_t *object =
        json_pack("{s:o, s:o}", "local", share_json(&r->local.summary), "majority", share_json(&r->majority.summary));
    if (object && r->has_floor) (void)json_object_set_new(object, "floor", share_json(&r->floor.summary));
    return object;
}

static json_t *paired_json(const struct eval_result *r)
{
    const struct weir_eval_paired *p = &r->paired;
    return json_pack("{s:s, s:f, s:f, s:f, s:I, s:I, s:f}", "against", r->has_floor ? "floor" : "majority",
                     "difference", p->difference, "low", p->low, "high", p->high, "local_only",
                     (json_int_t)p->first_only, "other_only", (json_int_t)p->second_only, "p_value", p->p_value);
}

static json_t *classes_json(const struct eval_result *r)
{
    json_t *object = json_object();
    for (size_t k = 0; k < r->question->n_labels; k++) {
        const struct weir_eval_class *c = &r->classes[k];
        (void)json_object_set_new(object, r->question->labels[k].name,
                                  json_pack("{s:I, s:I, s:I, s:f, s:f, s:f}", "support", (json_int_t)c->support,
                                            "predicted", (json_int_t)c->predicted, "correct", (json_int_t)c->correct,
                                            "precision", c->precision, "recall", c->recall, "f1", c->f1));
    }
    return object;
}

/* Rows are gold labels, columns answers, both in the task's order. */
static json_t *confusion_json(const struct eval_result *r)
{
    json_t *rows = json_array();
    size_t n = r->question->n_labels;
    for (size_t gold = 0; gold < n; gold++) {
        json_t *row = json_array();
        for (size_t answer = 0; answer < n; answer++)
            (void)json_array_append_new(row, json_integer((json_int_t)r->confusion[gold * n + answer]));
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *reliability_json(const struct eval_result *r)
{
    json_t *bins = json_array();
    for (size_t m = 0; m < WEIR_EVAL_ECE_BINS; m++) {
        const struct weir_eval_bin *bin = &r->bins[m];
        double accuracy = bin->count ? (double)bin->correct / (double)bin->count : 0;
        (void)json_array_append_new(bins, json_pack("{s:f, s:f, s:I, s:f, s:f}", "low", bin->low, "high", bin->high,
                                                    "rows", (json_int_t)bin->count, "mean_probability",
                                                    bin->mean_probability, "accuracy", accuracy));
    }
    return bins;
}

static json_t *coverage_json(const struct eval_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < EVAL_COVERAGES; i++) {
        const struct weir_eval_coverage *c = &r->local.coverage[i];
        (void)json_array_append_new(list, json_pack("{s:f, s:f, s:f, s:I, s:I}", "max_error", eval_max_errors[i],
                                                    "coverage", c->coverage, "threshold", c->threshold, "answered",
                                                    (json_int_t)c->answered, "wrong", (json_int_t)c->wrong));
    }
    return list;
}

/* Instead of a confusion matrix. */
static void add_multi(json_t *object, const struct eval_result *r)
{
    (void)json_object_del(object, "confusion");
    (void)json_object_set_new(object, "multi", json_true());
    (void)json_object_set_new(object, "micro_f1", json_real(r->local.micro_f1));
    if (r->has_floor) (void)json_object_set_new(object, "floor_micro_f1", json_real(r->floor.micro_f1));
    if (r->has_floor) (void)json_object_set_new(object, "floor_macro_f1", json_real(r->floor.summary.macro_f1));
}

json_t *eval_json(const struct eval_result *r)
{
    const struct weir_eval_summary *s = &r->local.summary;
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "task", weir_task_name(r->task), "question",
                               r->question->name, "head", r->head, "rows", (json_int_t)s->rows, "errors",
                               (json_int_t)r->errors, "unlabelled", (json_int_t)r->unlabelled);
    json_t *measures = json_pack(
        "{s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:s, s:i}", "accuracy", accuracies_json(r),
        "paired", paired_json(r), "macro_f1", s->macro_f1, "ece", s->ece, "nll", s->nll, "brier", s->brier,
        "rows_per_s", r->seconds > 0 ? (double)s->rows / r->seconds : 0, "p50_ms", r->p50_ms, "p99_ms", r->p99_ms,
        "classes", classes_json(r), "confusion", confusion_json(r), "reliability", reliability_json(r), "coverage",
        coverage_json(r), "cpu_level", r->cpu_level, "threads", (int)r->threads);
    if (!object || !measures || json_object_update(object, measures) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(measures);
    if (object && r->question->multi) add_multi(object, r);
    return object;
}

struct measure {
    const char *name;
    double value;
};

enum { MEASURES = 17 };

static void measures_of(const struct eval_result *r, struct measure measures[MEASURES])
{
    const struct weir_eval_summary *s = &r->local.summary;
    const struct eval_tiers *t = r->tiers;
    const struct measure all[MEASURES] = {
        {"accuracy", s->accuracy},
        {"accuracy_low", s->accuracy_low},
        {"macro_f1", s->macro_f1},
        {"micro_f1", r->local.micro_f1},
        {"ece", s->ece},
        {"nll", s->nll},
        {"brier", s->brier},
        {"difference", r->paired.difference},
        {"difference_low", r->paired.low},
        {"coverage", r->local.coverage[2].coverage},
        {"rows_per_s", r->seconds > 0 ? (double)s->rows / r->seconds : 0},
        {"p50_ms", r->p50_ms},
        {"p99_ms", r->p99_ms},
        {"cascade_accuracy", t ? t->cascade.summary.accuracy : (double)NAN},
        {"cascade_accuracy_low", t ? t->cascade.summary.accuracy_low : (double)NAN},
        {"cascade_difference_low", t ? t->to_frontier.low : (double)NAN},
        {"cascade_usd_per_1000", t ? (double)t->cascade.cost_usd_e6 / 1e3 / (double)t->rows : (double)NAN},
    };
    memcpy(measures, all, sizeof all);
}

/* NAME, one of >= <= > <, NUMBER. */
struct requirement {
    char name[32];
    char relation[3];
    double number;
};

static bool split(const char *text, struct requirement *out)
{
    size_t name = strcspn(text, "<>"), relation = strspn(text + name, "<>=");
    char *end = NULL;
    if (!name || name >= sizeof out->name || relation < 1 || relation > 2) return false;
    if (relation == 2 && text[name + 1] != '=') return false;
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)name, text);
    (void)snprintf(out->relation, sizeof out->relation, "%.*s", (int)relation, text + name);
    out->number = strtod(text + name + relation, &end);
    return end != text + name + relation && !*end && out->number == out->number;
}

static const struct measure *find(const struct measure *measures, const char *name)
{
    for (size_t i = 0; i < MEASURES; i++)
        if (strcmp(measures[i].name, name) == 0) return &measures[i];
    return NULL;
}

bool eval_is_requirement(const char *text)
{
    static const struct eval_result nothing;
    struct measure measures[MEASURES];
    struct requirement requirement;
    measures_of(&nothing, measures);
    return split(text, &requirement) && find(measures, requirement.name);
}

static bool holds(double value, const struct requirement *r)
{
    if (strcmp(r->relation, ">=") == 0) return value >= r->number;
    if (strcmp(r->relation, "<=") == 0) return value <= r->number;
    return r->relation[0] == '>' ? value > r->number : value < r->number;
}

int eval_require(const struct eval_result *result, const char *text)
{
    struct measure measures[MEASURES];
    struct requirement requirement;
    measures_of(result, measures);
    const struct measure *measure = split(text, &requirement) ? find(measures, requirement.name) : NULL;
    if (!measure) return cli_say(CLI_USAGE, "'%s' is not a requirement", text);
    if (holds(measure->value, &requirement)) return CLI_DONE;
    return cli_say(CLI_FAILED, "required %s, found %s %.6g", text, measure->name, measure->value);
}
