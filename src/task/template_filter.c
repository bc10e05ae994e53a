/* What follows `|`: the filters of jinja2 that templates use, one function each and a table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/template_internal.h"

typedef const struct tpl_value *value_in;

const struct tpl_value *tpl_arg(const struct tpl_args *args, size_t index, const char *name)
{
    if (index < args->count) return &args->values[index];
    for (size_t i = 0; name && i < args->n_named; i++)
        if (tpl_text_is(args->names[i], name)) return &args->named[i];
    return NULL;
}

enum weir_status tpl_check_args(struct tpl_run *r, const char *what, const struct tpl_args *args, size_t count_max,
                                const char *const *names)
{
    if (args->count > count_max)
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`%s` with %zu arguments is not supported", what, args->count);
    for (size_t i = 0; i < args->n_named; i++) {
        const char *const *name = names;
        while (name && *name && !tpl_text_is(args->names[i], *name)) name++;
        if (!name || !*name)
            return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the argument `%.*s` of `%s` is not supported",
                            (int)args->names[i].size, args->names[i].data, what);
    }
    return WEIR_OK;
}

/* The text of an argument, `otherwise` when it is not given. */
static enum weir_status text_arg(struct tpl_run *r, value_in value, const char *otherwise, struct tpl_text *out)
{
    *out = tpl_text_c(otherwise);
    return value ? tpl_str(r, value, out) : WEIR_OK;
}

static bool flag_arg(value_in value, bool otherwise)
{
    return value ? tpl_truth(value) : otherwise;
}

/* --- texts ----------------------------------------------------------------------------------------------------------- */

static enum weir_status filter_trim(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                    struct tpl_value *out)
{
    struct tpl_text text = {0}, chars = {0};
    value_in arg = tpl_arg(args, 0, "chars");
    enum weir_status status = tpl_str(r, value, &text);
    if (!status && arg && arg->type != TPL_NONE) {
        status = tpl_str(r, arg, &chars);
        if (!status) *out = tpl_string(tpl_strip_chars(text, chars, true, true));
        return status;
    }
    if (!status) *out = tpl_string(tpl_strip(text, true, true));
    return status;
}

static enum weir_status filter_string(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    struct tpl_text text = {0};
    (void)args;
    enum weir_status status = tpl_str(r, value, &text);
    if (!status) *out = tpl_string(text);
    return status;
}

static enum weir_status filter_safe(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                    struct tpl_value *out)
{
    enum weir_status status = filter_string(r, value, args, out);
    if (!status) out->as.text.is_markup = true;
    return status;
}

/* Filters that do with markup what they do with any text. */
static bool takes_markup(struct tpl_text name)
{
    static const char *const names[] = {"safe", "string", "default", "d", "length", "count", "tojson"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tpl_text_is(name, names[i])) return true;
    return false;
}

/* A filter that is a method of str: upper, lower, title, capitalize, replace. */
static enum weir_status as_method(struct tpl_run *r, const char *name, value_in value, const struct tpl_args *args,
                                  struct tpl_value *out)
{
    struct tpl_text text = {0};
    enum weir_status status = tpl_str(r, value, &text);
    struct tpl_method method = {.self = tpl_string(text), .name = tpl_text_c(name)};
    return status ? status : tpl_method_call(r, &method, args, out);
}

static enum weir_status filter_upper(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                     struct tpl_value *out)
{
    return as_method(r, "upper", value, args, out);
}

static enum weir_status filter_lower(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                     struct tpl_value *out)
{
    return as_method(r, "lower", value, args, out);
}

static enum weir_status filter_capitalize(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                          struct tpl_value *out)
{
    return as_method(r, "capitalize", value, args, out);
}

static enum weir_status filter_replace(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                       struct tpl_value *out)
{
    if (args->count < 2) return tpl_fail(r, WEIR_ERR_INVALID, "`replace` needs two arguments");
    return as_method(r, "replace", value, args, out);
}

/* Every line but the first (and, with `first`, that one too) gets `width` spaces before it; empty ones only with `blank`. Lines are those of
 * str.splitlines, of the text with a line feed added, and come out joined by line feeds (jinja2, do_indent). */
static enum weir_status filter_indent(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    struct tpl_text text, unit = TPL_TEXT("    ");
    value_in width = tpl_arg(args, 0, "width");
    int64_t spaces = 4;
    enum weir_status status = tpl_str(r, value, &text);
    if (status) return status;
    if (width && width->type == TPL_STRING) {
        unit = width->as.text;
        spaces = 1;
    } else if (width && !tpl_integer(width, &spaces)) {
        return tpl_fail(r, WEIR_ERR_INVALID, "the width of `indent` must be an integer or text");
    } else {
        unit = TPL_TEXT(" ");
    }
    if (spaces > 4096) return tpl_fail(r, WEIR_ERR_LIMIT, "`indent` by more than 4096");
    bool first = flag_arg(tpl_arg(args, 1, "first"), false), blank = flag_arg(tpl_arg(args, 2, "blank"), false);
    struct tpl_builder b = {.arena = &r->arena}, ended = {.arena = &r->arena};
    bool ok = tpl_add(&ended, text) && tpl_add_bytes(&ended, "\n", 1, TPL_DATA), is_first = true;
    struct tpl_text line, feed = {.data = "\n", .size = 1, .origin = TPL_DATA};
    for (size_t at = 0; ok && tpl_next_line(tpl_built(&ended), &at, &line); is_first = false) {
        bool indents = is_first ? first : blank || line.size;
        ok = is_first || tpl_add(&b, feed);
        for (int64_t i = 0; ok && indents && i < spaces; i++) ok = tpl_add(&b, unit);
        ok = ok && tpl_add(&b, line);
    }
    if (!ok) return tpl_nomem(r);
    *out = tpl_string(tpl_built(&b));
    return WEIR_OK;
}

static enum weir_status filter_tojson(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    static const char *const names[] = {"ensure_ascii", "indent", "separators", "sort_keys", NULL};
    struct tpl_json_options options = {.item_separator = TPL_TEXT(", "), .key_separator = TPL_TEXT(": ")};
    enum weir_status status = tpl_check_args(r, "tojson", args, 0, names);
    if (status) return status;
    value_in indent = tpl_arg(args, 1, "indent"), separators = tpl_arg(args, 2, "separators");
    int64_t spaces;
    options.ensure_ascii = flag_arg(tpl_arg(args, 3, "ensure_ascii"), false);
    options.sort_keys = flag_arg(tpl_arg(args, 4, "sort_keys"), false);
    if (indent && indent->type == TPL_STRING) {
        options.indent = indent->as.text;
    } else if (indent && tpl_integer(indent, &spaces)) {
        static const char blanks[] = "                                ";
        if (spaces < 0) spaces = 0;
        if ((size_t)spaces >= sizeof blanks)
            return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`tojson` with so wide an indent is not supported");
        options.indent = (struct tpl_text){.data = blanks, .size = (size_t)spaces};
    }
    if (options.indent.data) options.item_separator = TPL_TEXT(",");
    options.item_separator.origin = options.key_separator.origin =
        TPL_DATA; /* as the brackets: only texts keep their origin */
    if (separators && separators->type != TPL_NONE) {
        if (!tpl_is_listlike(separators) || separators->as.list->count != 2 ||
            separators->as.list->items[0].type != TPL_STRING || separators->as.list->items[1].type != TPL_STRING)
            return tpl_fail(r, WEIR_ERR_INVALID, "the separators of `tojson` must be two texts");
        options.item_separator = separators->as.list->items[0].as.text;
        options.key_separator = separators->as.list->items[1].as.text;
    }
    struct tpl_text text = {0};
    status = tpl_tojson(r, value, &options, &text);
    if (!status) *out = tpl_string(text);
    return status;
}

/* --- numbers --------------------------------------------------------------------------------------------------------- */

static enum weir_status filter_int(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                   struct tpl_value *out)
{
    value_in otherwise = tpl_arg(args, 0, "default");
    int64_t integer;
    *out = otherwise ? *otherwise : tpl_int(0);
    if (tpl_integer(value, &integer)) *out = tpl_int(integer);
    if (value->type == TPL_FLOAT) {
        if (!(fabs(value->as.real) < 9e18)) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "an integer beyond 64 bits");
        *out = tpl_int((int64_t)value->as.real);
    }
    if (value->type != TPL_STRING) return WEIR_OK;
    struct tpl_text text = tpl_strip(value->as.text, true, true);
    char digits[24];
    size_t sign = text.size && (text.data[0] == '-' || text.data[0] == '+'), n = sign;
    while (n < text.size && text.data[n] >= '0' && text.data[n] <= '9') n++;
    if (n == sign) return WEIR_OK; /* not a number: the default (a text such as "x" or "") */
    if (n != text.size || n > 18) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`int` of this text is not supported");
    memcpy(digits, text.data, n);
    digits[n] = 0;
    *out = tpl_int(strtoll(digits, NULL, 10));
    return WEIR_OK;
}

static enum weir_status filter_float(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                     struct tpl_value *out)
{
    double number;
    (void)args;
    if (!tpl_number(value, &number)) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`float` of a text is not supported");
    *out = (struct tpl_value){.type = TPL_FLOAT, .as.real = number};
    return WEIR_OK;
}

static enum weir_status filter_abs(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                   struct tpl_value *out)
{
    struct tpl_value zero = tpl_int(0);
    (void)args;
    bool negative;
    enum weir_status status = tpl_less(r, value, &zero, &negative);
    if (status) return status;
    *out = *value;
    return negative ? tpl_binary(r, '-', &zero, value, out) : WEIR_OK;
}

/* --- collections ----------------------------------------------------------------------------------------------------- */

static enum weir_status filter_length(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    int64_t count;
    (void)args;
    enum weir_status status = tpl_length(r, value, &count);
    if (!status) *out = tpl_int(count);
    return status;
}

/* value.a.b for the text "a.b"; numbers are indices. */
static enum weir_status path_of(struct tpl_run *r, value_in value, value_in path, struct tpl_value *out)
{
    *out = *value;
    int64_t index;
    if (tpl_integer(path, &index)) return tpl_item(r, value, path, out);
    if (path->type != TPL_STRING) return tpl_fail(r, WEIR_ERR_INVALID, "an attribute must be text");
    struct tpl_text text = path->as.text;
    for (size_t begin = 0; begin <= text.size;) {
        size_t end;
        if (!tpl_text_find(text, TPL_TEXT("."), begin, &end)) end = text.size;
        struct tpl_text part = tpl_text_part(text, begin, end);
        struct tpl_value key = tpl_string(part), step = *out;
        if (part.size && part.data[0] >= '0' && part.data[0] <= '9')
            return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "a numeric part of an attribute path is not supported");
        enum weir_status status = tpl_item(r, &step, &key, out);
        if (status) return status;
        begin = end + 1;
    }
    return WEIR_OK;
}

static enum weir_status filter_join(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                    struct tpl_value *out)
{
    struct tpl_text between, text;
    struct tpl_list *items = NULL;
    value_in attribute = tpl_arg(args, 1, "attribute");
    enum weir_status status = text_arg(r, tpl_arg(args, 0, "d"), "", &between);
    if (!status) status = tpl_iterate(r, value, &items);
    struct tpl_builder b = {.arena = &r->arena};
    for (size_t i = 0; !status && i < items->count; i++) {
        struct tpl_value item = items->items[i];
        if (attribute && attribute->type != TPL_NONE) status = path_of(r, &items->items[i], attribute, &item);
        if (!status) status = tpl_str(r, &item, &text);
        if (!status && !((i == 0 || tpl_add(&b, between)) && tpl_add(&b, text))) status = tpl_nomem(r);
    }
    if (!status) *out = tpl_string(tpl_built(&b));
    return status;
}

static enum weir_status filter_default(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                       struct tpl_value *out)
{
    (void)r;
    value_in otherwise = tpl_arg(args, 0, "default_value");
    bool falsy = flag_arg(tpl_arg(args, 1, "boolean"), false);
    *out = *value;
    if (value->type == TPL_UNDEFINED || (falsy && !tpl_truth(value)))
        *out = otherwise ? *otherwise : tpl_string(TPL_TEXT(""));
    return WEIR_OK;
}

static enum weir_status ends(struct tpl_run *r, value_in value, bool last, struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    enum weir_status status = tpl_iterate(r, value, &items);
    if (status) return status;
    if (items->count == 0) return tpl_undefined(r, out, "No %s item, sequence was empty.", last ? "last" : "first");
    *out = items->items[last ? items->count - 1 : 0];
    return WEIR_OK;
}

static enum weir_status filter_first(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                     struct tpl_value *out)
{
    (void)args;
    return ends(r, value, false, out);
}

static enum weir_status filter_last(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                    struct tpl_value *out)
{
    (void)args;
    return ends(r, value, true, out);
}

static enum weir_status filter_list(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                    struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    (void)args;
    enum weir_status status = tpl_iterate(r, value, &items);
    if (!status) *out = (struct tpl_value){.type = TPL_LIST, .as.list = items};
    return status;
}

static enum weir_status filter_items(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                     struct tpl_value *out)
{
    struct tpl_list *pairs = tpl_list_new(r, 0);
    (void)args;
    if (!pairs) return tpl_nomem(r);
    enum weir_status status = WEIR_OK;
    if (value->type == TPL_DICT)
        status = tpl_pairs(r, value->as.dict, &pairs);
    else if (value->type != TPL_UNDEFINED)
        return tpl_fail(r, WEIR_ERR_INVALID, "Can only get item pairs from a mapping.");
    if (!status) *out = (struct tpl_value){.type = TPL_ITERATOR, .as.list = pairs};
    return status;
}

static enum weir_status filter_reverse(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                       struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    (void)args;
    enum weir_status status = tpl_iterate(r, value, &items);
    if (status) return status;
    struct tpl_builder b = {.arena = &r->arena};
    for (size_t i = items->count; value->type == TPL_STRING && i-- > 0;)
        if (!tpl_add(&b, items->items[i].as.text)) return tpl_nomem(r);
    for (size_t i = 0; i < items->count / 2; i++) {
        struct tpl_value other = items->items[items->count - 1 - i];
        items->items[items->count - 1 - i] = items->items[i];
        items->items[i] = other;
    }
    *out = value->type == TPL_STRING ? tpl_string(tpl_built(&b))
                                     : (struct tpl_value){.type = TPL_ITERATOR, .as.list = items};
    return WEIR_OK;
}

/* What `sort` compares: the item or its attribute, in lower case unless case_sensitive. */
static enum weir_status sort_key(struct tpl_run *r, value_in item, value_in attribute, bool exact,
                                 struct tpl_value *out)
{
    enum weir_status status = WEIR_OK;
    *out = *item;
    if (attribute && attribute->type != TPL_NONE) status = path_of(r, item, attribute, out);
    if (status || exact || out->type != TPL_STRING) return status;
    struct tpl_value key = *out;
    return as_method(r, "lower", &key, &(struct tpl_args){0}, out);
}

/* Stable insertion sort of items by keys; both are reordered. */
static enum weir_status sort_by(struct tpl_run *r, struct tpl_value *items, struct tpl_value *keys, size_t count,
                                bool reverse)
{
    for (size_t i = 1; i < count; i++) {
        struct tpl_value item = items[i], key = keys[i];
        size_t at = i;
        for (; at > 0; at--) {
            bool before;
            enum weir_status status = tpl_step(r, 0);
            if (!status)
                status =
                    reverse ? tpl_less(r, &keys[at - 1], &key, &before) : tpl_less(r, &key, &keys[at - 1], &before);
            if (status) return status;
            if (!before) break;
            items[at] = items[at - 1];
            keys[at] = keys[at - 1];
        }
        items[at] = item;
        keys[at] = key;
    }
    return WEIR_OK;
}

static enum weir_status filter_sort(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                    struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    bool reverse = flag_arg(tpl_arg(args, 0, "reverse"), false),
         exact = flag_arg(tpl_arg(args, 1, "case_sensitive"), false);
    value_in attribute = tpl_arg(args, 2, "attribute");
    enum weir_status status = tpl_iterate(r, value, &items);
    if (status) return status;
    struct tpl_value *keys = tpl_alloc(&r->arena, items->count, sizeof *keys);
    if (!keys) return tpl_nomem(r);
    for (size_t i = 0; !status && i < items->count; i++)
        status = sort_key(r, &items->items[i], attribute, exact, &keys[i]);
    if (!status) status = sort_by(r, items->items, keys, items->count, reverse);
    if (!status) *out = (struct tpl_value){.type = TPL_LIST, .as.list = items};
    return status;
}

static enum weir_status filter_dictsort(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                        struct tpl_value *out)
{
    struct tpl_list *pairs = NULL;
    bool exact = flag_arg(tpl_arg(args, 0, "case_sensitive"), false),
         reverse = flag_arg(tpl_arg(args, 2, "reverse"), false);
    value_in by = tpl_arg(args, 1, "by");
    bool by_value = by && by->type == TPL_STRING && tpl_text_is(by->as.text, "value");
    if (value->type != TPL_DICT)
        return tpl_fail(r, WEIR_ERR_INVALID, "`dictsort` needs a mapping, not %s", tpl_type_name(value));
    enum weir_status status = tpl_pairs(r, value->as.dict, &pairs);
    if (status) return status;
    struct tpl_value *keys = tpl_alloc(&r->arena, pairs->count, sizeof *keys);
    if (!keys) return tpl_nomem(r);
    for (size_t i = 0; !status && i < pairs->count; i++)
        status = sort_key(r, &pairs->items[i].as.list->items[by_value], NULL, exact, &keys[i]);
    if (!status) status = sort_by(r, pairs->items, keys, pairs->count, reverse);
    if (!status) *out = (struct tpl_value){.type = TPL_LIST, .as.list = pairs};
    return status;
}

static enum weir_status filter_unique(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    struct tpl_list *items, *seen = tpl_list_new(r, 0);
    if (!seen) return tpl_nomem(r);
    enum weir_status status = tpl_check_args(r, "unique", args, 0, NULL);
    if (!status) status = tpl_iterate(r, value, &items);
    struct tpl_value keys = {.type = TPL_LIST, .as.list = seen};
    size_t kept = 0;
    for (size_t i = 0; !status && i < items->count; i++) {
        struct tpl_value key;
        bool known = false;
        status = sort_key(r, &items->items[i], NULL, false, &key);
        if (!status) status = tpl_contains(r, &key, &keys, &known);
        if (status || known) continue;
        items->items[kept++] = items->items[i];
        if (!tpl_list_add(r, seen, key)) return tpl_nomem(r);
    }
    if (status) return status;
    items->count = kept;
    *out = (struct tpl_value){.type = TPL_ITERATOR, .as.list = items};
    return WEIR_OK;
}

/* What map, select and their like go through: jinja2 takes any false value, none too, as empty. */
static enum weir_status iterate_if_true(struct tpl_run *r, value_in value, struct tpl_list **out)
{
    struct tpl_value empty = {.type = TPL_UNDEFINED};
    return tpl_iterate(r, tpl_truth(value) ? value : &empty, out);
}

/* The arguments from `first` on, for the test or filter that another filter applies. */
static struct tpl_args rest_of(const struct tpl_args *args, size_t first)
{
    struct tpl_args rest = *args;
    size_t skip = first < args->count ? first : args->count;
    rest.values += skip;
    rest.count -= skip;
    return rest;
}

static enum weir_status filter_map(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                   struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    value_in attribute = tpl_arg(args, SIZE_MAX, "attribute"), otherwise = tpl_arg(args, SIZE_MAX, "default");
    if (!attribute && (args->count == 0 || args->values[0].type != TPL_STRING))
        return tpl_fail(r, WEIR_ERR_INVALID, "`map` needs the name of a filter or an attribute");
    enum weir_status status = iterate_if_true(r, value, &items);
    struct tpl_args rest = rest_of(args, 1);
    for (size_t i = 0; !status && i < items->count; i++) {
        struct tpl_value item = items->items[i];
        status = attribute ? path_of(r, &item, attribute, &items->items[i])
                           : tpl_filter(r, args->values[0].as.text, &item, &rest, &items->items[i]);
        if (!status && attribute && otherwise && items->items[i].type == TPL_UNDEFINED) items->items[i] = *otherwise;
    }
    if (!status) *out = (struct tpl_value){.type = TPL_ITERATOR, .as.list = items};
    return status;
}

/* select, reject, selectattr, rejectattr: items whose value (or attribute) passes the test, or fails it. */
static enum weir_status choose(struct tpl_run *r, value_in value, const struct tpl_args *args, bool wanted,
                               bool of_attribute, struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    size_t first = of_attribute ? 1 : 0, kept = 0;
    value_in attribute = of_attribute ? tpl_arg(args, 0, NULL) : NULL;
    if (of_attribute && !attribute) return tpl_fail(r, WEIR_ERR_INVALID, "an attribute is expected");
    value_in test = args->count > first ? &args->values[first] : NULL;
    if (test && test->type != TPL_STRING) return tpl_fail(r, WEIR_ERR_INVALID, "the name of a test is expected");
    struct tpl_args rest = rest_of(args, first + 1);
    enum weir_status status = iterate_if_true(r, value, &items);
    for (size_t i = 0; !status && i < items->count; i++) {
        struct tpl_value item = items->items[i];
        if (attribute) status = path_of(r, &items->items[i], attribute, &item);
        bool passes = tpl_truth(&item);
        if (!status && test) status = tpl_test(r, test->as.text, &item, &rest, &passes);
        if (!status && passes == wanted) items->items[kept++] = items->items[i];
    }
    if (status) return status;
    items->count = kept;
    *out = (struct tpl_value){.type = TPL_ITERATOR, .as.list = items};
    return WEIR_OK;
}

static enum weir_status filter_select(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    return choose(r, value, args, true, false, out);
}

static enum weir_status filter_reject(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                      struct tpl_value *out)
{
    return choose(r, value, args, false, false, out);
}

static enum weir_status filter_selectattr(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                          struct tpl_value *out)
{
    return choose(r, value, args, true, true, out);
}

static enum weir_status filter_rejectattr(struct tpl_run *r, value_in value, const struct tpl_args *args,
                                          struct tpl_value *out)
{
    return choose(r, value, args, false, true, out);
}

enum weir_status tpl_filter(struct tpl_run *r, struct tpl_text name, const struct tpl_value *value,
                            const struct tpl_args *args, struct tpl_value *out)
{
    static const char *const
        no_names[] = {NULL},
        *const indent_names[] = {"width", "first", "blank", NULL}, *const join_names[] = {"d", "attribute", NULL},
        *const default_names[] = {"default_value", "boolean", NULL},
        *const map_names[] = {"attribute", "default", NULL}, *const int_names[] = {"default", NULL},
        *const sort_names[] = {"reverse", "case_sensitive", "attribute", NULL},
        *const dictsort_names[] = {"case_sensitive", "by", "reverse", NULL}, *const trim_names[] = {"chars", NULL},
        *const json_names[] = {"ensure_ascii", "indent", "separators", "sort_keys", NULL};
    static const struct {
        const char *name;
        enum weir_status (*run)(struct tpl_run *, value_in, const struct tpl_args *, struct tpl_value *);
        size_t count_max;
        const char *const *names;
    } filters[] = {{"trim", filter_trim, 1, trim_names},
                   {"string", filter_string, 0, no_names},
                   {"safe", filter_safe, 0, no_names},
                   {"upper", filter_upper, 0, no_names},
                   {"lower", filter_lower, 0, no_names},
                   {"capitalize", filter_capitalize, 0, no_names},
                   {"replace", filter_replace, 3, no_names},
                   {"indent", filter_indent, 3, indent_names},
                   {"tojson", filter_tojson, 0, json_names},
                   {"int", filter_int, 1, int_names},
                   {"float", filter_float, 0, no_names},
                   {"abs", filter_abs, 0, no_names},
                   {"length", filter_length, 0, no_names},
                   {"count", filter_length, 0, no_names},
                   {"join", filter_join, 2, join_names},
                   {"default", filter_default, 2, default_names},
                   {"d", filter_default, 2, default_names},
                   {"first", filter_first, 0, no_names},
                   {"last", filter_last, 0, no_names},
                   {"list", filter_list, 0, no_names},
                   {"items", filter_items, 0, no_names},
                   {"reverse", filter_reverse, 0, no_names},
                   {"sort", filter_sort, 3, sort_names},
                   {"dictsort", filter_dictsort, 3, dictsort_names},
                   {"unique", filter_unique, 0, no_names},
                   {"map", filter_map, SIZE_MAX, map_names},
                   {"select", filter_select, SIZE_MAX, no_names},
                   {"reject", filter_reject, SIZE_MAX, no_names},
                   {"selectattr", filter_selectattr, SIZE_MAX, no_names},
                   {"rejectattr", filter_rejectattr, SIZE_MAX, no_names}};
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (!tpl_text_is(name, filters[i].name)) continue;
        status = tpl_check_args(r, filters[i].name, args, filters[i].count_max, filters[i].names);
        if (!status && !takes_markup(name)) status = tpl_check_plain(r, value, filters[i].name);
        if (!status) status = filters[i].run(r, value, args, out);
        tpl_leave(r);
        return status;
    }
    tpl_leave(r);
    return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the filter `%.*s` is not supported", (int)name.size, name.data);
}
