/* Stop strings: found whatever the pieces are, and nothing of one is ever settled. */
#include "check.h"
#include "engine/stops.h"

/* Feeds `text` in pieces of `step` bytes. Returns where the text ends; *shown_max is the most that was ever settled. */
static size_t feed(const struct stops *stops, const char *text, size_t step, size_t *index)
{
    size_t size = strlen(text), settled = 0;
    for (size_t old = 0; old < size;) {
        size_t now = old + step < size ? old + step : size, at = 0;
        if (stops_find(stops, text, old, now, &at, index)) {
            if (at < settled)
                fail_msg("\"%s\" in steps of %zu: %zu bytes were shown, it ends at %zu", text, step, settled, at);
            return at;
        }
        if (at < settled) fail_msg("\"%s\" in steps of %zu: settled %zu after %zu", text, step, at, settled);
        settled = at;
        old = now;
    }
    *index = stops->count;
    return size;
}

static void found_in_any_pieces(void **state)
{
    (void)state;
    static const struct weir_string lists[][3] = {{{"END", 3}, {"\n\n", 2}, {"aab", 3}},
                                                  {{"abX", 3}, {"b", 1}, {"zz", 2}},
                                                  {{"bc", 2}, {"abc", 3}, {"q", 1}},
                                                  {{"\xC3\xA9t", 3}, {"e", 1}, {"\xF0\x9F\x98\x80", 4}}};
    const struct {
        int list;
        const char *text;
        size_t at, index;
    } cases[] = {{0, "one END two", 4, 0},
                 {0, "END", 0, 0},
                 {0, "EN EEND", 4, 0},
                 {0, "aaaab", 2, 2},
                 {0, "x\n\nEND", 1, 1},
                 {0, "EN\nEN", 5, 3},
                 {0, "nothing", 7, 3},
                 {1, "abX", 1, 1},  /* "b" is complete before "abX" */
                 {2, "xabc", 1, 1}, /* both end there: the longest */
                 {2, "xxbc", 2, 0},
                 {3, "caf\xC3\xA8 \xC3\xA9t\xC3\xA9", 6, 0},
                 {3, "\xF0\x9F\x98\x81 \xF0\x9F\x98\x80", 5, 2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t step = 1; step < 12; step++) {
            struct stops stops = {lists[cases[c].list], 3};
            size_t index = 0, at = feed(&stops, cases[c].text, step, &index);
            if (at != cases[c].at || index != cases[c].index)
                fail_msg("\"%s\" in steps of %zu: ends at %zu by %zu, expected %zu by %zu", cases[c].text, step, at,
                         index, cases[c].at, cases[c].index);
        }
}

static void what_is_held_back(void **state)
{
    (void)state;
    static const struct weir_string list[] = {{"stop", 4}, {"tops", 4}};
    struct stops stops = {list, 2};
    const struct {
        const char *text;
        size_t settled;
    } cases[] = {{"a", 1}, {"as", 1}, {"asto", 1}, {"sto ", 4}, {"xto", 1}, {"xss", 2}, {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = 99, index = 0;
        assert_false(stops_find(&stops, cases[i].text, 0, strlen(cases[i].text), &at, &index));
        if (at != cases[i].settled) fail_msg("\"%s\": %zu settled, expected %zu", cases[i].text, at, cases[i].settled);
    }
    struct stops none = {NULL, 0};
    size_t at = 0, index = 0;
    assert_false(stops_find(&none, "text", 0, 4, &at, &index));
    assert_int_equal(at, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(found_in_any_pieces), cmocka_unit_test(what_is_held_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
