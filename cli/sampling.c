#include "sampling.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "engine_args.h"

enum {
    KEY_TEMP = 1024,
    KEY_SEED,
    KEY_TOP_K,
    KEY_TOP_P,
    KEY_MIN_P,
    KEY_REPEAT,
    KEY_PRESENCE,
    KEY_FREQUENCY,
    KEY_WINDOW,
    KEY_BIAS,
    KEY_STOP
};

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Model file or name", 0},
    {"temp", KEY_TEMP, "T", 0, "Temperature; 0 takes the best token each time", 0},
    {"seed", KEY_SEED, "S", 0, "Seed of the random numbers", 0},
    {"top-k", KEY_TOP_K, "K", 0, "Choose among the K best tokens (0: off)", 0},
    {"top-p", KEY_TOP_P, "P", 0, "Choose among the best tokens that together have probability P (1: off)", 0},
    {"min-p", KEY_MIN_P, "P", 0, "Choose among tokens at least P times as probable as the best (0: off)", 0},
    {"repeat-penalty", KEY_REPEAT, "X", 0, "Divide logits of tokens that were there before (1: off)", 0},
    {"presence-penalty", KEY_PRESENCE, "X", 0, "Subtract from logits of tokens generated before (0: off)", 0},
    {"frequency-penalty", KEY_FREQUENCY, "X", 0, "Subtract for each time the token was generated (0: off)", 0},
    {"penalty-window", KEY_WINDOW, "N", 0, "Tokens that the penalties look back (default 64)", 0},
    {"logit-bias", KEY_BIAS, "ID=X", 0, "Add X to the logit of token ID (-inf forbids it); may be repeated", 0},
    {"stop", KEY_STOP, "TEXT", 0, "End before TEXT; may be repeated", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {0}};

void sampling_default(struct sampling_options *o)
{
    *o = (struct sampling_options){.sampling = weir_sampling_default(), .engine = weir_engine_options_default()};
}

int sampling_real(const char *text, double *out)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || isnan(value) || errno == ERANGE) return 0;
    *out = value;
    return 1;
}

static double real_option(struct argp_state *state, const char *text)
{
    double value = 0;
    if (!sampling_real(text, &value)) argp_error(state, "'%s' is not a number", text);
    return value;
}

static unsigned count_option(struct argp_state *state, const char *text, long low)
{
    long value = 0;
    if (!cli_number(text, low, INT_MAX, &value)) argp_error(state, "'%s' is not a number of %ld or more", text, low);
    return (unsigned)value;
}

/* Seeds are printed in JSON, whose readers may hold numbers as doubles. */
#define SEED_MAX (UINT64_C(1) << 53)

static uint64_t seed_option(struct argp_state *state, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value > SEED_MAX)
        argp_error(state, "'%s' is not a seed (0 to 2^53)", text);
    return value;
}

static void bias_option(struct argp_state *state, char *text, struct sampling_options *o)
{
    char *equals = strchr(text, '=');
    if (o->sampling.n_bias == SAMPLING_BIAS_MAX) argp_error(state, "at most %d logit biases", SAMPLING_BIAS_MAX);
    if (!equals) argp_error(state, "--logit-bias: '%s' is not ID=X", text);
    *equals = 0;
    struct weir_logit_bias *bias = &o->bias[o->sampling.n_bias++];
    bias->id = (int32_t)count_option(state, text, 0);
    bias->bias = (float)real_option(state, equals + 1);
    o->sampling.bias = o->bias;
}

static void stop_option(struct argp_state *state, const char *text, struct sampling_options *o)
{
    if (o->n_stops == WEIR_GENERATE_STOPS_MAX) argp_error(state, "at most %d stop strings", WEIR_GENERATE_STOPS_MAX);
    if (!*text) argp_error(state, "--stop needs a text");
    o->stops[o->n_stops++] = (struct weir_string){text, strlen(text)};
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct sampling_options *o = state->input;
    struct weir_sampling *s = &o->sampling;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->engine;
        return 0;
    case 'm':
        o->model = text;
        return 0;
    case KEY_TEMP:
        s->temperature = real_option(state, text);
        return 0;
    case KEY_SEED:
        s->seed = seed_option(state, text);
        return 0;
    case KEY_TOP_K:
        s->top_k = count_option(state, text, 0);
        return 0;
    case KEY_TOP_P:
        s->top_p = real_option(state, text);
        return 0;
    case KEY_MIN_P:
        s->min_p = real_option(state, text);
        return 0;
    case KEY_REPEAT:
        s->repeat_penalty = real_option(state, text);
        return 0;
    case KEY_PRESENCE:
        s->presence_penalty = real_option(state, text);
        return 0;
    case KEY_FREQUENCY:
        s->frequency_penalty = real_option(state, text);
        return 0;
    case KEY_WINDOW:
        s->penalty_window = count_option(state, text, 0);
        return 0;
    case KEY_BIAS:
        bias_option(state, text, o);
        return 0;
    case KEY_STOP:
        stop_option(state, text, o);
        return 0;
    case 'j':
        o->engine.threads = count_option(state, text, 1);
        return 0;
    case ARGP_KEY_END:
        if (!o->model) argp_error(state, "no model given (-m)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&engine_argp, 0, NULL, 0}, {0}};
const struct argp sampling_argp = {.options = options, .parser = parse, .children = children};
