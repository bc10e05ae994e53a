/* How much memory a model takes at each file type, from its shape.
 *
 * A file type is a rule that gives each matrix a tensor type (llama.cpp, src/llama-quant.cpp, llama_tensor_get_type):
 *
 *   output (the embedding, when tied)   Q6_K in the K types
 *   attn_v, ffn_down                    Q6_K in Q4_K_M and Q5_K_M for the first and last eighth of the layers and every third between
 *   attn_qkv (phi3: one matrix)         Q5_K in Q4_K_M, Q6_K in Q5_K_M
 *   everything else                     Q4_K, Q5_K, Q6_K, Q8_0, F16
 *   columns no multiple of 256          Q4_K -> Q5_0, Q5_K -> Q5_1, Q6_K -> Q8_0
 *   norms and biases                    F32 */
#include <stdbool.h>
#include <string.h>

#include "weir/gguf.h"
#include "weir/hub.h"

struct sizes {
    uint64_t weights; /* numbers */
    uint64_t bytes;
};

static void add_vector(struct sizes *sum, uint64_t count)
{
    sum->weights += count;
    sum->bytes += 4 * count;
}

static void add_matrix(struct sizes *sum, enum weir_tensor_type type, uint64_t columns, uint64_t rows)
{
    bool fits = columns % weir_tensor_type_block_weights(type) == 0;
    if (!fits && type == WEIR_TENSOR_Q4_K) type = WEIR_TENSOR_Q5_0;
    if (!fits && type == WEIR_TENSOR_Q5_K) type = WEIR_TENSOR_Q5_1;
    if (!fits && type == WEIR_TENSOR_Q6_K) type = WEIR_TENSOR_Q8_0;
    sum->weights += columns * rows;
    sum->bytes += columns / weir_tensor_type_block_weights(type) * weir_tensor_type_block_bytes(type) * rows;
}

static enum weir_tensor_type base_type(enum weir_quant quant)
{
    static const enum weir_tensor_type types[WEIR_QUANTS] = {WEIR_TENSOR_Q4_K, WEIR_TENSOR_Q5_K, WEIR_TENSOR_Q6_K,
                                                             WEIR_TENSOR_Q8_0, WEIR_TENSOR_F16};
    return types[quant];
}

static bool is_mixed(enum weir_quant quant)
{
    return quant == WEIR_QUANT_Q4_K_M || quant == WEIR_QUANT_Q5_K_M;
}

/* Whether layer i of n gets more bits: llama.cpp's use_more_bits. */
static bool has_more_bits(uint32_t i, uint32_t n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

static void add_attention(struct sizes *sum, const struct weir_catalogue_model *m, enum weir_quant quant,
                          enum weir_tensor_type heavy)
{
    enum weir_tensor_type base = base_type(quant);
    uint64_t q = (uint64_t)m->n_heads * m->head_dim, kv = (uint64_t)m->n_kv_heads * m->head_dim;
    if (strcmp(m->architecture, "phi3") == 0) {
        enum weir_tensor_type fused = quant == WEIR_QUANT_Q4_K_M   ? WEIR_TENSOR_Q5_K
                                      : quant == WEIR_QUANT_Q5_K_M ? WEIR_TENSOR_Q6_K
                                                                   : base;
        add_matrix(sum, fused, m->n_embd, q + 2 * kv);
    } else {
        add_matrix(sum, base, m->n_embd, q + kv);
        add_matrix(sum, heavy, m->n_embd, kv);
    }
    add_matrix(sum, base, q, m->n_embd);
    if (m->has_qkv_bias) add_vector(sum, q + 2 * kv);
}

/* Before attention and before the feed-forward part; gemma also after both; gemma3 and qwen3 also a head's width for q and for k. */
static void add_norms(struct sizes *sum, const struct weir_catalogue_model *m)
{
    bool is_gemma = strncmp(m->architecture, "gemma", 5) == 0;
    add_vector(sum, (is_gemma ? 4 : 2) * (uint64_t)m->n_embd);
    if (strcmp(m->architecture, "gemma3") == 0 || strcmp(m->architecture, "qwen3") == 0)
        add_vector(sum, 2 * (uint64_t)m->head_dim);
}

static struct sizes count(const struct weir_catalogue_model *m, enum weir_quant quant)
{
    struct sizes sum = {0};
    enum weir_tensor_type base = base_type(quant);
    enum weir_tensor_type output = is_mixed(quant) ? WEIR_TENSOR_Q6_K : base;
    add_matrix(&sum, m->is_tied ? output : base, m->n_embd, m->n_vocab);
    if (!m->is_tied) add_matrix(&sum, output, m->n_embd, m->n_vocab);
    for (uint32_t i = 0; i < m->n_layers; i++) {
        enum weir_tensor_type heavy = is_mixed(quant) && has_more_bits(i, m->n_layers) ? WEIR_TENSOR_Q6_K : base;
        add_attention(&sum, m, quant, heavy);
        add_matrix(&sum, base, m->n_embd, 2 * (uint64_t)m->n_ff); /* gate and up */
        add_matrix(&sum, heavy, m->n_ff, m->n_embd);              /* down */
        add_norms(&sum, m);
    }
    add_vector(&sum, m->n_embd);
    return sum;
}

uint64_t weir_catalogue_parameters(const struct weir_catalogue_model *model)
{
    return count(model, WEIR_QUANT_F16).weights;
}

uint64_t weir_catalogue_weights_bytes(const struct weir_catalogue_model *model, enum weir_quant quant)
{
    return (unsigned)quant < WEIR_QUANTS ? count(model, quant).bytes : 0;
}

uint64_t weir_catalogue_kv_bytes(const struct weir_catalogue_model *model, uint64_t ctx)
{
    return 2 * 2 * (uint64_t)model->n_layers * model->n_kv_heads * model->head_dim * ctx;
}
