/* Sets of code points in patterns. */
#include <stdlib.h>
#include <string.h>

#include "constrain/regex_internal.h"
#include "tokenizer/unicode.h"

enum weir_status charset_add(struct charset *set, struct arena *arena, uint32_t first, uint32_t last)
{
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 4;
        uint32_t(*ranges)[2] = arena_zero(arena, capacity, sizeof *ranges);
        if (!ranges) return WEIR_ERR_NOMEM;
        if (set->count) memcpy(ranges, set->ranges, set->count * sizeof *ranges);
        set->ranges = ranges;
        set->capacity = capacity;
    }
    set->ranges[set->count][0] = first;
    set->ranges[set->count++][1] = last;
    return WEIR_OK;
}

enum weir_status charset_add_all(struct charset *set, struct arena *arena, const struct charset *other)
{
    enum weir_status status = WEIR_OK;
    for (uint32_t i = 0; i < other->count && !status; i++)
        status = charset_add(set, arena, other->ranges[i][0], other->ranges[i][1]);
    return status;
}

static int compare_ranges(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void charset_normalise(struct charset *set)
{
    if (set->count == 0) return;
    qsort(set->ranges, set->count, sizeof *set->ranges, compare_ranges);
    uint32_t used = 1;
    for (uint32_t i = 1; i < set->count; i++) {
        uint32_t *last = &set->ranges[used - 1][1];
        if (set->ranges[i][0] <= *last + 1) {
            if (set->ranges[i][1] > *last) *last = set->ranges[i][1];
            continue;
        }
        set->ranges[used][0] = set->ranges[i][0];
        set->ranges[used++][1] = set->ranges[i][1];
    }
    set->count = used;
}

enum weir_status charset_negate(struct charset *set, struct arena *arena)
{
    struct charset negated = {0};
    uint32_t next = 0;
    charset_normalise(set);
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->ranges[i][0] > next) {
            enum weir_status status = charset_add(&negated, arena, next, set->ranges[i][0] - 1);
            if (status) return status;
        }
        next = set->ranges[i][1] + 1;
    }
    if (next < DFA_CODE_END) {
        enum weir_status status = charset_add(&negated, arena, next, DFA_CODE_END - 1);
        if (status) return status;
    }
    *set = negated;
    return WEIR_OK;
}

static const uint32_t digits[][2] = {{'0', '9'}};
static const uint32_t words[][2] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
/* WhiteSpace and LineTerminator of ECMA-262: 12.2, 12.3 */
static const uint32_t spaces[][2] = {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
                                     {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                     {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
static const uint32_t line_ends[][2] = {{0x0A, 0x0A}, {0x0D, 0x0D}, {0x2028, 0x2029}};

static const struct {
    char letter, negated;
    uint32_t count;
    const uint32_t (*ranges)[2];
} escapes[] = {{'d', 'D', 1, digits},
               {'w', 'W', 4, words},
               {'s', 'S', sizeof spaces / sizeof spaces[0], spaces},
               {'\n', '.', sizeof line_ends / sizeof line_ends[0], line_ends}};

enum weir_status charset_add_escape(struct charset *set, struct arena *arena, char escape)
{
    struct charset own = {0};
    enum weir_status status = WEIR_ERR_UNSUPPORTED;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (escape != escapes[i].letter && escape != escapes[i].negated) continue;
        status = WEIR_OK;
        for (uint32_t k = 0; k < escapes[i].count && !status; k++)
            status = charset_add(&own, arena, escapes[i].ranges[k][0], escapes[i].ranges[k][1]);
        if (!status && escape == escapes[i].negated) status = charset_negate(&own, arena);
    }
    return status ? status : charset_add_all(set, arena, &own);
}

/* Classes of the tokenizer's table that make up a property; the table knows no finer ones. */
static const struct {
    const char *name;
    unsigned classes; /* bits 1 << enum unicode_class */
} properties[] = {
    {"L", 0x3E},
    {"Letter", 0x3E},
    {"Lu", 0x02},
    {"Uppercase_Letter", 0x02},
    {"Ll", 0x04},
    {"Lt", 0x08},
    {"Lowercase_Letter", 0x04},
    {"Lm", 0x10},
    {"Modifier_Letter", 0x10},
    {"Lo", 0x20},
    {"M", 0x40},
    {"Other_Letter", 0x20},
    {"Mark", 0x40},
    {"N", 0x80},
    {"Number", 0x80},
    {"Titlecase_Letter", 0x08},
    {"White_Space", 0x100},
};

static enum weir_status add_classes(struct charset *set, struct arena *arena, unsigned classes)
{
    enum { LAST_LISTED = 0xE01F0 };
    for (uint32_t code = 0; code < LAST_LISTED; code++) {
        uint32_t first = code;
        while (code < LAST_LISTED && (classes >> unicode_class_of(code) & 1)) code++;
        if (code == first) continue;
        enum weir_status status = charset_add(set, arena, first, code - 1);
        if (status) return status;
    }
    return WEIR_OK;
}

enum weir_status charset_add_property(struct charset *set, struct arena *arena, struct json_text name)
{
    static const char *const prefixes[] = {"General_Category=", "gc=", ""};
    for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
        size_t skip = strlen(prefixes[p]);
        if (name.size < skip || memcmp(name.data, prefixes[p], skip) != 0) continue;
        struct json_text rest = {name.data + skip, name.size - skip};
        for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
            if (json_text_is(rest, properties[i].name)) return add_classes(set, arena, properties[i].classes);
    }
    return WEIR_ERR_UNSUPPORTED;
}
