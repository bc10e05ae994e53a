#include "slurp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Up to `bytes_max` + 1 bytes of the stream, so that too many are seen; NULL without memory. One byte stays free for the NUL. */
static char *read_stream(FILE *stream, size_t bytes_max, size_t *size)
{
    size_t capacity = 1 << 16, used = 0;
    char *bytes = malloc(capacity);
    while (bytes && used <= bytes_max && !feof(stream) && !ferror(stream)) {
        used += fread(bytes + used, 1, capacity - 1 - used, stream);
        if (used < capacity - 1) continue;
        capacity *= 2;
        char *more = realloc(bytes, capacity);
        if (!more) free(bytes);
        bytes = more;
    }
    if (bytes) bytes[used] = '\0';
    *size = used;
    return bytes;
}

int slurp(const char *path, size_t bytes_max, char **text, size_t *size)
{
    int is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    FILE *stream = is_stdin ? stdin : fopen(path, "rb");
    if (!stream) return cli_say(CLI_FAILED, "cannot open %s: %s", name, strerror(errno));
    size_t used = 0;
    char *bytes = read_stream(stream, bytes_max, &used);
    int status = CLI_DONE;
    if (!bytes)
        status = cli_nomem();
    else if (ferror(stream))
        status = cli_say(CLI_FAILED, "cannot read %s: %s", name, strerror(errno));
    else if (used > bytes_max)
        status = cli_say(CLI_FAILED, "%s holds more than %zu bytes", name, bytes_max);
    if (!is_stdin) (void)fclose(stream);
    if (status) {
        free(bytes);
        return status;
    }
    *text = bytes;
    *size = used;
    return CLI_DONE;
}
