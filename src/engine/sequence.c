#include "engine/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/logprob.h"
#include "tokenizer/utf8.h"

enum { TEXT_BYTES_MAX = 256 << 20, PROBABILITIES_FIRST = 64 };

static size_t n_vocab_of(const struct sequence *s)
{
    return s->sampler.n_vocab;
}

/* ---- opening ---- */

static bool is_utf8(struct weir_string text)
{
    uint32_t code;
    for (size_t at = 0, n = 0; at < text.size; at += n) {
        n = utf8_step(text.data + at, text.size - at, &code);
        if (n == 1 && (unsigned char)text.data[at] >= 0x80) return false;
    }
    return true;
}

static enum weir_status check_stops(const struct weir_generate_request *r, struct weir_error *error)
{
    if (r->n_stops > WEIR_GENERATE_STOPS_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%zu stop strings, at most %d", r->n_stops, WEIR_GENERATE_STOPS_MAX);
    for (size_t i = 0; i < r->n_stops; i++) {
        struct weir_string stop = r->stops[i];
        if (!stop.size) return error_set(error, WEIR_ERR_INVALID, "stop string %zu is empty", i + 1);
        if (stop.size > WEIR_GENERATE_STOP_BYTES_MAX)
            return error_set(error, WEIR_ERR_LIMIT, "stop string %zu has %zu bytes, at most %d", i + 1, stop.size,
                             WEIR_GENERATE_STOP_BYTES_MAX);
        if (!is_utf8(stop)) return error_set(error, WEIR_ERR_INVALID, "stop string %zu is not UTF-8", i + 1);
    }
    return WEIR_OK;
}

static enum weir_status check_request(const struct weir_generate_request *r, struct weir_error *error)
{
    if (!r->count) return error_set(error, WEIR_ERR_INVALID, "nothing to go on from: expected at least one token");
    if (r->n_top > WEIR_GENERATE_TOP_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%u alternatives for each token, at most %d", r->n_top,
                         WEIR_GENERATE_TOP_MAX);
    enum weir_status status = check_stops(r, error);
    return status ? status : engine_check_ids(r->session->engine, r->ids, r->count, error);
}

static enum weir_status open_scratch(struct sequence *s, struct weir_error *error)
{
    const struct weir_generate_request *r = s->request;
    size_t n_vocab = n_vocab_of(s);
    if (r->logprobs && (sampler_changes(&s->sampler) || r->filter)) {
        s->raw = mem_zero(n_vocab, sizeof *s->raw);
        if (!s->raw) return error_nomem(error, "logits");
    }
    if (r->filter) {
        s->bits = mem_zero((n_vocab + 31) / 32, sizeof *s->bits);
        if (!s->bits) return error_nomem(error, "token filter");
    }
    if (!s->sampler.window) return WEIR_OK;
    enum weir_status status = tokens_append(&s->history, s->session->ids.ids, s->session->ids.count, error);
    return status ? status : tokens_append(&s->history, r->ids, r->count, error);
}

enum weir_status sequence_open(const struct weir_generate_request *request, size_t index,
                               const struct weir_generate_watch *watch, struct sequence *out, struct weir_error *error)
{
    struct weir_session *session = request->session;
    const struct weir_engine *engine = session->engine;
    *out = (struct sequence){.request = request,
                             .watch = watch,
                             .index = index,
                             .session = session,
                             .pending = request->ids,
                             .n_pending = request->count,
                             .n_prompt = weir_session_length(session) + request->count,
                             .stops = {request->stops, request->n_stops},
                             .text = STRBUF_MAX(TEXT_BYTES_MAX),
                             .stop_index = request->n_stops};
    enum weir_status status = check_request(request, error);
    if (!status) status = sampler_open(&request->sampling, engine->model->shape.n_vocab, &out->sampler, error);
    if (!status) status = session_make_room(session, request->count, error);
    if (!status) status = weir_decoder_open(engine->tokenizer, WEIR_DECODE_CONTINUES, &out->decoder, error);
    return status ? status : open_scratch(out, error);
}

void sequence_close(struct sequence *s)
{
    sampler_close(&s->sampler);
    weir_decoder_close(&s->decoder);
    weir_tokens_free(&s->history);
    weir_tokens_free(&s->out);
    strbuf_free(&s->text);
    free(s->raw);
    free(s->bits);
    free(s->logprobs);
    free(s->top);
    *s = (struct sequence){0};
}

/* ---- text ---- */

static void end_with(struct sequence *s, enum weir_finish reason)
{
    s->finish = reason;
    s->is_done = true;
}

/* Tells the watch about the text up to `settled`. */
static void show(struct sequence *s, size_t settled)
{
    size_t from = s->shown;
    s->shown = settled;
    if (settled == from || !s->watch || !s->watch->on_text) return;
    if (!s->watch->on_text(s->watch->context, s->index, s->text.data + from, settled - from))
        end_with(s, WEIR_FINISH_CANCELLED);
}

/* Adds decoded text; a stop string in it ends the sequence before it. */
static enum weir_status add_text(struct sequence *s, struct weir_string piece, struct weir_error *error)
{
    size_t old = s->text.size, at = 0;
    enum weir_status status = strbuf_add(&s->text, piece.data, piece.size);
    if (status) return error_set(error, status, "generated text: %s", weir_status_text(status));
    if (stops_find(&s->stops, s->text.data, old, s->text.size, &at, &s->stop_index)) {
        s->text.size = at;
        end_with(s, WEIR_FINISH_STOP);
    }
    show(s, at);
    return WEIR_OK;
}

enum weir_status sequence_finish(struct sequence *s, enum weir_finish reason, struct weir_error *error)
{
    if (!s->is_done) {
        enum weir_status status = add_text(s, weir_decoder_end(s->decoder), error);
        if (status) return status;
    }
    if (s->is_done)
        return WEIR_OK; /* what was left of the last character completed a stop string, or the watch had enough */
    show(s, s->text.size);
    end_with(s, reason);
    return WEIR_OK;
}

/* ---- choosing ---- */

/* Room for the probabilities of one more token. */
static enum weir_status reserve_probabilities(struct sequence *s, struct weir_error *error)
{
    size_t n_top = s->request->n_top;
    if (!s->request->logprobs || s->out.count < s->probability_room) return WEIR_OK;
    size_t room = s->probability_room ? 2 * s->probability_room : PROBABILITIES_FIRST;
    double *logprobs = mem_resize(s->logprobs, room, sizeof *logprobs);
    if (!logprobs) return error_nomem(error, "log-probabilities");
    s->logprobs = logprobs;
    if (n_top) {
        struct weir_token_logprob *top = mem_resize(s->top, room * n_top, sizeof *top);
        if (!top) return error_nomem(error, "log-probabilities");
        s->top = top;
    }
    s->probability_room = room;
    return WEIR_OK;
}

enum weir_status sequence_ready(struct sequence *s, struct weir_error *error)
{
    const struct weir_token_filter *filter = s->request->filter;
    enum weir_status status = reserve_probabilities(s, error);
    if (status || !filter) return status;
    memset(s->bits, 0, (n_vocab_of(s) + 31) / 32 * sizeof *s->bits);
    return filter->mask(filter->context, s->bits, n_vocab_of(s), error);
}

void sequence_choose(struct sequence *s, float *logits)
{
    const struct weir_generate_request *r = s->request;
    size_t n_vocab = n_vocab_of(s), at = s->out.count;
    double log_sum = 0;
    sampler_clean(logits, n_vocab);
    if (r->logprobs) {
        log_sum = logprob_sum(&s->session->engine->model->kernels, logits, n_vocab);
        if (r->n_top) logprob_top(logits, n_vocab, log_sum, s->top + at * r->n_top, r->n_top);
        if (s->raw) memcpy(s->raw, logits, n_vocab * sizeof *logits);
    }
    if (r->filter) sampler_filter(logits, n_vocab, s->bits);
    struct token_history history = {s->history.ids, s->history.count, s->n_prompt};
    s->status = sampler_pick(&s->sampler, logits, &history, &s->chosen, &s->error);
    if (!s->status && r->logprobs) s->logprobs[at] = (double)(s->raw ? s->raw : logits)[s->chosen] - log_sum;
}

/* The chosen token is text: decoded, shown, and evaluated next. */
static enum weir_status take_token(struct sequence *s, struct weir_error *error)
{
    struct weir_string piece = {0};
    enum weir_status status = tokens_append(&s->out, &s->chosen, 1, error);
    if (!status && s->sampler.window) status = tokens_append(&s->history, &s->chosen, 1, error);
    if (!status) status = weir_decoder_add(s->decoder, s->chosen, &piece, error);
    if (!status) status = add_text(s, piece, error);
    if (status || s->is_done) return status;
    s->pending = &s->chosen;
    s->n_pending = 1;
    if (s->request->max_tokens && s->out.count >= s->request->max_tokens)
        return sequence_finish(s, WEIR_FINISH_LENGTH, error);
    if (weir_session_length(s->session) >= s->session->engine->ctx_tokens)
        return sequence_finish(s, WEIR_FINISH_CONTEXT, error);
    return WEIR_OK;
}

enum weir_status sequence_settle(struct sequence *s, struct weir_error *error)
{
    const struct weir_token_filter *filter = s->request->filter;
    if (s->status) return error_set(error, s->status, "%s", s->error.text);
    if (filter) {
        enum weir_status status = filter->accept(filter->context, s->chosen, error);
        if (status) return status;
    }
    if (weir_token_is_end(s->session->engine->tokenizer, s->chosen)) return sequence_finish(s, WEIR_FINISH_STOP, error);
    return take_token(s, error);
}

/* ---- result ---- */

enum weir_status sequence_result(struct sequence *s, struct weir_generation *result, struct weir_error *error)
{
    enum weir_status status = strbuf_add(&s->text, "", 0); /* so that there is a text */
    if (status) return error_nomem(error, "generated text");
    s->text.data[s->text.size] = 0;
    *result = (struct weir_generation){.text = s->text.data,
                                       .size = s->text.size,
                                       .ids = s->out.ids,
                                       .logprobs = s->logprobs,
                                       .top = s->top,
                                       .count = s->out.count,
                                       .n_top = s->request->n_top,
                                       .finish = s->finish,
                                       .stop_index = s->stop_index,
                                       .prompt_tokens = s->request->count};
    s->text = (struct strbuf){0};
    s->out = (struct weir_tokens){0};
    s->logprobs = NULL;
    s->top = NULL;
    return WEIR_OK;
}
