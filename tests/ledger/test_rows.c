/* Runs and rows: what a run that goes on finds, what is stored, what is not. */
#include <stdio.h>
#include <stdlib.h>

#include "ledger/bench.h"

static struct weir_ledger_found find(struct bench *b, int64_t run, const struct weir_task *task, const char *source,
                                     const char *id, const char *text)
{
    struct weir_error error = {0};
    struct weir_ledger_found found = {.number = -1};
    char key[65], input_hash[65];
    bench_key(task, source, id, text, key, input_hash);
    check_status(weir_ledger_find(b->ledger, run, key, &found, &error), WEIR_OK, &error);
    return found;
}

/* Recorded, closed, opened: the row is there with its line; others are not. */
static void test_resume(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    struct weir_run_info first = bench_begin(b, b->task, "s", -1, -1);
    assert_false(first.is_resumed);
    bench_record(b, first.run, "s", b->task, "1", "hello", "a", false, 0);
    bench_record(b, first.run, "s", b->task, "2", "world", "c", true, 120);
    bench_close(b);
    bench_open(b);
    struct weir_run_info again = bench_begin(b, b->task, "s", -1, -1);
    assert_int_equal(again.run, first.run);
    assert_true(again.is_resumed);
    assert_int_equal(again.rows, 2);
    struct weir_ledger_found found = find(b, again.run, b->task, "s", "2", "world");
    assert_true(found.is_decided);
    assert_true(found.is_escalated);
    assert_int_equal(found.outcome, WEIR_ROW_ANSWERED);
    assert_int_equal(found.cost_usd_e6, 120);
    assert_string_equal(found.output, "{\"id\":\"2\",\"value\":\"c\"}");
    assert_int_equal(found.output_size, strlen(found.output));
    weir_ledger_found_free(&found);
    found = find(b, again.run, b->task, "s", "2", "World"); /* its text was changed */
    assert_false(found.is_decided);
    assert_int_equal(found.number, 0);
    found = find(b, again.run, b->task, "other", "2", "world");
    assert_false(found.is_decided);
    bench_check(b);
}

static void test_which_run(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct weir_run_info info;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run;
    struct weir_run_options options = weir_run_options_default(b->task);
    options.source = "s";
    options.model = "model-1";
    check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_ERR_REFUSED, &error);
    check_contains(error.text, "open already");
    options.source = "t"; /* another source, */
    check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_OK, &error);
    assert_int_not_equal(info.run, run);
    options.source = "s";
    options.profile = "p"; /* another profile: another run */
    check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_OK, &error);
    assert_int_not_equal(info.run, run);
    bench_close(b);
    bench_open(b);
    options.profile = "";
    options.mode = WEIR_RUN_NEW; /* gives the others of this source up */
    check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_OK, &error);
    assert_false(info.is_resumed);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM runs WHERE state = 'abandoned'"), 2);
}

static void finish(struct bench *b, int64_t run, bool keep_outputs)
{
    struct weir_error error = {0};
    check_status(weir_ledger_finish(b->ledger, run, keep_outputs, &error), WEIR_OK, &error);
}

static struct weir_run_info reopen(struct bench *b, const struct weir_task *task)
{
    struct weir_error error = {0};
    struct weir_run_info info;
    struct weir_run_options options = weir_run_options_default(task);
    options.source = "s";
    options.model = "model-1";
    options.mode = WEIR_RUN_REOPEN;
    check_status(weir_ledger_begin(b->ledger, &options, &info, &error), WEIR_OK, &error);
    return info;
}

/* A finished run is not resumed; it is opened again only where its lines were kept. */
static void test_finish(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    bench_open(b);
    int64_t first = bench_begin(b, b->task, "s", -1, -1).run;
    bench_record(b, first, "s", b->task, "1", "hello", "a", false, 0);
    finish(b, first, false);
    check_status(weir_ledger_finish(b->ledger, first, false, &error), WEIR_ERR_INVALID, &error);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM outputs"), 0);
    struct weir_run_info second = reopen(b, b->task);
    assert_false(second.is_resumed);
    bench_record(b, second.run, "s", b->task, "1", "hello", "a", false, 0);
    finish(b, second.run, true);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM outputs"), 1);
    assert_false(bench_begin(b, b->task, "s", -1, -1).is_resumed);
    bench_close(b);
    bench_open(b);
    struct weir_run_info third = bench_begin(b, b->task, "s", -1, -1);
    assert_true(third.is_resumed); /* the unfinished one of before */
    finish(b, third.run, false);
    struct weir_run_info fourth = reopen(b, b->task);
    assert_true(fourth.run == third.run || fourth.run == second.run); /* both are whole */
    assert_true(fourth.is_resumed);
    bench_check(b);
}

/* Lines that hold text of the message go with the end of the run where the task does not store bodies. */
static void test_lines_with_text(void **state)
{
    struct bench *b = *state;
    const struct weir_task *tasks[] = {b->task, b->keeper};
    for (int i = 0; i < 2; i++) {
        struct weir_error error = {0};
        char key[65], input_hash[65];
        bench_open(b);
        int64_t run = bench_begin(b, tasks[i], "s", -1, -1).run;
        bench_key(tasks[i], "s", "1", "secret words", key, input_hash);
        struct weir_ledger_row row = {.run = run,
                                      .key = key,
                                      .input_hash = input_hash,
                                      .id = {"1", 1},
                                      .tier = "local",
                                      .reason = "x",
                                      .outcome = WEIR_ROW_ERROR,
                                      .output_has_text = true,
                                      .output = {"line with secret words", 22},
                                      .frontier_usd_e6 = -1};
        check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_OK, &error);
        bench_flush(b);
        assert_int_equal(bench_sql(b, "SELECT count(*) FROM outputs"), 1);
        finish(b, run, true);
        assert_int_equal(bench_sql(b, "SELECT count(*) FROM outputs"), i);
        bench_close(b);
        assert_int_equal(bench_file_holds(b, "secret words"), i);
    }
}

static void test_bodies(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t silent = bench_begin(b, b->task, "s", -1, -1).run, keeping = bench_begin(b, b->keeper, "s", -1, -1).run;
    bench_record(b, silent, "s", b->task, "1", "text of the silent task", "a", false, 0);
    bench_record(b, keeping, "s", b->keeper, "1", "text of the keeping task", "a", false, 0);
    bench_close(b);
    assert_false(bench_file_holds(b, "text of the silent task"));
    assert_true(bench_file_holds(b, "text of the keeping task"));
}

/* The same row twice keeps the first record; a queued one gives way, and what was paid for it adds up. */
static void test_twice_and_queued(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    char key[65], input_hash[65];
    bench_open(b);
    struct weir_run_info run = bench_begin(b, b->task, "s", -1, -1);
    bench_record(b, run.run, "s", b->task, "1", "hello", "a", false, 0);
    bench_record(b, run.run, "s", b->task, "1", "hello", "b", true, 5);
    bench_flush(b);
    assert_int_equal(weir_ledger_repeated(b->ledger), 1);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 1);
    assert_int_equal(bench_sql(b, "SELECT value = 'a' FROM decisions WHERE is_final"), 1);
    bench_key(b->task, "s", "2", "later", key, input_hash);
    struct weir_ledger_row row = {.run = run.run,
                                  .key = key,
                                  .input_hash = input_hash,
                                  .id = {"2", 1},
                                  .tier = "",
                                  .reason = "budget_day",
                                  .outcome = WEIR_ROW_QUEUED,
                                  .cost_usd_e6 = 7,
                                  .attempts = 1,
                                  .frontier_usd_e6 = -1};
    check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_OK, &error);
    finish(b, run.run, false); /* stays unfinished */
    bench_close(b);
    bench_open(b);
    run = bench_begin(b, b->task, "s", -1, -1);
    assert_true(run.is_resumed);
    assert_int_equal(run.rows, 1);
    assert_int_equal(run.queued, 1);
    struct weir_ledger_found found = find(b, run.run, b->task, "s", "2", "later");
    assert_false(found.is_decided);
    assert_true(found.number > 0);
    bench_record(b, run.run, "s", b->task, "2", "later", "c", true, 100);
    bench_flush(b);
    found = find(b, run.run, b->task, "s", "2", "later");
    assert_true(found.is_decided);
    assert_int_equal(found.cost_usd_e6, 107);
    weir_ledger_found_free(&found);
    assert_int_equal(weir_ledger_repeated(b->ledger), 0);
    bench_check(b);
}

static void test_same_text(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct weir_ledger_found found = {0};
    char key[65], input_hash[65];
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run;
    bench_record(b, run, "s", b->task, "1", "hello", "a", false, 0);
    bench_flush(b);
    bench_key(b->task, "s", "other id", "hello", key, input_hash);
    check_status(weir_ledger_find_same(b->ledger, run, input_hash, &found, &error), WEIR_OK, &error);
    assert_true(found.is_decided);
    assert_string_equal(found.output, "{\"id\":\"1\",\"value\":\"a\"}");
    weir_ledger_found_free(&found);
    bench_key(b->task, "s", "1", "hello!", key, input_hash);
    check_status(weir_ledger_find_same(b->ledger, run, input_hash, &found, &error), WEIR_OK, &error);
    assert_false(found.is_decided);
}

/* Calls that end with their row: both on disk, or neither; a wrong one keeps the row out. */
static void test_row_with_settlements(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    char key[65], input_hash[65];
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", 1000, -1).run;
    int64_t calls[2] = {bench_reserve(b, run, 100), bench_reserve(b, run, 100)};
    struct weir_settlement ends[] = {{.call = calls[0], .end = WEIR_CALL_RELEASED, .note = "http 529"},
                                     {.call = calls[1], .cost_usd_e6 = 60}};
    bench_key(b->task, "s", "1", "hello", key, input_hash);
    struct weir_ledger_row row = {.run = run,
                                  .key = key,
                                  .input_hash = input_hash,
                                  .id = {"1", 1},
                                  .tier = "frontier",
                                  .reason = "x",
                                  .outcome = WEIR_ROW_ERROR,
                                  .settlements = ends,
                                  .n_settlements = 2};
    ends[1].call = calls[0];
    check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_ERR_INVALID, &error);
    ends[1].call = 999;
    check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_ERR_INVALID, &error);
    ends[1].call = calls[1];
    check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_OK, &error);
    assert_int_equal(bench_left(b, run, WEIR_LIMIT_RUN), 940);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 1);
    bench_check(b);
}

static void test_bad_rows(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    char key[65], input_hash[65];
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run;
    bench_key(b->task, "s", "1", "hello", key, input_hash);
    const struct weir_ledger_row good = {.run = run,
                                         .key = key,
                                         .input_hash = input_hash,
                                         .id = {"1", 1},
                                         .tier = "",
                                         .reason = "x",
                                         .outcome = WEIR_ROW_ERROR};
    struct weir_ledger_decision decision = {.question = "q"};
    struct weir_ledger_row bad[] = {good, good, good, good, good, good, good};
    bad[0].key = "x";
    bad[1].run = run + 1;
    bad[2].reason = NULL;
    bad[3].cost_usd_e6 = -1;
    bad[4].id.data = NULL;
    bad[5].input_hash = "ABCDEF";
    bad[6].decisions = &decision;
    bad[6].n_decisions = 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_status(weir_ledger_record(b->ledger, &bad[i], &error), WEIR_ERR_INVALID, &error);
    struct weir_ledger_row large = good;
    large.output = (struct weir_string){"x", (size_t)17 << 20};
    check_status(weir_ledger_record(b->ledger, &large, &error), WEIR_ERR_LIMIT, &error);
    bench_flush(b);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 0);
}

/* More rows than a batch and the queue hold. */
static void test_many_rows(void **state)
{
    struct bench *b = *state;
    enum { ROWS = 12000 };
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run;
    for (int i = 0; i < ROWS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        bench_record(b, run, "s", b->task, id, id, "a", false, 0);
    }
    bench_close(b); /* writes what is queued */
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), ROWS);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM decision_rows"), ROWS);
    bench_check(b);
}

static void test_replies(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    char key[65], input_hash[65], *reply = NULL;
    size_t size = 0;
    bench_open(b);
    int64_t keeping = bench_begin(b, b->keeper, "s", -1, -1).run, silent = bench_begin(b, b->task, "s", -1, -1).run;
    bench_key(b->task, "s", "1", "hello", key, input_hash);
    const struct weir_string text = {"{\"label\":\"a\"}", 13};
    check_status(weir_ledger_keep_reply(b->ledger, silent, key, input_hash, text, &error), WEIR_OK, &error);
    bench_flush(b);
    check_status(weir_ledger_find_reply(b->ledger, key, &reply, &size, &error), WEIR_OK, &error);
    assert_null(reply);
    check_status(weir_ledger_keep_reply(b->ledger, keeping, key, input_hash, (struct weir_string){"old", 3}, &error),
                 WEIR_OK, &error);
    check_status(weir_ledger_keep_reply(b->ledger, keeping, key, input_hash, text, &error), WEIR_OK, &error);
    bench_flush(b);
    check_status(weir_ledger_find_reply(b->ledger, key, &reply, &size, &error), WEIR_OK, &error);
    assert_string_equal(reply, text.data);
    assert_int_equal(size, 13);
    free(reply);
    check_status(weir_ledger_find_reply(b->ledger, "x", &reply, &size, &error), WEIR_ERR_INVALID, &error);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_resume),   TEST(test_which_run),        TEST(test_finish),    TEST(test_lines_with_text),
        TEST(test_bodies),   TEST(test_twice_and_queued), TEST(test_same_text), TEST(test_row_with_settlements),
        TEST(test_bad_rows), TEST(test_many_rows),        TEST(test_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
