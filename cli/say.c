/* Complaints and small parsing. */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int exit_of(enum weir_status status)
{
    switch (status) {
    case WEIR_OK:
        return CLI_DONE;
    case WEIR_ERR_REFUSED:
    case WEIR_ERR_UNSUPPORTED:
    case WEIR_ERR_NO_ROOM:
        return CLI_REFUSED;
    default:
        return CLI_FAILED;
    }
}

int cli_fail(const struct weir_error *error)
{
    const char *text = error->text[0] ? error->text : weir_status_text(error->status);
    return cli_say(error->status ? exit_of(error->status) : CLI_FAILED, "%s", text);
}

int cli_fail_at(const char *path, const struct weir_error *error)
{
    return cli_say(exit_of(error->status), "%s: %s", path, error->text);
}

int cli_say(int status, const char *format, ...)
{
    (void)fflush(stdout);
    (void)fputs("weir: ", stderr);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return status;
}

int cli_nomem(void)
{
    return cli_say(CLI_FAILED, "out of memory");
}

int cli_parse(const struct argp *parser, int argc, char **argv, void *input)
{
    if (argp_parse(parser, argc, argv, 0, NULL, input) == 0) return 1;
    (void)cli_nomem();
    return 0;
}

int cli_number(const char *text, long low, long high, long *out)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high) return 0;
    *out = value;
    return 1;
}

int cli_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return CLI_DONE;
    if (errno == EPIPE) return CLI_FAILED;
    return cli_say(CLI_FAILED, "cannot write standard output: %s", strerror(errno));
}
