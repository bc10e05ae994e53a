#include "decide/zeroshot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "task/prompt.h"

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

static enum weir_status tokenize_answer(struct weir_engine *engine, const char *lead, const char *text,
                                        struct weir_tokens *tokens, struct weir_error *error)
{
    char answer[WEIR_TASK_NAME_BYTES_MAX + 8];
    int size = snprintf(answer, sizeof answer, "%s%s", lead, text);
    if (size < 0 || (size_t)size >= sizeof answer)
        return error_set(error, WEIR_ERR_LIMIT, "label \"%s\" is too long", text);
    return weir_tokenize(engine->tokenizer, answer, (size_t)size, 0, tokens, error);
}

static enum weir_status build_trie(struct zeroshot *z, const struct weir_question *question, const char *lead,
                                   struct weir_error *error)
{
    struct weir_tokens *answers = mem_zero(z->n_labels, sizeof *answers);
    if (!answers) return error_nomem(error, "label tokens");
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < z->n_labels; i++) {
        char code[CODE_BYTES_MAX];
        code_text(i, code);
        const char *text = z->scoring == WEIR_SCORING_CODES ? code : question->labels[i].name;
        status = tokenize_answer(z->engine, lead, text, &answers[i], error);
    }
    if (!status)
        status = label_trie_build(answers, z->n_labels, weir_tokenizer_eos(z->engine->tokenizer), &z->trie, error);
    if (!status && zeroshot_extra_tokens(z) >= ENGINE_BATCH_TOKENS)
        status = error_set(error, WEIR_ERR_LIMIT,
                           "question %s: the label names need %zu tokens (at most %d); use `scoring: codes`",
                           question->name, z->trie.n_tree, ENGINE_BATCH_TOKENS);
    for (size_t i = 0; i < z->n_labels; i++) weir_tokens_free(&answers[i]);
    free(answers);
    return status;
}

/* ---- prompt ---- */

/* Special tokens are parsed in the template's own pieces alone: text from the task or a row can never become one. */
static enum weir_status tokenize_pieces(const struct weir_engine *engine, const struct template_piece *pieces,
                                        size_t count, struct weir_tokens *tokens, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < count; i++)
        status = weir_tokenize(engine->tokenizer, pieces[i].text, pieces[i].size,
                               pieces[i].from_template ? WEIR_TOKENIZE_SPECIAL : 0, tokens, error);
    return status;
}

static enum weir_status build_prompt(struct zeroshot *z, const struct weir_question *question, struct prompt *prompt,
                                     struct weir_error *error)
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
        status =
            prompt_build(question, z->scoring == WEIR_SCORING_CODES ? codes : NULL, source, bos, eos, prompt, error);
    free(codes);
    free(texts);
    return status;
}

/* BOS where the vocabulary asks for it and the template did not write it itself. */
static enum weir_status prefix_tokens(const struct zeroshot *z, const struct prompt *prompt, struct weir_tokens *tokens,
                                      struct weir_error *error)
{
    struct weir_tokens body = {0};
    enum weir_status status = engine_bos_tokens(z->engine, tokens, error);
    if (!status) status = tokenize_pieces(z->engine, prompt->prefix, prompt->n_prefix, &body, error);
    if (!status && tokens->count && body.count && body.ids[0] == tokens->ids[0]) tokens->count = 0;
    if (!status) status = tokens_append(tokens, body.ids, body.count, error);
    weir_tokens_free(&body);
    return status;
}

static enum weir_status prefill(struct zeroshot *z, const struct prompt *prompt, struct weir_error *error)
{
    struct weir_engine *engine = z->engine;
    struct weir_tokens tokens = {0};
    enum weir_status status = prefix_tokens(z, prompt, &tokens, error);
    if (!status) status = tokenize_pieces(engine, prompt->suffix, prompt->n_suffix, &z->suffix, error);
    if (!status && tokens.count + zeroshot_extra_tokens(z) >= engine->ctx_tokens)
        status = error_set(error, WEIR_ERR_TOO_LONG, "the instructions and labels take %zu tokens, the context has %u",
                           tokens.count, engine->ctx_tokens);
    if (!status)
        status =
            kv_open(&engine->model->shape, engine->kv_type, (uint32_t)tokens.count, false, NULL, &z->prefix, error);
    if (!status) status = engine_append(engine, z->prefix, tokens.ids, tokens.count, false, NULL, error);
    weir_tokens_free(&tokens);
    return status;
}

/* ---- one pass ---- */

struct pass {
    int32_t ids[ENGINE_BATCH_TOKENS];
    struct batch_sequence sequences[ENGINE_BATCH_TOKENS];
    uint32_t outputs[ENGINE_BATCH_TOKENS];
    size_t rows[ENGINE_BATCH_TOKENS];
    uint32_t n_tokens, n_sequences, n_outputs;
    int32_t parents[ENGINE_BATCH_TOKENS]; /* of each sequence, at its first token */
    float *logits;                        /* [trie choices] */
    double *scratch;                      /* [trie nodes] */
};

static void close_nodes(struct pass *pass)
{
    for (uint32_t i = 0; i < pass->n_sequences; i++) kv_close(&pass->sequences[i].kv);
    pass->n_tokens = pass->n_sequences = pass->n_outputs = 0;
}

/* Adds text[from..], suffix and trie as one sequence on `kv` (owned by the pass from here on). */
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

/* log probabilities of the trie, minus the prior, normalised. */
static void finish_row(const struct zeroshot *z, double *scratch, const float *logits, double *probabilities)
{
    label_trie_score(&z->trie, logits, scratch, probabilities);
    double highest = -INFINITY, sum = 0;
    for (size_t i = 0; i < z->n_labels; i++) {
        probabilities[i] -= z->log_prior[i];
        if (probabilities[i] > highest) highest = probabilities[i];
    }
    for (size_t i = 0; i < z->n_labels; i++) sum += probabilities[i] = exp(probabilities[i] - highest);
    for (size_t i = 0; i < z->n_labels; i++) probabilities[i] /= sum;
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
    const struct label_trie *trie = &z->trie;
    for (uint32_t s = 0; !status && s < pass->n_sequences; s++) {
        for (uint32_t b = 0; b < trie->n_branches; b++) {
            const struct label_branch *branch = &trie->branches[b];
            forward_logits_of(z->engine->forward, s * (uint32_t)trie->n_branches + b,
                              trie->choice_tokens + branch->first, branch->n_choices, pass->logits + branch->first);
        }
        finish_row(z, pass->scratch, pass->logits, probabilities + pass->rows[s] * z->n_labels);
    }
    double took = clock_seconds() - start;
    for (uint32_t s = 0; !status && seconds && s < pass->n_sequences; s++) seconds[pass->rows[s]] += took;
    close_nodes(pass);
    return status;
}

/* A row: text and suffix one after the other; all but what fits the last pass together with the trie is appended first. */
static enum weir_status add_row(struct zeroshot *z, struct pass *pass, size_t row, const struct weir_tokens *text,
                                double *seconds, struct weir_error *error)
{
    struct weir_tokens chain = {0};
    enum weir_status status = tokens_append(&chain, text->ids, text->count, error);
    if (!status) status = tokens_append(&chain, z->suffix.ids, z->suffix.count, error);
    size_t room = ENGINE_BATCH_TOKENS - z->trie.n_tree, early = chain.count > room ? chain.count - room : 0;
    struct kv *kv = NULL;
    if (!status)
        status = kv_open(&z->engine->model->shape, z->engine->kv_type, (uint32_t)(chain.count + z->trie.n_tree),
                         early == 0, z->prefix, &kv, error);
    if (!status && early) {
        double start = clock_seconds();
        status = engine_append(z->engine, kv, chain.ids, early, false, NULL, error);
        if (seconds) seconds[row] = clock_seconds() - start;
    }
    if (!status)
        add_sequence(z, pass, row, kv, chain.ids + early, chain.count - early);
    else
        kv_close(&kv);
    weir_tokens_free(&chain);
    return status;
}

enum weir_status zeroshot_decide(struct zeroshot *z, const struct weir_tokens *texts, size_t count,
                                 double *probabilities, double *seconds, struct weir_error *error)
{
    struct pass *pass = mem_zero(1, sizeof *pass);
    if (pass) {
        pass->logits = mem_zero(z->trie.n_choices, sizeof *pass->logits);
        pass->scratch = mem_zero(z->trie.n_nodes, sizeof *pass->scratch);
    }
    enum weir_status status = pass && pass->logits && pass->scratch ? WEIR_OK : error_nomem(error, "zero-shot pass");
    for (size_t i = 0; !status && i < count; i++) {
        if (seconds) seconds[i] = 0;
        size_t tokens = texts[i].count + zeroshot_extra_tokens(z);
        if (pass->n_tokens + tokens > ENGINE_BATCH_TOKENS) status = run_pass(z, pass, probabilities, seconds, error);
        if (!status) status = add_row(z, pass, i, &texts[i], seconds, error);
    }
    if (!status) status = run_pass(z, pass, probabilities, seconds, error);
    if (pass) {
        close_nodes(pass);
        free(pass->logits);
        free(pass->scratch);
    }
    free(pass);
    return status;
}

/* ---- prior ---- */

static enum weir_status measure_prior(struct zeroshot *z, struct weir_error *error)
{
    struct weir_tokens texts[NEUTRAL_TEXTS] = {{0}};
    double *probabilities = mem_zero(NEUTRAL_TEXTS * z->n_labels, sizeof *probabilities);
    double *mean = mem_zero(z->n_labels, sizeof *mean);
    enum weir_status status = probabilities && mean ? WEIR_OK : error_nomem(error, "label prior");
    for (size_t i = 0; !status && i < NEUTRAL_TEXTS; i++)
        status = weir_tokenize(z->engine->tokenizer, neutral_texts[i], strlen(neutral_texts[i]), 0, &texts[i], error);
    if (!status) status = zeroshot_decide(z, texts, NEUTRAL_TEXTS, probabilities, NULL, error);
    for (size_t i = 0; !status && i < z->n_labels; i++) {
        for (size_t t = 0; t < NEUTRAL_TEXTS; t++)
            mean[i] += probabilities[t * z->n_labels + i] / (double)NEUTRAL_TEXTS;
        z->log_prior[i] = log(mean[i] > 1e-12 ? mean[i] : 1e-12);
    }
    for (size_t i = 0; i < NEUTRAL_TEXTS; i++) weir_tokens_free(&texts[i]);
    free(probabilities);
    free(mean);
    return status;
}

/* ---- open and close ---- */

static enum weir_status open_parts(struct zeroshot *z, const struct weir_question *question, struct weir_error *error)
{
    z->log_prior = mem_zero(z->n_labels, sizeof *z->log_prior);
    if (!z->log_prior) return error_nomem(error, "zero-shot question");
    struct prompt prompt = {0};
    enum weir_status status = build_prompt(z, question, &prompt, error);
    if (!status) status = build_trie(z, question, prompt.answer_lead, error);
    if (!status) status = prefill(z, &prompt, error);
    if (!status) status = measure_prior(z, error);
    prompt_free(&prompt);
    return status;
}

enum weir_status zeroshot_open(struct weir_engine *engine, const struct weir_question *question, struct zeroshot **out,
                               struct weir_error *error)
{
    if (question->n_labels == 0 || question->multi)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "question %s: type %s%s is not answered yet", question->name,
                         weir_question_type_name(question->type), question->multi ? " with `multi`" : "");
    struct zeroshot *z = mem_zero(1, sizeof *z);
    if (!z) return error_nomem(error, "zero-shot question");
    z->engine = engine;
    z->n_labels = question->n_labels;
    z->scoring = question->scoring == WEIR_SCORING_AUTO ? ZEROSHOT_SCORING_DEFAULT : question->scoring;
    engine_lock(engine);
    enum weir_status status = open_parts(z, question, error);
    engine_unlock(engine);
    if (status) {
        zeroshot_close(&z);
        return status;
    }
    *out = z;
    return WEIR_OK;
}

void zeroshot_close(struct zeroshot **handle)
{
    struct zeroshot *z = *handle;
    if (!z) return;
    engine_lock(z->engine);
    kv_close(&z->prefix);
    engine_unlock(z->engine);
    weir_tokens_free(&z->suffix);
    label_trie_free(&z->trie);
    free(z->log_prior);
    free(z);
    *handle = NULL;
}

size_t zeroshot_extra_tokens(const struct zeroshot *z)
{
    return z->suffix.count + z->trie.n_tree;
}

size_t zeroshot_text_tokens_max(const struct zeroshot *z)
{
    return z->engine->ctx_tokens - kv_end(z->prefix) - zeroshot_extra_tokens(z);
}
