/* What calls cost, and the dated table of prices. */
#include "cascade/price.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cascade/prices_data.h"
#include "weir/provider.h"

enum { PRICES_BYTES_MAX = 4 << 20, PRICES_MAX = 10000, TOKENS_PER_PRICE = 1000000 };

/* ---- costs --------------------------------------------------------------------------------------------------------- */

typedef unsigned __int128 wide;

static wide clamp(int64_t count)
{
    return count > 0 ? (wide)count : 0;
}

/* Rounded up to a micro-dollar: once a call, not once a kind of token. */
static int64_t amount(wide product)
{
    wide usd_e6 = (product + TOKENS_PER_PRICE - 1) / TOKENS_PER_PRICE;
    return usd_e6 > INT64_MAX ? INT64_MAX : (int64_t)usd_e6;
}

static const struct weir_price_rates *rates_of(const struct weir_price *price, wide input_tokens)
{
    bool is_long = price->long_above_tokens && input_tokens > price->long_above_tokens;
    return is_long ? &price->long_rates : &price->rates;
}

int64_t weir_price_cost(const struct weir_price *price, const struct weir_usage *usage)
{
    wide input = clamp(usage->input), cached = clamp(usage->cached), cache_write = clamp(usage->cache_write);
    const struct weir_price_rates *rates = rates_of(price, input + cached + cache_write);
    return amount(input * clamp(rates->input) + cached * clamp(rates->cached) +
                  cache_write * clamp(rates->cache_write) + clamp(usage->output) * clamp(rates->output));
}

static int64_t dearest_input(const struct weir_price_rates *rates)
{
    int64_t most = rates->input > rates->cached ? rates->input : rates->cached;
    return most > rates->cache_write ? most : rates->cache_write;
}

static int64_t most_of(const struct weir_price_rates *rates, size_t input, uint32_t output)
{
    return amount((wide)input * clamp(dearest_input(rates)) + (wide)output * clamp(rates->output));
}

int64_t weir_price_cost_max(const struct weir_price *price, size_t request_bytes, uint32_t output_tokens_max)
{
    int64_t most = most_of(&price->rates, request_bytes, output_tokens_max);
    if (!price->long_above_tokens || request_bytes <= price->long_above_tokens) return most;
    int64_t longer = most_of(&price->long_rates, request_bytes, output_tokens_max);
    return longer > most ? longer : most;
}

bool price_parse(const char *text, size_t size, int64_t *usd_e6)
{
    int64_t whole = 0, micro = 0, unit = TOKENS_PER_PRICE;
    size_t at = 0;
    for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
        if (at == 10) return false;
        whole = whole * 10 + (text[at] - '0');
    }
    if (!at) return false;
    if (at < size && text[at] == '.') {
        for (at++; at < size && text[at] >= '0' && text[at] <= '9' && unit > 1; at++)
            micro += (text[at] - '0') * (unit /= 10);
        if (unit == TOKENS_PER_PRICE) return false;
    }
    if (at < size) return false;
    *usd_e6 = whole * TOKENS_PER_PRICE + micro;
    return true;
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

struct entry {
    enum weir_tier_kind kind;
    char *model; /* owned */
    struct weir_price price;
};

struct weir_prices {
    char date[16];
    struct entry *entries; /* owned */
    size_t count;
};

/* One reading of a table. */
struct reader {
    const char *name;
    struct weir_prices *prices;
    struct weir_error *error;
};

static const struct {
    const char *name;
    enum weir_tier_kind kind;
} KINDS[] = {{"openai", WEIR_TIER_OPENAI},
             {"anthropic", WEIR_TIER_ANTHROPIC},
             {"decisions", WEIR_TIER_DECISIONS},
             {"systemone", WEIR_TIER_SYSTEMONE}};

static enum weir_status fail(const struct reader *r, const struct json_value *at, const char *what)
{
    char pointer[200] = "";
    return error_set(r->error, WEIR_ERR_FORMAT, "%s: %s: %s", r->name, json_pointer(at, pointer, sizeof pointer), what);
}

/* Every member of `object` is one of the `known` names, NULL at the end. */
static enum weir_status check_members(const struct reader *r, const struct json_value *object, const char *const *known)
{
    if (object->kind != JSON_OBJECT) return fail(r, object, "expected an object");
    for (const struct json_value *member = object->first; member; member = member->next) {
        size_t i = 0;
        while (known[i] && !json_text_is(member->key, known[i])) i++;
        if (!known[i]) return fail(r, member, "unknown key");
    }
    return WEIR_OK;
}

static enum weir_status read_rate(const struct reader *r, const struct json_value *object, const char *key,
                                  int64_t *rate)
{
    const struct json_value *value = json_member(object, key);
    if (!value) return *rate >= 0 ? WEIR_OK : fail(r, object, "expected `input` and `output`");
    if (value->kind == JSON_NUMBER && price_parse(value->source.data, value->source.size, rate)) return WEIR_OK;
    return fail(r, value, "expected dollars with at most six decimals");
}

static enum weir_status read_rates(const struct reader *r, const struct json_value *object,
                                   struct weir_price_rates *rates)
{
    *rates = (struct weir_price_rates){.input = -1, .output = -1};
    enum weir_status status = read_rate(r, object, "input", &rates->input);
    if (!status) status = read_rate(r, object, "output", &rates->output);
    rates->cached = rates->cache_write = rates->input; /* where nothing else is said */
    if (!status) status = read_rate(r, object, "cached", &rates->cached);
    return status ? status : read_rate(r, object, "cache_write", &rates->cache_write);
}

static enum weir_status read_long(const struct reader *r, const struct json_value *value, struct weir_price *price)
{
    static const char *const known[] = {"above_tokens", "input", "cached", "cache_write", "output", NULL};
    enum weir_status status = check_members(r, value, known);
    if (status) return status;
    const struct json_value *above = json_member(value, "above_tokens");
    int64_t tokens = 0;
    bool is_count = above && above->kind == JSON_NUMBER &&
                    price_parse(above->source.data, above->source.size, &tokens) && tokens % TOKENS_PER_PRICE == 0;
    tokens /= TOKENS_PER_PRICE;
    if (!is_count || tokens < 1 || tokens > INT32_MAX) return fail(r, value, "expected `above_tokens`, a whole number");
    price->long_above_tokens = (uint32_t)tokens;
    return read_rates(r, value, &price->long_rates);
}

static bool kind_of(struct json_text name, enum weir_tier_kind *kind)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (!json_text_is(name, KINDS[i].name)) continue;
        *kind = KINDS[i].kind;
        return true;
    }
    return false;
}

static enum weir_status read_entry(const struct reader *r, const struct json_value *value)
{
    static const char *const known[] = {"kind",   "model", "input",  "cached", "cache_write",
                                        "output", "long",  "source", NULL};
    struct entry made = {.kind = WEIR_TIER_GGUF};
    enum weir_status status = check_members(r, value, known);
    if (!status) status = read_rates(r, value, &made.price.rates);
    if (status) return status;
    const struct json_value *kind = json_member(value, "kind"), *model = json_member(value, "model"),
                            *longer = json_member(value, "long");
    if (!kind || !kind_of(kind->string, &made.kind))
        return fail(r, value, "expected `kind`: openai, anthropic, decisions or systemone");
    if (!model || model->kind != JSON_STRING || !model->string.size) return fail(r, value, "expected `model`, a name");
    if (longer) status = read_long(r, longer, &made.price);
    if (status) return status;
    made.model = mem_text(model->string.data, model->string.size);
    if (!made.model) return error_nomem(r->error, "prices");
    if (weir_prices_find(r->prices, made.kind, made.model)) {
        free(made.model);
        return fail(r, value, "this model stands there twice");
    }
    r->prices->entries[r->prices->count++] = made;
    return WEIR_OK;
}

/* "2026-11-23" */
static bool is_date(struct json_text text)
{
    static const char shape[] = "0000-00-00";
    if (text.size != sizeof shape - 1) return false;
    for (size_t i = 0; i < text.size; i++)
        if (shape[i] == '-' ? text.data[i] != '-' : text.data[i] < '0' || text.data[i] > '9') return false;
    return true;
}

static enum weir_status read_table(const struct reader *r, const struct json_value *root)
{
    static const char *const known[] = {"date", "unit", "sources", "prices", NULL};
    enum weir_status status = check_members(r, root, known);
    if (status) return status;
    const struct json_value *date = json_member(root, "date"), *unit = json_member(root, "unit"),
                            *prices = json_member(root, "prices");
    if (!date || date->kind != JSON_STRING || !is_date(date->string))
        return fail(r, root, "expected `date`, such as \"2026-11-23\"");
    if (!unit || !json_text_is(unit->string, "US dollars per million tokens"))
        return fail(r, root, "expected `unit`: \"US dollars per million tokens\"");
    if (!prices || prices->kind != JSON_ARRAY) return fail(r, root, "expected `prices`, a list");
    if (prices->count > PRICES_MAX)
        return error_set(r->error, WEIR_ERR_LIMIT, "%s: %u prices, at most %d are allowed", r->name, prices->count,
                         PRICES_MAX);
    memcpy(r->prices->date, date->string.data, date->string.size);
    r->prices->entries = mem_zero(prices->count, sizeof *r->prices->entries);
    if (!r->prices->entries) return error_nomem(r->error, "prices");
    for (const struct json_value *entry = prices->first; entry && !status; entry = entry->next)
        status = read_entry(r, entry);
    return status;
}

static enum weir_status open_text(const char *name, const char *text, size_t size, struct weir_prices **out,
                                  struct weir_error *error)
{
    struct arena arena = {0};
    struct json_value *root = NULL;
    struct weir_prices *prices = mem_zero(1, sizeof *prices);
    if (!prices) return error_nomem(error, "prices");
    struct reader reader = {.name = name, .prices = prices, .error = error};
    enum weir_status status = json_read(&arena, name, text, size, &root, error);
    if (!status) status = read_table(&reader, root);
    arena_free(&arena);
    if (status)
        weir_prices_close(&prices);
    else
        *out = prices;
    return status;
}

enum weir_status weir_prices_open(const char *path, struct weir_prices **out, struct weir_error *error)
{
    if (!out) return error_set(error, WEIR_ERR_INVALID, "weir_prices_open: NULL argument");
    if (!path) return open_text("the price table", (const char *)PRICES_DATA, sizeof PRICES_DATA - 1, out, error);
    struct strbuf text = STRBUF_MAX(PRICES_BYTES_MAX);
    enum weir_status status = file_read(path, &text, error);
    if (!status) status = open_text(path, text.data ? text.data : "", text.size, out, error);
    strbuf_free(&text);
    return status;
}

void weir_prices_close(struct weir_prices **handle)
{
    if (!handle || !*handle) return;
    for (size_t i = 0; i < (*handle)->count; i++) free((*handle)->entries[i].model);
    free((*handle)->entries);
    free(*handle);
    *handle = NULL;
}

const char *weir_prices_date(const struct weir_prices *prices)
{
    return prices->date;
}

const struct weir_price *weir_prices_find(const struct weir_prices *prices, enum weir_tier_kind kind, const char *model)
{
    for (size_t i = 0; i < prices->count; i++)
        if (prices->entries[i].kind == kind && strcmp(prices->entries[i].model, model) == 0)
            return &prices->entries[i].price;
    return NULL;
}

enum weir_status weir_tier_price(const struct weir_tier_spec *tier, const struct weir_prices *prices,
                                 struct weir_price *out, struct weir_error *error)
{
    const struct weir_price *listed = NULL;
    if (tier->has_price) {
        *out = tier->price;
        return WEIR_OK;
    }
    if (tier->kind == WEIR_TIER_GGUF) {
        *out = (struct weir_price){.long_above_tokens = 0};
        return WEIR_OK;
    }
    if (prices) listed = weir_prices_find(prices, tier->kind, tier->model);
    if (!listed)
        return error_set(error, WEIR_ERR_NOT_FOUND,
                         "tier %s: no price is known for model %s (prices of %s): say it in the tier, `price: {input: "
                         "DOLLARS, output: DOLLARS}` for a million tokens; a server of your own may cost 0",
                         tier->name, tier->model, prices ? prices->date : "none");
    *out = *listed;
    return WEIR_OK;
}
