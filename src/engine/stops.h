/* Stop strings in text that comes piece by piece: what is settled can be shown, what may yet begin a stop string is held back. */
#ifndef WEIR_ENGINE_STOPS_H
#define WEIR_ENGINE_STOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/gguf.h"

struct stops {
    const struct weir_string *stops; /* [count], not owned, none empty */
    size_t count;
};

/* text[0, old) was looked at before and holds no stop string. True when the longer text holds one: the one that is complete first, of
 * several that end there the longest, whatever the pieces were; it begins at *at. Otherwise text[0, *at) is settled: the rest is the
 * beginning of a stop string. */
bool stops_find(const struct stops *stops, const char *text, size_t old, size_t size, size_t *at, size_t *index);

#endif
