/* Keys of rows: the same row has the same key, other rows have others, repeated rows too. */
#include <stdio.h>

#include "base/memory.h"
#include "check.h"
#include "weir/ledger.h"

static struct weir_string string_of(const char *text)
{
    return (struct weir_string){text, strlen(text)};
}

static struct weir_row_keys *keys_open(const char *hash, const char *source)
{
    struct weir_error error = {0};
    struct weir_row_keys *keys = NULL;
    check_status(weir_row_keys_open(hash, source, &keys, &error), WEIR_OK, &error);
    return keys;
}

static void next(struct weir_row_keys *keys, const char *id, const char *text, char key[65])
{
    struct weir_error error = {0};
    char input_hash[65];
    check_status(weir_row_keys_next(keys, string_of(id), string_of(text), key, input_hash, &error), WEIR_OK, &error);
    assert_int_equal(strlen(key), 64);
    assert_int_equal(strlen(input_hash), 64);
}

static void test_parts(void **state)
{
    (void)state;
    static const char *const rows[][4] = {{"h", "s", "1", "text"}, {"H", "s", "1", "text"}, {"h", "S", "1", "text"},
                                          {"h", "s", "2", "text"}, {"h", "s", "1", "Text"}, {"h", "s1", "", "text"},
                                          {"hs", "", "1", "text"}, {"h", "s", "1text", ""}};
    enum { ROWS = sizeof rows / sizeof rows[0] };
    char found[ROWS][65];
    for (size_t i = 0; i < ROWS; i++) {
        struct weir_row_keys *keys = keys_open(rows[i][0], rows[i][1]);
        char again[65];
        next(keys, rows[i][2], rows[i][3], found[i]);
        weir_row_keys_close(&keys);
        assert_null(keys);
        keys = keys_open(rows[i][0], rows[i][1]);
        next(keys, rows[i][2], rows[i][3], again);
        weir_row_keys_close(&keys);
        assert_string_equal(found[i], again);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(found[i], found[j]);
    }
}

static void test_input_hash(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct weir_row_keys *keys = keys_open("h", "s");
    char key[65], input_hash[65];
    check_status(weir_row_keys_next(keys, string_of("1"), string_of("abc"), key, input_hash, &error), WEIR_OK, &error);
    assert_string_equal(input_hash,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-4 */
    check_status(
        weir_row_keys_next(keys, (struct weir_string){NULL, 0}, (struct weir_string){NULL, 0}, key, input_hash, &error),
        WEIR_OK, &error);
    assert_string_equal(input_hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    weir_row_keys_close(&keys);
}

/* A row that stands three times in its source is three rows, whatever stands between. */
static void test_repeated(void **state)
{
    (void)state;
    char first[3][65], second[3][65], other[65];
    struct weir_row_keys *keys = keys_open("h", "s");
    for (int i = 0; i < 3; i++) next(keys, "1", "text", first[i]);
    weir_row_keys_close(&keys);
    keys = keys_open("h", "s");
    for (int i = 0; i < 3; i++) {
        next(keys, "other", "x", other);
        next(keys, "1", "text", second[i]);
    }
    weir_row_keys_close(&keys);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(first[i], second[i]);
        for (int j = 0; j < i; j++) assert_string_not_equal(first[i], first[j]);
    }
}

/* Through several growths of the table, every second row repeats the one before. */
static void test_many(void **state)
{
    (void)state;
    struct weir_row_keys *keys = keys_open("h", "s");
    for (int i = 0; i < 20000; i++) {
        char id[16], a[65], b[65];
        (void)snprintf(id, sizeof id, "%d", i);
        next(keys, id, "text", a);
        next(keys, id, "text", b);
        assert_string_not_equal(a, b);
    }
    struct weir_row_keys *fresh = keys_open("h", "s");
    char a[65], b[65];
    next(fresh, "7", "text", a);
    next(keys, "7", "text", b);
    assert_string_not_equal(a, b); /* the third of its kind */
    weir_row_keys_close(&fresh);
    weir_row_keys_close(&keys);
}

static void test_reply_keys(void **state)
{
    (void)state;
    struct weir_error error = {0};
    static const char *const parts[][6] = {{"h", "t", "m", "p", "q", "i"},
                                           {"ht", "", "m", "p", "q", "i"},
                                           {"h", "t", "mp", "", "q", "i"},
                                           {"h", "t", "m", "p", "qi", ""},
                                           {"", "", "", "", "", ""}};
    enum { KEYS = sizeof parts / sizeof parts[0] };
    char keys[KEYS][65];
    for (size_t i = 0; i < KEYS; i++) {
        check_status(weir_ledger_reply_key(parts[i][0], parts[i][1], parts[i][2], parts[i][3], parts[i][4], parts[i][5],
                                           keys[i], &error),
                     WEIR_OK, &error);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(keys[i], keys[j]);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct weir_row_keys *keys = NULL;
        char key[65], input_hash[65];
        mem_fail_after(n);
        enum weir_status status = weir_row_keys_open("h", "s", &keys, NULL);
        if (!status) status = weir_row_keys_next(keys, string_of("1"), string_of("x"), key, input_hash, NULL);
        mem_fail_after(0);
        weir_row_keys_close(&keys);
        if (!status) break;
        if (status != WEIR_ERR_NOMEM)
            fail_msg("allocation %zu: expected ERR_NOMEM, found %s", n, weir_status_name(status));
        assert_true(n < 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts), cmocka_unit_test(test_input_hash), cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_many),  cmocka_unit_test(test_reply_keys), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
