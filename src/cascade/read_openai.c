/* Reads replies of /v1/chat/completions, whole or streamed. The sources are those of wire_openai.c. */
#include <string.h>

#include "cascade/said.h"
#include "cascade/wire.h"

static void take_usage(struct said *said, const struct json_value *usage)
{
    int64_t prompt = 0, output = 0, cached = 0, cache_write = 0;
    const struct json_value *details = json_member(usage, "prompt_tokens_details");
    if (!usage || usage->kind != JSON_OBJECT) return;
    bool good = said_count(usage, "prompt_tokens", false, &prompt) &&
                said_count(usage, "completion_tokens", false, &output) &&
                said_count(details, "cached_tokens", true, &cached) &&
                said_count(details, "cache_write_tokens", true, &cache_write);
    if (!good || cached + cache_write > prompt) return;
    said->usage = (struct weir_usage){.is_known = true,
                                      .input = prompt - cached - cache_write,
                                      .cached = cached,
                                      .cache_write = cache_write,
                                      .output = output};
}

/* The next bytes of the content from *at on, which moves past them. */
static bool bytes_are_next(const struct strbuf *content, const struct json_value *bytes, size_t *at)
{
    for (const struct json_value *byte = bytes->first; byte; byte = byte->next, ++*at) {
        double value = -1;
        if (*at >= content->size || !said_number(byte, &value)) return false;
        if ((double)(unsigned char)content->data[*at] != value) return false;
    }
    return true;
}

/* The bytes of a piece: `bytes` where it has them (a piece may be part of a character), else `token`. */
static bool piece_is_next(const struct said *said, const struct json_value *piece, size_t *at)
{
    const struct json_value *bytes = json_member(piece, "bytes"), *token = json_member(piece, "token");
    const struct strbuf *content = &said->content;
    if (bytes && bytes->kind == JSON_ARRAY) return bytes_are_next(content, bytes, at);
    if (!token || token->kind != JSON_STRING || token->string.size > content->size - *at) return false;
    bool is_same = !token->string.size || memcmp(content->data + *at, token->string.data, token->string.size) == 0;
    *at += token->string.size;
    return is_same;
}

/* Of a chunk or a whole message; pieces that are not the content's next bytes make all of them worthless. */
static void take_logprobs(struct said *said, const struct json_value *choice)
{
    const struct json_value *list = json_member(json_member(choice, "logprobs"), "content");
    struct said_token token = {.end = 0};
    if (!list || list->kind != JSON_ARRAY) return;
    if (said->tokens.size) memcpy(&token, said->tokens.data + said->tokens.size - sizeof token, sizeof token);
    for (const struct json_value *piece = list->first; piece && !said->has_token_gap; piece = piece->next) {
        bool is_good =
            piece_is_next(said, piece, &token.end) && said_number(json_member(piece, "logprob"), &token.logprob);
        if (!is_good || strbuf_add(&said->tokens, &token, sizeof token)) said->has_token_gap = true;
    }
}

static void take_text(struct said *said, struct strbuf *to, const struct json_value *value)
{
    if (!value || value->kind != JSON_STRING) return;
    if (strbuf_add(to, value->string.data, value->string.size))
        said_fail(said, WEIR_OUTCOME_TOO_LARGE, "the answer is larger than its limit");
}

static void take_reason(struct said *said, const struct json_value *reason)
{
    if (!reason || reason->kind != JSON_STRING) return;
    said->is_whole = true;
    if (json_text_is(reason->string, "content_filter"))
        said_fail(said, WEIR_OUTCOME_REFUSED, "the provider's filter held the answer back");
    if (json_text_is(reason->string, "length"))
        said_fail(said, WEIR_OUTCOME_LENGTH,
                  "the answer was cut at max_tokens; raise it in the task's tier (reasoning counts too)");
}

/* `message` is a whole one or a delta. */
static void take_choice(struct said *said, const struct json_value *choice, const char *message_key)
{
    const struct json_value *message = json_member(choice, message_key);
    take_text(said, &said->content, json_member(message, "content"));
    take_text(said, &said->refusal, json_member(message, "refusal"));
    take_logprobs(said, choice);
    if (said->refusal.size) said_fail(said, WEIR_OUTCOME_REFUSED, "the model declined");
    take_reason(said, json_member(choice, "finish_reason"));
}

void read_openai(struct said *said, const struct form *form, const struct json_value *root)
{
    const struct json_value *choices = json_member(root, "choices");
    (void)form;
    take_usage(said, json_member(root, "usage"));
    if (!choices || choices->kind != JSON_ARRAY || !choices->first) {
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply has no `choices`");
        return;
    }
    take_choice(said, choices->first, "message");
    if (!said->is_whole) said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply has no `finish_reason`");
}

void read_openai_event(struct said *said, const char *name, const char *data, size_t size,
                       const struct json_value *root)
{
    (void)name;
    if (size == 6 && memcmp(data, "[DONE]", 6) == 0) return; /* finish_reason has said so */
    if (!root) {
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "an event of the stream is no JSON");
        return;
    }
    const struct json_value *choices = json_member(root, "choices");
    if (json_member(root, "error"))
        said_fail(said, WEIR_OUTCOME_CUT, "the provider broke the stream off with an error");
    take_usage(said, json_member(root, "usage"));
    if (choices && choices->kind == JSON_ARRAY && choices->first) take_choice(said, choices->first, "delta");
}
