/* The keys of a task file outside its questions, tiers and gate: task, budget, privacy. Defaults are set in task.c. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "task/task_internal.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const EXHAUSTED_WORDS[] = {"abstain", "queue", NULL};
static const char *const EGRESS_WORDS[] = {"never", "redacted", "allow", NULL};
static const char *const REDACT_WORDS[] = {"email", "phone", "card", "iban", "ip", "url_credentials", NULL};

static enum weir_status fail_missing(struct task_reader *r, const yaml_node_t *node, const char *key, const char *what)
{
    return task_fail(r, node, WEIR_ERR_FORMAT, "%s lacks `%s`", what, key);
}

static enum weir_status read_tiers(struct task_reader *r, const yaml_node_t *node)
{
    struct weir_task *task = r->task;
    if (node->type != YAML_SEQUENCE_NODE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`tiers` must be a list, not %s", task_node_kind(node));
    size_t count = task_node_items(node);
    if (count < 1 || count > WEIR_TASK_TIERS_MAX)
        return task_fail(r, node, WEIR_ERR_LIMIT, "`tiers` has %zu entries, 1 to %d are allowed", count,
                         WEIR_TASK_TIERS_MAX);
    task->tiers = task_alloc(task, count, sizeof *task->tiers);
    if (!task->tiers) return error_nomem(r->error, "tiers");
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = task_node_item(r, node, i);
        enum weir_status status = task_read_tier(r, item, i, &task->tiers[i]);
        if (status) return status;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(task->tiers[i].name, task->tiers[j].name) == 0)
                return task_fail(r, item, WEIR_ERR_FORMAT, "tier name `%s` stands twice", task->tiers[i].name);
        }
    }
    task->n_tiers = count;
    return WEIR_OK;
}

static enum weir_status read_budget(struct task_reader *r, const yaml_node_t *node)
{
    static const struct task_key keys[] = {
        {"usd_per_day", TASK_USD, offsetof(struct weir_budget, usd_e6_per_day), NULL},
        {"usd_per_run", TASK_USD, offsetof(struct weir_budget, usd_e6_per_run), NULL},
        {"usd_per_task", TASK_USD, offsetof(struct weir_budget, usd_e6_per_task), NULL},
        {"when_exhausted", TASK_WORD, offsetof(struct weir_budget, when_exhausted), EXHAUSTED_WORDS}};
    return task_read_mapping(r, node, "budget", keys, COUNT(keys), &r->task->budget);
}

struct privacy_fields {
    struct weir_privacy privacy;
    const yaml_node_t *redact;
};

static enum weir_status read_privacy(struct task_reader *r, const yaml_node_t *node)
{
    static const struct task_key keys[] = {
        {"egress", TASK_WORD, offsetof(struct privacy_fields, privacy.egress), EGRESS_WORDS},
        {"redact", TASK_NODE, offsetof(struct privacy_fields, redact), NULL},
        {"store_bodies", TASK_BOOL, offsetof(struct privacy_fields, privacy.store_bodies), NULL}};
    struct privacy_fields fields = {.privacy = r->task->privacy};
    enum weir_status status = task_read_mapping(r, node, "privacy", keys, COUNT(keys), &fields);
    if (status) return status;
    if (fields.redact) {
        if (fields.redact->type != YAML_SEQUENCE_NODE)
            return task_fail(r, fields.redact, WEIR_ERR_FORMAT, "`redact` must be a list, not %s",
                             task_node_kind(fields.redact));
        fields.privacy.redact = 0;
        for (size_t i = 0; i < task_node_items(fields.redact); i++) {
            unsigned word;
            status = task_read_word(r, task_node_item(r, fields.redact, i), "redact", REDACT_WORDS, &word);
            if (status) return status;
            fields.privacy.redact |= 1u << word;
        }
    }
    r->task->privacy = fields.privacy;
    return WEIR_OK;
}

struct root_fields {
    const char *name, *instructions;
    const yaml_node_t *questions, *tiers, *gate, *budget, *privacy;
    struct task_question_fields question; /* a single question at the top level */
};

/* The first key of a question that stands at the top level; NULL when there is none. */
static const yaml_node_t *top_level_question_key(const struct task_question_fields *f)
{
    const yaml_node_t *nodes[] = {f->type,      f->labels, f->levels,  f->none_of_these, f->multi,    f->scoring,
                                  f->rotations, f->schema, f->lenient, f->max_tokens,    f->too_long, f->template_text};
    for (size_t i = 0; i < COUNT(nodes); i++)
        if (nodes[i]) return nodes[i];
    return NULL;
}

static enum weir_status read_any_questions(struct task_reader *r, const yaml_node_t *root, const struct root_fields *f)
{
    const yaml_node_t *top = top_level_question_key(&f->question);
    if (f->questions && top)
        return task_fail(r, top, WEIR_ERR_FORMAT,
                         "a question stands at the top level and others under `questions`; move it there");
    if (f->questions) return task_read_questions(r, f->questions);
    if (!f->question.type)
        return task_fail(r, root, WEIR_ERR_FORMAT,
                         "the task lacks `questions` (or one question's `type` at the top level)");
    r->task->questions = task_alloc(r->task, 1, sizeof *r->task->questions);
    if (!r->task->questions) return error_nomem(r->error, "questions");
    r->task->n_questions = 1;
    return task_read_question(r, root, r->task->name, &f->question, &r->task->questions[0]);
}

enum weir_status task_read_root(struct task_reader *r)
{
#define QUESTION_KEY(key) {#key, TASK_NODE, offsetof(struct root_fields, question.key), NULL}
    static const struct task_key keys[] = {
        {"task", TASK_NAME, offsetof(struct root_fields, name), NULL},
        {"instructions", TASK_TEXT, offsetof(struct root_fields, instructions), NULL},
        {"questions", TASK_NODE, offsetof(struct root_fields, questions), NULL},
        {"tiers", TASK_NODE, offsetof(struct root_fields, tiers), NULL},
        {"gate", TASK_NODE, offsetof(struct root_fields, gate), NULL},
        {"budget", TASK_NODE, offsetof(struct root_fields, budget), NULL},
        {"privacy", TASK_NODE, offsetof(struct root_fields, privacy), NULL},
        QUESTION_KEY(type),
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
        {"template", TASK_NODE, offsetof(struct root_fields, question.template_text), NULL}};
#undef QUESTION_KEY
    struct root_fields f = {0};
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    enum weir_status status = task_read_mapping(r, root, "the task", keys, COUNT(keys), &f);
    if (status) return status;
    if (!f.name) return fail_missing(r, root, "task", "the file");
    r->task->name = f.name;
    if (f.instructions) r->task->instructions = f.instructions;
    status = read_any_questions(r, root, &f);
    if (!status && f.tiers) status = read_tiers(r, f.tiers);
    if (!status && f.gate) status = task_read_gate(r, f.gate);
    if (!status && f.budget) status = read_budget(r, f.budget);
    if (!status && f.privacy) status = read_privacy(r, f.privacy);
    return status;
}
