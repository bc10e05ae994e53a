/* The pool: its thread, its queues, and when what is sent.
 *
 * A job: submitted -> waiting (of its provider) -> on the wire -> done -> fetched
 *                                         ^            |
 *                                         +--- held <--+   an unbilled failure, and time left for another attempt
 *
 * A provider's `active` counts the held and those on the wire, so that an outage does not draw all waiting jobs into their attempts.
 * The thread sleeps in curl_multi_poll; submit, cancel and close wake it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "cascade/provider_internal.h"
#include "cascade/retry.h"

enum { TRIAL_TICK_MS = 50, POLL_MS_MAX = 60000, CONNECTION_IDLE_S = 60 };

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- lists --------------------------------------------------------------------------------------------------------- */

static void push(struct job_list *list, struct job *job)
{
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static struct job *pop(struct job_list *list)
{
    struct job *job = list->first;
    if (!job) return NULL;
    list->first = job->next;
    if (!list->first) list->last = NULL;
    job->next = NULL;
    return job;
}

static void unlink_from_wire(struct weir_pool *pool, struct job *job)
{
    struct job **at = &pool->on_wire;
    while (*at != job) at = &(*at)->next;
    *at = job->next;
    job->next = NULL;
}

/* ---- the end of a job ---------------------------------------------------------------------------------------------- */

static bool may_repeat(const struct job *job, enum weir_outcome outcome)
{
    return !job->is_repeat && (outcome == WEIR_OUTCOME_WRONG_SHAPE || outcome == WEIR_OUTCOME_BAD_REPLY ||
                               outcome == WEIR_OUTCOME_CUT || outcome == WEIR_OUTCOME_TIMEOUT);
}

static int64_t cost_of(const struct job *job, const struct verdict *v)
{
    if (v->billing == WEIR_BILLING_NONE) return 0;
    if (v->billing == WEIR_BILLING_UNKNOWN) return job->cost_max_usd_e6;
    return weir_price_cost(&job->reply.provider->price, &job->said.usage);
}

/* Fills the reply from the last verdict and hands it over. The job is the caller's from here on. */
static void finish(struct weir_pool *pool, struct job *job, int64_t now)
{
    struct weir_reply *reply = &job->reply;
    const struct verdict *v = &job->last;
    bool is_answered = v->outcome == WEIR_OUTCOME_ANSWERED;
    reply->outcome = v->outcome;
    memcpy(reply->text, v->text, sizeof reply->text);
    reply->http_status = v->http_status;
    reply->n_answers = is_answered ? job->form.n_questions : 0;
    reply->answers = is_answered ? job->said.answers : NULL;
    reply->billing = v->billing;
    if (v->billing == WEIR_BILLING_KNOWN) reply->usage = job->said.usage;
    reply->cost_usd_e6 = cost_of(job, v);
    reply->latency_ms = (uint32_t)(now - job->submitted_ms);
    reply->may_repeat = may_repeat(job, v->outcome) && job_prepare_repeat(job);
    (void)pthread_mutex_lock(&pool->lock);
    push(&pool->done, job);
    (void)pthread_cond_signal(&pool->is_done);
    (void)pthread_mutex_unlock(&pool->lock);
}

static void finish_unsent(struct weir_pool *pool, struct job *job, enum weir_outcome outcome, const char *text,
                          int64_t now)
{
    if (!job->attempts || outcome == WEIR_OUTCOME_CANCELLED || outcome == WEIR_OUTCOME_NO_MEMORY) {
        job->last = (struct verdict){.outcome = outcome, .http_status = job->last.http_status};
        (void)snprintf(job->last.text, sizeof job->last.text, "tier %.60s: %s", job->form.tier->name, text);
    } /* else the failure before says more */
    finish(pool, job, now);
}

/* ---- attempts ------------------------------------------------------------------------------------------------------ */

static void show_circuit(struct weir_provider *provider)
{
    atomic_store(&provider->circuit, (int)provider->breaker.circuit);
}

/* Input at three bytes a token, which is seldom too little, and all the output there may be; corrected when the usage is known. */
static uint64_t tokens_of(const struct job *job)
{
    return job->body.size / 3 + job->form.tier->max_tokens;
}

/* The job holds a place of `active` already. */
static void start(struct weir_pool *pool, struct job *job, int64_t now)
{
    struct weir_provider *provider = job->reply.provider;
    if (!job->attempts) {
        job->deadline_at_ms = now + job->deadline_ms;
        job->reply.wait_ms = (uint32_t)(now - job->submitted_ms);
    }
    if (!transfer_start(pool, job, now)) {
        breaker_undecided(&provider->breaker);
        provider->active--;
        finish_unsent(pool, job, WEIR_OUTCOME_NO_MEMORY, "no memory for the request", now);
        return;
    }
    job->attempts++;
    job->reply.attempts++;
    job->sent_at_ms = now;
    job->tokens = tokens_of(job);
    window_add(&provider->requests, now, 1);
    window_add(&provider->tokens, now, job->tokens);
    job->next = pool->on_wire;
    pool->on_wire = job;
}

static void note_verdict(struct weir_provider *provider, const struct job *job, const struct verdict *v, int64_t now)
{
    if (v->is_undecided)
        breaker_undecided(&provider->breaker);
    else if (v->is_provider_fault)
        breaker_failed(&provider->breaker, now);
    else
        breaker_succeeded(&provider->breaker);
    show_circuit(provider);
    if (v->billing == WEIR_BILLING_KNOWN) {
        const struct weir_usage *u = &job->said.usage;
        window_correct(&provider->tokens, job->sent_at_ms, job->tokens,
                       (uint64_t)u->input + (uint64_t)u->cached + (uint64_t)u->cache_write + (uint64_t)u->output);
    }
    if (v->billing == WEIR_BILLING_NONE) window_correct(&provider->tokens, job->sent_at_ms, job->tokens, 0);
    bool is_pause = v->retry_after_ms >= 0 && v->http_status != 200;
    if (is_pause && now + v->retry_after_ms > provider->paused_until_ms)
        provider->paused_until_ms = now + v->retry_after_ms;
}

/* Whether another attempt fits; if so when. */
static bool plan_retry(struct weir_pool *pool, struct job *job, int64_t now)
{
    const struct verdict *v = &job->last;
    if (!v->is_retry || job->attempts >= pool->options.attempts_max) return false;
    int64_t wait =
        retry_backoff_ms(&pool->random, job->attempts - 1, pool->options.backoff_ms, pool->options.backoff_max_ms);
    if (v->retry_after_ms > 0)
        wait += v->retry_after_ms; /* spread also after what the server asks for: all clients heard the same */
    job->ready_at_ms = now + wait;
    return job->ready_at_ms < job->deadline_at_ms;
}

static void end_attempt(struct weir_pool *pool, struct job *job, CURLcode code)
{
    struct weir_provider *provider = job->reply.provider;
    int64_t now = now_ms();
    job->last = transfer_end(job, code);
    transfer_drop(pool, job);
    unlink_from_wire(pool, job);
    note_verdict(provider, job, &job->last, now);
    if (plan_retry(pool, job, now)) {
        push(&provider->held, job);
        return;
    }
    provider->active--;
    finish(pool, job, now);
}

/* ---- who may go now ------------------------------------------------------------------------------------------------ */

/* 0: the limits let it through; else until when they do not. */
static int64_t limited_until(struct weir_provider *provider, const struct job *job, int64_t now)
{
    int64_t requests = window_wait_ms(&provider->requests, now, 1),
            tokens = window_wait_ms(&provider->tokens, now, tokens_of(job));
    int64_t wait = requests > tokens ? requests : tokens;
    return wait ? now + wait : 0;
}

/* `tried`: the job failed before, and its failure is its end when it may not go on. true: it went, or ended. */
static bool try_job(struct weir_pool *pool, struct job *job, bool was_tried, int64_t now)
{
    struct weir_provider *provider = job->reply.provider;
    bool is_open =
        provider->breaker.circuit == WEIR_CIRCUIT_OPEN && now - provider->breaker.opened_ms < provider->breaker.wait_ms;
    int64_t limited = limited_until(provider, job, now);
    int64_t deadline = was_tried ? job->deadline_at_ms : now + job->deadline_ms;
    const char *why = NULL;
    if (is_open) why = "not asked: it failed repeatedly and is left alone for a while";
    if (!why && was_tried && now >= deadline) why = "no time is left for another attempt";
    if (!why && provider->paused_until_ms >= deadline) why = "it asks to wait for longer than the request may take";
    if (why) {
        provider->active--;
        finish_unsent(pool, job, is_open ? WEIR_OUTCOME_DOWN : WEIR_OUTCOME_LIMITED, why, now);
        return true;
    }
    int64_t wake = provider->paused_until_ms > limited ? provider->paused_until_ms : limited;
    if (wake <= now && breaker_allows(&provider->breaker, now)) {
        show_circuit(provider);
        start(pool, job, now);
        return true;
    }
    show_circuit(provider);
    if (wake <= now) wake = now + TRIAL_TICK_MS; /* half open: the trial is under way */
    if (wake < provider->wake_ms) provider->wake_ms = wake;
    return false;
}

static void run_held(struct weir_pool *pool, struct weir_provider *provider, int64_t now)
{
    struct job_list held = provider->held;
    provider->held = (struct job_list){.first = NULL};
    for (struct job *job; (job = pop(&held)) != NULL;) {
        bool is_due = job->ready_at_ms <= now;
        if (!is_due || !try_job(pool, job, true, now)) push(&provider->held, job);
        if (!is_due && job->ready_at_ms < provider->wake_ms) provider->wake_ms = job->ready_at_ms;
    }
}

static void run_waiting(struct weir_pool *pool, struct weir_provider *provider, int64_t now)
{
    while (provider->waiting.first && provider->active < provider->tier->concurrency) {
        struct job_list *waiting = &provider->waiting;
        struct job *job = waiting->first;
        provider->active++; /* its place, which try_job gives back with a job that ends */
        struct job *next = job->next;
        bool is_last = waiting->last == job;
        if (!try_job(pool, job, false, now)) {
            provider->active--;
            return;
        }
        waiting->first = next;
        if (is_last) waiting->last = NULL;
    }
}

/* ---- the thread ---------------------------------------------------------------------------------------------------- */

static void cancel_list(struct weir_pool *pool, struct job_list *list, uint32_t *active, int64_t now)
{
    for (struct job *job; (job = pop(list)) != NULL;) {
        if (active) --*active;
        finish_unsent(pool, job, WEIR_OUTCOME_CANCELLED, "cancelled", now);
    }
}

static void cancel_wire(struct weir_pool *pool, int64_t now)
{
    while (pool->on_wire) {
        struct job *job = pool->on_wire;
        bool is_sent = job->transfer.sent == job->body.size;
        unlink_from_wire(pool, job);
        transfer_drop(pool, job);
        breaker_undecided(&job->reply.provider->breaker);
        job->reply.provider->active--;
        job->last = (struct verdict){.outcome = WEIR_OUTCOME_CANCELLED,
                                     .billing = is_sent ? WEIR_BILLING_UNKNOWN : WEIR_BILLING_NONE};
        (void)snprintf(job->last.text, sizeof job->last.text, "tier %.60s: cancelled", job->form.tier->name);
        finish(pool, job, now);
    }
}

static void cancel_all(struct weir_pool *pool)
{
    int64_t now = now_ms();
    for (struct weir_provider *p = pool->known; p; p = p->next) {
        cancel_list(pool, &p->waiting, NULL, now);
        cancel_list(pool, &p->held, &p->active, now);
    }
    cancel_wire(pool, now);
}

/* What came since the last look. false: the pool closes. */
static bool take_news(struct weir_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    struct job_list news = pool->submitted;
    bool is_cancelling = pool->is_cancelling, is_stopping = pool->is_stopping;
    pool->submitted = (struct job_list){.first = NULL};
    pool->is_cancelling = false;
    pool->known = pool->providers;
    (void)pthread_mutex_unlock(&pool->lock);
    for (struct job *job; (job = pop(&news)) != NULL;) push(&job->reply.provider->waiting, job);
    if (is_cancelling || is_stopping) cancel_all(pool);
    return !is_stopping;
}

static int64_t run_queues(struct weir_pool *pool)
{
    int64_t now = now_ms(), wake = now + POLL_MS_MAX;
    for (struct weir_provider *p = pool->known; p; p = p->next) {
        p->wake_ms = INT64_MAX;
        run_held(pool, p, now);
        run_waiting(pool, p, now);
        if (p->wake_ms < wake) wake = p->wake_ms;
    }
    return wake;
}

static bool take_messages(struct weir_pool *pool)
{
    CURLMsg *message;
    int left = 0;
    bool found = false;
    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        struct job *job = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE) continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
        end_attempt(pool, job, code);
        found = true;
    }
    return found;
}

static void *pool_main(void *context)
{
    struct weir_pool *pool = context;
    while (take_news(pool)) {
        int running = 0;
        int64_t wake = run_queues(pool);
        (void)curl_multi_perform(pool->multi, &running);
        if (take_messages(pool)) continue; /* places became free */
        int64_t wait = wake - now_ms();
        if (wait > 0) (void)curl_multi_poll(pool->multi, NULL, 0, (int)(wait < POLL_MS_MAX ? wait : POLL_MS_MAX), NULL);
    }
    return NULL;
}

/* ---- the caller's side --------------------------------------------------------------------------------------------- */

struct weir_pool_options weir_pool_options_defaults(void)
{
    return (struct weir_pool_options){.connect_timeout_ms = 10000,
                                      .attempts_max = 6,
                                      .backoff_ms = 500,
                                      .backoff_max_ms = 30000,
                                      .breaker_failures = 5,
                                      .breaker_wait_ms = 15000};
}

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes)) return false;
    bool good = !pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) && !pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return good;
}

/* Signals stay with the threads of the program. */
static bool start_thread(struct weir_pool *pool)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_BLOCK, &all, &before)) return false;
    bool good = !pthread_create(&pool->thread, NULL, pool_main, pool);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

static bool set_multi(CURLM *multi)
{
    return curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)WEIR_TASK_CONCURRENCY_MAX) == CURLM_OK;
}

static void pool_free(struct weir_pool *pool)
{
    for (struct job *job; (job = pop(&pool->done)) != NULL;) job_free(job);
    if (pool->multi) (void)curl_multi_cleanup(pool->multi);
    for (struct weir_provider *p = pool->providers, *next; p; p = next) {
        next = p->next;
        provider_free(p);
    }
    free(pool->ca_file);
    free(pool);
    curl_global_cleanup();
}

enum weir_status weir_pool_open(const struct weir_pool_options *options, struct weir_pool **out,
                                struct weir_error *error)
{
    if (!out) return error_set(error, WEIR_ERR_INVALID, "weir_pool_open: NULL argument");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) /* counted; thread-safe since 7.84 */
        return error_set(error, WEIR_ERR_IO, "libcurl could not be initialised");
    struct weir_pool *pool = mem_zero(1, sizeof *pool);
    if (!pool) {
        curl_global_cleanup();
        return error_nomem(error, "pool");
    }
    pool->options = options ? *options : weir_pool_options_defaults();
    pool->random = pool->options.seed;
    bool good = pool->random || getrandom(&pool->random, sizeof pool->random, 0) == (ssize_t)sizeof pool->random;
    if (pool->options.ca_file) pool->ca_file = mem_text(pool->options.ca_file, strlen(pool->options.ca_file));
    pool->options.ca_file = pool->ca_file;
    pool->multi = curl_multi_init();
    good = good && (pool->ca_file || !options || !options->ca_file) && pool->multi && set_multi(pool->multi);
    bool has_lock = good && !pthread_mutex_init(&pool->lock, NULL);
    bool has_condition = has_lock && init_condition(&pool->is_done);
    if (has_condition && start_thread(pool)) {
        *out = pool;
        return WEIR_OK;
    }
    if (has_condition) (void)pthread_cond_destroy(&pool->is_done);
    if (has_lock) (void)pthread_mutex_destroy(&pool->lock);
    pool_free(pool);
    return error_nomem(error, "pool");
}

void weir_pool_close(struct weir_pool **handle)
{
    if (!handle || !*handle) return;
    struct weir_pool *pool = *handle;
    (void)pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    (void)pthread_mutex_unlock(&pool->lock);
    (void)curl_multi_wakeup(pool->multi);
    (void)pthread_join(pool->thread, NULL);
    (void)pthread_cond_destroy(&pool->is_done);
    (void)pthread_mutex_destroy(&pool->lock);
    pool_free(pool);
    *handle = NULL;
}

static void send_off(struct weir_pool *pool, struct job *job)
{
    job->submitted_ms = now_ms();
    (void)pthread_mutex_lock(&pool->lock);
    push(&pool->submitted, job);
    pool->in_flight++;
    (void)pthread_mutex_unlock(&pool->lock);
    (void)curl_multi_wakeup(pool->multi);
}

enum weir_status weir_pool_submit(struct weir_pool *pool, const struct weir_request *request, struct weir_error *error)
{
    struct job *job = NULL;
    if (!pool || !request || !request->provider || request->provider->pool != pool)
        return error_set(error, WEIR_ERR_INVALID, "weir_pool_submit: NULL argument, or another pool's provider");
    enum weir_status status = job_make(request, &job, error);
    if (status) return status;
    send_off(pool, job);
    return WEIR_OK;
}

enum weir_status weir_pool_repeat(struct weir_pool *pool, struct weir_reply *reply, struct weir_error *error)
{
    if (!pool || !reply || !reply->may_repeat || reply->provider->pool != pool)
        return error_set(error, WEIR_ERR_INVALID, "weir_pool_repeat: a reply that may not be asked for again");
    struct job *job = job_repeat((struct job *)reply); /* its first member */
    if (!job) return error_nomem(error, "request");
    send_off(pool, job);
    return WEIR_OK;
}

static struct timespec in_ms(uint32_t timeout_ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

enum weir_status weir_pool_next(struct weir_pool *pool, uint32_t timeout_ms, struct weir_reply **out,
                                struct weir_error *error)
{
    if (!pool || !out) return error_set(error, WEIR_ERR_INVALID, "weir_pool_next: NULL argument");
    struct timespec until = in_ms(timeout_ms);
    int failed = 0;
    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->done.first && pool->in_flight && timeout_ms && failed != ETIMEDOUT)
        failed = timeout_ms == UINT32_MAX ? pthread_cond_wait(&pool->is_done, &pool->lock)
                                          : pthread_cond_timedwait(&pool->is_done, &pool->lock, &until);
    struct job *job = pop(&pool->done);
    if (job) pool->in_flight--;
    if (job || !pool->in_flight) (void)pthread_cond_broadcast(&pool->is_done); /* others may wait for nothing now */
    (void)pthread_mutex_unlock(&pool->lock);
    *out = job ? &job->reply : NULL;
    return WEIR_OK;
}

size_t weir_pool_in_flight(struct weir_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    size_t count = pool->in_flight;
    (void)pthread_mutex_unlock(&pool->lock);
    return count;
}

void weir_pool_cancel(struct weir_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->is_cancelling = true;
    (void)pthread_mutex_unlock(&pool->lock);
    (void)curl_multi_wakeup(pool->multi);
}
