/* A tiny model of each family with bytes of its metadata changed: refused with a text, or it runs.
 *
 * Input: byte 0 chooses the family and, by its highest bit, the reference or the best CPU level; then (offset, offset / 256, value)
 * three by three: the byte at offset, counted around the part before the tensors' data, becomes value. */
#include <stdlib.h>
#include <string.h>

#include "e2e/tiny_model.h"
#include "fuzz/fuzz.h"
#include "model/forward.h"

static const struct tiny_model families[] = {
    {.architecture = "llama", .seed = 1},
    {.architecture = "gemma2", .sliding_window = 2, .seed = 2},
    {.architecture = "gemma3", .sliding_window = 2, .seed = 3},
    {.architecture = "phi3", .rotated = 16, .attn_factor = 1.19f, .short_factor = 1.0f, .seed = 4},
    {.architecture = "phi3", .sliding_window = 2, .rope_scaling = "none", .seed = 5},
    {.architecture = "qwen2", .seed = 6},
    {.architecture = "qwen3", .seed = 7},
};
enum { FAMILIES = sizeof families / sizeof *families, IDS = 5 };

static void check(int holds)
{
    if (!holds) abort();
}

/* The file of a family, made once; metadata: bytes before the data of its first tensor. Lives until the program ends. */
struct base {
    struct strbuf bytes;
    size_t metadata;
};

static const struct base *base_of(size_t family)
{
    static struct base bases[FAMILIES];
    struct base *base = &bases[family];
    if (base->metadata) return base;
    base->bytes = STRBUF_MAX(1 << 24);
    struct weir_gguf *gguf = NULL;
    check(tiny_model_bytes(&families[family], &base->bytes, NULL) == WEIR_OK);
    check(weir_gguf_open_memory(base->bytes.data, base->bytes.size, "base", &gguf, NULL) == WEIR_OK);
    base->metadata = (size_t)((const char *)weir_gguf_tensor_at(gguf, 0)->data - base->bytes.data);
    weir_gguf_close(&gguf);
    return base;
}

static void run(struct model *model)
{
    struct weir_error error = {0};
    struct forward *forward = NULL;
    struct kv *kv = NULL;
    check(model_load(model, NULL, &error) == WEIR_OK);
    check(forward_open(model, NULL, IDS, &forward, &error) == WEIR_OK);
    check(kv_open(&model->shape, WEIR_KV_F16, IDS, false, NULL, &kv, &error) == WEIR_OK);
    int32_t ids[IDS];
    for (int32_t i = 0; i < IDS; i++) ids[i] = (int32_t)((uint32_t)(i * 37) % model->shape.n_vocab);
    const uint32_t outputs[] = {0, IDS - 1};
    const struct batch_sequence sequence = {.kv = kv, .count = IDS};
    const struct batch batch = {
        .ids = ids, .n_tokens = IDS, .sequences = &sequence, .n_sequences = 1, .outputs = outputs, .n_outputs = 2};
    check(forward_run(forward, &batch, &error) == WEIR_OK);
    float *logits = calloc(2 * (size_t)model->shape.n_vocab, sizeof *logits);
    check(logits != NULL);
    forward_logits(forward, &model->output, logits);
    free(logits);
    forward_close(&forward);
    kv_close(&kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    const struct base *base = base_of((bytes[0] & 127) % FAMILIES);
    enum cpu_level level = CPU_REF;
    if (bytes[0] & 128) check(cpu_level_choose(NULL, &level, NULL) == WEIR_OK);
    char *file = malloc(base->bytes.size);
    check(file != NULL);
    memcpy(file, base->bytes.data, base->bytes.size);
    for (size_t i = 1; i + 2 < size; i += 3)
        file[(bytes[i] | (size_t)bytes[i + 1] << 8) % base->metadata] = (char)bytes[i + 2];
    struct weir_error error = {0};
    struct weir_gguf *gguf = NULL;
    struct model *model = NULL;
    enum weir_status status = weir_gguf_open_memory(file, base->bytes.size, "fuzz", &gguf, &error);
    if (!status) status = model_open(gguf, level, 0, &model, &error);
    check((status == WEIR_OK) == (model != NULL));
    check(!status || error.text[0]);
    if (model) run(model);
    model_close(&model);
    weir_gguf_close(&gguf);
    free(file);
    return 0;
}
