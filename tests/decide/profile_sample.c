#include "decide/profile_sample.h"

#include "base/memory.h"
#include "check.h"
#include "decide/features.h"

const char sample_task_text[] = "task: mail\n"
                                "instructions: Sort the mail.\n"
                                "questions:\n"
                                "  kind:\n"
                                "    type: choice\n"
                                "    labels: {spam: Unwanted, ham: Wanted, other: Neither}\n"
                                "  urgent:\n"
                                "    type: yesno\n";
const char sample_model[65] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

struct weir_task *sample_task(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    check_status(weir_task_open_memory(text, strlen(text), "task", &task, &error), WEIR_OK, &error);
    return task;
}

static float *floats(const float *values, size_t count)
{
    float *copy = mem_zero(count, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

static char *text(const char *from)
{
    char *copy = mem_text(from, strlen(from));
    assert_non_null(copy);
    return copy;
}

/* Words of one: "free" and "hello", at the buckets that ngram.h gives them. */
static void fill_ngram(struct ngram_model *model)
{
    model->settings = (struct ngram_settings){.bits = 20, .word_min = 1, .word_max = 1};
    struct ngram_bag bags[2] = {{0}};
    struct weir_error error = {0};
    const char *const words[2] = {"free", "hello"};
    for (size_t i = 0; i < 2; i++) {
        struct weir_string string = {words[i], strlen(words[i])};
        check_status(ngram_bag_fill(&model->settings, string, &bags[i], &error), WEIR_OK, &error);
    }
    check_status(ngram_model_learn(&model->settings, bags, NULL, 2, model, &error), WEIR_OK, &error);
    assert_int_equal(model->count, SAMPLE_BUCKETS);
    for (size_t i = 0; i < 2; i++) ngram_bag_free(&bags[i]);
}

static void fill_question(struct profile_question *q)
{
    static const char *const labels[SAMPLE_LABELS] = {"spam", "ham", "other"};
    static const float bias[] = {0.5f, 0, -1}, ngram[] = {2, 0, 1, -1, 3, 0};
    static const float hidden[] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0.5f, 0.5f, 0}, mean[] = {1, -1}, scale[] = {2, 0};
    q->name = text("kind");
    q->n_labels = SAMPLE_LABELS;
    q->labels = mem_zero(SAMPLE_LABELS, sizeof *q->labels);
    for (size_t k = 0; k < SAMPLE_LABELS; k++) q->labels[k] = text(labels[k]);
    q->rows = 90;
    q->head = WEIR_HEAD_BOTH;
    fill_ngram(&q->ngram);
    q->n_blocks = 2;
    q->blocks = mem_zero(2, sizeof *q->blocks);
    for (uint32_t b = 0; b < 2; b++) {
        q->blocks[b] = (struct profile_block){.depth_index = b, .pool = b ? FEATURE_POOL_LAST : FEATURE_POOL_MEAN};
        q->blocks[b].mean = floats(mean, SAMPLE_EMBD);
        q->blocks[b].scale = floats(b ? mean : scale, SAMPLE_EMBD);
        q->blocks[b].scale[1] = (float)b * 0.5f;
    }
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
        struct profile_head *head = &q->heads[kind];
        head->info = (struct weir_head_info){.l2 = 0.01,
                                             .ngram_weight = kind != WEIR_HEAD_HIDDEN,
                                             .hidden_weight = kind != WEIR_HEAD_NGRAM,
                                             .temperature = 0.5 + kind,
                                             .accuracy = 0.9,
                                             .log_loss = 0.25,
                                             .ece = 0.02};
        head->calibration.temperature = head->info.temperature;
        head->bias = floats(bias, SAMPLE_LABELS);
        if (kind != WEIR_HEAD_HIDDEN) head->ngram = floats(ngram, SAMPLE_BUCKETS * SAMPLE_LABELS);
        if (kind != WEIR_HEAD_NGRAM) head->hidden = floats(hidden, 2 * SAMPLE_EMBD * SAMPLE_LABELS);
    }
}

struct weir_profile *sample_profile(const struct weir_task *task)
{
    struct weir_profile *p = mem_zero(1, sizeof *p);
    struct weir_error error = {0};
    assert_non_null(p);
    memcpy(p->model_fingerprint, sample_model, sizeof sample_model);
    check_status(weir_task_fingerprint(task, p->task_fingerprint, &error), WEIR_OK, &error);
    p->task_name = text("mail");
    p->seed = 0xfedcba9876543210u;
    p->folds = 5;
    p->n_embd = SAMPLE_EMBD;
    p->rows = 100;
    p->depths[0] = 2;
    p->depths[1] = 5;
    p->n_depths = 2;
    p->questions = mem_zero(1, sizeof *p->questions);
    p->n_questions = 1;
    fill_question(&p->questions[0]);
    profile_question_depths(p, &p->questions[0]);
    return p;
}
