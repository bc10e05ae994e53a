/* The tensors that several families share: those of a layer, and rotary factors. */
#include "base/error.h"
#include "model/model.h"

enum weir_status model_take_attention(struct model *model, uint32_t i, struct weir_error *error)
{
    const struct model_shape *s = &model->shape;
    struct model_layer *l = &model->layers[i];
    size_t d = s->n_embd, q = (size_t)s->n_heads * s->head_dim, kv = (size_t)s->n_kv_heads * s->head_dim;
    enum weir_status status;
    if ((status = model_take_vector(model, &l->attn_norm, d, "blk.%u.attn_norm.weight", i, error)) ||
        (status = model_take_matrix(model, &l->wq, q, d, "blk.%u.attn_q.weight", i, error)) ||
        (status = model_take_matrix(model, &l->wk, kv, d, "blk.%u.attn_k.weight", i, error)) ||
        (status = model_take_matrix(model, &l->wv, kv, d, "blk.%u.attn_v.weight", i, error)))
        return status;
    return model_take_matrix(model, &l->wo, d, q, "blk.%u.attn_output.weight", i, error);
}

enum weir_status model_take_feed_forward(struct model *model, uint32_t i, struct weir_error *error)
{
    struct model_layer *l = &model->layers[i];
    size_t d = model->shape.n_embd, ff = model->shape.n_ff;
    enum weir_status status;
    if ((status = model_take_vector(model, &l->ffn_norm, d, "blk.%u.ffn_norm.weight", i, error)) ||
        (status = model_take_matrix(model, &l->w_gate, ff, d, "blk.%u.ffn_gate.weight", i, error)) ||
        (status = model_take_matrix(model, &l->w_up, ff, d, "blk.%u.ffn_up.weight", i, error)))
        return status;
    return model_take_matrix(model, &l->w_down, d, ff, "blk.%u.ffn_down.weight", i, error);
}

enum weir_status model_take_head_norms(struct model *model, uint32_t i, struct weir_error *error)
{
    struct model_layer *l = &model->layers[i];
    size_t head_dim = model->shape.head_dim;
    enum weir_status status = model_take_vector(model, &l->q_norm, head_dim, "blk.%u.attn_q_norm.weight", i, error);
    return status ? status : model_take_vector(model, &l->k_norm, head_dim, "blk.%u.attn_k_norm.weight", i, error);
}

enum weir_status model_take_post_norms(struct model *model, uint32_t i, struct weir_error *error)
{
    struct model_layer *l = &model->layers[i];
    size_t d = model->shape.n_embd;
    enum weir_status status =
        model_take_vector(model, &l->post_attn_norm, d, "blk.%u.post_attention_norm.weight", i, error);
    return status ? status : model_take_vector(model, &l->post_ffn_norm, d, "blk.%u.post_ffw_norm.weight", i, error);
}

enum weir_status model_take_rope_factors(struct model *model, const float **out, const char *name,
                                         struct weir_error *error)
{
    size_t count = model->shape.n_rot / 2;
    const float *factors = NULL;
    enum weir_status status = model_take_vector(model, &factors, count, name, 0, error);
    for (size_t i = 0; !status && i < count; i++)
        if (factors[i] <= 0)
            status = error_set(error, WEIR_ERR_FORMAT, "%s: tensor %s: factor %zu: expected more than 0, found %g",
                               weir_gguf_name(model->gguf), name, i, (double)factors[i]);
    if (!status) *out = factors;
    return status;
}
