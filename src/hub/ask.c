/* What the hub says: the list of a repository's files, and what one file must be.
 *
 *   GET  ENDPOINT/api/models/OWNER/REPO/tree/REVISION?recursive=true       an array a page; Link: <...>; rel="next"
 *   HEAD ENDPOINT/OWNER/REPO/resolve/REVISION/PATH                         X-Repo-Commit, X-Linked-ETag (SHA-256 in quotes),
 *                                                                          X-Linked-Size, and a redirect to storage
 * Sources: huggingface_hub (file_download.py, hf_api.py, utils/_pagination.py). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "hub/hub_internal.h"

enum { API_TIMEOUT_S = 60 };

/* ---- addresses ----------------------------------------------------------------------------------------------------- */

/* Percent-encodes all but unreserved characters (RFC 3986, 2.3) and, where told, '/'. */
static enum weir_status add_encoded(struct strbuf *out, const char *text, bool keep_slash)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    enum weir_status status = WEIR_OK;
    for (; !status && *text; text++) {
        if (strchr(plain, *text) || (keep_slash && *text == '/'))
            status = strbuf_add(out, text, 1);
        else
            status = strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
    return status;
}

static enum weir_status url_fail(enum weir_status status, struct weir_error *error)
{
    return error_set(error, status, "address of the repository: %s", weir_status_text(status));
}

enum weir_status hub_file_url(const struct pull *pull, const char *path, const char *revision, struct strbuf *out,
                              struct weir_error *error)
{
    enum weir_status status = strbuf_printf(out, "%s/%s/resolve/", pull->endpoint, pull->spec.repository);
    if (!status) status = add_encoded(out, revision, false);
    if (!status) status = strbuf_text(out, "/");
    if (!status) status = add_encoded(out, path, true);
    return status ? url_fail(status, error) : WEIR_OK;
}

static const char *revision_of(const struct pull *pull)
{
    return pull->options->revision ? pull->options->revision : "main";
}

static enum weir_status tree_url(const struct pull *pull, struct strbuf *out, struct weir_error *error)
{
    enum weir_status status = strbuf_printf(out, "%s/api/models/%s/tree/", pull->endpoint, pull->spec.repository);
    if (!status) status = add_encoded(out, revision_of(pull), false);
    if (!status) status = strbuf_text(out, "?recursive=true");
    return status ? url_fail(status, error) : WEIR_OK;
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

struct ask {
    struct pull *pull;
    const char *url;
    bool is_head;
    struct http_reply *reply;
    struct strbuf *body; /* NULL for a HEAD */
};

static enum weir_status on_body(void *context, const void *bytes, size_t size, struct weir_error *error)
{
    const struct ask *ask = context;
    enum weir_status status = strbuf_add(ask->body, bytes, size);
    if (status == WEIR_ERR_LIMIT)
        error_set(error, status, "list of files: expected at most %d bytes a page, found more", TREE_PAGE_BYTES_MAX);
    else if (status)
        error_nomem(error, "list of files");
    return status;
}

static enum weir_status ask_once(void *context, struct attempt *attempt, struct weir_error *error)
{
    struct ask *ask = context;
    struct http_request request = {
        .url = ask->url, .is_head = ask->is_head, .timeout_s = API_TIMEOUT_S, .context = ask};
    if (ask->body) {
        strbuf_clear(ask->body);
        request.body = on_body;
    }
    enum weir_status status = http_send(ask->pull->http, &request, ask->reply, error);
    attempt->is_transient = status ? ask->reply->is_transient : http_code_is_transient(ask->reply->code);
    attempt->retry_after_s = ask->reply->retry_after_s;
    bool is_answer = ask->reply->code == 200 || (ask->is_head && ask->reply->code >= 300 && ask->reply->code < 400);
    if (status || is_answer) return status;
    return http_code_fail(ask->reply, ask->pull->options->token != NULL, error);
}

/* ---- the list ------------------------------------------------------------------------------------------------------ */

/* The next page's address into `url`; *is_last when there is none. */
static enum weir_status next_page(const struct pull *pull, const struct http_reply *reply, struct strbuf *url,
                                  bool *is_last, struct weir_error *error)
{
    char next[HTTP_URL_BYTES_MAX], joined[HTTP_URL_BYTES_MAX];
    *is_last = !link_next(reply->link, next, sizeof next);
    if (*is_last) return WEIR_OK;
    bool is_origin = false;
    enum weir_status status = http_url_join(pull->http, reply->url, next, joined, error);
    if (!status) status = http_url_is_origin(pull->http, joined, &is_origin, error);
    if (status) return status;
    if (!is_origin)
        return error_set(error, WEIR_ERR_REFUSED, "list of files: its next page is said to be on another host");
    strbuf_clear(url);
    status = strbuf_text(url, joined);
    return status ? url_fail(status, error) : WEIR_OK;
}

static enum weir_status list_pages(struct ask *ask, struct strbuf *url, struct hub_tree *tree, struct weir_error *error)
{
    for (int page = 0; page < TREE_PAGES_MAX; page++) {
        bool is_last = false;
        ask->url = url->data;
        enum weir_status status = pull_retry(ask->pull, ask_once, ask, error);
        if (!status) status = tree_add_page(tree, ask->body->data ? ask->body->data : "", ask->body->size, error);
        if (!status) status = next_page(ask->pull, ask->reply, url, &is_last, error);
        if (status || is_last) return status;
    }
    return error_set(error, WEIR_ERR_LIMIT, "list of files: expected at most %d pages, found more", TREE_PAGES_MAX);
}

enum weir_status hub_list(struct pull *pull, struct hub_tree *tree, struct weir_error *error)
{
    struct strbuf url = STRBUF_MAX(HTTP_URL_BYTES_MAX - 1), body = STRBUF_MAX(TREE_PAGE_BYTES_MAX);
    struct http_reply *reply = mem_zero(1, sizeof *reply);
    struct ask ask = {.pull = pull, .reply = reply, .body = &body};
    enum weir_status status = reply ? tree_url(pull, &url, error) : error_nomem(error, "list of files");
    if (!status) {
        status = list_pages(&ask, &url, tree, error);
        if (status) error_prefix(error, status, "hf:%s", pull->spec.repository);
    }
    free(reply);
    strbuf_free(&url);
    strbuf_free(&body);
    return status;
}

/* ---- one file ------------------------------------------------------------------------------------------------------ */

/* The 64 digits of `"..."` or W/"..."; false: it holds something else (the Git hash of a small file). */
static bool etag_sha256(const char *etag, char out[65])
{
    if (strncmp(etag, "W/", 2) == 0) etag += 2;
    size_t quoted = etag[0] == '"';
    if (strlen(etag) != 64 + 2 * quoted) return false;
    char digits[65] = {0};
    memcpy(digits, etag + quoted, 64);
    if (!hub_is_sha256(digits)) return false;
    memcpy(out, digits, sizeof digits);
    return true;
}

static bool number_read(const char *text, uint64_t *out)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') return false;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || value > HUB_FILE_BYTES_MAX) return false;
    *out = value;
    return true;
}

static bool commit_is_good(const char *commit)
{
    size_t size = strlen(commit);
    return size >= 40 && size <= 64 && strspn(commit, "0123456789abcdef") == size;
}

static enum weir_status facts_read(const struct http_reply *reply, const struct hub_file *file, struct hub_facts *out,
                                   struct weir_error *error)
{
    struct hub_facts facts = {.size = file->size};
    if (!commit_is_good(reply->commit))
        return error_set(error, WEIR_ERR_FORMAT, "X-Repo-Commit: expected 40 to 64 hexadecimal digits, found %s",
                         reply->commit[0] ? "something else" : "none (is the endpoint a hub?)");
    memcpy(facts.commit, reply->commit, sizeof facts.commit);
    const char *size = reply->linked_size[0]                    ? reply->linked_size
                       : reply->is_origin && reply->code == 200 ? reply->content_length
                                                                : "";
    if (*size && (!number_read(size, &facts.size) || facts.size != file->size))
        return error_set(error, WEIR_ERR_FORMAT,
                         "size: expected %" PRIu64 " bytes as in the list of files, found %.24s in the file's headers",
                         file->size, size);
    const char *etag = reply->linked_etag[0] ? reply->linked_etag : reply->etag;
    bool is_told = etag_sha256(etag, facts.sha256);
    if (!is_told && !file->sha256[0])
        return error_set(
            error, WEIR_ERR_REFUSED,
            "the hub tells no SHA-256 of it (it is not in large-file storage), so it could not be checked");
    if (!is_told) memcpy(facts.sha256, file->sha256, sizeof facts.sha256);
    if (file->sha256[0] && strcmp(facts.sha256, file->sha256) != 0)
        return error_set(error, WEIR_ERR_FORMAT,
                         "SHA-256: expected %s as in the list of files, found %s in the file's headers (did the "
                         "repository just change?)",
                         file->sha256, facts.sha256);
    *out = facts;
    return WEIR_OK;
}

enum weir_status hub_stat(struct pull *pull, const struct hub_file *file, const char *revision, struct hub_facts *out,
                          struct weir_error *error)
{
    struct strbuf url = STRBUF_MAX(HTTP_URL_BYTES_MAX - 1);
    struct http_reply *reply = mem_zero(1, sizeof *reply);
    struct ask ask = {.pull = pull, .is_head = true, .reply = reply};
    enum weir_status status = reply
                                  ? hub_file_url(pull, file->path, revision ? revision : revision_of(pull), &url, error)
                                  : error_nomem(error, "file facts");
    ask.url = url.data;
    if (!status) status = pull_retry(pull, ask_once, &ask, error);
    if (!status) status = facts_read(reply, file, out, error);
    if (status) error_prefix(error, status, "hf:%s:%.200s", pull->spec.repository, file->path);
    free(reply);
    strbuf_free(&url);
    return status;
}
