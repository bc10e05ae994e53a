/* Expanding conjunctions of literals into boxes, keyword by keyword.
 *
 * A branch is a box and what is still to be applied to it: literals first, then choices (anyOf and what reduces to it), each of
 * which makes one branch an option. Keywords without a choice only narrow the box, so most schemas never branch. */
#ifndef WEIR_CONSTRAIN_EXPAND_H
#define WEIR_CONSTRAIN_EXPAND_H

#include "constrain/box.h"
#include "weir/constrain.h"

enum {
    EXPAND_BOXES_MAX = 600,       /* of one conjunction */
    EXPAND_BRANCHES_MAX = 200000, /* tried for one schema, all conjunctions together */
    EXPAND_ONE_OF_MAX = 100,      /* members of a oneOf that are compared with each other */
    EXPAND_DEPTH_MAX = 200,       /* of choices made in one branch */
};

enum atom_kind {
    ATOM_LITERAL,     /* value */
    ATOM_KEYWORD,     /* the keyword `keyword` of schema `schema` holds */
    ATOM_NOT_KEYWORD, /* it does not */
    ATOM_RULE,        /* members of keys have value */
    ATOM_REQUIRE,     /* name */
    ATOM_FORBID,      /* name */
    ATOM_PROPERTY,    /* name is there with value */
    ATOM_NEED,        /* some member of keys has value */
    ATOM_ITEM,        /* item `index` is there and has value */
    ATOM_TYPES,       /* index: the types that are left */
    ATOM_LENGTH,      /* index: arrays of at least so many items, `last`: at most */
    ATOM_CONTAINS,    /* index, last: min, max; from 0 */
    ATOM_SCALARS,     /* one of the scalars among the items of `keyword` */
};

struct atom {
    enum atom_kind kind;
    literal value;
    uint32_t schema;
    const struct json_value *keyword;
    struct json_text name;
    struct key_set keys;
    uint64_t index, last;
    struct atom *next; /* of the same option */
};

struct option {
    struct atom *atoms, *newest; /* in the order they were added */
    struct option *next;
};

struct choice {
    struct option *options;
    struct option *last;
    uint32_t count;
    const struct json_value *keyword; /* for error texts */
    const struct choice *next;
};

struct literal_list {
    literal value;
    const struct literal_list *next;
};

struct branch {
    struct box box;
    const struct literal_list *pending, *seen;
    const struct choice *choices;
};

struct pattern_entry {
    struct json_text text;
    bool is_format;
    const struct dfa *dfa, *outside; /* outside: NULL until asked for */
    struct pattern_entry *next;
};

struct note {
    char *text;
    struct note *next;
};

/* Everything while a schema is compiled. */
struct compiler {
    struct arena *arena;   /* of the result */
    struct arena *work;    /* until the schema is compiled */
    struct arena *scratch; /* until a call returns */
    struct dfa_maker maker;
    struct format_store *formats; /* of the vocabulary; NULL: none */
    struct schema_document document;
    const struct weir_constrain_options *options;
    const struct dfa *all, *none, *number, *integer, *not_integer; /* NULL until asked for */
    struct pattern_entry *patterns;
    struct note *notes; /* what lenient did not enforce; newest first */
    size_t n_notes;
    size_t branches;
    struct weir_error *error; /* never NULL; its text is empty until something was refused */
    struct program *program;
    struct node_table *nodes;
    unsigned empty_depth;
};

struct box_list {
    struct box box;
    struct box_list *next;
};

/* The boxes whose union is the conjunction of literals[0..n). */
enum weir_status expand(struct compiler *c, const literal *literals, size_t n, struct box_list **out,
                        size_t *count) WEIR_MUST_USE;

/* What a keyword's function gets. */
struct keyword_use {
    uint32_t schema, resource;
    enum draft draft;
    const struct json_value *object; /* the schema */
    const struct json_value *value;  /* the keyword's */
};

/* Narrows the branch by the keyword, or by its negation. */
typedef enum weir_status keyword_fn(struct compiler *c, struct branch *b, const struct keyword_use *use, bool negated);

struct keyword {
    const char *name;
    enum draft first, last;
    keyword_fn *apply; /* NULL: known and not supported */
};
const struct keyword *keyword_find(struct json_text name, enum draft draft);

keyword_fn keyword_type, keyword_enum, keyword_const, keyword_number_bound, keyword_multiple_of, keyword_length,
    keyword_pattern, keyword_format;
keyword_fn keyword_properties, keyword_pattern_properties, keyword_additional_properties, keyword_property_names,
    keyword_required, keyword_property_count, keyword_dependencies;
keyword_fn keyword_items, keyword_prefix_items, keyword_additional_items, keyword_item_count, keyword_contains,
    keyword_unique_items;
keyword_fn keyword_ref, keyword_all_of, keyword_any_of, keyword_one_of, keyword_not, keyword_if;
keyword_fn keyword_unevaluated_properties, keyword_unevaluated_items;

/* Building blocks of the keywords. */
enum weir_status compile_no_room(struct compiler *c);
enum weir_status compile_refuse(struct compiler *c, enum weir_status status, const struct json_value *keyword,
                                const char *why);
/* lenient: the refusal just made becomes a note. */
enum weir_status compile_note(struct compiler *c);
/* WEIR_ERR_LIMIT and WEIR_ERR_NOMEM of automata, as the keyword's. */
enum weir_status compile_automaton(struct compiler *c, enum weir_status status, const struct json_value *keyword);
enum weir_status branch_pend(struct compiler *c, struct branch *b, literal value);
enum weir_status branch_pend_schema(struct compiler *c, struct branch *b, const struct keyword_use *use,
                                    const struct json_value *schema, bool negated);
enum weir_status schema_literal(struct compiler *c, const struct keyword_use *use, const struct json_value *schema,
                                bool negated, literal *out);
enum weir_status branch_choose(struct compiler *c, struct branch *b, const struct choice *choice);
void branch_types(struct branch *b, unsigned types);
enum weir_status branch_number(struct compiler *c, struct branch *b, const struct dfa *dfa,
                               enum dfa_operation operation);
enum weir_status branch_string(struct compiler *c, struct branch *b, const struct dfa *dfa,
                               enum dfa_operation operation);
enum weir_status branch_rule(struct compiler *c, struct branch *b, struct key_set keys, literal value);
enum weir_status branch_need(struct compiler *c, struct branch *b, struct key_set keys, literal value);
enum weir_status branch_require(struct compiler *c, struct branch *b, struct json_text name);
enum weir_status branch_order(struct compiler *c, struct branch *b, struct json_text name);
enum weir_status branch_item(struct compiler *c, struct branch *b, uint64_t first, uint64_t last, literal value);
enum weir_status branch_contains(struct compiler *c, struct branch *b, struct contains_rule rule);
struct choice *choice_new(struct compiler *c, const struct json_value *keyword);
/* A new option that begins with `atom`; another atom for the newest option. */
enum weir_status choice_option(struct compiler *c, struct choice *choice, struct atom atom);
enum weir_status choice_also(struct compiler *c, struct choice *choice, struct atom atom);

/* A count such as 2 or 2.0. */
enum weir_status keyword_count(struct compiler *c, const struct json_value *keyword, uint64_t *out);
enum weir_status apply_scalars(struct compiler *c, struct branch *b, const struct json_value *list, bool negated);
enum weir_status apply_equals(struct compiler *c, struct branch *b, const struct json_value *value, bool negated);
enum weir_status compile_pattern(struct compiler *c, const struct json_value *keyword, struct json_text text,
                                 const struct dfa **out);
enum weir_status compile_all(struct compiler *c, const struct dfa **out);
enum weir_status compile_number(struct compiler *c, const struct dfa **out);

/* Whether nothing can satisfy all of literals[0..n); may say no where the answer is yes, never the reverse. */
enum weir_status conjunction_is_empty(struct compiler *c, const literal *literals, size_t n, bool *empty);

/* The strings that satisfy a literal, as one automaton. */
enum weir_status conjunction_strings(struct compiler *c, const struct json_value *keyword, literal value,
                                     const struct dfa **out);

/* Takes the object's keys, or what a schema's properties and patternProperties declare, out of a KEY_OTHER set. */
enum weir_status key_set_exclude(struct compiler *c, struct key_set *keys, const struct json_value *object);
enum weir_status key_set_exclude_declared(struct compiler *c, struct key_set *keys, const struct json_value *schema);

/* A format's strings; *out NULL: no format of any draft, or (*supported false) one that is not enforced here. */
enum weir_status format_compile(const struct dfa_maker *maker, struct json_text name, const struct dfa **out,
                                bool *supported) WEIR_MUST_USE;

#endif
