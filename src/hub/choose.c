/* Names of GGUF files end in a file type by custom ("Phi-4-mini-instruct-Q4_K_M.gguf", "qwen3-4b.q8_0.gguf"); nothing in the hub's
 * API says it otherwise. A split model is named STEM-00001-of-0000N.gguf (llama.cpp's gguf-split). */
#include "hub/choose.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

/* What is taken first when nothing was asked for: about 4 to 5 bits a weight, the largest step in size that costs little accuracy; then better, then
 * smaller, then unquantised files. Only types that the engine computes with. */
static const char *const order[] = {"Q4_K_M", "Q4_K_S", "Q4_1",   "Q4_0", "IQ4_NL", "IQ4_XS", "Q5_K_M",
                                    "Q5_K_S", "Q5_1",   "Q5_0",   "Q6_K", "Q8_0",   "Q3_K_L", "Q3_K_M",
                                    "Q3_K_S", "Q2_K",   "Q2_K_S", "BF16", "F16",    "F32"};
enum { ORDER_COUNT = sizeof order / sizeof order[0], LISTED_MAX = 12, PART_SUFFIX_BYTES = 15 /* -00001-of-00003 */ };

/* ---- names --------------------------------------------------------------------------------------------------------- */

static bool ends_in_gguf(const char *path)
{
    size_t size = strlen(path);
    return size > 5 && strcasecmp(path + size - 5, ".gguf") == 0;
}

static bool five_digits(const char *at, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < 5; i++) {
        if (!isdigit((unsigned char)at[i])) return false;
        value = 10 * value + (unsigned)(at[i] - '0');
    }
    *out = value;
    return true;
}

bool split_read(const char *path, unsigned *part, unsigned *parts, size_t *stem_end)
{
    size_t size = strlen(path);
    if (!ends_in_gguf(path) || size <= 5 + PART_SUFFIX_BYTES) return false;
    const char *at = path + size - 5 - PART_SUFFIX_BYTES;
    unsigned number, count;
    if (at[0] != '-' || !five_digits(at + 1, &number) || memcmp(at + 6, "-of-", 4) != 0 ||
        !five_digits(at + 10, &count))
        return false;
    if (number < 1 || number > count || count > WEIR_MODEL_PARTS_MAX) return false;
    *part = number;
    *parts = count;
    *stem_end = (size_t)(at - path);
    return true;
}

/* The stem of a path: no folder, no part numbers, no ".gguf". */
static void stem_of(const char *path, char *out, size_t size)
{
    unsigned part, parts;
    size_t end = strlen(path) - 5;
    (void)split_read(path, &part, &parts, &end);
    const char *slash = strrchr(path, '/');
    size_t begin = slash ? (size_t)(slash - path) + 1 : 0;
    (void)snprintf(out, size, "%.*s", (int)(end > begin ? end - begin : 0), path + begin);
}

/* Whether `quant` stands in `stem` between ends, '-', '.', or '_' before it; a longer type ("Q4_K_M" for "Q4_K") does not count. */
static bool stem_has(const char *stem, const char *quant)
{
    size_t size = strlen(quant);
    for (const char *at = stem; *at; at++) {
        if (strncasecmp(at, quant, size) != 0) continue;
        bool begins = at == stem || strchr("-._", at[-1]) != NULL;
        if (begins && (at[size] == 0 || strchr("-.", at[size]) != NULL)) return true;
    }
    return false;
}

/* A model for the engine: not a projector for images, not the statistics quantisation used. */
static bool is_model(const char *path)
{
    if (!ends_in_gguf(path)) return false;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return !strcasestr(name, "mmproj") && !strcasestr(name, "imatrix");
}

/* ---- collecting parts ---------------------------------------------------------------------------------------------- */

static enum weir_status take_parts(const struct hub_tree *tree, const char *path, unsigned parts, size_t stem_end,
                                   struct hub_choice *out, struct weir_error *error)
{
    char name[TREE_PATH_BYTES_MAX + 32];
    out->count = parts;
    for (unsigned i = 0; i < parts; i++) {
        (void)snprintf(name, sizeof name, "%.*s-%05u-of-%05u%s", (int)stem_end, path, i + 1, parts,
                       path + strlen(path) - 5);
        out->files[i] = tree_find(tree, name);
        if (!out->files[i])
            return error_set(error, WEIR_ERR_NOT_FOUND, "split model: expected %u parts, found no %.300s", parts, name);
    }
    return WEIR_OK;
}

static enum weir_status choose_file(const struct hub_tree *tree, const struct hub_file *file, struct hub_choice *out,
                                    struct weir_error *error)
{
    unsigned part, parts;
    size_t stem_end;
    stem_of(file->path, out->stem, sizeof out->stem);
    if (split_read(file->path, &part, &parts, &stem_end))
        return take_parts(tree, file->path, parts, stem_end, out, error);
    out->files[0] = file;
    out->count = 1;
    return WEIR_OK;
}

enum weir_status choose_path(const struct hub_tree *tree, const char *path, struct hub_choice *out,
                             struct weir_error *error)
{
    if (!ends_in_gguf(path))
        return error_set(error, WEIR_ERR_INVALID, "%.300s: expected the name of a .gguf file", path);
    const struct hub_file *file = tree_find(tree, path);
    if (!file) return error_set(error, WEIR_ERR_NOT_FOUND, "the repository has no file %.300s", path);
    return choose_file(tree, file, out, error);
}

/* ---- by file type -------------------------------------------------------------------------------------------------- */

/* Models, one file each: of a split one its first part. */
struct candidates {
    const struct hub_file **files; /* owned */
    size_t count;
};

static bool is_first(const char *path)
{
    unsigned part = 1, parts;
    size_t stem_end;
    return !split_read(path, &part, &parts, &stem_end) || part == 1;
}

/* The first part of a split model whose whole is there too, in one file beside it. */
static bool is_double(const struct hub_tree *tree, const char *path)
{
    unsigned part, parts;
    size_t stem_end;
    char whole[TREE_PATH_BYTES_MAX + 8];
    if (!split_read(path, &part, &parts, &stem_end)) return false;
    (void)snprintf(whole, sizeof whole, "%.*s%s", (int)stem_end, path, path + strlen(path) - 5);
    return tree_find(tree, whole);
}

static bool candidates_init(struct candidates *all, const struct hub_tree *tree)
{
    all->files = mem_zero(tree->count, sizeof *all->files);
    for (size_t i = 0; all->files && i < tree->count; i++) {
        const char *path = tree->files[i].path;
        if (is_model(path) && is_first(path) && !is_double(tree, path)) all->files[all->count++] = &tree->files[i];
    }
    return all->files;
}

/* Those whose stem names the type into `some`, whose array is as long as `all`'s. */
static void candidates_filter(const struct candidates *all, const char *quant, struct candidates *some)
{
    some->count = 0;
    for (size_t i = 0; i < all->count; i++) {
        char stem[TREE_PATH_BYTES_MAX + 1];
        stem_of(all->files[i]->path, stem, sizeof stem);
        if (stem_has(stem, quant)) some->files[some->count++] = all->files[i];
    }
}

static enum weir_status fail_listing(const struct candidates *all, enum weir_status status, const char *what,
                                     struct weir_error *error)
{
    struct strbuf list = STRBUF_MAX(400);
    size_t shown = 0;
    while (shown < all->count && shown < LISTED_MAX &&
           !strbuf_printf(&list, "%s%s", shown ? ", " : "", all->files[shown]->path))
        shown++;
    error_set(error, status, "%s: %s%s", what, list.data ? list.data : "none", shown < all->count ? ", ..." : "");
    strbuf_free(&list);
    return status;
}

static void pick(const struct candidates *all, const char *quant, struct candidates *some)
{
    if (quant) {
        candidates_filter(all, quant, some);
        return;
    }
    for (size_t i = 0; i < ORDER_COUNT && !some->count; i++) candidates_filter(all, order[i], some);
    if (some->count || all->count != 1) return;
    some->files[0] = all->files[0];
    some->count = 1;
}

static enum weir_status choose_from(const struct hub_tree *tree, const struct candidates *all, const char *quant,
                                    struct candidates *some, struct hub_choice *out, struct weir_error *error)
{
    if (!all->count) return error_set(error, WEIR_ERR_NOT_FOUND, "the repository has no GGUF model");
    pick(all, quant, some);
    if (some->count == 1) return choose_file(tree, some->files[0], out, error);
    if (some->count > 1)
        return fail_listing(some, WEIR_ERR_INVALID, "several files fit; name one (hf:OWNER/REPO:FILE)", error);
    return fail_listing(all, WEIR_ERR_NOT_FOUND,
                        quant ? "no file of the type asked for; the repository has"
                              : "no file whose name tells a known type; name one (hf:OWNER/REPO:FILE)",
                        error);
}

enum weir_status choose_quant(const struct hub_tree *tree, const char *quant, struct hub_choice *out,
                              struct weir_error *error)
{
    struct candidates all = {0}, some = {0};
    enum weir_status status = WEIR_OK;
    if (!candidates_init(&all, tree)) status = error_nomem(error, "list of models");
    some.files = mem_zero(tree->count, sizeof *some.files);
    if (!status && !some.files) status = error_nomem(error, "list of models");
    if (!status) status = choose_from(tree, &all, quant, &some, out, error);
    free(some.files);
    free(all.files);
    return status;
}
