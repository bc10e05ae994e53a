#include "tiers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ledger_path.h"
#include "slurp.h"

enum { PROFILE_BYTES_MAX = 1 << 30 };

static bool is_local_first(const struct weir_task *task)
{
    return !weir_task_tier_count(task) || weir_task_tier(task, 0)->kind == WEIR_TIER_GGUF;
}

bool tiers_have_paid(const struct weir_task *task)
{
    for (size_t i = 0; i < weir_task_tier_count(task); i++)
        if (weir_task_tier(task, i)->kind != WEIR_TIER_GGUF) return true;
    return false;
}

/* Before a model is read: is this task one that may run at all? */
static int check_task(const char *path, bool *is_local)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    int status = CLI_DONE;
    if (weir_task_open(path, &task, &error)) return cli_fail(&error);
    if (weir_cascade_check_privacy(task, &error))
        status = cli_fail_at(path, &error);
    else if (weir_task_privacy(task)->egress == WEIR_EGRESS_NEVER && tiers_have_paid(task))
        (void)cli_say(0, "privacy.egress is never: only servers of this host are connected to; with such tiers no "
                         "sandbox is claimed");
    *is_local = is_local_first(task);
    weir_task_close(&task);
    return status;
}

/* The certificate must promise what the gate asks for. */
static int check_promise(const struct weir_gate *gate, const struct weir_certificate *certificate, const char *question)
{
    const struct weir_certify_options *o = &certificate->options;
    if (o->max_error > gate->max_error || o->confidence < gate->confidence || o->per_class != gate->per_class)
        return cli_say(
            CLI_REFUSED,
            "question '%s': the certificate is for at most %g %% errors at %g %% confidence%s, the gate asks "
            "for %g %% at %g %%%s (weir certify makes another)",
            question, 100 * o->max_error, 100 * o->confidence, o->per_class ? ", per class" : "", 100 * gate->max_error,
            100 * gate->confidence, gate->per_class ? ", per class" : "");
    return CLI_DONE;
}

static int open_certificates(struct tiers *tiers)
{
    const struct weir_task *task = tiers->parts->task;
    const struct weir_gate *gate = weir_task_gate(task);
    int status = CLI_DONE;
    if (gate->accept != WEIR_ACCEPT_CERTIFIED || !tiers->parts->engine) return CLI_DONE;
    for (size_t i = 0; i < weir_task_question_count(task) && !status; i++) {
        const struct weir_question *question = weir_task_question(task, i);
        bool is_gated = question->n_labels && strcmp(question->name, gate->route) != 0;
        int index = tiers->parts->profile ? parts_profile_question(tiers->parts->profile, question->name) : -1;
        bool has =
            index >= 0 && weir_profile_certificate(tiers->parts->profile, (size_t)index, &tiers->certificates[i]);
        if (is_gated && !has)
            return cli_say(CLI_REFUSED,
                           "question '%s' has no certificate, and gate.accept is certified: make one (weir tune, then "
                           "weir certify), or give the gate a probability",
                           question->name);
        if (has && is_gated) status = check_promise(gate, &tiers->certificates[i], question->name);
    }
    return status;
}

static int hash_profile(struct tiers *tiers)
{
    char *bytes = NULL;
    size_t size = 0;
    struct weir_error error = {0};
    if (!tiers->parts->profile) return CLI_DONE;
    int status = slurp(tiers->parts->profile_path, PROFILE_BYTES_MAX, &bytes, &size);
    if (status) return status;
    struct weir_string text = {bytes, size};
    if (weir_certificate_hash(&text, (const int32_t[]){0}, 1, tiers->profile, &error)) status = cli_fail(&error);
    free(bytes);
    return status;
}

static int open_local(struct tiers *tiers, const struct tiers_request *options)
{
    struct weir_error error = {0};
    const struct parts *parts = tiers->parts;
    if (!parts->engine) return CLI_DONE;
    if (options->is_measuring) return tiers_have_paid(parts->task) ? open_certificates(tiers) : CLI_DONE;
    if (weir_engine_fingerprint(parts->engine, tiers->model, &error) ||
        weir_decider_open(parts->engine, parts->task, parts->profile, &tiers->decider, &error))
        return cli_fail(&error);
    int status = open_certificates(tiers);
    return status ? status : hash_profile(tiers);
}

static int open_paid(struct tiers *tiers, const char *prices)
{
    struct weir_error error = {0};
    const struct weir_task *task = tiers->parts->task;
    struct weir_pool_options options = weir_pool_options_defaults();
    options.loopback_only = weir_task_privacy(task)->egress == WEIR_EGRESS_NEVER;
    if (!tiers_have_paid(task)) return CLI_DONE;
    if (weir_prices_open(prices, &tiers->prices, &error) || weir_pool_open(&options, &tiers->pool, &error))
        return cli_fail(&error);
    return CLI_DONE;
}

static int open_ledger(struct tiers *tiers, const struct tiers_request *options)
{
    struct weir_error error = {0};
    char *path = NULL;
    int status = ledger_path(options->ledger, &path);
    if (!status && weir_ledger_open(path, NULL, &tiers->ledger, &error)) status = cli_fail(&error);
    free(path);
    if (status) return status;
    struct weir_run_options run = weir_run_options_default(tiers->parts->task);
    int64_t per_task = weir_task_budget(tiers->parts->task)->usd_e6_per_task;
    run.source = tiers->source;
    run.model = tiers->model;
    run.profile = tiers->profile;
    run.mode = options->mode;
    run.limit_usd_e6[WEIR_LIMIT_TASK] = per_task == INT64_MAX ? -1 : per_task;
    return weir_ledger_begin(tiers->ledger, &run, &tiers->run, &error) ? cli_fail(&error) : CLI_DONE;
}

/* Where the rows come from; rows that are measured are no rows of a run. */
static int name_source(struct tiers *tiers, const struct source *source, bool is_measuring)
{
    char *path = strcmp(source->path, "-") == 0 ? strdup("-") : realpath(source->path, NULL);
    if (!path) return cli_say(CLI_FAILED, "%s: cannot be found", source->path);
    if (is_measuring && asprintf(&tiers->source, "eval:%s", path) < 0) tiers->source = NULL;
    if (!is_measuring) tiers->source = path;
    if (is_measuring) free(path);
    return tiers->source ? CLI_DONE : cli_nomem();
}

int tiers_open(struct tiers *tiers, struct parts *parts, const struct parts_request *request,
               const struct tiers_request *options, const struct source *source)
{
    struct parts_request wanted = *request;
    bool is_local = true;
    *tiers = (struct tiers){.parts = parts};
    int status = options->is_local_only ? CLI_DONE : check_task(request->task, &is_local);
    if (!status && options->is_measuring && !is_local)
        status = cli_say(CLI_REFUSED, "%s: the first tier is not of kind gguf: there is no local tier to measure",
                         request->task);
    wanted.no_engine = !is_local;
    if (!status) status = parts_open(parts, &wanted);
    if (status || options->is_local_only) return status;
    status = name_source(tiers, source, options->is_measuring);
    if (!status) status = open_local(tiers, options);
    if (!status) status = open_paid(tiers, options->prices);
    bool has_run = !options->is_dry && (!options->is_measuring || tiers_have_paid(parts->task));
    if (!status && has_run) status = open_ledger(tiers, options);
    return status;
}

struct weir_cascade_options tiers_cascade(const struct tiers *tiers)
{
    return (struct weir_cascade_options){.task = tiers->parts->task,
                                         .local = tiers->decider,
                                         .tokenizer =
                                             tiers->parts->engine ? weir_engine_tokenizer(tiers->parts->engine) : NULL,
                                         .certificates = tiers->certificates,
                                         .local_model = tiers->model,
                                         .pool = tiers->pool,
                                         .prices = tiers->prices,
                                         .ledger = tiers->ledger,
                                         .run = tiers->run.run,
                                         .source = tiers->source};
}

void tiers_close(struct tiers *tiers)
{
    weir_pool_close(&tiers->pool);
    weir_prices_close(&tiers->prices);
    weir_ledger_close(&tiers->ledger);
    weir_decider_close(&tiers->decider);
    free(tiers->source);
    tiers->source = NULL;
}
