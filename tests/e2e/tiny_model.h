/* A tiny language model of random weights with a byte-level vocabulary, for tests that run the whole engine.
 * The same description gives the same bytes. Needs no test library. */
#ifndef WEIR_TESTS_TINY_MODEL_H
#define WEIR_TESTS_TINY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "weir/status.h"

enum {
    TINY_EMBD = 64,
    TINY_LAYERS = 2,
    TINY_HEADS = 4,
    TINY_KV_HEADS = 2,
    TINY_HEAD_DIM = 24, /* not TINY_EMBD / TINY_HEADS */
    TINY_FF = 128,
    TINY_CTX = 2048,
    TINY_CTX_ORIGINAL = 1024 /* with longrope */
};

struct tiny_model {
    const char *architecture; /* a family of src/model; another name gets the tensors of llama */
    uint32_t sliding_window;  /* gemma2, gemma3: keys that layer 0 sees, layer 1 sees all; phi3: keys that both see */
    uint32_t rotated;         /* dimensions of a head that are rotated; 0: all */
    float attn_factor;        /* phi3: not 0: longrope with this attention factor; the long factors are all 1 */
    float short_factor;       /* the first of the short factors, those after it 0.25 more each */
    bool no_bias;             /* qwen2: biases of 0 */
    uint64_t seed;
    uint32_t ctx_tokens;      /* 0: TINY_CTX */
    const char *left_out;     /* a tensor, or a key of longrope, that is not written; NULL: none */
    const char *widened;      /* a vector or matrix written with 32 columns too many; NULL: none */
    const char *infinite;     /* a vector whose last value is infinite; NULL: none */
    const char *extra;        /* a vector of 32 values more; NULL: none */
    const char *rope_scaling; /* rope.scaling.type, without the keys that go with it; NULL: no key */
};

/* The file's bytes appended to `out`, empty before; or written at `path`. */
enum weir_status tiny_model_bytes(const struct tiny_model *model, struct strbuf *out,
                                  struct weir_error *error) WEIR_MUST_USE;
enum weir_status tiny_model_save(const struct tiny_model *model, const char *path,
                                 struct weir_error *error) WEIR_MUST_USE;

#endif
