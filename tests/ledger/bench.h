/* What the tests of the ledger share: a folder with a ledger in it, a task, a clock that is set by hand, SQL on the file. */
#ifndef WEIR_TESTS_LEDGER_BENCH_H
#define WEIR_TESTS_LEDGER_BENCH_H

#include "check.h"
#include "weir/ledger.h"
#include "weir/ledger_report.h"

struct bench {
    char folder[64], path[96];
    int64_t clock_ms;         /* what the ledger is told; set to 2026-11-23 12:00 UTC */
    struct weir_task *task;   /* labels a, b, c; $1 a run, $2 a day; bodies are not stored */
    struct weir_task *keeper; /* the same, named keeper, bodies are stored */
    struct weir_ledger *ledger;
    struct weir_ledger_reader *reader;
};

#define BENCH_NOON_MS INT64_C(1795435200000) /* 2026-11-23 12:00 UTC, day 20780 */
#define BENCH_DAY_MS INT64_C(86400000)

int bench_setup(void **state);    /* *state: a struct bench; nothing open */
int bench_teardown(void **state); /* closes, removes the folder */

void bench_open(struct bench *bench); /* the ledger for writing, with the bench's clock */
void bench_close(struct bench *bench);
enum weir_status bench_try_open(struct bench *bench, struct weir_error *error);

/* A run of `task` over `source`; limits in micro-dollars, negative: none. */
struct weir_run_info bench_begin(struct bench *bench, const struct weir_task *task, const char *source,
                                 int64_t run_limit, int64_t day_limit);

/* Reserves for one call; 0: refused. */
int64_t bench_reserve(struct bench *bench, int64_t run, int64_t usd_e6);
struct weir_grant bench_ask(struct bench *bench, int64_t run, int64_t usd_e6);
void bench_settle(struct bench *bench, int64_t call, int64_t cost_usd_e6);
void bench_end(struct bench *bench, int64_t call, enum weir_call_end end);
int64_t bench_left(struct bench *bench, int64_t run, enum weir_limit limit);

/* Records a row of this id and text, answered `value` by tier `tier`. */
void bench_record(struct bench *bench, int64_t run, const char *source, const struct weir_task *task, const char *id,
                  const char *text, const char *value, bool is_escalated, int64_t cost_usd_e6);
void bench_key(const struct weir_task *task, const char *source, const char *id, const char *text, char key[65],
               char input_hash[65]);

void bench_flush(struct bench *bench);
void bench_check(struct bench *bench); /* weir_ledger_check says all is well */

/* The first column of the first row, by a connection of its own. */
int64_t bench_sql(struct bench *bench, const char *sql);

/* Whether the bytes of `text` are anywhere in the ledger's files. */
bool bench_file_holds(struct bench *bench, const char *text);

#endif
