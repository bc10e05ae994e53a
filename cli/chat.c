/* weir chat: a conversation with a model, on a terminal or through a pipe (a line a message). */
#include "chat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli.h"
#include "line.h"
#include "models.h"
#include "text.h"

/* ---- open and close ---- */

enum weir_status chat_open_talk(const struct chat *chat, struct weir_conversation **out, struct weir_error *error)
{
    time_t now = time(NULL);
    struct tm today;
    return weir_conversation_open(chat->engine, localtime_r(&now, &today), out, error);
}

int chat_open(struct chat *chat, struct sampling_options *options)
{
    char *path = NULL;
    struct weir_error error = {0};
    struct weir_model_info info;
    int status = models_find(options->model, &path);
    if (status) return status;
    chat->options = options;
    if (weir_engine_open(path, &options->engine, &chat->engine, &error) || chat_open_talk(chat, &chat->talk, &error) ||
        weir_session_open(chat->engine, &chat->session, &error))
        status = cli_fail(&error);
    free(path);
    if (status) return status;
    weir_engine_info(chat->engine, &info);
    chat->ctx_tokens = options->engine.ctx_tokens ? options->engine.ctx_tokens : info.ctx_train;
    return CLI_DONE;
}

void chat_close(struct chat *chat)
{
    weir_session_close(&chat->session);
    weir_conversation_close(&chat->talk);
    weir_engine_close(&chat->engine);
}

void chat_hint(const struct chat *chat, const char *format, ...)
{
    if (!chat->is_person) return;
    (void)fflush(stdout);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

void chat_complain(struct chat *chat, const char *format, ...)
{
    char text[WEIR_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    chat->failed++;
    (void)cli_say(CLI_FAILED, "%s", text);
}

enum weir_status chat_error(struct weir_error *error, enum weir_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return error->status = status;
}

/* ---- messages ---- */

const struct weir_message *chat_system(const struct chat *chat)
{
    const struct weir_message *first = weir_conversation_message(chat->talk, 0);
    return first && strcmp(first->role, "system") == 0 ? first : NULL;
}

void chat_reset(struct chat *chat)
{
    weir_conversation_cut(chat->talk, chat_system(chat) ? 1 : 0);
}

static enum weir_status add_text(struct weir_conversation *talk, const char *role, struct weir_string text,
                                 struct weir_error *error)
{
    struct weir_message message = {.role = role, .text = text};
    return weir_conversation_add(talk, &message, error);
}

/* Renders a system message and a question, to hear whether the template takes it. */
static enum weir_status try_system(const struct chat *chat, struct weir_string text, struct weir_error *error)
{
    struct weir_conversation *trial = NULL;
    struct weir_tokens tokens = {0};
    enum weir_status status = chat_open_talk(chat, &trial, error);
    if (!status) status = add_text(trial, "system", text, error);
    if (!status) status = add_text(trial, "user", (struct weir_string){"a", 1}, error);
    if (!status) status = weir_conversation_tokens(trial, &tokens, error);
    weir_tokens_free(&tokens);
    weir_conversation_close(&trial);
    return status;
}

int chat_set_system(struct chat *chat, struct weir_string text)
{
    struct weir_conversation *talk = NULL;
    struct weir_error error = {0};
    enum weir_status status = text.size ? try_system(chat, text, &error) : WEIR_OK;
    if (!status) status = chat_open_talk(chat, &talk, &error);
    if (!status && text.size) status = add_text(talk, "system", text, &error);
    for (size_t i = chat_system(chat) ? 1 : 0; !status && i < weir_conversation_count(chat->talk); i++)
        status = weir_conversation_add(talk, weir_conversation_message(chat->talk, i), &error);
    if (status) {
        weir_conversation_close(&talk);
        return cli_fail(&error);
    }
    weir_conversation_close(&chat->talk);
    chat->talk = talk;
    return CLI_DONE;
}

/* ---- answers ---- */

static bool show_text(void *context, size_t sequence, const char *text, size_t size)
{
    (void)context;
    (void)sequence;
    return text_show(stdout, (struct weir_string){text, size}) && !line_interrupted;
}

static bool goes_on(void *context)
{
    (void)context;
    return !line_interrupted;
}

/* Why the answer ended where it did, unless it simply ended. Never silent: on standard error also under a pipe. */
static void say_finish(const struct chat *chat, const struct weir_generation *answer)
{
    if (answer->finish == WEIR_FINISH_LENGTH)
        (void)cli_say(CLI_DONE, "the answer was cut at %zu tokens (/max sets how many)", answer->count);
    if (answer->finish == WEIR_FINISH_CONTEXT)
        (void)cli_say(CLI_DONE, "the context of %u tokens is full: the answer ends here (/reset begins anew)",
                      chat->ctx_tokens);
    if (answer->finish == WEIR_FINISH_CANCELLED)
        (void)cli_say(CLI_DONE, "interrupted; %s",
                      answer->count ? "what was said so far stays in the conversation" : "nothing was said");
}

/* Takes the answer into the conversation. What ended at a stop string has more ids than text. */
static enum weir_status keep_answer(struct chat *chat, const struct weir_generation *answer, struct weir_error *error)
{
    bool is_whole = answer->finish != WEIR_FINISH_STOP || answer->stop_index == chat->options->n_stops;
    struct weir_message message = {.role = "assistant", .text = {answer->text, answer->size}};
    if (is_whole && answer->count) {
        message.ids = answer->ids;
        message.n_ids = answer->count;
    }
    return weir_conversation_add(chat->talk, &message, error);
}

/* `tokens`: of the conversation. The session evaluates those that it does not hold. */
static enum weir_status generate(struct chat *chat, const struct weir_tokens *tokens, struct weir_generation *answer,
                                 struct weir_error *error)
{
    size_t common = 0;
    if (tokens->count >= chat->ctx_tokens)
        return chat_error(
            error, WEIR_ERR_TOO_LONG,
            "the conversation takes %zu tokens and leaves no room for an answer in a context of %u: nothing "
            "was asked (/reset begins anew, /undo takes back the last question)",
            tokens->count, chat->ctx_tokens);
    enum weir_status status = weir_session_follow(chat->session, tokens->ids, tokens->count, &common, error);
    if (status) return status;
    struct weir_generate_request request = {.session = chat->session,
                                            .ids = tokens->ids + common,
                                            .count = tokens->count - common,
                                            .sampling = chat->options->sampling,
                                            .max_tokens = chat->max_tokens,
                                            .stops = chat->options->stops,
                                            .n_stops = chat->options->n_stops};
    struct weir_generate_watch watch = {.on_text = show_text, .go_on = goes_on};
    status = weir_generate(&request, 1, &watch, answer, error);
    if (status) return status;
    chat->options->sampling.seed++;
    chat->last = (struct chat_turn){.read = answer->prompt_tokens,
                                    .kept = common,
                                    .written = answer->count,
                                    .read_seconds = answer->prompt_seconds,
                                    .write_seconds = answer->decode_seconds};
    return WEIR_OK;
}

int chat_answer(struct chat *chat)
{
    struct weir_tokens tokens = {0};
    struct weir_generation answer = {.text = NULL};
    struct weir_error error = {0};
    line_interrupted = 0;
    enum weir_status status = weir_conversation_tokens(chat->talk, &tokens, &error);
    if (!status) status = generate(chat, &tokens, &answer, &error);
    if (!status) (void)fputc('\n', stdout);
    chat->was_interrupted = !status && answer.finish == WEIR_FINISH_CANCELLED;
    bool is_answered = !status && (answer.count || answer.finish != WEIR_FINISH_CANCELLED);
    if (is_answered) status = keep_answer(chat, &answer, &error);
    if (!status) say_finish(chat, &answer);
    int exit_status = status ? cli_fail(&error) : is_answered ? cli_flush() : CLI_ROW_ERRORS;
    line_interrupted = 0;
    weir_generation_free(&answer);
    weir_tokens_free(&tokens);
    return exit_status;
}

int chat_ask(struct chat *chat, struct weir_string text)
{
    struct weir_error error = {0};
    size_t before = weir_conversation_count(chat->talk);
    int status = add_text(chat->talk, "user", text, &error) ? cli_fail(&error) : chat_answer(chat);
    if (!status) return CLI_DONE;
    weir_conversation_cut(chat->talk, before);
    chat->failed++;
    return status;
}

/* ---- the loop ---- */

enum { MESSAGE_BYTES_MAX = LINE_BYTES_MAX };

/* A message of several lines: all but the last end in a backslash. */
struct message_text {
    char *data; /* owned */
    size_t size;
};

static bool append(struct message_text *message, const char *line, size_t size)
{
    if (message->size + size > MESSAGE_BYTES_MAX) return false;
    char *data = realloc(message->data, message->size + size + 1);
    if (!data) return false;
    memcpy(data + message->size, line, size);
    message->data = data;
    message->size += size;
    data[message->size] = 0;
    return true;
}

/* Reads lines up to one that does not end in a backslash. */
static enum line_result read_message(struct line_reader *reader, struct message_text *message)
{
    message->size = 0;
    for (const char *prompt = "> ";; prompt = ". ") {
        enum line_result result = line_read(reader, prompt);
        if (result == LINE_END && message->size) return LINE_READ;
        if (result != LINE_READ) return result;
        bool goes_on = reader->size && reader->text[reader->size - 1] == '\\';
        if (goes_on) reader->text[reader->size - 1] = '\n';
        if (!append(message, reader->text, reader->size)) {
            (void)cli_say(CLI_FAILED, "the message is too long");
            return LINE_FAILED;
        }
        if (!goes_on) return LINE_READ;
    }
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == 0;
}

/* A slash begins a command, two of them a message that begins with one. */
static enum chat_next take_message(struct chat *chat, struct message_text *message)
{
    if (is_blank(message->data)) return CHAT_GOES_ON;
    bool is_doubled = message->size > 1 && message->data[0] == '/' && message->data[1] == '/';
    if (message->data[0] == '/' && !is_doubled) return chat_command(chat, message->data);
    size_t skip = is_doubled ? 1 : 0;
    (void)chat_ask(chat, (struct weir_string){message->data + skip, message->size - skip});
    bool has_enough = chat->was_interrupted && !chat->is_person; /* who interrupts a pipe means all of it */
    return ferror(stdout) || has_enough ? CHAT_ENDS : CHAT_GOES_ON;
}

/* Ctrl-C on an empty line, twice, leaves; with something typed it only takes that back. */
static int converse(struct chat *chat, struct line_reader *reader)
{
    struct message_text message = {.data = NULL};
    bool was_asked = false; /* whether leaving was meant */
    enum line_result result;
    for (;;) {
        result = read_message(reader, &message);
        if (result == LINE_INTERRUPTED) {
            line_interrupted = 0;
            if ((was_asked && reader->was_empty) || !chat->is_person) break;
            was_asked = reader->was_empty;
            if (was_asked) chat_hint(chat, "(Ctrl-C again, Ctrl-D or /quit leaves)");
            continue;
        }
        was_asked = false;
        chat->was_interrupted = false;
        if (result != LINE_READ || take_message(chat, &message) == CHAT_ENDS) break;
        if (chat->was_interrupted) line_forget_input(reader);
    }
    free(message.data);
    if (result == LINE_FAILED || (!chat->is_person && (result == LINE_INTERRUPTED || chat->was_interrupted)))
        return CLI_FAILED;
    int status = cli_flush();
    return status ? status : chat->failed && !chat->is_person ? CLI_ROW_ERRORS : CLI_DONE;
}

/* ---- the command ---- */

enum { KEY_SYSTEM = 512 };

static const struct argp_option options[] = {
    {"system", KEY_SYSTEM, "TEXT", 0, "The system message", 0},
    {"tokens", 'n', "N", 0, "Tokens of an answer at most (default 1024; 0: until the context is full)", 0},
    {0}};

struct arguments {
    struct sampling_options sampling;
    const char *system;
    long tokens;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->sampling;
        return 0;
    case KEY_SYSTEM:
        args->system = text;
        return 0;
    case 'n':
        if (!cli_number(text, 0, 1 << 22, &args->tokens)) argp_error(state, "'%s' is not a number of tokens", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&sampling_argp, 0, "Model and choice of tokens:", 1}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .children = children,
    .doc = "A conversation with a model. On a terminal lines can be edited, /help tells the commands, Ctrl-C stops an "
           "answer. Under a pipe every line is a message, and only answers are written to standard output."};

/* What a conversation is usually drawn with: some variety, nothing improbable, and a seed of its own. */
static void set_defaults(struct weir_sampling *sampling)
{
    sampling->temperature = 0.7;
    sampling->top_k = 40;
    sampling->top_p = 0.95;
    sampling->min_p = 0.05;
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = (uint32_t)time(NULL);
    sampling->seed = seed;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.tokens = 1024};
    sampling_default(&args.sampling);
    set_defaults(&args.sampling.sampling);
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct chat chat = {.max_tokens = (uint32_t)args.tokens};
    int status = chat_open(&chat, &args.sampling);
    if (!status && args.system) status = chat_set_system(&chat, (struct weir_string){args.system, strlen(args.system)});
    if (!status) {
        struct line_reader reader;
        line_open(&reader);
        chat.is_person = reader.is_person;
        chat_hint(&chat, "%s, context %u tokens. /help tells the commands.", args.sampling.model, chat.ctx_tokens);
        status = converse(&chat, &reader);
        line_close(&reader);
    }
    chat_close(&chat);
    return status;
}

const struct command command_chat = {"chat", "Talk with a model", run};
