#include "tokenizer/special.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

/* A new node, or 0 without memory. */
static uint32_t node_add(struct specials *s, uint8_t byte)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 256;
        if (capacity > UINT32_MAX) return 0;
        struct special_node *nodes = mem_resize(s->nodes, capacity, sizeof *nodes);
        if (!nodes) return 0;
        s->nodes = nodes;
        s->capacity = capacity;
    }
    s->nodes[s->count] = (struct special_node){.id = TOKEN_NONE, .byte = byte};
    return (uint32_t)s->count++;
}

enum weir_status specials_open(struct specials *specials, struct weir_error *error)
{
    (void)node_add(specials, 0);
    return specials->count ? WEIR_OK : error_nomem(error, "special tokens");
}

void specials_free(struct specials *specials)
{
    free(specials->nodes);
    *specials = (struct specials){0};
}

static uint32_t child_find(const struct specials *s, uint32_t node, uint8_t byte)
{
    if (node == 0) return s->first[byte];
    uint32_t child = s->nodes[node].child;
    while (child && s->nodes[child].byte != byte) child = s->nodes[child].sibling;
    return child;
}

static uint32_t child_make(struct specials *s, uint32_t node, uint8_t byte)
{
    uint32_t child = child_find(s, node, byte);
    if (child) return child;
    child = node_add(s, byte);
    if (!child) return 0;
    if (node == 0) {
        s->first[byte] = child;
    } else {
        s->nodes[child].sibling = s->nodes[node].child;
        s->nodes[node].child = child;
    }
    return child;
}

enum weir_status specials_add(struct specials *specials, struct weir_string text, int32_t id, bool is_control,
                              struct weir_error *error)
{
    if (text.size == 0) return WEIR_OK;
    if (text.size > SPECIAL_BYTES_MAX) {
        return error_set(error, WEIR_ERR_LIMIT, "token %d: a special token of %zu bytes; the limit is %d", (int)id,
                         text.size, SPECIAL_BYTES_MAX);
    }
    uint32_t node = 0;
    for (size_t i = 0; i < text.size; i++) {
        node = child_make(specials, node, (uint8_t)text.data[i]);
        if (!node) return error_nomem(error, "special tokens");
    }
    struct special_node *end = &specials->nodes[node];
    if (end->id != TOKEN_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, "tokens %d and %d are the same text, \"%.*s\"", (int)end->id, (int)id,
                         text.size > 64 ? 64 : (int)text.size, text.data);
    }
    end->id = id;
    end->is_control = is_control;
    return WEIR_OK;
}

size_t specials_reach(const struct specials *specials, struct weir_string text, size_t at)
{
    size_t reach = 0;
    uint32_t node = 0;
    for (; at + reach < text.size; reach++) {
        node = child_find(specials, node, (uint8_t)text.data[at + reach]);
        if (!node) break;
    }
    return reach;
}

/* The longest token that begins at `at`, control tokens within text[at..trusted_end) only; its size, or 0. */
static size_t longest_at(const struct specials *s, struct weir_string text, size_t at, size_t trusted_end, int32_t *id)
{
    size_t longest = 0;
    uint32_t node = 0;
    for (size_t end = at; end < text.size;) {
        node = child_find(s, node, (uint8_t)text.data[end++]);
        if (!node) break;
        const struct special_node *here = &s->nodes[node];
        if (here->id == TOKEN_NONE || (here->is_control && end > trusted_end)) continue;
        longest = end - at;
        *id = here->id;
    }
    return longest;
}

/* The end of the trusted run that `at` is in, or 0. */
static size_t trusted_end(struct trusted *trusted, size_t at)
{
    while (trusted->count && trusted->runs->end <= at) {
        trusted->runs++;
        trusted->count--;
    }
    return trusted->count && trusted->runs->begin <= at ? trusted->runs->end : 0;
}

bool specials_find(const struct specials *specials, struct weir_string text, size_t from, struct trusted *trusted,
                   struct special_match *out)
{
    for (size_t at = from; at < text.size; at++) {
        if (!specials->first[(uint8_t)text.data[at]]) continue;
        int32_t id = TOKEN_NONE;
        size_t length = longest_at(specials, text, at, trusted_end(trusted, at), &id);
        if (!length) continue;
        *out = (struct special_match){at, length, id};
        return true;
    }
    return false;
}
