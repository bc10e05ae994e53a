/* Rows that outlive the reader: each holds its strings in one block, which `id.data` begins. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/input.h"

static struct weir_string place(char **at, struct weir_string from)
{
    if (!from.data) return (struct weir_string){0};
    struct weir_string placed = {*at, from.size};
    if (from.size) memcpy(*at, from.data, from.size);
    *at += from.size + 1; /* mem_zero left the NUL */
    return placed;
}

static enum weir_status row_copy(const struct weir_row *from, struct weir_row *to)
{
    char *block = mem_zero(from->id.size + from->text.size + from->label.size + 3, 1);
    if (!block) return WEIR_ERR_NOMEM;
    *to = *from;
    to->id = place(&block, from->id); /* first: weir_rows_clear frees id.data */
    to->text = place(&block, from->text);
    to->label = place(&block, from->label);
    return WEIR_OK;
}

static enum weir_status reserve_one(struct weir_rows *rows)
{
    if (rows->count < rows->capacity) return WEIR_OK;
    size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
    struct weir_row *items = mem_resize(rows->items, capacity, sizeof *items);
    if (!items) return WEIR_ERR_NOMEM;
    rows->items = items;
    rows->capacity = capacity;
    return WEIR_OK;
}

enum weir_status weir_input_read(struct weir_input *input, size_t count_max, struct weir_rows *rows,
                                 struct weir_error *error)
{
    for (size_t i = 0; i < count_max; i++) {
        const struct weir_row *row = NULL;
        enum weir_status status = weir_input_next(input, &row, error);
        if (status || !row) return status;
        status = reserve_one(rows);
        if (!status) status = row_copy(row, &rows->items[rows->count]);
        if (status) return error_nomem(error, "rows of the input");
        rows->count++;
    }
    return WEIR_OK;
}

void weir_rows_clear(struct weir_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) free((void *)(uintptr_t)rows->items[i].id.data);
    rows->count = 0;
}

void weir_rows_free(struct weir_rows *rows)
{
    weir_rows_clear(rows);
    free(rows->items);
    *rows = (struct weir_rows){0};
}
