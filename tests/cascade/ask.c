/* Asks one tier of a task about each line of standard input and prints each reply as a line of JSON: what the tests of providers
 * (test_providers.py) drive.
 *
 *     ask TASK.yaml TIER [--loopback-only] [--ca FILE] [--prices FILE] [--attempts N] [--backoff-ms N] [--breaker N:MS]
 *         [--deadline-ms N] [--repeat] [--cancel-after-ms N] [--question N]...
 *
 * All lines are submitted at once. Exit status 1 and a text on standard error when the tier or a request is refused. */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "weir/provider.h"

enum { LINES_MAX = 100000 };

struct arguments {
    const char *task, *prices;
    size_t tier;
    struct weir_pool_options options;
    uint32_t deadline_ms, cancel_after_ms;
    bool is_repeating;
    size_t questions[8], n_questions;
};

static struct {
    char *text;
    int64_t cost_max;
} lines[LINES_MAX];
static size_t n_lines;

static void fail(const char *what, const struct weir_error *error)
{
    (void)fprintf(stderr, "ask: %s%s%s\n", what, error ? ": " : "", error ? error->text : "");
    exit(1);
}

static uint32_t number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (!*text || *end || value > UINT32_MAX) fail("expected a number", NULL);
    return (uint32_t)value;
}

static struct arguments read_arguments(int argc, char **argv)
{
    static const struct option known[] = {{"loopback-only", no_argument, NULL, 'l'},
                                          {"ca", required_argument, NULL, 'c'},
                                          {"prices", required_argument, NULL, 'p'},
                                          {"attempts", required_argument, NULL, 'a'},
                                          {"backoff-ms", required_argument, NULL, 'b'},
                                          {"breaker", required_argument, NULL, 'k'},
                                          {"deadline-ms", required_argument, NULL, 'd'},
                                          {"repeat", no_argument, NULL, 'r'},
                                          {"cancel-after-ms", required_argument, NULL, 'x'},
                                          {"question", required_argument, NULL, 'q'},
                                          {NULL, 0, NULL, 0}};
    struct arguments a = {.options = weir_pool_options_defaults()};
    char *colon;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (option) {
        case 'l':
            a.options.loopback_only = true;
            break;
        case 'c':
            a.options.ca_file = optarg;
            break;
        case 'p':
            a.prices = optarg;
            break;
        case 'a':
            a.options.attempts_max = number(optarg);
            break;
        case 'b':
            a.options.backoff_ms = a.options.backoff_max_ms = number(optarg);
            break;
        case 'k':
            colon = strchr(optarg, ':');
            if (!colon) fail("--breaker N:MS", NULL);
            *colon = 0;
            a.options.breaker_failures = number(optarg);
            a.options.breaker_wait_ms = number(colon + 1);
            break;
        case 'd':
            a.deadline_ms = number(optarg);
            break;
        case 'r':
            a.is_repeating = true;
            break;
        case 'x':
            a.cancel_after_ms = number(optarg);
            break;
        case 'q':
            if (a.n_questions == 8) fail("too many questions", NULL);
            a.questions[a.n_questions++] = number(optarg);
            break;
        default:
            fail("usage", NULL);
        }
    if (argc - optind != 2) fail("usage: ask TASK.yaml TIER", NULL);
    a.task = argv[optind];
    a.tier = number(argv[optind + 1]);
    return a;
}

static void read_lines(void)
{
    char *line = NULL;
    size_t room = 0;
    for (ssize_t size; (size = getline(&line, &room, stdin)) > 0;) {
        if (n_lines == LINES_MAX) fail("too many lines", NULL);
        if (line[size - 1] == '\n') line[--size] = 0;
        if (!(lines[n_lines++].text = strdup(line))) fail("no memory", NULL);
    }
    free(line);
}

static json_t *answer_of(const struct weir_provider_answer *answer, const struct weir_question *question)
{
    json_t *p = answer->probabilities ? json_object() : json_null(),
           *chosen = answer->is_chosen ? json_array() : json_null();
    for (size_t i = 0; i < question->n_labels; i++) {
        if (answer->probabilities &&
            json_object_set_new(p, question->labels[i].name, json_real(answer->probabilities[i])))
            abort();
        if (answer->is_chosen && answer->is_chosen[i] &&
            json_array_append_new(chosen, json_string(question->labels[i].name)))
            abort();
    }
    return json_pack("{s:s, s:s%, s:I, s:f, s:f, s:o, s:o}", "question", question->name, "value", answer->value,
                     answer->value_size, "label",
                     answer->label == SIZE_MAX ? (json_int_t)-1 : (json_int_t)answer->label, "probability",
                     answer->probability, "expectation", answer->expectation, "probabilities", p, "chosen", chosen);
}

static void print_reply(const struct weir_task *task, const struct weir_reply *reply)
{
    static const char *const billings[] = {"none", "known", "unknown"};
    size_t line = (size_t)(uintptr_t)reply->user;
    json_t *answers = json_array();
    for (size_t i = 0; i < reply->n_answers; i++)
        if (json_array_append_new(answers,
                                  answer_of(&reply->answers[i], weir_task_question(task, reply->answers[i].question))))
            abort();
    json_t *root =
        json_pack("{s:I, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:b, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:o}", "line",
                  (json_int_t)line, "outcome", weir_outcome_name(reply->outcome), "text", reply->text, "status",
                  (json_int_t)reply->http_status, "billing", billings[reply->billing], "cost",
                  (json_int_t)reply->cost_usd_e6, "cost_max", (json_int_t)lines[line].cost_max, "attempts",
                  (json_int_t)reply->attempts, "may_repeat", (int)reply->may_repeat, "usage", "input",
                  (json_int_t)reply->usage.input, "cached", (json_int_t)reply->usage.cached, "cache_write",
                  (json_int_t)reply->usage.cache_write, "output", (json_int_t)reply->usage.output, "latency_ms",
                  (json_int_t)reply->latency_ms, "wait_ms", (json_int_t)reply->wait_ms, "answers", answers);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    if (!text || puts(text) < 0 || fflush(stdout)) fail("cannot print", NULL);
    free(text);
    json_decref(root);
}

static void submit_all(struct weir_pool *pool, struct weir_provider *provider, const struct arguments *a)
{
    struct weir_error error = {0};
    for (size_t i = 0; i < n_lines; i++) {
        struct weir_request request = {.provider = provider,
                                       .questions = a->n_questions ? a->questions : NULL,
                                       .n_questions = a->n_questions,
                                       .text = lines[i].text,
                                       .text_size = strlen(lines[i].text),
                                       .deadline_ms = a->deadline_ms,
                                       .user = (void *)(uintptr_t)i};
        if (weir_request_cost_max(&request, &lines[i].cost_max, &error) || weir_pool_submit(pool, &request, &error))
            fail("request", &error);
    }
}

static void take_all(struct weir_pool *pool, const struct weir_task *task, const struct arguments *a)
{
    struct weir_error error = {0};
    uint32_t patience = a->cancel_after_ms ? a->cancel_after_ms : UINT32_MAX;
    while (weir_pool_in_flight(pool)) {
        struct weir_reply *reply = NULL;
        if (weir_pool_next(pool, patience, &reply, &error)) fail("next", &error);
        if (!reply) {
            weir_pool_cancel(pool);
            patience = UINT32_MAX;
            continue;
        }
        print_reply(task, reply);
        if (reply->may_repeat && a->is_repeating) {
            lines[(uintptr_t)reply->user].cost_max = weir_repeat_cost_max(reply);
            if (weir_pool_repeat(pool, reply, &error)) fail("repeat", &error);
        }
        weir_reply_free(&reply);
    }
}

int main(int argc, char **argv)
{
    struct weir_error error = {0};
    struct arguments a = read_arguments(argc, argv);
    struct weir_task *task = NULL;
    struct weir_prices *prices = NULL;
    struct weir_pool *pool = NULL;
    struct weir_provider *provider = NULL;
    read_lines();
    if (weir_task_open(a.task, &task, &error)) fail("task", &error);
    if (weir_prices_open(a.prices, &prices, &error)) fail("prices", &error);
    if (weir_pool_open(&a.options, &pool, &error)) fail("pool", &error);
    if (weir_pool_add(pool, task, a.tier, prices, &provider, &error)) fail("tier", &error);
    submit_all(pool, provider, &a);
    take_all(pool, task, &a);
    weir_pool_close(&pool);
    weir_prices_close(&prices);
    weir_task_close(&task);
    for (size_t i = 0; i < n_lines; i++) free(lines[i].text);
    return 0;
}
