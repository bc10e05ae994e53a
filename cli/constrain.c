/* weir constrain: does a JSON Schema allow this output, token by token? */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "constrain.h"
#include "models.h"
#include "weir/gguf.h"

enum {
    TEXT_BYTES_MAX = 64 << 20,
    OPTION_COMPACT = 1000,
    OPTION_SUITE,
    OPTION_FORMAT,
    OPTION_JSON,
    OPTION_VERBOSE,
    OPTION_LENIENT,
    OPTION_DRAFT,
    OPTION_NOTES
};

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Model file or name; it may hold only a vocabulary", 0},
    {"schema", 's', "FILE", 0, "The JSON Schema; the instance comes from standard input", 0},
    {"compact", OPTION_COMPACT, 0, 0, "No white space between the instance's JSON tokens", 0},
    {"lenient", OPTION_LENIENT, 0, 0, "Do not refuse what is not enforced: list it on standard error", 0},
    {"draft", OPTION_DRAFT, "N", 0, "Draft of a schema without $schema: 4, 6, 7, 2019 or 2020 (default)", 0},
    {"format-is-a-note", OPTION_NOTES, 0, 0, "The keyword format says nothing, as drafts 2019-09 and 2020-12 have it",
     0},
    {"suite", OPTION_SUITE, "FILE", 0, "A file of schemas with valid and invalid instances, one row a line", 1},
    {"suite-format", OPTION_FORMAT, "NAME", 0, "Shape of the rows: bench (default) or tests", 1},
    {"json", OPTION_JSON, 0, 0, "Print the suite's counts as one JSON object", 1},
    {"verbose", OPTION_VERBOSE, "FILE", 0, "Write a line for every refusal and every wrong verdict of the suite", 1},
    {0}};

struct arguments {
    const char *model, *schema, *suite, *verbose;
    bool tests, json;
    struct weir_constrain_options options;
};

static int read_draft(const char *text, enum weir_schema_draft *out)
{
    long draft;
    if (!cli_number(text, 4, 2020, &draft)) return 0;
    *out = (enum weir_schema_draft)draft;
    return draft == 4 || draft == 6 || draft == 7 || draft == 2019 || draft == 2020;
}

static error_t parse_suite(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case OPTION_SUITE:
        args->suite = text;
        return 0;
    case OPTION_FORMAT:
        args->tests = strcmp(text, "tests") == 0;
        if (!args->tests && strcmp(text, "bench") != 0) argp_error(state, "--suite-format: expected bench or tests");
        return 0;
    case OPTION_JSON:
        args->json = true;
        return 0;
    case OPTION_VERBOSE:
        args->verbose = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'm':
        args->model = text;
        return 0;
    case 's':
        args->schema = text;
        return 0;
    case OPTION_COMPACT:
        args->options.compact = true;
        return 0;
    case OPTION_LENIENT:
        args->options.lenient = true;
        return 0;
    case OPTION_NOTES:
        args->options.formats_are_notes = true;
        return 0;
    case OPTION_DRAFT:
        if (!read_draft(text, &args->options.draft)) argp_error(state, "--draft: expected 4, 6, 7, 2019 or 2020");
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "the instance comes from standard input");
        return 0;
    case ARGP_KEY_END:
        if (!args->model) argp_error(state, "no model given (-m)");
        if (!args->schema == !args->suite) argp_error(state, "give one of --schema and --suite");
        return 0;
    default:
        return parse_suite(key, text, state);
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Tells whether the model's output could be the instance on standard input: exit status 0 when every token and "
        "the "
        "end are allowed, 1 with the byte offset when not, 4 with the keyword and its JSON pointer when the schema is "
        "refused."};

static int read_file(FILE *file, const char *name, char **text, size_t *size)
{
    size_t capacity = 1 << 16, used = 0;
    char *bytes = malloc(capacity);
    while (bytes && used < TEXT_BYTES_MAX) {
        size_t got = fread(bytes + used, 1, capacity - used, file);
        used += got;
        if (feof(file) || ferror(file)) break;
        if (used < capacity) continue;
        capacity *= 2;
        char *more = realloc(bytes, capacity);
        if (!more) free(bytes);
        bytes = more;
    }
    if (!bytes) return cli_nomem();
    *text = bytes;
    *size = used;
    if (ferror(file)) return cli_say(CLI_FAILED, "%s: cannot read: %s", name, strerror(errno));
    if (used >= TEXT_BYTES_MAX) return cli_say(CLI_FAILED, "%s: more than %d bytes", name, TEXT_BYTES_MAX);
    return CLI_DONE;
}

static int read_path(const char *path, char **text, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return cli_say(CLI_FAILED, "%s: %s", path, strerror(errno));
    int status = read_file(file, path, text, size);
    (void)fclose(file);
    return status;
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static int add_time(struct constrain_times *times, double us)
{
    if (times->count == times->capacity) {
        size_t capacity = times->capacity ? times->capacity * 2 : 1024;
        double *more = realloc(times->mask_us, capacity * sizeof *more);
        if (!more) return cli_nomem();
        times->mask_us = more;
        times->capacity = capacity;
    }
    times->mask_us[times->count++] = us;
    return CLI_DONE;
}

/* The mask where the matcher stands, timed; *allowed: the token is in it. */
static int look_up(struct weir_matcher *matcher, int32_t token, struct constrain_times *times, bool *allowed)
{
    struct weir_error error = {0};
    const uint32_t *mask;
    double start = now_us();
    if (weir_matcher_mask(matcher, &mask, &error)) return cli_fail(&error);
    double us = now_us() - start;
    *allowed = mask[(uint32_t)token / 32] >> ((uint32_t)token % 32) & 1;
    return times ? add_time(times, us) : CLI_DONE;
}

struct feed {
    const struct constrain_input *input;
    struct weir_matcher *matcher;
    struct constrain_times *times;
    const char *text;
    size_t size, at;
};

/* One token whose bytes stand at the feed's place. */
static int feed_token(struct feed *f, int32_t token, size_t bytes, bool *allowed)
{
    struct weir_error error = {0};
    size_t done = 0;
    bool in_mask = false;
    int status = look_up(f->matcher, token, f->times, &in_mask);
    if (status) return status;
    if (weir_matcher_accept_bytes(f->matcher, f->text + f->at, bytes, &done, &error)) return cli_fail(&error);
    f->at += done;
    *allowed = done == bytes;
    if (in_mask != *allowed && weir_token_text(f->input->tokenizer, token).size == bytes)
        return cli_say(CLI_FAILED, "byte %zu: the mask and the bytes disagree about token %d (a defect of weir)", f->at,
                       (int)token);
    return CLI_DONE;
}

static int feed_tokens(struct feed *f, const struct weir_tokens *tokens, bool *allowed)
{
    *allowed = true;
    for (size_t i = 0; i < tokens->count && *allowed; i++) {
        struct weir_string text = weir_token_text(f->input->tokenizer, tokens->ids[i]);
        size_t bytes = text.size;
        if (i == 0 && bytes && text.data[0] == ' ' && f->size && f->text[0] != ' ') bytes--; /* SPM's leading space */
        if (bytes > f->size - f->at) bytes = f->size - f->at;
        int status = feed_token(f, tokens->ids[i], bytes, allowed);
        if (status) return status;
    }
    *allowed = *allowed && weir_matcher_is_complete(f->matcher);
    return CLI_DONE;
}

int constrain_feed(const struct constrain_input *input, struct weir_constraint *constraint, const char *text,
                   size_t size, struct constrain_times *times, bool *allowed, size_t *offset)
{
    struct weir_error error = {0};
    struct weir_tokens tokens = {0};
    struct feed feed = {.input = input, .times = times, .text = text, .size = size};
    int status = CLI_DONE;
    if (weir_tokenize(input->tokenizer, text, size, 0, &tokens, &error) ||
        weir_matcher_open(constraint, &feed.matcher, &error))
        status = cli_fail(&error);
    if (!status) status = feed_tokens(&feed, &tokens, allowed);
    *offset = feed.at;
    weir_matcher_close(&feed.matcher);
    weir_tokens_free(&tokens);
    return status;
}

static int check_instance(const struct constrain_input *input, struct weir_constraint *constraint)
{
    char *text = NULL;
    size_t size = 0, offset = 0;
    bool allowed = false;
    for (size_t i = 0; i < weir_constraint_note_count(constraint); i++)
        (void)fprintf(stderr, "weir: not enforced: %s\n", weir_constraint_note(constraint, i));
    int status = read_file(stdin, "standard input", &text, &size);
    if (!status && input->options.compact && size && text[size - 1] == '\n') size--; /* the shell's line end */
    if (!status) status = constrain_feed(input, constraint, text, size, NULL, &allowed, &offset);
    free(text);
    if (status) return status;
    if (allowed) return CLI_DONE;
    if (offset == size) return cli_say(CLI_FAILED, "byte %zu: the instance may not end here", offset);
    return cli_say(CLI_FAILED, "byte %zu: not allowed by the schema", offset);
}

static int run_schema(const struct constrain_input *input, const char *path)
{
    char *schema = NULL;
    size_t size = 0;
    struct weir_constraint *constraint = NULL;
    struct weir_error error = {0};
    int status = read_path(path, &schema, &size);
    if (!status && weir_constraint_open(schema, size, input->vocabulary, &input->options, &constraint, &error)) {
        bool refused = error.status == WEIR_ERR_UNSUPPORTED || error.status == WEIR_ERR_LIMIT;
        status = cli_say(refused ? CLI_REFUSED : CLI_FAILED, "%s: %s", path, error.text);
    }
    if (!status) status = check_instance(input, constraint);
    weir_constraint_close(&constraint);
    free(schema);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.options = weir_constrain_options_defaults()};
    args.options.compact = false;
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    char *path = NULL;
    int status = models_find(args.model, &path);
    if (status) return status;
    struct weir_gguf *gguf = NULL;
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_vocabulary *vocabulary = NULL;
    struct weir_error error = {0};
    if (weir_gguf_open(path, &gguf, &error) || weir_tokenizer_open(gguf, &tokenizer, &error) ||
        weir_vocabulary_open(tokenizer, &vocabulary, &error))
        status = cli_fail(&error);
    weir_gguf_close(&gguf);
    struct constrain_input input = {tokenizer, vocabulary, args.options};
    if (!status && args.schema) status = run_schema(&input, args.schema);
    if (!status && args.suite) status = constrain_suite(&input, args.suite, args.tests, args.json, args.verbose);
    weir_vocabulary_close(&vocabulary);
    weir_tokenizer_close(&tokenizer);
    free(path);
    return status;
}

const struct command command_constrain = {"constrain", "Check outputs against a JSON Schema, token by token", run};
