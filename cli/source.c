#include "source.h"

#include <string.h>
#include <sys/stat.h>

#include "cli.h"

enum { COUNT_BYTES_MAX = 64 << 20, KEY_TEXT = 256, KEY_ID, KEY_LABEL };

static const struct argp_option options[] = {
    {"format", 'f', "FORMAT", 0, "auto (by the name's ending; standard input is jsonl), jsonl, csv or text", 0},
    {"text-field", KEY_TEXT, "NAME", 0, "Member or column that holds the message (default text)", 0},
    {"id-field", KEY_ID, "NAME", 0, "... the row's id (default id)", 0},
    {"label-field", KEY_LABEL, "NAME", 0, "... the right label, where it is known (default label)", 0},
    {0}};

static void format_option(struct argp_state *state, const char *text, enum weir_input_format *format)
{
    struct weir_error error = {0};
    if (weir_input_format_parse(text, format, &error)) argp_error(state, "%s", error.text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct source *source = state->input;
    switch (key) {
    case 'f':
        format_option(state, text, &source->options.format);
        return 0;
    case KEY_TEXT:
        source->options.text_field = text;
        return 0;
    case KEY_ID:
        source->options.id_field = text;
        return 0;
    case KEY_LABEL:
        source->options.label_field = text;
        return 0;
    case ARGP_KEY_ARG:
        if (source->path) argp_error(state, "one input, not several");
        source->path = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no input given (- is standard input)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp source_argp = {.options = options, .parser = parse};

struct source source_default(void)
{
    return (struct source){.options = weir_input_options_default()};
}

void source_check(const struct source *source, const char *task, struct argp_state *state)
{
    if (task && source->path && strcmp(task, "-") == 0 && strcmp(source->path, "-") == 0)
        argp_error(state, "standard input cannot be the task and the rows");
}

int source_open(const struct source *source, struct weir_input **input)
{
    struct weir_error error = {0};
    return weir_input_open(source->path, &source->options, input, &error) ? cli_fail(&error) : CLI_DONE;
}

size_t source_count(const struct source *source)
{
    struct stat info;
    if (strcmp(source->path, "-") == 0 || stat(source->path, &info) != 0) return 0;
    if (!S_ISREG(info.st_mode) || info.st_size > COUNT_BYTES_MAX) return 0;
    struct weir_input *input = NULL;
    if (weir_input_open(source->path, &source->options, &input, NULL)) return 0;
    size_t count = 0;
    const struct weir_row *row = NULL;
    while (weir_input_next(input, &row, NULL) == WEIR_OK && row) count++;
    weir_input_close(&input);
    return count;
}
