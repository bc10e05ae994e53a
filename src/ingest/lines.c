#include "ingest/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { READ_BYTES = 64 * 1024 };

enum weir_status lines_open(struct line_reader *lines, const char *path, size_t line_bytes_max,
                            struct weir_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        enum weir_status status = errno == ENOENT ? WEIR_ERR_NOT_FOUND : WEIR_ERR_IO;
        return error_set(error, status, "cannot open: %s", strerror(errno));
    }
    *lines = (struct line_reader){.fd = fd, .owns_fd = !is_stdin, .number = 1, .line_bytes_max = line_bytes_max};
    return WEIR_OK;
}

enum weir_status lines_open_memory(struct line_reader *lines, const void *bytes, size_t size, size_t line_bytes_max,
                                   struct weir_error *error)
{
    char *copy = mem_text(bytes, size);
    if (!copy) return error_nomem(error, "a copy of the input");
    *lines = (struct line_reader){.fd = -1,
                                  .at_eof = true,
                                  .data = copy,
                                  .end = size,
                                  .capacity = size,
                                  .number = 1,
                                  .line_bytes_max = line_bytes_max};
    return WEIR_OK;
}

void lines_close(struct line_reader *lines)
{
    if (lines->owns_fd) close(lines->fd);
    free(lines->data);
    *lines = (struct line_reader){.fd = -1, .at_eof = true};
}

/* Makes room for READ_BYTES behind `end`: moves the unread bytes to the front, grows when that is not enough. */
static enum weir_status make_room(struct line_reader *lines, struct weir_error *error)
{
    if (lines->capacity - lines->end >= READ_BYTES) return WEIR_OK;
    size_t unread = lines->end - lines->begin;
    if (lines->begin) memmove(lines->data, lines->data + lines->begin, unread);
    lines->begin = 0;
    lines->end = unread;
    if (lines->capacity - lines->end >= READ_BYTES) return WEIR_OK;
    size_t capacity = 2 * lines->capacity + READ_BYTES;
    char *data = mem_resize(lines->data, capacity, 1);
    if (!data) return error_nomem(error, "the input buffer");
    lines->data = data;
    lines->capacity = capacity;
    return WEIR_OK;
}

/* One read(2): what a pipe has is enough, so that rows flow while their writer still works. */
static enum weir_status read_more(struct line_reader *lines, struct weir_error *error)
{
    enum weir_status status = make_room(lines, error);
    if (status) return status;
    ssize_t got;
    do got = read(lines->fd, lines->data + lines->end, lines->capacity - lines->end);
    while (got < 0 && errno == EINTR);
    if (got < 0) return error_set(error, WEIR_ERR_IO, "cannot read: %s", strerror(errno));
    lines->end += (size_t)got;
    lines->at_eof = got == 0;
    return WEIR_OK;
}

static enum weir_status skip_byte_order_mark(struct line_reader *lines, struct weir_error *error)
{
    while (!lines->at_eof && lines->end - lines->begin < 3) {
        enum weir_status status = read_more(lines, error);
        if (status) return status;
    }
    lines->started = true;
    size_t size = lines->end - lines->begin;
    const char *at = lines->data + lines->begin;
    if (size >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) lines->begin += 3;
    if (size >= 2 && (memcmp(at, "\xFF\xFE", 2) == 0 || memcmp(at, "\xFE\xFF", 2) == 0))
        return error_set(error, WEIR_ERR_FORMAT, "begins with a UTF-16 byte order mark; UTF-8 is needed");
    return WEIR_OK;
}

static void line_make(const struct line_reader *lines, size_t offset, size_t size, bool has_lf, struct line *line)
{
    *line = (struct line){.kind = size > lines->line_bytes_max ? LINE_TOO_LONG : LINE_HERE,
                          .data = lines->data + lines->begin + offset,
                          .size = size,
                          .bytes = size + (has_lf ? 1 : 0)};
}

enum weir_status lines_peek(struct line_reader *lines, size_t offset, struct line *line, struct weir_error *error)
{
    enum weir_status status = lines->started ? WEIR_OK : skip_byte_order_mark(lines, error);
    size_t scanned = offset;
    while (!status) {
        size_t available = lines->end - lines->begin;
        const char *base = lines->data + lines->begin;
        const char *lf = scanned < available ? memchr(base + scanned, '\n', available - scanned) : NULL;
        if (lf) {
            line_make(lines, offset, (size_t)(lf - base) - offset, true, line);
            return WEIR_OK;
        }
        scanned = available;
        if (lines->at_eof && available <= offset) {
            *line = (struct line){.kind = LINE_END};
            return WEIR_OK;
        }
        if (lines->at_eof || available - offset > lines->line_bytes_max) {
            line_make(lines, offset, available - offset, false, line);
            return WEIR_OK;
        }
        status = read_more(lines, error);
    }
    return status;
}

void lines_consume(struct line_reader *lines, size_t bytes, size_t count)
{
    lines->begin += bytes;
    lines->number += count;
}

enum weir_status lines_skip(struct line_reader *lines, struct weir_error *error)
{
    lines->number++;
    for (;;) {
        size_t available = lines->end - lines->begin;
        const char *base = lines->data + lines->begin;
        const char *lf = available ? memchr(base, '\n', available) : NULL;
        lines->begin = lf ? lines->begin + (size_t)(lf - base) + 1 : lines->end;
        if (lf || lines->at_eof) return WEIR_OK;
        enum weir_status status = read_more(lines, error);
        if (status) return status;
    }
}
