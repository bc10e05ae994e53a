/* weir inspect: what is in a GGUF file, and with --memory what running it takes. Reads the file's tables only; no engine is made. */
#include <argp.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inspect_memory.h"
#include "model_facts.h"
#include "models.h"
#include "process.h"
#include "table.h"
#include "text.h"
#include "weir/gguf.h"

enum { ARRAY_ITEMS_SHOWN = 8, CELL_BYTES = 72, TYPE_NUMBERS = 64 };

enum { KEY_MEMORY = 256 };

static const struct argp_option options[] = {
    {"json", 'J', 0, 0, "Print one JSON object", 0},
    {"memory", KEY_MEMORY, 0, 0, "Only predict the memory that running the model takes", 0},
    {"ctx", 'c', "N", 0, "... for a sequence of N tokens (default: the model's own context, at most 4096)", 0},
    {"kv", 'k', "TYPE", 0, "... with keys and values in f16 (default), f32 or q8_0", 0},
    {"threads", 'j', "N", 0, "... on N threads (default: the CPUs this process may use)", 0},
    {0}};

struct arguments {
    const char *path;
    bool json, memory;
    struct weir_engine_options engine; /* of the prediction */
};

static unsigned count_option(struct argp_state *state, const char *text)
{
    long value = 0;
    if (!cli_number(text, 1, INT_MAX, &value)) argp_error(state, "'%s' is not a number of 1 or more", text);
    return (unsigned)value;
}

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'J':
        args->json = true;
        return 0;
    case KEY_MEMORY:
        args->memory = true;
        return 0;
    case 'c':
        args->engine.ctx_tokens = count_option(state, text);
        return 0;
    case 'k':
        if (!weir_kv_type_find(text, &args->engine.kv_type)) argp_error(state, "--kv is f16, f32 or q8_0");
        return 0;
    case 'j':
        args->engine.threads = count_option(state, text);
        return 0;
    case ARGP_KEY_ARG:
        if (args->path) argp_error(state, "one model file, not several");
        args->path = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no model file given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "MODEL",
    .doc = "Prints a model file's metadata, its tensors and the memory it needs. Any valid GGUF file, also one that "
           "holds only a vocabulary."};

/* Numbers JSON does not have (infinities, NaN, integers beyond 64 signed bits) become strings. */
static json_t *real_json(double value)
{
    if (isfinite(value)) return json_real(value);
    return json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static json_t *unsigned_json(uint64_t value)
{
    if (value <= INT64_MAX) return json_integer((json_int_t)value);
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

static json_t *scalar_json(const struct weir_gguf_value *value)
{
    uint64_t number;
    int64_t negative;
    double real;
    bool truth;
    struct weir_string text;
    if (weir_gguf_as_bool(value, &truth)) return json_boolean(truth);
    if (weir_gguf_as_u64(value, &number)) return unsigned_json(number);
    if (weir_gguf_as_i64(value, &negative)) return json_integer(negative);
    if (weir_gguf_as_f64(value, &real)) return real_json(real);
    if (weir_gguf_as_string(value, &text)) return text_json(text);
    return json_null();
}

static json_t *item_json(const struct weir_gguf_value *value, size_t index)
{
    uint64_t number;
    int64_t negative;
    double real;
    bool truth;
    struct weir_string text;
    if (weir_gguf_array_bool(value, index, &truth)) return json_boolean(truth);
    if (weir_gguf_array_u64(value, index, &number)) return unsigned_json(number);
    if (weir_gguf_array_i64(value, index, &negative)) return json_integer(negative);
    if (weir_gguf_array_f64(value, index, &real)) return real_json(real);
    if (weir_gguf_array_string(value, index, &text)) return text_json(text);
    return json_null();
}

static json_t *array_json(const struct weir_gguf_value *value)
{
    size_t count = weir_gguf_array_count(value);
    json_t *first = json_array();
    for (size_t i = 0; i < count && i < ARRAY_ITEMS_SHOWN; i++) (void)json_array_append_new(first, item_json(value, i));
    return json_pack("{s:s, s:I, s:o}", "array_of", weir_gguf_value_type_name(weir_gguf_array_type(value)), "count",
                     (json_int_t)count, "first", first);
}

static json_t *value_json(const struct weir_gguf_value *value)
{
    return weir_gguf_type(value) == WEIR_GGUF_ARRAY ? array_json(value) : scalar_json(value);
}

/* A list, not an object: keys of a foreign file may be any bytes. */
static json_t *metadata_json(const struct weir_gguf *gguf)
{
    json_t *list = json_array();
    for (size_t i = 0; i < weir_gguf_value_count(gguf); i++) {
        const struct weir_gguf_value *value = weir_gguf_value_at(gguf, i);
        json_t *entry = json_pack("{s:o, s:s, s:o}", "key", text_json(weir_gguf_key(value)), "type",
                                  weir_gguf_value_type_name(weir_gguf_type(value)), "value", value_json(value));
        (void)json_array_append_new(list, entry);
    }
    return list;
}

static json_t *tensors_json(const struct weir_gguf *gguf)
{
    json_t *list = json_array();
    for (size_t i = 0; i < weir_gguf_tensor_count(gguf); i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(gguf, i);
        json_t *shape = json_array();
        for (unsigned d = 0; d < tensor->n_dims; d++)
            (void)json_array_append_new(shape, unsigned_json(tensor->dims[d]));
        json_t *entry =
            json_pack("{s:o, s:s, s:o, s:I}", "name", text_json(tensor->name), "type",
                      weir_tensor_type_name(tensor->type), "shape", shape, "bytes", (json_int_t)tensor->size);
        (void)json_array_append_new(list, entry);
    }
    return list;
}

/* Tensors, weights and bytes of one type. */
struct type_total {
    size_t tensors;
    double weights, bytes;
};

static void totals_by_type(const struct weir_gguf *gguf, struct type_total totals[TYPE_NUMBERS])
{
    for (size_t i = 0; i < weir_gguf_tensor_count(gguf); i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(gguf, i);
        if ((unsigned)tensor->type >= TYPE_NUMBERS) continue;
        struct type_total *total = &totals[tensor->type];
        total->tensors++;
        total->bytes += (double)tensor->size;
        total->weights += (double)tensor->size / (double)weir_tensor_type_block_bytes(tensor->type) *
                          (double)weir_tensor_type_block_weights(tensor->type);
    }
}

static json_t *totals_json(const struct weir_gguf *gguf)
{
    struct type_total totals[TYPE_NUMBERS] = {{0}};
    totals_by_type(gguf, totals);
    json_t *object = json_object();
    for (int type = 0; type < TYPE_NUMBERS; type++) {
        if (!totals[type].tensors) continue;
        (void)json_object_set_new(object, weir_tensor_type_name((enum weir_tensor_type)type),
                                  json_pack("{s:I, s:I, s:I}", "tensors", (json_int_t)totals[type].tensors, "weights",
                                            (json_int_t)totals[type].weights, "bytes", (json_int_t)totals[type].bytes));
    }
    return object;
}

static json_t *memory_json(const struct model_facts *facts)
{
    json_t *memory = json_pack("{s:I}", "weights_bytes", (json_int_t)facts->weights_bytes);
    if (facts->kv_bytes_per_token)
        (void)json_object_set_new(memory, "kv_bytes_per_token_f16",
                                  json_integer((json_int_t)facts->kv_bytes_per_token));
    if (facts->ctx_train) (void)json_object_set_new(memory, "ctx_train", json_integer((json_int_t)facts->ctx_train));
    return memory;
}

static int print_json(const struct weir_gguf *gguf, const struct model_facts *facts)
{
    const char *path = weir_gguf_name(gguf);
    json_t *root = json_pack("{s:o, s:i, s:I, s:o, s:o, s:o, s:o, s:o}", "file",
                             text_json((struct weir_string){path, strlen(path)}), "version",
                             (int)weir_gguf_version(gguf), "bytes", (json_int_t)weir_gguf_file_bytes(gguf),
                             "architecture", text_json(facts->architecture), "metadata", metadata_json(gguf), "tensors",
                             tensors_json(gguf), "types", totals_json(gguf), "memory", memory_json(facts));
    if (!root) return cli_nomem();
    bool good = json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) == 0;
    json_decref(root);
    (void)putchar('\n');
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

/* A scalar as text, an array as its first items. */
static const char *value_cell(const struct weir_gguf_value *value, char out[static 2 * CELL_BYTES])
{
    json_t *json = value_json(value);
    const char *text = json_string_value(json);
    if (text) {
        struct weir_string all = {text, json_string_length(json)};
        (void)text_cell(all, CELL_BYTES, out, (size_t)2 * CELL_BYTES);
    } else {
        json_t *first = json_object_get(json, "first");
        char *dumped = json_dumps(first ? first : json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(7));
        struct weir_string all = {dumped ? dumped : "", dumped ? strlen(dumped) : 0};
        (void)text_cell(all, CELL_BYTES, out, (size_t)2 * CELL_BYTES);
        free(dumped);
    }
    json_decref(json);
    return out;
}

static void type_cell(const struct weir_gguf_value *value, char *out, size_t size)
{
    const char *name = weir_gguf_value_type_name(weir_gguf_type(value));
    if (weir_gguf_type(value) == WEIR_GGUF_ARRAY)
        (void)snprintf(out, size, "%s[%zu]", weir_gguf_value_type_name(weir_gguf_array_type(value)),
                       weir_gguf_array_count(value));
    else
        (void)snprintf(out, size, "%s", name);
}

static bool print_metadata(const struct weir_gguf *gguf)
{
    static const struct table_column columns[] = {{"METADATA", false}, {"TYPE", false}, {"VALUE", false}};
    struct table *table = table_open(columns, 3);
    for (size_t i = 0; i < weir_gguf_value_count(gguf); i++) {
        const struct weir_gguf_value *value = weir_gguf_value_at(gguf, i);
        char key[2 * CELL_BYTES], type[48], text[2 * CELL_BYTES];
        type_cell(value, type, sizeof type);
        const char *cells[] = {text_cell(weir_gguf_key(value), CELL_BYTES, key, sizeof key), type,
                               value_cell(value, text)};
        table_add(table, cells);
    }
    return table_print(table);
}

static bool print_tensors(const struct weir_gguf *gguf)
{
    static const struct table_column columns[] = {{"TENSOR", false}, {"TYPE", false}, {"SHAPE", true}, {"BYTES", true}};
    struct table *table = table_open(columns, 4);
    for (size_t i = 0; i < weir_gguf_tensor_count(gguf); i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(gguf, i);
        char name[2 * CELL_BYTES], shape[96] = "", bytes[24];
        size_t used = 0;
        for (unsigned d = 0; d < tensor->n_dims && used < sizeof shape; d++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRIu64, d ? " x " : "", tensor->dims[d]);
        (void)snprintf(bytes, sizeof bytes, "%zu", tensor->size);
        const char *cells[] = {text_cell(tensor->name, CELL_BYTES, name, sizeof name),
                               weir_tensor_type_name(tensor->type), shape, bytes};
        table_add(table, cells);
    }
    return table_print(table);
}

static bool print_totals(const struct weir_gguf *gguf)
{
    static const struct table_column columns[] = {
        {"TYPE", false}, {"TENSORS", true}, {"WEIGHTS", true}, {"BYTES", true}};
    struct type_total totals[TYPE_NUMBERS] = {{0}};
    totals_by_type(gguf, totals);
    struct table *table = table_open(columns, 4);
    for (int type = 0; type < TYPE_NUMBERS; type++) {
        if (!totals[type].tensors) continue;
        char tensors[24], weights[32], bytes[32];
        (void)snprintf(tensors, sizeof tensors, "%zu", totals[type].tensors);
        (void)snprintf(weights, sizeof weights, "%.0f", totals[type].weights);
        (void)snprintf(bytes, sizeof bytes, "%.0f", totals[type].bytes);
        const char *cells[] = {weir_tensor_type_name((enum weir_tensor_type)type), tensors, weights, bytes};
        table_add(table, cells);
    }
    return table_print(table);
}

static void print_memory(const struct model_facts *facts)
{
    char weights[24], token[24], context[24];
    (void)printf("Memory: weights %s", text_bytes((double)facts->weights_bytes, weights, sizeof weights));
    if (facts->kv_bytes_per_token)
        (void)printf("; KV cache at f16 %s a token",
                     text_bytes((double)facts->kv_bytes_per_token, token, sizeof token));
    if (facts->kv_bytes_per_token && facts->ctx_train)
        (void)printf(", %s for the %" PRIu64 " tokens it was trained on",
                     text_bytes((double)facts->kv_bytes_per_token * (double)facts->ctx_train, context, sizeof context),
                     facts->ctx_train);
    (void)putchar('\n');
}

static int print_text(const struct weir_gguf *gguf, const struct model_facts *facts)
{
    char size[24];
    (void)printf("%s: GGUF version %" PRIu32 ", %s, %zu metadata values, %zu tensors\n\n", weir_gguf_name(gguf),
                 weir_gguf_version(gguf), text_bytes((double)weir_gguf_file_bytes(gguf), size, sizeof size),
                 weir_gguf_value_count(gguf), weir_gguf_tensor_count(gguf));
    bool good = print_metadata(gguf);
    (void)putchar('\n');
    if (weir_gguf_tensor_count(gguf)) {
        good = good && print_tensors(gguf);
        (void)putchar('\n');
        good = good && print_totals(gguf);
        (void)putchar('\n');
    }
    print_memory(facts);
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static int run(int argc, char **argv)
{
    struct arguments args = {.engine = weir_engine_options_default()};
    size_t process_bytes = process_resident_bytes();
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    char *path = NULL;
    int status = models_find(args.path, &path);
    if (status) return status;
    struct weir_gguf *gguf = NULL;
    struct weir_error error = {0};
    enum weir_status failed = weir_gguf_open(path, &gguf, &error);
    free(path);
    if (failed) return cli_fail(&error);
    if (args.memory) {
        status = inspect_memory(gguf, &args.engine, process_bytes, args.json);
        weir_gguf_close(&gguf);
        return status;
    }
    struct model_facts facts = model_facts_read(gguf);
    status = args.json ? print_json(gguf, &facts) : print_text(gguf, &facts);
    weir_gguf_close(&gguf);
    return status;
}

const struct command command_inspect = {"inspect", "Print a model file's metadata, tensors and memory needs", run};
