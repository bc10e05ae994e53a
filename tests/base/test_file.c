/* Whole files: mapped, read within a bound, written whole or not at all. */
#include "base/file.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"

static char folder[64];

static char inside_of_writers[512];

static const char *inside(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "weir_file_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(inside("f"));
    rmdir(inside("a/b"));
    rmdir(inside("a"));
    rmdir(inside("d"));
    return rmdir(folder); /* fails when a temporary file was left behind */
}

static unsigned entries(void)
{
    unsigned count = 0;
    DIR *open_folder = opendir(folder);
    for (struct dirent *entry; (entry = readdir(open_folder)) != NULL;) count += entry->d_name[0] != '.';
    closedir(open_folder);
    return count;
}

static void check_content(const char *path, const char *expected)
{
    struct strbuf content = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    check_status(file_read(path, &content, &error), WEIR_OK, &error);
    assert_int_equal(content.size, strlen(expected));
    assert_memory_equal(content.data ? content.data : "", expected, content.size);
    strbuf_free(&content);
}

static void writes_replace_the_whole_file(void **state)
{
    (void)state;
    struct weir_error error = {0};
    check_status(file_write_atomic(inside("f"), "first, longer", 13, &error), WEIR_OK, &error);
    check_content(inside("f"), "first, longer");
    check_status(file_write_atomic(inside("f"), "second", 6, &error), WEIR_OK, &error);
    check_content(inside("f"), "second");
    check_status(file_write_atomic(inside("f"), NULL, 0, &error), WEIR_OK, &error);
    check_content(inside("f"), "");
    assert_int_equal(entries(), 1);
}

static unsigned mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static void permissions_are_kept(void **state)
{
    (void)state;
    struct weir_error error = {0};
    mode_t mask = umask(027);
    unlink(inside("f"));
    check_status(file_write_atomic(inside("f"), "new", 3, &error), WEIR_OK, &error);
    assert_int_equal(mode_of(inside("f")), 0640);
    assert_int_equal(chmod(inside("f"), 0606), 0);
    check_status(file_write_atomic(inside("f"), "again", 5, &error), WEIR_OK, &error);
    assert_int_equal(mode_of(inside("f")), 0606);
    (void)umask(mask);
}

enum { WRITERS = 8, WRITES = 20, WRITTEN_BYTES = 5000 };

/* Writes files of one letter each. */
static void *write_letters(void *letter)
{
    char content[WRITTEN_BYTES];
    memset(content, *(const char *)letter, sizeof content);
    for (int i = 0; i < WRITES; i++) {
        if (file_write_atomic(inside_of_writers, content, sizeof content, NULL)) return letter;
    }
    return NULL;
}

static void threads_may_write_the_same_file(void **state)
{
    (void)state;
    pthread_t writers[WRITERS];
    static const char letters[] = "abcdefgh";
    (void)snprintf(inside_of_writers, sizeof inside_of_writers, "%s", inside("f"));
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_letters, (void *)(uintptr_t)&letters[i]), 0);
    for (int i = 0; i < WRITERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(writers[i], &failed), 0);
        assert_null(failed);
    }
    struct strbuf content = STRBUF_MAX(1 << 20);
    struct weir_error error = {0};
    check_status(file_read(inside("f"), &content, &error), WEIR_OK, &error);
    assert_int_equal(content.size, WRITTEN_BYTES);
    for (size_t i = 1; i < content.size; i++) assert_int_equal(content.data[i], content.data[0]);
    strbuf_free(&content);
    assert_int_equal(entries(), 1);
}

static void failed_writes_leave_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    struct weir_error error = {0};
    check_status(file_write_atomic(inside("f"), "old", 3, &error), WEIR_OK, &error);
    mem_fail_after(1);
    enum weir_status status = file_write_atomic(inside("f"), "new", 3, &error);
    mem_fail_after(0);
    assert_int_equal(status, WEIR_ERR_NOMEM);
    check_contains(error.text, "out of memory");
    check_content(inside("f"), "old");
    assert_int_equal(mkdir(inside("d"), 0700), 0);
    check_status(file_write_atomic(inside("d"), "x", 1, &error), WEIR_ERR_IO,
                 &error); /* a file cannot replace a folder */
    check_contains(error.text, "/d");
    check_status(file_write_atomic(inside("none/f"), "x", 1, &error), WEIR_ERR_NOT_FOUND, &error);
    assert_int_equal(entries(), 2);
}

static void reads_are_bounded(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct strbuf content = STRBUF_MAX(9);
    check_status(file_write_atomic(inside("f"), "ten bytes.", 10, &error), WEIR_OK, &error);
    check_status(file_read(inside("f"), &content, &error), WEIR_ERR_LIMIT, &error);
    check_contains(error.text, "9 bytes");
    strbuf_free(&content);
    content = STRBUF_MAX(10);
    check_status(file_read(inside("f"), &content, &error), WEIR_OK, &error);
    strbuf_free(&content);
    check_status(file_read(inside("none"), &content, &error), WEIR_ERR_NOT_FOUND, &error);
    check_contains(error.text, "/none");
    check_status(file_read(folder, &content, &error), WEIR_ERR_IO, &error);
    strbuf_free(&content);
}

static void maps_files_and_refuses_the_rest(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct file_map map = {0};
    check_status(file_write_atomic(inside("f"), "mapped", 6, &error), WEIR_OK, &error);
    check_status(file_map_open(inside("f"), &map, &error), WEIR_OK, &error);
    assert_int_equal(map.size, 6);
    assert_memory_equal(map.data, "mapped", 6);
    file_map_close(&map);
    assert_null(map.data);
    file_map_close(&map);
    check_status(file_write_atomic(inside("f"), "", 0, &error), WEIR_OK, &error);
    check_status(file_map_open(inside("f"), &map, &error), WEIR_OK, &error);
    assert_int_equal(map.size, 0);
    assert_null(map.data);
    check_status(file_map_open(inside("none"), &map, &error), WEIR_ERR_NOT_FOUND, &error);
    check_status(file_map_open(folder, &map, &error), WEIR_ERR_IO, &error);
    check_contains(error.text, "not a regular file");
    assert_int_equal(mkfifo(inside("pipe"), 0600), 0);
    check_status(file_map_open(inside("pipe"), &map, &error), WEIR_ERR_IO, &error); /* and does not wait for a writer */
    unlink(inside("pipe"));
}

enum { BIG_BYTES = 8 << 20 };

/* Pages of files that are resident in this process (statm, third field), in bytes. */
static size_t resident_file_bytes(void)
{
    struct strbuf text = STRBUF_MAX(1 << 12);
    unsigned long size = 0, resident = 0, shared = 0;
    check_status(file_read("/proc/self/statm", &text, NULL), WEIR_OK, NULL);
    assert_int_equal(sscanf(text.data, "%lu %lu %lu", &size, &resident, &shared), 3);
    strbuf_free(&text);
    return shared * (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned sum_of(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++) sum += bytes[i];
    return sum;
}

static void released_pages_leave_and_read_the_same(void **state)
{
    (void)state;
    struct weir_error error = {0};
    uint8_t *bytes = malloc(BIG_BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < BIG_BYTES; i++) bytes[i] = (uint8_t)(i * 7 + (i >> 12));
    check_status(file_write_atomic(inside("f"), bytes, BIG_BYTES, &error), WEIR_OK, &error);
    struct file_map map;
    check_status(file_map_open(inside("f"), &map, &error), WEIR_OK, &error);
    unsigned expected = sum_of(bytes, BIG_BYTES);
    file_map_expect(&map, map.data, map.size);
    assert_int_equal(sum_of(map.data, BIG_BYTES), expected);
    size_t before = resident_file_bytes();
    file_map_release(&map, map.data + 5000, BIG_BYTES - 6000);
    size_t after = resident_file_bytes();
    if (after + BIG_BYTES / 2 > before)
        fail_msg("expected %d bytes fewer than %zu, found %zu", BIG_BYTES, before, after);
    assert_memory_equal(map.data, bytes, BIG_BYTES);
    file_map_release(&map, bytes, 100); /* of something else: ignored */
    file_map_release(&map, map.data + BIG_BYTES - 1, 2);
    file_map_expect(&(struct file_map){0}, bytes, 100);
    assert_int_equal(sum_of(bytes, BIG_BYTES), expected);
    file_map_close(&map);
    free(bytes);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct stat info;
    check_status(file_make_folder(inside("a/b"), &error), WEIR_OK, &error);
    check_status(file_make_folder(inside("a/b"), &error), WEIR_OK, &error);
    assert_int_equal(stat(inside("a/b"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    check_status(file_write_atomic(inside("f"), "", 0, &error), WEIR_OK, &error);
    check_status(file_make_folder(inside("f/c"), &error), WEIR_ERR_IO, &error);
    check_status(file_make_folder(inside("f"), &error), WEIR_ERR_IO, &error);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(writes_replace_the_whole_file),
        IN_FOLDER(permissions_are_kept),
        IN_FOLDER(threads_may_write_the_same_file),
        IN_FOLDER(failed_writes_leave_the_old_file_and_nothing_else),
        IN_FOLDER(reads_are_bounded),
        IN_FOLDER(maps_files_and_refuses_the_rest),
        IN_FOLDER(released_pages_leave_and_read_the_same),
        IN_FOLDER(folders_are_made_with_their_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
