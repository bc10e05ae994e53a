/* weir logits: the logits of every position for given token ids, for comparing engines. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "engine_args.h"
#include "models.h"
#include "output.h"
#include "weir/engine.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weir logits writes the floats of this machine as they are; the format is little-endian"
#endif

enum { CHUNK_TOKENS = 64 }; /* logits held at once; cutting a sequence does not change its logits */

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Model file or name", 0},
    {"ids", 'i', "IDS", 0, "Token ids, separated by spaces or commas", 0},
    {"threads", 'j', "N", 0, "Threads (default: the CPUs this process may use)", 0},
    {"output", 'o', "FILE", 0, "Where to write [tokens, vocabulary] little-endian float32", 0},
    {0}};

struct arguments {
    const char *model, *ids, *out;
    struct weir_engine_options engine;
};

static unsigned count_option(struct argp_state *state, const char *text)
{
    long value = 0;
    if (!cli_number(text, 1, INT_MAX, &value)) argp_error(state, "'%s' is not a number of 1 or more", text);
    return (unsigned)value;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->engine;
        return 0;
    case 'm':
        args->model = text;
        return 0;
    case 'i':
        args->ids = text;
        return 0;
    case 'j':
        args->engine.threads = count_option(state, text);
        return 0;
    case 'o':
        args->out = text;
        return 0;
    case ARGP_KEY_END:
        if (!args->model) argp_error(state, "no model given (-m)");
        if (!args->ids) argp_error(state, "no token ids given (--ids)");
        if (!args->out) argp_error(state, "no output file given (-o)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&engine_argp, 0, "Context and memory:", 2}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .children = children,
    .doc = "Writes the logits of every position of a sequence of token ids; --kv is f32 unless given. Makes no "
           "tokenizer."};

/* The ids of `text`, owned by the caller. */
static int ids_parse(const char *text, int32_t **ids, size_t *count)
{
    int32_t *found = calloc(strlen(text) / 2 + 1, sizeof *found); /* an id and its separator are two bytes or more */
    if (!found) return cli_nomem();
    size_t n = 0;
    const char *at = text + strspn(text, " ,\t\n");
    while (*at) {
        char *end = NULL;
        errno = 0;
        long id = strtol(at, &end, 10);
        if (errno || end == at || id < 0 || id > INT32_MAX || (*end && !strchr(" ,\t\n", *end))) {
            free(found);
            return cli_say(CLI_USAGE, "--ids: '%.20s' does not begin with a token id", at);
        }
        found[n++] = (int32_t)id;
        at = end + strspn(end, " ,\t\n");
    }
    if (!n) {
        free(found);
        return cli_say(CLI_USAGE, "--ids: no token ids");
    }
    *ids = found;
    *count = n;
    return CLI_DONE;
}

static int write_logits(struct weir_session *session, size_t n_vocab, const int32_t *ids, size_t count, FILE *out)
{
    float *logits = calloc(CHUNK_TOKENS * n_vocab, sizeof *logits);
    if (!logits) return cli_nomem();
    int status = CLI_DONE;
    for (size_t at = 0; !status && at < count; at += CHUNK_TOKENS) {
        size_t chunk = count - at < CHUNK_TOKENS ? count - at : CHUNK_TOKENS;
        struct weir_error error = {0};
        if (weir_session_eval(session, ids + at, chunk, true, logits, &error)) status = cli_fail(&error);
        /* a failed write is told by output_commit */
        if (!status && fwrite(logits, sizeof *logits, chunk * n_vocab, out) < chunk * n_vocab) break;
    }
    free(logits);
    return status;
}

static int logits_to_file(struct weir_engine *engine, const struct arguments *args, const int32_t *ids, size_t count)
{
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    struct weir_session *session = NULL;
    struct weir_error error = {0};
    if (weir_session_open(engine, &session, &error)) return cli_fail(&error);
    struct output output = {0};
    int status = output_open(&output, args->out);
    if (!status) status = write_logits(session, info.n_vocab, ids, count, output.file);
    weir_session_close(&session);
    if (!status) return output_commit(&output);
    output_discard(&output);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.engine = weir_engine_options_default()};
    args.engine.kv_type = WEIR_KV_F32;
    args.engine.no_tokenizer = true;
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    char *path = NULL;
    int32_t *ids = NULL;
    size_t count = 0;
    struct weir_engine *engine = NULL;
    struct weir_error error = {0};
    int status = ids_parse(args.ids, &ids, &count);
    if (!status) status = models_find(args.model, &path);
    if (!status && weir_engine_open(path, &args.engine, &engine, &error)) status = cli_fail(&error);
    if (!status) status = logits_to_file(engine, &args, ids, count);
    weir_engine_close(&engine);
    free(path);
    free(ids);
    return status;
}

const struct command command_logits = {"logits", "Write the logits of every position of given token ids", run};
