/* Features of texts that are tokenized already; for the classifier. */
#ifndef WEIR_DECIDE_FEATURES_INTERNAL_H
#define WEIR_DECIDE_FEATURES_INTERNAL_H

#include "decide/features.h"
#include "weir/tokenizer.h"

/* The text's tokens as features see them (no special tokens, BOS apart). WEIR_ERR_TOO_LONG beyond the context. */
enum weir_status features_tokenize(const struct weir_engine *engine, struct weir_string text,
                                   struct weir_tokens *tokens, struct weir_error *error) WEIR_MUST_USE;

/* Engine lock held. As features_extract; the request was checked and every row fits the context. seconds: NULL, or [count] how long
 * the forward pass took that computed the row. */
enum weir_status features_of_tokens(struct weir_engine *engine, const struct weir_tokens *rows, size_t count,
                                    const struct feature_request *request, float *out, double *seconds,
                                    struct weir_error *error) WEIR_MUST_USE;

#endif
