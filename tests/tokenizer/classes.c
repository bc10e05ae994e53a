/* The table of classes and the UTF-8 step, at their edges. */
#include "check.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

static void classes_at_the_edges(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        enum unicode_class expected;
    } cases[] = {
        {0, UNICODE_OTHER},
        {'\t', UNICODE_SPACE},
        {' ', UNICODE_SPACE},
        {'A', UNICODE_UPPER},
        {'z', UNICODE_LOWER},
        {'9', UNICODE_NUMBER},
        {0x7F, UNICODE_OTHER},
        {0x80, UNICODE_OTHER},
        {0x85, UNICODE_SPACE},
        {0xA0, UNICODE_SPACE},
        {0xAA, UNICODE_OTHER_LETTER},
        {0xB2, UNICODE_NUMBER},
        {0x1C5, UNICODE_TITLE},
        {0x2B0, UNICODE_MODIFIER},
        {0x301, UNICODE_MARK},
        {0x1C89, UNICODE_UPPER} /* new in 16.0 */,
        {0x200B, UNICODE_OTHER},
        {0x3000, UNICODE_SPACE},
        {0x4E2D, UNICODE_OTHER_LETTER},
        {0xFFFD, UNICODE_OTHER},
        {0x1F999, UNICODE_OTHER},
        {0x323AF, UNICODE_OTHER_LETTER},
        {0x323B0, UNICODE_OTHER},
        {0x33FFF, UNICODE_OTHER},
        {0x34000, UNICODE_OTHER},
        {0xE00FF, UNICODE_OTHER},
        {0xE0100, UNICODE_MARK},
        {0xE01EF, UNICODE_MARK},
        {0xE01F0, UNICODE_OTHER},
        {0x10FFFF, UNICODE_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum unicode_class found = unicode_class_of(cases[i].code);
        if (found != cases[i].expected)
            fail_msg("U+%04X: expected %d, found %d", cases[i].code, cases[i].expected, found);
    }
}

static void utf8_steps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size, step;
        uint32_t code;
    } cases[] = {
        {"a", 1, 1, 'a'},
        {"\xC3\xA9", 2, 2, 0xE9},
        {"\xEF\xBF\xBF", 3, 3, 0xFFFF},
        {"\xF4\x8F\xBF\xBF", 4, 4, 0x10FFFF},
        {"\xC3", 1, 1, 0xFFFD},
        {"\xE4\xB8", 2, 1, 0xFFFD},
        {"\x80", 1, 1, 0xFFFD},
        {"\xC0\x80", 2, 1, 0xFFFD},
        {"\xC1\xBF", 2, 1, 0xFFFD},
        {"\xE0\x9F\xBF", 3, 1, 0xFFFD},
        {"\xED\xA0\x80", 3, 1, 0xFFFD},
        {"\xF0\x8F\xBF\xBF", 4, 1, 0xFFFD},
        {"\xF4\x90\x80\x80", 4, 1, 0xFFFD},
        {"\xF8\x88\x80\x80\x80", 5, 1, 0xFFFD},
        {"\xFF", 1, 1, 0xFFFD},
        {"\xC3(", 2, 1, 0xFFFD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t code = 0;
        size_t step = utf8_step(cases[i].text, cases[i].size, &code);
        if (step != cases[i].step || code != cases[i].code)
            fail_msg("case %zu: expected %zu bytes, U+%04X; found %zu, U+%04X", i, cases[i].step, cases[i].code, step,
                     code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(classes_at_the_edges), cmocka_unit_test(utf8_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
