/* weir bench: tokens per second of a prompt and of one token at a time. */
#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "cli.h"
#include "engine_args.h"
#include "models.h"
#include "process.h"
#include "progress.h"
#include "text.h"
#include "weir/engine.h"

enum { KEY_MEMORY = 256 };

enum { RUNS_MAX = 1000, TOKENS_MAX = 1 << 20 };

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Model file or name", 0},
    {"prompt", 'p', "N", 0, "Tokens of the prompt (default 256; 0: leave out)", 0},
    {"generate", 'n', "N", 0, "Tokens evaluated one at a time, from an empty context (default 32; 0: leave out)", 0},
    {"threads", 't', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"runs", 'r', "N", 0, "Runs of each; the median counts (default 5)", 0},
    {"memory", KEY_MEMORY, 0, 0, "Also tell the time to load and the most memory that was resident", 0},
    {"json", 'J', 0, 0, "Print one JSON object", 0},
    {0}};

struct arguments {
    const char *model;
    struct weir_engine_options engine;
    long prompt, generate, threads, runs;
    bool json, memory;
};

static void number_option(struct argp_state *state, const char *text, long low, long high, long *out)
{
    if (!cli_number(text, low, high, out)) argp_error(state, "'%s' is not a number from %ld to %ld", text, low, high);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->engine;
        return 0;
    case 'm':
        args->model = text;
        return 0;
    case 'p':
        number_option(state, text, 0, TOKENS_MAX, &args->prompt);
        return 0;
    case 'n':
        number_option(state, text, 0, TOKENS_MAX, &args->generate);
        return 0;
    case 't':
        number_option(state, text, 1, INT_MAX, &args->threads);
        return 0;
    case 'r':
        number_option(state, text, 1, RUNS_MAX, &args->runs);
        return 0;
    case KEY_MEMORY:
        args->memory = true;
        return 0;
    case 'J':
        args->json = true;
        return 0;
    case ARGP_KEY_END:
        if (!args->model) argp_error(state, "no model given (-m)");
        if (!args->prompt && !args->generate) argp_error(state, "nothing to measure: -p and -n are 0");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&engine_argp, 0, "Context and memory:", 2}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .children = children,
    .doc =
        "Measures how many tokens a second the engine reads (prompt) and writes (one at a time). Makes no tokenizer."};

/* What is measured with. */
struct bench {
    struct weir_session *session;
    int32_t *ids;  /* [max(prompt, generate)], fixed and pseudo-random */
    float *logits; /* [n_vocab] */
};

/* The same ids in every run and on every machine: a linear congruential generator (Knuth's MMIX constants). */
static void ids_fill(int32_t *ids, size_t count, uint32_t n_vocab)
{
    uint64_t state = 42;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int32_t)((state >> 33) % n_vocab);
    }
}

/* Seconds for `count` tokens from an empty context, `step` at a time; logits of the last token of each step. */
static int measure(const struct bench *bench, size_t count, size_t step, double *seconds)
{
    weir_session_reset(bench->session);
    double start = progress_clock();
    for (size_t at = 0; at < count; at += step) {
        struct weir_error error = {0};
        if (weir_session_eval(bench->session, bench->ids + at, step, false, bench->logits, &error))
            return cli_fail(&error);
    }
    *seconds = progress_clock() - start;
    return CLI_DONE;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

/* The median rate over `runs` runs, after one that is not counted. 0 tokens: rate 0. */
static int rate_of(const struct bench *bench, long tokens, long step, long runs, double *rate)
{
    double rates[RUNS_MAX] = {0};
    for (long i = -1; tokens && i < runs; i++) {
        double seconds = 0;
        int status = measure(bench, (size_t)tokens, (size_t)step, &seconds);
        if (status) return status;
        if (i >= 0) rates[i] = (double)tokens / seconds;
    }
    *rate = median(rates, (size_t)runs);
    return CLI_DONE;
}

/* What a run came to. */
struct result {
    double prefill, decode; /* tokens a second */
    double load_s;
};

static int print_text(const struct arguments *args, const struct weir_model_info *info, const struct result *result)
{
    (void)printf(
        "prefill %ld tokens: %.1f tokens/s; decode %ld tokens: %.1f tokens/s (%u threads, %s, median of %ld runs)\n",
        args->prompt, result->prefill, args->generate, result->decode, info->threads, info->cpu_level, args->runs);
    char peak[24];
    if (args->memory)
        (void)printf("loaded in %.1f s, at most %s resident\n", result->load_s,
                     text_bytes((double)process_peak_bytes(), peak, sizeof peak));
    return cli_flush();
}

static int print_json(const struct arguments *args, const struct weir_model_info *info, const struct result *result)
{
    json_t *object =
        json_pack("{s:f, s:f, s:i, s:s, s:i}", "prefill_tokens_per_s", result->prefill, "decode_tokens_per_s",
                  result->decode, "threads", (int)info->threads, "cpu_level", info->cpu_level, "runs", (int)args->runs);
    if (!object) return cli_nomem();
    if (args->memory) {
        (void)json_object_set_new(object, "load_s", json_real(result->load_s));
        (void)json_object_set_new(object, "peak_rss_bytes", json_integer((json_int_t)process_peak_bytes()));
    }
    bool good = json_dumpf(object, stdout, JSON_REAL_PRECISION(17)) == 0;
    json_decref(object);
    (void)putchar('\n');
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static int bench(struct weir_engine *engine, const struct arguments *args, double load_s)
{
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    size_t count = (size_t)(args->prompt > args->generate ? args->prompt : args->generate);
    struct bench with = {.ids = calloc(count, sizeof *with.ids), .logits = calloc(info.n_vocab, sizeof *with.logits)};
    struct result result = {.load_s = load_s};
    struct weir_error error = {0};
    int status = with.ids && with.logits ? CLI_DONE : cli_nomem();
    if (!status && weir_session_open(engine, &with.session, &error)) status = cli_fail(&error);
    if (!status) {
        ids_fill(with.ids, count, info.n_vocab);
        status = rate_of(&with, args->prompt, args->prompt, args->runs, &result.prefill);
    }
    if (!status) status = rate_of(&with, args->generate, 1, args->runs, &result.decode);
    if (!status) status = args->json ? print_json(args, &info, &result) : print_text(args, &info, &result);
    weir_session_close(&with.session);
    free(with.ids);
    free(with.logits);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.engine = weir_engine_options_default(), .prompt = 256, .generate = 32, .runs = 5};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    args.engine.no_tokenizer = true;
    args.engine.threads = (unsigned)args.threads;
    if (!args.engine.ctx_tokens)
        args.engine.ctx_tokens = (unsigned)(args.prompt > args.generate ? args.prompt : args.generate);
    char *path = NULL;
    int status = models_find(args.model, &path);
    if (status) return status;
    struct weir_engine *engine = NULL;
    struct weir_error error = {0};
    double start = progress_clock();
    if (weir_engine_open(path, &args.engine, &engine, &error)) status = cli_fail(&error);
    double load_s = progress_clock() - start;
    if (!status) status = bench(engine, &args, load_s);
    weir_engine_close(&engine);
    free(path);
    return status;
}

const struct command command_bench = {"bench", "Measure tokens per second", run};
