/* Tables for people, through libsmartcols. */
#ifndef WEIR_CLI_TABLE_H
#define WEIR_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table_column {
    const char *name;
    bool is_right;
};

struct table;

struct table *table_open(const struct table_column *columns, size_t count); /* NULL without memory */

/* One line; `cells` has as many texts as there are columns and is copied. Control characters are shown as \xNN when printed. A failure is
 * kept and told by table_print. */
void table_add(struct table *table, const char *const *cells);

/* Prints to standard output and frees the table (NULL: none); false without memory. */
bool table_print(struct table *table);

#endif
