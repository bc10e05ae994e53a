/* Values: truth, equality, order, membership, iteration, attributes and items, as Python and jinja2 define them. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "task/template_internal.h"

enum weir_status tpl_report(struct tpl_run *r, enum weir_status status, const char *format, ...)
{
    char text[WEIR_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(r->error, status, TPL_PLACE "%s", r->place.line, r->place.column, text);
}

enum weir_status tpl_report_nomem(struct tpl_run *r)
{
    if (r->arena.used > TEMPLATE_MEMORY_BYTES_MAX / 2)
        return tpl_fail(r, WEIR_ERR_LIMIT, "the rendering needs more than %d bytes", TEMPLATE_MEMORY_BYTES_MAX);
    return error_nomem(r->error, "chat template");
}

enum weir_status tpl_step(struct tpl_run *r, size_t work)
{
    r->steps += 1 + work;
    if (r->steps <= TEMPLATE_STEPS_MAX) return WEIR_OK;
    return tpl_fail(r, WEIR_ERR_LIMIT, "the rendering takes more than %d steps", TEMPLATE_STEPS_MAX);
}

enum weir_status tpl_enter(struct tpl_run *r)
{
    enum weir_status status = tpl_step(r, 0);
    if (status) return status;
    if (r->depth >= TEMPLATE_RUN_DEPTH_MAX)
        return tpl_fail(r, WEIR_ERR_LIMIT, "nested deeper than %d levels", TEMPLATE_RUN_DEPTH_MAX);
    r->depth++;
    return WEIR_OK;
}

const char *tpl_type_name(const struct tpl_value *value)
{
    static const char *const names[] = {[TPL_UNDEFINED] = "Undefined", [TPL_NONE] = "NoneType",
                                        [TPL_BOOL] = "bool",           [TPL_INT] = "int",
                                        [TPL_FLOAT] = "float",         [TPL_STRING] = "str",
                                        [TPL_LIST] = "list",           [TPL_TUPLE] = "tuple",
                                        [TPL_ITERATOR] = "generator",  [TPL_DICT] = "dict",
                                        [TPL_NAMESPACE] = "Namespace", [TPL_LOOP] = "LoopContext",
                                        [TPL_MACRO] = "Macro",         [TPL_METHOD] = "builtin_function_or_method",
                                        [TPL_FUNCTION] = "function"};
    return names[value->type];
}

enum weir_status tpl_undefined(struct tpl_run *r, struct tpl_value *out, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t kept = size < 0 ? 0 : (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    char *copy = tpl_alloc(&r->arena, kept + 1, 1);
    if (!copy) return tpl_nomem(r);
    memcpy(copy, text, kept);
    *out = (struct tpl_value){.type = TPL_UNDEFINED, .as.text = {.data = copy, .size = kept}};
    return WEIR_OK;
}

enum weir_status tpl_report_undefined(struct tpl_run *r, const struct tpl_value *value)
{
    return tpl_fail(r, WEIR_ERR_INVALID, "%.*s", (int)value->as.text.size,
                    value->as.text.data ? value->as.text.data : "");
}

/* --- lists and mappings ---------------------------------------------------------------------------------------------- */

struct tpl_list *tpl_list_new(struct tpl_run *r, size_t capacity)
{
    struct tpl_list *list = tpl_alloc(&r->arena, 1, sizeof *list);
    if (!list) return NULL;
    list->items = tpl_alloc(&r->arena, capacity ? capacity : 1, sizeof *list->items);
    list->capacity = capacity ? capacity : 1;
    return list->items ? list : NULL;
}

/* A larger copy of `old` in the arena. */
static struct tpl_value *grow(struct tpl_run *r, const struct tpl_value *old, size_t count, size_t capacity)
{
    struct tpl_value *values = tpl_alloc(&r->arena, capacity, sizeof *values);
    if (values && count) memcpy(values, old, count * sizeof *values);
    return values;
}

bool tpl_list_add(struct tpl_run *r, struct tpl_list *list, struct tpl_value value)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 4;
        struct tpl_value *items = grow(r, list->items, list->count, capacity);
        if (!items) return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = value;
    return true;
}

struct tpl_dict *tpl_dict_new(struct tpl_run *r, size_t capacity)
{
    struct tpl_dict *dict = tpl_alloc(&r->arena, 1, sizeof *dict);
    if (!dict) return NULL;
    dict->capacity = capacity ? capacity : 1;
    dict->keys = tpl_alloc(&r->arena, dict->capacity, sizeof *dict->keys);
    dict->values = tpl_alloc(&r->arena, dict->capacity, sizeof *dict->values);
    return dict->keys && dict->values ? dict : NULL;
}

bool tpl_dict_append(struct tpl_run *r, struct tpl_dict *dict, struct tpl_value key, struct tpl_value value)
{
    if (dict->count == dict->capacity) {
        size_t capacity = dict->capacity * 2 + 4;
        struct tpl_value *keys = grow(r, dict->keys, dict->count, capacity);
        struct tpl_value *values = grow(r, dict->values, dict->count, capacity);
        if (!keys || !values) return false;
        dict->keys = keys;
        dict->values = values;
        dict->capacity = capacity;
    }
    dict->keys[dict->count] = key;
    dict->values[dict->count++] = value;
    return true;
}

const struct tpl_value *tpl_dict_get(const struct tpl_dict *dict, struct tpl_text key)
{
    for (size_t i = 0; i < dict->count; i++)
        if (dict->keys[i].type == TPL_STRING && tpl_text_equal(dict->keys[i].as.text, key)) return &dict->values[i];
    return NULL;
}

/* The index of `key`, or count. */
static enum weir_status dict_index(struct tpl_run *r, const struct tpl_dict *dict, const struct tpl_value *key,
                                   size_t *out)
{
    enum weir_status status = tpl_step(r, dict->count / 16);
    size_t i = 0;
    for (bool same = false; !status && i < dict->count; i++) {
        status = tpl_equal(r, &dict->keys[i], key, &same);
        if (same) break;
    }
    *out = i;
    return status;
}

enum weir_status tpl_dict_find(struct tpl_run *r, const struct tpl_dict *dict, const struct tpl_value *key,
                               const struct tpl_value **out)
{
    size_t index;
    enum weir_status status = dict_index(r, dict, key, &index);
    if (!status) *out = index < dict->count ? &dict->values[index] : NULL;
    return status;
}

enum weir_status tpl_dict_set(struct tpl_run *r, struct tpl_dict *dict, struct tpl_value key, struct tpl_value value)
{
    if (key.type == TPL_LIST || key.type == TPL_DICT)
        return tpl_fail(r, WEIR_ERR_INVALID, "unhashable type: '%s'", tpl_type_name(&key));
    size_t index;
    enum weir_status status = dict_index(r, dict, &key, &index);
    if (status) return status;
    if (index < dict->count) {
        dict->values[index] = value;
        return WEIR_OK;
    }
    return tpl_dict_append(r, dict, key, value) ? WEIR_OK : tpl_nomem(r);
}

/* dict.items() as a list of tuples. */
enum weir_status tpl_pairs(struct tpl_run *r, const struct tpl_dict *dict, struct tpl_list **out)
{
    struct tpl_list *pairs = tpl_list_new(r, dict->count);
    for (size_t i = 0; pairs && i < dict->count; i++) {
        struct tpl_list *pair = tpl_list_new(r, 2);
        if (!pair) return tpl_nomem(r);
        pair->items[0] = dict->keys[i];
        pair->items[1] = dict->values[i];
        pair->count = 2;
        pairs->items[pairs->count++] = (struct tpl_value){.type = TPL_TUPLE, .as.list = pair};
    }
    if (!pairs) return tpl_nomem(r);
    *out = pairs;
    return WEIR_OK;
}

/* --- truth and comparison -------------------------------------------------------------------------------------------- */

bool tpl_truth(const struct tpl_value *value)
{
    switch (value->type) {
    case TPL_UNDEFINED:
    case TPL_NONE:
        return false;
    case TPL_BOOL:
        return value->as.boolean;
    case TPL_INT:
        return value->as.integer != 0;
    case TPL_FLOAT:
        return value->as.real != 0.0;
    case TPL_STRING:
        return value->as.text.size != 0;
    case TPL_LIST:
    case TPL_TUPLE:
        return value->as.list->count != 0;
    case TPL_DICT:
        return value->as.dict->count != 0;
    default:
        return true;
    }
}

bool tpl_integer(const struct tpl_value *value, int64_t *out)
{
    if (value->type != TPL_INT && value->type != TPL_BOOL) return false;
    *out = value->type == TPL_INT ? value->as.integer : value->as.boolean;
    return true;
}

bool tpl_number(const struct tpl_value *value, double *out)
{
    int64_t integer;
    if (value->type == TPL_FLOAT) {
        *out = value->as.real;
        return true;
    }
    if (!tpl_integer(value, &integer)) return false;
    *out = (double)integer;
    return true;
}

static enum weir_status equal_lists(struct tpl_run *r, const struct tpl_list *a, const struct tpl_list *b, bool *out)
{
    *out = a->count == b->count;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && *out && i < a->count; i++) status = tpl_equal(r, &a->items[i], &b->items[i], out);
    return status;
}

static enum weir_status equal_dicts(struct tpl_run *r, const struct tpl_dict *a, const struct tpl_dict *b, bool *out)
{
    *out = a->count == b->count;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && *out && i < a->count; i++) {
        const struct tpl_value *other;
        status = tpl_dict_find(r, b, &a->keys[i], &other);
        if (status) return status;
        *out = other != NULL;
        if (other) status = tpl_equal(r, &a->values[i], other, out);
    }
    return status;
}

static bool same_object(const struct tpl_value *a, const struct tpl_value *b)
{
    switch (a->type) {
    case TPL_UNDEFINED:
    case TPL_NONE:
        return true;
    case TPL_LOOP:
        return a->as.loop == b->as.loop;
    case TPL_MACRO:
        return a->as.macro == b->as.macro;
    case TPL_FUNCTION:
        return tpl_text_equal(a->as.text, b->as.text);
    default:
        return a->as.list == b->as.list;
    }
}

enum weir_status tpl_equal(struct tpl_run *r, const struct tpl_value *a, const struct tpl_value *b, bool *out)
{
    double x, y;
    int64_t i, j;
    *out = false;
    if (tpl_integer(a, &i) && tpl_integer(b, &j)) {
        *out = i == j;
        return WEIR_OK;
    }
    if (tpl_number(a, &x) && tpl_number(b, &y)) {
        *out = x == y;
        return WEIR_OK;
    }
    if (a->type != b->type) return WEIR_OK;
    if (a->type == TPL_STRING) {
        *out = tpl_text_equal(a->as.text, b->as.text);
        return *out ? tpl_step(r, a->as.text.size / 64) : WEIR_OK;
    }
    if (a->type != TPL_LIST && a->type != TPL_TUPLE && a->type != TPL_DICT) {
        *out = same_object(a, b);
        return WEIR_OK;
    }
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    status =
        a->type == TPL_DICT ? equal_dicts(r, a->as.dict, b->as.dict, out) : equal_lists(r, a->as.list, b->as.list, out);
    tpl_leave(r);
    return status;
}

enum weir_status tpl_less(struct tpl_run *r, const struct tpl_value *a, const struct tpl_value *b, bool *out)
{
    double x, y;
    int64_t i, j;
    if (a->type == TPL_UNDEFINED) return tpl_fail_undefined(r, a);
    if (b->type == TPL_UNDEFINED) return tpl_fail_undefined(r, b);
    if (tpl_integer(a, &i) && tpl_integer(b, &j))
        *out = i < j;
    else if (tpl_number(a, &x) && tpl_number(b, &y))
        *out = x < y;
    else if (a->type == TPL_STRING && b->type == TPL_STRING)
        *out = tpl_text_compare(a->as.text, b->as.text) < 0;
    else if (tpl_is_listlike(a) && a->type == b->type)
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the order of lists is not supported");
    else
        return tpl_fail(r, WEIR_ERR_INVALID, "'<' not supported between instances of '%s' and '%s'", tpl_type_name(a),
                        tpl_type_name(b));
    return WEIR_OK;
}

enum weir_status tpl_contains(struct tpl_run *r, const struct tpl_value *item, const struct tpl_value *container,
                              bool *out)
{
    size_t at;
    const struct tpl_value *found;
    enum weir_status status = WEIR_OK;
    *out = false;
    switch (container->type) {
    case TPL_UNDEFINED:
        return WEIR_OK;
    case TPL_STRING:
        if (item->type != TPL_STRING)
            return tpl_fail(r, WEIR_ERR_INVALID, "'in <string>' requires string as left operand, not %s",
                            tpl_type_name(item));
        *out = tpl_text_find(container->as.text, item->as.text, 0, &at);
        return tpl_step(r, container->as.text.size / 64);
    case TPL_DICT:
        status = tpl_dict_find(r, container->as.dict, item, &found);
        *out = !status && found;
        return status;
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_ITERATOR:
        for (size_t i = 0; !status && !*out && i < container->as.list->count; i++) {
            status = tpl_step(r, 0);
            if (!status) status = tpl_equal(r, &container->as.list->items[i], item, out);
        }
        return status;
    default:
        return tpl_fail(r, WEIR_ERR_INVALID, "argument of type '%s' is not iterable", tpl_type_name(container));
    }
}

/* --- iteration and length -------------------------------------------------------------------------------------------- */

static enum weir_status characters(struct tpl_run *r, struct tpl_text text, struct tpl_list *list)
{
    for (size_t i = 0, size; i < text.size; i += size) {
        size = tpl_char_size(text.data + i, text.size - i);
        if (!tpl_list_add(r, list, tpl_string(tpl_text_part(text, i, i + size)))) return tpl_nomem(r);
    }
    return WEIR_OK;
}

/* What a `for` sees, in a new list. */
enum weir_status tpl_iterate(struct tpl_run *r, const struct tpl_value *value, struct tpl_list **out)
{
    size_t count = tpl_is_listlike(value) ? value->as.list->count : value->type == TPL_DICT ? value->as.dict->count : 0;
    enum weir_status status = tpl_step(r, count);
    if (status) return status;
    struct tpl_list *list = tpl_list_new(r, count);
    if (!list) return tpl_nomem(r);
    if (tpl_is_listlike(value)) {
        if (count) memcpy(list->items, value->as.list->items, count * sizeof *list->items);
        list->count = count;
    } else if (value->type == TPL_DICT) {
        if (count) memcpy(list->items, value->as.dict->keys, count * sizeof *list->items);
        list->count = count;
    } else if (value->type == TPL_STRING) {
        status = characters(r, value->as.text, list);
    } else if (value->type != TPL_UNDEFINED) {
        status = tpl_fail(r, WEIR_ERR_INVALID, "'%s' object is not iterable", tpl_type_name(value));
    }
    *out = list;
    return status;
}

enum weir_status tpl_length(struct tpl_run *r, const struct tpl_value *value, int64_t *out)
{
    switch (value->type) {
    case TPL_UNDEFINED:
        *out = 0;
        return WEIR_OK;
    case TPL_STRING:
        *out = (int64_t)tpl_char_count(value->as.text);
        return tpl_step(r, value->as.text.size / 64);
    case TPL_LIST:
    case TPL_TUPLE:
        *out = (int64_t)value->as.list->count;
        return WEIR_OK;
    case TPL_DICT:
        *out = (int64_t)value->as.dict->count;
        return WEIR_OK;
    default:
        return tpl_fail(r, WEIR_ERR_INVALID, "object of type '%s' has no len()", tpl_type_name(value));
    }
}

/* --- attributes and items -------------------------------------------------------------------------------------------- */

static enum weir_status loop_attribute(struct tpl_run *r, struct tpl_loop *loop, struct tpl_text name,
                                       struct tpl_value *out)
{
    int64_t index = (int64_t)loop->index0, count = (int64_t)loop->items->count;
    if (tpl_text_is(name, "index"))
        *out = tpl_int(index + 1);
    else if (tpl_text_is(name, "index0"))
        *out = tpl_int(index);
    else if (tpl_text_is(name, "first"))
        *out = tpl_bool(index == 0);
    else if (tpl_text_is(name, "last"))
        *out = tpl_bool(index + 1 == count);
    else if (tpl_text_is(name, "length"))
        *out = tpl_int(count);
    else if (tpl_text_is(name, "revindex"))
        *out = tpl_int(count - index);
    else if (tpl_text_is(name, "revindex0"))
        *out = tpl_int(count - index - 1);
    else if (tpl_text_is(name, "depth"))
        *out = tpl_int(1);
    else if (tpl_text_is(name, "depth0"))
        *out = tpl_int(0);
    else if (tpl_text_is(name, "previtem") && index > 0)
        *out = loop->items->items[index - 1];
    else if (tpl_text_is(name, "previtem"))
        return tpl_undefined(r, out, "there is no previous item");
    else if (tpl_text_is(name, "nextitem") && index + 1 < count)
        *out = loop->items->items[index + 1];
    else if (tpl_text_is(name, "nextitem"))
        return tpl_undefined(r, out, "there is no next item");
    else
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`loop.%.*s` is not supported", (int)name.size, name.data);
    return WEIR_OK;
}

static enum weir_status method_value(struct tpl_run *r, const struct tpl_value *self, struct tpl_text name,
                                     struct tpl_value *out)
{
    struct tpl_method *method = tpl_alloc(&r->arena, 1, sizeof *method);
    if (!method) return tpl_nomem(r);
    *method = (struct tpl_method){.self = *self, .name = name};
    *out = (struct tpl_value){.type = TPL_METHOD, .as.method = method};
    return WEIR_OK;
}

static enum weir_status missing(struct tpl_run *r, const struct tpl_value *value, struct tpl_text name,
                                struct tpl_value *out)
{
    if (value->type == TPL_NONE)
        return tpl_undefined(r, out, "'None' has no attribute '%.*s'", (int)name.size, name.data);
    return tpl_undefined(r, out, "'%s object' has no attribute '%.*s'", tpl_type_name(value), (int)name.size,
                         name.data);
}

/* value.name: Python's attribute first, then the item of that name. */
enum weir_status tpl_attribute(struct tpl_run *r, const struct tpl_value *value, struct tpl_text name,
                               struct tpl_value *out)
{
    if (value->type == TPL_UNDEFINED) return tpl_fail_undefined(r, value);
    if (name.size && name.data[0] == '_')
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "attributes that begin with `_` are not supported");
    if (value->type == TPL_LOOP && !tpl_has_method(value, name)) return loop_attribute(r, value->as.loop, name, out);
    if (value->type == TPL_MACRO) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "attributes of a macro are not supported");
    if (tpl_has_method(value, name)) return method_value(r, value, name, out);
    const struct tpl_value *found = NULL;
    if (value->type == TPL_DICT || value->type == TPL_NAMESPACE) found = tpl_dict_get(value->as.dict, name);
    if (!found) return missing(r, value, name, out);
    *out = *found;
    return WEIR_OK;
}

/* The index-th element; a negative index counts from the end. */
static enum weir_status element(struct tpl_run *r, const struct tpl_value *value, int64_t index, struct tpl_value *out)
{
    int64_t count;
    enum weir_status status = tpl_check_plain(r, value, "a part");
    if (!status) status = tpl_length(r, value, &count);
    if (status) return status;
    int64_t at = index < 0 ? index + count : index;
    if (at < 0 || at >= count)
        return tpl_undefined(r, out, "'%s object' has no element %lld", tpl_type_name(value), (long long)index);
    if (value->type != TPL_STRING) {
        *out = value->as.list->items[at];
        return WEIR_OK;
    }
    struct tpl_text text = value->as.text;
    size_t begin = 0;
    while (at-- > 0) begin += tpl_char_size(text.data + begin, text.size - begin);
    *out = tpl_string(tpl_text_part(text, begin, begin + tpl_char_size(text.data + begin, text.size - begin)));
    return WEIR_OK;
}

/* value[key]: the item first, then for a string key the attribute of that name. */
enum weir_status tpl_item(struct tpl_run *r, const struct tpl_value *value, const struct tpl_value *key,
                          struct tpl_value *out)
{
    int64_t index;
    if (value->type == TPL_UNDEFINED) return tpl_fail_undefined(r, value);
    if (value->type == TPL_DICT) {
        const struct tpl_value *found;
        enum weir_status status = tpl_dict_find(r, value->as.dict, key, &found);
        if (status) return status;
        if (found) {
            *out = *found;
            return WEIR_OK;
        }
    } else if ((value->type == TPL_LIST || value->type == TPL_TUPLE || value->type == TPL_STRING) &&
               tpl_integer(key, &index)) {
        return element(r, value, index, out);
    }
    if (key->type == TPL_STRING) return tpl_attribute(r, value, key->as.text, out);
    return tpl_undefined(r, out, "'%s object' has no such element", tpl_type_name(value));
}
