/* Choosing a token from logits. The steps and their order: weir/generate.h; their sources: docs/generate.md.
 *
 * A sampler belongs to one sequence. sampler_pick does the whole choice; the steps stand alone so that tests can hold each against
 * a plain calculation. */
#ifndef WEIR_ENGINE_SAMPLER_H
#define WEIR_ENGINE_SAMPLER_H

#include "engine/random.h"
#include "weir/generate.h"

struct candidate {
    float logit;
    int32_t id;
};

/* Tokens in the order of their logits (of equals the lower id first), sorted only as far as somebody looks: items[0 .. total -
 * ranked) is a heap, rank r lies at items[total - 1 - r]. */
struct ranking {
    struct candidate *items; /* [n_vocab], owned by the sampler */
    size_t total;            /* tokens that can come: logit above minus infinity */
    size_t ranked;
    float best; /* the highest logit */
};

struct sampler {
    struct weir_sampling options;
    struct weir_logit_bias *bias; /* owned: options.bias */
    size_t n_vocab;
    struct random random;
    struct ranking ranking;
    uint64_t *window; /* scratch of the penalties, [penalty_window], owned */
};

/* What came before: [n_prompt] ids of the prompt and then [count - n_prompt] generated ones. */
struct token_history {
    const int32_t *ids;
    size_t count, n_prompt;
};

/* Checks the options (WEIR_ERR_INVALID names the one that is out of range) and copies them. */
enum weir_status sampler_open(const struct weir_sampling *options, size_t n_vocab, struct sampler *out,
                              struct weir_error *error) WEIR_MUST_USE;
void sampler_close(struct sampler *sampler); /* accepts a zeroed one */

/* logits: [n_vocab], cleaned; changed by the call. WEIR_ERR_INVALID when no token can come. */
enum weir_status sampler_pick(struct sampler *sampler, float *logits, const struct token_history *history, int32_t *id,
                              struct weir_error *error) WEIR_MUST_USE;

/* ---- the steps ---- */

/* Whether sampler_pick changes logits. */
bool sampler_changes(const struct sampler *sampler);

/* NaN becomes minus infinity, plus infinity FLT_MAX. */
void sampler_clean(float *logits, size_t n_vocab);
/* Tokens whose bit is 0 become minus infinity. */
void sampler_filter(float *logits, size_t n_vocab, const uint32_t *bits);
void sampler_penalise(struct sampler *sampler, float *logits, const struct token_history *history);
/* The id of the highest logit, of equals the lowest; -1 when all are minus infinity. */
int32_t sampler_best(const float *logits, size_t n_vocab);
/* How many of the best tokens top-k, top-p and min-p keep; read them by sampler_rank. 0 when no token can come. */
size_t sampler_keep(struct sampler *sampler, const float *logits);
struct candidate sampler_rank(struct ranking *ranking, size_t rank);
/* exp((logit - best) / temperature): proportional to the probability. */
double sampler_weight(const struct ranking *ranking, float logit, double temperature);
/* One draw from the best `kept` tokens at the sampler's temperature. */
int32_t sampler_draw(struct sampler *sampler, size_t kept);

#endif
