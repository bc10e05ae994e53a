#include "prompt_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int read_all(FILE *file, const char *path, char **text, size_t *size)
{
    size_t capacity = 4096, used = 0;
    char *bytes = malloc(capacity);
    while (bytes) {
        used += fread(bytes + used, 1, capacity - 1 - used, file);
        if (used < capacity - 1) break;
        char *grown = capacity > PROMPT_TEXT_BYTES_MAX ? NULL : realloc(bytes, capacity * 2);
        if (!grown) {
            free(bytes);
            if (capacity <= PROMPT_TEXT_BYTES_MAX) return cli_nomem();
            return cli_say(CLI_FAILED, "%s: more than %d bytes", path, PROMPT_TEXT_BYTES_MAX);
        }
        bytes = grown;
        capacity *= 2;
    }
    if (!bytes) return cli_nomem();
    if (ferror(file)) {
        free(bytes);
        return cli_say(CLI_FAILED, "%s: %s", path, strerror(errno));
    }
    bytes[used] = 0;
    *text = bytes;
    *size = used;
    return CLI_DONE;
}

int prompt_text_read(const char *path, char **text, size_t *size)
{
    if (strcmp(path, "-") == 0) return read_all(stdin, "standard input", text, size);
    FILE *file = fopen(path, "rbe");
    if (!file) return cli_say(CLI_FAILED, "%s: %s", path, strerror(errno));
    int status = read_all(file, path, text, size);
    (void)fclose(file);
    return status;
}

int prompt_text_tokens(const struct weir_engine *engine, struct weir_string text, bool is_special,
                       struct weir_tokens *tokens)
{
    const struct weir_tokenizer *tokenizer = weir_engine_tokenizer(engine);
    struct weir_error error = {0};
    if (weir_tokenize(tokenizer, "", 0, WEIR_TOKENIZE_BOS, tokens, &error)) return cli_fail(&error);
    int32_t bos = weir_tokenizer_bos(tokenizer);
    tokens->count = tokens->count && tokens->ids[0] == bos ? 1 : 0;
    size_t start = tokens->count;
    if (weir_tokenize(tokenizer, text.data, text.size, is_special ? WEIR_TOKENIZE_SPECIAL : 0, tokens, &error))
        return cli_fail(&error);
    if (start && tokens->count > start && tokens->ids[start] == bos) { /* the text spelled it itself */
        memmove(tokens->ids, tokens->ids + 1, (tokens->count - 1) * sizeof *tokens->ids);
        tokens->count--;
    }
    return CLI_DONE;
}
