/* The table of architectures. */
#include <string.h>

#include "model/model.h"

static const struct model_family *const families[] = {&family_llama, &family_gemma3};

const struct model_family *model_family_find(struct weir_string architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const char *name = families[i]->architecture;
        if (strlen(name) == architecture.size && memcmp(name, architecture.data, architecture.size) == 0)
            return families[i];
    }
    return NULL;
}

const char *model_family_names(void)
{
    return "llama, gemma3";
}
