/* Lines of a stream, one buffer, with a maximum: look ahead first, then consume.
 *
 * lines_peek shows the line that begins `offset` bytes behind the read position and reads more of the stream when it
 * must; lines_consume moves the position. A caller can therefore look at several lines (a CSV record) and take only
 * the first of them. */
#ifndef WEIR_INGEST_LINES_H
#define WEIR_INGEST_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/status.h"

struct line_reader {
    int fd; /* -1: everything is in `data` already */
    bool owns_fd;
    bool started; /* the byte order mark was looked for */
    bool at_eof;  /* nothing comes behind data[end) */
    char *data;   /* owned */
    size_t begin; /* the read position; begin <= end <= capacity */
    size_t end;
    size_t capacity;
    size_t number; /* of the line at the read position, from 1 */
    size_t line_bytes_max;
};

enum line_kind { LINE_HERE, LINE_END, LINE_TOO_LONG };

struct line {
    enum line_kind kind;
    const char *data; /* inside the reader, until its next call; without the LF, with a CR where there is one */
    size_t size;
    size_t bytes; /* to consume: size, and 1 for the LF where there is one */
};

/* `path` is opened for reading; "-" is standard input, which stays open. */
enum weir_status lines_open(struct line_reader *lines, const char *path, size_t line_bytes_max,
                            struct weir_error *error) WEIR_MUST_USE;
enum weir_status lines_open_memory(struct line_reader *lines, const void *bytes, size_t size, size_t line_bytes_max,
                                   struct weir_error *error) WEIR_MUST_USE;
void lines_close(struct line_reader *lines);

enum weir_status lines_peek(struct line_reader *lines, size_t offset, struct line *line,
                            struct weir_error *error) WEIR_MUST_USE;
void lines_consume(struct line_reader *lines, size_t bytes, size_t count); /* `count` lines in `bytes` peeked bytes */

/* Drops the line at the read position, however long it is. */
enum weir_status lines_skip(struct line_reader *lines, struct weir_error *error) WEIR_MUST_USE;

#endif
