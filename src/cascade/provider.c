/* Providers and requests: what is opened once, and the body of each request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cascade/key.h"
#include "cascade/provider_internal.h"

/* Tokens that a provider may add to a request on its own account: the words around tools and schemas. Anthropic documents 313 to 804 of
 * them ("Tool use", pricing); they are billed, and a short request would otherwise not cover them at a token a byte. */
enum { HIDDEN_TOKENS = 1024 };

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static enum weir_status check_text(const struct weir_request *request, struct weir_error *error)
{
    const char *tier = request->provider->tier->name;
    if (!request->text || !request->text_size)
        return error_set(error, WEIR_ERR_INVALID, "tier %s: the text is empty", tier);
    if (request->text_size > WEIR_PROVIDER_TEXT_BYTES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "tier %s: a text of %zu bytes, at most %d are sent", tier,
                         request->text_size, WEIR_PROVIDER_TEXT_BYTES_MAX);
    return WEIR_OK;
}

static size_t count_wire_questions(const struct form *form)
{
    size_t count = 0;
    for (size_t i = 0; i < form->n_questions; i++) {
        const struct weir_question *question = form_question(form, i);
        count += question->multi ? question->n_labels : 1;
    }
    return count;
}

static enum weir_status make_form(const struct weir_request *request, struct form *form, struct weir_error *error)
{
    const struct weir_provider *provider = request->provider;
    const struct wire *wire = provider->wire;
    enum weir_status status =
        form_make(provider->task, provider->tier, request->questions, request->n_questions, form, error);
    if (status) return status;
    if (form->kind != FORM_LABELS && wire->is_labels_only)
        return error_set(
            error, WEIR_ERR_UNSUPPORTED, "tier %s: question %s is of type %s, which this kind of tier cannot answer",
            provider->tier->name, form_question(form, 0)->name, weir_question_type_name(form_question(form, 0)->type));
    if (wire->questions_max && count_wire_questions(form) > wire->questions_max)
        return error_set(error, WEIR_ERR_LIMIT,
                         "tier %s: %zu questions at once (each label of one with `multi` counts), at most %zu",
                         provider->tier->name, count_wire_questions(form), wire->questions_max);
    form->is_loopback = provider->address.is_loopback;
    if (form->kind == FORM_EXTRACT) form->schema = &provider->schemas[form->questions[0]];
    return WEIR_OK;
}

static int64_t cost_max(const struct weir_provider *provider, size_t body_bytes)
{
    return weir_price_cost_max(&provider->price, body_bytes + HIDDEN_TOKENS, provider->tier->max_tokens);
}

enum weir_status weir_request_cost_max(const struct weir_request *request, int64_t *usd_e6, struct weir_error *error)
{
    struct job *job = NULL;
    if (!request || !request->provider || !usd_e6)
        return error_set(error, WEIR_ERR_INVALID, "weir_request_cost_max: NULL argument");
    enum weir_status status = job_make(request, &job, error);
    if (status) return status;
    *usd_e6 = job->cost_max_usd_e6;
    job_free(job);
    return WEIR_OK;
}

enum weir_status job_make(const struct weir_request *request, struct job **out, struct weir_error *error)
{
    struct job *job = NULL;
    enum weir_status status = check_text(request, error);
    if (status) return status;
    job = mem_zero(1, sizeof *job);
    if (!job) return error_nomem(error, "request");
    said_init(&job->said);
    job->body = job->repeat_body = STRBUF_MAX(FORM_BODY_BYTES_MAX);
    job->reply = (struct weir_reply){.user = request->user, .provider = request->provider};
    job->deadline_ms = request->deadline_ms ? request->deadline_ms : request->provider->tier->timeout_ms;
    job->text_size = request->text_size;
    job->text = mem_text(request->text, request->text_size);
    status = job->text ? make_form(request, &job->form, error) : error_nomem(error, "request");
    if (!status)
        status = wire_body(&job->form, request->provider->wire, job->text, job->text_size, NULL, &job->body, error);
    if (status) {
        job_free(job);
        return status;
    }
    job->cost_max_usd_e6 = cost_max(request->provider, job->body.size);
    *out = job;
    return WEIR_OK;
}

bool job_prepare_repeat(struct job *job)
{
    struct wire_repeat repeat = {.content = job->said.content.data ? job->said.content.data : "",
                                 .error = job->said.text};
    bool has_error =
        job->reply.outcome == WEIR_OUTCOME_WRONG_SHAPE && memchr(repeat.content, 0, job->said.content.size) == NULL;
    strbuf_clear(&job->repeat_body);
    return wire_body(&job->form, job->reply.provider->wire, job->text, job->text_size, has_error ? &repeat : NULL,
                     &job->repeat_body, NULL) == WEIR_OK;
}

struct job *job_repeat(struct job *job)
{
    struct job *again = mem_zero(1, sizeof *again);
    if (!again) return NULL;
    said_init(&again->said);
    again->reply =
        (struct weir_reply){.user = job->reply.user, .provider = job->reply.provider, .attempts = job->reply.attempts};
    again->form = job->form;
    again->deadline_ms = job->deadline_ms;
    again->is_repeat = true;
    again->text = job->text;
    again->text_size = job->text_size;
    again->body = job->repeat_body;
    again->repeat_body = STRBUF_MAX(FORM_BODY_BYTES_MAX);
    again->cost_max_usd_e6 = cost_max(again->reply.provider, again->body.size);
    job->text = NULL;
    job->repeat_body = STRBUF_MAX(FORM_BODY_BYTES_MAX);
    job->reply.may_repeat = false;
    return again;
}

int64_t weir_repeat_cost_max(const struct weir_reply *reply)
{
    const struct job *job = (const struct job *)reply; /* its first member */
    return reply->may_repeat ? cost_max(reply->provider, job->repeat_body.size) : 0;
}

void job_free(struct job *job)
{
    if (!job) return;
    said_free(&job->said);
    strbuf_free(&job->body);
    strbuf_free(&job->repeat_body);
    free(job->text);
    free(job);
}

void weir_reply_free(struct weir_reply **reply)
{
    if (!reply || !*reply) return;
    job_free((struct job *)*reply); /* its first member */
    *reply = NULL;
}

/* ---- providers ----------------------------------------------------------------------------------------------------- */

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer) *list = longer;
    return longer;
}

static bool add_key(struct weir_provider *provider)
{
    const char *name = provider->wire->auth == WIRE_AUTH_X_API_KEY ? "x-api-key: " : "Authorization: Bearer ";
    if (!provider->key) return true;
    size_t size = strlen(name) + strlen(provider->key) + 1;
    char *line = mem_zero(size, 1);
    if (!line) return false;
    (void)snprintf(line, size, "%s%s", name, provider->key);
    bool good = add_header(&provider->headers, line);
    explicit_bzero(line, size);
    free(line);
    return good;
}

static enum weir_status make_headers(struct weir_provider *provider, struct weir_error *error)
{
    bool good = add_header(&provider->headers, "Content-Type: application/json") &&
                add_header(&provider->headers, "Expect:") && /* no waiting for 100 Continue */
                (!provider->wire->header || add_header(&provider->headers, provider->wire->header)) &&
                add_key(provider);
    return good ? WEIR_OK : error_nomem(error, "provider");
}

/* Every question is one that the provider can be asked; schemas are read once. */
static enum weir_status check_questions(struct weir_provider *provider, struct weir_error *error)
{
    for (size_t i = 0; i < weir_task_question_count(provider->task); i++) {
        const struct weir_question *question = weir_task_question(provider->task, i);
        struct weir_request request = {.provider = provider, .questions = &i, .n_questions = 1};
        struct form form;
        if (question->type == WEIR_QUESTION_EXTRACT && !provider->wire->is_labels_only) {
            enum weir_status status = form_schema_open(provider->task, question, &provider->schemas[i], error);
            if (status) return status;
        }
        enum weir_status status = make_form(&request, &form, error);
        if (status) return status;
    }
    return WEIR_OK;
}

static enum weir_status open_parts(struct weir_provider *provider, const struct weir_prices *prices,
                                   struct weir_error *error)
{
    const struct weir_tier_spec *tier = provider->tier;
    const char *base = *tier->url ? tier->url : provider->wire->base_url;
    enum weir_status status = address_make(tier->name, base, provider->wire->path,
                                           provider->pool->options.loopback_only, &provider->address, error);
    if (!status) status = weir_tier_price(tier, prices, &provider->price, error);
    if (!status)
        status = key_open(tier, provider->wire, weir_task_folder(provider->task), provider->address.is_loopback,
                          &provider->key, error);
    if (!status) status = make_headers(provider, error);
    return status ? status : check_questions(provider, error);
}

void provider_free(struct weir_provider *provider)
{
    key_close(&provider->key);
    for (struct curl_slist *line = provider->headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(provider->headers);
    for (size_t i = 0; i < WEIR_TASK_QUESTIONS_MAX; i++) form_schema_close(&provider->schemas[i]);
    free(provider);
}

enum weir_status weir_pool_add(struct weir_pool *pool, const struct weir_task *task, size_t tier,
                               const struct weir_prices *prices, struct weir_provider **out, struct weir_error *error)
{
    const struct weir_tier_spec *spec = task ? weir_task_tier(task, tier) : NULL;
    if (!pool || !spec || !out)
        return error_set(error, WEIR_ERR_INVALID, "weir_pool_add: NULL argument, or no such tier");
    const struct wire *wire = wire_of(spec->kind);
    if (!wire)
        return error_set(error, WEIR_ERR_INVALID, "tier %s: a tier of kind gguf is not asked over HTTP", spec->name);
    struct weir_provider *provider = mem_zero(1, sizeof *provider);
    if (!provider) return error_nomem(error, "provider");
    provider->pool = pool;
    provider->task = task;
    provider->tier = spec;
    provider->wire = wire;
    provider->breaker = breaker_make(pool->options.breaker_failures, pool->options.breaker_wait_ms);
    provider->requests = window_make(spec->requests_per_minute);
    provider->tokens = window_make(spec->tokens_per_minute);
    provider->paused_until_ms = INT64_MIN;
    provider->wake_ms = INT64_MAX;
    enum weir_status status = open_parts(provider, prices, error);
    if (status) {
        provider_free(provider);
        return status;
    }
    (void)pthread_mutex_lock(&pool->lock);
    provider->next = pool->providers;
    pool->providers = provider;
    (void)pthread_mutex_unlock(&pool->lock);
    *out = provider;
    return WEIR_OK;
}

const struct weir_price *weir_provider_price(const struct weir_provider *provider)
{
    return &provider->price;
}

bool weir_provider_is_loopback(const struct weir_provider *provider)
{
    return provider->address.is_loopback;
}

enum weir_circuit weir_provider_circuit(const struct weir_provider *provider)
{
    return (enum weir_circuit)atomic_load(&provider->circuit);
}
