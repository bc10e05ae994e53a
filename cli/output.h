/* A result on its way to a file or to standard output.
 *
 * A file appears whole or not at all: it is written under a temporary name beside its own and renamed by output_commit. Interrupting
 * the program (SIGINT, SIGTERM, SIGHUP) removes the temporary file. Standard output, and whatever is not a regular file
 * (a pipe, /dev/null), is written as the results come. */
#ifndef WEIR_CLI_OUTPUT_H
#define WEIR_CLI_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

enum { OUTPUTS_MAX = 4 }; /* with a temporary file at a time */

struct output {
    FILE *file;
    const char *path; /* the caller's, for messages */
    char *target;     /* owned; NULL: written directly */
    char *temporary;  /* owned; NULL: written directly */
};

/* `path` NULL or "-": standard output. At most OUTPUTS_MAX at a time. Complains; returns enum cli_exit. */
int output_open(struct output *output, const char *path);

/* Complains when what was written did not arrive, then as output_discard; a reader that left gives CLI_FAILED without a word. */
int output_commit(struct output *output);

/* Writes the object, indented, and commits; `object` is taken over, NULL: there was no memory for it. Complains. */
int output_json(struct output *output, json_t *object);

/* Removes what has a temporary name. For the end of the program: safe in a signal handler. */
void output_remove_temporaries(void);

void output_discard(struct output *output); /* accepts a zeroed one */

#endif
