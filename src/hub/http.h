/* HTTP for the hub: one request with its redirects, through libcurl. No retries here (retry.h), nothing of the hub's API (tree.h).
 *
 * Plain http is spoken only when the endpoint itself is http on a loopback address, and only to loopback addresses. The token goes
 * to the endpoint's own origin (scheme, host, port) and nowhere else: redirects are followed here, hop by hop, not by
 * libcurl. Proxies come from the environment as libcurl reads it (https_proxy, no_proxy), except that loopback
 * addresses are never asked through one. Error texts name hosts and paths, never queries (signed addresses) or tokens. */
#ifndef WEIR_HUB_HTTP_H
#define WEIR_HUB_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

enum { HTTP_URL_BYTES_MAX = 8192, HTTP_REDIRECTS_MAX = 10, HTTP_HEADERS_BYTES_MAX = 256 * 1024 };

struct http_options {
    const char *endpoint;             /* "https://host[:port][/path]", without a slash at its end */
    const char *token;                /* NULL: none */
    unsigned stall_s;                 /* below 1 KiB/s for so long: cut */
    bool (*is_wanted)(void *context); /* called about once a second; false: WEIR_ERR_CANCELLED */
    void *context;
};

/* What came back. Headers that were absent are empty. */
struct http_reply {
    long code;
    char url[HTTP_URL_BYTES_MAX]; /* of the last hop */
    bool is_origin;               /* the last hop was at the endpoint's origin */
    /* from the endpoint's own origin only, the first hop that had them: */
    char commit[80], linked_etag[160], linked_size[24];
    /* of the last hop: */
    char etag[256], content_length[24], content_range[96], content_encoding[32], error_code[64], rate_limit[128];
    char link[HTTP_URL_BYTES_MAX];
    double retry_after_s; /* 0: not said */
    bool is_transient;    /* worth another attempt, when the call failed */
};

struct http_request {
    const char *url;
    bool is_head;         /* no body, and a redirect to another origin is not followed: it is the answer */
    uint64_t offset;      /* Range: bytes=OFFSET- when not 0 */
    const char *if_range; /* the strong ETag that the bytes before `offset` came with; "" or NULL: none */
    unsigned timeout_s;   /* for the whole request; 0: only the stall limit */
    /* Called once with the headers of a last hop of status 200 or 206, before its body; then for the body's bytes. What they return
     * ends the transfer when it is not WEIR_OK, and is what http_send returns. */
    enum weir_status (*begin)(void *context, const struct http_reply *reply, struct weir_error *error);
    enum weir_status (*body)(void *context, const void *bytes, size_t size, struct weir_error *error);
    void *context;
};

struct http;
enum weir_status http_open(const struct http_options *options, struct http **out,
                           struct weir_error *error) WEIR_MUST_USE;
void http_close(struct http **http);

/* WEIR_OK: a whole reply of any status but a redirect (a HEAD may end on one). */
enum weir_status http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
                           struct weir_error *error) WEIR_MUST_USE;

/* `url` made absolute against `base` (or as it is) and allowed: WEIR_ERR_REFUSED otherwise. */
enum weir_status http_url_join(const struct http *http, const char *base, const char *url, char out[HTTP_URL_BYTES_MAX],
                               struct weir_error *error) WEIR_MUST_USE;

/* Whether `url` is at the endpoint's own origin. */
enum weir_status http_url_is_origin(const struct http *http, const char *url, bool *is_origin,
                                    struct weir_error *error) WEIR_MUST_USE;

/* "https://host/path" without query, printable, for error texts. */
const char *http_url_shown(const char *url, char *out, size_t size);

/* A status the hub or its storage gives when another attempt may succeed. */
bool http_code_is_transient(long code);

/* What `code` means, in words for the user of the hub: WEIR_ERR_REFUSED (401, 403), WEIR_ERR_NOT_FOUND (404) or WEIR_ERR_IO. */
enum weir_status http_code_fail(const struct http_reply *reply, bool has_token, struct weir_error *error);

#endif
