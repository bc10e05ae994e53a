/* Any bytes, as a page of the hub's list of files and as a Link header: refused with a text, or files that keep their promises,
 * also when one is chosen of them. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "hub/choose.h"

static void check(int holds)
{
    if (!holds) abort();
}

static void check_tree(const struct hub_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct hub_file *file = &tree->files[i];
        check(hub_path_is_safe(file->path, strlen(file->path)) && file->size <= HUB_FILE_BYTES_MAX);
        check(file->sha256[0] == 0 || hub_is_sha256(file->sha256));
    }
    static const char *const quants[] = {NULL, "Q4_K_M", "F16"};
    for (size_t i = 0; i < 3; i++) {
        struct hub_choice choice = {0};
        struct weir_error error = {0};
        if (choose_quant(tree, quants[i], &choice, &error)) {
            check(error.text[0] != 0);
            continue;
        }
        check(choice.count >= 1 && choice.count <= WEIR_MODEL_PARTS_MAX && strlen(choice.stem) <= TREE_PATH_BYTES_MAX);
        for (size_t k = 0; k < choice.count; k++) check(choice.files[k] && choice.files[k] < tree->files + tree->count);
    }
}

static void check_link(const uint8_t *bytes, size_t size)
{
    char header[512], next[128];
    if (size >= sizeof header) size = sizeof header - 1;
    memcpy(header, bytes, size);
    header[size] = 0;
    if (link_next(header, next, sizeof next)) check(next[0] && strlen(next) < sizeof next && strstr(header, next));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct hub_tree tree = {0};
    struct weir_error error = {0};
    enum weir_status status = tree_add_page(&tree, (const char *)bytes, size, &error);
    check(status == WEIR_OK || (error.status == status && strncmp(error.text, "list of files", 13) == 0));
    if (!status) check_tree(&tree);
    tree_free(&tree);
    if (size) check_link(bytes, size);
    return 0;
}
