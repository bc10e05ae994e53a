#include "engine_args.h"

static const struct argp_option options[] = {{"kv", 'k', "TYPE", 0, "Keys and values: f16, f32 or q8_0", 0}, {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct weir_engine_options *engine = state->input;
    switch (key) {
    case 'k':
        if (!weir_kv_type_find(text, &engine->kv_type)) argp_error(state, "--kv is f16, f32 or q8_0");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp engine_argp = {.options = options, .parser = parse};
