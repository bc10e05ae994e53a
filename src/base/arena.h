/* Memory that is freed all at once: blocks with a maximum of bytes in all.
 *
 * What is allocated lives until arena_free or until the arena is wound back past it. Zeroed memory, aligned to 16 bytes. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* the newest; owned, with the older ones behind it */
    size_t bytes;              /* of all blocks */
    size_t bytes_max;          /* 0: no maximum */
    bool over;                 /* an allocation failed because of bytes_max, not for want of memory */
};

/* Where an arena stands, to wind back to. */
struct arena_mark {
    struct arena_block *block;
    size_t used;
};

#define ARENA_MAX(maximum) ((struct arena){.bytes_max = (maximum)})

/* Zeroed array of count * size bytes; NULL on overflow, lack of memory or beyond the maximum. Never NULL for size zero otherwise. */
void *arena_zero(struct arena *arena, size_t count, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t size); /* with a NUL after it */

struct arena_mark arena_mark(const struct arena *arena);
void arena_wind_back(struct arena *arena, struct arena_mark mark);
void arena_free(struct arena *arena); /* all memory; usable again */

#endif
