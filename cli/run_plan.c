#include "run_plan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "table.h"
#include "text.h"

enum { SAMPLE_ROWS = 256, CELL = 64 };

struct plan {
    size_t rows, errors, sampled;
    double text_bytes;
    char *sample; /* JSON Lines, owned */
    size_t sample_size;
};

static bool add_to_sample(FILE *out, const struct weir_row *row)
{
    json_t *object = json_pack("{s:o, s:o}", "id", text_json(row->id), "text", text_json(row->text));
    bool good = object && json_dumpf(object, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF;
    json_decref(object);
    return good;
}

/* Rows at equal distances: row i is taken where i * SAMPLE_ROWS / rows changes. */
static int read_sample(struct plan *plan, const struct source *source)
{
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    const struct weir_row *row = NULL;
    size_t total = plan->rows, index = 0;
    FILE *out = open_memstream(&plan->sample, &plan->sample_size);
    if (!out) return cli_nomem();
    int status = source_open(source, &input);
    while (!status) {
        if (weir_input_next(input, &row, &error)) status = cli_fail(&error);
        if (status || !row) break;
        bool is_taken = total <= SAMPLE_ROWS || index * SAMPLE_ROWS / total != (index + 1) * SAMPLE_ROWS / total;
        index++;
        if (!is_taken || row->status) continue;
        if (!add_to_sample(out, row)) status = cli_nomem();
        plan->sampled++;
    }
    if (fclose(out) != 0 && !status) status = cli_nomem();
    weir_input_close(&input);
    return status;
}

static int count_rows(struct plan *plan, const struct source *source)
{
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    const struct weir_row *row = NULL;
    int status = source_open(source, &input);
    while (!status) {
        if (weir_input_next(input, &row, &error)) status = cli_fail(&error);
        if (status || !row) break;
        plan->rows++;
        plan->errors += row->status != WEIR_OK;
        plan->text_bytes += (double)row->text.size;
    }
    weir_input_close(&input);
    return status;
}

static void add_line(struct table *table, const char *name, int decimals, double value)
{
    char cell[CELL];
    (void)snprintf(cell, sizeof cell, "%.*f", decimals, value);
    table_add(table, (const char *const[]){name, cell});
}

static int print_plan(const struct plan *plan, const struct weir_task *task, const struct weir_cascade_totals *t)
{
    static const struct table_column columns[] = {{"plan", false}, {"estimate", true}};
    const struct weir_budget *budget = weir_task_budget(task);
    double readable = (double)(plan->rows - plan->errors);
    double scale = plan->sampled ? readable / (double)plan->sampled : 0;
    double expected = scale * (double)t->dry_expected_usd_e6 / 1e6, most = scale * (double)t->dry_max_usd_e6 / 1e6;
    double limit = (double)budget->usd_e6_per_run / 1e6;
    struct table *table = table_open(columns, 2);
    if (!table) return cli_nomem();
    add_line(table, "rows", 0, (double)plan->rows);
    add_line(table, "rows that cannot be read", 0, (double)plan->errors);
    add_line(table, "tokens of text (four bytes each)", 0, plan->text_bytes / 4);
    add_line(table, "rows answered locally for this plan", 0, (double)plan->sampled);
    add_line(table, "accepted locally", 0, scale * (double)t->local);
    add_line(table, "passed on to the next tier", 0, scale * (double)t->passed_on);
    add_line(table, "cost, $", 6, expected);
    add_line(table, "cost at most, $", 6, most);
    add_line(table, "every row to the last tier, $", 6, scale * (double)t->frontier_usd_e6 / 1e6);
    add_line(table, "budget of a run, $", 6, limit);
    if (expected > limit) add_line(table, "share of the calls that the budget covers", 3, limit / expected);
    return table_print(table) ? cli_flush() : cli_nomem();
}

int run_plan(struct weir_cascade *cascade, const struct weir_task *task, const struct source *source)
{
    struct plan plan = {0};
    struct weir_input *input = NULL;
    struct weir_input_options options = weir_input_options_default();
    struct weir_error error = {0};
    int status = count_rows(&plan, source);
    if (!status) status = read_sample(&plan, source);
    if (!status && weir_input_open_memory(plan.sample, plan.sample_size, "sample.jsonl", &options, &input, &error))
        status = cli_fail(&error);
    if (!status && weir_cascade_run(cascade, input, &error)) status = cli_fail(&error);
    if (!status) {
        struct weir_cascade_totals totals;
        weir_cascade_totals(cascade, &totals);
        status = print_plan(&plan, task, &totals);
    }
    weir_input_close(&input);
    free(plan.sample);
    return status;
}
