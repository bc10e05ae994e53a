/* weir decide: a task of any type, a row at a time in, an answer a row out, in the same order. */
#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "answer.h"
#include "cli.h"
#include "engine_args.h"
#include "output.h"
#include "parts.h"
#include "prior.h"
#include "progress.h"
#include "source.h"
#include "weir/decide.h"
#include "weir/input.h"

enum { KEY_ZERO_SHOT = 512, KEY_PRIOR };

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name (default: the task's first gguf tier)", 0},
    {"profile", 'p', "PROFILE", 0, "What `weir tune' learned (default: the tier's)", 0},
    {"zero-shot", KEY_ZERO_SHOT, 0, 0, "Leave the tier's profile alone", 0},
    {"prior", KEY_PRIOR, "FILE", 0, PRIOR_DOC, 0},
    {"output", 'o', "OUT.jsonl", 0, "Where to write (default: standard output)", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct source source;
    struct parts_request request;
    const char *out, *prior;
    bool is_quiet;
};

static unsigned count_option(struct argp_state *state, const char *text)
{
    long value = 0;
    if (!cli_number(text, 1, INT_MAX, &value)) argp_error(state, "'%s' is not a number of 1 or more", text);
    return (unsigned)value;
}

static void check(struct argp_state *state, const struct arguments *args)
{
    if (!args->request.task) argp_error(state, "no task given (-t)");
    if (args->request.no_profile && args->request.profile) argp_error(state, "--zero-shot leaves no use for a profile");
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
    case KEY_PRIOR:
        args->prior = text;
        return 0;
    case KEY_ZERO_SHOT:
        args->request.no_profile = true;
        return 0;
    case 'o':
        args->out = text;
        return 0;
    case 'j':
        args->request.engine.threads = count_option(state, text);
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
    .doc = "Answers a task of any type for every row of INPUT (- is standard input): one JSON object a row, in input "
           "order. Rows that cannot be read or answered are kept as errors."};

/* One run: what is open, and the buffers of a batch. */
struct run {
    const struct arguments *args;
    struct parts parts;
    struct weir_decider *decider;
    struct weir_input *input;
    struct output out;
    struct progress progress;
    size_t batch, questions, done, errors; /* rows, questions of the task, rows written, those that are errors */
    struct weir_rows rows;
    struct weir_string *texts;       /* [batch]: of the rows that could be read */
    struct weir_decision *decisions; /* [batch, questions]: of those */
    struct weir_words *words;        /* [batch, questions], the texts owned from one batch to the next */
    double *probabilities;           /* [batch, all labels] */
};

static int open_buffers(struct run *run)
{
    run->batch = weir_decider_batch(run->decider);
    run->questions = weir_decider_questions(run->decider);
    size_t probabilities = weir_decider_probabilities(run->decider);
    run->texts = calloc(run->batch, sizeof *run->texts);
    run->decisions = calloc(run->batch * run->questions, sizeof *run->decisions);
    run->words = calloc(run->batch * run->questions, sizeof *run->words);
    run->probabilities = calloc(run->batch * (probabilities + 1), sizeof *run->probabilities);
    return run->texts && run->decisions && run->words && run->probabilities ? CLI_DONE : cli_nomem();
}

/* Everything that can fail for reasons of the command line is opened before the model is read. */
static int open_run(struct run *run)
{
    struct weir_error error = {0};
    int status = source_open(&run->args->source, &run->input);
    if (!status) status = parts_open(&run->parts, &run->args->request);
    if (status) return status;
    if (weir_decider_open(run->parts.engine, run->parts.task, run->parts.profile, &run->decider, &error))
        return cli_fail(&error);
    if (run->args->prior) status = prior_set_decider(run->decider, &run->args->source, run->args->prior);
    if (!status) status = open_buffers(run);
    return status ? status : output_open(&run->out, run->args->out);
}

static void free_words(struct run *run)
{
    for (size_t i = 0; run->words && i < run->batch * run->questions; i++) weir_words_free(&run->words[i]);
}

static void close_run(struct run *run)
{
    output_discard(&run->out);
    weir_input_close(&run->input);
    weir_rows_free(&run->rows);
    free_words(run);
    weir_decider_close(&run->decider);
    parts_close(&run->parts);
    free(run->texts);
    free(run->decisions);
    free(run->words);
    free(run->probabilities);
}

static int write_row(struct run *run, const struct weir_row *row, size_t first)
{
    static const struct acceptance all = {.gate = {.accept = WEIR_ACCEPT_ALL}};
    struct problem problem;
    json_t *answer = answer_json(&run->parts, &all, row, run->decisions + first, run->words + first);
    char *line = answer ? answer_text(answer) : NULL;
    json_decref(answer);
    if (!line) return cli_nomem();
    (void)fprintf(run->out.file, "%s\n", line); /* a failure stays in the stream: see write_batch */
    free(line);
    run->done++;
    run->errors += answer_problem(row, run->decisions + first, run->questions, &problem);
    return CLI_DONE;
}

static int write_batch(struct run *run)
{
    size_t answered = 0;
    int status = CLI_DONE;
    for (size_t i = 0; !status && i < run->rows.count; i++) {
        status = write_row(run, &run->rows.items[i], answered * run->questions);
        answered += run->rows.items[i].status == WEIR_OK;
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
    free_words(run);
    if (count && weir_decide(run->decider, run->texts, count, run->decisions, run->words, run->probabilities, &error))
        return cli_fail(&error);
    return write_batch(run);
}

static int decide_all(struct run *run)
{
    int status = CLI_DONE;
    progress_open(&run->progress, "rows", run->args->is_quiet);
    progress_stage(&run->progress, "decide", 0, run->args->is_quiet ? 0 : source_count(&run->args->source));
    do {
        weir_rows_clear(&run->rows);
        struct weir_error error = {0};
        bool failed = weir_input_read(run->input, run->batch, &run->rows, &error) != WEIR_OK;
        status = decide_batch(run); /* also the rows before a failure */
        progress_update(&run->progress, run->done);
        if (!status && failed) {
            progress_clear(&run->progress);
            status = cli_fail(&error);
        }
    } while (!status && run->rows.count == run->batch);
    progress_clear(&run->progress);
    return status;
}

static int run_decide(int argc, char **argv)
{
    struct arguments args = {.source = source_default(), .request = {.engine = weir_engine_options_default()}};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct run run = {.args = &args};
    int status = open_run(&run);
    if (!status) status = decide_all(&run);
    if (!status) status = output_commit(&run.out);
    if (!status && run.errors) status = cli_say(CLI_ROW_ERRORS, "%zu of %zu rows are errors", run.errors, run.done);
    close_run(&run);
    return status;
}

const struct command command_decide = {"decide", "Answer a task of any type for every row", run_decide};
