#include "decide/split.h"

#include <stdbool.h>
#include <string.h>

typedef bool border(struct weir_string text, size_t at);

static bool after(struct weir_string text, size_t at, const char *ending)
{
    size_t size = strlen(ending);
    return at >= size && memcmp(text.data + at - size, ending, size) == 0;
}

static bool is_paragraph(struct weir_string text, size_t at)
{
    return after(text, at, "\n\n") || after(text, at, "\n\r\n");
}

static bool is_line(struct weir_string text, size_t at)
{
    return after(text, at, "\n");
}

static bool is_sentence(struct weir_string text, size_t at)
{
    return after(text, at, ". ") || after(text, at, "! ") || after(text, at, "? ") || after(text, at, "\xE3\x80\x82");
}

static bool is_word(struct weir_string text, size_t at)
{
    return after(text, at, " ") || after(text, at, "\t");
}

static bool is_character(struct weir_string text, size_t at)
{
    return ((unsigned char)text.data[at] & 0xC0) != 0x80;
}

/* The border nearest to the middle within `reach` of it; 0: none. */
static size_t nearest(struct weir_string text, size_t reach, border *is_border)
{
    size_t middle = text.size / 2;
    for (size_t d = 0; d <= reach; d++) {
        if (middle > d && is_border(text, middle - d)) return middle - d;
        if (middle + d < text.size && is_border(text, middle + d)) return middle + d;
    }
    return 0;
}

size_t split_point(struct weir_string text)
{
    static border *const borders[] = {is_paragraph, is_line, is_sentence, is_word};
    for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
        size_t at = nearest(text, text.size / 4, borders[i]);
        if (at && is_character(text, at)) return at;
    }
    return nearest(text, text.size, is_character);
}
