/* Attention of a batch over the prefix tree.
 *
 * Work is cut into tiles: one kv head and a few neighbouring tokens, whose query heads (n_heads / n_kv_heads of them a token) are the
 * rows. Keys are numbered by their absolute index in the sequence: first those of the ancestors, then the node's own. For a tile
 *
 *   scores[row][index - base] = q . k[index]      ancestors: one call for all neighbouring tokens with the same parent, so the
 *                                                  shared prefix is read once for many rows; own keys: one call a sequence
 *   soft cap, where the model has one: score = cap * tanh(score / cap)
 *   mask: keys after the token, out of its window or off its branch become -infinity
 *   softmax over the row, then out[row] = sum over index of p * v
 *
 * Every sum runs over the index in order, base is a multiple of 16 and masked keys add exact zeros, so neither the tile, nor
 * where a prefix ends, nor who shares it changes a bit. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "model/forward.h"

enum {
    SCORES_FLOATS = 128 * 1024, /* scores of a tile stay in the L2 cache where a single token's fit */
    KEY_CHAIN_MAX = 64          /* nodes from the root to a sequence's own */
};

static uint32_t group_size(const struct forward *f)
{
    return f->model->shape.n_heads / f->model->shape.n_kv_heads;
}

/* Floats of a thread's scores, and rows of its q and out. */
static size_t scores_floats(size_t group, size_t keys)
{
    size_t width = (keys + 2 * KV_BLOCK) / KV_BLOCK * KV_BLOCK;
    return width * group > SCORES_FLOATS ? width * group : SCORES_FLOATS;
}

static size_t rows_max(size_t group)
{
    return group > ATTENTION_ROWS_MAX ? group : ATTENTION_ROWS_MAX;
}

size_t attention_bytes(const struct model_shape *shape, size_t keys)
{
    size_t group = shape->n_heads / shape->n_kv_heads;
    return (scores_floats(group, keys) + 2 * rows_max(group) * shape->head_dim) * sizeof(float);
}

enum weir_status attention_reserve(struct forward *f, size_t keys, struct weir_error *error)
{
    size_t group = group_size(f), head_dim = f->model->shape.head_dim;
    size_t need = scores_floats(group, keys), rows = rows_max(group);
    for (unsigned i = 0; i < thread_pool_size(f->pool); i++) {
        struct attention_scratch *scratch = &f->workers[i];
        if (!scratch->q) scratch->q = mem_aligned(rows, head_dim * sizeof(float));
        if (!scratch->out) scratch->out = mem_aligned(rows, head_dim * sizeof(float));
        if (!scratch->q || !scratch->out) return error_nomem(error, "attention rows");
        if (scratch->scores && need <= f->scores_size) continue;
        float *scores = mem_aligned(need, sizeof(float));
        if (!scores) return error_set(error, WEIR_ERR_NOMEM, "out of memory: attention scores over %zu keys", keys);
        free(scratch->scores);
        scratch->scores = scores;
    }
    if (need > f->scores_size) f->scores_size = need;
    return WEIR_OK;
}

struct tile {
    struct forward *f;
    const struct attention_scratch *scratch;
    uint32_t layer, head;
    uint32_t begin, end; /* tokens */
    uint32_t group;
    uint32_t base;   /* index of the first score column; a multiple of KV_BLOCK */
    uint32_t width;  /* columns */
    uint32_t window; /* 0: none */
};

static const struct batch_sequence *sequence_of(const struct tile *tile, uint32_t token)
{
    return &tile->f->batch->sequences[tile->f->tokens[token].sequence];
}

/* First index a token may see. */
static uint32_t first_visible(const struct tile *tile, uint32_t token)
{
    uint32_t position = tile->f->tokens[token].position;
    return tile->window && position + 1 > tile->window ? position + 1 - tile->window : 0;
}

/* Score columns of the tile: from the block of the first index any token sees to the last token's own key. */
static void measure_tile(struct tile *tile)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t t = tile->begin; t < tile->end; t++) {
        uint32_t first = first_visible(tile, t),
                 last = sequence_of(tile, t)->kv->start + tile->f->tokens[t].own_index + 1;
        if (first < low) low = first;
        if (last > high) high = last;
    }
    /* A node's keys are read from one of its own block boundaries, up to KV_BLOCK - 1 before `low`. */
    tile->base = low < KV_BLOCK ? 0 : (low - (KV_BLOCK - 1)) / KV_BLOCK * KV_BLOCK;
    tile->width = (high - tile->base + KV_BLOCK - 1) / KV_BLOCK * KV_BLOCK;
}

/* One node's keys [from, count) against the rows of tokens [t0, t1), or its values with the probabilities there. */
struct span {
    const struct kv *kv;
    uint32_t from, count; /* own indices; from is a multiple of KV_BLOCK */
    uint32_t t0, t1;
};

static bool make_span(const struct tile *tile, const struct kv *kv, uint32_t count, uint32_t t0, uint32_t t1,
                      struct span *out)
{
    uint32_t from = 0;
    if (tile->base > kv->start) from = (tile->base - kv->start + KV_BLOCK - 1) / KV_BLOCK * KV_BLOCK;
    if (from >= count) return false;
    *out = (struct span){kv, from, count, t0, t1};
    return true;
}

static void span_scores(const struct tile *tile, const struct span *span)
{
    const struct model_shape *s = &tile->f->model->shape;
    size_t row = (size_t)(span->t0 - tile->begin) * tile->group;
    const uint8_t *keys =
        kv_keys(span->kv, tile->layer, tile->head) + span->from * kv_row_bytes(span->kv->type, s->head_dim);
    const struct kernels *k = &tile->f->model->kernels;
    size_t rows = (size_t)(span->t1 - span->t0) * tile->group, n_keys = span->count - span->from;
    float *scores = tile->scratch->scores + row * tile->width + span->kv->start + span->from - tile->base;
    k->attn_scores(span->kv->type, tile->scratch->q + row * s->head_dim, s->head_dim, rows, s->head_dim, keys, n_keys,
                   s->attn_scale, scores, tile->width);
    for (size_t r = 0; s->attn_softcap > 0 && r < rows; r++)
        k->softcap(scores + r * tile->width, n_keys, s->attn_softcap);
}

static void span_values(const struct tile *tile, const struct span *span)
{
    const struct model_shape *s = &tile->f->model->shape;
    size_t row = (size_t)(span->t0 - tile->begin) * tile->group;
    const uint8_t *values =
        kv_values(span->kv, tile->layer, tile->head) + span->from * kv_row_bytes(span->kv->type, s->head_dim);
    tile->f->model->kernels.attn_values(
        span->kv->type, tile->scratch->scores + row * tile->width + span->kv->start + span->from - tile->base,
        tile->width, (size_t)(span->t1 - span->t0) * tile->group, values, span->count - span->from, s->head_dim,
        tile->scratch->out + row * s->head_dim, s->head_dim);
}

/* Both see the same tokens of the same ancestors. */
static bool continues_alike(const struct kv *a, const struct kv *b)
{
    return a->parent == b->parent && a->start == b->start;
}

/* Calls `visit` for every span of the tile, a sequence's ancestors before its own node, root first. */
static void for_each_span(const struct tile *tile, void (*visit)(const struct tile *, const struct span *))
{
    struct span span;
    for (uint32_t t0 = tile->begin, t1; t0 < tile->end; t0 = t1) {
        const struct kv *own = sequence_of(tile, t0)->kv, *chain[KEY_CHAIN_MAX];
        for (t1 = t0 + 1; t1 < tile->end && continues_alike(sequence_of(tile, t1)->kv, own);) t1++;
        size_t n = 0;
        for (const struct kv *kv = own; kv; kv = kv->parent) {
            assert(n < KEY_CHAIN_MAX);
            chain[n++] = kv;
        }
        for (; n > 1; n--)
            if (make_span(tile, chain[n - 1], chain[n - 2]->start - chain[n - 1]->start, t0, t1, &span))
                visit(tile, &span);
    }
    for (uint32_t t0 = tile->begin, t1; t0 < tile->end; t0 = t1) {
        const struct batch_sequence *sequence = sequence_of(tile, t0);
        for (t1 = t0 + 1; t1 < tile->end && sequence_of(tile, t1) == sequence;) t1++;
        uint32_t count = tile->f->tokens[t1 - 1].own_index + 1;
        if (make_span(tile, sequence->kv, count, t0, t1, &span)) visit(tile, &span);
    }
}

/* -infinity for keys that token t does not see, in its first row; the caller copies nothing: called for each row. */
static void mask_row(const struct tile *tile, uint32_t t, float *row)
{
    const struct forward *f = tile->f;
    const struct forward_token *token = &f->tokens[t];
    const struct batch_sequence *sequence = sequence_of(tile, t);
    uint32_t first = first_visible(tile, t), end = tile->base + tile->width;
    for (uint32_t index = tile->base; index < first && index < end; index++) row[index - tile->base] = -INFINITY;
    uint32_t after = sequence->kv->start + token->own_index + 1;
    for (uint32_t index = after; index < end; index++) row[index - tile->base] = -INFINITY;
    const uint8_t *visible = f->visible[token->sequence];
    if (!visible) return;
    uint32_t before = sequence->kv->n_tokens, i = token->own_index - before;
    for (uint32_t j = 0; j < i; j++) {
        uint32_t index = sequence->kv->start + before + j;
        bool in_window = !tile->window || f->tokens[sequence->first + j].position + tile->window > token->position;
        if (index >= tile->base && (!visible[(size_t)i * sequence->count + j] || !in_window))
            row[index - tile->base] = -INFINITY;
    }
}

static void gather_queries(const struct tile *tile)
{
    const struct model_shape *s = &tile->f->model->shape;
    size_t bytes = tile->group * s->head_dim * sizeof(float);
    for (uint32_t t = tile->begin; t < tile->end; t++)
        memcpy(tile->scratch->q + (size_t)(t - tile->begin) * tile->group * s->head_dim,
               tile->f->q + ((size_t)t * s->n_heads + (size_t)tile->head * tile->group) * s->head_dim, bytes);
}

static void scatter_results(const struct tile *tile)
{
    const struct model_shape *s = &tile->f->model->shape;
    size_t bytes = tile->group * s->head_dim * sizeof(float);
    for (uint32_t t = tile->begin; t < tile->end; t++)
        memcpy(tile->f->attention + ((size_t)t * s->n_heads + (size_t)tile->head * tile->group) * s->head_dim,
               tile->scratch->out + (size_t)(t - tile->begin) * tile->group * s->head_dim, bytes);
}

static void attend_tile(struct tile *tile)
{
    const struct model_shape *s = &tile->f->model->shape;
    size_t rows = (size_t)(tile->end - tile->begin) * tile->group;
    measure_tile(tile);
    assert(rows * tile->width <= tile->f->scores_size);
    gather_queries(tile);
    float *scores = tile->scratch->scores;
    for (size_t i = 0; i < rows * tile->width; i++) scores[i] = -INFINITY;
    for_each_span(tile, span_scores);
    for (size_t r = 0; r < rows; r++) {
        mask_row(tile, tile->begin + (uint32_t)(r / tile->group), scores + r * tile->width);
        tile->f->model->kernels.softmax(scores + r * tile->width, tile->width);
    }
    memset(tile->scratch->out, 0, rows * s->head_dim * sizeof(float));
    for_each_span(tile, span_values);
    scatter_results(tile);
}

/* ---- cutting the batch into tiles ---- */

struct attention_work {
    struct forward *f;
    uint32_t layer;
    uint32_t tile_tokens;
};

/* Tokens a tile takes: as many rows as fit, but enough tiles for every thread. */
static uint32_t choose_tile_tokens(const struct forward *f)
{
    uint32_t group = group_size(f), heads = f->model->shape.n_kv_heads, threads = thread_pool_size(f->pool);
    uint32_t longest = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct kv *kv = f->batch->sequences[f->tokens[i].sequence].kv;
        uint32_t end = kv->start + f->tokens[i].own_index + 1;
        if (end > longest) longest = end;
    }
    uint32_t rows = ATTENTION_ROWS_MAX, width = (longest + 2 * KV_BLOCK) / KV_BLOCK * KV_BLOCK;
    if (rows > SCORES_FLOATS / width) rows = SCORES_FLOATS / width;
    uint32_t tokens = rows / group ? rows / group : 1;
    uint32_t share = (f->n * heads + threads * 2 - 1) / (threads * 2);
    if (tokens > share) tokens = share ? share : 1;
    return tokens;
}

static void attend_items(void *context, size_t begin, size_t end, unsigned worker)
{
    struct attention_work *work = context;
    struct forward *f = work->f;
    const struct model_layer *layer = &f->model->layers[work->layer];
    uint32_t tiles = (f->n + work->tile_tokens - 1) / work->tile_tokens;
    for (size_t item = begin; item < end; item++) {
        uint32_t first = (uint32_t)(item % tiles) * work->tile_tokens;
        uint32_t last = first + work->tile_tokens < f->n ? first + work->tile_tokens : f->n;
        struct tile tile = {.f = f,
                            .scratch = &f->workers[worker],
                            .layer = work->layer,
                            .head = (uint32_t)(item / tiles),
                            .begin = first,
                            .end = last,
                            .group = group_size(f),
                            .window = layer->is_local ? f->model->shape.sliding_window : 0};
        attend_tile(&tile);
    }
}

void forward_attention(struct forward *f, uint32_t layer)
{
    if (f->n == 0) return;
    struct attention_work work = {f, layer, choose_tile_tokens(f)};
    size_t tiles = (f->n + work.tile_tokens - 1) / work.tile_tokens;
    thread_pool_run(f->pool, attend_items, &work, tiles * f->model->shape.n_kv_heads, 1);
}
