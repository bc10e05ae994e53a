/* The options of commands that generate text: how tokens are chosen, where the text ends, what the engine runs with. */
#ifndef WEIR_CLI_SAMPLING_H
#define WEIR_CLI_SAMPLING_H

#include <argp.h>

#include "weir/generate.h"

enum { SAMPLING_BIAS_MAX = 256 };

struct sampling_options {
    struct weir_sampling sampling; /* sampling.bias is `bias` */
    struct weir_logit_bias bias[SAMPLING_BIAS_MAX];
    struct weir_string stops[WEIR_GENERATE_STOPS_MAX];
    size_t n_stops;
    struct weir_engine_options engine;
    const char *model;
};

/* A child parser whose input is a struct sampling_options: -m, --temp, --seed, --top-k ... --stop, --ctx, --kv, -j. */
extern const struct argp sampling_argp;

/* Fills in the defaults of `weir generate`: greedy. */
void sampling_default(struct sampling_options *options);

/* A number and nothing else. false: `text` is not one. */
int sampling_real(const char *text, double *out);

#endif
