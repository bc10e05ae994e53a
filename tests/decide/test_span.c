/* Where a copied value stands in its text. */
#include "decide/span.h"

#include "check.h"

enum { NOWHERE = 999 };

static const struct {
    const char *text, *copy;
    size_t begin; /* NOWHERE: no span */
    bool is_number;
} cases[] = {
    {"a table for 5 at 5", "5", 12, false},
    {"15 people at 5", "5", 13, false},
    {"15 people", "5", 1, false}, /* no word of its own: the first place */
    {"15 people", "5", NOWHERE, true},
    {"at 1.5 or 5.", "5", 10, true},
    {"5,000", "5", NOWHERE, true},
    {"-5", "5", NOWHERE, true},
    {"-5", "-5", 0, true},
    {"2-5 people", "5", 2, true},
    {"it is 12:30", "30", 9, true},
    {"Mondays, then Monday", "Monday", 14, false},
    {"Mondays", "Monday", 0, false},
    {"caf\xc3\xa9s in the caf\xc3\xa9", "caf\xc3\xa9", 14, false},
    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xe6\x9c\xac", 3, false},
    {"the end", "the end", 0, false},
    {"the end", "The", NOWHERE, false},
    {"", "a", NOWHERE, false},
    {"aaaa", "aa", 0, false},
};

static void spans(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_string text = {cases[i].text, strlen(cases[i].text)}, copy = {cases[i].copy, strlen(cases[i].copy)};
        size_t begin = NOWHERE, end = NOWHERE;
        bool found = span_find(text, copy, cases[i].is_number, &begin, &end);
        if (begin != cases[i].begin || found != (begin != NOWHERE) || (found && end - begin != copy.size))
            fail_msg("%s in %s: found %d at %zu..%zu, expected %zu", copy.data, text.data, found, begin, end,
                     cases[i].begin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
