/* The automata of number lexemes.
 *
 * Comparing x with a bound b = 0.d1d2..dk * 10^high: x, read from its first digit that is not zero, has its own high; the
 * larger high wins, and for equal ones the digits decide from the left. The machine reads sign, digits and exponent, keeps
 * as much of high and of the position as b can tell apart, and states with equal futures fall together in dfa_finish. */
#include "constrain/number.h"

#include <string.h>

#include "constrain/regex.h"

static enum weir_status from_pattern(const struct dfa_maker *maker, const char *pattern, const struct dfa **out)
{
    return regex_compile(maker, (struct json_text){pattern, strlen(pattern)}, out, NULL);
}

enum weir_status number_any(const struct dfa_maker *maker, const struct dfa **out)
{
    return from_pattern(maker, "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$", out);
}

enum weir_status number_integer(const struct dfa_maker *maker, const struct dfa **out)
{
    return from_pattern(maker, "^-?((0|[1-9][0-9]*)(\\.0+)?|[1-9][eE]\\+?[0-9]+)$", out);
}

enum weir_status number_not_integer(const struct dfa_maker *maker, const struct dfa **out)
{
    return from_pattern(maker, "^-?((0|[1-9][0-9]*)\\.[0-9]*[1-9][0-9]*|[1-9](\\.[0-9]+)?[eE]-0*[1-9][0-9]*)$", out);
}

enum phase {
    PHASE_START,
    PHASE_SIGN,
    PHASE_ZERO,    /* the integer part is 0 */
    PHASE_INTEGER, /* 1-9 and more digits */
    PHASE_POINT,
    PHASE_FRACTION,
    PHASE_E,
    PHASE_E_SIGN,
    PHASE_EXPONENT,
    PHASES
};

enum digits_order { DIGITS_EQUAL, DIGITS_LESS, DIGITS_GREATER };

/* All words, so that a state is a list for dfa_index. */
struct compare_state {
    uint32_t phase, negative;
    uint32_t nonzero;  /* a digit that is not 0 was read */
    uint32_t integer;  /* digits of the integer part, or the bound's and one more at most */
    uint32_t zeros;    /* after "0.", likewise */
    uint32_t position; /* digits equal to the bound's so far */
    uint32_t order;    /* enum digits_order; position is 0 unless DIGITS_EQUAL */
    uint32_t e_negative, e;
};
enum { STATE_WORDS = sizeof(struct compare_state) / sizeof(uint32_t) };

struct bound {
    struct json_decimal value;
    int64_t high;
    unsigned wanted;
};

static uint32_t at_most(uint32_t value, int64_t high)
{
    return (int64_t)value > high ? (uint32_t)high : value;
}

static int64_t positive(int64_t value)
{
    return value > 0 ? value : 0;
}

static void compare_digit(const struct bound *b, struct compare_state *s, uint32_t digit)
{
    if (s->order != DIGITS_EQUAL) return;
    uint32_t expected = s->position < b->value.count ? (uint32_t)(b->value.digits[s->position] - '0') : 0;
    if (digit != expected) {
        s->order = digit < expected ? DIGITS_LESS : DIGITS_GREATER;
        s->position = 0;
    } else if (s->position < b->value.count) {
        s->position++;
    }
}

static bool read_digit(const struct bound *b, struct compare_state *s, uint32_t digit)
{
    switch (s->phase) {
    case PHASE_START:
    case PHASE_SIGN:
        s->phase = digit ? PHASE_INTEGER : PHASE_ZERO;
        break;
    case PHASE_ZERO:
        return false;
    case PHASE_POINT:
        s->phase = PHASE_FRACTION;
        break;
    case PHASE_E:
    case PHASE_E_SIGN:
        s->phase = PHASE_EXPONENT;
        break;
    default:
        break;
    }
    if (s->phase == PHASE_EXPONENT) {
        int64_t high = b->high < 0 ? -b->high : b->high;
        s->e = at_most(s->e * 10 + digit, high + 2);
        return true;
    }
    if (s->phase == PHASE_INTEGER) s->integer = at_most(s->integer + 1, positive(b->high - 1) + 2);
    if (digit == 0 && !s->nonzero) {
        if (s->phase == PHASE_FRACTION) s->zeros = at_most(s->zeros + 1, positive(-b->high) + 1);
        return true;
    }
    s->nonzero = 1;
    compare_digit(b, s, digit);
    return true;
}

static bool read_sign(struct compare_state *s, bool negative)
{
    if (s->phase == PHASE_START && negative) {
        s->negative = 1;
        s->phase = PHASE_SIGN;
        return true;
    }
    if (s->phase != PHASE_E) return false;
    s->e_negative = negative;
    s->phase = PHASE_E_SIGN;
    return true;
}

static bool read_point(struct compare_state *s)
{
    if (s->phase != PHASE_ZERO && s->phase != PHASE_INTEGER) return false;
    s->phase = PHASE_POINT;
    return true;
}

static bool read_e(struct compare_state *s)
{
    if (s->integer != 1 || (s->phase != PHASE_INTEGER && s->phase != PHASE_FRACTION)) return false;
    s->phase = PHASE_E;
    return true;
}

static int magnitude_order(const struct bound *b, const struct compare_state *s)
{
    if (!s->nonzero) return b->value.count ? -1 : 0;
    if (!b->value.count) return 1;
    int64_t high = s->integer ? (int64_t)s->integer : -(int64_t)s->zeros;
    if (s->phase == PHASE_EXPONENT) high += s->e_negative ? -(int64_t)s->e : (int64_t)s->e;
    if (high != b->high) return high < b->high ? -1 : 1;
    if (s->order != DIGITS_EQUAL) return s->order == DIGITS_LESS ? -1 : 1;
    return s->position < b->value.count ? -1 : 0;
}

static uint32_t compare_label(const struct bound *b, const struct compare_state *s)
{
    bool complete =
        s->phase == PHASE_ZERO || s->phase == PHASE_INTEGER || s->phase == PHASE_FRACTION || s->phase == PHASE_EXPONENT;
    if (!complete) return 0;
    int order = magnitude_order(b, s);
    bool negative = s->negative && s->nonzero;
    if (negative != b->value.negative)
        order = !s->nonzero && !b->value.count ? 0 : negative ? -1 : 1;
    else if (negative)
        order = -order;
    unsigned found = order < 0 ? NUMBER_LESS : order > 0 ? NUMBER_GREATER : NUMBER_EQUAL;
    return (b->wanted & found) != 0;
}

/* The classes of number lexemes: the digits, then these. */
enum { CLASS_POINT = 10, CLASS_MINUS, CLASS_PLUS, CLASS_E, CLASS_OTHER, CLASSES };
static const struct dfa_range number_ranges[] = {
    {0, CLASS_OTHER},   {'+', CLASS_PLUS},  {',', CLASS_OTHER}, {'-', CLASS_MINUS}, {'.', CLASS_POINT},
    {'/', CLASS_OTHER}, {'0', 0},           {'1', 1},           {'2', 2},           {'3', 3},
    {'4', 4},           {'5', 5},           {'6', 6},           {'7', 7},           {'8', 8},
    {'9', 9},           {':', CLASS_OTHER}, {'E', CLASS_E},     {'F', CLASS_OTHER}, {'e', CLASS_E},
    {'f', CLASS_OTHER}};
enum { NUMBER_RANGES = sizeof number_ranges / sizeof number_ranges[0] };

static bool compare_step(const struct bound *b, struct compare_state *s, uint32_t class)
{
    switch (class) {
    case CLASS_POINT:
        return read_point(s);
    case CLASS_MINUS:
    case CLASS_PLUS:
        return read_sign(s, class == CLASS_MINUS);
    case CLASS_E:
        return read_e(s);
    case CLASS_OTHER:
        return false;
    default:
        return read_digit(b, s, class);
    }
}

static enum weir_status compare_state_number(const struct dfa_maker *maker, const struct bound *b,
                                             struct dfa_index *index, struct dfa_draft *draft,
                                             const struct compare_state *s, uint32_t *number)
{
    bool fresh;
    uint32_t list[STATE_WORDS];
    memcpy(list, s, sizeof list);
    enum weir_status status = dfa_index_add(index, maker->scratch, list, number, &fresh);
    if (status || !fresh) return status;
    status = dfa_draft_add(draft, maker->scratch, number);
    if (!status) draft->accept[*number] = compare_label(b, s);
    return status;
}

static enum weir_status compare_explore(const struct dfa_maker *maker, const struct bound *b, const struct dfa **out)
{
    struct dfa_draft draft = {.n_classes = CLASSES, .n_ranges = NUMBER_RANGES, .ranges = number_ranges};
    struct dfa_index index;
    struct compare_state start = {0};
    uint32_t number;
    enum weir_status status = dfa_index_open(&index, maker->scratch, STATE_WORDS);
    if (!status) status = compare_state_number(maker, b, &index, &draft, &start, &number);
    for (uint32_t i = 0; i < draft.n_states && !status; i++) {
        for (uint32_t class = 0; class < CLASSES && !status; class ++) {
            struct compare_state next;
            memcpy(&next, index.lists + (size_t)i * STATE_WORDS, sizeof next);
            if (!compare_step(b, &next, class)) continue;
            status = compare_state_number(maker, b, &index, &draft, &next, &number);
            if (!status) draft.next[(size_t)i * CLASSES + class] = number;
        }
    }
    return status ? status : dfa_finish(maker, &draft, out);
}

enum weir_status number_compare(const struct dfa_maker *maker, struct json_text bound, unsigned wanted,
                                const struct dfa **out)
{
    struct arena_mark mark = arena_mark(maker->scratch);
    struct bound b = {.wanted = wanted};
    enum weir_status status = json_decimal(maker->scratch, bound, &b.value);
    bool is_read = !status;
    if (is_read) status = WEIR_ERR_LIMIT;
    if (is_read && b.value.count <= NUMBER_DIGITS_MAX) {
        b.high = b.value.count ? b.value.exponent + (int64_t)b.value.count : 0;
        if (b.high <= NUMBER_EXPONENT_MAX && b.high >= -NUMBER_EXPONENT_MAX) status = compare_explore(maker, &b, out);
    }
    arena_wind_back(maker->scratch, mark);
    return status;
}

/* Multiples of modulus / 10^places: the digits with `places` of the fraction, read as one integer, modulo `modulus`. */
struct multiple {
    uint32_t modulus, places;
    bool wanted;
    bool any_power; /* every 10^n, n >= 0, is a multiple, and so is d * 10^n */
};

enum { MULTIPLE_MODULUS_MAX = 10000, MULTIPLE_PLACES_MAX = 40 };

static bool read_divisor(const struct json_decimal *value, struct multiple *out)
{
    uint64_t modulus = 0;
    if (value->negative || !value->count || value->count > 9) return false;
    for (size_t i = 0; i < value->count; i++) modulus = modulus * 10 + (uint64_t)(value->digits[i] - '0');
    for (int64_t e = 0; e < value->exponent; e++)
        if ((modulus *= 10) > MULTIPLE_MODULUS_MAX) return false;
    if (modulus > MULTIPLE_MODULUS_MAX || value->exponent < -MULTIPLE_PLACES_MAX) return false;
    out->modulus = (uint32_t)modulus;
    out->places = value->exponent < 0 ? (uint32_t)-value->exponent : 0;
    return true;
}

struct multiple_state {
    uint32_t phase, rest, places; /* places: digits of the fraction read, at most multiple.places */
    uint32_t beyond;              /* a digit that is not 0 came after them */
};
enum { MULTIPLE_WORDS = 4 };

static uint32_t multiple_label(const struct multiple *m, const struct multiple_state *s)
{
    bool complete = s->phase == PHASE_ZERO || s->phase == PHASE_INTEGER || s->phase == PHASE_FRACTION;
    if (s->phase == PHASE_EXPONENT) return m->wanted && m->any_power;
    if (!complete) return 0;
    uint64_t rest = s->rest;
    for (uint32_t i = s->places; i < m->places; i++) rest = rest * 10 % m->modulus;
    return (rest == 0 && !s->beyond) == m->wanted;
}

static bool multiple_digit(const struct multiple *m, struct multiple_state *s, uint32_t digit)
{
    if (s->phase == PHASE_ZERO) return false;
    if (s->phase == PHASE_START || s->phase == PHASE_SIGN) s->phase = digit ? PHASE_INTEGER : PHASE_ZERO;
    if (s->phase == PHASE_POINT) s->phase = PHASE_FRACTION;
    if (s->phase >= PHASE_E) {
        s->phase = PHASE_EXPONENT;
        return true;
    }
    if (s->phase == PHASE_FRACTION && s->places == m->places) {
        s->beyond |= digit != 0;
        return true;
    }
    s->rest = (s->rest * 10 + digit) % m->modulus;
    s->places += s->phase == PHASE_FRACTION;
    return true;
}

static bool multiple_step(const struct multiple *m, struct multiple_state *s, uint32_t class)
{
    if (class < 10) return multiple_digit(m, s, class);
    uint32_t before = s->phase;
    if (class == CLASS_MINUS && before == PHASE_START) s->phase = PHASE_SIGN;
    if (class == CLASS_POINT && (before == PHASE_ZERO || before == PHASE_INTEGER)) s->phase = PHASE_POINT;
    if (class == CLASS_E && before == PHASE_INTEGER && m->any_power && m->wanted) s->phase = PHASE_E;
    if (class == CLASS_PLUS && before == PHASE_E) s->phase = PHASE_E_SIGN;
    return s->phase != before;
}

static enum weir_status multiple_number(const struct dfa_maker *maker, const struct multiple *m,
                                        struct dfa_index *index, struct dfa_draft *draft,
                                        const struct multiple_state *s, uint32_t *number)
{
    bool fresh;
    uint32_t list[MULTIPLE_WORDS];
    memcpy(list, s, sizeof list);
    enum weir_status status = dfa_index_add(index, maker->scratch, list, number, &fresh);
    if (status || !fresh) return status;
    status = dfa_draft_add(draft, maker->scratch, number);
    if (!status) draft->accept[*number] = multiple_label(m, s);
    return status;
}

static enum weir_status multiple_explore(const struct dfa_maker *maker, const struct multiple *m,
                                         const struct dfa **out)
{
    struct dfa_draft draft = {.n_classes = CLASSES, .n_ranges = NUMBER_RANGES, .ranges = number_ranges};
    struct dfa_index index;
    struct multiple_state start = {0};
    uint32_t number;
    enum weir_status status = dfa_index_open(&index, maker->scratch, MULTIPLE_WORDS);
    if (!status) status = multiple_number(maker, m, &index, &draft, &start, &number);
    for (uint32_t i = 0; i < draft.n_states && !status; i++) {
        for (uint32_t class = 0; class < CLASSES && !status; class ++) {
            struct multiple_state next;
            memcpy(&next, index.lists + (size_t)i * MULTIPLE_WORDS, sizeof next);
            if (!multiple_step(m, &next, class)) continue;
            status = multiple_number(maker, m, &index, &draft, &next, &number);
            if (!status) draft.next[(size_t)i * CLASSES + class] = number;
        }
    }
    return status ? status : dfa_finish(maker, &draft, out);
}

enum weir_status number_multiple(const struct dfa_maker *maker, struct json_text divisor, bool wanted,
                                 const struct dfa **out)
{
    struct arena_mark mark = arena_mark(maker->scratch);
    struct json_decimal value;
    struct multiple m = {.wanted = wanted};
    enum weir_status status = json_decimal(maker->scratch, divisor, &value);
    bool is_read = !status;
    if (is_read) status = WEIR_ERR_LIMIT;
    if (is_read && read_divisor(&value, &m)) {
        uint64_t power = 1 % m.modulus; /* 10^places modulo the modulus: 0 when 1 is a multiple */
        for (uint32_t i = 0; i < m.places; i++) power = power * 10 % m.modulus;
        m.any_power = power == 0;
        status = multiple_explore(maker, &m, out);
    }
    arena_wind_back(maker->scratch, mark);
    return status;
}
