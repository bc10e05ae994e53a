/* weir_tune: learn_profile with hidden states from an engine. */
#include "weir/tune.h"

#include "decide/features.h"
#include "tune/learn.h"

static enum weir_status hidden_from_engine(void *context, const struct weir_string *texts, size_t count,
                                           const uint32_t *depths, size_t n_depths, float *out,
                                           struct weir_error *error)
{
    struct feature_request request = {.depths = depths, .n_depths = n_depths};
    return features_extract(context, texts, count, &request, out, error);
}

enum weir_status weir_tune(struct weir_engine *engine, const struct weir_task *task, const struct weir_tune_rows *rows,
                           const struct weir_tune_options *options, struct weir_profile **out, struct weir_error *error)
{
    struct weir_tune_options defaults = weir_tune_options_default();
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    struct learn_source source = {
        .n_layers = info.n_layers, .n_embd = info.n_embd, .hidden = hidden_from_engine, .context = engine};
    enum weir_status status = weir_engine_fingerprint(engine, source.model_fingerprint, error);
    return status ? status : learn_profile(&source, task, rows, options ? options : &defaults, out, error);
}
