/* A model in several files, as llama.cpp's gguf-split writes it:
 *
 *   NAME-00001-of-00003.gguf    all metadata, split.no 0, split.count 3, split.tensors.count; some tensors, or none
 *   NAME-00002-of-00003.gguf    split.no 1 and the same two numbers; more tensors
 *   NAME-00003-of-00003.gguf    split.no 2 ...
 *
 * The first file is opened by its name, the others are found by theirs. Each is parsed and checked as a file of its own; then the
 * tensors of all are joined in the first, in the order of the parts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "gguf/gguf_internal.h"

enum { SUFFIX_BYTES = sizeof "-00001-of-00003.gguf" };

struct split {
    uint64_t no, count, tensors; /* this part, from 0; parts; tensors of all parts */
};

static enum weir_status read_number(const struct weir_gguf *gguf, const char *key, uint64_t low, uint64_t high,
                                    uint64_t *out, struct weir_error *error)
{
    uint64_t number;
    if (!weir_gguf_as_u64(weir_gguf_find(gguf, key), &number) || number < low || number > high)
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s: expected an integer of %" PRIu64 "..%" PRIu64,
                         gguf->name, key, low, high);
    *out = number;
    return WEIR_OK;
}

/* A file without split.count is whole: count 1. */
static enum weir_status read_split(const struct weir_gguf *gguf, struct split *out, struct weir_error *error)
{
    struct split split = {.count = 1};
    if (!weir_gguf_find(gguf, "split.count")) {
        *out = split;
        return WEIR_OK;
    }
    enum weir_status status;
    /* gguf-split writes 0 or 1 into a file that was not split after all */
    if ((status = read_number(gguf, "split.count", 0, WEIR_GGUF_PARTS_MAX, &split.count, error))) return status;
    if (split.count > 1 &&
        ((status = read_number(gguf, "split.no", 0, split.count - 1, &split.no, error)) ||
         (status = read_number(gguf, "split.tensors.count", 0, WEIR_GGUF_TENSORS_MAX, &split.tensors, error))))
        return status;
    *out = split;
    return WEIR_OK;
}

static void part_suffix(char out[SUFFIX_BYTES], size_t index, size_t count)
{
    (void)snprintf(out, SUFFIX_BYTES, "-%05u-of-%05u.gguf", (unsigned)(index + 1) % 100000, (unsigned)count % 100000);
}

/* Bytes of the name before the suffix of part `index`. */
static enum weir_status find_stem(const struct weir_gguf *gguf, const struct split *split, size_t *out,
                                  struct weir_error *error)
{
    char suffix[SUFFIX_BYTES];
    part_suffix(suffix, split->no, split->count);
    size_t size = strlen(gguf->name), end = strlen(suffix);
    if (size < end || strcmp(gguf->name + size - end, suffix) != 0)
        return error_set(error, WEIR_ERR_INVALID,
                         "%s: part %" PRIu64 " of %" PRIu64 " of a model: expected a name that ends in %s", gguf->name,
                         split->no + 1, split->count, suffix);
    *out = size - end;
    return WEIR_OK;
}

/* Metadata that only the first part may carry would be lost in another. */
static enum weir_status check_values(const struct weir_gguf *part, struct weir_error *error)
{
    for (size_t i = 0; i < part->value_count; i++) {
        struct weir_string key = part->values[i].key;
        bool is_known = (key.size > 6 && memcmp(key.data, "split.", 6) == 0) ||
                        (key.size > 8 && memcmp(key.data, "general.", 8) == 0);
        if (!is_known)
            return error_set(error, WEIR_ERR_FORMAT,
                             "%s: metadata key %.*s: expected in the first part of the model, found in another",
                             part->name, (int)(key.size < 128 ? key.size : 128), key.data);
    }
    return WEIR_OK;
}

static enum weir_status check_part(const struct weir_gguf *part, const struct split *first, size_t index,
                                   struct weir_error *error)
{
    struct split split;
    enum weir_status status = read_split(part, &split, error);
    if (status) return status;
    if (split.no != index || split.count != first->count || split.tensors != first->tensors)
        return error_set(error, WEIR_ERR_FORMAT,
                         "%s: expected part %zu of %" PRIu64 " with %" PRIu64 " tensors in all, found part %" PRIu64
                         " of %" PRIu64 " with %" PRIu64,
                         part->name, index + 1, first->count, first->tensors, split.no + 1, split.count, split.tensors);
    return check_values(part, error);
}

static enum weir_status open_part(struct weir_gguf *first, const struct split *split, size_t stem, size_t index,
                                  struct weir_error *error)
{
    char *path = mem_zero(stem + SUFFIX_BYTES, 1);
    if (!path) return error_nomem(error, "name of a part");
    memcpy(path, first->name, stem);
    part_suffix(path + stem, index, split->count);
    struct weir_gguf *part = NULL;
    enum weir_status status = gguf_open_file(path, &part, error);
    if (status) status = error_prefix(error, status, "part %zu of %" PRIu64, index + 1, split->count);
    free(path);
    first->parts[index - 1] = part;
    return status ? status : check_part(part, split, index, error);
}

/* The tensors of all parts in one list with one index. */
static enum weir_status join_tensors(struct weir_gguf *first, size_t total, struct weir_error *error)
{
    struct weir_gguf_tensor *tensors = mem_zero(total, sizeof *tensors);
    struct name_index names = {0};
    if (!tensors || !name_index_init(&names, total)) {
        free(tensors);
        return error_nomem(error, "tensor descriptions");
    }
    size_t used = 0;
    for (size_t p = 0; p <= first->part_count; p++) {
        const struct weir_gguf *part = p ? first->parts[p - 1] : first;
        for (size_t i = 0; i < part->tensor_count; i++, used++) {
            tensors[used] = part->tensors[i];
            name_index_set(&names, used, tensors[used].name);
        }
    }
    free(first->tensors);
    name_index_free(&first->tensor_names);
    first->tensors = tensors;
    first->tensor_count = total;
    first->tensor_names = names;
    const struct weir_string *twice = name_index_sort(&first->tensor_names);
    if (!twice) return WEIR_OK;
    return error_set(error, WEIR_ERR_FORMAT, "%s: tensor %.*s: expected in one part, found in two", first->name,
                     (int)twice->size, twice->data);
}

static enum weir_status open_rest(struct weir_gguf *first, const struct split *split, struct weir_error *error)
{
    size_t stem = 0, total = first->tensor_count;
    enum weir_status status = find_stem(first, split, &stem, error);
    if (status) return status;
    if (split->no != 0) {
        char suffix[SUFFIX_BYTES];
        part_suffix(suffix, 0, split->count);
        return error_set(error, WEIR_ERR_INVALID,
                         "%s: part %" PRIu64 " of %" PRIu64 " of a model: open the first, %.*s%s", first->name,
                         split->no + 1, split->count, (int)stem, first->name, suffix);
    }
    first->parts = mem_zero(split->count - 1, sizeof(struct weir_gguf *));
    if (!first->parts) return error_nomem(error, "parts of a model");
    first->part_count = split->count - 1;
    for (size_t i = 1; i < split->count; i++) {
        status = open_part(first, split, stem, i, error);
        if (status) return status;
        total += first->parts[i - 1]->tensor_count;
    }
    if (total != split->tensors)
        return error_set(error, WEIR_ERR_FORMAT, "%s: expected %" PRIu64 " tensors in %" PRIu64 " parts, found %zu",
                         first->name, split->tensors, split->count, total);
    return join_tensors(first, total, error);
}

enum weir_status gguf_open_parts(struct weir_gguf *first, struct weir_error *error)
{
    struct split split = {0};
    enum weir_status status = read_split(first, &split, error);
    return status || split.count <= 1 ? status : open_rest(first, &split, error);
}

enum weir_status gguf_check_whole(const struct weir_gguf *gguf, struct weir_error *error)
{
    struct split split = {0};
    enum weir_status status = read_split(gguf, &split, error);
    if (status || split.count <= 1) return status;
    return error_set(error, WEIR_ERR_UNSUPPORTED,
                     "%s: part %" PRIu64 " of %" PRIu64 " of a model: parts are opened from files", gguf->name,
                     split.no + 1, split.count);
}
