#include "decide/extract_choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/logprob.h"
#include "engine/sampler.h"

/* ---- tokens ---- */

struct spelled {
    struct weir_string text;
    int32_t id;
};

static int compare_spelled(const void *a, const void *b)
{
    const struct spelled *x = a, *y = b;
    size_t n = x->text.size < y->text.size ? x->text.size : y->text.size;
    int order = memcmp(x->text.data, y->text.data, n);
    if (order) return order;
    if (x->text.size != y->text.size) return x->text.size < y->text.size ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static bool is_text(const struct weir_tokenizer *tokenizer, int32_t id, struct weir_string *text)
{
    enum weir_token_kind kind = weir_token_kind(tokenizer, id);
    *text = weir_token_text(tokenizer, id);
    return (kind == WEIR_TOKEN_NORMAL || kind == WEIR_TOKEN_BYTE) && text->size;
}

/* A beginning of "null", or all of it and what may stand behind it. */
static bool begins_null(struct weir_string text)
{
    if (text.size <= 4) return memcmp(text.data, "null", text.size) == 0;
    return memcmp(text.data, "null", 4) == 0 && (text.data[4] == ',' || text.data[4] == '}');
}

static void note_token(struct extract_tokens *t, struct spelled *spelled, int32_t id)
{
    struct weir_string text;
    if (!is_text(t->tokenizer, id, &text)) return;
    if (begins_null(text)) t->nulls[t->n_nulls++] = id;
    if (!memchr(text.data, '"', text.size)) return;
    t->has_quote[id >> 5] |= 1u << (id & 31);
    spelled[t->n_quotes++] = (struct spelled){text, id};
}

enum weir_status extract_tokens_open(const struct weir_tokenizer *tokenizer, struct extract_tokens *out,
                                     struct weir_error *error)
{
    size_t size = weir_tokenizer_size(tokenizer);
    struct spelled *spelled = mem_zero(size, sizeof *spelled);
    struct extract_tokens t = {.tokenizer = tokenizer,
                               .quotes = mem_zero(size, sizeof *t.quotes),
                               .nulls = mem_zero(size, sizeof *t.nulls),
                               .has_quote = mem_zero((size + 31) / 32, sizeof *t.has_quote)};
    if (!spelled || !t.quotes || !t.nulls || !t.has_quote) {
        free(spelled);
        extract_tokens_free(&t);
        return error_nomem(error, "tokens");
    }
    for (size_t i = 0; i < size; i++) note_token(&t, spelled, (int32_t)i);
    qsort(spelled, t.n_quotes, sizeof *spelled, compare_spelled);
    for (size_t i = 0; i < t.n_quotes; i++) t.quotes[i] = spelled[i].id;
    free(spelled);
    *out = t;
    return WEIR_OK;
}

void extract_tokens_free(struct extract_tokens *t)
{
    free(t->quotes);
    free(t->nulls);
    free(t->has_quote);
    *t = (struct extract_tokens){.tokenizer = NULL};
}

/* ---- groups ---- */

struct extract_meaning {
    struct weir_string bytes;
    double weight; /* sum of probabilities */
};

enum { GROUPS_FIRST = 64, GROUPS_LOOKED_AT = 16 };

void extract_scratch_free(struct extract_scratch *s)
{
    free(s->bits);
    free(s->groups);
    *s = (struct extract_scratch){.bits = NULL};
}

/* Tokens come in the order of their bytes, or are few: a group is among the last ones, or missed without harm. */
static struct extract_meaning *find_group(struct extract_scratch *s, struct weir_string bytes)
{
    size_t first = s->n_groups > GROUPS_LOOKED_AT ? s->n_groups - GROUPS_LOOKED_AT : 0;
    for (size_t i = first; i < s->n_groups; i++) {
        struct weir_string *other = &s->groups[i].bytes;
        if (other->size == bytes.size && (!bytes.size || !memcmp(other->data, bytes.data, bytes.size)))
            return &s->groups[i];
    }
    if (s->n_groups == s->room) {
        size_t room = s->room ? 2 * s->room : GROUPS_FIRST;
        struct extract_meaning *groups = mem_resize(s->groups, room, sizeof *groups);
        if (!groups) return NULL;
        s->groups = groups;
        s->room = room;
    }
    s->groups[s->n_groups] = (struct extract_meaning){.bytes = bytes};
    return &s->groups[s->n_groups++];
}

/* ---- a choice ---- */

struct chooser {
    const struct extract_tokens *tokens;
    const struct extract_place *place;
    struct extract_scratch *scratch;
    float *logits;
    double log_sum;
};

/* The literal that a value beginning with this byte is; {NULL, 0}: another kind of value. */
static struct weir_string literal_of(char first)
{
    const char *word = first == 'n' ? "null" : first == 't' ? "true" : first == 'f' ? "false" : NULL;
    return (struct weir_string){word, word ? strlen(word) : 0};
}

/* The bytes of an allowed token that belong to the value; whether it ends with them. */
static bool ends_value(const struct chooser *c, int32_t id, struct weir_string *bytes)
{
    struct weir_string text;
    if (!is_text(c->tokens->tokenizer, id, &text)) { /* the end of the text */
        *bytes = (struct weir_string){NULL, 0};
        return true;
    }
    struct json_scan scan = c->place->scan;
    if (scan.state == JSON_SCAN_START) {
        *bytes = literal_of(text.data[0]);
        if (bytes->size) return true;
    }
    *bytes = (struct weir_string){text.data, json_scan(&scan, text.data, text.size)};
    return scan.state == JSON_SCAN_DONE;
}

static bool is_allowed(const struct chooser *c, int32_t id)
{
    return c->scratch->bits[id >> 5] >> (id & 31) & 1;
}

/* Moves a token that ends the value into its group. false: no memory. */
static bool gather_token(struct chooser *c, int32_t id)
{
    struct weir_string bytes;
    if (!is_allowed(c, id) || !ends_value(c, id, &bytes)) return true;
    struct extract_meaning *group = find_group(c->scratch, bytes);
    if (!group) return false;
    group->weight += exp((double)c->logits[id] - c->log_sum);
    c->logits[id] = -INFINITY;
    return true;
}

/* Inside of a string only tokens with a quote can end the value. */
static bool gather_groups(struct chooser *c, size_t n_vocab)
{
    enum json_scan_state state = c->place->scan.state;
    c->scratch->n_groups = 0;
    if (state == JSON_SCAN_STRING || state == JSON_SCAN_ESCAPE) {
        for (size_t i = 0; i < c->tokens->n_quotes; i++)
            if (!gather_token(c, c->tokens->quotes[i])) return false;
        return true;
    }
    for (size_t word = 0; word < (n_vocab + 31) / 32; word++)
        for (uint32_t left = c->scratch->bits[word]; left; left &= left - 1)
            if (!gather_token(c, (int32_t)(word * 32 + (size_t)__builtin_ctz(left)))) return false;
    return true;
}

/* What may come, as bits that can be added to. */
static enum weir_status allow(const struct extract_tokens *tokens, const struct extract_place *place, size_t n_vocab,
                              struct extract_scratch *scratch, struct weir_error *error)
{
    size_t words = (n_vocab + 31) / 32;
    if (!scratch->bits) scratch->bits = mem_zero(words, sizeof *scratch->bits);
    if (!scratch->bits) return error_nomem(error, "a choice");
    memcpy(scratch->bits, place->mask, (weir_tokenizer_size(tokens->tokenizer) + 31) / 32 * sizeof *scratch->bits);
    for (size_t i = 0; place->or_null && i < tokens->n_nulls; i++)
        scratch->bits[tokens->nulls[i] >> 5] |= 1u << (tokens->nulls[i] & 31);
    return WEIR_OK;
}

enum weir_status extract_choose(const struct weir_engine *engine, const struct extract_tokens *tokens,
                                const struct extract_place *place, float *logits, struct extract_scratch *scratch,
                                struct extract_choice *out, struct weir_error *error)
{
    size_t n_vocab = engine->model->shape.n_vocab;
    enum weir_status status = allow(tokens, place, n_vocab, scratch, error);
    if (status) return status;
    sampler_clean(logits, n_vocab);
    sampler_filter(logits, n_vocab, scratch->bits);
    struct chooser c = {tokens, place, scratch, logits, logprob_sum(&engine->model->kernels, logits, n_vocab)};
    if (c.log_sum == -INFINITY) return error_set(error, WEIR_ERR_INVALID, "the model gives no token that can come");
    if (!gather_groups(&c, n_vocab)) return error_nomem(error, "a choice");
    const struct extract_meaning *best = NULL;
    for (size_t i = 0; i < scratch->n_groups; i++)
        if (!best || scratch->groups[i].weight > best->weight) best = &scratch->groups[i];
    int32_t id = sampler_best(logits, n_vocab);
    double weight = id >= 0 ? exp((double)logits[id] - c.log_sum) : 0;
    if (best && best->weight >= weight)
        *out = (struct extract_choice){best->bytes, -1, true, log(best->weight)};
    else
        *out =
            (struct extract_choice){weir_token_text(tokens->tokenizer, id), id, false, (double)logits[id] - c.log_sum};
    if (out->log_probability > 0) out->log_probability = 0; /* the sum's rounding */
    return WEIR_OK;
}
