/* The keys of one tier, checked against its kind. Prices are whole micro-dollars from the first digit on. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "task/task_internal.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const TIER_KINDS[] = {"gguf", "openai", "anthropic", "decisions", "systemone", NULL};

struct tier_fields {
    struct weir_tier_spec tier;
    const yaml_node_t *kind, *url, *key, *price, *requests_per_minute, *tokens_per_minute, *max_tokens, *stream,
        *logprobs, *effort, *concurrency;
};

static enum weir_status fail_missing(struct task_reader *r, const yaml_node_t *node, const char *key, const char *what)
{
    return task_fail(r, node, WEIR_ERR_FORMAT, "%s lacks `%s`", what, key);
}

#define BIT(kind) (1u << WEIR_TIER_##kind)

/* Keys that only some kinds have: an error elsewhere, never ignored. */
static enum weir_status check_keys_of_kind(struct task_reader *r, const struct tier_fields *f, const char *what)
{
    const unsigned remote = BIT(OPENAI) | BIT(ANTHROPIC) | BIT(DECISIONS) | BIT(SYSTEMONE);
    const unsigned writing = BIT(OPENAI) | BIT(ANTHROPIC);
    const struct {
        const char *key;
        const yaml_node_t *node;
        unsigned allowed;
    } rules[] = {{"url", f->url, remote},
                 {"key", f->key, remote},
                 {"price", f->price, remote},
                 {"requests_per_minute", f->requests_per_minute, remote},
                 {"tokens_per_minute", f->tokens_per_minute, remote},
                 {"max_tokens", f->max_tokens, writing},
                 {"stream", f->stream, writing},
                 {"logprobs", f->logprobs, BIT(OPENAI)},
                 {"effort", f->effort, writing}};
    for (size_t i = 0; i < COUNT(rules); i++)
        if (rules[i].node && !(rules[i].allowed & 1u << f->tier.kind))
            return task_fail(r, rules[i].node, WEIR_ERR_FORMAT, "%s is of kind %s, which has no `%s`", what,
                             TIER_KINDS[f->tier.kind], rules[i].key);
    return WEIR_OK;
}

struct key_fields {
    const yaml_node_t *env, *file, *credential;
};

/* key: {env: NAME}, {file: PATH} or {credential: NAME}. */
static enum weir_status read_key(struct task_reader *r, const yaml_node_t *node, struct weir_tier_spec *tier)
{
    static const struct task_key keys[] = {{"env", TASK_NODE, offsetof(struct key_fields, env), NULL},
                                           {"file", TASK_NODE, offsetof(struct key_fields, file), NULL},
                                           {"credential", TASK_NODE, offsetof(struct key_fields, credential), NULL}};
    struct key_fields f = {0};
    if (!node) return WEIR_OK;
    if (node->type != YAML_MAPPING_NODE)
        return task_fail(
            r, node, WEIR_ERR_FORMAT,
            "`key` must say where the key is ({env: NAME}, {file: PATH} or {credential: NAME}), not be one");
    enum weir_status status = task_read_mapping(r, node, "`key`", keys, COUNT(keys), &f);
    if (status) return status;
    if (!!f.env + !!f.file + !!f.credential != 1)
        return task_fail(r, node, WEIR_ERR_FORMAT, "`key` must have one of env, file and credential");
    tier->key_source = f.env ? WEIR_KEY_ENV : f.file ? WEIR_KEY_FILE : WEIR_KEY_CREDENTIAL;
    if (f.file) return task_read_text(r, f.file, "file", &tier->key_name);
    status = f.env ? task_read_name(r, f.env, "env", &tier->key_name)
                   : task_read_name(r, f.credential, "credential", &tier->key_name);
    if (!status && f.credential && strchr(tier->key_name, '/'))
        return task_fail(r, f.credential, WEIR_ERR_FORMAT, "`credential` is a name, without slashes");
    return status;
}

enum { RATE_ABSENT = -1 };

struct price_fields {
    struct weir_price_rates rates;
    uint32_t above_tokens;
    const yaml_node_t *long_price;
};

/* What is not said of cached input is as dear as other input. */
static enum weir_status finish_rates(struct task_reader *r, const yaml_node_t *node, const char *what,
                                     struct weir_price_rates *rates)
{
    if (rates->input == RATE_ABSENT) return fail_missing(r, node, "input", what);
    if (rates->output == RATE_ABSENT) return fail_missing(r, node, "output", what);
    if (rates->cached == RATE_ABSENT) rates->cached = rates->input;
    if (rates->cache_write == RATE_ABSENT) rates->cache_write = rates->input;
    return WEIR_OK;
}

#define RATE(name) {#name, TASK_USD, offsetof(struct price_fields, rates.name), NULL}
static const struct price_fields NO_RATES = {.rates = {RATE_ABSENT, RATE_ABSENT, RATE_ABSENT, RATE_ABSENT}};

static enum weir_status read_long_price(struct task_reader *r, const yaml_node_t *node, struct weir_price *price)
{
    static const struct task_key keys[] = {
        {"above_tokens", TASK_COUNT, offsetof(struct price_fields, above_tokens), NULL},
        RATE(input),
        RATE(cached),
        RATE(cache_write),
        RATE(output)};
    struct price_fields f = NO_RATES;
    enum weir_status status = task_read_mapping(r, node, "`long`", keys, COUNT(keys), &f);
    if (status) return status;
    if (!f.above_tokens) return fail_missing(r, node, "above_tokens", "`long`");
    price->long_above_tokens = f.above_tokens;
    price->long_rates = f.rates;
    return finish_rates(r, node, "`long`", &price->long_rates);
}

static enum weir_status read_price(struct task_reader *r, const yaml_node_t *node, struct weir_tier_spec *tier)
{
    static const struct task_key keys[] = {RATE(input),
                                           RATE(cached),
                                           RATE(cache_write),
                                           RATE(output),
                                           {"long", TASK_NODE, offsetof(struct price_fields, long_price), NULL}};
    struct price_fields f = NO_RATES;
    if (!node) return WEIR_OK;
    enum weir_status status = task_read_mapping(r, node, "`price`", keys, COUNT(keys), &f);
    if (status) return status;
    tier->has_price = true;
    tier->price = (struct weir_price){.rates = f.rates};
    status = finish_rates(r, node, "`price`", &tier->price.rates);
    return status || !f.long_price ? status : read_long_price(r, f.long_price, &tier->price);
}

static enum weir_status read_values(struct task_reader *r, const struct tier_fields *f, struct weir_tier_spec *tier)
{
    const struct {
        struct task_key key;
        const yaml_node_t *node;
    } values[] = {{{"concurrency", TASK_COUNT, offsetof(struct weir_tier_spec, concurrency), NULL}, f->concurrency},
                  {{"url", TASK_TEXT, offsetof(struct weir_tier_spec, url), NULL}, f->url},
                  {{"requests_per_minute", TASK_COUNT, offsetof(struct weir_tier_spec, requests_per_minute), NULL},
                   f->requests_per_minute},
                  {{"tokens_per_minute", TASK_COUNT, offsetof(struct weir_tier_spec, tokens_per_minute), NULL},
                   f->tokens_per_minute},
                  {{"max_tokens", TASK_COUNT, offsetof(struct weir_tier_spec, max_tokens), NULL}, f->max_tokens},
                  {{"stream", TASK_BOOL, offsetof(struct weir_tier_spec, stream), NULL}, f->stream},
                  {{"logprobs", TASK_BOOL, offsetof(struct weir_tier_spec, logprobs), NULL}, f->logprobs},
                  {{"effort", TASK_NAME, offsetof(struct weir_tier_spec, effort), NULL}, f->effort}};
    for (size_t i = 0; i < COUNT(values); i++) {
        if (!values[i].node) continue;
        enum weir_status status = task_read_field(r, values[i].node, &values[i].key, tier);
        if (status) return status;
    }
    if (tier->concurrency > WEIR_TASK_CONCURRENCY_MAX)
        return task_fail(r, f->concurrency, WEIR_ERR_LIMIT, "`concurrency` of a tier is at most %d, not %u",
                         WEIR_TASK_CONCURRENCY_MAX, tier->concurrency);
    return WEIR_OK;
}

enum weir_status task_read_tier(struct task_reader *r, const yaml_node_t *node, size_t index,
                                struct weir_tier_spec *out)
{
#define TIER_NODE(key) {#key, TASK_NODE, offsetof(struct tier_fields, key), NULL}
    static const struct task_key keys[] = {
        {"name", TASK_NAME, offsetof(struct tier_fields, tier.name), NULL},
        TIER_NODE(kind),
        {"model", TASK_TEXT, offsetof(struct tier_fields, tier.model), NULL},
        {"profile", TASK_TEXT, offsetof(struct tier_fields, tier.profile), NULL},
        {"timeout_ms", TASK_COUNT, offsetof(struct tier_fields, tier.timeout_ms), NULL},
        TIER_NODE(concurrency),
        TIER_NODE(url),
        TIER_NODE(key),
        TIER_NODE(price),
        TIER_NODE(requests_per_minute),
        TIER_NODE(tokens_per_minute),
        TIER_NODE(max_tokens),
        TIER_NODE(stream),
        TIER_NODE(logprobs),
        TIER_NODE(effort)};
#undef TIER_NODE
    char what[32];
    (void)snprintf(what, sizeof what, "tier %zu", index + 1);
    struct tier_fields fields = {.tier = {.profile = "",
                                          .timeout_ms = 20000,
                                          .concurrency = 8,
                                          .url = "",
                                          .key_name = "",
                                          .max_tokens = 1024,
                                          .effort = ""}};
    struct weir_tier_spec *tier = &fields.tier;
    unsigned kind;
    enum weir_status status = task_read_mapping(r, node, what, keys, COUNT(keys), &fields);
    if (status) return status;
    if (!tier->name) return fail_missing(r, node, "name", what);
    if (!fields.kind) return fail_missing(r, node, "kind", what);
    if (!tier->model || !*tier->model) return fail_missing(r, node, "model", what);
    status = task_read_word(r, fields.kind, "kind", TIER_KINDS, &kind);
    if (status) return status;
    tier->kind = (enum weir_tier_kind)kind;
    if (*tier->profile && tier->kind != WEIR_TIER_GGUF)
        return task_fail(r, node, WEIR_ERR_FORMAT, "%s: only a tier of kind gguf has a `profile`", what);
    status = check_keys_of_kind(r, &fields, what);
    if (!status) status = read_values(r, &fields, tier);
    if (!status) status = read_key(r, fields.key, tier);
    if (!status) status = read_price(r, fields.price, tier);
    if (status) return status;
    *out = *tier;
    return WEIR_OK;
}
