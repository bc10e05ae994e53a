#include "tokenizer/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"

/* ---- joining ---- */

static void add_bytes(struct joined_text *joined, const char *text, size_t size)
{
    if (size) memcpy(joined->text + joined->size, text, size);
    joined->size += size;
}

static void add_run(struct joined_text *joined, size_t begin, size_t end)
{
    if (begin == end) return;
    struct trusted_run *last = joined->n_runs ? &joined->runs[joined->n_runs - 1] : NULL;
    if (last && last->end == begin)
        last->end = end;
    else
        joined->runs[joined->n_runs++] = (struct trusted_run){begin, end};
}

static enum weir_status measure(const struct joined_text *first, const struct weir_text_piece *pieces, size_t count,
                                size_t *out, struct weir_error *error)
{
    size_t size = first ? first->size : 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size > TOKENIZE_BYTES_MAX - size)
            return error_set(error, WEIR_ERR_LIMIT, "a text of more than %d bytes", TOKENIZE_BYTES_MAX);
        size += pieces[i].size;
    }
    *out = size;
    return WEIR_OK;
}

enum weir_status joined_text_make(const struct joined_text *first, const struct weir_text_piece *pieces, size_t count,
                                  struct joined_text *out, struct weir_error *error)
{
    size_t size = 0;
    enum weir_status status = measure(first, pieces, count, &size, error);
    if (status) return status;
    size_t runs = (first ? first->n_runs : 0) + count;
    struct joined_text made = {.text = mem_zero(size + 1, 1), .runs = mem_zero(runs + 1, sizeof *made.runs)};
    if (!made.text || !made.runs) {
        joined_text_free(&made);
        return error_nomem(error, "joining a text");
    }
    if (first) {
        add_bytes(&made, first->text, first->size);
        for (size_t i = 0; i < first->n_runs; i++) add_run(&made, first->runs[i].begin, first->runs[i].end);
    }
    for (size_t i = 0; i < count; i++) {
        size_t begin = made.size;
        add_bytes(&made, pieces[i].text, pieces[i].size);
        if (pieces[i].is_trusted) add_run(&made, begin, made.size);
    }
    *out = made;
    return WEIR_OK;
}

void joined_text_free(struct joined_text *joined)
{
    free(joined->text);
    free(joined->runs);
    *joined = (struct joined_text){0};
}

/* ---- the public call ---- */

static bool encode(struct encoder *encoder, const struct joined_text *joined, unsigned flags)
{
    const struct weir_tokenizer *t = encoder->tokenizer;
    bool frames = (flags & WEIR_TOKENIZE_BOS) != 0;
    if (frames && t->adds_bos && !tokens_add(encoder->out, t->bos)) return false;
    if (!encoder_add_text(encoder, joined_text_string(joined), joined_text_trusted(joined), false)) return false;
    return !(frames && t->adds_eos) || tokens_add(encoder->out, t->eos);
}

enum weir_status weir_tokenize_pieces(const struct weir_tokenizer *tokenizer, const struct weir_text_piece *pieces,
                                      size_t count, unsigned flags, struct weir_tokens *tokens,
                                      struct weir_error *error)
{
    if (flags & ~(unsigned)WEIR_TOKENIZE_BOS)
        return error_set(error, WEIR_ERR_INVALID, "weir_tokenize_pieces: flags 0x%x, expected WEIR_TOKENIZE_BOS or 0",
                         flags);
    struct joined_text joined = {0};
    enum weir_status status = joined_text_make(NULL, pieces, count, &joined, error);
    if (status) return status;
    size_t count_before = tokens->count;
    struct encoder encoder = {.tokenizer = tokenizer, .out = tokens};
    bool encoded = encode(&encoder, &joined, flags);
    encoder_free(&encoder);
    joined_text_free(&joined);
    if (encoded) return WEIR_OK;
    tokens->count = count_before;
    return error_nomem(error, "tokenizing a text");
}
