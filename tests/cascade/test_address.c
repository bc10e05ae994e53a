/* Which addresses are of this host, as written and as resolved. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "cascade/address.h"
#include "check.h"

static bool resolved(int family, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (family == AF_INET) {
        assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
        return address_is_loopback((const struct sockaddr *)&v4, sizeof v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_is_loopback((const struct sockaddr *)&v6, sizeof v6);
}

static void only_addresses_of_this_host_are_loopback(void **state)
{
    (void)state;
    static const char *const v4_yes[] = {"127.0.0.1", "127.255.255.254", "127.0.0.0"};
    static const char *const v4_no[] = {"0.0.0.0",  "126.255.255.255", "128.0.0.1",
                                        "10.0.0.1", "192.168.1.1",     "169.254.169.254"};
    static const char *const v6_yes[] = {"::1", "::ffff:127.0.0.1"};
    static const char *const v6_no[] = {"::",          "::2",         "fe80::1", "::ffff:10.0.0.1",
                                        "::127.0.0.1", "2001:db8::1", "100::1"};
    for (size_t i = 0; i < sizeof v4_yes / sizeof *v4_yes; i++) assert_true(resolved(AF_INET, v4_yes[i]));
    for (size_t i = 0; i < sizeof v4_no / sizeof *v4_no; i++) assert_false(resolved(AF_INET, v4_no[i]));
    for (size_t i = 0; i < sizeof v6_yes / sizeof *v6_yes; i++) assert_true(resolved(AF_INET6, v6_yes[i]));
    for (size_t i = 0; i < sizeof v6_no / sizeof *v6_no; i++) assert_false(resolved(AF_INET6, v6_no[i]));
}

static void other_families_and_short_addresses_are_not(void **state)
{
    (void)state;
    struct sockaddr_in v4 = {.sin_family = AF_UNIX};
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_false(address_is_loopback((const struct sockaddr *)&v4, sizeof v4));
    v4.sin_family = AF_INET;
    assert_false(address_is_loopback((const struct sockaddr *)&v4, 4));
    v4.sin_family = AF_INET6;
    assert_false(address_is_loopback((const struct sockaddr *)&v4, sizeof v4));
}

static void hosts_are_judged_by_what_is_written(void **state)
{
    (void)state;
    static const char *const yes[] = {"localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "[::1]"};
    static const char *const no[] = {"localhost.example.org",
                                     "127.0.0.1.example.org",
                                     "127.1",
                                     "127.0.0.256",
                                     "example.org",
                                     "[::2]",
                                     "",
                                     "0.0.0.0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) assert_true(address_host_is_loopback(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) assert_false(address_host_is_loopback(no[i]));
}

static void addresses_are_made_of_base_and_path(void **state)
{
    (void)state;
    struct address made = {.is_plain = false};
    struct weir_error error = {0};
    check_status(address_make("t", "https://api.example.org/v1/", "/chat", false, &made, &error), WEIR_OK, &error);
    assert_string_equal(made.url, "https://api.example.org/v1/chat");
    assert_false(made.is_loopback || made.is_plain);
    check_status(address_make("t", "http://[::1]:8080/v1", "/chat", true, &made, &error), WEIR_OK, &error);
    assert_string_equal(made.shown, "http://[::1]:8080/v1/chat");
    assert_true(made.is_loopback && made.is_plain);
    /* libcurl writes 127.1 as 127.0.0.1 before it is judged */
    check_status(address_make("t", "http://127.1:80", "/x", true, &made, &error), WEIR_OK, &error);
    assert_true(made.is_loopback);
    assert_int_equal(address_make("t", "https://api.example.org", "/x", true, &made, &error), WEIR_ERR_REFUSED);
    check_contains(error.text, "privacy.egress");
    static char longer[ADDRESS_BYTES_MAX + 10];
    memset(longer, 'x', sizeof longer - 1);
    assert_int_equal(address_make("t", longer, "/x", false, &made, &error), WEIR_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_addresses_of_this_host_are_loopback),
                                       cmocka_unit_test(other_families_and_short_addresses_are_not),
                                       cmocka_unit_test(hosts_are_judged_by_what_is_written),
                                       cmocka_unit_test(addresses_are_made_of_base_and_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
