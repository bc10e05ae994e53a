/* One chat: the conversation, the session that holds its keys and values, and what the next answer is made with. */
#ifndef WEIR_CLI_CHAT_H
#define WEIR_CLI_CHAT_H

#include <stdbool.h>

#include "sampling.h"
#include "weir/conversation.h"
#include "weir/generate.h"

struct chat_turn { /* of the last answer */
    size_t read, kept,
        written; /* tokens evaluated, tokens of the prompt that the session still held, tokens generated */
    double read_seconds, write_seconds;
};

struct chat {
    struct weir_engine *engine;
    struct weir_session *session;
    struct weir_conversation *talk;
    struct sampling_options *options; /* the next answer's; its seed counts up with every answer */
    uint32_t max_tokens;              /* 0: until the context is full */
    uint32_t ctx_tokens;
    bool is_person;
    bool was_interrupted; /* the last answer */
    struct chat_turn last;
    size_t failed; /* messages that got no answer, commands that failed */
};

/* Complain; return enum cli_exit. chat_close accepts what is left after a failure. */
int chat_open(struct chat *chat, struct sampling_options *options);
void chat_close(struct chat *chat);

/* Adds a user's message and answers it. Without an answer the message is taken back. */
int chat_ask(struct chat *chat, struct weir_string text);
/* Answers the conversation as it stands. */
int chat_answer(struct chat *chat);

/* The system message, or NULL. */
const struct weir_message *chat_system(const struct chat *chat);
/* Another system message before the same messages; empty: none. Tries whether the template takes it. */
int chat_set_system(struct chat *chat, struct weir_string text);
/* Forgets all but the system message. */
void chat_reset(struct chat *chat);

/* Prints a line for the person at the terminal, on standard error; nothing under a pipe. */
void chat_hint(const struct chat *chat, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "weir: ..."; counts as a failure. */
void chat_complain(struct chat *chat, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills in *error; returns `status`. */
enum weir_status chat_error(struct weir_error *error, enum weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An empty conversation; the template learns today's date. */
enum weir_status chat_open_talk(const struct chat *chat, struct weir_conversation **out,
                                struct weir_error *error) WEIR_MUST_USE;

enum chat_next { CHAT_GOES_ON, CHAT_ENDS };

/* A line that begins with a slash. */
enum chat_next chat_command(struct chat *chat, char *line);

#endif
