#include "ledger/bench.h"

#include <dirent.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char task_format[] = "task: %s\ninstructions: Sort.\ntype: choice\nlabels: [a, b, c]\n"
                                  "budget: {usd_per_day: 2.00, usd_per_run: 1.00}\nprivacy: {store_bodies: %s}\n";

static struct weir_task *open_task(const char *name, const char *stores)
{
    char text[512];
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    int size = snprintf(text, sizeof text, task_format, name, stores);
    check_status(weir_task_open_memory(text, (size_t)size, name, &task, &error), WEIR_OK, &error);
    return task;
}

int bench_setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench) return -1;
    *state = bench;
    (void)snprintf(bench->folder, sizeof bench->folder, "weir-ledger-test-XXXXXX");
    if (!mkdtemp(bench->folder)) return -1;
    (void)snprintf(bench->path, sizeof bench->path, "%s/ledger.db", bench->folder);
    bench->clock_ms = BENCH_NOON_MS;
    bench->task = open_task("sort", "false");
    bench->keeper = open_task("keeper", "true");
    return 0;
}

static void remove_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    char path[512];
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)unlink(path);
    }
    if (listing) (void)closedir(listing);
    (void)rmdir(folder);
}

int bench_teardown(void **state)
{
    struct bench *bench = *state;
    weir_ledger_reader_close(&bench->reader);
    weir_ledger_close(&bench->ledger);
    weir_task_close(&bench->task);
    weir_task_close(&bench->keeper);
    remove_folder(bench->folder);
    free(bench);
    return 0;
}

static int64_t bench_clock(void *context)
{
    return __atomic_load_n(&((struct bench *)context)->clock_ms, __ATOMIC_RELAXED);
}

enum weir_status bench_try_open(struct bench *bench, struct weir_error *error)
{
    struct weir_ledger_options options = {bench_clock, bench};
    return weir_ledger_open(bench->path, &options, &bench->ledger, error);
}

void bench_open(struct bench *bench)
{
    struct weir_error error = {0};
    check_status(bench_try_open(bench, &error), WEIR_OK, &error);
}

void bench_close(struct bench *bench)
{
    weir_ledger_close(&bench->ledger);
    assert_null(bench->ledger);
}

struct weir_run_info bench_begin(struct bench *bench, const struct weir_task *task, const char *source,
                                 int64_t run_limit, int64_t day_limit)
{
    struct weir_error error = {0};
    struct weir_run_info info = {0};
    struct weir_run_options options = weir_run_options_default(task);
    options.source = source;
    options.model = "model-1";
    options.limit_usd_e6[WEIR_LIMIT_RUN] = run_limit;
    options.limit_usd_e6[WEIR_LIMIT_DAY] = day_limit;
    check_status(weir_ledger_begin(bench->ledger, &options, &info, &error), WEIR_OK, &error);
    assert_true(info.run > 0);
    return info;
}

struct weir_grant bench_ask(struct bench *bench, int64_t run, int64_t usd_e6)
{
    struct weir_error error = {0};
    struct weir_reserve request = {.tier = "frontier", .model = "big", .usd_e6 = usd_e6, .attempt = 1};
    struct weir_grant grant = {0};
    check_status(weir_ledger_reserve(bench->ledger, run, &request, 1, &grant, &error), WEIR_OK, &error);
    return grant;
}

int64_t bench_reserve(struct bench *bench, int64_t run, int64_t usd_e6)
{
    return bench_ask(bench, run, usd_e6).call;
}

static void settle(struct bench *bench, const struct weir_settlement *settlement)
{
    struct weir_error error = {0};
    check_status(weir_ledger_settle(bench->ledger, settlement, NULL, &error), WEIR_OK, &error);
}

void bench_settle(struct bench *bench, int64_t call, int64_t cost_usd_e6)
{
    settle(bench, &(struct weir_settlement){.call = call,
                                            .end = WEIR_CALL_SETTLED,
                                            .cost_usd_e6 = cost_usd_e6,
                                            .tokens_in = 100,
                                            .tokens_out = 5,
                                            .latency_ms = 800});
}

void bench_end(struct bench *bench, int64_t call, enum weir_call_end end)
{
    settle(bench, &(struct weir_settlement){.call = call, .end = end, .note = "http 500"});
}

int64_t bench_left(struct bench *bench, int64_t run, enum weir_limit limit)
{
    struct weir_error error = {0};
    int64_t left[WEIR_LIMITS];
    bench_flush(bench);
    check_status(weir_ledger_left(bench->ledger, run, left, &error), WEIR_OK, &error);
    return left[limit];
}

static struct weir_string string_of(const char *text)
{
    return (struct weir_string){text, strlen(text)};
}

void bench_key(const struct weir_task *task, const char *source, const char *id, const char *text, char key[65],
               char input_hash[65])
{
    struct weir_error error = {0};
    struct weir_row_keys *keys = NULL;
    check_status(weir_row_keys_open(weir_task_hash(task), source, &keys, &error), WEIR_OK, &error);
    check_status(weir_row_keys_next(keys, string_of(id), string_of(text), key, input_hash, &error), WEIR_OK, &error);
    weir_row_keys_close(&keys);
}

void bench_record(struct bench *bench, int64_t run, const char *source, const struct weir_task *task, const char *id,
                  const char *text, const char *value, bool is_escalated, int64_t cost_usd_e6)
{
    char key[65], input_hash[65], line[256];
    struct weir_error error = {0};
    bench_key(task, source, id, text, key, input_hash);
    (void)snprintf(line, sizeof line, "{\"id\":\"%s\",\"value\":\"%s\"}", id, value);
    struct weir_ledger_decision decisions[] = {{.question = weir_task_name(task),
                                                .tier = "local",
                                                .model = "model-1",
                                                .prompt_version = "p1",
                                                .value = "b",
                                                .probability = 0.6,
                                                .verdict = WEIR_VERDICT_ESCALATED,
                                                .reason = "below_threshold",
                                                .latency_ms = 10,
                                                .tokens_in = 600,
                                                .tokens_cached = 580},
                                               {.question = weir_task_name(task),
                                                .tier = is_escalated ? "frontier" : "local",
                                                .model = is_escalated ? "big" : "model-1",
                                                .prompt_version = "p1",
                                                .value = value,
                                                .probability = is_escalated ? (double)NAN : 0.95,
                                                .verdict = WEIR_VERDICT_ACCEPTED,
                                                .reason = is_escalated ? "frontier" : "certified",
                                                .cost_usd_e6 = cost_usd_e6,
                                                .latency_ms = is_escalated ? 800 : 10,
                                                .tokens_in = 600,
                                                .tokens_cached = 580,
                                                .attempts = is_escalated}};
    struct weir_ledger_row row = {.run = run,
                                  .key = key,
                                  .input_hash = input_hash,
                                  .id = string_of(id),
                                  .line = 1,
                                  .outcome = WEIR_ROW_ANSWERED,
                                  .is_escalated = is_escalated,
                                  .tier = is_escalated ? "frontier" : "local",
                                  .reason = "certified",
                                  .cost_usd_e6 = cost_usd_e6,
                                  .frontier_usd_e6 = 1000,
                                  .latency_ms = is_escalated ? 810 : 10,
                                  .attempts = is_escalated,
                                  .text = string_of(text),
                                  .output = string_of(line),
                                  .decisions = is_escalated ? decisions : decisions + 1,
                                  .n_decisions = is_escalated ? 2 : 1};
    check_status(weir_ledger_record(bench->ledger, &row, &error), WEIR_OK, &error);
}

void bench_flush(struct bench *bench)
{
    struct weir_error error = {0};
    check_status(weir_ledger_flush(bench->ledger, &error), WEIR_OK, &error);
}

void bench_check(struct bench *bench)
{
    struct weir_error error = {0};
    struct weir_ledger_reader *reader = NULL;
    check_status(weir_ledger_reader_open(bench->path, &reader, &error), WEIR_OK, &error);
    check_status(weir_ledger_check(reader, &error), WEIR_OK, &error);
    weir_ledger_reader_close(&reader);
}

int64_t bench_sql(struct bench *bench, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(bench->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) fail_msg("%s: expected a row, found %d (%s)", sql, code, sqlite3_errmsg(db));
    int64_t value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return value;
}

static bool path_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    static char bytes[8 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

bool bench_file_holds(struct bench *bench, const char *text)
{
    char log[128];
    (void)snprintf(log, sizeof log, "%s-wal", bench->path);
    return path_holds(bench->path, text) || path_holds(log, text);
}
