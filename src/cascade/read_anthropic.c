/* Reads replies of /v1/messages, whole or streamed. The sources are those of wire_anthropic.c. */
#include <string.h>

#include "cascade/said.h"
#include "cascade/wire.h"

/* A stream gives the input first and the output last; what is said later replaces what was said before. */
static void take_usage(struct said *said, const struct json_value *usage)
{
    struct weir_usage *known = &said->usage, found = *known;
    if (!usage || usage->kind != JSON_OBJECT) return;
    bool has_input = json_member(usage, "input_tokens");
    bool good = said_count(usage, "output_tokens", false, &found.output) && (has_input || known->is_known);
    if (has_input)
        good = good && said_count(usage, "input_tokens", false, &found.input) &&
               said_count(usage, "cache_read_input_tokens", true, &found.cached) &&
               said_count(usage, "cache_creation_input_tokens", true, &found.cache_write);
    found.is_known = good;
    *known = good ? found : (struct weir_usage){.is_known = false};
}

static void add(struct said *said, const struct json_text *text)
{
    if (strbuf_add(&said->content, text->data, text->size))
        said_fail(said, WEIR_OUTCOME_TOO_LARGE, "the answer is larger than its limit");
}

static void take_text(struct said *said, const struct json_value *value)
{
    if (value && value->kind == JSON_STRING) add(said, &value->string);
}

static void take_reason(struct said *said, const struct json_value *reason)
{
    if (!reason || reason->kind != JSON_STRING) return;
    said->is_whole = true;
    if (json_text_is(reason->string, "refusal")) said_fail(said, WEIR_OUTCOME_REFUSED, "the model declined");
    if (json_text_is(reason->string, "max_tokens") || json_text_is(reason->string, "model_context_window_exceeded"))
        said_fail(said, WEIR_OUTCOME_LENGTH,
                  "the answer was cut at max_tokens; raise it in the task's tier (reasoning counts too)");
}

static void take_block(struct said *said, const struct json_value *block)
{
    const struct json_value *type = json_member(block, "type"), *input = json_member(block, "input");
    if (!type || type->kind != JSON_STRING) return;
    if (json_text_is(type->string, "text")) take_text(said, json_member(block, "text"));
    if (json_text_is(type->string, "tool_use") && input) add(said, &input->source); /* as it was written */
}

void read_anthropic(struct said *said, const struct form *form, const struct json_value *root)
{
    const struct json_value *content = json_member(root, "content");
    (void)form;
    take_usage(said, json_member(root, "usage"));
    if (!content || content->kind != JSON_ARRAY) {
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply has no `content`");
        return;
    }
    for (const struct json_value *block = content->first; block; block = block->next) take_block(said, block);
    take_reason(said, json_member(root, "stop_reason"));
    if (!said->is_whole) said_fail(said, WEIR_OUTCOME_BAD_REPLY, "the reply has no `stop_reason`");
}

void read_anthropic_event(struct said *said, const char *name, const char *data, size_t size,
                          const struct json_value *root)
{
    (void)data, (void)size;
    if (!root) {
        said_fail(said, WEIR_OUTCOME_BAD_REPLY, "an event of the stream is no JSON");
        return;
    }
    const struct json_value *delta = json_member(root, "delta");
    if (strcmp(name, "message_start") == 0) take_usage(said, json_member(json_member(root, "message"), "usage"));
    if (strcmp(name, "content_block_delta") == 0) {
        take_text(said, json_member(delta, "text"));
        take_text(said, json_member(delta, "partial_json"));
    }
    if (strcmp(name, "message_delta") == 0) {
        take_usage(said, json_member(root, "usage"));
        take_reason(said, json_member(delta, "stop_reason"));
    }
    if (strcmp(name, "error") == 0)
        said_fail(said, WEIR_OUTCOME_CUT, "the provider broke the stream off with an error");
}
