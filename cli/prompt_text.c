#include "prompt_text.h"

#include <string.h>

#include "cli.h"

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
