/* gemma2: Gemma 2, 2B, 9B and 27B.
 *
 *   x  = sqrt(n_embd) * embedding
 *   h  = rmsnorm(x; attn_norm)
 *   q, k, v = Wq h, Wk h, Wv h
 *   rotate q, k                                    halves (i, i + n_rot/2)
 *   score = cap * tanh(q.k * attn_scale / cap)     cap: attn_logit_softcapping, 50
 *   x += rmsnorm(Wo attention(q, k, v); post_attn_norm)
 *   h  = rmsnorm(x; ffn_norm)
 *   x += rmsnorm(Wdown (gelu_tanh(Wgate h) * Wup h); post_ffn_norm)
 *   logits = cap * tanh(logits / cap)              cap: final_logit_softcapping, 30
 *
 * Local and global layers alternate, a local one (a window of `sliding_window` keys, the token's own included) first. Norm weights
 * in GGUF already include the model's "1 +". Gemma Team 2024 (arXiv 2408.00118). */
#include <math.h>

#include "base/error.h"
#include "model/forward.h"

enum { GEMMA2_LAYERS_27B = 46, GEMMA2_WINDOW = 4096 };

/* The first converted files lack the caps and the window; every published Gemma 2 has 50, 30 and 4096 (its config.json). */
static enum weir_status gemma2_read_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    double attn_cap, logit_cap;
    enum weir_status status;
    if ((status = model_key_f32_or(model, "attn_logit_softcapping", 1e-3, 1e6, 50.0, &attn_cap, error)) ||
        (status = model_key_f32_or(model, "final_logit_softcapping", 1e-3, 1e6, 30.0, &logit_cap, error)) ||
        (status = model_key_u32_or(model, "attention.sliding_window", 1, MODEL_CTX_MAX, GEMMA2_WINDOW,
                                   &s->sliding_window, error)) ||
        (status = model_read_rope_scaling(model, &s->rope[ROPE_GLOBAL], error)))
        return status;
    s->attn_softcap = (float)attn_cap;
    s->logit_softcap = (float)logit_cap;
    s->embd_scale = sqrtf((float)s->n_embd);
    /* query_pre_attn_scalar of the model cards: head_dim (256), but n_embd / n_heads (144) in the 27B model. */
    float scalar = s->n_layers == GEMMA2_LAYERS_27B ? (float)s->n_embd / (float)s->n_heads : (float)s->head_dim;
    s->attn_scale = 1.0f / sqrtf(scalar);
    for (uint32_t i = 0; i < s->n_layers; i++) model->layers[i].is_local = i % 2 == 0;
    return WEIR_OK;
}

static enum weir_status gemma2_read_layer(struct model *model, uint32_t i, struct weir_error *error)
{
    enum weir_status status;
    if ((status = model_take_attention(model, i, error)) || (status = model_take_feed_forward(model, i, error)))
        return status;
    return model_take_post_norms(model, i, error);
}

static void gemma2_layer(struct forward *f, uint32_t i)
{
    const struct model_layer *l = &f->model->layers[i];
    const struct model_shape *s = &f->model->shape;

    forward_products(f, f->x, s->n_embd, l->attn_norm,
                     (struct product[]){{&l->wq, f->q, NULL}, {&l->wk, f->k, NULL}, {&l->wv, f->v, NULL}}, 3);
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

const struct model_family family_gemma2 = {
    .architecture = "gemma2", .read_shape = gemma2_read_shape, .read_layer = gemma2_read_layer, .layer = gemma2_layer};
