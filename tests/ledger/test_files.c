/* The file and what may be wrong with it: full disks, read-only, newer, damaged, foreign, or another process's. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "ledger/bench.h"

enum { NOBODY = 65534 };

static void sql_write(struct bench *b, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    (void)sqlite3_close(db);
}

static void expect_no_open(struct bench *b, enum weir_status expected, const char *text)
{
    struct weir_error error = {0};
    check_status(bench_try_open(b, &error), expected, &error);
    check_contains(error.text, text);
    check_contains(error.text, "ledger.db");
    assert_null(b->ledger);
}

static void put(struct bench *b, const char *bytes, size_t size)
{
    FILE *file = fopen(b->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_modes(void **state)
{
    struct bench *b = *state;
    struct stat info;
    char path[128];
    mode_t old = umask(0);
    struct weir_error error = {0};
    (void)snprintf(path, sizeof path, "%s/new/deep/l.db", b->folder);
    struct weir_ledger *ledger = NULL;
    check_status(weir_ledger_open(path, NULL, &ledger, &error), WEIR_OK, &error);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    (void)snprintf(path, sizeof path, "%s/new/deep/l.db-wal", b->folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    (void)snprintf(path, sizeof path, "%s/new/deep/l.db.lock", b->folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    weir_ledger_close(&ledger);
    (void)umask(old);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/new/deep/l.db", b->folder);
    assert_int_equal(unlink(path), 0); /* alone in its folder: an orderly close leaves no log */
    (void)snprintf(path, sizeof path, "%s/new/deep", b->folder);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s/new", b->folder);
    assert_int_equal(rmdir(path), 0);
}

static void test_marks(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    bench_close(b);
    assert_int_equal(bench_sql(b, "PRAGMA application_id"), 0x77656972);
    assert_int_equal(bench_sql(b, "PRAGMA user_version"), 1);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND "
                                  "NOT strict AND name NOT LIKE 'sqlite_%'"),
                     0);
}

static void test_newer(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    bench_open(b);
    bench_close(b);
    sql_write(b, "PRAGMA user_version=2");
    expect_no_open(b, WEIR_ERR_UNSUPPORTED, "made by a newer weir: version 2 of its tables, this one knows 1");
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_ERR_UNSUPPORTED, &error);
    sql_write(b, "PRAGMA user_version=1");
    bench_open(b);
}

/* Another program's database is refused and not changed. */
static void test_foreign(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    sql_write(b, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    expect_no_open(b, WEIR_ERR_REFUSED, "not a ledger of weir");
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_ERR_REFUSED, &error);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM sqlite_schema"), 1);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
    sqlite3_stmt *mode = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &mode, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(mode), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(mode, 0), "delete");
    (void)sqlite3_finalize(mode);
    (void)sqlite3_close(db);
}

static void test_no_database(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    static const char text[] =
        "This is a letter, not a database. It is longer than a header, so nobody takes it for an empty one.";
    put(b, text, sizeof text);
    expect_no_open(b, WEIR_ERR_FORMAT, "not a database");
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_ERR_FORMAT, &error);
    put(b, "", 0); /* an empty file becomes a ledger, but cannot be read as one */
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_ERR_REFUSED, &error);
    bench_open(b);
    bench_close(b);
    assert_int_equal(unlink(b->path), 0);
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_ERR_NOT_FOUND, &error);
    assert_int_equal(mkdir(b->path, 0700), 0);
    expect_no_open(b, WEIR_ERR_IO, "not a regular file");
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_ERR_IO, &error);
    assert_int_equal(rmdir(b->path), 0);
    struct weir_ledger *ledger = NULL;
    check_status(weir_ledger_open("", NULL, &ledger, &error), WEIR_ERR_INVALID, &error);
}

/* Bytes changed anywhere in the file: opening, checking and reporting end with a status, and never with another reading of the money unnoticed by
 * the check... which SQLite cannot promise for single bytes of a value; so what is asked here is that nothing crashes and that pages that are
 * overwritten whole are found. */
static void test_damaged(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000000, -1).run;
    for (int i = 0; i < 200; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        bench_settle(b, bench_reserve(b, run, 10), 7);
        bench_record(b, run, "s", b->task, id, "hello", "a", false, 0);
    }
    bench_close(b);
    int64_t pages = bench_sql(b, "PRAGMA page_count"), found = 0;
    for (int64_t page = 1; page < pages; page++) {
        struct weir_error error = {0};
        char old[4096], junk[4096];
        int fd = open(b->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, old, sizeof old, page * 4096), sizeof old);
        memset(junk, (int)(page * 37), sizeof junk);
        assert_int_equal(pwrite(fd, junk, sizeof junk, page * 4096), sizeof junk);
        enum weir_status status = weir_ledger_reader_open(b->path, &b->reader, &error);
        if (!status) status = weir_ledger_check(b->reader, &error);
        found += status == WEIR_ERR_FORMAT;
        char *json = NULL;
        if (b->reader && !weir_ledger_report(b->reader, NULL, &json, &error)) free(json);
        weir_ledger_reader_close(&b->reader);
        assert_int_equal(pwrite(fd, old, sizeof old, page * 4096), sizeof old);
        (void)close(fd);
    }
    assert_int_equal(found, pages - 1);
    bench_check(b);
    assert_int_equal(truncate(b->path, 4096 * (pages / 2)), 0);
    struct weir_error error = {0};
    enum weir_status status = weir_ledger_reader_open(b->path, &b->reader, &error);
    if (!status) status = weir_ledger_check(b->reader, &error);
    check_status(status, WEIR_ERR_FORMAT, &error);
}

/* Money that does not add up is found. */
static void test_check_money(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, -1).run;
    bench_settle(b, bench_reserve(b, run, 100), 70);
    bench_record(b, run, "s", b->task, "1", "hello", "a", false, 0);
    bench_close(b);
    static const char *const harm[][3] = {
        {"UPDATE runs SET spent_usd_e6 = 69", "UPDATE runs SET spent_usd_e6 = 70", "run 1: spent 69, its calls 70"},
        {"UPDATE runs SET reserved_usd_e6 = 1", "UPDATE runs SET reserved_usd_e6 = 0",
         "run 1: reserved 1, its open calls 0"},
        {"UPDATE spending SET spent_usd_e6 = 0", "UPDATE spending SET spent_usd_e6 = 70", "spent 0, its calls 70"},
        {"UPDATE spending SET day = 3", "UPDATE spending SET day = 20780", "day 3: spent 70, its calls 0"},
        {"UPDATE calls SET state = 'lost'", "UPDATE calls SET state = 'settled'", "call 1: lost at 70, reserved 100"},
        {"UPDATE decisions SET row = 9", "UPDATE decisions SET row = 1", "table decisions"},
    };
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        struct weir_error error = {0};
        sql_write(b, harm[i][0]);
        check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_OK, &error);
        check_status(weir_ledger_check(b->reader, &error), WEIR_ERR_FORMAT, &error);
        check_contains(error.text, harm[i][2]);
        weir_ledger_reader_close(&b->reader);
        sql_write(b, harm[i][1]);
        bench_check(b);
    }
}

/* ---- another process ----------------------------------------------------------------------------------------------- */

static void test_second_process(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct weir_ledger *second = NULL;
    char number[64], link[128];
    bench_open(b);
    check_status(weir_ledger_open(b->path, NULL, &second, &error), WEIR_ERR_REFUSED, &error);
    (void)snprintf(number, sizeof number, "this process (%ld)", (long)getpid());
    check_contains(error.text, number);
    (void)snprintf(link, sizeof link, "%s/link.db", b->folder); /* another way to the same file */
    assert_int_equal(symlink("ledger.db", link), 0);
    check_status(weir_ledger_open(link, NULL, &second, &error), WEIR_ERR_REFUSED, &error);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        enum weir_status status = weir_ledger_open(b->path, NULL, &second, &error);
        (void)snprintf(number, sizeof number, "process %ld is writing this ledger", (long)parent);
        _exit(status == WEIR_ERR_REFUSED && strstr(error.text, number) ? 0 : 1);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    bench_close(b);
    check_status(weir_ledger_open(link, NULL, &second, &error), WEIR_OK, &error);
    weir_ledger_close(&second);
}

/* A reader sees what is committed while another process writes, and changes nothing: not even the log. */
static void test_reader_beside_writer(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    char log[128], *json = NULL;
    struct stat before, after;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run;
    bench_record(b, run, "s", b->task, "1", "hello", "a", false, 0);
    bench_flush(b);
    (void)snprintf(log, sizeof log, "%s-wal", b->path);
    assert_int_equal(stat(log, &before), 0);
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_OK, &error);
    check_status(weir_ledger_report(b->reader, NULL, &json, &error), WEIR_OK, &error);
    check_contains(json, "\"rows\":1");
    free(json);
    weir_ledger_reader_close(&b->reader);
    assert_int_equal(stat(log, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    bench_record(b, run, "s", b->task, "2", "hello", "a", false, 0);
    bench_flush(b);
    bench_check(b);
}

/* ---- no room, no right --------------------------------------------------------------------------------------------- */

/* In a child: what it returns is the number of the step that went wrong. */
static int run_child(struct bench *b, int (*run)(struct bench *))
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(run(b));
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

static struct weir_ledger_row row_of(int64_t run, const char *key, const char *input_hash)
{
    static char line[20000];
    memset(line, 'x', sizeof line - 1);
    return (struct weir_ledger_row){.run = run,
                                    .key = key,
                                    .input_hash = input_hash,
                                    .id = {"1", 1},
                                    .tier = "",
                                    .reason = "x",
                                    .outcome = WEIR_ROW_ERROR,
                                    .output = {line, sizeof line - 1}};
}

/* Writes rows until there is no room; then every call says so, also those about money. */
static int fill_disk(struct bench *b)
{
    struct weir_error error = {0};
    struct weir_run_info info;
    struct rlimit limit = {300000, 300000};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (bench_try_open(b, &error)) return 1;
    struct weir_run_options options = weir_run_options_default(b->task);
    if (weir_ledger_begin(b->ledger, &options, &info, &error)) return 2;
    struct weir_reserve request = {.tier = "t", .model = "m", .usd_e6 = 5};
    struct weir_grant grant;
    if (weir_ledger_reserve(b->ledger, info.run, &request, 1, &grant, &error) || !grant.call) return 3;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 4;
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < 1000 && !status; i++) {
        char key[65], input_hash[65], id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        bench_key(b->task, "-", id, "x", key, input_hash);
        struct weir_ledger_row row = row_of(info.run, key, input_hash);
        status = weir_ledger_record(b->ledger, &row, &error);
    }
    if (!status) status = weir_ledger_flush(b->ledger, &error);
    if (status != WEIR_ERR_IO || !strstr(error.text, "ledger.db")) return 5;
    if (weir_ledger_reserve(b->ledger, info.run, &request, 1, &grant, &error) != WEIR_ERR_IO) return 6;
    if (weir_ledger_flush(b->ledger, &error) != WEIR_ERR_IO) return 7;
    if (weir_ledger_finish(b->ledger, info.run, false, &error) != WEIR_ERR_IO) return 7;
    struct weir_settlement settlement = {.call = grant.call, .cost_usd_e6 = 1};
    if (weir_ledger_settle(b->ledger, &settlement, NULL, &error) != WEIR_ERR_IO) return 8;
    if (weir_ledger_begin(b->ledger, &options, &info, &error) != WEIR_ERR_IO) return 9;
    weir_ledger_close(&b->ledger);
    return 0;
}

static void test_disk_full(void **state)
{
    struct bench *b = *state;
    assert_int_equal(run_child(b, fill_disk), 0);
    bench_open(b); /* there is room again */
    assert_int_equal(weir_ledger_recovered(b->ledger).calls, 1);
    assert_int_equal(weir_ledger_recovered(b->ledger).usd_e6, 5);
    struct weir_error error = {0};
    struct weir_run_info info;
    struct weir_run_options options = weir_run_options_default(b->task);
    check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_OK, &error);
    assert_true(info.is_resumed);
    assert_int_equal(info.lost.calls, 1);
    assert_int_equal(info.spent_usd_e6, 5);
    bench_check(b);
}

/* A disk that is full from the start. */
static int open_on_full_disk(struct bench *b)
{
    struct weir_error error = {0};
    struct rlimit limit = {1000, 1000};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (bench_try_open(b, &error) != WEIR_ERR_IO) return 2;
    return strstr(error.text, "ledger.db") ? 0 : 3;
}

static void test_disk_full_at_open(void **state)
{
    struct bench *b = *state;
    assert_int_equal(run_child(b, open_on_full_disk), 0);
    bench_open(b);
    bench_check(b);
}

/* Root may write everything: give that up. */
static bool become_nobody(void)
{
    return geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

static int write_read_only(struct bench *b)
{
    struct weir_error error = {0};
    if (!become_nobody()) return 1;
    if (bench_try_open(b, &error) != WEIR_ERR_IO) return 2;
    if (!strstr(error.text, "read-only") && !strstr(error.text, "Permission denied")) return 3;
    char *json = NULL;
    if (weir_ledger_reader_open(b->path, &b->reader, &error)) return 4;
    if (weir_ledger_report(b->reader, NULL, &json, &error)) return 5;
    bool is_read = strstr(json, "\"rows\":1");
    free(json);
    weir_ledger_reader_close(&b->reader);
    return is_read ? 0 : 6;
}

/* A file that may be read but not written, in a folder that may be written, and in one that may not: refused for writing, read for reports. */
static void test_read_only(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run;
    bench_record(b, run, "s", b->task, "1", "hello", "a", false, 0);
    bench_close(b);
    char lock[128];
    (void)snprintf(lock, sizeof lock, "%s.lock", b->path);
    assert_int_equal(chmod(b->path, 0444), 0);
    assert_int_equal(chmod(lock, 0666), 0);
    assert_int_equal(chmod(b->folder, 0777), 0);
    assert_int_equal(run_child(b, write_read_only), 0);
    assert_int_equal(chmod(b->folder, 0555), 0);
    assert_int_equal(run_child(b, write_read_only), 0);
    assert_int_equal(chmod(lock, 0444), 0);
    assert_int_equal(run_child(b, write_read_only), 0);
    assert_int_equal(chmod(b->folder, 0700), 0);
    assert_int_equal(chmod(b->path, 0600), 0);
    assert_int_equal(chmod(lock, 0600), 0);
    bench_open(b);
    bench_check(b);
}

/* ---- memory -------------------------------------------------------------------------------------------------------- */

static enum weir_status whole_life(struct bench *b)
{
    struct weir_run_info info;
    struct weir_grant grant;
    char key[65], input_hash[65];
    struct weir_run_options run = weir_run_options_default(b->keeper);
    struct weir_reserve request = {.tier = "t", .model = "m", .usd_e6 = 5};
    struct weir_row_keys *keys = NULL;
    enum weir_status status = bench_try_open(b, NULL);
    if (!status) status = weir_ledger_begin(b->ledger, &run, &info, NULL);
    if (!status) status = weir_ledger_reserve(b->ledger, info.run, &request, 1, &grant, NULL);
    if (!status)
        status = weir_ledger_settle(b->ledger, &(struct weir_settlement){.call = grant.call, .note = "n"}, NULL, NULL);
    if (!status) status = weir_row_keys_open("h", "s", &keys, NULL);
    if (!status)
        status =
            weir_row_keys_next(keys, (struct weir_string){"1", 1}, (struct weir_string){"x", 1}, key, input_hash, NULL);
    weir_row_keys_close(&keys);
    struct weir_ledger_row row = row_of(info.run, key, input_hash);
    if (!status) status = weir_ledger_record(b->ledger, &row, NULL);
    if (!status)
        status = weir_ledger_keep_reply(b->ledger, info.run, key, input_hash, (struct weir_string){"r", 1}, NULL);
    if (!status) status = weir_ledger_flush(b->ledger, NULL);
    struct weir_ledger_found found = {0};
    if (!status) status = weir_ledger_find(b->ledger, info.run, key, &found, NULL);
    weir_ledger_found_free(&found);
    char *reply = NULL;
    size_t size = 0;
    if (!status) status = weir_ledger_find_reply(b->ledger, key, &reply, &size, NULL);
    free(reply);
    if (!status) status = weir_ledger_finish(b->ledger, info.run, false, NULL);
    if (!status) status = weir_ledger_reader_open(b->path, &b->reader, NULL);
    reply = NULL;
    if (!status) status = weir_ledger_report(b->reader, NULL, &reply, NULL);
    free(reply);
    weir_ledger_reader_close(&b->reader);
    weir_ledger_close(&b->ledger);
    return status;
}

static void test_out_of_memory(void **state)
{
    struct bench *b = *state;
    for (size_t n = 1;; n++) {
        mem_fail_after(n);
        enum weir_status status = whole_life(b);
        mem_fail_after(0);
        if (!status) break;
        if (status != WEIR_ERR_NOMEM)
            fail_msg("allocation %zu: expected ERR_NOMEM, found %s", n, weir_status_name(status));
        assert_true(n < 200);
    }
    bench_check(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_modes),
        TEST(test_marks),
        TEST(test_newer),
        TEST(test_foreign),
        TEST(test_no_database),
        TEST(test_damaged),
        TEST(test_check_money),
        TEST(test_second_process),
        TEST(test_reader_beside_writer),
        TEST(test_disk_full),
        TEST(test_disk_full_at_open),
        TEST(test_read_only),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
