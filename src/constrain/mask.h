/* Token masks: which tokens of the trie the machine can take from where it stands. */
#ifndef WEIR_CONSTRAIN_MASK_H
#define WEIR_CONSTRAIN_MASK_H

#include <pthread.h>

#include "constrain/machine.h"
#include "constrain/vocabulary.h"

enum {
    MASK_CACHE_BYTES_MAX = 64 << 20,
    MASK_KEY_BYTES_MAX = 16384, /* where a matcher stands; longer ones are not cached */
};

struct mask_entry;

/* Masks of a constraint by where a matcher stood; shared by its matchers. Entries stay until the constraint is closed. */
struct mask_cache {
    pthread_mutex_t lock;
    bool open;
    struct mask_entry **slots; /* owned */
    size_t n_slots, count, bytes;
};

/* A matcher's room for walking the trie. */
struct mask_walk {
    const struct weir_vocabulary *vocabulary;
    struct machine *machine;
    struct thread_set *levels; /* [VOCABULARY_DEPTH_MAX + 2], owned */
    struct frame *frames;      /* [VOCABULARY_DEPTH_MAX + 2], owned: of a single thread inside a string */
    uint32_t *mask;            /* owned */
    unsigned char *key;        /* [MASK_KEY_BYTES_MAX], owned */
};

bool mask_cache_open(struct mask_cache *cache);
void mask_cache_close(struct mask_cache *cache);
void mask_walk_free(struct mask_walk *walk);

enum weir_status mask_find(struct mask_walk *walk, struct mask_cache *cache, const struct weir_vocabulary *v,
                           struct machine *m, const struct thread_set *at, const uint32_t **mask) WEIR_MUST_USE;

/* Writes walk->mask, without the end-of-text token. */
enum weir_status mask_compute(struct mask_walk *walk, const struct thread_set *at) WEIR_MUST_USE;

#endif
