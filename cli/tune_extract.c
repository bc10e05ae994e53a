#include "tune_extract.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "table.h"

int tune_extract(const struct parts *parts, size_t question, const struct weir_rows *rows,
                 const struct weir_tune_options *options, struct weir_profile **profile)
{
    struct weir_string *texts = calloc(rows->count + 1, sizeof *texts),
                       *values = calloc(rows->count + 1, sizeof *values);
    size_t known = 0;
    int status = texts && values ? CLI_DONE : cli_nomem();
    for (size_t i = 0; !status && i < rows->count; i++) { /* rows keep their places: an error names them by number */
        if (rows->items[i].status) continue;
        texts[i] = rows->items[i].text;
        values[i] = rows->items[i].label;
        known += values[i].data != NULL;
    }
    if (!status && !known) status = cli_say(CLI_FAILED, "no row carries a label");
    struct weir_tune_values all = {.texts = texts, .values = values, .count = rows->count};
    struct weir_error error = {0};
    if (!status && weir_tune_extract(parts->engine, parts->task, question, &all, options, profile, &error))
        status = cli_fail(&error);
    free(texts);
    free(values);
    return status;
}

static void add_field(struct table *table, const struct weir_extract_info *info)
{
    char text[5][32];
    (void)snprintf(text[0], sizeof text[0], "%.1f %%", 100 * info->accuracy);
    (void)snprintf(text[1], sizeof text[1], "%.4f", info->raw_log_loss);
    (void)snprintf(text[2], sizeof text[2], "%.4f", info->log_loss);
    (void)snprintf(text[3], sizeof text[3], "%.3f", info->raw_ece);
    (void)snprintf(text[4], sizeof text[4], "%.3f", info->ece);
    const char *cells[] = {info->field[0] ? info->field : "(whole)", text[0], text[1], text[2], text[3], text[4]};
    table_add(table, cells);
}

int tune_extract_print(const struct weir_profile *profile)
{
    static const struct table_column columns[] = {{"FIELD", false},     {"RIGHT", true}, {"LOG-LOSS", true},
                                                  {"CALIBRATED", true}, {"ECE", true},   {"CALIBRATED", true}};
    struct weir_profile_extract extract;
    weir_profile_extract(profile, 0, &extract);
    (void)printf("%s: %zu answered rows; calibrated probabilities cross-validated, every row judged without itself:\n",
                 extract.name, extract.rows);
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (size_t f = 0; f <= extract.n_fields; f++) {
        struct weir_extract_info info;
        weir_profile_extract_field(profile, 0, f, &info);
        add_field(table, &info);
    }
    return table_print(table) ? CLI_DONE : cli_nomem();
}
