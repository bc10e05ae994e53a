/* Where a long text is cut. */
#include "check.h"
#include "decide/split.h"

static void borders(void **state)
{
    (void)state;
    const struct {
        const char *text;
        size_t at;
    } cases[] = {{"one line\n\nanother. And more", 10},
                 {"one. two\nthree. four", 9},
                 {"One thing. Another thing.", 11},
                 {"What? No! Yes. So it is.", 10},
                 {"several words here now", 8},
                 {"abcdefgh", 4},
                 {"ab", 1},
                 {"a\xC3\xA9", 1},
                 {"\xC3\xA9\xC3\xA9", 2},
                 {"\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80", 4},
                 {"x\n\nmany words but the paragraph is too near to one end", 22}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = split_point((struct weir_string){cases[i].text, strlen(cases[i].text)});
        if (at != cases[i].at) fail_msg("\"%s\": cut at %zu, expected %zu", cases[i].text, at, cases[i].at);
    }
}

/* Whatever the text, both halves have something and no character is cut. */
static void any_text(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", " ", "\n", ".", "\xC3\xA9", "\xE3\x80\x82", "\xF0\x9F\x98\x80"};
    uint32_t random = 7;
    for (int round = 0; round < 20000; round++) {
        char text[128];
        size_t size = 0, n = 0;
        for (; n < 2 || (n < 30 && (random >> 20) % 9); n++) {
            random = random * 1664525u + 1013904223u;
            const char *c = characters[(random >> 16) % 7];
            memcpy(text + size, c, strlen(c));
            size += strlen(c);
        }
        random = random * 1664525u + 1013904223u;
        size_t at = split_point((struct weir_string){text, size});
        if (!(at > 0 && at < size) || ((unsigned char)text[at] & 0xC0) == 0x80)
            fail_msg("round %d: %zu bytes cut at %zu", round, size, at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(borders), cmocka_unit_test(any_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
