/* Insides of pulling, shared by the files of this folder: the job, its attempts, and what the hub says of a file. */
#ifndef WEIR_HUB_INTERNAL_H
#define WEIR_HUB_INTERNAL_H

#include "base/strbuf.h"
#include "hub/choose.h"
#include "hub/http.h"
#include "hub/record.h"
#include "hub/tree.h"
#include "weir/hub.h"

enum { REPO_BYTES_MAX = 200, REVISION_BYTES_MAX = 200 };

/* What was asked for. */
struct pull_spec {
    char repository[REPO_BYTES_MAX];          /* "owner/repo" */
    char file[TREE_PATH_BYTES_MAX + 1];       /* in the repository; "" when one is to be chosen */
    const char *quant;                        /* static, or the caller's; NULL: the usual order */
    char name[WEIR_MODEL_NAME_BYTES_MAX + 1]; /* to install under; "": from the chosen file */
};
enum weir_status spec_read(const struct weir_pull_options *options, struct pull_spec *out,
                           struct weir_error *error) WEIR_MUST_USE;

/* A pull under way. */
struct pull {
    const struct weir_pull_options *options;
    const char *endpoint;
    struct pull_spec spec;
    struct http *http;
    struct weir_pull_progress now; /* what the next report says */
};

/* Reports `now`; false: the caller wants no more. */
bool pull_tick(struct pull *pull);
enum weir_status pull_cancelled(struct weir_error *error);

/* One try of something that may be tried again. */
struct attempt {
    bool is_transient;     /* the failure may pass */
    uint64_t gained_bytes; /* of a file, by this attempt */
    double retry_after_s;  /* the server's wish; 0: none */
};
typedef enum weir_status attempt_run(void *context, struct attempt *attempt, struct weir_error *error);

/* Runs `run` until it succeeds, fails for good, or has failed options->retries + 1 times in a row without 1 MiB of gain. Waits in
 * between: the server's Retry-After (at most 5 minutes; more is a failure that says so), else doubling from
 * options->retry_wait_s up to 60 s. */
enum weir_status pull_retry(struct pull *pull, attempt_run *run, void *context, struct weir_error *error) WEIR_MUST_USE;

/* All files of the repository at the revision asked for. */
enum weir_status hub_list(struct pull *pull, struct hub_tree *tree, struct weir_error *error) WEIR_MUST_USE;

/* What a HEAD of one file told: where exactly it is and what it must be. */
struct hub_facts {
    char commit[80];
    char sha256[65];
    uint64_t size;
};

/* `revision`: as asked for, or the commit that an earlier file's facts gave. What it tells is checked against the list. */
enum weir_status hub_stat(struct pull *pull, const struct hub_file *file, const char *revision, struct hub_facts *out,
                          struct weir_error *error) WEIR_MUST_USE;

/* Address of a file at a commit into out (max set by the caller). */
enum weir_status hub_file_url(const struct pull *pull, const char *path, const char *revision, struct strbuf *out,
                              struct weir_error *error) WEIR_MUST_USE;

/* Brings the file to TARGET.part, whole and checked: size, SHA-256; synced to disk. Bytes already there
 * from an earlier pull of the same content are kept. On failure they stay, unless they are wrong. */
enum weir_status hub_download(struct pull *pull, const struct hub_file *file, const struct hub_facts *facts,
                              const char *target, struct weir_error *error) WEIR_MUST_USE;

/* Opens what the parts of `model` (its files' paths with ".part") will be, as one GGUF model. When it is none, they are removed. */
enum weir_status hub_check_model(const char *folder, const struct weir_model_record *model,
                                 struct weir_error *error) WEIR_MUST_USE;

/* ---- TARGET.part --------------------------------------------------------------------------------------------------- */

/* A download that is not whole yet, and TARGET.part.json, which says of what: {"sha256", "size", "etag"}. The file never holds bytes of
 * another content than the note says: it is emptied before the note changes. */
struct part {
    char *path, *note; /* owned */
    int fd;            /* -1: closed */
    uint64_t size;     /* bytes in the file */
    char sha256[65];
    uint64_t size_expected;
    char etag[256]; /* strong; "": none */
};

/* Opens or makes it; bytes of the same content are kept. part_close accepts what a failure leaves. */
enum weir_status part_open(const char *target, const char *sha256, uint64_t size, struct part *out,
                           struct weir_error *error) WEIR_MUST_USE;
enum weir_status part_append(struct part *part, const void *bytes, size_t size, struct weir_error *error) WEIR_MUST_USE;
enum weir_status part_restart(struct part *part, struct weir_error *error) WEIR_MUST_USE; /* empties it */
enum weir_status part_set_etag(struct part *part, const char *etag, struct weir_error *error) WEIR_MUST_USE;
enum weir_status part_sync(struct part *part, struct weir_error *error) WEIR_MUST_USE;
void part_close(struct part *part);

/* Bytes that part_open would keep. */
uint64_t part_kept_bytes(const char *target, const char *sha256, uint64_t size);

/* TARGET.part becomes TARGET, and the note goes. */
enum weir_status part_install(const char *target, struct weir_error *error) WEIR_MUST_USE;
void part_remove(const char *target);

#endif
