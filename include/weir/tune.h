/* Tuning: learning a profile from labelled rows.
 *
 * weir_tune reads hidden states with the engine once per row, then fits and chooses on the CPU: stratified cross-validation
 * over the given rows picks depths, pooling, penalty and the weight of n-grams against hidden states; a temperature is
 * fitted on the out-of-fold predictions; the heads are then fitted on all rows. The same rows, options and CPU level give the
 * same profile to the bit, for any number of threads. */
#ifndef WEIR_TUNE_H
#define WEIR_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/engine.h"
#include "weir/profile.h"
#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_TUNE_ROWS_MAX = 1 << 20, WEIR_TUNE_FOLDS_MAX = 20 };

struct weir_tune_rows {
    const struct weir_string *texts; /* [count] */
    /* [count, questions of the task]: index of the label, or -1 when the row carries none; of a `multi` question 0 where it carries a set */
    const int32_t *labels;
    /* [count, labels of all questions one after the other]: 1 where the label of a `multi` question applies, else 0; not read for other
     * questions. NULL: no `multi` question is labelled. */
    const uint8_t *sets;
    size_t count;
};

/* Called between steps, on the calling thread. `stage` names what is being done; done and total count its steps. Returning
 * false stops the tuning with WEIR_ERR_CANCELLED. */
typedef bool weir_tune_progress(void *context, const char *stage, size_t done, size_t total);

struct weir_tune_options {
    uint64_t seed;                /* of the folds */
    unsigned folds;               /* 2..WEIR_TUNE_FOLDS_MAX; default 5 */
    unsigned threads;             /* 0: the CPUs this process may use */
    weir_tune_progress *progress; /* NULL: none */
    void *progress_context;
};

WEIR_API struct weir_tune_options weir_tune_options_default(void);

/* Learns heads for every question of the task that has labelled rows. At least one question must; each needs two labels in use and,
 * for every label in use, at least two rows; a `multi` question a label that some rows have and others do not. Labels without rows stay
 * possible with a low probability. Questions without labels (extract, summarize, generate) are WEIR_ERR_UNSUPPORTED when rows are
 * labelled for them.
 * On success the caller owns *out (weir_profile_save, weir_profile_close). options NULL: the defaults. */
WEIR_API enum weir_status weir_tune(struct weir_engine *engine, const struct weir_task *task,
                                    const struct weir_tune_rows *rows, const struct weir_tune_options *options,
                                    struct weir_profile **out, struct weir_error *error) WEIR_MUST_USE;

/* Rows whose right extraction is known. */
struct weir_tune_values {
    const struct weir_string *texts; /* [count] */
    const struct weir_string *
        values; /* [count] JSON: the right value; of an object fields may be left out, which is null. {NULL, 0}: not known */
    size_t count;
};

/* Learns how often the fields of an `extract` question are right: the model answers the rows, and for each field the probability of an answer is calibrated
 * (temperature, vector or isotonic, by cross-validated log-loss), apart for null, for values that stand in the text and for others; then that of the whole.
 * The answers themselves do not change. Rows without an answer (too long, no end) are left out; at least one must be left. WEIR_ERR_REFUSED, naming the row: a
 * right value that has a field the schema's object does not have. Of the options `threads` is not used. */
WEIR_API enum weir_status weir_tune_extract(struct weir_engine *engine, const struct weir_task *task, size_t question,
                                            const struct weir_tune_values *rows,
                                            const struct weir_tune_options *options, struct weir_profile **out,
                                            struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
