/* The names and texts of outcomes, and in a build without libcurl what the pool says instead. */
#include "base/error.h"
#include "weir/provider.h"

static const struct {
    const char *name, *text;
} OUTCOMES[] = {
#define OUTCOME_ENTRY(upper, lower, text) {lower, text},
    WEIR_OUTCOME_MAP(OUTCOME_ENTRY)
#undef OUTCOME_ENTRY
};

const char *weir_outcome_name(enum weir_outcome outcome)
{
    return (size_t)outcome < sizeof OUTCOMES / sizeof *OUTCOMES ? OUTCOMES[outcome].name : "unknown";
}

const char *weir_outcome_text(enum weir_outcome outcome)
{
    return (size_t)outcome < sizeof OUTCOMES / sizeof *OUTCOMES ? OUTCOMES[outcome].text : "unknown";
}

#ifndef WEIR_HAVE_CURL

/* Nothing below the first function can be reached: there is no pool to call it with. */

static enum weir_status without(struct weir_error *error)
{
    return error_set(error, WEIR_ERR_UNSUPPORTED, "built without libcurl: this weir asks no tiers over HTTP");
}

enum weir_status weir_pool_open(const struct weir_pool_options *options, struct weir_pool **out,
                                struct weir_error *error)
{
    (void)options, (void)out;
    return without(error);
}

struct weir_pool_options weir_pool_options_defaults(void)
{
    return (struct weir_pool_options){.attempts_max = 1};
}

void weir_pool_close(struct weir_pool **pool)
{
    (void)pool;
}

enum weir_status weir_pool_add(struct weir_pool *pool, const struct weir_task *task, size_t tier,
                               const struct weir_prices *prices, struct weir_provider **out, struct weir_error *error)
{
    (void)pool, (void)task, (void)tier, (void)prices, (void)out;
    return without(error);
}

const struct weir_price *weir_provider_price(const struct weir_provider *provider)
{
    (void)provider;
    return NULL;
}

bool weir_provider_is_loopback(const struct weir_provider *provider)
{
    (void)provider;
    return false;
}

enum weir_circuit weir_provider_circuit(const struct weir_provider *provider)
{
    (void)provider;
    return WEIR_CIRCUIT_CLOSED;
}

enum weir_status weir_request_cost_max(const struct weir_request *request, int64_t *usd_e6, struct weir_error *error)
{
    (void)request, (void)usd_e6;
    return without(error);
}

enum weir_status weir_pool_submit(struct weir_pool *pool, const struct weir_request *request, struct weir_error *error)
{
    (void)pool, (void)request;
    return without(error);
}

enum weir_status weir_pool_next(struct weir_pool *pool, uint32_t timeout_ms, struct weir_reply **out,
                                struct weir_error *error)
{
    (void)pool, (void)timeout_ms, (void)out;
    return without(error);
}

void weir_reply_free(struct weir_reply **reply)
{
    (void)reply;
}

int64_t weir_repeat_cost_max(const struct weir_reply *reply)
{
    (void)reply;
    return 0;
}

enum weir_status weir_pool_repeat(struct weir_pool *pool, struct weir_reply *reply, struct weir_error *error)
{
    (void)pool, (void)reply;
    return without(error);
}

size_t weir_pool_in_flight(struct weir_pool *pool)
{
    (void)pool;
    return 0;
}

void weir_pool_cancel(struct weir_pool *pool)
{
    (void)pool;
}

#endif
