#include "decide/extractor_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "decide/extract_result.h"
#include "decide/row.h"
#include "engine/pass.h"

enum { ROWS_AT_ONCE = 16, PATH_BYTES_MAX = 1 << 16 };

/* ---- open and close ---- */

enum weir_status extract_model_open(const struct weir_engine *engine, struct extract_model *out,
                                    struct weir_error *error)
{
    struct extract_model model = {.vocabulary = NULL};
    enum weir_status status = weir_vocabulary_open(engine->tokenizer, &model.vocabulary, error);
    if (!status) status = extract_tokens_open(engine->tokenizer, &model.tokens, error);
    if (status)
        extract_model_close(&model);
    else
        *out = model;
    return status;
}

void extract_model_close(struct extract_model *model)
{
    weir_vocabulary_close(&model->vocabulary);
    extract_tokens_free(&model->tokens);
}

static enum weir_status open_plan(struct extractor *x, const struct extract_model *model, const char *folder,
                                  struct weir_error *error)
{
    struct strbuf path = STRBUF_MAX(PATH_BYTES_MAX);
    bool is_absolute = x->question->schema[0] == '/';
    enum weir_status status = strbuf_printf(&path, "%s%s", is_absolute ? "" : folder, x->question->schema);
    status = status ? error_set(error, status, "the schema's path: %s", weir_status_text(status))
                    : extract_plan_open(path.data, x->question->lenient, model->vocabulary, &x->plan, error);
    strbuf_free(&path);
    return status ? error_prefix(error, status, "question %s", x->question->name) : WEIR_OK;
}

static enum weir_status open_prompt(struct extractor *x, struct weir_error *error)
{
    struct prompt_model model = prompt_model_of(x->engine);
    struct weir_string schema = {x->plan.text.data, x->plan.text.size};
    enum weir_status status =
        prompt_build_extract(x->question, schema, model.source, model.bos, model.eos, &x->prompt, error);
    if (!status) status = prompt_tokens_open(x->engine, &x->prompt, &x->tokens, error);
    if (!status) status = weir_session_open(x->engine, &x->root, error);
    const struct weir_tokens *shared = &x->tokens.shared;
    if (!status && shared->count + x->question->max_tokens >= x->engine->ctx_tokens)
        return error_set(
            error, WEIR_ERR_TOO_LONG,
            "question %s: instructions and schema take %zu tokens and the answer up to %u, the context has %u",
            x->question->name, shared->count, x->question->max_tokens, x->engine->ctx_tokens);
    if (!status && shared->count) status = weir_session_eval(x->root, shared->ids, shared->count, false, NULL, error);
    return status;
}

enum weir_status extractor_open(struct weir_engine *engine, const struct extract_model *model,
                                const struct weir_question *question, const char *folder, struct extractor **out,
                                struct weir_error *error)
{
    struct extractor *x = mem_zero(1, sizeof *x);
    if (!x) return error_nomem(error, "question");
    x->engine = engine;
    x->question = question;
    enum weir_status status = open_plan(x, model, folder, error);
    if (!status) status = open_prompt(x, error);
    if (status) {
        extractor_close(&x);
        return status;
    }
    x->form = (struct extract_form){.engine = engine,
                                    .tokens = &model->tokens,
                                    .plan = &x->plan,
                                    .lead = x->prompt.answer_lead,
                                    .continues_text = !x->prompt.has_template,
                                    .max_tokens = question->max_tokens};
    *out = x;
    return WEIR_OK;
}

enum weir_status extractor_calibrate(struct extractor *x, const struct weir_profile *profile, struct weir_error *error)
{
    const struct profile_extract *found = profile_find_extract(profile, x->question->name);
    if (!found) return WEIR_OK;
    if (strcmp(found->schema_hash, x->plan.hash) != 0 || found->n_fields != x->plan.n_fields)
        return error_set(error, WEIR_ERR_REFUSED,
                         "question %s: the profile was learned with another schema (%.16s..., this one is %.16s...): "
                         "tune again",
                         x->question->name, found->schema_hash, x->plan.hash);
    x->calibration = found;
    return WEIR_OK;
}

const struct extract_plan *extractor_plan(const struct extractor *x)
{
    return &x->plan;
}

void extractor_close(struct extractor **handle)
{
    struct extractor *x = *handle;
    if (!x) return;
    weir_session_close(&x->root);
    prompt_tokens_free(&x->tokens);
    prompt_free(&x->prompt);
    extract_plan_free(&x->plan);
    free(x);
    *handle = NULL;
}

/* ---- rows that are filled in together ---- */

struct filling {
    size_t row;                /* the caller's */
    struct weir_tokens tokens; /* of its prompt after the settled ones, then what is forced at once; owned */
    size_t n_prompt, common;   /* tokens of the prompt; those of them that the root holds, without the settled ones */
    struct weir_session *session;
    struct extract_fill fill;
    double end; /* clock */
};

static void close_fillings(struct filling *fillings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        weir_session_close(&fillings[i].session);
        weir_tokens_free(&fillings[i].tokens);
        extract_fill_close(&fillings[i].fill);
    }
}

static enum weir_status start(struct extractor *x, struct filling *f, struct weir_error *error)
{
    f->common = prompt_tokens_common(&x->tokens, &f->tokens);
    enum weir_status status = session_fork_at(x->root, x->tokens.n_settled + f->common, &f->session, error);
    if (status) return status;
    f->fill.status = extract_fill_open(&x->form, &f->fill, &f->fill.error);
    if (f->fill.status) return f->fill.status == WEIR_ERR_NOMEM ? error_nomem(error, "answers") : WEIR_OK;
    return tokens_append(&f->tokens, f->fill.pending.ids, f->fill.pending.count, error);
}

static bool goes_on(const struct filling *f)
{
    return !f->fill.status && !f->fill.is_done;
}

struct round {
    struct filling *fillings[ROWS_AT_ONCE];
    struct pass_item items[ROWS_AT_ONCE];
    size_t count;
    float *logits; /* [ROWS_AT_ONCE, n_vocab] */
};

/* The rows that have something to evaluate: their prompts first, then what each choice leaves pending. */
static void gather(struct filling *fillings, size_t count, bool is_first, size_t n_vocab, struct round *round)
{
    round->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct filling *f = &fillings[i];
        if (!goes_on(f)) continue;
        const struct weir_tokens *ids = is_first ? &f->tokens : &f->fill.pending;
        size_t from = is_first ? f->common : 0;
        round->items[round->count] = (struct pass_item){.session = f->session,
                                                        .ids = ids->ids + from,
                                                        .count = ids->count - from,
                                                        .logits = round->logits + round->count * n_vocab};
        round->fillings[round->count++] = f;
    }
}

static void choose_each(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct round *round = context;
    for (size_t i = begin; i < end; i++) extract_fill_choose(&round->fillings[i]->fill, round->items[i].logits);
}

static enum weir_status settle_round(const struct round *round, struct weir_error *error)
{
    double now = clock_seconds();
    for (size_t i = 0; i < round->count; i++) {
        struct filling *f = round->fillings[i];
        if (f->fill.status == WEIR_ERR_NOMEM) return error_nomem(error, "answers");
        if (!goes_on(f)) f->end = now;
    }
    return WEIR_OK;
}

static enum weir_status fill_in(struct extractor *x, struct filling *fillings, size_t count, struct weir_error *error)
{
    size_t n_vocab = x->engine->model->shape.n_vocab;
    enum weir_status status = WEIR_OK;
    float *logits = mem_aligned(count, n_vocab * sizeof *logits);
    if (!logits) return error_nomem(error, "logits");
    for (size_t i = 0; !status && i < count; i++) {
        status = start(x, &fillings[i], error);
        fillings[i].end = clock_seconds();
    }
    struct round round = {.logits = logits};
    for (bool is_first = true; !status; is_first = false) {
        gather(fillings, count, is_first, n_vocab, &round);
        if (!round.count) break;
        status = pass_run_all(x->engine, round.items, round.count, error);
        if (status) break;
        thread_pool_run(round.count > 1 ? x->engine->pool : NULL, choose_each, &round, round.count, 1);
        status = settle_round(&round, error);
    }
    free(logits);
    return status;
}

/* ---- rows ---- */

/* A row's prompt, or its failure. */
static enum weir_status prepare(struct extractor *x, struct weir_string text, struct filling *f, bool *is_ready,
                                struct weir_decision *decision, struct weir_error *error)
{
    *is_ready = false;
    if (!text_is_utf8(text)) return decision_fail(decision, WEIR_ERR_FORMAT, "the text is not UTF-8");
    enum weir_status status = prompt_tokens_of_row(&x->tokens, prompt_trim(text), &f->tokens, error);
    size_t need = x->tokens.n_settled + f->tokens.count + x->question->max_tokens;
    f->n_prompt = f->tokens.count;
    if (!status && need > x->engine->ctx_tokens)
        status = error_set(error, WEIR_ERR_TOO_LONG, "prompt and answer take up to %zu tokens, the context has %u",
                           need, x->engine->ctx_tokens);
    *is_ready = !status;
    if (!status || status == WEIR_ERR_NOMEM) return status;
    weir_tokens_free(&f->tokens);
    return decision_fail(decision, status, error->text);
}

static enum weir_status settle(struct extractor *x, const struct filling *f, struct weir_string text, double start_time,
                               struct weir_decision *decision, struct weir_words *words, struct weir_error *error)
{
    if (f->fill.status) return decision_fail(decision, f->fill.status, f->fill.error.text);
    enum weir_status status = extract_result(&f->fill, &x->plan, x->calibration, text, decision, words, error);
    if (status == WEIR_ERR_NOMEM) return status;
    if (status) return decision_fail(decision, status, error->text);
    decision->fresh_tokens = f->n_prompt - f->common;
    decision->prefix_tokens = x->tokens.n_settled + f->common;
    decision->latency_ms = (f->end - start_time) * 1e3;
    return WEIR_OK;
}

enum weir_status extractor_answer(struct extractor *x, const struct weir_string *texts, size_t count, size_t stride,
                                  struct weir_decision *decisions, struct weir_words *words, struct weir_error *error)
{
    double start_time = clock_seconds();
    enum weir_status status = WEIR_OK;
    for (size_t next = 0; !status && next < count;) {
        struct filling fillings[ROWS_AT_ONCE] = {{.row = 0}};
        size_t n = 0;
        for (; !status && next < count && n < ROWS_AT_ONCE; next++) {
            bool is_ready = false;
            status = prepare(x, texts[next], &fillings[n], &is_ready, &decisions[next * stride], error);
            if (is_ready) fillings[n++].row = next;
        }
        if (!status && n) status = fill_in(x, fillings, n, error);
        for (size_t i = 0; !status && i < n; i++) {
            size_t row = fillings[i].row;
            status =
                settle(x, &fillings[i], texts[row], start_time, &decisions[row * stride], &words[row * stride], error);
        }
        close_fillings(fillings, ROWS_AT_ONCE);
    }
    return status;
}
