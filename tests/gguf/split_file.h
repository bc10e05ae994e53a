/* A model file cut into parts as llama.cpp's gguf-split does, intact or damaged. Needs cmocka: a failure ends the test. */
#ifndef WEIR_TESTS_GGUF_SPLIT_FILE_H
#define WEIR_TESTS_GGUF_SPLIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum split_damage {
    SPLIT_INTACT,
    SPLIT_WRONG_NO,       /* the part says it is the next one */
    SPLIT_WRONG_COUNT,    /* the part knows of one part more */
    SPLIT_WRONG_TOTAL,    /* the part knows of one tensor more */
    SPLIT_NO_TOTAL,       /* split.tensors.count is missing */
    SPLIT_TOO_MANY,       /* the part says there are 1025 */
    SPLIT_TENSOR_TWICE,   /* the part repeats the model's first tensor, and every part counts it */
    SPLIT_TENSOR_MISSING, /* the part lacks its last tensor, which every part counts */
    SPLIT_FOREIGN_KEY,    /* the part carries metadata of the model */
    SPLIT_CUT,            /* the part lacks its last byte */
    SPLIT_ABSENT          /* the part is not there */
};

struct split_plan {
    unsigned parts;
    bool empty_first; /* no tensors in the first part */
    unsigned damaged; /* the part, from 0 */
    enum split_damage damage;
};

/* Writes STEM-00001-of-0000N.gguf and so on from the model at `path`. */
void split_file(const char *path, const char *stem, const struct split_plan *plan);
void split_file_name(char *out, size_t size, const char *stem, unsigned part, unsigned parts);
void split_file_remove(const char *stem, unsigned parts);

#endif
