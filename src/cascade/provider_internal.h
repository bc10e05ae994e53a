/* Insides shared by the files of the pool: a provider, a job (one submitted request), the pool, and who may touch what.
 *
 * provider.c opens providers and builds bodies, pool.c owns the queues and the thread, transfer.c runs one attempt through libcurl and
 * says what it came to. A job belongs to the pool's thread from submit until its reply is on the `done` list; then to the
 * caller, as the reply. */
#ifndef WEIR_CASCADE_PROVIDER_INTERNAL_H
#define WEIR_CASCADE_PROVIDER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>

#include "cascade/address.h"
#include "cascade/breaker.h"
#include "cascade/said.h"
#include "cascade/sse.h"
#include "cascade/window.h"
#include "cascade/wire.h"

/* What an attempt came to. */
struct verdict {
    enum weir_outcome outcome;
    enum weir_billing billing;
    bool is_retry;          /* another attempt may do better, and this one is not billed */
    bool is_provider_fault; /* counts against its circuit */
    bool is_undecided;      /* says nothing about the provider */
    int64_t retry_after_ms; /* -1: not said */
    long http_status;
    char text[SAID_TEXT_MAX];
};

/* One attempt. Zero between attempts. */
struct transfer {
    CURL *curl;
    size_t sent; /* bytes of the body that libcurl took */
    size_t header_bytes, body_bytes;
    bool is_stream, is_too_large, is_forbidden;
    int64_t retry_after_ms;
    struct sse sse;
    struct strbuf body;
    enum weir_status stream_status; /* of the event reader */
    char message[CURL_ERROR_SIZE];
};

struct job {
    struct weir_reply reply; /* first: the caller's pointer to the reply is one to the job */
    struct job *next;
    struct form form;
    char *text; /* owned: the request's; moves on to the job that repeats this one */
    size_t text_size;
    struct strbuf body;        /* what is sent */
    struct strbuf repeat_body; /* what would be sent to ask again; empty unless reply.may_repeat */
    int64_t cost_max_usd_e6;
    uint32_t deadline_ms;
    bool is_repeat;
    unsigned attempts; /* of this submit */
    int64_t submitted_ms, deadline_at_ms, ready_at_ms, sent_at_ms;
    uint64_t tokens; /* taken from the limit per minute at sent_at_ms */
    struct verdict last;
    struct transfer transfer;
    struct said said; /* owns what reply.answers points to */
};

struct job_list {
    struct job *first, *last;
};

struct weir_provider {
    struct weir_provider *next; /* set once, before the provider is in the pool's list */
    struct weir_pool *pool;
    const struct weir_task *task;
    const struct weir_tier_spec *tier;
    const struct wire *wire;
    struct weir_price price;
    struct address address;
    char *key;                  /* owned, wiped; NULL: none */
    struct curl_slist *headers; /* owned, wiped: the key is in them */
    struct form_schema schemas[WEIR_TASK_QUESTIONS_MAX];
    /* the pool's thread only: */
    struct job_list waiting; /* not yet attempted, in the order they came */
    struct job_list held;    /* waiting for another attempt; each holds its place of `active` */
    uint32_t active;         /* held, or on the wire */
    struct breaker breaker;
    struct window requests, tokens;
    int64_t paused_until_ms; /* the server asked for it */
    int64_t wake_ms;         /* when the limits let something through; INT64_MAX: nothing waits for them */
    /* any thread: */
    atomic_int circuit;
};

struct weir_pool {
    struct weir_pool_options options; /* ca_file is `ca_file` */
    char *ca_file;                    /* owned; NULL: the system's certificates */
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_done; /* on the monotonic clock */
    /* under the lock: */
    struct weir_provider *providers; /* newest first */
    struct job_list submitted, done;
    size_t in_flight; /* submitted, and the reply not fetched */
    bool is_stopping, is_cancelling;
    /* the thread only: */
    struct weir_provider *known; /* `providers` as of the last look */
    struct job *on_wire;         /* transfers under way, linked by `next` */
    uint64_t random;
};

/* ---- provider.c ---- */

/* The job of a request with its body, or what is wrong with it. */
enum weir_status job_make(const struct weir_request *request, struct job **out, struct weir_error *error) WEIR_MUST_USE;
/* repeat_body of a finished job; false: no memory. */
bool job_prepare_repeat(struct job *job);
/* The job that asks again; what it needs of `job` moves over. NULL without memory. */
struct job *job_repeat(struct job *job);
void job_free(struct job *job); /* accepts NULL */
void provider_free(struct weir_provider *provider);

/* ---- transfer.c ---- */

/* Hands an attempt to libcurl; false: no memory. */
bool transfer_start(struct weir_pool *pool, struct job *job, int64_t now_ms);
/* Takes what libcurl says of it; fills job->said when it was answered. */
struct verdict transfer_end(struct job *job, CURLcode code);
/* Takes it out of libcurl's hands, finished or not. */
void transfer_drop(struct weir_pool *pool, struct job *job);

#endif
