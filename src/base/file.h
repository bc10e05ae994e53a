/* Whole files: read-only mappings, bounded reads, atomic writes. */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "weir/status.h"

/* A read-only private mapping of a regular file. A file that another process truncates while it is mapped raises
 * SIGBUS on access: replace model files by renaming, never in place. */
struct file_map {
    const uint8_t *data; /* NULL when the file is empty */
    size_t size;
};

enum weir_status file_map_open(const char *path, struct file_map *out, struct weir_error *error) WEIR_MUST_USE;
void file_map_close(struct file_map *map); /* accepts a zeroed one */

/* About the bytes [at, at + size) of the mapping; neither changes what they read as, and a zeroed map or bytes outside it are ignored.
 * release: their pages leave this process's memory (not the system's cache of the file) until they are read again.
 * expect: they will be read soon. */
void file_map_release(const struct file_map *map, const void *at, size_t size);
void file_map_expect(const struct file_map *map, const void *at, size_t size);

/* Appends the whole file to `out`, whose maximum bounds it ("-" reads standard input). */
enum weir_status file_read(const char *path, struct strbuf *out, struct weir_error *error) WEIR_MUST_USE;

/* Writes `path` whole or not at all: temporary file beside it, fsync, rename. A file that is replaced hands its permissions on. Threads
 * and processes that write the same path do not disturb each other; the last one's file stays. */
enum weir_status file_write_atomic(const char *path, const void *bytes, size_t size,
                                   struct weir_error *error) WEIR_MUST_USE;

/* Makes the folder and its parents (mode 0700 for new ones). */
enum weir_status file_make_folder(const char *path, struct weir_error *error) WEIR_MUST_USE;

#endif
