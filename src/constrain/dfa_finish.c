/* From a draft to an automaton: trimming, minimising, copying; and the tables that number states. */
#include <string.h>

#include "constrain/dfa.h"

enum { DRAFT_STATES = 16, INDEX_SLOTS_LOG2 = 6 };

enum weir_status dfa_draft_add(struct dfa_draft *draft, struct arena *scratch, uint32_t *state)
{
    if (draft->n_states >= DFA_STATES_MAX || (size_t)(draft->n_states + 1) * draft->n_classes > DFA_CELLS_MAX)
        return WEIR_ERR_LIMIT;
    if (draft->n_states == draft->capacity) {
        uint32_t capacity = draft->capacity ? draft->capacity * 2 : DRAFT_STATES;
        uint32_t *next = arena_zero(scratch, (size_t)capacity * draft->n_classes, sizeof *next);
        uint32_t *accept = arena_zero(scratch, capacity, sizeof *accept);
        if (!next || !accept) return WEIR_ERR_NOMEM;
        if (draft->n_states) {
            memcpy(next, draft->next, (size_t)draft->n_states * draft->n_classes * sizeof *next);
            memcpy(accept, draft->accept, draft->n_states * sizeof *accept);
        }
        draft->next = next;
        draft->accept = accept;
        draft->capacity = capacity;
    }
    memset(draft->next + (size_t)draft->n_states * draft->n_classes, 0xFF, draft->n_classes * sizeof *draft->next);
    *state = draft->n_states++;
    return WEIR_OK;
}

static uint32_t hash_list(const uint32_t *list, uint32_t width)
{
    uint64_t hash = 0x9E3779B97F4A7C15U;
    for (uint32_t i = 0; i < width; i++) {
        hash = (hash ^ list[i]) * 0xFF51AFD7ED558CCDU;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

enum weir_status dfa_index_open(struct dfa_index *index, struct arena *scratch, size_t width)
{
    *index = (struct dfa_index){.width = (uint32_t)width, .slots_log2 = INDEX_SLOTS_LOG2};
    index->slots = arena_zero(scratch, (size_t)1 << index->slots_log2, sizeof *index->slots);
    return index->slots ? WEIR_OK : WEIR_ERR_NOMEM;
}

/* The slot that holds `list`, or the empty one where it belongs. */
static uint32_t *find_slot(const struct dfa_index *index, const uint32_t *list)
{
    uint32_t mask = (1U << index->slots_log2) - 1;
    for (uint32_t at = hash_list(list, index->width) & mask;; at = (at + 1) & mask) {
        uint32_t number = index->slots[at];
        if (!number) return &index->slots[at];
        const uint32_t *known = index->lists + (size_t)(number - 1) * index->width;
        if (memcmp(known, list, index->width * sizeof *list) == 0) return &index->slots[at];
    }
}

static enum weir_status index_grow(struct dfa_index *index, struct arena *scratch)
{
    uint32_t capacity = 1U << (index->slots_log2 - 1); /* half of the old slots full: now a quarter */
    index->slots_log2++;
    uint32_t *lists = arena_zero(scratch, (size_t)capacity * index->width, sizeof *lists);
    index->slots = arena_zero(scratch, (size_t)1 << index->slots_log2, sizeof *index->slots);
    if (!lists || !index->slots) return WEIR_ERR_NOMEM;
    if (index->count) memcpy(lists, index->lists, (size_t)index->count * index->width * sizeof *lists);
    index->lists = lists;
    index->capacity = capacity;
    for (uint32_t i = 0; i < index->count; i++) *find_slot(index, lists + (size_t)i * index->width) = i + 1;
    return WEIR_OK;
}

enum weir_status dfa_index_add(struct dfa_index *index, struct arena *scratch, const uint32_t *list, uint32_t *number,
                               bool *fresh)
{
    if (index->count == index->capacity) {
        enum weir_status status = index_grow(index, scratch);
        if (status) return status;
    }
    uint32_t *slot = find_slot(index, list);
    *fresh = *slot == 0;
    if (*fresh) {
        memcpy(index->lists + (size_t)index->count * index->width, list, index->width * sizeof *list);
        *slot = ++index->count;
    }
    *number = *slot - 1;
    return WEIR_OK;
}

/* live[s] = an accepting state can be reached from s: backwards over the reversed edges. */
static enum weir_status find_live(const struct dfa_draft *d, struct arena *scratch, bool *live)
{
    size_t cells = (size_t)d->n_states * d->n_classes;
    uint32_t *head = arena_zero(scratch, (size_t)d->n_states + 1, sizeof *head);
    uint32_t *from = arena_zero(scratch, cells + 1, sizeof *from);
    uint32_t *queue = arena_zero(scratch, (size_t)d->n_states + 1, sizeof *queue);
    if (!head || !from || !queue) return WEIR_ERR_NOMEM;
    for (size_t i = 0; i < cells; i++)
        if (d->next[i] != DFA_DEAD) head[d->next[i]]++;
    uint32_t sum = 0;
    for (uint32_t s = 0; s <= d->n_states; s++) head[s] = sum += s < d->n_states ? head[s] : 0; /* ends, then starts */
    for (size_t i = 0; i < cells; i++)
        if (d->next[i] != DFA_DEAD) from[--head[d->next[i]]] = (uint32_t)(i / d->n_classes);
    uint32_t n = 0;
    for (uint32_t s = 0; s < d->n_states; s++)
        if (d->accept[s]) {
            live[s] = true;
            queue[n++] = s;
        }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t e = head[queue[i]]; e < head[queue[i] + 1]; e++)
            if (!live[from[e]]) {
                live[from[e]] = true;
                queue[n++] = from[e];
            }
    return WEIR_OK;
}

/* Moore's refinement: block[s] names the states that no string tells apart. Dead states are in block DFA_DEAD. */
static enum weir_status refine(const struct dfa_draft *d, struct arena *scratch, const bool *live, uint32_t *block,
                               uint32_t *n_blocks)
{
    uint32_t *list = arena_zero(scratch, (size_t)d->n_classes + 1, sizeof *list);
    uint32_t *fresh_block = arena_zero(scratch, (size_t)d->n_states + 1, sizeof *fresh_block);
    if (!list || !fresh_block) return WEIR_ERR_NOMEM;
    for (uint32_t s = 0; s < d->n_states; s++) block[s] = live[s] ? d->accept[s] : DFA_DEAD;
    for (uint32_t before = 0;;) {
        struct arena_mark mark = arena_mark(scratch);
        struct dfa_index index;
        enum weir_status status = dfa_index_open(&index, scratch, (size_t)d->n_classes + 1);
        for (uint32_t s = 0; s < d->n_states && !status; s++) {
            bool fresh;
            fresh_block[s] = DFA_DEAD;
            if (!live[s]) continue;
            list[0] = block[s];
            for (uint32_t c = 0; c < d->n_classes; c++) {
                uint32_t to = d->next[(size_t)s * d->n_classes + c];
                list[c + 1] = to == DFA_DEAD || !live[to] ? DFA_DEAD : block[to];
            }
            status = dfa_index_add(&index, scratch, list, &fresh_block[s], &fresh);
        }
        *n_blocks = index.count;
        arena_wind_back(scratch, mark);
        if (status) return status;
        memcpy(block, fresh_block, d->n_states * sizeof *block);
        if (*n_blocks == before) return WEIR_OK;
        before = *n_blocks;
    }
}

static void number_live(const struct dfa_draft *d, const bool *live, uint32_t *block, uint32_t *n_blocks)
{
    *n_blocks = 0;
    for (uint32_t s = 0; s < d->n_states; s++) block[s] = live[s] ? (*n_blocks)++ : DFA_DEAD;
}

/* Classes whose columns are equal become one. merged[c] is the new class. */
static enum weir_status merge_classes(const uint32_t *next, uint32_t n_states, uint32_t n_classes,
                                      struct arena *scratch, uint32_t *merged, uint32_t *n_merged)
{
    struct dfa_index index;
    uint32_t *column = arena_zero(scratch, (size_t)n_states + 1, sizeof *column);
    if (!column) return WEIR_ERR_NOMEM;
    enum weir_status status = dfa_index_open(&index, scratch, n_states);
    for (uint32_t c = 0; c < n_classes && !status; c++) {
        bool fresh;
        for (uint32_t s = 0; s < n_states; s++) column[s] = next[(size_t)s * n_classes + c];
        status = dfa_index_add(&index, scratch, column, &merged[c], &fresh);
    }
    *n_merged = index.count;
    return status;
}

static uint32_t find_universal(const struct dfa *dfa)
{
    for (uint32_t s = 0; s < dfa->n_states; s++) {
        bool all = dfa->accept[s] != 0;
        for (uint32_t c = 0; c < dfa->n_classes && all; c++) all = dfa->next[(size_t)s * dfa->n_classes + c] == s;
        if (all) return s;
    }
    return DFA_DEAD;
}

static enum weir_status copy_ranges(struct arena *arena, const struct dfa_draft *draft, const uint32_t *merged,
                                    struct dfa *dfa)
{
    struct dfa_range *ranges = arena_zero(arena, draft->n_ranges, sizeof *ranges);
    if (!ranges) return WEIR_ERR_NOMEM;
    for (uint32_t i = 0; i < draft->n_ranges; i++) {
        uint32_t class = merged[draft->ranges[i].class];
        if (dfa->n_ranges && ranges[dfa->n_ranges - 1].class == class) continue;
        ranges[dfa->n_ranges++] = (struct dfa_range){draft->ranges[i].first, class};
    }
    dfa->ranges = ranges;
    for (uint32_t code = 0; code < 128; code++) dfa->ascii[code] = (uint16_t)dfa_class(dfa, code);
    return WEIR_OK;
}

/* The automaton of the blocks; the start's block comes first. */
static enum weir_status build(const struct dfa_maker *maker, const struct dfa_draft *draft, const uint32_t *block,
                              uint32_t n_blocks, struct dfa *dfa)
{
    uint32_t n_merged = 0;
    uint32_t *wide = arena_zero(maker->scratch, (size_t)n_blocks * draft->n_classes + 1, sizeof *wide);
    uint32_t *merged = arena_zero(maker->scratch, draft->n_classes, sizeof *merged);
    uint32_t *accept = arena_zero(maker->arena, (size_t)n_blocks + 1, sizeof *accept);
    if (!wide || !merged || !accept) return WEIR_ERR_NOMEM;
    for (uint32_t s = 0; s < draft->n_states; s++) {
        if (block[s] == DFA_DEAD) continue;
        accept[block[s]] = draft->accept[s];
        for (uint32_t c = 0; c < draft->n_classes; c++) {
            uint32_t to = draft->next[(size_t)s * draft->n_classes + c];
            wide[(size_t)block[s] * draft->n_classes + c] = to == DFA_DEAD ? DFA_DEAD : block[to];
        }
    }
    enum weir_status status = merge_classes(wide, n_blocks, draft->n_classes, maker->scratch, merged, &n_merged);
    if (!status && n_merged > UINT16_MAX) status = WEIR_ERR_LIMIT;
    if (status) return status;
    uint32_t *next = arena_zero(maker->arena, (size_t)n_blocks * n_merged + 1, sizeof *next);
    if (!next) return WEIR_ERR_NOMEM;
    for (uint32_t s = 0; s < n_blocks; s++)
        for (uint32_t c = 0; c < draft->n_classes; c++)
            next[(size_t)s * n_merged + merged[c]] = wide[(size_t)s * draft->n_classes + c];
    dfa->n_states = n_blocks;
    dfa->n_classes = n_merged;
    dfa->next = next;
    dfa->accept = accept;
    return copy_ranges(maker->arena, draft, merged, dfa);
}

static enum weir_status finish(const struct dfa_maker *maker, const struct dfa_draft *draft, const struct dfa **out)
{
    struct dfa *dfa = arena_zero(maker->arena, 1, sizeof *dfa);
    bool *live = arena_zero(maker->scratch, (size_t)draft->n_states + 1, sizeof *live);
    uint32_t *block = arena_zero(maker->scratch, (size_t)draft->n_states + 1, sizeof *block);
    if (!dfa || !live || !block) return WEIR_ERR_NOMEM;
    uint32_t n_blocks = 0;
    enum weir_status status = find_live(draft, maker->scratch, live);
    if (!status && !draft->is_minimal && draft->n_states <= DFA_MINIMISE_STATES)
        status = refine(draft, maker->scratch, live, block, &n_blocks);
    else if (!status)
        number_live(draft, live, block, &n_blocks);
    if (draft->n_states == 0 || !live[0]) n_blocks = 0; /* a start that is dead leaves nothing */
    if (!status && n_blocks == 0) memset(block, 0xFF, ((size_t)draft->n_states + 1) * sizeof *block);
    if (!status) status = build(maker, draft, block, n_blocks, dfa);
    if (status) return status;
    dfa->start = n_blocks ? block[0] : DFA_DEAD;
    dfa->universal = find_universal(dfa);
    *out = dfa;
    return WEIR_OK;
}

enum weir_status dfa_finish(const struct dfa_maker *maker, const struct dfa_draft *draft, const struct dfa **out)
{
    struct arena_mark mark = arena_mark(maker->scratch);
    enum weir_status status = finish(maker, draft, out);
    arena_wind_back(maker->scratch, mark);
    return status;
}
