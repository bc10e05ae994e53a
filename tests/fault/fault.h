/* What the tests of failing allocations share: the tiny model on disk, and the check of one round. */
#ifndef WEIR_TESTS_FAULT_H
#define WEIR_TESTS_FAULT_H

#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "e2e/tiny_model.h"
#include "fault/starve.h"
#include "weir/engine.h"

/* A failure says that memory was short; a round that succeeds was refused nothing. */
static inline void check_round(const struct starve *s, enum weir_status status, const struct weir_error *error)
{
    const char *mode = s->for_good ? "and all after it" : "alone";
    if (s->has_failed && status != WEIR_ERR_NOMEM)
        fail_msg("allocation %zu %s failed: expected ERR_NOMEM, found %s: %s", s->nth, mode, weir_status_name(status),
                 status ? error->text : "");
    if (!s->has_failed && status) fail_msg("nothing failed, found %s: %s", weir_status_name(status), error->text);
    if (status && (!strstr(error->text, "memory") || error->status != status))
        fail_msg("allocation %zu %s failed: expected a text about memory, found %s '%s'", s->nth, mode,
                 weir_status_name(error->status), error->text);
}

/* The call under test asked for memory at least `count_min` times. */
static inline void check_rounds_ended(const struct starve *s, size_t count_min)
{
    if (s->nth <= count_min) fail_msg("expected at least %zu allocations, found %zu", count_min, s->nth - 1);
}

static const struct tiny_model fault_llama = {.architecture = "llama", .seed = 3};
static const struct tiny_model fault_gemma3 = {.architecture = "gemma3", .sliding_window = 8, .seed = 4};

/* Writes the model in the working folder; `path` receives its name. */
static inline void fault_save(const struct tiny_model *model, char path[64])
{
    struct weir_error error = {0};
    (void)snprintf(path, 64, "fault-%s-%ld.gguf", model->architecture, (long)getpid());
    check_status(tiny_model_save(model, path, &error), WEIR_OK, &error);
}

static inline struct weir_engine *fault_engine(const struct tiny_model *model)
{
    char path[64];
    struct weir_error error = {0};
    struct weir_engine *engine = NULL;
    struct weir_engine_options options = weir_engine_options_default();
    options.threads = 2;
    fault_save(model, path);
    check_status(weir_engine_open(path, &options, &engine, &error), WEIR_OK, &error);
    (void)unlink(path);
    return engine;
}

#endif
