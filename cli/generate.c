/* weir generate: goes on with a prompt, or answers it in the model's chat format. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "models.h"
#include "prompt_text.h"
#include "sampling.h"
#include "slurp.h"
#include "text.h"
#include "weir/conversation.h"
#include "weir/generate.h"

enum { PROMPT_BYTES_MAX = 64 << 20 };
enum { KEY_FILE = 512, KEY_CHAT, KEY_SYSTEM, KEY_SPECIAL, KEY_LOGPROBS, KEY_JSON, KEY_COUNT };

static const struct argp_option options[] = {
    {"prompt", 'p', "TEXT", 0, "What to go on with", 0},
    {"prompt-file", KEY_FILE, "FILE", 0, "... read from a file (- is standard input)", 0},
    {"chat", KEY_CHAT, 0, 0, "The prompt is a message: put it in the model's chat template", 0},
    {"system", KEY_SYSTEM, "TEXT", 0, "A system message before it (with --chat)", 0},
    {"special", KEY_SPECIAL, 0, 0, "Text of the prompt that spells a special token becomes it (not with --chat)", 0},
    {"tokens", 'n', "N", 0, "Tokens at most (default 256; 0: until the context is full)", 0},
    {"count", KEY_COUNT, "N", 0, "Completions at once, with the seeds S, S + 1, ... (default 1; more need --json)", 0},
    {"logprobs", KEY_LOGPROBS, "N", 0, "Also the N most probable tokens at each place (with --json)", 0},
    {"json", KEY_JSON, 0, 0, "Print one JSON object for each completion", 0},
    {0}};

struct arguments {
    struct sampling_options sampling;
    const char *prompt, *file, *system;
    bool is_chat, is_special, is_json, has_logprobs;
    long tokens, count, n_top;
};

static void check(struct argp_state *state, const struct arguments *args)
{
    if (!args->prompt == !args->file) argp_error(state, "give a prompt, either -p or --prompt-file");
    if (args->system && !args->is_chat) argp_error(state, "--system needs --chat");
    if (args->is_special && args->is_chat) argp_error(state, "--special is not for messages (--chat)");
    if (args->has_logprobs && !args->is_json) argp_error(state, "--logprobs needs --json");
    if (args->count > 1 && !args->is_json) argp_error(state, "--count needs --json");
}

static void number_option(struct argp_state *state, const char *text, long low, long high, long *out)
{
    if (!cli_number(text, low, high, out)) argp_error(state, "'%s' is not a number from %ld to %ld", text, low, high);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->sampling;
        return 0;
    case 'p':
        args->prompt = text;
        return 0;
    case KEY_FILE:
        args->file = text;
        return 0;
    case KEY_CHAT:
        args->is_chat = true;
        return 0;
    case KEY_SYSTEM:
        args->system = text;
        return 0;
    case KEY_SPECIAL:
        args->is_special = true;
        return 0;
    case 'n':
        number_option(state, text, 0, 1 << 22, &args->tokens);
        return 0;
    case KEY_COUNT:
        number_option(state, text, 1, WEIR_GENERATE_SEQUENCES_MAX, &args->count);
        return 0;
    case KEY_LOGPROBS:
        args->has_logprobs = true;
        number_option(state, text, 0, WEIR_GENERATE_TOP_MAX, &args->n_top);
        return 0;
    case KEY_JSON:
        args->is_json = true;
        return 0;
    case ARGP_KEY_END:
        check(state, args);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&sampling_argp, 0, "Model and choice of tokens:", 1}, {0}};
static const struct argp parser = {.options = options,
                                   .parser = parse,
                                   .children = children,
                                   .doc = "Goes on with a prompt and prints what the model says."};

/* ---- prompt ---- */

static int chat_tokens(const struct weir_engine *engine, const struct arguments *args, struct weir_string text,
                       struct weir_tokens *tokens)
{
    struct weir_conversation *chat = NULL;
    struct weir_error error = {0};
    struct weir_message system = {.role = "system"}, user = {.role = "user", .text = text};
    if (args->system) system.text = (struct weir_string){args->system, strlen(args->system)};
    enum weir_status status = weir_conversation_open(engine, NULL, &chat, &error);
    if (!status && args->system) status = weir_conversation_add(chat, &system, &error);
    if (!status) status = weir_conversation_add(chat, &user, &error);
    if (!status) status = weir_conversation_tokens(chat, tokens, &error);
    weir_conversation_close(&chat);
    return status ? cli_fail(&error) : CLI_DONE;
}

static int prompt_tokens(const struct weir_engine *engine, const struct arguments *args, struct weir_tokens *tokens)
{
    char *read = NULL;
    struct weir_string text = {args->prompt, args->prompt ? strlen(args->prompt) : 0};
    int status = args->file ? slurp(args->file, PROMPT_BYTES_MAX, &read, &text.size) : CLI_DONE;
    if (read) text.data = read;
    if (!status)
        status = args->is_chat ? chat_tokens(engine, args, text, tokens)
                               : prompt_text_tokens(engine, text, args->is_special, tokens);
    if (!status && !tokens->count)
        status = cli_say(CLI_FAILED, "the prompt is empty, and this model needs something to go on from");
    free(read);
    return status;
}

/* ---- output ---- */

static json_t *top_json(const struct weir_tokenizer *tokenizer, const struct weir_generation *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->count; i++) {
        json_t *alternatives = json_array();
        for (size_t k = 0; k < g->n_top; k++) {
            const struct weir_token_logprob *top = &g->top[i * g->n_top + k];
            if (top->id < 0) break; /* no more tokens that can come */
            (void)json_array_append_new(alternatives, json_pack("{s:i, s:o, s:f}", "id", (int)top->id, "token",
                                                                text_json(weir_token_text(tokenizer, top->id)),
                                                                "logprob", top->logprob));
        }
        (void)json_array_append_new(list, alternatives);
    }
    return list;
}

/* NULL without memory. */
static json_t *generation_json(const struct weir_tokenizer *tokenizer, const struct arguments *args,
                               const struct weir_generation *g, uint64_t seed)
{
    json_t *ids = json_array(), *logprobs = json_array();
    for (size_t i = 0; i < g->count; i++) {
        (void)json_array_append_new(ids, json_integer(g->ids[i]));
        (void)json_array_append_new(logprobs, json_real(g->logprobs[i]));
    }
    double rate = g->count > 1 && g->decode_seconds > 0 ? (double)(g->count - 1) / g->decode_seconds : 0;
    json_t *object = json_pack("{s:o, s:o, s:o, s:s, s:f, s:I, s:f, s:f, s:o}", "text",
                               text_json((struct weir_string){g->text, g->size}), "ids", ids, "logprobs", logprobs,
                               "finish_reason", weir_finish_name(g->finish), "tokens_per_s", rate, "prompt_tokens",
                               (json_int_t)g->prompt_tokens, "prompt_seconds", g->prompt_seconds, "confidence",
                               weir_generation_confidence(g), "seed", json_integer((json_int_t)seed));
    if (object && args->n_top) (void)json_object_set_new(object, "top_logprobs", top_json(tokenizer, g));
    return object;
}

static int print_json(const struct weir_engine *engine, const struct arguments *args,
                      const struct weir_generation *results)
{
    for (long i = 0; i < args->count; i++) {
        json_t *object = generation_json(weir_engine_tokenizer(engine), args, &results[i],
                                         args->sampling.sampling.seed + (uint64_t)i);
        char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
        json_decref(object);
        if (!line) return cli_nomem();
        (void)puts(line);
        free(line);
    }
    return cli_flush();
}

/* Shows text as it comes. */
static bool print_text(void *context, size_t sequence, const char *text, size_t size)
{
    (void)context;
    (void)sequence;
    return text_show(stdout, (struct weir_string){text, size});
}

/* ---- the command ---- */

/* One session for each completion; all but one continue `first`, which holds the prompt without its last token. */
struct sessions {
    struct weir_session *first, *all[WEIR_GENERATE_SEQUENCES_MAX];
};

static void close_sessions(struct sessions *sessions)
{
    for (size_t i = 0; i < WEIR_GENERATE_SEQUENCES_MAX; i++) weir_session_close(&sessions->all[i]);
    weir_session_close(&sessions->first);
}

static enum weir_status open_sessions(struct weir_engine *engine, const struct weir_tokens *prompt, long count,
                                      struct sessions *out, struct weir_error *error)
{
    if (count == 1) return weir_session_open(engine, &out->all[0], error);
    enum weir_status status = weir_session_open(engine, &out->first, error);
    if (!status) status = weir_session_eval(out->first, prompt->ids, prompt->count - 1, false, NULL, error);
    for (long i = 0; !status && i < count; i++) status = weir_session_fork(out->first, &out->all[i], error);
    return status;
}

static int generate(struct weir_engine *engine, const struct arguments *args, const struct weir_tokens *prompt)
{
    struct weir_generate_request requests[WEIR_GENERATE_SEQUENCES_MAX];
    struct weir_generation results[WEIR_GENERATE_SEQUENCES_MAX] = {{.text = NULL}};
    struct weir_generate_watch watch = {.on_text = args->is_json ? NULL : print_text};
    struct sessions sessions = {.first = NULL};
    struct weir_error error = {0};
    size_t shared = args->count == 1 ? 0 : prompt->count - 1;
    enum weir_status status = open_sessions(engine, prompt, args->count, &sessions, &error);
    for (long i = 0; i < args->count; i++) {
        requests[i] = (struct weir_generate_request){.session = sessions.all[i],
                                                     .ids = prompt->ids + shared,
                                                     .count = prompt->count - shared,
                                                     .sampling = args->sampling.sampling,
                                                     .max_tokens = (uint32_t)args->tokens,
                                                     .stops = args->sampling.stops,
                                                     .n_stops = args->sampling.n_stops,
                                                     .logprobs = args->is_json,
                                                     .n_top = (uint32_t)args->n_top};
        requests[i].sampling.seed += (uint64_t)i;
    }
    if (!status) status = weir_generate(requests, (size_t)args->count, &watch, results, &error);
    int exit_status = status ? cli_fail(&error) : CLI_DONE;
    if (!status && args->is_json) exit_status = print_json(engine, args, results);
    if (!status && !args->is_json) {
        (void)putchar('\n');
        exit_status = cli_flush();
    }
    for (long i = 0; i < args->count; i++) weir_generation_free(&results[i]);
    close_sessions(&sessions);
    return exit_status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.tokens = 256, .count = 1};
    sampling_default(&args.sampling);
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    char *path = NULL;
    struct weir_engine *engine = NULL;
    struct weir_tokens prompt = {0};
    struct weir_error error = {0};
    int status = models_find(args.sampling.model, &path);
    if (!status && weir_engine_open(path, &args.sampling.engine, &engine, &error)) status = cli_fail(&error);
    if (!status) status = prompt_tokens(engine, &args, &prompt);
    if (!status) status = generate(engine, &args, &prompt);
    weir_tokens_free(&prompt);
    weir_engine_close(&engine);
    free(path);
    return status;
}

const struct command command_generate = {"generate", "Go on with a prompt", run};
