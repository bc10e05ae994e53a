#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "hub/hub_internal.h"

enum { NOTE_BYTES_MAX = 64 * 1024 };

/* TARGET + ending; owned by the caller, NULL without memory. */
static char *path_with(const char *target, const char *ending)
{
    struct strbuf path = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    if (strbuf_printf(&path, "%s%s", target, ending)) {
        strbuf_free(&path);
        return NULL;
    }
    return path.data;
}

static enum weir_status io_fail(const char *path, const char *doing, struct weir_error *error)
{
    return error_set(error, WEIR_ERR_IO, "%s: cannot %s: %s", path, doing, strerror(errno));
}

/* ---- the note ------------------------------------------------------------------------------------------------------ */

/* Whether the note speaks of this content; then its ETag goes into etag. A note that cannot be read speaks of none: the part is begun anew. */
static bool note_matches(const char *path, const char *sha256, uint64_t size, char etag[256])
{
    struct strbuf text = STRBUF_MAX(NOTE_BYTES_MAX);
    json_t *root = file_read(path, &text, NULL) ? NULL : json_loadb(text.data ? text.data : "", text.size, 0, NULL);
    strbuf_free(&text);
    const char *noted = json_string_value(json_object_get(root, "sha256"));
    const char *noted_etag = json_string_value(json_object_get(root, "etag"));
    bool matches =
        noted && strcmp(noted, sha256) == 0 && (uint64_t)json_integer_value(json_object_get(root, "size")) == size;
    if (matches && noted_etag && strlen(noted_etag) < 256) memcpy(etag, noted_etag, strlen(noted_etag) + 1);
    json_decref(root);
    return matches;
}

static enum weir_status note_save(const struct part *part, struct weir_error *error)
{
    json_t *root = json_pack("{s:s, s:I, s:s}", "sha256", part->sha256, "size", (json_int_t)part->size_expected, "etag",
                             part->etag);
    char *text = root ? json_dumps(root, 0) : NULL;
    json_decref(root);
    if (!text) return error_nomem(error, "note of a download");
    enum weir_status status = file_write_atomic(part->note, text, strlen(text), error);
    free(text);
    return status;
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

uint64_t part_kept_bytes(const char *target, const char *sha256, uint64_t size)
{
    struct stat info;
    char etag[256] = "";
    char *path = path_with(target, ".part"), *note = path_with(target, ".part.json");
    bool is_kept = path && note && note_matches(note, sha256, size, etag) && stat(path, &info) == 0 &&
                   S_ISREG(info.st_mode) && info.st_size >= 0 && (uint64_t)info.st_size <= size;
    free(path);
    free(note);
    return is_kept ? (uint64_t)info.st_size : 0;
}

enum weir_status part_restart(struct part *part, struct weir_error *error)
{
    if (ftruncate(part->fd, 0) != 0 || lseek(part->fd, 0, SEEK_SET) != 0) return io_fail(part->path, "empty", error);
    part->size = 0;
    part->etag[0] = 0;
    return note_save(part, error);
}

static enum weir_status part_begin(struct part *part, uint64_t kept, struct weir_error *error)
{
    part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (part->fd < 0) return io_fail(part->path, "open", error);
    if (!kept) return part_restart(part, error);
    if (lseek(part->fd, (off_t)kept, SEEK_SET) < 0) return io_fail(part->path, "seek in", error);
    part->size = kept;
    (void)note_matches(part->note, part->sha256, part->size_expected, part->etag); /* part_kept_bytes said so */
    return WEIR_OK;
}

enum weir_status part_open(const char *target, const char *sha256, uint64_t size, struct part *out,
                           struct weir_error *error)
{
    *out = (struct part){.fd = -1, .size_expected = size};
    (void)snprintf(out->sha256, sizeof out->sha256, "%s", sha256);
    out->path = path_with(target, ".part");
    out->note = path_with(target, ".part.json");
    if (!out->path || !out->note) return error_nomem(error, "path of a download");
    return part_begin(out, part_kept_bytes(target, sha256, size), error);
}

enum weir_status part_append(struct part *part, const void *bytes, size_t size, struct weir_error *error)
{
    const char *at = bytes;
    while (size) {
        ssize_t done = write(part->fd, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return io_fail(part->path, "write", error);
        at += done;
        size -= (size_t)done;
        part->size += (uint64_t)done;
    }
    return WEIR_OK;
}

enum weir_status part_set_etag(struct part *part, const char *etag, struct weir_error *error)
{
    bool is_strong = etag[0] == '"';
    if (strcmp(is_strong ? etag : "", part->etag) == 0) return WEIR_OK;
    (void)snprintf(part->etag, sizeof part->etag, "%s", is_strong ? etag : "");
    return note_save(part, error);
}

enum weir_status part_sync(struct part *part, struct weir_error *error)
{
    return fsync(part->fd) == 0 ? WEIR_OK : io_fail(part->path, "sync", error);
}

void part_close(struct part *part)
{
    if (part->fd >= 0) close(part->fd);
    free(part->path);
    free(part->note);
    *part = (struct part){.fd = -1};
}

/* ---- the end ------------------------------------------------------------------------------------------------------- */

/* A rename is on disk when its folder is. */
static enum weir_status folder_sync(const char *path, struct weir_error *error)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) return error_nomem(error, "folder path");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum weir_status status = fd >= 0 && fsync(fd) == 0 ? WEIR_OK : io_fail(folder, "sync", error);
    if (fd >= 0) close(fd);
    free(folder);
    return status;
}

enum weir_status part_install(const char *target, struct weir_error *error)
{
    char *path = path_with(target, ".part"), *note = path_with(target, ".part.json");
    enum weir_status status = WEIR_OK;
    if (!path || !note)
        status = error_nomem(error, "path of a download");
    else if (rename(path, target) != 0)
        status = io_fail(target, "rename onto", error);
    else
        (void)unlink(note); /* of no more use, of no harm */
    free(path);
    free(note);
    return status ? status : folder_sync(target, error);
}

void part_remove(const char *target)
{
    char *path = path_with(target, ".part"), *note = path_with(target, ".part.json");
    if (path) (void)unlink(path);
    if (note) (void)unlink(note);
    free(path);
    free(note);
}
