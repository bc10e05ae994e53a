/* Cross-validation: every row is predicted by a model that was fitted without it. */
#ifndef WEIR_TUNE_CROSS_H
#define WEIR_TUNE_CROSS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/threads.h"
#include "tune/calibrate.h"
#include "tune/split.h"
#include "weir/tune.h"

/* The caller's progress callback, and how far it was told that things are. */
struct tune_steps {
    weir_tune_progress *call; /* NULL: nobody listens */
    void *context;
    const char *stage;
    size_t done, total;
};

/* One step further. WEIR_ERR_CANCELLED when the caller wants to stop. */
enum weir_status tune_step(struct tune_steps *steps, struct weir_error *error) WEIR_MUST_USE;

/* One setting to judge, and what came out: on the logits of all rows, each from the fold that held it out. */
struct cross_job {
    double l2, sparse_weight, dense_weight; /* a weight of 0 leaves the group out */
    double temperature;                     /* fitted on those logits; the measures are after it */
    struct calibrate_measures measures;
};

struct cross {
    struct thread_pool *pool;
    const struct tune_table *table;
    unsigned folds;
    uint8_t *fold_of_row; /* [rows] */
    struct split *splits; /* [folds]; opened when first used */
    bool keeps_splits;    /* between runs; else one fold's matrices exist at a time */
    double tolerance;     /* of the fits */
    struct tune_steps *steps;
};

/* steps: one is made for every fold of a run. `table` and `steps` must outlive the cross. */
enum weir_status cross_open(struct cross *cross, struct thread_pool *pool, const struct tune_table *table,
                            unsigned folds, uint64_t seed, struct tune_steps *steps,
                            struct weir_error *error) WEIR_MUST_USE;
void cross_close(struct cross *cross);

/* Judges the jobs. Neighbouring jobs with equal weights start from each other's result: order them by falling l2. `blocks` may be NULL when
 * every dense_weight is 0. logits: NULL, or [n_jobs, rows, classes]. */
enum weir_status cross_run(struct cross *cross, const struct tune_blocks *blocks, struct cross_job *jobs, size_t n_jobs,
                           double *logits, struct weir_error *error) WEIR_MUST_USE;

#endif
