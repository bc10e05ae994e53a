/* The hub's list of a repository's files (GET /api/models/OWNER/REPO/tree/REVISION?recursive=true), and the Link header that
 * leads to its next page. A stranger's JSON: names that could leave a folder are refused, counts and sizes bounded. */
#ifndef WEIR_HUB_TREE_H
#define WEIR_HUB_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

enum {
    TREE_PAGE_BYTES_MAX = 16 << 20,
    TREE_PAGES_MAX = 64,
    TREE_FILES_MAX = 20000,
    TREE_PATH_BYTES_MAX = 1024,
    TREE_DEPTH_MAX = 16 /* of the JSON */
};
#define HUB_FILE_BYTES_MAX ((uint64_t)1 << 50)

struct hub_file {
    char *path; /* owned; relative, printable, no "." or ".." in it */
    uint64_t size;
    char sha256[65]; /* of a file in large-file storage; "" otherwise */
};

struct hub_tree {
    struct hub_file *files; /* owned */
    size_t count, capacity;
};
void tree_free(struct hub_tree *tree); /* accepts a zeroed one */

/* Appends the files of one page. On failure the tree holds what it had, perhaps more; tree_free it. */
enum weir_status tree_add_page(struct hub_tree *tree, const char *json, size_t size,
                               struct weir_error *error) WEIR_MUST_USE;

const struct hub_file *tree_find(const struct hub_tree *tree, const char *path); /* NULL: none */

/* A relative path of 1 to TREE_PATH_BYTES_MAX bytes of UTF-8 without control characters or backslashes, whose segments are not empty,
 * "." or "..". */
bool hub_path_is_safe(const char *path, size_t size);

/* 64 lower-case hexadecimal digits. */
bool hub_is_sha256(const char *text);

/* The address of `<address>; rel="next"` in a Link header (RFC 8288) into out; false: none, or longer than size. */
bool link_next(const char *header, char *out, size_t size);

#endif
