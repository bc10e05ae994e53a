#include "ledger/select.h"

#include <errno.h>
#include <stdlib.h>

struct row_name row_name_of(const char *text)
{
    struct row_name name = {.id = text};
    if (!text || text[0] != '@' || text[1] < '1' || text[1] > '9') return name;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text + 1, &end, 10);
    if (errno || *end) return name;
    return (struct row_name){.number = number};
}
