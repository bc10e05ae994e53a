/* POST /v1/chat/completions: OpenAI's own, and the servers that speak it (llama-server, vLLM, Ollama).
 * https://developers.openai.com/api/reference, "Chat Completions"; structured outputs through response_format. */
#include <string.h>

#include <jansson.h>

#include "cascade/wire.h"

static json_t *messages(const char *system, const struct strbuf *user, const struct wire_repeat *repeat)
{
    json_t *turns = wire_turns(user, repeat);
    if (!turns || !*system) return turns;
    if (!json_array_insert_new(turns, 0, json_pack("{s:s, s:s}", "role", "system", "content", system))) return turns;
    json_decref(turns);
    return NULL;
}

/* `strict` refuses schemas whose objects leave members open. */
static json_t *response_format(const struct form *form)
{
    json_t *shape = form_shape(form);
    bool is_strict = form->kind == FORM_LABELS || form->schema->is_strict;
    if (!shape) return NULL;
    return json_pack("{s:s, s:{s:s, s:b, s:o}}", "type", "json_schema", "json_schema", "name", "answer", "strict",
                     (int)is_strict, "schema", shape);
}

/* A server of one's own knows the older name of the limit, samples at a temperature of its own choice, and has no reasoning models that
 * refuse to be told one. */
static bool set_limits(json_t *body, const struct form *form)
{
    json_int_t most = form->tier->max_tokens;
    if (!form->is_loopback) return wire_set(body, "max_completion_tokens", json_integer(most));
    return wire_set(body, "max_tokens", json_integer(most)) && wire_set(body, "temperature", json_integer(0));
}

static bool set_options(json_t *body, const struct form *form)
{
    const struct weir_tier_spec *tier = form->tier;
    bool good = set_limits(body, form);
    if (form->kind != FORM_WORDS) good = good && wire_set(body, "response_format", response_format(form));
    if (*tier->effort) good = good && wire_set(body, "reasoning_effort", json_string(tier->effort));
    if (tier->logprobs && form->kind == FORM_LABELS) good = good && wire_set(body, "logprobs", json_true());
    if (tier->stream)
        good = good && wire_set(body, "stream", json_true()) &&
               wire_set(body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    return good;
}

static json_t *body(const struct form *form, const char *system, const struct strbuf *user,
                    const struct wire_repeat *repeat)
{
    json_t *made = json_object();
    if (made && wire_set(made, "model", json_string(form->tier->model)) &&
        wire_set(made, "messages", messages(system, user, repeat)) && set_options(made, form))
        return made;
    json_decref(made);
    return NULL;
}

const struct wire WIRE_OPENAI = {.base_url = "https://api.openai.com/v1",
                                 .path = "/chat/completions",
                                 .key_env = "OPENAI_API_KEY",
                                 .auth = WIRE_AUTH_BEARER,
                                 .body = body,
                                 .read = read_openai,
                                 .event = read_openai_event};
