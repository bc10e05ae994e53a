#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static enum weir_status reserve(struct strbuf *buffer, size_t more)
{
    size_t need;
    if (!size_add(buffer->size, more, &need) || need > buffer->size_max) return WEIR_ERR_LIMIT;
    if (!size_add(need, 1, &need)) return WEIR_ERR_LIMIT;
    if (need <= buffer->capacity) return WEIR_OK;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < need) capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *data = mem_resize(buffer->data, capacity, 1);
    if (!data) return WEIR_ERR_NOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return WEIR_OK;
}

enum weir_status strbuf_add(struct strbuf *buffer, const void *bytes, size_t size)
{
    enum weir_status status = reserve(buffer, size);
    if (status) return status;
    if (size) memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return WEIR_OK;
}

enum weir_status strbuf_text(struct strbuf *buffer, const char *text)
{
    return strbuf_add(buffer, text, strlen(text));
}

enum weir_status strbuf_printf(struct strbuf *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (need < 0) return WEIR_ERR_INVALID;
    enum weir_status status = reserve(buffer, (size_t)need);
    if (status) return status;
    va_start(args, format);
    (void)vsnprintf(buffer->data + buffer->size, (size_t)need + 1, format, args);
    va_end(args);
    buffer->size += (size_t)need;
    return WEIR_OK;
}

void strbuf_clear(struct strbuf *buffer)
{
    buffer->size = 0;
    if (buffer->data) buffer->data[0] = 0;
}

void strbuf_free(struct strbuf *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
}
