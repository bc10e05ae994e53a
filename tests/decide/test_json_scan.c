/* Where JSON values end, whatever the pieces they come in. */
#include "decide/json_scan.h"

#include <stdbool.h>

#include "check.h"

struct scan_case {
    const char *text;
    size_t size; /* of the value */
    bool ends;   /* known from its bytes and what stands behind them */
};

static const struct scan_case cases[] = {
    {"\"\"", 2, true},
    {"\"a\",\"b\":1", 3, true},
    {"\"a\\\"b\\\\\"}", 8, true},
    {"\"{[\",", 4, true},
    {"null,", 4, true},
    {"null", 4, true},
    {"true}", 4, true},
    {"false", 5, true},
    {"12,", 2, true},
    {"-1.5e+3}", 7, true},
    {"12", 2, false},
    {"\"ab", 3, false},
    {"\"a\\", 3, false},
    {"{\"a\":[1,\"]}\"],\"b\":{}},\"c\"", 21, true},
    {"[[],{}]]", 7, true},
    {"[null", 5, false},
    {"nul", 3, false},
};

static void values_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t all = strlen(cases[i].text);
        for (size_t cut = 0; cut <= all; cut++) { /* in two pieces */
            struct json_scan scan = {.state = JSON_SCAN_START};
            size_t n = json_scan(&scan, cases[i].text, cut);
            if (n == cut) n += json_scan(&scan, cases[i].text + cut, all - cut);
            bool has_ended = scan.state == JSON_SCAN_DONE;
            if (n != cases[i].size || has_ended != cases[i].ends)
                fail_msg("%s cut at %zu: %zu bytes, ended %d; expected %zu, %d", cases[i].text, cut, n, has_ended,
                         cases[i].size, cases[i].ends);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
