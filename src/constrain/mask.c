/* Masks that were computed before: the cache of a constraint. */
#include "constrain/mask.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct mask_entry {
    struct mask_entry *next;
    uint64_t hash;
    size_t key_size;
    unsigned char *key; /* behind the mask */
    uint32_t mask[];
};

enum { SLOTS_FIRST = 64 };

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
    for (size_t i = 0; walk->levels && i < VOCABULARY_DEPTH_MAX + 2; i++) thread_set_free(&walk->levels[i]);
    free(walk->levels);
    free(walk->frames);
    free(walk->mask);
    free(walk->key);
    *walk = (struct mask_walk){0};
}

static enum weir_status walk_open(struct mask_walk *walk, const struct weir_vocabulary *v, struct machine *m)
{
    walk->vocabulary = v;
    walk->machine = m;
    if (!walk->levels) walk->levels = mem_zero(VOCABULARY_DEPTH_MAX + 2, sizeof *walk->levels);
    if (!walk->frames) walk->frames = mem_zero(VOCABULARY_DEPTH_MAX + 2, sizeof *walk->frames);
    if (!walk->mask) walk->mask = mem_zero(v->words + 1, sizeof *walk->mask);
    if (!walk->key) walk->key = mem_zero(MASK_KEY_BYTES_MAX, 1);
    return walk->levels && walk->frames && walk->mask && walk->key ? WEIR_OK : WEIR_ERR_NOMEM;
}

/* Counts that are further from their maximum than a token is long do not tell masks apart. */
static struct frame frame_key(const struct frame *f)
{
    struct frame key = *f;
    if (f->kind != FRAME_STRING) return key;
    const struct string_shape *s = f->shape;
    if (s->max == COUNT_ANY || f->count < s->min) return key;
    uint64_t far = (uint64_t)f->count + s->dfa->n_states + 2 * (uint64_t)VOCABULARY_DEPTH_MAX;
    if (far < s->max) key.count = (uint32_t)s->min;
    return key;
}

/* Where the matcher stands, as bytes; 0: too many of them. */
static size_t make_key(const struct mask_walk *walk, const struct thread_set *at)
{
    size_t used = 0;
    for (uint32_t i = 0; i < at->count; i++) {
        struct frame frame = frame_key(&at->threads[i].top);
        const struct link *below = at->threads[i].below;
        for (;;) {
            if (used + sizeof frame > MASK_KEY_BYTES_MAX) return 0;
            memcpy(walk->key + used, &frame, sizeof frame);
            used += sizeof frame;
            if (!below) break;
            frame = below->frame;
            below = below->below;
        }
    }
    return used;
}

static uint64_t hash_key(const unsigned char *key, size_t size)
{
    uint64_t hash = size;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, key + i, sizeof word);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
        hash ^= hash >> 32;
    }
    return hash;
}

static struct mask_entry *look_up(const struct mask_cache *cache, const unsigned char *key, size_t size, uint64_t hash)
{
    if (!cache->n_slots) return NULL;
    for (struct mask_entry *e = cache->slots[hash % cache->n_slots]; e; e = e->next)
        if (e->hash == hash && e->key_size == size && memcmp(e->key, key, size) == 0) return e;
    return NULL;
}

static bool grow(struct mask_cache *cache)
{
    size_t n = cache->n_slots ? cache->n_slots * 2 : SLOTS_FIRST;
    struct mask_entry **slots = mem_zero(n, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < cache->n_slots; i++)
        for (struct mask_entry *e = cache->slots[i], *next; e; e = next) {
            next = e->next;
            e->next = slots[e->hash % n];
            slots[e->hash % n] = e;
        }
    free(cache->slots);
    cache->slots = slots;
    cache->n_slots = n;
    return true;
}

/* Keeps a mask. Without room or memory it is not kept, and computed again next time. */
static void keep(struct mask_cache *cache, const struct mask_walk *walk, size_t key_size, uint64_t hash)
{
    size_t mask_bytes = walk->vocabulary->words * sizeof(uint32_t);
    size_t bytes = sizeof(struct mask_entry) + mask_bytes + key_size;
    if (cache->bytes + bytes > MASK_CACHE_BYTES_MAX || look_up(cache, walk->key, key_size, hash)) return;
    if (cache->count >= cache->n_slots && !grow(cache)) return;
    struct mask_entry *e = malloc(bytes);
    if (!e) return;
    *e = (struct mask_entry){.next = cache->slots[hash % cache->n_slots], .hash = hash, .key_size = key_size};
    memcpy(e->mask, walk->mask, mask_bytes);
    e->key = (unsigned char *)e->mask + mask_bytes;
    memcpy(e->key, walk->key, key_size);
    cache->slots[hash % cache->n_slots] = e;
    cache->count++;
    cache->bytes += bytes;
}

enum weir_status mask_find(struct mask_walk *walk, struct mask_cache *cache, const struct weir_vocabulary *v,
                           struct machine *m, const struct thread_set *at, const uint32_t **mask)
{
    enum weir_status status = walk_open(walk, v, m);
    if (status) return status;
    size_t key_size = make_key(walk, at);
    uint64_t hash = hash_key(walk->key, key_size);
    if (key_size) {
        (void)pthread_mutex_lock(&cache->lock);
        const struct mask_entry *known = look_up(cache, walk->key, key_size, hash);
        (void)pthread_mutex_unlock(&cache->lock);
        if (known) {
            *mask = known->mask;
            return WEIR_OK;
        }
    }
    status = mask_compute(walk, at);
    if (status) return status;
    if (v->end >= 0 && machine_is_complete(at)) walk->mask[(uint32_t)v->end / 32] |= 1U << ((uint32_t)v->end % 32);
    if (key_size) {
        (void)pthread_mutex_lock(&cache->lock);
        keep(cache, walk, key_size, hash);
        (void)pthread_mutex_unlock(&cache->lock);
    }
    *mask = walk->mask;
    return WEIR_OK;
}
