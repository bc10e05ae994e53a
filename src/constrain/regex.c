/* Syntax trees to automata: Thompson's construction, then subsets.
 *
 * ^ and $ are edges without a character. A ^ is followed only before the first character, a $ only when asking whether the string may end here, so
 * both mean what they say wherever they stand. The unanchored search is a loop before the pattern; once the match state is reached without
 * a pending $, any rest is accepted and the subset becomes the match state alone. */
#include "constrain/regex.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "constrain/regex_internal.h"

enum edge { EDGE_MATCH, EDGE_SET, EDGE_SPLIT, EDGE_BEGIN, EDGE_END };

struct nfa_state {
    enum edge edge;
    uint32_t to, other;        /* `other`: EDGE_SPLIT */
    const struct charset *set; /* EDGE_SET */
};

struct nfa {
    struct arena *arena;
    struct nfa_state *states;
    uint32_t count, capacity;
};

/* A state whose edges lead to `to` and `other`; NFAs are built from their end to their start. */
static enum weir_status add_state(struct nfa *nfa, struct nfa_state state, uint32_t *out)
{
    if (nfa->count == REGEX_STATES_MAX) return WEIR_ERR_LIMIT;
    if (nfa->count == nfa->capacity) {
        uint32_t capacity = nfa->capacity ? nfa->capacity * 2 : 64;
        struct nfa_state *states = arena_zero(nfa->arena, capacity, sizeof *states);
        if (!states) return WEIR_ERR_NOMEM;
        if (nfa->count) memcpy(states, nfa->states, nfa->count * sizeof *states);
        nfa->states = states;
        nfa->capacity = capacity;
    }
    nfa->states[nfa->count] = state;
    *out = nfa->count++;
    return WEIR_OK;
}

static enum weir_status build(struct nfa *nfa, const struct regex_node *node, uint32_t to, uint32_t *out);

static enum weir_status build_loop(struct nfa *nfa, const struct regex_node *body, uint32_t to, uint32_t *out)
{
    uint32_t split, inner;
    enum weir_status status = add_state(nfa, (struct nfa_state){.edge = EDGE_SPLIT, .to = to, .other = to}, &split);
    if (!status) status = build(nfa, body, split, &inner);
    if (status) return status;
    nfa->states[split].to = inner;
    *out = split;
    return WEIR_OK;
}

static enum weir_status build_repeat(struct nfa *nfa, const struct regex_node *node, uint32_t to, uint32_t *out)
{
    enum weir_status status = WEIR_OK;
    uint32_t at = to;
    if (node->repeat_max == UINT32_MAX) {
        status = build_loop(nfa, node->left, to, &at);
    } else {
        for (uint32_t i = node->repeat_min; i < node->repeat_max && !status; i++) {
            uint32_t inner;
            status = build(nfa, node->left, at, &inner);
            if (!status) status = add_state(nfa, (struct nfa_state){.edge = EDGE_SPLIT, .to = inner, .other = to}, &at);
        }
    }
    for (uint32_t i = 0; i < node->repeat_min && !status; i++) status = build(nfa, node->left, at, &at);
    *out = at;
    return status;
}

static enum weir_status build(struct nfa *nfa, const struct regex_node *node, uint32_t to, uint32_t *out)
{
    uint32_t left, right;
    enum weir_status status;
    switch (node->kind) {
    case REGEX_SET:
        return add_state(nfa, (struct nfa_state){.edge = EDGE_SET, .to = to, .set = &node->set}, out);
    case REGEX_CAT:
        status = build(nfa, node->right, to, &right);
        return status ? status : build(nfa, node->left, right, out);
    case REGEX_ALT:
        status = build(nfa, node->left, to, &left);
        if (!status) status = build(nfa, node->right, to, &right);
        if (status) return status;
        return add_state(nfa, (struct nfa_state){.edge = EDGE_SPLIT, .to = left, .other = right}, out);
    case REGEX_REPEAT:
        return build_repeat(nfa, node, to, out);
    case REGEX_BEGIN:
        return add_state(nfa, (struct nfa_state){.edge = EDGE_BEGIN, .to = to}, out);
    case REGEX_END:
        return add_state(nfa, (struct nfa_state){.edge = EDGE_END, .to = to}, out);
    default:
        *out = to;
        return WEIR_OK;
    }
}

/* Sets of NFA states, as bits. */
struct subsets {
    const struct nfa *nfa;
    struct arena *scratch;
    uint32_t match, words;
    uint32_t *bits;  /* the set being made, [words] */
    uint32_t *stack; /* [count] */
    struct dfa_index index;
    struct dfa_draft draft;
};

static bool has(const uint32_t *bits, uint32_t state)
{
    return bits[state / 32] >> (state % 32) & 1;
}

/* Adds `from` and what is reached without a character. */
static void close_over(struct subsets *s, uint32_t from, bool at_begin, bool at_end)
{
    uint32_t depth = 0;
    if (!has(s->bits, from)) s->stack[depth++] = from;
    s->bits[from / 32] |= 1U << (from % 32);
    while (depth) {
        const struct nfa_state *state = &s->nfa->states[s->stack[--depth]];
        bool follow =
            state->edge == EDGE_SPLIT || (state->edge == EDGE_BEGIN && at_begin) || (state->edge == EDGE_END && at_end);
        uint32_t targets[2] = {state->to, state->other};
        for (int i = 0; follow && i < (state->edge == EDGE_SPLIT ? 2 : 1); i++) {
            if (has(s->bits, targets[i])) continue;
            s->bits[targets[i] / 32] |= 1U << (targets[i] % 32);
            s->stack[depth++] = targets[i];
        }
    }
}

/* Only states that read a character, wait for the end or match tell sets apart. */
static void keep_core(struct subsets *s)
{
    if (has(s->bits, s->match)) {
        memset(s->bits, 0, s->words * sizeof *s->bits);
        s->bits[s->match / 32] |= 1U << (s->match % 32);
        return;
    }
    for (uint32_t i = 0; i < s->nfa->count; i++)
        if (s->nfa->states[i].edge == EDGE_SPLIT || s->nfa->states[i].edge == EDGE_BEGIN)
            s->bits[i / 32] &= ~(1U << (i % 32));
}

/* Whether the string may end in the set of `bits`, which is spoilt. */
static bool may_end(struct subsets *s, bool at_begin)
{
    if (has(s->bits, s->match)) return true;
    for (uint32_t i = 0; i < s->nfa->count; i++)
        if (has(s->bits, i) && s->nfa->states[i].edge == EDGE_END) close_over(s, s->nfa->states[i].to, at_begin, true);
    return has(s->bits, s->match);
}

static enum weir_status number_set(struct subsets *s, bool at_begin, uint32_t *state)
{
    bool fresh;
    enum weir_status status = dfa_index_add(&s->index, s->scratch, s->bits, state, &fresh);
    if (status || !fresh) return status;
    status = dfa_draft_add(&s->draft, s->scratch, state);
    if (!status) s->draft.accept[*state] = may_end(s, at_begin);
    return status;
}

static bool set_holds(const struct charset *set, uint32_t code)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->ranges[middle][1] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->ranges[low][0] <= code;
}

static enum weir_status expand(struct subsets *s, uint32_t from, const uint32_t *samples)
{
    for (uint32_t c = 0; c < s->draft.n_classes; c++) {
        const uint32_t *bits = s->index.lists + (size_t)from * s->words;
        bool any = false;
        memset(s->bits, 0, s->words * sizeof *s->bits);
        for (uint32_t w = 0; w < s->words; w++)
            for (uint32_t left = bits[w]; left; left &= left - 1) {
                uint32_t i = w * 32 + (uint32_t)__builtin_ctz(left);
                const struct nfa_state *state = &s->nfa->states[i];
                bool step = state->edge == EDGE_SET ? set_holds(state->set, samples[c]) : state->edge == EDGE_MATCH;
                if (!step) continue;
                close_over(s, state->edge == EDGE_SET ? state->to : i, false, false);
                any = true;
            }
        if (!any) continue;
        keep_core(s);
        uint32_t to;
        enum weir_status status = number_set(s, false, &to);
        if (status) return status;
        s->draft.next[(size_t)from * s->draft.n_classes + c] = to;
    }
    return WEIR_OK;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Cuts the code points wherever a set begins or ends; a class for each stretch. */
static enum weir_status cut_classes(struct subsets *s, uint32_t **samples)
{
    size_t n = 1, unique = 0;
    for (uint32_t i = 0; i < s->nfa->count; i++)
        if (s->nfa->states[i].edge == EDGE_SET) n += 2 * (size_t)s->nfa->states[i].set->count;
    uint32_t *cuts = arena_zero(s->scratch, n, sizeof *cuts);
    if (!cuts) return WEIR_ERR_NOMEM;
    n = 1;
    for (uint32_t i = 0; i < s->nfa->count; i++) {
        const struct charset *set = s->nfa->states[i].edge == EDGE_SET ? s->nfa->states[i].set : NULL;
        for (uint32_t k = 0; set && k < set->count; k++) {
            cuts[n++] = set->ranges[k][0];
            cuts[n++] = set->ranges[k][1] + 1;
        }
    }
    qsort(cuts, n, sizeof *cuts, compare_u32);
    for (size_t i = 0; i < n; i++)
        if (cuts[i] < DFA_CODE_END && (unique == 0 || cuts[i] != cuts[unique - 1])) cuts[unique++] = cuts[i];
    struct dfa_range *ranges = arena_zero(s->scratch, unique, sizeof *ranges);
    if (!ranges) return WEIR_ERR_NOMEM;
    for (size_t i = 0; i < unique; i++) ranges[i] = (struct dfa_range){cuts[i], (uint32_t)i};
    s->draft.n_ranges = s->draft.n_classes = (uint32_t)unique;
    s->draft.ranges = ranges;
    *samples = cuts;
    return WEIR_OK;
}

/* Stretches that the same sets hold are one class: fewer columns to fill. */
static enum weir_status join_classes(struct subsets *s, uint32_t *samples)
{
    uint32_t words = s->nfa->count / 32 + 1, used = 0;
    struct dfa_index index;
    uint32_t *bits = arena_zero(s->scratch, words, sizeof *bits);
    if (!bits) return WEIR_ERR_NOMEM;
    enum weir_status status = dfa_index_open(&index, s->scratch, words);
    struct dfa_range *ranges = arena_zero(s->scratch, s->draft.n_ranges, sizeof *ranges);
    if (!ranges) return WEIR_ERR_NOMEM;
    for (uint32_t c = 0; c < s->draft.n_ranges && !status; c++) {
        memset(bits, 0, words * sizeof *bits);
        for (uint32_t i = 0; i < s->nfa->count; i++)
            if (s->nfa->states[i].edge == EDGE_SET && set_holds(s->nfa->states[i].set, samples[c]))
                bits[i / 32] |= 1U << (i % 32);
        bool fresh;
        uint32_t number = 0;
        status = dfa_index_add(&index, s->scratch, bits, &number, &fresh);
        ranges[c] = (struct dfa_range){s->draft.ranges[c].first, number};
        if (!status && fresh) samples[used++] = samples[c];
    }
    s->draft.ranges = ranges;
    s->draft.n_classes = index.count;
    return status;
}

static enum weir_status determinise(const struct dfa_maker *maker, const struct nfa *nfa, uint32_t start,
                                    uint32_t match, const struct dfa **out)
{
    struct subsets s = {.nfa = nfa, .scratch = maker->scratch, .match = match, .words = nfa->count / 32 + 1};
    uint32_t *samples, state;
    s.bits = arena_zero(s.scratch, s.words, sizeof *s.bits);
    s.stack = arena_zero(s.scratch, nfa->count, sizeof *s.stack);
    if (!s.bits || !s.stack) return WEIR_ERR_NOMEM;
    enum weir_status status = cut_classes(&s, &samples);
    if (!status) status = join_classes(&s, samples);
    if (!status) status = dfa_index_open(&s.index, s.scratch, s.words);
    if (status) return status;
    close_over(&s, start, true, false);
    keep_core(&s);
    status = number_set(&s, true, &state);
    for (uint32_t i = 0; i < s.draft.n_states && !status; i++) status = expand(&s, i, samples);
    return status ? status : dfa_finish(maker, &s.draft, out);
}

static enum weir_status compile(const struct dfa_maker *maker, const struct regex_node *tree, const struct dfa **out)
{
    struct nfa nfa = {.arena = maker->scratch};
    struct regex_node any = {.kind = REGEX_SET};
    uint32_t match, begin, start;
    enum weir_status status = charset_add(&any.set, maker->scratch, 0, DFA_CODE_END - 1);
    if (!status) status = add_state(&nfa, (struct nfa_state){.edge = EDGE_MATCH}, &match);
    if (!status) status = build(&nfa, tree, match, &begin);
    if (!status) status = build_loop(&nfa, &any, begin, &start);
    return status ? status : determinise(maker, &nfa, start, match, out);
}

enum weir_status regex_compile(const struct dfa_maker *maker, struct json_text pattern, const struct dfa **out,
                               struct weir_error *error)
{
    struct arena_mark mark = arena_mark(maker->scratch);
    const struct regex_node *tree = NULL;
    enum weir_status status = regex_parse(maker->scratch, pattern, &tree, error);
    if (!status) {
        status = compile(maker, tree, out);
        if (status == WEIR_ERR_LIMIT || (status && (maker->scratch->over || maker->arena->over)))
            status = error_set(error, WEIR_ERR_LIMIT, "the pattern's automaton is too large");
        else if (status)
            status = error_nomem(error, "a pattern");
    }
    arena_wind_back(maker->scratch, mark);
    return status;
}
