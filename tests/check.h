/* What every cmocka test includes, and checks that print the library's error text. */
#ifndef WEIR_TESTS_CHECK_H
#define WEIR_TESTS_CHECK_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

#include "weir/status.h"

/* Fails with the error's text when `status` is not `expected`. `error` may hold nothing when status is 0. */
static inline void check_status(enum weir_status status, enum weir_status expected, const struct weir_error *error)
{
    if (status != expected)
        fail_msg("expected %s, found %s: %s", weir_status_name(expected), weir_status_name(status),
                 status && error ? error->text : "");
}

/* Fails unless `text` holds `part`. */
static inline void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("expected a text with \"%s\", found \"%s\"", part, text);
}

#endif
