/* The keys of a task file's gate: which answers are accepted, which rows go up, what an error costs. Defaults are set in task.c. */
#include <string.h>

#include "base/error.h"
#include "task/task_internal.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const ACCEPT_WORDS[] = {"certified", "all", "cheapest", NULL};
static const char *const WHEN_DOWN_WORDS[] = {"next_tier", "abstain", "queue", NULL};

static bool is_label(const struct weir_task *task, const char *name)
{
    for (size_t q = 0; q < task->n_questions; q++)
        for (size_t i = 0; i < task->questions[q].n_labels; i++)
            if (strcmp(task->questions[q].labels[i].name, name) == 0) return true;
    return false;
}

/* A list of label names, each of some question. */
static enum weir_status read_label_names(struct task_reader *r, const yaml_node_t *node, const char *key,
                                         const char *const **out, size_t *n_out)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be a list of labels, not %s", key, task_node_kind(node));
    size_t count = task_node_items(node);
    const char **names = task_alloc(r->task, count, sizeof *names);
    if (!names) return error_nomem(r->error, key);
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = task_node_item(r, node, i);
        enum weir_status status = task_read_name(r, item, key, &names[i]);
        if (status) return status;
        if (!is_label(r->task, names[i]))
            return task_fail(r, item, WEIR_ERR_FORMAT, "`%s`: no question has a label `%s`", key, names[i]);
    }
    *out = names;
    *n_out = count;
    return WEIR_OK;
}

/* A mapping from labels to probabilities (TASK_SHARE) or amounts (TASK_USD). */
static enum weir_status read_label_numbers(struct task_reader *r, const yaml_node_t *node, const char *key,
                                           enum task_field_kind kind, struct weir_label_number **out, size_t *n_out)
{
    if (node->type != YAML_MAPPING_NODE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`%s` must be a mapping from labels, not %s", key,
                         task_node_kind(node));
    size_t count = task_node_pairs(node);
    struct weir_label_number *items = task_alloc(r->task, count, sizeof *items);
    if (!items) return error_nomem(r->error, key);
    size_t offset =
        kind == TASK_USD ? offsetof(struct weir_label_number, usd_e6) : offsetof(struct weir_label_number, probability);
    struct task_key field = {key, kind, offset, NULL};
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *name = task_node_key(r, node, i);
        enum weir_status status = task_read_name(r, name, key, &items[i].label);
        if (!status && !is_label(r->task, items[i].label))
            return task_fail(r, name, WEIR_ERR_FORMAT, "`%s`: no question has a label `%s`", key, items[i].label);
        for (size_t j = 0; j < i && !status; j++)
            if (strcmp(items[i].label, items[j].label) == 0)
                return task_fail(r, name, WEIR_ERR_FORMAT, "`%s`: label `%s` stands twice", key, items[i].label);
        if (!status) status = task_read_field(r, task_node_value(r, node, i), &field, &items[i]);
        if (status) return status;
    }
    *out = items;
    *n_out = count;
    return WEIR_OK;
}

struct gate_fields {
    struct weir_gate gate;
    const yaml_node_t *accept, *thresholds, *never, *always, *error_cost, *route;
};

/* A word, or a probability. */
static enum weir_status read_accept(struct task_reader *r, const yaml_node_t *node, struct weir_gate *gate)
{
    static const struct task_key number = {"accept", TASK_SHARE, offsetof(struct weir_gate, threshold), NULL};
    if (!node) return WEIR_OK;
    unsigned word;
    if (node->type == YAML_SCALAR_NODE && strspn(task_node_scalar(node), "+-.0123456789") > 0) {
        gate->accept = WEIR_ACCEPT_THRESHOLD;
        return task_read_field(r, node, &number, gate);
    }
    enum weir_status status = task_read_word(r, node, "accept", ACCEPT_WORDS, &word);
    if (!status) gate->accept = (enum weir_gate_accept)word;
    return status;
}

static enum weir_status read_thresholds(struct task_reader *r, const yaml_node_t *node, struct weir_gate *gate)
{
    if (!node) return WEIR_OK;
    if (gate->accept != WEIR_ACCEPT_THRESHOLD)
        return task_fail(r, node, WEIR_ERR_FORMAT,
                         "`thresholds` need `accept` to be a probability, which holds for the other labels");
    struct weir_label_number *items = NULL;
    enum weir_status status = read_label_numbers(r, node, "thresholds", TASK_SHARE, &items, &gate->n_thresholds);
    gate->thresholds = items;
    return status;
}

/* One amount for all labels, or a mapping. */
static enum weir_status read_error_cost(struct task_reader *r, const yaml_node_t *node, struct weir_gate *gate)
{
    static const struct task_key one = {"error_cost_usd", TASK_USD, offsetof(struct weir_gate, error_cost_usd_e6),
                                        NULL};
    if (!node) return WEIR_OK;
    if (node->type != YAML_MAPPING_NODE) return task_read_field(r, node, &one, gate);
    struct weir_label_number *items = NULL;
    enum weir_status status = read_label_numbers(r, node, "error_cost_usd", TASK_USD, &items, &gate->n_error_costs);
    gate->error_costs = items;
    return status;
}

static bool is_tier(const struct weir_task *task, const char *name)
{
    for (size_t i = 0; i < task->n_tiers; i++)
        if (strcmp(task->tiers[i].name, name) == 0) return true;
    return false;
}

/* The name of a `route` question, at least one of whose labels goes to a tier. */
static enum weir_status read_route(struct task_reader *r, const yaml_node_t *node, struct weir_gate *gate)
{
    if (!node) return WEIR_OK;
    enum weir_status status = task_read_name(r, node, "route", &gate->route);
    const struct weir_question *question = NULL;
    for (size_t i = 0; i < r->task->n_questions && !status; i++)
        if (strcmp(r->task->questions[i].name, gate->route) == 0) question = &r->task->questions[i];
    if (status) return status;
    if (!question || question->type != WEIR_QUESTION_ROUTE)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`route`: the task has no route question `%s`", gate->route);
    if (r->task->n_questions == 1)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`route`: `%s` is the task's only question; nothing is left to ask",
                         gate->route);
    for (size_t i = 0; i < question->n_labels; i++)
        if (is_tier(r->task, question->labels[i].to)) return WEIR_OK;
    return task_fail(r, node, WEIR_ERR_FORMAT, "`route`: no label of `%s` goes `to` a tier of the task", gate->route);
}

static enum weir_status check_label_lists(struct task_reader *r, const yaml_node_t *always,
                                          const struct weir_gate *gate)
{
    for (size_t i = 0; i < gate->n_never_escalate; i++) {
        for (size_t j = 0; j < gate->n_always_escalate; j++) {
            if (strcmp(gate->never_escalate[i], gate->always_escalate[j]) == 0)
                return task_fail(r, always, WEIR_ERR_FORMAT,
                                 "label `%s` stands in both never_escalate and always_escalate",
                                 gate->never_escalate[i]);
        }
    }
    return WEIR_OK;
}

static bool has_error_cost(const struct weir_gate *gate)
{
    return gate->n_error_costs || gate->error_cost_usd_e6;
}

static enum weir_status read_fields(struct task_reader *r, const struct gate_fields *fields, struct weir_gate *gate)
{
    enum weir_status status = read_accept(r, fields->accept, gate);
    if (!status) status = read_thresholds(r, fields->thresholds, gate);
    if (!status && fields->never)
        status = read_label_names(r, fields->never, "never_escalate", &gate->never_escalate, &gate->n_never_escalate);
    if (!status && fields->always)
        status =
            read_label_names(r, fields->always, "always_escalate", &gate->always_escalate, &gate->n_always_escalate);
    if (!status) status = read_error_cost(r, fields->error_cost, gate);
    if (!status) status = read_route(r, fields->route, gate);
    return status ? status : check_label_lists(r, fields->always, gate);
}

enum weir_status task_read_gate(struct task_reader *r, const yaml_node_t *node)
{
    static const struct task_key keys[] = {
        {"accept", TASK_NODE, offsetof(struct gate_fields, accept), NULL},
        {"thresholds", TASK_NODE, offsetof(struct gate_fields, thresholds), NULL},
        {"max_error", TASK_FRACTION, offsetof(struct gate_fields, gate.max_error), NULL},
        {"confidence", TASK_FRACTION, offsetof(struct gate_fields, gate.confidence), NULL},
        {"per_class", TASK_BOOL, offsetof(struct gate_fields, gate.per_class), NULL},
        {"never_escalate", TASK_NODE, offsetof(struct gate_fields, never), NULL},
        {"always_escalate", TASK_NODE, offsetof(struct gate_fields, always), NULL},
        {"error_cost_usd", TASK_NODE, offsetof(struct gate_fields, error_cost), NULL},
        {"escalated_error", TASK_SHARE, offsetof(struct gate_fields, gate.escalated_error), NULL},
        {"check_share", TASK_SHARE, offsetof(struct gate_fields, gate.check_share), NULL},
        {"max_local_tokens", TASK_COUNT, offsetof(struct gate_fields, gate.max_local_tokens), NULL},
        {"route", TASK_NODE, offsetof(struct gate_fields, route), NULL},
        {"when_down", TASK_WORD, offsetof(struct gate_fields, gate.when_down), WHEN_DOWN_WORDS}};
    struct gate_fields fields = {.gate = r->task->gate};
    enum weir_status status = task_read_mapping(r, node, "gate", keys, COUNT(keys), &fields);
    if (!status) status = read_fields(r, &fields, &fields.gate);
    if (status) return status;
    bool is_cheapest = fields.gate.accept == WEIR_ACCEPT_CHEAPEST;
    if (is_cheapest != has_error_cost(&fields.gate))
        return task_fail(r, is_cheapest ? fields.accept : fields.error_cost, WEIR_ERR_FORMAT,
                         is_cheapest ? "`accept: cheapest` needs `error_cost_usd`"
                                     : "`error_cost_usd` is used by `accept: cheapest` only");
    r->task->gate = fields.gate;
    return WEIR_OK;
}
