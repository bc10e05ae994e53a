/* Hidden states of whole texts, pooled at chosen depths: the dense features of tuned heads.
 *
 * What is before the text in the sequence (BOS, a prefix) is the same for every row and is not pooled. A text's features
 * never depend on the other texts of the call, on the number of threads or on earlier calls. */
#ifndef WEIR_DECIDE_FEATURES_H
#define WEIR_DECIDE_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#include "weir/engine.h"
#include "weir/status.h"

enum feature_pool { FEATURE_POOL_MEAN = 0, FEATURE_POOL_LAST = 1, FEATURE_POOLS = 2 };

struct feature_request {
    const uint32_t *
        depths; /* [n_depths], rising, each in 1..n_layers: the residual stream after that many layers, before any norm */
    size_t n_depths;
};

/* out: [count, n_depths, FEATURE_POOLS, n_embd], float32, owned by the caller: the mean over the text's tokens, and the last of them.
 * Layers above the deepest depth are not computed. An empty text gives zeros. */
enum weir_status features_extract(struct weir_engine *engine, const struct weir_string *texts, size_t count,
                                  const struct feature_request *request, float *out,
                                  struct weir_error *error) WEIR_MUST_USE;

#endif
