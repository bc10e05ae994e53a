/* make_tiny_model ARCHITECTURE PATH [CONTEXT]: writes a tiny model of random weights (tiny_model.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/tiny_model.h"

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        (void)fprintf(stderr, "usage: make_tiny_model ARCHITECTURE PATH\n");
        return 2;
    }
    struct weir_error error = {0};
    struct tiny_model model = {.architecture = argv[1], .sliding_window = strcmp(argv[1], "gemma3") ? 0 : 8, .seed = 1};
    if (argc == 4) model.ctx_tokens = (uint32_t)strtoul(argv[3], NULL, 10);
    if (!tiny_model_save(&model, argv[2], &error)) return 0;
    (void)fprintf(stderr, "make_tiny_model: %s\n", error.text);
    return 1;
}
