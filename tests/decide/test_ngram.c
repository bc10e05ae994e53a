/* N-grams against cases worked out by hand and by an independent implementation of the hash. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "decide/ngram.h"

static struct weir_string text_of(const char *text)
{
    return (struct weir_string){text, strlen(text)};
}

static struct ngram_bag bag_of(const struct ngram_settings *settings, const char *text)
{
    struct ngram_bag bag = {0};
    struct weir_error error = {0};
    check_status(ngram_bag_fill(settings, text_of(text), &bag, &error), WEIR_OK, &error);
    return bag;
}

static void check_bag(const struct ngram_bag *bag, const uint32_t *buckets, const uint32_t *tallies, size_t count)
{
    if (bag->count != count) fail_msg("expected %zu n-grams, found %zu", count, bag->count);
    for (size_t i = 0; i < count; i++)
        if (bag->buckets[i] != buckets[i] || bag->tallies[i] != tallies[i])
            fail_msg("n-gram %zu: expected %u x%u, found %u x%u", i, buckets[i], tallies[i], bag->buckets[i],
                     bag->tallies[i]);
}

static const struct ngram_settings words_only = {.bits = 22, .word_min = 1, .word_max = 2};
static const struct ngram_settings chars_only = {.bits = 22, .char_min = 2, .char_max = 3};

/* Buckets from a second implementation of ngram.h's definition, in Python, on whole integers modulo 2^64. */
static void words_have_the_documented_buckets(void **state)
{
    (void)state;
    const uint32_t buckets[] = {206501, 752946, 1238782}; /* "a b", "a", "b" */
    const uint32_t tallies[] = {1, 1, 1};
    struct ngram_bag bag = bag_of(&words_only, "A, b!");
    check_bag(&bag, buckets, tallies, 3);
    ngram_bag_free(&bag);
}

static void characters_have_the_documented_buckets(void **state)
{
    (void)state;
    const uint32_t buckets[] = {2116316, 2400583, 2571301, 3325599, 3482559}; /* "ab ", "ab", "b ", " ab", " a" */
    const uint32_t once[] = {1, 1, 1, 1, 1}, twice[] = {2, 2, 2, 2, 2};
    struct ngram_bag bag = bag_of(&chars_only, "ab");
    check_bag(&bag, buckets, once, 5);
    ngram_bag_free(&bag);
    bag = bag_of(&chars_only, "  AB\tab\n");
    check_bag(&bag, buckets, twice, 5);
    ngram_bag_free(&bag);
}

/* idf: a in both rows: ln(3/3) + 1 = 1; b in one: ln(3/2) + 1. Text "a b b": a 1 * 1, b (1 + ln 2) * 1.405465; norm of the two is
 * 2.581236; words are scaled to sqrt(1/2) in all. */
static void a_vector_matches_the_hand_computed_one(void **state)
{
    (void)state;
    const struct ngram_settings unigrams = {.bits = 22, .word_min = 1, .word_max = 1};
    struct ngram_bag bags[] = {bag_of(&unigrams, "a b"), bag_of(&unigrams, "a"), bag_of(&unigrams, "a b b new")};
    struct ngram_model model;
    struct weir_error error = {0};
    check_status(ngram_model_learn(&unigrams, bags, NULL, 2, &model, &error), WEIR_OK, &error);
    assert_int_equal(model.count, 2);
    assert_int_equal(model.buckets[0], 752946);
    assert_float_equal(model.idf[0], 1, 1e-6);
    assert_float_equal(model.idf[1], 1.405465, 1e-6);
    uint32_t indexes[3];
    float values[3];
    struct ngram_vector vector = {.indexes = indexes, .values = values};
    ngram_vector_fill(&model, &bags[2], &vector);
    assert_int_equal(vector.count, 2); /* "new" was not in training */
    assert_int_equal(indexes[0], 0);
    assert_int_equal(indexes[1], 1);
    assert_float_equal(values[0], 0.273941, 1e-6);
    assert_float_equal(values[1], 0.651886, 1e-6);
    ngram_model_free(&model);
    for (size_t i = 0; i < 3; i++) ngram_bag_free(&bags[i]);
}

static void words_and_characters_weigh_the_same(void **state)
{
    (void)state;
    struct ngram_settings settings = ngram_settings_default();
    struct ngram_bag bag = bag_of(&settings, "my card has not arrived yet");
    struct ngram_model model;
    struct weir_error error = {0};
    const uint32_t row = 0;
    check_status(ngram_model_learn(&settings, &bag, &row, 1, &model, &error), WEIR_OK, &error);
    struct ngram_vector vector = {.indexes = mem_zero(bag.count, 4), .values = mem_zero(bag.count, 4)};
    ngram_vector_fill(&model, &bag, &vector);
    double squares[2] = {0};
    for (size_t i = 0; i < vector.count; i++)
        squares[model.buckets[vector.indexes[i]] >> (settings.bits - 1)] +=
            (double)vector.values[i] * (double)vector.values[i];
    assert_float_equal(squares[0], 0.5, 1e-5);
    assert_float_equal(squares[1], 0.5, 1e-5);
    free(vector.indexes);
    free(vector.values);
    ngram_model_free(&model);
    ngram_bag_free(&bag);
}

static void equal_texts_in_unicode_have_equal_ngrams(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"\xC3\x84PFEL", "a\xCC\x88pfel"}, /* A with diaeresis, composed and not */
        {"stra\xC3\x9F"
         "e",
         "STRASSE"},                /* sharp s */
        {"\xEF\xAC\x81ne", "FINE"}, /* ligature fi */
        {"caf\xC3\xA9\xC2\xA0"
         "bar",
         "Cafe\xCC\x81 BAR"},     /* no-break space */
        {"co\xC2\xADop", "coop"}, /* soft hyphen */
    };
    struct ngram_settings settings = ngram_settings_default();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct ngram_bag a = bag_of(&settings, pairs[i][0]), b = bag_of(&settings, pairs[i][1]);
        check_bag(&a, b.buckets, b.tallies, b.count);
        assert_true(a.count > 0);
        ngram_bag_free(&a);
        ngram_bag_free(&b);
    }
}

static void texts_without_words_have_no_ngrams(void **state)
{
    (void)state;
    struct ngram_settings settings = ngram_settings_default();
    static const char *const texts[] = {"", " ", "\t\r\n \xC2\xA0"};
    for (size_t i = 0; i < 3; i++) {
        struct ngram_bag bag = bag_of(&settings, texts[i]);
        assert_int_equal(bag.count, 0);
        ngram_bag_free(&bag);
    }
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"\x80", "ab\xC3", "\xED\xA0\x80", "\xF8\x88\x80\x80\x80", "a\xFF"};
    struct ngram_settings settings = ngram_settings_default();
    struct ngram_bag bag = bag_of(&settings, "something");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct weir_error error = {0};
        check_status(ngram_bag_fill(&settings, text_of(texts[i]), &bag, &error), WEIR_ERR_FORMAT, &error);
        check_contains(error.text, "UTF-8");
        assert_int_equal(bag.count, 0);
    }
    ngram_bag_free(&bag);
}

/* A run of combining marks in falling order of class is where canonical ordering would be quadratic. */
static void long_runs_of_marks_and_letters_are_taken(void **state)
{
    (void)state;
    enum { MARKS = 200000 };
    struct ngram_settings settings = ngram_settings_default();
    char *text = mem_zero(2 * MARKS, 1);
    for (size_t i = 0; i < MARKS; i++) memcpy(text + 2 * i, i % 2 ? "\xCC\x81" : "\xCC\xA3", 2);
    struct ngram_bag bag = {0};
    struct weir_error error = {0};
    check_status(ngram_bag_fill(&settings, (struct weir_string){text, 2 * MARKS}, &bag, &error), WEIR_OK, &error);
    /* word; characters: 2 of each length 2..5, and the first and last of each length, which hold a space */
    assert_int_equal(bag.count, 1 + 4 * 4);
    ngram_bag_free(&bag);
    free(text);
}

static void a_text_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct ngram_settings settings = ngram_settings_default();
    struct ngram_bag bag = {0};
    struct weir_error error = {0};
    struct weir_string text = {"a", (size_t)NGRAM_TEXT_BYTES_MAX + 1}; /* refused before a byte is read */
    check_status(ngram_bag_fill(&settings, text, &bag, &error), WEIR_ERR_LIMIT, &error);
    ngram_bag_free(&bag);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct ngram_settings wrong[] = {{7, 1, 2, 2, 5},  {31, 1, 2, 2, 5}, {20, 0, 2, 2, 5},
                                                  {20, 2, 1, 2, 5}, {20, 1, 5, 2, 5}, {20, 1, 2, 2, 9}};
    struct weir_error error = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_status(ngram_settings_check(&wrong[i], &error), WEIR_ERR_INVALID, &error);
    struct ngram_settings settings = ngram_settings_default();
    check_status(ngram_settings_check(&settings, &error), WEIR_OK, &error);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct ngram_settings settings = ngram_settings_default();
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    while (status) {
        struct ngram_bag bag = {0};
        struct ngram_model model = {0};
        struct weir_error error = {0};
        assert_true(++n < 50);
        mem_fail_after(n);
        status = ngram_bag_fill(&settings, text_of("one two three"), &bag, &error);
        if (!status) status = ngram_model_learn(&settings, &bag, NULL, 1, &model, &error);
        mem_fail_after(0);
        if (status) check_status(status, WEIR_ERR_NOMEM, &error);
        ngram_bag_free(&bag);
        ngram_model_free(&model);
    }
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_the_documented_buckets),
        cmocka_unit_test(characters_have_the_documented_buckets),
        cmocka_unit_test(a_vector_matches_the_hand_computed_one),
        cmocka_unit_test(words_and_characters_weigh_the_same),
        cmocka_unit_test(equal_texts_in_unicode_have_equal_ngrams),
        cmocka_unit_test(texts_without_words_have_no_ngrams),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(long_runs_of_marks_and_letters_are_taken),
        cmocka_unit_test(a_text_beyond_the_limit_is_refused),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
