/* The commands of weir chat: lines that begin with a slash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "chat.h"
#include "cli.h"
#include "line.h"
#include "output.h"
#include "slurp.h"
#include "text.h"

struct chat_verb {
    const char *name, *argument, *help;
    enum chat_next (*run)(struct chat *chat, const char *text); /* `text`: after the name, without spaces around it */
};

static const struct chat_verb verbs[];

static struct weir_string string_of(const char *text)
{
    return (struct weir_string){text, strlen(text)};
}

/* ---- saying ---- */

static enum chat_next help(struct chat *chat, const char *text)
{
    (void)chat;
    (void)text;
    for (const struct chat_verb *verb = verbs; verb->name; verb++)
        (void)printf("/%s%s%s\n    %s\n", verb->name, *verb->argument ? " " : "", verb->argument, verb->help);
    (void)printf("A line that ends in \\ goes on in the next one.\n//TEXT is a message that begins with a slash.\n");
    return CHAT_GOES_ON;
}

static enum chat_next stats(struct chat *chat, const char *text)
{
    (void)text;
    char bytes[32];
    struct weir_model_info info;
    const struct weir_sampling *s = &chat->options->sampling;
    const struct chat_turn *t = &chat->last;
    weir_engine_info(chat->engine, &info);
    size_t length = weir_session_length(chat->session);
    (void)printf("model: %s, %s, %u threads\n", chat->options->model, info.cpu_level, info.threads);
    (void)printf("context: %zu of %u tokens (%s of keys and values)\n", length, chat->ctx_tokens,
                 text_bytes((double)(length * info.kv_bytes_per_token), bytes, sizeof bytes));
    (void)printf("messages: %zu\n", weir_conversation_count(chat->talk));
    (void)printf("last answer: %zu tokens kept, %zu read in %.2f s, %zu written in %.2f s\n", t->kept, t->read,
                 t->read_seconds, t->written, t->write_seconds);
    (void)printf("next: temperature %g, seed %llu, top-k %u, top-p %g, min-p %g, at most %u tokens\n", s->temperature,
                 (unsigned long long)s->seed, s->top_k, s->top_p, s->min_p, chat->max_tokens);
    return CHAT_GOES_ON;
}

static enum chat_next show(struct chat *chat, const char *text)
{
    (void)text;
    for (size_t i = 0; i < weir_conversation_count(chat->talk); i++) {
        const struct weir_message *message = weir_conversation_message(chat->talk, i);
        (void)printf("%s: ", message->role);
        (void)text_show(stdout, message->text);
        (void)putchar('\n');
    }
    return CHAT_GOES_ON;
}

/* ---- what the next answer is made with ---- */

static enum chat_next temperature(struct chat *chat, const char *text)
{
    double value = 0;
    if (sampling_real(text, &value) && value >= 0 && value <= 100)
        chat->options->sampling.temperature = value;
    else
        chat_complain(chat, "/temp: '%s' is not a temperature (0 to 100)", text);
    return CHAT_GOES_ON;
}

static enum chat_next seed(struct chat *chat, const char *text)
{
    long value = 0;
    if (cli_number(text, 0, 1L << 53, &value))
        chat->options->sampling.seed = (uint64_t)value;
    else
        chat_complain(chat, "/seed: '%s' is not a seed (0 to 2^53)", text);
    return CHAT_GOES_ON;
}

static enum chat_next longest(struct chat *chat, const char *text)
{
    long value = 0;
    if (cli_number(text, 0, 1 << 22, &value))
        chat->max_tokens = (uint32_t)value;
    else
        chat_complain(chat, "/max: '%s' is not a number of tokens (0: until the context is full)", text);
    return CHAT_GOES_ON;
}

/* ---- the conversation ---- */

static enum chat_next system_message(struct chat *chat, const char *text)
{
    const struct weir_message *now = chat_system(chat);
    if (strcmp(text, "-") == 0) {
        chat->failed += chat_set_system(chat, (struct weir_string){NULL, 0}) != CLI_DONE;
    } else if (*text) {
        chat->failed += chat_set_system(chat, string_of(text)) != CLI_DONE;
    } else {
        (void)text_show(stdout, now ? now->text : string_of("(no system message)"));
        (void)putchar('\n');
    }
    return CHAT_GOES_ON;
}

static enum chat_next reset(struct chat *chat, const char *text)
{
    (void)text;
    chat_reset(chat);
    return CHAT_GOES_ON;
}

/* Index of the last message when an assistant said it, else the count. */
static size_t last_answer(const struct chat *chat)
{
    size_t count = weir_conversation_count(chat->talk);
    const struct weir_message *last = count ? weir_conversation_message(chat->talk, count - 1) : NULL;
    return last && strcmp(last->role, "assistant") == 0 ? count - 1 : count;
}

static enum chat_next undo(struct chat *chat, const char *text)
{
    (void)text;
    size_t answer = last_answer(chat);
    if (answer == weir_conversation_count(chat->talk) || answer == 0)
        chat_complain(chat, "/undo: there is no answer yet");
    else
        weir_conversation_cut(chat->talk, answer - 1);
    return CHAT_GOES_ON;
}

static enum chat_next regenerate(struct chat *chat, const char *text)
{
    (void)text;
    size_t answer = last_answer(chat);
    if (answer == weir_conversation_count(chat->talk) || answer == 0) {
        chat_complain(chat, "/regen: there is no answer yet");
        return CHAT_GOES_ON;
    }
    weir_conversation_cut(chat->talk, answer);
    if (chat_answer(chat)) {
        weir_conversation_cut(chat->talk, answer - 1); /* the question without its answer */
        chat->failed++;
    }
    return CHAT_GOES_ON;
}

/* ---- files ---- */

static json_t *messages_json(const struct chat *chat)
{
    json_t *messages = json_array();
    for (size_t i = 0; i < weir_conversation_count(chat->talk); i++) {
        const struct weir_message *m = weir_conversation_message(chat->talk, i);
        (void)json_array_append_new(messages,
                                    json_pack("{s:s, s:s%}", "role", m->role, "content", m->text.data, m->text.size));
    }
    return json_pack("{s:s, s:o}", "model", chat->options->model, "messages", messages);
}

static enum chat_next save(struct chat *chat, const char *text)
{
    struct output out = {.file = NULL};
    if (!*text) {
        chat_complain(chat, "/save needs the name of a file");
        return CHAT_GOES_ON;
    }
    json_t *object = messages_json(chat);
    char *bytes = object ? json_dumps(object, JSON_INDENT(1)) : NULL;
    json_decref(object);
    if (!bytes) (void)cli_nomem();
    int status = bytes ? output_open(&out, text) : CLI_FAILED;
    if (!status) (void)fprintf(out.file, "%s\n", bytes);
    if (!status) status = output_commit(&out);
    if (status)
        chat->failed++;
    else
        chat_hint(chat, "%s: %zu messages", text, weir_conversation_count(chat->talk));
    line_catch_interrupts();
    free(bytes);
    return CHAT_GOES_ON;
}

enum { LOAD_BYTES_MAX = 64 << 20 };

/* The messages of a saved conversation after those of `talk`. */
static enum weir_status add_messages(struct weir_conversation *talk, const json_t *messages, struct weir_error *error)
{
    size_t index;
    const json_t *entry;
    json_array_foreach(messages, index, entry)
    {
        const json_t *content = json_object_get(entry, "content");
        struct weir_message message = {.role = json_string_value(json_object_get(entry, "role"))};
        if (!message.role || !json_is_string(content)) {
            return chat_error(error, WEIR_ERR_FORMAT, "message %zu lacks a role or a content", index + 1);
        }
        message.text = (struct weir_string){json_string_value(content), json_string_length(content)};
        enum weir_status status = weir_conversation_add(talk, &message, error);
        if (status) return status;
    }
    return WEIR_OK;
}

/* The whole file or none of it. */
static int load_messages(struct chat *chat, const char *path, const json_t *object)
{
    const json_t *messages = json_object_get(object, "messages");
    struct weir_conversation *talk = NULL;
    struct weir_error error = {0};
    enum weir_status status = json_is_array(messages)
                                  ? chat_open_talk(chat, &talk, &error)
                                  : chat_error(&error, WEIR_ERR_FORMAT, "no saved conversation: it lacks `messages`");
    if (!status) status = add_messages(talk, messages, &error);
    if (status) {
        weir_conversation_close(&talk);
        chat_complain(chat, "%s: %s", path, error.text);
        return CLI_FAILED;
    }
    weir_conversation_close(&chat->talk);
    chat->talk = talk;
    return CLI_DONE;
}

static enum chat_next load(struct chat *chat, const char *text)
{
    char *bytes = NULL;
    size_t size = 0;
    json_error_t where;
    if (!*text) {
        chat_complain(chat, "/load needs the name of a file");
        return CHAT_GOES_ON;
    }
    if (slurp(text, LOAD_BYTES_MAX, &bytes, &size)) {
        chat->failed++;
        return CHAT_GOES_ON;
    }
    json_t *object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (!object)
        chat_complain(chat, "%s:%d:%d: %s", text, where.line, where.column, where.text);
    else if (load_messages(chat, text, object) == CLI_DONE)
        chat_hint(chat, "%s: %zu messages", text, weir_conversation_count(chat->talk));
    json_decref(object);
    free(bytes);
    return CHAT_GOES_ON;
}

static enum chat_next quit(struct chat *chat, const char *text)
{
    (void)chat;
    (void)text;
    return CHAT_ENDS;
}

static const struct chat_verb verbs[] = {
    {"help", "", "This text", help},
    {"system", "[TEXT]", "Show or set the system message; - removes it", system_message},
    {"reset", "", "Forget all messages but the system message", reset},
    {"undo", "", "Take back the last question and its answer", undo},
    {"regen", "", "Answer the last question once more", regenerate},
    {"show", "", "The conversation so far", show},
    {"temp", "T", "Temperature; 0: always the best token", temperature},
    {"seed", "S", "Seed of the next answer; it counts up", seed},
    {"max", "N", "Tokens of an answer at most; 0: all that fit", longest},
    {"save", "FILE", "Write the conversation as JSON", save},
    {"load", "FILE", "Go on with a saved conversation", load},
    {"stats", "", "Tokens, speed, settings", stats},
    {"quit", "", "Leave; so do Ctrl-D and Ctrl-C twice", quit},
    {NULL, NULL, NULL, NULL}};

/* Ends the text before the white space at its end; returns it from its first other character on. */
static char *trim(char *text)
{
    size_t size = strlen(text);
    while (size && strchr(" \t\r\n", text[size - 1])) text[--size] = 0;
    return text + strspn(text, " \t\r\n");
}

enum chat_next chat_command(struct chat *chat, char *line)
{
    char *name = line + 1;
    size_t size = strcspn(name, " \t\r\n");
    char *text = trim(name + size);
    for (const struct chat_verb *verb = verbs; verb->name; verb++) {
        if (strlen(verb->name) != size || strncmp(verb->name, name, size) != 0) continue;
        if (*text && !*verb->argument) {
            chat_complain(chat, "/%s takes nothing after it (//%s ... is a message)", verb->name, verb->name);
            return CHAT_GOES_ON;
        }
        enum chat_next next = verb->run(chat, text);
        (void)fflush(stdout);
        return next;
    }
    chat_complain(chat, "no command /%.*s (/help tells them; //%.*s ... is a message)", (int)size, name, (int)size,
                  name);
    return CHAT_GOES_ON;
}
