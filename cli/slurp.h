/* Whole files and standard input in memory. */
#ifndef WEIR_CLI_SLURP_H
#define WEIR_CLI_SLURP_H

#include <stddef.h>

/* All bytes of `path` ("-": standard input), with a NUL after them; the caller frees *text. More than bytes_max is an error.
 * Complains; returns enum cli_exit. */
int slurp(const char *path, size_t bytes_max, char **text, size_t *size);

#endif
