/* weir run: rows through the tiers of a task, under its gate and budget; killed and started again, it goes on. */
#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "engine_args.h"
#include "output.h"
#include "progress.h"
#include "run_line.h"
#include "run_plan.h"
#include "run_tally.h"
#include "source.h"
#include "tiers.h"

enum { KEY_SUMMARY = 512, KEY_LEDGER, KEY_PRICES, KEY_NEW, KEY_PLAN, KEY_DRY, KEY_QUESTION, KEY_WINDOW, KEY_ZERO_SHOT };

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name (default: the task's first tier)", 0},
    {"profile", 'p', "PROFILE", 0, "What `weir tune' learned (default: the tier's)", 0},
    {"zero-shot", KEY_ZERO_SHOT, 0, 0, "Leave the tier's profile alone", 0},
    {"output", 'o', "OUT.jsonl", 0, "Where to write (default: standard output)", 0},
    {"summary", KEY_SUMMARY, "F.json", 0, "Where to write counts, cost and, for labelled rows, measures", 0},
    {"ledger", KEY_LEDGER, "FILE", 0, "Ledger (default: $XDG_STATE_HOME/weir/ledger.db)", 0},
    {"prices", KEY_PRICES, "F.json", 0, "Price table (default: the one built in)", 0},
    {"new", KEY_NEW, 0, 0, "Decide all rows again; without it, rows of this task and input that are decided stay so",
     0},
    {"plan", KEY_PLAN, 0, 0, "Estimate rows, tokens, escalations and cost from a sample; nothing is sent", 0},
    {"dry-run", KEY_DRY, 0, 0, "Answer locally and say what would be passed on; nothing is sent or recorded", 0},
    {"window", KEY_WINDOW, "ROWS", 0, "Rows among which a short budget is spent where it is worth most (default 4096)",
     0},
    {"question", KEY_QUESTION, "NAME", 0, "Question that the rows' labels belong to (default: the first)", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct source source;
    struct parts_request request;
    struct tiers_request tiers;
    const char *out, *summary, *question;
    size_t window;
    bool is_plan, is_quiet;
};

static long number_option(struct argp_state *state, const char *text, long high)
{
    long value = 0;
    if (!cli_number(text, 1, high, &value)) argp_error(state, "'%s' is not a number from 1 to %ld", text, high);
    return value;
}

static void check(struct argp_state *state, const struct arguments *args)
{
    if (!args->request.task) argp_error(state, "no task given (-t)");
    source_check(&args->source, args->request.task, state);
    if (args->request.no_profile && args->request.profile) argp_error(state, "--zero-shot leaves no use for a profile");
    if (args->is_plan && strcmp(args->source.path, "-") == 0)
        argp_error(state, "--plan reads its input twice: name a file");
}

static error_t parse_run(int key, const char *text, struct arguments *args)
{
    switch (key) {
    case KEY_SUMMARY:
        args->summary = text;
        return 0;
    case KEY_LEDGER:
        args->tiers.ledger = text;
        return 0;
    case KEY_PRICES:
        args->tiers.prices = text;
        return 0;
    case KEY_NEW:
        args->tiers.mode = WEIR_RUN_NEW;
        return 0;
    case KEY_PLAN:
        args->is_plan = args->tiers.is_dry = true;
        return 0;
    case KEY_DRY:
        args->tiers.is_dry = true;
        return 0;
    case KEY_QUESTION:
        args->question = text;
        return 0;
    case KEY_ZERO_SHOT:
        args->request.no_profile = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->source;
        state->child_inputs[1] = &args->request.engine;
        return 0;
    case 't':
        args->request.task = text;
        return 0;
    case 'm':
        args->request.model = text;
        return 0;
    case 'p':
        args->request.profile = text;
        return 0;
    case 'o':
        args->out = text;
        return 0;
    case 'j':
        args->request.engine.threads = (unsigned)number_option(state, text, INT_MAX);
        return 0;
    case KEY_WINDOW:
        args->window = (size_t)number_option(state, text, WEIR_CASCADE_WINDOW_MAX);
        return 0;
    case 'q':
        args->is_quiet = true;
        return 0;
    case ARGP_KEY_END:
        check(state, args);
        return 0;
    default:
        return parse_run(key, text, args);
    }
}

static const struct argp_child children[] = {{&source_argp, 0, "Input:", 1}, {&engine_argp, 0, "Memory:", 2}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "INPUT",
    .children = children,
    .doc = "Answers a task for every row of INPUT (- is standard input) through its tiers: the local model first, the "
           "rows that its gate passes on by the next tier, under the task's budget. Every decision and every call is "
           "recorded in the ledger; a run that was stopped goes on where it stopped when it is started again."};

struct run {
    const struct arguments *args;
    struct parts parts;
    struct tiers tiers;
    struct weir_cascade *cascade;
    struct weir_input *input;
    struct output out, summary;
    struct run_tally tally;
    struct progress progress;
};

/* ---- what the cascade calls ---- */

static char *make_line(void *context, const struct weir_cascade_row *row)
{
    const struct run *run = context;
    return run_line(run->parts.task, row);
}

static enum weir_status take_line(void *context, const struct weir_row *row, const char *line, size_t size,
                                  struct weir_error *error)
{
    struct run *run = context;
    bool is_written =
        run->args->is_plan || (fwrite(line, 1, size, run->out.file) == size && fputc('\n', run->out.file) != EOF);
    if (is_written && run_tally_add(&run->tally, row, line, size)) return WEIR_OK;
    error->status = is_written ? WEIR_ERR_NOMEM : WEIR_ERR_IO;
    (void)snprintf(error->text, sizeof error->text, "%s",
                   is_written ? "out of memory" : "the output cannot be written");
    return error->status;
}

static void show_progress(void *context, const struct weir_cascade_totals *t)
{
    struct run *run = context;
    (void)snprintf(run->progress.note, sizeof run->progress.note, "%zu local, %zu escalated, %zu abstained, $%.6f",
                   t->local, t->escalated, t->abstained, (double)t->cost_usd_e6 / 1e6);
    progress_update(&run->progress, t->rows);
}

/* ---- opening, running, telling ---- */

static int open_tally(struct run *run)
{
    size_t index = 0;
    int status = parts_question(&run->parts, run->args->question, &index);
    if (status) return status;
    run->tally.question = weir_task_question(run->parts.task, index);
    run->tally.is_only_question =
        weir_task_question_count(run->parts.task) == 1 && run->tally.question->type != WEIR_QUESTION_SCORE;
    run->tally.local_tier = weir_task_tier_count(run->parts.task) ? weir_task_tier(run->parts.task, 0)->name : "local";
    return CLI_DONE;
}

static int open_run(struct run *run)
{
    struct weir_error error = {0};
    int status = source_open(&run->args->source, &run->input);
    if (!status)
        status = tiers_open(&run->tiers, &run->parts, &run->args->request, &run->args->tiers, &run->args->source);
    if (!status) status = open_tally(run);
    if (status) return status;
    struct weir_cascade_options cascade = tiers_cascade(&run->tiers);
    cascade.window = run->args->window;
    cascade.context = run;
    cascade.line = make_line;
    cascade.take = take_line;
    cascade.progress = show_progress;
    if (weir_cascade_open(&cascade, &run->cascade, &error)) return cli_fail(&error);
    if (run->args->is_plan) return CLI_DONE;
    status = output_open(&run->out, run->args->out);
    if (!status && run->args->summary) status = output_open(&run->summary, run->args->summary);
    return status;
}

static void close_run(struct run *run)
{
    output_discard(&run->out);
    output_discard(&run->summary);
    weir_input_close(&run->input);
    weir_cascade_close(&run->cascade);
    tiers_close(&run->tiers);
    parts_close(&run->parts);
    run_tally_free(&run->tally);
}

static void tell_resumption(const struct run *run)
{
    const struct weir_run_info *info = &run->tiers.run;
    if (!info->is_resumed) return;
    (void)cli_say(0, "run %lld goes on: %zu rows are decided, $%.6f is spent%s", (long long)info->run, info->rows,
                  (double)info->spent_usd_e6 / 1e6, info->queued ? "; rows that were put off are tried again" : "");
    if (info->lost.calls)
        (void)cli_say(0, "%zu calls were in flight when it was stopped; their reservations, $%.6f, are booked as spent",
                      info->lost.calls, (double)info->lost.usd_e6 / 1e6);
}

static int decide_all(struct run *run)
{
    struct weir_error error = {0};
    progress_open(&run->progress, "rows", run->args->is_quiet);
    progress_stage(&run->progress, "run", 0, run->args->is_quiet ? 0 : source_count(&run->args->source));
    int status = weir_cascade_run(run->cascade, run->input, &error) ? CLI_FAILED : CLI_DONE;
    progress_clear(&run->progress);
    return status ? cli_fail(&error) : CLI_DONE;
}

static int64_t run_budget(const struct run *run)
{
    return weir_task_budget(run->parts.task)->usd_e6_per_run;
}

static int write_summary(struct run *run, const struct weir_cascade_totals *totals, double seconds)
{
    if (!run->args->summary) return CLI_DONE;
    if (run->tally.unknown_labels)
        return cli_say(CLI_REFUSED, "no summary: %zu rows carry a label that '%s' does not have",
                       run->tally.unknown_labels, run->tally.question->name);
    return output_json(&run->summary,
                       run_tally_summary(&run->tally, totals, run_budget(run), &run->tiers.run, seconds));
}

/* The run is over once its output is where it should be. */
static int finish(struct run *run, const struct weir_cascade_totals *totals, double seconds)
{
    struct weir_error error = {0};
    int status = output_commit(&run->out);
    if (!status) status = write_summary(run, totals, seconds);
    if (!status && run->tiers.ledger && weir_ledger_finish(run->tiers.ledger, run->tiers.run.run, true, &error))
        status = cli_fail(&error);
    return status;
}

static void tell_totals(const struct run *run, const struct weir_cascade_totals *t)
{
    if (t->over_calls)
        (void)cli_say(
            0, "warning: %zu calls cost more than was reserved for them, by $%.6f; their tier was closed for this run",
            t->over_calls, (double)t->over_usd_e6 / 1e6);
    if (run->args->is_quiet) return;
    (void)cli_say(0, "%zu rows: %zu local, %zu escalated, %zu abstained, %zu errors; $%.6f of $%.6f for this run",
                  t->rows, t->local, t->escalated, t->abstained, t->errors, (double)t->cost_usd_e6 / 1e6,
                  (double)run_budget(run) / 1e6);
    if (t->unaffordable)
        (void)cli_say(
            0,
            "the budget went to rows where asking was worth %.3f or more (the expected gain in accuracy); %zu "
            "others were left out",
            t->least_worth, t->unaffordable);
    if (t->queued) (void)cli_say(0, "%zu of the abstained rows are queued: run again to try them", t->queued);
    if (run->args->tiers.is_dry)
        (void)cli_say(0, "dry run: nothing was sent; calls would cost $%.6f, at most $%.6f",
                      (double)t->dry_expected_usd_e6 / 1e6, (double)t->dry_max_usd_e6 / 1e6);
}

static int run_rows(struct run *run)
{
    double start = progress_clock();
    tell_resumption(run);
    int status = decide_all(run);
    if (status) return status;
    struct weir_cascade_totals totals;
    weir_cascade_totals(run->cascade, &totals);
    status = finish(run, &totals, progress_clock() - start);
    if (status) return status;
    tell_totals(run, &totals);
    return totals.errors ? cli_say(CLI_ROW_ERRORS, "%zu of %zu rows are errors", totals.errors, totals.rows) : CLI_DONE;
}

static int run_run(int argc, char **argv)
{
    struct arguments args = {.source = source_default(),
                             .request = {.engine = weir_engine_options_default()},
                             .tiers = {.mode = WEIR_RUN_REOPEN}};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct run run = {.args = &args};
    int status = open_run(&run);
    if (!status) status = args.is_plan ? run_plan(run.cascade, run.parts.task, &args.source) : run_rows(&run);
    close_run(&run);
    return status;
}

const struct command command_run = {"run", "Answer every row through the tiers of a task, under its budget", run_run};
