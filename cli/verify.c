/* weir verify: is an installed model still what was installed? */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "models.h"
#include "progress.h"
#include "weir/hub.h"

static const struct argp_option options[] = {{"quiet", 'q', 0, 0, "No progress", 0}, {0}};

struct arguments {
    const char *model;
    bool is_quiet;
};

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'q':
        args->is_quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->model) argp_error(state, "one model, not several");
        args->model = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no model given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {.options = options,
                                   .parser = parse,
                                   .args_doc = "NAME|FILE",
                                   .doc = "Compares a model's files with the sizes and SHA-256 hashes recorded when it "
                                          "was installed. Exit status 0: they "
                                          "match; 1: they do not, or nothing was recorded."};

struct shown {
    struct progress progress;
    const char *path; /* what the bar is about */
};

static bool show(void *context, const char *path, uint64_t done, uint64_t total)
{
    struct shown *shown = context;
    if (shown->path != path) progress_stage(&shown->progress, "checking", done, total);
    shown->path = path;
    progress_update(&shown->progress, done);
    return true;
}

static int run(int argc, char **argv)
{
    struct arguments args = {0};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct shown shown = {0};
    struct weir_model_record record = {0};
    struct weir_error error = {0};
    progress_open(&shown.progress, NULL, args.is_quiet);
    char *folder = NULL;
    int status = models_folder(&folder);
    if (status) return status;
    enum weir_status failed = weir_model_verify(folder, args.model, show, &shown, &record, &error);
    free(folder);
    progress_clear(&shown.progress);
    if (failed) return cli_fail(&error);
    for (size_t i = 0; i < record.n_files; i++)
        (void)printf("%s: good: %" PRIu64 " bytes, SHA-256 %s\n", record.files[i].path, record.files[i].size,
                     record.files[i].sha256);
    weir_model_record_free(&record);
    return cli_flush();
}

const struct command command_verify = {"verify", "Check a model against its recorded hash", run};
