#include "engine/stops.h"

#include <string.h>

/* The longest stop string that text[0, end) ends with; `count` when there is none. */
static size_t ending_at(const struct stops *stops, const char *text, size_t end)
{
    size_t found = stops->count;
    for (size_t i = 0; i < stops->count; i++) {
        const struct weir_string *stop = &stops->stops[i];
        if (stop->size > end || memcmp(text + end - stop->size, stop->data, stop->size) != 0) continue;
        if (found == stops->count || stop->size > stops->stops[found].size) found = i;
    }
    return found;
}

/* Bytes at the end of the text that are the beginning of `stop`, not all of it. */
static size_t begun(const struct weir_string *stop, const char *text, size_t size)
{
    size_t n = stop->size - 1 < size ? stop->size - 1 : size;
    while (n && memcmp(text + size - n, stop->data, n) != 0) n--;
    return n;
}

bool stops_find(const struct stops *stops, const char *text, size_t old, size_t size, size_t *at, size_t *index)
{
    for (size_t end = old + 1; end <= size; end++) {
        size_t found = ending_at(stops, text, end);
        if (found == stops->count) continue;
        *at = end - stops->stops[found].size;
        *index = found;
        return true;
    }
    size_t held = 0;
    for (size_t i = 0; i < stops->count; i++) {
        size_t n = begun(&stops->stops[i], text, size);
        if (n > held) held = n;
    }
    *at = size - held;
    return false;
}
