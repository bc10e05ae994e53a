/* weir template: a conversation as JSON to the prompt that a chat template makes of it. */
#include <argp.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "models.h"
#include "slurp.h"
#include "weir/template.h"

enum { SOURCE_BYTES_MAX = 1 << 20, REQUEST_BYTES_MAX = 64 << 20 };

enum { KEY_TEMPLATE = 0x100, KEY_BOS, KEY_EOS, KEY_NOW };

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Model file or name: its chat template, its BOS and EOS", 0},
    {"template", KEY_TEMPLATE, "FILE", 0, "A chat template (Jinja) in place of the model's", 0},
    {"bos", KEY_BOS, "TEXT", 0, "bos_token (default: the model's; undefined without a model)", 0},
    {"eos", KEY_EOS, "TEXT", 0, "eos_token (the same)", 0},
    {"now", KEY_NOW, "TIME", 0, "What strftime_now formats, as 2026-07-26T12:00:00 (default: the local time)", 0},
    {0}};

struct arguments {
    const char *model, *source, *bos, *eos;
    struct tm now;
};

/* "2026-07-26T12:00:00", a day that exists. */
static int parse_time(const char *text, struct tm *out)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    for (size_t i = 0; i < sizeof form; i++) { /* the NUL too */
        int fits = form[i] == 'd' ? isdigit((unsigned char)text[i]) : text[i] == form[i];
        if (!fits) return 0;
    }
    struct tm asked = {.tm_year = (int)strtol(text, NULL, 10) - 1900,
                       .tm_mon = (int)strtol(text + 5, NULL, 10) - 1,
                       .tm_mday = (int)strtol(text + 8, NULL, 10),
                       .tm_hour = (int)strtol(text + 11, NULL, 10),
                       .tm_min = (int)strtol(text + 14, NULL, 10),
                       .tm_sec = (int)strtol(text + 17, NULL, 10)};
    struct tm real = asked;
    (void)timegm(&real); /* brings fields into their ranges, and finds the day of the week */
    *out = real;
    return real.tm_year == asked.tm_year && real.tm_mon == asked.tm_mon && real.tm_mday == asked.tm_mday &&
           real.tm_hour == asked.tm_hour && real.tm_min == asked.tm_min && real.tm_sec == asked.tm_sec;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'm':
        args->model = text;
        return 0;
    case KEY_TEMPLATE:
        args->source = text;
        return 0;
    case KEY_BOS:
        args->bos = text;
        return 0;
    case KEY_EOS:
        args->eos = text;
        return 0;
    case KEY_NOW:
        if (!parse_time(text, &args->now)) argp_error(state, "--now: '%s' is no time like 2026-07-26T12:00:00", text);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "the request comes from standard input");
        return 0;
    case ARGP_KEY_END:
        if (!args->model && !args->source) argp_error(state, "no template given (-m or --template)");
        if (args->model && args->source) argp_error(state, "-m and --template: give one of them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc = "Renders the request on standard input with a chat template and prints the prompt, nothing else.\v"
           "The request is a JSON object: messages, add_generation_prompt, tools, and any other variable of the "
           "template. The model file may hold only a vocabulary."};

static int open_model(const char *model, struct weir_template **out)
{
    char *path = NULL;
    int status = models_find(model, &path);
    if (status) return status;
    struct weir_gguf *gguf = NULL;
    struct weir_error error = {0};
    if (weir_gguf_open(path, &gguf, &error) || weir_template_open_model(gguf, out, &error)) status = cli_fail(&error);
    weir_gguf_close(&gguf);
    free(path);
    return status;
}

static int open_source(const char *path, struct weir_template **out)
{
    char *source = NULL;
    size_t size = 0;
    int status = slurp(path, SOURCE_BYTES_MAX, &source, &size);
    if (status) return status;
    struct weir_error error = {0};
    if (weir_template_open(source, size, out, &error)) status = cli_fail(&error);
    free(source);
    return status;
}

static int render(const struct weir_template *chat_template, const struct arguments *args)
{
    char *request = NULL;
    size_t size = 0;
    int status = slurp("-", REQUEST_BYTES_MAX, &request, &size);
    if (status) return status;
    struct weir_template_request what = {
        .json = {request, size}, .bos = args->bos, .eos = args->eos, .now = &args->now};
    struct weir_rendering rendering = {0};
    struct weir_error error = {0};
    if (weir_template_render(chat_template, &what, &rendering, &error))
        status = cli_fail(&error);
    else
        (void)fwrite(rendering.text, 1, rendering.size, stdout);
    weir_rendering_free(&rendering);
    free(request);
    return status ? status : cli_flush();
}

static int run(int argc, char **argv)
{
    struct arguments args = {0};
    time_t now = time(NULL);
    if (!localtime_r(&now, &args.now)) return cli_say(CLI_FAILED, "cannot tell the local time");
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct weir_template *chat_template = NULL;
    int status = args.model ? open_model(args.model, &chat_template) : open_source(args.source, &chat_template);
    if (!status) status = render(chat_template, &args);
    weir_template_close(&chat_template);
    return status;
}

const struct command command_template = {"template", "Print the prompt that a chat template makes", run};
