/* Files that must be refused: one or more per class of published GGUF vulnerability, and one per rule of the reader. */
#ifndef WEIR_TESTS_GGUF_HOSTILE_H
#define WEIR_TESTS_GGUF_HOSTILE_H

#include <stdint.h>

#include "base/strbuf.h"
#include "weir/status.h"

struct hostile {
    const char *name;                                             /* also the file's name in the fuzz corpus */
    void (*make)(struct strbuf *out, const struct hostile *self); /* appends the file's bytes */
    uint64_t n[8];                                                /* numbers for `make`, see hostile.c */
    enum weir_status status;                                      /* what open must answer */
    const char *text;                                             /* and a part of the error text */
};

extern const struct hostile hostile_files[];
extern const unsigned long hostile_count;

#endif
