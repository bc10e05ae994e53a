#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli.h"
#include "ledger.h"
#include "ledger_path.h"
#include "weir/task.h"

enum { KEY_LEDGER = 768, KEY_SOURCE, KEY_RUN, KEY_SINCE, KEY_UNTIL };

static const struct argp_option file_options[] = {
    {"ledger", KEY_LEDGER, "FILE", 0, "Ledger (default: $XDG_STATE_HOME/weir/ledger.db)", 0}, {0}};

static const struct argp_option task_options[] = {
    {"ledger", KEY_LEDGER, "FILE", 0, "Ledger (default: $XDG_STATE_HOME/weir/ledger.db)", 0},
    {"task", 't', "TASK", 0, "Rows of this task: its file, or its name", 0},
    {0}};

static const struct argp_option row_options[] = {
    {"ledger", KEY_LEDGER, "FILE", 0, "Ledger (default: $XDG_STATE_HOME/weir/ledger.db)", 0},
    {"task", 't', "TASK", 0, "Rows of this task: its file, or its name", 0},
    {"source", KEY_SOURCE, "PATH", 0, "... from this source", 0},
    {"run", KEY_RUN, "N", 0, "... of this run", 0},
    {"since", KEY_SINCE, "TIME", 0, "... recorded at this time or later: 2026-11-23 or 2026-11-23T12:00:00Z, in UTC",
     0},
    {"until", KEY_UNTIL, "TIME", 0, "... recorded before this time", 0},
    {0}};

int64_t ledger_time(struct argp_state *state, const char *text)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct tm parts = {0};
        const char *end = strptime(text, formats[i], &parts);
        int day = parts.tm_mday;
        time_t seconds = end && !*end ? timegm(&parts) : -1;
        if (seconds >= 0 && parts.tm_mday == day) return (int64_t)seconds * 1000; /* February 30 is another day */
    }
    argp_error(state, "'%s' is no time: expected 2026-11-23 or 2026-11-23T12:00:00Z", text);
    return 0;
}

/* A file is a task, and means its name; another word is a name. */
static void task_option(struct argp_state *state, const char *text, struct ledger_args *args)
{
    struct stat info;
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    bool is_file = stat(text, &info) == 0 && S_ISREG(info.st_mode);
    if (is_file && weir_task_open(text, &task, &error)) argp_error(state, "%s", error.text);
    free(args->task);
    args->task = strdup(task ? weir_task_name(task) : text);
    weir_task_close(&task);
    if (!args->task) argp_failure(state, CLI_FAILED, 0, "out of memory");
    args->filter.task = args->task;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct ledger_args *args = state->input;
    long number = 0;
    switch (key) {
    case KEY_LEDGER:
        args->path = text;
        return 0;
    case 't':
        task_option(state, text, args);
        return 0;
    case KEY_SOURCE:
        args->filter.source = text;
        return 0;
    case KEY_RUN:
        if (!cli_number(text, 1, INT64_MAX, &number)) argp_error(state, "'%s' is not the number of a run", text);
        args->filter.run = number;
        return 0;
    case KEY_SINCE:
        args->filter.since_ms = ledger_time(state, text);
        return 0;
    case KEY_UNTIL:
        args->filter.until_ms = ledger_time(state, text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp ledger_argp = {.options = file_options, .parser = parse};
const struct argp ledger_task_argp = {.options = task_options, .parser = parse};
const struct argp ledger_rows_argp = {.options = row_options, .parser = parse};

void ledger_args_free(struct ledger_args *args)
{
    free(args->task);
    *args = (struct ledger_args){0};
}

int ledger_open_reader(const struct ledger_args *args, struct weir_ledger_reader **reader)
{
    struct weir_error error = {0};
    char *path = NULL;
    int status = ledger_path(args->path, &path);
    if (!status && weir_ledger_reader_open(path, reader, &error)) status = cli_fail(&error);
    free(path);
    return status;
}

int ledger_open_writer(const struct ledger_args *args, struct weir_ledger **ledger)
{
    struct weir_error error = {0};
    struct weir_ledger_reader *reader = NULL;
    char *path = NULL;
    int status = ledger_open_reader(args, &reader); /* it exists, and is one */
    weir_ledger_reader_close(&reader);
    if (!status) status = ledger_path(args->path, &path);
    if (!status && weir_ledger_open(path, NULL, ledger, &error)) status = cli_fail(&error);
    free(path);
    return status;
}

const char *ledger_usd(int64_t usd_e6, char *out, size_t size)
{
    unsigned long long whole = usd_e6 < 0 ? 0ULL - (unsigned long long)usd_e6 : (unsigned long long)usd_e6;
    (void)snprintf(out, size, "%s$%llu.%06llu", usd_e6 < 0 ? "-" : "", whole / 1000000, whole % 1000000);
    return out;
}
