/* Judging answers: the rules of the gate, in their order. What a limited budget buys is in spend.c. */
#include "weir/gate.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool stands;
} REASONS[WEIR_REASONS] = {
#define REASON_ROW(name, word, stands) [WEIR_REASON_##name] = {word, stands},
    WEIR_REASON_MAP(REASON_ROW)
#undef REASON_ROW
};

const char *weir_reason_name(enum weir_reason reason)
{
    return (unsigned)reason < WEIR_REASONS ? REASONS[reason].name : "unknown";
}

static const struct weir_label_number *number_of(const struct weir_label_number *items, size_t count, const char *label)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i].label, label) == 0) return &items[i];
    return NULL;
}

static bool is_listed(const char *const *names, size_t count, const char *label)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], label) == 0) return true;
    return false;
}

/* "" for an answer in words, and for one of several labels. */
static const char *label_of(const struct weir_question *question, const struct weir_decision *decision)
{
    bool is_one = !question->multi && decision->label < question->n_labels;
    return is_one ? question->labels[decision->label].name : "";
}

/* Whether the answer, or with `multi` a label of it, is among the names. */
static bool answers_one_of(const char *const *names, size_t count, const struct weir_question *question,
                           const struct weir_decision *decision)
{
    if (!question->multi) return is_listed(names, count, label_of(question, decision));
    for (size_t i = 0; decision->probabilities && i < question->n_labels; i++)
        if (decision->probabilities[i] >= 0.5 && is_listed(names, count, question->labels[i].name)) return true;
    return false;
}

double weir_gate_cost_threshold(int64_t error_cost_usd_e6, int64_t next_cost_usd_e6, double escalated_error)
{
    if (error_cost_usd_e6 <= 0) return 0;
    double threshold = 1 - escalated_error - (double)next_cost_usd_e6 / (double)error_cost_usd_e6;
    return threshold > 0 ? threshold : 0;
}

static enum weir_reason by_certificate(const struct weir_acceptance *acceptance, size_t index,
                                       const struct weir_decision *decision)
{
    const struct weir_certificate *certificate = acceptance->certificates ? &acceptance->certificates[index] : NULL;
    if (!certificate || !certificate->count) return WEIR_REASON_NOT_CERTIFIED;
    if (weir_certificate_accepts(certificate, decision->label, decision->probability)) return WEIR_REASON_CERTIFIED;
    size_t item = certificate->options.per_class ? decision->label : 0;
    bool has_threshold = item < certificate->count && certificate->items[item].is_certified;
    return has_threshold ? WEIR_REASON_BELOW_THRESHOLD : WEIR_REASON_NOT_CERTIFIED;
}

static enum weir_reason by_threshold(const struct weir_gate *gate, const char *label, double probability)
{
    const struct weir_label_number *own = number_of(gate->thresholds, gate->n_thresholds, label);
    double threshold = own ? own->probability : gate->threshold;
    return probability >= threshold ? WEIR_REASON_THRESHOLD : WEIR_REASON_BELOW_THRESHOLD;
}

static enum weir_reason by_cost(const struct weir_acceptance *acceptance, const char *label, double probability)
{
    const struct weir_gate *gate = acceptance->gate;
    const struct weir_label_number *own = number_of(gate->error_costs, gate->n_error_costs, label);
    int64_t error_cost = own ? own->usd_e6 : gate->error_cost_usd_e6;
    double threshold = weir_gate_cost_threshold(error_cost, acceptance->next_cost_usd_e6, gate->escalated_error);
    return probability >= threshold ? WEIR_REASON_CHEAPEST : WEIR_REASON_ERROR_TOO_COSTLY;
}

bool weir_gate_accepts(const struct weir_acceptance *acceptance, size_t index, const struct weir_question *question,
                       const struct weir_decision *decision, enum weir_reason *reason)
{
    const char *label = label_of(question, decision);
    switch (acceptance->gate->accept) {
    case WEIR_ACCEPT_CERTIFIED:
        *reason = by_certificate(acceptance, index, decision);
        break;
    case WEIR_ACCEPT_THRESHOLD:
        *reason = by_threshold(acceptance->gate, label, decision->probability);
        break;
    case WEIR_ACCEPT_CHEAPEST:
        *reason = by_cost(acceptance, label, decision->probability);
        break;
    case WEIR_ACCEPT_ALL:
        *reason = WEIR_REASON_NO_GATE;
        break;
    }
    return REASONS[*reason].stands;
}

/* The tier that the route question sends the row to, when it stands behind `tier`; 0 otherwise. */
static size_t routed_tier(const struct weir_task *task, size_t question, size_t tier,
                          const struct weir_decision *decision)
{
    const char *to = weir_task_question(task, question)->labels[decision->label].to;
    for (size_t i = tier + 1; i < weir_task_tier_count(task); i++)
        if (strcmp(weir_task_tier(task, i)->name, to) == 0) return i;
    return 0;
}

static bool is_route(const struct weir_task *task, size_t question)
{
    return strcmp(weir_task_question(task, question)->name, weir_task_gate(task)->route) == 0;
}

/* Sets the judgement to passing on, or, where a row must not leave, to abstaining. A reason given before stays. */
static void pass_on(struct weir_judgement *judgement, enum weir_reason reason, size_t tier)
{
    if (judgement->action == WEIR_ACTION_ACCEPT) judgement->reason = reason;
    judgement->action = WEIR_ACTION_ESCALATE;
    if (tier > judgement->tier) judgement->tier = tier;
}

static void judge_answer(const struct weir_task *task, const struct weir_acceptance *acceptance, size_t index,
                         const struct weir_decision *decision, struct weir_judgement *judgement)
{
    const struct weir_gate *gate = weir_task_gate(task);
    const struct weir_question *question = weir_task_question(task, index);
    enum weir_reason reason = WEIR_REASON_NO_GATE;
    if (answers_one_of(gate->always_escalate, gate->n_always_escalate, question, decision)) {
        judgement->worth = 1;
        pass_on(judgement, WEIR_REASON_ALWAYS_ESCALATE, 0);
    } else if (!weir_gate_accepts(acceptance, index, question, decision, &reason)) {
        pass_on(judgement, reason, 0);
    } else if (judgement->action == WEIR_ACTION_ACCEPT) {
        judgement->reason = reason;
    }
}

/* A row of which some answer is a never_escalate label stays. Nobody knows the class of a row without an answer, so it stays too. */
static bool must_stay(const struct weir_task *task, const struct weir_decision *decisions)
{
    const struct weir_gate *gate = weir_task_gate(task);
    for (size_t i = 0; gate->n_never_escalate && i < weir_task_question_count(task); i++) {
        if (!decisions || decisions[i].status) return true;
        if (answers_one_of(gate->never_escalate, gate->n_never_escalate, weir_task_question(task, i), &decisions[i]))
            return true;
    }
    return false;
}

static void judge_answers(const struct weir_task *task, const struct weir_acceptance *acceptance, size_t tier,
                          const struct weir_decision *decisions, struct weir_judgement *judgement)
{
    size_t questions = weir_task_question_count(task), asked = 0;
    double doubt = 0;
    for (size_t i = 0; i < questions; i++) {
        if (decisions[i].status) {
            judgement->worth = 1;
            pass_on(judgement, WEIR_REASON_LOCAL_ERROR, 0);
        } else if (is_route(task, i)) {
            size_t to = routed_tier(task, i, tier, &decisions[i]);
            if (!to) continue;
            judgement->worth = 1;
            pass_on(judgement, WEIR_REASON_ROUTED, to);
        } else {
            judge_answer(task, acceptance, i, &decisions[i], judgement);
            doubt += 1 - decisions[i].probability;
            asked++;
        }
    }
    double gain = asked ? doubt / (double)asked - weir_task_gate(task)->escalated_error : 0;
    if (gain > judgement->worth) judgement->worth = gain;
}

void weir_gate_judge(const struct weir_task *task, const struct weir_acceptance *acceptance, size_t tier,
                     const struct weir_decision *decisions, struct weir_judgement *out)
{
    struct weir_judgement judgement = {.action = WEIR_ACTION_ACCEPT, .reason = WEIR_REASON_NO_GATE, .tier = tier + 1};
    if (decisions) {
        judge_answers(task, acceptance, tier, decisions, &judgement);
    } else {
        judgement.worth = 1;
        pass_on(&judgement, WEIR_REASON_TOO_LONG, 0);
    }
    if (judgement.action == WEIR_ACTION_ESCALATE && must_stay(task, decisions)) {
        judgement.action = WEIR_ACTION_ABSTAIN;
        judgement.reason = WEIR_REASON_NEVER_ESCALATE;
        judgement.worth = 0;
    }
    *out = judgement;
}

bool weir_gate_is_checked(const char *key, double share)
{
    char digits[14] = {0}; /* 52 bits: exact in a double */
    memcpy(digits, key, 13);
    return (double)strtoull(digits, NULL, 16) / 4503599627370496.0 < share;
}
