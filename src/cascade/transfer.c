/* One attempt: a request on the wire through libcurl, and what became of it.
 *
 * The body is given by a callback that cannot rewind, so that libcurl, which repeats a request when a kept connection turns out to be
 * closed, can do so only before any of it was sent: what may have been billed is never sent twice behind the ledger's back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cascade/provider_internal.h"
#include "cascade/retry.h"

enum { ERROR_BODY_BYTES_MAX = 64 << 10, ECHO_BYTES = 16 };

/* ---- what libcurl calls -------------------------------------------------------------------------------------------- */

static size_t on_send(char *to, size_t one, size_t room, void *context)
{
    struct job *job = context;
    size_t left = job->body.size - job->transfer.sent, size = one * room < left ? one * room : left;
    memcpy(to, job->body.data + job->transfer.sent, size);
    job->transfer.sent += size;
    return size;
}

static long status_of(const struct job *job)
{
    long status = 0;
    (void)curl_easy_getinfo(job->transfer.curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* The value of `line` when it is header `name`; NULL otherwise. */
static const char *header_value(const char *line, size_t size, const char *name, size_t *value_size)
{
    size_t at = strlen(name);
    if (size <= at || line[at] != ':' || strncasecmp(line, name, at) != 0) return NULL;
    for (at++; at < size && (line[at] == ' ' || line[at] == '\t');) at++;
    *value_size = size - at;
    return line + at;
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    static const char events[] = "text/event-stream";
    struct transfer *t = &((struct job *)context)->transfer;
    size_t value_size = 0;
    (void)one; /* always 1 */
    t->header_bytes += size;
    if (t->header_bytes + t->body_bytes > WEIR_PROVIDER_REPLY_BYTES_MAX) {
        t->is_too_large = true;
        return 0;
    }
    const char *value = header_value(line, size, "content-type", &value_size);
    if (value) t->is_stream = value_size >= sizeof events - 1 && strncasecmp(value, events, sizeof events - 1) == 0;
    value = header_value(line, size, "retry-after", &value_size);
    if (value) t->retry_after_ms = retry_after_ms(value, value_size, (int64_t)time(NULL));
    return size;
}

static enum weir_status on_event(void *context, const char *name, const char *data, size_t size)
{
    struct job *job = context;
    struct arena arena = ARENA_MAX(SAID_MEMORY_MAX);
    struct json_value *root = NULL;
    enum weir_status status = json_read(&arena, "event", data, size, &root, NULL);
    if (status != WEIR_ERR_NOMEM) {
        if (status) root = NULL;
        job->reply.provider->wire->event(&job->said, name, data, size, root);
        status = WEIR_OK;
    }
    arena_free(&arena);
    return status;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    struct job *job = context;
    struct transfer *t = &job->transfer;
    long status = status_of(job);
    (void)one; /* always 1 */
    t->body_bytes += size;
    if (t->header_bytes + t->body_bytes > WEIR_PROVIDER_REPLY_BYTES_MAX) {
        t->is_too_large = true;
        return 0;
    }
    if (status != 200 && t->body.size + size > ERROR_BODY_BYTES_MAX)
        return size; /* the beginning of an error's page is enough */
    if (status == 200 && t->is_stream && job->reply.provider->wire->event)
        t->stream_status = sse_feed(&t->sse, bytes, size, on_event, job);
    else
        t->stream_status = strbuf_add(&t->body, bytes, size);
    return t->stream_status ? 0 : size;
}

/* The address as resolved: where only this host may be asked, no other is connected to, whatever its name said. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct job *job = context;
    (void)purpose;
    if (address_is_loopback(&address->addr, (socklen_t)address->addrlen))
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    job->transfer.is_forbidden = true;
    return CURL_SOCKET_BAD;
}

/* ---- starting ------------------------------------------------------------------------------------------------------ */

static bool set_connection(const struct weir_pool *pool, struct job *job)
{
    CURL *curl = job->transfer.curl;
    const struct address *address = &job->reply.provider->address;
    bool is_local = address->is_loopback || pool->options.loopback_only;
    bool good = curl_easy_setopt(curl, CURLOPT_URL, address->url) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, address->is_plain ? "http" : "https") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PIPEWAIT, address->is_plain ? 0L : 1L) == CURLE_OK;
    if (good && pool->ca_file) good = curl_easy_setopt(curl, CURLOPT_CAINFO, pool->ca_file) == CURLE_OK;
    if (!good || !is_local) return good;
    return curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, job) == CURLE_OK;
}

static bool set_request(const struct weir_pool *pool, struct job *job, int64_t left_ms)
{
    CURL *curl = job->transfer.curl;
    return curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.size) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READDATA, job) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, job) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, job) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PRIVATE, job) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, job->reply.provider->headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir/" WEIR_VERSION) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, job->transfer.message) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)pool->options.connect_timeout_ms) == CURLE_OK;
}

bool transfer_start(struct weir_pool *pool, struct job *job, int64_t now_ms)
{
    struct transfer *t = &job->transfer;
    *t = (struct transfer){.retry_after_ms = -1, .body = STRBUF_MAX(WEIR_PROVIDER_REPLY_BYTES_MAX)};
    sse_init(&t->sse);
    said_free(&job->said);
    said_init(&job->said);
    t->curl = curl_easy_init();
    int64_t left_ms = job->deadline_at_ms - now_ms;
    if (t->curl && set_connection(pool, job) && set_request(pool, job, left_ms > 1 ? left_ms : 1) &&
        curl_multi_add_handle(pool->multi, t->curl) == CURLM_OK)
        return true;
    curl_easy_cleanup(t->curl);
    t->curl = NULL;
    return false;
}

void transfer_drop(struct weir_pool *pool, struct job *job)
{
    struct transfer *t = &job->transfer;
    if (t->curl) (void)curl_multi_remove_handle(pool->multi, t->curl);
    curl_easy_cleanup(t->curl);
    sse_free(&t->sse);
    strbuf_free(&t->body);
    *t = (struct transfer){.curl = NULL};
}

/* ---- what it came to ----------------------------------------------------------------------------------------------- */

/* Appends `text` to the verdict's, printable. */
static void add_text(struct verdict *v, const char *text, size_t size)
{
    size_t used = strlen(v->text);
    for (size_t i = 0; i < size && used + 1 < sizeof v->text; i++)
        v->text[used++] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
    v->text[used] = 0;
}

static struct verdict verdict_make(const struct job *job, enum weir_outcome outcome, enum weir_billing billing,
                                   const char *what)
{
    struct verdict v = {.outcome = outcome, .billing = billing, .retry_after_ms = job->transfer.retry_after_ms};
    (void)snprintf(v.text, sizeof v.text, "tier %.60s: %.120s", job->form.tier->name, what);
    return v;
}

/* Whether the part of an error's text that would be shown repeats some of the request's text or of the key. */
static bool is_echo(const struct job *job, struct json_text text)
{
    const char *key = job->reply.provider->key ? job->reply.provider->key : "";
    size_t key_size = strlen(key);
    for (size_t at = 0; at + ECHO_BYTES <= text.size; at++) {
        if (job->text_size >= ECHO_BYTES && memmem(job->text, job->text_size, text.data + at, ECHO_BYTES)) return true;
        if (key_size >= ECHO_BYTES && memmem(key, key_size, text.data + at, ECHO_BYTES)) return true;
    }
    return (key_size && memmem(text.data, text.size, key, key_size)) ||
           memmem(text.data, text.size, job->text, job->text_size);
}

/* Adds what the provider says about its error, when that can be shown. *kind: its code, "" when it has none. */
static void add_provider_error(const struct job *job, struct verdict *v, char *kind, size_t kind_size)
{
    struct arena arena = ARENA_MAX(SAID_MEMORY_MAX);
    struct json_value *root = NULL;
    const struct strbuf *body = &job->transfer.body;
    kind[0] = 0;
    if (body->size && !json_read(&arena, "error", body->data, body->size, &root, NULL)) {
        struct said_error said = said_error_of(root);
        (void)snprintf(kind, kind_size, "%.*s", (int)(said.kind.size < 60 ? said.kind.size : 60), said.kind.data);
        if (said.message.size > sizeof v->text) said.message.size = sizeof v->text;
        if (said.message.size && !is_echo(job, said.message)) {
            add_text(v, ": ", 2);
            add_text(v, said.message.data, said.message.size);
        }
    }
    arena_free(&arena);
}

static struct verdict of_status(const struct job *job, long status)
{
    char what[64], kind[64];
    enum weir_outcome outcome = status >= 300 && status < 400    ? WEIR_OUTCOME_FORBIDDEN
                                : status == 401 || status == 403 ? WEIR_OUTCOME_UNAUTHORISED
                                : status == 429                  ? WEIR_OUTCOME_LIMITED
                                : retry_is_status(status)        ? WEIR_OUTCOME_UNAVAILABLE
                                                                 : WEIR_OUTCOME_REJECTED;
    (void)snprintf(what, sizeof what,
                   outcome == WEIR_OUTCOME_FORBIDDEN ? "status %ld: redirects are not followed" : "status %ld", status);
    struct verdict v = verdict_make(job, outcome, WEIR_BILLING_NONE, what);
    add_provider_error(job, &v, kind, sizeof kind);
    bool is_spent =
        strcmp(kind, "insufficient_quota") == 0 || strcmp(kind, "billing_error") == 0; /* no wait brings money */
    v.is_retry = retry_is_status(status) && !is_spent;
    v.is_provider_fault = outcome == WEIR_OUTCOME_UNAVAILABLE;
    return v;
}

/* A reply of status 200 that is whole as far as the connection goes. */
static struct verdict of_reply(struct job *job)
{
    struct said *said = &job->said;
    const struct transfer *t = &job->transfer;
    bool is_stream = t->is_stream && job->reply.provider->wire->event;
    struct json_value *root = NULL;
    struct weir_error error = {0};
    if (!is_stream) {
        enum weir_status status =
            json_read(&said->arena, "the reply", t->body.data ? t->body.data : "", t->body.size, &root, &error);
        if (status == WEIR_ERR_NOMEM) said_fail(said, WEIR_OUTCOME_NO_MEMORY, "no memory for the reply");
        if (status) said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply is no JSON");
        if (!status) job->reply.provider->wire->read(said, &job->form, root);
    }
    if (is_stream && !said->is_whole) said_fail(said, WEIR_OUTCOME_CUT, "the stream ended before the answer did");
    if (!job->reply.provider->wire->is_labels_only) said_finish(said, &job->form);
    enum weir_billing billing = said->usage.is_known ? WEIR_BILLING_KNOWN : WEIR_BILLING_UNKNOWN;
    struct verdict v = verdict_make(job, said->outcome, billing, said->text);
    if (v.outcome == WEIR_OUTCOME_ANSWERED) v.text[0] = 0;
    v.is_provider_fault = v.outcome == WEIR_OUTCOME_BAD_REPLY || v.outcome == WEIR_OUTCOME_CUT;
    return v;
}

static bool is_trust_failure(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH ||
           code == CURLE_SSL_INVALIDCERTSTATUS || code == CURLE_SSL_CRL_BADFILE;
}

/* No connection, or one that ended before the reply did. */
static struct verdict of_connection(const struct job *job, CURLcode code, const char *message)
{
    bool is_sent = job->transfer.sent == job->body.size, has_status = status_of(job) != 0;
    enum weir_outcome outcome = !is_sent                           ? WEIR_OUTCOME_UNREACHABLE
                                : code == CURLE_OPERATION_TIMEDOUT ? WEIR_OUTCOME_TIMEOUT
                                                                   : WEIR_OUTCOME_CUT;
    if (outcome == WEIR_OUTCOME_CUT && !has_status) message = "the connection closed without an answer";
    struct verdict v = verdict_make(job, outcome, is_sent ? WEIR_BILLING_UNKNOWN : WEIR_BILLING_NONE, message);
    v.is_retry = !is_sent;
    v.is_provider_fault = true;
    return v;
}

/* No status came, or a 200 whose body did not come to its end. */
static struct verdict of_failure(const struct job *job, CURLcode code)
{
    const struct transfer *t = &job->transfer;
    const char *message = t->message[0] ? t->message : curl_easy_strerror(code);
    struct verdict v;
    if (code == CURLE_OUT_OF_MEMORY || t->stream_status == WEIR_ERR_NOMEM) {
        v = verdict_make(job, WEIR_OUTCOME_NO_MEMORY, t->sent ? WEIR_BILLING_UNKNOWN : WEIR_BILLING_NONE,
                         "out of memory");
        v.is_undecided = true;
    } else if (t->is_too_large || code == CURLE_WRITE_ERROR) {
        v = verdict_make(job, WEIR_OUTCOME_TOO_LARGE, WEIR_BILLING_UNKNOWN, "the reply is larger than 16 MiB");
        v.is_provider_fault = true;
    } else if (t->is_forbidden) {
        v = verdict_make(job, WEIR_OUTCOME_FORBIDDEN, WEIR_BILLING_NONE,
                         "its name resolves to an address that is not of this host");
        v.is_undecided = true;
    } else if (is_trust_failure(code)) {
        v = verdict_make(job, WEIR_OUTCOME_UNTRUSTED, WEIR_BILLING_NONE, message);
        v.is_provider_fault = true;
    } else
        v = of_connection(job, code, message);
    return v;
}

/* 2xx, but none that an answer comes with. */
static struct verdict of_other_success(const struct job *job)
{
    struct verdict v = verdict_make(job, WEIR_OUTCOME_BAD_REPLY, WEIR_BILLING_UNKNOWN,
                                    "expected status 200, found another of success");
    v.is_provider_fault = true;
    return v;
}

struct verdict transfer_end(struct job *job, CURLcode code)
{
    long status = status_of(job);
    struct verdict v;
    if (status > 200 && status < 300)
        v = of_other_success(job);
    else if (status && status != 200)
        v = of_status(job, status); /* its page may be cut: the status says enough */
    else if (code == CURLE_OK || job->said.is_whole)
        v = of_reply(job);
    else
        v = of_failure(job, code);
    v.http_status = status;
    return v;
}
