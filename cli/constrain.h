/* weir constrain: one instance, or a file of schemas with instances. */
#ifndef WEIR_CLI_CONSTRAIN_H
#define WEIR_CLI_CONSTRAIN_H

#include <stdbool.h>

#include "weir/constrain.h"
#include "weir/tokenizer.h"

struct constrain_input {
    const struct weir_tokenizer *tokenizer;
    const struct weir_vocabulary *vocabulary;
    struct weir_constrain_options options;
};

struct constrain_times {
    double *mask_us; /* owned: of each mask */
    size_t count, capacity;
};

/* Feeds the text's tokens. *allowed: every token and the end may stand; otherwise *offset is the first byte that may not.
 * `times` NULL: masks are not timed. Complains; returns enum cli_exit. */
int constrain_feed(const struct constrain_input *input, struct weir_constraint *constraint, const char *text,
                   size_t size, struct constrain_times *times, bool *allowed, size_t *offset);

/* Reads the rows of `path`. `tests`: of the shape of the JSON Schema test suite, otherwise of a bench. Prints one object (`json`) or
 * a few lines. `verbose` NULL, or a file that gets a line for each refusal and each wrong verdict. Returns enum cli_exit. */
int constrain_suite(const struct constrain_input *input, const char *path, bool tests, bool json, const char *verbose);

#endif
