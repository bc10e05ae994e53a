/* The gate: which local answers stand, which rows are passed on, and where a limited budget is spent.
 *
 * Pure functions on the task, its answers and their certificates; all are thread-safe and allocate nothing unless they say so.
 * The rules, their order and the formulas with their sources: docs/cascade.md. */
#ifndef WEIR_GATE_H
#define WEIR_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/certify.h"
#include "weir/classify.h"
#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why an answer stands, or why its row is passed on: the word of outputs and ledger, and whether the answer stands. */
#define WEIR_REASON_MAP(X)                                                                 \
    X(NO_GATE, "no_gate", true)     /* accept: all */                                      \
    X(THRESHOLD, "threshold", true) /* at or above the task's probability */               \
    X(CERTIFIED, "certified", true) /* at or above the certified threshold */              \
    X(CHEAPEST, "cheapest", true)   /* asking on would cost more than it saves */          \
    X(BELOW_THRESHOLD, "below_threshold", false)                                           \
    X(NOT_CERTIFIED, "not_certified", false) /* the certificate has no threshold for it */ \
    X(ERROR_TOO_COSTLY, "error_too_costly", false)                                         \
    X(ALWAYS_ESCALATE, "always_escalate", false)                                           \
    X(NEVER_ESCALATE, "never_escalate", false) /* not accepted, and must stay */           \
    X(ROUTED, "routed", false)                 /* by the route question */                 \
    X(TOO_LONG, "too_long", false)             /* more than max_local_tokens */            \
    X(LOCAL_ERROR, "local_error", false)       /* the tier could not answer */

enum weir_reason {
#define WEIR_REASON_ENUM(name, word, stands) WEIR_REASON_##name,
    WEIR_REASON_MAP(WEIR_REASON_ENUM)
#undef WEIR_REASON_ENUM
        WEIR_REASONS
};
WEIR_API const char *weir_reason_name(enum weir_reason reason); /* "below_threshold" */

/* ---- one answer ---- */

/* A rule for accepting answers. */
struct weir_acceptance {
    const struct weir_gate *gate;                /* accept and the numbers that belong to it */
    const struct weir_certificate *certificates; /* [questions], for WEIR_ACCEPT_CERTIFIED; count 0: none */
    int64_t next_cost_usd_e6;                    /* of asking the next tier, for WEIR_ACCEPT_CHEAPEST */
};

/* Whether the answer to question `index` of the task, of label `label` (its name) and probability, stands by itself. *reason is set. */
WEIR_API bool weir_gate_accepts(const struct weir_acceptance *acceptance, size_t index,
                                const struct weir_question *question, const struct weir_decision *decision,
                                enum weir_reason *reason);

/* The probability from which answering is at most as costly as asking on: 1 - escalated_error - next_cost / error_cost, not below 0. */
WEIR_API double weir_gate_cost_threshold(int64_t error_cost_usd_e6, int64_t next_cost_usd_e6, double escalated_error);

/* ---- one row ---- */

enum weir_action {
    WEIR_ACTION_ACCEPT,
    WEIR_ACTION_ESCALATE, /* to the next tier, or to `tier` */
    WEIR_ACTION_ABSTAIN   /* it must stay, and there is no answer */
};

struct weir_judgement {
    enum weir_action action;
    enum weir_reason reason; /* of the first answer that does not stand */
    size_t tier;             /* to ask next when escalated; index into the task */
    double worth; /* of asking on: how much more often a question is then expected to be answered rightly, 0..1 */
};

/* Judges the answers of tier `tier` (an index into the task) to all questions. decisions: [questions], or NULL for a row that the tier
 * was not asked because its text has more than max_local_tokens. The route question is no part of the answer: it only sends on. */
WEIR_API void weir_gate_judge(const struct weir_task *task, const struct weir_acceptance *acceptance, size_t tier,
                              const struct weir_decision *decisions, struct weir_judgement *out);

/* Whether an accepted row is among the share that the next tier checks: the same answer for the same key on every machine.
 * key: 64 hexadecimal digits of a hash of the row. */
WEIR_API bool weir_gate_is_checked(const char *key, double share);

/* ---- many rows under a budget ---- */

/* What a budget buys. */
struct weir_spending {
    size_t rows;    /* chosen */
    int64_t usd_e6; /* their cost */
    double gain;    /* sum of their worth: the answers expected to become right */
    double
        threshold; /* worth a micro-dollar of the last row chosen; rows above it are all chosen. 0: nothing was left out */
};

/* Chooses the rows where asking on is worth most, so that their cost stays within the budget. worth, cost_usd_e6, order: [count].
 * order receives all row indices, best first: by worth for its cost, then by index; the first out->rows of them are the chosen ones.
 * Best possible when all costs are equal, otherwise within the worth of one row of it (Dantzig 1957). WEIR_ERR_NOMEM,
 * WEIR_ERR_INVALID for a cost below 0 or a worth that is no number. */
WEIR_API enum weir_status weir_gate_spend(const double *worth, const int64_t *cost_usd_e6, size_t count,
                                          int64_t budget_usd_e6, size_t *order, struct weir_spending *out,
                                          struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
