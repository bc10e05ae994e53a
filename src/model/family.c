/* The table of architectures. */
#include <stdio.h>
#include <string.h>

#include "model/model.h"

static const struct model_family *const families[] = {&family_llama, &family_gemma2, &family_gemma3,
                                                      &family_phi3,  &family_qwen2,  &family_qwen3};

const struct model_family *model_family_find(struct weir_string architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const char *name = families[i]->architecture;
        if (strlen(name) == architecture.size && memcmp(name, architecture.data, architecture.size) == 0)
            return families[i];
    }
    return NULL;
}

void model_family_names(char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof families / sizeof *families && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i ? ", " : "", families[i]->architecture);
        used += n > 0 ? (size_t)n : 0;
    }
}
