/* Writing a profile; the reader is profile_read.c, the layout is in docs/tune.md. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/profile_out.h"

const char *out_key(char name[NAME_MAX_BYTES], const struct out *out, const char *rest)
{
    (void)snprintf(name, NAME_MAX_BYTES, "weir.%s.%s", out->question, rest);
    return name;
}

static void write_matrix(const struct out *out, const char *rest, const float *values, size_t cols, size_t rows)
{
    char name[NAME_MAX_BYTES];
    uint64_t dims[2] = {cols, rows};
    (void)snprintf(name, sizeof name, "%s.%s", out->question, rest);
    gguf_write_tensor(out->w, name, WEIR_TENSOR_F32, rows > 1 ? 2 : 1, dims, values);
}

static void write_text(const struct out *out, const char *rest, const char *text)
{
    char name[NAME_MAX_BYTES];
    gguf_write_string(out->w, out_key(name, out, rest), text, strlen(text));
}

/* Nothing for the temperature, which is among the numbers. */
void profile_write_calibration(const struct out *out, const char *head, const struct calibration *c, size_t classes)
{
    char rest[64];
    if (c->kind == WEIR_CALIBRATION_TEMPERATURE) return;
    (void)snprintf(rest, sizeof rest, "%s.calibration", head);
    write_text(out, rest, weir_calibration_name(c->kind));
    if (c->kind == WEIR_CALIBRATION_VECTOR) {
        (void)snprintf(rest, sizeof rest, "%s.calibration.scale", head);
        write_matrix(out, rest, c->scale, classes, 1);
        (void)snprintf(rest, sizeof rest, "%s.calibration.shift", head);
        write_matrix(out, rest, c->shift, classes, 1);
    } else {
        (void)snprintf(rest, sizeof rest, "%s.calibration.knots", head);
        write_matrix(out, rest, &c->knots->x, (size_t)2 * CALIBRATION_KNOTS, classes);
    }
}

static void write_head(const struct out *out, const struct weir_profile *profile,
                       const struct profile_question *question, enum weir_head_kind kind)
{
    const struct profile_head *head = &question->heads[kind];
    const struct weir_head_info *info = &head->info;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"l2", info->l2},
                   {"ngram_weight", info->ngram_weight},
                   {"hidden_weight", info->hidden_weight},
                   {"temperature", info->temperature},
                   {"accuracy", info->accuracy},
                   {"log_loss", info->log_loss},
                   {"ece", info->ece}};
    char rest[64], name[NAME_MAX_BYTES];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        (void)snprintf(rest, sizeof rest, "%s.%s", weir_head_kind_name(kind), numbers[i].name);
        gguf_write_f64(out->w, out_key(name, out, rest), numbers[i].value);
    }
    (void)snprintf(rest, sizeof rest, "%s.bias", weir_head_kind_name(kind));
    write_matrix(out, rest, head->bias, question->n_labels, 1);
    (void)snprintf(rest, sizeof rest, "%s.ngram", weir_head_kind_name(kind));
    if (head->ngram) write_matrix(out, rest, head->ngram, question->n_labels, question->ngram.count);
    profile_write_calibration(out, weir_head_kind_name(kind), &head->calibration, question->n_labels);
    (void)snprintf(rest, sizeof rest, "%s.hidden", weir_head_kind_name(kind));
    if (head->hidden) write_matrix(out, rest, head->hidden, question->n_labels, question->n_blocks * profile->n_embd);
}

static void write_ngram(const struct out *out, const struct ngram_model *model)
{
    const struct ngram_settings *s = &model->settings;
    const uint32_t settings[5] = {s->bits, s->word_min, s->word_max, s->char_min, s->char_max};
    const uint64_t dims[1] = {model->count};
    char name[NAME_MAX_BYTES];
    gguf_write_u32s(out->w, out_key(name, out, "ngram.settings"), settings, 5);
    (void)snprintf(name, sizeof name, "%s.ngram.buckets", out->question);
    gguf_write_tensor(out->w, name, WEIR_TENSOR_I32, 1, dims, model->buckets); /* below 2^30: the sign never matters */
    write_matrix(out, "ngram.idf", model->idf, model->count, 1);
}

static void write_blocks(const struct out *out, const struct weir_profile *profile,
                         const struct profile_question *question)
{
    uint32_t pairs[2 * PROFILE_BLOCKS_MAX];
    char name[NAME_MAX_BYTES], rest[32];
    for (size_t b = 0; b < question->n_blocks; b++) {
        pairs[2 * b] = question->blocks[b].depth_index;
        pairs[2 * b + 1] = question->blocks[b].pool;
        (void)snprintf(rest, sizeof rest, "block%zu.mean", b);
        write_matrix(out, rest, question->blocks[b].mean, profile->n_embd, 1);
        (void)snprintf(rest, sizeof rest, "block%zu.scale", b);
        write_matrix(out, rest, question->blocks[b].scale, profile->n_embd, 1);
    }
    gguf_write_u32s(out->w, out_key(name, out, "blocks"), pairs, 2 * question->n_blocks);
}

static void write_list(const struct out *out, const char *rest, enum weir_tensor_type type, const void *values,
                       size_t count)
{
    char name[NAME_MAX_BYTES];
    const uint64_t dims[1] = {count};
    (void)snprintf(name, sizeof name, "%s.%s", out->question, rest);
    gguf_write_tensor(out->w, name, type, 1, dims, values);
}

static void write_unseen(const struct out *out, const struct profile_unseen *unseen)
{
    if (unseen->count) {
        write_list(out, "unseen.gold", WEIR_TENSOR_I32, unseen->gold, unseen->count);
        write_list(out, "unseen.predicted", WEIR_TENSOR_I32, unseen->predicted, unseen->count);
        write_list(out, "unseen.probability", WEIR_TENSOR_F64, unseen->probability, unseen->count);
    }
    if (unseen->n_seen) write_list(out, "seen", WEIR_TENSOR_I64, unseen->seen, unseen->n_seen);
}

/* The items column by column, counts as f64 (exact below 2^53). */
static void write_certified(const struct out *out, const struct weir_certificate *certificate)
{
    static const char *const names[] = {"threshold", "bound", "rows_answered", "accepted", "wrong", "rows_more"};
    double values[WEIR_TASK_LABELS_MAX];
    for (size_t column = 0; column < sizeof names / sizeof *names; column++) {
        char rest[64], name[NAME_MAX_BYTES];
        for (size_t i = 0; i < certificate->count; i++) {
            const struct weir_certified *item = &certificate->items[i];
            const double row[] = {item->threshold,        item->bound,         (double)item->rows,
                                  (double)item->accepted, (double)item->wrong, (double)item->rows_more};
            values[i] = row[column];
        }
        (void)snprintf(rest, sizeof rest, "certificate.%s", names[column]);
        gguf_write_scalars(out->w, out_key(name, out, rest), WEIR_GGUF_F64, values, certificate->count);
    }
}

static void write_certificate(const struct out *out, const struct weir_certificate *certificate)
{
    char name[NAME_MAX_BYTES];
    if (!certificate->count) return;
    gguf_write_u64(out->w, out_key(name, out, "certificate.rows"), certificate->rows);
    gguf_write_f64(out->w, out_key(name, out, "certificate.max_error"), certificate->options.max_error);
    gguf_write_f64(out->w, out_key(name, out, "certificate.confidence"), certificate->options.confidence);
    gguf_write_u32(out->w, out_key(name, out, "certificate.per_class"), certificate->options.per_class);
    gguf_write_u32(out->w, out_key(name, out, "certificate.simultaneous"), certificate->options.simultaneous);
    write_text(out, "certificate.rows_hash", certificate->rows_hash);
    write_certified(out, certificate);
}

static enum weir_status write_question(struct gguf_writer *w, const struct weir_profile *profile, size_t index)
{
    const struct profile_question *question = &profile->questions[index];
    struct weir_string *labels = mem_zero(question->n_labels, sizeof *labels);
    if (!labels) return WEIR_ERR_NOMEM;
    struct out out = {.w = w};
    char name[NAME_MAX_BYTES];
    (void)snprintf(out.question, sizeof out.question, "q%zu", index);
    for (size_t k = 0; k < question->n_labels; k++)
        labels[k] = (struct weir_string){question->labels[k], strlen(question->labels[k])};
    write_text(&out, "name", question->name);
    gguf_write_strings(w, out_key(name, &out, "labels"), labels, question->n_labels);
    if (question->is_multi) gguf_write_u32(w, out_key(name, &out, "multi"), 1);
    gguf_write_u64(w, out_key(name, &out, "rows"), question->rows);
    write_text(&out, "head", weir_head_kind_name(question->head));
    write_ngram(&out, &question->ngram);
    write_blocks(&out, profile, question);
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) write_head(&out, profile, question, (enum weir_head_kind)kind);
    write_unseen(&out, &question->unseen);
    write_certificate(&out, &question->certificate);
    free(labels);
    return WEIR_OK;
}

static void write_top(struct gguf_writer *w, const struct weir_profile *p)
{
    gguf_write_string(w, "general.architecture", "weir-profile", strlen("weir-profile"));
    gguf_write_u32(w, "weir.version", PROFILE_VERSION);
    gguf_write_string(w, "weir.model.fingerprint", p->model_fingerprint, 64);
    gguf_write_string(w, "weir.task.fingerprint", p->task_fingerprint, 64);
    gguf_write_string(w, "weir.task.name", p->task_name, strlen(p->task_name));
    gguf_write_u64(w, "weir.rows", p->rows);
    gguf_write_u64(w, "weir.seed", p->seed);
    gguf_write_u32(w, "weir.folds", p->folds);
    gguf_write_u32(w, "weir.n_embd", p->n_embd);
    if (p->n_questions) gguf_write_u32s(w, "weir.depths", p->depths, p->n_depths);
    gguf_write_u32(w, "weir.questions", (uint32_t)p->n_questions);
}

enum weir_status profile_bytes(const struct weir_profile *profile, struct strbuf *out, struct weir_error *error)
{
    struct gguf_writer *w = gguf_writer_open();
    if (!w) return error_nomem(error, "profile");
    write_top(w, profile);
    enum weir_status status = WEIR_OK;
    for (size_t q = 0; q < profile->n_questions && !status; q++) status = write_question(w, profile, q);
    if (!status) status = profile_write_extracts(w, profile);
    if (status)
        status = error_nomem(error, "profile");
    else
        status = gguf_writer_finish(w, out, error);
    gguf_writer_close(&w);
    return status;
}
