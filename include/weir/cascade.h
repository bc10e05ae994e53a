/* The cascade: rows through the tiers of a task, cheap ones first, under its gate and budget, with nothing lost.
 *
 * Order: open what it stands on (weir_task_open, weir_decider_open, weir_pool_open, weir_prices_open, weir_ledger_open and
 * weir_ledger_begin), weir_cascade_open, weir_cascade_run, weir_cascade_close. The parts must outlive the cascade, and nobody else
 * uses the decider or the pool meanwhile. A cascade belongs to one thread.
 *
 * Rows are taken in windows. The local tier answers a window in batches; the gate judges each answer (weir/gate.h); what is passed on is
 * asked of the next tier, many rows at a time, each call reserved in the ledger before it is made. While the budget covers everything
 * that could come, calls are made at once, beside the local work; otherwise they wait for the end of the window and are made where
 * they are worth most. Every row ends as exactly one line, recorded in the ledger with its decisions and costs before it is given out.
 * A run that was killed and is begun again takes what is decided from the ledger. docs/cascade.md has the states and invariants. */
#ifndef WEIR_CASCADE_H
#define WEIR_CASCADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/decide.h"
#include "weir/gate.h"
#include "weir/input.h"
#include "weir/ledger.h"
#include "weir/provider.h"
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_CASCADE_WINDOW_MAX = 1 << 16, WEIR_CASCADE_REASON_MAX = 64 };

/* How a row ended: what its line is made from. */
struct weir_cascade_row {
    const struct weir_row *row;
    enum weir_row_outcome outcome;
    bool has_answers; /* decisions and words hold answers: the final ones, or those that do not stand */
    const struct weir_decision
        *decisions; /* [questions]; probability below 0: the tier gave none; probabilities may be NULL */
    const struct weir_words *words; /* [questions] */
    const char *tier;               /* whose answers they are; "" without answers */
    const char *reason;             /* "certified", "escalated", "abstained_budget_run", "queued_unreachable" */
    const char *escalated_from;     /* the tier that passed the row on; NULL: none did */
    const char *escalated_reason;
    enum weir_status error; /* of WEIR_ROW_ERROR */
    const char *error_text;
    uint32_t attempts; /* paid calls made for the row, calls in flight at a kill included */
    size_t fresh_tokens, prefix_tokens;
    double latency_ms;
    int64_t cost_usd_e6; /* of all of them */
};

struct weir_cascade_totals {
    size_t rows;                                /* ended; the sum of the next four */
    size_t local, escalated, abstained, errors; /* by the final answer; a queued row is an abstention */
    size_t queued;                              /* of the abstained */
    size_t resumed;                             /* rows taken from the ledger */
    size_t passed_on;                           /* rows that the gate passed on, answered there or not */
    size_t checked, check_agreed;               /* accepted rows that the next tier answered too */
    size_t unaffordable;                        /* rows passed on for which there was no money */
    double
        least_worth; /* of the rows asked for: with unaffordable ones the threshold that the budget bought; 1: none asked */
    size_t over_calls;       /* calls that cost more than was reserved for them; each closes its tier for the run */
    int64_t over_usd_e6;     /* by so much, all together */
    int64_t cost_usd_e6;     /* of all calls of these rows */
    int64_t frontier_usd_e6; /* estimate: every row to the last tier; negative: not known */
    int64_t dry_max_usd_e6,
        dry_expected_usd_e6; /* of a dry run: what the calls would have cost at most, and probably */
};

struct weir_cascade_options {
    const struct weir_task *task;
    struct weir_decider *local;                  /* the first tier, when it is of kind gguf; NULL otherwise */
    const struct weir_tokenizer *tokenizer;      /* of its model; NULL without one */
    const struct weir_certificate *certificates; /* [questions], count 0 where there is none; NULL: none at all */
    const char *local_model;                     /* its fingerprint; "" without one */
    struct weir_pool *pool;                      /* NULL: the task has only the local tier */
    const struct weir_prices *prices;
    struct weir_ledger
        *ledger;        /* NULL: a dry run: nothing is sent or recorded, and what would be passed on is an abstention */
    int64_t run;        /* of weir_ledger_begin */
    const char *source; /* as given to weir_ledger_begin */
    size_t
        only_tier; /* asks every row of this paid tier alone, to measure it; `local` is then NULL. 0: all tiers, in order */
    size_t window; /* rows; 0: the default, 4096 */
    void *context; /* of the calls below, which come from the thread of weir_cascade_run */
    /* The line of a row, without a newline; allocated by malloc. NULL: no memory. */
    char *(*line)(void *context, const struct weir_cascade_row *row);
    /* Takes a finished line; in input order. */
    enum weir_status (*take)(void *context, const struct weir_row *row, const char *line, size_t size,
                             struct weir_error *error);
    void (*progress)(void *context, const struct weir_cascade_totals *totals); /* often; NULL: none */
};

struct weir_cascade;

/* Opens the paid tiers. WEIR_ERR_REFUSED: the task's privacy policy forbids one of them (docs/cascade.md), or the tiers are in an order that is not
 * supported (only the first may be of kind gguf). What weir_pool_add refuses is refused here. */
WEIR_API enum weir_status weir_cascade_open(const struct weir_cascade_options *options, struct weir_cascade **out,
                                            struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_cascade_close(struct weir_cascade **cascade);

/* Whether the task's privacy policy allows its tiers; WEIR_ERR_REFUSED names the tier and the policy. */
WEIR_API enum weir_status weir_cascade_check_privacy(const struct weir_task *task,
                                                     struct weir_error *error) WEIR_MUST_USE;

/* All rows of the input. On failure what was decided is in the ledger, and running again goes on from there. */
WEIR_API enum weir_status weir_cascade_run(struct weir_cascade *cascade, struct weir_input *input,
                                           struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_cascade_totals(const struct weir_cascade *cascade, struct weir_cascade_totals *out);

/* Denies this process, and what it starts, every new socket (seccomp), for good. WEIR_ERR_UNSUPPORTED in a build without libseccomp or on a
 * kernel that refuses. */
WEIR_API enum weir_status weir_sandbox_deny_sockets(struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
