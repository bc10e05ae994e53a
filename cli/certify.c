/* weir certify: thresholds whose accepted answers are wrong rarely enough, proved on fresh labelled rows and kept in the profile. */
#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "engine_args.h"
#include "labelled.h"
#include "parts.h"
#include "progress.h"
#include "source.h"
#include "table.h"

enum { KEY_MAX_ERROR = 512, KEY_CONFIDENCE, KEY_PER_CLASS, KEY_SIMULTANEOUS, KEY_QUESTION, CELL = 96 };

static const struct argp_option options[] = {
    {"task", 't', "TASK.yaml", 0, "Task file", 0},
    {"model", 'm', "MODEL", 0, "Model file or name (default: the task's first gguf tier)", 0},
    {"profile", 'p', "PROFILE", 0, "What `weir tune' learned (default: the tier's)", 0},
    {"max-error", KEY_MAX_ERROR, "E", 0, "Largest share of wrong answers among the accepted (default 0.05)", 0},
    {"confidence", KEY_CONFIDENCE, "C", 0, "Probability that the statement is true (default 0.95)", 0},
    {"per-class", KEY_PER_CLASS, 0, 0, "A threshold for each label instead of one for all", 0},
    {"simultaneous", KEY_SIMULTANEOUS, 0, 0, "With --per-class: all its statements together at the confidence", 0},
    {"output", 'o', "PROFILE", 0, "Where to write the profile with its certificate (default: the profile read)", 0},
    {"question", KEY_QUESTION, "NAME", 0, "Question that the rows' labels belong to (default: the first)", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct source source;
    struct parts_request request;
    struct weir_certify_options certify;
    const char *out, *question;
    bool is_quiet;
};

static double share_option(struct argp_state *state, const char *name, const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value < 1))
        argp_error(state, "%s is a number between 0 and 1, found '%s'", name, text);
    return value;
}

static unsigned threads_option(struct argp_state *state, const char *text)
{
    long value = 0;
    if (!cli_number(text, 1, INT_MAX, &value)) argp_error(state, "'%s' is not a number of threads", text);
    return (unsigned)value;
}

static void check(struct argp_state *state, const struct arguments *args)
{
    if (!args->request.task) argp_error(state, "no task given (-t)");
    source_check(&args->source, args->request.task, state);
    if (args->certify.simultaneous && !args->certify.per_class) argp_error(state, "--simultaneous needs --per-class");
}

static error_t parse_rule(int key, char *text, struct argp_state *state, struct weir_certify_options *certify)
{
    switch (key) {
    case KEY_MAX_ERROR:
        certify->max_error = share_option(state, "--max-error", text);
        return 0;
    case KEY_CONFIDENCE:
        certify->confidence = share_option(state, "--confidence", text);
        return 0;
    case KEY_PER_CLASS:
        certify->per_class = true;
        return 0;
    case KEY_SIMULTANEOUS:
        certify->simultaneous = true;
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
        check(state, args);
        return 0;
    default:
        return parse_rule(key, text, state, &args->certify);
    }
}

static const struct argp_child children[] = {
    {&source_argp, 0, "Input:", 1}, {&engine_argp, 0, "Context and memory:", 2}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "FRESH",
    .children = children,
    .doc =
        "Finds thresholds above which at most the given share of answers is wrong, with the given confidence, by exact "
        "binomial tests on the labelled rows of FRESH (- is standard input), and keeps them in the profile for "
        "`weir classify --accept certified'. The rows must be drawn like the rows to come and be used for nothing "
        "else; "
        "rows that the profile was learned from are left out."};

/* The fresh rows and their answers. */
struct run {
    const struct arguments *args;
    struct parts parts;
    const struct weir_question *question;
    size_t question_index; /* in the task */
    size_t profile_index;  /* in the profile */
    struct labelled fresh;
    struct answers answers;
};

static int find_question(struct run *run)
{
    int status = parts_question(&run->parts, run->args->question, &run->question_index);
    if (status) return status;
    run->question = weir_task_question(run->parts.task, run->question_index);
    if (!run->parts.profile) return cli_say(CLI_USAGE, "no profile given (-p), and the task's tier names none");
    int index = parts_profile_question(run->parts.profile, run->question->name);
    if (index < 0) return cli_say(CLI_REFUSED, "the profile was not tuned for question '%s'", run->question->name);
    run->profile_index = (size_t)index;
    if (run->question->multi)
        return cli_say(CLI_REFUSED, "question '%s' has `multi`: no single answer to certify", run->question->name);
    struct weir_eval_rows planning;
    weir_profile_unseen(run->parts.profile, run->profile_index, &planning);
    if (!planning.count)
        return cli_say(CLI_REFUSED,
                       "the profile keeps no predictions for unseen rows (made by an older weir): tune again");
    return CLI_DONE;
}

/* A text that tuning has learned from certifies nothing. */
static bool is_fresh(const void *context, struct weir_string text)
{
    const struct run *run = context;
    return !weir_profile_has_seen(run->parts.profile, run->profile_index, text);
}

static int decide(struct run *run)
{
    struct weir_classifier *classifier = NULL;
    struct weir_error error = {0};
    struct progress progress;
    size_t all = run->fresh.count;
    if (weir_classifier_open(run->parts.engine, run->parts.task, run->parts.profile, &classifier, &error))
        return cli_fail(&error);
    progress_open(&progress, "rows", run->args->is_quiet);
    progress_stage(&progress, "certify", 0, all);
    int status = answers_open(&run->answers, &run->fresh, run->question->n_labels);
    size_t batch = weir_classifier_batch(classifier);
    for (size_t done = 0; done < all && !status;) {
        size_t count = all - done < batch ? all - done : batch;
        status =
            answers_decide(&run->answers, &run->fresh, classifier, run->parts.task, run->question_index, done, count);
        done += count;
        progress_update(&progress, done);
    }
    progress_clear(&progress);
    weir_classifier_close(&classifier);
    return status;
}

static void add_line(struct table *table, const char *name, const struct weir_certified *item)
{
    char text[5][CELL] = {"-", "-", "-", "-", ""};
    (void)snprintf(text[0], CELL, "%zu", item->rows);
    if (item->is_certified) {
        (void)snprintf(text[1], CELL, "%.4f", item->threshold);
        (void)snprintf(text[2], CELL, "%zu (%.1f %%)", item->accepted,
                       100.0 * (double)item->accepted / (double)item->rows);
        (void)snprintf(text[3], CELL, "%zu (at most %.2f %%)", item->wrong, 100 * item->bound);
        (void)snprintf(text[4], CELL, "certified");
    } else if (item->rows_more) {
        (void)snprintf(text[4], CELL, "not certified: about %zu rows more", item->rows_more);
    } else {
        (void)snprintf(text[4], CELL, "not certified: too many errors at every threshold");
    }
    const char *cells[] = {name, text[0], text[1], text[2], text[3], text[4]};
    table_add(table, cells);
}

static int print_table(const struct run *run, const struct weir_certificate *certificate)
{
    static const struct table_column columns[] = {{"ANSWER", false},  {"ROWS", true},  {"THRESHOLD", true},
                                                  {"ACCEPTED", true}, {"WRONG", true}, {"", false}};
    const struct weir_certify_options *o = &certificate->options;
    (void)printf("Fresh rows: %zu (left out: %zu that tuning has seen, %zu without a label, %zu unreadable)\n",
                 run->fresh.count, run->fresh.left_out, run->fresh.unlabelled, run->fresh.errors);
    (void)printf("Claim%s: at most %g %% of the accepted answers are wrong, at %g %% confidence%s.\n",
                 o->per_class && !o->simultaneous ? ", for each label by itself" : "", 100 * o->max_error,
                 100 * o->confidence, o->simultaneous ? " for all labels together" : "");
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < certificate->count; i++)
        add_line(table, o->per_class ? run->question->labels[i].name : "(any)", &certificate->items[i]);
    bool good = table_print(table);
    return good ? CLI_DONE : cli_nomem();
}

static int keep(struct run *run, const struct weir_certificate *certificate)
{
    size_t certified = 0, accepted = 0;
    for (size_t i = 0; i < certificate->count; i++) {
        certified += certificate->items[i].is_certified;
        accepted += certificate->items[i].accepted;
    }
    if (!certified) return cli_say(CLI_REFUSED, "nothing could be certified; the profile is left as it was");
    struct weir_error error = {0};
    if (weir_profile_set_certificate(run->parts.profile, run->profile_index, certificate, &error) ||
        weir_profile_save(run->parts.profile, run->args->out, &error))
        return cli_fail(&error);
    (void)printf("Coverage: %zu of %zu rows (%.1f %%). Profile: %s\n", accepted, run->fresh.count,
                 100.0 * (double)accepted / (double)run->fresh.count, run->args->out);
    return cli_flush();
}

static bool is_same_rule(const struct weir_certify_options *a, const struct weir_certify_options *b)
{
    return !(a->max_error < b->max_error) && !(a->max_error > b->max_error) && !(a->confidence < b->confidence) &&
           !(a->confidence > b->confidence) && a->per_class == b->per_class && a->simultaneous == b->simultaneous;
}

/* The same rows under another rule, chosen after seeing a result, promise less than they say. */
static void warn_about_reuse(const struct run *run, const struct weir_certificate *certificate)
{
    struct weir_certificate old;
    if (!weir_profile_certificate(run->parts.profile, run->profile_index, &old)) return;
    if (strcmp(old.rows_hash, certificate->rows_hash) == 0 && !is_same_rule(&old.options, &certificate->options))
        (void)cli_say(0, "warning: the profile was certified on these rows before, under another rule; a rule that is "
                         "chosen by its outcome loses its confidence: use other rows");
}

static int certify(struct run *run)
{
    struct weir_error error = {0};
    struct weir_eval_rows planning, fresh = answers_rows(&run->answers, &run->fresh, run->question->n_labels, false);
    struct weir_certified items[WEIR_TASK_LABELS_MAX];
    struct weir_certificate certificate = {.options = run->args->certify, .rows = run->fresh.count, .items = items};
    certificate.count = run->args->certify.per_class ? run->question->n_labels : 1;
    weir_profile_unseen(run->parts.profile, run->profile_index, &planning);
    if (weir_certify(&planning, &fresh, &run->args->certify, items, &error) ||
        weir_certificate_hash(run->fresh.texts, run->fresh.gold, run->fresh.count, certificate.rows_hash, &error))
        return cli_fail(&error);
    warn_about_reuse(run, &certificate);
    int status = print_table(run, &certificate);
    return status ? status : keep(run, &certificate);
}

static void close_run(struct run *run)
{
    labelled_free(&run->fresh);
    answers_free(&run->answers);
    parts_close(&run->parts);
}

static int run_certify(int argc, char **argv)
{
    struct arguments args = {.source = source_default(),
                             .request = {.engine = weir_engine_options_default()},
                             .certify = weir_certify_options_default()};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct run run = {.args = &args};
    int status = labelled_read(&run.fresh, &args.source);
    if (!status) status = parts_open(&run.parts, &args.request);
    if (!status && !args.out) args.out = run.parts.profile_path;
    if (!status) status = find_question(&run);
    if (!status) status = labelled_gather(&run.fresh, run.question, is_fresh, &run);
    if (!status) status = decide(&run);
    if (!status) status = certify(&run);
    close_run(&run);
    return status;
}

const struct command command_certify = {"certify", "Find thresholds with a guaranteed error, on fresh labelled rows",
                                        run_certify};
