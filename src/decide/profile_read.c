/* Reading a profile from a file that is not trusted; the writer is profile_write.c, the layout is in docs/tune.md.
 * gguf_open has checked that every tensor lies inside the file; here: types, shapes, ranges, finiteness. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "decide/features.h"
#include "decide/profile.h"
#include "decide/profile_in.h"

static bool all_within(const float *values, size_t count, float least, float most)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] < least || values[i] > most) return false;
    return true;
}

static enum weir_status read_buckets(const struct in *in, struct ngram_model *model)
{
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%s.ngram.buckets", in->question);
    const struct weir_gguf_tensor *t = weir_gguf_find_tensor(in->gguf, name);
    if (!t || t->n_dims != 1 || t->dims[0] == 0 || t->type != WEIR_TENSOR_I32)
        return in_bad(in, name, "missing, empty or no list of integers");
    model->count = (size_t)t->dims[0];
    model->buckets = mem_zero(model->count, sizeof *model->buckets);
    if (!model->buckets) return in_no_memory(in);
    for (size_t i = 0; i < model->count; i++) {
        model->buckets[i] = (uint32_t)load_le(t->data + 4 * i, 4);
        if (model->buckets[i] >> model->settings.bits || (i && model->buckets[i] <= model->buckets[i - 1]))
            return in_bad(in, name, "not rising, or out of range");
    }
    return WEIR_OK;
}

static enum weir_status read_ngram(const struct in *in, struct ngram_model *model)
{
    char name[NAME_MAX_BYTES];
    uint32_t s[5];
    size_t count = 0;
    enum weir_status status = in_u32s(in, in_key(name, in, "ngram.settings"), 5, s, &count);
    if (status) return status;
    if (count != 5) return in_bad(in, name, "expected 5 numbers");
    model->settings =
        (struct ngram_settings){.bits = s[0], .word_min = s[1], .word_max = s[2], .char_min = s[3], .char_max = s[4]};
    struct weir_error wrong;
    if (ngram_settings_check(&model->settings, &wrong)) return in_bad(in, "ngram.settings", wrong.text);
    status = read_buckets(in, model);
    if (!status) status = in_floats(in, "ngram.idf", model->count, 1, &model->idf);
    /* ln((1 + rows) / (1 + rows with it)) + 1; ln(2^64) is below 45 */
    if (!status && !all_within(model->idf, model->count, 1, 46)) status = in_bad(in, "ngram.idf", "out of range");
    return status;
}

static enum weir_status read_block(const struct in *in, const struct weir_profile *profile, size_t index,
                                   struct profile_block *block)
{
    char rest[32];
    if (block->depth_index >= profile->n_depths || block->pool >= FEATURE_POOLS)
        return in_bad(in, "blocks", "depth or pool out of range");
    (void)snprintf(rest, sizeof rest, "block%zu.mean", index);
    enum weir_status status = in_floats(in, rest, profile->n_embd, 1, &block->mean);
    (void)snprintf(rest, sizeof rest, "block%zu.scale", index);
    if (!status) status = in_floats(in, rest, profile->n_embd, 1, &block->scale);
    if (!status && !all_within(block->scale, profile->n_embd, 0, FLT_MAX))
        status = in_bad(in, rest, "a value is negative");
    return status;
}

static enum weir_status read_blocks(const struct in *in, const struct weir_profile *profile,
                                    struct profile_question *question)
{
    char name[NAME_MAX_BYTES];
    uint32_t pairs[2 * PROFILE_BLOCKS_MAX];
    size_t count = 0;
    enum weir_status status = in_u32s(in, in_key(name, in, "blocks"), 2 * PROFILE_BLOCKS_MAX, pairs, &count);
    if (status) return status;
    if (count == 0 || count % 2) return in_bad(in, name, "expected pairs of numbers");
    question->blocks = mem_zero(count / 2, sizeof *question->blocks);
    if (!question->blocks) return in_no_memory(in);
    question->n_blocks = count / 2;
    for (size_t b = 0; b < question->n_blocks && !status; b++) {
        question->blocks[b].depth_index = pairs[2 * b];
        question->blocks[b].pool = pairs[2 * b + 1];
        status = read_block(in, profile, b, &question->blocks[b]);
    }
    return status;
}

static enum weir_status read_head_numbers(const struct in *in, enum weir_head_kind kind, struct weir_head_info *info)
{
    const double large = 1e30;
    const struct {
        const char *name;
        double min, max;
        double *out;
    } numbers[] = {{"l2", 0, large, &info->l2},
                   {"ngram_weight", 0, large, &info->ngram_weight},
                   {"hidden_weight", 0, large, &info->hidden_weight},
                   {"temperature", 1e-6, 1e6, &info->temperature},
                   {"accuracy", 0, 1, &info->accuracy},
                   {"log_loss", 0, large, &info->log_loss},
                   {"ece", 0, 1, &info->ece}};
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++) {
        char rest[64], name[NAME_MAX_BYTES];
        (void)snprintf(rest, sizeof rest, "%s.%s", weir_head_kind_name(kind), numbers[i].name);
        status = in_f64(in, in_key(name, in, rest), numbers[i].min, numbers[i].max, numbers[i].out);
    }
    return status;
}

static enum weir_status read_head(const struct in *in, const struct weir_profile *profile,
                                  const struct profile_question *question, enum weir_head_kind kind,
                                  struct profile_head *head)
{
    char rest[64];
    enum weir_status status = read_head_numbers(in, kind, &head->info);
    (void)snprintf(rest, sizeof rest, "%s.bias", weir_head_kind_name(kind));
    if (!status) status = in_floats(in, rest, question->n_labels, 1, &head->bias);
    (void)snprintf(rest, sizeof rest, "%s.ngram", weir_head_kind_name(kind));
    if (!status && kind != WEIR_HEAD_HIDDEN)
        status = in_floats(in, rest, question->n_labels, question->ngram.count, &head->ngram);
    (void)snprintf(rest, sizeof rest, "%s.hidden", weir_head_kind_name(kind));
    if (!status && kind != WEIR_HEAD_NGRAM)
        status = in_floats(in, rest, question->n_labels, question->n_blocks * profile->n_embd, &head->hidden);
    if (!status)
        status = profile_read_calibration(in, weir_head_kind_name(kind), question->n_labels, head->info.temperature,
                                          &head->calibration);
    head->info.calibration = head->calibration.kind;
    return status;
}

static enum weir_status read_labels(const struct in *in, struct profile_question *question)
{
    char name[NAME_MAX_BYTES];
    const struct weir_gguf_value *value = weir_gguf_find(in->gguf, in_key(name, in, "labels"));
    size_t count = weir_gguf_array_count(value);
    if (count < WEIR_TASK_LABELS_MIN || count > PROFILE_LABELS_MAX) return in_bad(in, name, "expected 2..255 labels");
    question->labels = mem_zero(count, sizeof *question->labels);
    if (!question->labels) return in_no_memory(in);
    question->n_labels = count;
    for (size_t k = 0; k < count; k++) {
        struct weir_string label;
        if (!weir_gguf_array_string(value, k, &label)) return in_bad(in, name, "not an array of texts");
        enum weir_status status = in_copy_text(in, name, label, WEIR_TASK_NAME_BYTES_MAX, &question->labels[k]);
        if (status) return status;
        for (size_t j = 0; j < k; j++)
            if (strcmp(question->labels[j], question->labels[k]) == 0) return in_bad(in, name, "a label comes twice");
    }
    return WEIR_OK;
}

static enum weir_status read_head_kind(const struct in *in, enum weir_head_kind *out)
{
    char name[NAME_MAX_BYTES];
    struct weir_string text;
    if (!weir_gguf_as_string(weir_gguf_find(in->gguf, in_key(name, in, "head")), &text))
        return in_bad(in, name, "missing or no text");
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
        const char *word = weir_head_kind_name((enum weir_head_kind)kind);
        if (text.size != strlen(word) || memcmp(text.data, word, text.size) != 0) continue;
        *out = (enum weir_head_kind)kind;
        return WEIR_OK;
    }
    return in_bad(in, name, "not ngram, hidden or both");
}

/* Absent: false. */
static enum weir_status read_multi(const struct in *in, bool *is_multi)
{
    char name[NAME_MAX_BYTES];
    uint64_t value = 0;
    if (!weir_gguf_find(in->gguf, in_key(name, in, "multi"))) return WEIR_OK;
    enum weir_status status = in_u64(in, name, 1, 1, &value);
    *is_multi = value == 1;
    return status;
}

static enum weir_status read_question(struct in *in, const struct weir_profile *profile, size_t index)
{
    struct profile_question *question = &profile->questions[index];
    char name[NAME_MAX_BYTES];
    uint64_t rows = 0;
    (void)snprintf(in->question, sizeof in->question, "q%zu", index);
    enum weir_status status = in_text(in, in_key(name, in, "name"), WEIR_TASK_NAME_BYTES_MAX, &question->name);
    if (!status) status = read_labels(in, question);
    if (!status) status = read_multi(in, &question->is_multi);
    if (!status) status = in_u64(in, in_key(name, in, "rows"), 1, profile->rows, &rows);
    if (!status) status = read_head_kind(in, &question->head);
    if (!status) status = read_ngram(in, &question->ngram);
    if (!status) status = read_blocks(in, profile, question);
    for (int kind = 0; kind < WEIR_HEAD_KINDS && !status; kind++)
        status = read_head(in, profile, question, (enum weir_head_kind)kind, &question->heads[kind]);
    for (int kind = 0; kind < WEIR_HEAD_KINDS && !status; kind++)
        if (question->is_multi && question->heads[kind].calibration.kind == WEIR_CALIBRATION_ISOTONIC)
            status = in_bad(in, "calibration", "independent labels are never calibrated by isotonic regression");
    if (!status) status = profile_read_certificate(in, question);
    if (!status && question->is_multi && question->certificate.count)
        status = in_bad(in, "certificate", "independent labels have none");
    question->rows = (size_t)rows;
    if (!status) profile_question_depths(profile, question);
    return status;
}

static enum weir_status read_depths(const struct in *in, struct weir_profile *profile)
{
    enum weir_status status = in_u32s(in, "weir.depths", PROFILE_DEPTHS_MAX, profile->depths, &profile->n_depths);
    if (status) return status;
    if (profile->n_depths == 0) return in_bad(in, "weir.depths", "empty");
    for (size_t i = 0; i < profile->n_depths; i++)
        if (profile->depths[i] <= (i ? profile->depths[i - 1] : 0))
            return in_bad(in, "weir.depths", "not rising from 1");
    return WEIR_OK;
}

static enum weir_status read_kind_of_file(const struct in *in)
{
    struct weir_string architecture;
    uint64_t version = 0;
    if (!weir_gguf_as_string(weir_gguf_find(in->gguf, "general.architecture"), &architecture) ||
        architecture.size != strlen("weir-profile") ||
        memcmp(architecture.data, "weir-profile", architecture.size) != 0)
        return error_set(in->error, WEIR_ERR_FORMAT, "%s: not a weir profile (general.architecture)",
                         weir_gguf_name(in->gguf));
    enum weir_status status = in_u64(in, "weir.version", 1, UINT32_MAX, &version);
    if (!status && version != PROFILE_VERSION)
        return error_set(in->error, WEIR_ERR_UNSUPPORTED, "%s: profile version %u, this build reads %d",
                         weir_gguf_name(in->gguf), (unsigned)version, PROFILE_VERSION);
    return status;
}

static enum weir_status read_profile(struct in *in, struct weir_profile *p)
{
    uint64_t rows = 0, folds = 0, n_embd = 0, questions = 0;
    enum weir_status status = read_kind_of_file(in);
    if (!status) status = in_fingerprint(in, "weir.model.fingerprint", p->model_fingerprint);
    if (!status) status = in_fingerprint(in, "weir.task.fingerprint", p->task_fingerprint);
    if (!status) status = in_text(in, "weir.task.name", WEIR_TASK_NAME_BYTES_MAX, &p->task_name);
    if (!status) status = in_u64(in, "weir.rows", 1, SIZE_MAX, &rows);
    if (!status) status = in_u64(in, "weir.seed", 0, UINT64_MAX, &p->seed);
    if (!status) status = in_u64(in, "weir.folds", 2, 255, &folds);
    if (!status) status = in_u64(in, "weir.n_embd", 1, PROFILE_EMBD_MAX, &n_embd);
    if (!status) status = profile_read_extracts(in, p);
    if (!status) status = in_u64(in, "weir.questions", p->n_extracts ? 0 : 1, PROFILE_QUESTIONS_MAX, &questions);
    if (!status && questions) status = read_depths(in, p);
    if (status) return status;
    p->rows = (size_t)rows;
    p->folds = (uint32_t)folds;
    p->n_embd = (uint32_t)n_embd;
    p->questions = mem_zero((size_t)questions, sizeof *p->questions);
    if (!p->questions) return in_no_memory(in);
    p->n_questions = (size_t)questions;
    for (size_t q = 0; q < p->n_questions && !status; q++) status = read_question(in, p, q);
    for (size_t i = 0; i < p->n_extracts && !status; i++)
        if (p->extracts[i].rows > p->rows) status = in_bad(in, "weir.rows", "fewer than those of an extraction");
    return status;
}

static enum weir_status profile_from(struct weir_gguf *gguf, struct weir_profile **out, struct weir_error *error)
{
    struct in in = {.gguf = gguf, .error = error};
    struct weir_profile *profile = mem_zero(1, sizeof *profile);
    if (!profile) return error_nomem(error, "profile");
    enum weir_status status = read_profile(&in, profile);
    if (status)
        weir_profile_close(&profile);
    else
        *out = profile;
    return status;
}

enum weir_status weir_profile_open(const char *path, struct weir_profile **out, struct weir_error *error)
{
    struct weir_gguf *gguf = NULL;
    enum weir_status status = weir_gguf_open(path, &gguf, error);
    if (!status) status = profile_from(gguf, out, error);
    weir_gguf_close(&gguf);
    return status;
}

enum weir_status weir_profile_open_memory(const void *bytes, size_t size, const char *name, struct weir_profile **out,
                                          struct weir_error *error)
{
    struct weir_gguf *gguf = NULL;
    enum weir_status status = weir_gguf_open_memory(bytes, size, name, &gguf, error);
    if (!status) status = profile_from(gguf, out, error);
    weir_gguf_close(&gguf);
    return status;
}
