#include "tokenizer/merging.h"

#include <stdlib.h>

#include "base/memory.h"
#include "tokenizer/vocab.h"

bool merging_reserve(struct merging *m, size_t symbols)
{
    m->count = 0;
    m->heap_count = 0;
    if (symbols <= m->capacity) return true;
    size_t capacity = symbols < 64 ? 64 : symbols;
    struct symbol *row = mem_resize(m->symbols, capacity, sizeof *row);
    if (!row) return false;
    m->symbols = row;
    uint64_t *heap = mem_resize(m->heap, capacity, 2 * sizeof *heap);
    if (!heap) return false; /* capacity still tells the smaller of the two */
    m->heap = heap;
    m->capacity = capacity;
    return true;
}

void merging_free(struct merging *m)
{
    free(m->symbols);
    free(m->heap);
    *m = (struct merging){0};
}

void merging_add(struct merging *m, uint32_t offset, uint32_t size, int32_t id)
{
    uint32_t index = (uint32_t)m->count++;
    m->symbols[index] = (struct symbol){
        .prev = index ? index - 1 : SYMBOL_NONE,
        .next = SYMBOL_NONE,
        .offset = offset,
        .size = size,
        .id = id,
        .merged_id = TOKEN_NONE,
    };
    if (index) m->symbols[index - 1].next = index;
}

static void heap_push(struct merging *m, uint64_t key)
{
    size_t at = m->heap_count++;
    while (at && m->heap[(at - 1) / 2] > key) {
        m->heap[at] = m->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    m->heap[at] = key;
}

static uint64_t heap_pop(struct merging *m)
{
    uint64_t top = m->heap[0];
    uint64_t key = m->heap[--m->heap_count];
    size_t at = 0;
    for (size_t child = 1; child < m->heap_count; child = 2 * at + 1) {
        if (child + 1 < m->heap_count && m->heap[child + 1] < m->heap[child]) child++;
        if (m->heap[child] >= key) break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = key;
    return top;
}

/* Looks up the pair that symbol `left` forms with its neighbour and makes it a candidate. */
static void propose(struct merging *m, uint32_t left, merging_pair *pair, const void *context)
{
    struct symbol *symbol = &m->symbols[left];
    symbol->merged_id = TOKEN_NONE;
    if (symbol->next == SYMBOL_NONE) return;
    symbol->merged_id = pair(context, symbol, &m->symbols[symbol->next], &symbol->priority);
    if (symbol->merged_id != TOKEN_NONE) heap_push(m, (uint64_t)symbol->priority << 32 | left);
}

static void absorb_next(struct merging *m, uint32_t left)
{
    struct symbol *symbol = &m->symbols[left];
    struct symbol *dead = &m->symbols[symbol->next];
    symbol->id = symbol->merged_id;
    symbol->size += dead->size;
    symbol->next = dead->next;
    dead->merged_id = TOKEN_NONE; /* its candidates are void */
    if (symbol->next != SYMBOL_NONE) m->symbols[symbol->next].prev = left;
}

/* Every pass of the loop takes one candidate and adds at most two, and only n - 1 passes add: the heap never holds more than 2n. A
 * candidate is current when its symbol still forms a pair of that priority; should an outgrown one have the same priority and
 * symbol as the current one, they are the same candidate twice. */
void merging_run(struct merging *m, merging_pair *pair, const void *context)
{
    for (uint32_t i = 0; i + 1 < m->count; i++) propose(m, i, pair, context);
    while (m->heap_count) {
        uint64_t key = heap_pop(m);
        uint32_t left = (uint32_t)key;
        const struct symbol *symbol = &m->symbols[left];
        if (symbol->merged_id == TOKEN_NONE || symbol->priority != (uint32_t)(key >> 32)) continue;
        absorb_next(m, left);
        if (symbol->prev != SYMBOL_NONE) propose(m, symbol->prev, pair, context);
        propose(m, left, pair, context);
    }
}
