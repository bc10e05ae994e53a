#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { ARENA_ALIGN = 16, BLOCK_BYTES = 16 * 1024, BLOCK_BYTES_MAX = 1024 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t used, capacity; /* of `bytes` */
    size_t unused;         /* keeps `bytes` aligned */
    unsigned char bytes[];
};

_Static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "blocks begin aligned");

static bool add_block(struct arena *arena, size_t need)
{
    size_t capacity = arena->block ? arena->block->capacity * 2 : BLOCK_BYTES;
    if (capacity > BLOCK_BYTES_MAX) capacity = BLOCK_BYTES_MAX;
    if (capacity < need) capacity = need;
    size_t size;
    if (!size_add(sizeof(struct arena_block), capacity, &size)) return false;
    if (arena->bytes_max && (size > arena->bytes_max || arena->bytes > arena->bytes_max - size)) {
        arena->over = true;
        return false;
    }
    struct arena_block *block = mem_zero(1, size);
    if (!block) return false;
    block->older = arena->block;
    block->capacity = capacity;
    arena->block = block;
    arena->bytes += size;
    return true;
}

void *arena_zero(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || bytes > SIZE_MAX - 2 * (size_t)ARENA_ALIGN) return NULL;
    bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (bytes == 0) bytes = ARENA_ALIGN;
    if ((!arena->block || arena->block->capacity - arena->block->used < bytes) && !add_block(arena, bytes)) return NULL;
    void *at = arena->block->bytes + arena->block->used;
    arena->block->used += bytes;
    memset(at, 0, bytes); /* a block that was wound back holds old bytes */
    return at;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    if (size == SIZE_MAX) return NULL;
    char *copy = arena_zero(arena, size + 1, 1);
    if (copy && size) memcpy(copy, bytes, size);
    return copy;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){.block = arena->block, .used = arena->block ? arena->block->used : 0};
}

void arena_wind_back(struct arena *arena, struct arena_mark mark)
{
    while (arena->block != mark.block) {
        struct arena_block *older = arena->block->older;
        arena->bytes -= sizeof *arena->block + arena->block->capacity;
        free(arena->block);
        arena->block = older;
    }
    if (arena->block) arena->block->used = mark.used;
}

void arena_free(struct arena *arena)
{
    arena_wind_back(arena, (struct arena_mark){0});
    arena->over = false;
}
