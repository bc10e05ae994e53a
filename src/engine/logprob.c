#include "engine/logprob.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 4096 };

/* The kernel's softmax gives 1 / sum(exp(x - max)) at the maximum: a block's sum, from the fast exp. */
static double block_sum(const struct kernels *kernels, const float *logits, size_t count)
{
    float row[BLOCK];
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    if (logits[best] == -INFINITY) return -INFINITY;
    memcpy(row, logits, count * sizeof *row);
    kernels->softmax(row, count);
    return (double)logits[best] - log((double)row[best]);
}

double logprob_sum(const struct kernels *kernels, const float *logits, size_t n_vocab)
{
    double high = -INFINITY, sum = 0; /* the result is high + log(sum) */
    for (size_t at = 0; at < n_vocab; at += BLOCK) {
        double part = block_sum(kernels, logits + at, n_vocab - at < BLOCK ? n_vocab - at : BLOCK);
        if (part == -INFINITY) continue;
        sum = part > high ? sum * exp(high - part) + 1 : sum + exp(part - high);
        if (part > high) high = part;
    }
    return sum > 0 ? high + log(sum) : -INFINITY;
}

void logprob_top(const float *logits, size_t n_vocab, double log_sum, struct weir_token_logprob *top, size_t n)
{
    for (size_t i = 0; i < n; i++) top[i] = (struct weir_token_logprob){-1, -INFINITY};
    size_t found = 0;
    float worst = -INFINITY; /* of the n found so far */
    for (size_t i = 0; n && i < n_vocab; i++) {
        if (!(logits[i] > worst)) continue;
        size_t at = found < n ? found++ : n - 1;
        for (; at && (double)logits[i] > top[at - 1].logprob; at--) top[at] = top[at - 1];
        top[at] = (struct weir_token_logprob){(int32_t)i, (double)logits[i]};
        if (found == n) worst = (float)top[n - 1].logprob;
    }
    for (size_t i = 0; i < found; i++) top[i].logprob -= log_sum;
}
