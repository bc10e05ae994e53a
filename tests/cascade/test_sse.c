/* Server-sent events: the same events whatever the pieces the bytes come in. */
#include "cascade/sse.h"
#include "check.h"

/* The events so far as "name=data|". */
static enum weir_status collect(void *context, const char *name, const char *data, size_t size)
{
    struct strbuf *seen = context;
    enum weir_status status = strbuf_printf(seen, "%s=", name);
    if (!status) status = strbuf_add(seen, data, size);
    return status ? status : strbuf_text(seen, "|");
}

static const struct {
    const char *stream, *events;
} CASES[] = {
    {"data: a\n\n", "message=a|"},
    {"data:a\r\ndata: b\r\n\r\n", "message=a\nb|"},
    {"data: a\rdata: b\r\rdata: c\r\r", "message=a\nb|message=c|"},
    {"\xef\xbb\xbf"
     "data: bom\n\n",
     "message=bom|"},
    {"data: a\n\n\xef\xbb\xbf"
     "data: late\n\n",
     "message=a|"},
    {"event: ping\ndata: {}\n\nevent: gone\n\ndata: x\n\n", "ping={}|message=x|"},
    {": a comment\nid: 7\nretry: 10\nnonsense\ndata\n\n", "message=|"},
    {"data:  two spaces\n\n", "message= two spaces|"},
    {"data: \xf0\x9f\x98\x80 \xc3\xa9\n\n", "message=\xf0\x9f\x98\x80 \xc3\xa9|"},
    {"data: [DONE]\n\ndata: cut off", "message=[DONE]|"},
    {"data: cut off\n", ""},
    {"", ""},
    {"\n\n\r\n\r\r", ""},
};

static void check_pieces(size_t index, size_t first, size_t second)
{
    const char *stream = CASES[index].stream;
    size_t size = strlen(stream), cuts[] = {0, first, second, size};
    struct sse sse;
    struct strbuf seen = STRBUF_MAX(4096);
    sse_init(&sse);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sse_feed(&sse, stream + cuts[i], cuts[i + 1] - cuts[i], collect, &seen), WEIR_OK);
    const char *found = seen.data ? seen.data : "";
    if (strcmp(found, CASES[index].events) != 0)
        fail_msg("case %zu cut at %zu and %zu: expected \"%s\", found \"%s\"", index, first, second,
                 CASES[index].events, found);
    sse_free(&sse);
    strbuf_free(&seen);
}

static void events_do_not_depend_on_the_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t size = strlen(CASES[i].stream);
        for (size_t a = 0; a <= size; a++)
            for (size_t b = a; b <= size; b++) check_pieces(i, a, b);
    }
}

/* A cut stream gives the events that were whole, no others. */
static void a_truncated_stream_gives_a_prefix_of_its_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        for (size_t size = 0; size <= strlen(CASES[i].stream); size++) {
            struct sse sse;
            struct strbuf seen = STRBUF_MAX(4096);
            sse_init(&sse);
            assert_int_equal(sse_feed(&sse, CASES[i].stream, size, collect, &seen), WEIR_OK);
            assert_int_equal(strncmp(CASES[i].events, seen.data ? seen.data : "", seen.size), 0);
            sse_free(&sse);
            strbuf_free(&seen);
        }
    }
}

static void an_endless_line_is_refused(void **state)
{
    (void)state;
    static char block[1 << 16];
    struct sse sse;
    struct strbuf seen = STRBUF_MAX(4096);
    enum weir_status status = WEIR_OK;
    size_t fed = 0;
    memset(block, 'x', sizeof block);
    sse_init(&sse);
    for (; !status && fed <= 2 * (size_t)SSE_EVENT_BYTES_MAX; fed += sizeof block)
        status = sse_feed(&sse, block, sizeof block, collect, &seen);
    assert_int_equal(status, WEIR_ERR_LIMIT);
    sse_free(&sse);
    strbuf_free(&seen);
}

static enum weir_status stop(void *context, const char *name, const char *data, size_t size)
{
    (void)name, (void)data, (void)size;
    ++*(int *)context;
    return WEIR_ERR_CANCELLED;
}

static void the_receiver_can_stop(void **state)
{
    (void)state;
    struct sse sse;
    int calls = 0;
    sse_init(&sse);
    assert_int_equal(sse_feed(&sse, "data: 1\n\ndata: 2\n\n", 18, stop, &calls), WEIR_ERR_CANCELLED);
    assert_int_equal(calls, 1);
    sse_free(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_do_not_depend_on_the_pieces),
                                       cmocka_unit_test(a_truncated_stream_gives_a_prefix_of_its_events),
                                       cmocka_unit_test(an_endless_line_is_refused),
                                       cmocka_unit_test(the_receiver_can_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
