/* The cascade as a whole: opening the tiers, taking rows window by window, the local tier and the gate's judgement of its answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cascade/cascade_internal.h"

/* ---- opening ---- */

static enum weir_status check_tier_order(const struct weir_cascade_options *o, struct weir_error *error)
{
    const struct weir_tier_spec *only = weir_task_tier(o->task, o->only_tier);
    if (o->only_tier && (!only || only->kind == WEIR_TIER_GGUF || o->local))
        return error_set(error, WEIR_ERR_INVALID, "weir_cascade_open: tier %zu is no paid tier to be asked alone",
                         o->only_tier);
    for (size_t i = 0; i < weir_task_tier_count(o->task); i++) {
        const struct weir_tier_spec *tier = weir_task_tier(o->task, i);
        if (tier->kind == WEIR_TIER_GGUF && i > 0)
            return error_set(error, WEIR_ERR_REFUSED,
                             "tier %s: only the first tier may be of kind gguf in this version, this is number %zu",
                             tier->name, i + 1);
        if (tier->kind != WEIR_TIER_GGUF && !o->pool)
            return error_set(error, WEIR_ERR_INVALID, "weir_cascade_open: tier %s needs a pool", tier->name);
    }
    bool is_first_local = !weir_task_tier_count(o->task) || weir_task_tier(o->task, 0)->kind == WEIR_TIER_GGUF;
    if (!o->only_tier && is_first_local == !o->local)
        return error_set(error, WEIR_ERR_INVALID,
                         "weir_cascade_open: a decider and a first tier of kind gguf go together");
    return WEIR_OK;
}

static enum weir_status open_buffers(struct weir_cascade *c, struct weir_error *error)
{
    c->batch = c->o.local ? weir_decider_batch(c->o.local) : 1;
    c->rows = mem_zero(c->window, sizeof *c->rows);
    c->batch_rows = mem_zero(c->batch, sizeof *c->batch_rows);
    c->texts = mem_zero(c->batch, sizeof *c->texts);
    c->decisions = mem_zero(c->batch * c->questions, sizeof *c->decisions);
    c->words = mem_zero(c->batch * c->questions, sizeof *c->words);
    c->probabilities = mem_zero(c->batch * c->labels, sizeof *c->probabilities);
    bool good = c->rows && c->batch_rows && c->texts && c->decisions && c->words && c->probabilities;
    return good ? WEIR_OK : error_nomem(error, "window of rows");
}

static enum weir_status open_parts(struct weir_cascade *c, struct weir_error *error)
{
    enum weir_status status = weir_row_keys_open(weir_task_hash(c->o.task), c->o.source, &c->keys, error);
    for (size_t i = 0; i < c->n_tiers && !status; i++) {
        c->tiers[i].spec = weir_task_tier(c->o.task, i);
        bool is_wanted = c->tiers[i].spec->kind != WEIR_TIER_GGUF && (!c->o.only_tier || c->o.only_tier == i);
        if (is_wanted) status = cascade_ask_tier_open(c, i, error);
    }
    return status ? status : open_buffers(c, error);
}

enum weir_status weir_cascade_open(const struct weir_cascade_options *options, struct weir_cascade **out,
                                   struct weir_error *error)
{
    if (options->window > WEIR_CASCADE_WINDOW_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "a window of %zu rows, at most %d are allowed", options->window,
                         WEIR_CASCADE_WINDOW_MAX);
    enum weir_status status = check_tier_order(options, error);
    if (!status) status = weir_cascade_check_privacy(options->task, error);
    if (status) return status;
    struct weir_cascade *c = mem_zero(1, sizeof *c);
    if (!c) return error_nomem(error, "cascade");
    c->o = *options;
    c->questions = weir_task_question_count(options->task);
    c->n_tiers = weir_task_tier_count(options->task);
    c->totals.least_worth = 1;
    for (size_t q = 0; q < c->questions; q++) c->labels += weir_task_question(options->task, q)->n_labels;
    c->window = options->window ? options->window : CASCADE_WINDOW_DEFAULT;
    c->acceptance =
        (struct weir_acceptance){.gate = weir_task_gate(options->task), .certificates = options->certificates};
    status = open_parts(c, error);
    if (status) {
        weir_cascade_close(&c);
        return status;
    }
    *out = c;
    return WEIR_OK;
}

void weir_cascade_close(struct weir_cascade **cascade)
{
    if (!cascade || !*cascade) return;
    struct weir_cascade *c = *cascade;
    for (size_t i = 0; c->rows && i < c->n_rows; i++) cascade_row_clear(c, &c->rows[i]);
    for (size_t i = 0; c->words && i < c->batch * c->questions; i++) weir_words_free(&c->words[i]);
    weir_row_keys_close(&c->keys);
    weir_rows_free(&c->input);
    free(c->rows);
    free(c->candidates);
    free(c->batch_rows);
    free(c->texts);
    free(c->decisions);
    free(c->words);
    free(c->probabilities);
    free(c);
    *cascade = NULL;
}

void weir_cascade_totals(const struct weir_cascade *cascade, struct weir_cascade_totals *out)
{
    *out = cascade->totals;
}

/* ---- the local tier ---- */

static enum weir_status no_next_tier(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    char reason[WEIR_CASCADE_REASON_MAX];
    const struct weir_decision *decisions = row->n_steps ? row->steps[0].answers.decisions : NULL;
    for (size_t q = 0; row->judgement.reason == WEIR_REASON_LOCAL_ERROR && decisions && q < c->questions; q++) {
        if (!decisions[q].status) continue;
        enum weir_status code = decisions[q].status;
        const char *text = decisions[q].error[0] ? decisions[q].error : weir_status_text(code);
        return cascade_finish_error(c, row, code, text, error);
    }
    (void)snprintf(reason, sizeof reason, "abstained_%s", weir_reason_name(row->judgement.reason));
    return cascade_finish_row(c, row, WEIR_ROW_ABSTAINED, reason, error);
}

/* What the gate made of the row's first step, or, without one, of a row that the local tier was not asked for. */
static enum weir_status act(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    const struct weir_judgement *judgement = &row->judgement;
    const char *reason = weir_reason_name(judgement->reason);
    bool is_last = judgement->tier >= c->n_tiers;
    if (judgement->action == WEIR_ACTION_ACCEPT) {
        bool is_checked = !is_last && weir_gate_is_checked(row->key, c->acceptance.gate->check_share);
        if (is_checked) return cascade_ask_add(c, row, judgement->tier, true, 0, error);
        return cascade_finish_row(c, row, WEIR_ROW_ANSWERED, reason, error);
    }
    if (judgement->action == WEIR_ACTION_ABSTAIN || is_last) return no_next_tier(c, row, error);
    return cascade_ask_add(c, row, judgement->tier, false, judgement->worth, error);
}

/* A call to the next tier for this row probably costs so much. */
static enum weir_status set_next_cost(struct weir_cascade *c, const struct row *row, struct weir_error *error)
{
    int64_t cost_max = 0;
    c->acceptance.next_cost_usd_e6 = 0;
    if (c->acceptance.gate->accept != WEIR_ACCEPT_CHEAPEST || c->n_tiers < 2 || !row->in->text.size) return WEIR_OK;
    enum weir_status status = cascade_ask_cost_max(c, row, 1, &cost_max, error);
    if (!status) c->acceptance.next_cost_usd_e6 = cascade_ask_estimate(c, 1, cost_max);
    return status;
}

static enum weir_status judge(struct weir_cascade *c, struct row *row, struct weir_decision *decisions,
                              struct weir_words *words, struct weir_error *error)
{
    enum weir_status status = set_next_cost(c, row, error);
    if (status) return status;
    weir_gate_judge(c->o.task, &c->acceptance, 0, decisions, &row->judgement);
    static const enum weir_verdict verdicts[] = {WEIR_VERDICT_ACCEPTED, WEIR_VERDICT_ESCALATED, WEIR_VERDICT_ABSTAINED};
    bool is_stuck = row->judgement.action == WEIR_ACTION_ESCALATE && row->judgement.tier >= c->n_tiers;
    struct step *step = cascade_row_step(row, 0, is_stuck ? WEIR_VERDICT_ABSTAINED : verdicts[row->judgement.action],
                                         weir_reason_name(row->judgement.reason));
    if (!step) return error_nomem(error, "row");
    if (decisions && cascade_answers_take(c, &step->answers, decisions, words))
        return error_nomem(error, "answers of a row");
    bool has_all = decisions != NULL;
    for (size_t q = 0; has_all && q < c->questions; q++) {
        if (decisions[q].status) has_all = false;
        if (decisions[q].latency_ms > step->latency_ms) step->latency_ms = decisions[q].latency_ms;
        step->tokens_in += (uint32_t)(decisions[q].fresh_tokens + decisions[q].prefix_tokens);
        step->tokens_cached += (uint32_t)decisions[q].prefix_tokens;
    }
    step->answers.is_set = has_all;
    c->unjudged--;
    return act(c, row, error);
}

/* The rows of c->batch_rows. */
static enum weir_status decide_batch(struct weir_cascade *c, size_t count, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    if (!count) return WEIR_OK;
    status = weir_decide(c->o.local, c->texts, count, c->decisions, c->words, c->probabilities, error);
    for (size_t i = 0; i < count && !status; i++)
        status =
            judge(c, &c->rows[c->batch_rows[i]], c->decisions + i * c->questions, c->words + i * c->questions, error);
    for (size_t i = 0; i < count * c->questions; i++) weir_words_free(&c->words[i]);
    return status;
}

/* A token is at least a byte, so that only long texts have to be counted. */
static enum weir_status is_too_long(struct weir_cascade *c, struct weir_string text, bool *out,
                                    struct weir_error *error)
{
    *out = false;
    size_t max = c->acceptance.gate->max_local_tokens;
    if (c->n_tiers < 2 || text.size <= max || !c->o.tokenizer) return WEIR_OK;
    struct weir_tokens tokens = {0};
    enum weir_status status = weir_tokenize(c->o.tokenizer, text.data, text.size, 0, &tokens, error);
    *out = tokens.count > max;
    weir_tokens_free(&tokens);
    return status;
}

static enum weir_status ask_what_can_be(struct weir_cascade *c, struct weir_error *error)
{
    bool is_ample = false;
    enum weir_status status = cascade_ask_is_ample(c, &is_ample, error);
    if (!status && is_ample) status = cascade_ask_pump(c, false, error);
    if (!status && c->o.progress) c->o.progress(c->o.context, &c->totals);
    return status;
}

static enum weir_status decide_window(struct weir_cascade *c, struct weir_error *error)
{
    size_t count = 0;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < c->n_rows && !status; i++) {
        struct row *row = &c->rows[i];
        bool is_long = false;
        if (row->state == ROW_NEW) {
            status = c->o.local ? is_too_long(c, row->in->text, &is_long, error) : WEIR_OK;
            if (!status && is_long) status = judge(c, row, NULL, NULL, error);
            if (!status && !is_long && !c->o.local) {
                c->unjudged--;
                status = cascade_ask_add(c, row, c->o.only_tier, false, 1, error);
            }
            if (!status && !is_long && c->o.local) {
                c->texts[count] = row->in->text;
                c->batch_rows[count++] = i;
            }
        }
        if (status || (count < c->batch && i + 1 < c->n_rows)) continue;
        status = decide_batch(c, count, error);
        count = 0;
        if (!status) status = ask_what_can_be(c, error);
    }
    return status ? status : cascade_ask_pump(c, true, error);
}

/* ---- windows ---- */

static void count_resumed(struct weir_cascade *c, const struct weir_ledger_found *found)
{
    struct weir_cascade_totals *t = &c->totals;
    t->rows++;
    t->resumed++;
    t->cost_usd_e6 += found->cost_usd_e6;
    if (found->outcome == WEIR_ROW_ERROR)
        t->errors++;
    else if (found->outcome == WEIR_ROW_ABSTAINED)
        t->abstained++;
    else if (found->is_escalated)
        t->escalated++;
    else
        t->local++;
}

/* Key, and what the ledger has of the row. */
static enum weir_status prepare(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    struct weir_ledger_found found = {0};
    enum weir_status status = weir_row_keys_next(c->keys, row->in->id, row->in->text, row->key, row->hash, error);
    if (!status && c->o.ledger) status = weir_ledger_find(c->o.ledger, c->o.run, row->key, &found, error);
    if (status) return status;
    row->lost = found.lost;
    if (found.is_decided && found.output) {
        row->state = ROW_FINAL;
        row->end = found.outcome;
        row->line = found.output;
        row->line_size = found.output_size;
        found.output = NULL;
        count_resumed(c, &found);
    }
    weir_ledger_found_free(&found);
    if (row->state == ROW_FINAL || !row->in->status) return WEIR_OK;
    return cascade_finish_error(c, row, row->in->status, row->in->error, error);
}

static enum weir_status give_out(struct weir_cascade *c, struct weir_error *error)
{
    enum weir_status status = c->o.ledger ? weir_ledger_flush(c->o.ledger, error) : WEIR_OK;
    for (size_t i = 0; i < c->n_rows && !status; i++)
        status = c->o.take(c->o.context, c->rows[i].in, c->rows[i].line, c->rows[i].line_size, error);
    return status;
}

static enum weir_status run_window(struct weir_cascade *c, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    c->unjudged = 0;
    for (size_t i = 0; i < c->n_rows; i++) c->rows[i] = (struct row){.in = &c->input.items[i]};
    for (size_t i = 0; i < c->n_rows && !status; i++) {
        status = prepare(c, &c->rows[i], error);
        c->unjudged += c->rows[i].state == ROW_NEW;
    }
    if (!status) status = decide_window(c, error);
    if (status)
        cascade_ask_cancel(c);
    else
        status = give_out(c, error);
    for (size_t i = 0; i < c->n_rows; i++) cascade_row_clear(c, &c->rows[i]);
    c->n_rows = 0;
    return status;
}

enum weir_status weir_cascade_run(struct weir_cascade *c, struct weir_input *input, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    do {
        weir_rows_clear(&c->input);
        enum weir_status read = weir_input_read(input, c->window, &c->input, error);
        c->n_rows = c->input.count;
        if (c->n_rows) {
            struct weir_error later = {0};
            enum weir_status ran = run_window(c, &later); /* also the rows before a failure to read */
            if (ran && error && !read) *error = later;
            if (ran && !read) status = ran;
        }
        if (read) status = read;
    } while (!status && c->input.count == c->window);
    return status;
}
