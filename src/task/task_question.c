/* The keys of a question, checked against its type: which keys a type has, labels and levels, instructions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "task/task_internal.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const TYPE_WORDS[] = {"choice", "score", "yesno", "route", "extract", "summarize", "generate", NULL};
static const char *const SCORING_WORDS[] = {"auto", "codes", "names", NULL};
static const char *const TOO_LONG_WORDS[] = {"error", "map_reduce", NULL};

const char *weir_question_type_name(enum weir_question_type type)
{
    return (size_t)type < COUNT(TYPE_WORDS) - 1 ? TYPE_WORDS[type] : "unknown";
}

/* One question while it is read. `what` is "question `NAME`". */
struct question_reader {
    struct task_reader *r;
    const yaml_node_t *at;
    const struct task_question_fields *fields;
    struct weir_question *question;
    char what[WEIR_TASK_NAME_BYTES_MAX + 16];
};

#define BIT(type) (1u << WEIR_QUESTION_##type)

/* Each key that only some types have: an error elsewhere, never ignored. */
static enum weir_status check_keys_of_type(const struct question_reader *q)
{
    const struct task_question_fields *f = q->fields;
    const unsigned labelled = BIT(CHOICE) | BIT(YESNO) | BIT(ROUTE);
    const struct {
        const char *key;
        const yaml_node_t *node;
        unsigned allowed, required;
    } rules[] = {{"labels", f->labels, labelled, BIT(CHOICE) | BIT(ROUTE)},
                 {"levels", f->levels, BIT(SCORE), BIT(SCORE)},
                 {"none_of_these", f->none_of_these, BIT(CHOICE) | BIT(ROUTE), 0},
                 {"multi", f->multi, BIT(CHOICE), 0},
                 {"scoring", f->scoring, labelled | BIT(SCORE), 0},
                 {"rotations", f->rotations, labelled | BIT(SCORE), 0},
                 {"schema", f->schema, BIT(EXTRACT), BIT(EXTRACT)},
                 {"lenient", f->lenient, BIT(EXTRACT), 0},
                 {"max_tokens", f->max_tokens, BIT(EXTRACT) | BIT(SUMMARIZE) | BIT(GENERATE), 0},
                 {"too_long", f->too_long, BIT(SUMMARIZE), 0},
                 {"template", f->template_text, BIT(SUMMARIZE) | BIT(GENERATE), 0}};
    const unsigned type = 1u << q->question->type;
    const char *name = TYPE_WORDS[q->question->type];
    for (size_t i = 0; i < COUNT(rules); i++) {
        if (rules[i].node && !(rules[i].allowed & type))
            return task_fail(q->r, rules[i].node, WEIR_ERR_FORMAT, "%s is of type %s, which has no `%s`", q->what, name,
                             rules[i].key);
        if (!rules[i].node && (rules[i].required & type))
            return task_fail(q->r, q->at, WEIR_ERR_FORMAT, "%s is of type %s and lacks `%s`", q->what, name,
                             rules[i].key);
    }
    return WEIR_OK;
}

/* The task's instructions, a line feed, the question's own. */
static enum weir_status read_instructions(struct question_reader *q)
{
    const char *common = q->r->task->instructions, *own = "";
    if (q->fields->own_instructions) {
        enum weir_status status = task_read_text(q->r, q->fields->own_instructions, "instructions", &own);
        if (status) return status;
    }
    if (!*common && !*own)
        return task_fail(q->r, q->at, WEIR_ERR_FORMAT, "%s lacks `instructions`, and so does the task", q->what);
    if (!*common || !*own) {
        q->question->instructions = *own ? own : common;
        return WEIR_OK;
    }
    size_t size = strlen(common) + strlen(own) + 2;
    char *both = task_alloc(q->r->task, size, 1);
    if (!both) return error_nomem(q->r->error, "instructions");
    (void)snprintf(both, size, "%s\n%s", common, own);
    q->question->instructions = both;
    return WEIR_OK;
}

struct label_fields {
    const char *description, *to;
};

/* A label's value: a description, nothing, or {description, to}. */
static enum weir_status read_label_value(struct question_reader *q, const yaml_node_t *node, struct weir_label *label)
{
    static const struct task_key keys[] = {{"description", TASK_TEXT, offsetof(struct label_fields, description), NULL},
                                           {"to", TASK_NAME, offsetof(struct label_fields, to), NULL}};
    if (task_node_is_null(node)) return WEIR_OK;
    if (node->type == YAML_SCALAR_NODE) return task_read_text(q->r, node, label->name, &label->description);
    char what[WEIR_TASK_NAME_BYTES_MAX + 16];
    (void)snprintf(what, sizeof what, "label `%s`", label->name);
    struct label_fields fields = {.description = "", .to = ""};
    enum weir_status status = task_read_mapping(q->r, node, what, keys, COUNT(keys), &fields);
    if (status) return status;
    if (*fields.to && q->question->type != WEIR_QUESTION_ROUTE)
        return task_fail(q->r, node, WEIR_ERR_FORMAT, "%s: only a question of type route has `to`", what);
    label->description = fields.description;
    label->to = fields.to;
    return WEIR_OK;
}

static enum weir_status read_label(struct question_reader *q, const yaml_node_t *list, size_t index, const char *key,
                                   struct weir_label *label)
{
    bool is_mapping = list->type == YAML_MAPPING_NODE;
    const yaml_node_t *name = is_mapping ? task_node_key(q->r, list, index) : task_node_item(q->r, list, index);
    *label = (struct weir_label){.description = "", .to = ""};
    enum weir_status status = task_read_name(q->r, name, key, &label->name);
    if (!status && is_mapping) status = read_label_value(q, task_node_value(q->r, list, index), label);
    if (status) return status;
    if (q->question->type == WEIR_QUESTION_ROUTE && !*label->to)
        return task_fail(q->r, name, WEIR_ERR_FORMAT, "label `%s` of a question of type route lacks `to`", label->name);
    return WEIR_OK;
}

static enum weir_status check_new_label(struct question_reader *q, const yaml_node_t *list, size_t index,
                                        const struct weir_label *labels)
{
    const yaml_node_t *name =
        list->type == YAML_MAPPING_NODE ? task_node_key(q->r, list, index) : task_node_item(q->r, list, index);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(labels[i].name, labels[index].name) == 0)
            return task_fail(q->r, name, WEIR_ERR_FORMAT, "label `%s` stands twice in %s", labels[i].name, q->what);
    }
    if (q->question->none_of_these && strcmp(labels[index].name, "none_of_these") == 0)
        return task_fail(q->r, name, WEIR_ERR_FORMAT,
                         "label `none_of_these` is already added by `none_of_these: true`");
    return WEIR_OK;
}

/* `labels` or `levels`: a mapping name -> description, or a list of names. One more label is left room for. */
static enum weir_status read_label_list(struct question_reader *q, const yaml_node_t *list, const char *key,
                                        size_t count_max, struct weir_label **out)
{
    struct weir_question *question = q->question;
    if (list->type == YAML_SCALAR_NODE)
        return task_fail(q->r, list, WEIR_ERR_FORMAT, "`%s` must be a list or a mapping, not %s", key,
                         task_node_kind(list));
    size_t count = list->type == YAML_MAPPING_NODE ? task_node_pairs(list) : task_node_items(list);
    if (count < WEIR_TASK_LABELS_MIN || count > count_max)
        return task_fail(q->r, list, WEIR_ERR_LIMIT, "%s has %zu %s, %d to %zu are allowed", q->what, count, key,
                         WEIR_TASK_LABELS_MIN, count_max);
    struct weir_label *labels = task_alloc(q->r->task, count + 1, sizeof *labels);
    if (!labels) return error_nomem(q->r->error, key);
    for (size_t i = 0; i < count; i++) {
        enum weir_status status = read_label(q, list, i, key, &labels[i]);
        if (!status) status = check_new_label(q, list, i, labels);
        if (status) return status;
    }
    question->labels = labels;
    question->n_labels = count;
    *out = labels;
    return WEIR_OK;
}

static enum weir_status read_choice(struct question_reader *q)
{
    size_t count_max = WEIR_TASK_LABELS_MAX - (q->question->none_of_these ? 1 : 0);
    struct weir_label *labels;
    enum weir_status status = read_label_list(q, q->fields->labels, "labels", count_max, &labels);
    if (status) return status;
    if (q->question->none_of_these)
        labels[q->question->n_labels++] =
            (struct weir_label){.name = "none_of_these", .description = "None of the others fits", .to = ""};
    return WEIR_OK;
}

static enum weir_status read_yesno(struct question_reader *q)
{
    static const struct weir_label yesno[] = {{.name = "yes", .description = "", .to = ""},
                                              {.name = "no", .description = "", .to = ""}};
    q->question->labels = yesno;
    q->question->n_labels = 2;
    if (!q->fields->labels) return WEIR_OK;
    struct weir_label *labels;
    enum weir_status status = read_label_list(q, q->fields->labels, "labels", 2, &labels);
    if (status) return status;
    if (strcmp(labels[0].name, "yes") != 0 || strcmp(labels[1].name, "no") != 0)
        return task_fail(q->r, q->fields->labels, WEIR_ERR_FORMAT, "the labels of a yesno question are yes and no");
    return WEIR_OK;
}

static bool level_number(const char *name, double *out)
{
    if (!name[0] || strlen(name) > 20 || name[strspn(name, "0123456789+-.")]) return false;
    char *end;
    *out = strtod(name, &end);
    return *end == 0;
}

/* Levels ascend: numbers are their own values, words count 1, 2, ... in the order of the file. */
static enum weir_status read_levels(struct question_reader *q)
{
    const yaml_node_t *node = q->fields->levels;
    struct weir_label *levels;
    enum weir_status status = read_label_list(q, node, "levels", WEIR_TASK_LEVELS_MAX, &levels);
    if (status) return status;
    size_t numbers = 0;
    for (size_t i = 0; i < q->question->n_labels; i++) {
        numbers += level_number(levels[i].name, &levels[i].value);
        if (i && numbers == i + 1 && !(levels[i].value > levels[i - 1].value))
            return task_fail(q->r, node, WEIR_ERR_FORMAT, "levels must ascend, but %s follows %s", levels[i].name,
                             levels[i - 1].name);
    }
    if (numbers == q->question->n_labels) return WEIR_OK;
    for (size_t i = 0; i < q->question->n_labels; i++) levels[i].value = (double)(i + 1);
    return WEIR_OK;
}

static enum weir_status read_answers(struct question_reader *q)
{
    switch (q->question->type) {
    case WEIR_QUESTION_CHOICE:
    case WEIR_QUESTION_ROUTE:
        return read_choice(q);
    case WEIR_QUESTION_YESNO:
        return read_yesno(q);
    case WEIR_QUESTION_SCORE:
        return read_levels(q);
    case WEIR_QUESTION_EXTRACT:
    case WEIR_QUESTION_SUMMARIZE:
    case WEIR_QUESTION_GENERATE:
        break;
    }
    return WEIR_OK;
}

/* The keys that are plain values; absent ones keep their defaults. */
static enum weir_status read_values(struct question_reader *q)
{
    const struct task_question_fields *f = q->fields;
    const struct {
        struct task_key key;
        const yaml_node_t *node;
    } values[] = {{{"none_of_these", TASK_BOOL, offsetof(struct weir_question, none_of_these), NULL}, f->none_of_these},
                  {{"multi", TASK_BOOL, offsetof(struct weir_question, multi), NULL}, f->multi},
                  {{"scoring", TASK_WORD, offsetof(struct weir_question, scoring), SCORING_WORDS}, f->scoring},
                  {{"rotations", TASK_COUNT, offsetof(struct weir_question, rotations), NULL}, f->rotations},
                  {{"schema", TASK_TEXT, offsetof(struct weir_question, schema), NULL}, f->schema},
                  {{"lenient", TASK_BOOL, offsetof(struct weir_question, lenient), NULL}, f->lenient},
                  {{"max_tokens", TASK_COUNT, offsetof(struct weir_question, max_tokens), NULL}, f->max_tokens},
                  {{"too_long", TASK_WORD, offsetof(struct weir_question, too_long), TOO_LONG_WORDS}, f->too_long},
                  {{"template", TASK_TEXT, offsetof(struct weir_question, template_text), NULL}, f->template_text}};
    for (size_t i = 0; i < COUNT(values); i++) {
        if (!values[i].node) continue;
        enum weir_status status = task_read_field(q->r, values[i].node, &values[i].key, q->question);
        if (status) return status;
    }
    if (q->question->type == WEIR_QUESTION_EXTRACT && !*q->question->schema)
        return task_fail(q->r, f->schema, WEIR_ERR_FORMAT, "`schema` must name a file");
    return WEIR_OK;
}

/* Known only when the labels are. */
static enum weir_status settle_rotations(struct question_reader *q)
{
    struct weir_question *question = q->question;
    const yaml_node_t *node = q->fields->rotations;
    if (node && question->multi)
        return task_fail(q->r, node, WEIR_ERR_FORMAT,
                         "%s: each label of `multi` is asked for on its own: there is no order to rotate", q->what);
    if (node && question->rotations > question->n_labels)
        return task_fail(q->r, node, WEIR_ERR_LIMIT, "%s: %u rotations of %zu labels", q->what, question->rotations,
                         question->n_labels);
    if (!node && question->n_labels) question->rotations = 1;
    return WEIR_OK;
}

enum weir_status task_read_question(struct task_reader *r, const yaml_node_t *at, const char *name,
                                    const struct task_question_fields *fields, struct weir_question *question)
{
    struct question_reader q = {.r = r, .at = at, .fields = fields, .question = question};
    (void)snprintf(q.what, sizeof q.what, "question `%s`", name);
    *question = (struct weir_question){.name = name, .schema = "", .template_text = ""};
    if (!fields->type) return task_fail(r, at, WEIR_ERR_FORMAT, "%s lacks `type`", q.what);
    unsigned type;
    enum weir_status status = task_read_word(r, fields->type, "type", TYPE_WORDS, &type);
    if (status) return status;
    question->type = (enum weir_question_type)type;
    if (question->type == WEIR_QUESTION_EXTRACT || question->type == WEIR_QUESTION_SUMMARIZE ||
        question->type == WEIR_QUESTION_GENERATE)
        question->max_tokens = 256;
    status = check_keys_of_type(&q);
    if (!status) status = read_values(&q);
    if (!status) status = read_instructions(&q);
    if (!status) status = read_answers(&q);
    return status ? status : settle_rotations(&q);
}

static enum weir_status read_named_question(struct task_reader *r, const yaml_node_t *mapping, size_t index)
{
#define QUESTION_KEY(key) {#key, TASK_NODE, offsetof(struct task_question_fields, key), NULL}
    static const struct task_key keys[] = {
        QUESTION_KEY(type),
        {"instructions", TASK_NODE, offsetof(struct task_question_fields, own_instructions), NULL},
        QUESTION_KEY(labels),
        QUESTION_KEY(levels),
        QUESTION_KEY(none_of_these),
        QUESTION_KEY(multi),
        QUESTION_KEY(scoring),
        QUESTION_KEY(rotations),
        QUESTION_KEY(schema),
        QUESTION_KEY(lenient),
        QUESTION_KEY(max_tokens),
        QUESTION_KEY(too_long),
        {"template", TASK_NODE, offsetof(struct task_question_fields, template_text), NULL}};
#undef QUESTION_KEY
    const yaml_node_t *key = task_node_key(r, mapping, index), *value = task_node_value(r, mapping, index);
    struct weir_question *questions = r->task->questions;
    const char *name;
    enum weir_status status = task_read_name(r, key, "questions", &name);
    if (status) return status;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(questions[i].name, name) == 0)
            return task_fail(r, key, WEIR_ERR_FORMAT, "question `%s` stands twice", name);
    }
    char what[WEIR_TASK_NAME_BYTES_MAX + 16];
    (void)snprintf(what, sizeof what, "question `%s`", name);
    struct task_question_fields fields = {0};
    status = task_read_mapping(r, value, what, keys, COUNT(keys), &fields);
    return status ? status : task_read_question(r, key, name, &fields, &questions[index]);
}

enum weir_status task_read_questions(struct task_reader *r, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`questions` must be a mapping of name to question, not %s",
                         task_node_kind(node));
    size_t count = task_node_pairs(node);
    if (count < 1 || count > WEIR_TASK_QUESTIONS_MAX)
        return task_fail(r, node, WEIR_ERR_LIMIT, "`questions` has %zu entries, 1 to %d are allowed", count,
                         WEIR_TASK_QUESTIONS_MAX);
    r->task->questions = task_alloc(r->task, count, sizeof *r->task->questions);
    if (!r->task->questions) return error_nomem(r->error, "questions");
    for (size_t i = 0; i < count; i++) {
        enum weir_status status = read_named_question(r, node, i);
        if (status) return status;
    }
    r->task->n_questions = count;
    return WEIR_OK;
}
