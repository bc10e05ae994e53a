/* What rows have in common, whoever answers them. */
#ifndef WEIR_DECIDE_ROW_H
#define WEIR_DECIDE_ROW_H

#include <stdbool.h>

#include "weir/classify.h"

bool text_is_utf8(struct weir_string text);

/* The row's own failure, which is none of the call's: WEIR_OK. */
enum weir_status decision_fail(struct weir_decision *decision, enum weir_status status, const char *text);

#endif
