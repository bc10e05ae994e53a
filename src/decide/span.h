/* Where a value was copied from. */
#ifndef WEIR_DECIDE_SPAN_H
#define WEIR_DECIDE_SPAN_H

#include <stdbool.h>

#include "weir/gguf.h"

/* The first place where `copy` (not empty) stands in `text` byte by byte, as words of its own if there is such a place; both are valid
 * UTF-8. is_number: only as a whole number, not as a part of a longer one. false: nowhere. */
bool span_find(struct weir_string text, struct weir_string copy, bool is_number, size_t *begin, size_t *end);

#endif
