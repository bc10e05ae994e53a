#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Bytes of the control character at `text` that may steer a terminal: C0 but for tab and line feed, DEL, C1; 0: none. */
static size_t control_at(const char *text, size_t size)
{
    unsigned char c = (unsigned char)text[0];
    if (c == '\n' || c == '\t') return 0;
    if (c < 0x20 || c == 0x7F) return 1;
    return c == 0xC2 && size > 1 && (unsigned char)text[1] < 0xA0 ? 2 : 0;
}

bool text_show(FILE *out, struct weir_string text)
{
    if (!isatty(fileno(out))) return fwrite(text.data, 1, text.size, out) == text.size && fflush(out) == 0;
    for (size_t i = 0; i < text.size;) {
        size_t control = control_at(text.data + i, text.size - i);
        if (control)
            (void)fputs("\xEF\xBF\xBD", out);
        else
            (void)fputc(text.data[i], out);
        i += control ? control : 1;
    }
    return fflush(out) == 0;
}
