/* What each step of calibration changes: the part of `weir eval' that --calibration adds. */
#ifndef WEIR_CLI_EVAL_CALIBRATION_H
#define WEIR_CLI_EVAL_CALIBRATION_H

#include <jansson.h>

#include "labelled.h"
#include "weir/classify.h"
#include "weir/eval.h"

enum { CALIBRATION_STEPS_MAX = 8 };

/* One line of the table. */
struct calibration_step {
    char name[64];
    struct weir_eval_summary summary;
    struct weir_eval_paired paired; /* against the first line */
    double flips;                   /* share of rows whose answer is another when the labels are listed backwards */
};

struct calibration_steps {
    size_t count, rotations;
    struct calibration_step items[CALIBRATION_STEPS_MAX];
};

/* The steps of zero-shot answers, which need no labels, and with a profile that has the question a head before and after its calibration,
 * which labels fitted. `classifier` answers question `index` of the task by `tuned` (NULL: zero-shot). rotations 0: the library's default.
 * Complains; returns enum cli_exit. */
struct calibration_request {
    const struct parts *parts;
    size_t index; /* of the question */
    const struct labelled *rows;
    struct weir_classifier *classifier; /* of that profile; its state is left as it was */
    const struct answers *tuned;        /* what the profile answered, calibrated; NULL: the question is not tuned */
    size_t rotations;
    bool is_quiet;
};
int calibration_measure(const struct calibration_request *request, struct calibration_steps *out);

int calibration_print(const struct calibration_steps *steps);
json_t *calibration_json(const struct calibration_steps *steps); /* NULL without memory */

#endif
