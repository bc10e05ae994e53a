/* base: sizes, memory, the bounded reader, growing buffers, errors, files and hashes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "check.h"

static void sizes_never_wrap(void **state)
{
    (void)state;
    size_t out = 7;
    assert_false(size_mul(SIZE_MAX / 2, 3, &out));
    assert_false(size_add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 7);
    assert_true(size_mul(SIZE_MAX, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_null(mem_zero(SIZE_MAX, 2));
    assert_null(mem_aligned(SIZE_MAX, 2));
    assert_null(mem_resize(NULL, SIZE_MAX, 2));
}

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t size = 0; size < 200; size += 13) {
        unsigned char *bytes = mem_aligned(1, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 64, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(bytes[i], 0);
        free(bytes);
    }
    char *text = mem_text("ab\0c", 4);
    assert_memory_equal(text, "ab\0c\0", 5);
    free(text);
}

static void pages_are_zero_until_written_and_after_a_drop(void **state)
{
    (void)state;
    enum { BYTES = 300000 };
    uint8_t *pages = mem_pages(BYTES);
    assert_non_null(pages);
    mem_pages_huge(pages, BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        assert_int_equal(pages[i], 0);
        pages[i] = 1;
    }
    mem_pages_drop(pages + 100, BYTES - 200); /* whole pages inside; what is around them stays */
    for (size_t i = 0; i < 100; i++) assert_int_equal(pages[i] + pages[BYTES - 1 - i], 2);
    mem_pages_drop(pages, 10);
    assert_int_equal(pages[0], 1);
    mem_pages_free(pages, BYTES);
    mem_pages_free(NULL, BYTES);
    mem_fail_after(1);
    pages = mem_pages(1);
    mem_fail_after(0);
    assert_null(pages);
}

static void the_nth_allocation_fails_and_all_after_it(void **state)
{
    (void)state;
    mem_fail_after(2);
    void *first = mem_zero(1, 1), *second = mem_zero(1, 1), *third = mem_aligned(1, 1);
    mem_fail_after(0);
    void *fourth = mem_zero(1, 1);
    assert_non_null(first);
    assert_null(second);
    assert_null(third);
    assert_non_null(fourth);
    free(first);
    free(fourth);
}

static void reader_stops_at_the_end_and_stays_failed(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07};
    struct byte_reader r = byte_reader_make(bytes, sizeof bytes);
    assert_int_equal(byte_reader_u32(&r), 0x04030201);
    assert_int_equal(byte_reader_left(&r), 3);
    assert_int_equal(byte_reader_u32(&r), 0); /* one byte short */
    assert_true(r.failed);
    assert_int_equal(r.position, 4);
    assert_int_equal(byte_reader_u8(&r), 0); /* a byte is left, but the failure is sticky */
    assert_null(byte_reader_take(&r, 0));
}

static void reader_takes_everything(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xff, 0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 1};
    struct byte_reader r = byte_reader_make(bytes, sizeof bytes);
    assert_int_equal(byte_reader_u8(&r), 0xff);
    assert_int_equal(byte_reader_u16(&r), 0x1234);
    assert_true(byte_reader_u64(&r) == UINT64_C(0x0102030405060708));
    assert_false(r.failed);
    assert_int_equal(byte_reader_left(&r), 0);
    assert_non_null(byte_reader_take(&r, 0));
    assert_null(byte_reader_take(&r, SIZE_MAX));
}

static void float_bits_round_trip(void **state)
{
    (void)state;
    assert_int_equal(float_to_bits(1.0f), 0x3f800000);
    assert_true(float_from_bits(0x80000000) == 0.0f);
    assert_int_equal(float_to_bits(float_from_bits(0x7fc00001)), 0x7fc00001); /* a NaN keeps its payload */
}

static void buffer_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct strbuf buffer = STRBUF_MAX(10);
    assert_int_equal(strbuf_text(&buffer, "12345"), WEIR_OK);
    assert_int_equal(strbuf_text(&buffer, "678901"), WEIR_ERR_LIMIT);
    assert_string_equal(buffer.data, "12345");
    assert_int_equal(strbuf_printf(&buffer, "%d", 67890), WEIR_OK);
    assert_int_equal(strbuf_printf(&buffer, "%d", 1), WEIR_ERR_LIMIT);
    assert_int_equal(strbuf_add(&buffer, "", SIZE_MAX), WEIR_ERR_LIMIT);
    assert_string_equal(buffer.data, "1234567890");
    assert_int_equal(buffer.size, 10);
    strbuf_clear(&buffer);
    assert_string_equal(buffer.data, "");
    strbuf_free(&buffer);
    assert_int_equal(strbuf_text(&buffer, "again"), WEIR_OK);
    strbuf_free(&buffer);
}

static void buffer_survives_lack_of_memory(void **state)
{
    (void)state;
    struct strbuf buffer = STRBUF_MAX(1 << 20);
    assert_int_equal(strbuf_text(&buffer, "kept"), WEIR_OK);
    static const char block[4096];
    mem_fail_after(1);
    enum weir_status status = strbuf_add(&buffer, block, sizeof block);
    mem_fail_after(0);
    assert_int_equal(status, WEIR_ERR_NOMEM);
    assert_string_equal(buffer.data, "kept");
    strbuf_free(&buffer);
}

static void error_texts_are_cut_and_prefixed(void **state)
{
    (void)state;
    struct weir_error error;
    assert_int_equal(error_set(NULL, WEIR_ERR_IO, "%s", "no one listens"), WEIR_ERR_IO);
    assert_int_equal(error_set(&error, WEIR_ERR_FORMAT, "offset %d", 4096), WEIR_ERR_FORMAT);
    assert_int_equal(error_prefix(&error, WEIR_ERR_FORMAT, "model.gguf"), WEIR_ERR_FORMAT);
    assert_string_equal(error.text, "model.gguf: offset 4096");
    char long_text[2 * WEIR_ERROR_TEXT_MAX];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    (void)error_set(&error, WEIR_ERR_LIMIT, "%s", long_text);
    assert_int_equal(strlen(error.text), WEIR_ERROR_TEXT_MAX - 1);
    (void)error_prefix(&error, WEIR_ERR_LIMIT, "%s", long_text);
    assert_int_equal(strlen(error.text), WEIR_ERROR_TEXT_MAX - 1);
}

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int number = 0; number <= WEIR_ERR_CANCELLED; number++) {
        assert_string_not_equal(weir_status_name((enum weir_status)number), "ERR_UNKNOWN");
        assert_string_not_equal(weir_status_text((enum weir_status)number), "unknown status");
    }
    assert_string_equal(weir_status_name((enum weir_status)12345), "ERR_UNKNOWN");
    assert_string_equal(weir_status_text((enum weir_status)12345), "unknown status");
}

/* FIPS 180-4, example 1, and the empty message. */
static void sha256_of_known_messages(void **state)
{
    (void)state;
    char hex[HASH_HEX_SIZE];
    assert_int_equal(hash_bytes("abc", 3, hex), WEIR_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(hash_bytes("", 0, hex), WEIR_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct hash *hash = hash_open();
    assert_non_null(hash);
    hash_add(hash, "a", 1);
    hash_add(hash, "bc", 2);
    assert_int_equal(hash_finish(&hash, hex), WEIR_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A new folder under the build folder's working directory; the caller removes it. */
static void make_folder(char path[32])
{
    strcpy(path, "weir-base-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static void files_are_written_whole_and_read_back(void **state)
{
    (void)state;
    char folder[32], path[64];
    struct weir_error error = {0};
    make_folder(folder);
    snprintf(path, sizeof path, "%s/file", folder);
    for (int round = 0; round < 2; round++) { /* the second write replaces the first */
        const char *text = round ? "second" : "the first, longer text";
        check_status(file_write_atomic(path, text, strlen(text), &error), WEIR_OK, &error);
        struct strbuf read = STRBUF_MAX(100);
        check_status(file_read(path, &read, &error), WEIR_OK, &error);
        assert_string_equal(read.data, text);
        strbuf_free(&read);
        struct file_map map;
        check_status(file_map_open(path, &map, &error), WEIR_OK, &error);
        assert_int_equal(map.size, strlen(text));
        assert_memory_equal(map.data, text, map.size);
        file_map_close(&map);
    }
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* no temporary file is left behind */
}

static void large_and_empty_files_are_read(void **state)
{
    (void)state;
    char folder[32], path[64];
    struct weir_error error = {0};
    make_folder(folder);
    snprintf(path, sizeof path, "%s/file", folder);
    size_t size = 3 * 16384; /* a multiple of the block that is read at once */
    char *bytes = mem_zero(size, 1);
    check_status(file_write_atomic(path, bytes, size, &error), WEIR_OK, &error);
    struct strbuf read = STRBUF_MAX(size);
    check_status(file_read(path, &read, &error), WEIR_OK, &error);
    assert_int_equal(read.size, size);
    strbuf_free(&read);
    read.size_max = size - 1;
    check_status(file_read(path, &read, &error), WEIR_ERR_LIMIT, &error);
    strbuf_free(&read);
    check_status(file_write_atomic(path, "", 0, &error), WEIR_OK, &error);
    struct file_map map;
    check_status(file_map_open(path, &map, &error), WEIR_OK, &error);
    assert_int_equal(map.size, 0);
    assert_null(map.data);
    file_map_close(&map);
    free(bytes);
    unlink(path);
    rmdir(folder);
}

static void missing_files_and_folders_are_named(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct file_map map;
    check_status(file_map_open("no-such-folder/model.gguf", &map, &error), WEIR_ERR_NOT_FOUND, &error);
    check_contains(error.text, "no-such-folder/model.gguf");
    check_status(file_map_open("/", &map, &error), WEIR_ERR_IO, &error);
    check_contains(error.text, "not a regular file");
    assert_int_not_equal(file_write_atomic("no-such-folder/out", "x", 1, &error), WEIR_OK);
    check_contains(error.text, "no-such-folder/out");
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    char folder[32], path[64];
    struct weir_error error = {0};
    make_folder(folder);
    snprintf(path, sizeof path, "%s/a/b", folder);
    check_status(file_make_folder(path, &error), WEIR_OK, &error);
    check_status(file_make_folder(path, &error), WEIR_OK, &error); /* again is fine */
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    rmdir(path);
    snprintf(path, sizeof path, "%s/a", folder);
    rmdir(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_never_wrap),
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(pages_are_zero_until_written_and_after_a_drop),
        cmocka_unit_test(the_nth_allocation_fails_and_all_after_it),
        cmocka_unit_test(reader_stops_at_the_end_and_stays_failed),
        cmocka_unit_test(reader_takes_everything),
        cmocka_unit_test(float_bits_round_trip),
        cmocka_unit_test(buffer_refuses_what_does_not_fit),
        cmocka_unit_test(buffer_survives_lack_of_memory),
        cmocka_unit_test(error_texts_are_cut_and_prefixed),
        cmocka_unit_test(every_status_has_a_name_and_a_text),
        cmocka_unit_test(sha256_of_known_messages),
        cmocka_unit_test(files_are_written_whole_and_read_back),
        cmocka_unit_test(large_and_empty_files_are_read),
        cmocka_unit_test(missing_files_and_folders_are_named),
        cmocka_unit_test(folders_are_made_with_their_parents),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
