/* qwen2: Qwen 2 and 2.5, dense.
 *
 *   h  = rmsnorm(x; attn_norm)
 *   q, k, v = Wq h + bq, Wk h + bk, Wv h + bv      grouped heads
 *   rotate q, k                                    halves (i, i + n_rot/2)
 *   x += Wo attention(q, k, v)
 *   h  = rmsnorm(x; ffn_norm)
 *   x += Wdown (silu(Wgate h) * Wup h)
 *
 * Yang et al. 2024 (arXiv 2407.10671, 2.2.1), 2.5: arXiv 2412.15115. */
#include <math.h>

#include "base/error.h"
#include "model/forward.h"

static enum weir_status qwen2_read_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    s->attn_scale = 1.0f / sqrtf((float)s->head_dim);
    return model_read_rope_scaling(model, &s->rope[ROPE_GLOBAL], error);
}

static enum weir_status qwen2_read_layer(struct model *model, uint32_t i, struct weir_error *error)
{
    const struct model_shape *s = &model->shape;
    struct model_layer *l = &model->layers[i];
    size_t q = (size_t)s->n_heads * s->head_dim, kv = (size_t)s->n_kv_heads * s->head_dim;
    enum weir_status status;
    if ((status = model_take_attention(model, i, error)) ||
        (status = model_take_vector(model, &l->bq, q, "blk.%u.attn_q.bias", i, error)) ||
        (status = model_take_vector(model, &l->bk, kv, "blk.%u.attn_k.bias", i, error)) ||
        (status = model_take_vector(model, &l->bv, kv, "blk.%u.attn_v.bias", i, error)))
        return status;
    return model_take_feed_forward(model, i, error);
}

static void qwen2_layer(struct forward *f, uint32_t i)
{
    const struct model_layer *l = &f->model->layers[i];
    const struct model_shape *s = &f->model->shape;

    forward_products(f, f->x, s->n_embd, l->attn_norm,
                     (struct product[]){{&l->wq, f->q, l->bq}, {&l->wk, f->k, l->bk}, {&l->wv, f->v, l->bv}}, 3);
    forward_rope_and_store(f, i, ROPE_HALVES);
    forward_keep_outputs(f);
    forward_attention(f, i);
    forward_products(f, f->attention, l->wo.cols, NULL, (struct product[]){{&l->wo, f->h, NULL}}, 1);
    forward_add(f, NULL);

    forward_products(f, f->x, s->n_embd, l->ffn_norm,
                     (struct product[]){{&l->w_gate, f->gate, NULL}, {&l->w_up, f->up, NULL}}, 2);
    forward_gate(f, GATE_SILU);
    forward_products(f, f->gate, s->n_ff, NULL, (struct product[]){{&l->w_down, f->h, NULL}}, 1);
    forward_add(f, NULL);
}

const struct model_family family_qwen2 = {
    .architecture = "qwen2", .read_shape = qwen2_read_shape, .read_layer = qwen2_read_layer, .layer = qwen2_layer};
