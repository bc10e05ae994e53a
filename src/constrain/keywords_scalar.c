/* Keywords about types, single values, numbers and strings. */
#include <string.h>

#include "base/error.h"
#include "constrain/expand.h"
#include "constrain/format_store.h"
#include "constrain/number.h"
#include "constrain/regex.h"

enum weir_status compile_all(struct compiler *c, const struct dfa **out)
{
    enum weir_status status = c->all ? WEIR_OK : dfa_all(&c->maker, &c->all);
    *out = c->all;
    return status;
}

enum weir_status compile_number(struct compiler *c, const struct dfa **out)
{
    enum weir_status status = c->number ? WEIR_OK : number_any(&c->maker, &c->number);
    *out = c->number;
    return status;
}

static enum weir_status integers(struct compiler *c, enum draft draft, bool wanted, const struct dfa **out)
{
    static const char *const draft_4[2] = {"^-?(0|[1-9][0-9]*)(\\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)$",
                                           "^-?(0|[1-9][0-9]*)$"};
    if (draft == DRAFT_4) /* there 1.0 is no integer */
        return regex_compile(&c->maker, (struct json_text){draft_4[wanted], strlen(draft_4[wanted])}, out, NULL);
    const struct dfa **known = wanted ? &c->integer : &c->not_integer;
    enum weir_status status = *known ? WEIR_OK : (wanted ? number_integer : number_not_integer)(&c->maker, known);
    *out = *known;
    return status;
}

static const struct {
    const char *name;
    unsigned types;
} type_names[] = {{"null", TYPE_NULL},     {"boolean", TYPE_FALSE | TYPE_TRUE},
                  {"number", TYPE_NUMBER}, {"integer", TYPE_NUMBER},
                  {"string", TYPE_STRING}, {"array", TYPE_ARRAY},
                  {"object", TYPE_OBJECT}, {"any", TYPE_ALL}};

static enum weir_status add_type(struct compiler *c, const struct json_value *name, unsigned *types, bool *integer,
                                 bool *number)
{
    for (size_t i = 0; name->kind == JSON_STRING && i < sizeof type_names / sizeof type_names[0]; i++) {
        if (!json_text_is(name->string, type_names[i].name)) continue;
        *types |= type_names[i].types;
        if (json_text_is(name->string, "integer"))
            *integer = true;
        else if (type_names[i].types & TYPE_NUMBER)
            *number = true;
        return WEIR_OK;
    }
    return compile_refuse(c, WEIR_ERR_FORMAT, name, "expected null, boolean, number, integer, string, array or object");
}

enum weir_status keyword_type(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    unsigned types = 0;
    bool integer = false, number = false;
    enum weir_status status = WEIR_OK;
    if (use->value->kind != JSON_ARRAY) {
        status = add_type(c, use->value, &types, &integer, &number);
    } else {
        for (const struct json_value *name = use->value->first; name && !status; name = name->next)
            status = add_type(c, name, &types, &integer, &number);
    }
    if (status) return status;
    bool only_integers = integer && !number;
    branch_types(b, negated ? ~types | (only_integers ? TYPE_NUMBER : 0U) : types);
    if (!only_integers || !(b->box.types & TYPE_NUMBER)) return WEIR_OK;
    const struct dfa *dfa;
    status = integers(c, use->draft, !negated, &dfa);
    if (!status) status = branch_number(c, b, dfa, DFA_AND);
    return compile_automaton(c, status, use->value);
}

/* The numbers equal to one of the list's: unions of halves, so that long lists stay cheap. */
static enum weir_status equal_numbers(struct compiler *c, const struct json_value *const *values, size_t n,
                                      const struct dfa **out)
{
    if (n == 1) return number_compare(&c->maker, values[0]->source, NUMBER_EQUAL, out);
    const struct dfa *left, *right;
    enum weir_status status = equal_numbers(c, values, n / 2, &left);
    if (!status) status = equal_numbers(c, values + n / 2, n - n / 2, &right);
    return status ? status : dfa_pair(&c->maker, left, right, DFA_OR, out);
}

struct scalars {
    unsigned types; /* with a scalar of this type in the list */
    const struct json_value **numbers;
    struct json_text *strings;
    size_t n_numbers, n_strings;
};

static void add_scalar(struct scalars *s, const struct json_value *value)
{
    static const unsigned types[] = {TYPE_NULL, TYPE_FALSE, TYPE_TRUE, TYPE_NUMBER, TYPE_STRING, 0, 0};
    s->types |= types[value->kind];
    if (value->kind == JSON_NUMBER) s->numbers[s->n_numbers++] = value;
    if (value->kind == JSON_STRING) s->strings[s->n_strings++] = value->string;
}

static enum weir_status apply_sorted(struct compiler *c, struct branch *b, const struct scalars *s, bool negated)
{
    enum dfa_operation operation = negated ? DFA_MINUS : DFA_AND;
    enum weir_status status = WEIR_OK;
    const struct dfa *dfa;
    branch_types(b, negated ? ~(s->types & ~(unsigned)(TYPE_NUMBER | TYPE_STRING)) : s->types);
    if (s->n_numbers && (b->box.types & TYPE_NUMBER)) {
        status = equal_numbers(c, s->numbers, s->n_numbers, &dfa);
        if (!status && negated) { /* only spellings that can be compared may be told apart from the listed numbers */
            const struct dfa *comparable;
            status = number_compare(&c->maker, s->numbers[0]->source, NUMBER_LESS | NUMBER_EQUAL | NUMBER_GREATER,
                                    &comparable);
            if (!status) status = branch_number(c, b, comparable, DFA_AND);
        }
        if (!status && (b->box.types & TYPE_NUMBER)) status = branch_number(c, b, dfa, operation);
    }
    if (!status && s->n_strings && (b->box.types & TYPE_STRING)) {
        status = dfa_texts(&c->maker, s->strings, s->n_strings, &dfa);
        if (!status) status = branch_string(c, b, dfa, operation);
    }
    return status;
}

/* `list`: an array, or a single value outside an array of values. */
enum weir_status apply_scalars(struct compiler *c, struct branch *b, const struct json_value *list, bool negated)
{
    struct arena_mark mark = arena_mark(c->scratch);
    struct scalars s = {.numbers = arena_zero(c->scratch, (size_t)list->count + 1, sizeof *s.numbers),
                        .strings = arena_zero(c->scratch, (size_t)list->count + 1, sizeof *s.strings)};
    enum weir_status status = s.numbers && s.strings ? WEIR_OK : WEIR_ERR_NOMEM;
    if (!status && list->kind != JSON_ARRAY) add_scalar(&s, list);
    for (const struct json_value *v = list->first; v && !status; v = v->next) add_scalar(&s, v);
    if (!status) status = apply_sorted(c, b, &s, negated);
    arena_wind_back(c->scratch, mark);
    return compile_automaton(c, status, list);
}

static bool is_scalar(const struct json_value *value)
{
    return value->kind != JSON_ARRAY && value->kind != JSON_OBJECT;
}

static enum weir_status equals_composite(struct compiler *c, const struct json_value *value, bool negated,
                                         struct atom *out)
{
    uint32_t number;
    enum weir_status status = schema_equals(&c->document, value, &number);
    *out = (struct atom){.kind = ATOM_LITERAL, .value = literal_of(number, negated)};
    return status;
}

enum weir_status keyword_enum(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    if (use->value->kind != JSON_ARRAY) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected an array");
    struct choice *choice = choice_new(c, use->value);
    enum weir_status status = WEIR_OK;
    bool scalars = false;
    struct atom atom;
    for (const struct json_value *v = use->value->first; v && !status; v = v->next) {
        if (is_scalar(v)) {
            scalars = true;
            continue;
        }
        status = equals_composite(c, v, negated, &atom);
        if (!status) status = negated ? branch_pend(c, b, atom.value) : choice_option(c, choice, atom);
    }
    if (status) return status;
    if (negated) return scalars ? apply_scalars(c, b, use->value, true) : WEIR_OK;
    if (scalars) status = choice_option(c, choice, (struct atom){.kind = ATOM_SCALARS, .keyword = use->value});
    return status ? status : branch_choose(c, b, choice);
}

enum weir_status keyword_const(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    return apply_equals(c, b, use->value, negated);
}

static enum weir_status apply_bound(struct compiler *c, struct branch *b, const struct json_value *bound,
                                    unsigned wanted)
{
    const struct dfa *dfa;
    if (!(b->box.types & TYPE_NUMBER)) return WEIR_OK;
    enum weir_status status = number_compare(&c->maker, bound->source, wanted, &dfa);
    if (!status) status = branch_number(c, b, dfa, DFA_AND);
    return compile_automaton(c, status, bound);
}

/* minimum, maximum, exclusiveMinimum, exclusiveMaximum; in draft 4 the latter two are flags of the former. */
enum weir_status keyword_number_bound(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    bool is_minimum = json_text_is(use->value->key, "minimum") || json_text_is(use->value->key, "exclusiveMinimum");
    bool exclusive = use->value->key.size > strlen("minimum");
    if (exclusive && (use->value->kind == JSON_TRUE || use->value->kind == JSON_FALSE)) {
        if (negated) branch_types(b, 0); /* said by minimum or maximum */
        return WEIR_OK;
    }
    if (use->value->kind != JSON_NUMBER) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected a number");
    const struct json_value *flag = json_member(use->object, is_minimum ? "exclusiveMinimum" : "exclusiveMaximum");
    if (!exclusive && flag && flag->kind == JSON_TRUE) exclusive = true;
    unsigned wanted = (is_minimum ? NUMBER_GREATER : NUMBER_LESS) | (exclusive ? 0U : NUMBER_EQUAL);
    if (negated) {
        branch_types(b, TYPE_NUMBER);
        wanted = ~wanted & (NUMBER_LESS | NUMBER_EQUAL | NUMBER_GREATER);
    }
    return apply_bound(c, b, use->value, wanted);
}

enum weir_status keyword_multiple_of(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    if (use->value->kind != JSON_NUMBER) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected a number");
    if (negated) branch_types(b, TYPE_NUMBER);
    if (!(b->box.types & TYPE_NUMBER)) return WEIR_OK;
    const struct dfa *dfa;
    enum weir_status status = number_multiple(&c->maker, use->value->source, !negated, &dfa);
    if (status == WEIR_ERR_LIMIT && !c->scratch->over)
        return compile_refuse(c, WEIR_ERR_UNSUPPORTED, use->value, "a divisor with too many digits for an automaton");
    if (!status) status = branch_number(c, b, dfa, DFA_AND);
    return compile_automaton(c, status, use->value);
}

enum weir_status keyword_count(struct compiler *c, const struct json_value *keyword, uint64_t *out)
{
    struct arena_mark mark = arena_mark(c->scratch);
    struct json_decimal value = {.negative = true};
    enum weir_status status =
        keyword->kind == JSON_NUMBER ? json_decimal(c->scratch, keyword->source, &value) : WEIR_ERR_FORMAT;
    if (status == WEIR_ERR_NOMEM) return compile_no_room(c);
    bool good = !status && !value.negative && value.exponent >= 0 && (int64_t)value.count + value.exponent <= 15;
    uint64_t count = 0;
    for (size_t i = 0; good && i < value.count; i++) count = count * 10 + (uint64_t)(value.digits[i] - '0');
    for (int64_t e = 0; good && e < value.exponent; e++) count *= 10;
    arena_wind_back(c->scratch, mark);
    if (!good) return compile_refuse(c, WEIR_ERR_FORMAT, keyword, "expected a count: an integer from 0 below 10^15");
    *out = count;
    return WEIR_OK;
}

/* Narrows [*low, *high] to values of at least (is_minimum) or at most `count`, or to the others. */
static bool narrow(uint64_t *low, uint64_t *high, uint64_t count, bool is_minimum, bool negated)
{
    if (negated && is_minimum && count == 0) return false;
    if (negated) count = is_minimum ? count - 1 : count + 1;
    if (is_minimum != negated) {
        if (*low < count) *low = count;
    } else if (*high > count) {
        *high = count;
    }
    return true;
}

static enum weir_status keyword_range(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated,
                                      unsigned type, uint64_t *low, uint64_t *high)
{
    uint64_t count = 0;
    enum weir_status status = keyword_count(c, use->value, &count);
    if (status) return status;
    bool is_minimum = use->value->key.data[1] == 'i'; /* "min", "max" */
    if (count > COUNT_COMPARED_MAX) {
        if (is_minimum == negated) return WEIR_OK; /* a maximum no output reaches, or fewer than so many */
        return compile_refuse(c, WEIR_ERR_LIMIT, use->value, "a count beyond what an output can reach");
    }
    if (negated) branch_types(b, type);
    if (!narrow(low, high, count, is_minimum, negated)) branch_types(b, 0);
    return WEIR_OK;
}

enum weir_status keyword_length(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    return keyword_range(c, b, use, negated, TYPE_STRING, &b->box.length_min, &b->box.length_max);
}

enum weir_status keyword_item_count(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    return keyword_range(c, b, use, negated, TYPE_ARRAY, &b->box.array.min, &b->box.array.max);
}

enum weir_status keyword_property_count(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                        bool negated)
{
    return keyword_range(c, b, use, negated, TYPE_OBJECT, &b->box.object.min, &b->box.object.max);
}

static struct pattern_entry *find_pattern(struct compiler *c, struct json_text text, bool is_format)
{
    for (struct pattern_entry *p = c->patterns; p; p = p->next)
        if (p->is_format == is_format && json_text_equal(p->text, text)) return p;
    return NULL;
}

static enum weir_status remember_pattern(struct compiler *c, struct json_text text, bool is_format,
                                         const struct dfa *dfa)
{
    struct pattern_entry *entry = arena_zero(c->work, 1, sizeof *entry);
    if (!entry) return compile_no_room(c);
    *entry = (struct pattern_entry){.text = text, .is_format = is_format, .dfa = dfa, .next = c->patterns};
    c->patterns = entry;
    return WEIR_OK;
}

enum weir_status compile_pattern(struct compiler *c, const struct json_value *keyword, struct json_text text,
                                 const struct dfa **out)
{
    struct pattern_entry *known = find_pattern(c, text, false);
    if (known) {
        *out = known->dfa;
        return WEIR_OK;
    }
    struct weir_error error = {0};
    enum weir_status status = regex_compile(&c->maker, text, out, &error);
    if (status == WEIR_ERR_NOMEM) return compile_no_room(c);
    if (status)
        return compile_refuse(c, status == WEIR_ERR_FORMAT ? WEIR_ERR_UNSUPPORTED : status, keyword, error.text);
    return remember_pattern(c, text, false, *out);
}

static enum weir_status apply_language(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                       const struct dfa *dfa, bool negated)
{
    if (negated) branch_types(b, TYPE_STRING);
    if (!(b->box.types & TYPE_STRING)) return WEIR_OK;
    return compile_automaton(c, branch_string(c, b, dfa, negated ? DFA_MINUS : DFA_AND), use->value);
}

enum weir_status keyword_pattern(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    const struct dfa *dfa;
    if (use->value->kind != JSON_STRING) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected a string");
    enum weir_status status = compile_pattern(c, use->value, use->value->string, &dfa);
    return status ? status : apply_language(c, b, use, dfa, negated);
}

enum { HOSTNAME_LENGTH_MAX = 253 }; /* RFC 1034, 3.1: 255 octets on the wire */

enum weir_status keyword_format(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated)
{
    bool supported = true;
    if (use->value->kind != JSON_STRING) return compile_refuse(c, WEIR_ERR_FORMAT, use->value, "expected a string");
    struct json_text name = use->value->string;
    struct pattern_entry *known = find_pattern(c, name, true);
    const struct dfa *dfa = known ? known->dfa : NULL;
    enum weir_status status = WEIR_OK;
    if (!dfa && !c->options->formats_are_notes) {
        status = c->formats ? format_store_find(c->formats, c->scratch, name, &dfa, &supported)
                            : format_compile(&c->maker, name, &dfa, &supported);
        if (!status && dfa) status = remember_pattern(c, name, true, dfa);
    }
    if (status) return compile_automaton(c, status, use->value);
    if (!supported) return compile_refuse(c, WEIR_ERR_UNSUPPORTED, use->value, "this format is not supported");
    if (!dfa) { /* a name that no draft defines says nothing */
        if (negated) branch_types(b, 0);
        return WEIR_OK;
    }
    bool hostname = json_text_is(name, "hostname");
    if (hostname && negated)
        return compile_refuse(c, WEIR_ERR_UNSUPPORTED, use->value, "the negation of hostname is not supported");
    if (hostname && b->box.length_max > HOSTNAME_LENGTH_MAX) b->box.length_max = HOSTNAME_LENGTH_MAX;
    return apply_language(c, b, use, dfa, negated);
}
