#include "e2e/tiny_model.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/writer.h"

/* ---- vocabulary: 256 bytes, a few merges, ChatML's control tokens ---- */

#define SPACE "\xC4\xA0" /* GPT-2's printable character of the space */

static const char *const merges[] = {"t h", "th e", SPACE " t", "i n", "a r", "e r", SPACE " a", SPACE " c", "c ar"};
static const char *const merged[] = {"th", "the", SPACE "t", "in", "ar", "er", SPACE "a", SPACE "c", "car"};
static const char chat_template[] =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
    "'\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

enum { BYTES = 256, MERGES = sizeof merges / sizeof *merges, IM_START = BYTES + MERGES, IM_END, VOCABULARY };

static struct weir_string string_of(const char *text)
{
    return (struct weir_string){text, strlen(text)};
}

/* GPT-2's printable character of a byte: itself, or U+0100 and up for those that do not print. */
static void spell_byte(unsigned byte, unsigned *rank, char out[3])
{
    bool is_itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    unsigned code = is_itself ? byte : 256 + (*rank)++;
    memset(out, 0, 3);
    if (code < 128) {
        out[0] = (char)code;
        return;
    }
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
}

static void write_vocabulary(struct gguf_writer *w)
{
    char bytes[BYTES][3];
    struct weir_string tokens[VOCABULARY], rules[MERGES];
    int32_t kinds[VOCABULARY];
    unsigned rank = 0;
    for (unsigned i = 0; i < BYTES; i++) {
        spell_byte(i, &rank, bytes[i]);
        tokens[i] = string_of(bytes[i]);
    }
    for (size_t i = 0; i < MERGES; i++) {
        tokens[BYTES + i] = string_of(merged[i]);
        rules[i] = string_of(merges[i]);
    }
    tokens[IM_START] = string_of("<|im_start|>");
    tokens[IM_END] = string_of("<|im_end|>");
    for (int i = 0; i < VOCABULARY; i++) kinds[i] = i >= IM_START ? 3 : 1; /* control, normal */
    gguf_write_string(w, "tokenizer.ggml.model", "gpt2", 4);
    gguf_write_string(w, "tokenizer.ggml.pre", "gpt-2", 5);
    gguf_write_strings(w, "tokenizer.ggml.tokens", tokens, VOCABULARY);
    gguf_write_i32s(w, "tokenizer.ggml.token_type", kinds, VOCABULARY);
    gguf_write_strings(w, "tokenizer.ggml.merges", rules, MERGES);
    gguf_write_u32(w, "tokenizer.ggml.bos_token_id", IM_START);
    gguf_write_u32(w, "tokenizer.ggml.eos_token_id", IM_END);
    gguf_write_bool(w, "tokenizer.ggml.add_bos_token", false);
    gguf_write_string(w, "tokenizer.chat_template", chat_template, sizeof chat_template - 1);
}

/* ---- weights ---- */

struct generator {
    struct gguf_writer *writer;
    const struct tiny_model *model;
    uint64_t state;
    bool out_of_memory;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct generator *g)
{
    uint64_t z = g->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static size_t columns(const struct generator *g, const char *name, size_t asked)
{
    return g->model->widened && !strcmp(g->model->widened, name) ? asked + 32 : asked;
}

static bool is_left_out(const struct generator *g, const char *name)
{
    return g->model->left_out && !strcmp(g->model->left_out, name);
}

/* Values in [low, low + 1): norm weights from 0.5, biases from -0.5. */
static void vector_from(struct generator *g, const char *name, size_t asked, float low)
{
    float values[2 * TINY_FF];
    size_t size = columns(g, name, asked);
    for (size_t i = 0; i < size; i++) values[i] = low + (float)(next_random(g) >> 40) / 16777216.0f;
    if (g->model->infinite && !strcmp(g->model->infinite, name)) values[size - 1] = INFINITY;
    if (!is_left_out(g, name)) gguf_write_tensor(g->writer, name, WEIR_TENSOR_F32, 1, (uint64_t[]){size}, values);
}

static void vector(struct generator *g, const char *name, size_t asked)
{
    vector_from(g, name, asked, 0.5f);
}

/* Q8_0: blocks of an f16 scale and 32 signed bytes; every scale is 2^-9, so weights lie within a quarter of 0. */
static void matrix(struct generator *g, const char *name, size_t rows, size_t asked)
{
    size_t cols = columns(g, name, asked), blocks = rows * cols / 32;
    uint8_t *data = malloc(blocks * 34);
    if (!data) {
        g->out_of_memory = true;
        return;
    }
    for (size_t b = 0; b < blocks; b++) {
        uint8_t *block = data + b * 34;
        block[0] = 0x00;
        block[1] = 0x18;
        for (size_t i = 0; i < 32; i++) {
            uint8_t weight = (uint8_t)(next_random(g) >> 56);
            block[2 + i] = weight == 0x80 ? 0 : weight;
        }
    }
    if (!is_left_out(g, name)) gguf_write_tensor(g->writer, name, WEIR_TENSOR_Q8_0, 2, (uint64_t[]){cols, rows}, data);
    free(data);
}

/* first, first + step, ...; takes nothing from the generator. */
static void series(struct generator *g, const char *name, size_t asked, float first, float step)
{
    float values[2 * TINY_FF];
    size_t size = columns(g, name, asked);
    for (size_t i = 0; i < size; i++) values[i] = first + step * (float)i;
    if (!is_left_out(g, name)) gguf_write_tensor(g->writer, name, WEIR_TENSOR_F32, 1, (uint64_t[]){size}, values);
}

static void bias(struct generator *g, const char *name, size_t size)
{
    if (g->model->no_bias)
        series(g, name, size, 0.0f, 0.0f);
    else
        vector_from(g, name, size, -0.5f);
}

static const char *in_layer(char name[64], unsigned layer, const char *part)
{
    (void)snprintf(name, 64, "blk.%u.%s", layer, part);
    return name;
}

static bool is_family(const struct generator *g, const char *architecture)
{
    return !strcmp(g->model->architecture, architecture);
}

static bool is_gemma(const struct generator *g)
{
    return is_family(g, "gemma2") || is_family(g, "gemma3");
}

static void write_attention(struct generator *g, unsigned i)
{
    char name[64];
    size_t d = TINY_EMBD, q = TINY_HEADS * TINY_HEAD_DIM, kv = TINY_KV_HEADS * TINY_HEAD_DIM;
    vector(g, in_layer(name, i, "attn_norm.weight"), d);
    if (is_family(g, "phi3"))
        matrix(g, in_layer(name, i, "attn_qkv.weight"), q + 2 * kv, d);
    else {
        matrix(g, in_layer(name, i, "attn_q.weight"), q, d);
        matrix(g, in_layer(name, i, "attn_k.weight"), kv, d);
        matrix(g, in_layer(name, i, "attn_v.weight"), kv, d);
    }
    matrix(g, in_layer(name, i, "attn_output.weight"), d, q);
    if (is_family(g, "qwen2")) {
        bias(g, in_layer(name, i, "attn_q.bias"), q);
        bias(g, in_layer(name, i, "attn_k.bias"), kv);
        bias(g, in_layer(name, i, "attn_v.bias"), kv);
    }
    if (is_family(g, "gemma3") || is_family(g, "qwen3")) {
        vector(g, in_layer(name, i, "attn_q_norm.weight"), TINY_HEAD_DIM);
        vector(g, in_layer(name, i, "attn_k_norm.weight"), TINY_HEAD_DIM);
    }
    if (is_gemma(g)) vector(g, in_layer(name, i, "post_attention_norm.weight"), d);
}

static void write_feed_forward(struct generator *g, unsigned i)
{
    char name[64];
    size_t d = TINY_EMBD;
    vector(g, in_layer(name, i, "ffn_norm.weight"), d);
    if (is_family(g, "phi3"))
        matrix(g, in_layer(name, i, "ffn_up.weight"), 2 * TINY_FF, d);
    else {
        matrix(g, in_layer(name, i, "ffn_gate.weight"), TINY_FF, d);
        matrix(g, in_layer(name, i, "ffn_up.weight"), TINY_FF, d);
    }
    matrix(g, in_layer(name, i, "ffn_down.weight"), d, TINY_FF);
    if (is_gemma(g)) vector(g, in_layer(name, i, "post_ffw_norm.weight"), d);
}

static uint32_t rotated(const struct tiny_model *model)
{
    return model->rotated ? model->rotated : TINY_HEAD_DIM;
}

static void write_longrope(struct generator *g)
{
    size_t pairs = rotated(g->model) / 2;
    static const char ctx[] = "phi3.rope.scaling.original_context_length", factor[] = "phi3.rope.scaling.attn_factor";
    if (!is_left_out(g, ctx)) gguf_write_u32(g->writer, ctx, TINY_CTX_ORIGINAL);
    if (!is_left_out(g, factor)) gguf_write_f32(g->writer, factor, g->model->attn_factor);
    series(g, "rope_factors_long.weight", pairs, 1.0f, 0.0f);
    series(g, "rope_factors_short.weight", pairs, g->model->short_factor, 0.25f);
}

/* ---- metadata ---- */

#define KEY(name) (snprintf(key, sizeof key, "%s.%s", model->architecture, name), key)

static void write_shape(struct gguf_writer *w, const struct tiny_model *model)
{
    char key[128];
    gguf_write_string(w, "general.architecture", model->architecture, strlen(model->architecture));
    gguf_write_string(w, "general.name", "tiny", 4);
    gguf_write_u32(w, KEY("block_count"), TINY_LAYERS);
    gguf_write_u32(w, KEY("embedding_length"), TINY_EMBD);
    gguf_write_u32(w, KEY("feed_forward_length"), TINY_FF);
    gguf_write_u32(w, KEY("context_length"), model->ctx_tokens ? model->ctx_tokens : TINY_CTX);
    gguf_write_u32(w, KEY("attention.head_count"), TINY_HEADS);
    gguf_write_u32(w, KEY("attention.head_count_kv"), TINY_KV_HEADS);
    gguf_write_u32(w, KEY("attention.key_length"), TINY_HEAD_DIM);
    gguf_write_u32(w, KEY("attention.value_length"), TINY_HEAD_DIM);
    gguf_write_f32(w, KEY("attention.layer_norm_rms_epsilon"), 1e-5f);
    gguf_write_f32(w, KEY("rope.freq_base"), 10000.0f);
    gguf_write_u32(w, KEY("rope.dimension_count"), rotated(model));
    if (model->rope_scaling)
        gguf_write_string(w, KEY("rope.scaling.type"), model->rope_scaling, strlen(model->rope_scaling));
    if (!strcmp(model->architecture, "gemma2")) {
        gguf_write_f32(w, KEY("attn_logit_softcapping"), 2.0f); /* low enough to bend the scores of such weights */
        gguf_write_f32(w, KEY("final_logit_softcapping"), 5.0f);
    }
    if (!model->sliding_window) return;
    gguf_write_u32(w, KEY("attention.sliding_window"), model->sliding_window);
    if (strcmp(model->architecture, "phi3") != 0) gguf_write_u32(w, KEY("attention.sliding_window_pattern"), 2);
}

/* Everything but the finishing. */
static enum weir_status fill(struct gguf_writer *w, const struct tiny_model *model)
{
    struct generator g = {.writer = w, .model = model, .state = model->seed};
    write_shape(g.writer, model);
    write_vocabulary(g.writer);
    if (model->attn_factor != 0.0f) write_longrope(&g);
    matrix(&g, "token_embd.weight", VOCABULARY, TINY_EMBD);
    for (unsigned i = 0; i < TINY_LAYERS; i++) {
        write_attention(&g, i);
        write_feed_forward(&g, i);
    }
    vector(&g, "output_norm.weight", TINY_EMBD);
    if (model->extra) vector(&g, model->extra, 32);
    return g.out_of_memory ? WEIR_ERR_NOMEM : WEIR_OK;
}

enum weir_status tiny_model_bytes(const struct tiny_model *model, struct strbuf *out, struct weir_error *error)
{
    struct gguf_writer *w = gguf_writer_open();
    if (!w) return WEIR_ERR_NOMEM;
    enum weir_status status = fill(w, model);
    if (!status) status = gguf_writer_finish(w, out, error);
    gguf_writer_close(&w);
    return status;
}

enum weir_status tiny_model_save(const struct tiny_model *model, const char *path, struct weir_error *error)
{
    struct gguf_writer *w = gguf_writer_open();
    if (!w) return WEIR_ERR_NOMEM;
    enum weir_status status = fill(w, model);
    if (!status) status = gguf_writer_save(w, path, error);
    gguf_writer_close(&w);
    return status;
}
