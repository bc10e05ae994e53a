/* weir eval with tiers: the last tier's answers to the labelled rows, and what the cascade makes of both. */
#ifndef WEIR_CLI_EVAL_TIERS_H
#define WEIR_CLI_EVAL_TIERS_H

#include <jansson.h>
#include <stdbool.h>

#include "labelled.h"
#include "tiers.h"
#include "weir/eval.h"

enum { EVAL_POINTS = 11 };

/* One of local, frontier, cascade. */
struct eval_side {
    struct weir_eval_summary summary;
    double p50_ms, p99_ms;
    int64_t cost_usd_e6; /* of all rows */
    size_t left;         /* rows whose text was sent to a tier that is not on this host */
};

struct eval_tiers {
    bool is_measured;
    const char *local_name, *frontier_name;
    struct eval_side local, frontier, cascade;
    struct weir_eval_paired to_local, to_frontier; /* the cascade minus each of them */
    struct weir_eval_point curve[EVAL_POINTS];
    size_t rows, kept, escalated, abstained, errors; /* of the cascade, by the final answer */
    size_t unaffordable;                             /* of the abstained: --volume and usd_per_day leave no money */
    int64_t budget_usd_e6;                           /* of a run */
    int64_t day_budget_usd_e6;
    double volume; /* rows a day; 0: not given */
    size_t cached; /* rows whose frontier answer the ledger had */
};

struct eval_tiers_request {
    const struct labelled *rows;
    const struct answers *local;
    const struct weir_question *question;
    double volume;
    bool is_quiet;
};

/* Asks the last tier about every labelled row (what the ledger has costs nothing) and measures. Complains; returns enum cli_exit. */
int eval_tiers_measure(struct eval_tiers *out, const struct tiers *tiers, const struct eval_tiers_request *request);

/* Complains; returns enum cli_exit. */
int eval_tiers_print(const struct eval_tiers *result);
/* Adds its members to the object of `weir eval --json`. */
void eval_tiers_json(const struct eval_tiers *result, json_t *object);

#endif
