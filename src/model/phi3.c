/* phi3: Phi-3, Phi-3.5, Phi-4 mini and Phi-4.
 *
 *   h  = rmsnorm(x; attn_norm)
 *   (q; k; v) = Wqkv h                             one matrix: n_heads, n_kv_heads and n_kv_heads heads below each other
 *   rotate the first n_rot values of each q and k head: halves (i, i + n_rot/2), magnitude times as long with longrope
 *   x += Wo attention(q, k, v)
 *   h  = rmsnorm(x; ffn_norm)
 *   (gate; up) = Wup h                             one matrix, the gate's rows first
 *   x += Wdown (silu(gate) * up)
 *
 * longrope (arXiv 2402.13753, as in the models' configuration): the frequencies are divided by the factors of tensor
 * rope_factors_short or, for a context beyond rope.scaling.original_context_length, rope_factors_long.
 * attention.sliding_window below the trained context: every layer sees that many keys. Abdin et al. 2024 (arXiv 2404.14219, 2412.08905),
 * Phi-4 mini: arXiv 2503.01743. */
#include <math.h>

#include "base/error.h"
#include "model/forward.h"

#define SHORT_FACTORS "rope_factors_short.weight"
#define LONG_FACTORS "rope_factors_long.weight"

static enum weir_status read_longrope(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    struct rope *rope = &s->rope[ROPE_GLOBAL];
    const float *short_factors = NULL, *long_factors = NULL;
    uint32_t ctx_original = 0;
    enum weir_status status;
    if ((status =
             model_key_u32(model, "rope.scaling.original_context_length", 1, MODEL_CTX_MAX, &ctx_original, error)) ||
        (status = model_key_f32(model, "rope.scaling.attn_factor", 0.01, 100, &rope->magnitude, error)) ||
        (status = model_take_rope_factors(model, &short_factors, SHORT_FACTORS, error)) ||
        (status = model_take_rope_factors(model, &long_factors, LONG_FACTORS, error)))
        return status;
    if (!model->ctx_tokens) model->ctx_tokens = ctx_original < s->ctx_train ? ctx_original : s->ctx_train;
    bool is_long = model->ctx_tokens > ctx_original;
    rope->factors = is_long ? long_factors : short_factors;
    s->rope_scaling = is_long ? ROPE_LONGROPE_LONG : ROPE_LONGROPE_SHORT;
    return WEIR_OK;
}

/* Converted files carry the factors and no rope.scaling.type. */
static bool has_longrope(struct model *model)
{
    bool has_factors = model_has_tensor(model, SHORT_FACTORS) || model_has_tensor(model, LONG_FACTORS);
    return model_rope_scaling_is(model, "longrope") || (has_factors && model_rope_scaling_is(model, ""));
}

static enum weir_status phi3_read_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    uint32_t window = 0;
    s->attn_scale = 1.0f / sqrtf((float)s->head_dim);
    enum weir_status status = model_key_u32_or(model, "attention.sliding_window", 0, MODEL_CTX_MAX, 0, &window, error);
    if (status) return status;
    if (window > 0 && window < s->ctx_train) {
        s->sliding_window = window;
        for (uint32_t i = 0; i < s->n_layers; i++) model->layers[i].is_local = true;
    }
    if (has_longrope(model)) return read_longrope(model, error);
    return model_read_rope_scaling(model, &s->rope[ROPE_GLOBAL], error);
}

static enum weir_status phi3_read_layer(struct model *model, uint32_t i, struct weir_error *error)
{
    const struct model_shape *s = &model->shape;
    struct model_layer *l = &model->layers[i];
    size_t d = s->n_embd, q = (size_t)s->n_heads * s->head_dim, kv = (size_t)s->n_kv_heads * s->head_dim, ff = s->n_ff;
    struct matrix *const qkv[] = {&l->wq, &l->wk, &l->wv}, *const gate_up[] = {&l->w_gate, &l->w_up};
    enum weir_status status;
    if ((status = model_take_vector(model, &l->attn_norm, d, "blk.%u.attn_norm.weight", i, error)) ||
        (status = model_take_stacked(model, qkv, (size_t[]){q, kv, kv}, 3, d, "blk.%u.attn_qkv.weight", i, error)) ||
        (status = model_take_matrix(model, &l->wo, d, q, "blk.%u.attn_output.weight", i, error)) ||
        (status = model_take_vector(model, &l->ffn_norm, d, "blk.%u.ffn_norm.weight", i, error)) ||
        (status = model_take_stacked(model, gate_up, (size_t[]){ff, ff}, 2, d, "blk.%u.ffn_up.weight", i, error)))
        return status;
    return model_take_matrix(model, &l->w_down, d, ff, "blk.%u.ffn_down.weight", i, error);
}

static void phi3_layer(struct forward *f, uint32_t i)
{
    const struct model_layer *l = &f->model->layers[i];
    const struct model_shape *s = &f->model->shape;

    forward_products(f, f->x, s->n_embd, l->attn_norm,
                     (struct product[]){{&l->wq, f->q, NULL}, {&l->wk, f->k, NULL}, {&l->wv, f->v, NULL}}, 3);
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

const struct model_family family_phi3 = {
    .architecture = "phi3", .read_shape = phi3_read_shape, .read_layer = phi3_read_layer, .layer = phi3_layer};
