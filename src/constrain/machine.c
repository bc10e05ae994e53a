#include "constrain/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void fail(struct machine *m, enum weir_status status)
{
    if (!m->status) m->status = status;
}

static bool reserve(struct thread_set *set)
{
    if (set->count < set->capacity) return true;
    uint32_t capacity = set->capacity ? set->capacity * 2 : 4;
    struct thread *threads = mem_resize(set->threads, capacity, sizeof *threads);
    if (!threads) return false;
    set->threads = threads;
    set->capacity = capacity;
    return true;
}

/* Adds a thread unless its equal is there. Equal stacks share their links, or differ in what lies below. */
static void emit(struct machine *m, struct thread_set *to, const struct frame *top, const struct link *below)
{
    for (uint32_t i = 0; i < to->count; i++)
        if (to->threads[i].below == below && memcmp(&to->threads[i].top, top, sizeof *top) == 0) return;
    if (to->count == MACHINE_THREADS_MAX) {
        fail(m, WEIR_ERR_LIMIT);
        return;
    }
    if (!reserve(to)) {
        fail(m, WEIR_ERR_NOMEM);
        return;
    }
    to->threads[to->count++] = (struct thread){*top, below};
}

void thread_set_free(struct thread_set *set)
{
    free(set->threads);
    *set = (struct thread_set){0};
}

bool thread_set_copy(struct thread_set *to, const struct thread_set *from)
{
    to->count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        if (!reserve(to)) return false;
        to->threads[to->count++] = from->threads[i];
    }
    return true;
}

static const struct link *push(struct machine *m, const struct frame *frame, const struct link *below)
{
    if (below && below->depth == MACHINE_DEPTH_MAX) {
        fail(m, WEIR_ERR_LIMIT);
        return NULL;
    }
    struct link *link = arena_zero(&m->links, 1, sizeof *link);
    if (!link) {
        fail(m, m->links.over ? WEIR_ERR_LIMIT : WEIR_ERR_NOMEM);
        return NULL;
    }
    *link = (struct link){.frame = *frame, .below = below, .depth = below ? below->depth + 1 : 0};
    return link;
}

/* The value above ended: the frame below goes on. */
static void pop(struct machine *m, struct thread_set *to, const struct link *below)
{
    emit(m, to, &below->frame, below->below);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static const char *literal_text(uint32_t type)
{
    return type == TYPE_NULL ? "null" : type == TYPE_TRUE ? "true" : "false";
}

static void start_literal(struct machine *m, unsigned types, uint8_t byte, const struct link *below,
                          struct thread_set *to)
{
    static const unsigned all[3] = {TYPE_NULL, TYPE_FALSE, TYPE_TRUE};
    for (int i = 0; i < 3; i++) {
        if (!(types & all[i]) || literal_text(all[i])[0] != (char)byte) continue;
        struct frame f = {.kind = FRAME_LITERAL, .state = all[i], .count = 1};
        emit(m, to, &f, below);
    }
}

static void start_number(struct machine *m, const struct dfa *dfa, uint8_t byte, const struct link *below,
                         struct thread_set *to)
{
    uint32_t state = dfa && byte < 128 ? dfa_step(dfa, dfa->start, byte) : DFA_DEAD;
    if (state == DFA_DEAD) return;
    struct frame f = {.kind = FRAME_NUMBER, .shape = dfa, .state = state};
    emit(m, to, &f, below);
}

/* The first byte of a value of `node` above `below`. */
static void start_value(struct machine *m, uint32_t node, uint8_t byte, const struct link *below, struct thread_set *to)
{
    const struct node *n = &m->program->nodes[node];
    if (!below) return; /* the push failed */
    if (byte == '"') {
        for (uint32_t i = 0; i < n->n_strings; i++) {
            struct frame f = {.kind = FRAME_STRING, .shape = &n->strings[i], .state = n->strings[i].dfa->start};
            emit(m, to, &f, below);
        }
    } else if (byte == '[') {
        for (uint32_t i = 0; i < n->n_arrays; i++) {
            struct frame f = {.kind = FRAME_ARRAY, .shape = &n->arrays[i]};
            emit(m, to, &f, below);
        }
    } else if (byte == '{') {
        for (uint32_t i = 0; i < n->n_objects; i++) {
            struct frame f = {.kind = FRAME_OBJECT, .shape = &n->objects[i]};
            emit(m, to, &f, below);
        }
    } else {
        start_literal(m, n->types, byte, below, to);
        start_number(m, n->number, byte, below, to);
    }
}

bool array_counts_good(const struct array_shape *a, uint32_t counts)
{
    for (uint32_t i = 0; i < a->n_contains; i++) {
        uint32_t own = counts % a->radix[i];
        counts /= a->radix[i];
        if (own < a->low[i] || own > a->high[i]) return false;
    }
    return true;
}

/* Items beyond what position, minimum and maximum can tell apart count as one. */
static uint32_t next_count(const struct array_shape *a, uint32_t count)
{
    if (a->feasible) return count + 1 < a->n_positions ? count + 1 : count;
    uint64_t cap = a->min > a->n_prefix ? a->min : a->n_prefix;
    return a->max == COUNT_ANY && count >= cap ? count : count + 1;
}

static bool item_possible(const struct array_shape *a, const struct frame *f, uint32_t subset)
{
    uint32_t row = f->count < a->n_prefix ? f->count : a->n_prefix;
    if (f->count >= a->max || a->nodes[(size_t)row * a->n_subsets + subset] == NODE_NONE) return false;
    if (!a->feasible) return true;
    uint32_t counts = array_count_after(a, f->place, subset);
    return a->feasible[(size_t)next_count(a, f->count) * a->n_counts + counts];
}

static bool any_item(const struct array_shape *a, const struct frame *f)
{
    for (uint32_t s = 0; s < a->n_subsets; s++)
        if (item_possible(a, f, s)) return true;
    return false;
}

static void start_item(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    const struct array_shape *a = t->top.shape;
    uint32_t row = t->top.count < a->n_prefix ? t->top.count : a->n_prefix;
    for (uint32_t s = 0; s < a->n_subsets; s++) {
        if (!item_possible(a, &t->top, s)) continue;
        struct frame after = t->top;
        after.mode = MODE_AFTER;
        after.count = next_count(a, t->top.count);
        after.place = array_count_after(a, t->top.place, s);
        start_value(m, a->nodes[(size_t)row * a->n_subsets + s], byte, push(m, &after, t->below), to);
    }
}

static void step_array(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    const struct array_shape *a = t->top.shape;
    if (byte == ']') {
        bool may_end = t->top.mode != MODE_COMMA && t->top.count >= a->min && array_counts_good(a, t->top.place);
        if (may_end) pop(m, to, t->below);
    } else if (t->top.mode != MODE_AFTER) {
        start_item(m, t, byte, to);
    } else if (byte == ',' && any_item(a, &t->top)) {
        struct frame f = t->top;
        f.mode = MODE_COMMA;
        emit(m, to, &f, t->below);
    }
}

static bool may_close_object(const struct object_shape *o, const struct frame *f)
{
    return o->required_from[f->place] == 0 && f->count >= o->min && f->seen == (1U << o->n_needs) - 1;
}

static bool any_key(const struct object_shape *o, const struct frame *f)
{
    struct key_window w = object_window(o, f);
    return o->keys->n_states && object_reaches(o, o->keys->start, &w);
}

/* A count that neither minimum nor maximum can tell from a larger one stays. */
static uint32_t next_member_count(const struct object_shape *o, uint32_t count)
{
    return o->max == COUNT_ANY && count >= o->min ? count : count + 1;
}

/* Needs that are not served must still find a key. */
static bool needs_possible(const struct object_shape *o, const struct frame *f)
{
    for (uint32_t e = 0; e < o->n_needs; e++)
        if (!(f->seen >> e & 1) && !o->need_rest[e] && o->need_last[e] <= f->place) return false;
    return true;
}

/* After the colon: a value for the plain member, and one for each need it may serve. */
static void open_member(struct machine *m, const struct thread *t, struct thread_set *to)
{
    const struct object_shape *o = t->top.shape;
    uint32_t row = t->top.state - 1, width = 1 + o->n_needs;
    for (uint32_t e = 0; e < width; e++) {
        uint32_t node = o->nodes[(size_t)row * width + e];
        if (node == NODE_NONE || (e && (t->top.seen >> (e - 1) & 1))) continue;
        struct frame after = {.kind = FRAME_OBJECT, .mode = MODE_AFTER, .shape = o};
        after.count = next_member_count(o, t->top.count);
        after.place = row < o->n_names ? row + 1 : o->n_names;
        after.seen = t->top.seen | (e ? 1U << (e - 1) : 0);
        if (!needs_possible(o, &after)) continue;
        const struct link *below = push(m, &after, t->below);
        struct frame value = {.kind = FRAME_VALUE, .state = node};
        if (below) emit(m, to, &value, below);
    }
}

static void step_key(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    const struct object_shape *o = t->top.shape;
    struct frame f = t->top;
    struct key_window w = frame_window(&f);
    enum read_result result = string_read(&f, &w, byte);
    if (result == READ_DEAD) return;
    if (result == READ_CLOSED) {
        f.state = o->keys->accept[f.state];
        f.mode = MODE_COLON;
    }
    emit(m, to, &f, t->below);
}

static void step_object(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    const struct object_shape *o = t->top.shape;
    struct frame f = t->top;
    if (f.mode == MODE_COLON) {
        if (byte == ':') open_member(m, t, to);
    } else if (byte == '}') {
        if (f.mode != MODE_COMMA && may_close_object(o, &f)) pop(m, to, t->below);
    } else if (byte == ',' && f.mode == MODE_AFTER && any_key(o, &f)) {
        f.mode = MODE_COMMA;
        emit(m, to, &f, t->below);
    } else if (byte == '"' && f.mode != MODE_AFTER && any_key(o, &f)) {
        f.mode = MODE_KEY;
        f.state = o->keys->start;
        emit(m, to, &f, t->below);
    }
}

static void step_literal(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    struct frame f = t->top;
    const char *text = literal_text(f.state);
    if (text[f.count] != (char)byte) return;
    if (text[++f.count])
        emit(m, to, &f, t->below);
    else
        pop(m, to, t->below);
}

static void step_string(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    struct frame f = t->top;
    enum read_result result = string_read(&f, NULL, byte);
    if (result == READ_ON) emit(m, to, &f, t->below);
    if (result == READ_CLOSED) pop(m, to, t->below);
}

static void step_thread(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to);

/* A number ends where a byte comes that is none of it, and that byte is the next frame's. */
static void step_number(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    const struct dfa *dfa = t->top.shape;
    uint32_t state = byte < 128 ? dfa_step(dfa, t->top.state, byte) : DFA_DEAD;
    if (state != DFA_DEAD) {
        struct frame f = t->top;
        f.state = state;
        emit(m, to, &f, t->below);
    } else if (dfa->accept[t->top.state]) {
        struct thread below = {t->below->frame, t->below->below};
        step_thread(m, &below, byte, to);
    }
}

static void step_thread(struct machine *m, const struct thread *t, uint8_t byte, struct thread_set *to)
{
    bool in_key = t->top.kind == FRAME_OBJECT && t->top.mode == MODE_KEY;
    bool between = !in_key && (t->top.kind == FRAME_END || t->top.kind == FRAME_VALUE || t->top.kind == FRAME_ARRAY ||
                               t->top.kind == FRAME_OBJECT);
    if (between && !m->compact && is_space(byte)) {
        emit(m, to, &t->top, t->below);
        return;
    }
    switch (t->top.kind) {
    case FRAME_VALUE:
        start_value(m, t->top.state, byte, t->below, to);
        break;
    case FRAME_LITERAL:
        step_literal(m, t, byte, to);
        break;
    case FRAME_NUMBER:
        step_number(m, t, byte, to);
        break;
    case FRAME_STRING:
        step_string(m, t, byte, to);
        break;
    case FRAME_ARRAY:
        step_array(m, t, byte, to);
        break;
    case FRAME_OBJECT:
        (in_key ? step_key : step_object)(m, t, byte, to);
        break;
    default:
        break; /* after the end nothing comes */
    }
}

bool machine_start(struct machine *m, struct thread_set *out)
{
    struct frame end = {.kind = FRAME_END}, value = {.kind = FRAME_VALUE, .state = m->program->root};
    out->count = 0;
    if (!m->program->satisfiable) return true;
    const struct link *below = push(m, &end, NULL);
    if (below) emit(m, out, &value, below);
    return !m->status;
}

void machine_step(struct machine *m, const struct thread_set *from, uint8_t byte, struct thread_set *to)
{
    to->count = 0;
    for (uint32_t i = 0; i < from->count && !m->status; i++) step_thread(m, &from->threads[i], byte, to);
    if (m->status) to->count = 0;
}

bool machine_is_complete(const struct thread_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct thread *t = &set->threads[i];
        if (t->top.kind == FRAME_END) return true;
        if (t->top.kind != FRAME_NUMBER || t->below->frame.kind != FRAME_END) continue;
        if (((const struct dfa *)t->top.shape)->accept[t->top.state]) return true;
    }
    return false;
}
