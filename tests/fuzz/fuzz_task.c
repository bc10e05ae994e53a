/* Any bytes, opened as a task file: refused with a text that names the place, or a task that keeps its promises. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "weir/task.h"

static void check(int holds)
{
    if (!holds) abort();
}

static void check_question(const struct weir_question *question)
{
    int labelled = question->type <= WEIR_QUESTION_ROUTE;
    check(*question->name && *question->instructions && question->schema);
    check(labelled ? question->n_labels >= WEIR_TASK_LABELS_MIN && question->n_labels <= WEIR_TASK_LABELS_MAX
                   : question->n_labels == 0);
    for (size_t i = 0; i < question->n_labels; i++) {
        const struct weir_label *label = &question->labels[i];
        check(*label->name && strlen(label->name) <= WEIR_TASK_NAME_BYTES_MAX && label->description && label->to);
        for (size_t k = 0; k < i; k++) check(strcmp(label->name, question->labels[k].name) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_task_open_memory((const char *)bytes, size, "fuzz", &task, &error);
    if (status) {
        check(task == NULL && error.status == status && strncmp(error.text, "fuzz:", 5) == 0);
        return 0;
    }
    check(*weir_task_name(task) && strlen(weir_task_hash(task)) == 64);
    check(weir_task_question_count(task) >= 1);
    for (size_t i = 0; i < weir_task_question_count(task); i++) check_question(weir_task_question(task, i));
    for (size_t i = 0; i < weir_task_tier_count(task); i++) check(*weir_task_tier(task, i)->model != 0);
    check(weir_task_budget(task)->usd_e6_per_day >= 0 && weir_task_budget(task)->usd_e6_per_run >= 0);
    const struct weir_gate *gate = weir_task_gate(task);
    for (size_t i = 0; i < gate->n_thresholds; i++)
        check(*gate->thresholds[i].label && gate->thresholds[i].probability >= 0);
    for (size_t i = 0; i < gate->n_error_costs; i++) check(gate->error_costs[i].usd_e6 >= 0);
    check((gate->accept == WEIR_ACCEPT_CHEAPEST) == (gate->n_error_costs || gate->error_cost_usd_e6));
    weir_task_close(&task);
    return 0;
}
