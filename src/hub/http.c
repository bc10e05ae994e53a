#include "hub/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"

bool http_code_is_transient(long code)
{
    return code == 408 || code == 425 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
}

const char *http_url_shown(const char *url, char *out, size_t size)
{
    size_t used = 0;
    for (const char *at = url; *at && *at != '?' && *at != '#' && used + 1 < size; at++)
        out[used++] = (char)(*at > ' ' && *at < 0x7f ? *at : '?');
    out[used] = 0;
    return out;
}

enum weir_status http_code_fail(const struct http_reply *reply, bool has_token, struct weir_error *error)
{
    char shown[200];
    http_url_shown(reply->url, shown, sizeof shown);
    bool is_denied = reply->code == 401 || reply->code == 403;
    if (is_denied && strcmp(reply->error_code, "RepoNotFound") == 0)
        return error_set(error, WEIR_ERR_NOT_FOUND,
                         "%s: status %ld: the hub has no such repository, or it is private and needs %s token", shown,
                         reply->code, has_token ? "another" : "a");
    if (is_denied && reply->is_origin)
        return error_set(
            error, WEIR_ERR_REFUSED, "%s: status %ld: %s", shown, reply->code,
            has_token ? "the token does not open this repository: accept its terms on its page on the hub with the "
                        "token's account, or give another token (HF_TOKEN)"
                      : "this repository needs a token: accept its terms on its page on the hub, then set HF_TOKEN");
    if (reply->code == 404)
        return error_set(error, WEIR_ERR_NOT_FOUND, "%s: status 404: the hub has no such %s", shown,
                         strcmp(reply->error_code, "EntryNotFound") == 0      ? "file"
                         : strcmp(reply->error_code, "RevisionNotFound") == 0 ? "revision"
                                                                              : "repository, revision or file");
    return error_set(error, WEIR_ERR_IO, "%s: expected status 200, found %ld", shown, reply->code);
}

#ifndef WEIR_HAVE_CURL

enum weir_status http_open(const struct http_options *options, struct http **out, struct weir_error *error)
{
    (void)options;
    (void)out;
    return error_set(error, WEIR_ERR_UNSUPPORTED, "built without libcurl: this weir cannot pull models");
}

void http_close(struct http **http)
{
    *http = NULL;
}

enum weir_status http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
                           struct weir_error *error)
{
    (void)request;
    (void)reply;
    return http_open(NULL, &http, error);
}

enum weir_status http_url_join(const struct http *http, const char *base, const char *url, char out[HTTP_URL_BYTES_MAX],
                               struct weir_error *error)
{
    (void)http;
    (void)base;
    (void)url;
    (void)out;
    return http_open(NULL, NULL, error);
}

enum weir_status http_url_is_origin(const struct http *http, const char *url, bool *is_origin, struct weir_error *error)
{
    (void)http;
    (void)url;
    (void)is_origin;
    return http_open(NULL, NULL, error);
}

#else

#include <curl/curl.h>

enum { HOST_BYTES_MAX = 256, IGNORED_BODY_BYTES_MAX = 64 * 1024 };

/* Who is asked: the scope of a token. */
struct origin {
    char scheme[8], host[HOST_BYTES_MAX], port[8];
    bool is_loopback;
};

struct http {
    CURL *curl;
    struct http_options options; /* endpoint and token not owned */
    struct origin origin;        /* the endpoint's */
    char *authorization;         /* "Authorization: Bearer TOKEN", owned, wiped at close; NULL: none */
};

/* One hop: what the callbacks of libcurl work on. */
struct hop {
    struct http *http;
    const struct http_request *request;
    struct http_reply *reply;
    struct weir_error *error;
    char location[HTTP_URL_BYTES_MAX];
    size_t header_bytes, ignored_bytes;
    bool is_begun;           /* request->begin was called */
    bool is_cancelled;       /* by the caller */
    bool is_loopback;        /* this hop's host */
    enum weir_status status; /* of a callback */
};

/* ---- addresses ----------------------------------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
    unsigned a, b, c;
    int used = 0;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return true;
    return sscanf(host, "127.%3u.%3u.%3u%n", &a, &b, &c, &used) == 3 &&
           host[used] == 0; /* NOLINT(bugprone-unchecked-string-to-number-conversion): the widths bound them */
}

/* CURLUE_MALFORMED_INPUT: there is no such part, or it is longer than `size`. */
static CURLUcode part_copy(CURLU *url, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(url, part, &text, flags);
    bool fits = !code && strlen(text) < size;
    if (fits) (void)snprintf(out, size, "%s", text);
    curl_free(text);
    return fits || code == CURLUE_OUT_OF_MEMORY ? code : CURLUE_MALFORMED_INPUT;
}

/* `text` is the address itself, for the error. */
static enum weir_status origin_of(CURLU *url, const char *text, struct origin *origin, struct weir_error *error)
{
    char shown[200];
    CURLUcode code = part_copy(url, CURLUPART_SCHEME, 0, origin->scheme, sizeof origin->scheme);
    if (!code) code = part_copy(url, CURLUPART_HOST, 0, origin->host, sizeof origin->host);
    if (!code) code = part_copy(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, origin->port, sizeof origin->port);
    if (code == CURLUE_OUT_OF_MEMORY) return error_nomem(error, "address");
    if (code)
        return error_set(error, WEIR_ERR_REFUSED, "%s: not an http address", http_url_shown(text, shown, sizeof shown));
    origin->is_loopback = is_loopback(origin->host);
    return WEIR_OK;
}

static bool origin_is(const struct origin *a, const struct origin *b)
{
    return strcasecmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/* `url`, against `base` when there is one. On success the caller frees *out by curl_url_cleanup. */
static enum weir_status url_parse(const char *base, const char *url, CURLU **out, struct weir_error *error)
{
    char shown[200];
    CURLU *parsed = curl_url();
    CURLUcode code = parsed ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
    if (!code && base) code = curl_url_set(parsed, CURLUPART_URL, base, 0);
    if (!code) code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    if (!code) {
        *out = parsed;
        return WEIR_OK;
    }
    curl_url_cleanup(parsed);
    if (code == CURLUE_OUT_OF_MEMORY) return error_nomem(error, "address");
    return error_set(error, WEIR_ERR_FORMAT, "%s: not an address", http_url_shown(url, shown, sizeof shown));
}

static bool has_credentials(CURLU *url)
{
    char *user = NULL, *password = NULL;
    bool found = curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK ||
                 curl_url_get(url, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK;
    curl_free(user);
    curl_free(password);
    return found;
}

/* The rule of the header: https anywhere, http only between loopback addresses. */
static enum weir_status url_allow(const struct origin *endpoint, CURLU *url, const char *text, struct weir_error *error)
{
    char shown[200];
    struct origin origin = {.is_loopback = false};
    enum weir_status status = origin_of(url, text, &origin, error);
    if (status) return status;
    http_url_shown(text, shown, sizeof shown);
    if (has_credentials(url))
        return error_set(error, WEIR_ERR_REFUSED, "an address with a user name or password in it");
    bool is_plain = strcasecmp(origin.scheme, "http") == 0;
    if (strcasecmp(origin.scheme, "https") == 0) return WEIR_OK;
    if (is_plain && origin.is_loopback && endpoint->is_loopback && strcasecmp(endpoint->scheme, "http") == 0)
        return WEIR_OK;
    return error_set(error, WEIR_ERR_REFUSED, "%s: expected https, found %s%s", shown, origin.scheme,
                     is_plain ? " (http is spoken only to a loopback address, from a loopback endpoint)" : "");
}

enum weir_status http_url_join(const struct http *http, const char *base, const char *url, char out[HTTP_URL_BYTES_MAX],
                               struct weir_error *error)
{
    char shown[200];
    CURLU *parsed = NULL;
    enum weir_status status = url_parse(base, url, &parsed, error);
    if (status) return status;
    status = url_allow(&http->origin, parsed, url, error);
    CURLUcode code = status ? CURLUE_OK : part_copy(parsed, CURLUPART_URL, 0, out, HTTP_URL_BYTES_MAX);
    if (code == CURLUE_OUT_OF_MEMORY)
        status = error_nomem(error, "address");
    else if (code)
        status = error_set(error, WEIR_ERR_LIMIT, "%s: an address longer than %d bytes",
                           http_url_shown(url, shown, sizeof shown), HTTP_URL_BYTES_MAX - 1);
    curl_url_cleanup(parsed);
    return status;
}

static enum weir_status origin_at(const char *url, struct origin *origin, struct weir_error *error)
{
    CURLU *parsed = NULL;
    enum weir_status status = url_parse(NULL, url, &parsed, error);
    if (!status) status = origin_of(parsed, url, origin, error);
    curl_url_cleanup(parsed);
    return status;
}

enum weir_status http_url_is_origin(const struct http *http, const char *url, bool *is_origin, struct weir_error *error)
{
    struct origin origin = {.is_loopback = false};
    enum weir_status status = origin_at(url, &origin, error);
    if (!status) *is_origin = origin_is(&origin, &http->origin);
    return status;
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

/* A header line cannot be made of anything else, and no other header smuggled in. */
static bool token_is_clean(const char *token)
{
    size_t size = 0;
    for (; token[size]; size++) {
        if (token[size] <= ' ' || token[size] >= 0x7f) return false;
    }
    return size > 0 && size <= 4096;
}

static enum weir_status authorize(struct http *http, struct weir_error *error)
{
    const char *token = http->options.token;
    if (!token) return WEIR_OK;
    if (!token_is_clean(token))
        return error_set(error, WEIR_ERR_INVALID,
                         "the token: expected 1 to 4096 printable characters without blanks, found others (not shown)");
    size_t size = strlen(token) + sizeof "Authorization: Bearer ";
    http->authorization = mem_zero(size, 1);
    if (!http->authorization) return error_nomem(error, "token");
    (void)snprintf(http->authorization, size, "Authorization: Bearer %s", token);
    return WEIR_OK;
}

static enum weir_status endpoint_read(struct http *http, struct weir_error *error)
{
    const char *endpoint = http->options.endpoint;
    CURLU *parsed = NULL;
    enum weir_status status = url_parse(NULL, endpoint, &parsed, error);
    if (!status) status = origin_of(parsed, endpoint, &http->origin, error);
    if (!status) status = url_allow(&http->origin, parsed, endpoint, error);
    curl_url_cleanup(parsed);
    return status ? error_prefix(error, status, "endpoint") : WEIR_OK;
}

enum weir_status http_open(const struct http_options *options, struct http **out, struct weir_error *error)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) /* counted; thread-safe since 7.84 */
        return error_set(error, WEIR_ERR_IO, "libcurl could not be initialised");
    struct http *http = mem_zero(1, sizeof *http);
    if (!http) {
        curl_global_cleanup();
        return error_nomem(error, "HTTP client");
    }
    http->options = *options;
    http->curl = curl_easy_init();
    enum weir_status status = http->curl ? endpoint_read(http, error) : error_nomem(error, "HTTP client");
    if (!status) status = authorize(http, error);
    if (status) {
        http_close(&http);
        return status;
    }
    *out = http;
    return WEIR_OK;
}

void http_close(struct http **handle)
{
    struct http *http = *handle;
    if (!http) return;
    if (http->authorization) explicit_bzero(http->authorization, strlen(http->authorization));
    free(http->authorization);
    curl_easy_cleanup(http->curl);
    curl_global_cleanup();
    free(http);
    *handle = NULL;
}

/* ---- what arrives -------------------------------------------------------------------------------------------------- */

static enum weir_status hop_fail(struct hop *hop, enum weir_status status, const char *what)
{
    char shown[200];
    hop->status = error_set(hop->error, status, "%s: %s", http_url_shown(hop->reply->url, shown, sizeof shown), what);
    return hop->status;
}

/* The value of `line` ("Name: value\r\n") into out when it is header `name`. False: it does not fit. */
static bool header_take(const char *line, size_t size, const char *name, char *out, size_t out_size)
{
    size_t at = strlen(name);
    if (size <= at || line[at] != ':' || strncasecmp(line, name, at) != 0) return true;
    const char *value = line + at + 1, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t')) end--;
    if ((size_t)(end - value) >= out_size) return false;
    for (; value < end; value++) *out++ = (char)(*value >= ' ' && *value < 0x7f ? *value : '?'); /* some are shown */
    *out = 0;
    return true;
}

static void hop_clear(struct hop *hop)
{
    struct http_reply *reply = hop->reply;
    hop->location[0] = reply->etag[0] = reply->content_length[0] = reply->content_range[0] = 0;
    reply->content_encoding[0] = reply->error_code[0] = reply->link[0] = reply->rate_limit[0] = 0;
}

static bool take_headers(struct hop *hop, const char *line, size_t size)
{
    struct http_reply *reply = hop->reply;
    bool fits = header_take(line, size, "Location", hop->location, sizeof hop->location) &&
                header_take(line, size, "ETag", reply->etag, sizeof reply->etag) &&
                header_take(line, size, "Content-Length", reply->content_length, sizeof reply->content_length) &&
                header_take(line, size, "Content-Range", reply->content_range, sizeof reply->content_range) &&
                header_take(line, size, "Content-Encoding", reply->content_encoding, sizeof reply->content_encoding);
    if (!fits || !reply->is_origin) return fits;
    if (!reply->commit[0]) fits = header_take(line, size, "X-Repo-Commit", reply->commit, sizeof reply->commit);
    if (fits && !reply->linked_etag[0])
        fits = header_take(line, size, "X-Linked-ETag", reply->linked_etag, sizeof reply->linked_etag);
    if (fits && !reply->linked_size[0])
        fits = header_take(line, size, "X-Linked-Size", reply->linked_size, sizeof reply->linked_size);
    return fits && header_take(line, size, "Link", reply->link, sizeof reply->link) &&
           header_take(line, size, "RateLimit", reply->rate_limit, sizeof reply->rate_limit) &&
           header_take(line, size, "X-Error-Code", reply->error_code, sizeof reply->error_code);
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    struct hop *hop = context;
    (void)one; /* always 1 */
    hop->header_bytes += size;
    if (hop->header_bytes > HTTP_HEADERS_BYTES_MAX) {
        hop_fail(hop, WEIR_ERR_LIMIT, "more than 256 KiB of headers");
        return 0;
    }
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0) hop_clear(hop); /* a 100 came before, or a proxy's answer */
    if (take_headers(hop, line, size)) return size;
    hop_fail(hop, WEIR_ERR_LIMIT, "a header that is too long");
    return 0;
}

static enum weir_status hop_begin(struct hop *hop)
{
    hop->is_begun = true;
    if (hop->request->begin) hop->status = hop->request->begin(hop->request->context, hop->reply, hop->error);
    return hop->status;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    struct hop *hop = context;
    (void)one; /* always 1 */
    (void)curl_easy_getinfo(hop->http->curl, CURLINFO_RESPONSE_CODE, &hop->reply->code);
    if (hop->reply->code != 200 && hop->reply->code != 206) { /* an error's page, of no interest */
        hop->ignored_bytes += size;
        return hop->ignored_bytes <= IGNORED_BODY_BYTES_MAX ? size : 0;
    }
    if (!hop->is_begun && hop_begin(hop)) return 0;
    if (hop->request->body) hop->status = hop->request->body(hop->request->context, bytes, size, hop->error);
    return hop->status ? 0 : size;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct hop *hop = context;
    (void)a, (void)b, (void)c, (void)d;
    const struct http_options *options = &hop->http->options;
    hop->is_cancelled = options->is_wanted && !options->is_wanted(options->context);
    return hop->is_cancelled;
}

/* ---- one hop ------------------------------------------------------------------------------------------------------- */

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer) *list = longer;
    return longer;
}

static bool hop_headers(const struct hop *hop, struct curl_slist **list)
{
    const struct http_request *request = hop->request;
    char line[300];
    if (!add_header(list, "Accept-Encoding: identity")) return false; /* sizes and hashes are of the file itself */
    if (hop->reply->is_origin && hop->http->authorization && !add_header(list, hop->http->authorization)) return false;
    if (!request->offset || !request->if_range || !request->if_range[0]) return true;
    (void)snprintf(line, sizeof line, "If-Range: %s", request->if_range);
    return add_header(list, line);
}

static bool hop_setup(struct hop *hop, const struct curl_slist *headers, char message[CURL_ERROR_SIZE])
{
    CURL *curl = hop->http->curl;
    const struct http_request *request = hop->request;
    char range[32];
    (void)snprintf(range, sizeof range, "%llu-", (unsigned long long)request->offset);
    curl_easy_reset(curl); /* connections stay */
    bool good =
        curl_easy_setopt(curl, CURLOPT_URL, hop->reply->url) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK && /* url_allow chose between them */
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1024L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)hop->http->options.stall_s) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)request->timeout_s) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir/" WEIR_VERSION) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, hop) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, hop) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, hop) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK && /* a proxy's are not the hub's */
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    if (good && request->is_head) good = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (good && request->offset) good = curl_easy_setopt(curl, CURLOPT_RANGE, range) == CURLE_OK;
    if (good && hop->is_loopback) good = curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
    return good;
}

/* Failures that another attempt may not meet again. */
static bool is_transient(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_AGAIN:
        return true;
    default:
        return false;
    }
}

/* Seconds until the limit is lifted, in a RateLimit header: `"api";r=0;t=55` (draft-ietf-httpapi-ratelimit-headers), which the hub
 * sends with a 429. 0: not said. */
static double reset_of(const char *rate_limit)
{
    const char *at = strstr(rate_limit, ";t=");
    if (!at || at[3] < '0' || at[3] > '9') return 0;
    return strtod(at + 3, NULL);
}

/* Takes what curl_easy_perform returned; `message` is libcurl's own text or empty. */
static enum weir_status hop_finish(struct hop *hop, CURLcode code, const char *message)
{
    CURL *curl = hop->http->curl;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &hop->reply->code);
    (void)curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    hop->reply->retry_after_s =
        retry_after || hop->reply->code != 429 ? (double)retry_after : reset_of(hop->reply->rate_limit);
    if (hop->status) return hop->status;
    if (hop->is_cancelled) return error_set(hop->error, WEIR_ERR_CANCELLED, "cancelled");
    bool is_ignored = hop->reply->code != 200 && hop->reply->code != 206 && hop->reply->code != 0;
    if (code == CURLE_WRITE_ERROR && is_ignored) return WEIR_OK; /* on_body had enough of an error's page */
    if (code == CURLE_OUT_OF_MEMORY) return error_nomem(hop->error, "HTTP request");
    if (code != CURLE_OK) {
        hop->reply->is_transient = is_transient(code);
        return hop_fail(hop, WEIR_ERR_IO, message[0] ? message : curl_easy_strerror(code));
    }
    if (!is_ignored && !hop->is_begun && !hop->request->is_head) return hop_begin(hop);
    return WEIR_OK;
}

static enum weir_status hop_run(struct hop *hop)
{
    struct curl_slist *headers = NULL;
    char message[CURL_ERROR_SIZE] = "";
    enum weir_status status;
    hop->reply->code = 0;
    hop_clear(hop);
    if (hop_headers(hop, &headers) && hop_setup(hop, headers, message))
        status = hop_finish(hop, curl_easy_perform(hop->http->curl), message);
    else
        status = error_nomem(hop->error, "HTTP request");
    curl_easy_reset(hop->http->curl); /* forgets `message` and `headers`, which end here */
    curl_slist_free_all(headers);
    return status;
}

/* ---- a request with its redirects ---------------------------------------------------------------------------------- */

static bool is_redirect(long code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

static enum weir_status redirect(struct hop *hop, bool *is_last)
{
    char next[HTTP_URL_BYTES_MAX], shown[200];
    if (!hop->location[0]) return hop_fail(hop, WEIR_ERR_FORMAT, "a redirect without Location");
    enum weir_status status = http_url_join(hop->http, hop->reply->url, hop->location, next, hop->error);
    if (status)
        return error_prefix(hop->error, status, "%s: redirect", http_url_shown(hop->reply->url, shown, sizeof shown));
    bool is_origin = false;
    status = http_url_is_origin(hop->http, next, &is_origin, hop->error);
    if (status) return status;
    *is_last = hop->request->is_head && !is_origin;
    if (!*is_last) memcpy(hop->reply->url, next, sizeof next);
    return WEIR_OK;
}

static enum weir_status follow(struct hop *hop)
{
    for (int hops = 0; hops <= HTTP_REDIRECTS_MAX; hops++) {
        bool is_last = false;
        struct origin origin = {.is_loopback = false};
        enum weir_status status = origin_at(hop->reply->url, &origin, hop->error);
        if (status) return status;
        hop->header_bytes = hop->ignored_bytes = 0;
        hop->is_loopback = origin.is_loopback;
        hop->reply->is_origin = origin_is(&origin, &hop->http->origin);
        status = hop_run(hop);
        if (status || !is_redirect(hop->reply->code)) return status;
        status = redirect(hop, &is_last);
        if (status || is_last) return status;
    }
    return hop_fail(hop, WEIR_ERR_FORMAT, "more than 10 redirects");
}

enum weir_status http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
                           struct weir_error *error)
{
    struct hop *hop = mem_zero(1, sizeof *hop);
    if (!hop) return error_nomem(error, "HTTP request");
    *reply = (struct http_reply){0};
    *hop = (struct hop){.http = http, .request = request, .reply = reply, .error = error};
    enum weir_status status = http_url_join(http, NULL, request->url, reply->url, error);
    if (!status) status = follow(hop);
    free(hop);
    return status;
}

#endif
