/* A sorted index of names. Sorting and not hashing into buckets, because a stranger chooses the names: with the hash
 * first a comparison is one integer, and names made to collide still cost n log n comparisons, never n^2. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gguf/gguf_internal.h"

/* FNV-1a, 64 bits: www.isthe.com/chongo/tech/comp/fnv. */
static uint64_t name_hash(struct weir_string name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.size; i++) hash = (hash ^ (uint8_t)name.data[i]) * 0x100000001b3u;
    return hash;
}

static int entry_compare(const void *left, const void *right)
{
    const struct name_entry *a = left, *b = right;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    if (a->name.size != b->name.size) return a->name.size < b->name.size ? -1 : 1;
    return a->name.size ? memcmp(a->name.data, b->name.data, a->name.size) : 0;
}

bool name_index_init(struct name_index *index, size_t count)
{
    index->entries = mem_zero(count, sizeof *index->entries);
    if (!index->entries) return false;
    index->count = count;
    return true;
}

void name_index_set(struct name_index *index, size_t at, struct weir_string name)
{
    index->entries[at] = (struct name_entry){.hash = name_hash(name), .name = name, .index = at};
}

const struct weir_string *name_index_sort(struct name_index *index)
{
    if (index->count == 0) return NULL;
    qsort(index->entries, index->count, sizeof *index->entries, entry_compare);
    for (size_t i = 1; i < index->count; i++)
        if (entry_compare(&index->entries[i - 1], &index->entries[i]) == 0) return &index->entries[i].name;
    return NULL;
}

size_t name_index_find(const struct name_index *index, struct weir_string name)
{
    if (index->count == 0) return NAME_NOT_FOUND;
    const struct name_entry wanted = {.hash = name_hash(name), .name = name};
    const struct name_entry *found =
        bsearch(&wanted, index->entries, index->count, sizeof *index->entries, entry_compare);
    return found ? found->index : NAME_NOT_FOUND;
}

void name_index_free(struct name_index *index)
{
    free(index->entries);
    *index = (struct name_index){0};
}
