/* weir classify: rows in, one answer a row out, in the same order. */
#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "answer.h"
#include "cli.h"
#include "engine_args.h"
#include "output.h"
#include "parts.h"
#include "prior.h"
#include "progress.h"
#include "source.h"
#include "tally.h"
#include "weir/classify.h"
#include "weir/input.h"

enum { KEY_SUMMARY = 512, KEY_DETAILS, KEY_HEAD, KEY_QUESTION, KEY_ZERO_SHOT, KEY_ACCEPT, KEY_PRIOR };

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name (default: the task's first gguf tier)", 0},
    {"profile", 'p', "PROFILE", 0, "What `weir tune' learned (default: the tier's)", 0},
    {"zero-shot", KEY_ZERO_SHOT, 0, 0, "Leave the tier's profile alone", 0},
    {"head", KEY_HEAD, "HEAD", 0, "Head of the profile: ngram, hidden or both (default: the profile's choice)", 0},
    {"accept", KEY_ACCEPT, "RULE", 0,
     "Which answers are accepted: all, certified (by the profile's certificate), or a probability (default: all)", 0},
    {"prior", KEY_PRIOR, "FILE", 0, PRIOR_DOC, 0},
    {"output", 'o', "OUT.jsonl", 0, "Where to write (default: standard output)", 0},
    {"summary", KEY_SUMMARY, "F.json", 0, "Where to write counts, speed and, for labelled rows, measures", 0},
    {"details", KEY_DETAILS, "F.json", 0, "The same with what `weir report' prints beside it: tokens, head, threads",
     0},
    {"question", KEY_QUESTION, "NAME", 0, "Question that the rows' labels belong to (default: the first)", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct source source;
    struct parts_request request;
    const char *out, *summary, *details, *question, *prior;
    struct acceptance acceptance;
    enum weir_head_kind head; /* WEIR_HEAD_KINDS: the profile's choice */
    bool is_quiet;
};

static void head_option(struct argp_state *state, const char *text, enum weir_head_kind *head)
{
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
        if (strcmp(text, weir_head_kind_name((enum weir_head_kind)kind)) != 0) continue;
        *head = (enum weir_head_kind)kind;
        return;
    }
    argp_error(state, "--head is ngram, hidden or both");
}

static void accept_option(struct argp_state *state, const char *text, struct acceptance *acceptance)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (strcmp(text, "all") == 0)
        acceptance->gate = (struct weir_gate){.accept = WEIR_ACCEPT_ALL};
    else if (strcmp(text, "certified") == 0)
        acceptance->gate = (struct weir_gate){.accept = WEIR_ACCEPT_CERTIFIED};
    else if (end != text && !*end && value >= 0 && value <= 1)
        acceptance->gate = (struct weir_gate){.accept = WEIR_ACCEPT_THRESHOLD, .threshold = value};
    else
        argp_error(state, "--accept is all, certified or a probability, found '%s'", text);
}

static void threads_option(struct argp_state *state, const char *text, unsigned *threads)
{
    long value = 0;
    if (!cli_number(text, 1, INT_MAX, &value)) argp_error(state, "'%s' is not a number of threads", text);
    *threads = (unsigned)value;
}

static void check(struct argp_state *state, const struct arguments *args)
{
    if (!args->request.task) argp_error(state, "no task given (-t)");
    source_check(&args->source, args->request.task, state);
    if (args->request.no_profile && (args->request.profile || args->head != WEIR_HEAD_KINDS))
        argp_error(state, "--zero-shot leaves no use for a profile or a head");
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
    case KEY_HEAD:
        head_option(state, text, &args->head);
        return 0;
    case 'o':
        args->out = text;
        return 0;
    case KEY_SUMMARY:
        args->summary = text;
        return 0;
    case KEY_DETAILS:
        args->details = text;
        return 0;
    case KEY_ACCEPT:
        accept_option(state, text, &args->acceptance);
        return 0;
    case KEY_PRIOR:
        args->prior = text;
        return 0;
    case KEY_QUESTION:
        args->question = text;
        return 0;
    case 'j':
        threads_option(state, text, &args->request.engine.threads);
        return 0;
    case 'q':
        args->is_quiet = true;
        return 0;
    case ARGP_KEY_END:
        check(state, args);
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
    .args_doc = "INPUT",
    .children = children,
    .doc = "Answers a task for every row of INPUT (- is standard input): one JSON object a row, in input order. Rows "
           "that cannot be read or answered are kept as errors."};

/* One run: what is open, and the buffers of a batch. */
struct run {
    const struct arguments *args;
    struct parts parts;
    struct acceptance acceptance;
    struct weir_certificate certificates[WEIR_TASK_QUESTIONS_MAX];
    struct weir_classifier *classifier;
    struct weir_input *input;
    struct output out, summary, details;
    struct tally tally;
    struct progress progress;
    size_t batch; /* rows */
    struct weir_rows rows;
    struct weir_string *texts;       /* [batch]: of the rows that could be read */
    struct weir_decision *decisions; /* [batch, questions]: of those */
    double *probabilities;           /* [batch, all labels] */
};

static int open_classifier(struct run *run)
{
    struct weir_error error = {0};
    int status = parts_open(&run->parts, &run->args->request);
    if (status) return status;
    if (weir_classifier_open(run->parts.engine, run->parts.task, run->parts.profile, &run->classifier, &error))
        return cli_fail(&error);
    if (run->args->prior) status = prior_set(run->classifier, &run->args->source, run->args->prior);
    if (status || run->args->head == WEIR_HEAD_KINDS) return status;
    if (!run->parts.profile) return cli_say(CLI_USAGE, "--head needs a profile (-p)");
    if (weir_classifier_use_head(run->classifier, run->args->head, &error)) return cli_fail(&error);
    return CLI_DONE;
}

/* --accept certified needs a certificate of the head in use for every question. */
static int open_acceptance(struct run *run)
{
    run->acceptance = run->args->acceptance;
    run->acceptance.certificates = run->certificates;
    run->tally.acceptance = &run->acceptance;
    if (run->acceptance.gate.accept != WEIR_ACCEPT_CERTIFIED) return CLI_DONE;
    if (!run->parts.profile) return cli_say(CLI_REFUSED, "--accept certified needs a profile (-p)");
    for (size_t i = 0; i < weir_task_question_count(run->parts.task); i++) {
        const char *name = weir_task_question(run->parts.task, i)->name;
        int index = parts_profile_question(run->parts.profile, name);
        struct weir_profile_question question;
        if (index < 0) return cli_say(CLI_REFUSED, "question '%s' is not tuned, so it has no certificate", name);
        weir_profile_question(run->parts.profile, (size_t)index, &question);
        if (run->args->head != WEIR_HEAD_KINDS && run->args->head != question.head)
            return cli_say(CLI_REFUSED, "question '%s': the certificate is for head %s, not %s", name,
                           weir_head_kind_name(question.head), weir_head_kind_name(run->args->head));
        if (!weir_profile_certificate(run->parts.profile, (size_t)index, &run->certificates[i]))
            return cli_say(CLI_REFUSED, "question '%s': the profile has no certificate (weir certify makes one)", name);
    }
    return CLI_DONE;
}

static int open_buffers(struct run *run)
{
    run->batch = weir_classifier_batch(run->classifier);
    run->tally.questions = weir_classifier_questions(run->classifier);
    size_t probabilities = weir_classifier_probabilities(run->classifier);
    run->texts = calloc(run->batch, sizeof *run->texts);
    run->decisions = calloc(run->batch * run->tally.questions, sizeof *run->decisions);
    run->probabilities = calloc(run->batch * probabilities, sizeof *run->probabilities);
    return run->texts && run->decisions && run->probabilities ? CLI_DONE : cli_nomem();
}

/* Everything that can fail for reasons of the command line is opened before the model is read. */
static int open_run(struct run *run)
{
    int status = source_open(&run->args->source, &run->input);
    if (!status) status = open_classifier(run);
    if (!status) status = open_acceptance(run);
    if (!status) status = parts_question(&run->parts, run->args->question, &run->tally.question_index);
    if (status) return status;
    run->tally.question = weir_task_question(run->parts.task, run->tally.question_index);
    status = open_buffers(run);
    if (!status) status = output_open(&run->out, run->args->out);
    if (!status && run->args->summary) status = output_open(&run->summary, run->args->summary);
    if (!status && run->args->details) status = output_open(&run->details, run->args->details);
    return status;
}

static void close_run(struct run *run)
{
    output_discard(&run->out);
    output_discard(&run->summary);
    output_discard(&run->details);
    weir_input_close(&run->input);
    weir_rows_free(&run->rows);
    weir_classifier_close(&run->classifier);
    parts_close(&run->parts);
    tally_free(&run->tally);
    free(run->texts);
    free(run->decisions);
    free(run->probabilities);
}

static int write_row(struct run *run, const struct weir_row *row, const struct weir_decision *decisions)
{
    json_t *answer = answer_json(&run->parts, &run->acceptance, row, decisions, NULL);
    char *line = answer ? answer_text(answer) : NULL;
    json_decref(answer);
    if (!line) return cli_nomem();
    (void)fprintf(run->out.file, "%s\n", line); /* a failure stays in the stream: see write_batch */
    free(line);
    return tally_add(&run->tally, row, decisions) ? CLI_DONE : cli_nomem();
}

static int write_batch(struct run *run)
{
    size_t answered = 0;
    int status = CLI_DONE;
    for (size_t i = 0; !status && i < run->rows.count; i++) {
        const struct weir_row *row = &run->rows.items[i];
        const struct weir_decision *decisions = &run->decisions[answered * run->tally.questions];
        status = write_row(run, row, decisions);
        answered += row->status == WEIR_OK;
    }
    if (!status && (fflush(run->out.file) != 0 || ferror(run->out.file))) status = output_commit(&run->out);
    return status;
}

static int decide_batch(struct run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->rows.count; i++) {
        if (run->rows.items[i].status == WEIR_OK) run->texts[count++] = run->rows.items[i].text;
    }
    struct weir_error error = {0};
    if (count && weir_classify(run->classifier, run->texts, count, run->decisions, run->probabilities, &error))
        return cli_fail(&error);
    return write_batch(run);
}

static int decide_all(struct run *run)
{
    int status = CLI_DONE;
    do {
        weir_rows_clear(&run->rows);
        struct weir_error error = {0};
        bool failed = weir_input_read(run->input, run->batch, &run->rows, &error) != WEIR_OK;
        status = decide_batch(run); /* also the rows before a failure */
        progress_update(&run->progress, run->tally.rows);
        if (!status && failed) {
            progress_clear(&run->progress);
            status = cli_fail(&error);
        }
    } while (!status && run->rows.count == run->batch);
    progress_clear(&run->progress);
    return status;
}

/* Which kind of answer the measured question got. */
static const char *head_name(const struct run *run)
{
    int index = run->parts.profile ? parts_profile_question(run->parts.profile, run->tally.question->name) : -1;
    if (index >= 0) {
        struct weir_profile_question question;
        weir_profile_question(run->parts.profile, (size_t)index, &question);
        return weir_head_kind_name(run->args->head == WEIR_HEAD_KINDS ? question.head : run->args->head);
    }
    return "zero-shot";
}

/* What tally_details does not know. */
static json_t *details_json(struct run *run, double seconds)
{
    struct weir_model_info info;
    weir_engine_info(run->parts.engine, &info);
    json_t *object = tally_details(&run->tally, seconds);
    json_t *how = json_pack("{s:s, s:s, s:i, s:s}", "task", weir_task_name(run->parts.task), "head", head_name(run),
                            "threads", (int)info.threads, "cpu_level", info.cpu_level);
    if (!object || !how || json_object_update(object, how) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(how);
    return object;
}

static int write_summaries(struct run *run, double seconds)
{
    if (!run->args->summary && !run->args->details) return CLI_DONE;
    if (run->tally.unknown_labels) {
        return cli_say(CLI_REFUSED,
                       "no summary: %zu rows carry a label that '%s' does not have; the first, line %zu: %s",
                       run->tally.unknown_labels, run->tally.question->name, run->tally.first_unknown_line,
                       run->tally.first_unknown);
    }
    int status = CLI_DONE;
    if (run->args->summary) status = output_json(&run->summary, tally_summary(&run->tally, seconds));
    if (!status && run->args->details) status = output_json(&run->details, details_json(run, seconds));
    return status;
}

static int classify(struct run *run)
{
    progress_open(&run->progress, "rows", run->args->is_quiet);
    progress_stage(&run->progress, "classify", 0, run->args->is_quiet ? 0 : source_count(&run->args->source));
    double start = progress_clock();
    int status = decide_all(run);
    double seconds = progress_clock() - start;
    if (!status) status = output_commit(&run->out);
    if (!status) status = write_summaries(run, seconds);
    if (status || !run->tally.errors) return status;
    return cli_say(CLI_ROW_ERRORS, "%zu of %zu rows are errors; the first: %s", run->tally.errors, run->tally.rows,
                   run->tally.first_error);
}

static int run_classify(int argc, char **argv)
{
    struct arguments args = {.source = source_default(),
                             .request = {.engine = weir_engine_options_default()},
                             .acceptance = {.gate = {.accept = WEIR_ACCEPT_ALL}},
                             .head = WEIR_HEAD_KINDS};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct run run = {.args = &args};
    int status = open_run(&run);
    if (!status) status = classify(&run);
    close_run(&run);
    return status;
}

const struct command command_classify = {"classify", "Answer a task for every row of a file or of standard input",
                                         run_classify};
