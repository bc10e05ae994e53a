/* The folder of installed models: names, what is there, and whether it is still what was installed. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "hub/choose.h"
#include "hub/record.h"

enum { INSTALLED_MAX = 10000 };

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static bool is_path(const char *model)
{
    size_t size = strlen(model);
    return strchr(model, '/') || (size > 5 && strcmp(model + size - 5, ".gguf") == 0);
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

static enum weir_status fail_unknown(const char *folder, const char *model, struct weir_error *error)
{
    if (weir_catalogue_find(model))
        return error_set(error, WEIR_ERR_NOT_FOUND,
                         "model '%s': neither a file nor installed in %s ('weir pull %s' installs it)", model, folder,
                         model);
    return error_set(error, WEIR_ERR_NOT_FOUND,
                     "model '%.200s': neither a file nor installed in %s ('weir models' lists names)", model, folder);
}

enum weir_status weir_model_find(const char *folder, const char *model, char **path, struct weir_error *error)
{
    if (!model || !path) return error_set(error, WEIR_ERR_INVALID, "weir_model_find: expected a model and a place");
    if (is_file(model)) {
        *path = mem_text(model, strlen(model));
        return *path ? WEIR_OK : error_nomem(error, "model path");
    }
    if (is_path(model) || !model_name_is_safe(model))
        return error_set(error, WEIR_ERR_NOT_FOUND, "%.300s: no such model file", model);
    if (!folder)
        return error_set(error, WEIR_ERR_NOT_FOUND,
                         "%s: no such model file, and no folder of models (set XDG_CACHE_HOME)", model);
    struct strbuf whole = STRBUF_MAX(MODEL_PATH_BYTES_MAX); /* needs no record */
    enum weir_status status = model_path(&whole, folder, model, 1, 1);
    if (status) {
        strbuf_free(&whole);
        return error_set(error, status, "model '%s': its path: %s", model, weir_status_text(status));
    }
    if (is_file(whole.data)) {
        *path = whole.data;
        return WEIR_OK;
    }
    strbuf_free(&whole);
    struct weir_model_record record = {0};
    status = record_load(folder, model, &record, error);
    if (status == WEIR_ERR_NOT_FOUND || (!status && !is_file(record.files[0].path)))
        status = fail_unknown(folder, model, error);
    if (!status) {
        *path = record.files[0].path;
        record.files[0].path = NULL;
    }
    weir_model_record_free(&record);
    return status;
}

/* ---- listing ------------------------------------------------------------------------------------------------------- */

struct listing {
    struct weir_model_record *records;
    size_t count, capacity;
};

static void listing_free(struct listing *list)
{
    for (size_t i = 0; i < list->count; i++) weir_model_record_free(&list->records[i]);
    free(list->records);
}

/* A damaged record hides neither its model nor the others; `error` holds what is wrong with it. */
static enum weir_status list_damaged(const char *folder, const char *name, struct weir_model_record *record,
                                     struct weir_error *error)
{
    char *problem = mem_text(error->text, strlen(error->text));
    if (!problem) return error_nomem(error, "list of models");
    enum weir_status status = record_from_file(folder, name, record, error);
    if (status) {
        free(problem);
        return status;
    }
    free(record->problem);
    record->problem = problem;
    record->is_recorded = false;
    return WEIR_OK;
}

static enum weir_status listing_add(struct listing *list, const char *folder, const char *name,
                                    struct weir_error *error)
{
    if (list->count >= INSTALLED_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%s: expected at most %d models", folder, INSTALLED_MAX);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct weir_model_record *records = mem_resize(list->records, capacity, sizeof *records);
        if (!records) return error_nomem(error, "list of models");
        list->records = records;
        list->capacity = capacity;
    }
    struct weir_model_record *record = &list->records[list->count];
    enum weir_status status = record_load(folder, name, record, error);
    if (status == WEIR_ERR_FORMAT || status == WEIR_ERR_UNSUPPORTED) status = list_damaged(folder, name, record, error);
    if (!status) list->count++;
    return status == WEIR_ERR_NOT_FOUND ? WEIR_OK
                                        : status; /* part of a split model without its record, or gone meanwhile */
}

/* The model's name when `entry` is its file, or its first part. */
static bool name_of(const char *entry, char name[WEIR_MODEL_NAME_BYTES_MAX + 1])
{
    unsigned part = 1, parts;
    size_t size = strlen(entry), end = size > 5 ? size - 5 : 0;
    if (!end || strcmp(entry + end, ".gguf") != 0) return false;
    (void)split_read(entry, &part, &parts, &end);
    if (part != 1 || end > WEIR_MODEL_NAME_BYTES_MAX) return false;
    memcpy(name, entry, end);
    name[end] = 0;
    return model_name_is_safe(name);
}

static int by_name(const void *a, const void *b)
{
    const struct weir_model_record *left = a, *right = b;
    return strcmp(left->name, right->name);
}

enum weir_status weir_model_list(const char *folder, struct weir_model_record **records, size_t *count,
                                 struct weir_error *error)
{
    if (!folder || !records || !count)
        return error_set(error, WEIR_ERR_INVALID, "weir_model_list: expected a folder and places");
    struct listing list = {0};
    struct weir_error unused;
    if (!error) error = &unused; /* what is wrong with a record is kept */
    DIR *dir = opendir(folder);
    if (!dir && errno != ENOENT) return error_set(error, WEIR_ERR_IO, "%s: cannot open: %s", folder, strerror(errno));
    enum weir_status status = WEIR_OK;
    while (dir && !status) {
        char name[WEIR_MODEL_NAME_BYTES_MAX + 1];
        const struct dirent *entry = readdir(dir); /* NOLINT(concurrency-mt-unsafe): the stream is ours */
        if (!entry) break;
        if (name_of(entry->d_name, name)) status = listing_add(&list, folder, name, error);
    }
    if (dir) closedir(dir);
    if (status) {
        listing_free(&list);
        return status;
    }
    if (list.count) qsort(list.records, list.count, sizeof *list.records, by_name);
    *records = list.records;
    *count = list.count;
    return WEIR_OK;
}

/* ---- verifying ----------------------------------------------------------------------------------------------------- */

/* Folder and name of the model whose file lies at `path`. */
static enum weir_status path_split(const char *path, struct strbuf *folder, char name[WEIR_MODEL_NAME_BYTES_MAX + 1],
                                   struct weir_error *error)
{
    const char *slash = strrchr(path, '/');
    if (!name_of(slash ? slash + 1 : path, name))
        return error_set(error, WEIR_ERR_NOT_FOUND, "%.300s: not the name of a model file (or not of its first part)",
                         path);
    enum weir_status status =
        slash ? strbuf_add(folder, path, slash == path ? 1 : (size_t)(slash - path)) : strbuf_text(folder, ".");
    return status ? error_set(error, status, "%.300s: folder of a model: %s", path, weir_status_text(status)) : WEIR_OK;
}

static enum weir_status file_verify(const struct weir_model_file *file, weir_verify_report *report, void *context,
                                    struct weir_error *error)
{
    struct stat info;
    char hex[65];
    uint64_t size = 0;
    if (stat(file->path, &info) != 0)
        return error_set(error, WEIR_ERR_FORMAT, "%s: expected a file of %llu bytes, found none: %s", file->path,
                         (unsigned long long)file->size, strerror(errno));
    if ((uint64_t)info.st_size != file->size)
        return error_set(error, WEIR_ERR_FORMAT, "%s: expected %llu bytes, found %llu", file->path,
                         (unsigned long long)file->size, (unsigned long long)info.st_size);
    enum weir_status status = model_hash(file->path, report, context, hex, &size, error);
    if (status || strcmp(hex, file->sha256) == 0) return status;
    return error_set(error, WEIR_ERR_FORMAT, "%s: expected SHA-256 %s, found %s", file->path, file->sha256, hex);
}

static enum weir_status record_verify(const struct weir_model_record *record, weir_verify_report *report, void *context,
                                      struct weir_error *error)
{
    if (!record->is_recorded)
        return error_set(error, WEIR_ERR_NOT_FOUND,
                         "%s: no record of its SHA-256 (models that 'weir pull' installs have one)",
                         record->files[0].path);
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < record->n_files; i++)
        status = file_verify(&record->files[i], report, context, error);
    return status;
}

static enum weir_status record_of(const char *folder, const char *model, struct weir_model_record *record,
                                  struct weir_error *error)
{
    char name[WEIR_MODEL_NAME_BYTES_MAX + 1];
    struct strbuf parent = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    enum weir_status status;
    if (is_path(model)) {
        status = path_split(model, &parent, name, error);
        if (!status) status = record_load(parent.data, name, record, error);
    } else if (!folder || !model_name_is_safe(model)) {
        status = error_set(error, WEIR_ERR_NOT_FOUND, "model '%.200s': not a name, or no folder of models", model);
    } else {
        status = record_load(folder, model, record, error);
        if (status == WEIR_ERR_NOT_FOUND) status = fail_unknown(folder, model, error);
    }
    strbuf_free(&parent);
    return status;
}

enum weir_status weir_model_verify(const char *folder, const char *model, weir_verify_report *report, void *context,
                                   struct weir_model_record *out, struct weir_error *error)
{
    if (!model) return error_set(error, WEIR_ERR_INVALID, "weir_model_verify: expected a model");
    struct weir_model_record record = {0};
    enum weir_status status = record_of(folder, model, &record, error);
    if (!status) status = record_verify(&record, report, context, error);
    if (!status && out)
        *out = record;
    else
        weir_model_record_free(&record);
    return status;
}
