/* Damage to a small valid file: every cut, thousands of flipped bytes, every allocation failing. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "gguf/sample.h"

enum { MUTATIONS = 20000 };

static struct strbuf sample;

static int make_sample(void **state)
{
    (void)state;
    struct weir_error error = {0};
    sample = STRBUF_MAX(1 << 20);
    check_status(sample_file(&sample, &error), WEIR_OK, &error);
    return 0;
}

static int free_sample(void **state)
{
    (void)state;
    strbuf_free(&sample);
    return 0;
}

/* An allocation of exactly `size` bytes, so that ASan sees one byte too far. */
static char *copy_sample(size_t size)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, sample.data, size);
    return copy;
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sample.size; size++) {
        struct weir_gguf *gguf = NULL;
        struct weir_error error = {0};
        char *copy = copy_sample(size);
        enum weir_status status = weir_gguf_open_memory(copy, size, "cut", &gguf, &error);
        if (status != WEIR_ERR_FORMAT)
            fail_msg("cut at %zu of %zu: found %s", size, sample.size, weir_status_name(status));
        assert_null(gguf);
        assert_int_equal(error.status, status);
        check_contains(error.text, "expected");
        free(copy);
    }
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static void flip_bytes(char *bytes, size_t size, uint64_t *random)
{
    static const uint8_t extremes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t flips = 1 + next_random(random) % 4;
    for (size_t i = 0; i < flips; i++) {
        size_t at = next_random(random) % size;
        uint64_t kind = next_random(random) % 3;
        if (kind == 0) bytes[at] = (char)next_random(random);
        if (kind == 1) bytes[at] ^= (char)(1 << next_random(random) % 8);
        if (kind == 2) bytes[at] = (char)extremes[next_random(random) % sizeof extremes];
    }
}

static void flipped_bytes_are_refused_or_fully_readable(void **state)
{
    (void)state;
    const char *text = getenv("WEIR_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20261123;
    uint64_t random = seed | 1;
    size_t opened = 0;
    print_message("WEIR_SEED=%llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < MUTATIONS; i++) {
        struct weir_gguf *gguf = NULL;
        struct weir_error error = {0};
        char *copy = copy_sample(sample.size);
        flip_bytes(copy, sample.size, &random);
        enum weir_status status = weir_gguf_open_memory(copy, sample.size, "flipped", &gguf, &error);
        if (status) {
            assert_null(gguf);
            check_contains(error.text, "expected");
        } else {
            opened++;
            (void)sample_read_all(gguf);
            weir_gguf_close(&gguf);
        }
        free(copy);
    }
    print_message("%zu of %d mutations opened\n", opened, MUTATIONS);
    assert_true(opened > 0 && opened < MUTATIONS); /* both sides were exercised */
}

static void every_allocation_may_fail_in_open(void **state)
{
    (void)state;
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    while (status == WEIR_ERR_NOMEM) {
        struct weir_gguf *gguf = NULL;
        struct weir_error error = {0};
        assert_true(++n < 100);
        mem_fail_after(n);
        status = weir_gguf_open_memory(sample.data, sample.size, "starved", &gguf, &error);
        mem_fail_after(0);
        if (status) {
            assert_null(gguf);
            check_contains(error.text, "out of memory");
        }
        weir_gguf_close(&gguf);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(n > 5);
}

static void every_allocation_may_fail_in_the_writer(void **state)
{
    (void)state;
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    while (status == WEIR_ERR_NOMEM) {
        struct strbuf out = STRBUF_MAX(1 << 20);
        struct weir_error error = {0};
        assert_true(++n < 1000);
        mem_fail_after(n);
        status = sample_file(&out, &error);
        mem_fail_after(0);
        if (status) assert_int_equal(out.size, 0);
        if (!status) assert_memory_equal(out.data, sample.data, sample.size);
        strbuf_free(&out);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(flipped_bytes_are_refused_or_fully_readable),
        cmocka_unit_test(every_allocation_may_fail_in_open),
        cmocka_unit_test(every_allocation_may_fail_in_the_writer),
    };
    return cmocka_run_group_tests(tests, make_sample, free_sample);
}
