/* The pool without a server that answers: what is refused, what ends when it closes, what happens without memory. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "weir/provider.h"

struct fixture {
    int listener; /* takes connections and says nothing */
    struct weir_task *task;
    struct weir_prices *prices;
    struct weir_pool *pool;
    struct weir_provider *provider;
};

static void open_task(struct fixture *f)
{
    char text[512];
    struct weir_error error = {0};
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(f->listener, 64), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(text, sizeof text,
                   "task: t\ninstructions: x\ntype: choice\nlabels: [a, b]\ntiers:\n"
                   "  - {name: far, kind: anthropic, model: claude-sonnet-4-6, url: 'http://127.0.0.1:%d'}\n",
                   ntohs(address.sin_port));
    check_status(weir_task_open_memory(text, strlen(text), "t", &f->task, &error), WEIR_OK, &error);
    check_status(weir_prices_open(NULL, &f->prices, &error), WEIR_OK, &error);
}

static struct fixture open_fixture(void)
{
    struct fixture f = {.listener = -1};
    struct weir_error error = {0};
    open_task(&f);
    check_status(weir_pool_open(NULL, &f.pool, &error), WEIR_OK, &error);
    check_status(weir_pool_add(f.pool, f.task, 0, f.prices, &f.provider, &error), WEIR_OK, &error);
    return f;
}

static void close_fixture(struct fixture *f)
{
    weir_pool_close(&f->pool);
    weir_pool_close(&f->pool);
    weir_prices_close(&f->prices);
    weir_task_close(&f->task);
    (void)close(f->listener);
}

static struct weir_request request_of(const struct fixture *f, const char *text, void *user)
{
    return (struct weir_request){.provider = f->provider, .text = text, .text_size = strlen(text), .user = user};
}

static void wrong_requests_are_refused_at_once(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    struct weir_error error = {0};
    int64_t cost = -7;
    struct weir_request request = request_of(&f, "", NULL);
    assert_int_equal(weir_pool_submit(f.pool, &request, &error), WEIR_ERR_INVALID);
    check_contains(error.text, "tier far: the text is empty");
    request = request_of(&f, "\xff\xfe", NULL);
    assert_int_equal(weir_request_cost_max(&request, &cost, &error), WEIR_ERR_INVALID);
    check_contains(error.text, "UTF-8");
    request = request_of(&f, "text", NULL);
    request.text_size = WEIR_PROVIDER_TEXT_BYTES_MAX + (size_t)1;
    assert_int_equal(weir_pool_submit(f.pool, &request, &error), WEIR_ERR_LIMIT);
    assert_int_equal(cost, -7);
    assert_int_equal(weir_pool_in_flight(f.pool), 0);
    struct weir_reply *reply = NULL;
    check_status(weir_pool_next(f.pool, UINT32_MAX, &reply, &error), WEIR_OK, &error); /* nothing to wait for */
    assert_null(reply);
    close_fixture(&f);
}

/* Every byte of the text is a token at least; the answer and what the provider adds come on top. */
static void the_most_grows_with_the_text(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    struct weir_error error = {0};
    int64_t shorter = 0, longer = 0;
    struct weir_request request = request_of(&f, "1234567890", NULL);
    check_status(weir_request_cost_max(&request, &shorter, &error), WEIR_OK, &error);
    request.text = "12345678901234567890";
    request.text_size = 20;
    check_status(weir_request_cost_max(&request, &longer, &error), WEIR_OK, &error);
    int64_t a_byte = weir_price_cost_max(weir_provider_price(f.provider), 1000000, 0) / 1000000;
    assert_true(longer - shorter >= 10 * 3 && longer - shorter <= 10 * (a_byte + 1));
    assert_true(shorter >= weir_price_cost_max(weir_provider_price(f.provider), 10, 1024));
    close_fixture(&f);
}

static void closing_ends_what_is_in_flight(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    struct weir_error error = {0};
    struct weir_reply *reply = NULL;
    for (int i = 0; i < 20; i++) { /* more than the tier's concurrency */
        struct weir_request request = request_of(&f, "text", &f);
        check_status(weir_pool_submit(f.pool, &request, &error), WEIR_OK, &error);
    }
    check_status(weir_pool_next(f.pool, 50, &reply, &error), WEIR_OK, &error);
    assert_null(reply);
    assert_int_equal(weir_pool_in_flight(f.pool), 20);
    close_fixture(&f);
}

static void *fetch(void *context)
{
    struct weir_pool *pool = context;
    size_t count = 0;
    for (struct weir_reply *reply = NULL; weir_pool_next(pool, UINT32_MAX, &reply, NULL) == WEIR_OK && reply; count++) {
        assert_int_equal(reply->outcome, WEIR_OUTCOME_CANCELLED);
        weir_reply_free(&reply);
    }
    return (void *)(uintptr_t)count;
}

static void several_threads_may_fetch_and_cancel(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    struct weir_error error = {0};
    pthread_t threads[3];
    size_t sum = 0;
    for (int i = 0; i < 50; i++) {
        struct weir_request request = request_of(&f, "text", &f);
        check_status(weir_pool_submit(f.pool, &request, &error), WEIR_OK, &error);
    }
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, fetch, f.pool), 0);
    weir_pool_cancel(f.pool);
    for (int i = 0; i < 3; i++) {
        void *count = NULL;
        assert_int_equal(pthread_join(threads[i], &count), 0);
        sum += (uintptr_t)count;
    }
    assert_int_equal(sum, 50);
    close_fixture(&f);
}

/* Allocation 1, 2, 3 ... fails until everything succeeds: an error each time, nothing lost, nothing sent. */
static void without_memory_opening_and_asking_fail_cleanly(void **state)
{
    (void)state;
    struct fixture f = {.listener = -1};
    struct weir_error error = {0};
    open_task(&f);
    enum weir_status status = WEIR_ERR_NOMEM;
    for (size_t n = 1; status && n < 1000; n++) {
        mem_fail_after(n);
        status = weir_pool_open(NULL, &f.pool, &error);
        if (!status) status = weir_pool_add(f.pool, f.task, 0, f.prices, &f.provider, &error);
        mem_fail_after(0);
        if (status) weir_pool_close(&f.pool);
        assert_true(status == WEIR_OK || status == WEIR_ERR_NOMEM);
    }
    check_status(status, WEIR_OK, &error);
    status = WEIR_ERR_NOMEM;
    for (size_t n = 1; status && n < 1000; n++) {
        int64_t cost = 0;
        struct weir_request request = request_of(&f, "text", &f);
        mem_fail_after(n);
        status = weir_request_cost_max(&request, &cost, &error);
        mem_fail_after(0);
        assert_true(status == WEIR_OK || status == WEIR_ERR_NOMEM);
    }
    check_status(status, WEIR_OK, &error);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_requests_are_refused_at_once), cmocka_unit_test(the_most_grows_with_the_text),
        cmocka_unit_test(closing_ends_what_is_in_flight), cmocka_unit_test(several_threads_may_fetch_and_cancel),
        cmocka_unit_test(without_memory_opening_and_asking_fail_cleanly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
