#include "eval_tiers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "progress.h"
#include "run_line.h"
#include "text.h"

/* What is known of a row at the last tier. */
struct asked {
    int32_t *predicted;   /* [count + errors]; -1: no answer */
    int64_t *cost_usd_e6; /* [count + errors] */
    double *latency_ms;   /* [count] */
    size_t next;          /* row whose line comes next */
};

struct eval {
    const struct eval_tiers_request *request;
    const struct tiers *tiers;
    struct eval_tiers *out;
    struct asked asked;
    int32_t *predicted; /* of the cascade: [count + errors] */
    double *latency_ms; /* of the cascade: [count] */
    int64_t cost_usd_e6;
    struct progress progress;
};

static size_t all_rows(const struct eval *e)
{
    return e->request->rows->count + e->request->rows->errors;
}

/* ---- asking ---- */

static char *make_line(void *context, const struct weir_cascade_row *row)
{
    const struct eval *e = context;
    return run_line(e->tiers->parts->task, row);
}

static enum weir_status take_line(void *context, const struct weir_row *row, const char *line, size_t size,
                                  struct weir_error *error)
{
    (void)row;
    (void)error;
    struct eval *e = context;
    size_t i = e->asked.next++;
    json_t *object = json_loadb(line, size, 0, NULL);
    const json_t *answers = json_object_get(object, "answers");
    const json_t *answer = answers ? json_object_get(answers, e->request->question->name) : object;
    const char *value = json_string_value(json_object_get(answer, "value"));
    if (json_is_true(json_object_get(object, "accepted")) && value)
        e->asked.predicted[i] = parts_label(e->request->question, (struct weir_string){value, strlen(value)});
    e->asked.cost_usd_e6[i] = json_integer_value(json_object_get(object, "cost_usd_e6"));
    e->asked.latency_ms[i] = json_number_value(json_object_get(object, "latency_ms"));
    json_decref(object);
    return WEIR_OK;
}

static void show_progress(void *context, const struct weir_cascade_totals *totals)
{
    struct eval *e = context;
    (void)snprintf(e->progress.note, sizeof e->progress.note, "$%.6f", (double)totals->cost_usd_e6 / 1e6);
    progress_update(&e->progress, totals->rows);
}

/* The labelled rows as an input of their own, all under one id: the same text is the same row in whatever file it stands. */
static int write_rows(const struct labelled *rows, char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (!out) return cli_nomem();
    bool good = true;
    for (size_t i = 0; good && i < rows->count; i++) {
        json_t *object = json_pack("{s:s, s:o}", "id", "eval", "text", text_json(rows->texts[i]));
        good = json_dumpf(object, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF;
        json_decref(object);
    }
    if (fclose(out) != 0) good = false;
    return good ? CLI_DONE : cli_nomem();
}

static int ask_rows(struct eval *e, struct weir_input *input)
{
    struct weir_cascade_options options = tiers_cascade(e->tiers);
    struct weir_cascade *cascade = NULL;
    struct weir_error error = {0};
    options.local = NULL;
    options.only_tier = weir_task_tier_count(options.task) - 1;
    options.context = e;
    options.line = make_line;
    options.take = take_line;
    options.progress = show_progress;
    if (weir_cascade_open(&options, &cascade, &error)) return cli_fail(&error);
    progress_open(&e->progress, "rows", e->request->is_quiet);
    progress_stage(&e->progress, "eval, asking", 0, e->request->rows->count);
    int status = weir_cascade_run(cascade, input, &error) ? CLI_FAILED : CLI_DONE;
    progress_clear(&e->progress);
    if (status) status = cli_fail(&error);
    struct weir_cascade_totals totals;
    weir_cascade_totals(cascade, &totals);
    e->out->cached = totals.resumed;
    weir_cascade_close(&cascade);
    if (!status && weir_ledger_finish(e->tiers->ledger, e->tiers->run.run, true, &error)) status = cli_fail(&error);
    if (!status && totals.abstained == totals.rows)
        status = cli_say(CLI_FAILED, "tier %s answered none of the rows", e->out->frontier_name);
    return status;
}

static int ask(struct eval *e)
{
    char *text = NULL;
    size_t size = 0;
    struct weir_input *input = NULL;
    struct weir_input_options options = weir_input_options_default();
    struct weir_error error = {0};
    int status = write_rows(e->request->rows, &text, &size);
    if (!status && weir_input_open_memory(text, size, "eval.jsonl", &options, &input, &error))
        status = cli_fail(&error);
    if (!status) status = ask_rows(e, input);
    weir_input_close(&input);
    free(text);
    return status;
}

/* ---- the cascade of both ---- */

static enum weir_action judge(const struct eval *e, const struct weir_acceptance *acceptance, size_t row,
                              struct weir_judgement *out)
{
    const struct answers *local = e->request->local;
    struct weir_decision decision = {.status = local->predicted[row] < 0 ? WEIR_ERR_TOO_LONG : WEIR_OK,
                                     .label = (size_t)local->predicted[row],
                                     .probability = local->probability[row]};
    weir_gate_judge(e->tiers->parts->task, acceptance, 0, &decision, out);
    return out->action;
}

/* The rows passed on that the day's budget does not reach, at the volume: they abstain. chosen: [count], of the passed on. */
static int afford(struct eval *e, const double *worth, const int64_t *cost, size_t count, bool *chosen)
{
    struct weir_error error = {0};
    struct weir_spending spending = {.rows = count};
    size_t *order = calloc(count + 1, sizeof *order);
    double share = e->out->volume > 0 ? (double)e->request->rows->count / e->out->volume : 1;
    int64_t budget = (int64_t)((double)e->out->day_budget_usd_e6 * share);
    int status = order ? CLI_DONE : cli_nomem();
    if (!status &&
        weir_gate_spend(worth, cost, count, e->out->volume > 0 ? budget : INT64_MAX, order, &spending, &error))
        status = cli_fail(&error);
    for (size_t i = 0; !status && i < spending.rows; i++) chosen[order[i]] = true;
    e->out->unaffordable = count - spending.rows;
    free(order);
    return status;
}

static void settle_row(struct eval *e, size_t row, enum weir_action action, bool is_bought, double local_ms)
{
    struct eval_tiers *out = e->out;
    e->latency_ms[row] = local_ms;
    if (action == WEIR_ACTION_ACCEPT) {
        e->predicted[row] = e->request->local->predicted[row];
        out->kept++;
        return;
    }
    if (action == WEIR_ACTION_ABSTAIN || !is_bought) {
        out->abstained++;
        return;
    }
    e->predicted[row] = e->asked.predicted[row];
    e->latency_ms[row] += e->asked.latency_ms[row];
    out->cascade.cost_usd_e6 += e->asked.cost_usd_e6[row];
    out->cascade.left++;
    if (e->predicted[row] < 0)
        out->abstained++;
    else
        out->escalated++;
}

/* Judges every row, buys what is worth most, and adds up. Buffers: [count]. */
static int combine(struct eval *e, enum weir_action *actions, double *worth, int64_t *cost, size_t *rows, bool *chosen)
{
    const struct labelled *labelled = e->request->rows;
    struct weir_acceptance acceptance = {.gate = weir_task_gate(e->tiers->parts->task),
                                         .certificates = e->tiers->certificates};
    int64_t sum = 0;
    size_t passed = 0, latency = 0;
    for (size_t i = 0; i < labelled->count; i++) sum += e->asked.cost_usd_e6[i];
    acceptance.next_cost_usd_e6 = labelled->count ? sum / (int64_t)labelled->count : 0;
    for (size_t i = 0; i < labelled->count; i++) {
        struct weir_judgement judgement;
        actions[i] = judge(e, &acceptance, i, &judgement);
        if (actions[i] != WEIR_ACTION_ESCALATE) continue;
        worth[passed] = judgement.worth;
        cost[passed] = e->asked.cost_usd_e6[i];
        rows[passed++] = i;
    }
    int status = afford(e, worth, cost, passed, chosen);
    for (size_t i = 0, k = 0; i < labelled->count && !status; i++) {
        bool is_passed = k < passed && rows[k] == i;
        double local_ms = e->request->local->predicted[i] >= 0 ? e->request->local->latency_ms[latency++] : 0;
        settle_row(e, i, actions[i], is_passed && chosen[k], local_ms);
        k += is_passed;
    }
    double checks = acceptance.gate->check_share * (double)e->out->kept * (double)acceptance.next_cost_usd_e6;
    e->out->cascade.cost_usd_e6 += (int64_t)(checks + 0.5);
    return status;
}

static int combine_all(struct eval *e)
{
    size_t count = e->request->rows->count + 1;
    enum weir_action *actions = calloc(count, sizeof *actions);
    double *worth = calloc(count, sizeof *worth);
    int64_t *cost = calloc(count, sizeof *cost);
    size_t *rows = calloc(count, sizeof *rows);
    bool *chosen = calloc(count, sizeof *chosen);
    int status =
        actions && worth && cost && rows && chosen ? combine(e, actions, worth, cost, rows, chosen) : cli_nomem();
    free(actions);
    free(worth);
    free(cost);
    free(rows);
    free(chosen);
    return status;
}

/* ---- measuring ---- */

static struct weir_eval_rows rows_of(const struct eval *e, const int32_t *predicted)
{
    return (struct weir_eval_rows){.count = all_rows(e),
                                   .n_classes = e->request->question->n_labels,
                                   .gold = e->request->rows->gold,
                                   .predicted = predicted};
}

static int measure_side(const struct eval *e, const struct weir_eval_rows *rows, const double *latency_ms, size_t count,
                        struct eval_side *side)
{
    struct weir_error error = {0};
    double *sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted) return cli_nomem();
    for (size_t i = 0; i < count; i++) sorted[i] = latency_ms[i];
    side->p50_ms = weir_eval_quantile(sorted, count, 0.5);
    side->p99_ms = weir_eval_quantile(sorted, count, 0.99);
    free(sorted);
    (void)e;
    return weir_eval_measure(rows, &side->summary, NULL, &error) ? cli_fail(&error) : CLI_DONE;
}

static int measure(struct eval *e)
{
    struct eval_tiers *out = e->out;
    const struct answers *answers = e->request->local;
    struct weir_eval_rows frontier = rows_of(e, e->asked.predicted), cascade = rows_of(e, e->predicted);
    struct weir_eval_rows local = rows_of(e, answers->predicted);
    struct weir_error error = {0};
    local.probability = answers->probability;
    for (size_t i = 0; i < e->request->rows->count; i++) out->frontier.cost_usd_e6 += e->asked.cost_usd_e6[i];
    out->frontier.left = e->request->rows->count;
    out->rows = all_rows(e);
    out->errors = e->request->rows->errors;
    int status = measure_side(e, &local, answers->latency_ms, answers->n_latencies, &out->local);
    if (!status) status = measure_side(e, &frontier, e->asked.latency_ms, e->request->rows->count, &out->frontier);
    if (!status) status = measure_side(e, &cascade, e->latency_ms, e->request->rows->count, &out->cascade);
    if (status) return status;
    if (weir_eval_compare(&cascade, &local, &out->to_local, &error) ||
        weir_eval_compare(&cascade, &frontier, &out->to_frontier, &error) ||
        weir_eval_curve(&local, &frontier, e->asked.cost_usd_e6, out->curve, EVAL_POINTS, &error))
        return cli_fail(&error);
    out->is_measured = true;
    return CLI_DONE;
}

static void close_eval(struct eval *e)
{
    free(e->asked.predicted);
    free(e->asked.cost_usd_e6);
    free(e->asked.latency_ms);
    free(e->predicted);
    free(e->latency_ms);
}

int eval_tiers_measure(struct eval_tiers *out, const struct tiers *tiers, const struct eval_tiers_request *request)
{
    struct eval e = {.request = request, .tiers = tiers, .out = out};
    const struct weir_task *task = tiers->parts->task;
    const struct weir_budget *budget = weir_task_budget(task);
    size_t last = weir_task_tier_count(task) - 1, rows = all_rows(&e) + 1;
    *out = (struct eval_tiers){.local_name = weir_task_tier(task, 0)->name,
                               .frontier_name = weir_task_tier(task, last)->name,
                               .budget_usd_e6 = budget->usd_e6_per_run,
                               .day_budget_usd_e6 = budget->usd_e6_per_day,
                               .volume = request->volume};
    e.asked = (struct asked){.predicted = calloc(rows, sizeof *e.asked.predicted),
                             .cost_usd_e6 = calloc(rows, sizeof *e.asked.cost_usd_e6),
                             .latency_ms = calloc(rows, sizeof *e.asked.latency_ms)};
    e.predicted = calloc(rows, sizeof *e.predicted);
    e.latency_ms = calloc(rows, sizeof *e.latency_ms);
    bool good = e.asked.predicted && e.asked.cost_usd_e6 && e.asked.latency_ms && e.predicted && e.latency_ms;
    for (size_t i = 0; good && i < rows; i++) e.asked.predicted[i] = e.predicted[i] = -1;
    int status = good ? ask(&e) : cli_nomem();
    if (!status) status = combine_all(&e);
    if (!status) status = measure(&e);
    close_eval(&e);
    return status;
}
