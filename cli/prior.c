#include "prior.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int set_texts(struct weir_classifier *classifier, const struct weir_rows *rows, const char *file)
{
    size_t count = 0;
    struct weir_error error = {0};
    struct weir_string *texts = calloc(rows->count + 1, sizeof *texts);
    if (!texts) return cli_nomem();
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].status == WEIR_OK) texts[count++] = rows->items[i].text;
    int status = count ? CLI_DONE : cli_say(CLI_FAILED, "%s: no text to measure the label prior on", file);
    if (!status && weir_classifier_set_prior(classifier, texts, count, &error)) status = cli_fail(&error);
    free(texts);
    return status;
}

int prior_set(struct weir_classifier *classifier, const struct source *source, const char *file)
{
    struct source from = *source;
    struct weir_input *input = NULL;
    struct weir_rows rows = {0};
    struct weir_error error = {0};
    if (strcmp(file, "none") == 0)
        return weir_classifier_set_prior(classifier, NULL, 0, &error) ? cli_fail(&error) : CLI_DONE;
    if (strcmp(file, "-") == 0) return cli_say(CLI_USAGE, "--prior reads a file, not standard input");
    from.path = file;
    from.options.format = WEIR_INPUT_AUTO;
    int status = source_open(&from, &input);
    if (!status && weir_input_read(input, SIZE_MAX, &rows, &error)) status = cli_fail(&error);
    if (!status) status = set_texts(classifier, &rows, file);
    weir_rows_free(&rows);
    weir_input_close(&input);
    return status;
}
