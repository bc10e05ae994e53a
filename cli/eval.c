/* weir eval: how good the local answers are on labelled rows, beside floors that need no language model. */
#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "engine_args.h"
#include "eval_calibration.h"
#include "eval_extract.h"
#include "eval_multi.h"
#include "eval_report.h"
#include "eval_tiers.h"
#include "labelled.h"
#include "output.h"
#include "parts.h"
#include "prior.h"
#include "progress.h"
#include "source.h"
#include "tiers.h"

enum {
    KEY_JSON = 512,
    KEY_QUESTION,
    KEY_ZERO_SHOT,
    KEY_REQUIRE,
    KEY_LOCAL,
    KEY_VOLUME,
    KEY_LEDGER,
    KEY_PRICES,
    KEY_CALIBRATION,
    KEY_ROTATIONS,
    KEY_PRIOR,
    REQUIREMENTS_MAX = 32
};

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name (default: the task's first gguf tier)", 0},
    {"profile", 'p', "PROFILE", 0, "What `weir tune' learned (default: the tier's)", 0},
    {"zero-shot", KEY_ZERO_SHOT, 0, 0, "Leave the tier's profile alone", 0},
    {"json", KEY_JSON, "FILE", 0, "Write everything measured as one JSON object (- is standard output, without tables)",
     0},
    {"require", KEY_REQUIRE, "M>=X", 0,
     "Fail unless the measure M is at least X (also >, <=, <): accuracy, accuracy_low, macro_f1, micro_f1 (multi), "
     "ece, nll, brier, "
     "difference, "
     "difference_low, coverage (at 5 % error), rows_per_s, p50_ms, p99_ms; across tiers also cascade_accuracy, "
     "cascade_accuracy_low, "
     "cascade_difference_low (to the frontier), cascade_usd_per_1000. May be given several times",
     0},
    {"local", KEY_LOCAL, 0, 0, "Measure the local tier alone: nothing is sent", 0},
    {"volume", KEY_VOLUME, "N", 0, "Rows a day: cost a day, and what the task's usd_per_day reaches", 0},
    {"ledger", KEY_LEDGER, "FILE", 0, "Ledger (default: $XDG_STATE_HOME/weir/ledger.db)", 0},
    {"prices", KEY_PRICES, "F.json", 0, "Price table (default: the one built in)", 0},
    {"calibration", KEY_CALIBRATION, 0, 0,
     "Also measure every step of calibration on these rows: orders of the labels, label priors and, with a profile, "
     "the "
     "head before and after",
     0},
    {"rotations", KEY_ROTATIONS, "N", 0,
     "Orders of the labels that --calibration averages over (default: four, or as many as there are labels)", 0},
    {"prior", KEY_PRIOR, "FILE", 0, PRIOR_DOC, 0},
    {"question", KEY_QUESTION, "NAME", 0, "Question that the rows' labels belong to (default: the first)", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct source source;
    struct parts_request request;
    struct tiers_request tiers;
    long volume; /* rows a day; 0: not given */
    const char *json, *question, *prior;
    size_t rotations; /* 0: the library's default */
    bool shows_calibration;
    const char *requirements[REQUIREMENTS_MAX];
    size_t n_requirements;
    bool is_quiet;
};

static void require_option(struct argp_state *state, const char *text, struct arguments *args)
{
    if (!eval_is_requirement(text)) argp_error(state, "'%s' is not a requirement such as accuracy>=0.9", text);
    if (args->n_requirements == REQUIREMENTS_MAX) argp_error(state, "more than %d requirements", REQUIREMENTS_MAX);
    args->requirements[args->n_requirements++] = text;
}

static size_t rotations_option(struct argp_state *state, const char *text)
{
    long value = 0;
    if (!cli_number(text, 1, WEIR_TASK_LABELS_MAX, &value))
        argp_error(state, "'%s' is not a number of rotations (1..%d)", text, WEIR_TASK_LABELS_MAX);
    return (size_t)value;
}

static unsigned threads_option(struct argp_state *state, const char *text)
{
    long value = 0;
    if (!cli_number(text, 1, INT_MAX, &value)) argp_error(state, "'%s' is not a number of threads", text);
    return (unsigned)value;
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
    case KEY_ZERO_SHOT:
        args->request.no_profile = true;
        return 0;
    case KEY_JSON:
        args->json = text;
        return 0;
    case KEY_LOCAL:
        args->tiers.is_local_only = true;
        return 0;
    case KEY_VOLUME:
        if (!cli_number(text, 1, LONG_MAX, &args->volume))
            argp_error(state, "'%s' is not a number of rows a day", text);
        return 0;
    case KEY_LEDGER:
        args->tiers.ledger = text;
        return 0;
    case KEY_PRICES:
        args->tiers.prices = text;
        return 0;
    case KEY_REQUIRE:
        require_option(state, text, args);
        return 0;
    case KEY_CALIBRATION:
        args->shows_calibration = true;
        return 0;
    case KEY_ROTATIONS:
        args->rotations = rotations_option(state, text);
        return 0;
    case KEY_PRIOR:
        args->prior = text;
        return 0;
    case KEY_QUESTION:
        args->question = text;
        return 0;
    case 'j':
        args->request.engine.threads = threads_option(state, text);
        return 0;
    case 'q':
        args->is_quiet = true;
        return 0;
    case ARGP_KEY_END:
        if (!args->request.task) argp_error(state, "no task given (-t)");
        source_check(&args->source, args->request.task, state);
        if (args->request.no_profile && args->request.profile)
            argp_error(state, "--zero-shot leaves no use for a profile");
        if (args->rotations && !args->shows_calibration) argp_error(state, "--rotations goes with --calibration");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {
    {&source_argp, 0, "Input:", 1}, {&engine_argp, 0, "Context and memory:", 2}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "LABELLED",
    .children = children,
    .doc =
        "Measures a task's answers on the labelled rows of LABELLED (- is standard input): accuracy with its 95 % "
        "interval, "
        "calibration, speed, each label, the most frequent mistakes; beside it what needs no language model: the most "
        "frequent label and, with a profile, n-grams alone. Rows should be ones that tuning has not seen."};

struct run {
    const struct arguments *args;
    struct parts parts;
    struct tiers tiers;
    struct eval_tiers sides; /* is_measured false: the task has no paid tier, or they were not to be asked */
    const struct weir_question *question;
    size_t question_index;
    enum weir_head_kind head; /* in use; WEIR_HEAD_KINDS: zero-shot */
    struct labelled rows;
    struct answers local, floor, majority;
    struct weir_classifier *classifier;
    struct eval_result result;
    struct calibration_steps steps;
};

static int open_run(struct run *run)
{
    int status = labelled_read(&run->rows, &run->args->source);
    if (!status)
        status = tiers_open(&run->tiers, &run->parts, &run->args->request, &run->args->tiers, &run->args->source);
    if (!status) status = parts_question(&run->parts, run->args->question, &run->question_index);
    if (status) return status;
    run->question = weir_task_question(run->parts.task, run->question_index);
    struct weir_error error = {0};
    if (run->question->type == WEIR_QUESTION_EXTRACT) return CLI_DONE;
    if (!run->question->n_labels)
        return cli_say(CLI_REFUSED, "question '%s' has no labels to measure", run->question->name);
    if (weir_classifier_open(run->parts.engine, run->parts.task, run->parts.profile, &run->classifier, &error))
        return cli_fail(&error);
    if (run->args->prior) status = prior_set(run->classifier, &run->args->source, run->args->prior);
    if (status) return status;
    int index = run->parts.profile ? parts_profile_question(run->parts.profile, run->question->name) : -1;
    run->head = WEIR_HEAD_KINDS;
    if (index >= 0) {
        struct weir_profile_question question;
        weir_profile_question(run->parts.profile, (size_t)index, &question);
        run->head = question.head;
    }
    run->result.has_floor = index >= 0 && run->head != WEIR_HEAD_NGRAM;
    return labelled_gather(&run->rows, run->question, NULL, NULL);
}

static void close_run(struct run *run)
{
    weir_classifier_close(&run->classifier);
    tiers_close(&run->tiers);
    labelled_free(&run->rows);
    answers_free(&run->local);
    answers_free(&run->floor);
    answers_free(&run->majority);
    parts_close(&run->parts);
    free(run->result.classes);
    free(run->result.confusion);
}

/* All rows by the head in use, or by `head`. *seconds grows by the time it took. */
static int answer_all(struct run *run, struct answers *answers, const char *stage, double *seconds)
{
    struct progress progress;
    size_t all = run->rows.count, batch = weir_classifier_batch(run->classifier);
    int status = answers_open(answers, &run->rows, run->question->n_labels);
    progress_open(&progress, "rows", run->args->is_quiet);
    progress_stage(&progress, stage, 0, all);
    double start = progress_clock();
    for (size_t done = 0; done < all && !status;) {
        size_t count = all - done < batch ? all - done : batch;
        status =
            answers_decide(answers, &run->rows, run->classifier, run->parts.task, run->question_index, done, count);
        done += count;
        progress_update(&progress, done);
    }
    *seconds += progress_clock() - start;
    progress_clear(&progress);
    if (!status && run->question->multi) multi_settle(&run->rows, run->question->n_labels, answers);
    return status;
}

/* The label that most rows carry, for every row: what needs no text at all. */
static int answer_majority(struct run *run)
{
    size_t n = run->question->n_labels, best = 0;
    size_t *counts = calloc(n, sizeof *counts);
    int status = counts ? answers_open(&run->majority, &run->rows, n) : cli_nomem();
    if (run->question->multi) {
        if (!status) multi_majority(&run->rows, n, &run->majority);
        free(counts);
        return status;
    }
    for (size_t i = 0; i < run->rows.count && !status; i++) counts[run->rows.gold[i]]++;
    for (size_t k = 0; k < n && !status; k++)
        if (counts[k] > counts[best]) best = k;
    for (size_t i = 0; i < run->rows.count && !status; i++) run->majority.predicted[i] = (int32_t)best;
    free(counts);
    return status;
}

static int measure_calibration(struct run *run)
{
    if (!run->args->shows_calibration) return CLI_DONE;
    if (run->question->multi)
        return cli_say(CLI_REFUSED, "question '%s' has `multi`: --calibration has no order of labels to turn",
                       run->question->name);
    struct calibration_request request = {.parts = &run->parts,
                                          .index = run->question_index,
                                          .rows = &run->rows,
                                          .classifier = run->classifier,
                                          .tuned = run->head == WEIR_HEAD_KINDS ? NULL : &run->local,
                                          .rotations = run->args->rotations,
                                          .is_quiet = run->args->is_quiet};
    return calibration_measure(&request, &run->steps);
}

static int answer(struct run *run)
{
    double ignored = 0;
    struct weir_error error = {0};
    int status = answer_all(run, &run->local, "eval", &run->result.seconds);
    if (!status) status = measure_calibration(run);
    if (!status) status = answer_majority(run);
    if (status || !run->result.has_floor) return status;
    if (weir_classifier_use_head(run->classifier, WEIR_HEAD_NGRAM, &error)) return cli_fail(&error);
    return answer_all(run, &run->floor, "eval, n-grams", &ignored);
}

/* The paid tiers, where the task has them. */
static int ask_tiers(struct run *run)
{
    if (run->args->tiers.is_local_only || !tiers_have_paid(run->parts.task)) return CLI_DONE;
    if (weir_task_question_count(run->parts.task) > 1 || run->question->multi)
        return cli_say(
            CLI_REFUSED,
            "a task with several questions, or with `multi`, is not measured across tiers yet; --local measures "
            "its local tier");
    struct eval_tiers_request request = {.rows = &run->rows,
                                         .local = &run->local,
                                         .question = run->question,
                                         .volume = (double)run->args->volume,
                                         .is_quiet = run->args->is_quiet};
    run->result.tiers = &run->sides;
    return eval_tiers_measure(&run->sides, &run->tiers, &request);
}

static struct weir_eval_rows rows_of(const struct run *run, const struct answers *answers)
{
    struct weir_eval_rows rows = run->question->multi
                                     ? multi_rows(answers, &run->rows)
                                     : answers_rows(answers, &run->rows, run->question->n_labels, true);
    if (answers == &run->majority) rows.probability = rows.probabilities = NULL;
    return rows;
}

/* Accuracy and coverage are of the whole set of labels; the other measures of the labels one by one. */
static int measure_multi(const struct run *run, const struct answers *answers, struct eval_way *way,
                         struct weir_eval_class *classes)
{
    struct weir_eval_multi_summary s;
    int status = multi_measure(&run->rows, run->question->n_labels, answers, &s, classes);
    if (status) return status;
    way->summary.macro_f1 = s.macro_f1;
    way->summary.ece = s.ece;
    way->summary.brier = s.brier;
    way->summary.nll = s.nll;
    way->micro_f1 = s.micro_f1;
    return CLI_DONE;
}

static int measure_way(const struct run *run, const struct answers *answers, const char *name, struct eval_way *way,
                       struct weir_eval_class *classes)
{
    struct weir_eval_rows rows = rows_of(run, answers);
    struct weir_error error = {0};
    *way = (struct eval_way){.name = name, .has_probabilities = rows.probability != NULL};
    if (weir_eval_measure(&rows, &way->summary, run->question->multi ? NULL : classes, &error)) return cli_fail(&error);
    int status = run->question->multi ? measure_multi(run, answers, way, classes) : CLI_DONE;
    if (status) return status;
    for (size_t i = 0; i < EVAL_COVERAGES && way->has_probabilities; i++)
        if (weir_eval_coverage(&rows, eval_max_errors[i], &way->coverage[i], &error)) return cli_fail(&error);
    return CLI_DONE;
}

static const char *local_name(const struct run *run)
{
    switch (run->head) {
    case WEIR_HEAD_NGRAM:
        return "n-grams alone";
    case WEIR_HEAD_HIDDEN:
        return "hidden states";
    case WEIR_HEAD_BOTH:
        return "n-grams and hidden states";
    default:
        return "zero-shot";
    }
}

static int measure(struct run *run)
{
    struct eval_result *r = &run->result;
    size_t n = run->question->n_labels;
    struct weir_eval_rows local = rows_of(run, &run->local);
    struct weir_eval_rows other = rows_of(run, r->has_floor ? &run->floor : &run->majority);
    struct weir_error error = {0};
    struct weir_model_info info;
    weir_engine_info(run->parts.engine, &info);
    r->task = run->parts.task;
    r->question = run->question;
    r->head = run->head == WEIR_HEAD_KINDS ? "zero-shot" : weir_head_kind_name(run->head);
    r->cpu_level = info.cpu_level;
    r->threads = info.threads;
    r->errors = run->rows.errors;
    r->unlabelled = run->rows.unlabelled;
    r->classes = calloc(n, sizeof *r->classes);
    r->confusion = calloc(n * n, sizeof *r->confusion);
    if (!r->classes || !r->confusion) return cli_nomem();
    for (size_t i = 0; i < run->rows.count && !run->question->multi; i++)
        if (run->local.predicted[i] >= 0) r->confusion[(size_t)local.gold[i] * n + (size_t)run->local.predicted[i]]++;
    r->p50_ms = weir_eval_quantile(run->local.latency_ms, run->local.n_latencies, 0.5);
    r->p99_ms = weir_eval_quantile(run->local.latency_ms, run->local.n_latencies, 0.99);
    int status = measure_way(run, &run->local, local_name(run), &r->local, r->classes);
    if (!status) status = measure_way(run, &run->majority, "most frequent label", &r->majority, NULL);
    if (!status && r->has_floor) status = measure_way(run, &run->floor, "n-grams alone (the floor)", &r->floor, NULL);
    if (!status &&
        (weir_eval_compare(&local, &other, &r->paired, &error) || weir_eval_reliability(&local, r->bins, &error)))
        status = cli_fail(&error);
    return status;
}

static int write_json(const struct run *run)
{
    struct output out = {0};
    int status = output_open(&out, run->args->json);
    if (status) return status;
    json_t *object = eval_json(&run->result);
    if (object && run->sides.is_measured) eval_tiers_json(&run->sides, object);
    if (object && run->args->shows_calibration)
        (void)json_object_set_new(object, "calibration", calibration_json(&run->steps));
    return output_json(&out, object);
}

static int print_tables(const struct run *run)
{
    int status = eval_print(&run->result);
    if (!status && run->sides.is_measured) status = eval_tiers_print(&run->sides);
    return status || !run->args->shows_calibration ? status : calibration_print(&run->steps);
}

static int report(const struct run *run)
{
    int status = CLI_DONE;
    if (!run->args->json || strcmp(run->args->json, "-") != 0) status = print_tables(run);
    if (!status && run->args->json) status = write_json(run);
    for (size_t i = 0; i < run->args->n_requirements; i++) {
        int failed = eval_require(&run->result, run->args->requirements[i]);
        if (!status) status = failed;
    }
    if (!status && run->rows.errors)
        status = cli_say(CLI_ROW_ERRORS, "%zu of %zu rows are errors", run->rows.errors, run->rows.rows.count);
    return status;
}

static int measure_extraction(const struct run *run)
{
    if (run->args->n_requirements || run->args->shows_calibration || run->args->prior)
        return cli_say(CLI_REFUSED,
                       "question '%s' is of type extract: --require, --calibration and --prior are for labels",
                       run->question->name);
    return eval_extract(&run->parts, run->question_index, &run->rows.rows, run->args->json, run->args->is_quiet);
}

static int run_eval(int argc, char **argv)
{
    struct arguments args = {.source = source_default(),
                             .request = {.engine = weir_engine_options_default()},
                             .tiers = {.is_measuring = true, .mode = WEIR_RUN_REOPEN}};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct run run = {.args = &args};
    int status = open_run(&run);
    if (!status && run.question->type == WEIR_QUESTION_EXTRACT) {
        status = measure_extraction(&run);
        close_run(&run);
        return status;
    }
    if (!status) status = answer(&run);
    if (!status) status = ask_tiers(&run);
    if (!status) status = measure(&run);
    if (!status) status = report(&run);
    close_run(&run);
    return status;
}

const struct command command_eval = {"eval", "Measure a task's answers on labelled rows", run_eval};
