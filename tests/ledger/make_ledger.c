/* make_ledger FOLDER: writes ledger.db there, a ledger with two runs, for the tests of the program. Task "sort" does not store texts, task "keeper" does; each has rows 0 to 9 with the
 * texts "text 0" to "text 9", every fifth of them escalated. Task "sort" has a call that nobody settled, a bill above its reservation, and a
 * call that is in flight when this process ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ledger/bench.h"

enum { ROWS = 10 };

static int64_t fill(struct bench *b, const struct weir_task *task)
{
    int64_t run = bench_begin(b, task, "messages.jsonl", 1000000, -1).run;
    for (int i = 0; i < ROWS; i++) {
        char id[16], text[16];
        (void)snprintf(id, sizeof id, "%d", i);
        (void)snprintf(text, sizeof text, "text %d", i);
        int64_t call = i % 5 ? 0 : bench_reserve(b, run, 400);
        if (call) bench_settle(b, call, 250);
        bench_record(b, run, "messages.jsonl", task, id, text, i % 2 ? "a" : "b", call > 0, call ? 250 : 0);
    }
    return run;
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    void *state = NULL;
    if (bench_setup(&state)) return 1;
    struct bench *b = state;
    (void)rmdir(b->folder);
    if (chdir(argv[1]) != 0) return 1;
    (void)snprintf(b->path, sizeof b->path, "ledger.db");
    bench_open(b);
    (void)fill(b, b->keeper);
    int64_t run = fill(b, b->task);
    bench_end(b, bench_reserve(b, run, 90), WEIR_CALL_UNKNOWN);
    int64_t over = bench_reserve(b, run, 100);
    if (!bench_reserve(b, run, 1000)) return 1;
    bench_settle(b, over, 150);
    bench_flush(b);
    return raise(SIGKILL);
}
