#include "decide/prompt_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Texts that begin as rows do: what their prompts have in common, rows have in common as a rule. */
static const char *const usual_texts[] = {"I", "my card", "A", "20", "\"", "(x)", "\xc3\xa9t\xc3\xa9"};
enum { USUAL_TEXTS = sizeof usual_texts / sizeof *usual_texts };

struct prompt_model prompt_model_of(const struct weir_engine *engine)
{
    const struct weir_tokenizer *tokenizer = engine->tokenizer;
    struct prompt_model model = {.bos = weir_token_text(tokenizer, weir_tokenizer_bos(tokenizer)),
                                 .eos = weir_token_text(tokenizer, weir_tokenizer_eos(tokenizer))};
    (void)weir_gguf_as_string(weir_gguf_find(engine->gguf, "tokenizer.chat_template"), &model.source);
    return model;
}

static enum weir_status copy_pieces(const struct template_piece *from, size_t count, struct weir_text_piece **out,
                                    struct weir_error *error)
{
    struct weir_text_piece *pieces = mem_zero(count, sizeof *pieces);
    if (!pieces) return error_nomem(error, "prompt");
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct weir_text_piece){from[i].text, from[i].size, from[i].from_template};
    *out = pieces;
    return WEIR_OK;
}

static size_t common(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count)
{
    size_t n = 0;
    while (n < a_count && n < b_count && a[n] == b[n]) n++;
    return n;
}

/* The ids after the settled ones that the usual texts have in common. */
static enum weir_status usual_ids(const struct prompt_tokens *t, struct weir_tokens *out, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < USUAL_TEXTS; i++) {
        struct weir_tokens row = {0};
        status = prompt_tokens_of_row(t, (struct weir_string){usual_texts[i], strlen(usual_texts[i])}, &row, error);
        if (!status && i == 0) {
            *out = row;
            continue;
        }
        if (!status) out->count = common(out->ids, out->count, row.ids, row.count);
        weir_tokens_free(&row);
    }
    return status;
}

/* shared = BOS or nothing, settled, usual. */
static enum weir_status fill_shared(const struct weir_engine *engine, struct prompt_tokens *t, struct weir_error *error)
{
    struct weir_tokens usual = {0};
    const struct weir_tokens *settled = &t->point.settled;
    enum weir_status status = usual_ids(t, &usual, error);
    if (!status) status = engine_bos_tokens(engine, &t->shared, error);
    const struct weir_tokens *first = settled->count ? settled : &usual;
    if (!status && t->shared.count && first->count && first->ids[0] == t->shared.ids[0]) t->shared.count = 0;
    if (!status) status = tokens_append(&t->shared, settled->ids, settled->count, error);
    t->n_settled = t->shared.count;
    if (!status) status = tokens_append(&t->shared, usual.ids, usual.count, error);
    weir_tokens_free(&usual);
    return status;
}

enum weir_status prompt_tokens_open(const struct weir_engine *engine, const struct prompt *prompt,
                                    struct prompt_tokens *out, struct weir_error *error)
{
    struct prompt_tokens made = {.tokenizer = engine->tokenizer, .n_suffix = prompt->n_suffix};
    struct weir_text_piece *prefix = NULL;
    enum weir_status status = copy_pieces(prompt->prefix, prompt->n_prefix, &prefix, error);
    if (!status) status = copy_pieces(prompt->suffix, prompt->n_suffix, &made.suffix, error);
    if (!status) status = resume_point_make(made.tokenizer, prefix, prompt->n_prefix, &made.point, error);
    if (!status) status = fill_shared(engine, &made, error);
    free(prefix);
    if (status)
        prompt_tokens_free(&made);
    else
        *out = made;
    return status;
}

void prompt_tokens_free(struct prompt_tokens *t)
{
    resume_point_free(&t->point);
    weir_tokens_free(&t->shared);
    free(t->suffix);
    *t = (struct prompt_tokens){0};
}

enum weir_status prompt_tokens_of_row(const struct prompt_tokens *t, struct weir_string text, struct weir_tokens *row,
                                      struct weir_error *error)
{
    size_t count_before = row->count;
    struct weir_text_piece *pieces = mem_zero(t->n_suffix + 1, sizeof *pieces);
    if (!pieces) return error_nomem(error, "prompt");
    pieces[0] = (struct weir_text_piece){text.data, text.size, false};
    for (size_t i = 0; i < t->n_suffix; i++) pieces[i + 1] = t->suffix[i];
    enum weir_status status = resume_point_tokenize(t->tokenizer, &t->point, pieces, t->n_suffix + 1, row, error);
    free(pieces);
    if (!status && row->count == count_before)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "the prompt of an empty text has no tokens");
    return status;
}

size_t prompt_tokens_common(const struct prompt_tokens *t, const struct weir_tokens *row)
{
    return common(t->shared.ids + t->n_settled, t->shared.count - t->n_settled, row->ids, row->count - 1);
}
