/* Rows from bytes: a table of inputs, each with the rows it must give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "ingest/ingest_internal.h"
#include "weir/input.h"

struct input_case {
    const char *name; /* the ending decides the format */
    const char *bytes;
    size_t size;      /* 0: strlen */
    const char *rows; /* a line a row: line number, id, text, label, or line number, id, !STATUS */
};

#define BYTES(text) text, sizeof(text) - 1

static const struct input_case jsonl_cases[] = {
    {"nothing.jsonl", "", 0, ""},
    {"only-blank.jsonl", "\n \t\r\n\n", 0, ""},
    {"plain.jsonl", "{\"id\":\"a\",\"text\":\"hi\",\"label\":\"x\"}\n{\"id\":\"b\",\"text\":\"ho\"}\n", 0,
     "1 a [hi] x\n2 b [ho] -\n"},
    {"no-newline.jsonl", "{\"text\":\"hi\"}", 0, "1 line:1 [hi] -\n"},
    {"crlf-bom.jsonl", "\xEF\xBB\xBF{\"text\":\"hi\"}\r\n\r\n{\"text\":\"ho\"}\r\n", 0,
     "1 line:1 [hi] -\n3 line:3 [ho] -\n"},
    {"bom-only.jsonl", "\xEF\xBB\xBF", 0, ""},
    {"integer-id.jsonl", "{\"id\":-9223372036854775808,\"text\":\"\",\"label\":3}", 0, "1 -9223372036854775808 [] 3\n"},
    {"null-id.ndjson", "{\"id\":null,\"text\":\"t\",\"label\":null}", 0, "1 line:1 [t] -\n"},
    {"empty-id.json", "{\"id\":\"\",\"text\":\"t\"}", 0, "1  [t] -\n"},
    {"escapes.jsonl", "{\"text\":\"a\\nb\\u00e9\\ud83d\\ude00\"}", 0, "1 line:1 [a\nb\xC3\xA9\xF0\x9F\x98\x80] -\n"},
    {"other-members.jsonl", "{\"text\":\"t\",\"x\":{\"text\":[1,2.5,null,true]}}", 0, "1 line:1 [t] -\n"},
    {"bad-then-good.jsonl", "{\"text\":\n{\"id\":\"g\",\"text\":\"t\"}\n", 0, "1 line:1 !ERR_FORMAT\n2 g [t] -\n"},
    {"not-object.jsonl", "[1]\n\"t\"\n7\n", 0, "1 line:1 !ERR_FORMAT\n2 line:2 !ERR_FORMAT\n3 line:3 !ERR_FORMAT\n"},
    {"duplicate-key.jsonl", "{\"text\":\"a\",\"text\":\"b\"}", 0, "1 line:1 !ERR_FORMAT\n"},
    {"duplicate-inside.jsonl", "{\"text\":\"a\",\"x\":{\"k\":1,\"k\":1}}", 0, "1 line:1 !ERR_FORMAT\n"},
    {"missing-text.jsonl", "{\"id\":\"a\"}\n{\"id\":5,\"text\":null}\n{\"id\":6,\"text\":7}", 0,
     "1 a !ERR_FORMAT\n2 5 !ERR_FORMAT\n3 6 !ERR_FORMAT\n"},
    {"bad-id.jsonl", "{\"id\":1.5,\"text\":\"t\"}\n{\"id\":[],\"text\":\"t\"}\n{\"id\":true,\"text\":\"t\"}", 0,
     "1 line:1 !ERR_FORMAT\n2 line:2 !ERR_FORMAT\n3 line:3 !ERR_FORMAT\n"},
    {"bad-label.jsonl", "{\"id\":\"a\",\"text\":\"t\",\"label\":true}", 0, "1 a !ERR_FORMAT\n"},
    {"object-label.jsonl",
     "{\"id\":\"a\",\"text\":\"t\",\"label\":{\"x\": 1, \"y\": 1.1}}\n{\"id\":\"b\",\"text\":\"t\",\"label\":{}}", 0,
     "1 a [t] {\"x\": 1, \"y\": 1.1}\n2 b [t] {}\n"},
    {"list.jsonl",
     "{\"text\":\"t\",\"label\":[\"x\",\"y z\"]}\n{\"text\":\"t\",\"label\":[]}\n{\"text\":\"t\",\"label\":\"x\"}\n", 0,
     "1 line:1 [t] list x\ny z\n\n2 line:2 [t] list \n3 line:3 [t] x\n"},
    {"bad-list.jsonl",
     "{\"id\":\"a\",\"text\":\"t\",\"label\":[\"x\",1]}\n{\"id\":\"b\",\"text\":\"t\",\"label\":[\"x\\ny\"]}", 0,
     "1 a !ERR_FORMAT\n2 b !ERR_FORMAT\n"},
    {"huge-integer.jsonl", "{\"id\":123456789012345678901234567890,\"text\":\"t\"}", 0, "1 line:1 !ERR_FORMAT\n"},
    {"trailing.jsonl", "{\"text\":\"t\"} x\n", 0, "1 line:1 !ERR_FORMAT\n"},
    {"not-utf8.jsonl", "{\"text\":\"\xFF\"}\n{\"text\":\"\xED\xA0\x80\"}\n{\"text\":\"\xC0\x80\"}\n", 0,
     "1 line:1 !ERR_FORMAT\n2 line:2 !ERR_FORMAT\n3 line:3 !ERR_FORMAT\n"},
    {"nul-byte.jsonl", BYTES("{\"text\":\"a\0b\"}\n{\"text\":\"t\"}\n"), "1 line:1 !ERR_FORMAT\n2 line:2 [t] -\n"},
    {"nul-escape.jsonl", "{\"text\":\"a\\u0000b\"}", 0, "1 line:1 !ERR_FORMAT\n"},
    {"escape-before-two-bytes.jsonl", "{\"\\\xCF\x82\":1}\n", 0,
     "1 line:1 !ERR_FORMAT\n"}, /* jansson quotes half of it */
    {"control-byte.jsonl", "{\"te\x1B[31m\xC2\x9B\":1}\n{\x1B[31m}\n", 0,
     "1 line:1 !ERR_FORMAT\n2 line:2 !ERR_FORMAT\n"},
    {"lone-surrogate.jsonl", "{\"text\":\"\\ud800\"}", 0, "1 line:1 !ERR_FORMAT\n"},
};

static const struct input_case text_cases[] = {
    {"plain.txt", "one\ntwo\n", 0, "1 line:1 [one] -\n2 line:2 [two] -\n"},
    {"blanks.txt", "one\n\n \t\r\n  two \r\nthree", 0, "1 line:1 [one] -\n4 line:4 [  two ] -\n5 line:5 [three] -\n"},
    {"bad.txt", BYTES("a\0b\n\xC3(\nok\n\xF4\x90\x80\x80\n"),
     "1 line:1 !ERR_FORMAT\n2 line:2 !ERR_FORMAT\n3 line:3 [ok] -\n4 line:4 !ERR_FORMAT\n"},
    {"inner-cr.text", "a\rb\r\n", 0, "1 line:1 [a\rb] -\n"},
};

#ifdef WEIR_HAVE_CSV
static const struct input_case csv_cases[] = {
    {"plain.csv", "id,text,label\n1,hello,x\n2,there,\n,none,y\n", 0,
     "2 1 [hello] x\n3 2 [there] -\n4 line:4 [none] y\n"},
    {"order.csv", "other,label,text\r\n9,x,hello\r\n", 0, "2 line:2 [hello] x\n"},
    {"quotes.csv", "text,id\n\"a \"\"b\"\", c\",7\n", 0, "2 7 [a \"b\", c] -\n"},
    {"lines.csv", "id,text\n1,\"a\r\nb\n\nc\"\n2,d", 0, "2 1 [a\r\nb\n\nc] -\n6 2 [d] -\n"},
    {"blanks-kept.csv", "id,text\n1,  a b \t\n2,\" c \"\n", 0, "2 1 [  a b \t] -\n3 2 [ c ] -\n"},
    {"empty-lines.csv", "\r\n\nid,text\n\n1,a\n\r\n2,b\n\n", 0, "5 1 [a] -\n7 2 [b] -\n"},
    {"bom.csv", "\xEF\xBB\xBFtext\nhello\n", 0, "2 line:2 [hello] -\n"},
    {"header-only.csv", "id,text", 0, ""},
    {"field-count.csv", "id,text\n1\n2,a,b\n3,c\n", 0, "2 line:2 !ERR_FORMAT\n3 line:3 !ERR_FORMAT\n4 3 [c] -\n"},
    {"stray-quote.csv", "id,text\n1,5\" screen\n2,b\n", 0, "2 line:2 !ERR_FORMAT\n3 2 [b] -\n"},
    {"stray-pair.csv", "id,text\n1,5\" screen\n2,6\" screen\n3,c\n", 0,
     "2 line:2 !ERR_FORMAT\n3 line:3 !ERR_FORMAT\n4 3 [c] -\n"},
    {"never-closed.csv", "id,text\n1,\"a\n2,b\n3,c\n", 0, "2 line:2 !ERR_FORMAT\n3 2 [b] -\n4 3 [c] -\n"},
    {"after-quote.csv", "id,text\n1,\"a\"b\n2,c\n", 0, "2 line:2 !ERR_FORMAT\n3 2 [c] -\n"},
    {"not-utf8.csv", "id,text\n1,\xFF\n2,b\n\xFF,c\n", 0, "2 line:2 !ERR_FORMAT\n3 2 [b] -\n4 line:4 !ERR_FORMAT\n"},
    {"nul.csv", BYTES("id,text\n1,a\0b\n2,c\n"), "2 line:2 !ERR_FORMAT\n3 2 [c] -\n"},
};
#endif

/* The rows as text, one a line, as in struct input_case. */
static void render(const struct weir_row *row, struct strbuf *out)
{
    enum weir_status status = strbuf_printf(out, "%zu %.*s ", row->line, (int)row->id.size, row->id.data);
    if (!status && row->status) status = strbuf_printf(out, "!%s\n", weir_status_name(row->status));
    if (!status && !row->status) {
        status = strbuf_printf(out, "[%.*s] %s%.*s\n", (int)row->text.size, row->text.data,
                               row->label_is_list ? "list " : "", row->label.data ? (int)row->label.size : 1,
                               row->label.data ? row->label.data : "-");
    }
    assert_int_equal(status, WEIR_OK);
    if (!row->status) return;
    assert_true(row->error[0] != 0);
    const char *problem = text_problem(row->error, strlen(row->error));
    if (problem) fail_msg("'%s' %s", row->error, problem);
    for (const char *at = row->error; *at; at++) {
        if ((unsigned char)*at < 0x20) fail_msg("'%s' holds the control character %d", row->error, *at);
    }
    char line[32];
    (void)snprintf(line, sizeof line, "line %zu", row->line);
    if (!strstr(row->error, line)) fail_msg("'%s' does not name %s", row->error, line);
}

static void read_all(struct weir_input *input, struct strbuf *out)
{
    for (;;) {
        const struct weir_row *row = NULL;
        struct weir_error error = {0};
        enum weir_status status = weir_input_next(input, &row, &error);
        if (status) fail_msg("%s", error.text);
        if (!row) return;
        render(row, out);
    }
}

static void check_cases(const struct input_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct input_case *c = &cases[i];
        struct weir_input *input = NULL;
        struct weir_error error = {0};
        struct strbuf got = STRBUF_MAX(1 << 20);
        enum weir_status status =
            weir_input_open_memory(c->bytes, c->size ? c->size : strlen(c->bytes), c->name, NULL, &input, &error);
        if (status) fail_msg("%s", error.text);
        read_all(input, &got);
        if (strcmp(got.data ? got.data : "", c->rows) != 0)
            fail_msg("%s: got\n%sexpected\n%s", c->name, got.data ? got.data : "", c->rows);
        weir_input_close(&input);
        assert_null(input);
        strbuf_free(&got);
    }
}

static void jsonl_rows(void **state)
{
    (void)state;
    check_cases(jsonl_cases, sizeof jsonl_cases / sizeof jsonl_cases[0]);
}

static void text_rows(void **state)
{
    (void)state;
    check_cases(text_cases, sizeof text_cases / sizeof text_cases[0]);
}

static void open_must_fail(const char *name, const char *bytes, enum weir_status expected, const char *words)
{
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_input_open_memory(bytes, strlen(bytes), name, NULL, &input, &error);
    const struct weir_row *row = NULL;
    if (!status) status = weir_input_next(input, &row, &error);
    weir_input_close(&input);
    if (status != expected || !strstr(error.text, words))
        fail_msg("%s: got %s '%s', expected %s '%s'", name, weir_status_name(status), error.text,
                 weir_status_name(expected), words);
}

#ifdef WEIR_HAVE_CSV
static void csv_rows(void **state)
{
    (void)state;
    check_cases(csv_cases, sizeof csv_cases / sizeof csv_cases[0]);
}

static void csv_headers_that_fail(void **state)
{
    (void)state;
    open_must_fail("empty.csv", "", WEIR_ERR_FORMAT, "begins with a header line");
    open_must_fail("blank.csv", "\n\n", WEIR_ERR_FORMAT, "begins with a header line");
    open_must_fail("a.csv", "a", WEIR_ERR_FORMAT, "no column \"text\"");
    open_must_fail("no-text.csv", "id,label\n1,2\n", WEIR_ERR_FORMAT, "no column \"text\"");
    open_must_fail("twice.csv", "text,id,text\n", WEIR_ERR_FORMAT, "\"text\" 2 times");
    open_must_fail("open-quote.csv", "text,\"id\n1,2\n", WEIR_ERR_FORMAT, "not valid CSV");
    struct strbuf wide = STRBUF_MAX(1 << 16);
    assert_int_equal(strbuf_text(&wide, "text"), WEIR_OK);
    for (int i = 0; i < WEIR_INPUT_COLUMNS_MAX; i++) assert_int_equal(strbuf_text(&wide, ",x"), WEIR_OK);
    open_must_fail("wide.csv", wide.data, WEIR_ERR_LIMIT, "CSV columns");
    strbuf_free(&wide);
}
#else
static void csv_is_refused_by_name(void **state)
{
    (void)state;
    open_must_fail("a.csv", "text\nhello\n", WEIR_ERR_UNSUPPORTED, "built without CSV support (libcsv)");
}
#endif

static void names_that_fail(void **state)
{
    (void)state;
    open_must_fail("rows.parquet", "", WEIR_ERR_UNSUPPORTED, "rows.parquet");
    open_must_fail("utf16.txt", "\xFF\xFEh", WEIR_ERR_FORMAT, "UTF-16");
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    assert_int_equal(weir_input_open("/nonexistent/rows.jsonl", NULL, &input, &error), WEIR_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nonexistent/rows.jsonl"));
    struct weir_input_options options = {.format = WEIR_INPUT_TEXT};
    assert_int_equal(weir_input_open("/", &options, &input, &error), WEIR_OK);
    const struct weir_row *row = NULL;
    assert_int_equal(weir_input_next(input, &row, &error), WEIR_ERR_IO);
    weir_input_close(&input);
    enum weir_input_format format = WEIR_INPUT_CSV;
    assert_int_equal(weir_input_format_parse("xml", &format, &error), WEIR_ERR_INVALID);
    assert_int_equal(format, WEIR_INPUT_CSV);
    assert_int_equal(weir_input_format_parse("auto", &format, &error), WEIR_OK);
    assert_int_equal(format, WEIR_INPUT_AUTO);
    assert_int_equal(weir_input_format_parse("text", &format, &error), WEIR_OK);
    assert_int_equal(format, WEIR_INPUT_TEXT);
}

static void fields_can_be_renamed(void **state)
{
    (void)state;
    const char *bytes =
        "{\"key\":1,\"message\":\"hi\",\"gold\":\"x\",\"id\":\"no\",\"text\":\"no\",\"label\":\"no\"}\n";
    struct weir_input_options options = {.text_field = "message", .id_field = "key", .label_field = "gold"};
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    struct strbuf got = STRBUF_MAX(4096);
    assert_int_equal(weir_input_open_memory(bytes, strlen(bytes), "-", &options, &input, &error), WEIR_OK);
    read_all(input, &got);
    assert_string_equal(got.data, "1 1 [hi] x\n");
    strbuf_free(&got);
    weir_input_close(&input);
}

/* Every cut of a good file gives its whole rows and at most one error row. */
static void every_truncation(const char *name, const char *bytes, size_t rows_whole)
{
    for (size_t size = 0; size <= strlen(bytes); size++) {
        struct weir_input *input = NULL;
        struct weir_error error = {0};
        if (weir_input_open_memory(bytes, size, name, NULL, &input, &error)) {
            assert_true(error.text[0] != 0);
            continue;
        }
        struct weir_rows rows = {0};
        assert_int_equal(weir_input_read(input, SIZE_MAX, &rows, &error), WEIR_OK);
        size_t bad = 0;
        for (size_t i = 0; i < rows.count; i++) bad += rows.items[i].status != WEIR_OK;
        if (rows.count > rows_whole + 1 || bad > 1)
            fail_msg("%s cut at %zu: %zu rows, %zu bad", name, size, rows.count, bad);
        if (size == strlen(bytes)) assert_int_equal(rows.count - bad, rows_whole);
        weir_rows_free(&rows);
        weir_input_close(&input);
    }
}

static void truncations(void **state)
{
    (void)state;
    every_truncation("a.jsonl", "{\"id\":1,\"text\":\"a\\u00e9\xC3\xA9\"}\n{\"id\":2,\"text\":\"b\"}\n", 2);
    every_truncation("a.txt", "h\xC3\xA9llo\r\nthere\n", 2);
#ifdef WEIR_HAVE_CSV
    every_truncation("a.csv", "id,text\n1,\"a \"\"q\"\"\"\n2,\"b,c\"\n", 2);
#endif
}

static char *filled(size_t size, const char *head, const char *tail, size_t *total)
{
    *total = strlen(head) + size + strlen(tail);
    char *bytes = malloc(*total + 1);
    assert_non_null(bytes);
    memcpy(bytes, head, strlen(head));
    memset(bytes + strlen(head), 'x', size);
    memcpy(bytes + strlen(head) + size, tail, strlen(tail) + 1);
    return bytes;
}

static void check_long(const char *name, const char *head, size_t size, const char *tail, enum weir_status first)
{
    size_t total;
    char *bytes = filled(size, head, tail, &total);
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    struct weir_rows rows = {0};
    assert_int_equal(weir_input_open_memory(bytes, total, name, NULL, &input, &error), WEIR_OK);
    assert_int_equal(weir_input_read(input, SIZE_MAX, &rows, &error), WEIR_OK);
    assert_int_equal(rows.count, 2);
    if (rows.items[0].status != first) fail_msg("%s, %zu bytes: %s", name, size, rows.items[0].error);
    if (!first) assert_int_equal(rows.items[0].text.size, size);
    assert_int_equal(rows.items[1].status, WEIR_OK);
    assert_string_equal(rows.items[1].text.data, "after");
    weir_rows_free(&rows);
    weir_input_close(&input);
    free(bytes);
}

static void long_lines(void **state)
{
    (void)state;
    const size_t max = WEIR_INPUT_ROW_BYTES_MAX;
    check_long("a.jsonl", "{\"text\":\"", 1 << 20, "\"}\n{\"text\":\"after\"}\n", WEIR_OK);
    check_long("a.jsonl", "{\"text\":\"", max, "\"}\n{\"text\":\"after\"}\n", WEIR_ERR_LIMIT);
    check_long("a.txt", "", max, "\nafter\n", WEIR_OK);
    check_long("a.txt", "", max + 1, "\nafter", WEIR_ERR_LIMIT);
#ifdef WEIR_HAVE_CSV
    check_long("a.csv", "text\n", 1 << 20, "\nafter\n", WEIR_OK);
    check_long("a.csv", "text\n\"", 1 << 20, "\"\nafter\n", WEIR_OK);
    check_long("a.csv", "text\n\"", max, "\nafter\n", WEIR_ERR_LIMIT);
#endif
}

/* A pipe gives its bytes in pieces; lines and the byte order mark are found across them. */
static void pieces_of_a_file(void **state)
{
    (void)state;
    char path[] = "weir-test-input-XXXXXX.txt";
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    (void)fputs("\xEF\xBB\xBF", file);
    for (int i = 0; i < 20000; i++) (void)fprintf(file, "message %d with some words\r\n", i);
    assert_int_equal(fclose(file), 0);
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    struct weir_rows rows = {0};
    assert_int_equal(weir_input_open(path, NULL, &input, &error), WEIR_OK);
    for (size_t before = 1; before != rows.count;) {
        before = rows.count;
        assert_int_equal(weir_input_read(input, 777, &rows, &error), WEIR_OK);
    }
    assert_int_equal(rows.count, 20000);
    for (int i = 0; i < 20000; i++) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "message %d with some words", i);
        assert_string_equal(rows.items[i].text.data, expected);
        assert_int_equal(rows.items[i].line, i + 1);
    }
    weir_rows_free(&rows);
    weir_input_close(&input);
    unlink(path);
}

/* Out of memory at the n-th allocation, for every n: a clean failure. */
static void out_of_memory(const char *name, const char *bytes)
{
    for (size_t n = 1;; n++) {
        struct weir_input *input = NULL;
        struct weir_rows rows = {0};
        struct weir_error error = {0};
        mem_fail_after(n);
        enum weir_status status = weir_input_open_memory(bytes, strlen(bytes), name, NULL, &input, &error);
        if (!status) status = weir_input_read(input, SIZE_MAX, &rows, &error);
        mem_fail_after(0);
        weir_rows_free(&rows);
        weir_input_close(&input);
        if (!status) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(status, WEIR_ERR_NOMEM);
    }
}

static void allocations_fail(void **state)
{
    (void)state;
    out_of_memory("a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
    out_of_memory("a.txt", "a\nb\n");
#ifdef WEIR_HAVE_CSV
    out_of_memory("a.csv", "text\na\nb\n");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonl_rows),       cmocka_unit_test(text_rows),
#ifdef WEIR_HAVE_CSV
        cmocka_unit_test(csv_rows),         cmocka_unit_test(csv_headers_that_fail),
#else
        cmocka_unit_test(csv_is_refused_by_name),
#endif
        cmocka_unit_test(names_that_fail),  cmocka_unit_test(fields_can_be_renamed),
        cmocka_unit_test(truncations),      cmocka_unit_test(long_lines),
        cmocka_unit_test(pieces_of_a_file), cmocka_unit_test(allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
