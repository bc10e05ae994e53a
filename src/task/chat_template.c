/* The public calls on chat templates: a request's JSON in, a rendering out. The engine is template.c. */
#include "weir/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "task/template.h"

struct weir_template {
    struct template *parsed;
    char *bos, *eos; /* owned; NULL: not known */
};

void weir_template_close(struct weir_template **chat_template)
{
    struct weir_template *t = *chat_template;
    if (!t) return;
    template_close(&t->parsed);
    free(t->bos);
    free(t->eos);
    free(t);
    *chat_template = NULL;
}

enum weir_status weir_template_open(const char *source, size_t size, struct weir_template **out,
                                    struct weir_error *error)
{
    struct weir_template *t = mem_zero(1, sizeof *t);
    if (!t) return error_nomem(error, "chat template");
    enum weir_status status = template_open(source, size, &t->parsed, error);
    if (status) {
        weir_template_close(&t);
        return status;
    }
    *out = t;
    return WEIR_OK;
}

/* ---- from a model file ---- */

/* The spelling of the token whose id stands under `key`; *out stays NULL without the key. */
static enum weir_status copy_spelling(const struct weir_gguf *gguf, const char *key, char **out,
                                      struct weir_error *error)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    const struct weir_gguf_value *tokens = weir_gguf_find(gguf, "tokenizer.ggml.tokens");
    if (!value) return WEIR_OK;
    uint64_t id = 0;
    struct weir_string spelling;
    bool is_there = weir_gguf_as_u64(value, &id) && id < weir_gguf_array_count(tokens) &&
                    weir_gguf_array_string(tokens, (size_t)id, &spelling);
    if (!is_there) return error_set(error, WEIR_ERR_FORMAT, "%s: not the id of a token", key);
    *out = mem_text(spelling.data, spelling.size);
    return *out ? WEIR_OK : error_nomem(error, "chat template");
}

enum weir_status weir_template_open_model(const struct weir_gguf *gguf, struct weir_template **out,
                                          struct weir_error *error)
{
    struct weir_string source;
    struct weir_template *t = NULL;
    enum weir_status status;
    if (!weir_gguf_as_string(weir_gguf_find(gguf, "tokenizer.chat_template"), &source)) {
        return error_set(error, WEIR_ERR_NOT_FOUND, "%s: the model has no chat template (tokenizer.chat_template)",
                         weir_gguf_name(gguf));
    }
    status = weir_template_open(source.data, source.size, &t, error);
    if (!status) status = copy_spelling(gguf, "tokenizer.ggml.bos_token_id", &t->bos, error);
    if (!status) status = copy_spelling(gguf, "tokenizer.ggml.eos_token_id", &t->eos, error);
    if (status) {
        weir_template_close(&t);
        return error_prefix(error, status, "%s", weir_gguf_name(gguf));
    }
    *out = t;
    return WEIR_OK;
}

/* ---- rendering ---- */

static enum weir_status read_request(struct weir_string text, json_t **out, struct weir_error *error)
{
    json_error_t where;
    json_t *json = json_loadb(text.size ? text.data : "", text.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (!json) {
        return error_set(error, WEIR_ERR_FORMAT, "request, line %d, column %d: %s", where.line, where.column,
                         where.text);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return error_set(error, WEIR_ERR_FORMAT, "request: expected an object, found an array");
    }
    *out = json;
    return WEIR_OK;
}

/* Moves what the engine made into the public form. */
static enum weir_status to_rendering(struct template_output *made, struct weir_rendering *out, struct weir_error *error)
{
    struct weir_text_piece *pieces = mem_zero(made->n_pieces, sizeof *pieces);
    if (!pieces) return error_nomem(error, "chat template");
    for (size_t i = 0; i < made->n_pieces; i++) {
        const struct template_piece *piece = &made->pieces[i];
        pieces[i] = (struct weir_text_piece){piece->text, piece->size, piece->from_template};
    }
    weir_rendering_free(out);
    *out = (struct weir_rendering){made->text, made->size, pieces, made->n_pieces};
    made->text = NULL;
    return WEIR_OK;
}

enum weir_status weir_template_render(const struct weir_template *t, const struct weir_template_request *request,
                                      struct weir_rendering *out, struct weir_error *error)
{
    json_t *variables = NULL;
    enum weir_status status = read_request(request->json, &variables, error);
    if (status) return status;
    struct template_input input = {.variables = variables,
                                   .bos = request->bos ? request->bos : t->bos,
                                   .eos = request->eos ? request->eos : t->eos,
                                   .now = request->now};
    struct template_output made = {0};
    status = template_render(t->parsed, &input, &made, error);
    if (!status) status = to_rendering(&made, out, error);
    template_output_free(&made);
    json_decref(variables);
    return status;
}

void weir_rendering_free(struct weir_rendering *rendering)
{
    free(rendering->text);
    free(rendering->pieces);
    *rendering = (struct weir_rendering){0};
}
