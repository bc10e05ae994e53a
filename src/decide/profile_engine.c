/* The one call of a profile that needs an engine. */
#include "decide/profile.h"

enum weir_status weir_profile_check(const struct weir_profile *profile, struct weir_engine *engine,
                                    const struct weir_task *task, struct weir_error *error)
{
    char fingerprint[65];
    enum weir_status status = weir_engine_fingerprint(engine, fingerprint, error);
    if (status) return status;
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    return profile_check(profile, fingerprint, info.n_layers, info.n_embd, task, error);
}
