/* The ledger of a build without SQLite: every call says so. */
#include "base/error.h"
#include "weir/ledger_report.h"

/* The public headers fix the signatures. NOLINTBEGIN(readability-non-const-parameter) */

static enum weir_status none(struct weir_error *error)
{
    return error_set(error, WEIR_ERR_UNSUPPORTED, "built without the ledger (SQLite)");
}

enum weir_status weir_ledger_open(const char *path, const struct weir_ledger_options *options, struct weir_ledger **out,
                                  struct weir_error *error)
{
    (void)path, (void)options, (void)out;
    return none(error);
}

void weir_ledger_close(struct weir_ledger **ledger)
{
    (void)ledger;
}

enum weir_status weir_ledger_flush(struct weir_ledger *ledger, struct weir_error *error)
{
    (void)ledger;
    return none(error);
}

struct weir_ledger_lost weir_ledger_recovered(const struct weir_ledger *ledger)
{
    (void)ledger;
    return (struct weir_ledger_lost){0};
}

struct weir_run_options weir_run_options_default(const struct weir_task *task)
{
    return (struct weir_run_options){
        .task = task, .source = "-", .model = "", .profile = "", .limit_usd_e6 = {-1, -1, -1, -1}};
}

enum weir_status weir_ledger_begin(struct weir_ledger *ledger, const struct weir_run_options *options,
                                   struct weir_run_info *out, struct weir_error *error)
{
    (void)ledger, (void)options, (void)out;
    return none(error);
}

enum weir_status weir_ledger_finish(struct weir_ledger *ledger, int64_t run, bool keep_outputs,
                                    struct weir_error *error)
{
    (void)ledger, (void)run, (void)keep_outputs;
    return none(error);
}

enum weir_status weir_ledger_reserve(struct weir_ledger *ledger, int64_t run, const struct weir_reserve *requests,
                                     size_t count, struct weir_grant *grants, struct weir_error *error)
{
    (void)ledger, (void)run, (void)requests, (void)count, (void)grants;
    return none(error);
}

enum weir_status weir_ledger_left(struct weir_ledger *ledger, int64_t run, int64_t left_usd_e6[WEIR_LIMITS],
                                  struct weir_error *error)
{
    (void)ledger, (void)run, (void)left_usd_e6;
    return none(error);
}

enum weir_status weir_ledger_settle(struct weir_ledger *ledger, const struct weir_settlement *settlement, bool *is_over,
                                    struct weir_error *error)
{
    (void)ledger, (void)settlement, (void)is_over;
    return none(error);
}

enum weir_status weir_ledger_record(struct weir_ledger *ledger, const struct weir_ledger_row *row,
                                    struct weir_error *error)
{
    (void)ledger, (void)row;
    return none(error);
}

size_t weir_ledger_repeated(struct weir_ledger *ledger)
{
    (void)ledger;
    return 0;
}

void weir_ledger_found_free(struct weir_ledger_found *found)
{
    *found = (struct weir_ledger_found){0};
}

enum weir_status weir_ledger_find(struct weir_ledger *ledger, int64_t run, const char *key,
                                  struct weir_ledger_found *out, struct weir_error *error)
{
    (void)ledger, (void)run, (void)key, (void)out;
    return none(error);
}

enum weir_status weir_ledger_find_same(struct weir_ledger *ledger, int64_t run, const char *input_hash,
                                       struct weir_ledger_found *out, struct weir_error *error)
{
    (void)ledger, (void)run, (void)input_hash, (void)out;
    return none(error);
}

enum weir_status weir_ledger_keep_reply(struct weir_ledger *ledger, int64_t run, const char *key,
                                        const char *input_hash, struct weir_string reply, struct weir_error *error)
{
    (void)ledger, (void)run, (void)key, (void)input_hash, (void)reply;
    return none(error);
}

enum weir_status weir_ledger_find_reply(struct weir_ledger *ledger, const char *key, char **reply, size_t *size,
                                        struct weir_error *error)
{
    (void)ledger, (void)key, (void)reply, (void)size;
    return none(error);
}

enum weir_status weir_ledger_reader_open(const char *path, struct weir_ledger_reader **out, struct weir_error *error)
{
    (void)path, (void)out;
    return none(error);
}

void weir_ledger_reader_close(struct weir_ledger_reader **reader)
{
    (void)reader;
}

enum weir_status weir_ledger_report(struct weir_ledger_reader *reader, const struct weir_ledger_filter *filter,
                                    char **json, struct weir_error *error)
{
    (void)reader, (void)filter, (void)json;
    return none(error);
}

enum weir_status weir_ledger_show(struct weir_ledger_reader *reader, const char *id,
                                  const struct weir_ledger_filter *filter, weir_ledger_visit *visit, void *context,
                                  struct weir_error *error)
{
    (void)reader, (void)id, (void)filter, (void)visit, (void)context;
    return none(error);
}

enum weir_status weir_ledger_check(struct weir_ledger_reader *reader, struct weir_error *error)
{
    (void)reader;
    return none(error);
}

enum weir_status weir_ledger_feedback(struct weir_ledger *ledger, const struct weir_feedback *feedback,
                                      struct weir_error *error)
{
    (void)ledger, (void)feedback;
    return none(error);
}

enum weir_status weir_ledger_corrections(struct weir_ledger_reader *reader, const char *task, const char *question,
                                         weir_feedback_visit *visit, void *context, size_t *left_out,
                                         struct weir_error *error)
{
    (void)reader, (void)task, (void)question, (void)visit, (void)context, (void)left_out;
    return none(error);
}

enum weir_status weir_ledger_forget(struct weir_ledger *ledger, const struct weir_forget *what,
                                    struct weir_forgotten *out, struct weir_error *error)
{
    (void)ledger, (void)what, (void)out;
    return none(error);
}

enum weir_status weir_ledger_retention(struct weir_ledger_reader *reader, struct weir_retention *out,
                                       struct weir_error *error)
{
    (void)reader, (void)out;
    return none(error);
}

enum weir_status weir_ledger_retain(struct weir_ledger *ledger, struct weir_retention retention,
                                    struct weir_error *error)
{
    (void)ledger, (void)retention;
    return none(error);
}

enum weir_status weir_ledger_reset_day(struct weir_ledger *ledger, size_t *calls, struct weir_error *error)
{
    (void)ledger, (void)calls;
    return none(error);
}

/* NOLINTEND(readability-non-const-parameter) */
