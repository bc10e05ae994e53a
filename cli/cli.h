/* What the commands of the program share: how they are found, how they end, how they complain.
 *
 * The program uses only the public headers of include/weir. Results go to standard output, everything else to standard error. */
#ifndef WEIR_CLI_H
#define WEIR_CLI_H

#include <stddef.h>

#include "weir/status.h"

/* Exit status of every command. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,     /* a file, memory, the machine */
    CLI_USAGE = 2,      /* the command line */
    CLI_ROW_ERRORS = 3, /* done, but some rows are errors */
    CLI_REFUSED = 4     /* the parts do not belong together, this build does not support them, or memory is short */
};

struct command {
    const char *name;
    const char *summary;               /* one line of `weir --help` */
    int (*run)(int argc, char **argv); /* argv[0] is "weir NAME"; returns enum cli_exit */
};

extern const struct command command_inspect, command_tokenize, command_template, command_logits, command_bench,
    command_classify, command_tune, command_report, command_decide, command_generate, command_chat, command_certify,
    command_eval, command_models, command_pull, command_verify;
extern const struct command command_constrain, command_run, command_ledger, command_feedback;

/* Prints "weir: TEXT" and returns the exit status that belongs to error->status. */
int cli_fail(const struct weir_error *error);

/* The same with "PATH: " before the text. */
int cli_fail_at(const char *path, const struct weir_error *error);

/* Prints "weir: ..." and returns `status`. */
int cli_say(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "weir: out of memory"; CLI_FAILED. */
int cli_nomem(void);

struct argp;

/* Reads the command line into `input`. 0 (complains): there was no memory for it; a line that is wrong ends the program. */
int cli_parse(const struct argp *parser, int argc, char **argv, void *input);

/* A whole number in [low, high] and nothing else. false: `text` is not one. */
int cli_number(const char *text, long low, long high, long *out);

/* Flushes standard output. CLI_FAILED when it could not be written; silent about a reader that left. */
int cli_flush(void);

#endif
