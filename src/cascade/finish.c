/* How a row ends: the line that it becomes, and what the ledger keeps of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cascade/cascade_internal.h"
#include "cascade/form.h"
#include "task/prompt.h"

static const char *tier_name(const struct weir_cascade *c, size_t tier)
{
    return c->n_tiers ? c->tiers[tier].spec->name : "local";
}

static bool is_local(const struct weir_cascade *c, size_t tier)
{
    return !c->n_tiers || c->tiers[tier].spec->kind == WEIR_TIER_GGUF;
}

static int64_t row_cost(const struct row *row)
{
    int64_t sum = row->lost.usd_e6;
    for (size_t i = 0; i < row->n_steps; i++) sum += row->steps[i].cost_usd_e6;
    return sum;
}

static uint32_t row_attempts(const struct row *row)
{
    uint32_t sum = (uint32_t)row->lost.calls;
    for (size_t i = 0; i < row->n_steps; i++) sum += row->steps[i].attempts;
    return sum;
}

static double row_latency(const struct row *row)
{
    double sum = 0;
    for (size_t i = 0; i < row->n_steps; i++)
        if (row->steps[i].verdict != WEIR_VERDICT_CHECK) sum += row->steps[i].latency_ms;
    return sum;
}

static bool has_check(const struct row *row)
{
    return row->n_steps && row->steps[row->n_steps - 1].verdict == WEIR_VERDICT_CHECK &&
           row->steps[row->n_steps - 1].answers.is_set;
}

/* The first step that passed the row on; NULL: it stayed where it was. */
static const struct step *first_passed_on(const struct row *row)
{
    return row->n_steps && row->steps[0].verdict == WEIR_VERDICT_ESCALATED ? &row->steps[0] : NULL;
}

static struct weir_cascade_row describe(const struct weir_cascade *c, const struct row *row, const char *reason)
{
    const struct step *answer = cascade_row_answer(row), *passed = first_passed_on(row);
    struct weir_cascade_row out = {.row = row->in,
                                   .outcome = row->end,
                                   .tier = "",
                                   .reason = reason,
                                   .attempts = row_attempts(row),
                                   .latency_ms = row_latency(row),
                                   .cost_usd_e6 = row_cost(row)};
    if (answer) {
        out.has_answers = true;
        out.decisions = answer->answers.decisions;
        out.words = answer->answers.words;
        out.tier = tier_name(c, answer->tier);
    }
    if (passed) {
        out.escalated_from = tier_name(c, passed->tier);
        out.escalated_reason = passed->reason;
    }
    const struct step *local = row->n_steps && is_local(c, row->steps[0].tier) ? &row->steps[0] : NULL;
    for (size_t i = 0; local && local->answers.is_set && i < c->questions; i++) {
        out.fresh_tokens += local->answers.decisions[i].fresh_tokens;
        out.prefix_tokens += local->answers.decisions[i].prefix_tokens;
    }
    return out;
}

/* The labels that apply, a line feed between them, as corrections name them (weir/ledger_report.h); no name holds one. NULL without memory. */
static char *labels_that_apply(const struct weir_question *question, const struct weir_decision *decision)
{
    struct strbuf out = STRBUF_MAX(WEIR_TASK_LABELS_MAX * (WEIR_TASK_NAME_BYTES_MAX + 1) + 1);
    enum weir_status status = strbuf_text(&out, "");
    for (size_t i = 0; !status && i < question->n_labels; i++)
        if (decision->probabilities[i] >= 0.5)
            status = strbuf_printf(&out, "%s%s", out.size ? "\n" : "", question->labels[i].name);
    if (!status) return out.data;
    strbuf_free(&out);
    return NULL;
}

/* *owned, which the caller frees, keeps what the decision points to. false: no memory. */
static bool put_decision(const struct weir_cascade *c, const struct step *step, size_t index, char **owned,
                         struct weir_ledger_decision *out)
{
    const struct weir_question *question = weir_task_question(c->o.task, index);
    const struct weir_decision *decision = step->answers.is_set ? &step->answers.decisions[index] : NULL;
    bool has_answer = decision && !decision->status;
    bool is_first = index == 0;
    const char *value = NULL;
    if (has_answer && question->multi) {
        value = *owned = labels_that_apply(question, decision);
        if (!value) return false;
    } else if (has_answer && decision->label < question->n_labels) {
        value = question->labels[decision->label].name;
    }
    *out = (struct weir_ledger_decision){
        .question = question->name,
        .tier = tier_name(c, step->tier),
        .model = is_local(c, step->tier) ? c->o.local_model : c->tiers[step->tier].spec->model,
        .prompt_version = is_local(c, step->tier) ? "local " PROMPT_VERSION : "form " FORM_VERSION,
        .value = value,
        .probability = has_answer && decision->probability >= 0 ? decision->probability : (double)NAN,
        .verdict = step->verdict,
        .reason = step->reason,
        .latency_ms = step->latency_ms};
    if (!is_first) return true; /* what all questions cost together stands once */
    out->cost_usd_e6 = step->cost_usd_e6;
    out->tokens_in = step->tokens_in;
    out->tokens_cached = step->tokens_cached;
    out->tokens_out = step->tokens_out;
    out->attempts = step->attempts;
    return true;
}

/* Decisions of a row as the ledger takes them. */
struct decision_list {
    struct weir_ledger_decision *items; /* [count] */
    char **owned;                       /* [count]: texts that items point to, or NULL */
    size_t count;
};

static void decisions_free(struct decision_list *list)
{
    for (size_t i = 0; list->owned && i < list->count; i++) free(list->owned[i]);
    free(list->owned);
    free(list->items);
}

/* Checks stand last in the steps; the ledger takes the last decision that is no check as final, so their place is free. */
static enum weir_status decisions_make(const struct weir_cascade *c, const struct row *row, struct decision_list *out)
{
    out->count = row->n_steps * c->questions;
    out->items = mem_zero(out->count + 1, sizeof *out->items);
    out->owned = mem_zero(out->count + 1, sizeof *out->owned);
    bool good = out->items && out->owned;
    for (size_t i = 0; good && i < out->count; i++)
        good = put_decision(c, &row->steps[i / c->questions], i % c->questions, &out->owned[i], &out->items[i]);
    return good ? WEIR_OK : WEIR_ERR_NOMEM;
}

/* What the row would cost where every row goes to the last tier: what it did cost there, or an estimate. */
static int64_t frontier_cost(struct weir_cascade *c, const struct row *row)
{
    size_t last = c->n_tiers ? c->n_tiers - 1 : 0;
    int64_t cost_max = 0;
    if (!c->n_tiers || !c->tiers[last].provider) return -1;
    for (size_t i = 0; i < row->n_steps; i++)
        if (row->steps[i].tier == last && row->steps[i].cost_usd_e6) return row->steps[i].cost_usd_e6;
    if (cascade_ask_cost_max(c, row, last, &cost_max, NULL)) return -1;
    return cascade_ask_estimate(c, last, cost_max);
}

static void count_row(struct weir_cascade *c, const struct row *row, const struct weir_cascade_row *described,
                      int64_t frontier_usd_e6)
{
    struct weir_cascade_totals *t = &c->totals;
    t->rows++;
    t->cost_usd_e6 += described->cost_usd_e6;
    t->passed_on += described->escalated_from != NULL;
    t->checked += has_check(row);
    if (frontier_usd_e6 >= 0) t->frontier_usd_e6 += frontier_usd_e6;
    if (row->end == WEIR_ROW_ERROR)
        t->errors++;
    else if (row->end != WEIR_ROW_ANSWERED)
        t->abstained++;
    else if (described->escalated_from)
        t->escalated++;
    else
        t->local++;
    t->queued += row->end == WEIR_ROW_QUEUED;
}

/* Whether the line holds text of the message, or text made from it. */
static bool has_text(const struct weir_cascade *c, const struct weir_cascade_row *described)
{
    for (size_t i = 0; described->has_answers && i < c->questions; i++)
        if (described->words[i].text) return true;
    return false;
}

static enum weir_status record(struct weir_cascade *c, const struct row *row, const struct weir_cascade_row *described,
                               int64_t frontier_usd_e6, struct weir_error *error)
{
    struct decision_list decisions = {0};
    if (decisions_make(c, row, &decisions)) {
        decisions_free(&decisions);
        return error_nomem(error, "decisions of a row");
    }
    struct weir_ledger_row out = {.run = c->o.run,
                                  .key = row->key,
                                  .input_hash = row->hash,
                                  .id = row->in->id,
                                  .line = row->in->line,
                                  .outcome = row->end,
                                  .is_escalated = row->end == WEIR_ROW_ANSWERED && described->escalated_from != NULL,
                                  .tier = described->tier,
                                  .reason = described->reason,
                                  .cost_usd_e6 = described->cost_usd_e6,
                                  .frontier_usd_e6 = frontier_usd_e6,
                                  .latency_ms = described->latency_ms,
                                  .attempts = described->attempts,
                                  .text = row->in->text,
                                  .output = {row->line, row->line_size},
                                  .output_has_text = has_text(c, described),
                                  .decisions = decisions.items,
                                  .n_decisions = decisions.count,
                                  .settlements = row->settlements,
                                  .n_settlements = row->n_settlements};
    enum weir_status status = weir_ledger_record(c->o.ledger, &out, error);
    decisions_free(&decisions);
    return status;
}

static enum weir_status finish(struct weir_cascade *c, struct row *row, enum weir_row_outcome end, const char *reason,
                               enum weir_status code, const char *text, struct weir_error *error)
{
    row->end = end;
    struct weir_cascade_row described = describe(c, row, reason);
    described.error = code;
    described.error_text = text;
    int64_t frontier = code == WEIR_OK ? frontier_cost(c, row) : -1;
    row->line = c->o.line(c->o.context, &described);
    if (!row->line) return error_nomem(error, "line of a row");
    row->line_size = strlen(row->line);
    enum weir_status status = c->o.ledger ? record(c, row, &described, frontier, error) : WEIR_OK;
    if (status) return status;
    row->state = ROW_FINAL;
    row->n_settlements = 0;
    count_row(c, row, &described, frontier);
    return WEIR_OK;
}

enum weir_status cascade_finish_row(struct weir_cascade *c, struct row *row, enum weir_row_outcome end,
                                    const char *reason, struct weir_error *error)
{
    return finish(c, row, end, reason, WEIR_OK, NULL, error);
}

enum weir_status cascade_finish_error(struct weir_cascade *c, struct row *row, enum weir_status code, const char *text,
                                      struct weir_error *error)
{
    return finish(c, row, WEIR_ROW_ERROR, "error", code, text, error);
}
