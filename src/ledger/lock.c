#include "ledger/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strbuf.h"

enum { LOCK_PATH_BYTES_MAX = 4200, NUMBER_BYTES = 32 };

/* The number that the holder wrote; 0 when it has not yet. */
static long holder(int fd)
{
    char text[NUMBER_BYTES] = "";
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    return size > 0 ? strtol(text, NULL, 10) : 0;
}

static enum weir_status refuse(int fd, const char *path, struct weir_error *error)
{
    long pid = holder(fd);
    if (pid == (long)getpid())
        return error_set(error, WEIR_ERR_REFUSED, "%s: this process (%ld) has it open for writing already", path, pid);
    if (pid > 0)
        return error_set(
            error, WEIR_ERR_REFUSED,
            "%s: process %ld is writing this ledger; one process writes at a time: wait for it, or give this "
            "one a ledger of its own",
            path, pid);
    return error_set(error, WEIR_ERR_REFUSED, "%s: another process is writing this ledger", path);
}

static enum weir_status take(int fd, const char *path, struct weir_error *error)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno == EWOULDBLOCK) return refuse(fd, path, error);
        return error_set(error, WEIR_ERR_IO, "%s.lock: cannot lock: %s", path, strerror(errno));
    }
    char text[NUMBER_BYTES];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size)
        return error_set(error, WEIR_ERR_IO, "%s.lock: cannot write: %s", path, strerror(errno));
    return WEIR_OK;
}

enum weir_status lock_open(const char *path, int *fd, struct weir_error *error)
{
    struct strbuf name = STRBUF_MAX(LOCK_PATH_BYTES_MAX);
    enum weir_status status = strbuf_printf(&name, "%s.lock", path);
    if (status) {
        strbuf_free(&name);
        return error_set(error, status, "path of a lock file: %s", weir_status_text(status));
    }
    int opened = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (opened < 0)
        status = error_set(error, WEIR_ERR_IO, "%s: cannot open: %s", name.data, strerror(errno));
    else
        status = take(opened, path, error);
    strbuf_free(&name);
    if (status && opened >= 0) (void)close(opened);
    if (!status) *fd = opened;
    return status;
}

void lock_close(int fd)
{
    if (fd >= 0) (void)close(fd);
}
