/* Every pre-tokenizer against ids that PyPI tokenizers gave: tests/data/tokenizer/cut.ids. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "tokenizer/sample.h"

static struct strbuf cases;

static int read_cases(void **state)
{
    (void)state;
    struct weir_error error = {0};
    cases = STRBUF_MAX(1 << 20);
    check_status(file_read(WEIR_TEST_DATA "/tokenizer/cut.ids", &cases, &error), WEIR_OK, &error);
    return 0;
}

static int free_cases(void **state)
{
    (void)state;
    strbuf_free(&cases);
    return 0;
}

/* "68656c6c6f" to "hello"; returns the size. */
static size_t from_hex(const char *hex, char *out)
{
    size_t size = 0;
    for (; hex[2 * size] && hex[2 * size + 1]; size++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + 2 * size, "%2x", &byte), 1);
        out[size] = (char)byte;
    }
    return size;
}

/* One line: pre-tokenizer, text, ids. Returns whether it was of this pre-tokenizer. */
static bool check_line(const struct weir_tokenizer *tokenizer, const char *pre, char *line)
{
    char *rest = line;
    const char *name = strtok_r(rest, " ", &rest);
    const char *hex = strtok_r(NULL, " ", &rest);
    if (strcmp(name, pre) != 0) return false;
    char text[1024];
    assert_in_range(strlen(hex), 2, 2 * sizeof text);
    size_t size = from_hex(hex, text);
    const char *found = sample_ids(tokenizer, text, size, 0);
    if (strcmp(found, rest) != 0) fail_msg("%s \"%.*s\"\nexpected %s\nfound    %s", pre, (int)size, text, rest, found);
    struct strbuf back = STRBUF_MAX(4096);
    sample_round_trip(tokenizer, text, size, &back);
    assert_int_equal(back.size, size);
    assert_memory_equal(back.data, text, size);
    strbuf_free(&back);
    return true;
}

static void check_pre(const char *pre)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    check_status(sample_open_cut(pre, &tokenizer, &error), WEIR_OK, &error);
    char *copy = strdup(cases.data);
    assert_non_null(copy);
    char *rest = copy;
    size_t checked = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        checked += check_line(tokenizer, pre, line);
    }
    free(copy);
    weir_tokenizer_close(&tokenizer);
    assert_in_range(checked, 100, 1000);
}

static void gpt_2(void **state)
{
    (void)state;
    check_pre("gpt-2");
}

static void smollm(void **state)
{
    (void)state;
    check_pre("smollm");
}

static void llama_bpe(void **state)
{
    (void)state;
    check_pre("llama-bpe");
}

static void dbrx(void **state)
{
    (void)state;
    check_pre("dbrx");
}

static void qwen2(void **state)
{
    (void)state;
    check_pre("qwen2");
}

static void gpt_4o(void **state)
{
    (void)state;
    check_pre("gpt-4o");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt_2), cmocka_unit_test(smollm), cmocka_unit_test(llama_bpe),
        cmocka_unit_test(dbrx),  cmocka_unit_test(qwen2),  cmocka_unit_test(gpt_4o),
    };
    return cmocka_run_group_tests(tests, read_cases, free_cases);
}
