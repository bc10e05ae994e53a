/* gemma3: Gemma 3, 270M to 27B.
 *
 *   x  = sqrt(n_embd) * embedding
 *   h  = rmsnorm(x; attn_norm)
 *   q, k, v = Wq h, Wk h, Wv h;  q, k = rmsnorm of each head (q_norm, k_norm)
 *   rotate q, k                                    halves; base 10,000 on local layers, rope.freq_base with linear scaling on global ones
 *   x += rmsnorm(Wo attention(q, k, v); post_attn_norm)
 *   h  = rmsnorm(x; ffn_norm)
 *   x += rmsnorm(Wdown (gelu_tanh(Wgate h) * Wup h); post_ffn_norm)
 *
 * Five local layers (a window of `sliding_window` keys, the token's own included) and then a global one, again and again. Norm
 * weights in GGUF already include the model's "1 +". Gemma Team 2025 (arXiv 2503.19786). */
#include <math.h>

#include "base/error.h"
#include "model/forward.h"

enum { GEMMA3_LAYERS_27B = 62, GEMMA3_PATTERN = 6 };

static enum weir_status gemma3_read_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    uint32_t pattern;
    double local_base;
    enum weir_status status;
    if ((status = model_key_u32(model, "attention.sliding_window", 1, MODEL_CTX_MAX, &s->sliding_window, error)) ||
        (status = model_key_u32_or(model, "attention.sliding_window_pattern", 1, MODEL_LAYERS_MAX, GEMMA3_PATTERN,
                                   &pattern, error)) ||
        (status = model_key_f32_or(model, "rope.freq_base_swa", 1, 1e12, 10000.0, &local_base, error)) ||
        (status = model_read_rope_scaling(model, &s->rope[ROPE_GLOBAL], error)))
        return status;
    s->rope[ROPE_LOCAL] = (struct rope){.base = local_base, .scale = 1.0, .magnitude = 1.0};
    s->has_local_rope = true;
    s->embd_scale = sqrtf((float)s->n_embd);
    /* query_pre_attn_scalar of the model cards: head_dim, but n_embd / n_heads in the 27B model. */
    float scalar = s->n_layers == GEMMA3_LAYERS_27B ? (float)s->n_embd / (float)s->n_heads : (float)s->head_dim;
    s->attn_scale = 1.0f / sqrtf(scalar);
    for (uint32_t i = 0; i < s->n_layers; i++) model->layers[i].is_local = i % pattern != pattern - 1;
    return WEIR_OK;
}

static enum weir_status gemma3_read_layer(struct model *model, uint32_t i, struct weir_error *error)
{
    enum weir_status status;
    if ((status = model_take_attention(model, i, error)) || (status = model_take_head_norms(model, i, error)) ||
        (status = model_take_feed_forward(model, i, error)))
        return status;
    return model_take_post_norms(model, i, error);
}

static void gemma3_layer(struct forward *f, uint32_t i)
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
    forward_add(f, l->post_attn_norm);

    forward_products(f, f->x, s->n_embd, l->ffn_norm,
                     (struct product[]){{&l->w_gate, f->gate, NULL}, {&l->w_up, f->up, NULL}}, 2);
    forward_gate(f, GATE_GELU_TANH);
    forward_products(f, f->gate, s->n_ff, NULL, (struct product[]){{&l->w_down, f->h, NULL}}, 1);
    forward_add(f, l->post_ffn_norm);
}

const struct model_family family_gemma3 = {
    .architecture = "gemma3", .read_shape = gemma3_read_shape, .read_layer = gemma3_read_layer, .layer = gemma3_layer};
