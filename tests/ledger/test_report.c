/* Reports, single rows, corrections, forgetting. */
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger/bench.h"

static void reader_open(struct bench *b)
{
    struct weir_error error = {0};
    weir_ledger_reader_close(&b->reader);
    check_status(weir_ledger_reader_open(b->path, &b->reader, &error), WEIR_OK, &error);
}

static json_t *report(struct bench *b, const struct weir_ledger_filter *filter)
{
    struct weir_error error = {0};
    json_error_t problem;
    char *text = NULL;
    reader_open(b);
    check_status(weir_ledger_report(b->reader, filter, &text, &error), WEIR_OK, &error);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (!json) fail_msg("%s: %s", problem.text, text);
    free(text);
    return json;
}

static void expect_int(const json_t *object, const char *key, int64_t expected)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) != expected)
        fail_msg("%s: expected %lld, found %lld", key, (long long)expected, (long long)json_integer_value(value));
}

static void expect_text(const json_t *object, const char *key, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text || strcmp(text, expected) != 0)
        fail_msg("%s: expected %s, found %s", key, expected, text ? text : "none");
}

static const json_t *group(const json_t *report, const char *member, size_t count, size_t index)
{
    const json_t *groups = json_object_get(report, member);
    if (json_array_size(groups) != count)
        fail_msg("%s: expected %zu, found %zu", member, count, json_array_size(groups));
    return json_array_get(groups, index);
}

/* Two days, three classes, both tiers. */
static int64_t fill(struct bench *b)
{
    int64_t run = bench_begin(b, b->task, "s", 1000000, -1).run;
    for (int i = 0; i < 100; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        bool is_escalated = i % 10 == 9;
        int64_t call = is_escalated ? bench_reserve(b, run, 500) : 0;
        if (call) bench_settle(b, call, 300);
        bench_record(b, run, "s", b->task, id, id, i % 4 ? "a" : "b", is_escalated, is_escalated ? 300 : 0);
        if (i == 59) b->clock_ms += BENCH_DAY_MS;
    }
    bench_flush(b);
    return run;
}

static void test_report(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = fill(b);
    bench_end(b, bench_reserve(b, run, 70), WEIR_CALL_UNKNOWN);
    bench_flush(b);
    json_t *json = report(b, NULL);
    const json_t *all = group(json, "total", 1, 0);
    expect_int(all, "rows", 100);
    expect_int(all, "local", 90);
    expect_int(all, "escalated", 10);
    expect_int(all, "cost_usd_e6", 3000);
    expect_int(all, "frontier_only_cost_usd_e6", 100000);
    expect_int(all, "saved_usd_e6", 97000);
    assert_true(json_number_value(json_object_get(all, "p50_ms")) == 10);
    assert_true(json_number_value(json_object_get(all, "p99_ms")) == 810);
    expect_int(group(json, "by_day", 2, 0), "rows", 60);
    expect_text(group(json, "by_day", 2, 0), "name", "2026-11-23");
    expect_int(group(json, "by_day", 2, 1), "escalated", 4);
    expect_text(group(json, "by_day", 2, 1), "name", "2026-11-24");
    expect_text(group(json, "by_class", 2, 0), "name", "a");
    expect_text(group(json, "by_class", 2, 0), "question", "sort");
    expect_int(group(json, "by_class", 2, 0), "rows", 75);
    expect_int(group(json, "by_class", 2, 1), "rows", 25);
    expect_text(group(json, "by_tier", 2, 0), "name", "frontier");
    expect_int(group(json, "by_tier", 2, 0), "cost_usd_e6", 3000);
    expect_int(group(json, "by_tier", 2, 1), "rows", 90);
    expect_text(group(json, "calls", 2, 0), "end", "settled");
    expect_int(group(json, "calls", 2, 0), "calls", 10);
    expect_int(group(json, "calls", 2, 0), "cost_usd_e6", 3000);
    expect_int(group(json, "calls", 2, 0), "reserved_usd_e6", 5000);
    expect_int(group(json, "calls", 2, 1), "cost_usd_e6", 70);
    expect_int(group(json, "runs", 1, 0), "spent_usd_e6", 3070);
    expect_int(group(json, "runs", 1, 0), "limit_usd_e6", 1000000);
    expect_text(json_object_get(json, "today"), "day", "2026-11-24");
    expect_int(json_object_get(json, "today"), "spent_usd_e6", 4 * 300 + 70);
    json_decref(json);
}

static void test_filter(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t run = fill(b);
    const struct weir_ledger_filter filters[] = {{.task = "sort"},
                                                 {.task = "other"},
                                                 {.source = "s"},
                                                 {.source = "t"},
                                                 {.run = run},
                                                 {.run = run + 1},
                                                 {.since_ms = BENCH_NOON_MS + 1},
                                                 {.until_ms = BENCH_NOON_MS + 1}};
    static const int64_t rows[] = {100, 0, 100, 0, 100, 0, 40, 60};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *json = report(b, &filters[i]);
        const json_t *total = json_object_get(json, "total");
        assert_int_equal(json_array_size(total), rows[i] ? 1 : 0);
        if (rows[i]) expect_int(json_array_get(total, 0), "rows", rows[i]);
        json_decref(json);
    }
}

/* Latency is by nearest rank: of 1..n, the quantile q is ceil(q n). */
static void test_quantiles(void **state)
{
    struct bench *b = *state;
    static const int counts[] = {1, 2, 3, 99, 100, 101};
    bench_open(b);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct weir_error error = {0};
        char source[8];
        (void)snprintf(source, sizeof source, "s%zu", c);
        int64_t run = bench_begin(b, b->task, source, -1, -1).run;
        for (int i = counts[c]; i > 0; i--) {
            char id[16], key[65], input_hash[65];
            (void)snprintf(id, sizeof id, "%d", i);
            bench_key(b->task, source, id, id, key, input_hash);
            struct weir_ledger_row row = {.run = run,
                                          .key = key,
                                          .input_hash = input_hash,
                                          .id = {id, strlen(id)},
                                          .tier = "",
                                          .reason = "x",
                                          .outcome = WEIR_ROW_ERROR,
                                          .latency_ms = i};
            check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_OK, &error);
        }
        bench_flush(b);
        json_t *json = report(b, &(struct weir_ledger_filter){.run = run});
        const json_t *total = group(json, "total", 1, 0);
        assert_int_equal((int)json_number_value(json_object_get(total, "p50_ms")), (counts[c] + 1) / 2);
        assert_int_equal((int)json_number_value(json_object_get(total, "p99_ms")), (counts[c] * 99 + 99) / 100);
        expect_int(total, "errors", counts[c]);
        json_decref(json);
    }
}

/* ---- single rows --------------------------------------------------------------------------------------------------- */

struct shown {
    json_t *rows[8];
    size_t count;
};

static bool keep_row(void *context, const char *text)
{
    struct shown *shown = context;
    json_t *row = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!row || shown->count == 8) fail_msg("no JSON, or too many rows: %s", text);
    shown->rows[shown->count++] = row;
    return true;
}

static void shown_free(struct shown *shown)
{
    for (size_t i = 0; i < shown->count; i++) json_decref(shown->rows[i]);
    *shown = (struct shown){0};
}

static bool stop(void *context, const char *text)
{
    (void)context;
    (void)text;
    return false;
}

static void test_show(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct shown shown = {0};
    char key[65], input_hash[65], number[32];
    bench_open(b);
    int64_t run = bench_begin(b, b->keeper, "s", 1000, -1).run;
    bench_key(b->keeper, "s", "42", "a \"text\"\n", key, input_hash);
    struct weir_reserve request = {.tier = "frontier", .model = "big", .key = key, .usd_e6 = 500, .attempt = 1};
    struct weir_grant grant;
    check_status(weir_ledger_reserve(b->ledger, run, &request, 1, &grant, &error), WEIR_OK, &error);
    bench_settle(b, grant.call, 123);
    bench_record(b, run, "s", b->keeper, "42", "a \"text\"\n", "c", true, 123);
    bench_record(b, run, "s", b->keeper, "43", "b", "a", false, 0);
    bench_record(b, run, "s", b->keeper, "42", "another of the same id", "a", false, 0);
    bench_flush(b);
    reader_open(b);
    check_status(weir_ledger_show(b->reader, "42", NULL, keep_row, &shown, &error), WEIR_OK, &error);
    assert_int_equal(shown.count, 2);
    const json_t *row = shown.rows[1];
    expect_text(row, "id", "42");
    expect_text(row, "task", "keeper");
    expect_text(row, "task_hash", weir_task_hash(b->keeper));
    expect_text(row, "row_key", key);
    expect_text(row, "input_hash", input_hash);
    expect_text(row, "source", "s");
    expect_text(row, "model_fingerprint", "model-1");
    expect_text(row, "time", "2026-11-23T12:00:00Z");
    expect_text(row, "text", "a \"text\"\n");
    expect_text(row, "tier", "frontier");
    assert_true(json_is_true(json_object_get(row, "escalated")));
    const json_t *decisions = json_object_get(row, "decisions");
    assert_int_equal(json_array_size(decisions), 2);
    expect_text(json_array_get(decisions, 0), "verdict", "escalated");
    expect_text(json_array_get(decisions, 0), "value", "b");
    expect_text(json_array_get(decisions, 0), "prompt_version", "p1");
    assert_true(json_number_value(json_object_get(json_array_get(decisions, 0), "probability")) == 0.6);
    assert_false(json_is_true(json_object_get(json_array_get(decisions, 0), "final")));
    assert_true(json_is_true(json_object_get(json_array_get(decisions, 1), "final")));
    assert_true(json_is_null(json_object_get(json_array_get(decisions, 1), "probability")));
    expect_text(json_array_get(decisions, 1), "model", "big");
    const json_t *call = json_array_get(json_object_get(row, "calls"), 0);
    expect_int(call, "cost_usd_e6", 123);
    expect_int(call, "reserved_usd_e6", 500);
    expect_text(call, "end", "settled");
    (void)snprintf(number, sizeof number, "@%lld", (long long)json_integer_value(json_object_get(row, "number")));
    shown_free(&shown);
    check_status(weir_ledger_show(b->reader, number, NULL, keep_row, &shown, &error), WEIR_OK, &error);
    assert_int_equal(shown.count, 1);
    expect_text(shown.rows[0], "text", "a \"text\"\n");
    shown_free(&shown);
    check_status(weir_ledger_show(b->reader, "4", NULL, keep_row, &shown, &error), WEIR_ERR_NOT_FOUND, &error);
    check_status(weir_ledger_show(b->reader, "@9999", NULL, keep_row, &shown, &error), WEIR_ERR_NOT_FOUND, &error);
    check_status(weir_ledger_show(b->reader, "42", NULL, stop, NULL, &error), WEIR_ERR_CANCELLED, &error);
}

/* ---- corrections --------------------------------------------------------------------------------------------------- */

struct corrections {
    char lines[8][96];
    size_t count;
};

static bool keep_correction(void *context, struct weir_string id, struct weir_string text, struct weir_string label,
                            bool is_multi)
{
    struct corrections *all = context;
    assert_true(all->count < 8);
    (void)snprintf(all->lines[all->count++], sizeof all->lines[0], "%s%.*s|%.*s|%.*s", is_multi ? "*" : "",
                   (int)id.size, id.data, (int)text.size, text.data, (int)label.size, label.data);
    return true;
}

static struct corrections corrections_of(struct bench *b, const char *task, size_t expected_left_out)
{
    struct weir_error error = {0};
    struct corrections all = {0};
    size_t left_out = 99;
    reader_open(b);
    check_status(weir_ledger_corrections(b->reader, task, NULL, keep_correction, &all, &left_out, &error), WEIR_OK,
                 &error);
    assert_int_equal(left_out, expected_left_out);
    return all;
}

static void correct(struct bench *b, struct weir_feedback feedback, enum weir_status expected, const char *text)
{
    struct weir_error error = {0};
    check_status(weir_ledger_feedback(b->ledger, &feedback, &error), expected, &error);
    if (expected) check_contains(error.text, text);
}

static void test_feedback(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    int64_t keeping = bench_begin(b, b->keeper, "s", -1, -1).run, silent = bench_begin(b, b->task, "s", -1, -1).run;
    bench_record(b, keeping, "s", b->keeper, "1", "stored", "a", false, 0);
    bench_record(b, silent, "s", b->task, "2", "not stored", "a", false, 0);
    bench_record(b, silent, "s", b->task, "1", "same id", "a", false, 0);
    bench_flush(b);
    correct(b, (struct weir_feedback){.id = "1", .label = "b"}, WEIR_ERR_REFUSED, "rows of 2 tasks or sources");
    correct(b, (struct weir_feedback){.id = "9", .label = "b"}, WEIR_ERR_NOT_FOUND, "9: no row");
    const struct weir_ledger_filter keeper = {.task = "keeper"}, sort = {.task = "sort"};
    correct(b, (struct weir_feedback){.id = "1", .filter = keeper, .label = "x"}, WEIR_ERR_REFUSED, "no label 'x'");
    correct(b, (struct weir_feedback){.id = "1", .filter = keeper, .label = "b", .question = "q"}, WEIR_ERR_REFUSED,
            "no question 'q'");
    correct(b, (struct weir_feedback){.id = "1", .filter = keeper, .label = "b"}, WEIR_OK, "");
    correct(b, (struct weir_feedback){.id = "1", .filter = keeper, .label = "c"}, WEIR_OK,
            ""); /* the later one holds */
    correct(b, (struct weir_feedback){.id = "2", .label = "b"}, WEIR_ERR_REFUSED, "--input");
    correct(b, (struct weir_feedback){.id = "2", .label = "b", .text = {"other", 5}}, WEIR_ERR_REFUSED, "not the one");
    correct(b, (struct weir_feedback){.id = "2", .label = "b", .text = {"not stored", 10}}, WEIR_OK, "");
    correct(b, (struct weir_feedback){.id = "1", .filter = sort, .label = "c", .text = {"same id", 7}}, WEIR_OK, "");
    struct corrections all = corrections_of(b, "keeper", 0);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.lines[0], "1|stored|c");
    all = corrections_of(b, "sort", 0);
    assert_int_equal(all.count, 2);
    assert_string_equal(all.lines[0], "2|not stored|b");
    assert_string_equal(all.lines[1], "1|same id|c");
    assert_int_equal(corrections_of(b, "unknown", 0).count, 0);
    bench_check(b);
}

static void test_feedback_multi(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct weir_task *task = NULL;
    static const char text[] = "task: many\ninstructions: Sort.\ntype: choice\nmulti: true\nlabels: [a, b, c]\n"
                               "privacy: {store_bodies: true}\n";
    check_status(weir_task_open_memory(text, sizeof text - 1, "many", &task, &error), WEIR_OK, &error);
    bench_open(b);
    int64_t run = bench_begin(b, task, "s", -1, -1).run;
    bench_record(b, run, "s", task, "1", "x", "a", false, 0);
    bench_record(b, run, "s", task, "2", "y", "a", false, 0);
    bench_flush(b);
    correct(b, (struct weir_feedback){.id = "1", .label = "a\nc"}, WEIR_OK, "");
    correct(b, (struct weir_feedback){.id = "2", .label = ""}, WEIR_OK, "");
    correct(b, (struct weir_feedback){.id = "1", .label = "a\nd"}, WEIR_ERR_REFUSED, "no label 'd'");
    correct(b, (struct weir_feedback){.id = "1", .label = "a\n"}, WEIR_ERR_REFUSED, "no label ''");
    struct corrections all = corrections_of(b, "many", 0);
    assert_int_equal(all.count, 2);
    assert_string_equal(all.lines[0], "*1|x|a\nc");
    assert_string_equal(all.lines[1], "*2|y|");
    run = bench_begin(b, b->keeper, "s", -1, -1).run;
    bench_record(b, run, "s", b->keeper, "3", "z", "a", false, 0);
    bench_flush(b);
    correct(b, (struct weir_feedback){.id = "3", .label = "a\nb"}, WEIR_ERR_REFUSED, "takes one label");
    correct(b, (struct weir_feedback){.id = "3", .label = ""}, WEIR_ERR_REFUSED, "no label ''");
    weir_task_close(&task);
}

/* ---- forgetting ---------------------------------------------------------------------------------------------------- */

static size_t forget(struct bench *b, struct weir_forget what)
{
    struct weir_error error = {0};
    struct weir_forgotten forgotten = {0};
    check_status(weir_ledger_forget(b->ledger, &what, &forgotten, &error), WEIR_OK, &error);
    assert_true(forgotten.is_wiped);
    return forgotten.rows;
}

/* What was written in every place a text can be in is in none of the file's bytes afterwards, while the file is still open. */
static void test_forget_wipes(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    char key[65], input_hash[65];
    static const char text[] = "my card number is unforgettable-4711";
    bench_open(b);
    int64_t run = bench_begin(b, b->keeper, "s", 1000, -1).run;
    bench_key(b->keeper, "s", "unforgettable-id", text, key, input_hash);
    struct weir_reserve request = {.tier = "t", .model = "m", .key = key, .usd_e6 = 9, .attempt = 1};
    struct weir_grant grant;
    check_status(weir_ledger_reserve(b->ledger, run, &request, 1, &grant, &error), WEIR_OK, &error);
    bench_settle(b, grant.call, 7);
    struct weir_ledger_row row = {.run = run,
                                  .key = key,
                                  .input_hash = input_hash,
                                  .id = {"unforgettable-id", 16},
                                  .tier = "",
                                  .reason = "x",
                                  .outcome = WEIR_ROW_ERROR,
                                  .output_has_text = true,
                                  .output = {text, sizeof text - 1},
                                  .text = {text, sizeof text - 1}};
    check_status(weir_ledger_record(b->ledger, &row, &error), WEIR_OK, &error);
    check_status(weir_ledger_keep_reply(b->ledger, run, key, input_hash, row.text, &error), WEIR_OK, &error);
    bench_flush(b);
    correct(b, (struct weir_feedback){.id = "unforgettable-id", .label = "a"}, WEIR_OK, "");
    assert_true(bench_file_holds(b, "unforgettable-4711"));
    assert_int_equal(forget(b, (struct weir_forget){.id = "unforgettable-id", .only_bodies = true}), 1);
    assert_false(bench_file_holds(b, "unforgettable-4711"));
    assert_true(bench_file_holds(b, "unforgettable-id"));
    assert_int_equal(corrections_of(b, "keeper", 1).count, 0);
    weir_ledger_reader_close(&b->reader);
    assert_int_equal(forget(b, (struct weir_forget){.id = "unforgettable-id"}), 1);
    assert_false(bench_file_holds(b, "unforgettable-id"));
    static const char *const tables[] = {"rows", "decisions", "outputs", "bodies", "feedback", "replies"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        assert_int_equal(bench_sql(b, sql), 0);
    }
    assert_int_equal(bench_sql(b, "SELECT sum(cost_usd_e6) FROM calls WHERE key IS NULL"), 7); /* money stays */
    bench_check(b);
}

static void test_forget_which(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct weir_forgotten forgotten;
    bench_open(b);
    int64_t run = bench_begin(b, b->task, "s", -1, -1).run, other = bench_begin(b, b->keeper, "s", -1, -1).run;
    for (int day = 0; day < 4; day++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", day);
        bench_record(b, run, "s", b->task, id, id, "a", false, 0);
        bench_record(b, other, "s", b->keeper, id, id, "a", false, 0);
        b->clock_ms += BENCH_DAY_MS;
    }
    const struct weir_forget nothing = {0}, empty = {.id = ""};
    check_status(weir_ledger_forget(b->ledger, &nothing, &forgotten, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_ledger_forget(b->ledger, &empty, &forgotten, &error), WEIR_ERR_INVALID, &error);
    assert_int_equal(forget(b, (struct weir_forget){.id = "0", .task = "keeper"}), 1);
    assert_int_equal(forget(b, (struct weir_forget){.before_ms = BENCH_NOON_MS + 2 * BENCH_DAY_MS}), 3);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 4);
    assert_int_equal(forget(b, (struct weir_forget){.task = "sort"}), 2);
    assert_int_equal(forget(b, (struct weir_forget){.task = "sort"}), 0);
    assert_int_equal(forget(b, (struct weir_forget){.id = "@99"}), 0);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 2);
    bench_check(b);
}

/* A reader in the middle of a transaction holds older pages: told, and gone with the next call. */
static void test_forget_beside_reader(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    struct weir_forgotten forgotten = {0};
    sqlite3 *db = NULL;
    const struct weir_forget what = {.id = "1"};
    bench_open(b);
    int64_t run = bench_begin(b, b->keeper, "s", -1, -1).run;
    bench_record(b, run, "s", b->keeper, "1", "unforgettable-4711", "a", false, 0);
    bench_flush(b);
    assert_int_equal(sqlite3_open_v2(b->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM rows", NULL, NULL, NULL), SQLITE_OK);
    check_status(weir_ledger_forget(b->ledger, &what, &forgotten, &error), WEIR_OK, &error);
    assert_int_equal(forgotten.rows, 1);
    assert_false(forgotten.is_wiped);
    (void)sqlite3_close(db);
    assert_int_equal(forget(b, what), 0);
    assert_false(bench_file_holds(b, "unforgettable-4711"));
}

static void test_retention(void **state)
{
    struct bench *b = *state;
    struct weir_error error = {0};
    bench_open(b);
    int64_t run = bench_begin(b, b->keeper, "s", -1, -1).run;
    for (int day = 0; day < 10; day++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", day);
        bench_record(b, run, "s", b->keeper, id, id, "a", false, 0);
        b->clock_ms += BENCH_DAY_MS;
    }
    b->clock_ms -= BENCH_DAY_MS / 2; /* the latest row is half a day old, the first nine and a half */
    check_status(weir_ledger_retain(b->ledger, (struct weir_retention){7, 2}, &error), WEIR_OK, &error);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 7);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM bodies"), 2);
    bench_close(b);
    b->clock_ms += BENCH_DAY_MS;
    bench_open(b); /* applied again */
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 6);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM bodies"), 1);
    struct weir_retention found = {0};
    reader_open(b);
    check_status(weir_ledger_retention(b->reader, &found, &error), WEIR_OK, &error);
    assert_int_equal(found.rows_days, 7);
    assert_int_equal(found.bodies_days, 2);
    check_status(weir_ledger_retain(b->ledger, (struct weir_retention){0}, &error), WEIR_OK, &error);
    check_status(weir_ledger_retain(b->ledger, (struct weir_retention){40000, 0}, &error), WEIR_ERR_INVALID, &error);
    b->clock_ms += 1000 * BENCH_DAY_MS;
    bench_close(b);
    bench_open(b);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), 6);
    bench_check(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_report),       TEST(test_filter),       TEST(test_quantiles),
        TEST(test_show),         TEST(test_feedback),     TEST(test_feedback_multi),
        TEST(test_forget_wipes), TEST(test_forget_which), TEST(test_forget_beside_reader),
        TEST(test_retention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
