/* One sequence of a generation: what it evaluates next, how it chooses, and its text so far. generate.c runs many of them. */
#ifndef WEIR_ENGINE_SEQUENCE_H
#define WEIR_ENGINE_SEQUENCE_H

#include "base/strbuf.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "engine/stops.h"

struct sequence {
    const struct weir_generate_request *request; /* the caller's */
    const struct weir_generate_watch *watch;     /* may be NULL */
    size_t index;
    struct weir_session *session;
    const int32_t *pending; /* [n_pending] evaluated next: the rest of the request's ids, or `chosen` */
    size_t n_pending;
    int32_t chosen;

    struct sampler sampler;
    struct weir_tokens history; /* the timeline with what is pending and chosen; kept where penalties look at it */
    size_t n_prompt;            /* tokens of it that were not generated */
    float *raw;     /* [n_vocab] the model's logits, where log-probabilities are read and the sampler changes them */
    uint32_t *bits; /* [n_vocab / 32, rounded up], with a filter */
    enum weir_status status; /* of the last choice, with its text */
    struct weir_error error;

    struct stops stops;
    struct weir_decoder *decoder; /* owned */
    struct strbuf text;           /* decoded, with what is held back */
    size_t shown;                 /* bytes of it that the watch was told */
    struct weir_tokens out;
    double *logprobs;               /* [out.capacity] */
    struct weir_token_logprob *top; /* [out.capacity, n_top] */
    size_t probability_room;        /* tokens that fit logprobs and top */

    bool is_done;
    enum weir_finish finish;
    size_t stop_index;
};

/* Checks what can be checked before anything is computed; makes room for the request's ids in the session. sequence_close also after a
 * failure. */
enum weir_status sequence_open(const struct weir_generate_request *request, size_t index,
                               const struct weir_generate_watch *watch, struct sequence *out,
                               struct weir_error *error) WEIR_MUST_USE;
void sequence_close(struct sequence *sequence); /* accepts a zeroed one */

/* A choice is three calls: `ready` on the caller's thread, `choose` on any thread, `settle` on the caller's again.
 * logits: [n_vocab] after the last pending token; changed. */
enum weir_status sequence_ready(struct sequence *sequence, struct weir_error *error) WEIR_MUST_USE;
void sequence_choose(struct sequence *sequence, float *logits); /* sets sequence->status */
enum weir_status sequence_settle(struct sequence *sequence, struct weir_error *error) WEIR_MUST_USE;

/* Ends it and shows what was held back. */
enum weir_status sequence_finish(struct sequence *sequence, enum weir_finish reason,
                                 struct weir_error *error) WEIR_MUST_USE;

/* Moves text, ids and probabilities to *result. */
enum weir_status sequence_result(struct sequence *sequence, struct weir_generation *result,
                                 struct weir_error *error) WEIR_MUST_USE;

#endif
