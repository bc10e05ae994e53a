/* The classifier: rows in, decisions out. Each question is answered by its profile's head, or zero-shot without one.
 *
 * Rows that cannot be answered (not UTF-8, too long) are set aside with their own status first; the others of a call share
 * forward passes. */
#include "weir/classify.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "decide/classifier.h"
#include "decide/features_internal.h"
#include "decide/head.h"
#include "decide/row.h"
#include "decide/scorers.h"
#include "task/prompt.h"

/* Enough short rows to fill a few passes. */
enum { CLASSIFY_BATCH_ROWS = 32 };

struct answerer {
    const struct weir_question *question;
    size_t offset;          /* of its probabilities in a row's */
    struct scorers scorers; /* none: answered by the profile, or not here */
    bool is_elsewhere;      /* in words: decide.c */
    size_t profile_question;
    enum weir_head_kind head;
};

struct weir_classifier {
    struct weir_engine *engine;
    const struct weir_task *task;
    const struct weir_profile *profile; /* NULL: all zero-shot */
    size_t n_questions, n_probabilities;
    struct answerer *answerers; /* [n_questions] */
    bool leaves_words;          /* questions without labels are not answered here */
    bool leaves_raw;            /* heads are not calibrated */
    bool reads_states;          /* some head needs hidden states */
    struct feature_request request;
    struct head_scratch scratch;
};

static bool is_tuned(const struct answerer *a)
{
    return !a->scorers.count && !a->is_elsewhere;
}

/* ---- open ---- */

static bool find_profile_question(const struct weir_profile *profile, const char *name, size_t *index)
{
    struct weir_profile_info info;
    if (!profile) return false;
    weir_profile_info(profile, &info);
    for (size_t i = 0; i < info.questions; i++) {
        if (strcmp(profile->questions[i].name, name) != 0) continue;
        *index = i;
        return true;
    }
    return false;
}

static enum weir_status open_answerer(struct weir_classifier *c, size_t i, struct weir_error *error)
{
    struct answerer *a = &c->answerers[i];
    a->question = weir_task_question(c->task, i);
    a->offset = c->n_probabilities;
    c->n_probabilities += a->question->n_labels;
    a->is_elsewhere = c->leaves_words && a->question->n_labels == 0;
    if (a->is_elsewhere) return WEIR_OK;
    if (find_profile_question(c->profile, a->question->name, &a->profile_question)) {
        a->head = c->profile->questions[a->profile_question].head;
        if (a->head != WEIR_HEAD_NGRAM) c->reads_states = true;
        return WEIR_OK;
    }
    return scorers_open(c->engine, a->question, &a->scorers, error);
}

static enum weir_status open_classifier(struct weir_engine *engine, const struct weir_task *task,
                                        const struct weir_profile *profile, bool leaves_words,
                                        struct weir_classifier **out, struct weir_error *error)
{
    if (!weir_engine_tokenizer(engine))
        return error_set(error, WEIR_ERR_INVALID, "the engine was opened without a tokenizer");
    enum weir_status status = profile ? weir_profile_check(profile, engine, task, error) : WEIR_OK;
    if (status) return status;
    struct weir_classifier *c = mem_zero(1, sizeof *c);
    if (!c) return error_nomem(error, "classifier");
    c->engine = engine;
    c->task = task;
    c->profile = profile;
    c->leaves_words = leaves_words;
    c->n_questions = weir_task_question_count(task);
    c->answerers = mem_zero(c->n_questions, sizeof *c->answerers);
    if (profile) c->request = (struct feature_request){profile->depths, profile->n_depths};
    status = c->answerers ? WEIR_OK : error_nomem(error, "classifier");
    for (size_t i = 0; !status && i < c->n_questions; i++) status = open_answerer(c, i, error);
    if (status) {
        weir_classifier_close(&c);
        return status;
    }
    *out = c;
    return WEIR_OK;
}

enum weir_status weir_classifier_open(struct weir_engine *engine, const struct weir_task *task,
                                      const struct weir_profile *profile, struct weir_classifier **out,
                                      struct weir_error *error)
{
    return open_classifier(engine, task, profile, false, out, error);
}

enum weir_status classifier_open_labelled(struct weir_engine *engine, const struct weir_task *task,
                                          const struct weir_profile *profile, struct weir_classifier **out,
                                          struct weir_error *error)
{
    return open_classifier(engine, task, profile, true, out, error);
}

void weir_classifier_close(struct weir_classifier **handle)
{
    struct weir_classifier *c = *handle;
    if (!c) return;
    for (size_t i = 0; c->answerers && i < c->n_questions; i++) scorers_close(&c->answerers[i].scorers);
    head_scratch_free(&c->scratch);
    free(c->answerers);
    free(c);
    *handle = NULL;
}

enum weir_status weir_classifier_use_head(struct weir_classifier *c, enum weir_head_kind head, struct weir_error *error)
{
    if (!c->profile) return error_set(error, WEIR_ERR_INVALID, "a head was chosen, but there is no profile");
    if ((unsigned)head >= WEIR_HEAD_KINDS) return error_set(error, WEIR_ERR_INVALID, "unknown head %d", (int)head);
    c->reads_states = head != WEIR_HEAD_NGRAM;
    for (size_t i = 0; i < c->n_questions; i++) c->answerers[i].head = head;
    return WEIR_OK;
}

enum weir_status weir_classifier_set_prior(struct weir_classifier *c, const struct weir_string *texts, size_t count,
                                           struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < c->n_questions; i++)
        status = scorers_set_prior(&c->answerers[i].scorers, texts, count, error);
    return status;
}

void weir_classifier_calibrate(struct weir_classifier *c, bool is_on)
{
    c->leaves_raw = !is_on;
}

size_t weir_classifier_questions(const struct weir_classifier *c)
{
    return c->n_questions;
}

size_t weir_classifier_probabilities(const struct weir_classifier *c)
{
    return c->n_probabilities;
}

size_t weir_classifier_batch(const struct weir_classifier *c)
{
    (void)c;
    return CLASSIFY_BATCH_ROWS;
}

/* ---- one call ---- */

/* The rows of a call that one way of answering can take, packed together. */
struct work {
    struct weir_classifier *c;
    const struct weir_string *texts;
    size_t count;
    struct weir_decision *decisions; /* [count, n_questions] */
    double *probabilities;           /* [count, n_probabilities] */
    struct weir_tokens *tokens;      /* [count]; the first n_rows are used */
    size_t *rows;                    /* [count] row of each token list */
    double *seconds;                 /* [count] by token list */
    size_t n_rows;
};

static void fail_decision(struct weir_decision *decision, enum weir_status status, const char *text)
{
    *decision = (struct weir_decision){.status = status};
    size_t size = strnlen(text, sizeof decision->error - 1); /* cut where it does not fit */
    memcpy(decision->error, text, size);
}

static struct weir_decision *decision_of(const struct work *w, size_t row, size_t question)
{
    return &w->decisions[row * w->c->n_questions + question];
}

static void fail_row(const struct work *w, size_t row, size_t question, enum weir_status status, const char *text)
{
    fail_decision(decision_of(w, row, question), status, text);
}

static double *row_probabilities(const struct work *w, size_t row, const struct answerer *a)
{
    return w->probabilities + row * w->c->n_probabilities + a->offset;
}

/* The probability that the labels of probability 1/2 and above apply and the others do not. */
static double set_probability(const double *p, size_t n_labels)
{
    double product = 1;
    for (size_t i = 0; i < n_labels; i++) product *= p[i] >= 0.5 ? p[i] : 1 - p[i];
    return product;
}

/* The label of highest probability; of equals the first. */
static void settle(const struct work *w, size_t row, size_t question)
{
    const struct answerer *a = &w->c->answerers[question];
    const double *p = row_probabilities(w, row, a);
    struct weir_decision *decision = decision_of(w, row, question);
    size_t best = 0;
    for (size_t i = 1; i < a->question->n_labels; i++)
        if (p[i] > p[best]) best = i;
    decision->label = best;
    decision->probability = a->question->multi ? set_probability(p, a->question->n_labels) : p[best];
    decision->probabilities = p;
}

/* What it took. A decision is added to once for each prompt that it is read from. */
static void add_effort(const struct work *w, size_t row, size_t question, size_t fresh, size_t prefix, double seconds)
{
    struct weir_decision *decision = decision_of(w, row, question);
    decision->fresh_tokens += fresh;
    decision->prefix_tokens += prefix;
    decision->latency_ms += seconds * 1e3;
}

static const char not_utf8[] = "the text is not UTF-8";

static void forget_tokens(struct work *w)
{
    for (size_t i = 0; i < w->count; i++) w->tokens[i].count = 0;
    w->n_rows = 0;
}

/* ---- zero-shot ---- */

/* The rows that this prompt and those before it can take. */
static enum weir_status gather_zeroshot(struct work *w, size_t question, const struct zeroshot *z,
                                        struct weir_error *error)
{
    forget_tokens(w);
    for (size_t row = 0; row < w->count; row++) {
        if (decision_of(w, row, question)->status) continue;
        if (!text_is_utf8(w->texts[row])) {
            fail_row(w, row, question, WEIR_ERR_FORMAT, not_utf8);
            continue;
        }
        struct weir_tokens *tokens = &w->tokens[w->n_rows];
        tokens->count = 0;
        enum weir_status status = zeroshot_tokenize(z, prompt_trim(w->texts[row]), tokens, error);
        if (status == WEIR_ERR_NOMEM) return status;
        if (status)
            fail_row(w, row, question, status, error->text);
        else
            w->rows[w->n_rows++] = row;
    }
    return WEIR_OK;
}

/* One of the question's prompts, for all rows. p: [count, labels of the prompt] scratch. */
static enum weir_status score(struct work *w, size_t question, size_t index, double *p, struct weir_error *error)
{
    struct answerer *a = &w->c->answerers[question];
    struct zeroshot *z = a->scorers.items[index];
    enum weir_status status = gather_zeroshot(w, question, z, error);
    if (status) return status;
    engine_lock(w->c->engine);
    status = zeroshot_decide(z, w->tokens, w->n_rows, p, w->seconds, error);
    engine_unlock(w->c->engine);
    for (size_t i = 0; !status && i < w->n_rows; i++) {
        scorers_add(&a->scorers, index, p + i * z->n_labels, row_probabilities(w, w->rows[i], a));
        add_effort(w, w->rows[i], question, zeroshot_fresh_tokens(z, &w->tokens[i]),
                   zeroshot_prefix_tokens(z, &w->tokens[i]), w->seconds[i]);
    }
    return status;
}

static enum weir_status answer_zeroshot(struct work *w, size_t question, struct weir_error *error)
{
    const struct answerer *a = &w->c->answerers[question];
    double *p =
        mem_zero(w->count * a->question->n_labels, sizeof *p); /* a prompt of `multi` has two, no more than n_labels */
    enum weir_status status = p ? WEIR_OK : error_nomem(error, "probabilities");
    for (size_t i = 0; !status && i < a->scorers.count; i++) status = score(w, question, i, p, error);
    for (size_t row = 0; !status && row < w->count; row++) {
        if (decision_of(w, row, question)->status) continue;
        scorers_finish(&a->scorers, row_probabilities(w, row, a));
        settle(w, row, question);
    }
    free(p);
    return status;
}

/* ---- tuned ---- */

static void fail_tuned(const struct work *w, size_t row, enum weir_status status, const char *text)
{
    for (size_t q = 0; q < w->c->n_questions; q++)
        if (is_tuned(&w->c->answerers[q])) fail_row(w, row, q, status, text);
}

/* The rows that tuned questions can answer: the same for all of them. */
static enum weir_status gather_tuned(struct work *w, struct weir_error *error)
{
    forget_tokens(w);
    for (size_t row = 0; row < w->count; row++) {
        struct weir_tokens *tokens = &w->tokens[w->n_rows];
        tokens->count = 0;
        enum weir_status status = text_is_utf8(w->texts[row])
                                      ? features_tokenize(w->c->engine, w->texts[row], tokens, error)
                                      : error_set(error, WEIR_ERR_FORMAT, "%s", not_utf8);
        if (status == WEIR_ERR_NOMEM) return status;
        if (status)
            fail_tuned(w, row, status, error->text);
        else
            w->rows[w->n_rows++] = row;
    }
    return WEIR_OK;
}

static enum weir_status read_states(struct work *w, float *states, struct weir_error *error)
{
    engine_lock(w->c->engine);
    enum weir_status status =
        features_of_tokens(w->c->engine, w->tokens, w->n_rows, &w->c->request, states, w->seconds, error);
    engine_unlock(w->c->engine);
    return status;
}

/* `states`: [n_rows, floats], NULL when no head reads them. */
static enum weir_status decide_tuned(struct work *w, size_t question, const float *states, size_t floats,
                                     struct weir_error *error)
{
    struct weir_classifier *c = w->c;
    const struct answerer *a = &c->answerers[question];
    head_answer *decide = c->leaves_raw ? head_decide_raw : head_decide;
    bool reads = a->head != WEIR_HEAD_NGRAM; /* else other questions' states are none of its cost */
    for (size_t i = 0; i < w->n_rows; i++) {
        size_t row = w->rows[i];
        double start = clock_seconds();
        enum weir_status status =
            decide(c->profile, a->profile_question, a->head, w->texts[row], reads ? states + i * floats : NULL,
                   &c->scratch, row_probabilities(w, row, a), error);
        double seconds = clock_seconds() - start + (reads ? w->seconds[i] : 0);
        if (status == WEIR_ERR_NOMEM) return status;
        if (status) {
            fail_row(w, row, question, status, error->text);
            continue;
        }
        settle(w, row, question);
        add_effort(w, row, question, reads ? w->tokens[i].count : 0, 0, seconds);
    }
    return WEIR_OK;
}

/* Hidden states are read once for all tuned questions. */
static enum weir_status answer_tuned(struct work *w, struct weir_error *error)
{
    struct weir_classifier *c = w->c;
    size_t floats = c->request.n_depths * FEATURE_POOLS * c->engine->model->shape.n_embd;
    float *states = NULL;
    enum weir_status status = gather_tuned(w, error);
    if (!status && c->reads_states) {
        states = mem_zero(w->n_rows, floats * sizeof(float));
        status = states ? read_states(w, states, error) : error_nomem(error, "hidden states");
    }
    for (size_t q = 0; !status && q < c->n_questions; q++)
        if (is_tuned(&c->answerers[q])) status = decide_tuned(w, q, states, floats, error);
    free(states);
    return status;
}

static bool has_tuned(const struct weir_classifier *c)
{
    for (size_t i = 0; i < c->n_questions; i++)
        if (is_tuned(&c->answerers[i])) return true;
    return false;
}

enum weir_status weir_classify(struct weir_classifier *c, const struct weir_string *texts, size_t count,
                               struct weir_decision *decisions, double *probabilities, struct weir_error *error)
{
    struct weir_error own;
    if (!error) error = &own;
    struct work w = {.c = c, .texts = texts, .count = count, .decisions = decisions, .probabilities = probabilities};
    memset(probabilities, 0, count * c->n_probabilities * sizeof *probabilities);
    for (size_t i = 0; i < count * c->n_questions; i++)
        if (!c->answerers[i % c->n_questions].is_elsewhere) decisions[i] = (struct weir_decision){.status = WEIR_OK};
    w.tokens = mem_zero(count, sizeof *w.tokens);
    w.rows = mem_zero(count, sizeof *w.rows);
    w.seconds = mem_zero(count, sizeof *w.seconds);
    enum weir_status status = w.tokens && w.rows && w.seconds ? WEIR_OK : error_nomem(error, "classify");
    if (!status && has_tuned(c)) status = answer_tuned(&w, error);
    for (size_t q = 0; !status && q < c->n_questions; q++)
        if (c->answerers[q].scorers.count) status = answer_zeroshot(&w, q, error);
    for (size_t i = 0; w.tokens && i < count; i++) weir_tokens_free(&w.tokens[i]);
    free(w.tokens);
    free(w.rows);
    free(w.seconds);
    return status;
}
