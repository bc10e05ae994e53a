/* tokenizer_ids MODEL.gguf [--bos] [--special] [--lines|--cases|--time|--decode|--ends]: ids of standard input, one line a text, for the scripts in
 * tests/golden and tests/tokenizer. Texts: the whole input; --lines: its lines (split at LF only); --cases: parts between lines "__ggml_vocab_test__".
 * --decode: lines of ids to the pieces that a decoder gives for each of them and at the end, in hexadecimal, separated by commas.
 * --ends: the ids that end a turn; input is not read. --time: how long opening and encoding the lines take, best of 5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "weir/tokenizer.h"

enum mode { MODE_WHOLE, MODE_LINES, MODE_CASES, MODE_DECODE, MODE_ENDS, MODE_TIME };

struct run {
    const struct weir_tokenizer *tokenizer;
    unsigned flags;
    bool prints;
    size_t ids; /* in all */
    struct weir_error *error;
};

static const char separator[] = "\n__ggml_vocab_test__\n";

static enum weir_status encode(struct run *run, const char *text, size_t size)
{
    struct weir_tokens tokens = {0};
    enum weir_status status = weir_tokenize(run->tokenizer, text, size, run->flags, &tokens, run->error);
    for (size_t i = 0; run->prints && i < tokens.count; i++) printf("%s%d", i ? " " : "", (int)tokens.ids[i]);
    if (run->prints) printf("\n");
    run->ids += tokens.count;
    weir_tokens_free(&tokens);
    return status;
}

/* Each part of the input that ends with `mark`; the last part may lack it. */
static enum weir_status encode_parts(struct run *run, const struct strbuf *input, const char *mark)
{
    size_t mark_size = strlen(mark);
    enum weir_status status = WEIR_OK;
    for (size_t at = 0; !status && at < input->size;) {
        const char *end = memmem(input->data + at, input->size - at, mark, mark_size);
        size_t size = end ? (size_t)(end - input->data) - at : input->size - at;
        status = encode(run, input->data + at, size);
        at += size + mark_size;
    }
    return status;
}

static void print_hex(struct weir_string text)
{
    for (size_t i = 0; i < text.size; i++) printf("%02x", (unsigned)(unsigned char)text.data[i]);
}

/* The line's pieces; *at moves past the line. */
static enum weir_status decode_line(struct run *run, struct weir_decoder *decoder, const char **at)
{
    struct weir_string text;
    while (**at && **at != '\n') {
        char *end = NULL;
        enum weir_status status = weir_decoder_add(decoder, (int32_t)strtol(*at, &end, 10), &text, run->error);
        if (status) return status;
        *at = end + strspn(end, " ");
        print_hex(text);
        printf(",");
    }
    print_hex(weir_decoder_end(decoder));
    printf("\n");
    *at += **at == '\n';
    return WEIR_OK;
}

static enum weir_status decode_lines(struct run *run, const struct strbuf *input)
{
    struct weir_decoder *decoder = NULL;
    unsigned flags = run->flags & WEIR_TOKENIZE_SPECIAL ? WEIR_DECODE_SPECIAL : 0;
    enum weir_status status = weir_decoder_open(run->tokenizer, flags, &decoder, run->error);
    for (const char *at = input->data; !status && at && *at;) status = decode_line(run, decoder, &at);
    weir_decoder_close(&decoder);
    return status;
}

static enum weir_status print_ends(const struct weir_tokenizer *tokenizer)
{
    const int32_t *ids = NULL;
    size_t count = weir_tokenizer_ends(tokenizer, &ids);
    for (size_t i = 0; i < count; i++) printf("%s%d", i ? " " : "", (int)ids[i]);
    printf("\n");
    return WEIR_OK;
}

static enum weir_status report_times(struct run *run, const struct weir_gguf *gguf, const struct strbuf *input)
{
    double open_best = 1e9;
    double encode_best = 1e9;
    run->prints = false;
    for (int i = 0; i < 5; i++) {
        struct weir_tokenizer *again = NULL;
        double start = clock_seconds();
        enum weir_status status = weir_tokenizer_open(gguf, &again, run->error);
        if (status) return status;
        double opened = clock_seconds();
        weir_tokenizer_close(&again);
        double begin = clock_seconds();
        run->ids = 0;
        status = encode_parts(run, input, "\n");
        if (status) return status;
        double end = clock_seconds();
        if (opened - start < open_best) open_best = opened - start;
        if (end - begin < encode_best) encode_best = end - begin;
    }
    printf("open %.1f ms; %zu bytes, %zu ids, %.2f MB/s\n", 1e3 * open_best, input->size, run->ids,
           1e-6 * (double)input->size / encode_best);
    return WEIR_OK;
}

static enum weir_status run_mode(struct run *run, enum mode mode, const struct weir_gguf *gguf,
                                 const struct strbuf *input)
{
    if (mode == MODE_LINES) return encode_parts(run, input, "\n");
    if (mode == MODE_CASES) return encode_parts(run, input, separator);
    if (mode == MODE_ENDS) return print_ends(run->tokenizer);
    if (mode == MODE_DECODE) return decode_lines(run, input);
    if (mode == MODE_TIME) return report_times(run, gguf, input);
    return encode(run, input->data, input->size);
}

static enum weir_status run_model(const char *path, struct run *run, enum mode mode)
{
    struct strbuf input = STRBUF_MAX(64 << 20);
    struct weir_gguf *gguf = NULL;
    struct weir_tokenizer *tokenizer = NULL;
    enum weir_status status = mode == MODE_ENDS ? WEIR_OK : file_read("-", &input, run->error);
    if (!status) status = weir_gguf_open(path, &gguf, run->error);
    if (!status) status = weir_tokenizer_open(gguf, &tokenizer, run->error);
    run->tokenizer = tokenizer;
    if (!status) status = run_mode(run, mode, gguf, &input);
    weir_tokenizer_close(&tokenizer);
    weir_gguf_close(&gguf);
    strbuf_free(&input);
    return status;
}

int main(int argc, char **argv)
{
    struct weir_error error = {0};
    struct run run = {.prints = true, .error = &error};
    enum mode mode = MODE_WHOLE;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--bos") == 0)
            run.flags |= WEIR_TOKENIZE_BOS;
        else if (strcmp(argv[i], "--special") == 0)
            run.flags |= WEIR_TOKENIZE_SPECIAL;
        else if (strcmp(argv[i], "--lines") == 0)
            mode = MODE_LINES;
        else if (strcmp(argv[i], "--cases") == 0)
            mode = MODE_CASES;
        else if (strcmp(argv[i], "--decode") == 0)
            mode = MODE_DECODE;
        else if (strcmp(argv[i], "--ends") == 0)
            mode = MODE_ENDS;
        else if (strcmp(argv[i], "--time") == 0)
            mode = MODE_TIME;
        else
            argc = 0;
    }
    if (argc < 2) {
        fprintf(
            stderr,
            "usage: tokenizer_ids MODEL.gguf [--bos] [--special] [--lines|--cases|--time|--decode|--ends] < TEXT\n");
        return 2;
    }
    enum weir_status status = run_model(argv[1], &run, mode);
    if (status) fprintf(stderr, "tokenizer_ids: %s\n", error.text);
    return status ? 1 : 0;
}
