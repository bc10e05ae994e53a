#include "decide/zeroshot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

/* Content-free texts whose answers make the prior. */
static const char *const neutral_texts[] = {"N/A", "...", "?", "none"};
enum { NEUTRAL_TEXTS = sizeof neutral_texts / sizeof *neutral_texts };

/* ---- answers ---- */

enum { CODE_BYTES_MAX = 3 };

/* Code number `index` of the sequence A .. Z, AA, AB .. ZZ. */
static void code_text(size_t index, char code[CODE_BYTES_MAX])
{
    size_t at = 0;
    if (index >= 26) code[at++] = (char)('A' + (index / 26 - 1) % 26);
    code[at++] = (char)('A' + index % 26);
    code[at] = 0;
}

/* An answer follows the prompt: after a template it begins a turn, in the plain format it continues the line. */
static enum weir_status tokenize_answer(const struct zeroshot *z, const char *text, struct weir_tokens *tokens,
                                        struct weir_error *error)
{
    struct resume_point here = {.continues = !z->prompt.has_template};
    struct weir_text_piece pieces[] = {{z->prompt.answer_lead, strlen(z->prompt.answer_lead), false},
                                       {text, strlen(text), false}};
    return resume_point_tokenize(z->engine->tokenizer, &here, pieces, 2, tokens, error);
}

static enum weir_status build_trie(struct zeroshot *z, const struct weir_question *question, struct weir_error *error)
{
    struct weir_tokens *answers = mem_zero(z->n_labels, sizeof *answers);
    if (!answers) return error_nomem(error, "label tokens");
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < z->n_labels; i++) {
        char code[CODE_BYTES_MAX];
        code_text(i, code);
        const char *text = z->scoring == WEIR_SCORING_CODES ? code : question->labels[i].name;
        status = tokenize_answer(z, text, &answers[i], error);
    }
    if (!status)
        status = label_trie_build(answers, z->n_labels, weir_tokenizer_eos(z->engine->tokenizer), &z->trie, error);
    if (!status && z->trie.n_tree >= ENGINE_BATCH_TOKENS)
        status = error_set(error, WEIR_ERR_LIMIT,
                           "question %s: the label names need %zu tokens (at most %d); use `scoring: codes`",
                           question->name, z->trie.n_tree, ENGINE_BATCH_TOKENS - 1);
    if (!status)
        status = candidates_open(z->engine->model, z->trie.choice_tokens, z->trie.n_choices, &z->candidates, error);
    for (size_t i = 0; i < z->n_labels; i++) weir_tokens_free(&answers[i]);
    free(answers);
    return status;
}

/* ---- prompt ---- */

static enum weir_status build_prompt(struct zeroshot *z, const struct weir_question *question, struct weir_error *error)
{
    char(*texts)[CODE_BYTES_MAX] = mem_zero(z->n_labels, sizeof *texts);
    const char **codes = mem_zero(z->n_labels, sizeof *codes);
    enum weir_status status = texts && codes ? WEIR_OK : error_nomem(error, "label codes");
    for (size_t i = 0; !status && i < z->n_labels; i++) {
        code_text(i, texts[i]);
        codes[i] = texts[i];
    }
    const struct weir_tokenizer *tokenizer = z->engine->tokenizer;
    struct weir_string source = {0}, bos = weir_token_text(tokenizer, weir_tokenizer_bos(tokenizer)),
                       eos = weir_token_text(tokenizer, weir_tokenizer_eos(tokenizer));
    (void)weir_gguf_as_string(weir_gguf_find(z->engine->gguf, "tokenizer.chat_template"), &source);
    if (!status)
        status = prompt_build(question, z->scoring == WEIR_SCORING_CODES ? codes : NULL, source, bos, eos, &z->prompt,
                              error);
    if (!status) status = prompt_tokens_open(z->engine, &z->prompt, &z->tokens, error);
    free(codes);
    free(texts);
    return status;
}

static enum weir_status prefill(struct zeroshot *z, struct weir_error *error)
{
    struct weir_engine *engine = z->engine;
    const struct weir_tokens *shared = &z->tokens.shared;
    if (shared->count + z->trie.n_tree >= engine->ctx_tokens)
        return error_set(error, WEIR_ERR_TOO_LONG, "the instructions and labels take %zu tokens, the context has %u",
                         shared->count, engine->ctx_tokens);
    enum weir_status status =
        kv_open(&engine->model->shape, engine->kv_type, (uint32_t)shared->count, false, NULL, &z->prefix, error);
    return status ? status : engine_append(engine, z->prefix, shared->ids, shared->count, false, NULL, error);
}

enum weir_status zeroshot_tokenize(const struct zeroshot *z, struct weir_string text, struct weir_tokens *tokens,
                                   struct weir_error *error)
{
    size_t count_before = tokens->count;
    enum weir_status status = prompt_tokens_of_row(&z->tokens, text, tokens, error);
    if (status) return status;
    size_t need = z->tokens.n_settled + tokens->count - count_before + z->trie.n_tree;
    if (need <= z->engine->ctx_tokens) return WEIR_OK;
    tokens->count = count_before;
    return error_set(error, WEIR_ERR_TOO_LONG, "its prompt takes %zu tokens, the context has %u", need,
                     z->engine->ctx_tokens);
}

size_t zeroshot_prefix_tokens(const struct zeroshot *z, const struct weir_tokens *row)
{
    return z->tokens.n_settled + prompt_tokens_common(&z->tokens, row);
}

size_t zeroshot_fresh_tokens(const struct zeroshot *z, const struct weir_tokens *row)
{
    return row->count - prompt_tokens_common(&z->tokens, row) + z->trie.n_tree;
}

/* ---- one pass ---- */

struct pass {
    int32_t ids[ENGINE_BATCH_TOKENS];
    struct batch_sequence sequences[ENGINE_BATCH_TOKENS];
    uint32_t outputs[ENGINE_BATCH_TOKENS];
    size_t rows[ENGINE_BATCH_TOKENS];
    uint32_t n_tokens, n_sequences, n_outputs;
    int32_t parents[ENGINE_BATCH_TOKENS]; /* of each sequence, at its first token */
    float *logits;                        /* [outputs, trie choices] */
    float *row_logits;                    /* [trie choices] */
    double *scratch;                      /* [trie nodes] */
    double *listed;                       /* [labels], as the prompt lists them */
};

static void close_nodes(struct pass *pass)
{
    for (uint32_t i = 0; i < pass->n_sequences; i++) kv_close(&pass->sequences[i].kv);
    pass->n_tokens = pass->n_sequences = pass->n_outputs = 0;
}

/* Adds the rest of a row's prompt and the trie as one sequence on `kv` (owned by the pass from here on). */
static void add_sequence(const struct zeroshot *z, struct pass *pass, size_t row, struct kv *kv, const int32_t *chain,
                         size_t n_chain)
{
    const struct label_trie *trie = &z->trie;
    uint32_t first = pass->n_tokens;
    memcpy(pass->ids + first, chain, n_chain * sizeof *chain);
    for (size_t i = 0; i < n_chain; i++) pass->parents[first + i] = (int32_t)i - 1;
    for (size_t i = 0; i < trie->n_tree; i++) {
        pass->ids[first + n_chain + i] = trie->tree_ids[i];
        pass->parents[first + n_chain + i] = (int32_t)n_chain + trie->tree_parents[i];
    }
    pass->sequences[pass->n_sequences] =
        (struct batch_sequence){.kv = kv,
                                .first = first,
                                .count = (uint32_t)(n_chain + trie->n_tree),
                                .parents = trie->n_tree ? pass->parents + first : NULL};
    for (size_t i = 0; i < trie->n_branches; i++)
        pass->outputs[pass->n_outputs++] = first + (uint32_t)((int32_t)n_chain + trie->branches[i].tree_index);
    pass->rows[pass->n_sequences++] = row;
    pass->n_tokens += (uint32_t)(n_chain + trie->n_tree);
}

/* log probabilities of the trie, minus the prior, normalised. listed: [n_labels] scratch. */
static void finish_row(const struct zeroshot *z, double *scratch, double *listed, const float *logits,
                       double *probabilities)
{
    label_trie_score(&z->trie, logits, scratch, listed);
    double highest = -INFINITY, sum = 0;
    for (size_t i = 0; i < z->n_labels; i++) {
        size_t label = z->order[i];
        probabilities[label] = listed[i] - z->log_prior[label];
        if (probabilities[label] > highest) highest = probabilities[label];
    }
    for (size_t i = 0; i < z->n_labels; i++) sum += probabilities[i] = exp(probabilities[i] - highest);
    for (size_t i = 0; i < z->n_labels; i++) probabilities[i] /= sum;
}

/* all: [branches, choices]; each choice's logit at its own branch. */
static void take_logits(const struct label_trie *trie, const float *all, float *out)
{
    for (size_t b = 0; b < trie->n_branches; b++) {
        const struct label_branch *branch = &trie->branches[b];
        memcpy(out + branch->first, all + b * trie->n_choices + branch->first, branch->n_choices * sizeof *out);
    }
}

static enum weir_status run_pass(struct zeroshot *z, struct pass *pass, double *probabilities, double *seconds,
                                 struct weir_error *error)
{
    if (!pass->n_sequences) return WEIR_OK;
    struct batch batch = {.ids = pass->ids,
                          .n_tokens = pass->n_tokens,
                          .sequences = pass->sequences,
                          .n_sequences = pass->n_sequences,
                          .outputs = pass->outputs,
                          .n_outputs = pass->n_outputs};
    double start = clock_seconds();
    enum weir_status status = forward_run(z->engine->forward, &batch, error);
    if (!status) forward_logits(z->engine->forward, &z->candidates.matrix, pass->logits);
    for (uint32_t s = 0; !status && s < pass->n_sequences; s++) {
        take_logits(&z->trie, pass->logits + (size_t)s * z->trie.n_branches * z->trie.n_choices, pass->row_logits);
        finish_row(z, pass->scratch, pass->listed, pass->row_logits, probabilities + pass->rows[s] * z->n_labels);
    }
    double took = clock_seconds() - start;
    for (uint32_t s = 0; !status && seconds && s < pass->n_sequences; s++) seconds[pass->rows[s]] += took;
    close_nodes(pass);
    return status;
}

/* A row: it forks from the shared prefix; all but what fits the last pass together with the trie is appended first. */
static enum weir_status add_row(struct zeroshot *z, struct pass *pass, size_t row, const struct weir_tokens *tokens,
                                double *seconds, struct weir_error *error)
{
    size_t common = prompt_tokens_common(&z->tokens, tokens), count = tokens->count - common;
    const int32_t *chain = tokens->ids + common;
    size_t room = ENGINE_BATCH_TOKENS - z->trie.n_tree, early = count > room ? count - room : 0;
    struct kv *kv = NULL;
    enum weir_status status = kv_fork(&z->engine->model->shape, (uint32_t)(count + z->trie.n_tree), early == 0,
                                      z->prefix, (uint32_t)(z->tokens.n_settled + common), &kv, error);
    if (!status && early) {
        double start = clock_seconds();
        status = engine_append(z->engine, kv, chain, early, false, NULL, error);
        if (seconds) seconds[row] = clock_seconds() - start;
    }
    if (status)
        kv_close(&kv);
    else
        add_sequence(z, pass, row, kv, chain + early, count - early);
    return status;
}

enum weir_status zeroshot_decide(struct zeroshot *z, const struct weir_tokens *rows, size_t count,
                                 double *probabilities, double *seconds, struct weir_error *error)
{
    struct pass *pass = mem_zero(1, sizeof *pass);
    if (pass) {
        pass->logits = mem_zero(ENGINE_BATCH_TOKENS, z->trie.n_choices * sizeof *pass->logits);
        pass->row_logits = mem_zero(z->trie.n_choices, sizeof *pass->row_logits);
        pass->scratch = mem_zero(z->trie.n_nodes, sizeof *pass->scratch);
    }
    if (pass) pass->listed = mem_zero(z->n_labels, sizeof *pass->listed);
    bool ok = pass && pass->logits && pass->row_logits && pass->scratch && pass->listed;
    enum weir_status status = ok ? WEIR_OK : error_nomem(error, "zero-shot pass");
    for (size_t i = 0; !status && i < count; i++) {
        if (seconds) seconds[i] = 0;
        if (pass->n_tokens + zeroshot_fresh_tokens(z, &rows[i]) > ENGINE_BATCH_TOKENS)
            status = run_pass(z, pass, probabilities, seconds, error);
        if (!status) status = add_row(z, pass, i, &rows[i], seconds, error);
    }
    if (!status) status = run_pass(z, pass, probabilities, seconds, error);
    if (pass) {
        close_nodes(pass);
        free(pass->logits);
        free(pass->row_logits);
        free(pass->scratch);
        free(pass->listed);
    }
    free(pass);
    return status;
}

/* ---- prior ---- */

void zeroshot_drop_prior(struct zeroshot *z)
{
    for (size_t i = 0; i < z->n_labels; i++) z->log_prior[i] = 0;
}

enum weir_status zeroshot_measure_prior(struct zeroshot *z, const struct weir_tokens *rows, size_t count,
                                        struct weir_error *error)
{
    const double least = 1e-12; /* a label that is never given must not divide by nothing */
    double *probabilities = mem_zero(count * z->n_labels, sizeof *probabilities);
    if (!probabilities) return error_nomem(error, "label prior");
    zeroshot_drop_prior(z);
    enum weir_status status = zeroshot_decide(z, rows, count, probabilities, NULL, error);
    for (size_t i = 0; !status && i < z->n_labels; i++) {
        double mean = 0;
        for (size_t t = 0; t < count; t++) mean += probabilities[t * z->n_labels + i] / (double)count;
        z->log_prior[i] = log(mean > least ? mean : least);
    }
    free(probabilities);
    return status;
}

static enum weir_status measure_neutral(struct zeroshot *z, struct weir_error *error)
{
    struct weir_tokens rows[NEUTRAL_TEXTS] = {{0}};
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < NEUTRAL_TEXTS; i++)
        status =
            zeroshot_tokenize(z, (struct weir_string){neutral_texts[i], strlen(neutral_texts[i])}, &rows[i], error);
    if (!status) status = zeroshot_measure_prior(z, rows, NEUTRAL_TEXTS, error);
    for (size_t i = 0; i < NEUTRAL_TEXTS; i++) weir_tokens_free(&rows[i]);
    return status;
}

/* ---- open and close ---- */

static void drop_prompt(struct zeroshot *z)
{
    prompt_tokens_free(&z->tokens);
    prompt_free(&z->prompt);
    label_trie_free(&z->trie);
    candidates_free(&z->candidates);
}

static enum weir_status build(struct zeroshot *z, const struct weir_question *question, enum weir_scoring scoring,
                              struct weir_error *error)
{
    z->scoring = scoring;
    enum weir_status status = build_prompt(z, question, error);
    return status ? status : build_trie(z, question, error);
}

/* `question` has its labels as the prompt lists them. `auto` means names, or codes where the names take more tokens than a pass has. */
static enum weir_status open_parts(struct zeroshot *z, const struct weir_question *question, struct weir_error *error)
{
    bool is_auto = question->scoring == WEIR_SCORING_AUTO;
    enum weir_status status = build(z, question, is_auto ? WEIR_SCORING_NAMES : question->scoring, error);
    if (status == WEIR_ERR_LIMIT && is_auto) {
        drop_prompt(z);
        status = build(z, question, WEIR_SCORING_CODES, error);
    }
    if (!status) status = prefill(z, error);
    return status ? status : measure_neutral(z, error);
}

static enum weir_status open_listed(struct zeroshot *z, const struct weir_question *question, const size_t *order,
                                    struct weir_error *error)
{
    struct weir_question listed = *question;
    struct weir_label *labels = mem_zero(z->n_labels, sizeof *labels);
    z->order = mem_zero(z->n_labels, sizeof *z->order);
    z->log_prior = mem_zero(z->n_labels, sizeof *z->log_prior);
    enum weir_status status = labels && z->order && z->log_prior ? WEIR_OK : error_nomem(error, "zero-shot question");
    for (size_t i = 0; !status && i < z->n_labels; i++) {
        z->order[i] = order ? order[i] : i;
        labels[i] = question->labels[z->order[i]];
    }
    listed.labels = labels;
    if (!status) {
        engine_lock(z->engine);
        status = open_parts(z, &listed, error);
        engine_unlock(z->engine);
    }
    free(labels);
    return status;
}

static enum weir_status check_question(const struct weir_question *question, struct weir_error *error)
{
    if (question->type == WEIR_QUESTION_SUMMARIZE || question->type == WEIR_QUESTION_GENERATE)
        return error_set(error, WEIR_ERR_UNSUPPORTED,
                         "question %s: it is answered in words, not by labels (weir decide)", question->name);
    if (question->n_labels == 0 || question->multi)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "question %s: type %s%s is not answered yet", question->name,
                         weir_question_type_name(question->type), question->multi ? " with `multi`" : "");
    return WEIR_OK;
}

enum weir_status zeroshot_open_ordered(struct weir_engine *engine, const struct weir_question *question,
                                       const size_t *order, struct zeroshot **out, struct weir_error *error)
{
    enum weir_status status = check_question(question, error);
    if (status) return status;
    struct zeroshot *z = mem_zero(1, sizeof *z);
    if (!z) return error_nomem(error, "zero-shot question");
    z->engine = engine;
    z->n_labels = question->n_labels;
    status = open_listed(z, question, order, error);
    if (status) {
        zeroshot_close(&z);
        return status;
    }
    *out = z;
    return WEIR_OK;
}

enum weir_status zeroshot_open(struct weir_engine *engine, const struct weir_question *question, struct zeroshot **out,
                               struct weir_error *error)
{
    return zeroshot_open_ordered(engine, question, NULL, out, error);
}

void zeroshot_close(struct zeroshot **handle)
{
    struct zeroshot *z = *handle;
    if (!z) return;
    engine_lock(z->engine);
    kv_close(&z->prefix);
    engine_unlock(z->engine);
    drop_prompt(z);
    free(z->order);
    free(z->log_prior);
    free(z);
    *handle = NULL;
}
