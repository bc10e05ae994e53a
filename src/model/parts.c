/* The parts a layer is written in: products, norms, rotation, gates. Each splits its rows over the pool; a row's result depends
 * on that row alone. */
#include <string.h>

#include "model/forward.h"

/* Rows a claim takes: small enough to share, large enough to be worth a claim. */
static size_t row_grain(const struct forward *f)
{
    size_t grain = f->n / (thread_pool_size(f->pool) * 4u);
    return grain < 4 ? 4 : grain;
}

/* ---- products ---- */

struct input_work {
    struct forward *f;
    const float *input;
    const float *norm;
    bool quantize;
};

static void prepare_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct input_work *work = context;
    struct forward *f = work->f;
    const struct kernels *k = &f->model->kernels;
    size_t cols = f->activations.cols;
    if (work->norm)
        for (size_t t = begin; t < end; t++)
            k->rmsnorm(f->normed + t * cols, work->input + t * cols, work->norm, cols, f->model->shape.rms_eps);
    if (work->quantize) k->quantize(&f->activations, begin, end);
}

struct product_work {
    struct forward *f;
    const struct product *products;
    size_t count;
};

static size_t strips_of(const struct matrix *w)
{
    return (w->rows + TILE_ROWS - 1) / TILE_ROWS;
}

/* y[t][r] += bias[r] for r in [row_begin, row_end). */
static void add_bias(const struct forward *f, const struct product *product, size_t row_begin, size_t row_end)
{
    for (size_t t = 0; t < f->n; t++)
        f->model->kernels.add(product->y + t * product->w->rows + row_begin, product->bias + row_begin,
                              row_end - row_begin);
}

/* Strips of all products are numbered one after the other; a range may cross from one product into the next. */
static void multiply_strips(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct product_work *work = context;
    size_t first = 0;
    for (size_t i = 0; i < work->count && begin < end; i++) {
        const struct product *product = &work->products[i];
        const struct matrix *w = product->w;
        size_t strips = strips_of(w);
        if (begin < first + strips) {
            size_t last = end < first + strips ? end : first + strips;
            size_t row_begin = (begin - first) * TILE_ROWS, row_end = (last - first) * TILE_ROWS;
            if (row_end > w->rows) row_end = w->rows;
            work->f->model->kernels.matmul(w, &work->f->activations, product->y, w->rows, row_begin, row_end);
            if (product->bias) add_bias(work->f, product, row_begin, row_end);
            begin = last;
        }
        first += strips;
    }
}

void forward_products(struct forward *f, const float *input, size_t cols, const float *norm,
                      const struct product *products, size_t count)
{
    bool quantize = false;
    size_t strips = 0;
    for (size_t i = 0; i < count; i++) {
        quantize |= weir_tensor_type_block_weights(products[i].w->type) > 1;
        strips += strips_of(products[i].w);
    }
    f->activations.rows = f->n;
    f->activations.cols = cols;
    f->activations.x = norm ? f->normed : input;
    if (f->n == 0) return;
    struct input_work prepare = {f, input, norm, quantize};
    if (norm || quantize) thread_pool_run(f->pool, prepare_rows, &prepare, f->n, row_grain(f));
    struct product_work work = {f, products, count};
    size_t grain = strips / (thread_pool_size(f->pool) * 8u);
    thread_pool_run(f->pool, multiply_strips, &work, strips, grain ? grain : 1);
}

/* ---- row by row ---- */

struct row_work {
    struct forward *f;
    float *heads;
    uint32_t n_heads;
    const float *norm;
    uint32_t layer;
    int choice; /* rope_order or gate_function */
};

static void norm_head_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct row_work *work = context;
    const struct model *model = work->f->model;
    size_t head_dim = model->shape.head_dim;
    for (size_t i = begin * work->n_heads; i < end * work->n_heads; i++) {
        float *head = work->heads + i * head_dim;
        model->kernels.rmsnorm(head, head, work->norm, head_dim, model->shape.rms_eps);
    }
}

void forward_norm_heads(struct forward *f, float *heads, uint32_t n_heads, const float *norm)
{
    struct row_work work = {.f = f, .heads = heads, .n_heads = n_heads, .norm = norm};
    thread_pool_run(f->pool, norm_head_rows, &work, f->n, row_grain(f));
}

static void rope_and_store_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct row_work *work = context;
    struct forward *f = work->f;
    const struct model_shape *s = &f->model->shape;
    const struct kernels *k = &f->model->kernels;
    int kind = s->has_local_rope && f->model->layers[work->layer].is_local ? ROPE_LOCAL : ROPE_GLOBAL;
    void (*rotate)(float *, const float *, size_t) = work->choice == ROPE_ADJACENT ? k->rope_adjacent : k->rope_halves;
    size_t head_dim = s->head_dim;
    for (size_t t = begin; t < end; t++) {
        const float *cos_sin = f->rope[kind] + t * s->n_rot;
        for (uint32_t h = 0; h < s->n_heads; h++) rotate(f->q + (t * s->n_heads + h) * head_dim, cos_sin, s->n_rot);
        const struct kv *kv = f->batch->sequences[f->tokens[t].sequence].kv;
        for (uint32_t h = 0; h < s->n_kv_heads; h++) {
            float *key = f->k + (t * s->n_kv_heads + h) * head_dim;
            const float *value = f->v + (t * s->n_kv_heads + h) * head_dim;
            rotate(key, cos_sin, s->n_rot);
            k->kv_store(kv->type, kv_keys(kv, work->layer, h), kv_values(kv, work->layer, h), f->tokens[t].own_index,
                        key, value, head_dim);
        }
    }
}

void forward_rope_and_store(struct forward *f, uint32_t layer, enum rope_order order)
{
    struct row_work work = {.f = f, .layer = layer, .choice = (int)order};
    thread_pool_run(f->pool, rope_and_store_rows, &work, f->n, row_grain(f));
}

static void add_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct row_work *work = context;
    struct forward *f = work->f;
    const struct kernels *k = &f->model->kernels;
    size_t d = f->model->shape.n_embd;
    if (work->norm)
        for (size_t t = begin; t < end; t++)
            k->rmsnorm(f->h + t * d, f->h + t * d, work->norm, d, f->model->shape.rms_eps);
    k->add(f->x + begin * d, f->h + begin * d, (end - begin) * d);
}

void forward_add(struct forward *f, const float *norm)
{
    struct row_work work = {.f = f, .norm = norm};
    thread_pool_run(f->pool, add_rows, &work, f->n, row_grain(f));
}

static void gate_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct row_work *work = context;
    struct forward *f = work->f;
    const struct kernels *k = &f->model->kernels;
    size_t ff = f->model->shape.n_ff;
    void (*gate)(float *, const float *, size_t) = work->choice == GATE_SILU ? k->silu_mul : k->gelu_tanh_mul;
    for (size_t t = begin; t < end; t++) gate(f->gate + t * ff, f->up + t * ff, ff);
}

void forward_gate(struct forward *f, enum gate_function function)
{
    struct row_work work = {.f = f, .choice = (int)function};
    thread_pool_run(f->pool, gate_rows, &work, f->n, row_grain(f));
}
