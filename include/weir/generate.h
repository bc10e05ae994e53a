/* Generating text: sampling tokens one after the other, for one sequence or several at once.
 *
 * Order: weir_session_open (weir/engine.h), a request with the prompt's ids, weir_generate, weir_generation_free. The session then
 * holds the prompt and what was generated, so that the next request need only bring what is new.
 * Several sequences share every forward pass (a step of n sequences is one matrix product); each one's result is the same as if it
 * had run alone, at any number of threads. The same request gives the same text, to the bit, at one CPU level.
 *
 * Steps of a choice, in this order (docs/generate.md has the sources):
 *   1. logits that are not numbers count as minus infinity, plus infinity as the largest float
 *   2. log-probabilities are read, where asked for: log softmax of these logits, the model's own distribution
 *   3. filter (ids that may not come become minus infinity), then logit bias (added)
 *   4. repetition penalty, then presence and frequency penalty
 *   5. temperature 0: the highest logit, of equals the lowest id. Otherwise
 *   6. top-k, top-p (of the sum over what top-k kept), min-p (relative to the best): each keeps the best ones, at least one
 *   7. temperature, softmax over what is kept, and one draw from the seeded generator
 *
 * Random numbers: xoshiro256** 1.0 (Blackman and Vigna, 2018), its state four outputs of splitmix64 from the seed; a draw is the
 * upper 53 bits of one output over 2^53, and walks the kept tokens from the most to the least probable. One draw a token. */
#ifndef WEIR_GENERATE_H
#define WEIR_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/engine.h"
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits; a request beyond one is WEIR_ERR_LIMIT. */
enum {
    WEIR_GENERATE_SEQUENCES_MAX = 64, /* at once */
    WEIR_GENERATE_STOPS_MAX = 64,
    WEIR_GENERATE_STOP_BYTES_MAX = 1024,
    WEIR_SAMPLING_WINDOW_MAX = 65536,
    WEIR_GENERATE_TOP_MAX = 100 /* alternatives reported for a token */
};

struct weir_logit_bias {
    int32_t id;
    float bias; /* added to the logit; minus infinity forbids the token */
};

struct weir_sampling {
    double temperature; /* 0: always the best token */
    uint32_t top_k;     /* 0: off */
    double top_p;       /* above 0, at most 1; 1: off */
    double min_p;       /* 0 (off) to below 1 */
    double
        repeat_penalty; /* above 0; 1: off. Tokens of the window: logit / penalty when positive, * penalty otherwise */
    double presence_penalty;  /* 0: off. Subtracted once from tokens generated within the window */
    double frequency_penalty; /* 0: off. Subtracted as often as the token was generated within the window */
    uint32_t
        penalty_window; /* last tokens of the sequence the penalties look at; the prompt's count for repeat_penalty only */
    const struct weir_logit_bias *bias; /* [n_bias], the caller's for the call */
    size_t n_bias;
    uint64_t seed;
};

/* Greedy, everything off, a window of 64, seed 0. */
WEIR_API struct weir_sampling weir_sampling_default(void);

/* What a grammar or schema lets come next. `mask` sets the bit (id & 31) of bits[id >> 5] of every token that may come, all of which
 * are 0 before; `accept` is told which came. The end-of-generation tokens count like all others. */
struct weir_token_filter {
    enum weir_status (*mask)(void *context, uint32_t *bits, size_t n_vocab, struct weir_error *error);
    enum weir_status (*accept)(void *context, int32_t id, struct weir_error *error);
    void *context;
};

struct weir_generate_request {
    struct weir_session *session; /* goes on where it stands */
    const int32_t *ids;           /* [count], at least one: evaluated first */
    size_t count;
    struct weir_sampling sampling;
    uint32_t max_tokens;             /* 0: until the context is full */
    const struct weir_string *stops; /* [n_stops] UTF-8: the text ends before the first of them that appears */
    size_t n_stops;
    bool logprobs;                          /* report the log-probability of each token */
    uint32_t n_top;                         /* and of this many most probable ones */
    const struct weir_token_filter *filter; /* NULL: none */
};

/* Told while it runs; NULL members are not called. Either returns false to end: a sequence, or all of them. */
struct weir_generate_watch {
    /* Text that is settled: whole characters, nothing that may yet turn out to be part of a stop string. The pieces of one sequence
     * put together are its text. */
    bool (*on_text)(void *context, size_t sequence, const char *text, size_t size);
    bool (*go_on)(void *context); /* asked before every forward pass */
    void *context;
};

enum weir_finish {
    WEIR_FINISH_STOP,     /* an end-of-generation token or a stop string */
    WEIR_FINISH_LENGTH,   /* max_tokens */
    WEIR_FINISH_CONTEXT,  /* the context is full */
    WEIR_FINISH_CANCELLED /* by the watch */
};
WEIR_API const char *weir_finish_name(enum weir_finish finish); /* "stop", "length", "context", "cancelled" */

struct weir_token_logprob {
    int32_t id;
    double logprob; /* natural logarithm */
};

/* One sequence's result; free it with weir_generation_free. */
struct weir_generation {
    char *text; /* owned: valid UTF-8 (other bytes are U+FFFD), NUL after `size` bytes; never NULL on success */
    size_t size;
    int32_t *ids;     /* [count], owned: without the end-of-generation token; with those of a stop string */
    double *logprobs; /* [count], owned; NULL unless asked for */
    struct weir_token_logprob *top; /* [count, n_top], owned, best first; NULL unless asked for */
    size_t count;
    size_t n_top;
    enum weir_finish finish;
    size_t stop_index;     /* of the stop string that ended it; n_stops: none did */
    size_t prompt_tokens;  /* evaluated for this request before the first token */
    double prompt_seconds; /* until the first token was chosen */
    double decode_seconds; /* from then to the end; the other sequences of the call ran in it too */
};

/* results: [count], overwritten. Requests have sessions of one engine, each its own. On failure results hold nothing; sessions
 * may hold part of the new tokens. A prompt that does not fit the context is WEIR_ERR_TOO_LONG before anything is computed. */
WEIR_API enum weir_status weir_generate(const struct weir_generate_request *requests, size_t count,
                                        const struct weir_generate_watch *watch, struct weir_generation *results,
                                        struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_generation_free(struct weir_generation *result); /* accepts a zeroed one */

/* exp of the mean log-probability of the tokens: the geometric mean of their probabilities, a measure of how sure the model was
 * of its words. It is not calibrated: it does not say how often such an answer is right. 0 without tokens or logprobs. */
WEIR_API double weir_generation_confidence(const struct weir_generation *result);

#ifdef __cplusplus
}
#endif
#endif
