/* qwen3: Qwen 3, dense.
 *
 *   h  = rmsnorm(x; attn_norm)
 *   q, k, v = Wq h, Wk h, Wv h;  q, k = rmsnorm of each head (q_norm, k_norm)
 *   rotate q, k                                    halves (i, i + n_rot/2)
 *   x += Wo attention(q, k, v)
 *   h  = rmsnorm(x; ffn_norm)
 *   x += Wdown (silu(Wgate h) * Wup h)
 *
 * The head size is attention.key_length (128 in every published model), not n_embd / n_heads. Qwen Team 2025 (arXiv 2505.09388, 2). */
#include <math.h>

#include "base/error.h"
#include "model/forward.h"

static enum weir_status qwen3_read_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    s->attn_scale = 1.0f / sqrtf((float)s->head_dim);
    return model_read_rope_scaling(model, &s->rope[ROPE_GLOBAL], error);
}

static enum weir_status qwen3_read_layer(struct model *model, uint32_t i, struct weir_error *error)
{
    enum weir_status status;
    if ((status = model_take_attention(model, i, error)) || (status = model_take_head_norms(model, i, error)))
        return status;
    return model_take_feed_forward(model, i, error);
}

static void qwen3_layer(struct forward *f, uint32_t i)
{
    const struct model_layer *l = &f->model->layers[i];
    const struct model_shape *s = &f->model->shape;

    forward_products(f, f->x, s->n_embd, l->attn_norm,
                     (struct product[]){{&l->wq, f->q, NULL}, {&l->wk, f->k, NULL}, {&l->wv, f->v, NULL}}, 3);
    forward_norm_heads(f, f->q, s->n_heads, l->q_norm);
    forward_norm_heads(f, f->k, s->n_kv_heads, l->k_norm);
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

const struct model_family family_qwen3 = {
    .architecture = "qwen3", .read_shape = qwen3_read_shape, .read_layer = qwen3_read_layer, .layer = qwen3_layer};
