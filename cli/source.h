/* The rows a command reads: the options that name them, and how many there are. */
#ifndef WEIR_CLI_SOURCE_H
#define WEIR_CLI_SOURCE_H

#include <argp.h>

#include "weir/input.h"

struct source {
    const char *path;
    struct weir_input_options options;
};

struct source source_default(void);

/* --format, --text-field, --id-field, --label-field and the one positional argument; a child parser whose input is a struct source. */
extern const struct argp source_argp;

/* Standard input cannot be both the task and the rows: a usage error in that case. */
void source_check(const struct source *source, const char *task, struct argp_state *state);

/* Complains; returns enum cli_exit. */
int source_open(const struct source *source, struct weir_input **input);

/* The number of rows when it is cheap to know (a regular file of moderate size), else 0. */
size_t source_count(const struct source *source);

#endif
