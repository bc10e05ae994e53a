#include "constrain/format_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "constrain/expand.h"

struct format_entry {
    struct json_text name;
    const struct dfa *dfa;
    struct format_entry *next;
};

/* Only formats that have an automaton are kept: there are few of them. */
struct format_store {
    pthread_mutex_t lock;
    struct arena arena;
    struct format_entry *entries;
};

struct format_store *format_store_open(void)
{
    struct format_store *store = mem_zero(1, sizeof *store);
    if (store && pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store);
        store = NULL;
    }
    return store;
}

void format_store_close(struct format_store **store)
{
    if (!*store) return;
    pthread_mutex_destroy(&(*store)->lock);
    arena_free(&(*store)->arena);
    free(*store);
    *store = NULL;
}

static enum weir_status find_or_make(struct format_store *store, struct arena *scratch, struct json_text name,
                                     const struct dfa **out, bool *supported)
{
    for (const struct format_entry *e = store->entries; e; e = e->next)
        if (json_text_equal(e->name, name)) {
            *out = e->dfa;
            return WEIR_OK;
        }
    struct dfa_maker maker = {&store->arena, scratch};
    enum weir_status status = format_compile(&maker, name, out, supported);
    if (status || !*out) return status;
    struct format_entry *fresh = arena_zero(&store->arena, 1, sizeof *fresh);
    char *copy = arena_copy(&store->arena, name.data, name.size);
    if (!fresh || !copy) return WEIR_ERR_NOMEM;
    *fresh = (struct format_entry){{copy, name.size}, *out, store->entries};
    store->entries = fresh;
    return WEIR_OK;
}

enum weir_status format_store_find(struct format_store *store, struct arena *scratch, struct json_text name,
                                   const struct dfa **out, bool *supported)
{
    *supported = true;
    (void)pthread_mutex_lock(&store->lock);
    enum weir_status status = find_or_make(store, scratch, name, out, supported);
    (void)pthread_mutex_unlock(&store->lock);
    return status;
}
