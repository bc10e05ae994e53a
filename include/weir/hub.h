/* Getting models: the catalogue of supported models, the folder of installed ones, and the Hugging Face hub protocol.
 *
 * A model is installed as FOLDER/NAME.gguf (or NAME-00001-of-0000N.gguf and its other parts) with a record FOLDER/NAME.json of
 * where it came from and its SHA-256. Nothing here reads the environment or prints: the folder, the endpoint and the
 * token are arguments. Calls are thread-safe; two pulls of one name, also of two processes, wait for each other.
 * Protocol: huggingface.co/docs/hub/api (tree), github.com/huggingface/huggingface_hub (resolve, its headers, pagination). */
#ifndef WEIR_HUB_H
#define WEIR_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the catalogue ------------------------------------------------------------------------------------------------- */

/* Bits a weight is stored in, by the name of the file type (llama.cpp's names). */
enum weir_quant { WEIR_QUANT_Q4_K_M, WEIR_QUANT_Q5_K_M, WEIR_QUANT_Q6_K, WEIR_QUANT_Q8_0, WEIR_QUANT_F16, WEIR_QUANTS };

/* One supported model. Texts are static and never NULL; an empty one means: not known. */
struct weir_catalogue_model {
    const char *name;         /* what `pull` and `-m` call it: "phi-4-mini" */
    const char *title;        /* "Phi-4 mini instruct" */
    const char *architecture; /* general.architecture of its files */
    const char *licence;      /* SPDX identifier, or the licence's own name */
    const char *languages;
    const char *languages_brief; /* "English", or how many */
    const char *best_at;
    const char *card;       /* model card the facts are from: owner/repo on the hub */
    const char *repository; /* owner/repo on the hub that holds GGUF files */
    const char *quant;      /* what `pull` takes from it when nothing is asked for: "Q4_K_M" */
    const char *verified;   /* what was checked with this model, in words */
    /* Shape, from the card's config.json: */
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab;
    uint32_t ctx_train; /* tokens */
    bool is_tied;       /* the output matrix is the embedding */
    bool has_qkv_bias;
    bool is_run; /* a real file of it was run, not only its shape */
};

WEIR_API size_t weir_catalogue_count(void);
WEIR_API const struct weir_catalogue_model *weir_catalogue_at(size_t index);       /* NULL beyond the end */
WEIR_API const struct weir_catalogue_model *weir_catalogue_find(const char *name); /* NULL: no such model */
WEIR_API const char *weir_quant_name(enum weir_quant quant);                       /* "Q4_K_M" */

/* Weights of the model: all matrices, norms and biases. */
WEIR_API uint64_t weir_catalogue_parameters(const struct weir_catalogue_model *model);

/* Bytes of all tensors in a file of that type, by llama.cpp's rule of which tensor gets which type (docs/hub.md). */
WEIR_API uint64_t weir_catalogue_weights_bytes(const struct weir_catalogue_model *model, enum weir_quant quant);

/* Bytes of keys and values at f16 for a context of `ctx` tokens: 2 * 2 * layers * KV heads * head size * ctx. */
WEIR_API uint64_t weir_catalogue_kv_bytes(const struct weir_catalogue_model *model, uint64_t ctx);

/* ---- installed models ---------------------------------------------------------------------------------------------- */

enum { WEIR_MODEL_PARTS_MAX = 256, WEIR_MODEL_NAME_BYTES_MAX = 128 };

struct weir_model_file {
    char *path;      /* where it lies */
    char *source;    /* its path in the repository; "" when it came from elsewhere */
    char sha256[65]; /* 64 lower-case hexadecimal digits; "" when not recorded */
    uint64_t size;   /* as recorded, or of the file when there is no record */
};

/* An installed model, or what was recorded of it. Owned by the caller: weir_model_record_free. */
struct weir_model_record {
    char *name;
    char *source;   /* "hf:owner/repo"; "" when not recorded */
    char *revision; /* commit */
    char *time;     /* when it was installed, UTC, "2026-11-23T12:00:00Z" */
    struct weir_model_file *files;
    size_t n_files;
    char *problem;    /* why there is no usable record though NAME.json exists; "": nothing is wrong */
    bool is_recorded; /* there is a record, or the catalogue knows the file's SHA-256 */
};
WEIR_API void weir_model_record_free(struct weir_model_record *record); /* accepts a zeroed one */

/* The file to open for `model`: itself when such a file exists, else the installed model of that name (its first part).
 * `folder` NULL: only files. On success the caller frees *path. WEIR_ERR_NOT_FOUND: the text says where was looked. */
WEIR_API enum weir_status weir_model_find(const char *folder, const char *model, char **path,
                                          struct weir_error *error) WEIR_MUST_USE;

/* What is installed in `folder`, by name. A folder that does not exist holds nothing. The caller frees each and the array. */
WEIR_API enum weir_status weir_model_list(const char *folder, struct weir_model_record **records, size_t *count,
                                          struct weir_error *error) WEIR_MUST_USE;

/* Called now and then during long work; false ends it with WEIR_ERR_CANCELLED. */
typedef bool weir_verify_report(void *context, const char *path, uint64_t done_bytes, uint64_t total_bytes);

/* Compares size and SHA-256 of every file of the model (a name, or a path) with its record. WEIR_OK: all match.
 * WEIR_ERR_NOT_FOUND: no such model, or no record. WEIR_ERR_FORMAT: the text says what was expected and found.
 * *record, when not NULL, gets the record on success. `report` may be NULL. */
WEIR_API enum weir_status weir_model_verify(const char *folder, const char *model, weir_verify_report *report,
                                            void *context, struct weir_model_record *record,
                                            struct weir_error *error) WEIR_MUST_USE;

/* ---- pulling ------------------------------------------------------------------------------------------------------- */

enum weir_pull_stage {
    WEIR_PULL_WAITING,     /* another pull of this name holds the lock */
    WEIR_PULL_ASKING,      /* the hub's API */
    WEIR_PULL_DOWNLOADING, /* done and total in bytes, of all parts */
    WEIR_PULL_RETRYING,    /* text says why, and how long it waits */
    WEIR_PULL_CHECKING     /* SHA-256 of what was downloaded; bytes of this file */
};

struct weir_pull_progress {
    enum weir_pull_stage stage;
    const char *file; /* path in the repository, or the model's name */
    uint64_t done_bytes, total_bytes;
    const char *text; /* "" or words for the user */
};

/* Called at least every second or so; false ends the pull with WEIR_ERR_CANCELLED. What has arrived is kept for the next. */
typedef bool weir_pull_report(void *context, const struct weir_pull_progress *progress);

struct weir_pull_options {
    const char *model;        /* a catalogue name, or "hf:owner/repo[:file]" */
    const char *folder;       /* where models are installed; made when missing */
    const char *quant;        /* "Q8_0": which of the repository's files; NULL: docs/hub.md has the order */
    const char *as;           /* name to install under; NULL: the catalogue's name, or the file's */
    const char *revision;     /* branch, tag or commit; NULL: "main" */
    const char *endpoint;     /* NULL: "https://huggingface.co" */
    const char *token;        /* sent to the endpoint's own origin only; NULL: none */
    unsigned retries;         /* attempts that brought less than 1 MiB, one after the other, before giving up */
    double retry_wait_s;      /* before the first retry; doubles up to 60 s */
    unsigned stall_s;         /* below 1 KiB/s for so long, a transfer is cut and retried */
    weir_pull_report *report; /* may be NULL */
    void *context;
};
WEIR_API struct weir_pull_options weir_pull_options_defaults(void);

struct weir_pull_result {
    char *path;                      /* of the first file; owned */
    struct weir_model_record record; /* owned */
    bool was_installed;              /* nothing had to be downloaded */
};
WEIR_API void weir_pull_result_free(struct weir_pull_result *result); /* accepts a zeroed one */

/* Downloads a model and installs it whole or not at all: NAME.gguf.part, size and SHA-256 as the hub told them, a readable GGUF
 * file, fsync, rename. A model of that name that is there already stays until then. After a cut (also kill -9) the next
 * pull goes on where this one stopped. WEIR_ERR_UNSUPPORTED: built without libcurl. */
WEIR_API enum weir_status weir_pull(const struct weir_pull_options *options, struct weir_pull_result *out,
                                    struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
