/* Log-probabilities: log softmax of logits, read without storing it. */
#ifndef WEIR_ENGINE_LOGPROB_H
#define WEIR_ENGINE_LOGPROB_H

#include "kernels/kernels.h"
#include "weir/generate.h"

/* log(sum(exp(logits))) of cleaned logits, within 1e-5. -infinity when all are. */
double logprob_sum(const struct kernels *kernels, const float *logits, size_t n_vocab);

/* The n most probable tokens, best first (of equals the lower id); fewer than n tokens that can come leave id -1 and -infinity. */
void logprob_top(const float *logits, size_t n_vocab, double log_sum, struct weir_token_logprob *top, size_t n);

#endif
