/* Any bytes as server-sent events and as a Retry-After header: the events are the same whether the bytes come at once or one by one. */
#include <stdlib.h>
#include <string.h>

#include "cascade/retry.h"
#include "cascade/sse.h"
#include "fuzz/fuzz.h"

static void check(int holds)
{
    if (!holds) abort();
}

static enum weir_status collect(void *context, const char *name, const char *data, size_t size)
{
    enum weir_status status = strbuf_text(context, name);
    if (!status) status = strbuf_add(context, "\0", 1);
    return status ? status : strbuf_add(context, data, size);
}

static struct strbuf read_in_pieces(const char *bytes, size_t size, size_t piece)
{
    struct sse sse;
    struct strbuf seen = STRBUF_MAX(1 << 26);
    sse_init(&sse);
    for (size_t at = 0; at < size; at += piece)
        check(sse_feed(&sse, bytes + at, size - at < piece ? size - at : piece, collect, &seen) == WEIR_OK);
    sse_free(&sse);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct strbuf whole = read_in_pieces((const char *)bytes, size, size ? size : 1),
                  split = read_in_pieces((const char *)bytes, size, 1);
    check(whole.size == split.size && (whole.size == 0 || memcmp(whole.data, split.data, whole.size) == 0));
    strbuf_free(&whole);
    strbuf_free(&split);
    int64_t wait = retry_after_ms((const char *)bytes, size, 1790000000);
    check(wait >= -1 && wait <= 86400000);
    return 0;
}
