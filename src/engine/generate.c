/* The loop: every pass takes tokens of all running sequences (what is left of their prompts, or the token each chose last), so that
 * a layer is one matrix product for all of them; a sequence whose tokens are used up gets logits and chooses its next token.
 *
 *   prompt --passes--> choose --pass--> choose ... --end token, stop string, length, context, watch--> done */
#include "weir/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/pass.h"
#include "engine/sequence.h"

struct run {
    struct weir_engine *engine;
    struct sequence *sequences; /* [count] */
    size_t count;
    float *logits;               /* [count, n_vocab] of the sequences that choose, in their order */
    double start, *first, *last; /* [count] clock at the first choice and at the end; 0: not yet */
};

const char *weir_finish_name(enum weir_finish finish)
{
    static const char *const names[] = {"stop", "length", "context", "cancelled"};
    return (size_t)finish < sizeof names / sizeof *names ? names[finish] : "unknown";
}

/* ---- open and close ---- */

static enum weir_status check_sessions(const struct weir_generate_request *requests, size_t count,
                                       struct weir_error *error)
{
    if (!count || count > WEIR_GENERATE_SEQUENCES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%zu sequences at once, 1 to %d are possible", count,
                         WEIR_GENERATE_SEQUENCES_MAX);
    const struct weir_engine *engine = requests[0].session->engine;
    if (!engine->tokenizer) return error_set(error, WEIR_ERR_INVALID, "the engine was opened without a tokenizer");
    for (size_t i = 0; i < count; i++) {
        if (requests[i].session->engine != engine)
            return error_set(error, WEIR_ERR_INVALID, "the sessions belong to several engines");
        for (size_t k = 0; k < i; k++)
            if (requests[k].session == requests[i].session)
                return error_set(error, WEIR_ERR_INVALID, "sequences %zu and %zu have the same session", k + 1, i + 1);
    }
    return WEIR_OK;
}

static enum weir_status open_run(struct run *run, const struct weir_generate_request *requests,
                                 const struct weir_generate_watch *watch, struct weir_error *error)
{
    run->sequences = mem_zero(run->count, sizeof *run->sequences);
    run->first = mem_zero(run->count, sizeof *run->first);
    run->last = mem_zero(run->count, sizeof *run->last);
    if (!run->sequences || !run->first || !run->last) return error_nomem(error, "generation");
    for (size_t i = 0; i < run->count; i++) {
        enum weir_status status = sequence_open(&requests[i], i, watch, &run->sequences[i], error);
        if (status) return run->count > 1 ? error_prefix(error, status, "sequence %zu", i + 1) : status;
    }
    run->logits = mem_aligned(run->count, run->engine->model->shape.n_vocab * sizeof *run->logits);
    return run->logits ? WEIR_OK : error_nomem(error, "logits");
}

static void close_run(struct run *run)
{
    for (size_t i = 0; run->sequences && i < run->count; i++) sequence_close(&run->sequences[i]);
    free(run->sequences);
    free(run->first);
    free(run->last);
    free(run->logits);
}

/* ---- one pass ---- */

static enum weir_status gather(struct run *run, struct pass *pass, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    pass_clear(pass);
    for (size_t i = 0; !status && i < run->count && !pass_is_full(pass); i++) {
        struct sequence *s = &run->sequences[i];
        if (!s->is_done) status = pass_add(pass, s->session, s->pending, s->n_pending, i, error);
    }
    return status;
}

/* Evaluates the pass and notes what is still to come. */
static enum weir_status evaluate(struct run *run, const struct pass *pass, struct weir_error *error)
{
    enum weir_status status = pass_run(run->engine, pass, run->logits, error);
    for (uint32_t i = 0; !status && i < pass->n_parts; i++) {
        struct sequence *s = &run->sequences[pass->owners[i]];
        s->pending += pass->parts[i].count;
        s->n_pending -= pass->parts[i].count;
    }
    return status;
}

/* ---- choosing ---- */

struct choice_work {
    struct run *run;
    const struct pass *pass;
    float *logits;
    size_t n_vocab;
};

static struct sequence *chooser(const struct run *run, const struct pass *pass, size_t output)
{
    return &run->sequences[pass->choosers[output]];
}

static void choose_each(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct choice_work *work = context;
    for (size_t i = begin; i < end; i++)
        sequence_choose(chooser(work->run, work->pass, i), work->logits + i * work->n_vocab);
}

static enum weir_status choose(struct run *run, struct pass *pass, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (uint32_t i = 0; !status && i < pass->n_outputs; i++) status = sequence_ready(chooser(run, pass, i), error);
    if (status) return status;
    struct choice_work work = {run, pass, run->logits, run->engine->model->shape.n_vocab};
    if (pass->n_outputs > 1)
        thread_pool_run(run->engine->pool, choose_each, &work, pass->n_outputs, 1);
    else
        choose_each(&work, 0, pass->n_outputs, 0);
    return WEIR_OK;
}

static enum weir_status settle(struct run *run, struct pass *pass, struct weir_error *error)
{
    double now = clock_seconds();
    for (uint32_t i = 0; i < pass->n_outputs; i++) {
        struct sequence *s = chooser(run, pass, i);
        if (run->first[s->index] == 0) run->first[s->index] = now;
        enum weir_status status = sequence_settle(s, error);
        if (status) return run->count > 1 ? error_prefix(error, status, "sequence %zu", s->index + 1) : status;
        if (s->is_done) run->last[s->index] = now;
    }
    return WEIR_OK;
}

/* ---- the run ---- */

static bool goes_on(const struct weir_generate_watch *watch)
{
    return !watch || !watch->go_on || watch->go_on(watch->context);
}

static enum weir_status cancel_all(struct run *run, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < run->count; i++)
        if (!run->sequences[i].is_done) status = sequence_finish(&run->sequences[i], WEIR_FINISH_CANCELLED, error);
    return status;
}

/* The engine's lock is held while it computes, not while the watch and the filters run: they may call the engine. */
static enum weir_status compute(struct run *run, struct pass *pass, struct weir_error *error)
{
    enum weir_status status = gather(run, pass, error);
    return status || !pass->n_parts ? status : evaluate(run, pass, error);
}

static enum weir_status run_all(struct run *run, const struct weir_generate_watch *watch, struct weir_error *error)
{
    struct pass *pass = mem_zero(1, sizeof *pass);
    if (!pass) return error_nomem(error, "generation");
    enum weir_status status = WEIR_OK;
    do {
        if (!goes_on(watch)) {
            status = cancel_all(run, error);
            break;
        }
        status = compute(run, pass, error);
        if (!status) status = choose(run, pass, error);
        if (!status) status = settle(run, pass, error);
    } while (!status && pass->n_parts);
    free(pass);
    return status;
}

static enum weir_status take_results(struct run *run, struct weir_generation *results, struct weir_error *error)
{
    double end = clock_seconds();
    for (size_t i = 0; i < run->count; i++) {
        enum weir_status status = sequence_result(&run->sequences[i], &results[i], error);
        if (status) return status;
        double first = run->first[i] > 0 ? run->first[i] : end, last = run->last[i] > 0 ? run->last[i] : end;
        results[i].prompt_seconds = first - run->start;
        results[i].decode_seconds = last - first;
    }
    return WEIR_OK;
}

enum weir_status weir_generate(const struct weir_generate_request *requests, size_t count,
                               const struct weir_generate_watch *watch, struct weir_generation *results,
                               struct weir_error *error)
{
    enum weir_status status = check_sessions(requests, count, error);
    if (status) return status;
    struct run run = {.engine = requests[0].session->engine, .count = count, .start = clock_seconds()};
    for (size_t i = 0; i < count; i++) results[i] = (struct weir_generation){.text = NULL};
    status = open_run(&run, requests, watch, error);
    if (!status) status = run_all(&run, watch, error);
    if (!status) status = take_results(&run, results, error);
    for (size_t i = 0; status && i < count; i++) weir_generation_free(&results[i]);
    close_run(&run);
    return status;
}

void weir_generation_free(struct weir_generation *result)
{
    free(result->text);
    free(result->ids);
    free(result->logprobs);
    free(result->top);
    *result = (struct weir_generation){.text = NULL};
}

double weir_generation_confidence(const struct weir_generation *result)
{
    if (!result->logprobs || !result->count) return 0;
    double sum = 0;
    for (size_t i = 0; i < result->count; i++) sum += result->logprobs[i];
    return exp(sum / (double)result->count);
}
