/* weir tune: labelled rows to a profile. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "models.h"
#include "progress.h"
#include "weir/engine.h"
#include "weir/input.h"
#include "weir/profile.h"
#include "weir/task.h"
#include "weir/tune.h"

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name", 0},
    {"output", 'o', "PROFILE", 0, "Where the profile goes", 0},
    {"format", 'f', "FORMAT", 0, "jsonl, csv, text or auto (by the file's ending)", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"seed", 's', "N", 0, "Seed of the folds (default 0)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    const char *task, *model, *output, *train, *format;
    long threads, seed;
    bool is_quiet;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 't':
        args->task = text;
        return 0;
    case 'm':
        args->model = text;
        return 0;
    case 'o':
        args->output = text;
        return 0;
    case 'f':
        args->format = text;
        return 0;
    case 'j':
        if (!cli_number(text, 1, 256, &args->threads)) argp_error(state, "threads: expected 1..256, found '%s'", text);
        return 0;
    case 's':
        if (!cli_number(text, 0, 1L << 62, &args->seed)) argp_error(state, "seed: not a whole number: '%s'", text);
        return 0;
    case 'q':
        args->is_quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->train) argp_error(state, "one file of training rows, please");
        args->train = text;
        return 0;
    case ARGP_KEY_END:
        if (!args->task || !args->model || !args->output || !args->train)
            argp_error(state, "needed: -t TASK.yaml -m MODEL -o PROFILE TRAIN");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "TRAIN",
    .doc = "Learns a profile for a task and a model from labelled rows (field `label`, of the task's first question)."};

/* ---- rows ---- */

struct training {
    struct weir_rows rows;
    struct weir_string *texts; /* [count] of the rows that could be read */
    int32_t *labels;           /* [count, questions] */
    size_t count, bad;
};

static int label_index(const struct weir_question *question, struct weir_string name)
{
    for (size_t i = 0; i < question->n_labels; i++)
        if (strlen(question->labels[i].name) == name.size &&
            memcmp(question->labels[i].name, name.data, name.size) == 0)
            return (int)i;
    return -1;
}

static int add_row(struct training *training, const struct weir_task *task, const struct weir_row *row,
                   const char *file)
{
    size_t questions = weir_task_question_count(task);
    if (row->status) {
        (void)cli_say(0, "%s:%zu: row left out: %s", file, row->line, row->error);
        training->bad++;
        return CLI_DONE;
    }
    if (!row->label.data) return CLI_DONE;
    const struct weir_question *question = weir_task_question(task, 0);
    int label = label_index(question, row->label);
    if (label < 0)
        return cli_say(CLI_REFUSED, "%s:%zu: label '%.*s' is not one of question %s", file, row->line,
                       (int)row->label.size, row->label.data, question->name);
    training->texts[training->count] = row->text;
    training->labels[training->count * questions] = label;
    for (size_t q = 1; q < questions; q++) training->labels[training->count * questions + q] = -1;
    training->count++;
    return CLI_DONE;
}

static int read_rows(const struct arguments *args, const struct weir_task *task, struct training *training)
{
    struct weir_input_options input_options = weir_input_options_default();
    struct weir_error error = {0};
    struct weir_input *input = NULL;
    if (args->format && weir_input_format_parse(args->format, &input_options.format, &error)) return cli_fail(&error);
    if (weir_input_open(args->train, &input_options, &input, &error)) return cli_fail(&error);
    enum weir_status status = weir_input_read(input, WEIR_TUNE_ROWS_MAX, &training->rows, &error);
    weir_input_close(&input);
    if (status) return cli_fail(&error);
    size_t count = training->rows.count ? training->rows.count : 1;
    training->texts = calloc(count, sizeof *training->texts);
    training->labels = calloc(count * weir_task_question_count(task), sizeof *training->labels);
    if (!training->texts || !training->labels) return cli_nomem();
    int exit_status = CLI_DONE;
    for (size_t i = 0; !exit_status && i < training->rows.count; i++)
        exit_status = add_row(training, task, &training->rows.items[i], args->train);
    return exit_status;
}

/* ---- tuning ---- */

static bool show_progress(void *context, const char *stage, size_t done, size_t total)
{
    struct progress *progress = context;
    if (strncmp(progress->stage, stage, sizeof progress->stage - 1) != 0) progress_stage(progress, stage, total);
    progress_update(progress, done);
    return true;
}

static void print_heads(const struct weir_profile *profile)
{
    struct weir_profile_info info;
    weir_profile_info(profile, &info);
    for (size_t q = 0; q < info.questions; q++) {
        struct weir_profile_question question;
        weir_profile_question(profile, q, &question);
        (void)printf("question %s: %zu rows, %zu labels, depths", question.name, question.rows, question.n_labels);
        for (size_t i = 0; i < question.n_depths; i++) (void)printf(" %u", question.depths[i]);
        (void)printf("; out of fold:\n");
        for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
            struct weir_head_info head;
            weir_profile_head(profile, q, (enum weir_head_kind)kind, &head);
            (void)printf("  %-7s accuracy %.4f  log-loss %.4f  ECE %.4f  temperature %.3f%s\n",
                         weir_head_kind_name((enum weir_head_kind)kind), head.accuracy, head.log_loss, head.ece,
                         head.temperature, kind == (int)question.head ? "  (chosen)" : "");
        }
    }
}

static int learn(const struct arguments *args, struct weir_engine *engine, const struct weir_task *task,
                 const struct training *training)
{
    struct weir_error error = {0};
    struct progress progress;
    progress_open(&progress, "steps", args->is_quiet);
    struct weir_tune_options tune_options = weir_tune_options_default();
    tune_options.threads = (unsigned)args->threads;
    if (args->seed) tune_options.seed = (uint64_t)args->seed;
    tune_options.progress = show_progress;
    tune_options.progress_context = &progress;
    struct weir_tune_rows rows = {training->texts, training->labels, training->count};
    struct weir_profile *profile = NULL;
    enum weir_status status = weir_tune(engine, task, &rows, &tune_options, &profile, &error);
    progress_clear(&progress);
    if (!status) status = weir_profile_save(profile, args->output, &error);
    if (!status) print_heads(profile);
    weir_profile_close(&profile);
    if (status) return cli_fail(&error);
    int flushed = cli_flush();
    return flushed ? flushed : training->bad ? CLI_ROW_ERRORS : CLI_DONE;
}

static int tune(const struct arguments *args, const char *model)
{
    struct weir_error error = {0};
    struct weir_task *task = NULL;
    struct weir_engine *engine = NULL;
    struct training training = {0};
    struct weir_engine_options engine_options = weir_engine_options_default();
    engine_options.threads = (unsigned)args->threads;
    int status;
    if (weir_task_open(args->task, &task, &error)) return cli_fail(&error);
    status = read_rows(args, task, &training);
    if (!status && weir_engine_open(model, &engine_options, &engine, &error)) status = cli_fail(&error);
    if (!status) status = learn(args, engine, task, &training);
    weir_engine_close(&engine);
    weir_task_close(&task);
    weir_rows_free(&training.rows);
    free(training.texts);
    free(training.labels);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {0};
    if (argp_parse(&parser, argc, argv, 0, NULL, &args)) return CLI_USAGE;
    char *model = NULL;
    int status = models_find(args.model, &model);
    if (!status) status = tune(&args, model);
    free(model);
    return status;
}

const struct command command_tune = {.name = "tune", .summary = "Learn a profile from labelled rows", .run = run};
