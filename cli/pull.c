/* weir pull: a model from the hub into the folder of installed models. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli.h"
#include "models.h"
#include "progress.h"
#include "weir/hub.h"

enum { TOKEN_BYTES_MAX = 4096 };

static const struct argp_option options[] = {
    {"quant", 'Q', "TYPE", 0, "File type to take, such as Q8_0", 0},
    {"as", 'a', "NAME", 0, "Install under this name", 0},
    {"revision", 'r', "REVISION", 0, "Branch, tag or commit (default: main)", 0},
    {"retries", 'R', "N", 0, "Attempts without progress before giving up (default: 6)", 0},
    {"retry-wait", 'W', "S", 0, "Seconds before the first retry (default: 1; doubles up to 60)", 0},
    {"stall", 's', "S", 0, "Cut and retry a transfer below 1 KiB/s for S seconds (default: 30)", 0},
    {"json", 'J', 0, 0, "Print one JSON object", 0},
    {"quiet", 'q', 0, 0, "No progress", 0},
    {0}};

struct arguments {
    struct weir_pull_options pull;
    bool json, is_quiet;
};

static long number_or_complain(struct argp_state *state, const char *text, long low, long high)
{
    long value = low;
    if (!cli_number(text, low, high, &value))
        argp_error(state, "'%s': expected a number from %ld to %ld", text, low, high);
    return value;
}

static void read_wait(struct argp_state *state, const char *text, double *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 0 || value > 60)
        argp_error(state, "'%s': expected a number of seconds from 0 to 60", text);
    *out = value;
}

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'Q':
        args->pull.quant = text;
        return 0;
    case 'a':
        args->pull.as = text;
        return 0;
    case 'r':
        args->pull.revision = text;
        return 0;
    case 'R':
        args->pull.retries = (unsigned)number_or_complain(state, text, 0, 1000);
        return 0;
    case 'W':
        read_wait(state, text, &args->pull.retry_wait_s);
        return 0;
    case 's':
        args->pull.stall_s = (unsigned)number_or_complain(state, text, 1, 3600);
        return 0;
    case 'J':
        args->json = true;
        return 0;
    case 'q':
        args->is_quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->pull.model) argp_error(state, "one model, not several");
        args->pull.model = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no model given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "NAME|hf:OWNER/REPO[:FILE]",
    .doc =
        "Downloads a model of the catalogue, or any GGUF file of the Hugging Face hub, checks it and installs it under "
        "a "
        "name that -m takes. Prints the path.\v"
        "Environment: HF_TOKEN (or HUGGING_FACE_HUB_TOKEN, or the file HF_TOKEN_PATH) for repositories that ask for a "
        "token, HF_ENDPOINT for another hub, https_proxy and no_proxy, XDG_CACHE_HOME for where models are kept. "
        "A download that was cut goes on where it stopped when the command is repeated."};

/* ---- the token ----------------------------------------------------------------------------------------------------- */

/* Without blanks and line ends around it; NULL when nothing is left. */
static const char *trimmed(char *text)
{
    char *begin = text + strspn(text, " \t\r\n");
    size_t size = strlen(begin);
    while (size && strchr(" \t\r\n", begin[size - 1])) size--;
    begin[size] = 0;
    return size ? begin : NULL;
}

/* As the official client looks for it: HF_TOKEN_PATH, else HF_HOME/token, else XDG_CACHE_HOME/huggingface/token, else
 * ~/.cache/huggingface/token. Owned by the caller; NULL: nowhere. */
static char *token_path(void)
{
    const char *path = getenv("HF_TOKEN_PATH"), *hf_home = getenv("HF_HOME");
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *out = NULL;
    int size = -1;
    if (path && *path)
        size = asprintf(&out, "%s", path);
    else if (hf_home && *hf_home)
        size = asprintf(&out, "%s/token", hf_home);
    else if (cache && *cache)
        size = asprintf(&out, "%s/huggingface/token", cache);
    else if (home && *home)
        size = asprintf(&out, "%s/.cache/huggingface/token", home);
    return size < 0 ? NULL : out;
}

static void read_token_file(char out[static TOKEN_BYTES_MAX])
{
    char *path = token_path();
    FILE *file = path ? fopen(path, "re") : NULL;
    struct stat info;
    if (file) {
        size_t size = fread(out, 1, TOKEN_BYTES_MAX - 1, file);
        out[size] = 0;
        if (fstat(fileno(file), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)))
            cli_say(0, "warning: %s can be read by others (chmod 600 it)", path);
        (void)fclose(file);
    }
    free(path);
}

/* 1, true, yes or on, as the official client reads its switches. */
static bool is_set(const char *variable)
{
    static const char *const words[] = {"1", "true", "yes", "on"};
    const char *value = getenv(variable);
    for (size_t i = 0; value && i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(value, words[i]) == 0) return true;
    }
    return false;
}

/* Environment first, then the file. NULL: none. `room` holds what is returned. */
static const char *find_token(char room[static TOKEN_BYTES_MAX])
{
    const char *token = getenv("HF_TOKEN"), *older = getenv("HUGGING_FACE_HUB_TOKEN");
    room[0] = 0;
    if (is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return NULL;
    if (!token || !*token) token = older;
    if (token && *token)
        (void)snprintf(room, TOKEN_BYTES_MAX, "%s", token);
    else
        read_token_file(room);
    return trimmed(room);
}

/* ---- progress ------------------------------------------------------------------------------------------------------ */

struct shown {
    struct progress progress;
    enum weir_pull_stage stage;
    bool is_begun;
};

static void show_new_stage(struct shown *shown, const struct weir_pull_progress *now)
{
    progress_clear(&shown->progress);
    if (now->stage == WEIR_PULL_DOWNLOADING || now->stage == WEIR_PULL_CHECKING) {
        const char *what = now->stage == WEIR_PULL_CHECKING ? "checking" : "downloading";
        progress_stage(&shown->progress, what, now->done_bytes, now->total_bytes);
    } else if (!shown->progress.is_quiet && now->stage == WEIR_PULL_RETRYING) {
        cli_say(0, "%s", now->text);
    } else if (!shown->progress.is_quiet && now->stage == WEIR_PULL_WAITING) {
        cli_say(0, "%s: another pull of it is running; waiting for it", now->file);
    }
}

static bool show(void *context, const struct weir_pull_progress *now)
{
    struct shown *shown = context;
    if (!shown->is_begun || shown->stage != now->stage) show_new_stage(shown, now);
    shown->is_begun = true;
    shown->stage = now->stage;
    if (now->stage == WEIR_PULL_DOWNLOADING || now->stage == WEIR_PULL_CHECKING)
        progress_update(&shown->progress, now->done_bytes);
    return true;
}

/* ---- the result ---------------------------------------------------------------------------------------------------- */

/* NULL without memory. */
static json_t *files_json(const struct weir_model_record *record)
{
    json_t *files = json_array();
    bool good = files != NULL;
    for (size_t i = 0; good && i < record->n_files; i++) {
        const struct weir_model_file *file = &record->files[i];
        good =
            json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:I}", "path", file->path, "source", file->source,
                                                   "sha256", file->sha256, "size", (json_int_t)file->size)) == 0;
    }
    if (good) return files;
    json_decref(files);
    return NULL;
}

static int print_json(const struct weir_pull_result *result)
{
    const struct weir_model_record *record = &result->record;
    json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "name", record->name, "path", result->path, "source",
                             record->source, "revision", record->revision, "was_installed", result->was_installed,
                             "files", files_json(record));
    if (!root) return cli_nomem();
    bool good = json_dumpf(root, stdout, JSON_INDENT(1)) == 0;
    json_decref(root);
    (void)putchar('\n');
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static int print_result(const struct arguments *args, const struct weir_pull_result *result)
{
    if (args->json) return print_json(result);
    if (!args->is_quiet)
        cli_say(0, "%s: %s; use it with -m %s", result->record.name,
                result->was_installed ? "was installed already" : "installed and checked", result->record.name);
    (void)printf("%s\n", result->path);
    return cli_flush();
}

static int pull(struct arguments *args)
{
    struct shown shown = {0};
    struct weir_pull_result result = {0};
    struct weir_error error = {0};
    progress_open(&shown.progress, NULL, args->is_quiet);
    args->pull.report = show;
    args->pull.context = &shown;
    enum weir_status failed = weir_pull(&args->pull, &result, &error);
    progress_clear(&shown.progress);
    if (failed) return cli_fail(&error);
    int status = print_result(args, &result);
    weir_pull_result_free(&result);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.pull = weir_pull_options_defaults()};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    char *folder = NULL;
    char token[TOKEN_BYTES_MAX];
    int status = models_folder(&folder);
    if (status) return status;
    if (!folder) return cli_say(CLI_FAILED, "no folder for models: set XDG_CACHE_HOME or HOME");
    args.pull.folder = folder;
    args.pull.endpoint = getenv("HF_ENDPOINT");
    args.pull.token = find_token(token);
    status = pull(&args);
    explicit_bzero(token, sizeof token);
    free(folder);
    return status;
}

const struct command command_pull = {"pull", "Download and install a model", run};
