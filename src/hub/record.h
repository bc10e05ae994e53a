/* FOLDER/NAME.json: where an installed model came from and what it must hash to. Written after the files, read as a stranger's. */
#ifndef WEIR_HUB_RECORD_H
#define WEIR_HUB_RECORD_H

#include "base/strbuf.h"
#include "weir/hub.h"

enum { RECORD_BYTES_MAX = 1 << 20, MODEL_PATH_BYTES_MAX = 8192 };

/* Letters, digits, '.', '_' and '-', not first '.' or '-', at most WEIR_MODEL_NAME_BYTES_MAX: safe as a file name. */
bool model_name_is_safe(const char *name);

/* The record of NAME. Without FOLDER/NAME.json: what the catalogue knows of that name and size; failing that, the file alone,
 * with is_recorded false. WEIR_ERR_NOT_FOUND: nothing of that name is there. The caller frees *out. */
enum weir_status record_load(const char *folder, const char *name, struct weir_model_record *out,
                             struct weir_error *error) WEIR_MUST_USE;

/* FOLDER/NAME.gguf without its record. */
enum weir_status record_from_file(const char *folder, const char *name, struct weir_model_record *out,
                                  struct weir_error *error) WEIR_MUST_USE;

enum weir_status record_save(const char *folder, const struct weir_model_record *record,
                             struct weir_error *error) WEIR_MUST_USE;

/* Appends "FOLDER/NAME.gguf", or part `part` (from 1) of `parts` when there are several. */
enum weir_status model_path(struct strbuf *out, const char *folder, const char *name, unsigned part,
                            unsigned parts) WEIR_MUST_USE;

/* SHA-256 of the file at `path` and its size; reports about every 16 MiB. */
enum weir_status model_hash(const char *path, weir_verify_report *report, void *context, char hex[65], uint64_t *size,
                            struct weir_error *error) WEIR_MUST_USE;

/* SHA-256 and size of a file that the catalogue knows by this name, though it was not pulled. NULL: none. */
struct catalogue_pin {
    const char *name, *source, *sha256;
    uint64_t size;
};
const struct catalogue_pin *catalogue_pin_find(const char *name);

#endif
