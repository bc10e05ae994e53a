/* Memory of one parse or one rendering: blocks that are freed together, with a maximum over all of them. */
#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"
#include "task/template_internal.h"

enum { BLOCK_BYTES = 16384, ALIGNMENT = 16 };

struct tpl_block {
    struct tpl_block *next;
    max_align_t bytes[];
};

static bool add_block(struct tpl_arena *arena, size_t bytes)
{
    size_t size;
    if (!size_add(bytes, sizeof(struct tpl_block), &size)) return false;
    struct tpl_block *block = mem_zero(size, 1);
    if (!block) return false;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->next = (char *)block->bytes;
    arena->end = arena->next + bytes;
    return true;
}

void *tpl_alloc(struct tpl_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || bytes > arena->max) return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (bytes == 0) bytes = ALIGNMENT;
    if (bytes > arena->max - arena->used) return NULL;
    if (bytes > (size_t)(arena->end - arena->next) && !add_block(arena, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES))
        return NULL;
    void *result = arena->next;
    arena->next += bytes;
    arena->used += bytes;
    return result;
}

void tpl_arena_free(struct tpl_arena *arena)
{
    for (struct tpl_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct tpl_arena){.max = arena->max};
}
