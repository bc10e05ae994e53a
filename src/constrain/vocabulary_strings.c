/* Tokens as a string sees them that may hold anything.
 *
 * Most tokens of a vocabulary are text: in such a string they are all allowed, and that does not depend on the schema. What a schema
 * decides is what may follow the closing quote, so tokens that hold one are kept by what follows it. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "constrain/machine.h"
#include "constrain/vocabulary.h"

static const struct dfa_range any_range[1] = {{0, 0}};
static const uint32_t any_next[1] = {0}, any_accept[1] = {1};

/* Reads the token from inside the string. Returns the bytes up to and with the closing quote, 0 when there is none; *inside: every
 * byte could be read. */
static uint32_t read_token(const struct dfa *any, struct json_text text, bool *inside, uint32_t *characters)
{
    struct string_shape shape = {.dfa = any, .max = COUNT_ANY};
    struct frame f = {.kind = FRAME_STRING, .shape = &shape};
    *characters = 0;
    *inside = true;
    for (uint32_t i = 0; i < text.size; i++) {
        if (f.partial == PARTIAL_NONE && text.data[i] != '"') ++*characters;
        enum read_result result = string_read(&f, NULL, (uint8_t)text.data[i]);
        if (result == READ_CLOSED) return i + 1;
        if (result == READ_DEAD) {
            *inside = false;
            return 0;
        }
    }
    return 0;
}

static void sort_by_length(struct string_tokens *s, const int32_t *tokens, uint32_t n)
{
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < n; i++) starts[256 - s->characters[tokens[i]]]++;
    for (uint32_t i = 1; i < 257; i++) starts[i] += starts[i - 1];
    for (uint32_t i = n; i-- > 0;) s->by_length[--starts[256 - s->characters[tokens[i]]]] = tokens[i];
    s->n_by_length = n;
}

static bool build(struct weir_vocabulary *v, struct trie_text *closing, int32_t *tokens)
{
    struct string_tokens *s = &v->strings;
    struct dfa any = {.n_states = 1, .n_classes = 1, .n_ranges = 1, .ranges = any_range, .next = any_next};
    uint32_t n_closing = 0, n = 0;
    any.accept = any_accept;
    for (size_t i = 0; i < v->size; i++) {
        struct json_text text = vocabulary_text(v, (int32_t)i);
        bool inside;
        uint32_t characters, closed = text.size ? read_token(&any, text, &inside, &characters) : 0;
        if (text.size == 0 || (!inside && !closed)) continue;
        s->characters[i] = characters < 255 ? (uint8_t)characters : 255;
        tokens[n++] = (int32_t)i;
        if (closed)
            closing[n_closing++] = (struct trie_text){text.data + closed, (uint32_t)text.size - closed, (int32_t)i};
        else
            s->plain[i / 32] |= 1U << (i % 32);
    }
    sort_by_length(s, tokens, n);
    return trie_build(&s->closing, closing, n_closing);
}

bool string_tokens_build(struct weir_vocabulary *v)
{
    struct string_tokens *s = &v->strings;
    struct trie_text *closing = mem_zero(v->size + 1, sizeof *closing);
    int32_t *tokens = mem_zero(v->size + 1, sizeof *tokens);
    s->plain = mem_zero(v->words + 1, sizeof *s->plain);
    s->characters = mem_zero(v->size + 1, 1);
    s->by_length = mem_zero(v->size + 1, sizeof *s->by_length);
    bool good = closing && tokens && s->plain && s->characters && s->by_length && build(v, closing, tokens);
    free(closing);
    free(tokens);
    return good;
}

void string_tokens_free(struct string_tokens *s)
{
    free(s->plain);
    free(s->characters);
    free(s->by_length);
    free(s->closing.nodes);
    free(s->closing.tokens);
    *s = (struct string_tokens){0};
}
