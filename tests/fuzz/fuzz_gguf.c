/* Any bytes, opened as a GGUF file: refused with a text, or fully readable. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "gguf/sample.h"

static void check(int holds)
{
    if (!holds) abort();
}

/* A NUL-terminated copy, as callers have it. */
static char *text_of(struct weir_string name)
{
    char *text = calloc(name.size + 1, 1);
    check(text != NULL);
    memcpy(text, name.data, name.size);
    return text;
}

static void check_names(const struct weir_gguf *gguf)
{
    for (size_t i = 0; i < weir_gguf_value_count(gguf); i++) {
        const struct weir_gguf_value *value = weir_gguf_value_at(gguf, i);
        char *key = text_of(weir_gguf_key(value));
        check(weir_gguf_find(gguf, key) == value);
        free(key);
    }
    for (size_t i = 0; i < weir_gguf_tensor_count(gguf); i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(gguf, i);
        char *name = text_of(tensor->name);
        check(weir_gguf_find_tensor(gguf, name) == tensor);
        free(name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct weir_gguf *gguf = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_gguf_open_memory(bytes, size, "fuzz", &gguf, &error);
    if (status) {
        check(gguf == NULL && error.status == status && strncmp(error.text, "fuzz: ", 6) == 0);
        return 0;
    }
    char hex[65];
    (void)sample_read_all(gguf);
    check_names(gguf);
    check(weir_gguf_fingerprint(gguf, hex) == WEIR_OK && strlen(hex) == 64);
    weir_gguf_close(&gguf);
    return 0;
}
