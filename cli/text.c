#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *text_json(struct weir_string text)
{
    json_t *json = json_stringn(text.size ? text.data : "", text.size);
    if (json) return json;
    char *copy = malloc(3 * text.size + 1);
    size_t size = 0;
    for (size_t i = 0; copy && i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x80) {
            copy[size++] = text.data[i];
        } else {
            memcpy(copy + size, "\xEF\xBF\xBD", 3); /* NOLINT(bugprone-not-null-terminated-result): the NUL follows */
            size += 3;
        }
    }
    if (copy) json = json_stringn(copy, size);
    free(copy);
    return json;
}

const char *text_bytes(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++) bytes /= 1000;
    (void)snprintf(out, size, unit && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return out;
}

const char *text_cell(struct weir_string text, size_t bytes_max, char *out, size_t size)
{
    size_t limit = bytes_max < size - 4 ? bytes_max : size - 4;
    bool is_cut = text.size > limit;
    size_t used = is_cut ? limit : text.size;
    while (is_cut && used && ((unsigned char)text.data[used] & 0xC0) == 0x80) used--; /* not inside a character */
    for (size_t i = 0; i < used; i++) {
        char c = text.data[i];
        out[i] = c == '\n' || c == '\r' || c == '\t' || c == 0 ? ' ' : c;
    }
    memcpy(out + used, is_cut ? "..." : "", is_cut ? 4 : 1);
    return out;
}
