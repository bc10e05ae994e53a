#include "table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

struct table {
    struct libscols_table *columns;
    size_t count;
    bool is_broken;
};

struct table *table_open(const struct table_column *columns, size_t count)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    table->columns = scols_new_table();
    table->count = count;
    table->is_broken = !table->columns;
    for (size_t i = 0; !table->is_broken && i < count; i++) {
        int flags = columns[i].is_right ? SCOLS_FL_RIGHT : 0;
        table->is_broken = !scols_table_new_column(table->columns, columns[i].name, 0, flags);
    }
    return table;
}

void table_add(struct table *table, const char *const *cells)
{
    if (!table || table->is_broken) return;
    struct libscols_line *line = scols_table_new_line(table->columns, NULL);
    table->is_broken = !line;
    for (size_t i = 0; !table->is_broken && i < table->count; i++)
        table->is_broken = scols_line_set_data(line, i, cells[i]) != 0;
}

bool table_print(struct table *table)
{
    if (!table) return false;
    bool good = !table->is_broken && scols_print_table(table->columns) == 0;
    if (table->columns) scols_unref_table(table->columns);
    free(table);
    return good;
}
