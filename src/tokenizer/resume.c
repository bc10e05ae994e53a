#include "tokenizer/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"

/* ---- where to cut ---- */

enum { BYTES = 256 };

/* pairs[a * BYTES + b]: some token has byte b right after byte a. */
static void mark_pairs(const struct vocab *vocab, bool *pairs)
{
    for (size_t id = 0; id < vocab->count; id++) {
        struct weir_string text = vocab->texts[id];
        for (size_t i = 1; i < text.size; i++) pairs[(uint8_t)text.data[i - 1] * BYTES + (uint8_t)text.data[i]] = true;
    }
}

/* `pairs`: NULL for byte-level BPE. */
static bool parts_plain_text(struct weir_string text, size_t at, const bool *pairs)
{
    uint8_t left = (uint8_t)text.data[at - 1], right = (uint8_t)text.data[at];
    if (!pairs) return left > ' ' && left < 0x7f && right == ' ';
    return left < 0x80 && right < 0x80 && !pairs[left * BYTES + right];
}

static bool is_crossed(const struct specials *specials, struct weir_string text, size_t at)
{
    for (size_t from = at > SPECIAL_BYTES_MAX ? at - SPECIAL_BYTES_MAX : 0; from < at; from++)
        if (from + specials_reach(specials, text, from) > at) return true;
    return false;
}

/* The end of the last special token that nothing crosses, or 0. */
static size_t last_special_end(const struct specials *specials, const struct joined_text *joined)
{
    struct weir_string text = joined_text_string(joined);
    struct trusted trusted = joined_text_trusted(joined);
    struct special_match match;
    size_t last = 0;
    for (size_t at = 0; specials_find(specials, text, at, &trusted, &match);) {
        at = match.at + match.size;
        if (at < text.size && !is_crossed(specials, text, at)) last = at;
    }
    return last;
}

static enum weir_status choose_cut(const struct weir_tokenizer *t, const struct joined_text *joined, size_t *cut,
                                   bool *continues, struct weir_error *error)
{
    struct weir_string text = joined_text_string(joined);
    bool *pairs = NULL;
    if (!t->pre) {
        pairs = mem_zero((size_t)BYTES * BYTES, sizeof *pairs);
        if (!pairs) return error_nomem(error, "tokenizing a prompt");
        mark_pairs(&t->vocab, pairs);
    }
    size_t special_end = last_special_end(&t->specials, joined), at = text.size ? text.size - 1 : 0;
    while (at > special_end && (!parts_plain_text(text, at, pairs) || is_crossed(&t->specials, text, at))) at--;
    free(pairs);
    *continues = at > special_end;
    *cut = *continues ? at : special_end;
    return WEIR_OK;
}

/* ---- the point ---- */

/* The bytes from `cut` on, with their runs. */
static enum weir_status take_tail(const struct joined_text *joined, size_t cut, struct joined_text *tail,
                                  struct weir_error *error)
{
    enum weir_status status = joined_text_make(joined, NULL, 0, tail, error);
    if (status) return status;
    memcpy(tail->text, joined->text + cut, joined->size - cut + 1); /* with the NUL */
    tail->size = joined->size - cut;
    tail->n_runs = 0;
    for (size_t i = 0; i < joined->n_runs; i++) {
        struct trusted_run run = joined->runs[i];
        if (run.end <= cut) continue;
        tail->runs[tail->n_runs++] = (struct trusted_run){run.begin > cut ? run.begin - cut : 0, run.end - cut};
    }
    return WEIR_OK;
}

static enum weir_status encode(const struct weir_tokenizer *tokenizer, const struct joined_text *joined, size_t size,
                               bool continues, struct weir_tokens *tokens, struct weir_error *error)
{
    size_t count_before = tokens->count;
    struct encoder encoder = {.tokenizer = tokenizer, .out = tokens};
    struct weir_string text = {.data = joined->text, .size = size};
    bool encoded = encoder_add_text(&encoder, text, joined_text_trusted(joined), continues);
    encoder_free(&encoder);
    if (encoded) return WEIR_OK;
    tokens->count = count_before;
    return error_nomem(error, "tokenizing a prompt");
}

enum weir_status resume_point_make(const struct weir_tokenizer *tokenizer, const struct weir_text_piece *beginning,
                                   size_t count, struct resume_point *out, struct weir_error *error)
{
    struct joined_text joined = {0};
    struct resume_point made = {0};
    size_t cut = 0;
    enum weir_status status = joined_text_make(NULL, beginning, count, &joined, error);
    if (!status) status = choose_cut(tokenizer, &joined, &cut, &made.continues, error);
    if (!status) status = take_tail(&joined, cut, &made.tail, error);
    if (!status) status = encode(tokenizer, &joined, cut, false, &made.settled, error);
    joined_text_free(&joined);
    if (status)
        resume_point_free(&made);
    else
        *out = made;
    return status;
}

void resume_point_free(struct resume_point *point)
{
    weir_tokens_free(&point->settled);
    joined_text_free(&point->tail);
    *point = (struct resume_point){0};
}

enum weir_status resume_point_tokenize(const struct weir_tokenizer *tokenizer, const struct resume_point *point,
                                       const struct weir_text_piece *pieces, size_t count, struct weir_tokens *tokens,
                                       struct weir_error *error)
{
    struct joined_text joined = {0};
    enum weir_status status = joined_text_make(&point->tail, pieces, count, &joined, error);
    if (!status) status = encode(tokenizer, &joined, joined.size, point->continues, tokens, error);
    joined_text_free(&joined);
    return status;
}
