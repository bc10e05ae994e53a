/* Asking the next tier: candidates in the order of their worth, reservations before calls, replies after them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cascade/cascade_internal.h"

/* What a call is estimated to read and write: prompts of these providers hold about four bytes a token, answers to questions
 * with labels are a few tokens of JSON. Corrected by what the calls made so far did cost. */
enum { LABEL_ANSWER_TOKENS = 24, CALLS_AHEAD = 2 };
static const double bytes_per_token = 4;

enum weir_status cascade_ask_tier_open(struct weir_cascade *c, size_t index, struct weir_error *error)
{
    struct tier *tier = &c->tiers[index];
    const struct weir_gate *gate = weir_task_gate(c->o.task);
    size_t labelled = SIZE_MAX; /* the request that asks all questions with labels */
    for (size_t q = 0; q < c->questions; q++) {
        const struct weir_question *question = weir_task_question(c->o.task, q);
        if (strcmp(question->name, gate->route) == 0) continue;
        size_t request = question->n_labels && labelled != SIZE_MAX ? labelled : tier->n_requests++;
        if (question->n_labels) labelled = request;
        tier->questions[request][tier->n_questions[request]++] = q;
    }
    return weir_pool_add(c->o.pool, c->o.task, index, c->o.prices, &tier->provider, error);
}

static struct weir_request request_of(const struct weir_cascade *c, const struct row *row, size_t tier, size_t index)
{
    const struct tier *t = &c->tiers[tier];
    return (struct weir_request){.provider = t->provider,
                                 .questions = t->questions[index],
                                 .n_questions = t->n_questions[index],
                                 .text = row->in->text.data,
                                 .text_size = row->in->text.size};
}

enum weir_status cascade_ask_cost_max(struct weir_cascade *c, const struct row *row, size_t tier, int64_t *out,
                                      struct weir_error *error)
{
    int64_t sum = 0;
    for (size_t i = 0; i < c->tiers[tier].n_requests; i++) {
        struct weir_request request = request_of(c, row, tier, i);
        int64_t one = 0;
        enum weir_status status = weir_request_cost_max(&request, &one, error);
        if (status) return status;
        if (__builtin_add_overflow(sum, one, &sum)) sum = INT64_MAX;
    }
    *out = sum;
    return WEIR_OK;
}

static uint32_t answer_tokens(const struct weir_cascade *c, const struct tier *tier)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < tier->n_requests; i++)
        for (size_t k = 0; k < tier->n_questions[i]; k++) {
            const struct weir_question *question = weir_task_question(c->o.task, tier->questions[i][k]);
            sum += question->n_labels ? LABEL_ANSWER_TOKENS : question->max_tokens ? question->max_tokens / 2 : 128;
        }
    return sum;
}

/* The worst case is a token a byte and all of max_tokens; from it follow the bytes, and from those a likely cost. */
int64_t cascade_ask_estimate(const struct weir_cascade *c, size_t index, int64_t cost_max)
{
    const struct tier *tier = &c->tiers[index];
    const struct weir_price_rates *rates = &weir_provider_price(tier->provider)->rates;
    double output = (double)rates->output, input = (double)rates->input;
    double most = output * (double)tier->spec->max_tokens * (double)tier->n_requests;
    double bytes = input > 0 ? ((double)cost_max * 1e6 - most) / input : 0;
    double usd_e6 = ((bytes > 0 ? bytes : 0) / bytes_per_token * input + answer_tokens(c, tier) * output) / 1e6;
    if (tier->estimated_usd_e6 > 0) usd_e6 *= tier->actual_usd_e6 / tier->estimated_usd_e6;
    return usd_e6 < (double)cost_max ? (int64_t)usd_e6 + 1 : cost_max;
}

/* ---- candidates ---- */

static enum weir_status candidate_put(struct weir_cascade *c, const struct candidate *candidate,
                                      struct weir_error *error)
{
    if (c->n_candidates == c->candidates_capacity) {
        size_t capacity = c->candidates_capacity ? 2 * c->candidates_capacity : 256;
        struct candidate *grown = mem_resize(c->candidates, capacity, sizeof *grown);
        if (!grown) return error_nomem(error, "rows to ask for");
        c->candidates = grown;
        c->candidates_capacity = capacity;
    }
    c->candidates[c->n_candidates++] = *candidate;
    c->is_sorted = false;
    return WEIR_OK;
}

/* How an accepted row ends that was to be checked, or a row that is not asked for. */
static enum weir_status end_unasked(struct weir_cascade *c, struct row *row, bool is_check, enum weir_row_outcome end,
                                    const char *why, struct weir_error *error)
{
    char reason[WEIR_CASCADE_REASON_MAX];
    if (is_check) return cascade_finish_row(c, row, WEIR_ROW_ANSWERED, row->steps[0].reason, error);
    (void)snprintf(reason, sizeof reason, "%s_%s", end == WEIR_ROW_QUEUED ? "queued" : "abstained", why);
    return cascade_finish_row(c, row, end, reason, error);
}

enum weir_status cascade_ask_add(struct weir_cascade *c, struct row *row, size_t tier, bool is_check, double worth,
                                 struct weir_error *error)
{
    struct candidate candidate = {
        .row = (size_t)(row - c->rows), .tier = tier, .is_check = is_check, .worth = is_check ? -1 : worth};
    if (!row->in->text.size) return end_unasked(c, row, is_check, WEIR_ROW_ABSTAINED, "empty", error);
    enum weir_status status = cascade_ask_cost_max(c, row, tier, &candidate.cost_max, error);
    if (status) return status;
    if (candidate.cost_max > c->cost_max_seen) c->cost_max_seen = candidate.cost_max;
    if (c->o.ledger) {
        row->state = ROW_CANDIDATE;
        return candidate_put(c, &candidate, error);
    }
    c->totals.dry_max_usd_e6 += candidate.cost_max;
    c->totals.dry_expected_usd_e6 += cascade_ask_estimate(c, tier, candidate.cost_max);
    return end_unasked(c, row, is_check, WEIR_ROW_ABSTAINED, "dry_run", error);
}

static int64_t least_left(const int64_t left[WEIR_LIMITS])
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < WEIR_LIMITS; i++)
        if (left[i] < least) least = left[i];
    return least;
}

enum weir_status cascade_ask_is_ample(struct weir_cascade *c, bool *out, struct weir_error *error)
{
    int64_t left[WEIR_LIMITS], needed;
    *out = false;
    if (!c->o.ledger || !c->cost_max_seen) return WEIR_OK;
    enum weir_status status = weir_ledger_left(c->o.ledger, c->o.run, left, error);
    if (status) return status;
    /* Twice what the dearest row seen can cost, for the rows to come may be longer. */
    int64_t rows = (int64_t)(c->unjudged + c->n_candidates);
    *out = !__builtin_mul_overflow(2 * rows, c->cost_max_seen, &needed) && least_left(left) >= needed;
    return WEIR_OK;
}

/* The candidates in the order in which money is best spent on them. */
static enum weir_status sort_candidates(struct weir_cascade *c, struct weir_error *error)
{
    size_t n = c->n_candidates;
    double *worth = mem_zero(n, sizeof *worth);
    int64_t *cost = mem_zero(n, sizeof *cost);
    size_t *order = mem_zero(n, sizeof *order);
    struct candidate *sorted = mem_zero(n, sizeof *sorted);
    struct weir_spending spending;
    enum weir_status status = worth && cost && order && sorted ? WEIR_OK : error_nomem(error, "rows to ask for");
    for (size_t i = 0; !status && i < n; i++) {
        worth[i] = c->candidates[i].worth;
        cost[i] = c->candidates[i].cost_max;
    }
    if (!status) status = weir_gate_spend(worth, cost, n, INT64_MAX, order, &spending, error);
    for (size_t i = 0; !status && i < n; i++) sorted[i] = c->candidates[order[i]];
    if (!status && n) memcpy(c->candidates, sorted, n * sizeof *sorted);
    if (!status) c->is_sorted = true;
    free(worth);
    free(cost);
    free(order);
    free(sorted);
    return status;
}

static void forget_first(struct weir_cascade *c, size_t count)
{
    c->n_candidates -= count;
    memmove(c->candidates, c->candidates + count, c->n_candidates * sizeof *c->candidates);
}

/* ---- reservations and calls ---- */

static enum weir_status stash_settlement(struct row *row, const struct weir_settlement *settlement)
{
    struct weir_settlement *grown = mem_resize(row->settlements, row->n_settlements + 1, sizeof *grown);
    if (!grown) return WEIR_ERR_NOMEM;
    row->settlements = grown;
    grown[row->n_settlements++] = *settlement;
    return WEIR_OK;
}

/* Gives the ends of the row's calls to the ledger, where the row itself goes on. */
static enum weir_status settle_stashed(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < row->n_settlements; i++)
        status = weir_ledger_settle(c->o.ledger, &row->settlements[i], NULL, error);
    row->n_settlements = 0;
    return status;
}

static enum weir_status release(struct weir_cascade *c, int64_t call, struct weir_error *error)
{
    struct weir_settlement settlement = {.call = call, .end = WEIR_CALL_RELEASED, .note = "not sent"};
    return weir_ledger_settle(c->o.ledger, &settlement, NULL, error);
}

/* The requests of a candidate go out; grants: [n_requests], all granted. */
static enum weir_status submit(struct weir_cascade *c, const struct candidate *candidate,
                               const struct weir_reserve *reserved, const struct weir_grant *grants,
                               struct weir_error *error)
{
    struct row *row = &c->rows[candidate->row];
    struct step *step = cascade_row_step(row, candidate->tier, WEIR_VERDICT_FAILED, "asked");
    if (!step || cascade_answers_open(c, &step->answers)) return error_nomem(error, "answers of a tier");
    row->state = ROW_ASKED;
    if (!candidate->is_check && candidate->worth < c->totals.least_worth) c->totals.least_worth = candidate->worth;
    row->is_check = candidate->is_check;
    row->tier = candidate->tier;
    row->outcome = WEIR_OUTCOME_ANSWERED;
    for (size_t i = 0; i < c->tiers[candidate->tier].n_requests; i++) {
        struct weir_request request = request_of(c, row, candidate->tier, i);
        struct call *call = mem_zero(1, sizeof *call);
        if (!call) return error_nomem(error, "call");
        *call = (struct call){.row = row, .number = grants[i].call, .reserved_usd_e6 = reserved[i].usd_e6};
        request.user = call;
        enum weir_status status = weir_pool_submit(c->o.pool, &request, error);
        if (status) {
            free(call);
            return status;
        }
        row->pending++;
    }
    return WEIR_OK;
}

static const char *refusal_name(enum weir_refusal refusal)
{
    static const char *const names[] = {"granted",     "budget_run",        "budget_day",
                                        "budget_task", "budget_ledger_day", "tier_closed"};
    return names[refusal];
}

/* A row for which there is no money, and none will come back. */
static enum weir_status refuse(struct weir_cascade *c, const struct candidate *candidate, enum weir_refusal refusal,
                               struct weir_error *error)
{
    bool is_queued = weir_task_budget(c->o.task)->when_exhausted == WEIR_EXHAUSTED_QUEUE;
    c->totals.unaffordable += !candidate->is_check;
    return end_unasked(c, &c->rows[candidate->row], candidate->is_check,
                       is_queued ? WEIR_ROW_QUEUED : WEIR_ROW_ABSTAINED, refusal_name(refusal), error);
}

static enum weir_status reserves_of(struct weir_cascade *c, const struct candidate *candidate, struct weir_reserve *out,
                                    struct weir_error *error)
{
    const struct tier *tier = &c->tiers[candidate->tier];
    struct row *row = &c->rows[candidate->row];
    for (size_t i = 0; i < tier->n_requests; i++) {
        struct weir_request request = request_of(c, row, candidate->tier, i);
        out[i] =
            (struct weir_reserve){.tier = tier->spec->name, .model = tier->spec->model, .key = row->key, .attempt = 1};
        enum weir_status status = weir_request_cost_max(&request, &out[i].usd_e6, error);
        if (status) return status;
    }
    return WEIR_OK;
}

static enum weir_refusal first_refusal(const struct weir_grant *grants, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (grants[i].refusal != WEIR_GRANTED) return grants[i].refusal;
    return WEIR_GRANTED;
}

/* What the grants mean for each candidate: it is sent, or its grants go back and it waits for money, or it ends. Those that wait are kept,
 * in their order, before the others. */
static enum weir_status use_grants(struct weir_cascade *c, size_t count, const struct weir_reserve *reserves,
                                   const struct weir_grant *grants, struct weir_error *error)
{
    struct candidate *taken = mem_zero(count, sizeof *taken);
    if (!taken) return error_nomem(error, "rows to ask for");
    memcpy(taken, c->candidates, count * sizeof *taken);
    forget_first(c, count);
    enum weir_status status = WEIR_OK;
    bool may_come_back = weir_pool_in_flight(c->o.pool) > 0; /* money, from calls that cost less than reserved */
    size_t at = 0, waiting = 0;
    for (size_t i = 0; !status && i < count; i++) {
        size_t n = c->tiers[taken[i].tier].n_requests;
        enum weir_refusal refusal = first_refusal(grants + at, n);
        if (refusal == WEIR_GRANTED) {
            status = submit(c, &taken[i], reserves + at, grants + at, error);
            may_come_back = true;
        }
        for (size_t k = 0; refusal != WEIR_GRANTED && k < n && !status; k++)
            if (grants[at + k].call) status = release(c, grants[at + k].call, error);
        if (!status && refusal != WEIR_GRANTED) {
            if (may_come_back && refusal != WEIR_REFUSED_TIER_CLOSED)
                taken[waiting++] = taken[i];
            else
                status = refuse(c, &taken[i], refusal, error);
        }
        at += n;
    }
    for (size_t i = 0; !status && i < waiting; i++) status = candidate_put(c, &taken[i], error);
    free(taken);
    return status;
}

/* How many requests may still be sent: what the tiers take at once, and some that wait for a turn. */
static size_t room(struct weir_cascade *c)
{
    size_t room = 0, in_flight = weir_pool_in_flight(c->o.pool);
    for (size_t i = 0; i < c->n_tiers; i++)
        if (c->tiers[i].provider) room += CALLS_AHEAD * (size_t)c->tiers[i].spec->concurrency;
    if (room > WEIR_LEDGER_RESERVE_MAX) room = WEIR_LEDGER_RESERVE_MAX;
    return room > in_flight ? room - in_flight : 0;
}

/* Reserves for the first candidates, as many as there is room for, and sends what is granted. */
static enum weir_status grant_some(struct weir_cascade *c, struct weir_error *error)
{
    size_t space = room(c), count = 0, n = 0;
    enum weir_status status = c->is_sorted ? WEIR_OK : sort_candidates(c, error);
    if (status || !c->n_candidates) return status;
    struct weir_reserve *reserves = mem_zero(WEIR_LEDGER_RESERVE_MAX, sizeof *reserves);
    struct weir_grant *grants = mem_zero(WEIR_LEDGER_RESERVE_MAX, sizeof *grants);
    if (!reserves || !grants) status = error_nomem(error, "reservations");
    while (!status && count < c->n_candidates) {
        size_t requests = c->tiers[c->candidates[count].tier].n_requests;
        if (n + requests > space && !(n == 0 && space && requests <= WEIR_LEDGER_RESERVE_MAX)) break;
        status = reserves_of(c, &c->candidates[count], reserves + n, error);
        n += requests;
        count++;
    }
    if (!status && n) status = weir_ledger_reserve(c->o.ledger, c->o.run, reserves, n, grants, error);
    if (!status && n) status = use_grants(c, count, reserves, grants, error);
    free(reserves);
    free(grants);
    return status;
}

/* ---- replies ---- */

static struct weir_settlement settlement_of(const struct weir_reply *reply, const struct call *call)
{
    const struct weir_usage *u = &reply->usage;
    return (struct weir_settlement){.call = call->number,
                                    .end = reply->billing == WEIR_BILLING_NONE    ? WEIR_CALL_RELEASED
                                           : reply->billing == WEIR_BILLING_KNOWN ? WEIR_CALL_SETTLED
                                                                                  : WEIR_CALL_UNKNOWN,
                                    .cost_usd_e6 = reply->cost_usd_e6,
                                    .tokens_in = (uint32_t)(u->input + u->cached + u->cache_write),
                                    .tokens_cached = (uint32_t)u->cached,
                                    .tokens_out = (uint32_t)u->output,
                                    .latency_ms = reply->latency_ms - (double)reply->wait_ms,
                                    .note = weir_outcome_name(reply->outcome)};
}

static int64_t charged(const struct weir_reply *reply, const struct call *call)
{
    if (reply->billing == WEIR_BILLING_NONE) return 0;
    return reply->billing == WEIR_BILLING_KNOWN ? reply->cost_usd_e6 : call->reserved_usd_e6;
}

/* What the call cost goes to the row's step, and into the estimates. */
static void add_cost(struct weir_cascade *c, struct row *row, const struct weir_reply *reply, const struct call *call)
{
    struct step *step = &row->steps[row->n_steps - 1];
    struct tier *tier = &c->tiers[row->tier];
    int64_t usd_e6 = charged(reply, call);
    step->cost_usd_e6 += usd_e6;
    if (usd_e6 > call->reserved_usd_e6) {
        c->totals.over_calls++;
        c->totals.over_usd_e6 += usd_e6 - call->reserved_usd_e6;
    }
    step->attempts += reply->billing == WEIR_BILLING_NONE ? 0 : 1;
    step->tokens_in += (uint32_t)(reply->usage.input + reply->usage.cached + reply->usage.cache_write);
    step->tokens_cached += (uint32_t)reply->usage.cached;
    step->tokens_out += (uint32_t)reply->usage.output;
    double latency_ms =
        reply->latency_ms > reply->wait_ms ? reply->latency_ms - reply->wait_ms : 0; /* its turn apart */
    if (latency_ms > step->latency_ms) step->latency_ms = latency_ms;
    if (reply->billing != WEIR_BILLING_KNOWN) return;
    double ratio = tier->estimated_usd_e6 > 0 ? tier->actual_usd_e6 / tier->estimated_usd_e6 : 1;
    double estimate = (double)cascade_ask_estimate(c, row->tier, call->reserved_usd_e6) / ratio;
    tier->estimated_usd_e6 += estimate / (double)tier->n_requests;
    tier->actual_usd_e6 += (double)usd_e6 / (double)tier->n_requests;
}

static enum weir_status take_words(struct weir_words *words, const struct weir_provider_answer *answer)
{
    words->text = mem_text(answer->value, answer->value_size);
    if (!words->text) return WEIR_ERR_NOMEM;
    words->size = answer->value_size;
    words->finish = WEIR_FINISH_STOP;
    words->parts = 1;
    return WEIR_OK;
}

static double *probabilities_of(const struct weir_cascade *c, const struct answers *answers, size_t question)
{
    double *at = answers->probabilities;
    for (size_t q = 0; q < question; q++) at += weir_task_question(c->o.task, q)->n_labels;
    return at;
}

/* The probabilities given; of several labels without them, 1 for those that were chosen. */
static void take_probabilities(const struct weir_cascade *c, const struct answers *answers,
                               const struct weir_provider_answer *from)
{
    size_t labels = weir_task_question(c->o.task, from->question)->n_labels;
    double *at = probabilities_of(c, answers, from->question);
    if (!from->probabilities && !from->is_chosen) return;
    for (size_t i = 0; i < labels; i++)
        at[i] = from->probabilities ? from->probabilities[i] : from->is_chosen[i] ? 1.0 : 0.0;
    answers->decisions[from->question].probabilities = at;
}

static enum weir_status take_answers(struct weir_cascade *c, struct row *row, const struct weir_reply *reply)
{
    struct answers *answers = &row->steps[row->n_steps - 1].answers;
    for (size_t i = 0; i < reply->n_answers; i++) {
        const struct weir_provider_answer *from = &reply->answers[i];
        struct weir_decision *to = &answers->decisions[from->question];
        to->probability = from->probability;
        to->latency_ms = reply->latency_ms;
        to->label = from->label;
        if (weir_task_question(c->o.task, from->question)->n_labels)
            take_probabilities(c, answers, from);
        else if (take_words(&answers->words[from->question], from))
            return WEIR_ERR_NOMEM;
    }
    return WEIR_OK;
}

/* The route question is not asked again: its first answer stays. */
static void keep_route(struct weir_cascade *c, struct row *row)
{
    const struct weir_gate *gate = weir_task_gate(c->o.task);
    struct step *step = &row->steps[row->n_steps - 1], *first = &row->steps[0];
    for (size_t q = 0; *gate->route && q < c->questions; q++) {
        if (strcmp(weir_task_question(c->o.task, q)->name, gate->route) != 0) continue;
        if (first != step && first->answers.is_set) {
            const double *probabilities = first->answers.decisions[q].probabilities;
            step->answers.decisions[q] = first->answers.decisions[q];
            step->answers.decisions[q].probabilities = probabilities;
        }
    }
}

static bool is_same_answer(const struct weir_question *question, const struct weir_decision *a,
                           const struct weir_decision *b)
{
    if (!question->multi) return a->label == b->label;
    for (size_t i = 0; a->probabilities && b->probabilities && i < question->n_labels; i++)
        if ((a->probabilities[i] >= 0.5) != (b->probabilities[i] >= 0.5)) return false;
    return a->probabilities && b->probabilities;
}

static bool agrees(const struct weir_cascade *c, const struct row *row)
{
    const struct answers *checked = &row->steps[row->n_steps - 1].answers, *own = &row->steps[0].answers;
    for (size_t q = 0; q < c->questions; q++) {
        const struct weir_question *question = weir_task_question(c->o.task, q);
        if (question->n_labels && !is_same_answer(question, &checked->decisions[q], &own->decisions[q])) return false;
    }
    return true;
}

static bool is_down(enum weir_outcome outcome)
{
    return outcome == WEIR_OUTCOME_TIMEOUT || outcome == WEIR_OUTCOME_LIMITED || outcome == WEIR_OUTCOME_UNAVAILABLE ||
           outcome == WEIR_OUTCOME_UNREACHABLE || outcome == WEIR_OUTCOME_UNTRUSTED || outcome == WEIR_OUTCOME_DOWN ||
           outcome == WEIR_OUTCOME_CANCELLED;
}

static void set_step(struct step *step, enum weir_verdict verdict, const char *reason)
{
    step->verdict = verdict;
    (void)snprintf(step->reason, sizeof step->reason, "%s", reason);
}

/* The tier gave no answer of the right shape. */
static enum weir_status conclude_failed(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    enum weir_when_down policy = weir_task_gate(c->o.task)->when_down;
    const char *why = weir_outcome_name(row->outcome);
    bool may_go_on = !is_down(row->outcome) || policy == WEIR_DOWN_NEXT_TIER;
    set_step(&row->steps[row->n_steps - 1], WEIR_VERDICT_FAILED, why);
    if (may_go_on && row->tier + 1 < c->n_tiers && !c->o.only_tier) {
        enum weir_status status = settle_stashed(c, row, error);
        return status ? status : cascade_ask_add(c, row, row->tier + 1, false, 1, error);
    }
    bool is_queued = is_down(row->outcome) && policy == WEIR_DOWN_QUEUE;
    return end_unasked(c, row, false, is_queued ? WEIR_ROW_QUEUED : WEIR_ROW_ABSTAINED, why, error);
}

static enum weir_status conclude_check(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    struct step *step = &row->steps[row->n_steps - 1];
    step->answers.is_set = row->outcome == WEIR_OUTCOME_ANSWERED;
    keep_route(c, row);
    bool is_agreed = step->answers.is_set && agrees(c, row);
    set_step(step, WEIR_VERDICT_CHECK,
             !step->answers.is_set ? weir_outcome_name(row->outcome)
             : is_agreed           ? "agrees"
                                   : "differs");
    c->totals.check_agreed += is_agreed;
    return cascade_finish_row(c, row, WEIR_ROW_ANSWERED, row->steps[0].reason, error);
}

/* A tier between the first and the last is gated too where it tells how sure it is and the task gives a probability. */
static bool stands(struct weir_cascade *c, const struct row *row, enum weir_reason *reason)
{
    const struct step *step = &row->steps[row->n_steps - 1];
    if (row->tier + 1 >= c->n_tiers || c->o.only_tier || c->acceptance.gate->accept != WEIR_ACCEPT_THRESHOLD)
        return true;
    for (size_t q = 0; q < c->questions; q++) {
        const struct weir_question *question = weir_task_question(c->o.task, q);
        const struct weir_decision *decision = &step->answers.decisions[q];
        if (strcmp(question->name, c->acceptance.gate->route) == 0 || decision->probability < 0) continue;
        if (!weir_gate_accepts(&c->acceptance, q, question, decision, reason)) return false;
    }
    return true;
}

/* All replies for the row's requests to this tier are there. */
static enum weir_status conclude(struct weir_cascade *c, struct row *row, struct weir_error *error)
{
    struct step *step = &row->steps[row->n_steps - 1];
    enum weir_reason reason = WEIR_REASON_THRESHOLD;
    if (row->is_check) return conclude_check(c, row, error);
    if (row->outcome != WEIR_OUTCOME_ANSWERED) return conclude_failed(c, row, error);
    step->answers.is_set = true;
    keep_route(c, row);
    if (!stands(c, row, &reason)) {
        set_step(step, WEIR_VERDICT_ESCALATED, weir_reason_name(reason));
        enum weir_status status = settle_stashed(c, row, error);
        return status
                   ? status
                   : cascade_ask_add(c, row, row->tier + 1, false, 1 - step->answers.decisions[0].probability, error);
    }
    const char *word = row->steps[0].verdict == WEIR_VERDICT_ESCALATED ? "escalated" : "answered";
    set_step(step, WEIR_VERDICT_ACCEPTED, word);
    return cascade_finish_row(c, row, WEIR_ROW_ANSWERED, word, error);
}

/* Asks once more where the provider's reply was no answer, when the budget covers it. */
static enum weir_status repeat(struct weir_cascade *c, struct weir_reply *reply, struct call *call, bool *is_sent,
                               struct weir_error *error)
{
    const struct weir_tier_spec *spec = c->tiers[call->row->tier].spec;
    struct weir_reserve reserve = {.tier = spec->name,
                                   .model = spec->model,
                                   .key = call->row->key,
                                   .usd_e6 = weir_repeat_cost_max(reply),
                                   .attempt = 2};
    struct weir_grant grant;
    *is_sent = false;
    enum weir_status status = weir_ledger_reserve(c->o.ledger, c->o.run, &reserve, 1, &grant, error);
    if (status || grant.refusal != WEIR_GRANTED) return status;
    call->number = grant.call;
    call->reserved_usd_e6 = reserve.usd_e6;
    call->is_repeated = true;
    call->first_outcome = reply->outcome;
    status = weir_pool_repeat(c->o.pool, reply, error);
    *is_sent = !status;
    return status;
}

/* What no other row would fare better with: the run ends, and goes on when it is repaired. */
static enum weir_status fail_for_good(const struct weir_cascade *c, const struct weir_reply *reply, size_t tier,
                                      struct weir_error *error)
{
    if (reply->outcome == WEIR_OUTCOME_NO_MEMORY) return error_nomem(error, "reply of a provider");
    return error_set(error, WEIR_ERR_REFUSED, "tier %s: %s: %s", c->tiers[tier].spec->name,
                     weir_outcome_text(reply->outcome), reply->text);
}

static bool is_fatal(enum weir_outcome outcome)
{
    return outcome == WEIR_OUTCOME_UNAUTHORISED || outcome == WEIR_OUTCOME_FORBIDDEN ||
           outcome == WEIR_OUTCOME_NO_MEMORY;
}

/* `is_ending`: only the money still matters. The call is freed when it is over. */
static enum weir_status take_reply(struct weir_cascade *c, struct weir_reply *reply, bool is_ending,
                                   struct weir_error *error)
{
    struct call *call = reply->user;
    struct row *row = call->row;
    struct weir_settlement settlement = settlement_of(reply, call);
    bool is_sent = false;
    enum weir_status status = WEIR_OK;
    add_cost(c, row, reply, call);
    if (is_ending || is_fatal(reply->outcome)) {
        status = weir_ledger_settle(c->o.ledger, &settlement, NULL, error);
        if (!status && !is_ending) status = fail_for_good(c, reply, row->tier, error);
        free(call);
        return status;
    }
    if (stash_settlement(row, &settlement)) status = error_nomem(error, "settlement");
    if (!status && reply->may_repeat && !call->is_repeated) status = repeat(c, reply, call, &is_sent, error);
    if (status || is_sent) return status;
    bool was_asked_again = reply->outcome != WEIR_OUTCOME_DOWN; /* else the first reply says more */
    if (reply->outcome != WEIR_OUTCOME_ANSWERED)
        row->outcome = call->is_repeated && !was_asked_again ? call->first_outcome : reply->outcome;
    else if (take_answers(c, row, reply))
        status = error_nomem(error, "answers of a provider");
    free(call);
    row->pending--;
    return status || row->pending ? status : conclude(c, row, error);
}

static enum weir_status take_replies(struct weir_cascade *c, uint32_t timeout_ms, struct weir_error *error)
{
    struct weir_reply *reply = NULL;
    enum weir_status status = weir_pool_next(c->o.pool, timeout_ms, &reply, error);
    while (!status && reply) {
        status = take_reply(c, reply, false, error);
        weir_reply_free(&reply);
        if (!status) status = weir_pool_next(c->o.pool, 0, &reply, error);
    }
    weir_reply_free(&reply);
    return status;
}

enum weir_status cascade_ask_pump(struct weir_cascade *c, bool is_last, struct weir_error *error)
{
    if (!c->o.pool || !c->o.ledger) return WEIR_OK;
    enum weir_status status = take_replies(c, 0, error);
    if (!status) status = grant_some(c, error);
    while (!status && is_last && (c->n_candidates || weir_pool_in_flight(c->o.pool))) {
        status = take_replies(c, 200, error);
        if (!status) status = grant_some(c, error);
        if (c->o.progress) c->o.progress(c->o.context, &c->totals);
    }
    return status;
}

void cascade_ask_cancel(struct weir_cascade *c)
{
    if (!c->o.pool || !c->o.ledger) return;
    weir_pool_cancel(c->o.pool);
    struct weir_reply *reply = NULL;
    while (weir_pool_next(c->o.pool, UINT32_MAX, &reply, NULL) == WEIR_OK && reply) {
        /* A settlement that does not arrive leaves its reservation booked as spent: never less than the truth. */
        (void)!take_reply(c, reply, true, NULL);
        weir_reply_free(&reply);
    }
}
