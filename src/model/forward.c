/* The pass itself: batch in, layers, pooled states, outputs; and the scratch it runs in. */
#include "model/forward.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Widest input of any product. */
static size_t activation_columns(const struct model_shape *s)
{
    size_t heads = (size_t)s->n_heads * s->head_dim;
    return (size_max(size_max(s->n_embd, s->n_ff), heads) + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
}

/* Allocates rows of a forward object, or only counts their bytes: both walk one list (take_rows). */
struct rows_taken {
    bool only_count, failed;
    size_t tokens_max, bytes;
};

/* [tokens_max] rows, zeroed. */
static void *rows(struct rows_taken *t, size_t row_bytes)
{
    t->bytes += t->tokens_max * row_bytes;
    if (t->only_count) return NULL;
    void *memory = mem_aligned(t->tokens_max, row_bytes);
    if (!memory) t->failed = true;
    return memory;
}

static void take_rows(struct forward *f, struct rows_taken *t)
{
    const struct model_shape *s = &f->model->shape;
    size_t heads = (size_t)s->n_heads * s->head_dim, kv = (size_t)s->n_kv_heads * s->head_dim;
    size_t columns = activation_columns(s);
    f->x = rows(t, s->n_embd * sizeof(float));
    f->h = rows(t, s->n_embd * sizeof(float));
    f->normed = rows(t, s->n_embd * sizeof(float));
    f->q = rows(t, heads * sizeof(float));
    f->k = rows(t, kv * sizeof(float));
    f->v = rows(t, kv * sizeof(float));
    f->attention = rows(t, heads * sizeof(float));
    f->gate = rows(t, s->n_ff * sizeof(float));
    f->up = rows(t, s->n_ff * sizeof(float));
    for (int kind = 0; kind < ROPE_KINDS; kind++) f->rope[kind] = rows(t, s->n_rot * sizeof(float));
    f->activations.q = rows(t, columns);
    f->activations.d = rows(t, columns / ACT_BLOCK * sizeof(float));
    f->activations.offset = rows(t, columns / ACT_BLOCK * sizeof(int32_t));
    f->activations.offset16 = rows(t, columns / 16 * sizeof(int32_t));
    f->tokens = rows(t, sizeof *f->tokens);
    f->visible = rows(t, sizeof *f->visible);
}

size_t forward_bytes(const struct model *model, unsigned threads, uint32_t tokens_max, size_t keys)
{
    struct forward f = {.model = model};
    struct rows_taken taken = {.only_count = true, .tokens_max = tokens_max};
    take_rows(&f, &taken);
    return sizeof f + taken.bytes + threads * (sizeof *f.workers + attention_bytes(&model->shape, keys));
}

static bool allocate_rows(struct forward *f)
{
    struct rows_taken taken = {.tokens_max = f->tokens_max};
    take_rows(f, &taken);
    f->workers = mem_zero(thread_pool_size(f->pool), sizeof *f->workers);
    return !taken.failed && f->workers;
}

enum weir_status forward_open(const struct model *model, struct thread_pool *pool, uint32_t tokens_max,
                              struct forward **out, struct weir_error *error)
{
    struct forward *f = mem_zero(1, sizeof *f);
    if (!f) return error_nomem(error, "forward pass");
    f->model = model;
    f->pool = pool;
    f->tokens_max = tokens_max;
    if (!allocate_rows(f) || attention_reserve(f, 1024, NULL)) {
        forward_close(&f);
        return error_nomem(error, "scratch of the forward pass");
    }
    *out = f;
    return WEIR_OK;
}

static void free_visible(struct forward *f)
{
    for (uint32_t i = 0; i < f->visible_count; i++) {
        free(f->visible[i]);
        f->visible[i] = NULL;
    }
    f->visible_count = 0;
}

void forward_close(struct forward **handle)
{
    struct forward *f = *handle;
    if (!f) return;
    if (f->visible) free_visible(f);
    for (unsigned i = 0; f->workers && i < thread_pool_size(f->pool); i++) {
        free(f->workers[i].q);
        free(f->workers[i].out);
        free(f->workers[i].scores);
    }
    float *rows[] = {f->x,         f->h,    f->normed, f->q,       f->k,       f->v,
                     f->attention, f->gate, f->up,     f->rope[0], f->rope[1], f->activations.d};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) free(rows[i]);
    free(f->activations.q);
    free(f->activations.offset);
    free(f->activations.offset16);
    free(f->tokens);
    free(f->visible);
    free(f->workers);
    free(f);
    *handle = NULL;
}

/* ---- tokens of the batch ---- */

/* Positions and visibility of a tree sequence. visible[i] = visible[parent] + {i}. */
static enum weir_status place_tree(struct forward *f, uint32_t index, const struct batch_sequence *sequence,
                                   struct weir_error *error)
{
    uint32_t count = sequence->count, before = kv_end(sequence->kv);
    uint8_t *visible = mem_zero(count, count);
    if (!visible) return error_nomem(error, "tree mask");
    f->visible[index] = visible;
    for (uint32_t i = 0; i < count; i++) {
        int32_t parent = sequence->parents[i];
        assert(parent < (int32_t)i);
        uint8_t *row = visible + (size_t)i * count;
        struct forward_token *token = &f->tokens[sequence->first + i];
        token->position = before;
        if (parent >= 0) {
            memcpy(row, visible + (size_t)parent * count, count);
            token->position = f->tokens[sequence->first + (uint32_t)parent].position + 1;
        }
        row[i] = 1;
    }
    return WEIR_OK;
}

static enum weir_status place_tokens(struct forward *f, size_t *keys, struct weir_error *error)
{
    const struct batch *batch = f->batch;
    *keys = 0;
    f->visible_count = batch->n_sequences;
    for (uint32_t i = 0; i < batch->n_sequences; i++) {
        const struct batch_sequence *sequence = &batch->sequences[i];
        const struct kv *kv = sequence->kv;
        assert(kv->n_tokens + sequence->count <= kv->capacity);
        for (uint32_t j = 0; j < sequence->count; j++)
            f->tokens[sequence->first + j] =
                (struct forward_token){.sequence = i, .own_index = kv->n_tokens + j, .position = kv_end(kv) + j};
        if (sequence->parents) {
            enum weir_status status = place_tree(f, i, sequence, error);
            if (status) return status;
        }
        *keys = size_max(*keys, (size_t)kv_end(kv) + sequence->count);
    }
    return WEIR_OK;
}

/* magnitude times cos and sin of angle(position, i) = position * scale / factor[i] * base^(-2i/n_rot), in double, rounded once. */
static void fill_rope(struct forward *f, int kind)
{
    const struct rope *rope = &f->model->shape.rope[kind];
    uint32_t n_rot = f->model->shape.n_rot;
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        double frequency = rope->scale * pow(rope->base, -2.0 * (double)i / (double)n_rot);
        if (rope->factors) frequency /= (double)rope->factors[i];
        for (uint32_t t = 0; t < f->n; t++) {
            double angle = (double)f->tokens[t].position * frequency;
            float *pair = f->rope[kind] + (size_t)t * n_rot + 2 * i;
            pair[0] = (float)(rope->magnitude * cos(angle));
            pair[1] = (float)(rope->magnitude * sin(angle));
        }
    }
}

static void embed_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct forward *f = context;
    const struct model *model = f->model;
    size_t d = model->shape.n_embd;
    float scale = model->shape.embd_scale;
    for (size_t t = begin; t < end; t++) {
        float *row = f->x + t * d;
        model->kernels.dequantize_row(&model->embd, (size_t)f->batch->ids[t], row);
        if (scale != 1.0f)
            for (size_t c = 0; c < d; c++) row[c] *= scale;
        model_release_embedding(model);
    }
}

/* Each thread holds one row, in a folio of the file that the system maps as a whole. */
size_t forward_embedding_bytes(const struct model *model, unsigned threads)
{
    enum { AROUND_BYTES = 2 << 20 };
    size_t row = matrix_file_bytes(&model->embd) / model->embd.rows;
    return (size_t)threads * (row + AROUND_BYTES);
}

/* ---- pooled states ---- */

struct pool_work {
    struct forward *f;
    uint32_t depth_index;
};

static void pool_sequences(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct pool_work *work = context;
    const struct batch *batch = work->f->batch;
    size_t d = work->f->model->shape.n_embd;
    for (size_t i = begin; i < end; i++) {
        const struct batch_sequence *sequence = &batch->sequences[i];
        float *mean = batch->pooled + ((i * batch->n_depths + work->depth_index) * 2) * d;
        const float *rows = work->f->x + (size_t)sequence->first * d;
        memset(mean, 0, d * sizeof(float));
        for (uint32_t t = 0; t < sequence->count; t++)
            for (size_t c = 0; c < d; c++) mean[c] += rows[t * d + c];
        for (size_t c = 0; c < d; c++) mean[c] /= (float)sequence->count;
        memcpy(mean + d, rows + (sequence->count - 1) * d, d * sizeof(float));
    }
}

static void pool_states(struct forward *f, uint32_t layers_done)
{
    for (uint32_t i = 0; i < f->batch->n_depths; i++) {
        if (f->batch->depths[i] != layers_done) continue;
        assert(!f->kept_outputs);
        struct pool_work work = {f, i};
        thread_pool_run(f->pool, pool_sequences, &work, f->batch->n_sequences, 4);
    }
}

/* ---- the run ---- */

static uint32_t layers_to_run(const struct forward *f)
{
    const struct batch *batch = f->batch;
    if (batch->n_outputs || batch->n_depths == 0) return f->model->shape.n_layers;
    return batch->depths[batch->n_depths - 1];
}

enum weir_status forward_run(struct forward *f, const struct batch *batch, struct weir_error *error)
{
    assert(batch->n_tokens <= f->tokens_max && batch->n_tokens > 0);
    f->batch = batch;
    f->n = batch->n_tokens;
    f->kept_outputs = false;
    size_t keys;
    enum weir_status status = place_tokens(f, &keys, error);
    if (!status) status = attention_reserve(f, keys, error);
    if (status) {
        free_visible(f);
        return status;
    }
    fill_rope(f, ROPE_GLOBAL);
    if (f->model->shape.has_local_rope) fill_rope(f, ROPE_LOCAL);
    thread_pool_run(f->pool, embed_rows, f, f->n, 16);
    uint32_t layers = layers_to_run(f);
    for (uint32_t i = 0; i < layers; i++) {
        f->is_last = i + 1 == layers;
        f->model->family->layer(f, i);
        pool_states(f, i + 1);
    }
    free_visible(f);
    for (uint32_t i = 0; i < batch->n_sequences; i++) batch->sequences[i].kv->n_tokens += batch->sequences[i].count;
    return WEIR_OK;
}

/* Output rows move to the front: tokens[], x and q keep only them. K and V of the others are stored already. */
void forward_keep_outputs(struct forward *f)
{
    const struct batch *batch = f->batch;
    if (!f->is_last || batch->n_depths) return;
    size_t d = f->model->shape.n_embd, heads = (size_t)f->model->shape.n_heads * f->model->shape.head_dim;
    for (uint32_t i = 0; i < batch->n_outputs; i++) {
        uint32_t from = batch->outputs[i];
        assert(from >= i);
        if (from == i) continue;
        memcpy(f->x + i * d, f->x + from * d, d * sizeof(float));
        memcpy(f->q + i * heads, f->q + from * heads, heads * sizeof(float));
        f->tokens[i] = f->tokens[from];
    }
    f->n = batch->n_outputs;
    f->kept_outputs = true;
}

/* ---- logits ---- */

struct softcap_work {
    const struct model *model;
    float *logits;
    size_t columns;
};

static void softcap_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct softcap_work *work = context;
    const struct model *model = work->model;
    model->kernels.softcap(work->logits + begin * work->columns, (end - begin) * work->columns,
                           model->shape.logit_softcap);
}

void forward_logits(struct forward *f, const struct matrix *output, float *logits)
{
    assert(f->kept_outputs);
    const struct model *model = f->model;
    if (f->n == 0) return;
    forward_products(f, f->x, model->shape.n_embd, model->output_norm, (struct product[]){{output, logits, NULL}}, 1);
    struct softcap_work work = {model, logits, output->rows};
    if (model->shape.logit_softcap > 0) thread_pool_run(f->pool, softcap_rows, &work, f->n, 1);
}
