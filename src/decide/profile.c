/* A profile in memory: its parts, what it tells, and which model and task it belongs to. */
#include "decide/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "decide/features.h"

static void question_close(struct profile_question *question)
{
    for (size_t k = 0; question->labels && k < question->n_labels; k++) free(question->labels[k]);
    free(question->labels);
    free(question->name);
    ngram_model_free(&question->ngram);
    for (size_t b = 0; question->blocks && b < question->n_blocks; b++) {
        free(question->blocks[b].mean);
        free(question->blocks[b].scale);
    }
    free(question->blocks);
    for (size_t h = 0; h < WEIR_HEAD_KINDS; h++) {
        free(question->heads[h].bias);
        free(question->heads[h].ngram);
        free(question->heads[h].hidden);
        calibration_free(&question->heads[h].calibration);
    }
    free(question->unseen.gold);
    free(question->unseen.predicted);
    free(question->unseen.probability);
    free(question->unseen.seen);
    free(question->certified);
}

void weir_profile_close(struct weir_profile **profile)
{
    if (!profile || !*profile) return;
    struct weir_profile *p = *profile;
    for (size_t q = 0; p->questions && q < p->n_questions; q++) question_close(&p->questions[q]);
    free(p->questions);
    for (size_t i = 0; p->extracts && i < p->n_extracts; i++) profile_extract_free(&p->extracts[i]);
    free(p->extracts);
    free(p->task_name);
    free(p);
    *profile = NULL;
}

enum weir_status weir_profile_save(const struct weir_profile *profile, const char *path, struct weir_error *error)
{
    struct strbuf bytes = STRBUF_MAX(PROFILE_FILE_BYTES_MAX);
    enum weir_status status = profile_bytes(profile, &bytes, error);
    if (!status) status = file_write_atomic(path, bytes.data, bytes.size, error);
    strbuf_free(&bytes);
    return status;
}

void weir_profile_info(const struct weir_profile *profile, struct weir_profile_info *info)
{
    *info = (struct weir_profile_info){.model_fingerprint = profile->model_fingerprint,
                                       .task_fingerprint = profile->task_fingerprint,
                                       .task_name = profile->task_name,
                                       .questions = profile->n_questions,
                                       .extracts = profile->n_extracts,
                                       .rows = profile->rows,
                                       .seed = profile->seed,
                                       .folds = profile->folds,
                                       .n_embd = profile->n_embd};
}

const char *weir_head_kind_name(enum weir_head_kind kind)
{
    static const char *const names[WEIR_HEAD_KINDS] = {"ngram", "hidden", "both"};
    return (size_t)kind < WEIR_HEAD_KINDS ? names[kind] : "unknown";
}

void weir_profile_question(const struct weir_profile *profile, size_t index, struct weir_profile_question *out)
{
    const struct profile_question *q = &profile->questions[index];
    *out = (struct weir_profile_question){.name = q->name,
                                          .n_labels = q->n_labels,
                                          .labels = (const char *const *)q->labels,
                                          .is_multi = q->is_multi,
                                          .rows = q->rows,
                                          .n_depths = q->n_depths,
                                          .depths = q->depths,
                                          .head = q->head};
}

void weir_profile_head(const struct weir_profile *profile, size_t question, enum weir_head_kind kind,
                       struct weir_head_info *out)
{
    *out = profile->questions[question].heads[kind].info;
}

void profile_question_depths(const struct weir_profile *profile, struct profile_question *question)
{
    question->n_depths = 0;
    for (uint32_t d = 0; d < profile->n_depths; d++) {
        bool used = false;
        for (size_t b = 0; b < question->n_blocks; b++) used = used || question->blocks[b].depth_index == d;
        if (used) question->depths[question->n_depths++] = profile->depths[d];
    }
}

/* The task's fingerprint: SHA-256 over length-prefixed fields, so that no two tasks spell the same bytes. */

static void add_number(struct hash *hash, uint64_t number)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> (8 * i));
    hash_add(hash, bytes, sizeof bytes);
}

static void add_text(struct hash *hash, const char *text)
{
    add_number(hash, strlen(text));
    hash_add(hash, text, strlen(text));
}

static void add_question(struct hash *hash, const struct weir_question *question)
{
    add_text(hash, question->name);
    add_text(hash, weir_question_type_name(question->type));
    add_text(hash, question->instructions);
    add_number(hash, question->none_of_these);
    add_number(hash, question->multi);
    add_number(hash, question->n_labels);
    for (size_t k = 0; k < question->n_labels; k++) {
        add_text(hash, question->labels[k].name);
        add_text(hash, question->labels[k].description);
    }
}

enum weir_status weir_task_fingerprint(const struct weir_task *task, char hex[65], struct weir_error *error)
{
    struct hash *hash = hash_open();
    if (!hash) return error_nomem(error, "task fingerprint");
    add_text(hash, "weir task fingerprint 1");
    add_text(hash, weir_task_name(task));
    add_number(hash, weir_task_question_count(task));
    for (size_t q = 0; q < weir_task_question_count(task); q++) add_question(hash, weir_task_question(task, q));
    char digits[HASH_HEX_SIZE];
    enum weir_status status = hash_finish(&hash, digits);
    if (status) return error_set(error, status, "task fingerprint: SHA-256 failed");
    memcpy(hex, digits, sizeof digits);
    return WEIR_OK;
}

/* Whether profile and model and task belong together. */

static const struct weir_question *task_find(const struct weir_task *task, const char *name)
{
    for (size_t q = 0; q < weir_task_question_count(task); q++)
        if (strcmp(weir_task_question(task, q)->name, name) == 0) return weir_task_question(task, q);
    return NULL;
}

/* Equal fingerprints make these hold for profiles that weir wrote; a file made by hand may still say otherwise. */
static enum weir_status check_question(const struct profile_question *mine, const struct weir_task *task,
                                       struct weir_error *error)
{
    const struct weir_question *question = task_find(task, mine->name);
    if (!question)
        return error_set(error, WEIR_ERR_REFUSED, "the profile has a question %s, the task does not", mine->name);
    if (question->n_labels != mine->n_labels)
        return error_set(error, WEIR_ERR_REFUSED, "question %s: the profile has %zu labels, the task %zu", mine->name,
                         mine->n_labels, question->n_labels);
    if (question->multi != mine->is_multi)
        return error_set(error, WEIR_ERR_REFUSED, "question %s: the profile was learned %s `multi`", mine->name,
                         mine->is_multi ? "with" : "without");
    for (size_t k = 0; k < mine->n_labels; k++)
        if (strcmp(mine->labels[k], question->labels[k].name) != 0)
            return error_set(error, WEIR_ERR_REFUSED, "question %s: label %zu is %s in the profile, %s in the task",
                             mine->name, k + 1, mine->labels[k], question->labels[k].name);
    return WEIR_OK;
}

enum weir_status profile_check(const struct weir_profile *profile, const char *model_fingerprint, uint32_t n_layers,
                               uint32_t n_embd, const struct weir_task *task, struct weir_error *error)
{
    char fingerprint[65];
    enum weir_status status = weir_task_fingerprint(task, fingerprint, error);
    if (status) return status;
    if (strcmp(profile->model_fingerprint, model_fingerprint) != 0)
        return error_set(error, WEIR_ERR_REFUSED,
                         "the profile was learned with another model (fingerprint %.16s..., this one is %.16s...)",
                         profile->model_fingerprint, model_fingerprint);
    for (size_t q = 0; q < profile->n_questions; q++) {
        status = check_question(&profile->questions[q], task, error);
        if (status) return status;
    }
    for (size_t i = 0; i < profile->n_extracts; i++) {
        const struct weir_question *question = task_find(task, profile->extracts[i].name);
        if (!question || question->type != WEIR_QUESTION_EXTRACT)
            return error_set(error, WEIR_ERR_REFUSED, "the profile has an extraction %s, the task does not",
                             profile->extracts[i].name);
    }
    if (strcmp(profile->task_fingerprint, fingerprint) != 0)
        return error_set(error, WEIR_ERR_REFUSED,
                         "the profile was learned for another task or wording (name, instructions, questions, labels "
                         "or descriptions; fingerprint %.16s..., this one is %.16s...): tune again",
                         profile->task_fingerprint, fingerprint);
    uint32_t deepest = profile->n_depths ? profile->depths[profile->n_depths - 1] : 0;
    if (profile->n_embd != n_embd || deepest > n_layers)
        return error_set(error, WEIR_ERR_REFUSED,
                         "the profile reads %u values after layer %u, the model has %u values and %u layers",
                         profile->n_embd, deepest, n_embd, n_layers);
    return WEIR_OK;
}
