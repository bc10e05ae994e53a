/* Writes the seed corpus of the gguf target: the sample file in versions 3 and 2, and every hostile file. */
#include <stdio.h>

#include "base/file.h"
#include "gguf/hostile.h"
#include "gguf/sample.h"

static void save(const char *folder, const char *name, const struct strbuf *bytes)
{
    char path[4096];
    struct weir_error error = {0};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_write_atomic(path, bytes->data, bytes->size, &error)) (void)fprintf(stderr, "%s\n", error.text);
}

int main(int count, char **arguments)
{
    struct strbuf bytes = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    if (count != 2) {
        (void)fprintf(stderr, "usage: make_gguf_corpus FOLDER\n");
        return 2;
    }
    if (sample_file(&bytes, &error)) return 1;
    save(arguments[1], "sample-v3", &bytes);
    bytes.data[4] = 2;
    save(arguments[1], "sample-v2", &bytes);
    for (unsigned long i = 0; i < hostile_count; i++) {
        strbuf_clear(&bytes);
        hostile_files[i].make(&bytes, &hostile_files[i]);
        save(arguments[1], hostile_files[i].name, &bytes);
    }
    strbuf_free(&bytes);
    return 0;
}
