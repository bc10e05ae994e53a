/* Server-sent events, as the HTML standard's "event stream interpretation" reads them: bytes in any pieces, events out.
 *
 * Lines end in CRLF, LF or CR; a byte order mark at the very start is skipped; several `data` lines are joined by line feeds; comments,
 * `id` and `retry` are passed over; an event that the stream ends inside of is dropped. Bytes are collected until their
 * event is whole, so that a piece may end inside a character. */
#ifndef WEIR_CASCADE_SSE_H
#define WEIR_CASCADE_SSE_H

#include <stdbool.h>

#include "base/strbuf.h"

enum { SSE_EVENT_BYTES_MAX = 8 << 20 };

struct sse {
    struct strbuf line, name, data;
    bool is_after_cr; /* a line feed that comes now belongs to the line end before it */
    bool is_begun;    /* a line has ended: no byte order mark may follow */
    bool has_data;
};

/* `name` is "message" when the event bears none. Anything but WEIR_OK ends sse_feed with it. */
typedef enum weir_status sse_event(void *context, const char *name, const char *data, size_t size);

void sse_init(struct sse *sse);
enum weir_status sse_feed(struct sse *sse, const char *bytes, size_t size, sse_event *event,
                          void *context) WEIR_MUST_USE;
void sse_free(struct sse *sse);

#endif
