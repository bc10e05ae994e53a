/* Runs: a new one, or the one that was not finished. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ledger/ledger_internal.h"

struct weir_run_options weir_run_options_default(const struct weir_task *task)
{
    const struct weir_budget *budget = weir_task_budget(task);
    return (struct weir_run_options){.task = task,
                                     .source = "-",
                                     .model = "",
                                     .profile = "",
                                     .mode = WEIR_RUN_RESUME,
                                     .limit_usd_e6 = {[WEIR_LIMIT_RUN] = budget->usd_e6_per_run,
                                                      [WEIR_LIMIT_DAY] = budget->usd_e6_per_day,
                                                      [WEIR_LIMIT_TASK] = -1,
                                                      [WEIR_LIMIT_LEDGER_DAY] = -1}};
}

/* ---- the runs open in this process --------------------------------------------------------------------------------- */

/* Under the mutex. */
static struct open_run *find(struct weir_ledger *ledger, int64_t id)
{
    for (size_t i = 0; i < ledger->n_runs; i++)
        if (ledger->runs[i].id == id) return &ledger->runs[i];
    return NULL;
}

bool run_find(struct weir_ledger *ledger, int64_t id, struct open_run *out)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    const struct open_run *run = find(ledger, id);
    if (run) *out = *run;
    (void)pthread_mutex_unlock(&ledger->mutex);
    return run;
}

enum weir_status run_unknown(int64_t id, struct weir_error *error)
{
    return error_set(error, WEIR_ERR_INVALID, "run %" PRId64 " is not open", id);
}

/* ---- begin --------------------------------------------------------------------------------------------------------- */

struct begin {
    struct work work;
    const struct weir_run_options *options;
    const char *questions; /* JSON */
    struct open_run run;
    struct weir_run_info info;
};

static bool question_add(json_t *list, const struct weir_question *question)
{
    json_t *labels = json_array();
    bool is_whole = labels;
    for (size_t i = 0; is_whole && i < question->n_labels; i++)
        is_whole = json_array_append_new(labels, json_string(question->labels[i].name)) == 0;
    json_t *item =
        is_whole ? json_pack("{s:s, s:s, s:b, s:O}", "name", question->name, "type",
                             weir_question_type_name(question->type), "multi", (int)question->multi, "labels", labels)
                 : NULL;
    json_decref(labels);
    return item && json_array_append_new(list, item) == 0;
}

/* [{"name","type","multi","labels":[...]}]: what a correction is checked against. NULL without memory. */
static char *questions_json(const struct weir_task *task)
{
    json_t *list = json_array();
    bool is_whole = list;
    for (size_t i = 0; is_whole && i < weir_task_question_count(task); i++)
        is_whole = question_add(list, weir_task_question(task, i));
    char *text = is_whole ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

static enum weir_status put_version(struct db *db, struct begin *begin, struct weir_error *error)
{
    const struct weir_task *task = begin->options->task;
    enum weir_status status =
        db_run(db, error, "INSERT OR IGNORE INTO tasks(name) VALUES(?)", "t", weir_task_name(task));
    if (!status)
        status = db_int(db, &begin->run.task, error, "SELECT id FROM tasks WHERE name = ?", "t", weir_task_name(task));
    if (!status)
        status =
            db_run(db, error, "INSERT OR IGNORE INTO versions(task, hash, questions, stores_bodies) VALUES(?, ?, ?, ?)",
                   "itti", begin->run.task, weir_task_hash(task), begin->questions, (int64_t)begin->run.stores_bodies);
    if (!status)
        status =
            db_int(db, &begin->run.version, error, "SELECT id FROM versions WHERE hash = ?", "t", weir_task_hash(task));
    return status;
}

static enum weir_status find_unfinished(struct db *db, struct begin *begin, struct weir_error *error)
{
    const struct weir_run_options *o = begin->options;
    return db_int(db, &begin->info.run, error,
                  "SELECT id FROM runs WHERE version = ? AND source = ? AND model = ? AND profile = ? AND "
                  "(state = 'open' OR (? AND state = 'finished' AND outputs_kept)) ORDER BY id DESC LIMIT 1",
                  "ittti", begin->run.version, o->source, o->model, o->profile, (int64_t)(o->mode == WEIR_RUN_REOPEN));
}

static enum weir_status insert_run(struct weir_ledger *ledger, struct begin *begin, struct weir_error *error)
{
    struct db *db = &ledger->writer;
    const struct weir_run_options *o = begin->options;
    enum weir_status status = WEIR_OK;
    if (o->mode == WEIR_RUN_NEW)
        status =
            db_run(db, error, "UPDATE runs SET state = 'abandoned' WHERE version = ? AND source = ? AND state = 'open'",
                   "it", begin->run.version, o->source);
    if (!status)
        status =
            db_run(db, error,
                   "INSERT INTO runs(version, source, model, profile, state, started_ms) VALUES(?, ?, ?, ?, 'open', ?)",
                   "ittti", begin->run.version, o->source, o->model, o->profile, ledger_now_ms(ledger));
    begin->info.run = sqlite3_last_insert_rowid(db->handle);
    return status;
}

static enum weir_status resume_run(struct db *db, struct weir_run_info *info, struct weir_error *error)
{
    int64_t rows = 0, queued = 0, calls = 0;
    enum weir_status status = db_run(db, error,
                                     "UPDATE runs SET state = 'open', finished_ms = NULL, "
                                     "resumptions = resumptions + 1 WHERE id = ?",
                                     "i", info->run);
    if (!status) status = db_int(db, &rows, error, "SELECT count(*) FROM rows WHERE run = ?", "i", info->run);
    if (!status)
        status = db_int(db, &queued, error, "SELECT count(*) FROM rows WHERE run = ? AND outcome = 'queued'", "i",
                        info->run);
    if (!status)
        status = db_int(db, &info->spent_usd_e6, error, "SELECT spent_usd_e6 FROM runs WHERE id = ?", "i", info->run);
    if (!status)
        status =
            db_int(db, &calls, error, "SELECT count(*) FROM calls WHERE run = ? AND state = 'lost'", "i", info->run);
    if (!status)
        status = db_int(db, &info->lost.usd_e6, error,
                        "SELECT sum(cost_usd_e6) FROM calls WHERE run = ? AND state = 'lost'", "i", info->run);
    info->is_resumed = true;
    info->rows = (size_t)(rows - queued);
    info->queued = (size_t)queued;
    info->lost.calls = (size_t)calls;
    return status;
}

static enum weir_status apply_begin(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    struct begin *begin = (struct begin *)work;
    struct db *db = &ledger->writer;
    struct open_run unused;
    int64_t limit = begin->run.limit_usd_e6[WEIR_LIMIT_RUN];
    enum weir_status status = put_version(db, begin, error);
    if (!status && begin->options->mode != WEIR_RUN_NEW) status = find_unfinished(db, begin, error);
    if (status) return status;
    if (begin->info.run && run_find(ledger, begin->info.run, &unused))
        return error_set(error, WEIR_ERR_REFUSED, "run %" PRId64 " of this task and source is open already",
                         begin->info.run);
    status = begin->info.run ? resume_run(db, &begin->info, error) : insert_run(ledger, begin, error);
    if (!status)
        status = db_run(db, error, "UPDATE runs SET limit_usd_e6 = nullif(?, ?) WHERE id = ?", "iii", limit, INT64_MAX,
                        begin->info.run);
    begin->run.id = begin->info.run;
    return status;
}

static enum weir_status list_run(struct weir_ledger *ledger, const struct open_run *run, struct weir_error *error)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    enum weir_status status = WEIR_OK;
    struct open_run *runs = mem_resize(ledger->runs, ledger->n_runs + 1, sizeof *runs);
    if (runs) {
        ledger->runs = runs;
        runs[ledger->n_runs++] = *run;
    } else {
        status = error_nomem(error, "runs");
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return status;
}

enum weir_status weir_ledger_begin(struct weir_ledger *ledger, const struct weir_run_options *options,
                                   struct weir_run_info *out, struct weir_error *error)
{
    struct begin begin = {.work = {.apply = apply_begin, .is_money = true}, .options = options};
    char *questions = questions_json(options->task);
    if (!questions) return error_nomem(error, "run");
    begin.questions = questions;
    begin.run.stores_bodies = weir_task_privacy(options->task)->store_bodies;
    for (int i = 0; i < WEIR_LIMITS; i++)
        begin.run.limit_usd_e6[i] = options->limit_usd_e6[i] < 0 ? INT64_MAX : options->limit_usd_e6[i];
    enum weir_status status = work_wait(ledger, &begin.work, error);
    free(questions);
    if (!status) status = list_run(ledger, &begin.run, error);
    if (!status) *out = begin.info;
    return status;
}

/* ---- finish -------------------------------------------------------------------------------------------------------- */

struct finish {
    struct work work;
    struct open_run run;
    bool keeps_outputs;
};

static enum weir_status apply_finish(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    const struct finish *finish = (const struct finish *)work;
    struct db *db = &ledger->writer;
    int64_t queued = 0, run = finish->run.id;
    enum weir_status status =
        db_int(db, &queued, error, "SELECT count(*) FROM rows WHERE run = ? AND outcome = 'queued'", "i", run);
    if (status || queued) return status;
    int64_t keeps_plain = finish->keeps_outputs, keeps_text = finish->keeps_outputs && finish->run.stores_bodies;
    status = db_run(db, error,
                    "DELETE FROM outputs WHERE row IN (SELECT id FROM rows WHERE run = ?) AND "
                    "NOT iif(has_text, ?, ?)",
                    "iii", run, keeps_text, keeps_plain);
    if (!status)
        status =
            db_run(db, error,
                   "UPDATE runs SET state = 'finished', finished_ms = ?, outputs_kept = NOT EXISTS (SELECT 1 FROM rows "
                   "LEFT JOIN outputs ON outputs.row = rows.id WHERE rows.run = ?2 AND outputs.row IS NULL) "
                   "WHERE id = ?2",
                   "ii", ledger_now_ms(ledger), run);
    return status;
}

enum weir_status weir_ledger_finish(struct weir_ledger *ledger, int64_t run, bool keep_outputs,
                                    struct weir_error *error)
{
    struct finish finish = {.work = {.apply = apply_finish, .is_money = true}, .keeps_outputs = keep_outputs};
    if (!run_find(ledger, run, &finish.run)) return run_unknown(run, error);
    enum weir_status status = work_wait(ledger, &finish.work, error);
    if (status) return status;
    (void)pthread_mutex_lock(&ledger->mutex);
    struct open_run *open = find(ledger, run);
    if (open) *open = ledger->runs[--ledger->n_runs];
    (void)pthread_mutex_unlock(&ledger->mutex);
    return WEIR_OK;
}
