/* Methods of Python's str, list and dict, of `loop`, and the global functions. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "task/template_internal.h"

typedef const struct tpl_value *value_in;

/* All public methods of the types: an attribute of one of these names is the method, never an item, also where calling it
 * is not supported. Source: dir() of CPython 3.11. */
static const char *const STR_METHODS[] = {
    "capitalize",   "casefold",   "center",    "count",       "encode",    "endswith",     "expandtabs",   "find",
    "format",       "format_map", "index",     "isalnum",     "isalpha",   "isascii",      "isdecimal",    "isdigit",
    "isidentifier", "islower",    "isnumeric", "isprintable", "isspace",   "istitle",      "isupper",      "join",
    "ljust",        "lower",      "lstrip",    "maketrans",   "partition", "removeprefix", "removesuffix", "replace",
    "rfind",        "rindex",     "rjust",     "rpartition",  "rsplit",    "rstrip",       "split",        "splitlines",
    "startswith",   "strip",      "swapcase",  "title",       "translate", "upper",        "zfill",        NULL};
static const char *const LIST_METHODS[] = {"append", "clear", "copy",   "count",   "extend", "index",
                                           "insert", "pop",   "remove", "reverse", "sort",   NULL};
static const char *const TUPLE_METHODS[] = {"count", "index", NULL};
static const char *const DICT_METHODS[] = {"clear", "copy",    "fromkeys",   "get",    "items",  "keys",
                                           "pop",   "popitem", "setdefault", "update", "values", NULL};
static const char *const LOOP_METHODS[] = {"cycle", "changed", NULL};

bool tpl_has_method(const struct tpl_value *value, struct tpl_text name)
{
    const char *const *names = value->type == TPL_STRING  ? STR_METHODS
                               : value->type == TPL_LIST  ? LIST_METHODS
                               : value->type == TPL_TUPLE ? TUPLE_METHODS
                               : value->type == TPL_DICT  ? DICT_METHODS
                               : value->type == TPL_LOOP  ? LOOP_METHODS
                                                          : NULL;
    for (; names && *names; names++)
        if (tpl_text_is(name, *names)) return true;
    return false;
}

static enum weir_status unsupported(struct tpl_run *r, const struct tpl_value *self, struct tpl_text name)
{
    return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the method `%.*s` of %s (or this use of it) is not supported",
                    (int)name.size, name.data, tpl_type_name(self));
}

/* --- str ------------------------------------------------------------------------------------------------------------- */

enum { UPPER, LOWER, TITLE, CAPITALIZE };

/* ASCII only: the full case mappings of other scripts would need tables of their own. */
static enum weir_status change_case(struct tpl_run *r, struct tpl_text text, int how, struct tpl_value *out)
{
    if (!tpl_text_is_ascii(text))
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "upper and lower case of text beyond ASCII is not supported");
    struct tpl_builder b = {.arena = &r->arena};
    if (!tpl_add(&b, text)) return tpl_nomem(r);
    bool in_word = false;
    for (size_t i = 0; i < b.size; i++) {
        char c = b.data[i];
        bool is_lower = c >= 'a' && c <= 'z', is_upper = c >= 'A' && c <= 'Z';
        bool up = how == UPPER || (how == TITLE && !in_word) || (how == CAPITALIZE && i == 0);
        if (up && is_lower) b.data[i] = (char)(c - 'a' + 'A');
        if (!up && is_upper) b.data[i] = (char)(c - 'A' + 'a');
        in_word = is_lower || is_upper;
    }
    *out = tpl_string(tpl_built(&b));
    return WEIR_OK;
}

static enum weir_status strip(struct tpl_run *r, struct tpl_text text, const struct tpl_args *args, bool left,
                              bool right, struct tpl_value *out)
{
    value_in chars = tpl_arg(args, 0, NULL);
    if (chars && chars->type == TPL_STRING) {
        *out = tpl_string(tpl_strip_chars(text, chars->as.text, left, right));
        return WEIR_OK;
    }
    if (chars && chars->type != TPL_NONE) return tpl_fail(r, WEIR_ERR_INVALID, "strip arg must be None or str");
    *out = tpl_string(tpl_strip(text, left, right));
    return WEIR_OK;
}

static enum weir_status replace(struct tpl_run *r, struct tpl_text text, const struct tpl_args *args,
                                struct tpl_value *out)
{
    value_in from = tpl_arg(args, 0, NULL), to = tpl_arg(args, 1, NULL), limit = tpl_arg(args, 2, NULL);
    int64_t left = INT64_MAX;
    if (!from || !to || from->type != TPL_STRING || to->type != TPL_STRING)
        return tpl_fail(r, WEIR_ERR_INVALID, "replace needs two texts");
    if (limit && limit->type != TPL_NONE && !tpl_integer(limit, &left))
        return tpl_fail(r, WEIR_ERR_INVALID, "the count of replace must be an integer");
    if (left < 0) left = INT64_MAX;
    if (from->as.text.size == 0) return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "replacing the empty text is not supported");
    struct tpl_builder b = {.arena = &r->arena};
    size_t at = 0, found;
    while (left-- > 0 && tpl_text_find(text, from->as.text, at, &found)) {
        if (!tpl_add(&b, tpl_text_part(text, at, found)) || !tpl_add(&b, to->as.text)) return tpl_nomem(r);
        at = found + from->as.text.size;
    }
    if (!tpl_add(&b, tpl_text_part(text, at, text.size))) return tpl_nomem(r);
    *out = tpl_string(tpl_built(&b));
    return tpl_step(r, text.size / 64);
}

/* split(): at runs of white space; split(sep, maxsplit): at every separator, from the left. */
static enum weir_status split(struct tpl_run *r, struct tpl_text text, const struct tpl_args *args,
                              struct tpl_value *out)
{
    value_in separator = tpl_arg(args, 0, "sep"), limit = tpl_arg(args, 1, "maxsplit");
    int64_t left = INT64_MAX;
    if (limit && !tpl_integer(limit, &left)) return tpl_fail(r, WEIR_ERR_INVALID, "maxsplit must be an integer");
    if (left < 0) left = INT64_MAX;
    bool blanks = !separator || separator->type == TPL_NONE;
    if (!blanks && (separator->type != TPL_STRING || separator->as.text.size == 0))
        return tpl_fail(r, WEIR_ERR_INVALID, "a separator must be text and not empty");
    struct tpl_list *list = tpl_list_new(r, 0);
    if (!list) return tpl_nomem(r);
    *out = (struct tpl_value){.type = TPL_LIST, .as.list = list};
    size_t at = 0, found;
    while (!blanks && left-- > 0 && tpl_text_find(text, separator->as.text, at, &found)) {
        if (!tpl_list_add(r, list, tpl_string(tpl_text_part(text, at, found)))) return tpl_nomem(r);
        at = found + separator->as.text.size;
    }
    if (!blanks)
        return tpl_list_add(r, list, tpl_string(tpl_text_part(text, at, text.size))) ? tpl_step(r, text.size / 64)
                                                                                     : tpl_nomem(r);
    for (text = tpl_strip(text, true, false); text.size;) {
        size_t end = 0, size = 0;
        for (; end < text.size && left > 0; end += size) {
            size = tpl_char_size(text.data + end, text.size - end);
            if (tpl_strip(tpl_text_part(text, end, end + size), true, false).size == 0) break;
        }
        if (left == 0) end = text.size;
        left--;
        if (!tpl_list_add(r, list, tpl_string(tpl_text_part(text, 0, end)))) return tpl_nomem(r);
        text = tpl_strip(tpl_text_part(text, end, text.size), true, false);
    }
    return tpl_step(r, text.size / 64);
}

static enum weir_status splitlines(struct tpl_run *r, const struct tpl_value *self, const struct tpl_args *args,
                                   struct tpl_value *out)
{
    struct tpl_list *list = tpl_list_new(r, 0);
    if (!list) return tpl_nomem(r);
    if (args->count) return unsupported(r, self, TPL_TEXT("splitlines"));
    struct tpl_text line;
    for (size_t at = 0; tpl_next_line(self->as.text, &at, &line);) {
        if (!tpl_list_add(r, list, tpl_string(line))) return tpl_nomem(r);
    }
    *out = (struct tpl_value){.type = TPL_LIST, .as.list = list};
    return tpl_step(r, self->as.text.size / 64);
}

/* startswith and endswith, of one text or any of a tuple. */
static enum weir_status affix(struct tpl_run *r, struct tpl_text text, const struct tpl_args *args, bool start,
                              struct tpl_value *out)
{
    value_in arg = tpl_arg(args, 0, NULL);
    size_t count = arg && arg->type == TPL_TUPLE ? arg->as.list->count : 1;
    if (!arg || args->count > 1)
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED,
                        "startswith and endswith with this number of arguments are not supported");
    bool result = false;
    for (size_t i = 0; i < count; i++) {
        value_in item = arg->type == TPL_TUPLE ? &arg->as.list->items[i] : arg;
        if (item->type != TPL_STRING) return tpl_fail(r, WEIR_ERR_INVALID, "startswith and endswith need texts");
        result = result || (start ? tpl_text_starts(text, item->as.text) : tpl_text_ends(text, item->as.text));
    }
    *out = tpl_bool(result);
    return WEIR_OK;
}

static enum weir_status remove_affix(struct tpl_run *r, const struct tpl_value *self, const struct tpl_args *args,
                                     bool start, struct tpl_value *out)
{
    struct tpl_text text = self->as.text;
    if (args->count != 1 || args->values[0].type != TPL_STRING)
        return tpl_fail(r, WEIR_ERR_INVALID, "a text is expected");
    struct tpl_text part = args->values[0].as.text;
    *out = *self;
    if (start && tpl_text_starts(text, part)) out->as.text = tpl_text_part(text, part.size, text.size);
    if (!start && tpl_text_ends(text, part)) out->as.text = tpl_text_part(text, 0, text.size - part.size);
    return WEIR_OK;
}

/* find (the first code point's index, or -1) and count (without overlaps). */
static enum weir_status search(struct tpl_run *r, const struct tpl_value *self, const struct tpl_args *args,
                               bool counts, struct tpl_value *out)
{
    struct tpl_text text = self->as.text;
    if (args->count != 1 || args->values[0].type != TPL_STRING || args->values[0].as.text.size == 0)
        return unsupported(r, self, counts ? TPL_TEXT("count") : TPL_TEXT("find"));
    struct tpl_text what = args->values[0].as.text;
    size_t at = 0, found;
    int64_t n = 0;
    if (!counts) {
        bool is_there = tpl_text_find(text, what, 0, &found);
        *out = tpl_int(is_there ? (int64_t)tpl_char_count(tpl_text_part(text, 0, found)) : -1);
        return tpl_step(r, text.size / 64);
    }
    for (; tpl_text_find(text, what, at, &found); at = found + what.size) n++;
    *out = tpl_int(n);
    return tpl_step(r, text.size / 64);
}

static enum weir_status join(struct tpl_run *r, const struct tpl_value *self, const struct tpl_args *args,
                             struct tpl_value *out)
{
    struct tpl_list *items = NULL;
    if (args->count != 1) return unsupported(r, self, TPL_TEXT("join"));
    enum weir_status status = tpl_iterate(r, &args->values[0], &items);
    struct tpl_builder b = {.arena = &r->arena};
    for (size_t i = 0; !status && i < items->count; i++) {
        if (items->items[i].type != TPL_STRING)
            return tpl_fail(r, WEIR_ERR_INVALID, "join: expected str instance, %s found",
                            tpl_type_name(&items->items[i]));
        if (!((i == 0 || tpl_add(&b, self->as.text)) && tpl_add(&b, items->items[i].as.text))) return tpl_nomem(r);
    }
    if (!status) *out = tpl_string(tpl_built(&b));
    return status;
}

static enum weir_status is_digit(struct tpl_run *r, const struct tpl_value *self, struct tpl_value *out)
{
    struct tpl_text text = self->as.text;
    if (!tpl_text_is_ascii(text)) return unsupported(r, self, TPL_TEXT("isdigit"));
    bool result = text.size > 0;
    for (size_t i = 0; i < text.size; i++) result = result && text.data[i] >= '0' && text.data[i] <= '9';
    *out = tpl_bool(result);
    return WEIR_OK;
}

static enum weir_status str_method(struct tpl_run *r, const struct tpl_value *self, struct tpl_text name,
                                   const struct tpl_args *args, struct tpl_value *out)
{
    struct tpl_text text = self->as.text;
    enum weir_status status = tpl_check_plain(r, self, "a method");
    if (status) return status;
    if (args->n_named && !tpl_text_is(name, "split")) return unsupported(r, self, name);
    if (tpl_text_is(name, "strip")) return strip(r, text, args, true, true, out);
    if (tpl_text_is(name, "lstrip")) return strip(r, text, args, true, false, out);
    if (tpl_text_is(name, "rstrip")) return strip(r, text, args, false, true, out);
    if (tpl_text_is(name, "split")) return split(r, text, args, out);
    if (tpl_text_is(name, "splitlines")) return splitlines(r, self, args, out);
    if (tpl_text_is(name, "startswith")) return affix(r, text, args, true, out);
    if (tpl_text_is(name, "endswith")) return affix(r, text, args, false, out);
    if (tpl_text_is(name, "removeprefix")) return remove_affix(r, self, args, true, out);
    if (tpl_text_is(name, "removesuffix")) return remove_affix(r, self, args, false, out);
    if (tpl_text_is(name, "replace")) return replace(r, text, args, out);
    if (tpl_text_is(name, "find")) return search(r, self, args, false, out);
    if (tpl_text_is(name, "count")) return search(r, self, args, true, out);
    if (tpl_text_is(name, "join")) return join(r, self, args, out);
    if (args->count) return unsupported(r, self, name);
    if (tpl_text_is(name, "upper")) return change_case(r, text, UPPER, out);
    if (tpl_text_is(name, "lower")) return change_case(r, text, LOWER, out);
    if (tpl_text_is(name, "title")) return change_case(r, text, TITLE, out);
    if (tpl_text_is(name, "capitalize")) return change_case(r, text, CAPITALIZE, out);
    if (tpl_text_is(name, "isdigit")) return is_digit(r, self, out);
    return unsupported(r, self, name);
}

/* --- list, dict, loop ------------------------------------------------------------------------------------------------ */

static enum weir_status list_pop(struct tpl_run *r, struct tpl_list *list, const struct tpl_args *args,
                                 struct tpl_value *out)
{
    int64_t index = -1, count = (int64_t)list->count;
    if (args->count && !tpl_integer(&args->values[0], &index))
        return tpl_fail(r, WEIR_ERR_INVALID, "pop needs an integer");
    if (index < 0) index += count;
    if (index < 0 || index >= count)
        return tpl_fail(r, WEIR_ERR_INVALID, count ? "pop index out of range" : "pop from empty list");
    *out = list->items[index];
    memmove(list->items + index, list->items + index + 1, (size_t)(count - index - 1) * sizeof *list->items);
    list->count--;
    return tpl_step(r, list->count / 16);
}

static enum weir_status list_method(struct tpl_run *r, const struct tpl_value *self, struct tpl_text name,
                                    const struct tpl_args *args, struct tpl_value *out)
{
    struct tpl_list *list = self->as.list;
    bool one = args->count == 1 && args->n_named == 0;
    *out = (struct tpl_value){.type = TPL_NONE};
    if (tpl_text_is(name, "append") && one && self->type == TPL_LIST)
        return tpl_list_add(r, list, args->values[0]) ? WEIR_OK : tpl_nomem(r);
    if (tpl_text_is(name, "pop") && args->count <= 1 && self->type == TPL_LIST) return list_pop(r, list, args, out);
    if (tpl_text_is(name, "copy") && args->count == 0) {
        enum weir_status status = tpl_iterate(r, self, &list);
        if (!status) *out = (struct tpl_value){.type = TPL_LIST, .as.list = list};
        return status;
    }
    if (tpl_text_is(name, "extend") && one) {
        struct tpl_list *more;
        enum weir_status status = tpl_iterate(r, &args->values[0], &more);
        for (size_t i = 0; !status && i < more->count; i++)
            if (!tpl_list_add(r, list, more->items[i])) return tpl_nomem(r);
        return status;
    }
    return unsupported(r, self, name);
}

static enum weir_status dict_method(struct tpl_run *r, const struct tpl_value *self, struct tpl_text name,
                                    const struct tpl_args *args, struct tpl_value *out)
{
    const struct tpl_dict *dict = self->as.dict;
    struct tpl_list *list = NULL;
    enum weir_status status = WEIR_OK;
    if (args->n_named) return unsupported(r, self, name);
    if (tpl_text_is(name, "get") && (args->count == 1 || args->count == 2)) {
        const struct tpl_value *found;
        status = tpl_dict_find(r, dict, &args->values[0], &found);
        if (status) return status;
        *out = found ? *found : args->count == 2 ? args->values[1] : (struct tpl_value){.type = TPL_NONE};
        return WEIR_OK;
    }
    if (args->count) return unsupported(r, self, name);
    if (tpl_text_is(name, "items")) {
        status = tpl_pairs(r, dict, &list);
    } else if (tpl_text_is(name, "keys") || tpl_text_is(name, "values")) {
        status = tpl_iterate(r, self, &list);
        if (!status && tpl_text_is(name, "values") && dict->count)
            memcpy(list->items, dict->values, dict->count * sizeof *list->items);
    } else {
        return unsupported(r, self, name);
    }
    /* A view is true when it is not empty, and has a length: a tuple is, too. */
    if (!status) *out = (struct tpl_value){.type = TPL_TUPLE, .as.list = list};
    return status;
}

static enum weir_status loop_method(struct tpl_run *r, const struct tpl_value *self, struct tpl_text name,
                                    const struct tpl_args *args, struct tpl_value *out)
{
    struct tpl_loop *loop = self->as.loop;
    if (args->n_named || args->count == 0) return unsupported(r, self, name);
    if (tpl_text_is(name, "cycle")) {
        *out = args->values[loop->index0 % args->count];
        return WEIR_OK;
    }
    if (args->count != 1) return unsupported(r, self, name);
    bool same = false;
    enum weir_status status =
        loop->changed.type == TPL_UNDEFINED ? WEIR_OK : tpl_equal(r, &loop->changed, &args->values[0], &same);
    loop->changed = args->values[0];
    *out = tpl_bool(!same);
    return status;
}

enum weir_status tpl_method_call(struct tpl_run *r, const struct tpl_method *method, const struct tpl_args *args,
                                 struct tpl_value *out)
{
    switch (method->self.type) {
    case TPL_STRING:
        return str_method(r, &method->self, method->name, args, out);
    case TPL_LIST:
    case TPL_TUPLE:
        return list_method(r, &method->self, method->name, args, out);
    case TPL_DICT:
        return dict_method(r, &method->self, method->name, args, out);
    default:
        return loop_method(r, &method->self, method->name, args, out);
    }
}

/* --- global functions ------------------------------------------------------------------------------------------------ */

static enum weir_status call_raise(struct tpl_run *r, const struct tpl_args *args)
{
    struct tpl_text text = TPL_TEXT("");
    enum weir_status status = args->count ? tpl_str(r, &args->values[0], &text) : WEIR_OK;
    if (status) return status;
    return tpl_fail(r, WEIR_ERR_REFUSED, "%.*s",
                    (int)(text.size < WEIR_ERROR_TEXT_MAX ? text.size : WEIR_ERROR_TEXT_MAX), text.data);
}

static enum weir_status call_namespace(struct tpl_run *r, const struct tpl_args *args, enum tpl_type type,
                                       struct tpl_value *out)
{
    struct tpl_dict *dict = tpl_dict_new(r, args->n_named);
    if (!dict) return tpl_nomem(r);
    if (args->count > 1 || (args->count == 1 && args->values[0].type != TPL_DICT))
        return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`%s` of this argument is not supported",
                        type == TPL_DICT ? "dict" : "namespace");
    enum weir_status status = WEIR_OK;
    const struct tpl_dict *from = args->count ? args->values[0].as.dict : dict;
    for (size_t i = 0; !status && args->count && i < from->count; i++)
        status = tpl_dict_set(r, dict, from->keys[i], from->values[i]);
    for (size_t i = 0; !status && i < args->n_named; i++)
        status = tpl_dict_set(r, dict, tpl_string(args->names[i]), args->named[i]);
    *out = (struct tpl_value){.type = type, .as.dict = dict};
    return status;
}

static enum weir_status call_range(struct tpl_run *r, const struct tpl_args *args, struct tpl_value *out)
{
    int64_t bounds[3] = {0, 0, 1};
    if (args->n_named || args->count < 1 || args->count > 3)
        return tpl_fail(r, WEIR_ERR_INVALID, "`range` takes one to three integers");
    for (size_t i = 0; i < args->count; i++)
        if (!tpl_integer(&args->values[i], &bounds[args->count == 1 ? 1 : i]))
            return tpl_fail(r, WEIR_ERR_INVALID, "`range` takes integers");
    if (bounds[2] == 0) return tpl_fail(r, WEIR_ERR_INVALID, "the step of `range` must not be zero");
    struct tpl_list *list = tpl_list_new(r, 0);
    if (!list) return tpl_nomem(r);
    for (int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1];) {
        if (list->count >= TEMPLATE_RANGE_MAX)
            return tpl_fail(r, WEIR_ERR_LIMIT, "a `range` of more than %d", TEMPLATE_RANGE_MAX);
        if (!tpl_list_add(r, list, tpl_int(i))) return tpl_nomem(r);
        if (__builtin_add_overflow(i, bounds[2], &i)) break;
    }
    *out = (struct tpl_value){.type = TPL_LIST, .as.list = list};
    return tpl_step(r, list->count);
}

/* The name of a month or day is written in English, whatever the locale of the process. */
static bool format_name(const struct tm *now, char letter, char *out, size_t size)
{
    static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    const char *name = letter == 'a' || letter == 'A' ? days[now->tm_wday] : months[now->tm_mon];
    if (!strchr("aAbB", letter)) return false;
    (void)snprintf(out, size, letter == 'a' || letter == 'b' ? "%.3s" : "%s", name);
    return true;
}

static enum weir_status call_strftime(struct tpl_run *r, const struct tpl_args *args, struct tpl_value *out)
{
    if (args->count != 1 || args->values[0].type != TPL_STRING)
        return tpl_fail(r, WEIR_ERR_INVALID, "`strftime_now` takes a format");
    struct tpl_text format = args->values[0].as.text;
    struct tpl_builder b = {.arena = &r->arena};
    for (size_t i = 0; i < format.size; i++) {
        char text[64], pattern[] = {'%', i + 1 < format.size ? format.data[i + 1] : 0, 0};
        if (format.data[i] != '%') {
            if (!tpl_add(&b, tpl_text_part(format, i, i + 1))) return tpl_nomem(r);
            continue;
        }
        if (!pattern[1] || !strchr("aAbBdHIjmMSyY%", pattern[1]))
            return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "`strftime_now` with %%%c is not supported",
                            pattern[1] ? pattern[1] : ' ');
        if (!format_name(r->now, pattern[1], text, sizeof text)) {
            const struct tm *now = r->now;
            int year = now->tm_year + 1900, hour12 = now->tm_hour % 12 ? now->tm_hour % 12 : 12;
            switch (pattern[1]) {
            case '%':
                (void)snprintf(text, sizeof text, "%%");
                break;
            case 'd':
                (void)snprintf(text, sizeof text, "%02d", now->tm_mday);
                break;
            case 'H':
                (void)snprintf(text, sizeof text, "%02d", now->tm_hour);
                break;
            case 'I':
                (void)snprintf(text, sizeof text, "%02d", hour12);
                break;
            case 'j':
                (void)snprintf(text, sizeof text, "%03d", now->tm_yday + 1);
                break;
            case 'm':
                (void)snprintf(text, sizeof text, "%02d", now->tm_mon + 1);
                break;
            case 'M':
                (void)snprintf(text, sizeof text, "%02d", now->tm_min);
                break;
            case 'S':
                (void)snprintf(text, sizeof text, "%02d", now->tm_sec);
                break;
            case 'y':
                (void)snprintf(text, sizeof text, "%02d", year % 100);
                break;
            default:
                (void)snprintf(text, sizeof text, "%d", year);
                break;
            }
        }
        if (!tpl_add_bytes(&b, text, strlen(text), TPL_TEMPLATE)) return tpl_nomem(r);
        i++;
    }
    *out = tpl_string(tpl_built(&b));
    return WEIR_OK;
}

enum weir_status tpl_function_call(struct tpl_run *r, struct tpl_text name, const struct tpl_args *args,
                                   struct tpl_value *out)
{
    if (tpl_text_is(name, "raise_exception")) return call_raise(r, args);
    if (tpl_text_is(name, "namespace")) return call_namespace(r, args, TPL_NAMESPACE, out);
    if (tpl_text_is(name, "dict")) return call_namespace(r, args, TPL_DICT, out);
    if (tpl_text_is(name, "range")) return call_range(r, args, out);
    if (tpl_text_is(name, "strftime_now")) return call_strftime(r, args, out);
    return tpl_fail(r, WEIR_ERR_UNSUPPORTED, "the function `%.*s` is not supported", (int)name.size, name.data);
}
