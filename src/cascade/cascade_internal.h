/* Insides of a cascade, shared by its files.
 *
 *   rows.c      a row of the window: its steps and their answers
 *   cascade.c   opening, windows, the local tier
 *   ask.c       what is passed on: candidates, reservations, calls, replies
 *   finish.c    how a row ends: its line, its record in the ledger
 *
 * A row of the window is in one of these states:
 *
 *     NEW --local, gate--> FINAL                       accepted, abstained, error, or taken from the ledger
 *     NEW --local, gate--> CANDIDATE --granted--> ASKED --answered--> FINAL
 *                              ^    --refused--> FINAL (exhausted)
 *                              '---- failed, next tier -------'
 *
 * An accepted row that is to be checked is a candidate of the check kind; whatever comes of it, it ends as accepted. */
#ifndef WEIR_CASCADE_INTERNAL_H
#define WEIR_CASCADE_INTERNAL_H

#include "weir/cascade.h"

enum { CASCADE_WINDOW_DEFAULT = 4096, CASCADE_REQUESTS_MAX = WEIR_TASK_QUESTIONS_MAX };

enum row_state { ROW_NEW, ROW_CANDIDATE, ROW_ASKED, ROW_FINAL };

/* What a tier said to all questions. */
struct answers {
    bool is_set;
    struct weir_decision *decisions; /* [questions], owned; probabilities point into `probabilities` or are NULL */
    struct weir_words *words;        /* [questions], owned */
    double *probabilities;           /* [all labels], owned */
};

/* One entry of the row's history; becomes a weir_ledger_decision for each question. */
struct step {
    size_t tier;
    enum weir_verdict verdict;
    char reason[WEIR_CASCADE_REASON_MAX];
    struct answers answers; /* is_set false: there were none */
    int64_t cost_usd_e6;
    double latency_ms;
    uint32_t tokens_in, tokens_cached, tokens_out, attempts;
};

struct row {
    enum row_state state;
    const struct weir_row *in;
    char key[WEIR_LEDGER_HASH_SIZE], hash[WEIR_LEDGER_HASH_SIZE];
    struct weir_judgement judgement;
    struct weir_ledger_lost lost; /* calls of it that were in flight at a kill */
    struct step *steps;           /* [n_steps], owned: in the order they were made */
    size_t n_steps;
    /* while asked */
    bool is_check;
    size_t tier;
    size_t pending;            /* requests without a reply */
    enum weir_outcome outcome; /* of the first request that failed; ANSWERED: none did */
    struct weir_settlement
        *settlements; /* [n_settlements], owned: of the calls that ended, not yet given to the ledger */
    size_t n_settlements;
    /* when final */
    enum weir_row_outcome end;
    char *line; /* owned */
    size_t line_size;
};

/* A row that is to be asked of a tier. */
struct candidate {
    size_t row, tier;
    bool is_check;
    double worth;
    int64_t cost_max; /* of all its requests */
};

/* A request in flight: the user pointer of the pool. */
struct call {
    struct row *row;
    int64_t number; /* of the reservation */
    int64_t reserved_usd_e6;
    bool is_repeated;
    enum weir_outcome first_outcome; /* when it is repeated */
};

struct tier {
    const struct weir_tier_spec *spec;
    struct weir_provider *provider; /* NULL: gguf */
    size_t n_requests;
    size_t questions[CASCADE_REQUESTS_MAX][WEIR_TASK_QUESTIONS_MAX]; /* of each request */
    size_t n_questions[CASCADE_REQUESTS_MAX];
    double actual_usd_e6, estimated_usd_e6; /* of the calls that were settled, for correcting estimates */
};

struct weir_cascade {
    struct weir_cascade_options o;
    size_t questions, labels, n_tiers; /* labels: of all questions */
    struct tier tiers[WEIR_TASK_TIERS_MAX];
    struct weir_acceptance acceptance;
    struct weir_row_keys *keys;
    struct weir_rows input; /* of the window */
    struct row *rows;       /* [window], their answers owned */
    size_t window, n_rows;
    struct candidate *candidates; /* owned; best first when is_sorted */
    size_t n_candidates, candidates_capacity;
    bool is_sorted;
    size_t unjudged; /* rows of the window that the local tier has not answered */
    int64_t cost_max_seen;
    struct weir_cascade_totals totals;
    /* buffers of a batch */
    size_t batch;
    size_t *batch_rows;
    struct weir_string *texts;
    struct weir_decision *decisions;
    struct weir_words *words;
    double *probabilities;
};

/* ---- rows.c ---- */

/* A step behind the others, NULL without memory. It moves when another is added. */
struct step *cascade_row_step(struct row *row, size_t tier, enum weir_verdict verdict, const char *reason);
/* Room for the answers to all questions, zeroed: no probabilities yet. */
enum weir_status cascade_answers_open(const struct weir_cascade *c, struct answers *answers) WEIR_MUST_USE;
/* Takes over the words, copies the rest. */
enum weir_status cascade_answers_take(const struct weir_cascade *c, struct answers *answers,
                                      const struct weir_decision *decisions, struct weir_words *words) WEIR_MUST_USE;
void cascade_row_clear(const struct weir_cascade *c, struct row *row);
/* The step whose answers are the row's own: the last that is no check and has answers; NULL: none. */
const struct step *cascade_row_answer(const struct row *row);

/* ---- ask.c ---- */

/* Puts the row among the candidates. */
enum weir_status cascade_ask_add(struct weir_cascade *c, struct row *row, size_t tier, bool is_check, double worth,
                                 struct weir_error *error) WEIR_MUST_USE;
/* Asks for what there is money and room for, and takes replies. `is_last`: no more candidates will come from the gate, so what is not
 * granted while nothing is in flight is refused for good; returns when nothing is left to ask or wait for. */
enum weir_status cascade_ask_pump(struct weir_cascade *c, bool is_last, struct weir_error *error) WEIR_MUST_USE;
/* Ends what is in flight and settles it, after a failure. */
void cascade_ask_cancel(struct weir_cascade *c);
/* Whether the budget covers all that could still be asked in this window. */
enum weir_status cascade_ask_is_ample(struct weir_cascade *c, bool *out, struct weir_error *error) WEIR_MUST_USE;
enum weir_status cascade_ask_tier_open(struct weir_cascade *c, size_t tier, struct weir_error *error) WEIR_MUST_USE;
int64_t cascade_ask_estimate(const struct weir_cascade *c, size_t tier, int64_t cost_max);
enum weir_status cascade_ask_cost_max(struct weir_cascade *c, const struct row *row, size_t tier, int64_t *out,
                                      struct weir_error *error) WEIR_MUST_USE;

/* ---- finish.c ---- */

/* The row ends: reason as its line has it; its line is made and it is recorded. */
enum weir_status cascade_finish_row(struct weir_cascade *c, struct row *row, enum weir_row_outcome end,
                                    const char *reason, struct weir_error *error) WEIR_MUST_USE;
/* The same for a row that cannot be answered at all. */
enum weir_status cascade_finish_error(struct weir_cascade *c, struct row *row, enum weir_status code, const char *text,
                                      struct weir_error *error) WEIR_MUST_USE;

#endif
