/* Providers: tiers that are asked over HTTP, be it a frontier API or a server on this machine.
 *
 * Order of calls: weir_prices_open; weir_pool_open; weir_pool_add for each tier that is not `gguf`; then any number of weir_pool_submit
 * and weir_pool_next; weir_pool_close. The pool has one thread of its own, which runs all transfers (libcurl multi), their limits,
 * waits and repetitions. It never calls into the caller: answers are fetched by weir_pool_next. All calls on a pool are thread-safe
 * except weir_pool_close, after which nothing of the pool may be used. Tasks and prices must outlive the pool.
 *
 * Money: one submit is billed at most once. What is repeated without asking is only what the provider says it does not bill (no
 * connection, 429, 5xx, 529). A reply that came and was no answer, or may have come, ends the request; `may_repeat` then says that
 * weir_pool_repeat would ask once more, at a price of its own. So: reserve weir_request_cost_max, submit, settle with
 * weir_reply.cost_usd_e6, or with the reservation when `billing` is WEIR_BILLING_UNKNOWN.
 *
 * Secrets: keys are read when a provider is added, live only in the pool, are wiped at close and stand in no error, log or reply.
 * Wire formats, limits and what each fault ends in: docs/providers.md. */
#ifndef WEIR_PROVIDER_H
#define WEIR_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEIR_PROVIDER_TEXT_BYTES_MAX = 8 << 20,  /* of a request's text */
    WEIR_PROVIDER_REPLY_BYTES_MAX = 16 << 20 /* of a reply, headers and stream included */
};

/* ---- prices and costs: pure, no network, also in a build without libcurl ---- */

/* Tokens of one call as the provider counted them. */
struct weir_usage {
    bool is_known;       /* false: it said nothing that can be read; the counts are 0 */
    int64_t input;       /* read at the full price: neither `cached` nor `cache_write` */
    int64_t cached;      /* read from the provider's cache */
    int64_t cache_write; /* written into it */
    int64_t output;
};

struct weir_prices; /* a dated table: kind and model to price */

/* `path` NULL: the table this weir was built with (share/prices.json). A model there twice, a number with more than six decimals, an
 * unknown key are errors. */
WEIR_API enum weir_status weir_prices_open(const char *path, struct weir_prices **out,
                                           struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_prices_close(struct weir_prices **prices);
WEIR_API const char *weir_prices_date(const struct weir_prices *prices); /* "2026-11-23" */
/* NULL: unknown; nothing is guessed. */
WEIR_API const struct weir_price *weir_prices_find(const struct weir_prices *prices, enum weir_tier_kind kind,
                                                   const char *model);
/* The tier's own price, else the table's. WEIR_ERR_NOT_FOUND, with what to write into the task, when neither has one. A gguf tier costs
 * nothing. */
WEIR_API enum weir_status weir_tier_price(const struct weir_tier_spec *tier, const struct weir_prices *prices,
                                          struct weir_price *out, struct weir_error *error) WEIR_MUST_USE;

/* Micro-dollars of one call, rounded up once; INT64_MAX when the sum is beyond it. `usage` must be known. */
WEIR_API int64_t weir_price_cost(const struct weir_price *price, const struct weir_usage *usage);
/* The most that a call with so many bytes of request body and so many tokens of output can cost: a token a byte, at the dearest of
 * the input prices. */
WEIR_API int64_t weir_price_cost_max(const struct weir_price *price, size_t request_bytes, uint32_t output_tokens_max);

/* ---- the pool and its providers ---- */

struct weir_pool;
struct weir_provider; /* a tier of a task, owned by its pool */

struct weir_pool_options {
    bool
        loopback_only; /* refuses every address that is not of this host, as resolved, and every proxy (privacy.egress: never) */
    const char *ca_file; /* PEM certificates to trust in place of the system's; NULL: the system's */
    uint32_t connect_timeout_ms;
    uint32_t attempts_max; /* of one submit; repetitions after unbilled failures included */
    uint32_t
        backoff_ms; /* the first wait is uniform in 0..backoff_ms, each further range twice as wide (full jitter) */
    uint32_t backoff_max_ms;   /* the widest range */
    uint32_t breaker_failures; /* so many failures in a row open a provider's circuit */
    uint32_t breaker_wait_ms;  /* then one request in so long tries whether it is back (half open) */
    uint64_t seed;             /* of the jitter; 0: from the system */
};

/* 10 s to connect, 6 attempts, waits from 500 ms to 30 s, circuit opened by 5 failures for 15 s. */
WEIR_API struct weir_pool_options weir_pool_options_defaults(void);

/* WEIR_ERR_UNSUPPORTED in a build without libcurl. `options` NULL: the defaults. */
WEIR_API enum weir_status weir_pool_open(const struct weir_pool_options *options, struct weir_pool **out,
                                         struct weir_error *error) WEIR_MUST_USE;
/* Ends what is in flight (its billing is then unknown to the caller: weir_pool_cancel first) and frees everything but fetched
 * replies. Accepts NULL and a NULL pool. */
WEIR_API void weir_pool_close(struct weir_pool **pool);

/* Opens tier `tier` of `task`: address, policy, key, price. WEIR_ERR_REFUSED: the address is not allowed; WEIR_ERR_NOT_FOUND: no price,
 * or no key; WEIR_ERR_UNSUPPORTED: a question this kind of tier cannot answer (decisions and systemone know labels only). */
WEIR_API enum weir_status weir_pool_add(struct weir_pool *pool, const struct weir_task *task, size_t tier,
                                        const struct weir_prices *prices, struct weir_provider **out,
                                        struct weir_error *error) WEIR_MUST_USE;

WEIR_API const struct weir_price *weir_provider_price(const struct weir_provider *provider);
WEIR_API bool weir_provider_is_loopback(const struct weir_provider *provider); /* by its address as written */
enum weir_circuit { WEIR_CIRCUIT_CLOSED, WEIR_CIRCUIT_OPEN, WEIR_CIRCUIT_HALF_OPEN };
WEIR_API enum weir_circuit weir_provider_circuit(const struct weir_provider *provider);

/* ---- a request ---- */

/* Questions with labels (choice, score, yesno, route) may be asked together; an extract, summarize or generate question is asked
 * alone. */
struct weir_request {
    struct weir_provider *provider;
    const size_t *questions; /* indices into the task; NULL: all of them */
    size_t n_questions;
    const char *text; /* UTF-8, not empty */
    size_t text_size;
    uint32_t
        deadline_ms; /* from the first attempt to the last; 0: the tier's timeout_ms. Waiting for a turn does not count. */
    void *user;      /* handed back with the reply */
};

/* The most this request can cost: what to reserve before weir_pool_submit. Also checks the request, as submit does. */
WEIR_API enum weir_status weir_request_cost_max(const struct weir_request *request, int64_t *usd_e6,
                                                struct weir_error *error) WEIR_MUST_USE;

/* Copies what it needs of the request. On success exactly one reply will come for it. Never waits. */
WEIR_API enum weir_status weir_pool_submit(struct weir_pool *pool, const struct weir_request *request,
                                           struct weir_error *error) WEIR_MUST_USE;

/* code, name, what it means */
#define WEIR_OUTCOME_MAP(X)                                                                              \
    X(ANSWERED, "answered", "answered")                                                                  \
    X(REFUSED, "refused", "the model declined to answer")                                                \
    X(LENGTH, "length", "the answer was longer than max_tokens")                                         \
    X(WRONG_SHAPE, "wrong_shape", "the answer does not fit the question")                                \
    X(BAD_REPLY, "bad_reply", "the reply cannot be read")                                                \
    X(CUT, "cut", "the connection ended inside the reply")                                               \
    X(TIMEOUT, "timeout", "no answer in time")                                                           \
    X(LIMITED, "limited", "the provider's rate limit")                                                   \
    X(UNAVAILABLE, "unavailable", "the provider failed or is overloaded")                                \
    X(UNREACHABLE, "unreachable", "no connection")                                                       \
    X(UNTRUSTED, "untrusted", "the server's certificate was not accepted")                               \
    X(UNAUTHORISED, "unauthorised", "the key was not accepted")                                          \
    X(REJECTED, "rejected", "the provider does not accept the request")                                  \
    X(FORBIDDEN, "forbidden", "the address is not of this host, or the server redirects to another one") \
    X(TOO_LARGE, "too_large", "the reply is larger than the limit")                                      \
    X(DOWN, "down", "not asked: the provider failed repeatedly and is left alone for a while")           \
    X(CANCELLED, "cancelled", "cancelled by the caller")                                                 \
    X(NO_MEMORY, "no_memory", "out of memory")

enum weir_outcome {
#define WEIR_OUTCOME_ENUM(upper, lower, text) WEIR_OUTCOME_##upper,
    WEIR_OUTCOME_MAP(WEIR_OUTCOME_ENUM)
#undef WEIR_OUTCOME_ENUM
};
WEIR_API const char *weir_outcome_name(enum weir_outcome outcome); /* "wrong_shape" */
WEIR_API const char *weir_outcome_text(enum weir_outcome outcome);

enum weir_billing {
    WEIR_BILLING_NONE,   /* it was not sent, or the provider said that it failed: cost 0 */
    WEIR_BILLING_KNOWN,  /* usage.is_known; cost_usd_e6 is what it cost */
    WEIR_BILLING_UNKNOWN /* it may have been answered: charge the reservation (cost_usd_e6 repeats it) */
};

/* One question's answer. */
struct weir_provider_answer {
    size_t question;   /* index into the task */
    const char *value; /* the label's name; extract: JSON; summarize, generate: the text; multi: "" */
    size_t value_size;
    size_t label;       /* index of the label; SIZE_MAX: the question has none, or multi */
    double probability; /* of `label`, as the provider gave it, not calibrated; -1: it gave none */
    double expectation; /* score: the levels' values weighted by their probabilities, or the level's own value */
    const double *probabilities; /* of each label (multi: each on its own); NULL: not given */
    const bool *is_chosen;       /* multi: of each label; NULL otherwise */
};

struct weir_reply {
    void *user;
    struct weir_provider *provider;
    enum weir_outcome outcome;
    char text[256];   /* what happened, in words, without keys; "" when answered */
    long http_status; /* of the last attempt; 0: none came */
    size_t n_answers; /* the request's questions in its order; 0 unless answered */
    const struct weir_provider_answer *answers;
    struct weir_usage usage;
    enum weir_billing billing;
    int64_t cost_usd_e6;
    uint32_t attempts;   /* sent, including those of the replies this one repeats */
    uint32_t latency_ms; /* from submit to here */
    uint32_t wait_ms;    /* of these: before the first attempt, for a turn or the limits */
    bool
        may_repeat; /* weir_pool_repeat would ask again, once: a wrong shape (with the error), a bad, cut or late reply */
};

/* The next reply, in the order they end; the caller frees it by weir_reply_free, before or after weir_pool_close. *out NULL: none within
 * timeout_ms (0: does not wait; UINT32_MAX: without limit, as long as something is in flight), or nothing is in flight. */
WEIR_API enum weir_status weir_pool_next(struct weir_pool *pool, uint32_t timeout_ms, struct weir_reply **out,
                                         struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_reply_free(struct weir_reply **reply);

/* Asks once more for a reply with may_repeat: the most it can cost, and the submit. The reply stays the caller's. */
WEIR_API int64_t weir_repeat_cost_max(const struct weir_reply *reply);
WEIR_API enum weir_status weir_pool_repeat(struct weir_pool *pool, struct weir_reply *reply,
                                           struct weir_error *error) WEIR_MUST_USE;

WEIR_API size_t weir_pool_in_flight(struct weir_pool *pool); /* submitted, reply not fetched */
/* Everything in flight ends as WEIR_OUTCOME_CANCELLED, with its billing, as soon as weir_pool_next is called. */
WEIR_API void weir_pool_cancel(struct weir_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
