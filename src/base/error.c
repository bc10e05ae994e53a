#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *weir_status_name(enum weir_status status)
{
    switch (status) {
#define CASE_NAME(name, number, text) \
    case WEIR_##name:                 \
        return #name;
        WEIR_STATUS_MAP(CASE_NAME)
#undef CASE_NAME
    }
    return "ERR_UNKNOWN";
}

const char *weir_status_text(enum weir_status status)
{
    switch (status) {
#define CASE_TEXT(name, number, text) \
    case WEIR_##name:                 \
        return text;
        WEIR_STATUS_MAP(CASE_TEXT)
#undef CASE_TEXT
    }
    return "unknown status";
}

enum weir_status error_set(struct weir_error *error, enum weir_status status, const char *format, ...)
{
    if (!error) return status;
    va_list args;
    va_start(args, format);
    error->status = status;
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

enum weir_status error_nomem(struct weir_error *error, const char *what)
{
    return error_set(error, WEIR_ERR_NOMEM, "out of memory: %s", what);
}

enum weir_status error_prefix(struct weir_error *error, enum weir_status status, const char *format, ...)
{
    if (!error) return status;
    char old[WEIR_ERROR_TEXT_MAX];
    memcpy(old, error->text, sizeof old);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    size_t at = used < 0 ? 0 : (size_t)used;
    if (at < sizeof error->text) (void)snprintf(error->text + at, sizeof error->text - at, ": %s", old);
    return status;
}
