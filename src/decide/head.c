/* logits[k] = bias[k] + sum over n-grams + sum over standardised hidden states; then calibration. */
#include "decide/head.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/features.h"

void head_scratch_free(struct head_scratch *scratch)
{
    ngram_bag_free(&scratch->bag);
    free(scratch->vector.indexes);
    free(scratch->vector.values);
    *scratch = (struct head_scratch){0};
}

static enum weir_status reserve_vector(struct head_scratch *scratch)
{
    size_t room = scratch->bag.count;
    if (room <= scratch->vector_room) return WEIR_OK;
    uint32_t *indexes = mem_resize(scratch->vector.indexes, room, sizeof *indexes);
    if (!indexes) return WEIR_ERR_NOMEM;
    scratch->vector.indexes = indexes;
    float *values = mem_resize(scratch->vector.values, room, sizeof *values);
    if (!values) return WEIR_ERR_NOMEM;
    scratch->vector.values = values;
    scratch->vector_room = room;
    return WEIR_OK;
}

/* z[k] += x * w[k] */
static void add_row(float *z, float x, const float *w, size_t classes)
{
    for (size_t k = 0; k < classes; k++) z[k] += x * w[k];
}

static enum weir_status add_ngrams(const struct profile_question *question, const struct profile_head *head,
                                   struct weir_string text, struct head_scratch *scratch, float *z,
                                   struct weir_error *error)
{
    enum weir_status status = ngram_bag_fill(&question->ngram.settings, text, &scratch->bag, error);
    if (status) return status;
    if (reserve_vector(scratch)) return error_nomem(error, "n-grams");
    ngram_vector_fill(&question->ngram, &scratch->bag, &scratch->vector);
    for (size_t i = 0; i < scratch->vector.count; i++)
        add_row(z, scratch->vector.values[i], head->ngram + (size_t)scratch->vector.indexes[i] * question->n_labels,
                question->n_labels);
    return WEIR_OK;
}

static void add_hidden(const struct weir_profile *profile, const struct profile_question *question,
                       const struct profile_head *head, const float *hidden, float *z)
{
    const float *w = head->hidden;
    for (size_t b = 0; b < question->n_blocks; b++) {
        const struct profile_block *block = &question->blocks[b];
        const float *x = hidden + ((size_t)block->depth_index * FEATURE_POOLS + block->pool) * profile->n_embd;
        for (size_t d = 0; d < profile->n_embd; d++, w += question->n_labels)
            add_row(z, (x[d] - block->mean[d]) * block->scale[d], w, question->n_labels);
    }
}

static enum weir_status answer(const struct weir_profile *profile, size_t question_index, enum weir_head_kind kind,
                               const struct calibration *calibration, struct weir_string text, const float *hidden,
                               struct head_scratch *scratch, double *probabilities, struct weir_error *error)
{
    const struct profile_question *question = &profile->questions[question_index];
    const struct profile_head *head = &question->heads[kind];
    float z[PROFILE_LABELS_MAX];
    memcpy(z, head->bias, question->n_labels * sizeof *z);
    if (head->ngram) {
        enum weir_status status = add_ngrams(question, head, text, scratch, z, error);
        if (status) return status;
    }
    if (head->hidden) add_hidden(profile, question, head, hidden, z);
    double logits[PROFILE_LABELS_MAX];
    for (size_t k = 0; k < question->n_labels; k++) logits[k] = (double)z[k];
    bool is_finite = question->is_multi
                         ? calibration_apply_multi(calibration, logits, question->n_labels, probabilities)
                         : calibration_apply(calibration, logits, question->n_labels, probabilities);
    if (!is_finite)
        return error_set(error, WEIR_ERR_FORMAT, "question %s: the text's features are not finite numbers",
                         question->name);
    return WEIR_OK;
}

enum weir_status head_decide(const struct weir_profile *profile, size_t question, enum weir_head_kind kind,
                             struct weir_string text, const float *hidden, struct head_scratch *scratch,
                             double *probabilities, struct weir_error *error)
{
    const struct calibration *calibration = &profile->questions[question].heads[kind].calibration;
    return answer(profile, question, kind, calibration, text, hidden, scratch, probabilities, error);
}

enum weir_status head_decide_raw(const struct weir_profile *profile, size_t question, enum weir_head_kind kind,
                                 struct weir_string text, const float *hidden, struct head_scratch *scratch,
                                 double *probabilities, struct weir_error *error)
{
    const struct calibration none = {.kind = WEIR_CALIBRATION_TEMPERATURE, .temperature = 1};
    return answer(profile, question, kind, &none, text, hidden, scratch, probabilities, error);
}
