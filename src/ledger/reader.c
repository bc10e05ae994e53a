#include "ledger/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"

enum weir_status weir_ledger_reader_open(const char *path, struct weir_ledger_reader **out, struct weir_error *error)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return error_set(error, errno == ENOENT ? WEIR_ERR_NOT_FOUND : WEIR_ERR_IO, "%s: cannot open: %s", path,
                         strerror(errno));
    if (!S_ISREG(info.st_mode)) return error_set(error, WEIR_ERR_IO, "%s: not a regular file", path);
    char *resolved = realpath(path, NULL);
    if (!resolved) return error_set(error, WEIR_ERR_IO, "%s: cannot resolve: %s", path, strerror(errno));
    struct weir_ledger_reader *reader = mem_zero(1, sizeof *reader);
    enum weir_status status =
        reader ? db_open(&reader->db, resolved, DB_READS, error) : error_nomem(error, "reading a ledger");
    free(resolved);
    if (status)
        free(reader);
    else
        *out = reader;
    return status;
}

void weir_ledger_reader_close(struct weir_ledger_reader **reader)
{
    if (!reader || !*reader) return;
    db_close(&(*reader)->db);
    free(*reader);
    *reader = NULL;
}
