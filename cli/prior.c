#include "prior.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What takes the texts. */
struct target {
    struct weir_classifier *classifier; /* NULL: the decider */
    struct weir_decider *decider;
};

static int set(const struct target *target, const struct weir_string *texts, size_t count)
{
    struct weir_error error = {0};
    enum weir_status failed = target->classifier ? weir_classifier_set_prior(target->classifier, texts, count, &error)
                                                 : weir_decider_set_prior(target->decider, texts, count, &error);
    return failed ? cli_fail(&error) : CLI_DONE;
}

static int set_rows(const struct target *target, const struct weir_rows *rows, const char *file)
{
    size_t count = 0;
    struct weir_string *texts = calloc(rows->count + 1, sizeof *texts);
    if (!texts) return cli_nomem();
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].status == WEIR_OK) texts[count++] = rows->items[i].text;
    int status =
        count ? set(target, texts, count) : cli_say(CLI_FAILED, "%s: no text to measure the label prior on", file);
    free(texts);
    return status;
}

static int set_from(const struct target *target, const struct source *source, const char *file)
{
    struct source from = *source;
    struct weir_input *input = NULL;
    struct weir_rows rows = {0};
    struct weir_error error = {0};
    if (strcmp(file, "none") == 0) return set(target, NULL, 0);
    if (strcmp(file, "-") == 0) return cli_say(CLI_USAGE, "--prior reads a file, not standard input");
    from.path = file;
    from.options.format = WEIR_INPUT_AUTO;
    int status = source_open(&from, &input);
    if (!status && weir_input_read(input, SIZE_MAX, &rows, &error)) status = cli_fail(&error);
    if (!status) status = set_rows(target, &rows, file);
    weir_rows_free(&rows);
    weir_input_close(&input);
    return status;
}

int prior_set(struct weir_classifier *classifier, const struct source *source, const char *file)
{
    const struct target target = {.classifier = classifier};
    return set_from(&target, source, file);
}

int prior_set_decider(struct weir_decider *decider, const struct source *source, const char *file)
{
    const struct target target = {.decider = decider};
    return set_from(&target, source, file);
}
