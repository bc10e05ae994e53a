/* Loading: metadata and tensors of a GGUF file into struct model, every shape checked, every tensor accounted for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "gguf/residency.h"
#include "model/model.h"

enum { KEY_BYTES_MAX = 128 };

static const struct weir_gguf_value *find_key(struct model *model, const char *key, char full[KEY_BYTES_MAX])
{
    (void)snprintf(full, KEY_BYTES_MAX, "%s.%s", model->family->architecture, key);
    return weir_gguf_find(model->gguf, full);
}

enum weir_status model_key_u32_or(struct model *model, const char *key, uint32_t low, uint32_t high, uint32_t missing,
                                  uint32_t *out, struct weir_error *error)
{
    char full[KEY_BYTES_MAX];
    if (!find_key(model, key, full)) {
        *out = missing;
        return WEIR_OK;
    }
    return model_key_u32(model, key, low, high, out, error);
}

enum weir_status model_key_u32(struct model *model, const char *key, uint32_t low, uint32_t high, uint32_t *out,
                               struct weir_error *error)
{
    char full[KEY_BYTES_MAX];
    const char *file = weir_gguf_name(model->gguf);
    const struct weir_gguf_value *value = find_key(model, key, full);
    if (!value) return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s is missing", file, full);
    uint64_t number;
    if (!weir_gguf_as_u64(value, &number))
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s: expected an unsigned integer, found %s", file,
                         full, weir_gguf_value_type_name(weir_gguf_type(value)));
    if (number < low || number > high)
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s: expected %u..%u, found %llu", file, full, low,
                         high, (unsigned long long)number);
    *out = (uint32_t)number;
    return WEIR_OK;
}

enum weir_status model_key_f32_or(struct model *model, const char *key, double low, double high, double missing,
                                  double *out, struct weir_error *error)
{
    char full[KEY_BYTES_MAX];
    if (!find_key(model, key, full)) {
        *out = missing;
        return WEIR_OK;
    }
    return model_key_f32(model, key, low, high, out, error);
}

enum weir_status model_key_f32(struct model *model, const char *key, double low, double high, double *out,
                               struct weir_error *error)
{
    char full[KEY_BYTES_MAX];
    const char *file = weir_gguf_name(model->gguf);
    const struct weir_gguf_value *value = find_key(model, key, full);
    if (!value) return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s is missing", file, full);
    double number;
    if (!weir_gguf_as_f64(value, &number))
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s: expected a float, found %s", file, full,
                         weir_gguf_value_type_name(weir_gguf_type(value)));
    if (!(number >= low && number <= high))
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s: expected %g..%g, found %g", file, full, low,
                         high, number);
    *out = number;
    return WEIR_OK;
}

static void set_linear_scale(struct model *model, struct rope *rope, double factor)
{
    rope->scale = 1.0 / factor;
    if (factor != 1.0) model->shape.rope_scaling = ROPE_LINEAR;
}

enum weir_status model_read_rope_scaling(struct model *model, struct rope *rope, struct weir_error *error)
{
    char full[KEY_BYTES_MAX];
    const struct weir_gguf_value *value = find_key(model, "rope.scaling.type", full);
    rope->scale = 1.0;
    if (!value) {
        /* Old files: a bare linear scale. */
        double factor = 1.0;
        enum weir_status status = model_key_f32_or(model, "rope.scale_linear", 1e-6, 1e6, 1.0, &factor, error);
        if (!status) set_linear_scale(model, rope, factor);
        return status;
    }
    const char *file = weir_gguf_name(model->gguf);
    struct weir_string type;
    if (!weir_gguf_as_string(value, &type))
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key %s: expected a string", file, full);
    if (type.size == 4 && memcmp(type.data, "none", 4) == 0) return WEIR_OK;
    if (type.size == 6 && memcmp(type.data, "linear", 6) == 0) {
        double factor = 1.0;
        enum weir_status status = model_key_f32(model, "rope.scaling.factor", 1e-6, 1e6, &factor, error);
        if (!status) set_linear_scale(model, rope, factor);
        return status;
    }
    return error_set(error, WEIR_ERR_UNSUPPORTED, "%s: rope scaling \"%.*s\" is not supported (none and linear are)",
                     file, (int)(type.size > 64 ? 64 : type.size), type.data);
}

/* ---- tensors ---- */

bool model_rope_scaling_is(struct model *model, const char *type)
{
    char full[KEY_BYTES_MAX];
    const struct weir_gguf_value *value = find_key(model, "rope.scaling.type", full);
    struct weir_string found = {"", 0};
    if (value && !weir_gguf_as_string(value, &found)) return false;
    return found.size == strlen(type) && memcmp(found.data, type, found.size) == 0;
}

const char *rope_scaling_name(enum rope_scaling scaling)
{
    static const char *const names[] = {[ROPE_PLAIN] = "none",
                                        [ROPE_LINEAR] = "linear",
                                        [ROPE_FACTORS] = "factors",
                                        [ROPE_LONGROPE_SHORT] = "longrope short",
                                        [ROPE_LONGROPE_LONG] = "longrope long"};
    return names[scaling];
}

bool model_has_tensor(const struct model *model, const char *name)
{
    return weir_gguf_find_tensor(model->gguf, name) != NULL;
}

static enum weir_status take_tensor(struct model *model, const char *name, size_t rows, size_t cols,
                                    const struct weir_gguf_tensor **out, struct weir_error *error)
{
    const char *file = weir_gguf_name(model->gguf);
    const struct weir_gguf_tensor *tensor = weir_gguf_find_tensor(model->gguf, name);
    if (!tensor) return error_set(error, WEIR_ERR_FORMAT, "%s: tensor %s is missing", file, name);
    if (tensor->dims[0] != cols || tensor->dims[1] != rows || tensor->dims[2] != 1 || tensor->dims[3] != 1)
        return error_set(error, WEIR_ERR_FORMAT, "%s: tensor %s: expected %zu x %zu, found %llu x %llu x %llu x %llu",
                         file, name, cols, rows, (unsigned long long)tensor->dims[0],
                         (unsigned long long)tensor->dims[1], (unsigned long long)tensor->dims[2],
                         (unsigned long long)tensor->dims[3]);
    for (size_t i = 0; i < weir_gguf_tensor_count(model->gguf); i++)
        if (weir_gguf_tensor_at(model->gguf, i) == tensor) model->tensor_taken[i] = true;
    *out = tensor;
    return WEIR_OK;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void layer_tensor_name(char name[KEY_BYTES_MAX], const char *format, uint32_t layer)
{
    /* cppcheck-suppress wrongPrintfScanfArgNum ; names without %u ignore the argument */
    (void)snprintf(name, KEY_BYTES_MAX, format, layer);
}
#pragma GCC diagnostic pop

enum weir_status model_take_matrix(struct model *model, struct matrix *out, size_t rows, size_t cols,
                                   const char *name_format, uint32_t layer, struct weir_error *error)
{
    char name[KEY_BYTES_MAX];
    layer_tensor_name(name, name_format, layer);
    const struct weir_gguf_tensor *tensor;
    enum weir_status status = take_tensor(model, name, rows, cols, &tensor, error);
    if (status) return status;
    const char *file = weir_gguf_name(model->gguf);
    if (!matrix_type_supported(tensor->type))
        return error_set(error, WEIR_ERR_UNSUPPORTED, "%s: tensor %s: weight type %s is not supported", file, name,
                         weir_tensor_type_name(tensor->type));
    bool is_float = weir_tensor_type_block_weights(tensor->type) == 1;
    if (!is_float && cols % ACT_BLOCK != 0)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "%s: tensor %s: %zu columns, expected a multiple of %d", file,
                         name, cols, ACT_BLOCK);
    *out = (struct matrix){.type = tensor->type, .rows = rows, .cols = cols, .blocks = tensor->data};
    return WEIR_OK;
}

enum weir_status model_take_stacked(struct model *model, struct matrix *const *out, const size_t *rows, size_t count,
                                    size_t cols, const char *name_format, uint32_t layer, struct weir_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += rows[i];
    struct matrix whole;
    enum weir_status status = model_take_matrix(model, &whole, total, cols, name_format, layer, error);
    if (status) return status;
    size_t row_bytes = cols / weir_tensor_type_block_weights(whole.type) * weir_tensor_type_block_bytes(whole.type);
    const uint8_t *blocks = whole.blocks;
    for (size_t i = 0; i < count; i++) {
        *out[i] = (struct matrix){.type = whole.type, .rows = rows[i], .cols = cols, .blocks = blocks};
        blocks += rows[i] * row_bytes;
    }
    return WEIR_OK;
}

enum weir_status model_take_vector(struct model *model, const float **out, size_t size, const char *name_format,
                                   uint32_t layer, struct weir_error *error)
{
    char name[KEY_BYTES_MAX];
    layer_tensor_name(name, name_format, layer);
    const struct weir_gguf_tensor *tensor;
    enum weir_status status = take_tensor(model, name, 1, size, &tensor, error);
    if (status) return status;
    if (tensor->type != WEIR_TENSOR_F32)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "%s: tensor %s: expected type F32, found %s",
                         weir_gguf_name(model->gguf), name, weir_tensor_type_name(tensor->type));
    if (size > model->floats_size - model->floats_used)
        return error_set(error, WEIR_ERR_FORMAT, "%s: tensor %s is used twice", weir_gguf_name(model->gguf), name);
    float *copy = model->floats + model->floats_used;
    for (size_t i = 0; i < size; i++) {
        copy[i] = float_from_bits((uint32_t)load_le(tensor->data + 4 * i, 4));
        if (!isfinite(copy[i]))
            return error_set(error, WEIR_ERR_FORMAT, "%s: tensor %s: value %zu: expected a finite number, found %g",
                             weir_gguf_name(model->gguf), name, i, (double)copy[i]);
    }
    gguf_release(model->gguf, tensor->data, tensor->size);
    model->floats_used += size;
    *out = copy;
    return WEIR_OK;
}

/* ---- the whole model ---- */

static enum weir_status read_common_shape(struct model *model, struct weir_error *error)
{
    struct model_shape *s = &model->shape;
    enum weir_status status;
    double eps, base;
    if ((status = model_key_u32(model, "block_count", 1, MODEL_LAYERS_MAX, &s->n_layers, error)) ||
        (status = model_key_u32(model, "embedding_length", 1, MODEL_EMBD_MAX, &s->n_embd, error)) ||
        (status = model_key_u32(model, "feed_forward_length", 1, MODEL_FF_MAX, &s->n_ff, error)) ||
        (status = model_key_u32(model, "context_length", 1, MODEL_CTX_MAX, &s->ctx_train, error)) ||
        (status = model_key_u32(model, "attention.head_count", 1, MODEL_HEADS_MAX, &s->n_heads, error)) ||
        (status =
             model_key_u32_or(model, "attention.head_count_kv", 1, s->n_heads, s->n_heads, &s->n_kv_heads, error)) ||
        (status = model_key_f32(model, "attention.layer_norm_rms_epsilon", 0, 1, &eps, error)) ||
        (status = model_key_f32_or(model, "rope.freq_base", 1, 1e12, 10000.0, &base, error)))
        return status;
    const char *file = weir_gguf_name(model->gguf);
    if (s->n_heads % s->n_kv_heads != 0)
        return error_set(error, WEIR_ERR_FORMAT, "%s: %u heads are no multiple of %u kv heads", file, s->n_heads,
                         s->n_kv_heads);
    uint32_t even_split = s->n_embd / s->n_heads, value_dim = 0;
    if ((status =
             model_key_u32_or(model, "attention.key_length", 8, MODEL_HEAD_DIM_MAX, even_split, &s->head_dim, error)) ||
        (status = model_key_u32_or(model, "attention.value_length", 8, MODEL_HEAD_DIM_MAX, s->head_dim, &value_dim,
                                   error)) ||
        (status = model_key_u32_or(model, "rope.dimension_count", 2, s->head_dim, s->head_dim, &s->n_rot, error)))
        return status;
    if (value_dim != s->head_dim || s->head_dim % 8 != 0 || s->head_dim > MODEL_HEAD_DIM_MAX || s->n_rot % 2 != 0 ||
        s->n_rot > s->head_dim)
        return error_set(
            error, WEIR_ERR_UNSUPPORTED,
            "%s: head of %u key, %u value and %u rotated dimensions (expected equal key and value sizes, a multiple "
            "of 8, an even number rotated)",
            file, s->head_dim, value_dim, s->n_rot);
    s->rms_eps = (float)eps;
    s->embd_scale = 1.0f;
    s->rope[ROPE_GLOBAL] = (struct rope){.base = base, .scale = 1.0, .magnitude = 1.0};
    return WEIR_OK;
}

static enum weir_status read_vocabulary_size(struct model *model, struct weir_error *error)
{
    const struct weir_gguf_tensor *tensor = weir_gguf_find_tensor(model->gguf, "token_embd.weight");
    const char *file = weir_gguf_name(model->gguf);
    if (!tensor) return error_set(error, WEIR_ERR_FORMAT, "%s: tensor token_embd.weight is missing", file);
    if (tensor->dims[1] < 1 || tensor->dims[1] > MODEL_VOCAB_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%s: %llu tokens in token_embd.weight (at most %d)", file,
                         (unsigned long long)tensor->dims[1], MODEL_VOCAB_MAX);
    model->shape.n_vocab = (uint32_t)tensor->dims[1];
    return WEIR_OK;
}

static enum weir_status read_tensors(struct model *model, struct weir_error *error)
{
    const struct model_shape *s = &model->shape;
    enum weir_status status;
    if ((status = model_take_matrix(model, &model->embd, s->n_vocab, s->n_embd, "token_embd.weight", 0, error)) ||
        (status = model_take_vector(model, &model->output_norm, s->n_embd, "output_norm.weight", 0, error)))
        return status;
    model->output = model->embd; /* tied unless the file has its own */
    if (model_has_tensor(model, "output.weight"))
        status = model_take_matrix(model, &model->output, s->n_vocab, s->n_embd, "output.weight", 0, error);
    for (uint32_t i = 0; !status && i < s->n_layers; i++) status = model->family->read_layer(model, i, error);
    return status;
}

static enum weir_status check_every_tensor_taken(struct model *model, struct weir_error *error)
{
    for (size_t i = 0; i < weir_gguf_tensor_count(model->gguf); i++) {
        if (model->tensor_taken[i]) continue;
        struct weir_string name = weir_gguf_tensor_at(model->gguf, i)->name;
        return error_set(error, WEIR_ERR_UNSUPPORTED, "%s: tensor %.*s is not part of architecture %s as known here",
                         weir_gguf_name(model->gguf), (int)name.size, name.data, model->family->architecture);
    }
    return WEIR_OK;
}

/* Room for every float32 tensor of the file: what model_take_vector can ask for at most. */
static enum weir_status allocate_arenas(struct model *model, struct weir_error *error)
{
    size_t floats = 0, count = weir_gguf_tensor_count(model->gguf);
    for (size_t i = 0; i < count; i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(model->gguf, i);
        if (tensor->type == WEIR_TENSOR_F32 && tensor->n_dims == 1) floats += tensor->size / sizeof(float);
    }
    model->layers = mem_zero(model->shape.n_layers, sizeof *model->layers);
    model->floats = mem_aligned(floats, sizeof *model->floats);
    model->tensor_taken = mem_zero(count, sizeof *model->tensor_taken);
    model->floats_size = floats;
    if (!model->layers || !model->floats || !model->tensor_taken) return error_nomem(error, "model weights");
    return WEIR_OK;
}

static enum weir_status choose_family(struct model *model, struct weir_error *error)
{
    const char *file = weir_gguf_name(model->gguf);
    struct weir_string architecture;
    if (!weir_gguf_as_string(weir_gguf_find(model->gguf, "general.architecture"), &architecture))
        return error_set(error, WEIR_ERR_FORMAT, "%s: metadata key general.architecture is missing or not a string",
                         file);
    model->family = model_family_find(architecture);
    if (model->family) return WEIR_OK;
    char names[256];
    model_family_names(names, sizeof names);
    return error_set(error, WEIR_ERR_UNSUPPORTED, "%s: architecture \"%.*s\" is not supported (%s are)", file,
                     (int)(architecture.size > 64 ? 64 : architecture.size), architecture.data, names);
}

static enum weir_status check_context(const struct model *model, struct weir_error *error)
{
    if (model->ctx_tokens <= model->shape.ctx_train) return WEIR_OK;
    return error_set(error, WEIR_ERR_TOO_LONG,
                     "%s: a context of %u tokens was asked for, the model was trained with %u",
                     weir_gguf_name(model->gguf), model->ctx_tokens, model->shape.ctx_train);
}

enum weir_status model_open(const struct weir_gguf *gguf, enum cpu_level level, uint32_t ctx_tokens, struct model **out,
                            struct weir_error *error)
{
    struct model *model = mem_zero(1, sizeof *model);
    if (!model) return error_nomem(error, "model");
    model->gguf = gguf;
    model->ctx_tokens = ctx_tokens;
    kernels_init(&model->kernels, level);
    enum weir_status status;
    if ((status = choose_family(model, error)) || (status = read_common_shape(model, error)) ||
        (status = check_context(model, error)) || (status = allocate_arenas(model, error)) ||
        (status = read_vocabulary_size(model, error)) || (status = model->family->read_shape(model, error)) ||
        (status = read_tensors(model, error)) || (status = check_every_tensor_taken(model, error))) {
        model_close(&model);
        return status;
    }
    if (!model->ctx_tokens) model->ctx_tokens = model->shape.ctx_train;
    free(model->tensor_taken);
    model->tensor_taken = NULL;
    model_measure(model);
    *out = model;
    return WEIR_OK;
}

void model_close(struct model **handle)
{
    struct model *model = *handle;
    if (!model) return;
    free(model->layers);
    free(model->floats);
    mem_pages_free(model->tiles, model->tiles_bytes);
    free(model->tensor_taken);
    free(model);
    *handle = NULL;
}
