/* The automata of formats, made once a vocabulary: several schemas of a model use the same few, and some take milliseconds to make. */
#ifndef WEIR_CONSTRAIN_FORMAT_STORE_H
#define WEIR_CONSTRAIN_FORMAT_STORE_H

#include "constrain/dfa.h"

struct format_store;

struct format_store *format_store_open(void); /* NULL without memory */
void format_store_close(struct format_store **store);

/* As format_compile; the automaton lives as long as the store. Thread-safe. */
enum weir_status format_store_find(struct format_store *store, struct arena *scratch, struct json_text name,
                                   const struct dfa **out, bool *supported) WEIR_MUST_USE;

#endif
