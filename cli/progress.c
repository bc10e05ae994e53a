#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum { BAR_CELLS_MAX = 30, COLUMNS_DEFAULT = 80, LINE_BYTES = 512 };
static const double bar_period_s = 0.1, line_period_s = 5, rate_memory_s = 10;

double progress_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_open(struct progress *progress, const char *unit, bool is_quiet)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    bool is_dumb = !term || strcmp(term, "dumb") == 0;
    *progress = (struct progress){.unit = unit, .is_quiet = is_quiet};
    progress->is_terminal = isatty(STDERR_FILENO) && !is_dumb;
    progress->has_colour = progress->is_terminal && !(no_colour && *no_colour);
}

void progress_stage(struct progress *progress, const char *stage, size_t done, size_t total)
{
    progress_clear(progress);
    (void)snprintf(progress->stage, sizeof progress->stage, "%s", stage);
    progress->total = total;
    progress->measured = progress_clock();
    progress->measured_done = done;
    progress->rate = 0;
    progress->shown = progress->is_terminal ? 0 : progress->measured;
}

/* rate <- rate + (now's rate - rate) * (1 - exp(-dt / memory)): the same memory in seconds, however often this is called. */
static void rate_take(struct progress *progress, size_t done, double now)
{
    double elapsed = now - progress->measured;
    if (elapsed < bar_period_s || done < progress->measured_done) return;
    double latest = (double)(done - progress->measured_done) / elapsed;
    double weight = progress->rate > 0 ? 1 - exp(-elapsed / rate_memory_s) : 1;
    progress->rate += weight * (latest - progress->rate);
    progress->measured = now;
    progress->measured_done = done;
}

static int columns_of_terminal(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return COLUMNS_DEFAULT;
}

/* "412", or "98.4 MB" for bytes. */
static const char *amount(const struct progress *progress, double count, char out[static 32])
{
    if (progress->unit) {
        (void)snprintf(out, 32, "%.0f", count);
        return out;
    }
    return text_bytes(count, out, 32);
}

/* "412 of 1200 rows, 98.1/s, 8 s left"; "98.4 MB of 2.5 GB, 12.1 MB/s, 199 s left" */
static void words(const struct progress *progress, size_t done, char *out, size_t size)
{
    char now[32], all[32], rate[32];
    const char *unit = progress->unit ? progress->unit : "", *space = progress->unit ? " " : "";
    amount(progress, (double)done, now);
    amount(progress, (double)progress->total, all);
    size_t used = (size_t)(progress->total ? snprintf(out, size, "%s of %s%s%s", now, all, space, unit)
                                           : snprintf(out, size, "%s%s%s", now, space, unit));
    if (used >= size || progress->rate <= 0) return;
    if (progress->unit)
        (void)snprintf(rate, sizeof rate, "%.*f", progress->rate < 100 ? 1 : 0, progress->rate);
    else
        text_bytes(progress->rate, rate, sizeof rate);
    used += (size_t)snprintf(out + used, size - used, ", %s/s", rate);
    if (used >= size || progress->total <= done) return;
    double left = ceil((double)(progress->total - done) / progress->rate);
    if (left < 120)
        (void)snprintf(out + used, size - used, ", %.0f s left", left);
    else
        (void)snprintf(out + used, size - used, ", %.0f min left", ceil(left / 60));
}

/* The counts, and the note behind them. */
static void all_words(const struct progress *progress, size_t done, char *out, size_t size)
{
    words(progress, done, out, size);
    size_t used = strlen(out);
    if (progress->note[0]) (void)snprintf(out + used, size - used, "; %s", progress->note);
}

static void bar_draw(struct progress *progress, size_t done)
{
    char text[LINE_BYTES], bar[BAR_CELLS_MAX + 1] = "";
    all_words(progress, done, text, sizeof text);
    int columns = columns_of_terminal() - 1;
    int room = columns - (int)strlen(progress->stage) - (int)strlen(text) - 5;
    int cells = progress->total && room >= 8 ? (room < BAR_CELLS_MAX ? room : BAR_CELLS_MAX) : 0;
    double share = progress->total ? fmin((double)done / (double)progress->total, 1) : 0;
    for (int i = 0; i < cells; i++) bar[i] = i < (int)(share * cells) ? '#' : '.';
    bar[cells] = 0;
    if (cells) {
        (void)fprintf(stderr, "\r%s [%s%s%s] %s\033[K", progress->stage, progress->has_colour ? "\033[32m" : "", bar,
                      progress->has_colour ? "\033[0m" : "", text);
    } else {
        char line[LINE_BYTES + 80];
        (void)snprintf(line, sizeof line, "%s %s", progress->stage, text);
        (void)fprintf(stderr, "\r%.*s\033[K", columns > 0 ? columns : 1, line);
    }
    (void)fflush(stderr);
    progress->is_drawn = true;
}

void progress_update(struct progress *progress, size_t done)
{
    if (progress->is_quiet) return;
    double now = progress_clock();
    rate_take(progress, done, now);
    if (now - progress->shown < (progress->is_terminal ? bar_period_s : line_period_s)) return;
    progress->shown = now;
    if (progress->is_terminal) {
        bar_draw(progress, done);
        return;
    }
    char text[LINE_BYTES];
    all_words(progress, done, text, sizeof text);
    (void)fprintf(stderr, "weir: %s: %s\n", progress->stage, text);
}

void progress_clear(struct progress *progress)
{
    if (!progress->is_drawn) return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->is_drawn = false;
}
