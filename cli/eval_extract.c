/* What is counted, over all rows with a label; an unanswered row has no value, is wrong in every field and misses all that was to be found:
 *
 *   right      the answer equals the right value as JSON; null (or left out) is an answer like others
 *   F1         of values: null is no value; given = answers that are one, there = right values, hit = both and equal
 *   intervals  shares: exact (Clopper-Pearson), 95 %; F1: percentiles of 2,000 resamples of the rows, from a fixed seed
 *   ECE        of "this answer is right", 15 equal-width bins, answered rows */
#include "eval_extract.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include "weir/decide.h"
#include "weir/eval.h"

enum { RESAMPLES = 2000, FIELDS_MAX = 1024 };

struct counts {
    size_t right, given, there, hit;
};

struct field_figures {
    char *name; /* owned; "" the whole */
    struct counts counts;
    size_t answered;
    double bin_said[WEIR_EVAL_ECE_BINS], bin_right[WEIR_EVAL_ECE_BINS];
};

struct extract_eval {
    const struct parts *parts;
    const struct weir_question *question;
    size_t index;                 /* of the question */
    struct field_figures *fields; /* [n_fields]: fields seen, in their order; fields[0] is the whole; owned */
    size_t n_fields;
    struct counts *row_counts; /* [rows], of values; owned */
    double *latency_ms;        /* [answered], owned */
    size_t rows, errors, unlabelled, answered;
    double seconds;
};

/* ---- fields ---- */

static struct field_figures *find_field(struct extract_eval *e, const char *name)
{
    for (size_t i = 0; i < e->n_fields; i++)
        if (strcmp(e->fields[i].name, name) == 0) return &e->fields[i];
    if (e->n_fields == FIELDS_MAX) return NULL;
    struct field_figures *field = &e->fields[e->n_fields];
    field->name = strdup(name);
    if (!field->name) return NULL;
    e->n_fields++;
    return field;
}

static void note(struct field_figures *field, const json_t *right, const json_t *found, double probability,
                 struct counts *row)
{
    bool is_there = right && !json_is_null(right), is_given = !json_is_null(found);
    bool is_right = is_there || is_given ? is_there && found && json_equal(right, found) : true;
    size_t bin = (size_t)(probability * (double)WEIR_EVAL_ECE_BINS);
    if (bin >= WEIR_EVAL_ECE_BINS) bin = WEIR_EVAL_ECE_BINS - 1;
    field->answered++;
    field->bin_said[bin] += probability;
    field->bin_right[bin] += is_right;
    field->counts.right += is_right;
    field->counts.given += is_given;
    field->counts.there += is_there;
    field->counts.hit += is_there && is_right;
    row->right += is_right;
    row->given += is_given;
    row->there += is_there;
    row->hit += is_there && is_right;
}

/* NULL: a number beyond what a double holds, which equals nothing. */
static json_t *json_of(struct weir_string text)
{
    return json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

/* ---- rows ---- */

static int note_missing(struct extract_eval *e, const json_t *right, struct counts *row)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)right, name, value)
    {
        struct field_figures *field = json_is_null(value) ? NULL : find_field(e, name);
        if (!field && !json_is_null(value)) return cli_nomem();
        if (!field) continue;
        field->counts.there++;
        row->there++;
    }
    return CLI_DONE;
}

static int note_fields(struct extract_eval *e, const json_t *right, const struct weir_decision *decision,
                       const struct weir_words *words, struct counts *row)
{
    size_t n_right = 0;
    for (size_t i = 0; i < words->n_fields; i++) {
        const struct weir_field *f = &words->fields[i];
        char *name = strndup(f->name.data, f->name.size);
        struct field_figures *field = name ? find_field(e, name) : NULL;
        json_t *found = json_of(f->value);
        size_t before = row->right;
        if (field) note(field, json_object_get(right, name), found, f->probability, row);
        n_right += row->right - before;
        free(name);
        json_decref(found);
        if (!field) return cli_nomem();
    }
    json_t *whole_right = n_right == words->n_fields ? json_true() : json_false();
    struct counts ignored = {0};
    note(&e->fields[0], json_true(), whole_right, decision->probability, &ignored);
    return CLI_DONE;
}

static int check_names(const struct extract_eval *e, const json_t *right, const struct weir_words *words, size_t line)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)right, name, value)
    {
        bool is_known = false;
        for (size_t i = 0; !is_known && i < words->n_fields; i++)
            is_known = words->fields[i].name.size == strlen(name) &&
                       memcmp(words->fields[i].name.data, name, strlen(name)) == 0;
        if (!is_known)
            return cli_say(CLI_REFUSED, "line %zu: '%s' has no field '%.100s'", line, e->question->name, name);
    }
    return CLI_DONE;
}

static int note_row(struct extract_eval *e, const struct weir_row *row, const struct weir_decision *decision,
                    const struct weir_words *words)
{
    struct counts *counts = &e->row_counts[e->rows++];
    json_t *right = json_of(row->label);
    int status = CLI_DONE;
    if (!json_is_object(right))
        status = cli_say(CLI_REFUSED, "line %zu: the label is no JSON object", row->line);
    else if (decision->status)
        status = note_missing(e, right, counts);
    else
        status = check_names(e, right, words, row->line);
    if (decision->status) e->errors++;
    if (!status && !decision->status) {
        status = note_fields(e, right, decision, words, counts);
        e->latency_ms[e->answered++] = decision->latency_ms;
    }
    json_decref(right);
    return status;
}

/* ---- answers ---- */

struct round {
    const struct weir_row **rows;
    struct weir_string *texts;
    struct weir_decision *decisions;
    struct weir_words *words;
    double *probabilities;
    size_t batch, count;
};

static int open_round(struct round *r, const struct weir_decider *decider)
{
    size_t questions = weir_decider_questions(decider);
    r->batch = weir_decider_batch(decider);
    r->rows = calloc(r->batch, sizeof *r->rows);
    r->texts = calloc(r->batch, sizeof *r->texts);
    r->decisions = calloc(r->batch * questions, sizeof *r->decisions);
    r->words = calloc(r->batch * questions, sizeof *r->words);
    r->probabilities = calloc(r->batch * (weir_decider_probabilities(decider) + 1), sizeof *r->probabilities);
    return r->rows && r->texts && r->decisions && r->words && r->probabilities ? CLI_DONE : cli_nomem();
}

static void close_round(struct round *r)
{
    free(r->rows);
    free(r->texts);
    free(r->decisions);
    free(r->words);
    free(r->probabilities);
}

static int answer(struct extract_eval *e, struct weir_decider *decider, struct round *r)
{
    size_t questions = weir_decider_questions(decider);
    struct weir_error error = {0};
    double start = progress_clock();
    if (r->count && weir_decide(decider, r->texts, r->count, r->decisions, r->words, r->probabilities, &error))
        return cli_fail(&error);
    e->seconds += progress_clock() - start;
    int status = CLI_DONE;
    for (size_t i = 0; i < r->count && !status; i++)
        status = note_row(e, r->rows[i], &r->decisions[i * questions + e->index], &r->words[i * questions + e->index]);
    for (size_t i = 0; i < r->count * questions; i++) weir_words_free(&r->words[i]);
    r->count = 0;
    return status;
}

static int answer_all(struct extract_eval *e, const struct weir_rows *rows, struct progress *progress)
{
    struct weir_decider *decider = NULL;
    struct weir_error error = {0};
    struct round round = {.count = 0};
    if (weir_decider_open(e->parts->engine, e->parts->task, e->parts->profile, &decider, &error))
        return cli_fail(&error);
    int status = open_round(&round, decider);
    for (size_t i = 0; i < rows->count && !status; i++) {
        const struct weir_row *row = &rows->items[i];
        if (row->status && !e->errors) (void)cli_say(0, "a row cannot be read: %s", row->error);
        e->errors += row->status != WEIR_OK;
        e->unlabelled += !row->status && !row->label.data;
        if (!row->status && row->label.data) {
            round.texts[round.count] = row->text;
            round.rows[round.count++] = row;
        }
        if (round.count == round.batch || i + 1 == rows->count) status = answer(e, decider, &round);
        progress_update(progress, i + 1);
    }
    close_round(&round);
    weir_decider_close(&decider);
    return status;
}

/* ---- figures ---- */

static double f1_of(const struct counts *c)
{
    return c->given + c->there ? 2.0 * (double)c->hit / (double)(c->given + c->there) : 1;
}

static double ratio(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static struct counts sum_of(const struct extract_eval *e)
{
    struct counts sum = {0};
    for (size_t i = 0; i < e->rows; i++) {
        sum.given += e->row_counts[i].given;
        sum.there += e->row_counts[i].there;
        sum.hit += e->row_counts[i].hit;
    }
    return sum;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Percentiles of F1 over resampled rows. */
static int f1_interval(const struct extract_eval *e, double *low, double *high)
{
    double *values = calloc(RESAMPLES, sizeof *values);
    uint64_t state = 0;
    if (!values) return cli_nomem();
    for (size_t r = 0; r < RESAMPLES; r++) {
        struct counts sum = {0};
        for (size_t i = 0; i < e->rows; i++) {
            const struct counts *row = &e->row_counts[next_random(&state) % e->rows];
            sum.given += row->given;
            sum.there += row->there;
            sum.hit += row->hit;
        }
        values[r] = f1_of(&sum);
    }
    *low = weir_eval_quantile(values, RESAMPLES, 0.025);
    *high = weir_eval_quantile(values, RESAMPLES, 0.975);
    free(values);
    return CLI_DONE;
}

static double ece_of(const struct field_figures *field)
{
    double sum = 0;
    for (size_t i = 0; i < WEIR_EVAL_ECE_BINS; i++) sum += fabs(field->bin_said[i] - field->bin_right[i]);
    return field->answered ? sum / (double)field->answered : 0;
}

struct figures {
    double f1, f1_low, f1_high, precision, recall, p50_ms, p99_ms, rows_per_s;
    size_t rows; /* with those that could not be read */
};

static int figures_of(struct extract_eval *e, struct figures *f)
{
    struct counts sum = sum_of(e);
    *f = (struct figures){.f1 = f1_of(&sum),
                          .precision = ratio(sum.hit, sum.given),
                          .recall = ratio(sum.hit, sum.there),
                          .p50_ms = weir_eval_quantile(e->latency_ms, e->answered, 0.5),
                          .p99_ms = weir_eval_quantile(e->latency_ms, e->answered, 0.99),
                          .rows_per_s = e->seconds > 0 ? (double)e->rows / e->seconds : 0,
                          .rows = e->answered + e->errors};
    return f1_interval(e, &f->f1_low, &f->f1_high);
}

/* ---- report ---- */

static void add_line(struct table *table, const struct extract_eval *e, const struct field_figures *field, size_t rows)
{
    double low, high;
    char text[6][40];
    bool is_whole = field == &e->fields[0];
    weir_eval_interval(field->counts.right, rows, 0.95, &low, &high);
    (void)snprintf(text[0], sizeof text[0], "%.1f %%", 100 * ratio(field->counts.right, rows));
    (void)snprintf(text[1], sizeof text[1], "[%.1f, %.1f]", 100 * low, 100 * high);
    (void)snprintf(text[2], sizeof text[2], "%.1f %%", 100 * ratio(field->counts.hit, field->counts.given));
    (void)snprintf(text[3], sizeof text[3], "%.1f %%", 100 * ratio(field->counts.hit, field->counts.there));
    (void)snprintf(text[4], sizeof text[4], "%.1f %%", 100 * f1_of(&field->counts));
    (void)snprintf(text[5], sizeof text[5], "%.3f", ece_of(field));
    const char *cells[] = {is_whole ? "(whole)" : field->name,
                           text[0],
                           text[1],
                           is_whole ? "" : text[2],
                           is_whole ? "" : text[3],
                           is_whole ? "" : text[4],
                           text[5]};
    table_add(table, cells);
}

static int print_tables(const struct extract_eval *e, const struct figures *f)
{
    static const struct table_column columns[] = {{"FIELD", false},    {"RIGHT", true},  {"95 %", true},
                                                  {"PRECISION", true}, {"RECALL", true}, {"F1", true},
                                                  {"ECE", true}};
    (void)printf("%s: %zu rows, %zu errors%s\n", e->question->name, f->rows, e->errors,
                 e->parts->profile ? "" : ", probabilities not calibrated");
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 1; i <= e->n_fields; i++) add_line(table, e, &e->fields[i % e->n_fields], f->rows);
    bool good = table_print(table);
    (void)printf("Values: F1 %.1f %% [%.1f, %.1f], precision %.1f %%, recall %.1f %%\n", 100 * f->f1, 100 * f->f1_low,
                 100 * f->f1_high, 100 * f->precision, 100 * f->recall);
    (void)printf("Speed: %.1f rows/s, p50 %.1f ms, p99 %.1f ms\n", f->rows_per_s, f->p50_ms, f->p99_ms);
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static json_t *field_json(const struct field_figures *field, size_t rows)
{
    double low, high;
    weir_eval_interval(field->counts.right, rows, 0.95, &low, &high);
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "accuracy", ratio(field->counts.right, rows),
                     "accuracy_low", low, "accuracy_high", high, "precision",
                     ratio(field->counts.hit, field->counts.given), "recall",
                     ratio(field->counts.hit, field->counts.there), "f1", f1_of(&field->counts), "ece", ece_of(field));
}

static json_t *figures_json(const struct extract_eval *e, const struct figures *f)
{
    double low, high;
    const struct field_figures *whole = &e->fields[0];
    weir_eval_interval(whole->counts.right, f->rows, 0.95, &low, &high);
    json_t *fields = json_object();
    for (size_t i = 1; i < e->n_fields; i++)
        (void)json_object_set_new(fields, e->fields[i].name, field_json(&e->fields[i], f->rows));
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}",
                     "task", weir_task_name(e->parts->task), "question", e->question->name, "rows", (json_int_t)f->rows,
                     "errors", (json_int_t)e->errors, "unlabelled", (json_int_t)e->unlabelled, "micro_f1", f->f1,
                     "micro_f1_low", f->f1_low, "micro_f1_high", f->f1_high, "precision", f->precision, "recall",
                     f->recall, "accuracy", ratio(whole->counts.right, f->rows), "accuracy_low", low, "accuracy_high",
                     high, "ece", ece_of(whole), "rows_per_s", f->rows_per_s, "p50_ms", f->p50_ms, "p99_ms", f->p99_ms,
                     "fields", fields);
}

static int write_json(const struct extract_eval *e, const struct figures *f, const char *path)
{
    struct output out = {0};
    int status = output_open(&out, path);
    if (status) return status;
    json_t *object = figures_json(e, f);
    bool good = object && json_dumpf(object, out.file, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) == 0;
    json_decref(object);
    if (!good && !ferror(out.file)) {
        output_discard(&out);
        return cli_nomem();
    }
    (void)fputc('\n', out.file);
    return output_commit(&out);
}

static int report(struct extract_eval *e, const char *json)
{
    struct figures figures;
    if (!e->rows) return cli_say(CLI_FAILED, "no labelled row to work on (%zu unreadable)", e->errors);
    int status = figures_of(e, &figures);
    if (!status && (!json || strcmp(json, "-") != 0)) status = print_tables(e, &figures);
    if (!status && json) status = write_json(e, &figures, json);
    if (!status && e->errors) status = cli_say(CLI_ROW_ERRORS, "%zu of %zu rows are errors", e->errors, figures.rows);
    return status;
}

int eval_extract(const struct parts *parts, size_t question, const struct weir_rows *rows, const char *json,
                 bool is_quiet)
{
    struct extract_eval e = {.parts = parts,
                             .question = weir_task_question(parts->task, question),
                             .index = question,
                             .fields = calloc(FIELDS_MAX, sizeof *e.fields),
                             .row_counts = calloc(rows->count + 1, sizeof *e.row_counts),
                             .latency_ms = calloc(rows->count + 1, sizeof *e.latency_ms)};
    int status = e.fields && e.row_counts && e.latency_ms && find_field(&e, "") ? CLI_DONE : cli_nomem();
    struct progress progress;
    progress_open(&progress, "rows", is_quiet);
    progress_stage(&progress, "eval", 0, rows->count);
    if (!status) status = answer_all(&e, rows, &progress);
    progress_clear(&progress);
    if (!status) status = report(&e, json);
    for (size_t i = 0; e.fields && i < e.n_fields; i++) free(e.fields[i].name);
    free(e.fields);
    free(e.row_counts);
    free(e.latency_ms);
    return status;
}
