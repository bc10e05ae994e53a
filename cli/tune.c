/* weir tune: a profile from labelled rows. */
#include <argp.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "engine_args.h"
#include "parts.h"
#include "progress.h"
#include "source.h"
#include "table.h"
#include "tune_extract.h"
#include "weir/input.h"
#include "weir/tune.h"

enum { KEY_QUESTION = 512, KEY_FOLDS };

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name (default: the task's first gguf tier)", 0},
    {"output", 'o', "PROFILE", 0, "Where to write the profile", 0},
    {"question", KEY_QUESTION, "NAME", 0, "Question that the rows' labels belong to (default: the first)", 0},
    {"folds", KEY_FOLDS, "N", 0, "Folds of the cross-validation (default 5)", 0},
    {"seed", 's', "N", 0, "Seed of the folds", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct source source;
    struct parts_request request;
    struct weir_tune_options tune;
    const char *out, *question;
    bool is_quiet;
};

static long number_option(struct argp_state *state, const char *text, long low, long high)
{
    long value = 0;
    if (!cli_number(text, low, high, &value))
        argp_error(state, "'%s' is not a number from %ld to %ld", text, low, high);
    return value;
}

static void check(struct argp_state *state, const struct arguments *args)
{
    if (!args->request.task) argp_error(state, "no task given (-t)");
    source_check(&args->source, args->request.task, state);
    if (!args->out) argp_error(state, "no profile to write given (-o)");
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
    case 'o':
        args->out = text;
        return 0;
    case KEY_QUESTION:
        args->question = text;
        return 0;
    case KEY_FOLDS:
        args->tune.folds = (unsigned)number_option(state, text, 2, WEIR_TUNE_FOLDS_MAX);
        return 0;
    case 's':
        args->tune.seed = (uint64_t)number_option(state, text, 0, LONG_MAX);
        return 0;
    case 'j':
        args->request.engine.threads = args->tune.threads = (unsigned)number_option(state, text, 1, INT_MAX);
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
    .args_doc = "TRAIN",
    .children = children,
    .doc = "Learns a profile for a task and a model from the labelled rows of TRAIN (- is standard input). All choices "
           "are made by cross-validation on these rows."};

/* The rows to learn from. */
struct training {
    struct weir_rows rows;
    struct weir_string *texts; /* [rows.count], the first `count` used */
    int32_t *labels;           /* [count, questions] */
    uint8_t *sets;             /* [count, labels of all questions] */
    size_t count;              /* rows with a label */
    size_t errors;             /* rows that could not be read */
};

static int gather(const struct parts *parts, size_t question_index, struct training *training)
{
    size_t questions = weir_task_question_count(parts->task);
    const struct weir_question *question = weir_task_question(parts->task, question_index);
    training->texts = calloc(training->rows.count + 1, sizeof *training->texts);
    training->labels = calloc(training->rows.count + 1, questions * sizeof *training->labels);
    size_t offset = 0, all = 0;
    for (size_t q = 0; q < questions; q++) {
        if (q == question_index) offset = all;
        all += weir_task_question(parts->task, q)->n_labels;
    }
    training->sets = calloc(training->rows.count + 1, all ? all : 1);
    if (!training->texts || !training->labels || !training->sets) return cli_nomem();
    for (size_t i = 0; i < training->rows.count; i++) {
        const struct weir_row *row = &training->rows.items[i];
        if (row->status && !training->errors++) (void)cli_say(0, "a row is left out: %s", row->error);
        if (row->status || !row->label.data) continue;
        int32_t *labels = &training->labels[training->count * questions];
        for (size_t q = 0; q < questions; q++) labels[q] = -1;
        struct label_problem problem;
        labels[question_index] =
            parts_row_label(question, row, training->sets + training->count * all + offset, &problem);
        if (labels[question_index] < 0) return cli_say(CLI_REFUSED, "line %zu: %s", row->line, problem.text);
        training->texts[training->count++] = row->text;
    }
    if (!training->count) return cli_say(CLI_FAILED, "no row carries a label");
    return CLI_DONE;
}

static int read_rows(const struct source *source, struct weir_rows *rows)
{
    struct weir_input *input = NULL;
    int status = source_open(source, &input);
    if (status) return status;
    struct weir_error error = {0};
    if (weir_input_read(input, WEIR_TUNE_ROWS_MAX + 1, rows, &error)) status = cli_fail(&error);
    weir_input_close(&input);
    if (!status && rows->count > WEIR_TUNE_ROWS_MAX)
        status = cli_say(CLI_FAILED, "%s: more than %d rows", source->path, WEIR_TUNE_ROWS_MAX);
    return status;
}

static void training_free(struct training *training)
{
    weir_rows_free(&training->rows);
    free(training->texts);
    free(training->labels);
    free(training->sets);
}

/* Minutes of work should not end at a folder that does not exist. The profile replaces files only. */
static int check_out(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) return cli_say(CLI_FAILED, "%s: not a regular file", path);
    char *copy = strdup(path);
    if (!copy) return cli_nomem();
    int status = CLI_DONE;
    if (access(dirname(copy), W_OK) != 0)
        status = cli_say(CLI_FAILED, "%s: cannot write there: %s", path, strerror(errno));
    free(copy);
    return status;
}

static bool on_progress(void *context, const char *stage, size_t done, size_t total)
{
    struct progress *progress = context;
    if (strncmp(progress->stage, stage, sizeof progress->stage - 1) != 0 || progress->total != total)
        progress_stage(progress, stage, done, total);
    progress_update(progress, done);
    return true;
}

static void add_head(struct table *table, const struct weir_profile *profile, size_t question, enum weir_head_kind kind,
                     const struct weir_profile_question *q)
{
    struct weir_head_info head;
    weir_profile_head(profile, question, kind, &head);
    char text[5][32];
    (void)snprintf(text[0], sizeof text[0], "%.1f %%", 100 * head.accuracy);
    (void)snprintf(text[1], sizeof text[1], "%.4f", head.log_loss);
    (void)snprintf(text[2], sizeof text[2], "%.3f", head.ece);
    (void)snprintf(text[3], sizeof text[3], "%.3g", head.l2);
    (void)snprintf(text[4], sizeof text[4], "%.2f", head.temperature);
    const char *cells[] = {q->name, weir_head_kind_name(kind),      text[0], text[1], text[2], text[3],
                           text[4], kind == q->head ? "chosen" : ""};
    table_add(table, cells);
}

/* After how many layers the hidden states are read. */
static void print_depths(const struct weir_profile *profile)
{
    struct weir_profile_info info;
    weir_profile_info(profile, &info);
    for (size_t i = 0; i < info.questions; i++) {
        struct weir_profile_question question;
        weir_profile_question(profile, i, &question);
        (void)printf("Hidden states of %s: after", question.name);
        for (size_t d = 0; d < question.n_depths; d++) (void)printf("%s %u", d ? "," : "", question.depths[d]);
        (void)printf(" layers\n");
    }
}

static int print_profile(const struct weir_profile *profile, const char *path)
{
    static const struct table_column columns[] = {{"QUESTION", false},   {"HEAD", false}, {"ACCURACY", true},
                                                  {"LOG-LOSS", true},    {"ECE", true},   {"L2", true},
                                                  {"TEMPERATURE", true}, {"", false}};
    struct weir_profile_info info;
    weir_profile_info(profile, &info);
    (void)printf("Cross-validated (%u folds, %zu rows; every row judged by heads that had not seen it):\n", info.folds,
                 info.rows);
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < info.questions; i++) {
        struct weir_profile_question question;
        weir_profile_question(profile, i, &question);
        for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++)
            add_head(table, profile, i, (enum weir_head_kind)kind, &question);
    }
    bool good = table_print(table);
    print_depths(profile);
    (void)printf("Profile: %s\n", path);
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

/* An extraction's probabilities; what is printed follows. */
static int calibrate(struct arguments *args, const struct parts *parts, size_t question, struct training *training)
{
    struct progress progress;
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    for (size_t i = 0; i < training->rows.count; i++) {
        const struct weir_row *row = &training->rows.items[i];
        if (row->status && !training->errors++) (void)cli_say(0, "a row is left out: %s", row->error);
    }
    progress_open(&progress, "rows", args->is_quiet);
    args->tune.progress = on_progress;
    args->tune.progress_context = &progress;
    int status = tune_extract(parts, question, &training->rows, &args->tune, &profile);
    progress_clear(&progress);
    if (!status && weir_profile_save(profile, args->out, &error)) status = cli_fail(&error);
    if (!status) status = tune_extract_print(profile);
    if (!status) (void)printf("Profile: %s\n", args->out);
    if (!status) status = cli_flush();
    weir_profile_close(&profile);
    return status;
}

static int tune(struct arguments *args, const struct parts *parts, const struct training *training)
{
    struct progress progress;
    progress_open(&progress, "steps", args->is_quiet);
    args->tune.progress = on_progress;
    args->tune.progress_context = &progress;
    struct weir_tune_rows rows = {
        .texts = training->texts, .labels = training->labels, .sets = training->sets, .count = training->count};
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    enum weir_status failed = weir_tune(parts->engine, parts->task, &rows, &args->tune, &profile, &error);
    progress_clear(&progress);
    if (!failed) failed = weir_profile_save(profile, args->out, &error);
    int status = failed ? cli_fail(&error) : print_profile(profile, args->out);
    weir_profile_close(&profile);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.source = source_default(),
                             .request = {.engine = weir_engine_options_default(), .no_profile = true},
                             .tune = weir_tune_options_default()};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct parts parts = {0};
    struct training training = {0};
    size_t question = 0;
    int status = check_out(args.out);
    if (!status) status = read_rows(&args.source, &training.rows);
    if (!status) status = parts_open(&parts, &args.request);
    if (!status) status = parts_question(&parts, args.question, &question);
    bool is_extract = !status && weir_task_question(parts.task, question)->type == WEIR_QUESTION_EXTRACT;
    if (is_extract) status = calibrate(&args, &parts, question, &training);
    if (!status && !is_extract) status = gather(&parts, question, &training);
    if (!status && !is_extract) status = tune(&args, &parts, &training);
    size_t errors = training.errors, all = training.rows.count;
    training_free(&training);
    parts_close(&parts);
    if (status || !errors) return status;
    return cli_say(CLI_ROW_ERRORS, "%zu of %zu rows are errors and were left out", errors, all);
}

const struct command command_tune = {"tune", "Learn a profile from labelled rows", run};
