/* weir tokenize: standard input to token ids. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "models.h"
#include "slurp.h"
#include "weir/gguf.h"
#include "weir/tokenizer.h"

enum { TEXT_BYTES_MAX = 1 << 30 };

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Model file or name", 0},
    {"special", 'S', 0, 0, "Text that spells a special token becomes that token", 0},
    {"bos", 'B', 0, 0, "Add BOS and EOS where the model's own rule asks for them", 0},
    {"lines", 'L', 0, 0, "One output line for each input line (split at LF only); an empty line stays empty", 0},
    {0}};

struct arguments {
    const char *model;
    unsigned flags; /* enum weir_tokenize_flags */
    bool lines;
};

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'm':
        args->model = text;
        return 0;
    case 'S':
        args->flags |= WEIR_TOKENIZE_SPECIAL;
        return 0;
    case 'B':
        args->flags |= WEIR_TOKENIZE_BOS;
        return 0;
    case 'L':
        args->lines = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "the text comes from standard input");
        return 0;
    case ARGP_KEY_END:
        if (!args->model) argp_error(state, "no model given (-m)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc = "Prints the token ids of standard input, separated by spaces. The model file may hold only a vocabulary."};

static int print_ids(const struct weir_tokenizer *tokenizer, const char *text, size_t size, unsigned flags,
                     struct weir_tokens *tokens)
{
    struct weir_error error = {0};
    tokens->count = 0;
    if (weir_tokenize(tokenizer, text, size, flags, tokens, &error)) return cli_fail(&error);
    for (size_t i = 0; i < tokens->count; i++) (void)printf(i ? " %d" : "%d", (int)tokens->ids[i]);
    (void)putchar('\n');
    return ferror(stdout) ? cli_flush() : CLI_DONE;
}

static int print_lines(const struct weir_tokenizer *tokenizer, const char *text, size_t size, unsigned flags,
                       struct weir_tokens *tokens)
{
    const char *end = text + size;
    int status = CLI_DONE;
    while (!status && text < end) {
        const char *lf = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = lf ? lf : end;
        if (line_end > text)
            status = print_ids(tokenizer, text, (size_t)(line_end - text), flags, tokens);
        else
            (void)putchar('\n');
        text = line_end + 1;
    }
    return status;
}

static int tokenize(const struct weir_tokenizer *tokenizer, const struct arguments *args)
{
    char *text = NULL;
    size_t size = 0;
    struct weir_tokens tokens = {0};
    int status = slurp("-", TEXT_BYTES_MAX, &text, &size);
    if (!status) status = (args->lines ? print_lines : print_ids)(tokenizer, text, size, args->flags, &tokens);
    weir_tokens_free(&tokens);
    free(text);
    return status ? status : cli_flush();
}

static int run(int argc, char **argv)
{
    struct arguments args = {0};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    char *path = NULL;
    int status = models_find(args.model, &path);
    if (status) return status;
    struct weir_gguf *gguf = NULL;
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    if (weir_gguf_open(path, &gguf, &error) || weir_tokenizer_open(gguf, &tokenizer, &error)) status = cli_fail(&error);
    weir_gguf_close(&gguf); /* the tokenizer has copied what it needs */
    if (!status) status = tokenize(tokenizer, &args);
    weir_tokenizer_close(&tokenizer);
    free(path);
    return status;
}

const struct command command_tokenize = {"tokenize", "Print the token ids of a text", run};
