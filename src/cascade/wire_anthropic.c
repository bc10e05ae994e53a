/* POST /v1/messages. https://platform.claude.com/docs/en/api/messages; the shape through output_config.format (structured outputs), or,
 * for schemas that these do not take, as the input of a tool that must be called. */
#include <string.h>

#include <jansson.h>

#include "cascade/wire.h"

static bool is_tool(const struct form *form)
{
    return form->kind == FORM_EXTRACT && !form->schema->is_strict;
}

static bool set_shape(json_t *body, const struct form *form)
{
    if (form->kind == FORM_WORDS) return true;
    json_t *shape = form_shape(form);
    if (!shape) return false;
    if (is_tool(form))
        return wire_set(body, "tools",
                        json_pack("[{s:s, s:s, s:o}]", "name", "answer", "description", "Gives the answer.",
                                  "input_schema", shape)) &&
               wire_set(body, "tool_choice", json_pack("{s:s, s:s}", "type", "tool", "name", "answer"));
    json_t *config = json_pack("{s:{s:s, s:o}}", "format", "type", "json_schema", "schema", shape);
    return wire_set(body, "output_config", config);
}

static bool set_effort(json_t *body, const char *effort)
{
    if (!*effort) return true;
    if (!json_object_get(body, "output_config") && !wire_set(body, "output_config", json_object())) return false;
    return wire_set(json_object_get(body, "output_config"), "effort", json_string(effort));
}

static json_t *body(const struct form *form, const char *system, const struct strbuf *user,
                    const struct wire_repeat *repeat)
{
    json_t *made = json_object();
    bool good = made && wire_set(made, "model", json_string(form->tier->model)) &&
                wire_set(made, "max_tokens", json_integer((json_int_t)form->tier->max_tokens)) &&
                wire_set(made, "messages", wire_turns(user, repeat)) && set_shape(made, form) &&
                set_effort(made, form->tier->effort);
    if (*system) good = good && wire_set(made, "system", json_string(system));
    if (form->tier->stream) good = good && wire_set(made, "stream", json_true());
    if (good) return made;
    json_decref(made);
    return NULL;
}

const struct wire WIRE_ANTHROPIC = {.base_url = "https://api.anthropic.com",
                                    .path = "/v1/messages",
                                    .key_env = "ANTHROPIC_API_KEY",
                                    .auth = WIRE_AUTH_X_API_KEY,
                                    .header = "anthropic-version: 2023-06-01",
                                    .body = body,
                                    .read = read_anthropic,
                                    .event = read_anthropic_event};
