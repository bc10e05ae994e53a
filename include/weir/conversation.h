/* A conversation: messages in the form of the model's own chat template, as token ids ready to be evaluated.
 *
 * Order: weir_conversation_open, weir_conversation_add for each message, weir_conversation_tokens, weir_generate (weir/generate.h), and
 * the answer added in turn; weir_conversation_close. It belongs to one thread at a time; the engine must outlive it.
 *
 * The ids are those of rendering all messages anew: the template's own pieces may spell special tokens, what messages say never does.
 * The one difference: a message that was added with its ids (an answer as it was generated) is those ids wherever the template shows its
 * text unchanged, so that a session that generated it need not evaluate it again. weir_session_follow does the comparing. */
#ifndef WEIR_CONVERSATION_H
#define WEIR_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "weir/engine.h"
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conversation;

/* WEIR_ERR_NOT_FOUND when the model has no chat template. strftime_now of the template formats `now`; NULL: 2024-07-26, so that
 * the same messages give the same prompt on every day. */
WEIR_API enum weir_status weir_conversation_open(const struct weir_engine *engine, const struct tm *now,
                                                 struct weir_conversation **out,
                                                 struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_conversation_close(struct weir_conversation **conversation); /* accepts NULL behind the pointer */

struct weir_message {
    const char *role;        /* "system", "user", "assistant" or another that the template knows; ends in NUL */
    struct weir_string text; /* UTF-8 */
    const int32_t *ids;      /* [n_ids] the text as it was generated; NULL: it is tokenized */
    size_t n_ids;
};

/* Copies. WEIR_ERR_INVALID when the text is not UTF-8. */
WEIR_API enum weir_status weir_conversation_add(struct weir_conversation *conversation,
                                                const struct weir_message *message,
                                                struct weir_error *error) WEIR_MUST_USE;
/* Forgets all messages from index `count` on. */
WEIR_API void weir_conversation_cut(struct weir_conversation *conversation, size_t count);
WEIR_API size_t weir_conversation_count(const struct weir_conversation *conversation);
/* Lives until the message is cut away. NULL beyond the count. */
WEIR_API const struct weir_message *weir_conversation_message(const struct weir_conversation *conversation,
                                                              size_t index);

/* Appends the ids of the whole conversation and of the beginning of an answer to *tokens, which keeps what it had on failure. What the
 * template refuses (say, a system message) is an error with its words. */
WEIR_API enum weir_status weir_conversation_tokens(const struct weir_conversation *conversation,
                                                   struct weir_tokens *tokens, struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
