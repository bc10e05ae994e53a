/* What a profile keeps for certificates: written, read back, damaged, refused. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "check.h"
#include "decide/profile_sample.h"

enum { UNSEEN = 6 };

static const int32_t gold[UNSEEN] = {0, 1, 2, 0, 1, 1}, predicted[UNSEEN] = {0, 1, 1, 0, 1, 2};
static const double probability[UNSEEN] = {0.9, 0.8, 0.4, 1, 0.75, 0.5};
static const char *const texts[3] = {"free money", "hello", "see you"};

static void *copy(const void *from, size_t size)
{
    void *to = mem_zero(1, size);
    assert_non_null(to);
    memcpy(to, from, size);
    return to;
}

static struct weir_certificate certificate_of(const struct weir_certified *items, bool per_class)
{
    struct weir_certificate c = {.options = weir_certify_options_default(), .rows = 500, .items = items};
    c.options.per_class = per_class;
    c.count = per_class ? SAMPLE_LABELS : 1;
    memset(c.rows_hash, 'b', 64);
    return c;
}

static const struct weir_certified certified[SAMPLE_LABELS] = {
    {.is_certified = true, .threshold = 0.75, .rows = 200, .accepted = 150, .wrong = 2, .bound = 0.0415},
    {.is_certified = false, .threshold = 2, .rows = 90, .bound = 1, .rows_more = 41},
    {.is_certified = true, .threshold = 0.5, .rows = 80, .accepted = 80, .wrong = 0, .bound = 0.0368},
};

static void set(struct weir_profile *profile, const struct weir_certificate *certificate, enum weir_status expected)
{
    struct weir_error error = {0};
    check_status(weir_profile_set_certificate(profile, 0, certificate, &error), expected, &error);
}

static struct weir_profile *sample(bool per_class)
{
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task);
    struct profile_unseen *unseen = &profile->questions[0].unseen;
    weir_task_close(&task);
    unseen->count = UNSEEN;
    unseen->gold = copy(gold, sizeof gold);
    unseen->predicted = copy(predicted, sizeof predicted);
    unseen->probability = copy(probability, sizeof probability);
    unseen->seen = mem_zero(4, sizeof *unseen->seen);
    assert_non_null(unseen->seen);
    for (size_t i = 0; i < 4; i++) { /* the first text twice */
        struct weir_string text = {texts[i % 3], strlen(texts[i % 3])};
        assert_int_equal(profile_text_key(text, &unseen->seen[i]), WEIR_OK);
    }
    unseen->n_seen = 4;
    profile_unseen_sort(unseen);
    assert_int_equal(unseen->n_seen, 3);
    struct weir_certificate certificate = certificate_of(certified, per_class);
    set(profile, &certificate, WEIR_OK);
    return profile;
}

static struct strbuf bytes_of(const struct weir_profile *profile)
{
    struct strbuf bytes = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    check_status(profile_bytes(profile, &bytes, &error), WEIR_OK, &error);
    return bytes;
}

static struct weir_profile *reopened(const struct weir_profile *profile)
{
    struct strbuf bytes = bytes_of(profile);
    struct weir_profile *read = NULL;
    struct weir_error error = {0};
    check_status(weir_profile_open_memory(bytes.data, bytes.size, "sample", &read, &error), WEIR_OK, &error);
    struct strbuf again = bytes_of(read);
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    strbuf_free(&again);
    strbuf_free(&bytes);
    return read;
}

static void check_item(const struct weir_certified *found, const struct weir_certified *expected)
{
    assert_int_equal(found->is_certified, expected->is_certified);
    assert_true(found->threshold == expected->threshold && found->bound == expected->bound);
    assert_int_equal(found->rows, expected->rows);
    assert_int_equal(found->accepted, expected->accepted);
    assert_int_equal(found->wrong, expected->wrong);
    assert_int_equal(found->rows_more, expected->rows_more);
}

static void it_survives_writing_and_reading(void **state)
{
    (void)state;
    for (int per_class = 0; per_class < 2; per_class++) {
        struct weir_profile *profile = sample(per_class), *read = reopened(profile);
        struct weir_certificate found;
        assert_true(weir_profile_certificate(read, 0, &found));
        assert_int_equal(found.count, per_class ? SAMPLE_LABELS : 1);
        assert_int_equal(found.options.per_class, per_class);
        assert_int_equal(found.rows, 500);
        assert_int_equal(strspn(found.rows_hash, "b"), 64);
        for (size_t i = 0; i < found.count; i++) check_item(&found.items[i], &certified[i]);
        struct weir_eval_rows unseen;
        weir_profile_unseen(read, 0, &unseen);
        assert_int_equal(unseen.count, UNSEEN);
        assert_int_equal(unseen.n_classes, SAMPLE_LABELS);
        assert_memory_equal(unseen.gold, gold, sizeof gold);
        assert_memory_equal(unseen.predicted, predicted, sizeof predicted);
        assert_memory_equal(unseen.probability, probability, sizeof probability);
        weir_profile_close(&read);
        weir_profile_close(&profile);
    }
}

static void it_accepts_by_class_and_threshold(void **state)
{
    (void)state;
    struct weir_certificate all = certificate_of(certified, false), each = certificate_of(certified, true);
    assert_true(weir_certificate_accepts(&all, 2, 0.75));
    assert_false(weir_certificate_accepts(&all, 2, 0.7499));
    assert_true(weir_certificate_accepts(&each, 0, 0.75));
    assert_false(weir_certificate_accepts(&each, 1, 1)); /* not certified: never */
    assert_true(weir_certificate_accepts(&each, 2, 0.5));
    assert_false(weir_certificate_accepts(&each, 3, 1));
}

static void learned_texts_are_known(void **state)
{
    (void)state;
    struct weir_profile *profile = sample(false);
    for (size_t i = 0; i < 3; i++)
        assert_true(weir_profile_has_seen(profile, 0, (struct weir_string){texts[i], strlen(texts[i])}));
    assert_false(weir_profile_has_seen(profile, 0, (struct weir_string){"hello!", 6}));
    assert_false(weir_profile_has_seen(profile, 0, (struct weir_string){"", 0}));
    weir_profile_close(&profile);
}

static void profiles_without_one_have_none(void **state)
{
    (void)state;
    struct weir_task *task = sample_task(sample_task_text);
    struct weir_profile *profile = sample_profile(task), *read = reopened(profile);
    struct weir_certificate found;
    struct weir_eval_rows unseen;
    assert_false(weir_profile_certificate(read, 0, &found));
    weir_profile_unseen(read, 0, &unseen);
    assert_int_equal(unseen.count, 0);
    assert_false(weir_profile_has_seen(read, 0, (struct weir_string){texts[0], strlen(texts[0])}));
    weir_profile_close(&read);
    weir_profile_close(&profile);
    weir_task_close(&task);
}

static void unfit_ones_are_refused(void **state)
{
    (void)state;
    struct weir_profile *profile = sample(false);
    struct weir_certificate c = certificate_of(certified, true);
    c.count = 2;
    set(profile, &c, WEIR_ERR_INVALID);
    c = certificate_of(certified, false);
    c.options.max_error = 0;
    set(profile, &c, WEIR_ERR_INVALID);
    c = certificate_of(certified, false);
    c.rows = 100; /* fewer than its item's */
    set(profile, &c, WEIR_ERR_INVALID);
    struct weir_certified item = certified[0];
    item.wrong = item.accepted + 1;
    c = certificate_of(&item, false);
    set(profile, &c, WEIR_ERR_INVALID);
    struct weir_certificate found; /* and the one it had is still there */
    assert_true(weir_profile_certificate(profile, 0, &found));
    check_item(&found.items[0], &certified[0]);
    weir_profile_close(&profile);
}

static void spoil_gold(struct weir_profile *p)
{
    p->questions[0].unseen.gold[1] = SAMPLE_LABELS;
}
static void spoil_predicted(struct weir_profile *p)
{
    p->questions[0].unseen.predicted[5] = -1;
}
static void spoil_probability(struct weir_profile *p)
{
    p->questions[0].unseen.probability[0] = 1.5;
}
static void spoil_seen(struct weir_profile *p)
{
    p->questions[0].unseen.seen[2] = p->questions[0].unseen.seen[1];
}
static void spoil_threshold(struct weir_profile *p)
{
    p->questions[0].certified[0].threshold = -1;
}
static void spoil_counts(struct weir_profile *p)
{
    p->questions[0].certified[0].accepted = 201;
}
static void spoil_hash(struct weir_profile *p)
{
    p->questions[0].certificate.rows_hash[3] = 'x';
}
static void spoil_error(struct weir_profile *p)
{
    p->questions[0].certificate.options.max_error = 1;
}

static void wrong_contents_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct weir_profile *profile);
        const char *named;
    } cases[] = {{spoil_gold, "unseen.gold"},
                 {spoil_predicted, "unseen.predicted"},
                 {spoil_probability, "unseen.probability"},
                 {spoil_seen, "seen"},
                 {spoil_threshold, "certificate.threshold"},
                 {spoil_counts, "certificate"},
                 {spoil_hash, "certificate.rows_hash"},
                 {spoil_error, "certificate"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_profile *profile = sample(false), *read = NULL;
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
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct weir_profile *profile = sample(true);
    struct strbuf bytes = bytes_of(profile);
    enum weir_status status = WEIR_ERR_NOMEM;
    weir_profile_close(&profile);
    for (size_t n = 1; status; n++) {
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
        cmocka_unit_test(it_survives_writing_and_reading), cmocka_unit_test(it_accepts_by_class_and_threshold),
        cmocka_unit_test(learned_texts_are_known),         cmocka_unit_test(profiles_without_one_have_none),
        cmocka_unit_test(unfit_ones_are_refused),          cmocka_unit_test(wrong_contents_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
