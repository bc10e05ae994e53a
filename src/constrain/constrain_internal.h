/* The insides of the public types. */
#ifndef WEIR_CONSTRAIN_CONSTRAIN_INTERNAL_H
#define WEIR_CONSTRAIN_CONSTRAIN_INTERNAL_H

#include "constrain/machine.h"
#include "constrain/mask.h"
#include "constrain/vocabulary.h"
#include "weir/constrain.h"

enum {
    CONSTRAINT_BYTES_MAX = 256 << 20, /* of a compiled schema, and of the work on it */
    CONSTRAINT_SCHEMA_BYTES_MAX = 16 << 20,
    FORCED_BYTES_MAX = 4096, /* looked ahead at once */
};

struct weir_constraint {
    struct arena arena;
    struct program program;
    struct weir_constrain_options options;
    const struct weir_vocabulary *vocabulary; /* not owned; NULL: bytes only */
    const char **notes;
    size_t n_notes;
    struct mask_cache cache;
};

struct weir_matcher {
    struct weir_constraint *constraint; /* not owned */
    struct machine machine;
    struct thread_set threads, next; /* where it stands; room for a step */
    struct mask_walk walk;
    char *forced; /* FORCED_BYTES_MAX, when asked for */
};

#endif
