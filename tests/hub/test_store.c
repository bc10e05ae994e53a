/* Installed models: finding, listing, verifying, and records that are damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "check.h"
#include "hub/record.h"

static char folder[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "weir-hub-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

/* A file in the folder. */
static void put(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    struct weir_error error = {0};
    check_status(file_write_atomic(path, text, strlen(text), &error), WEIR_OK, &error);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"a.gguf",
                                        "a.json",
                                        "b-00001-of-00002.gguf",
                                        "b-00002-of-00002.gguf",
                                        "b.json",
                                        "smollm2-135m-instruct.gguf",
                                        "c.txt",
                                        ".hidden.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

/* A record of files that all hold "text". */
static void put_record(const char *name, unsigned parts)
{
    char hex[65], text[1024], file[256];
    assert_int_equal(hash_bytes("text", 4, hex), WEIR_OK);
    int used = snprintf(text, sizeof text, "{\"version\":1,\"name\":\"%s\",\"source\":\"hf:o/r\",\"files\":[", name);
    for (unsigned i = 0; i < parts; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s{\"source\":\"x\",\"sha256\":\"%s\",\"size\":4}",
                         i ? "," : "", hex);
    (void)snprintf(text + used, sizeof text - (size_t)used, "]}");
    (void)snprintf(file, sizeof file, "%s.json", name);
    put(file, text);
}

static void expect_verify(const char *model, enum weir_status expected, const char *text)
{
    struct weir_error error = {0};
    check_status(weir_model_verify(folder, model, NULL, NULL, NULL, &error), expected, &error);
    if (expected) check_contains(error.text, text);
}

static void test_find(void **state)
{
    (void)state;
    char *path = NULL;
    struct weir_error error = {0};
    put("a.gguf", "text");
    check_status(weir_model_find(folder, "a", &path, &error), WEIR_OK, &error);
    check_contains(path, "/a.gguf");
    char *again = NULL;
    check_status(weir_model_find(NULL, path, &again, &error), WEIR_OK, &error);
    assert_string_equal(path, again);
    free(again);
    free(path);
    put("b-00001-of-00002.gguf", "text");
    put_record("b", 2);
    check_status(weir_model_find(folder, "b", &path, &error), WEIR_OK, &error);
    check_contains(path, "/b-00001-of-00002.gguf");
    free(path);
    static const char *const unknown[] = {"c", "", "../a", "a/b", "x.gguf", "..", "-x"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        check_status(weir_model_find(folder, unknown[i], &path, &error), WEIR_ERR_NOT_FOUND, &error);
    check_status(weir_model_find(folder, "phi-4", &path, &error), WEIR_ERR_NOT_FOUND, &error);
    check_contains(error.text, "weir pull phi-4");
    check_status(weir_model_find(NULL, "a", &path, &error), WEIR_ERR_NOT_FOUND, &error);
    check_contains(error.text, "XDG_CACHE_HOME");
}

static void test_list(void **state)
{
    (void)state;
    struct weir_model_record *records = NULL;
    size_t count = 9;
    struct weir_error error = {0};
    check_status(weir_model_list("no-such-folder", &records, &count, &error), WEIR_OK, &error);
    assert_int_equal(count, 0);
    put("a.gguf", "text");
    put("c.txt", "text");
    put(".hidden.gguf", "text");
    put("b-00001-of-00002.gguf", "text");
    put("b-00002-of-00002.gguf", "text");
    put_record("b", 2);
    check_status(weir_model_list(folder, &records, &count, &error), WEIR_OK, &error);
    assert_int_equal(count, 2);
    assert_string_equal(records[0].name, "a");
    assert_false(records[0].is_recorded);
    assert_string_equal(records[1].name, "b");
    assert_int_equal(records[1].n_files, 2);
    assert_string_equal(records[1].source, "hf:o/r");
    for (size_t i = 0; i < count; i++) weir_model_record_free(&records[i]);
    free(records);
}

static void test_verify(void **state)
{
    (void)state;
    char path[256];
    put("a.gguf", "text");
    expect_verify("a", WEIR_ERR_NOT_FOUND, "no record");
    put_record("a", 1);
    expect_verify("a", WEIR_OK, NULL);
    (void)snprintf(path, sizeof path, "%s/a.gguf", folder);
    expect_verify(path, WEIR_OK, NULL);
    put("a.gguf", "test");
    expect_verify("a", WEIR_ERR_FORMAT,
                  "expected SHA-256 982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1, found 9f86d081");
    put("a.gguf", "texts");
    expect_verify("a", WEIR_ERR_FORMAT, "expected 4 bytes, found 5");
    put("b-00001-of-00002.gguf", "text");
    put_record("b", 2);
    expect_verify("b", WEIR_ERR_FORMAT, "found none");
    put("b-00002-of-00002.gguf", "text");
    expect_verify("b", WEIR_OK, NULL);
    (void)snprintf(path, sizeof path, "%s/b-00001-of-00002.gguf", folder);
    expect_verify(path, WEIR_OK, NULL);
    expect_verify("c", WEIR_ERR_NOT_FOUND, "neither a file nor installed");
    put("smollm2-135m-instruct.gguf", "text"); /* the catalogue knows its hash */
    expect_verify("smollm2-135m-instruct", WEIR_ERR_FORMAT, "expected 98362432 bytes, found 4");
}

static void test_damaged_records(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum weir_status status;
    } cases[] = {
        {"", WEIR_ERR_FORMAT},
        {"[]", WEIR_ERR_UNSUPPORTED},
        {"{\"version\":2,\"files\":[]}", WEIR_ERR_UNSUPPORTED},
        {"{\"version\":1}", WEIR_ERR_FORMAT},
        {"{\"version\":1,\"files\":[]}", WEIR_ERR_FORMAT},
        {"{\"version\":1,\"files\":[{}]}", WEIR_ERR_FORMAT},
        {"{\"version\":1,\"files\":[{\"sha256\":\"x\",\"size\":4}]}", WEIR_ERR_FORMAT},
        {"{\"version\":1,\"files\":[{\"sha256\":\"982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1\"}]"
         "}",
         WEIR_ERR_FORMAT},
        {"{\"version\":1,\"files\":[{\"sha256\":\"982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1\","
         "\"size\":-4}]}",
         WEIR_ERR_FORMAT},
    };
    put("a.gguf", "text");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put("a.json", cases[i].json);
        expect_verify("a", cases[i].status, "a.json: ");
    }
}

static bool stop(void *context, const char *path, uint64_t done, uint64_t total)
{
    (void)path;
    (void)done;
    (void)total;
    ++*(int *)context;
    return false;
}

static void test_cancel(void **state)
{
    (void)state;
    char path[256], hex[65] = "untouched";
    int calls = 0;
    uint64_t size;
    struct weir_error error = {0};
    (void)snprintf(path, sizeof path, "%s/a.gguf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 40 << 20), 0);
    (void)fclose(file);
    check_status(model_hash(path, stop, &calls, hex, &size, &error), WEIR_ERR_CANCELLED, &error);
    assert_int_equal(calls, 1);
    assert_string_equal(hex, "untouched");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    put("b-00001-of-00002.gguf", "text");
    put("b-00002-of-00002.gguf", "text");
    put_record("b", 2);
    for (size_t n = 1;; n++) {
        mem_fail_after(n);
        enum weir_status status = weir_model_verify(folder, "b", NULL, NULL, NULL, NULL);
        mem_fail_after(0);
        if (!status) break;
        if (status != WEIR_ERR_NOMEM)
            fail_msg("allocation %zu: expected ERR_NOMEM, found %s", n, weir_status_name(status));
        assert_true(n < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
