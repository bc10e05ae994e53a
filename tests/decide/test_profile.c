/* Profiles: what is written is read, damage is refused, and so are other models and tasks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "check.h"
#include "decide/features.h"
#include "decide/head.h"
#include "decide/profile_sample.h"

enum { MUTATIONS = 20000 };

static struct strbuf bytes_of(const struct weir_profile *profile)
{
    struct strbuf bytes = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    check_status(profile_bytes(profile, &bytes, &error), WEIR_OK, &error);
    return bytes;
}

static struct strbuf sample_bytes(void)
{
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    struct strbuf bytes = bytes_of(profile);
    weir_profile_close(&profile);
    weir_task_close(&task);
    return bytes;
}

static void a_profile_survives_writing_and_reading(void **state)
{
    (void)state;
    struct strbuf first = sample_bytes();
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    check_status(weir_profile_open_memory(first.data, first.size, "sample", &profile, &error), WEIR_OK, &error);
    struct strbuf second = bytes_of(profile);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);

    struct weir_profile_info info;
    weir_profile_info(profile, &info);
    assert_string_equal(info.model_fingerprint, sample_model);
    assert_string_equal(info.task_name, "mail");
    assert_int_equal(info.questions, 1);
    assert_int_equal(info.rows, 100);
    assert_true(info.seed == 0xfedcba9876543210u);
    assert_int_equal(info.folds, 5);
    assert_int_equal(info.n_embd, SAMPLE_EMBD);
    struct weir_profile_question question;
    weir_profile_question(profile, 0, &question);
    assert_string_equal(question.name, "kind");
    assert_int_equal(question.n_labels, 3);
    assert_string_equal(question.labels[2], "other");
    assert_int_equal(question.rows, 90);
    assert_int_equal(question.n_depths, 2);
    assert_int_equal(question.depths[0], 2);
    assert_int_equal(question.depths[1], 5);
    assert_int_equal(question.head, WEIR_HEAD_BOTH);
    struct weir_head_info head;
    weir_profile_head(profile, 0, WEIR_HEAD_HIDDEN, &head);
    assert_float_equal(head.temperature, 1.5, 0);
    assert_float_equal(head.ngram_weight, 0, 0);
    assert_float_equal(head.log_loss, 0.25, 0);
    strbuf_free(&first);
    strbuf_free(&second);
    weir_profile_close(&profile);
}

/* The layout of version 1, kept as a file: profiles written earlier must stay readable. It is also a seed of the fuzz target. */
static void the_saved_sample_is_what_is_written(void **state)
{
    (void)state;
    struct strbuf bytes = sample_bytes(), saved = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    check_status(file_read(WEIR_SOURCE "/tests/fuzz/corpus/profile/sample", &saved, &error), WEIR_OK, &error);
    assert_int_equal(saved.size, bytes.size);
    assert_memory_equal(saved.data, bytes.data, bytes.size);
    strbuf_free(&bytes);
    strbuf_free(&saved);
}

static void a_profile_survives_the_disk(void **state)
{
    (void)state;
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task), *read = NULL;
    struct weir_error error = {0};
    char path[] = "/tmp/weir-profile-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    check_status(weir_profile_save(profile, path, &error), WEIR_OK, &error);
    check_status(weir_profile_open(path, &read, &error), WEIR_OK, &error);
    check_status(profile_check(read, sample_model, 5, SAMPLE_EMBD, task, &error), WEIR_OK, &error);
    unlink(path);
    weir_profile_close(&profile);
    weir_profile_close(&read);
    weir_task_close(&task);
}

/* Text "hello free", "hello" twice known: both words have idf ln(3/2) + 1 and count 1, so each weighs 1/2 after scaling the words to
 * sqrt(1/2). Hidden [depth][pool][2]: block 0 reads depth 0, mean: (2, 9) -> ((2 - 1) * 2, 0) = (2, 0); block 1 reads depth 1, last:
 * (4, 3) -> ((4 - 1) * 1, (3 + 1) * 0.5) = (3, 2). */
static void a_decision_matches_the_hand_computed_one(void **state)
{
    (void)state;
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    const struct weir_string text = {"hello free unknown", 18};
    const float hidden[] = {2, 9, 100, 100, 100, 100, 4, 3};
    /* ngram: bias + (2 - 1, 0 + 3, 1 + 0) / 2; hidden: bias + 2 (1, 0, 0) + 3 (0, 0, 1) + 2 (0.5, 0.5, 0) */
    const double logits[WEIR_HEAD_KINDS][3] = {{1, 1.5, -0.5}, {3.5, 1, 2}, {4, 2.5, 2.5}};
    struct head_scratch scratch = {0};
    struct weir_error error = {0};
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
        double p[3], sum = 0;
        check_status(head_decide(profile, 0, (enum weir_head_kind)kind, text, kind == WEIR_HEAD_NGRAM ? NULL : hidden,
                                 &scratch, p, &error),
                     WEIR_OK, &error);
        for (size_t k = 0; k < 3; k++) sum += exp(logits[kind][k] / (0.5 + kind));
        for (size_t k = 0; k < 3; k++) {
            double expected = exp(logits[kind][k] / (0.5 + kind)) / sum;
            if (fabs(p[k] - expected) > 1e-6)
                fail_msg("%s, label %zu: expected %g, found %g", weir_head_kind_name((enum weir_head_kind)kind), k,
                         expected, p[k]);
        }
    }
    head_scratch_free(&scratch);
    weir_profile_close(&profile);
    weir_task_close(&task);
}

/* No n-grams at all: the bias decides, here softmax of (0.5, 0, -1) / 0.5. */
static void an_empty_text_is_decided_by_the_bias(void **state)
{
    (void)state;
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    struct head_scratch scratch = {0};
    struct weir_error error = {0};
    double p[3];
    check_status(head_decide(profile, 0, WEIR_HEAD_NGRAM, (struct weir_string){"", 0}, NULL, &scratch, p, &error),
                 WEIR_OK, &error);
    assert_float_equal((float)p[0], 0.705385f, 1e-5f);
    assert_float_equal((float)p[2], 0.035119f, 1e-5f);
    head_scratch_free(&scratch);
    weir_profile_close(&profile);
    weir_task_close(&task);
}

static void a_decision_fails_on_bad_input(void **state)
{
    (void)state;
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    const struct weir_string broken = {"free \xFF", 6}, fine = {"free", 4};
    const float hidden[] = {2, 9, 0, 0, 0, 0, NAN, 3};
    struct head_scratch scratch = {0};
    struct weir_error error = {0};
    double p[3];
    check_status(head_decide(profile, 0, WEIR_HEAD_NGRAM, broken, NULL, &scratch, p, &error), WEIR_ERR_FORMAT, &error);
    check_status(head_decide(profile, 0, WEIR_HEAD_BOTH, fine, hidden, &scratch, p, &error), WEIR_ERR_FORMAT, &error);
    check_contains(error.text, "not finite");
    check_status(head_decide(profile, 0, WEIR_HEAD_NGRAM, fine, NULL, &scratch, p, &error), WEIR_OK, &error);
    head_scratch_free(&scratch);
    weir_profile_close(&profile);
    weir_task_close(&task);
}

static void edits_that_heads_do_not_depend_on_keep_the_fingerprint(void **state)
{
    (void)state;
    static const char *const added[] = {"budget: {usd_per_day: 5}\n", "privacy: {egress: never}\n",
                                        "gate: {accept: certified, max_error: 0.1}\n", "# a comment\n",
                                        "tiers:\n  - {name: local, kind: gguf, model: m.gguf}\n"};
    struct weir_task *task = sample_task(sample_task_text);
    char expected[65], found[65], text[1024];
    struct weir_error error = {0};
    check_status(weir_task_fingerprint(task, expected, &error), WEIR_OK, &error);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        (void)snprintf(text, sizeof text, "%s%s", sample_task_text, added[i]);
        struct weir_task *edited = sample_task(text);
        check_status(weir_task_fingerprint(edited, found, &error), WEIR_OK, &error);
        assert_string_equal(found, expected);
        weir_task_close(&edited);
    }
    weir_task_close(&task);
}

/* Replaces the first `from` in the sample task by `to`. */
static struct weir_task *edited_task(const char *from, const char *to)
{
    char text[1024];
    const char *at = strstr(sample_task_text, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - sample_task_text), sample_task_text, to,
                   at + strlen(from));
    return sample_task(text);
}

static void other_models_and_tasks_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *reason;
    } edits[] = {{"Sort the mail", "Sort the post", "another task"},
                 {"task: mail", "task: post", "another task"},
                 {"Unwanted", "Not wanted", "another task"},
                 {"spam: Unwanted, ham: Wanted", "ham: Wanted, spam: Unwanted", "label 1 is spam"},
                 {"ham:", "good:", "label 2 is ham in the profile, good in the task"},
                 {", other: Neither", "", "has 3 labels, the task 2"},
                 {"  kind:", "  sort:", "a question kind"},
                 {"urgent", "hurry", "another task"}};
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    struct weir_error error = {0};
    check_status(profile_check(profile, sample_model, 5, SAMPLE_EMBD, task, &error), WEIR_OK, &error);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct weir_task *other = edited_task(edits[i].from, edits[i].to);
        check_status(profile_check(profile, sample_model, 5, SAMPLE_EMBD, other, &error), WEIR_ERR_REFUSED, &error);
        check_contains(error.text, edits[i].reason);
        weir_task_close(&other);
    }
    char model[65];
    memcpy(model, sample_model, sizeof model);
    model[63] = 'b';
    check_status(profile_check(profile, model, 5, SAMPLE_EMBD, task, &error), WEIR_ERR_REFUSED, &error);
    check_contains(error.text, "another model");
    check_status(profile_check(profile, sample_model, 4, SAMPLE_EMBD, task, &error), WEIR_ERR_REFUSED, &error);
    check_contains(error.text, "after layer 5");
    check_status(profile_check(profile, sample_model, 5, 3, task, &error), WEIR_ERR_REFUSED, &error);
    weir_profile_close(&profile);
    weir_task_close(&task);
}

/* Opens `size` bytes from an allocation of exactly that size, so that ASan sees one byte too far. */
static enum weir_status open_copy(const char *bytes, size_t size, struct weir_profile **out, struct weir_error *error)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum weir_status status = weir_profile_open_memory(copy, size, "damaged", out, error);
    free(copy);
    return status;
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    struct strbuf bytes = sample_bytes();
    const size_t padding = 16; /* after the last tensor, 48 bytes; the reader does not ask for it */
    for (size_t size = 0; size < bytes.size - padding; size++) {
        struct weir_profile *profile = NULL;
        struct weir_error error = {0};
        enum weir_status status = open_copy(bytes.data, size, &profile, &error);
        if (status != WEIR_ERR_FORMAT)
            fail_msg("cut at %zu of %zu: found %s", size, bytes.size, weir_status_name(status));
        assert_null(profile);
    }
    strbuf_free(&bytes);
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* A profile that opened is used: under the sanitizers nothing may be read out of bounds. */
static void use(const struct weir_profile *profile)
{
    const struct weir_string text = {"hello free", 10};
    struct head_scratch scratch = {0};
    size_t floats = profile->n_depths * FEATURE_POOLS * profile->n_embd;
    float *hidden = mem_zero(floats, sizeof *hidden);
    double p[PROFILE_LABELS_MAX];
    assert_non_null(hidden);
    for (size_t q = 0; q < profile->n_questions; q++)
        for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
            enum weir_status status =
                head_decide(profile, q, (enum weir_head_kind)kind, text, hidden, &scratch, p, NULL);
            double sum = 0;
            for (size_t k = 0; k < profile->questions[q].n_labels; k++) sum += p[k];
            if (!status && fabs(sum - 1) > 1e-9) fail_msg("probabilities sum to %g", sum);
        }
    free(hidden);
    head_scratch_free(&scratch);
}

static void damaged_bytes_are_refused_or_harmless(void **state)
{
    (void)state;
    const char *text = getenv("WEIR_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20261123, random = seed | 1;
    struct strbuf bytes = sample_bytes();
    size_t opened = 0;
    print_message("WEIR_SEED=%llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < MUTATIONS; i++) {
        struct weir_profile *profile = NULL;
        struct weir_error error = {0};
        size_t at = next_random(&random) % bytes.size;
        char kept = bytes.data[at];
        bytes.data[at] = (char)next_random(&random);
        if (!open_copy(bytes.data, bytes.size, &profile, &error)) {
            opened++;
            use(profile);
        } else {
            assert_null(profile);
            assert_true(error.text[0] != 0);
        }
        bytes.data[at] = kept;
        weir_profile_close(&profile);
    }
    print_message("%zu of %d mutations opened\n", opened, MUTATIONS);
    assert_true(opened > 0 && opened < MUTATIONS); /* both sides were exercised */
    strbuf_free(&bytes);
}

/* Profiles that are well-formed GGUF and wrong inside; each is made by spoiling the sample. */
static void spoil_folds(struct weir_profile *p)
{
    p->folds = 1;
}
static void spoil_fingerprint(struct weir_profile *p)
{
    p->model_fingerprint[10] = 'G';
}
static void spoil_rows(struct weir_profile *p)
{
    p->questions[0].rows = p->rows + 1;
}
static void spoil_depth_order(struct weir_profile *p)
{
    p->depths[1] = p->depths[0];
}
static void spoil_depth_zero(struct weir_profile *p)
{
    p->depths[0] = 0;
}
static void spoil_pool(struct weir_profile *p)
{
    p->questions[0].blocks[1].pool = FEATURE_POOLS;
}
static void spoil_depth_index(struct weir_profile *p)
{
    p->questions[0].blocks[1].depth_index = 2;
}
static void spoil_bucket_order(struct weir_profile *p)
{
    p->questions[0].ngram.buckets[0] = p->questions[0].ngram.buckets[1];
}
static void spoil_bucket_range(struct weir_profile *p)
{
    p->questions[0].ngram.buckets[1] = 1u << 20;
}
static void spoil_bits(struct weir_profile *p)
{
    p->questions[0].ngram.settings.bits = 31;
}
static void spoil_words(struct weir_profile *p)
{
    p->questions[0].ngram.settings.word_max = 1000;
}
static void spoil_idf(struct weir_profile *p)
{
    p->questions[0].ngram.idf[0] = -1;
}
static void spoil_scale(struct weir_profile *p)
{
    p->questions[0].blocks[0].scale[0] = -2;
}
static void spoil_mean(struct weir_profile *p)
{
    p->questions[0].blocks[0].mean[1] = INFINITY;
}
static void spoil_weight(struct weir_profile *p)
{
    p->questions[0].heads[WEIR_HEAD_BOTH].hidden[3] = NAN;
}
static void spoil_temperature(struct weir_profile *p)
{
    p->questions[0].heads[WEIR_HEAD_NGRAM].info.temperature = 0;
}
static void spoil_accuracy(struct weir_profile *p)
{
    p->questions[0].heads[WEIR_HEAD_NGRAM].info.accuracy = NAN;
}
static void spoil_label(struct weir_profile *p)
{
    memcpy(p->questions[0].labels[1], "spa", 4);
    memcpy(p->questions[0].labels[0], "spa", 4);
}
static void spoil_name(struct weir_profile *p)
{
    p->questions[0].name[0] = 0;
}

static void wrong_contents_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct weir_profile *profile);
        const char *named;
    } cases[] = {{spoil_folds, "weir.folds"},
                 {spoil_fingerprint, "weir.model.fingerprint"},
                 {spoil_rows, "weir.q0.rows"},
                 {spoil_depth_order, "weir.depths"},
                 {spoil_depth_zero, "weir.depths"},
                 {spoil_pool, "blocks"},
                 {spoil_depth_index, "blocks"},
                 {spoil_bucket_order, "q0.ngram.buckets"},
                 {spoil_bucket_range, "q0.ngram.buckets"},
                 {spoil_bits, "31 bits"},
                 {spoil_words, "words 1..1000"},
                 {spoil_idf, "ngram.idf"},
                 {spoil_scale, "block0.scale"},
                 {spoil_mean, "block0.mean"},
                 {spoil_weight, "both.hidden"},
                 {spoil_temperature, "ngram.temperature"},
                 {spoil_accuracy, "ngram.accuracy"},
                 {spoil_label, "a label comes twice"},
                 {spoil_name, "weir.q0.name"}};
    struct weir_task *task = sample_task(sample_task_text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_profile *profile = sample_profile(task), *read = NULL;
        struct weir_error error = {0};
        cases[i].spoil(profile);
        struct strbuf bytes = bytes_of(profile);
        enum weir_status status = weir_profile_open_memory(bytes.data, bytes.size, "spoiled", &read, &error);
        if (status != WEIR_ERR_FORMAT) fail_msg("case %zu, %s: found %s", i, cases[i].named, weir_status_name(status));
        check_contains(error.text, cases[i].named);
        assert_null(read);
        strbuf_free(&bytes);
        weir_profile_close(&profile);
    }
    weir_task_close(&task);
}

/* A tensor's name is followed by the number of its dimensions (4 bytes) and their sizes (8 bytes each). */
static void a_tensor_of_another_shape_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"q0.both.bias", "q0.ngram.ngram", "q0.both.hidden",
                                        "q0.ngram.idf", "q0.block0.mean", "q0.block1.scale"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct strbuf bytes = sample_bytes();
        struct weir_profile *profile = NULL;
        struct weir_error error = {0};
        char *name = memmem(bytes.data, bytes.size, names[i], strlen(names[i]));
        assert_non_null(name);
        name[strlen(names[i]) + 4]--; /* one column less: still inside the file */
        check_status(weir_profile_open_memory(bytes.data, bytes.size, "shape", &profile, &error), WEIR_ERR_FORMAT,
                     &error);
        check_contains(error.text, names[i]);
        strbuf_free(&bytes);
    }
}

/* "weir.version" is followed by its type (4 bytes) and its value. */
static void another_version_is_unsupported(void **state)
{
    (void)state;
    struct strbuf bytes = sample_bytes();
    char *key = memmem(bytes.data, bytes.size, "weir.version", 12);
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    assert_non_null(key);
    key[12 + 4] = 2;
    check_status(weir_profile_open_memory(bytes.data, bytes.size, "newer", &profile, &error), WEIR_ERR_UNSUPPORTED,
                 &error);
    check_contains(error.text, "version 2");
    strbuf_free(&bytes);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct strbuf bytes = sample_bytes();
    enum weir_status status = WEIR_ERR_NOMEM;
    for (size_t n = 1; status; n++) {
        struct weir_profile *profile = NULL;
        struct weir_error error = {0};
        assert_true(n < 500);
        mem_fail_after(n);
        status = weir_profile_open_memory(bytes.data, bytes.size, "starved", &profile, &error);
        mem_fail_after(0);
        if (status) check_status(status, WEIR_ERR_NOMEM, &error);
        weir_profile_close(&profile);
    }
    strbuf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_survives_writing_and_reading),
        cmocka_unit_test(the_saved_sample_is_what_is_written),
        cmocka_unit_test(a_profile_survives_the_disk),
        cmocka_unit_test(a_decision_matches_the_hand_computed_one),
        cmocka_unit_test(an_empty_text_is_decided_by_the_bias),
        cmocka_unit_test(a_decision_fails_on_bad_input),
        cmocka_unit_test(edits_that_heads_do_not_depend_on_keep_the_fingerprint),
        cmocka_unit_test(other_models_and_tasks_are_refused_with_the_reason),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(damaged_bytes_are_refused_or_harmless),
        cmocka_unit_test(wrong_contents_are_refused),
        cmocka_unit_test(a_tensor_of_another_shape_is_refused),
        cmocka_unit_test(another_version_is_unsupported),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
