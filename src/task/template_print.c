/* Values as text: Python's str() and repr(), and json.dumps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "task/template_internal.h"

struct printer {
    struct tpl_run *r;
    struct tpl_builder b;
    const struct tpl_json_options *json; /* NULL: repr */
    unsigned level;
};

static enum weir_status add(struct printer *p, const char *text, enum tpl_origin origin)
{
    return tpl_add_bytes(&p->b, text, strlen(text), origin) ? WEIR_OK : tpl_nomem(p->r);
}

static enum weir_status add_text(struct printer *p, struct tpl_text text)
{
    return tpl_add(&p->b, text) ? WEIR_OK : tpl_nomem(p->r);
}

/* repr(float): the shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on. */
static void format_float(double value, char out[40])
{
    char digits[40];
    int precision = 1;
    if (!isfinite(value)) {
        (void)snprintf(out, 40, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (; precision < 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*e", precision - 1, value);
        if (strtod(digits, NULL) == value) break;
    }
    (void)snprintf(digits, sizeof digits, "%.*e", precision - 1, value);
    const char *e = strchr(digits, 'e');
    int exponent = e ? (int)strtol(e + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < 16)
        (void)snprintf(out, 40, "%.*f", precision - 1 - exponent > 1 ? precision - 1 - exponent : 1, value);
    else
        (void)snprintf(out, 40, "%.*s%s", (int)(e - digits), digits,
                       e); /* Python pads the exponent to two digits too */
}

/* str.isprintable for what repr shows as it is. */
static bool is_printable(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return code == ' ';
    default:
        return true;
    }
}

static enum tpl_origin origin_at(struct tpl_text text, size_t at)
{
    return (enum tpl_origin)(text.origins ? text.origins[at] : text.origin);
}

static enum weir_status repr_char(struct printer *p, struct tpl_text text, size_t at, size_t size, char quote)
{
    uint32_t code = tpl_char_at(text.data + at, size);
    char escape[16];
    if (code == '\n' || code == '\t' || code == '\r')
        (void)snprintf(escape, sizeof escape, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    else if (code == '\\' || code == (unsigned char)quote)
        (void)snprintf(escape, sizeof escape, "\\%c", (char)code);
    else if (is_printable(code))
        return add_text(p, tpl_text_part(text, at, at + size));
    else
        (void)snprintf(escape, sizeof escape, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
    return add(p, escape, origin_at(text, at));
}

static enum weir_status repr_string(struct printer *p, struct tpl_text text)
{
    bool single = text.size && memchr(text.data, '\'', text.size), dbl = text.size && memchr(text.data, '"', text.size);
    const char *quote = single && !dbl ? "\"" : "'";
    struct tpl_value value = tpl_string(text);
    enum weir_status status = tpl_check_plain(p->r, &value, "repr");
    if (!status) status = add(p, quote, TPL_DATA);
    for (size_t i = 0, size; !status && i < text.size; i += size) {
        size = tpl_char_size(text.data + i, text.size - i);
        status = repr_char(p, text, i, size, *quote);
    }
    return status ? status : add(p, quote, TPL_DATA);
}

static enum weir_status print_json_char(struct printer *p, struct tpl_text text, size_t at, size_t size)
{
    static const char plain[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    uint32_t code = tpl_char_at(text.data + at, size);
    const char *found = code && code < 0x80 ? strchr(plain, (int)code) : NULL;
    char escape[16];
    if (found)
        (void)snprintf(escape, sizeof escape, "\\%c", letters[found - plain]);
    else if (code < 0x20 || (code >= 0x7f && code < 0x10000 && p->json->ensure_ascii && code != 0x7f))
        (void)snprintf(escape, sizeof escape, "\\u%04x", code);
    else if (code >= 0x10000 && p->json->ensure_ascii)
        (void)snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
    else
        return add_text(p, tpl_text_part(text, at, at + size));
    return add(p, escape, origin_at(text, at));
}

static enum weir_status print_json_string(struct printer *p, struct tpl_text text)
{
    enum weir_status status = add(p, "\"", TPL_DATA);
    for (size_t i = 0, size; !status && i < text.size; i += size) {
        size = tpl_char_size(text.data + i, text.size - i);
        status = print_json_char(p, text, i, size);
    }
    return status ? status : add(p, "\"", TPL_DATA);
}

static enum weir_status print_value(struct printer *p, const struct tpl_value *value);

/* A line feed and the indentation of the level, when there is one. */
static enum weir_status new_line(struct printer *p)
{
    if (!p->json || !p->json->indent.data) return WEIR_OK;
    enum weir_status status = add(p, "\n", TPL_DATA);
    for (unsigned i = 0; !status && i < p->level; i++) status = add_text(p, p->json->indent);
    return status;
}

static enum weir_status separator(struct printer *p, size_t index)
{
    if (index == 0) return new_line(p);
    enum weir_status status = p->json ? add_text(p, p->json->item_separator) : add(p, ", ", TPL_DATA);
    return status ? status : new_line(p);
}

static enum weir_status print_list(struct printer *p, const struct tpl_list *list, bool is_tuple)
{
    bool brackets = p->json || !is_tuple;
    enum weir_status status = add(p, brackets ? "[" : "(", TPL_DATA);
    p->level++;
    for (size_t i = 0; !status && i < list->count; i++) {
        status = separator(p, i);
        if (!status) status = print_value(p, &list->items[i]);
    }
    p->level--;
    if (!status && list->count) status = new_line(p);
    if (!status && !brackets && list->count == 1) status = add(p, ",", TPL_DATA);
    return status ? status : add(p, brackets ? "]" : ")", TPL_DATA);
}

/* The order in which the keys are written: of insertion, or sorted. */
static enum weir_status key_order(struct printer *p, const struct tpl_dict *dict, size_t **out)
{
    size_t *order = tpl_alloc(&p->r->arena, dict->count, sizeof *order);
    if (!order) return tpl_nomem(p->r);
    enum weir_status status = tpl_step(p->r, dict->count);
    for (size_t i = 0; !status && i < dict->count; i++) {
        size_t at = i;
        for (bool less = true; p->json && p->json->sort_keys && at > 0; at--) {
            status = tpl_step(p->r, 0);
            if (!status) status = tpl_less(p->r, &dict->keys[i], &dict->keys[order[at - 1]], &less);
            if (status || !less) break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    *out = order;
    return status;
}

static enum weir_status print_key(struct printer *p, const struct tpl_value *key)
{
    if (!p->json || key->type == TPL_STRING) return print_value(p, key);
    if (key->type != TPL_INT && key->type != TPL_BOOL && key->type != TPL_NONE && key->type != TPL_FLOAT)
        return tpl_fail(p->r, WEIR_ERR_INVALID, "keys must be str, int, float, bool or None, not %s",
                        tpl_type_name(key));
    enum weir_status status = add(p, "\"", TPL_DATA);
    if (!status) status = print_value(p, key);
    return status ? status : add(p, "\"", TPL_DATA);
}

static enum weir_status print_dict(struct printer *p, const struct tpl_dict *dict)
{
    size_t *order = NULL;
    enum weir_status status = key_order(p, dict, &order);
    if (!status) status = add(p, "{", TPL_DATA);
    p->level++;
    for (size_t i = 0; !status && i < dict->count; i++) {
        status = separator(p, i);
        if (!status) status = print_key(p, &dict->keys[order[i]]);
        if (!status) status = p->json ? add_text(p, p->json->key_separator) : add(p, ": ", TPL_DATA);
        if (!status) status = print_value(p, &dict->values[order[i]]);
    }
    p->level--;
    if (!status && dict->count) status = new_line(p);
    return status ? status : add(p, "}", TPL_DATA);
}

static enum weir_status print_value(struct printer *p, const struct tpl_value *value)
{
    char number[40];
    enum weir_status status = tpl_enter(p->r);
    if (status) return status;
    switch (value->type) {
    case TPL_NONE:
        status = add(p, p->json ? "null" : "None", TPL_DATA);
        break;
    case TPL_BOOL:
        status = add(p,
                     p->json             ? value->as.boolean ? "true" : "false"
                     : value->as.boolean ? "True"
                                         : "False",
                     TPL_DATA);
        break;
    case TPL_INT:
        (void)snprintf(number, sizeof number, "%lld", (long long)value->as.integer);
        status = add(p, number, TPL_DATA);
        break;
    case TPL_FLOAT:
        if (p->json && !isfinite(value->as.real)) {
            status = tpl_fail(p->r, WEIR_ERR_UNSUPPORTED, "tojson of a number that is not finite is not supported");
            break;
        }
        format_float(value->as.real, number);
        status = add(p, number, TPL_DATA);
        break;
    case TPL_STRING:
        status = p->json ? print_json_string(p, value->as.text) : repr_string(p, value->as.text);
        break;
    case TPL_LIST:
    case TPL_TUPLE:
        status = print_list(p, value->as.list, value->type == TPL_TUPLE);
        break;
    case TPL_DICT:
        status = print_dict(p, value->as.dict);
        break;
    default:
        status = p->json ? tpl_fail(p->r, WEIR_ERR_INVALID, "Object of type %s is not JSON serializable",
                                    tpl_type_name(value))
                         : tpl_fail(p->r, WEIR_ERR_UNSUPPORTED, "printing a value of type %s is not supported",
                                    tpl_type_name(value));
    }
    tpl_leave(p->r);
    return status;
}

/* str(value). Numbers and constants count as template text: they cannot spell a token that the template does not spell itself. */
enum weir_status tpl_str(struct tpl_run *r, const struct tpl_value *value, struct tpl_text *out)
{
    if (value->type == TPL_STRING) {
        *out = value->as.text;
        return WEIR_OK;
    }
    if (value->type == TPL_UNDEFINED) {
        *out = TPL_TEXT("");
        return WEIR_OK;
    }
    struct printer p = {.r = r, .b = {.arena = &r->arena}};
    enum weir_status status = print_value(&p, value);
    if (status) return status;
    *out = tpl_built(&p.b);
    if (!tpl_is_listlike(value) && value->type != TPL_DICT) out->origins = NULL;
    return WEIR_OK;
}

enum weir_status tpl_tojson(struct tpl_run *r, const struct tpl_value *value, const struct tpl_json_options *options,
                            struct tpl_text *out)
{
    struct printer p = {.r = r, .b = {.arena = &r->arena}, .json = options};
    enum weir_status status = print_value(&p, value);
    if (!status) *out = tpl_built(&p.b);
    return status;
}
