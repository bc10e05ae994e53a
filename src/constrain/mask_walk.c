/* Computing a mask: the machine walks the trie, with two short cuts.
 *
 * A single thread inside a string or key needs no thread sets: its frame is copied down the trie. And where the automaton has a
 * universal state (everything is accepted from there), all plain tokens are allowed at first, the walk looks only at the paths that
 * have not reached that state, and takes back what dies on them. In a string without conditions there are no such paths. */
#include <string.h>

#include "constrain/mask.h"

static void set_bit(uint32_t *mask, int32_t token)
{
    mask[(uint32_t)token / 32] |= 1U << ((uint32_t)token % 32);
}

static void clear_bit(uint32_t *mask, int32_t token)
{
    mask[(uint32_t)token / 32] &= ~(1U << ((uint32_t)token % 32));
}

static void clear_row(struct mask_walk *w, const struct trie *t, uint32_t first, uint32_t end)
{
    for (uint32_t k = first; k < end; k++) clear_bit(w->mask, t->tokens[k]);
}

static void set_node(struct mask_walk *w, const struct trie *t, const struct trie_node *node)
{
    for (uint32_t k = 0; k < node->n_tokens; k++) set_bit(w->mask, t->tokens[node->first_token + k]);
}

/* Where a walk inside a string stands, and the state below which nothing is looked at. */
struct text_walk {
    const struct dfa *dfa;
    struct key_window window;
    const struct link *below;
    uint32_t universal; /* DFA_DEAD: every path is walked, and the mask was empty before */
    bool has_max;       /* code points are counted */
};

static void walk_set(struct mask_walk *w, const struct trie *t, uint32_t first, uint32_t end, uint32_t base);

/* A closing quote at node i: the machine takes over for its subtree. */
static void walk_closed(struct mask_walk *w, const struct trie *t, uint32_t i, const struct text_walk *x,
                        const struct frame *f)
{
    const struct trie_node *node = &t->nodes[i];
    struct thread thread = {*f, x->below};
    struct thread_set one = {.threads = &thread, .count = 1, .capacity = 1};
    machine_step(w->machine, &one, '"', &w->levels[node->depth]);
    if (x->universal != DFA_DEAD) clear_row(w, t, node->first_token, trie_tokens_end(t, i));
    if (w->levels[node->depth].count == 0) return;
    set_node(w, t, node);
    walk_set(w, t, i + 1, i + node->below + 1, node->depth);
}

/* The next frame for most bytes: ASCII without quote and backslash, between characters. */
static bool step_plain(const struct text_walk *x, const struct frame *f, uint8_t byte, struct frame *next)
{
    uint32_t state = x->dfa->next[(size_t)f->state * x->dfa->n_classes + x->dfa->ascii[byte]];
    if (state == DFA_DEAD) return false;
    *next = *f;
    next->state = state;
    if (f->kind == FRAME_OBJECT) return object_reaches(f->shape, state, &x->window);
    const struct string_shape *s = f->shape;
    if (!x->has_max && f->count >= s->min) return true;
    next->count++;
    return !x->has_max || (uint64_t)next->count + s->to_accept[state] <= s->max;
}

/* Whether every code point beyond ASCII leads to the universal state. */
static bool high_is_universal(const struct text_walk *x, uint32_t state)
{
    const struct dfa_range *last = &x->dfa->ranges[x->dfa->n_ranges - 1];
    return last->first <= 0x80 && x->dfa->next[(size_t)state * x->dfa->n_classes + last->class] == x->universal;
}

/* Nodes first..end-1 are the subtree below a node of depth `base`, at which the frame is w->frames[base]. */
static void walk_text(struct mask_walk *w, const struct trie *t, uint32_t first, uint32_t end,
                      const struct text_walk *x)
{
    for (uint32_t i = first; i < end && !w->machine->status;) {
        const struct trie_node *node = &t->nodes[i];
        const struct frame *f = &w->frames[node->depth - 1];
        struct frame *next = &w->frames[node->depth];
        bool between = f->partial == PARTIAL_NONE, live;
        if (between && node->byte >= 0x80 && x->universal != DFA_DEAD && high_is_universal(x, f->state)) {
            i += node->below + 1;
            continue;
        }
        if (between && node->byte == '"') {
            walk_closed(w, t, i, x, f);
            i += node->below + 1;
            continue;
        }
        if (between && node->byte >= 0x20 && node->byte < 0x80 && node->byte != '\\') {
            live = step_plain(x, f, node->byte, next);
        } else {
            *next = *f;
            live = string_read(next, &x->window, node->byte) == READ_ON;
        }
        if (!live) {
            if (x->universal != DFA_DEAD) clear_row(w, t, node->first_token, trie_tokens_end(t, i));
            i += node->below + 1;
        } else if (next->state == x->universal && next->partial == PARTIAL_NONE && x->universal != DFA_DEAD) {
            i += node->below + 1;
        } else {
            set_node(w, t, node);
            i++;
        }
    }
}

static struct text_walk text_walk_of(const struct thread *t)
{
    struct text_walk x = {
        .dfa = frame_language(&t->top), .window = frame_window(&t->top), .below = t->below, .universal = DFA_DEAD};
    if (t->top.kind == FRAME_STRING) x.has_max = ((const struct string_shape *)t->top.shape)->max != COUNT_ANY;
    return x;
}

/* A number's digits without the machine; other bytes end it or are dead. */
static bool step_number(const struct thread *t, uint8_t byte, struct thread *next)
{
    uint32_t state = byte < 128 ? dfa_step(t->top.shape, t->top.state, byte) : DFA_DEAD;
    if (state == DFA_DEAD) return false;
    *next = *t;
    next->top.state = state;
    return true;
}

/* One step down: levels[depth] from levels[depth - 1]. */
static void step_down(struct mask_walk *w, const struct trie_node *node)
{
    const struct thread_set *from = &w->levels[node->depth - 1];
    struct thread_set *to = &w->levels[node->depth];
    if (from->count == 1 && from->threads[0].top.kind == FRAME_NUMBER && to->capacity &&
        step_number(&from->threads[0], node->byte, &to->threads[0]))
        to->count = 1;
    else
        machine_step(w->machine, from, node->byte, to);
}

/* The same for any set of threads: those of the subtree's parent are levels[base]. */
static void walk_set(struct mask_walk *w, const struct trie *t, uint32_t first, uint32_t end, uint32_t base)
{
    (void)base;
    for (uint32_t i = first; i < end && !w->machine->status;) {
        const struct trie_node *node = &t->nodes[i];
        step_down(w, node);
        const struct thread_set *now = &w->levels[node->depth];
        if (now->count == 0) {
            i += node->below + 1;
            continue;
        }
        set_node(w, t, node);
        if (now->count == 1 && node->below && frame_in_text(&now->threads[0].top)) {
            struct text_walk x = text_walk_of(&now->threads[0]);
            w->frames[node->depth] = now->threads[0].top;
            walk_text(w, t, i + 1, i + node->below + 1, &x);
            i += node->below + 1;
        } else {
            i++;
        }
    }
}

/* Tokens that do not fit between the count and the maximum, or that would close before the minimum. */
static void cut_lengths(struct mask_walk *w, const struct frame *f)
{
    const struct string_shape *s = f->shape;
    const struct string_tokens *tokens = &w->vocabulary->strings;
    uint64_t room = s->max == COUNT_ANY ? COUNT_ANY : s->max - f->count;
    for (uint32_t i = 0; i < tokens->n_by_length && tokens->characters[tokens->by_length[i]] > room; i++)
        clear_bit(w->mask, tokens->by_length[i]);
}

/* Tokens that close the string in its universal state: by what follows the quote. levels[0] is where the machine stands then. */
static void add_closing(struct mask_walk *w, const struct thread *t, uint32_t universal)
{
    const struct trie *closing = &w->vocabulary->strings.closing;
    struct thread at = *t;
    struct thread_set one = {.threads = &at, .count = 1, .capacity = 1};
    at.top.state = universal;
    uint64_t missing = 0; /* code points before the quote may come */
    if (t->top.kind == FRAME_STRING && ((const struct string_shape *)t->top.shape)->min > t->top.count) {
        missing = ((const struct string_shape *)t->top.shape)->min - t->top.count;
        at.top.count += (uint32_t)missing;
    }
    machine_step(w->machine, &one, '"', &w->levels[0]);
    if (w->levels[0].count == 0) return;
    uint32_t own = closing->n_nodes ? closing->nodes[0].first_token : closing->n_tokens;
    for (uint32_t k = 0; k < own; k++) set_bit(w->mask, closing->tokens[k]); /* nothing follows the quote */
    walk_set(w, closing, 0, closing->n_nodes, 0);
    for (uint32_t k = 0; missing && k < closing->n_tokens; k++)
        if (w->vocabulary->strings.characters[closing->tokens[k]] < missing) clear_bit(w->mask, closing->tokens[k]);
}

/* The universal state that the short cut may use from here; DFA_DEAD: none. */
static uint32_t short_cut(const struct thread_set *at)
{
    if (at->count != 1 || !frame_in_text(&at->threads[0].top) || at->threads[0].top.partial != PARTIAL_NONE)
        return DFA_DEAD;
    const struct frame *f = &at->threads[0].top;
    uint32_t universal = frame_language(f)->universal;
    if (universal == DFA_DEAD) return universal;
    if (f->kind == FRAME_OBJECT) return frame_window(f).rest ? universal : DFA_DEAD;
    const struct string_shape *s = f->shape;
    bool counted = s->max != COUNT_ANY || f->count < s->min;
    return !counted || f->state == universal ? universal : DFA_DEAD;
}

static void walk_short(struct mask_walk *w, const struct thread *t, uint32_t universal)
{
    const struct weir_vocabulary *v = w->vocabulary;
    memcpy(w->mask, v->strings.plain, v->words * sizeof *w->mask);
    add_closing(w, t, universal);
    if (t->top.kind == FRAME_STRING && ((const struct string_shape *)t->top.shape)->max != COUNT_ANY)
        cut_lengths(w, &t->top);
    if (t->top.state == universal) return;
    struct text_walk x = text_walk_of(t);
    x.universal = universal;
    w->frames[0] = t->top;
    walk_text(w, &v->trie, 0, v->trie.n_nodes, &x);
}

enum weir_status mask_compute(struct mask_walk *w, const struct thread_set *at)
{
    const struct weir_vocabulary *v = w->vocabulary;
    struct machine *m = w->machine;
    struct arena_mark mark = arena_mark(&m->links);
    uint32_t universal = short_cut(at);
    if (universal != DFA_DEAD) {
        walk_short(w, &at->threads[0], universal);
    } else {
        memset(w->mask, 0, v->words * sizeof *w->mask);
        if (!thread_set_copy(&w->levels[0], at)) return WEIR_ERR_NOMEM;
        if (at->count == 1 && frame_in_text(&at->threads[0].top)) {
            struct text_walk x = text_walk_of(&at->threads[0]);
            w->frames[0] = at->threads[0].top;
            walk_text(w, &v->trie, 0, v->trie.n_nodes, &x);
        } else {
            walk_set(w, &v->trie, 0, v->trie.n_nodes, 0);
        }
    }
    arena_wind_back(&m->links, mark);
    enum weir_status status = m->status;
    m->status = WEIR_OK; /* looking ahead has failed, not the output */
    return status;
}
