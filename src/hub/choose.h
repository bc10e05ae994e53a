/* Which files of a repository make the model that was asked for. */
#ifndef WEIR_HUB_CHOOSE_H
#define WEIR_HUB_CHOOSE_H

#include "hub/tree.h"
#include "weir/hub.h"

/* One model of a repository: a GGUF file, or all parts of a split one in order. */
struct hub_choice {
    const struct hub_file *files[WEIR_MODEL_PARTS_MAX]; /* in the tree */
    size_t count;
    char stem[TREE_PATH_BYTES_MAX + 1]; /* file name without folder, part numbers and ".gguf" */
};

/* The model that `path` names: the file, or, when it is one part of several, all of them. */
enum weir_status choose_path(const struct hub_tree *tree, const char *path, struct hub_choice *out,
                             struct weir_error *error) WEIR_MUST_USE;

/* The repository's model of file type `quant` (any case); NULL: the first of the order in docs/hub.md that it has, or its only model.
 * Several that fit equally are an error that lists them. */
enum weir_status choose_quant(const struct hub_tree *tree, const char *quant, struct hub_choice *out,
                              struct weir_error *error) WEIR_MUST_USE;

/* "-00001-of-00003.gguf" at the end of `path`: part 1 of 3, and where the stem ends. False: no part of a split model. */
bool split_read(const char *path, unsigned *part, unsigned *parts, size_t *stem_end);

#endif
