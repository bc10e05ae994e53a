#include "hub/record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "hub/tree.h"

enum { HASH_CHUNK_BYTES = 1 << 20, HASH_REPORT_BYTES = 16 << 20, RECORD_VERSION = 1 };

void weir_model_record_free(struct weir_model_record *record)
{
    for (size_t i = 0; i < record->n_files; i++) {
        free(record->files[i].path);
        free(record->files[i].source);
    }
    free(record->files);
    free(record->name);
    free(record->source);
    free(record->revision);
    free(record->time);
    free(record->problem);
    *record = (struct weir_model_record){0};
}

bool model_name_is_safe(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t size = strlen(name);
    return size && size <= WEIR_MODEL_NAME_BYTES_MAX && strspn(name, allowed) == size && name[0] != '.' &&
           name[0] != '-';
}

enum weir_status model_path(struct strbuf *out, const char *folder, const char *name, unsigned part, unsigned parts)
{
    if (parts > 1) return strbuf_printf(out, "%s/%s-%05u-of-%05u.gguf", folder, name, part, parts);
    return strbuf_printf(out, "%s/%s.gguf", folder, name);
}

/* ---- hashing ------------------------------------------------------------------------------------------------------- */

static enum weir_status hash_fd(int fd, const char *path, struct hash *hash, uint64_t total, weir_verify_report *report,
                                void *context, uint64_t *size, struct weir_error *error)
{
    char *chunk = mem_zero(1, HASH_CHUNK_BYTES);
    if (!chunk) return error_nomem(error, "hashing a file");
    uint64_t done = 0, reported = 0;
    enum weir_status status = WEIR_OK;
    for (;;) {
        ssize_t got = read(fd, chunk, HASH_CHUNK_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = error_set(error, WEIR_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (got <= 0) break;
        hash_add(hash, chunk, (size_t)got);
        done += (uint64_t)got;
        if (!report || done - reported < HASH_REPORT_BYTES) continue;
        reported = done;
        if (report(context, path, done, total)) continue;
        status = error_set(error, WEIR_ERR_CANCELLED, "%s: cancelled", path);
        break;
    }
    free(chunk);
    *size = done;
    return status;
}

enum weir_status model_hash(const char *path, weir_verify_report *report, void *context, char hex[65], uint64_t *size,
                            struct weir_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, errno == ENOENT ? WEIR_ERR_NOT_FOUND : WEIR_ERR_IO, "%s: cannot open: %s", path,
                         strerror(errno));
    struct stat info = {0};
    (void)fstat(fd, &info); /* only for the report */
    struct hash *hash = hash_open();
    enum weir_status status = WEIR_OK;
    if (!hash) status = error_nomem(error, "SHA-256");
    if (!status) status = hash_fd(fd, path, hash, (uint64_t)info.st_size, report, context, size, error);
    char unused[HASH_HEX_SIZE] = "";
    if (hash && hash_finish(&hash, status ? unused : hex) && !status)
        status = error_set(error, WEIR_ERR_IO, "%s: libcrypto could not compute SHA-256", path);
    close(fd);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static char *text_copy(const char *text)
{
    return mem_text(text ? text : "", text ? strlen(text) : 0);
}

static bool texts_copy(struct weir_model_record *record, const char *name, const char *source, const char *revision,
                       const char *time)
{
    record->name = text_copy(name);
    record->source = text_copy(source);
    record->revision = text_copy(revision);
    record->time = text_copy(time);
    record->problem = text_copy("");
    return record->name && record->source && record->revision && record->time && record->problem;
}

/* Path of part i into a new file of the record, which has room. */
static bool file_add(struct weir_model_record *record, const char *folder, const char *name, unsigned part,
                     unsigned parts, const char *source)
{
    struct strbuf path = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    if (model_path(&path, folder, name, part, parts)) {
        strbuf_free(&path);
        return false;
    }
    struct weir_model_file *file = &record->files[record->n_files++];
    *file = (struct weir_model_file){.path = path.data, .source = text_copy(source)};
    return file->source;
}

static enum weir_status file_read_json(struct weir_model_record *record, const char *folder, const json_t *item,
                                       unsigned part, unsigned parts, struct weir_error *error)
{
    const char *sha256 = json_string_value(json_object_get(item, "sha256"));
    const json_t *size = json_object_get(item, "size");
    if (!sha256 || !hub_is_sha256(sha256) || !json_is_integer(size) || json_integer_value(size) < 0)
        return error_set(error, WEIR_ERR_FORMAT, "file %u: expected \"sha256\" (64 hexadecimal digits) and \"size\"",
                         part);
    const char *source = json_string_value(json_object_get(item, "source"));
    if (!file_add(record, folder, record->name, part, parts, source)) return error_nomem(error, "model record");
    struct weir_model_file *file = &record->files[part - 1];
    memcpy(file->sha256, sha256, sizeof file->sha256);
    file->size = (uint64_t)json_integer_value(size);
    return WEIR_OK;
}

static const char *text_of(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));
    return text ? text : "";
}

static enum weir_status record_read(const char *folder, const char *name, const json_t *root,
                                    struct weir_model_record *out, struct weir_error *error)
{
    const json_t *files = json_object_get(root, "files");
    json_int_t version = json_integer_value(json_object_get(root, "version"));
    size_t count = json_array_size(files);
    if (version != RECORD_VERSION)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "expected a model record of version %d", RECORD_VERSION);
    if (count < 1 || count > WEIR_MODEL_PARTS_MAX)
        return error_set(error, WEIR_ERR_FORMAT, "expected 1 to %d files, found %zu", WEIR_MODEL_PARTS_MAX, count);
    out->files = mem_zero(count, sizeof *out->files);
    if (!out->files ||
        !texts_copy(out, name, text_of(root, "source"), text_of(root, "revision"), text_of(root, "time")))
        return error_nomem(error, "model record");
    out->is_recorded = true;
    enum weir_status status = WEIR_OK;
    for (unsigned i = 0; !status && i < count; i++)
        status = file_read_json(out, folder, json_array_get(files, i), i + 1, (unsigned)count, error);
    return status;
}

static enum weir_status record_parse(const char *folder, const char *name, const struct strbuf *text,
                                     struct weir_model_record *out, struct weir_error *error)
{
    json_error_t problem;
    json_t *root = json_loadb(text->data ? text->data : "", text->size, JSON_REJECT_DUPLICATES, &problem);
    struct weir_model_record record = {0};
    enum weir_status status = root ? record_read(folder, name, root, &record, error)
                                   : error_set(error, WEIR_ERR_FORMAT, "not valid JSON at line %d", problem.line);
    json_decref(root);
    if (status)
        weir_model_record_free(&record);
    else
        *out = record;
    return status;
}

/* Without a JSON record: NAME.gguf as it lies there, with the hash that the catalogue knows for that name. */
enum weir_status record_from_file(const char *folder, const char *name, struct weir_model_record *out,
                                  struct weir_error *error)
{
    struct stat info;
    struct weir_model_record record = {.files = mem_zero(1, sizeof *record.files)};
    const struct catalogue_pin *pin = catalogue_pin_find(name);
    const char *source = pin ? pin->source : "";
    if (!record.files || !texts_copy(&record, name, source, "", "") || !file_add(&record, folder, name, 1, 1, "")) {
        weir_model_record_free(&record);
        return error_nomem(error, "model record");
    }
    struct weir_model_file *file = &record.files[0];
    if (stat(file->path, &info) != 0) {
        enum weir_status status = error_set(error, WEIR_ERR_NOT_FOUND, "%s: no such model file", file->path);
        weir_model_record_free(&record);
        return status;
    }
    file->size = pin ? pin->size : (uint64_t)info.st_size;
    if (pin) memcpy(file->sha256, pin->sha256, sizeof file->sha256);
    record.is_recorded = pin;
    *out = record;
    return WEIR_OK;
}

enum weir_status record_load(const char *folder, const char *name, struct weir_model_record *out,
                             struct weir_error *error)
{
    struct strbuf path = STRBUF_MAX(MODEL_PATH_BYTES_MAX), text = STRBUF_MAX(RECORD_BYTES_MAX);
    enum weir_status status = strbuf_printf(&path, "%s/%s.json", folder, name);
    if (status) {
        error_set(error, status, "path of a model's record: %s", weir_status_text(status));
    } else {
        struct weir_error unread = {0};
        status = file_read(path.data, &text, &unread);
        if (!status) {
            status = record_parse(folder, name, &text, out, error);
            if (status) error_prefix(error, status, "%s", path.data);
        } else if (status == WEIR_ERR_NOT_FOUND) {
            status = record_from_file(folder, name, out, error);
        } else if (error) {
            *error = unread;
        }
    }
    strbuf_free(&path);
    strbuf_free(&text);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static json_t *record_json(const struct weir_model_record *record)
{
    json_t *files = json_array();
    for (size_t i = 0; i < record->n_files; i++) { /* record_save counts them */
        const struct weir_model_file *file = &record->files[i];
        (void)json_array_append_new(files, json_pack("{s:s, s:s, s:I}", "source", file->source, "sha256", file->sha256,
                                                     "size", (json_int_t)file->size));
    }
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "version", RECORD_VERSION, "name", record->name, "source",
                     record->source, "revision", record->revision, "time", record->time, "files", files);
}

enum weir_status record_save(const char *folder, const struct weir_model_record *record, struct weir_error *error)
{
    struct strbuf path = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    json_t *root = record_json(record);
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    bool is_whole = root && json_array_size(json_object_get(root, "files")) == record->n_files;
    json_decref(root);
    enum weir_status status =
        text && is_whole ? strbuf_printf(&path, "%s/%s.json", folder, record->name) : WEIR_ERR_NOMEM;
    if (status)
        error_set(error, status, "%s: cannot make its record: %s", record->name, weir_status_text(status));
    else
        status = file_write_atomic(path.data, text, strlen(text), error);
    free(text);
    strbuf_free(&path);
    return status;
}
