/* llama: Llama 2 and 3.1, SmolLM2 and every model converted under that name.
 *
 *   h  = rmsnorm(x; attn_norm)
 *   q, k, v = Wq h, Wk h, Wv h                     grouped heads: n_heads / n_kv_heads query heads share a kv head
 *   rotate q, k                                    adjacent pairs (the GGUF converter permutes Wq and Wk so)
 *   x += Wo attention(q, k, v)
 *   h  = rmsnorm(x; ffn_norm)
 *   x += Wdown (silu(Wgate h) * Wup h)
 *
 * Touvron et al. 2023 (arXiv 2307.09288); RoPE: arXiv 2104.09864. Llama 3.1 divides the rope frequencies by the factors of
 * tensor rope_freqs.weight. */
#include "base/error.h"
#include "model/forward.h"

#include <math.h>

static enum weir_status llama_read_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    struct rope *rope = &s->rope[ROPE_GLOBAL];
    s->attn_scale = 1.0f / sqrtf((float)s->head_dim);
    enum weir_status status = model_read_rope_scaling(model, rope, error);
    if (!status && model_has_tensor(model, "rope_freqs.weight")) {
        s->rope_scaling = ROPE_FACTORS;
        status = model_take_rope_factors(model, &rope->factors, "rope_freqs.weight", error);
    }
    return status;
}

static enum weir_status llama_read_layer(struct model *model, uint32_t i, struct weir_error *error)
{
    enum weir_status status = model_take_attention(model, i, error);
    return status ? status : model_take_feed_forward(model, i, error);
}

static void llama_layer(struct forward *f, uint32_t i)
{
    const struct model_layer *l = &f->model->layers[i];
    const struct model_shape *s = &f->model->shape;

    forward_products(f, f->x, s->n_embd, l->attn_norm,
                     (struct product[]){{&l->wq, f->q, NULL}, {&l->wk, f->k, NULL}, {&l->wv, f->v, NULL}}, 3);
    forward_rope_and_store(f, i, ROPE_ADJACENT);
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

const struct model_family family_llama = {
    .architecture = "llama", .read_shape = llama_read_shape, .read_layer = llama_read_layer, .layer = llama_layer};
