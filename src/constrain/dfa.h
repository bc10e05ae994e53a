/* Deterministic automata over Unicode code points: the languages of strings, keys and number lexemes.
 *
 * Code points are cut into classes that no transition tells apart; next[state * n_classes + class] is the state after one, DFA_DEAD when
 * nothing accepted lies that way. Every automaton is trimmed: from each of its states an accepting one can be reached, so
 * "not dead" is "can still become a member". accept[state] is 0 or a label of the caller's choosing. Immutable once made. */
#ifndef WEIR_CONSTRAIN_DFA_H
#define WEIR_CONSTRAIN_DFA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "weir/status.h"

#define DFA_DEAD UINT32_MAX
enum {
    DFA_STATES_MAX = 20000,     /* of one automaton */
    DFA_CELLS_MAX = 4000000,    /* states times classes */
    DFA_CODE_END = 0x110000,    /* code points are below it */
    DFA_PARTS_MAX = 24,         /* automata in one product */
    DFA_MINIMISE_STATES = 1500, /* larger ones are only trimmed */
};

struct dfa_range {
    uint32_t first; /* up to the next range's */
    uint32_t class;
};

struct dfa {
    uint32_t n_states; /* 0: the empty language */
    uint32_t n_classes;
    uint32_t start;     /* DFA_DEAD: the empty language */
    uint32_t universal; /* the state from which everything is accepted with one label; DFA_DEAD: none */
    uint32_t n_ranges;
    const struct dfa_range *ranges; /* ascending, the first at 0 */
    const uint32_t *next;           /* [n_states, n_classes] */
    const uint32_t *accept;         /* [n_states] */
    uint16_t ascii[128];            /* the class of each */
};

/* Where automata are made: results in `arena`, intermediate things in `scratch`, which every call leaves as it found it. */
struct dfa_maker {
    struct arena *arena, *scratch;
};

uint32_t dfa_class(const struct dfa *dfa, uint32_t code);

static inline uint32_t dfa_step(const struct dfa *dfa, uint32_t state, uint32_t code)
{
    uint32_t class = code < 128 ? dfa->ascii[code] : dfa_class(dfa, code);
    return dfa->next[(size_t)state * dfa->n_classes + class];
}

/* Whether a code point of [low, high] leads from `state` to a live one. */
bool dfa_live_between(const struct dfa *dfa, uint32_t state, uint32_t low, uint32_t high);

/* The label of `text` (valid UTF-8), 0 when it is not a member. */
uint32_t dfa_match(const struct dfa *dfa, struct json_text text);

/* The automaton whose label of a string is label(context, labels of the parts); labels of parts that do not hold it are 0.
 * WEIR_ERR_LIMIT beyond the limits above, WEIR_ERR_NOMEM. */
typedef uint32_t dfa_label_fn(const void *context, const uint32_t *labels);
enum weir_status dfa_combine(const struct dfa_maker *maker, const struct dfa *const *parts, size_t n_parts,
                             dfa_label_fn *label, const void *context, const struct dfa **out) WEIR_MUST_USE;
/* The same without minimising: for parts whose product has no states worth joining. */
enum weir_status dfa_combine_plain(const struct dfa_maker *maker, const struct dfa *const *parts, size_t n_parts,
                                   dfa_label_fn *label, const void *context, const struct dfa **out) WEIR_MUST_USE;

enum dfa_operation { DFA_AND, DFA_OR, DFA_MINUS };
enum weir_status dfa_pair(const struct dfa_maker *maker, const struct dfa *a, const struct dfa *b,
                          enum dfa_operation operation, const struct dfa **out) WEIR_MUST_USE;

/* All strings; none; exactly these, the i-th with label i + 1 (of equal texts the first); strings of low..high code points. */
enum weir_status dfa_all(const struct dfa_maker *maker, const struct dfa **out) WEIR_MUST_USE;
enum weir_status dfa_none(const struct dfa_maker *maker, const struct dfa **out) WEIR_MUST_USE;
enum weir_status dfa_texts(const struct dfa_maker *maker, const struct json_text *texts, size_t n,
                           const struct dfa **out) WEIR_MUST_USE;
enum weir_status dfa_lengths(const struct dfa_maker *maker, uint64_t low, uint64_t high,
                             const struct dfa **out) WEIR_MUST_USE; /* high UINT64_MAX: no maximum */

static inline bool dfa_is_empty(const struct dfa *dfa)
{
    return dfa->n_states == 0;
}

static inline bool dfa_is_all(const struct dfa *dfa)
{
    return dfa->n_states && dfa->start == dfa->universal;
}

/* An automaton being made, in scratch memory: not yet trimmed, transitions may be DFA_DEAD. */
struct dfa_draft {
    uint32_t n_states, n_classes, n_ranges, capacity;
    const struct dfa_range *ranges;
    uint32_t *next, *accept; /* [capacity, n_classes], [capacity] */
    bool is_minimal;         /* as far as it matters: only trim it */
};

/* Room for one more state, its transitions dead and its label 0. */
enum weir_status dfa_draft_add(struct dfa_draft *draft, struct arena *scratch, uint32_t *state) WEIR_MUST_USE;
/* Trims, minimises and copies; state 0 is the start. */
enum weir_status dfa_finish(const struct dfa_maker *maker, const struct dfa_draft *draft,
                            const struct dfa **out) WEIR_MUST_USE;

/* Numbers lists of `width` words in the order they were first seen. */
struct dfa_index {
    uint32_t width, count, capacity;
    uint32_t slots_log2;
    uint32_t *lists; /* [capacity, width] */
    uint32_t *slots; /* index + 1 */
};

enum weir_status dfa_index_open(struct dfa_index *index, struct arena *scratch, size_t width) WEIR_MUST_USE;
/* *fresh tells whether the list was new. */
enum weir_status dfa_index_add(struct dfa_index *index, struct arena *scratch, const uint32_t *list, uint32_t *number,
                               bool *fresh) WEIR_MUST_USE;

#endif
