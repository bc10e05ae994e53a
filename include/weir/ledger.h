/* The ledger: what was decided, what it cost, and how much may still be spent. One SQLite file.
 *
 * Order: weir_ledger_open; weir_ledger_begin a run (a new one, or the one that was killed); for each row weir_row_keys_next and
 * weir_ledger_find; before a paid call weir_ledger_reserve, after it weir_ledger_settle; weir_ledger_record the row;
 * weir_ledger_finish, weir_ledger_close. Reports, corrections and forgetting: weir/ledger_report.h.
 *
 * Threads: every call that takes a ledger may be made from any thread at any time between open and close. One thread of its own
 * writes to the file: what is recorded waits in a queue for at most 50 ms or 1,000 entries; reserve, begin, finish and flush return when what
 * they ask for is on disk. When a write fails (disk full) nothing of its batch is kept, and every later call returns that failure.
 * Processes: one writes, held by PATH.lock; a second one is WEIR_ERR_REFUSED and told the first one's number. Readers are not held up.
 * Money: whole micro-dollars (1e-6 USD), never negative. A call that was reserved and not settled when its process ended is
 * booked as spent at its reservation by the next open.
 * Texts are UTF-8; those passed in are copied, those given out end in NUL. Keys and hashes are 64 hexadecimal digits and a NUL.
 * Built without SQLite, everything here is WEIR_ERR_UNSUPPORTED. docs/ledger.md has the tables and the invariants. */
#ifndef WEIR_LEDGER_H
#define WEIR_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/gguf.h" /* struct weir_string */
#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEIR_LEDGER_HASH_SIZE = 65,
    WEIR_LEDGER_RESERVE_MAX = 1024,       /* reservations in one call */
    WEIR_LEDGER_OPEN_CALLS_MAX = 1 << 16, /* reserved and not settled, at a time */
    WEIR_LEDGER_NOTE_BYTES_MAX = 256      /* of a settlement's note; longer ones are cut */
};

struct weir_ledger;

struct weir_ledger_options {
    int64_t (*clock_ms)(
        void *context); /* milliseconds since 1970 UTC, called from any thread; NULL: the system's clock */
    void *clock_context;
};

/* Opens the file for writing, made with mode 0600 (and its folder, 0700) when it does not exist. options NULL: the defaults.
 * WEIR_ERR_REFUSED: another process writes it, or it is no ledger; WEIR_ERR_UNSUPPORTED: made by a newer version; WEIR_ERR_FORMAT: damaged. */
WEIR_API enum weir_status weir_ledger_open(const char *path, const struct weir_ledger_options *options,
                                           struct weir_ledger **out, struct weir_error *error) WEIR_MUST_USE;

/* Writes what is queued, books calls that are still open as spent at their reservation, closes. Accepts NULL inside; leaves NULL.
 * Whoever must know that all of it arrived calls weir_ledger_flush before. */
WEIR_API void weir_ledger_close(struct weir_ledger **ledger);

/* Returns when all that was queued before is on disk. */
WEIR_API enum weir_status weir_ledger_flush(struct weir_ledger *ledger, struct weir_error *error) WEIR_MUST_USE;

/* Calls that this open found in flight, of a process that was killed, and booked as spent. */
struct weir_ledger_lost {
    size_t calls;
    int64_t usd_e6;
};
WEIR_API struct weir_ledger_lost weir_ledger_recovered(const struct weir_ledger *ledger);

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

/* What money is counted by. A day is a UTC day; a call belongs to the day of its reservation. The ledger's day never goes back: with a
 * clock that was set back, calls are booked on the latest day that the ledger has seen. A task is counted by its name,
 * whatever its version, in all runs. */
enum weir_limit {
    WEIR_LIMIT_RUN,        /* this run, all its resumptions included */
    WEIR_LIMIT_DAY,        /* this task, this day */
    WEIR_LIMIT_TASK,       /* this task, ever */
    WEIR_LIMIT_LEDGER_DAY, /* all tasks of the file, this day */
    WEIR_LIMITS
};

enum weir_run_mode {
    WEIR_RUN_RESUME, /* the latest unfinished run of the same task hash, source, model and profile; else a new one */
    WEIR_RUN_REOPEN, /* the same, and also a finished one whose outputs were kept */
    WEIR_RUN_NEW     /* a new one; unfinished ones of the same task and source are given up */
};

struct weir_run_options {
    const struct weir_task *task; /* used during the call only; its hash, name, labels and store_bodies are kept */
    const char *source;           /* where the rows come from: an absolute path, or "-" */
    const char *model;            /* fingerprint of the local model; "": none */
    const char *profile;          /* what tells one profile from another (the SHA-256 of its file); "": none */
    enum weir_run_mode mode;
    int64_t limit_usd_e6[WEIR_LIMITS]; /* negative: no such limit */
};

/* Limits of the run and of the day from the task's budget, none otherwise; source "-", no model, no profile, WEIR_RUN_RESUME. */
WEIR_API struct weir_run_options weir_run_options_default(const struct weir_task *task);

struct weir_run_info {
    int64_t run; /* its number, from 1 */
    bool is_resumed;
    size_t rows;                  /* recorded before, queued ones not counted */
    size_t queued;                /* put off: weir_ledger_find says is_decided false for them */
    int64_t spent_usd_e6;         /* by the run so far */
    struct weir_ledger_lost lost; /* of which: calls that were in flight when the run was killed, however often */
};

/* Returns when the run is on disk. Several runs may be open at a time; one run is open once (WEIR_ERR_REFUSED otherwise). */
WEIR_API enum weir_status weir_ledger_begin(struct weir_ledger *ledger, const struct weir_run_options *options,
                                            struct weir_run_info *out, struct weir_error *error) WEIR_MUST_USE;

/* The run has all its rows and its output is where it should be. keep_outputs: the lines of its rows stay, so that WEIR_RUN_REOPEN can
 * rebuild the output; lines that hold text of the message (output_has_text) stay only where the task stores bodies.
 * A run with queued rows stays unfinished; its lines are kept. */
WEIR_API enum weir_status weir_ledger_finish(struct weir_ledger *ledger, int64_t run, bool keep_outputs,
                                             struct weir_error *error) WEIR_MUST_USE;

/* ---- money --------------------------------------------------------------------------------------------------------- */

struct weir_reserve {
    const char *tier;  /* the task's name for it */
    const char *model; /* as the provider names it */
    const char *key;   /* the row's key; NULL: the call is for no row */
    int64_t usd_e6;    /* the most that the call can cost, rounded up */
    uint32_t attempt;  /* of this row at this tier, from 1 */
};

enum weir_refusal {
    WEIR_GRANTED,
    WEIR_REFUSED_RUN, /* the limit that it would pass; the first of them in the order of enum weir_limit */
    WEIR_REFUSED_DAY,
    WEIR_REFUSED_TASK,
    WEIR_REFUSED_LEDGER_DAY,
    WEIR_REFUSED_TIER_CLOSED /* a call of this run and tier cost more than its reservation */
};

struct weir_grant {
    int64_t call; /* to be settled; 0: refused */
    enum weir_refusal refusal;
    int64_t left_usd_e6
        [WEIR_LIMITS]; /* after this reservation; INT64_MAX: no such limit. Below 0 only after a call above its reservation */
};

/* Grants or refuses each request, in order, and returns when the granted ones are on disk: only then may the calls be made. A refusal is no
 * failure. On failure nothing is reserved. One call with many requests costs one write to disk. */
WEIR_API enum weir_status weir_ledger_reserve(struct weir_ledger *ledger, int64_t run,
                                              const struct weir_reserve *requests, size_t count,
                                              struct weir_grant *grants, struct weir_error *error) WEIR_MUST_USE;

/* What is left of each limit of the run, reservations taken off; INT64_MAX: no such limit. */
WEIR_API enum weir_status weir_ledger_left(struct weir_ledger *ledger, int64_t run, int64_t left_usd_e6[WEIR_LIMITS],
                                           struct weir_error *error) WEIR_MUST_USE;

enum weir_call_end {
    WEIR_CALL_SETTLED,  /* the provider told the usage: cost_usd_e6 */
    WEIR_CALL_RELEASED, /* nothing was charged: the reservation is free again */
    WEIR_CALL_UNKNOWN   /* nobody knows (cut stream, timeout): the reservation is charged */
};

struct weir_settlement {
    int64_t call;
    enum weir_call_end end;
    int64_t cost_usd_e6;                           /* of WEIR_CALL_SETTLED */
    uint32_t tokens_in, tokens_cached, tokens_out; /* as told; 0: not told. tokens_in counts the cached ones too */
    double latency_ms;
    const char *note; /* "http 429", "timeout"; NULL: none. Never a key, a header or a body */
};

/* Queues the end of a call. WEIR_ERR_INVALID: the call is not open. A cost above the reservation is booked as it is, closes the tier for the
 * run (also after a resumption), and is told by *is_over (may be NULL) and by the reports. */
WEIR_API enum weir_status weir_ledger_settle(struct weir_ledger *ledger, const struct weir_settlement *settlement,
                                             bool *is_over, struct weir_error *error) WEIR_MUST_USE;

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

/* Makes the keys of a source's rows, in the order of the source: SHA-256 over task hash, source, id, SHA-256 of the text, and
 * how many rows of the same id and text came before, so that a repeated row is a row of its own. One thread at a time. */
struct weir_row_keys;
WEIR_API enum weir_status weir_row_keys_open(const char *task_hash, const char *source, struct weir_row_keys **out,
                                             struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_row_keys_close(struct weir_row_keys **keys);
WEIR_API enum weir_status weir_row_keys_next(struct weir_row_keys *keys, struct weir_string id, struct weir_string text,
                                             char key[WEIR_LEDGER_HASH_SIZE], char input_hash[WEIR_LEDGER_HASH_SIZE],
                                             struct weir_error *error) WEIR_MUST_USE;

enum weir_row_outcome {
    WEIR_ROW_ANSWERED,
    WEIR_ROW_ABSTAINED,
    WEIR_ROW_QUEUED, /* put off: a later record of the same key takes its place */
    WEIR_ROW_ERROR
};

enum weir_verdict {
    WEIR_VERDICT_ACCEPTED,
    WEIR_VERDICT_ABSTAINED,
    WEIR_VERDICT_ESCALATED, /* passed on to the next tier */
    WEIR_VERDICT_CHECK,     /* answered only to watch the tier below; changes nothing */
    WEIR_VERDICT_FAILED     /* no answer of the right shape, or none at all */
};

/* What one tier said to one question. */
struct weir_ledger_decision {
    const char *question;
    const char *tier;
    const char *model;          /* fingerprint of a local model, name of another */
    const char *prompt_version; /* what tells one prompt from another; "": none */
    const char *value;          /* a label's name; NULL for none and for answers in words or fields */
    double probability;         /* NaN: none */
    enum weir_verdict verdict;
    const char *reason; /* "certified", "abstained_below_threshold", "budget_day", ... */
    int64_t cost_usd_e6;
    double latency_ms;
    uint32_t tokens_in, tokens_cached, tokens_out; /* local: fresh + prefix, prefix, generated */
    uint32_t attempts;
};

/* A row and all that was said about it. */
struct weir_ledger_row {
    int64_t run;
    const char *key, *input_hash; /* of weir_row_keys_next */
    struct weir_string id;
    uint64_t line; /* where it begins in its source, from 1; 0: not known */
    enum weir_row_outcome outcome;
    bool is_escalated;   /* the final answer, if there is one, is not the first tier's */
    const char *tier;    /* whose answer it is; "": none */
    const char *reason;  /* of the outcome */
    int64_t cost_usd_e6; /* all attempts and checks */
    int64_t
        frontier_usd_e6; /* estimate of what the row costs where every row goes to the frontier; negative: not known */
    double latency_ms;
    uint32_t attempts;         /* paid calls made for it */
    struct weir_string text;   /* kept only where the task says store_bodies */
    struct weir_string output; /* its line of the output, for rebuilding that; {NULL, 0}: none */
    bool output_has_text;      /* the line holds text of the message, or text made from it */
    const struct weir_ledger_decision
        *decisions; /* in the order they were made; the last of a question that is no check is final */
    size_t n_decisions;
    const struct weir_settlement *settlements; /* calls that end together with the row: both are kept, or neither */
    size_t n_settlements;
};

/* Queues the row. A key that the run already has (and not as queued) keeps its first record: such a repetition is counted by
 * weir_ledger_repeated. WEIR_ERR_INVALID: an unknown run, or a settlement's call is not open; then nothing is queued. */
WEIR_API enum weir_status weir_ledger_record(struct weir_ledger *ledger, const struct weir_ledger_row *row,
                                             struct weir_error *error) WEIR_MUST_USE;
WEIR_API size_t weir_ledger_repeated(struct weir_ledger *ledger);

struct weir_ledger_found {
    bool is_decided; /* recorded, and not as queued */
    int64_t number;  /* of the row in the file (`weir ledger show @N`); 0: not recorded */
    enum weir_row_outcome outcome;
    bool is_escalated;
    int64_t cost_usd_e6;
    char *output; /* its line; owned, NULL: not kept */
    size_t output_size;
    struct weir_ledger_lost lost; /* calls for this row that were in flight at a kill: they are spent */
};
WEIR_API void weir_ledger_found_free(struct weir_ledger_found *found);

/* What the run has of this key; finding nothing is no failure. Sees what is on disk (weir_ledger_flush before, to see one's own). */
WEIR_API enum weir_status weir_ledger_find(struct weir_ledger *ledger, int64_t run, const char *key,
                                           struct weir_ledger_found *out, struct weir_error *error) WEIR_MUST_USE;

/* The same for the latest decided and answered row of the run with the same text: an answer that another row may share. */
WEIR_API enum weir_status weir_ledger_find_same(struct weir_ledger *ledger, int64_t run, const char *input_hash,
                                                struct weir_ledger_found *out, struct weir_error *error) WEIR_MUST_USE;

/* ---- replies of paid tiers ----------------------------------------------------------------------------------------- */

/* SHA-256 over what an identical request is identical in; any of the texts may be "". */
WEIR_API enum weir_status weir_ledger_reply_key(const char *task_hash, const char *tier, const char *model,
                                                const char *prompt_version, const char *question,
                                                const char *input_hash, char key[WEIR_LEDGER_HASH_SIZE],
                                                struct weir_error *error) WEIR_MUST_USE;

/* Queues a reply for later; does nothing where the run's task does not store bodies. A later reply of the same key replaces it. */
WEIR_API enum weir_status weir_ledger_keep_reply(struct weir_ledger *ledger, int64_t run, const char *key,
                                                 const char *input_hash, struct weir_string reply,
                                                 struct weir_error *error) WEIR_MUST_USE;

/* A kept reply into *reply, which the caller frees; NULL when there is none. */
WEIR_API enum weir_status weir_ledger_find_reply(struct weir_ledger *ledger, const char *key, char **reply,
                                                 size_t *size, struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
