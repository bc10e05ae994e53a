#include "decide/span.h"

#include <string.h>
#include <utf8proc.h>

/* Letters, marks and digits: what a word goes on with. */
static bool is_of_word(utf8proc_int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NO;
}

static bool begins_in_word(struct weir_string text, size_t at)
{
    utf8proc_int32_t code = -1;
    if (at == text.size) return false;
    (void)utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)(text.size - at), &code);
    return code >= 0 && is_of_word(code);
}

static bool ends_in_word(struct weir_string text, size_t at)
{
    if (at == 0) return false;
    do at--;
    while (at && ((unsigned char)text.data[at] & 0xC0) == 0x80);
    return begins_in_word(text, at);
}

/* No word runs across `at`. */
static bool is_border(struct weir_string text, size_t at)
{
    return !(ends_in_word(text, at) && begins_in_word(text, at));
}

static bool is_digit(struct weir_string text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

static bool is_point(struct weir_string text, size_t at)
{
    return at < text.size && (text.data[at] == '.' || text.data[at] == ',');
}

/* The digits at [begin, end) are not part of a longer number: 5 is not in 1.5, 5,000 or -5, but in 2-5. */
static bool is_whole_number(struct weir_string text, size_t begin, size_t end)
{
    if (is_point(text, end) && is_digit(text, end + 1)) return false;
    if (begin >= 2 && is_point(text, begin - 1) && is_digit(text, begin - 2)) return false;
    return !(begin && text.data[begin - 1] == '-' && text.data[begin] != '-' && !ends_in_word(text, begin - 1));
}

static bool stands_alone(struct weir_string text, size_t begin, size_t end, bool is_number)
{
    return is_border(text, begin) && is_border(text, end) && (!is_number || is_whole_number(text, begin, end));
}

bool span_find(struct weir_string text, struct weir_string copy, bool is_number, size_t *begin, size_t *end)
{
    bool is_found = false;
    for (size_t from = 0; from < text.size;) {
        const char *at = memmem(text.data + from, text.size - from, copy.data, copy.size);
        if (!at) break;
        size_t first = (size_t)(at - text.data), last = first + copy.size;
        bool is_word = stands_alone(text, first, last, is_number);
        if (is_word || (!is_found && !is_number)) {
            *begin = first;
            *end = last;
            is_found = true;
        }
        if (is_word) break;
        from = first + 1;
    }
    return is_found;
}
