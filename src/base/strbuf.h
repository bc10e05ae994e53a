/* A growing byte buffer with a maximum (after curl's dynbuf): what does not fit is an error, never cut in silence. */
#ifndef WEIR_BASE_STRBUF_H
#define WEIR_BASE_STRBUF_H

#include <stddef.h>

#include "weir/status.h"

struct strbuf {
    char *data;  /* owned; NUL after `size` bytes once anything was added, NULL before */
    size_t size; /* bytes used, without the NUL */
    size_t capacity;
    size_t size_max; /* size never exceeds it */
};

#define STRBUF_MAX(maximum) ((struct strbuf){.size_max = (maximum)})

/* On failure (WEIR_ERR_NOMEM, WEIR_ERR_LIMIT) the buffer keeps what it had. */
enum weir_status strbuf_add(struct strbuf *buffer, const void *bytes, size_t size) WEIR_MUST_USE;
enum weir_status strbuf_text(struct strbuf *buffer, const char *text) WEIR_MUST_USE;
enum weir_status strbuf_printf(struct strbuf *buffer, const char *format, ...) WEIR_MUST_USE
    __attribute__((format(printf, 2, 3)));
void strbuf_clear(struct strbuf *buffer); /* size 0, memory kept */
void strbuf_free(struct strbuf *buffer);  /* memory freed, maximum kept, usable again */

#endif
