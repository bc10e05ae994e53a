#include "output.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* What an interrupt must remove: the temporary files that exist. */
static const char *volatile temporaries[OUTPUTS_MAX];

void output_remove_temporaries(void)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        if (temporaries[i]) (void)unlink(temporaries[i]);
    }
}

static void remove_and_die(int signal_number)
{
    output_remove_temporaries();
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* An interrupt between making a file and guarding it would leave the file: it waits. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;
    (void)sigemptyset(&held);
    for (size_t i = 0; i < SIGNALS; i++) (void)sigaddset(&held, signals[i]);
    (void)pthread_sigmask(SIG_BLOCK, &held, before);
}

static void guard(const char *path)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        if (temporaries[i]) continue;
        temporaries[i] = path;
        break;
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signal(signals[i], remove_and_die) == SIG_IGN) (void)signal(signals[i], SIG_IGN); /* nohup's wish stays */
    }
}

static void guard_no_more(const char *path)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        if (temporaries[i] == path) temporaries[i] = NULL;
    }
}

/* Where the bytes should end up: the file behind a symbolic link, so that the link stays. Owned by the caller. */
static char *target_of(const char *path)
{
    char *target = realpath(path, NULL);
    return target ? target : strdup(path);
}

static bool is_special_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

static int open_directly(struct output *output, const char *path)
{
    output->file = fopen(path, "wb");
    return output->file ? CLI_DONE : cli_say(CLI_FAILED, "%s: cannot open: %s", path, strerror(errno));
}

/* The file that a temporary name was made for, with the permissions of the file it will replace or those of a new one. */
static FILE *open_temporary(const struct output *output)
{
    int fd = mkstemps(output->temporary, 4);
    if (fd < 0) return NULL;
    struct stat info;
    mode_t mask = umask(0);
    (void)umask(mask);
    mode_t mode = stat(output->target, &info) == 0 ? info.st_mode & 07777 : 0666 & ~mask;
    FILE *file = fchmod(fd, mode) == 0 ? fdopen(fd, "wb") : NULL;
    if (file) return file;
    (void)close(fd);
    (void)unlink(output->temporary);
    return NULL;
}

int output_open(struct output *output, const char *path)
{
    *output = (struct output){.path = path};
    if (!path || strcmp(path, "-") == 0) {
        output->file = stdout;
        output->path = NULL;
        return CLI_DONE;
    }
    if (is_special_file(path)) return open_directly(output, path);
    output->target = target_of(path);
    if (!output->target || asprintf(&output->temporary, "%s.XXXXXX.tmp", output->target) < 0) {
        free(output->target);
        *output = (struct output){0};
        return cli_nomem();
    }
    sigset_t before;
    hold_signals(&before);
    output->file = open_temporary(output);
    if (output->file) guard(output->temporary);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!output->file) {
        int status = cli_say(CLI_FAILED, "%s: cannot create: %s", output->temporary, strerror(errno));
        free(output->temporary);
        output->temporary = NULL;
        output_discard(output);
        return status;
    }
    return CLI_DONE;
}

static int complain(const struct output *output)
{
    if (errno == EPIPE) return CLI_FAILED;
    return cli_say(CLI_FAILED, "%s: cannot write: %s", output->path ? output->path : "standard output",
                   strerror(errno));
}

int output_commit(struct output *output)
{
    int status = CLI_DONE;
    if (fflush(output->file) != 0 || ferror(output->file)) status = complain(output);
    if (!status && output->temporary && fsync(fileno(output->file)) != 0) status = complain(output);
    if (!status && output->temporary && rename(output->temporary, output->target) != 0) status = complain(output);
    if (!status && output->temporary) {
        guard_no_more(output->temporary);
        free(output->temporary);
        output->temporary = NULL;
    }
    output_discard(output);
    return status;
}

void output_discard(struct output *output)
{
    if (output->file && output->file != stdout) (void)fclose(output->file);
    if (output->temporary) {
        (void)unlink(output->temporary);
        guard_no_more(output->temporary);
    }
    free(output->temporary);
    free(output->target);
    *output = (struct output){0};
}

int output_json(struct output *output, json_t *object)
{
    bool good = object && json_dumpf(object, output->file, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) == 0;
    json_decref(object);
    if (!good && !ferror(output->file)) return cli_nomem();
    (void)fputc('\n', output->file);
    return output_commit(output);
}
