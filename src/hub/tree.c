#include "hub/tree.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

void tree_free(struct hub_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) free(tree->files[i].path);
    free(tree->files);
    *tree = (struct hub_tree){0};
}

const struct hub_file *tree_find(const struct hub_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (strcmp(tree->files[i].path, path) == 0) return &tree->files[i];
    }
    return NULL;
}

bool hub_is_sha256(const char *text)
{
    return strspn(text, "0123456789abcdef") == 64 && text[64] == 0;
}

static bool segment_is_safe(const char *segment, size_t size)
{
    bool is_dots = (size == 1 && segment[0] == '.') || (size == 2 && segment[0] == '.' && segment[1] == '.');
    return size && !is_dots;
}

bool hub_path_is_safe(const char *path, size_t size)
{
    if (!size || size > TREE_PATH_BYTES_MAX) return false;
    const char *segment = path, *end = path + size;
    for (const char *at = path; at < end; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f || byte == '\\') return false;
        if (byte != '/') continue;
        if (!segment_is_safe(segment, (size_t)(at - segment))) return false;
        segment = at + 1;
    }
    return segment_is_safe(segment, (size_t)(end - segment));
}

/* ---- one entry ----------------------------------------------------------------------------------------------------- */

static bool tree_grow(struct hub_tree *tree)
{
    if (tree->count < tree->capacity) return true;
    size_t capacity = tree->capacity ? 2 * tree->capacity : 64;
    struct hub_file *files = mem_resize(tree->files, capacity, sizeof *files);
    if (!files) return false;
    tree->files = files;
    tree->capacity = capacity;
    return true;
}

/* The size and, in large-file storage, the hash: the entry's own "size" is then the same number. */
static enum weir_status entry_facts(const json_t *entry, struct hub_file *file, struct weir_error *error)
{
    const json_t *lfs = json_object_get(entry, "lfs");
    const json_t *size = json_object_get(json_is_object(lfs) ? lfs : entry, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        (uint64_t)json_integer_value(size) > HUB_FILE_BYTES_MAX)
        return error_set(error, WEIR_ERR_FORMAT, "file %s: expected a size in bytes", file->path);
    file->size = (uint64_t)json_integer_value(size);
    if (!json_is_object(lfs)) return WEIR_OK;
    const char *oid = json_string_value(json_object_get(lfs, "oid"));
    if (oid && strncmp(oid, "sha256:", 7) == 0) oid += 7;
    if (!oid || !hub_is_sha256(oid))
        return error_set(error, WEIR_ERR_FORMAT, "file %s: expected a SHA-256 of 64 hexadecimal digits in lfs.oid",
                         file->path);
    memcpy(file->sha256, oid, sizeof file->sha256);
    return WEIR_OK;
}

static enum weir_status entry_add(struct hub_tree *tree, const json_t *entry, size_t index, struct weir_error *error)
{
    const char *type = json_string_value(json_object_get(entry, "type"));
    const json_t *path = json_object_get(entry, "path");
    if (!type || !json_is_string(path))
        return error_set(error, WEIR_ERR_FORMAT, "entry %zu: expected an object with a type and a path", index);
    if (!hub_path_is_safe(json_string_value(path), json_string_length(path)))
        return error_set(error, WEIR_ERR_FORMAT,
                         "entry %zu: expected a relative path inside the repository, found one that is not (refused)",
                         index);
    if (strcmp(type, "file") != 0) return WEIR_OK; /* a folder: its files are listed too */
    if (tree->count >= TREE_FILES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "expected at most %d files, found more", TREE_FILES_MAX);
    if (!tree_grow(tree)) return error_nomem(error, "list of files");
    struct hub_file file = {.path = mem_text(json_string_value(path), json_string_length(path))};
    if (!file.path) return error_nomem(error, "list of files");
    enum weir_status status = entry_facts(entry, &file, error);
    if (status)
        free(file.path);
    else
        tree->files[tree->count++] = file;
    return status;
}

/* ---- a page -------------------------------------------------------------------------------------------------------- */

/* jansson's parser recurses: depth is bounded before it sees the text. Brackets inside strings do not count. */
static bool depth_is_bounded(const char *json, size_t size)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char byte = json[i];
        if (in_string) {
            if (byte == '\\') i++;
            in_string = byte != '"';
        } else if (byte == '"') {
            in_string = true;
        } else if ((byte == '[' || byte == '{') && ++depth > TREE_DEPTH_MAX) {
            return false;
        } else if ((byte == ']' || byte == '}') && depth) {
            depth--;
        }
    }
    return true;
}

enum weir_status tree_add_page(struct hub_tree *tree, const char *json, size_t size, struct weir_error *error)
{
    if (size > TREE_PAGE_BYTES_MAX || !depth_is_bounded(json, size))
        return error_set(error, WEIR_ERR_LIMIT, "list of files: more than %d bytes or nested deeper than %d",
                         TREE_PAGE_BYTES_MAX, TREE_DEPTH_MAX);
    json_error_t problem;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &problem);
    enum weir_status status = WEIR_OK;
    if (!root)
        status = error_set(error, WEIR_ERR_FORMAT, "list of files: not valid JSON at byte %d", problem.position);
    else if (!json_is_array(root))
        status = error_set(error, WEIR_ERR_FORMAT, "list of files: expected a JSON array");
    for (size_t i = 0; !status && i < json_array_size(root); i++) {
        status = entry_add(tree, json_array_get(root, i), i, error);
        if (status) status = error_prefix(error, status, "list of files");
    }
    json_decref(root);
    return status;
}

/* ---- Link ---------------------------------------------------------------------------------------------------------- */

/* Whether the parameters in [at, end) hold rel=next or rel="next". */
static bool is_next(const char *at, const char *end)
{
    static const char *const forms[] = {"rel=\"next\"", "rel=next"};
    for (; at < end; at++) {
        for (size_t i = 0; i < 2; i++) {
            size_t size = strlen(forms[i]);
            if ((size_t)(end - at) >= size && memcmp(at, forms[i], size) == 0) return true;
        }
    }
    return false;
}

bool link_next(const char *header, char *out, size_t size)
{
    const char *at = strchr(header, '<');
    while (at) {
        const char *close = strchr(at, '>');
        if (!close) return false;
        const char *next = strchr(close, '<');
        if (is_next(close, next ? next : close + strlen(close))) {
            size_t length = (size_t)(close - at - 1);
            if (!length || length >= size) return false;
            memcpy(out, at + 1, length);
            out[length] = 0;
            return true;
        }
        at = next;
    }
    return false;
}
