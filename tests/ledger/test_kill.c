/* kill -9 at random moments of a process that reserves, settles and records; then the next one goes on, until the run is done.
 *
 *   test_kill           WEIR_TEST_KILLS kills (default 30), from WEIR_TEST_SEED
 *
 * What the world saw is kept outside the ledger: a file in shared memory where the child notes each call before it is made and after its end was queued. After
 * every kill: the ledger is consistent; no call was made that it does not know; it has not spent more than the budget; what was in flight is booked at its reservation. At
 * the end every row is there once. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger/bench.h"

enum { ROWS = 4000, CALLS_MAX = 1 << 16, THREADS = 4, BUDGET = 150000, COST_MAX = 300 };

/* Shared with the children. */
struct world {
    unsigned next_row;        /* claimed by this child's threads */
    int64_t made;             /* calls made, ever: their costs may have been charged */
    int64_t charged;          /* micro-dollars that the provider charged */
    int64_t calls[CALLS_MAX]; /* numbers of calls made */
};

static struct world *world;

static unsigned random_of(unsigned row, unsigned salt)
{
    unsigned seed = row * 2654435761u + salt;
    return (unsigned)rand_r(&seed);
}

/* A paid call: 0 to COST_MAX of what was reserved. */
static void call_and_settle(struct bench *b, const struct weir_grant *grant, unsigned row, struct weir_settlement *end)
{
    int64_t at = __atomic_fetch_add(&world->made, 1, __ATOMIC_SEQ_CST);
    if (at < CALLS_MAX) world->calls[at] = grant->call;
    int64_t cost = random_of(row, 7) % (COST_MAX + 1);
    (void)__atomic_fetch_add(&world->charged, cost, __ATOMIC_SEQ_CST);
    *end = (struct weir_settlement){.call = grant->call, .cost_usd_e6 = cost};
    if (random_of(row, 9) % 8 == 0) end->end = WEIR_CALL_UNKNOWN;
    (void)b;
}

static void do_row(struct bench *b, int64_t run, unsigned row)
{
    char id[16], key[65], input_hash[65], line[32];
    struct weir_error error = {0};
    struct weir_ledger_found found = {0};
    (void)snprintf(id, sizeof id, "%u", row);
    bench_key(b->task, "s", id, id, key, input_hash);
    check_status(weir_ledger_find(b->ledger, run, key, &found, &error), WEIR_OK, &error);
    bool is_decided = found.is_decided;
    weir_ledger_found_free(&found);
    if (is_decided) return;
    struct weir_settlement end;
    struct weir_grant grant = {0};
    bool is_paid = random_of(row, 1) % 3 == 0, settles_with_row = random_of(row, 2) % 2;
    struct weir_reserve request = {.tier = "frontier", .model = "m", .key = key, .usd_e6 = COST_MAX, .attempt = 1};
    if (is_paid) check_status(weir_ledger_reserve(b->ledger, run, &request, 1, &grant, &error), WEIR_OK, &error);
    if (grant.call) call_and_settle(b, &grant, row, &end);
    if (grant.call && !settles_with_row)
        check_status(weir_ledger_settle(b->ledger, &end, NULL, &error), WEIR_OK, &error);
    (void)snprintf(line, sizeof line, "line of %u", row);
    struct weir_ledger_row record = {.run = run,
                                     .key = key,
                                     .input_hash = input_hash,
                                     .id = {id, strlen(id)},
                                     .tier = "",
                                     .reason = "x",
                                     .outcome = WEIR_ROW_ERROR,
                                     .output = {line, strlen(line)},
                                     .settlements = &end,
                                     .n_settlements = grant.call && settles_with_row};
    check_status(weir_ledger_record(b->ledger, &record, &error), WEIR_OK, &error);
}

struct worker {
    struct bench *bench;
    int64_t run;
};

static void *work(void *context)
{
    const struct worker *worker = context;
    for (unsigned row; (row = __atomic_fetch_add(&world->next_row, 1, __ATOMIC_SEQ_CST)) < ROWS;)
        do_row(worker->bench, worker->run, row);
    return NULL;
}

/* The process that is killed: goes on with the run; returns only when all rows are there. */
static void child_main(struct bench *b)
{
    pthread_t threads[THREADS];
    bench_open(b);
    struct worker worker = {b, bench_begin(b, b->task, "s", BUDGET, -1).run};
    for (int i = 0; i < THREADS; i++) (void)pthread_create(&threads[i], NULL, work, &worker);
    for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
    bench_close(b);
    _exit(0);
}

static void sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

/* Runs a child and kills it after `ms` (0: never). True when it got to its end. */
static bool run_child(struct bench *b, unsigned ms)
{
    world->next_row = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) child_main(b);
    if (ms) {
        sleep_ms(ms);
        (void)kill(child, SIGKILL);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    if (WIFSIGNALED(result)) {
        assert_int_equal(WTERMSIG(result), SIGKILL);
        return false;
    }
    assert_int_equal(WEXITSTATUS(result), 0);
    return true;
}

/* The next process' first look. */
static void check_after_kill(struct bench *b, int turn)
{
    bench_open(b);
    struct weir_ledger_lost lost = weir_ledger_recovered(b->ledger);
    bench_close(b);
    bench_check(b);
    int64_t known = bench_sql(b, "SELECT count(*) FROM calls"),
            spent = bench_sql(b, "SELECT total(cost_usd_e6) FROM calls");
    int64_t made = world->made, charged = world->charged;
    if (made > CALLS_MAX) fail_msg("turn %d: more calls than the test has room for: %lld", turn, (long long)made);
    if (known < made)
        fail_msg("turn %d: %lld calls made, the ledger knows %lld", turn, (long long)made, (long long)known);
    if (spent > BUDGET) fail_msg("turn %d: spent %lld of %d", turn, (long long)spent, BUDGET);
    if (charged > spent) fail_msg("turn %d: charged %lld, booked %lld", turn, (long long)charged, (long long)spent);
    if (lost.usd_e6 != (int64_t)lost.calls * COST_MAX)
        fail_msg("turn %d: %zu calls in flight, booked at %lld", turn, lost.calls, (long long)lost.usd_e6);
    for (int64_t i = 0; i < made; i++) {
        char sql[96];
        if (i < made - 64) continue; /* the latest are those of this turn; all are looked at in the end */
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM calls WHERE id = %lld AND state <> 'open'",
                       (long long)world->calls[i]);
        assert_int_equal(bench_sql(b, sql), 1);
    }
}

static void test_kill(void **state)
{
    struct bench *b = *state;
    const char *kills_given = getenv("WEIR_TEST_KILLS"), *seed_given = getenv("WEIR_TEST_SEED");
    int kills = kills_given ? (int)strtol(kills_given, NULL, 10) : 30, done = 0;
    unsigned seed = seed_given ? (unsigned)strtoul(seed_given, NULL, 10) : (unsigned)time(NULL);
    print_message("WEIR_TEST_KILLS=%d WEIR_TEST_SEED=%u\n", kills, seed);
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(world != MAP_FAILED);
    while (done < kills) {
        bool is_whole = run_child(b, 1 + (unsigned)rand_r(&seed) % 120);
        check_after_kill(b, done);
        done++;
        if (!is_whole) continue;
        assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), ROWS);
        (void)unlink(b->path); /* and once more from the start */
        *world = (struct world){0};
    }
    assert_true(run_child(b, 0));
    check_after_kill(b, done);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM rows"), ROWS);
    assert_int_equal(bench_sql(b, "SELECT count(DISTINCT row_id) FROM rows"), ROWS);
    assert_int_equal(bench_sql(b,
                               "SELECT count(*) FROM outputs WHERE line = 'line of ' || (SELECT row_id FROM rows WHERE "
                               "id = outputs.row)"),
                     ROWS);
    assert_int_equal(bench_sql(b, "SELECT count(*) FROM runs"), 1);
    assert_true(bench_sql(b, "SELECT sum(cost_usd_e6) FROM calls") > BUDGET - COST_MAX); /* it was tight */
    print_message("%lld calls made, %lld of them in flight at a kill; charged %lld, booked %lld of %d\n",
                  (long long)world->made, (long long)bench_sql(b, "SELECT count(*) FROM calls WHERE state = 'lost'"),
                  (long long)world->charged, (long long)bench_sql(b, "SELECT sum(cost_usd_e6) FROM calls"), BUDGET);
    (void)munmap(world, sizeof *world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_kill, bench_setup, bench_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
