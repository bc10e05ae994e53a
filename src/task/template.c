/* The API of the template engine: open, JSON variables in, pieces out. */
#include "task/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "task/template_internal.h"

enum weir_status template_open(const char *source, size_t size, struct template **out, struct weir_error *error)
{
    if (size > TEMPLATE_SOURCE_BYTES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "chat template: %zu bytes, at most %d are allowed", size,
                         TEMPLATE_SOURCE_BYTES_MAX);
    struct template *template = mem_zero(1, sizeof *template);
    if (!template) return error_nomem(error, "chat template");
    template->arena.max = TEMPLATE_MEMORY_BYTES_MAX;
    struct tpl_parser parser = {.arena = &template->arena, .error = error};
    enum weir_status status = tpl_lex(&parser, source, size);
    if (!status) status = tpl_parse(&parser, &template->body);
    free(parser.tokens);
    if (status) {
        template_close(&template);
        return status;
    }
    *out = template;
    return WEIR_OK;
}

void template_close(struct template **template)
{
    if (!template || !*template) return;
    tpl_arena_free(&(*template)->arena);
    free(*template);
    *template = NULL;
}

void template_output_free(struct template_output *out)
{
    free(out->pieces);
    free(out->text);
    *out = (struct template_output){0};
}

/* --- JSON to values -------------------------------------------------------------------------------------------------- */

static enum weir_status from_json(struct tpl_run *r, json_t *json, struct tpl_value *out);

/* A text of the input: data. It is copied: the result must not refer to the input. */
static enum weir_status data_text(struct tpl_run *r, const char *bytes, size_t size, struct tpl_text *out)
{
    char *copy = tpl_alloc(&r->arena, size + 1, 1);
    if (!copy) return tpl_nomem(r);
    if (size) memcpy(copy, bytes, size);
    *out = (struct tpl_text){.data = copy, .size = size, .origin = TPL_DATA};
    return WEIR_OK;
}

static enum weir_status from_array(struct tpl_run *r, json_t *json, struct tpl_value *out)
{
    size_t count = json_array_size(json);
    struct tpl_list *list = tpl_list_new(r, count);
    if (!list) return tpl_nomem(r);
    *out = (struct tpl_value){.type = TPL_LIST, .as.list = list};
    for (size_t i = 0; i < count; i++) {
        enum weir_status status = from_json(r, json_array_get(json, i), &list->items[i]);
        if (status) return status;
    }
    list->count = count;
    return WEIR_OK;
}

static enum weir_status from_object(struct tpl_run *r, json_t *json, struct tpl_value *out)
{
    struct tpl_dict *dict = tpl_dict_new(r, json_object_size(json));
    if (!dict) return tpl_nomem(r);
    *out = (struct tpl_value){.type = TPL_DICT, .as.dict = dict};
    for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
        const char *key = json_object_iter_key(at);
        struct tpl_text text = {0};
        struct tpl_value value;
        enum weir_status status = data_text(r, key, strlen(key), &text);
        if (!status) status = from_json(r, json_object_iter_value(at), &value);
        if (status) return status;
        if (!tpl_dict_append(r, dict, tpl_string(text), value)) return tpl_nomem(r);
    }
    return WEIR_OK;
}

static enum weir_status from_json(struct tpl_run *r, json_t *json, struct tpl_value *out)
{
    enum weir_status status = tpl_enter(r);
    if (status) return status;
    struct tpl_text text = {0};
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        status = from_object(r, json, out);
        break;
    case JSON_ARRAY:
        status = from_array(r, json, out);
        break;
    case JSON_STRING:
        status = data_text(r, json_string_value(json), json_string_length(json), &text);
        if (!status) *out = tpl_string(text);
        break;
    case JSON_INTEGER:
        *out = tpl_int(json_integer_value(json));
        break;
    case JSON_REAL:
        *out = (struct tpl_value){.type = TPL_FLOAT, .as.real = json_real_value(json)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = tpl_bool(json_is_true(json));
        break;
    case JSON_NULL:
        *out = (struct tpl_value){.type = TPL_NONE};
        break;
    }
    tpl_leave(r);
    return status;
}

/* Templates spell tokens with roles ('<|' + role + '|>'): a role of this list is the template's own word, any other stays data. */
static bool is_known_role(struct tpl_text role)
{
    static const char *const roles[] = {"system", "developer", "user",     "assistant",
                                        "model",  "tool",      "function", "ipython"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (tpl_text_is(role, roles[i])) return true;
    return false;
}

static void trust_roles(const struct tpl_dict *variables)
{
    const struct tpl_value *messages = tpl_dict_get(variables, TPL_TEXT("messages"));
    if (!messages || messages->type != TPL_LIST) return;
    for (size_t i = 0; i < messages->as.list->count; i++) {
        const struct tpl_value *message = &messages->as.list->items[i];
        for (size_t k = 0; message->type == TPL_DICT && k < message->as.dict->count; k++) {
            struct tpl_value *value = &message->as.dict->values[k];
            bool is_role =
                message->as.dict->keys[k].type == TPL_STRING && tpl_text_is(message->as.dict->keys[k].as.text, "role");
            if (is_role && value->type == TPL_STRING && is_known_role(value->as.text))
                value->as.text.origin = TPL_TEMPLATE;
        }
    }
}

static enum weir_status bind_token(struct tpl_run *r, const char *name, const char *token)
{
    return token ? tpl_bind(r, r->scope, tpl_text_c(name), tpl_string(tpl_text_c(token))) : WEIR_OK;
}

static enum weir_status bind_variables(struct tpl_run *r, const struct template_input *input)
{
    static const char *const functions[] = {"raise_exception", "namespace", "dict", "range", "strftime_now"};
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < sizeof functions / sizeof *functions; i++) {
        struct tpl_text name = tpl_text_c(functions[i]);
        if (tpl_text_is(name, "strftime_now") && !input->now) continue;
        status = tpl_bind(r, r->scope, name, (struct tpl_value){.type = TPL_FUNCTION, .as.text = name});
    }
    struct tpl_value variables;
    if (!status) status = bind_token(r, "bos_token", input->bos);
    if (!status) status = bind_token(r, "eos_token", input->eos);
    if (!status) status = from_json(r, input->variables, &variables);
    if (status) return status;
    trust_roles(variables.as.dict);
    for (size_t i = 0; !status && i < variables.as.dict->count; i++)
        status = tpl_bind(r, r->scope, variables.as.dict->keys[i].as.text, variables.as.dict->values[i]);
    return status;
}

/* --- pieces ---------------------------------------------------------------------------------------------------------- */

static enum weir_status to_pieces(const struct tpl_builder *b, struct template_output *out, struct weir_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < b->size; i++) count += i == 0 || b->origins[i] != b->origins[i - 1];
    struct template_output made = {.text = mem_text(b->size ? b->data : "", b->size),
                                   .size = b->size,
                                   .pieces = mem_zero(count, sizeof *made.pieces)};
    if (!made.text || !made.pieces) {
        template_output_free(&made);
        return error_nomem(error, "chat template");
    }
    for (size_t i = 0; i < b->size; i++) {
        if (i == 0 || b->origins[i] != b->origins[i - 1])
            made.pieces[made.n_pieces++] =
                (struct template_piece){.text = made.text + i, .from_template = b->origins[i] == TPL_TEMPLATE};
        made.pieces[made.n_pieces - 1].size++;
    }
    template_output_free(out);
    *out = made;
    return WEIR_OK;
}

enum weir_status template_render(const struct template *template, const struct template_input *input,
                                 struct template_output *out, struct weir_error *error)
{
    if (!json_is_object(input->variables))
        return error_set(error, WEIR_ERR_INVALID, "chat template: the variables are not an object");
    struct tpl_run run = {.arena.max = TEMPLATE_MEMORY_BYTES_MAX, .error = error, .now = input->now};
    struct tpl_scope globals = {0};
    struct tpl_builder builder = {.arena = &run.arena};
    run.scope = &globals;
    run.out = &builder;
    enum weir_status status = bind_variables(&run, input);
    if (!status) status = tpl_run_body(&run, template->body);
    if (!status) status = to_pieces(&builder, out, error);
    tpl_arena_free(&run.arena);
    return status;
}
