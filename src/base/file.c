#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { TEMPORARY_TRIES = 100 };

static enum weir_status io_error(struct weir_error *error, const char *path, const char *doing)
{
    enum weir_status status = errno == ENOENT ? WEIR_ERR_NOT_FOUND : WEIR_ERR_IO;
    return error_set(error, status, "%s: cannot %s: %s", path, doing, strerror(errno));
}

enum weir_status file_map_open(const char *path, struct file_map *out, struct weir_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused below, not waited for */
    if (fd < 0) return io_error(error, path, "open");
    struct stat info;
    enum weir_status status = WEIR_OK;
    void *data = NULL;
    if (fstat(fd, &info) != 0) {
        status = io_error(error, path, "stat");
    } else if (!S_ISREG(info.st_mode)) {
        status = error_set(error, WEIR_ERR_IO, "%s: not a regular file", path);
    } else if (info.st_size > 0) {
        data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) status = io_error(error, path, "map");
    }
    close(fd);
    if (status) return status;
    *out = (struct file_map){.data = data, .size = (size_t)info.st_size};
    return WEIR_OK;
}

void file_map_close(struct file_map *map)
{
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct file_map){0};
}

/* Whole pages around [at, at + size): advice about more of a read-only mapping than asked for does no harm. */
static void advise(const struct file_map *map, const void *at, size_t size, int advice)
{
    uintptr_t data = (uintptr_t)map->data, from = (uintptr_t)at;
    if (!map->data || from < data || from - data > map->size || size > map->size - (from - data)) return;
    size_t before = from % (size_t)sysconf(_SC_PAGESIZE); /* the mapping starts at a page */
    (void)madvise((void *)(from - before), size + before, advice);
}

void file_map_release(const struct file_map *map, const void *at, size_t size)
{
    advise(map, at, size, MADV_DONTNEED);
}

void file_map_expect(const struct file_map *map, const void *at, size_t size)
{
    advise(map, at, size, MADV_WILLNEED);
}

enum weir_status file_read(const char *path, struct strbuf *out, struct weir_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file) return io_error(error, path, "open");
    enum weir_status status = WEIR_OK;
    char chunk[16384];
    size_t got = sizeof chunk;
    while (!status && got == sizeof chunk) { /* fewer: end of file or an error */
        got = fread(chunk, 1, sizeof chunk, file);
        status = strbuf_add(out, chunk, got);
    }
    if (status == WEIR_ERR_LIMIT)
        error_set(error, status, "%s: expected at most %zu bytes, found more", path, out->size_max);
    if (status == WEIR_ERR_NOMEM) error_set(error, status, "%s: out of memory while reading", path);
    if (!status && ferror(file)) status = io_error(error, path, "read");
    if (!is_stdin) fclose(file);
    return status;
}

static enum weir_status write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return WEIR_ERR_IO;
        bytes += done;
        size -= (size_t)done;
    }
    return WEIR_OK;
}

/* The permissions a file at `path` gets: those of the one it replaces, or what open(2) gives a new one. */
static mode_t mode_for(const char *path, bool *is_replaced)
{
    struct stat info;
    *is_replaced = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    return *is_replaced ? info.st_mode & 07777 : 0666;
}

/* A file beside `path` under a name nobody else has, also not another thread of this process; `name` receives it. */
static enum weir_status temporary_open(const char *path, struct strbuf *name, int *fd, struct weir_error *error)
{
    bool is_replaced;
    mode_t mode = mode_for(path, &is_replaced);
    for (unsigned tries = 0;; tries++) {
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != sizeof number) return io_error(error, path, "draw a name beside");
        strbuf_clear(name);
        enum weir_status status = strbuf_printf(name, "%s.%016" PRIx64 ".tmp", path, number);
        if (status)
            return error_set(error, status, "%s: %s", path,
                             status == WEIR_ERR_NOMEM ? "out of memory for a temporary name" : "path too long");
        /* nobody may read through an opening that fchmod has yet to close */
        *fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_replaced ? 0600 : mode);
        if (*fd >= 0) break;
        if (errno != EEXIST || tries == TEMPORARY_TRIES) return io_error(error, name->data, "create");
    }
    if (!is_replaced || fchmod(*fd, mode) == 0) return WEIR_OK;
    enum weir_status status = io_error(error, name->data, "set the permissions of");
    close(*fd);
    unlink(name->data);
    return status;
}

enum weir_status file_write_atomic(const char *path, const void *bytes, size_t size, struct weir_error *error)
{
    struct strbuf temporary = STRBUF_MAX(8192);
    int fd = -1;
    enum weir_status status = temporary_open(path, &temporary, &fd, error);
    if (status) {
        strbuf_free(&temporary);
        return status;
    }
    assert(fd >= 0);
    if (write_all(fd, bytes, size) || fsync(fd) != 0) status = io_error(error, temporary.data, "write");
    if (close(fd) != 0 && !status) status = io_error(error, temporary.data, "close");
    if (!status && rename(temporary.data, path) != 0) status = io_error(error, path, "rename onto");
    if (status) unlink(temporary.data);
    strbuf_free(&temporary);
    return status;
}

/* Keeps errno when it says no. */
static bool is_folder(const char *path)
{
    int saved = errno;
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return true;
    errno = saved;
    return false;
}

enum weir_status file_make_folder(const char *path, struct weir_error *error)
{
    char *copy = mem_text(path, strlen(path));
    if (!copy) return error_nomem(error, "folder path");
    enum weir_status status = WEIR_OK;
    for (char *at = copy + 1; !status; at++) {
        if (*at != '/' && *at != 0) continue;
        char saved = *at;
        *at = 0;
        if (mkdir(copy, 0700) != 0 && !is_folder(copy)) status = io_error(error, copy, "make folder");
        *at = saved;
        if (!saved) break;
    }
    free(copy);
    return status;
}
