#include "cascade/sse.h"

#include <string.h>

void sse_init(struct sse *sse)
{
    *sse = (struct sse){.line = STRBUF_MAX(SSE_EVENT_BYTES_MAX),
                        .name = STRBUF_MAX(SSE_EVENT_BYTES_MAX),
                        .data = STRBUF_MAX(SSE_EVENT_BYTES_MAX)};
}

void sse_free(struct sse *sse)
{
    strbuf_free(&sse->line);
    strbuf_free(&sse->name);
    strbuf_free(&sse->data);
}

/* An empty line: the event is whole. One without data is none. */
static enum weir_status dispatch(struct sse *sse, sse_event *event, void *context)
{
    enum weir_status status = WEIR_OK;
    if (sse->has_data)
        status = event(context, sse->name.size ? sse->name.data : "message", sse->data.size ? sse->data.data : "",
                       sse->data.size);
    strbuf_clear(&sse->name);
    strbuf_clear(&sse->data);
    sse->has_data = false;
    return status;
}

static enum weir_status take_field(struct sse *sse, const char *line, size_t size)
{
    const char *colon = size ? memchr(line, ':', size) : NULL;
    size_t name_size = colon ? (size_t)(colon - line) : size;
    const char *value = colon ? colon + 1 : line + size;
    if (value < line + size && *value == ' ') value++;
    size_t value_size = (size_t)(line + size - value);
    if (name_size == 4 && memcmp(line, "data", 4) == 0) {
        enum weir_status status = sse->has_data ? strbuf_add(&sse->data, "\n", 1) : WEIR_OK;
        sse->has_data = true;
        return status ? status : strbuf_add(&sse->data, value, value_size);
    }
    if (name_size == 5 && memcmp(line, "event", 5) == 0) {
        strbuf_clear(&sse->name);
        return strbuf_add(&sse->name, value, value_size);
    }
    return WEIR_OK; /* a comment, id, retry, or a field of tomorrow */
}

static enum weir_status end_line(struct sse *sse, sse_event *event, void *context)
{
    const char *line = sse->line.size ? sse->line.data : "";
    size_t size = sse->line.size;
    if (!sse->is_begun && size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        size -= 3;
    }
    sse->is_begun = true;
    enum weir_status status = size ? take_field(sse, line, size) : dispatch(sse, event, context);
    strbuf_clear(&sse->line);
    return status;
}

enum weir_status sse_feed(struct sse *sse, const char *bytes, size_t size, sse_event *event, void *context)
{
    for (size_t at = 0; at < size;) {
        if (sse->is_after_cr && bytes[at] == '\n') at++;
        sse->is_after_cr = false;
        size_t end = at;
        while (end < size && bytes[end] != '\n' && bytes[end] != '\r') end++;
        enum weir_status status = strbuf_add(&sse->line, bytes + at, end - at);
        if (status || end == size) return status;
        sse->is_after_cr = bytes[end] == '\r';
        status = end_line(sse, event, context);
        if (status) return status;
        at = end + 1;
    }
    return WEIR_OK;
}
