/* How far a long command is, on standard error: a bar with rate and time left on a terminal, plain lines otherwise.
 *
 * The bar is drawn at most ten times a second and erased at the end; colour only where the terminal has it (TERM not "dumb") and
 * NO_COLOR is not set. Elsewhere a line comes every five seconds. */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    const char *unit; /* "rows"; not owned. NULL: bytes, shown as kB, MB, GB */
    char stage[64];
    char note[96]; /* shown behind the counts; "": nothing */
    bool is_quiet, is_terminal, has_colour;
    bool is_drawn;        /* a bar is on the screen */
    size_t total;         /* 0: not known */
    double shown;         /* when something was last shown */
    double measured;      /* when the rate was last taken, */
    size_t measured_done; /* and what was done then */
    double rate;          /* units a second, exponentially weighted: the last ten seconds or so; 0: not known yet */
};

void progress_open(struct progress *progress, const char *unit, bool is_quiet);

/* A new stage, of which `done` is done already, starts the rate anew. `total` 0: not known. */
void progress_stage(struct progress *progress, const char *stage, size_t done, size_t total);
void progress_update(struct progress *progress, size_t done);

/* Erases the bar, so that other text can follow. */
void progress_clear(struct progress *progress);

/* Seconds on the monotonic clock. */
double progress_clock(void);

#endif
