#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "models.h"
#include "weir/cascade.h"

static const struct weir_tier_spec *local_tier(const struct weir_task *task)
{
    for (size_t i = 0; i < weir_task_tier_count(task); i++) {
        const struct weir_tier_spec *tier = weir_task_tier(task, i);
        if (tier->kind == WEIR_TIER_GGUF) return tier;
    }
    return NULL;
}

static int engine_open(struct parts *parts, const struct parts_request *request, const struct weir_tier_spec *tier)
{
    const char *model = request->model ? request->model : tier ? tier->model : NULL;
    if (!model) return cli_say(CLI_USAGE, "the task names no gguf tier; name a model (-m)");
    char *path = NULL;
    int status = models_find(model, &path);
    if (status) return status;
    struct weir_error error = {0};
    if (weir_engine_open(path, &request->engine, &parts->engine, &error)) status = cli_fail(&error);
    free(path);
    return status;
}

/* Paths inside a task start from its folder. Owned by the caller. */
static char *path_in_task(const struct weir_task *task, const char *path)
{
    char *joined = NULL;
    if (path[0] == '/') return strdup(path);
    return asprintf(&joined, "%s%s", weir_task_folder(task), path) < 0 ? NULL : joined;
}

static int profile_open(struct parts *parts, const struct parts_request *request, const struct weir_tier_spec *tier)
{
    bool is_tiers = !request->profile && tier && tier->profile[0];
    if (request->no_profile || (!request->profile && !is_tiers)) return CLI_DONE;
    char *path = is_tiers ? path_in_task(parts->task, tier->profile) : strdup(request->profile);
    if (!path) return cli_nomem();
    struct weir_error error = {0};
    int status = weir_profile_open(path, &parts->profile, &error) ? cli_fail(&error) : CLI_DONE;
    if (status)
        free(path);
    else
        parts->profile_path = path;
    return status;
}

/* Says which profile it is that belongs to something else. */
static int profile_check(const struct parts *parts)
{
    struct weir_error error = {0};
    if (!parts->profile || weir_profile_check(parts->profile, parts->engine, parts->task, &error) == WEIR_OK)
        return CLI_DONE;
    return cli_fail_at(parts->profile_path, &error);
}

/* A task that must not leave this host, and has no tier on a server of this host either, gets no socket from here on. */
static int sandbox(const struct weir_task *task)
{
    struct weir_error error = {0};
    if (weir_task_privacy(task)->egress != WEIR_EGRESS_NEVER) return CLI_DONE;
    for (size_t i = 0; i < weir_task_tier_count(task); i++)
        if (weir_task_tier(task, i)->kind != WEIR_TIER_GGUF) return CLI_DONE;
    return weir_sandbox_deny_sockets(&error) ? cli_fail(&error) : CLI_DONE;
}

int parts_open(struct parts *parts, const struct parts_request *request)
{
    *parts = (struct parts){.tier = "local"};
    struct weir_error error = {0};
    if (weir_task_open(request->task, &parts->task, &error)) return cli_fail(&error);
    const struct weir_tier_spec *tier = local_tier(parts->task);
    if (tier) parts->tier = tier->name;
    int status = sandbox(parts->task);
    if (status || request->no_engine) return status;
    status = profile_open(parts, request, tier);
    if (!status) status = engine_open(parts, request, tier);
    return status ? status : profile_check(parts);
}

void parts_close(struct parts *parts)
{
    weir_profile_close(&parts->profile);
    free(parts->profile_path);
    parts->profile_path = NULL;
    weir_engine_close(&parts->engine);
    weir_task_close(&parts->task);
}

int parts_question(const struct parts *parts, const char *name, size_t *index)
{
    size_t count = weir_task_question_count(parts->task);
    for (size_t i = 0; i < count; i++) {
        if (name && strcmp(name, weir_task_question(parts->task, i)->name) != 0) continue;
        *index = i;
        return CLI_DONE;
    }
    return cli_say(CLI_USAGE, "%s: the task has no question '%s'", weir_task_path(parts->task), name);
}

int parts_profile_question(const struct weir_profile *profile, const char *name)
{
    struct weir_profile_info info;
    weir_profile_info(profile, &info);
    for (size_t i = 0; i < info.questions; i++) {
        struct weir_profile_question question;
        weir_profile_question(profile, i, &question);
        if (strcmp(question.name, name) == 0) return (int)i;
    }
    return -1;
}

int32_t parts_label(const struct weir_question *question, struct weir_string name)
{
    for (size_t i = 0; i < question->n_labels; i++) {
        const char *label = question->labels[i].name;
        if (strlen(label) == name.size && memcmp(label, name.data, name.size) == 0) return (int32_t)i;
    }
    return -1;
}

static int32_t unknown_label(const struct weir_question *question, struct weir_string name,
                             struct label_problem *problem)
{
    (void)snprintf(problem->text, sizeof problem->text, "'%.40s' has no label '%.*s'", question->name,
                   (int)(name.size < 80 ? name.size : 80), name.data);
    return -1;
}

/* The names of a list, each with a line feed behind it. */
static int32_t fill_set(const struct weir_question *question, struct weir_string list, uint8_t *set,
                        struct label_problem *problem)
{
    for (const char *at = list.data, *end = list.data + list.size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct weir_string name = {at, (size_t)((stop ? stop : end) - at)};
        int32_t label = parts_label(question, name);
        if (label < 0) return unknown_label(question, name, problem);
        set[label] = 1;
        at = stop ? stop + 1 : end;
    }
    return 0;
}

int32_t parts_row_label(const struct weir_question *question, const struct weir_row *row, uint8_t *set,
                        struct label_problem *problem)
{
    if (question->multi) {
        memset(set, 0, question->n_labels);
        return fill_set(question, row->label, set, problem);
    }
    if (row->label_is_list) {
        (void)snprintf(problem->text, sizeof problem->text, "a list of labels, but '%.80s' has one (no `multi`)",
                       question->name);
        return -1;
    }
    int32_t label = parts_label(question, row->label);
    return label < 0 ? unknown_label(question, row->label, problem) : label;
}
