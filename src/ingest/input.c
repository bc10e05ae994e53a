/* Opening an input, and what all formats share. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/error.h"
#include "base/memory.h"
#include "ingest/ingest_internal.h"

struct weir_input_options weir_input_options_default(void)
{
    return (struct weir_input_options){.text_field = "text", .id_field = "id", .label_field = "label"};
}

/* By enum weir_input_format. */
static const struct input_reader *const readers[] = {[WEIR_INPUT_JSONL] = &input_reader_jsonl,
                                                     [WEIR_INPUT_CSV] = &input_reader_csv,
                                                     [WEIR_INPUT_TEXT] = &input_reader_text};
enum { READERS = sizeof readers / sizeof readers[0] };

enum weir_status weir_input_format_parse(const char *name, enum weir_input_format *out, struct weir_error *error)
{
    for (size_t i = 1; i < READERS; i++) {
        if (strcmp(name, readers[i]->name) != 0) continue;
        *out = (enum weir_input_format)i;
        return WEIR_OK;
    }
    if (strcmp(name, "auto") != 0)
        return error_set(error, WEIR_ERR_INVALID, "unknown input format '%s' (auto, jsonl, csv or text)", name);
    *out = WEIR_INPUT_AUTO;
    return WEIR_OK;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t size = strlen(name), ending_size = strlen(ending);
    return size >= ending_size && strcasecmp(name + size - ending_size, ending) == 0;
}

static enum weir_status reader_find(const char *name, enum weir_input_format format, const struct input_reader **out,
                                    struct weir_error *error)
{
    if (format != WEIR_INPUT_AUTO) {
        if ((unsigned)format >= READERS) return error_set(error, WEIR_ERR_INVALID, "unknown input format");
        *out = readers[format];
        return WEIR_OK;
    }
    if (strcmp(name, "-") == 0) {
        *out = &input_reader_jsonl;
        return WEIR_OK;
    }
    for (size_t i = 1; i < READERS; i++) {
        for (const char *const *ending = readers[i]->endings; *ending; ending++) {
            if (!ends_with(name, *ending)) continue;
            *out = readers[i];
            return WEIR_OK;
        }
    }
    return error_set(error, WEIR_ERR_UNSUPPORTED,
                     "the name's ending tells no input format (.jsonl, .ndjson, .json, .csv or .txt); name the format");
}

static char *field_copy(const char *given, const char *standard)
{
    const char *name = given ? given : standard;
    return mem_text(name, strlen(name));
}

/* `lines` is taken over, also on failure. */
static enum weir_status input_open(struct line_reader lines, const struct input_reader *reader, const char *name,
                                   const struct weir_input_options *options, struct weir_input **out,
                                   struct weir_error *error)
{
    struct weir_input *input = mem_zero(1, sizeof *input);
    if (!input) {
        lines_close(&lines);
        return error_nomem(error, "input");
    }
    input->lines = lines;
    input->reader = reader;
    input->name = mem_text(name, strlen(name));
    input->text_field = field_copy(options->text_field, "text");
    input->id_field = field_copy(options->id_field, "id");
    input->label_field = field_copy(options->label_field, "label");
    enum weir_status status = WEIR_OK;
    if (!input->name || !input->text_field || !input->id_field || !input->label_field)
        status = error_nomem(error, "input");
    if (!status && reader->open) status = reader->open(input, error);
    if (status) {
        weir_input_close(&input);
        return status;
    }
    *out = input;
    return WEIR_OK;
}

static const char *shown_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

enum weir_status weir_input_open(const char *path, const struct weir_input_options *options, struct weir_input **out,
                                 struct weir_error *error)
{
    struct weir_input_options standard = weir_input_options_default();
    if (!options) options = &standard;
    const struct input_reader *reader = NULL;
    struct line_reader lines;
    enum weir_status status = reader_find(path, options->format, &reader, error);
    if (!status) status = lines_open(&lines, path, WEIR_INPUT_ROW_BYTES_MAX, error);
    if (!status) status = input_open(lines, reader, shown_name(path), options, out, error);
    return status ? error_prefix(error, status, "%s", shown_name(path)) : WEIR_OK;
}

enum weir_status weir_input_open_memory(const void *bytes, size_t size, const char *name,
                                        const struct weir_input_options *options, struct weir_input **out,
                                        struct weir_error *error)
{
    struct weir_input_options standard = weir_input_options_default();
    if (!options) options = &standard;
    const struct input_reader *reader = NULL;
    struct line_reader lines;
    enum weir_status status = reader_find(name, options->format, &reader, error);
    if (!status) status = lines_open_memory(&lines, bytes, size, WEIR_INPUT_ROW_BYTES_MAX, error);
    if (!status) status = input_open(lines, reader, shown_name(name), options, out, error);
    return status ? error_prefix(error, status, "%s", shown_name(name)) : WEIR_OK;
}

void weir_input_close(struct weir_input **input)
{
    if (!*input) return;
    struct weir_input *in = *input;
    if (in->reader->close) in->reader->close(in);
    lines_close(&in->lines);
    free(in->name);
    free(in->text_field);
    free(in->id_field);
    free(in->label_field);
    free(in);
    *input = NULL;
}

enum weir_status weir_input_next(struct weir_input *input, const struct weir_row **row, struct weir_error *error)
{
    bool found = false;
    enum weir_status status = input->reader->next(input, &found, error);
    if (status) return error_prefix(error, status, "%s", input->name);
    *row = found ? &input->row : NULL;
    return WEIR_OK;
}

void row_begin(struct weir_input *input, size_t line)
{
    int size = snprintf(input->line_id, sizeof input->line_id, "line:%zu", line);
    input->row = (struct weir_row){.line = line, .id = {input->line_id, (size_t)size}};
}

/* A reason may quote the row, and a quotation may begin or end inside a character: bytes that are not UTF-8 and control
 * characters become '?'. */
static void make_printable(char *text)
{
    utf8proc_uint8_t *at = (utf8proc_uint8_t *)text;
    while (*at) {
        utf8proc_int32_t code;
        utf8proc_ssize_t used = utf8proc_iterate(at, -1, &code);
        bool is_good = used > 0 && code >= 0x20 && (code < 0x7F || code >= 0xA0);
        size_t size = used > 0 ? (size_t)used : 1;
        if (!is_good) memset(at, '?', size);
        at += size;
    }
}

void row_fail(struct weir_input *input, enum weir_status status, const char *format, ...)
{
    struct weir_row *row = &input->row;
    row->status = status;
    row->text = row->label = (struct weir_string){0};
    row->label_is_list = false;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(row->error, sizeof row->error, format, args);
    va_end(args);
    if (size >= (int)sizeof row->error) { /* cut: drop the last character, which may be a part of one */
        size_t end = sizeof row->error - 1;
        while (end && ((unsigned char)row->error[end - 1] & 0xC0) == 0x80) end--;
        row->error[end ? end - 1 : 0] = 0;
    }
    make_printable(row->error);
}

const char *text_problem(const char *text, size_t size)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    const utf8proc_uint8_t *end = at + size;
    while (at < end) {
        if (*at == 0) return "contains a NUL byte";
        if (*at < 0x80) {
            at++;
            continue;
        }
        utf8proc_int32_t code;
        utf8proc_ssize_t used = utf8proc_iterate(at, end - at, &code);
        if (used <= 0) return "is not UTF-8";
        at += used;
    }
    return NULL;
}

bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
    }
    return true;
}

size_t without_cr(const char *text, size_t size)
{
    return size && text[size - 1] == '\r' ? size - 1 : size;
}
