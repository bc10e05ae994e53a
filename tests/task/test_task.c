/* Task files: what they mean, and that every mistake is reported with its line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "weir/task.h"

static struct weir_task *open_good(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_task_open_memory(text, strlen(text), "dir/t.yaml", &task, &error);
    if (status) print_error("unexpected error: %s\n", error.text);
    assert_int_equal(status, WEIR_OK);
    return task;
}

#define CHOICE "task: t\ninstructions: Sort.\ntype: choice\n"
#define ROUTED                                                                           \
    "task: t\ninstructions: Sort.\nquestions:\n  what: {type: choice, labels: [a, b]}\n" \
    "  where:\n    {type: route, labels: {easy: {description: e, to: y}, hard: {to: x, description: h}}}\n"

/* The example of the design, whole. */
static const char EXAMPLE[] =
    "# support18.yaml\n"
    "task: support18\n"
    "instructions: Sort the customer's message into the category that fits best.\n"
    "questions:\n"
    "  category:\n"
    "    type: choice\n"
    "    labels:\n"
    "      card_delivery: Ordering a physical card, asking when it will arrive, or reporting it has not arrived\n"
    "      pin_passcode: Finding, changing, unblocking or forgetting a card PIN or the app passcode\n"
    "    none_of_these: false\n"
    "tiers:\n"
    "  - {name: local, kind: gguf, model: smollm2-135m-instruct, profile: support18.profile}\n"
    "  - {name: frontier, kind: anthropic, model: claude-sonnet-4-6, timeout_ms: 30000, concurrency: 4}\n"
    "gate: {accept: certified, max_error: 0.04, confidence: 0.9, per_class: true, never_escalate: [card_delivery],"
    " always_escalate: [], check_share: 0, max_local_tokens: 3000}\n"
    "budget: {usd_per_day: 4.25, usd_per_run: 0.000001, when_exhausted: queue}\n"
    "privacy: {egress: never, redact: [email, iban], store_bodies: true}\n";

static void example_is_kept_whole(void **state)
{
    (void)state;
    struct weir_task *task = open_good(EXAMPLE);
    assert_string_equal(weir_task_name(task), "support18");
    assert_string_equal(weir_task_path(task), "dir/t.yaml");
    assert_string_equal(weir_task_folder(task), "dir/");
    assert_int_equal(strlen(weir_task_hash(task)), 64);
    assert_int_equal(weir_task_question_count(task), 1);
    const struct weir_question *q = weir_task_question(task, 0);
    assert_null(weir_task_question(task, 1));
    assert_string_equal(q->name, "category");
    assert_int_equal(q->type, WEIR_QUESTION_CHOICE);
    assert_string_equal(q->instructions, "Sort the customer's message into the category that fits best.");
    assert_int_equal(q->n_labels, 2);
    assert_string_equal(q->labels[0].name, "card_delivery");
    assert_string_equal(q->labels[1].description,
                        "Finding, changing, unblocking or forgetting a card PIN or the app passcode");
    assert_false(q->none_of_these);
    assert_false(q->multi);
    assert_int_equal(q->scoring, WEIR_SCORING_AUTO);
    assert_int_equal(q->rotations, 1);
    assert_int_equal(weir_task_tier_count(task), 2);
    const struct weir_tier_spec *local = weir_task_tier(task, 0), *frontier = weir_task_tier(task, 1);
    assert_int_equal(local->kind, WEIR_TIER_GGUF);
    assert_string_equal(local->profile, "support18.profile");
    assert_int_equal(local->timeout_ms, 20000);
    assert_string_equal(frontier->name, "frontier");
    assert_int_equal(frontier->kind, WEIR_TIER_ANTHROPIC);
    assert_string_equal(frontier->model, "claude-sonnet-4-6");
    assert_string_equal(frontier->profile, "");
    assert_int_equal(frontier->timeout_ms, 30000);
    assert_int_equal(frontier->concurrency, 4);
    const struct weir_gate *gate = weir_task_gate(task);
    assert_true(gate->max_error == 0.04 && gate->confidence == 0.9 && gate->check_share == 0.0);
    assert_true(gate->per_class);
    assert_int_equal(gate->n_never_escalate, 1);
    assert_string_equal(gate->never_escalate[0], "card_delivery");
    assert_int_equal(gate->n_always_escalate, 0);
    assert_int_equal(gate->max_local_tokens, 3000);
    assert_int_equal(weir_task_budget(task)->usd_e6_per_day, 4250000);
    assert_int_equal(weir_task_budget(task)->usd_e6_per_run, 1);
    assert_int_equal(weir_task_budget(task)->when_exhausted, WEIR_EXHAUSTED_QUEUE);
    assert_int_equal(weir_task_privacy(task)->egress, WEIR_EGRESS_NEVER);
    assert_int_equal(weir_task_privacy(task)->redact, WEIR_REDACT_EMAIL | WEIR_REDACT_IBAN);
    assert_true(weir_task_privacy(task)->store_bodies);
    weir_task_close(&task);
    assert_null(task);
    weir_task_close(&task);
    weir_task_close(NULL);
}

static void gate_keeps_numbers_of_labels(void **state)
{
    (void)state;
    struct weir_task *task = open_good(CHOICE "labels: [a, b]\n"
                                              "gate: {accept: 0.8, thresholds: {b: 0.9, a: 0}, when_down: queue}\n"
                                              "budget: {usd_per_task: 12.5}\n");
    const struct weir_gate *gate = weir_task_gate(task);
    assert_int_equal(gate->accept, WEIR_ACCEPT_THRESHOLD);
    assert_true(gate->threshold == 0.8);
    assert_int_equal(gate->n_thresholds, 2);
    assert_string_equal(gate->thresholds[0].label, "b");
    assert_true(gate->thresholds[0].probability == 0.9 && gate->thresholds[1].probability == 0.0);
    assert_int_equal(gate->when_down, WEIR_DOWN_QUEUE);
    assert_int_equal(weir_task_budget(task)->usd_e6_per_task, 12500000);
    weir_task_close(&task);
    task = open_good(CHOICE "labels: [a, b]\n"
                            "gate: {accept: cheapest, error_cost_usd: {a: 0.25}, escalated_error: 0.04}\n");
    gate = weir_task_gate(task);
    assert_int_equal(gate->accept, WEIR_ACCEPT_CHEAPEST);
    assert_int_equal(gate->n_error_costs, 1);
    assert_int_equal(gate->error_costs[0].usd_e6, 250000);
    assert_true(gate->escalated_error == 0.04);
    weir_task_close(&task);
    task = open_good(ROUTED "tiers:\n  - {name: x, kind: gguf, model: m}\ngate: {route: where}\n");
    assert_string_equal(weir_task_gate(task)->route, "where");
    weir_task_close(&task);
}

static void defaults_are_those_of_the_docs(void **state)
{
    (void)state;
    struct weir_task *task = open_good(CHOICE "labels: [a, b]\n");
    assert_int_equal(weir_task_tier_count(task), 0);
    const struct weir_gate *gate = weir_task_gate(task);
    assert_true(gate->max_error == 0.05 && gate->confidence == 0.95 && gate->check_share == 0.02);
    assert_false(gate->per_class);
    assert_int_equal(gate->max_local_tokens, 4000);
    assert_int_equal(gate->accept, WEIR_ACCEPT_CERTIFIED);
    assert_int_equal(gate->when_down, WEIR_DOWN_NEXT_TIER);
    assert_string_equal(gate->route, "");
    assert_true(gate->n_thresholds == 0 && gate->n_error_costs == 0 && gate->error_cost_usd_e6 == 0);
    assert_true(weir_task_budget(task)->usd_e6_per_task == INT64_MAX);
    assert_int_equal(weir_task_budget(task)->usd_e6_per_day, 5000000);
    assert_int_equal(weir_task_budget(task)->usd_e6_per_run, 1000000);
    assert_int_equal(weir_task_budget(task)->when_exhausted, WEIR_EXHAUSTED_ABSTAIN);
    assert_int_equal(weir_task_privacy(task)->egress, WEIR_EGRESS_REDACTED);
    assert_int_equal(weir_task_privacy(task)->redact, WEIR_REDACT_ALL);
    assert_false(weir_task_privacy(task)->store_bodies);
    weir_task_close(&task);
}

static void top_level_question_has_the_tasks_name(void **state)
{
    (void)state;
    struct weir_task *task =
        open_good(CHOICE "labels: [yes, no, 3]\nnone_of_these: true\nscoring: names\nrotations: 4\n");
    const struct weir_question *q = weir_task_question(task, 0);
    assert_string_equal(q->name, "t");
    assert_int_equal(q->n_labels, 4);
    assert_string_equal(q->labels[0].name, "yes"); /* text, not a boolean */
    assert_string_equal(q->labels[2].name, "3");
    assert_string_equal(q->labels[3].name, "none_of_these");
    assert_string_equal(q->labels[0].description, "");
    assert_int_equal(q->scoring, WEIR_SCORING_NAMES);
    assert_int_equal(q->rotations, 4);
    weir_task_close(&task);
}

static void every_type_is_read(void **state)
{
    (void)state;
    struct weir_task *task =
        open_good("task: t\n"
                  "instructions: Read it.\n"
                  "questions:\n"
                  "  stars: {type: score, levels: [1, 2.5, 10]}\n"
                  "  mood: {type: score, levels: {bad: angry, fair: , good: happy}}\n"
                  "  urgent: {type: yesno, instructions: Is it urgent?}\n"
                  "  known: {type: yesno, labels: {yes: we know them, no: a stranger}}\n"
                  "  desk: {type: route, labels: {sales: {description: wants to buy, to: 'mailto:s'},"
                  " help: {to: h}}}\n"
                  "  who: {type: extract, schema: who.json, lenient: true}\n"
                  "  short: {type: summarize, max_tokens: 99, too_long: map_reduce}\n"
                  "  reply: {type: generate, template: 'Q: {{ text }}'}\n"
                  "  topics: {type: choice, multi: true, labels: {a: , b: about b}}\n");
    assert_int_equal(weir_task_question_count(task), 9);
    const struct weir_question *stars = weir_task_question(task, 0), *mood = weir_task_question(task, 1);
    assert_true(stars->labels[1].value == 2.5 && stars->labels[2].value == 10.0);
    assert_string_equal(stars->labels[1].name, "2.5");
    assert_true(mood->labels[0].value == 1.0 && mood->labels[2].value == 3.0);
    assert_string_equal(mood->labels[0].description, "angry");
    const struct weir_question *urgent = weir_task_question(task, 2), *known = weir_task_question(task, 3);
    assert_string_equal(urgent->instructions, "Read it.\nIs it urgent?");
    assert_int_equal(urgent->n_labels, 2);
    assert_string_equal(urgent->labels[0].name, "yes");
    assert_string_equal(urgent->labels[1].name, "no");
    assert_string_equal(known->labels[1].description, "a stranger");
    const struct weir_question *desk = weir_task_question(task, 4);
    assert_string_equal(desk->labels[0].to, "mailto:s");
    assert_string_equal(desk->labels[0].description, "wants to buy");
    assert_string_equal(desk->labels[1].description, "");
    assert_string_equal(weir_task_question(task, 5)->schema, "who.json");
    assert_int_equal(weir_task_question(task, 5)->n_labels, 0);
    assert_int_equal(weir_task_question(task, 5)->max_tokens, 256);
    assert_true(weir_task_question(task, 5)->lenient);
    assert_int_equal(weir_task_question(task, 6)->max_tokens, 99);
    assert_int_equal(weir_task_question(task, 6)->too_long, WEIR_TOO_LONG_MAP_REDUCE);
    assert_int_equal(weir_task_question(task, 7)->max_tokens, 256);
    assert_string_equal(weir_task_question(task, 7)->template_text, "Q: {{ text }}");
    assert_string_equal(weir_task_question(task, 6)->template_text, "");
    assert_true(weir_task_question(task, 8)->multi);
    for (int i = 0; i < 9; i++) {
        const struct weir_question *q = weir_task_question(task, (size_t)i);
        assert_string_not_equal(weir_question_type_name(q->type), "unknown");
    }
    weir_task_close(&task);
}

/* The hash is of the bytes: `printf 'task...' | sha256sum`. */
static void hash_is_of_the_bytes(void **state)
{
    (void)state;
    struct weir_task *a = open_good(CHOICE "labels: [a, b]\n"), *b = open_good(CHOICE "labels: [a, b] \n");
    assert_string_equal(weir_task_hash(a), "3286a296a0b8c313f4b0c047ce408afdc151e1a8c67a942af11a88d5926223dc");
    assert_string_not_equal(weir_task_hash(a), weir_task_hash(b));
    weir_task_close(&a);
    weir_task_close(&b);
}

struct bad {
    const char *text, *message;
};

#define AB "labels: [a, b]\n"
static const struct bad BAD[] = {
    {"", "t.yaml:1:1: the file is empty"},
    {"# only a comment\n", "t.yaml:1:1: the file is empty"},
    {"[]\n", "t.yaml:1:1: the task must be a mapping, not a list"},
    {"task: t\n", "t.yaml:1:1: the task lacks `questions` (or one question's `type` at the top level)"},
    {"type: choice\n" AB, "t.yaml:1:1: the file lacks `task`"},
    {"task: t\ntype: choice\n" AB, "t.yaml:1:1: question `t` lacks `instructions`, and so does the task"},
    {"task: t\ninstructions: x\nquestions:\n  category:\n    type: choice\n    labels: [a, b]\n    lables: [a]\n",
     "t.yaml:7:5: unknown key `lables` in question `category` (expected type, instructions, labels, levels, "
     "none_of_these, multi, scoring, rotations, schema, lenient, max_tokens, too_long, template)"},
    {CHOICE AB "gate: {max_eror: 1}\n",
     "t.yaml:5:8: unknown key `max_eror` in gate (expected accept, thresholds, max_error, confidence, per_class, "
     "never_escalate, always_escalate, error_cost_usd, escalated_error, check_share, max_local_tokens, route, "
     "when_down)"},
    {CHOICE "labels:\n  a: x\n  b: y\n  a: z\n", "t.yaml:7:3: label `a` stands twice in question `t`"},
    {CHOICE "labels: [a, b, a]\n", "t.yaml:4:16: label `a` stands twice in question `t`"},
    {CHOICE "labels: [a]\n", "t.yaml:4:9: question `t` has 1 labels, 2 to 255 are allowed"},
    {CHOICE "labels: a\n", "t.yaml:4:9: `labels` must be a list or a mapping, not text"},
    {CHOICE "labels: [a, '']\n", "t.yaml:4:13: labels: a name must not be empty"},
    {CHOICE "labels: [a, ' b']\n", "t.yaml:4:13: labels: a name must not begin or end with a space"},
    {CHOICE "labels: [a, \"b\\tc\"]\n", "t.yaml:4:13: labels: a name must not hold control characters"},
    {CHOICE "labels: [a, \"b\\0c\"]\n", "t.yaml:4:13: `labels` holds a NUL character"},
    {CHOICE "labels: [a, [b]]\n", "t.yaml:4:13: `labels` must be text, not a list"},
    {CHOICE "labels: {a: [x], b: y}\n", "t.yaml:4:13: label `a` must be a mapping, not a list"},
    {CHOICE "labels: {a: {to: x}, b: y}\n", "t.yaml:4:13: label `a`: only a question of type route has `to`"},
    {CHOICE "labels: {a: x, b: y}\ntype: choice\n", "t.yaml:5:1: key `type` stands twice in the task"},
    {CHOICE "labels: [a, none_of_these]\nnone_of_these: true\n",
     "t.yaml:4:13: label `none_of_these` is already added by `none_of_these: true`"},
    {CHOICE, "t.yaml:1:1: question `t` is of type choice and lacks `labels`"},
    {CHOICE AB "levels: [1, 2]\n", "t.yaml:5:9: question `t` is of type choice, which has no `levels`"},
    {CHOICE AB "multi: maybe\n", "t.yaml:5:8: `multi` must be true or false"},
    {CHOICE AB "multi: 'true'\n", "t.yaml:5:8: `multi` must be true or false"},
    {CHOICE AB "scoring: letters\n", "t.yaml:5:10: `scoring` must be one of auto, codes, names, not `letters`"},
    {CHOICE AB "rotations: 3\n", "t.yaml:5:12: question `t`: 3 rotations of 2 labels"},
    {CHOICE AB "multi: true\nrotations: 2\n",
     "t.yaml:6:12: question `t`: each label of `multi` is asked for on its own: there is no order to rotate"},
    {"task: t\ninstructions: x\ntype: generate\nrotations: 2\n",
     "t.yaml:4:12: question `t` is of type generate, which has no `rotations`"},
    {CHOICE AB "questions: {}\n",
     "t.yaml:3:7: a question stands at the top level and others under `questions`; move it there"},
    {"task: t\ninstructions: x\ntype: pick\n" AB,
     "t.yaml:3:7: `type` must be one of choice, score, yesno, route, extract, summarize, generate, not `pick`"},
    {"task: t\ninstructions: x\ntype: [choice]\n" AB,
     "t.yaml:3:7: `type` must be one of choice, score, yesno, route, extract, summarize, generate, not a list"},
    {"task: t\ninstructions: x\nquestions: {}\n", "t.yaml:3:12: `questions` has 0 entries, 1 to 32 are allowed"},
    {"task: t\ninstructions: x\nquestions: [a]\n",
     "t.yaml:3:12: `questions` must be a mapping of name to question, not a list"},
    {"task: t\ninstructions: x\nquestions: {q: {labels: [a, b]}}\n", "t.yaml:3:13: question `q` lacks `type`"},
    {"task: t\ninstructions: x\nquestions:\n  q: {type: yesno}\n  q: {type: yesno}\n",
     "t.yaml:5:3: question `q` stands twice"},
    {"task: t\ninstructions: x\ntype: score\nlevels: [1, 3, 2]\n", "t.yaml:4:9: levels must ascend, but 2 follows 3"},
    {"task: t\ninstructions: x\ntype: score\nlevels: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\n",
     "t.yaml:4:9: question `t` has 11 levels, 2 to 10 are allowed"},
    {"task: t\ninstructions: x\ntype: yesno\nlabels: [no, yes]\n",
     "t.yaml:4:9: the labels of a yesno question are yes and no"},
    {"task: t\ninstructions: x\ntype: route\nlabels: {a: {to: x}, b: y}\n",
     "t.yaml:4:22: label `b` of a question of type route lacks `to`"},
    {"task: t\ninstructions: x\ntype: extract\n", "t.yaml:1:1: question `t` is of type extract and lacks `schema`"},
    {"task: t\ninstructions: x\ntype: generate\nmax_tokens: 0\n",
     "t.yaml:4:13: `max_tokens` must be a whole number from 1 to 2147483647"},
    {"task: t\ninstructions: x\ntype: generate\nmax_tokens: 99999999999999999999999\n",
     "t.yaml:4:13: `max_tokens` must be a whole number from 1 to 2147483647"},
    {"task: [t]\n", "t.yaml:1:7: `task` must be text, not a list"},
    {"task: ~\n", "t.yaml:1:7: `task` must be text, not nothing"},
    {CHOICE AB "tiers: []\n", "t.yaml:5:8: `tiers` has 0 entries, 1 to 8 are allowed"},
    {CHOICE AB "tiers:\n  - {name: a, kind: gguf}\n", "t.yaml:6:5: tier 1 lacks `model`"},
    {CHOICE AB "tiers:\n  - {name: a, model: m}\n", "t.yaml:6:5: tier 1 lacks `kind`"},
    {CHOICE AB "tiers:\n  - {name: a, kind: gpt, model: m}\n",
     "t.yaml:6:21: `kind` must be one of gguf, openai, anthropic, decisions, systemone, not `gpt`"},
    {CHOICE AB "tiers:\n  - {name: a, kind: openai, model: m, profile: p}\n",
     "t.yaml:6:5: tier 1: only a tier of kind gguf has a `profile`"},
    {CHOICE AB "tiers:\n  - {name: a, kind: gguf, model: m}\n  - {name: a, kind: openai, model: m}\n",
     "t.yaml:7:5: tier name `a` stands twice"},
    {CHOICE AB "gate: {max_error: 1.5}\n", "t.yaml:5:19: `max_error` must be a number above 0 and below 1"},
    {CHOICE AB "gate: {max_error: nan}\n", "t.yaml:5:19: `max_error` must be a number above 0 and below 1"},
    {CHOICE AB "gate: {check_share: -0.1}\n", "t.yaml:5:21: `check_share` must be a number from 0 to 1"},
    {CHOICE AB "gate: {never_escalate: [c]}\n", "t.yaml:5:25: `never_escalate`: no question has a label `c`"},
    {CHOICE AB "gate: {never_escalate: [a], always_escalate: [a]}\n",
     "t.yaml:5:46: label `a` stands in both never_escalate and always_escalate"},
    {CHOICE AB "gate: {accept: most}\n", "t.yaml:5:16: `accept` must be one of certified, all, cheapest, not `most`"},
    {CHOICE AB "gate: {accept: 1.01}\n", "t.yaml:5:16: `accept` must be a number from 0 to 1"},
    {CHOICE AB "gate: {thresholds: {a: 0.5}}\n",
     "t.yaml:5:20: `thresholds` need `accept` to be a probability, which holds for the other labels"},
    {CHOICE AB "gate: {accept: 0.5, thresholds: [a]}\n",
     "t.yaml:5:33: `thresholds` must be a mapping from labels, not a list"},
    {CHOICE AB "gate: {accept: 0.5, thresholds: {c: 1}}\n", "t.yaml:5:34: `thresholds`: no question has a label `c`"},
    {CHOICE AB "gate: {accept: 0.5, thresholds: {a: 1, a: 0}}\n", "t.yaml:5:40: `thresholds`: label `a` stands twice"},
    {CHOICE AB "gate: {accept: 0.5, thresholds: {a: 2}}\n", "t.yaml:5:37: `thresholds` must be a number from 0 to 1"},
    {CHOICE AB "gate: {accept: cheapest}\n", "t.yaml:5:16: `accept: cheapest` needs `error_cost_usd`"},
    {CHOICE AB "gate: {error_cost_usd: 1}\n", "t.yaml:5:24: `error_cost_usd` is used by `accept: cheapest` only"},
    {CHOICE AB "gate: {accept: cheapest, error_cost_usd: {c: 1}}\n",
     "t.yaml:5:43: `error_cost_usd`: no question has a label `c`"},
    {CHOICE AB "gate: {when_down: wait}\n",
     "t.yaml:5:19: `when_down` must be one of next_tier, abstain, queue, not `wait`"},
    {CHOICE AB "gate: {route: t}\n", "t.yaml:5:15: `route`: the task has no route question `t`"},
    {"task: t\ninstructions: x\ntype: route\nlabels: {a: {to: x}, b: {to: y}}\ngate: {route: t}\n",
     "t.yaml:5:15: `route`: `t` is the task's only question; nothing is left to ask"},
    {ROUTED "gate: {route: where}\n", "t.yaml:7:15: `route`: no label of `where` goes `to` a tier of the task"},
    {CHOICE AB "budget: {usd_per_day: 0.0000001}\n",
     "t.yaml:5:23: `usd_per_day` must be an amount in dollars below 10^10 with at most six decimals, such as 5.00"},
    {CHOICE AB "budget: {usd_per_day: -1}\n",
     "t.yaml:5:23: `usd_per_day` must be an amount in dollars below 10^10 with at most six decimals, such as 5.00"},
    {CHOICE AB "privacy: {redact: [names]}\n",
     "t.yaml:5:20: `redact` must be one of email, phone, card, iban, ip, url_credentials, not `names`"},
    {CHOICE "labels: &x [a, b]\n", "t.yaml:4:9: anchors (&x) are not supported"},
    {CHOICE "labels: *x\n", "t.yaml:4:9: aliases (*x) are not supported"},
    {CHOICE "labels: !!set {a, b}\n", "t.yaml:4:9: tags (tag:yaml.org,2002:set) are not supported"},
    {CHOICE AB "---\ntask: u\n", "t.yaml:5:1: a second YAML document; a task file holds one"},
    {CHOICE "labels: [[[[[[[[[[]]]]]]]]]]\n", "t.yaml:4:16: nested deeper than 8 levels"},
    {"task: t\n  bad: [\n", "t.yaml:2:6: mapping values are not allowed in this context"},
    {"task: \xff\n", "t.yaml:1:7: invalid leading UTF-8 octet"},
    {"? [a]\n: b\n", "t.yaml:1:3: a key of the task must be text, not a list"},
};

static void every_mistake_names_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct weir_task *task = NULL;
        struct weir_error error = {0};
        enum weir_status status = weir_task_open_memory(BAD[i].text, strlen(BAD[i].text), "t.yaml", &task, &error);
        if (!status || strcmp(error.text, BAD[i].message) != 0)
            print_error("case %zu:\n%s\nexpected: %s\nfound:    %s\n", i, BAD[i].text, BAD[i].message, error.text);
        assert_int_not_equal(status, WEIR_OK);
        assert_int_equal(status, error.status);
        assert_null(task);
        assert_string_equal(error.text, BAD[i].message);
        assert_int_equal(weir_task_open_memory(BAD[i].text, strlen(BAD[i].text), "t.yaml", &task, NULL), status);
    }
}

/* No cut of a good file crashes; those that are still a task are complete ones. */
static void every_truncation_is_handled(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof EXAMPLE - 1; size++) {
        struct weir_task *task = NULL;
        struct weir_error error = {0};
        char *copy = malloc(size ? size : 1); /* exact size, so that a sanitizer sees a read beyond it */
        assert_non_null(copy);
        memcpy(copy, EXAMPLE, size);
        if (weir_task_open_memory(copy, size, "t.yaml", &task, &error) == WEIR_OK)
            assert_int_equal(weir_task_question_count(task), 1);
        else
            assert_int_equal(strncmp(error.text, "t.yaml:", 7), 0);
        weir_task_close(&task);
        free(copy);
    }
}

static void label_count_is_bounded(void **state)
{
    (void)state;
    static char text[8192];
    for (int extra = 0; extra < 2; extra++) {
        size_t at = (size_t)snprintf(text, sizeof text, CHOICE "labels:\n");
        for (int i = 0; i < 255 + extra; i++) at += (size_t)snprintf(text + at, sizeof text - at, "  l%d:\n", i);
        struct weir_task *task = NULL;
        struct weir_error error = {0};
        enum weir_status status = weir_task_open_memory(text, at, "t.yaml", &task, &error);
        assert_int_equal(status, extra ? WEIR_ERR_LIMIT : WEIR_OK);
        if (!extra) assert_int_equal(weir_task_question(task, 0)->n_labels, 255);
        weir_task_close(&task);
    }
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    size_t size = WEIR_TASK_FILE_BYTES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "task: t\ninstructions: ", 22);
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    assert_int_equal(weir_task_open_memory(text, size, "t.yaml", &task, &error), WEIR_ERR_LIMIT);
    assert_int_equal(weir_task_open_memory(text, WEIR_TASK_TEXT_BYTES_MAX + 30, "t.yaml", &task, &error),
                     WEIR_ERR_LIMIT);
    assert_string_equal(error.text, "t.yaml:2:15: `instructions` has 65544 bytes, at most 65536 are allowed");
    memset(text, '-', size);
    for (size_t i = 1; i < 60000; i += 2) text[i] = '\n';
    assert_int_equal(weir_task_open_memory(text, 60000, "t.yaml", &task, &error), WEIR_ERR_LIMIT);
    assert_string_equal(error.text, "t.yaml:20000:2: more than 20000 values");
    free(text);
}

static void missing_file_is_named(void **state)
{
    (void)state;
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    assert_int_equal(weir_task_open("/nonexistent/t.yaml", &task, &error), WEIR_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nonexistent/t.yaml"));
}

/* Fail allocation 1, 2, 3, ... until the call succeeds: always an error, never a leak (under the address sanitizer). */
static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 1;
    for (; status && n < 1000; n++) {
        struct weir_task *task = NULL;
        struct weir_error error = {0};
        mem_fail_after(n);
        status = weir_task_open_memory(EXAMPLE, sizeof EXAMPLE - 1, "t.yaml", &task, &error);
        mem_fail_after(0);
        assert_true(status == WEIR_ERR_NOMEM || status == WEIR_OK);
        weir_task_close(&task);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_is_kept_whole),
        cmocka_unit_test(gate_keeps_numbers_of_labels),
        cmocka_unit_test(defaults_are_those_of_the_docs),
        cmocka_unit_test(top_level_question_has_the_tasks_name),
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(hash_is_of_the_bytes),
        cmocka_unit_test(every_mistake_names_its_place),
        cmocka_unit_test(every_truncation_is_handled),
        cmocka_unit_test(label_count_is_bounded),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(missing_file_is_named),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
