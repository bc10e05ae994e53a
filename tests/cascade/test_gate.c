/* The gate's rules in their order, its formulas, and what a budget buys. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "weir/gate.h"

#define TASK                                                                                \
    "task: t\ninstructions: Sort.\nquestions:\n  kind: {type: choice, labels: [a, b, c]}\n" \
    "tiers:\n  - {name: local, kind: gguf, model: m}\n  - {name: frontier, kind: openai, model: n}\n"
#define ROUTED                                                                                               \
    "task: t\ninstructions: Sort.\nquestions:\n  kind: {type: choice, labels: [a, b]}\n"                     \
    "  where: {type: route, labels: {easy: {description: e, to: here}, hard: {description: h, to: best}}}\n" \
    "tiers:\n  - {name: local, kind: gguf, model: m}\n  - {name: mid, kind: openai, model: n}\n"             \
    "  - {name: best, kind: openai, model: o}\n"

static struct weir_task *open_task(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
    return task;
}

static struct weir_decision answer(size_t label, double probability)
{
    return (struct weir_decision){.label = label, .probability = probability};
}

static const struct {
    const char *gate;
    size_t label;
    double probability;
    enum weir_action action;
    enum weir_reason reason;
} CASES[] = {
    {"{accept: all}", 0, 0.1, WEIR_ACTION_ACCEPT, WEIR_REASON_NO_GATE},
    {"{accept: 0.8}", 0, 0.8, WEIR_ACTION_ACCEPT, WEIR_REASON_THRESHOLD},
    {"{accept: 0.8}", 0, 0.79, WEIR_ACTION_ESCALATE, WEIR_REASON_BELOW_THRESHOLD},
    {"{accept: 0.8, thresholds: {b: 0.9}}", 1, 0.85, WEIR_ACTION_ESCALATE, WEIR_REASON_BELOW_THRESHOLD},
    {"{accept: 0.8, thresholds: {b: 0.9}}", 0, 0.85, WEIR_ACTION_ACCEPT, WEIR_REASON_THRESHOLD},
    {"{accept: 0.8, thresholds: {b: 0}}", 1, 0.01, WEIR_ACTION_ACCEPT, WEIR_REASON_THRESHOLD},
    {"{accept: all, always_escalate: [b]}", 1, 1.0, WEIR_ACTION_ESCALATE, WEIR_REASON_ALWAYS_ESCALATE},
    {"{accept: all, always_escalate: [b]}", 0, 1.0, WEIR_ACTION_ACCEPT, WEIR_REASON_NO_GATE},
    {"{accept: 0.8, never_escalate: [c]}", 2, 0.9, WEIR_ACTION_ACCEPT, WEIR_REASON_THRESHOLD},
    {"{accept: 0.8, never_escalate: [c]}", 2, 0.3, WEIR_ACTION_ABSTAIN, WEIR_REASON_NEVER_ESCALATE},
    {"{accept: 0.8, never_escalate: [c]}", 0, 0.3, WEIR_ACTION_ESCALATE, WEIR_REASON_BELOW_THRESHOLD},
    /* An error of 1 $ against a call of 0.1 $ whose answer is wrong in 5 of 100: from 0.85. */
    {"{accept: cheapest, error_cost_usd: 1, escalated_error: 0.05}", 0, 0.851, WEIR_ACTION_ACCEPT,
     WEIR_REASON_CHEAPEST},
    {"{accept: cheapest, error_cost_usd: 1, escalated_error: 0.05}", 0, 0.849, WEIR_ACTION_ESCALATE,
     WEIR_REASON_ERROR_TOO_COSTLY},
    {"{accept: cheapest, error_cost_usd: {b: 0.05}}", 1, 0.1, WEIR_ACTION_ACCEPT, WEIR_REASON_CHEAPEST},
    {"{accept: cheapest, error_cost_usd: {b: 10}}", 1, 0.98, WEIR_ACTION_ESCALATE, WEIR_REASON_ERROR_TOO_COSTLY},
    {"{accept: cheapest, error_cost_usd: {b: 10}}", 0, 0.1, WEIR_ACTION_ACCEPT, WEIR_REASON_CHEAPEST},
    {"{accept: certified}", 0, 1.0, WEIR_ACTION_ESCALATE, WEIR_REASON_NOT_CERTIFIED},
};

static void every_rule_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, TASK "gate: %s\n", CASES[i].gate);
        struct weir_task *task = open_task(text);
        struct weir_acceptance acceptance = {.gate = weir_task_gate(task), .next_cost_usd_e6 = 100000};
        struct weir_decision decision = answer(CASES[i].label, CASES[i].probability);
        struct weir_judgement judgement;
        weir_gate_judge(task, &acceptance, 0, &decision, &judgement);
        if (judgement.action != CASES[i].action || judgement.reason != CASES[i].reason)
            fail_msg("%s, label %zu at %g: expected action %d for %s, found %d for %s", CASES[i].gate, CASES[i].label,
                     CASES[i].probability, (int)CASES[i].action, weir_reason_name(CASES[i].reason),
                     (int)judgement.action, weir_reason_name(judgement.reason));
        weir_task_close(&task);
    }
}

static void certificate_decides_by_class(void **state)
{
    (void)state;
    struct weir_task *task = open_task(TASK "gate: {per_class: true}\n");
    struct weir_certified items[3] = {
        {.is_certified = true, .threshold = 0.7}, {.is_certified = true, .threshold = 0.9}, {.threshold = 2}};
    struct weir_certificate certificate = {.options = {.per_class = true}, .count = 3, .items = items};
    struct weir_acceptance acceptance = {.gate = weir_task_gate(task), .certificates = &certificate};
    const struct weir_question *question = weir_task_question(task, 0);
    static const struct {
        size_t label;
        double probability;
        bool stands;
        enum weir_reason reason;
    } cases[] = {{0, 0.7, true, WEIR_REASON_CERTIFIED},
                 {1, 0.8, false, WEIR_REASON_BELOW_THRESHOLD},
                 {2, 1.0, false, WEIR_REASON_NOT_CERTIFIED}};
    for (size_t i = 0; i < 3; i++) {
        struct weir_decision decision = answer(cases[i].label, cases[i].probability);
        enum weir_reason reason = WEIR_REASONS;
        assert_int_equal(weir_gate_accepts(&acceptance, 0, question, &decision, &reason), cases[i].stands);
        assert_string_equal(weir_reason_name(reason), weir_reason_name(cases[i].reason));
    }
    weir_task_close(&task);
}

static void rows_without_an_answer_are_passed_on_or_stay(void **state)
{
    (void)state;
    struct weir_task *open = open_task(TASK "gate: {accept: all}\n");
    struct weir_task *closed = open_task(TASK "gate: {accept: all, never_escalate: [c]}\n");
    struct weir_acceptance acceptance = {.gate = weir_task_gate(open)};
    struct weir_decision failed = {.status = WEIR_ERR_TOO_LONG};
    struct weir_judgement judgement;
    weir_gate_judge(open, &acceptance, 0, NULL, &judgement);
    assert_int_equal(judgement.action, WEIR_ACTION_ESCALATE);
    assert_int_equal(judgement.reason, WEIR_REASON_TOO_LONG);
    assert_int_equal(judgement.tier, 1);
    assert_true(judgement.worth == 1);
    weir_gate_judge(open, &acceptance, 0, &failed, &judgement);
    assert_int_equal(judgement.reason, WEIR_REASON_LOCAL_ERROR);
    acceptance.gate = weir_task_gate(closed); /* its class could be the one that must stay */
    weir_gate_judge(closed, &acceptance, 0, NULL, &judgement);
    assert_int_equal(judgement.action, WEIR_ACTION_ABSTAIN);
    assert_int_equal(judgement.reason, WEIR_REASON_NEVER_ESCALATE);
    weir_gate_judge(closed, &acceptance, 0, &failed, &judgement);
    assert_int_equal(judgement.action, WEIR_ACTION_ABSTAIN);
    weir_task_close(&open);
    weir_task_close(&closed);
}

static void route_question_names_the_tier(void **state)
{
    (void)state;
    struct weir_task *task = open_task(ROUTED "gate: {accept: 0.5, route: where}\n");
    struct weir_acceptance acceptance = {.gate = weir_task_gate(task)};
    struct weir_decision decisions[2] = {answer(0, 0.9), answer(1, 0.6)};
    struct weir_judgement judgement;
    weir_gate_judge(task, &acceptance, 0, decisions, &judgement);
    assert_int_equal(judgement.action, WEIR_ACTION_ESCALATE);
    assert_int_equal(judgement.reason, WEIR_REASON_ROUTED);
    assert_int_equal(judgement.tier, 2);
    decisions[1].label = 0; /* easy: `here` is no tier */
    weir_gate_judge(task, &acceptance, 0, decisions, &judgement);
    assert_int_equal(judgement.action, WEIR_ACTION_ACCEPT);
    decisions[0].probability = 0.4; /* not sure enough of the answer itself */
    weir_gate_judge(task, &acceptance, 0, decisions, &judgement);
    assert_int_equal(judgement.reason, WEIR_REASON_BELOW_THRESHOLD);
    assert_int_equal(judgement.tier, 1);
    weir_task_close(&task);
}

static void checked_share_is_kept_and_repeats(void **state)
{
    (void)state;
    char key[65];
    size_t checked = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        (void)snprintf(key, sizeof key, "%016llx%048d", (unsigned long long)x, 0);
        checked += weir_gate_is_checked(key, 0.02);
        assert_int_equal(weir_gate_is_checked(key, 0.02), weir_gate_is_checked(key, 0.02));
        assert_true(weir_gate_is_checked(key, 1));
        assert_false(weir_gate_is_checked(key, 0));
    }
    if (checked < 340 || checked > 460) fail_msg("expected about 400 of 20000, found %zu", checked);
}

static void spending_takes_the_best_rows(void **state)
{
    (void)state;
    static const double worth[5] = {0.1, 0.9, 0.5, 0.5, -0.2};
    static const int64_t cost[5] = {10, 10, 10, 10, 10};
    static const size_t expected[5] = {1, 2, 3, 0, 4};
    size_t order[5];
    struct weir_spending spending;
    struct weir_error error = {0};
    check_status(weir_gate_spend(worth, cost, 5, 29, order, &spending, &error), WEIR_OK, &error);
    for (size_t i = 0; i < 5; i++) assert_int_equal(order[i], expected[i]);
    assert_int_equal(spending.rows, 2);
    assert_int_equal(spending.usd_e6, 20);
    assert_true(spending.gain == 0.9 + 0.5);
    assert_true(spending.threshold == 0.05);
    check_status(weir_gate_spend(worth, cost, 5, 1000, order, &spending, &error), WEIR_OK, &error);
    assert_int_equal(spending.rows, 5);
    assert_true(spending.threshold == 0);
    check_status(weir_gate_spend(worth, cost, 5, -1, order, &spending, &error), WEIR_OK, &error);
    assert_int_equal(spending.rows, 0);
    check_status(weir_gate_spend(worth, (const int64_t[]){-1}, 1, 5, order, &spending, &error), WEIR_ERR_INVALID,
                 &error);
}

/* The best gain of any choice within the budget, by trying all. */
static double best_gain(const double *worth, const int64_t *cost, size_t count, int64_t budget)
{
    double best = 0;
    for (unsigned choice = 0; choice < 1u << count; choice++) {
        double gain = 0;
        int64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            if (!(choice >> i & 1)) continue;
            gain += worth[i];
            sum += cost[i];
        }
        if (sum <= budget && gain > best) best = gain;
    }
    return best;
}

static void spending_is_near_the_best_of_all_choices(void **state)
{
    (void)state;
    unsigned seed = 20261123;
    for (int round = 0; round < 300; round++) {
        double worth[10];
        int64_t cost[10];
        size_t order[10];
        bool is_equal = round % 2 == 0;
        int64_t budget = rand_r(&seed) % 400;
        for (size_t i = 0; i < 10; i++) {
            worth[i] = (double)(rand_r(&seed) % 1000) / 1000;
            cost[i] = is_equal ? 40 : 1 + rand_r(&seed) % 80;
        }
        struct weir_spending spending;
        check_status(weir_gate_spend(worth, cost, 10, budget, order, &spending, NULL), WEIR_OK, NULL);
        double best = best_gain(worth, cost, 10, budget), slack = is_equal ? 1e-12 : 1;
        if (spending.usd_e6 > budget || spending.gain < best - slack || spending.gain > best + 1e-12)
            fail_msg("seed 20261123, round %d: budget %lld spent %lld, gain %g of %g", round, (long long)budget,
                     (long long)spending.usd_e6, spending.gain, best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_decides),
        cmocka_unit_test(certificate_decides_by_class),
        cmocka_unit_test(rows_without_an_answer_are_passed_on_or_stay),
        cmocka_unit_test(route_question_names_the_tier),
        cmocka_unit_test(checked_share_is_kept_and_repeats),
        cmocka_unit_test(spending_takes_the_best_rows),
        cmocka_unit_test(spending_is_near_the_best_of_all_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
