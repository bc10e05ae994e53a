/* Products of automata and the simple ones. */
#include "constrain/dfa.h"

#include <stdlib.h>
#include <string.h>

uint32_t dfa_class(const struct dfa *dfa, uint32_t code)
{
    uint32_t low = 0, high = dfa->n_ranges;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (dfa->ranges[middle].first <= code)
            low = middle;
        else
            high = middle;
    }
    return dfa->ranges[low].class;
}

bool dfa_live_between(const struct dfa *dfa, uint32_t state, uint32_t low, uint32_t high)
{
    const uint32_t *next = dfa->next + (size_t)state * dfa->n_classes;
    if (next[dfa_class(dfa, low)] != DFA_DEAD) return true;
    for (uint32_t i = 0; i < dfa->n_ranges && dfa->ranges[i].first <= high; i++)
        if (dfa->ranges[i].first > low && next[dfa->ranges[i].class] != DFA_DEAD) return true;
    return false;
}

uint32_t dfa_match(const struct dfa *dfa, struct json_text text)
{
    uint32_t state = dfa->start;
    for (size_t at = 0; at < text.size && state != DFA_DEAD;) {
        uint32_t code;
        at += json_utf8_code(text.data + at, &code);
        state = dfa_step(dfa, state, code);
    }
    return state == DFA_DEAD ? 0 : dfa->accept[state];
}

/* The classes of a product: each is a tuple of one class of every part. */
struct product_classes {
    struct dfa_range *ranges;
    uint32_t n_ranges;
    struct dfa_index tuples;
};

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t *cut_points(struct arena *scratch, const struct dfa *const *parts, size_t n_parts, uint32_t *count)
{
    size_t n = 0;
    for (size_t p = 0; p < n_parts; p++) n += parts[p]->n_ranges;
    uint32_t *cuts = arena_zero(scratch, n + 1, sizeof *cuts);
    if (!cuts) return NULL;
    n = 1; /* cuts[0] = 0, also when every part is empty */
    for (size_t p = 0; p < n_parts; p++)
        for (uint32_t i = 0; i < parts[p]->n_ranges; i++)
            if (parts[p]->ranges[i].first) cuts[n++] = parts[p]->ranges[i].first;
    qsort(cuts, n, sizeof *cuts, compare_u32);
    uint32_t unique = 1;
    for (size_t i = 1; i < n; i++)
        if (cuts[i] != cuts[unique - 1]) cuts[unique++] = cuts[i];
    *count = unique;
    return cuts;
}

static enum weir_status find_classes(struct arena *scratch, const struct dfa *const *parts, size_t n_parts,
                                     struct product_classes *out)
{
    uint32_t n_cuts = 0, tuple[DFA_PARTS_MAX], number;
    uint32_t *cuts = cut_points(scratch, parts, n_parts, &n_cuts);
    out->ranges = arena_zero(scratch, n_cuts, sizeof *out->ranges);
    if (!cuts || !out->ranges) return WEIR_ERR_NOMEM;
    enum weir_status status = dfa_index_open(&out->tuples, scratch, n_parts);
    for (uint32_t i = 0; i < n_cuts && !status; i++) {
        for (size_t p = 0; p < n_parts; p++) tuple[p] = parts[p]->n_states ? dfa_class(parts[p], cuts[i]) : 0;
        bool fresh;
        status = dfa_index_add(&out->tuples, scratch, tuple, &number, &fresh);
        if (status) break;
        if (!out->n_ranges || out->ranges[out->n_ranges - 1].class != number)
            out->ranges[out->n_ranges++] = (struct dfa_range){cuts[i], number};
    }
    return status;
}

struct product {
    const struct dfa *const *parts;
    size_t n_parts;
    dfa_label_fn *label;
    const void *context;
    struct product_classes classes;
    struct dfa_index states;
    struct dfa_draft draft;
    struct arena *scratch;
};

/* The number of a tuple of states, drafted when new. DFA_DEAD for all parts dead where that tuple accepts nothing. */
static enum weir_status product_state(struct product *p, const uint32_t *tuple, uint32_t *state)
{
    uint32_t labels[DFA_PARTS_MAX];
    bool all_dead = true, fresh;
    for (size_t i = 0; i < p->n_parts; i++) {
        labels[i] = tuple[i] == DFA_DEAD ? 0 : p->parts[i]->accept[tuple[i]];
        all_dead &= tuple[i] == DFA_DEAD;
    }
    uint32_t label = p->label(p->context, labels);
    *state = DFA_DEAD;
    if (all_dead && !label) return WEIR_OK;
    enum weir_status status = dfa_index_add(&p->states, p->scratch, tuple, state, &fresh);
    if (status || !fresh) return status;
    status = dfa_draft_add(&p->draft, p->scratch, state);
    if (!status) p->draft.accept[*state] = label;
    return status;
}

static enum weir_status product_expand(struct product *p, uint32_t state)
{
    uint32_t tuple[DFA_PARTS_MAX];
    for (uint32_t c = 0; c < p->draft.n_classes; c++) {
        const uint32_t *from = p->states.lists + (size_t)state * p->n_parts;
        const uint32_t *class = p->classes.tuples.lists + (size_t)c * p->n_parts;
        for (size_t i = 0; i < p->n_parts; i++)
            tuple[i] =
                from[i] == DFA_DEAD ? DFA_DEAD : p->parts[i]->next[(size_t)from[i] * p->parts[i]->n_classes + class[i]];
        uint32_t next;
        enum weir_status status = product_state(p, tuple, &next);
        if (status) return status;
        p->draft.next[(size_t)state * p->draft.n_classes + c] = next;
    }
    return WEIR_OK;
}

static enum weir_status product_run(struct product *p)
{
    uint32_t start[DFA_PARTS_MAX], state;
    enum weir_status status = find_classes(p->scratch, p->parts, p->n_parts, &p->classes);
    if (!status) status = dfa_index_open(&p->states, p->scratch, p->n_parts);
    if (status) return status;
    p->draft = (struct dfa_draft){
        .n_classes = p->classes.tuples.count, .n_ranges = p->classes.n_ranges, .ranges = p->classes.ranges};
    for (size_t i = 0; i < p->n_parts; i++) start[i] = p->parts[i]->start;
    status = product_state(p, start, &state);
    for (uint32_t s = 0; s < p->draft.n_states && !status; s++) status = product_expand(p, s);
    return status;
}

static enum weir_status combine(const struct dfa_maker *maker, const struct dfa *const *parts, size_t n_parts,
                                dfa_label_fn *label, const void *context, bool plain, const struct dfa **out)
{
    if (n_parts == 0 || n_parts > DFA_PARTS_MAX) return WEIR_ERR_LIMIT;
    struct arena_mark mark = arena_mark(maker->scratch);
    struct product product = {
        .parts = parts, .n_parts = n_parts, .label = label, .context = context, .scratch = maker->scratch};
    enum weir_status status = product_run(&product);
    product.draft.is_minimal = plain;
    if (!status) status = dfa_finish(maker, &product.draft, out);
    arena_wind_back(maker->scratch, mark);
    return status;
}

enum weir_status dfa_combine(const struct dfa_maker *maker, const struct dfa *const *parts, size_t n_parts,
                             dfa_label_fn *label, const void *context, const struct dfa **out)
{
    return combine(maker, parts, n_parts, label, context, false, out);
}

enum weir_status dfa_combine_plain(const struct dfa_maker *maker, const struct dfa *const *parts, size_t n_parts,
                                   dfa_label_fn *label, const void *context, const struct dfa **out)
{
    return combine(maker, parts, n_parts, label, context, true, out);
}

static uint32_t label_pair(const void *context, const uint32_t *labels)
{
    switch (*(const enum dfa_operation *)context) {
    case DFA_AND:
        return labels[0] && labels[1];
    case DFA_OR:
        return labels[0] || labels[1];
    default:
        return labels[0] && !labels[1];
    }
}

enum weir_status dfa_pair(const struct dfa_maker *maker, const struct dfa *a, const struct dfa *b,
                          enum dfa_operation operation, const struct dfa **out)
{
    *out = a;
    if (a == b && operation != DFA_MINUS) return WEIR_OK;
    if (operation == DFA_AND && dfa_is_all(b)) return WEIR_OK;
    if (operation == DFA_MINUS && dfa_is_empty(b)) return WEIR_OK;
    if (operation == DFA_OR && (dfa_is_empty(b) || dfa_is_all(a))) return WEIR_OK;
    const struct dfa *parts[2] = {a, b};
    return dfa_combine(maker, parts, 2, label_pair, &operation, out);
}

static const struct dfa_range whole[1] = {{0, 0}};

static enum weir_status one_class(const struct dfa_maker *maker, uint64_t low, uint64_t high, const struct dfa **out)
{
    struct arena_mark mark = arena_mark(maker->scratch);
    struct dfa_draft draft = {.n_classes = 1, .n_ranges = 1, .ranges = whole};
    uint64_t last = high == UINT64_MAX ? low : high;
    enum weir_status status = last < DFA_STATES_MAX ? WEIR_OK : WEIR_ERR_LIMIT;
    for (uint64_t i = 0; i <= last && !status; i++) {
        uint32_t state;
        status = dfa_draft_add(&draft, maker->scratch, &state);
        if (status) break;
        draft.accept[state] = i >= low;
        draft.next[state] = i < last ? state + 1 : high == UINT64_MAX ? state : DFA_DEAD;
    }
    if (!status) status = dfa_finish(maker, &draft, out);
    arena_wind_back(maker->scratch, mark);
    return status;
}

enum weir_status dfa_all(const struct dfa_maker *maker, const struct dfa **out)
{
    return one_class(maker, 0, UINT64_MAX, out);
}

enum weir_status dfa_lengths(const struct dfa_maker *maker, uint64_t low, uint64_t high, const struct dfa **out)
{
    return low > high ? dfa_none(maker, out) : one_class(maker, low, high, out);
}

enum weir_status dfa_none(const struct dfa_maker *maker, const struct dfa **out)
{
    struct dfa_draft draft = {.n_classes = 1, .n_ranges = 1, .ranges = whole};
    return dfa_finish(maker, &draft, out);
}

/* The classes of a set of texts: one for each code point in them, class 0 for all others. */
static enum weir_status text_classes(struct arena *scratch, const struct json_text *texts, size_t n,
                                     struct dfa_draft *draft)
{
    size_t bytes = 0, count = 0, unique = 0;
    for (size_t i = 0; i < n; i++) bytes += texts[i].size;
    uint32_t *codes = arena_zero(scratch, bytes + 1, sizeof *codes);
    struct dfa_range *ranges = arena_zero(scratch, 2 * bytes + 2, sizeof *ranges);
    if (!codes || !ranges) return WEIR_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < texts[i].size;) at += json_utf8_code(texts[i].data + at, &codes[count++]);
    qsort(codes, count, sizeof *codes, compare_u32);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || codes[i] != codes[unique - 1]) codes[unique++] = codes[i];
    uint32_t used = 0;
    for (size_t i = 0, next = 0; i < unique; next = codes[i] + 1, i++) {
        if (codes[i] > next || (i == 0 && codes[i] > 0)) ranges[used++] = (struct dfa_range){(uint32_t)next, 0};
        ranges[used++] = (struct dfa_range){codes[i], (uint32_t)i + 1};
    }
    ranges[used] = (struct dfa_range){unique ? codes[unique - 1] + 1 : 0, 0};
    draft->n_ranges = used + (unique == 0 || codes[unique - 1] + 1 < DFA_CODE_END);
    draft->ranges = ranges;
    draft->n_classes = (uint32_t)unique + 1;
    return unique < UINT16_MAX ? WEIR_OK : WEIR_ERR_LIMIT;
}

static enum weir_status trie_add(struct dfa_draft *draft, struct arena *scratch, struct json_text text, uint32_t label)
{
    struct dfa lookup = {.n_ranges = draft->n_ranges, .ranges = draft->ranges};
    uint32_t state = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t code;
        at += json_utf8_code(text.data + at, &code);
        size_t cell = (size_t)state * draft->n_classes + dfa_class(&lookup, code);
        if (draft->next[cell] == DFA_DEAD) {
            uint32_t fresh;
            enum weir_status status = dfa_draft_add(draft, scratch, &fresh);
            if (status) return status;
            draft->next[cell] = fresh;
        }
        state = draft->next[cell];
    }
    if (!draft->accept[state]) draft->accept[state] = label;
    return WEIR_OK;
}

enum weir_status dfa_texts(const struct dfa_maker *maker, const struct json_text *texts, size_t n,
                           const struct dfa **out)
{
    struct arena_mark mark = arena_mark(maker->scratch);
    struct dfa_draft draft = {.is_minimal = true}; /* every text has a label of its own */
    uint32_t start;
    enum weir_status status = text_classes(maker->scratch, texts, n, &draft);
    if (!status) status = dfa_draft_add(&draft, maker->scratch, &start);
    for (size_t i = 0; i < n && !status; i++) status = trie_add(&draft, maker->scratch, texts[i], (uint32_t)i + 1);
    if (!status) status = dfa_finish(maker, &draft, out);
    arena_wind_back(maker->scratch, mark);
    return status;
}
