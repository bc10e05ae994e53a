#include "ledger/quantile.h"

#include <stdlib.h>

#include "base/memory.h"

enum { VALUES_MIN = 64 };

/* Zero at first, as SQLite gives it. */
struct values {
    double *items; /* owned; freed by finish, which SQLite always calls */
    size_t count, capacity;
    size_t percent;
};

static bool has_room(struct values *values)
{
    if (values->count < values->capacity) return true;
    size_t capacity = values->capacity ? 2 * values->capacity : VALUES_MIN;
    double *items = mem_resize(values->items, capacity, sizeof *items);
    if (!items) return false;
    values->items = items;
    values->capacity = capacity;
    return true;
}

static void step(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count; /* 2: as registered */
    struct values *values = sqlite3_aggregate_context(context, sizeof *values);
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return;
    if (!values || !has_room(values)) {
        sqlite3_result_error_nomem(context);
        return;
    }
    values->items[values->count++] = sqlite3_value_double(arguments[0]);
    values->percent = (size_t)sqlite3_value_int(arguments[1]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void finish(sqlite3_context *context)
{
    struct values *values = sqlite3_aggregate_context(context, 0);
    if (!values) return; /* no rows: NULL */
    if (values->count) {
        qsort(values->items, values->count, sizeof *values->items, by_value);
        size_t rank = (values->count * values->percent + 99) / 100;
        sqlite3_result_double(context, values->items[rank ? rank - 1 : 0]);
    }
    free(values->items);
}

enum weir_status quantile_register(struct db *db, struct weir_error *error)
{
    int code =
        sqlite3_create_function_v2(db->handle, "quantile", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                   NULL, NULL, step, finish, NULL);
    return code ? db_error(db, code, error) : WEIR_OK;
}
