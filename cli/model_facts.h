/* The memory a model will need, from the metadata of its file alone. */
#ifndef WEIR_CLI_MODEL_FACTS_H
#define WEIR_CLI_MODEL_FACTS_H

#include <stdint.h>

#include "weir/gguf.h"

struct model_facts {
    struct weir_string architecture; /* general.architecture, inside the file object; {NULL, 0}: none */
    uint64_t weights_bytes;          /* all tensors, as in the file */
    uint64_t kv_bytes_per_token;     /* keys and values of all layers at f16; 0: the metadata does not tell */
    uint64_t ctx_train;              /* 0: the metadata does not tell */
};

struct model_facts model_facts_read(const struct weir_gguf *gguf);

#endif
