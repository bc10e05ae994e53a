#include "tokenizer/merges.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define KEY_MERGES "tokenizer.ggml.merges"

enum { MERGE_BYTES_MAX = 4096 }; /* the spelling of one merge; real ones have at most about 260 */

/* The slot of this pair, or the free one where it would go. NULL after HASH_PROBES_MAX steps. */
static uint32_t *slot_of(const struct merges *merges, int32_t left, int32_t right)
{
    size_t at = hash_mix((uint64_t)(uint32_t)left << 32 | (uint32_t)right) & merges->slot_mask;
    for (int probes = 0; probes < HASH_PROBES_MAX; probes++) {
        uint32_t *slot = &merges->slots[at];
        if (*slot == MERGE_NONE) return slot;
        const struct merge *merge = &merges->list[*slot];
        if (merge->left == left && merge->right == right) return slot;
        at = (at + 1) & merges->slot_mask;
    }
    return NULL;
}

uint32_t merges_find(const struct merges *merges, int32_t left, int32_t right)
{
    const uint32_t *slot = slot_of(merges, left, right);
    return slot ? *slot : MERGE_NONE;
}

/* "left right", each in byte-level spelling, which has no space. */
static bool parse_merge(const struct vocab *vocab, struct weir_string line, struct merge *out)
{
    const char *space = line.size && line.size <= MERGE_BYTES_MAX ? memchr(line.data, ' ', line.size) : NULL;
    if (!space) return false;
    char text[MERGE_BYTES_MAX];
    size_t left_size = (size_t)(space - line.data);
    size_t left = vocab_unspell(SPELLING_BYTE_LEVEL, line.data, left_size, text);
    size_t right = vocab_unspell(SPELLING_BYTE_LEVEL, space + 1, line.size - left_size - 1, text + left);
    *out = (struct merge){
        .left = vocab_find(vocab, text, left),
        .right = vocab_find(vocab, text + left, right),
        .result = vocab_find(vocab, text, left + right),
    };
    return out->left != TOKEN_NONE && out->right != TOKEN_NONE && out->result != TOKEN_NONE;
}

static enum weir_status add_merge(struct merges *merges, const struct vocab *vocab, struct weir_string line,
                                  struct weir_error *error)
{
    struct merge *merge = &merges->list[merges->count];
    int shown = line.size > 64 ? 64 : (int)line.size;
    if (!parse_merge(vocab, line, merge)) {
        return error_set(error, WEIR_ERR_FORMAT,
                         KEY_MERGES ": merge %zu, \"%.*s\": a part or the result is no normal token", merges->count,
                         shown, line.data);
    }
    uint32_t *slot = slot_of(merges, merge->left, merge->right);
    if (!slot) return error_set(error, WEIR_ERR_LIMIT, KEY_MERGES ": more than %d colliding merges", HASH_PROBES_MAX);
    if (*slot != MERGE_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, KEY_MERGES ": merges %u and %zu are the same, \"%.*s\"",
                         (unsigned)*slot, merges->count, shown, line.data);
    }
    *slot = (uint32_t)merges->count++;
    return WEIR_OK;
}

enum weir_status merges_load(struct merges *merges, const struct vocab *vocab, const struct weir_gguf *gguf,
                             struct weir_error *error)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, KEY_MERGES);
    if (!value) return error_set(error, WEIR_ERR_FORMAT, KEY_MERGES " is missing");
    size_t count = weir_gguf_array_count(value);
    size_t slots = hash_slot_count(count);
    merges->list = mem_zero(count, sizeof *merges->list);
    merges->slots = slots ? mem_resize(NULL, slots, sizeof *merges->slots) : NULL;
    if (!merges->list || !merges->slots) return error_nomem(error, "merges");
    memset(merges->slots, 0xFF, slots * sizeof *merges->slots); /* MERGE_NONE */
    merges->slot_mask = slots - 1;
    for (size_t i = 0; i < count; i++) {
        struct weir_string line;
        if (!weir_gguf_array_string(value, i, &line))
            return error_set(error, WEIR_ERR_FORMAT, KEY_MERGES ": not strings");
        enum weir_status status = add_merge(merges, vocab, line, error);
        if (status) return status;
    }
    return WEIR_OK;
}

void merges_free(struct merges *merges)
{
    free(merges->list);
    free(merges->slots);
    *merges = (struct merges){0};
}
