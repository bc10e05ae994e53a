/* Times of RFC 3339, 5.6, with leap seconds where they can stand: at 23:59:60 in UTC, whatever the offset.
 *
 * Whether hh:mm:60 may carry an offset depends on hh:mm, so the automaton remembers the minute of the day (1,440 states a step) until the
 * seconds are known to be ordinary, and after :60 until the offset is written. Every state leads to the end, so the draft needs no
 * trimming. States are numbered by step and value. */
#include <string.h>

#include "constrain/clock.h"
#include "constrain/regex.h"

enum { MINUTES = 1440, CLOCK_OTHER = 15, CLOCK_CLASSES = 16 };
enum { BYTE_COLON = 10, BYTE_PLUS, BYTE_MINUS, BYTE_POINT, BYTE_Z };

static const struct dfa_range clock_ranges[] = {
    {0, CLOCK_OTHER}, {'+', BYTE_PLUS},   {',', CLOCK_OTHER}, {'-', BYTE_MINUS}, {'.', BYTE_POINT}, {'/', CLOCK_OTHER},
    {'0', 0},         {'1', 1},           {'2', 2},           {'3', 3},          {'4', 4},          {'5', 5},
    {'6', 6},         {'7', 7},           {'8', 8},           {'9', 9},          {':', BYTE_COLON}, {';', CLOCK_OTHER},
    {'Z', BYTE_Z},    {'[', CLOCK_OTHER}, {'z', BYTE_Z},      {'{', CLOCK_OTHER}};

/* The steps, and how many values each remembers. */
enum step {
    STEP_START,
    STEP_HOUR_1,   /* the first digit */
    STEP_HOUR,     /* the hour */
    STEP_COLON,    /* the hour */
    STEP_MINUTE_1, /* six times the hour and the digit */
    STEP_MINUTE,   /* from here on the minute of the day */
    STEP_COLON_2,
    STEP_LEAP_6,
    STEP_LEAP_60,
    STEP_LEAP_POINT,
    STEP_LEAP_FRACTION,
    STEP_OWED,        /* the offset that must follow, in minutes */
    STEP_OWED_1,      /* modulo 600: after its first digit */
    STEP_OWED_HOUR,   /* modulo 60: the colon is next */
    STEP_OWED_COLON,  /* modulo 60 */
    STEP_OWED_MINUTE, /* modulo 10 */
    STEP_SECOND_1,
    STEP_SECOND,
    STEP_POINT,
    STEP_FRACTION,
    STEP_OFFSET,
    STEP_OFFSET_01,
    STEP_OFFSET_2,
    STEP_OFFSET_HOUR,
    STEP_OFFSET_COLON,
    STEP_OFFSET_MINUTE,
    STEP_END,
    STEPS
};
static const uint16_t step_values[STEPS] = {[STEP_START] = 1,
                                            [STEP_HOUR_1] = 3,
                                            [STEP_HOUR] = 24,
                                            [STEP_COLON] = 24,
                                            [STEP_MINUTE_1] = 144,
                                            [STEP_MINUTE] = MINUTES,
                                            [STEP_COLON_2] = MINUTES,
                                            [STEP_LEAP_6] = MINUTES,
                                            [STEP_LEAP_60] = MINUTES,
                                            [STEP_LEAP_POINT] = MINUTES,
                                            [STEP_LEAP_FRACTION] = MINUTES,
                                            [STEP_OWED] = MINUTES,
                                            [STEP_OWED_1] = 600,
                                            [STEP_OWED_HOUR] = 60,
                                            [STEP_OWED_COLON] = 60,
                                            [STEP_OWED_MINUTE] = 10,
                                            [STEP_SECOND_1] = 1,
                                            [STEP_SECOND] = 1,
                                            [STEP_POINT] = 1,
                                            [STEP_FRACTION] = 1,
                                            [STEP_OFFSET] = 1,
                                            [STEP_OFFSET_01] = 1,
                                            [STEP_OFFSET_2] = 1,
                                            [STEP_OFFSET_HOUR] = 1,
                                            [STEP_OFFSET_COLON] = 1,
                                            [STEP_OFFSET_MINUTE] = 1,
                                            [STEP_END] = 1};

struct place {
    enum step step;
    uint32_t value;
};

/* `step` with `value` when the byte is the one expected. */
static bool go(bool expected, enum step step, uint32_t value, struct place *to)
{
    *to = (struct place){step, value};
    return expected;
}

static bool step_offset(struct place at, uint32_t byte, struct place *to)
{
    switch (at.step) {
    case STEP_OFFSET:
        return go(byte <= 2, byte == 2 ? STEP_OFFSET_2 : STEP_OFFSET_01, 0, to);
    case STEP_OFFSET_01:
        return go(byte <= 9, STEP_OFFSET_HOUR, 0, to);
    case STEP_OFFSET_2:
        return go(byte <= 3, STEP_OFFSET_HOUR, 0, to);
    case STEP_OFFSET_HOUR:
        return go(byte == BYTE_COLON, STEP_OFFSET_COLON, 0, to);
    case STEP_OFFSET_COLON:
        return go(byte <= 5, STEP_OFFSET_MINUTE, 0, to);
    case STEP_OFFSET_MINUTE:
        return go(byte <= 9, STEP_END, 0, to);
    default:
        return false; /* the end */
    }
}

/* The offset that makes it 23:59 in UTC. */
static bool step_owed(struct place at, uint32_t byte, struct place *to)
{
    switch (at.step) {
    case STEP_OWED:
        return go(byte == at.value / 600, STEP_OWED_1, at.value % 600, to);
    case STEP_OWED_1:
        return go(byte == at.value / 60, STEP_OWED_HOUR, at.value % 60, to);
    case STEP_OWED_HOUR:
        return go(byte == BYTE_COLON, STEP_OWED_COLON, at.value, to);
    case STEP_OWED_COLON:
        return go(byte == at.value / 10, STEP_OWED_MINUTE, at.value % 10, to);
    default:
        return go(byte == at.value, STEP_END, 0, to);
    }
}

static bool after_leap(uint32_t minute, uint32_t byte, struct place *to)
{
    if (byte == BYTE_Z) return go(minute == MINUTES - 1, STEP_END, 0, to);
    if (byte == BYTE_PLUS) return go(true, STEP_OWED, (minute + 1) % MINUTES, to);
    return go(byte == BYTE_MINUS, STEP_OWED, MINUTES - 1 - minute, to);
}

static bool after_second(uint32_t byte, struct place *to)
{
    if (byte == BYTE_Z) return go(true, STEP_END, 0, to);
    return go(byte == BYTE_PLUS || byte == BYTE_MINUS, STEP_OFFSET, 0, to);
}

static bool step_second(struct place at, uint32_t byte, struct place *to)
{
    switch (at.step) {
    case STEP_COLON_2:
        return byte == 6 ? go(true, STEP_LEAP_6, at.value, to) : go(byte <= 5, STEP_SECOND_1, 0, to);
    case STEP_LEAP_6:
        return go(byte == 0, STEP_LEAP_60, at.value, to);
    case STEP_LEAP_60:
        return byte == BYTE_POINT ? go(true, STEP_LEAP_POINT, at.value, to) : after_leap(at.value, byte, to);
    case STEP_LEAP_POINT:
        return go(byte <= 9, STEP_LEAP_FRACTION, at.value, to);
    case STEP_LEAP_FRACTION:
        return byte <= 9 ? go(true, STEP_LEAP_FRACTION, at.value, to) : after_leap(at.value, byte, to);
    case STEP_SECOND_1:
        return go(byte <= 9, STEP_SECOND, 0, to);
    case STEP_SECOND:
        return byte == BYTE_POINT ? go(true, STEP_POINT, 0, to) : after_second(byte, to);
    case STEP_POINT:
        return go(byte <= 9, STEP_FRACTION, 0, to);
    default:
        return byte <= 9 ? go(true, STEP_FRACTION, 0, to) : after_second(byte, to);
    }
}

static bool step_clock(struct place at, uint32_t byte, struct place *to)
{
    switch (at.step) {
    case STEP_START:
        return go(byte <= 2, STEP_HOUR_1, byte, to);
    case STEP_HOUR_1:
        return go(byte <= 9 && at.value * 10 + byte < 24, STEP_HOUR, at.value * 10 + byte, to);
    case STEP_HOUR:
        return go(byte == BYTE_COLON, STEP_COLON, at.value, to);
    case STEP_COLON:
        return go(byte <= 5, STEP_MINUTE_1, at.value * 6 + byte, to);
    case STEP_MINUTE_1:
        return go(byte <= 9, STEP_MINUTE, at.value * 10 + byte, to);
    case STEP_MINUTE:
        return go(byte == BYTE_COLON, STEP_COLON_2, at.value, to);
    default:
        break;
    }
    if (at.step >= STEP_OWED && at.step <= STEP_OWED_MINUTE) return step_owed(at, byte, to);
    return at.step >= STEP_OFFSET ? step_offset(at, byte, to) : step_second(at, byte, to);
}

static void number_steps(uint32_t *first)
{
    first[0] = 0;
    for (int s = 1; s < STEPS; s++) first[s] = first[s - 1] + step_values[s - 1];
}

enum weir_status clock_time(const struct dfa_maker *maker, const struct dfa **out)
{
    uint32_t first[STEPS];
    number_steps(first);
    uint32_t n_states = first[STEP_END] + 1;
    struct dfa *dfa = arena_zero(maker->arena, 1, sizeof *dfa);
    uint32_t *next = arena_zero(maker->arena, (size_t)n_states * CLOCK_CLASSES, sizeof *next);
    uint32_t *accept = arena_zero(maker->arena, n_states, sizeof *accept);
    if (!dfa || !next || !accept) return WEIR_ERR_NOMEM;
    for (int s = 0; s < STEPS; s++)
        for (uint32_t value = 0; value < step_values[s]; value++)
            for (uint32_t byte = 0; byte < CLOCK_CLASSES; byte++) {
                struct place to;
                bool live = byte != CLOCK_OTHER && step_clock((struct place){(enum step)s, value}, byte, &to);
                next[(size_t)(first[s] + value) * CLOCK_CLASSES + byte] = live ? first[to.step] + to.value : DFA_DEAD;
            }
    accept[n_states - 1] = 1;
    *dfa = (struct dfa){.n_states = n_states,
                        .n_classes = CLOCK_CLASSES,
                        .universal = DFA_DEAD,
                        .n_ranges = sizeof clock_ranges / sizeof clock_ranges[0],
                        .ranges = clock_ranges,
                        .next = next,
                        .accept = accept};
    for (uint32_t code = 0; code < 128; code++) dfa->ascii[code] = (uint16_t)dfa_class(dfa, code);
    *out = dfa;
    return WEIR_OK;
}

/* Where the classes of a part and those of the whole meet: class of the whole -> class of the part. */
static void map_classes(const struct dfa *part, const uint32_t *samples, uint32_t n, uint32_t *map)
{
    for (uint32_t i = 0; i < n; i++) map[i] = dfa_class(part, samples[i]);
}

/* The classes of both parts together: ASCII one by one, then one for the rest, which neither part tells apart. */
enum { JOIN_CLASSES = 129 };

static enum weir_status join_tables(const struct dfa_maker *maker, const struct dfa *a, const struct dfa *b,
                                    struct dfa *dfa)
{
    uint32_t samples[JOIN_CLASSES], map_a[JOIN_CLASSES], map_b[JOIN_CLASSES];
    struct dfa_range *ranges = arena_zero(maker->arena, JOIN_CLASSES, sizeof *ranges);
    uint32_t *accept = arena_zero(maker->arena, dfa->n_states, sizeof *accept);
    uint32_t n = 0;
    if (!ranges || !accept) return WEIR_ERR_NOMEM;
    for (uint32_t code = 0; code <= 128; code++) { /* a class for each pair of classes, by its first code point */
        uint32_t class = 0, ca = dfa_class(a, code), cb = dfa_class(b, code);
        while (class < n && (dfa_class(a, samples[class]) != ca || dfa_class(b, samples[class]) != cb)) class ++;
        if (class == n) samples[n++] = code;
        if (!dfa->n_ranges || ranges[dfa->n_ranges - 1].class != class)
            ranges[dfa->n_ranges++] = (struct dfa_range){code, class};
        if (code < 128) dfa->ascii[code] = (uint16_t)class;
    }
    uint32_t *next = arena_zero(maker->arena, (size_t)dfa->n_states * n, sizeof *next);
    if (!next) return WEIR_ERR_NOMEM;
    map_classes(a, samples, n, map_a);
    map_classes(b, samples, n, map_b);
    for (uint32_t s = 0; s < dfa->n_states; s++) {
        bool of_b = s >= a->n_states || a->accept[s]; /* the first part's end is the second one's start */
        uint32_t own = s >= a->n_states ? s - a->n_states : of_b ? b->start : s;
        for (uint32_t c = 0; c < n; c++) {
            uint32_t to =
                of_b ? b->next[(size_t)own * b->n_classes + map_b[c]] : a->next[(size_t)own * a->n_classes + map_a[c]];
            next[(size_t)s * n + c] = to == DFA_DEAD || !of_b ? to : to + a->n_states;
        }
        accept[s] = of_b ? b->accept[own] : 0;
    }
    dfa->n_classes = n;
    dfa->next = next;
    dfa->accept = accept;
    dfa->ranges = ranges;
    return WEIR_OK;
}

enum weir_status clock_date_time(const struct dfa_maker *maker, const char *date_and_t, const struct dfa **out)
{
    const struct dfa *date, *time;
    struct dfa *dfa = arena_zero(maker->arena, 1, sizeof *dfa);
    if (!dfa) return WEIR_ERR_NOMEM;
    enum weir_status status = regex_compile(maker, (struct json_text){date_and_t, strlen(date_and_t)}, &date, NULL);
    if (!status) status = clock_time(maker, &time);
    if (status) return status;
    *dfa = (struct dfa){.n_states = date->n_states + time->n_states, .start = date->start, .universal = DFA_DEAD};
    status = join_tables(maker, date, time, dfa);
    if (!status) *out = dfa;
    return status;
}
