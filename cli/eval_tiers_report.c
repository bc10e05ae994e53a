/* The tables and the JSON of weir eval with tiers. */
#include <stdio.h>

#include "cli.h"
#include "eval_tiers.h"
#include "table.h"

enum { CELL = 48, COLUMNS = 9 };

static void add_side(struct table *table, const struct eval_tiers *r, const char *name, const struct eval_side *side)
{
    double rows = r->rows ? (double)r->rows : 1, usd = (double)side->cost_usd_e6 / 1e6;
    char text[COLUMNS][CELL];
    (void)snprintf(text[1], CELL, "%.1f %%", 100 * side->summary.accuracy);
    (void)snprintf(text[2], CELL, "%.1f - %.1f %%", 100 * side->summary.accuracy_low,
                   100 * side->summary.accuracy_high);
    (void)snprintf(text[3], CELL, "%.6f", usd / rows);
    (void)snprintf(text[4], CELL, "%.4f", 1000 * usd / rows);
    (void)snprintf(text[5], CELL, "%.2f", r->volume * usd / rows);
    (void)snprintf(text[6], CELL, "%.1f", side->p50_ms);
    (void)snprintf(text[7], CELL, "%.1f", side->p99_ms);
    (void)snprintf(text[8], CELL, "%.1f %%", 100 * (double)side->left / rows);
    const char *cells[] = {name, text[1], text[2], text[3], text[4], text[8], text[6], text[7], text[5]};
    table_add(table, cells);
}

static bool print_sides(const struct eval_tiers *r)
{
    static const struct table_column columns[] = {{"TIER", false},   {"ACCURACY", true},    {"95 % INTERVAL", true},
                                                  {"$ A ROW", true}, {"$ PER 1,000", true}, {"PASSED ON", true},
                                                  {"P50 MS", true},  {"P99 MS", true},      {"$ A DAY", true}};
    struct table *table = table_open(columns, r->volume > 0 ? COLUMNS : COLUMNS - 1);
    if (!table) return false;
    add_side(table, r, r->local_name, &r->local);
    add_side(table, r, r->frontier_name, &r->frontier);
    add_side(table, r, "cascade", &r->cascade);
    return table_print(table);
}

static void print_pair(const char *other, const struct weir_eval_paired *p)
{
    (void)printf("Cascade against %s, row by row: %+.1f points [%+.1f, %+.1f], %zu rows only the cascade right, %zu "
                 "only %s (p = %.2g)\n",
                 other, 100 * p->difference, 100 * p->low, 100 * p->high, p->first_only, p->second_only, other,
                 p->p_value);
}

static bool print_curve(const struct eval_tiers *r)
{
    static const struct table_column columns[] = {
        {"PASSED ON", true}, {"BELOW", true}, {"ACCURACY", true}, {"ERROR OF THE KEPT", true}, {"$ PER 1,000", true}};
    struct table *table = table_open(columns, 5);
    double rows = r->rows ? (double)r->rows : 1;
    if (!table) return false;
    for (size_t i = 0; i < EVAL_POINTS; i++) {
        const struct weir_eval_point *p = &r->curve[i];
        char text[5][CELL];
        (void)snprintf(text[0], CELL, "%.0f %%", 100 * (rows - (double)p->kept) / rows);
        (void)snprintf(text[1], CELL, "%.3f", p->threshold > 1 ? 1 : p->threshold);
        (void)snprintf(text[2], CELL, "%.1f %%", 100 * (double)p->correct / rows);
        (void)snprintf(text[3], CELL, "%.1f %%", p->kept ? 100 * (double)p->kept_wrong / (double)p->kept : 0);
        (void)snprintf(text[4], CELL, "%.4f", p->cost_usd_e6 / 1e3 / rows);
        const char *cells[] = {text[0], text[1], text[2], text[3], text[4]};
        table_add(table, cells);
    }
    return table_print(table);
}

int eval_tiers_print(const struct eval_tiers *r)
{
    (void)printf("\nTiers on the same rows; abstentions and errors count as wrong\n");
    bool good = print_sides(r);
    (void)printf("\n");
    print_pair(r->frontier_name, &r->to_frontier);
    print_pair(r->local_name, &r->to_local);
    (void)printf("Operating point: %zu kept, %zu escalated, %zu abstained (%zu for want of money), %zu errors\n",
                 r->kept, r->escalated, r->abstained, r->unaffordable, r->errors);
    (void)printf("%zu of the answers of %s were in the ledger and cost nothing now\n\n", r->cached, r->frontier_name);
    (void)printf("Cost and accuracy by what is passed on\n");
    good = print_curve(r) && good;
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static json_t *share_json(const struct weir_eval_summary *s)
{
    return json_pack("{s:f, s:f, s:f}", "value", s->accuracy, "low", s->accuracy_low, "high", s->accuracy_high);
}

static json_t *paired_json(const struct weir_eval_paired *p)
{
    return json_pack("{s:f, s:f, s:f, s:I, s:I, s:f}", "difference", p->difference, "low", p->low, "high", p->high,
                     "cascade_only", (json_int_t)p->first_only, "other_only", (json_int_t)p->second_only, "p_value",
                     p->p_value);
}

static json_t *side_json(const struct eval_tiers *r, const struct eval_side *side)
{
    double rows = r->rows ? (double)r->rows : 1, usd = (double)side->cost_usd_e6 / 1e6;
    json_t *object =
        json_pack("{s:f, s:f, s:f, s:f, s:f}", "usd_per_row", usd / rows, "usd_per_1000", 1000 * usd / rows, "p50_ms",
                  side->p50_ms, "p99_ms", side->p99_ms, "passed_on", (double)side->left / rows);
    if (r->volume > 0) (void)json_object_set_new(object, "usd_per_day", json_real(r->volume * usd / rows));
    return object;
}

static json_t *curve_json(const struct eval_tiers *r)
{
    json_t *list = json_array();
    double rows = r->rows ? (double)r->rows : 1;
    for (size_t i = 0; i < EVAL_POINTS; i++) {
        const struct weir_eval_point *p = &r->curve[i];
        (void)json_array_append_new(list,
                                    json_pack("{s:f, s:f, s:I, s:I, s:f}", "threshold", p->threshold, "accuracy",
                                              (double)p->correct / rows, "kept", (json_int_t)p->kept, "kept_wrong",
                                              (json_int_t)p->kept_wrong, "cost_usd_e6", p->cost_usd_e6));
    }
    return list;
}

void eval_tiers_json(const struct eval_tiers *r, json_t *object)
{
    json_t *accuracy = json_object_get(object, "accuracy");
    (void)json_object_set_new(accuracy, "frontier", share_json(&r->frontier.summary));
    (void)json_object_set_new(accuracy, "cascade", share_json(&r->cascade.summary));
    json_t *more =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "local", (json_int_t)r->kept, "escalated",
                  (json_int_t)r->escalated, "abstained", (json_int_t)r->abstained, "cost_usd_e6",
                  (json_int_t)r->cascade.cost_usd_e6, "budget_usd_e6", (json_int_t)r->budget_usd_e6,
                  "frontier_only_cost_usd_e6", (json_int_t)r->frontier.cost_usd_e6, "cascade_to_local",
                  paired_json(&r->to_local), "cascade_to_frontier", paired_json(&r->to_frontier), "tiers",
                  json_pack("{s:o, s:o, s:o}", "local", side_json(r, &r->local), "frontier", side_json(r, &r->frontier),
                            "cascade", side_json(r, &r->cascade)),
                  "curve", curve_json(r));
    (void)json_object_update(object, more);
    (void)json_object_set_new(object, "frontier_answers_cached", json_integer((json_int_t)r->cached));
    json_decref(more);
}
