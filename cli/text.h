/* Foreign bytes made fit to print, and sizes for people. */
#ifndef WEIR_CLI_TEXT_H
#define WEIR_CLI_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "weir/gguf.h"

/* A JSON string of any bytes: those that are not UTF-8 become U+FFFD. NULL without memory. */
json_t *text_json(struct weir_string text);

/* "98.4 MB" (powers of 1000) into `out`, which is returned. */
const char *text_bytes(double bytes, char *out, size_t size);

/* At most `columns_max` bytes of one line: line ends become spaces, a cut is marked with "...". `out` is returned. */
const char *text_cell(struct weir_string text, size_t bytes_max, char *out, size_t size);

/* Writes text and flushes: as it is to a file or pipe; on a terminal control characters other than line ends and tabs become U+FFFD,
 * since a model may say anything. `text` holds whole characters. false: it could not be written. */
bool text_show(FILE *out, struct weir_string text);

#endif
