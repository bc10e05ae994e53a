/* Filling the caller's `struct weir_error`. */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include "weir/status.h"

/* Writes the formatted text (cut at WEIR_ERROR_TEXT_MAX) into *error when it is not NULL; returns `status`, so that a
 * failure is one line: `return error_set(error, WEIR_ERR_FORMAT, "%s: ...", path);` */
enum weir_status error_set(struct weir_error *error, enum weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Out of memory while getting `what`. */
enum weir_status error_nomem(struct weir_error *error, const char *what);

/* Puts "prefix: " before the text already in *error (the outer call adds where); returns `status`. The failure must have
 * set the text. */
enum weir_status error_prefix(struct weir_error *error, enum weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
