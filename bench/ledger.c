/* What the ledger costs, a line a case:
 *
 *   bench_ledger [-n ROWS] [-t THREADS] FOLDER        FOLDER: where the file is made; on the disk that is to be measured
 *
 *   record          rows/s    one thread, a decision and an output line each, until all are on disk
 *   bytes           a row in the file
 *   find            rows/s    looking up the rows of a run that goes on
 *   reserve 1       calls/s, median ms: reserved, settled, one thread
 *   reserve THREADS the same from many threads at once
 *   report, check   s         over all rows
 *
 * CPU is that of all threads of the process: it tells more than rates do on a machine that is not quiet. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "weir/ledger_report.h"

enum { CALLS = 2000, THREADS_MAX = 1024 };

static const char task_text[] = "task: bench\ninstructions: Sort.\ntype: choice\nlabels: [a, b]\n";

struct bench {
    struct weir_task *task;
    struct weir_ledger *ledger;
    int64_t run;
    char path[512];
    struct weir_error error;
};

/* What this process has computed so far. */
static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void need(enum weir_status status, const struct bench *bench)
{
    if (!status) return;
    (void)fprintf(stderr, "bench_ledger: %s\n", bench->error.text);
    exit(1);
}

static struct weir_row_keys *open_keys(struct bench *b)
{
    struct weir_row_keys *keys = NULL;
    need(weir_row_keys_open(weir_task_hash(b->task), "bench", &keys, &b->error), b);
    return keys;
}

static void next_key(struct bench *b, struct weir_row_keys *keys, long i, char id[24], char key[65],
                     char input_hash[65])
{
    (void)snprintf(id, 24, "row-%ld", i);
    const struct weir_string text = {id, strlen(id)};
    need(weir_row_keys_next(keys, text, text, key, input_hash, &b->error), b);
}

static void record_rows(struct bench *b, long rows)
{
    static const char line[] =
        "{\"id\":\"42\",\"task\":\"support18\",\"value\":\"card_delivery\",\"probability\":0.93}";
    struct weir_row_keys *keys = open_keys(b);
    struct weir_ledger_decision decision = {.question = "bench",
                                            .tier = "local",
                                            .model = "smollm2",
                                            .prompt_version = "1",
                                            .value = "a",
                                            .probability = 0.93,
                                            .reason = "certified",
                                            .latency_ms = 11.2,
                                            .tokens_in = 560,
                                            .tokens_cached = 540};
    double start = clock_seconds(), cpu = cpu_seconds();
    for (long i = 0; i < rows; i++) {
        char id[24], key[65], input_hash[65];
        next_key(b, keys, i, id, key, input_hash);
        struct weir_ledger_row row = {.run = b->run,
                                      .key = key,
                                      .input_hash = input_hash,
                                      .id = {id, strlen(id)},
                                      .line = (uint64_t)i + 1,
                                      .tier = "local",
                                      .reason = "certified",
                                      .latency_ms = 11.2,
                                      .frontier_usd_e6 = 1800,
                                      .output = {line, sizeof line - 1},
                                      .decisions = &decision,
                                      .n_decisions = 1};
        need(weir_ledger_record(b->ledger, &row, &b->error), b);
    }
    need(weir_ledger_flush(b->ledger, &b->error), b);
    (void)printf("record %.0f rows/s, %.1f us CPU a row\n", (double)rows / (clock_seconds() - start),
                 1e6 * (cpu_seconds() - cpu) / (double)rows);
    weir_row_keys_close(&keys);
}

static void find_rows(struct bench *b, long rows)
{
    struct weir_row_keys *keys = open_keys(b);
    double start = clock_seconds(), cpu = cpu_seconds();
    for (long i = 0; i < rows; i++) {
        char id[24], key[65], input_hash[65];
        struct weir_ledger_found found = {0};
        next_key(b, keys, i, id, key, input_hash);
        need(weir_ledger_find(b->ledger, b->run, key, &found, &b->error), b);
        weir_ledger_found_free(&found);
    }
    (void)printf("find %.0f rows/s, %.1f us CPU a row\n", (double)rows / (clock_seconds() - start),
                 1e6 * (cpu_seconds() - cpu) / (double)rows);
    weir_row_keys_close(&keys);
}

/* ---- money --------------------------------------------------------------------------------------------------------- */

struct caller {
    struct bench *bench;
    pthread_t thread;
    long calls;
    double *seconds; /* [calls]: how long each reservation took */
};

static void *call(void *context)
{
    struct caller *caller = context;
    struct bench *b = caller->bench;
    for (long i = 0; i < caller->calls; i++) {
        struct weir_reserve request = {.tier = "frontier", .model = "big", .usd_e6 = 2000, .attempt = 1};
        struct weir_grant grant;
        double start = clock_seconds();
        need(weir_ledger_reserve(b->ledger, b->run, &request, 1, &grant, &b->error), b);
        caller->seconds[i] = clock_seconds() - start;
        struct weir_settlement settlement = {.call = grant.call, .cost_usd_e6 = 1500};
        need(weir_ledger_settle(b->ledger, &settlement, NULL, &b->error), b);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void reserve_calls(struct bench *b, long threads)
{
    static struct caller callers[THREADS_MAX];
    long each = CALLS / threads, all = each * threads;
    double *seconds = calloc((size_t)all, sizeof *seconds);
    if (!seconds) exit(1);
    double start = clock_seconds();
    for (long i = 0; i < threads; i++) {
        callers[i] = (struct caller){.bench = b, .calls = each, .seconds = seconds + i * each};
        if (pthread_create(&callers[i].thread, NULL, call, &callers[i]) != 0) exit(1);
    }
    for (long i = 0; i < threads; i++) (void)pthread_join(callers[i].thread, NULL);
    need(weir_ledger_flush(b->ledger, &b->error), b);
    double total = clock_seconds() - start;
    qsort(seconds, (size_t)all, sizeof *seconds, by_value);
    (void)printf("reserve %ld threads: %.0f calls/s, median %.2f ms, p99 %.2f ms\n", threads, (double)all / total,
                 1e3 * seconds[all / 2], 1e3 * seconds[all * 99 / 100]);
    free(seconds);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static void read_all(struct bench *b, long rows)
{
    struct stat info;
    struct weir_ledger_reader *reader = NULL;
    char *json = NULL;
    if (stat(b->path, &info) == 0) (void)printf("bytes %.0f a row\n", (double)info.st_size / (double)rows);
    need(weir_ledger_reader_open(b->path, &reader, &b->error), b);
    double cpu = cpu_seconds();
    need(weir_ledger_report(reader, NULL, &json, &b->error), b);
    (void)printf("report %.2f s CPU\n", cpu_seconds() - cpu);
    cpu = cpu_seconds();
    need(weir_ledger_check(reader, &b->error), b);
    (void)printf("check %.2f s CPU\n", cpu_seconds() - cpu);
    free(json);
    weir_ledger_reader_close(&reader);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    long rows = 100000, threads = 256;
    for (int option; (option = getopt(argc, argv, "n:t:")) != -1;) {
        if (option == 'n') rows = strtol(optarg, NULL, 10);
        if (option == 't') threads = strtol(optarg, NULL, 10);
    }
    if (optind != argc - 1 || rows < 1 || threads < 1 || threads > THREADS_MAX) {
        (void)fputs("usage: bench_ledger [-n ROWS] [-t THREADS] FOLDER\n", stderr);
        return 2;
    }
    (void)snprintf(b.path, sizeof b.path, "%s/bench-ledger-%ld.db", argv[optind], (long)getpid());
    need(weir_task_open_memory(task_text, sizeof task_text - 1, "bench.yaml", &b.task, &b.error), &b);
    need(weir_ledger_open(b.path, NULL, &b.ledger, &b.error), &b);
    struct weir_run_options options = weir_run_options_default(b.task);
    options.limit_usd_e6[WEIR_LIMIT_RUN] = INT64_C(1000000000);
    options.limit_usd_e6[WEIR_LIMIT_DAY] = INT64_C(1000000000);
    struct weir_run_info info;
    need(weir_ledger_begin(b.ledger, &options, &info, &b.error), &b);
    b.run = info.run;
    record_rows(&b, rows);
    find_rows(&b, rows);
    reserve_calls(&b, 1);
    reserve_calls(&b, threads);
    weir_ledger_close(&b.ledger);
    read_all(&b, rows);
    weir_task_close(&b.task);
    (void)unlink(b.path);
    (void)strncat(b.path, ".lock", sizeof b.path - strlen(b.path) - 1);
    (void)unlink(b.path);
    return 0;
}
