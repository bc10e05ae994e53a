/* A build without SQLite says so. */
#include "check.h"
#include "weir/ledger_report.h"

static void test_none(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct weir_ledger *ledger = NULL;
    struct weir_ledger_reader *reader = NULL;
    check_status(weir_ledger_open("no-such-file", NULL, &ledger, &error), WEIR_ERR_UNSUPPORTED, &error);
    check_contains(error.text, "built without the ledger (SQLite)");
    check_status(weir_ledger_reader_open("no-such-file", &reader, &error), WEIR_ERR_UNSUPPORTED, &error);
    assert_null(ledger);
    assert_null(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
