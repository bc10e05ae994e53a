#include "constrain/mask.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct mask_entry {
    struct mask_entry *next;
    size_t key_words;
    uint32_t *mask;
    uint32_t words[]; /* the key, then the mask */
};

bool mask_cache_open(struct mask_cache *cache)
{
    *cache = (struct mask_cache){0};
    cache->open = pthread_mutex_init(&cache->lock, NULL) == 0;
    return cache->open;
}

void mask_cache_close(struct mask_cache *cache)
{
    for (size_t i = 0; i < cache->n_slots; i++)
        while (cache->slots[i]) {
            struct mask_entry *next = cache->slots[i]->next;
            free(cache->slots[i]);
            cache->slots[i] = next;
        }
    free(cache->slots);
    if (cache->open) pthread_mutex_destroy(&cache->lock);
    *cache = (struct mask_cache){0};
}

void mask_walk_free(struct mask_walk *walk)
{
    for (size_t i = 0; walk->levels && i <= VOCABULARY_DEPTH_MAX; i++) thread_set_free(&walk->levels[i]);
    free(walk->levels);
    free(walk->mask);
    free(walk->key);
    *walk = (struct mask_walk){0};
}

static enum weir_status walk_open(struct mask_walk *walk, const struct weir_vocabulary *v)
{
    if (!walk->levels) walk->levels = mem_zero(VOCABULARY_DEPTH_MAX + 1, sizeof *walk->levels);
    if (!walk->mask) walk->mask = mem_zero(v->words + 1, sizeof *walk->mask);
    return walk->levels && walk->mask ? WEIR_OK : WEIR_ERR_NOMEM;
}

static void set_bit(uint32_t *mask, int32_t token)
{
    mask[(uint32_t)token / 32] |= 1U << ((uint32_t)token % 32);
}

static enum weir_status walk_trie(struct mask_walk *walk, const struct weir_vocabulary *v, struct machine *m,
                                  const struct thread_set *at)
{
    enum weir_status before = m->status;
    struct arena_mark mark = arena_mark(&m->links);
    memset(walk->mask, 0, v->words * sizeof *walk->mask);
    if (!thread_set_copy(&walk->levels[0], at)) return WEIR_ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_nodes && !m->status;) {
        const struct trie_node *node = &v->nodes[i];
        machine_step(m, &walk->levels[node->depth - 1], node->byte, &walk->levels[node->depth]);
        if (walk->levels[node->depth].count == 0) {
            i += node->below + 1;
            continue;
        }
        for (uint32_t k = 0; k < node->n_tokens; k++) set_bit(walk->mask, v->tokens[node->first_token + k]);
        i++;
    }
    arena_wind_back(&m->links, mark);
    enum weir_status status = m->status;
    m->status = before;
    return status;
}

enum weir_status mask_find(struct mask_walk *walk, struct mask_cache *cache, const struct weir_vocabulary *v,
                           struct machine *m, const struct thread_set *at, const uint32_t **mask)
{
    (void)cache;
    enum weir_status status = walk_open(walk, v);
    if (!status) status = walk_trie(walk, v, m, at);
    if (status) return status;
    if (v->end >= 0 && machine_is_complete(at)) set_bit(walk->mask, v->end);
    *mask = walk->mask;
    return WEIR_OK;
}
