/* Texts that fit are jobs of one batch; one that does not is cut in parts, each part a job, and what they say is the next text:
 *
 *   text --fits--> answer
 *        --too long, map_reduce--> parts --summarise each--> joined text --fits?--> ... */
#include "decide/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "decide/row.h"
#include "decide/split.h"
#include "engine/session.h"

enum {
    JOBS_AT_ONCE = 16,
    PARTS_MAX = 1024,
    ROUNDS_MAX = 8, /* of summarising summaries */
    JOINED_BYTES_MAX = 16 << 20
};

/* ---- open and close ---- */

static enum weir_status open_prompt(struct writer *w, struct weir_error *error)
{
    struct prompt_model model = prompt_model_of(w->engine);
    enum weir_status status = prompt_build(w->question, NULL, model.source, model.bos, model.eos, &w->prompt, error);
    if (!status) status = prompt_tokens_open(w->engine, &w->prompt, &w->tokens, error);
    if (!status) status = weir_session_open(w->engine, &w->root, error);
    const struct weir_tokens *shared = &w->tokens.shared;
    if (!status && shared->count + w->question->max_tokens >= w->engine->ctx_tokens)
        return error_set(error, WEIR_ERR_TOO_LONG,
                         "question %s: the instructions take %zu tokens and the answer up to %u, the context has %u",
                         w->question->name, shared->count, w->question->max_tokens, w->engine->ctx_tokens);
    if (!status && shared->count) status = weir_session_eval(w->root, shared->ids, shared->count, false, NULL, error);
    return status;
}

enum weir_status writer_open(struct weir_engine *engine, const struct weir_question *question, struct writer **out,
                             struct weir_error *error)
{
    struct writer *w = mem_zero(1, sizeof *w);
    if (!w) return error_nomem(error, "question");
    w->engine = engine;
    w->question = question;
    enum weir_status status = open_prompt(w, error);
    if (status) {
        writer_close(&w);
        return status;
    }
    *out = w;
    return WEIR_OK;
}

void writer_close(struct writer **handle)
{
    struct writer *w = *handle;
    if (!w) return;
    weir_session_close(&w->root);
    prompt_tokens_free(&w->tokens);
    prompt_free(&w->prompt);
    free(w);
    *handle = NULL;
}

/* ---- jobs ---- */

/* One text to answer, and the answer. */
struct job {
    struct weir_tokens tokens; /* of its prompt after the settled ones, owned */
    struct weir_session *session;
    struct weir_generation result; /* owned */
    size_t common;                 /* tokens of its prompt that the root holds */
    double end;                    /* clock */
};

static void free_jobs(struct job *jobs, size_t count)
{
    for (size_t i = 0; jobs && i < count; i++) {
        weir_session_close(&jobs[i].session);
        weir_tokens_free(&jobs[i].tokens);
        weir_generation_free(&jobs[i].result);
    }
    free(jobs);
}

static size_t need_of(const struct writer *w, const struct weir_tokens *tokens)
{
    return w->tokens.n_settled + tokens->count + w->question->max_tokens;
}

static bool fits(const struct writer *w, const struct weir_tokens *tokens)
{
    return need_of(w, tokens) <= w->engine->ctx_tokens;
}

static enum weir_status start_job(struct writer *w, struct job *job, struct weir_generate_request *request,
                                  struct weir_error *error)
{
    size_t common = prompt_tokens_common(&w->tokens, &job->tokens);
    job->common = w->tokens.n_settled + common;
    *request = (struct weir_generate_request){.ids = job->tokens.ids + common,
                                              .count = job->tokens.count - common,
                                              .sampling = weir_sampling_default(),
                                              .max_tokens = w->question->max_tokens,
                                              .logprobs = true};
    enum weir_status status = session_fork_at(w->root, job->common, &job->session, error);
    request->session = job->session;
    return status;
}

/* Answers the jobs, several at once. */
static enum weir_status run_jobs(struct writer *w, struct job *jobs, size_t count, struct weir_error *error)
{
    struct weir_generate_request requests[JOBS_AT_ONCE];
    struct weir_generation results[JOBS_AT_ONCE];
    enum weir_status status = WEIR_OK;
    for (size_t done = 0; !status && done < count;) {
        size_t n = count - done < JOBS_AT_ONCE ? count - done : JOBS_AT_ONCE;
        for (size_t i = 0; !status && i < n; i++) status = start_job(w, &jobs[done + i], &requests[i], error);
        if (!status) status = weir_generate(requests, n, NULL, results, error);
        for (size_t i = 0; i < n; i++) {
            weir_session_close(&jobs[done + i].session);
            if (status) continue;
            jobs[done + i].result = results[i];
            jobs[done + i].end = clock_seconds();
        }
        done += n;
    }
    return status;
}

/* ---- one answer ---- */

/* Puts a job's answer into the row's fields; effort adds up over the jobs of a row. */
static enum weir_status settle(const struct job *job, struct weir_decision *decision, struct weir_words *words,
                               struct weir_error *error)
{
    struct weir_string text = prompt_trim((struct weir_string){job->result.text, job->result.size});
    char *copy = mem_text(text.size ? text.data : "", text.size);
    if (!copy) return error_nomem(error, "answer");
    free(words->text);
    words->text = copy;
    words->size = text.size;
    words->finish = job->result.finish;
    decision->probability = weir_generation_confidence(&job->result);
    return WEIR_OK;
}

static void add_effort(const struct job *job, struct weir_decision *decision, struct weir_words *words)
{
    words->tokens += job->result.count;
    decision->fresh_tokens += job->result.prompt_tokens;
    decision->prefix_tokens += job->common;
}

/* ---- map and reduce ---- */

struct parts {
    struct job *jobs; /* [count], owned */
    size_t count;
};

/* Cuts the text in halves until each fits; appends a job for each piece, in order. */
static enum weir_status cut(struct writer *w, struct weir_string text, struct parts *parts, struct weir_error *error)
{
    struct weir_tokens tokens = {0};
    struct weir_string piece = prompt_trim(text);
    if (!piece.size) return WEIR_OK;
    enum weir_status status = prompt_tokens_of_row(&w->tokens, piece, &tokens, error);
    if (!status && !fits(w, &tokens)) {
        weir_tokens_free(&tokens);
        if (piece.size < 16)
            return error_set(error, WEIR_ERR_TOO_LONG, "the context of %u tokens leaves no room for parts of the text",
                             w->engine->ctx_tokens);
        size_t at = split_point(piece);
        status = cut(w, (struct weir_string){piece.data, at}, parts, error);
        return status ? status : cut(w, (struct weir_string){piece.data + at, piece.size - at}, parts, error);
    }
    if (!status && parts->count == PARTS_MAX)
        status = error_set(error, WEIR_ERR_TOO_LONG, "the text needs more than %d parts", PARTS_MAX);
    if (status) {
        weir_tokens_free(&tokens);
        return status;
    }
    parts->jobs[parts->count++] = (struct job){.tokens = tokens};
    return WEIR_OK;
}

/* The summaries of the parts, an empty line between them. */
static enum weir_status join(const struct parts *parts, struct strbuf *out, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < parts->count; i++) {
        const struct weir_generation *g = &parts->jobs[i].result;
        struct weir_string text = prompt_trim((struct weir_string){g->text, g->size});
        if (text.size && out->size) status = strbuf_text(out, "\n\n");
        if (!status) status = strbuf_add(out, text.data, text.size);
    }
    return status ? error_set(error, status, "summaries of parts: %s", weir_status_text(status)) : WEIR_OK;
}

/* One round: `text` in parts, each answered. A single part is the answer; otherwise *joined is the next text. */
static enum weir_status round_of(struct writer *w, struct weir_string text, bool is_first, struct strbuf *joined,
                                 struct weir_decision *decision, struct weir_words *words, bool *is_done,
                                 struct weir_error *error)
{
    struct parts parts = {.jobs = mem_zero(PARTS_MAX, sizeof *parts.jobs)};
    enum weir_status status = parts.jobs ? cut(w, text, &parts, error) : error_nomem(error, "parts");
    if (!status && !parts.count) status = error_set(error, WEIR_ERR_FORMAT, "the model had nothing to say of any part");
    if (!status) status = run_jobs(w, parts.jobs, parts.count, error);
    for (size_t i = 0; !status && i < parts.count; i++) {
        add_effort(&parts.jobs[i], decision, words);
        if (parts.count > 1 && parts.jobs[i].result.finish == WEIR_FINISH_LENGTH) words->cut_parts++;
    }
    if (is_first) words->parts = parts.count;
    *is_done = parts.count == 1;
    if (!status) status = *is_done ? settle(&parts.jobs[0], decision, words, error) : join(&parts, joined, error);
    free_jobs(parts.jobs, parts.count);
    return status;
}

static enum weir_status map_reduce(struct writer *w, struct weir_string text, struct weir_decision *decision,
                                   struct weir_words *words, struct weir_error *error)
{
    struct strbuf now = STRBUF_MAX(JOINED_BYTES_MAX);
    enum weir_status status = WEIR_OK;
    bool is_done = false;
    for (int round = 0; !status && !is_done; round++) {
        struct strbuf next = STRBUF_MAX(JOINED_BYTES_MAX);
        status = round_of(w, text, round == 0, &next, decision, words, &is_done, error);
        if (!status && !is_done && (round == ROUNDS_MAX || next.size >= text.size))
            status = error_set(error, WEIR_ERR_TOO_LONG,
                               "summaries of the text's %zu parts are no shorter than it: a larger context or a "
                               "smaller max_tokens would help",
                               words->parts);
        strbuf_free(&now);
        now = next;
        text = (struct weir_string){now.data, now.size};
    }
    strbuf_free(&now);
    return status;
}

/* A row's failure stays its own, but for memory. */
static enum weir_status answer_in_parts(struct writer *w, struct weir_string text, struct weir_decision *decision,
                                        struct weir_words *words, struct weir_error *error)
{
    double start = clock_seconds();
    enum weir_status status = map_reduce(w, text, decision, words, error);
    decision->latency_ms = (clock_seconds() - start) * 1e3;
    if (!status || status == WEIR_ERR_NOMEM) return status;
    weir_words_free(words);
    return decision_fail(decision, status, error->text);
}

/* ---- rows ---- */

/* Texts that fit become jobs, jobs[n] for rows[n]; the others are answered in parts or fail here. */
static enum weir_status gather(struct writer *w, struct weir_string text, struct job *job, bool *is_job,
                               struct weir_decision *decision, struct weir_words *words, struct weir_error *error)
{
    *is_job = false;
    if (!text_is_utf8(text)) return decision_fail(decision, WEIR_ERR_FORMAT, "the text is not UTF-8");
    struct weir_string trimmed = prompt_trim(text);
    struct weir_tokens tokens = {0};
    enum weir_status status = prompt_tokens_of_row(&w->tokens, trimmed, &tokens, error);
    bool is_short = !status && fits(w, &tokens);
    if (is_short) {
        *job = (struct job){.tokens = tokens};
        *is_job = true;
        return WEIR_OK;
    }
    size_t need = need_of(w, &tokens);
    weir_tokens_free(&tokens);
    if (status == WEIR_ERR_NOMEM) return status;
    if (status) return decision_fail(decision, status, error->text);
    if (w->question->too_long == WEIR_TOO_LONG_MAP_REDUCE) return answer_in_parts(w, trimmed, decision, words, error);
    (void)error_set(error, WEIR_ERR_TOO_LONG, "prompt and answer take up to %zu tokens, the context has %u%s", need,
                    w->engine->ctx_tokens,
                    w->question->type == WEIR_QUESTION_SUMMARIZE ? " (`too_long: map_reduce` summarises in parts)"
                                                                 : "");
    return decision_fail(decision, WEIR_ERR_TOO_LONG, error->text);
}

enum weir_status writer_answer(struct writer *w, const struct weir_string *texts, size_t count, size_t stride,
                               struct weir_decision *decisions, struct weir_words *words, struct weir_error *error)
{
    struct job *jobs = mem_zero(count, sizeof *jobs);
    size_t *rows = mem_zero(count, sizeof *rows), n = 0;
    enum weir_status status = jobs && rows ? WEIR_OK : error_nomem(error, "rows");
    for (size_t i = 0; !status && i < count; i++) {
        bool is_job = false;
        status = gather(w, texts[i], &jobs[n], &is_job, &decisions[i * stride], &words[i * stride], error);
        if (is_job) rows[n++] = i * stride;
    }
    double start = clock_seconds();
    if (!status) status = run_jobs(w, jobs, n, error);
    for (size_t i = 0; !status && i < n; i++) {
        words[rows[i]].parts = 1;
        add_effort(&jobs[i], &decisions[rows[i]], &words[rows[i]]);
        decisions[rows[i]].latency_ms = (jobs[i].end - start) * 1e3;
        status = settle(&jobs[i], &decisions[rows[i]], &words[rows[i]], error);
    }
    free_jobs(jobs, n);
    free(rows);
    return status;
}
