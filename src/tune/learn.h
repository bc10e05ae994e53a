/* Learning a profile, with the hidden states coming from anywhere: what weir_tune does without its engine. */
#ifndef WEIR_TUNE_LEARN_H
#define WEIR_TUNE_LEARN_H

#include "weir/tune.h"

/* Search sees at most this many rows of a question; what it chose is then fitted on all of them. */
enum { LEARN_SEARCH_ROWS_MAX = 2400 };

/* out: [count, n_depths, FEATURE_POOLS, n_embd] for texts[0..count), as features_extract. */
typedef enum weir_status learn_hidden(void *context, const struct weir_string *texts, size_t count,
                                      const uint32_t *depths, size_t n_depths, float *out, struct weir_error *error);

struct learn_source {
    char model_fingerprint[65];
    uint32_t n_layers;
    uint32_t n_embd;
    learn_hidden *hidden;
    void *context;
};

/* As weir_tune. options is not NULL. */
enum weir_status learn_profile(const struct learn_source *source, const struct weir_task *task,
                               const struct weir_tune_rows *rows, const struct weir_tune_options *options,
                               struct weir_profile **out, struct weir_error *error) WEIR_MUST_USE;

#endif
