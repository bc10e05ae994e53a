/* Waits, circuits and limits against a clock of the test's own. */
#include "cascade/breaker.h"
#include "cascade/retry.h"
#include "cascade/window.h"
#include "check.h"

enum { NOW_S = 784111717 }; /* Sun, 06 Nov 1994 08:48:37 GMT */

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {{"0", 0},
                 {"7", 7000},
                 {" 7 \r\n", 7000},
                 {"86400", 86400000},
                 {"99999999999999999999", 86400000},
                 {"Sun, 06 Nov 1994 08:49:37 GMT", 60000},
                 {"Sunday, 06-Nov-94 08:49:37 GMT", 60000},
                 {"Sun Nov  6 08:49:37 1994", 60000},
                 {"Sun, 06 Nov 1994 08:48:36 GMT", 0},
                 {"Fri, 31 Dec 1999 23:59:60 GMT", 86400000},
                 {"Sun, 06 Nov 1994 08:49:37 CET", -1},
                 {"Sun, 06 Nux 1994 08:49:37 GMT", -1},
                 {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
                 {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
                 {"-1", -1},
                 {"1.5", -1},
                 {"soon", -1},
                 {"", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t found = retry_after_ms(cases[i].value, strlen(cases[i].value), NOW_S);
        if (found != cases[i].ms)
            fail_msg("\"%s\": expected %lld, found %lld", cases[i].value, (long long)cases[i].ms, (long long)found);
    }
}

static void every_cut_date_is_refused(void **state)
{
    (void)state;
    const char *date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (size_t size = 0; size < strlen(date); size++) assert_int_equal(retry_after_ms(date, size, NOW_S), -1);
}

/* Uniform in 0..first * 2^n: both ends are reached, nothing lies beyond, the mean is the middle. */
static void backoff_is_full_jitter(void **state)
{
    (void)state;
    uint64_t random = 12345;
    for (unsigned n = 0; n < 40; n++) {
        int64_t widest = n < 6 ? 8 << n : 256, low = INT64_MAX, high = -1, sum = 0, rounds = 4000;
        for (int64_t i = 0; i < rounds; i++) {
            int64_t wait = retry_backoff_ms(&random, n, 8, 256);
            low = wait < low ? wait : low;
            high = wait > high ? wait : high;
            sum += wait;
        }
        assert_int_equal(low, 0);
        assert_int_equal(high, widest);
        assert_true(sum > rounds * widest * 9 / 20 && sum < rounds * widest * 11 / 20);
    }
    assert_int_equal(retry_backoff_ms(&random, 3, 0, 0), 0);
}

static void only_some_statuses_are_worth_another_attempt(void **state)
{
    (void)state;
    for (long status = 0; status < 1000; status++) {
        bool expected = status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
                        status == 503 || status == 504 || status == 529;
        assert_int_equal(retry_is_status(status), expected);
    }
}

static void a_circuit_opens_waits_tries_and_closes(void **state)
{
    (void)state;
    struct breaker b = breaker_make(3, 1000);
    for (int i = 0; i < 2; i++) {
        breaker_failed(&b, 0);
        assert_true(breaker_allows(&b, 0));
    }
    breaker_succeeded(&b); /* failures must come in a row */
    for (int i = 0; i < 3; i++) assert_true(breaker_allows(&b, 10)), breaker_failed(&b, 10);
    assert_int_equal(b.circuit, WEIR_CIRCUIT_OPEN);
    assert_false(breaker_allows(&b, 1009));
    breaker_failed(&b, 1009); /* a straggler: does not open it anew */
    assert_true(breaker_allows(&b, 1010));
    assert_int_equal(b.circuit, WEIR_CIRCUIT_HALF_OPEN);
    assert_false(breaker_allows(&b, 1010)); /* one at a time */
    breaker_failed(&b, 1500);
    assert_int_equal(b.circuit, WEIR_CIRCUIT_OPEN);
    assert_false(breaker_allows(&b, 2499));
    assert_true(breaker_allows(&b, 2500));
    breaker_undecided(&b);
    assert_true(breaker_allows(&b, 2501)); /* another may try */
    breaker_succeeded(&b);
    assert_int_equal(b.circuit, WEIR_CIRCUIT_CLOSED);
    assert_true(breaker_allows(&b, 2501) && breaker_allows(&b, 2501));
}

/* Sends as fast as the limit lets it for five minutes; no minute, wherever it begins, holds more than the limit. */
static void no_minute_holds_more_than_the_limit(void **state)
{
    (void)state;
    enum { LIMIT = 37, SENT_MAX = 1000 };
    static int64_t sent[SENT_MAX];
    struct window w = window_make(LIMIT);
    size_t n = 0;
    for (int64_t now = 123456; now < 123456 + 300000;) {
        int64_t wait = window_wait_ms(&w, now, 1);
        if (!wait) {
            assert_true(n < SENT_MAX);
            window_add(&w, now, 1);
            sent[n++] = now;
        }
        assert_true(wait >= 0 && wait <= 61000);
        now += wait ? wait : 13;
    }
    for (size_t i = 0; i + LIMIT < n; i++)
        if (sent[i + LIMIT] - sent[i] < 60000)
            fail_msg("requests %zu and %zu are %d ms apart", i, i + LIMIT, (int)(sent[i + LIMIT] - sent[i]));
    assert_true(n >= (size_t)4 * LIMIT); /* and it does let through what is allowed */
}

static void tokens_are_corrected_when_they_are_known(void **state)
{
    (void)state;
    struct window w = window_make(1000);
    assert_int_equal(window_wait_ms(&w, 5000, 800), 0);
    window_add(&w, 5000, 800);
    assert_true(window_wait_ms(&w, 5600, 300) > 0);
    window_correct(&w, 5000, 800, 100);
    assert_int_equal(window_wait_ms(&w, 5600, 300), 0);
    window_add(&w, 5600, 300);
    window_correct(&w, 5600, 300, 950); /* more than was thought */
    assert_true(window_wait_ms(&w, 5700, 1) > 0);
    window_correct(&w, 5000, 500, 0); /* never below nothing */
    assert_int_equal(window_wait_ms(&w, 200000, 1000), 0);
    window_correct(&w, 5000, 800, 100); /* long forgotten */
    assert_int_equal(window_wait_ms(&w, 200000, 1000), 0);
}

static void an_amount_above_the_limit_waits_for_an_empty_window(void **state)
{
    (void)state;
    struct window w = window_make(10);
    assert_int_equal(window_wait_ms(&w, 0, 11), 0);
    window_add(&w, 0, 11);
    int64_t wait = window_wait_ms(&w, 1000, 11);
    assert_true(wait > 58000 && wait <= 60000);
    assert_int_equal(window_wait_ms(&w, 1000 + wait, 11), 0);
    struct window none = window_make(0);
    window_add(&none, 0, 1000);
    assert_int_equal(window_wait_ms(&none, 0, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(retry_after_is_seconds_or_a_date),
                                       cmocka_unit_test(every_cut_date_is_refused),
                                       cmocka_unit_test(backoff_is_full_jitter),
                                       cmocka_unit_test(only_some_statuses_are_worth_another_attempt),
                                       cmocka_unit_test(a_circuit_opens_waits_tries_and_closes),
                                       cmocka_unit_test(no_minute_holds_more_than_the_limit),
                                       cmocka_unit_test(tokens_are_corrected_when_they_are_known),
                                       cmocka_unit_test(an_amount_above_the_limit_waits_for_an_empty_window)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
