#include "engine_args.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { KEY_FORCE = 768, KEY_MEMORY_LIMIT };

static const struct argp_option options[] = {
    {"ctx", 'c', "N", 0, "Context length in tokens (default: the model's own)", 0},
    {"kv", 'k', "TYPE", 0, "Keys and values: f16, f32 or q8_0", 0},
    {"memory-limit", KEY_MEMORY_LIMIT, "SIZE", 0,
     "What the model may take, as 12G or 900M (default: what is available)", 0},
    {"force", KEY_FORCE, 0, 0, "Load the model also when it will not fit", 0},
    {0}};

/* "12G", "900M", "1.5T": powers of 1000; with an i, as in "12Gi", of 1024. */
static bool size_parse(const char *text, size_t *bytes)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    double value = strtod(text, &end);
    const char *unit = end > text && *end ? strchr(units, *end) : NULL;
    bool is_binary = unit && end[1] == 'i';
    if (end == text || (*end && !unit) || (unit && end[1 + is_binary])) return false;
    for (const char *at = units; unit && at <= unit; at++) value *= is_binary ? 1024 : 1000;
    if (!(value >= 1 && value < 0x1p53)) return false;
    *bytes = (size_t)value;
    return true;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct weir_engine_options *engine = state->input;
    long count = 0;
    switch (key) {
    case 'c':
        if (!cli_number(text, 1, INT_MAX, &count)) argp_error(state, "'%s' is not a number of 1 or more", text);
        engine->ctx_tokens = (unsigned)count;
        return 0;
    case 'k':
        if (!weir_kv_type_find(text, &engine->kv_type)) argp_error(state, "--kv is f16, f32 or q8_0");
        return 0;
    case KEY_MEMORY_LIMIT:
        if (!size_parse(text, &engine->memory_limit_bytes))
            argp_error(state, "'%s' is not a size as 12G or 900M", text);
        return 0;
    case KEY_FORCE:
        engine->ignore_memory = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp engine_argp = {.options = options, .parser = parse};
