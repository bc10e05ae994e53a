/* One file from the hub's storage into TARGET.part.
 *
 * An attempt asks for what is missing and appends what comes:
 *
 *   200          the whole file: what was there goes (Range ignored, or If-Range says the content changed)
 *   206          from the offset asked for, of the size expected, with the ETag that came before; otherwise begun anew
 *   416          the storage has no such range: begun anew
 *   403 of storage, 408, 429, 5xx, a cut or stalled connection, a body that ends early: another attempt
 *
 * Never more bytes than expected are taken. The whole file is hashed from disk at the end; when it is wrong and was pieced together from
 * several transfers it is fetched once more in one, and otherwise refused and removed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "hub/hub_internal.h"

struct download {
    struct pull *pull;
    const struct hub_file *file;
    const struct hub_facts *facts;
    const char *url;
    struct part part;
    struct http_reply *reply;
    uint64_t base_bytes; /* of the parts before this file, for the report */
    unsigned transfers;  /* that brought bytes which are still there, those of earlier pulls included */
    bool must_restart;   /* what came cannot be joined to what is there */
    bool is_counted;     /* this transfer is in `transfers` */
    bool is_spoiled;     /* what is there is not what was asked for */
};

/* ---- headers ------------------------------------------------------------------------------------------------------- */

/* "bytes 100-199/200" or "bytes 100-199/" and a star: first, last, total (0: not told). */
static bool content_range_read(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
    unsigned long long numbers[3] = {0};
    if (strncasecmp(text, "bytes ", 6) != 0) return false;
    const char *at = text + 6;
    static const char *const ends[] = {"-", "/", ""};
    for (int i = 0; i < 3; i++) {
        if (i == 2 && strcmp(at, "*") == 0) break;
        char *end = NULL;
        if (*at < '0' || *at > '9') return false;
        numbers[i] = strtoull(at, &end, 10);
        if (i < 2 ? *end != ends[i][0] : *end != 0) return false;
        at = end + 1;
    }
    *first = numbers[0];
    *last = numbers[1];
    *total = numbers[2];
    return *first <= *last && *last < HUB_FILE_BYTES_MAX;
}

/* The body's announced size must be what is missing; none announced is counted as it comes. */
static enum weir_status check_length(const struct download *d, uint64_t expected, const struct http_reply *reply,
                                     struct weir_error *error)
{
    char *end = NULL;
    if (!reply->content_length[0]) return WEIR_OK;
    unsigned long long length = strtoull(reply->content_length, &end, 10);
    if (*end == 0 && length == expected) return WEIR_OK;
    return error_set(error, WEIR_ERR_FORMAT,
                     "Content-Length: expected %" PRIu64 " (of a file of %" PRIu64 " bytes), found %s", expected,
                     d->facts->size, reply->content_length);
}

/* What is there cannot be gone on with: the attempt fails, the next one begins anew. */
static enum weir_status restart(struct download *d, struct weir_error *error, const char *header, const char *found)
{
    d->must_restart = true;
    return error_set(error, WEIR_ERR_FORMAT,
                     "%s: expected what continues at byte %" PRIu64 " of %" PRIu64 ", found %.90s", header,
                     d->part.size, d->facts->size, found[0] ? found : "none");
}

static enum weir_status begin_range(struct download *d, const struct http_reply *reply, struct weir_error *error)
{
    uint64_t first = 0, last = 0, total = 0;
    if (!content_range_read(reply->content_range, &first, &last, &total) || first != d->part.size ||
        (total && total != d->facts->size) || last >= d->facts->size)
        return restart(d, error, "Content-Range", reply->content_range);
    if (d->part.etag[0] && reply->etag[0] == '"' && strcmp(d->part.etag, reply->etag) != 0)
        return restart(d, error, "ETag", reply->etag);
    return check_length(d, last - first + 1, reply, error);
}

static enum weir_status on_begin(void *context, const struct http_reply *reply, struct weir_error *error)
{
    struct download *d = context;
    if (reply->content_encoding[0] && strcasecmp(reply->content_encoding, "identity") != 0)
        return error_set(error, WEIR_ERR_FORMAT, "Content-Encoding: expected none, found %s", reply->content_encoding);
    enum weir_status status;
    if (reply->code == 206) {
        status = begin_range(d, reply, error);
    } else {
        status = check_length(d, d->facts->size, reply, error);
        if (!status && d->part.size) status = part_restart(&d->part, error);
        d->transfers = 0;
    }
    return status ? status : part_set_etag(&d->part, reply->etag, error);
}

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

/* The first four bytes of a GGUF file, as soon as they are there: a web page is not worth ten gigabytes. */
static enum weir_status check_magic(struct download *d, const char *bytes, size_t size, struct weir_error *error)
{
    uint64_t at = d->part.size;
    for (size_t i = 0; i < size && at + i < 4; i++) {
        d->is_spoiled = bytes[i] != "GGUF"[at + i];
        if (d->is_spoiled) return error_set(error, WEIR_ERR_FORMAT, "expected a GGUF file, found other content");
    }
    return WEIR_OK;
}

static enum weir_status on_body(void *context, const void *bytes, size_t size, struct weir_error *error)
{
    struct download *d = context;
    d->is_spoiled = size > d->facts->size - d->part.size;
    if (d->is_spoiled)
        return error_set(error, WEIR_ERR_FORMAT, "expected %" PRIu64 " bytes, found more", d->facts->size);
    enum weir_status status = check_magic(d, bytes, size, error);
    if (!status) status = part_append(&d->part, bytes, size, error);
    if (!d->is_counted) d->transfers++;
    d->is_counted = true;
    d->pull->now.done_bytes = d->base_bytes + d->part.size;
    return status;
}

/* ---- an attempt ---------------------------------------------------------------------------------------------------- */

/* A reply that is no error of the connection and not 200 or 206. */
static enum weir_status refuse_code(struct download *d, struct attempt *attempt, struct weir_error *error)
{
    long code = d->reply->code;
    bool is_expired = code == 403 && !d->reply->is_origin; /* a signed address that ran out: the hub gives a new one */
    attempt->is_transient = http_code_is_transient(code) || is_expired || code == 416;
    enum weir_status status = http_code_fail(d->reply, d->pull->options->token != NULL, error);
    if (code != 416) return status;
    attempt->is_transient = d->part.size > 0;
    d->must_restart = true;
    return error_set(error, WEIR_ERR_FORMAT,
                     "status 416: the server has no bytes from %" PRIu64
                     " on (Content-Range: %s) of a file of %" PRIu64,
                     d->part.size, d->reply->content_range[0] ? d->reply->content_range : "none", d->facts->size);
}

static enum weir_status attempt_finish(struct download *d, enum weir_status status, struct attempt *attempt,
                                       struct weir_error *error)
{
    if (status) {
        attempt->is_transient = d->reply->is_transient || d->must_restart;
    } else if (d->reply->code != 200 && d->reply->code != 206) {
        status = refuse_code(d, attempt, error);
    } else if (d->part.size < d->facts->size) {
        attempt->is_transient = true;
        status = error_set(error, WEIR_ERR_IO, "expected %" PRIu64 " bytes, the body ended after %" PRIu64,
                           d->facts->size, d->part.size);
    }
    return status;
}

static enum weir_status attempt_once(void *context, struct attempt *attempt, struct weir_error *error)
{
    struct download *d = context;
    if (d->part.size == d->facts->size) return WEIR_OK;
    if (d->must_restart) {
        enum weir_status status = part_restart(&d->part, error);
        if (status) return status;
        d->transfers = 0;
    }
    d->must_restart = d->is_counted = false;
    uint64_t before = d->part.size;
    d->pull->now.done_bytes = d->base_bytes + before;
    struct http_request request = {
        .url = d->url, .offset = before, .if_range = d->part.etag, .begin = on_begin, .body = on_body, .context = d};
    enum weir_status status = http_send(d->pull->http, &request, d->reply, error);
    attempt->retry_after_s = d->reply->retry_after_s;
    attempt->gained_bytes = d->part.size > before ? d->part.size - before : 0;
    return attempt_finish(d, status, attempt, error);
}

/* ---- checking ------------------------------------------------------------------------------------------------------ */

static bool report_check(void *context, const char *path, uint64_t done, uint64_t total)
{
    struct pull *pull = context;
    (void)path;
    pull->now.done_bytes = done;
    pull->now.total_bytes = total;
    return pull_tick(pull);
}

static enum weir_status check_hash(struct download *d, bool *is_good, char found[65], struct weir_error *error)
{
    struct weir_pull_progress before = d->pull->now;
    uint64_t size = 0;
    d->pull->now.stage = WEIR_PULL_CHECKING;
    enum weir_status status = model_hash(d->part.path, report_check, d->pull, found, &size, error);
    d->pull->now = before;
    *is_good = !status && size == d->facts->size && strcmp(found, d->facts->sha256) == 0;
    return status;
}

static enum weir_status fetch_checked(struct download *d, struct weir_error *error)
{
    for (int round = 0;; round++) {
        char found[65] = "";
        bool is_good = false;
        enum weir_status status = pull_retry(d->pull, attempt_once, d, error);
        if (!status) status = part_sync(&d->part, error);
        if (!status) status = check_hash(d, &is_good, found, error);
        if (status || is_good) return status;
        bool is_pieced = d->transfers > 1;
        status = part_restart(&d->part, error);
        if (status) return status;
        d->transfers = 0;
        d->is_spoiled = !is_pieced || round;
        if (d->is_spoiled)
            return error_set(error, WEIR_ERR_FORMAT, "SHA-256: expected %s, found %s (what came was thrown away)",
                             d->facts->sha256, found);
    }
}

static enum weir_status download_run(struct download *d, const char *target, struct weir_error *error)
{
    enum weir_status status = part_open(target, d->facts->sha256, d->facts->size, &d->part, error);
    if (status) return status;
    d->transfers = d->part.size ? 1 : 0;
    status = fetch_checked(d, error);
    if (d->is_spoiled) part_remove(target); /* nothing to go on with */
    return status;
}

enum weir_status hub_download(struct pull *pull, const struct hub_file *file, const struct hub_facts *facts,
                              const char *target, struct weir_error *error)
{
    struct strbuf url = STRBUF_MAX(HTTP_URL_BYTES_MAX - 1);
    struct download d = {.pull = pull,
                         .file = file,
                         .facts = facts,
                         .base_bytes = pull->now.done_bytes,
                         .part = {.fd = -1},
                         .reply = mem_zero(1, sizeof *d.reply)};
    pull->now.file = file->path;
    enum weir_status status =
        d.reply ? hub_file_url(pull, file->path, facts->commit, &url, error) : error_nomem(error, "download");
    d.url = url.data;
    if (!status) status = download_run(&d, target, error);
    if (status == WEIR_ERR_CANCELLED)
        pull_cancelled(error);
    else if (status)
        error_prefix(error, status, "hf:%s:%.200s", pull->spec.repository, file->path);
    pull->now.done_bytes = d.base_bytes + facts->size;
    part_close(&d.part);
    free(d.reply);
    strbuf_free(&url);
    return status;
}
