/* What `weir run` and `weir eval` open beside the local model: certificates, the paid tiers and their prices, the ledger. */
#ifndef WEIR_CLI_TIERS_H
#define WEIR_CLI_TIERS_H

#include <stdbool.h>

#include "parts.h"
#include "source.h"
#include "weir/cascade.h"

struct tiers_request {
    const char *ledger; /* path; NULL: the usual place, ledger_path.h */
    const char *prices; /* path; NULL: the table built in */
    bool is_dry;        /* no ledger */
    bool is_measuring;  /* for eval: no decider; the ledger's run does not depend on the local model */
    bool is_local_only; /* for eval: nothing but the task, the model and the profile */
    enum weir_run_mode mode;
};

/* Whether the task has a tier that is asked over HTTP. */
bool tiers_have_paid(const struct weir_task *task);

struct tiers {
    const struct parts *parts;
    struct weir_decider *decider;
    struct weir_certificate certificates[WEIR_TASK_QUESTIONS_MAX];
    struct weir_prices *prices;
    struct weir_pool *pool; /* NULL: no paid tier */
    struct weir_ledger *ledger;
    struct weir_run_info run;
    char *source;                        /* owned: an absolute path, or "-" */
    char model[WEIR_LEDGER_HASH_SIZE];   /* fingerprint of the local model; "" without one */
    char profile[WEIR_LEDGER_HASH_SIZE]; /* of the profile's file; "" without one */
};

/* Opens the task alone and checks its privacy policy, then everything. Complains; returns enum cli_exit. */
int tiers_open(struct tiers *tiers, struct parts *parts, const struct parts_request *request,
               const struct tiers_request *options, const struct source *source);
void tiers_close(struct tiers *tiers);

/* What a cascade needs of them; the caller adds the callbacks. */
struct weir_cascade_options tiers_cascade(const struct tiers *tiers);

#endif
