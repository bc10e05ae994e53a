/* YAML with positions: bytes to a document, and a document's nodes to typed fields.
 *
 * libyaml is used directly, not libcyaml: the structs that libcyaml fills carry no positions, while an error here must name
 * line and column also for what YAML itself finds nothing wrong with.
 * A first pass over libyaml's events bounds depth and count and refuses anchors, aliases, tags and further documents, so
 * that the document built by the second pass is a plain tree no larger than the text. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "task/task_internal.h"

static enum weir_status fail_at(struct task_reader *r, yaml_mark_t mark, enum weir_status status, const char *format,
                                ...) __attribute__((format(printf, 4, 5)));

static enum weir_status fail_at_va(struct task_reader *r, yaml_mark_t mark, enum weir_status status, const char *format,
                                   va_list args) __attribute__((format(printf, 4, 0)));

static enum weir_status fail_at_va(struct task_reader *r, yaml_mark_t mark, enum weir_status status, const char *format,
                                   va_list args)
{
    char text[WEIR_ERROR_TEXT_MAX];
    (void)vsnprintf(text, sizeof text, format, args);
    return error_set(r->error, status, "%s:%zu:%zu: %s", r->file, mark.line + 1, mark.column + 1, text);
}

static enum weir_status fail_at(struct task_reader *r, yaml_mark_t mark, enum weir_status status, const char *format,
                                ...)
{
    va_list args;
    va_start(args, format);
    status = fail_at_va(r, mark, status, format, args);
    va_end(args);
    return status;
}

enum weir_status task_fail(struct task_reader *r, const yaml_node_t *node, enum weir_status status, const char *format,
                           ...)
{
    va_list args;
    va_start(args, format);
    status = fail_at_va(r, node->start_mark, status, format, args);
    va_end(args);
    return status;
}

/* Where a byte offset lies, for the reader errors that libyaml reports by offset. */
static yaml_mark_t mark_of_offset(const char *text, size_t size, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < size; i++) {
        mark.column = text[i] == '\n' ? 0 : mark.column + 1;
        mark.line += text[i] == '\n';
    }
    return mark;
}

static enum weir_status fail_syntax(struct task_reader *r, const yaml_parser_t *parser, const char *text, size_t size)
{
    if (parser->error == YAML_MEMORY_ERROR ||
        parser->error == YAML_NO_ERROR) /* libyaml does not name every lack of memory */
        return error_nomem(r->error, "YAML parser");
    const char *problem = parser->problem ? parser->problem : "not valid YAML";
    if (parser->error == YAML_READER_ERROR)
        return fail_at(r, mark_of_offset(text, size, parser->problem_offset), WEIR_ERR_FORMAT, "%s", problem);
    return fail_at(r, parser->problem_mark, WEIR_ERR_FORMAT, "%s%s%s", parser->context ? parser->context : "",
                   parser->context ? ": " : "", problem);
}

/* What the first pass has seen. */
struct scan {
    size_t nodes, depth, documents;
};

static enum weir_status scan_node(struct task_reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
                                  const yaml_char_t *tag, struct scan *scan)
{
    if (anchor)
        return fail_at(r, event->start_mark, WEIR_ERR_UNSUPPORTED, "anchors (&%.40s) are not supported", anchor);
    if (tag) return fail_at(r, event->start_mark, WEIR_ERR_UNSUPPORTED, "tags (%.40s) are not supported", tag);
    if (++scan->nodes > WEIR_TASK_NODES_MAX)
        return fail_at(r, event->start_mark, WEIR_ERR_LIMIT, "more than %d values", WEIR_TASK_NODES_MAX);
    return WEIR_OK;
}

static enum weir_status scan_open(struct task_reader *r, const yaml_event_t *event, struct scan *scan)
{
    if (++scan->depth > WEIR_TASK_DEPTH_MAX)
        return fail_at(r, event->start_mark, WEIR_ERR_LIMIT, "nested deeper than %d levels", WEIR_TASK_DEPTH_MAX);
    return WEIR_OK;
}

static enum weir_status scan_event(struct task_reader *r, const yaml_event_t *event, struct scan *scan)
{
    enum weir_status status;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++scan->documents > 1)
            return fail_at(r, event->start_mark, WEIR_ERR_FORMAT, "a second YAML document; a task file holds one");
        return WEIR_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(r, event->start_mark, WEIR_ERR_UNSUPPORTED, "aliases (*%.40s) are not supported",
                       event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        return scan_node(r, event, event->data.scalar.anchor, event->data.scalar.tag, scan);
    case YAML_SEQUENCE_START_EVENT:
        status = scan_node(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag, scan);
        return status ? status : scan_open(r, event, scan);
    case YAML_MAPPING_START_EVENT:
        status = scan_node(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag, scan);
        return status ? status : scan_open(r, event, scan);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        scan->depth--;
        return WEIR_OK;
    default:
        return WEIR_OK;
    }
}

static enum weir_status scan_text(struct task_reader *r, const char *text, size_t size)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return error_nomem(r->error, "YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    struct scan scan = {0};
    enum weir_status status = WEIR_OK;
    for (bool more = true; more && !status;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = fail_syntax(r, &parser, text, size);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = scan_event(r, &event, &scan);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (!status && scan.documents == 0)
        status = error_set(r->error, WEIR_ERR_FORMAT, "%s:1:1: the file is empty", r->file);
    return status;
}

enum weir_status task_yaml_load(struct task_reader *r, const char *text, size_t size)
{
    enum weir_status status = scan_text(r, text, size);
    if (status) return status;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return error_nomem(r->error, "YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (!yaml_parser_load(&parser, &r->document)) status = fail_syntax(r, &parser, text, size);
    yaml_parser_delete(&parser);
    return status;
}

const yaml_node_t *task_node_item(struct task_reader *r, const yaml_node_t *list, size_t index)
{
    return yaml_document_get_node(&r->document, list->data.sequence.items.start[index]);
}

const yaml_node_t *task_node_key(struct task_reader *r, const yaml_node_t *mapping, size_t index)
{
    return yaml_document_get_node(&r->document, mapping->data.mapping.pairs.start[index].key);
}

const yaml_node_t *task_node_value(struct task_reader *r, const yaml_node_t *mapping, size_t index)
{
    return yaml_document_get_node(&r->document, mapping->data.mapping.pairs.start[index].value);
}

static bool is_plain(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* YAML 1.2 core schema: nothing, ~, null, Null, NULL; quoted text is never null. */
bool task_node_is_null(const yaml_node_t *node)
{
    if (!is_plain(node)) return false;
    const char *text = task_node_scalar(node);
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
           strcmp(text, "NULL") == 0;
}

const char *task_node_kind(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE) return "a mapping";
    if (node->type == YAML_SEQUENCE_NODE) return "a list";
    return task_node_is_null(node) ? "nothing" : "text";
}

enum weir_status task_read_text(struct task_reader *r, const yaml_node_t *node, const char *key, const char **out)
{
    if (node->type != YAML_SCALAR_NODE || task_node_is_null(node))
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be text, not %s", key, task_node_kind(node));
    size_t size = node->data.scalar.length;
    if (size > WEIR_TASK_TEXT_BYTES_MAX)
        return task_fail(r, node, WEIR_ERR_LIMIT, "`%s` has %zu bytes, at most %d are allowed", key, size,
                         WEIR_TASK_TEXT_BYTES_MAX);
    if (memchr(task_node_scalar(node), 0, size))
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` holds a NUL character", key);
    *out = task_text(r->task, task_node_scalar(node), size);
    return *out ? WEIR_OK : error_nomem(r->error, "task text");
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return true;
    return false;
}

enum weir_status task_read_name(struct task_reader *r, const yaml_node_t *node, const char *key, const char **out)
{
    const char *text = "";
    enum weir_status status = task_read_text(r, node, key, &text);
    if (status) return status;
    size_t size = strlen(text);
    if (size == 0) return task_fail(r, node, WEIR_ERR_FORMAT, "%s: a name must not be empty", key);
    if (size > WEIR_TASK_NAME_BYTES_MAX)
        return task_fail(r, node, WEIR_ERR_LIMIT, "%s: a name has at most %d bytes, this one %zu", key,
                         WEIR_TASK_NAME_BYTES_MAX, size);
    if (has_control(text))
        return task_fail(r, node, WEIR_ERR_FORMAT, "%s: a name must not hold control characters", key);
    if (text[0] == ' ' || text[size - 1] == ' ')
        return task_fail(r, node, WEIR_ERR_FORMAT, "%s: a name must not begin or end with a space", key);
    *out = text;
    return WEIR_OK;
}

/* "a, b, c" into `list`, cut with "..." where it does not fit. */
static void join_words(char *list, size_t size, const char *const *words)
{
    size_t at = 0;
    list[0] = 0;
    for (; *words; words++) {
        int used = snprintf(list + at, size - at, "%s%s", at ? ", " : "", *words);
        if (used < 0 || (size_t)used >= size - at) return;
        at += (size_t)used;
    }
}

enum weir_status task_read_word(struct task_reader *r, const yaml_node_t *node, const char *key,
                                const char *const *words, unsigned *out)
{
    char list[256];
    join_words(list, sizeof list, words);
    if (node->type != YAML_SCALAR_NODE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be one of %s, not %s", key, list, task_node_kind(node));
    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(task_node_scalar(node), words[i]) == 0) {
            *out = i;
            return WEIR_OK;
        }
    }
    return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be one of %s, not `%.40s`", key, list,
                     task_node_scalar(node));
}

static enum weir_status read_bool(struct task_reader *r, const yaml_node_t *node, const char *key, bool *out)
{
    bool is_true = is_plain(node) && strcasecmp(task_node_scalar(node), "true") == 0;
    if (!is_true && !(is_plain(node) && strcasecmp(task_node_scalar(node), "false") == 0))
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be true or false", key);
    *out = is_true;
    return WEIR_OK;
}

static enum weir_status read_count(struct task_reader *r, const yaml_node_t *node, const char *key, uint32_t *out)
{
    const char *text = is_plain(node) ? task_node_scalar(node) : "";
    uint64_t value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9' && n < 11; n++) value = value * 10 + (uint64_t)(text[n] - '0');
    if (n == 0 || text[n] || value < 1 || value > INT32_MAX)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be a whole number from 1 to %d", key, INT32_MAX);
    *out = (uint32_t)value;
    return WEIR_OK;
}

/* A decimal number such as 0.05 or 5e-2; strtod in the C locale's syntax, without its hexadecimals, infinities and NaN. */
static bool parse_number(const char *text, double *out)
{
    size_t used = strspn(text, "0123456789+-.eE");
    if (!used || text[used] || strchr(text, ' ')) return false;
    char *end;
    double value = strtod(text, &end);
    if (*end || !isfinite(value)) return false;
    *out = value;
    return true;
}

static enum weir_status read_fraction(struct task_reader *r, const yaml_node_t *node, const char *key,
                                      bool ends_allowed, double *out)
{
    double value = 0.0;
    bool ok = is_plain(node) && parse_number(task_node_scalar(node), &value);
    ok = ok && (ends_allowed ? value >= 0.0 && value <= 1.0 : value > 0.0 && value < 1.0);
    if (!ok)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be a number %s", key,
                         ends_allowed ? "from 0 to 1" : "above 0 and below 1");
    *out = value;
    return WEIR_OK;
}

static enum weir_status read_usd(struct task_reader *r, const yaml_node_t *node, const char *key, int64_t *out)
{
    const char *text = is_plain(node) ? task_node_scalar(node) : "";
    int64_t whole = 0, micro = 0;
    size_t digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 10; text++, digits++) whole = whole * 10 + (*text - '0');
    if (digits && *text == '.') {
        int64_t unit = 100000;
        for (text++; *text >= '0' && *text <= '9' && unit > 0; text++, unit /= 10) micro += (*text - '0') * unit;
    }
    if (!digits || *text)
        return task_fail(r, node, WEIR_ERR_FORMAT,
                         "`%s` must be an amount in dollars below 10^10 with at most six decimals, such as 5.00", key);
    *out = whole * 1000000 + micro;
    return WEIR_OK;
}

enum weir_status task_read_field(struct task_reader *r, const yaml_node_t *node, const struct task_key *key,
                                 void *target)
{
    void *field = (char *)target + key->offset;
    switch (key->kind) {
    case TASK_NODE:
        *(const yaml_node_t **)field = node;
        return WEIR_OK;
    case TASK_TEXT:
        return task_read_text(r, node, key->name, field);
    case TASK_NAME:
        return task_read_name(r, node, key->name, field);
    case TASK_BOOL:
        return read_bool(r, node, key->name, field);
    case TASK_COUNT:
        return read_count(r, node, key->name, field);
    case TASK_FRACTION:
        return read_fraction(r, node, key->name, false, field);
    case TASK_SHARE:
        return read_fraction(r, node, key->name, true, field);
    case TASK_USD:
        return read_usd(r, node, key->name, field);
    case TASK_WORD:
        break;
    }
    return task_read_word(r, node, key->name, key->words, field); /* an enum without negative values is an unsigned */
}

static enum weir_status fail_unknown_key(struct task_reader *r, const yaml_node_t *key, const char *what,
                                         const struct task_key *keys, size_t n_keys)
{
    const char *names[32] = {0};
    for (size_t i = 0; i < n_keys && i < 31; i++) names[i] = keys[i].name;
    char list[256];
    join_words(list, sizeof list, names);
    return task_fail(r, key, WEIR_ERR_FORMAT, "unknown key `%.60s` in %s (expected %s)", task_node_scalar(key), what,
                     list);
}

enum weir_status task_read_mapping(struct task_reader *r, const yaml_node_t *node, const char *what,
                                   const struct task_key *keys, size_t n_keys, void *target)
{
    if (node->type != YAML_MAPPING_NODE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "%s must be a mapping, not %s", what, task_node_kind(node));
    uint64_t seen = 0;
    for (size_t i = 0; i < task_node_pairs(node); i++) {
        const yaml_node_t *key = task_node_key(r, node, i);
        if (key->type != YAML_SCALAR_NODE)
            return task_fail(r, key, WEIR_ERR_FORMAT, "a key of %s must be text, not %s", what, task_node_kind(key));
        size_t k = 0;
        while (k < n_keys && strcmp(keys[k].name, task_node_scalar(key)) != 0) k++;
        if (k == n_keys) return fail_unknown_key(r, key, what, keys, n_keys);
        if (seen >> k & 1) return task_fail(r, key, WEIR_ERR_FORMAT, "key `%s` stands twice in %s", keys[k].name, what);
        seen |= (uint64_t)1 << k;
        enum weir_status status = task_read_field(r, task_node_value(r, node, i), &keys[k], target);
        if (status) return status;
    }
    return WEIR_OK;
}
