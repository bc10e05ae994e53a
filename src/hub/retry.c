/* Trying again, with patience and bounds. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "hub/hub_internal.h"

enum { FRUITFUL_BYTES = 1 << 20 };
static const double wait_max_s = 60, retry_after_max_s = 300, tick_s = 0.1;

bool pull_tick(struct pull *pull)
{
    return !pull->options->report || pull->options->report(pull->options->context, &pull->now);
}

enum weir_status pull_cancelled(struct weir_error *error)
{
    return error_set(error, WEIR_ERR_CANCELLED, "cancelled; what has arrived is kept for the next pull");
}

/* Reports at least once. False: cancelled meanwhile. */
static bool wait_for(struct pull *pull, double seconds)
{
    double end = clock_seconds() + seconds;
    for (;;) {
        if (!pull_tick(pull)) return false;
        double left = fmin(end - clock_seconds(), tick_s);
        if (left <= 0) return true;
        struct timespec nap = {.tv_nsec = (long)(1e9 * left)};
        (void)nanosleep(&nap, NULL);
    }
}

/* 1, 2, 4, ... times the first wait, up to a quarter more so that clients cut at once do not come back at once. */
static double wait_of(const struct pull *pull, unsigned failures, double retry_after_s)
{
    double spread = 1 + 0.25 * fmod(1e6 * clock_seconds(), 1);
    double wait = fmin(ldexp(pull->options->retry_wait_s, (int)failures - 1), wait_max_s);
    return fmax(wait * spread, retry_after_s);
}

enum weir_status pull_retry(struct pull *pull, attempt_run *run, void *context, struct weir_error *error)
{
    unsigned failures = 0;
    for (;;) {
        struct attempt attempt = {0};
        struct weir_error why = {0};
        struct weir_pull_progress before = pull->now;
        enum weir_status status = run(context, &attempt, &why);
        if (!status) return WEIR_OK;
        if (attempt.gained_bytes >= FRUITFUL_BYTES) failures = 0;
        failures++;
        if (!attempt.is_transient) return error_set(error, status, "%s", why.text);
        if (failures > pull->options->retries)
            return error_set(error, status, "%.400s (gave up after %u attempts)", why.text, failures);
        if (attempt.retry_after_s > retry_after_max_s)
            return error_set(error, status, "%.400s (the server asks to wait %.0f s: try again later)", why.text,
                             attempt.retry_after_s);
        char text[WEIR_ERROR_TEXT_MAX + 64];
        double wait = wait_of(pull, failures, attempt.retry_after_s);
        (void)snprintf(text, sizeof text, "%s; trying again in %.0f s", why.text, ceil(wait));
        pull->now.stage = WEIR_PULL_RETRYING;
        pull->now.text = text;
        bool is_wanted = wait_for(pull, wait);
        pull->now = before;
        if (!is_wanted) return pull_cancelled(error);
    }
}
