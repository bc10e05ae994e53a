/* The candidates and the order in which they are tried. */
#include "tune/search.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Penalties, falling: each fit starts from the one before. */
static const double penalties[] = {0.1, 0.03, 0.01, 0.003, 0.001};

/* Weight of the hidden states beside n-grams of weight 1. */
static const double hidden_weights[] = {0.5, 1, 2};

/* Sets of hidden states. A part is a depth in eighths of the layers (rounded up) and a pool. Shallow sets first: they are the fast
 * ones, and the mean over the tokens of early layers is what carries (docs/tune.md). */
struct part {
    uint32_t eighths;
    uint32_t pool;
};

enum { PARTS_MAX = 4 };

static const struct part candidates[][PARTS_MAX] = {
    {{1, FEATURE_POOL_MEAN}},
    {{2, FEATURE_POOL_MEAN}},
    {{1, FEATURE_POOL_MEAN}, {3, FEATURE_POOL_MEAN}},
    {{1, FEATURE_POOL_MEAN}, {2, FEATURE_POOL_MEAN}, {3, FEATURE_POOL_MEAN}},
    {{4, FEATURE_POOL_MEAN}},
    {{2, FEATURE_POOL_MEAN}, {4, FEATURE_POOL_MEAN}},
    {{2, FEATURE_POOL_MEAN}, {4, FEATURE_POOL_MEAN}, {4, FEATURE_POOL_LAST}},
    {{1, FEATURE_POOL_MEAN}, {3, FEATURE_POOL_MEAN}, {6, FEATURE_POOL_MEAN}},
    {{2, FEATURE_POOL_MEAN}, {4, FEATURE_POOL_MEAN}, {6, FEATURE_POOL_LAST}},
};

/* A set that costs less is taken when its log-loss is within this factor of the best. */
static const double near_best = 1.02;

/* Sets are compared at this penalty. */
static const double set_penalties[] = {0.003};

static uint32_t depth_of(uint32_t eighths, uint32_t n_layers)
{
    return (uint32_t)(((uint64_t)eighths * n_layers + 7) / 8);
}

size_t search_depths(uint32_t n_layers, uint32_t depths[SEARCH_DEPTHS_MAX])
{
    size_t count = 0;
    for (uint32_t eighths = 1; eighths <= 8; eighths++) {
        bool used = false;
        for (size_t i = 0; i < COUNT(candidates); i++)
            for (size_t p = 0; p < PARTS_MAX; p++) used = used || candidates[i][p].eighths == eighths;
        uint32_t depth = depth_of(eighths, n_layers);
        if (used && (count == 0 || depths[count - 1] < depth)) depths[count++] = depth;
    }
    return count;
}

/* The set as blocks; parts that meet at one depth in a shallow model are taken once. */
static struct tune_blocks blocks_of(const struct part *parts, uint32_t n_layers)
{
    uint32_t depths[SEARCH_DEPTHS_MAX];
    size_t n_depths = search_depths(n_layers, depths);
    struct tune_blocks blocks = {0};
    for (size_t p = 0; p < PARTS_MAX && parts[p].eighths; p++) {
        struct tune_block block = {.pool = parts[p].pool};
        while (block.depth_index + 1 < n_depths && depths[block.depth_index] < depth_of(parts[p].eighths, n_layers))
            block.depth_index++;
        bool known = false;
        for (size_t b = 0; b < blocks.count; b++) known = known || memcmp(&blocks.items[b], &block, sizeof block) == 0;
        if (!known) blocks.items[blocks.count++] = block;
    }
    return blocks;
}

size_t search_steps(unsigned folds)
{
    return (3 + COUNT(candidates)) * folds;
}

static const struct cross_job *best_job(const struct cross_job *jobs, size_t count)
{
    const struct cross_job *best = jobs;
    for (size_t j = 1; j < count; j++)
        if (jobs[j].measures.log_loss < best->measures.log_loss) best = &jobs[j];
    return best;
}

/* Every penalty at each of the weights; the best into *out. */
static enum weir_status choose_head(struct cross *cross, const struct tune_blocks *blocks, double sparse_weight,
                                    const double *dense_weights, size_t n_weights, struct cross_job *out,
                                    struct weir_error *error)
{
    struct cross_job jobs[COUNT(hidden_weights) * COUNT(penalties)];
    size_t count = 0;
    for (size_t w = 0; w < n_weights; w++)
        for (size_t p = 0; p < COUNT(penalties); p++)
            jobs[count++] = (struct cross_job){
                .l2 = penalties[p], .sparse_weight = sparse_weight, .dense_weight = dense_weights[w]};
    enum weir_status status = cross_run(cross, blocks, jobs, count, NULL, error);
    if (!status) *out = *best_job(jobs, count);
    return status;
}

static size_t deepest(const struct tune_blocks *blocks)
{
    size_t depth = 0;
    for (size_t b = 0; b < blocks->count; b++)
        if (blocks->items[b].depth_index > depth) depth = blocks->items[b].depth_index;
    return depth;
}

/* Cheaper to compute: fewer layers, then fewer columns. */
static bool costs_less(const struct tune_blocks *a, const struct tune_blocks *b)
{
    size_t x = deepest(a), y = deepest(b);
    return x < y || (x == y && a->count < b->count);
}

/* Judged together with the n-grams, as the head that will be used most reads them. */
static enum weir_status choose_blocks(struct cross *cross, uint32_t n_layers, struct tune_blocks *out,
                                      struct weir_error *error)
{
    double loss[COUNT(candidates)], least = 0;
    for (size_t i = 0; i < COUNT(candidates); i++) {
        struct tune_blocks blocks = blocks_of(candidates[i], n_layers);
        struct cross_job jobs[COUNT(set_penalties)];
        for (size_t p = 0; p < COUNT(set_penalties); p++)
            jobs[p] = (struct cross_job){.l2 = set_penalties[p], .sparse_weight = 1, .dense_weight = 1};
        enum weir_status status = cross_run(cross, &blocks, jobs, COUNT(jobs), NULL, error);
        if (status) return status;
        loss[i] = best_job(jobs, COUNT(jobs))->measures.log_loss;
        if (i == 0 || loss[i] < least) least = loss[i];
    }
    bool found = false;
    for (size_t i = 0; i < COUNT(candidates); i++) {
        struct tune_blocks blocks = blocks_of(candidates[i], n_layers);
        if (loss[i] > least * near_best || (found && !costs_less(&blocks, out))) continue;
        *out = blocks;
        found = true;
    }
    return WEIR_OK;
}

enum weir_status search_run(struct cross *cross, uint32_t n_layers, struct search_result *out, struct weir_error *error)
{
    const double off = 0, alone = 1;
    struct search_result result = {0};
    enum weir_status status = choose_head(cross, NULL, 1, &off, 1, &result.heads[WEIR_HEAD_NGRAM], error);
    if (!status) status = choose_blocks(cross, n_layers, &result.blocks, error);
    if (!status) status = choose_head(cross, &result.blocks, 0, &alone, 1, &result.heads[WEIR_HEAD_HIDDEN], error);
    if (!status)
        status = choose_head(cross, &result.blocks, 1, hidden_weights, COUNT(hidden_weights),
                             &result.heads[WEIR_HEAD_BOTH], error);
    if (!status) *out = result;
    return status;
}
