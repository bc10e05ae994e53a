#include "weir/conversation.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "task/template.h"

/* What strftime_now says when nobody gave a date: the one that Llama 3.1's template names by default. */
static const struct tm DEFAULT_DATE = {
    .tm_year = 124, .tm_mon = 6, .tm_mday = 26, .tm_wday = 5, .tm_yday = 207, .tm_isdst = 0};

struct message {
    char *role, *text; /* owned, as are ids; NULL where there are none */
    int32_t *ids;
    struct weir_message view; /* of these */
};

struct weir_conversation {
    const struct weir_engine *engine;
    struct template *chat_template;
    char *bos, *eos; /* owned; NULL: the model has none */
    struct tm now;
    struct message *messages; /* [count] */
    size_t count, capacity;
};

/* How the model spells a token; NULL without one. */
static enum weir_status copy_spelling(const struct weir_tokenizer *tokenizer, int32_t id, char **out,
                                      struct weir_error *error)
{
    if (id < 0) return WEIR_OK;
    struct weir_string text = weir_token_text(tokenizer, id);
    *out = mem_text(text.size ? text.data : "", text.size);
    return *out ? WEIR_OK : error_nomem(error, "conversation");
}

static enum weir_status open_template(struct weir_conversation *c, struct weir_error *error)
{
    const struct weir_engine *engine = c->engine;
    struct weir_string source = {0};
    if (!weir_gguf_as_string(weir_gguf_find(engine->gguf, "tokenizer.chat_template"), &source))
        return error_set(error, WEIR_ERR_NOT_FOUND, "%s: the model has no chat template (tokenizer.chat_template)",
                         weir_gguf_name(engine->gguf));
    enum weir_status status = template_open(source.data, source.size, &c->chat_template, error);
    if (status) return error_prefix(error, status, "%s", weir_gguf_name(engine->gguf));
    status = copy_spelling(engine->tokenizer, weir_tokenizer_bos(engine->tokenizer), &c->bos, error);
    return status ? status : copy_spelling(engine->tokenizer, weir_tokenizer_eos(engine->tokenizer), &c->eos, error);
}

enum weir_status weir_conversation_open(const struct weir_engine *engine, const struct tm *now,
                                        struct weir_conversation **out, struct weir_error *error)
{
    if (!engine->tokenizer) return error_set(error, WEIR_ERR_INVALID, "the engine was opened without a tokenizer");
    struct weir_conversation *c = mem_zero(1, sizeof *c);
    if (!c) return error_nomem(error, "conversation");
    c->engine = engine;
    c->now = now ? *now : DEFAULT_DATE;
    enum weir_status status = open_template(c, error);
    if (status) {
        weir_conversation_close(&c);
        return status;
    }
    *out = c;
    return WEIR_OK;
}

void weir_conversation_close(struct weir_conversation **handle)
{
    struct weir_conversation *c = *handle;
    if (!c) return;
    weir_conversation_cut(c, 0);
    template_close(&c->chat_template);
    free(c->bos);
    free(c->eos);
    free(c->messages);
    free(c);
    *handle = NULL;
}

/* ---- messages ---- */

static void free_message(const struct message *m)
{
    free(m->role);
    free(m->text);
    free(m->ids);
}

static bool is_text(struct weir_string text)
{
    json_t *string = json_stringn(text.size ? text.data : "", text.size); /* checks UTF-8 */
    json_decref(string);
    return string != NULL;
}

static enum weir_status reserve_message(struct weir_conversation *c, struct weir_error *error)
{
    if (c->count < c->capacity) return WEIR_OK;
    size_t capacity = c->capacity ? 2 * c->capacity : 16;
    struct message *messages = mem_resize(c->messages, capacity, sizeof *messages);
    if (!messages) return error_nomem(error, "conversation");
    c->messages = messages;
    c->capacity = capacity;
    return WEIR_OK;
}

enum weir_status weir_conversation_add(struct weir_conversation *c, const struct weir_message *message,
                                       struct weir_error *error)
{
    if (!is_text(message->text))
        return error_set(error, WEIR_ERR_INVALID, "message %zu (%s): not UTF-8", c->count + 1, message->role);
    enum weir_status status = reserve_message(c, error);
    if (status) return status;
    struct message made = {.role = mem_text(message->role, strlen(message->role)),
                           .text = mem_text(message->text.size ? message->text.data : "", message->text.size)};
    if (message->ids) made.ids = mem_zero(message->n_ids, sizeof *made.ids);
    if (!made.role || !made.text || (message->ids && !made.ids)) {
        free_message(&made);
        return error_nomem(error, "message");
    }
    if (made.ids) memcpy(made.ids, message->ids, message->n_ids * sizeof *made.ids);
    made.view = (struct weir_message){made.role, {made.text, message->text.size}, made.ids, message->n_ids};
    c->messages[c->count++] = made;
    return WEIR_OK;
}

void weir_conversation_cut(struct weir_conversation *c, size_t count)
{
    while (c->count > count) free_message(&c->messages[--c->count]);
}

size_t weir_conversation_count(const struct weir_conversation *c)
{
    return c->count;
}

const struct weir_message *weir_conversation_message(const struct weir_conversation *c, size_t index)
{
    return index < c->count ? &c->messages[index].view : NULL;
}

/* ---- rendering ---- */

/* The variables of the template: enable_thinking false closes the thinking part at once where a template knows it (Qwen 3). NULL without
 * memory. */
static json_t *variables_of(const struct weir_conversation *c)
{
    json_t *messages = json_array();
    for (size_t i = 0; i < c->count; i++) {
        const struct weir_message *m = &c->messages[i].view;
        json_t *message = json_pack("{s:s, s:s%}", "role", m->role, "content", m->text.data, m->text.size);
        if (json_array_append_new(messages, message) == 0) continue;
        json_decref(messages);
        return NULL;
    }
    return json_pack("{s:o, s:b, s:b}", "messages", messages, "add_generation_prompt", 1, "enable_thinking", 0);
}

static enum weir_status render(const struct weir_conversation *c, struct template_output *out, struct weir_error *error)
{
    struct template_input input = {.variables = variables_of(c), .bos = c->bos, .eos = c->eos, .now = &c->now};
    if (!input.variables) return error_nomem(error, "conversation");
    enum weir_status status = template_render(c->chat_template, &input, out, error);
    json_decref(input.variables);
    return status;
}

/* ---- ids ---- */

/* The first message from *next on that says what the piece says; *next moves past it. */
static const struct weir_message *message_of(const struct weir_conversation *c, const struct template_piece *piece,
                                             size_t *next)
{
    for (size_t i = *next; i < c->count; i++) {
        const struct weir_message *m = &c->messages[i].view;
        if (m->text.size != piece->size || memcmp(m->text.data, piece->text, piece->size) != 0) continue;
        *next = i + 1;
        return m;
    }
    return NULL;
}

/* Runs of pieces are tokenized as one text; an answer with ids of its own stands between two runs. */
static enum weir_status tokenize_rendering(const struct weir_conversation *c, const struct template_output *rendering,
                                           struct weir_tokens *tokens, struct weir_error *error)
{
    const struct weir_tokenizer *tokenizer = c->engine->tokenizer;
    struct weir_text_piece *run = mem_zero(rendering->n_pieces, sizeof *run);
    if (!run) return error_nomem(error, "conversation");
    enum weir_status status = WEIR_OK;
    size_t next = 0, n = 0;
    for (size_t i = 0; !status && i < rendering->n_pieces; i++) {
        const struct template_piece *piece = &rendering->pieces[i];
        const struct weir_message *m = piece->from_template ? NULL : message_of(c, piece, &next);
        if (!m || !m->ids) {
            run[n++] = (struct weir_text_piece){piece->text, piece->size, piece->from_template};
            continue;
        }
        status = weir_tokenize_pieces(tokenizer, run, n, 0, tokens, error);
        n = 0;
        if (!status) status = tokens_append(tokens, m->ids, m->n_ids, error);
    }
    if (!status && n) status = weir_tokenize_pieces(tokenizer, run, n, 0, tokens, error);
    free(run);
    return status;
}

enum weir_status weir_conversation_tokens(const struct weir_conversation *c, struct weir_tokens *tokens,
                                          struct weir_error *error)
{
    struct template_output rendering = {0};
    struct weir_tokens start = {0}, body = {0};
    enum weir_status status = render(c, &rendering, error);
    if (!status) status = engine_bos_tokens(c->engine, &start, error);
    if (!status) status = tokenize_rendering(c, &rendering, &body, error);
    /* BOS where the vocabulary asks for it and the template did not write it itself */
    if (!status && start.count && body.count && body.ids[0] == start.ids[0]) start.count = 0;
    size_t held = tokens->count;
    if (!status) status = tokens_append(tokens, start.ids, start.count, error);
    if (!status) status = tokens_append(tokens, body.ids, body.count, error);
    if (status) tokens->count = held;
    weir_tokens_free(&start);
    weir_tokens_free(&body);
    template_output_free(&rendering);
    return status;
}
