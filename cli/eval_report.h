/* What `weir eval' found, as tables, as JSON and as requirements. */
#ifndef WEIR_CLI_EVAL_REPORT_H
#define WEIR_CLI_EVAL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "weir/eval.h"
#include "weir/task.h"

enum { EVAL_COVERAGES = 4 };
extern const double eval_max_errors[EVAL_COVERAGES]; /* 1, 2, 5 and 10 % */

struct eval_tiers;

/* One way to answer the rows. With `multi` accuracy and coverage are of the whole set of labels, the other measures of the labels one by one. */
struct eval_way {
    const char *name; /* of its line */
    struct weir_eval_summary summary;
    struct weir_eval_coverage coverage[EVAL_COVERAGES];
    double micro_f1;        /* `multi` only */
    bool has_probabilities; /* the most frequent label has none */
};

struct eval_result {
    const struct weir_task *task;
    const struct weir_question *question;
    const char *head; /* "both", .. or "zero-shot" */
    struct eval_way local, majority, floor;
    bool has_floor;                  /* a profile with an n-gram head other than the one in use */
    struct weir_eval_paired paired;  /* local against the floor, or against the most frequent label */
    struct weir_eval_class *classes; /* [n_labels], owned */
    size_t *confusion;               /* [n_labels gold, n_labels answers], owned; all 0 with `multi` */
    struct weir_eval_bin bins[WEIR_EVAL_ECE_BINS];
    size_t errors, unlabelled;
    double seconds, p50_ms, p99_ms;
    const char *cpu_level;
    unsigned threads;
    const struct eval_tiers *tiers; /* NULL: the paid tiers were not asked */
};

/* Complains; returns enum cli_exit. */
int eval_print(const struct eval_result *result);
json_t *eval_json(const struct eval_result *result); /* NULL without memory */

/* "NAME>=NUMBER" (also >, <=, <) holds? A name that there is not, or no number, is usage; one that does not hold is CLI_FAILED. */
int eval_require(const struct eval_result *result, const char *requirement);
bool eval_is_requirement(const char *requirement);

#endif
