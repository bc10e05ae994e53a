/* weir models: the catalogue of supported models, and what is installed. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "models.h"
#include "table.h"
#include "text.h"
#include "weir/hub.h"

enum { CONTEXT_TOKENS = 4096, CELL_BYTES = 32 };

static const struct argp_option options[] = {{"json", 'J', 0, 0, "Print one JSON object", 0}, {0}};

struct arguments {
    const char *name; /* NULL: all */
    bool json;
};

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'J':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->name) argp_error(state, "one model, not several");
        args->name = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "[NAME]",
    .doc = "Lists the supported models with the memory they take at each file type (weights and a KV cache of 4,096 "
           "tokens), and what is installed. With NAME: everything that is known of that one."};

struct installed {
    struct weir_model_record *records;
    size_t count;
};

static void installed_free(struct installed *installed)
{
    for (size_t i = 0; i < installed->count; i++) weir_model_record_free(&installed->records[i]);
    free(installed->records);
}

static uint64_t disk_bytes(const struct weir_model_record *record)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < record->n_files; i++) {
        struct stat info;
        if (stat(record->files[i].path, &info) == 0) sum += (uint64_t)info.st_size;
    }
    return sum;
}

/* The catalogue's model that a record is of: by where it came from, else by its name ("phi-4-mini-q8_0": the longest name it
 * begins with). NULL: none. */
static const struct weir_catalogue_model *model_of(const struct weir_model_record *record)
{
    const struct weir_catalogue_model *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < weir_catalogue_count(); i++) {
        const struct weir_catalogue_model *model = weir_catalogue_at(i);
        size_t size = strlen(model->name);
        if (strncmp(record->source, "hf:", 3) == 0 && strcmp(record->source + 3, model->repository) == 0) return model;
        bool begins =
            strncmp(record->name, model->name, size) == 0 && strchr("-.", record->name[size]); /* or the NUL */
        if (!begins || size <= longest) continue;
        found = model;
        longest = size;
    }
    return found;
}

static uint64_t ram_bytes(const struct weir_catalogue_model *model, enum weir_quant quant)
{
    return weir_catalogue_weights_bytes(model, quant) + weir_catalogue_kv_bytes(model, CONTEXT_TOKENS);
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

static json_t *record_json(const struct weir_model_record *record)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:b, s:s}", "name", record->name, "path", record->files[0].path,
                     "bytes", (json_int_t)disk_bytes(record), "source", record->source, "revision", record->revision,
                     "sha256", record->files[0].sha256, "recorded", record->is_recorded, "problem", record->problem);
}

static json_t *ram_json(const struct weir_catalogue_model *model)
{
    json_t *ram = json_object();
    bool good = ram != NULL;
    for (int quant = 0; good && quant < WEIR_QUANTS; quant++)
        good = json_object_set_new(ram, weir_quant_name((enum weir_quant)quant),
                                   json_integer((json_int_t)ram_bytes(model, (enum weir_quant)quant))) == 0;
    if (good) return ram;
    json_decref(ram);
    return NULL;
}

/* Appends `item`, which the list takes over. False without memory. */
static bool append(json_t *list, json_t *item)
{
    return json_array_append_new(list, item) == 0;
}

static json_t *model_json(const struct weir_catalogue_model *model, const struct installed *installed)
{
    json_t *names = json_array();
    bool good = names != NULL;
    for (size_t i = 0; good && i < installed->count; i++)
        good = model_of(&installed->records[i]) != model || append(names, json_string(installed->records[i].name));
    if (!good) {
        json_decref(names);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "name", model->name,
                     "title", model->title, "architecture", model->architecture, "parameters",
                     (json_int_t)weir_catalogue_parameters(model), "licence", model->licence, "languages",
                     model->languages, "best_at", model->best_at, "card", model->card, "repository", model->repository,
                     "file_type", model->quant, "verified", model->verified, "ctx_train", (int)model->ctx_train,
                     "ram_bytes", ram_json(model), "installed", names);
}

static bool is_wanted(const struct arguments *args, const struct weir_catalogue_model *model)
{
    return !args->name || strcmp(args->name, model->name) == 0;
}

static int print_json(const struct arguments *args, const struct installed *installed)
{
    json_t *models = json_array(), *records = json_array();
    bool good = models && records;
    for (size_t i = 0; good && i < weir_catalogue_count(); i++)
        good = !is_wanted(args, weir_catalogue_at(i)) || append(models, model_json(weir_catalogue_at(i), installed));
    for (size_t i = 0; good && i < installed->count; i++) good = append(records, record_json(&installed->records[i]));
    json_t *root =
        json_pack("{s:i, s:o, s:o}", "ram_context_tokens", CONTEXT_TOKENS, "models", models, "installed", records);
    if (!root || !good) {
        json_decref(root);
        return cli_nomem();
    }
    good = json_dumpf(root, stdout, JSON_INDENT(1)) == 0;
    json_decref(root);
    (void)putchar('\n');
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

/* ---- text ---------------------------------------------------------------------------------------------------------- */

/* "3.8B", "135M" */
static const char *parameters_cell(const struct weir_catalogue_model *model, char out[static CELL_BYTES])
{
    double count = (double)weir_catalogue_parameters(model);
    (void)snprintf(out, CELL_BYTES, count < 999.5e6 ? "%.0fM" : "%.1fB", count / (count < 999.5e6 ? 1e6 : 1e9));
    return out;
}

static void installed_cell(const struct weir_catalogue_model *model, const struct installed *installed, char *out,
                           size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < installed->count && used < size; i++) {
        char bytes[CELL_BYTES];
        if (model_of(&installed->records[i]) != model) continue;
        used += (size_t)snprintf(out + used, size - used, "%s%s (%s)", used ? ", " : "", installed->records[i].name,
                                 text_bytes((double)disk_bytes(&installed->records[i]), bytes, sizeof bytes));
    }
}

static bool print_models(const struct installed *installed)
{
    static const struct table_column columns[] = {{"NAME", false},     {"PARAMS", true},   {"RAM Q4_K_M", true},
                                                  {"Q5_K_M", true},    {"Q6_K", true},     {"Q8_0", true},
                                                  {"F16", true},       {"LICENCE", false}, {"LANGUAGES", false},
                                                  {"VERIFIED", false}, {"BEST AT", false}, {"INSTALLED", false}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < weir_catalogue_count(); i++) {
        const struct weir_catalogue_model *model = weir_catalogue_at(i);
        char parameters[CELL_BYTES], ram[WEIR_QUANTS][CELL_BYTES], there[512];
        for (int quant = 0; quant < WEIR_QUANTS; quant++)
            text_bytes((double)ram_bytes(model, (enum weir_quant)quant), ram[quant], CELL_BYTES);
        installed_cell(model, installed, there, sizeof there);
        const char *cells[] = {model->name,
                               parameters_cell(model, parameters),
                               ram[WEIR_QUANT_Q4_K_M],
                               ram[WEIR_QUANT_Q5_K_M],
                               ram[WEIR_QUANT_Q6_K],
                               ram[WEIR_QUANT_Q8_0],
                               ram[WEIR_QUANT_F16],
                               model->licence,
                               model->languages_brief,
                               model->is_run ? "file" : "shape",
                               model->best_at,
                               there};
        table_add(table, cells);
    }
    return table_print(table);
}

static bool print_installed(const struct installed *installed)
{
    static const struct table_column columns[] = {
        {"INSTALLED", false}, {"SIZE", true}, {"FROM", false}, {"FILE", false}};
    struct table *table = table_open(columns, 4);
    for (size_t i = 0; i < installed->count; i++) {
        const struct weir_model_record *record = &installed->records[i];
        char bytes[CELL_BYTES];
        const char *cells[] = {record->name, text_bytes((double)disk_bytes(record), bytes, sizeof bytes),
                               record->problem[0]  ? record->problem
                               : record->source[0] ? record->source
                                                   : "(no record)",
                               record->files[0].path};
        table_add(table, cells);
    }
    return table_print(table);
}

static int print_text(const struct installed *installed)
{
    bool good = print_models(installed);
    (void)printf(
        "\nVERIFIED: file: a real file was run against reference answers; shape: its architecture, tokenizer and "
        "chat template were, on random weights.");
    (void)printf("\nRAM: weights and an f16 KV cache of 4,096 tokens; 'weir models NAME' tells more of a model, "
                 "'weir pull NAME' installs it.\n");
    if (installed->count) {
        (void)putchar('\n');
        good = good && print_installed(installed);
    }
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static int print_one(const struct weir_catalogue_model *model, const struct installed *installed)
{
    char parameters[CELL_BYTES], weights[CELL_BYTES], cache[CELL_BYTES], there[512];
    (void)printf("%s: %s\n\n", model->name, model->title);
    (void)printf("architecture  %s\nparameters    %s\ncontext       %" PRIu32 " tokens\nlicence       %s\n",
                 model->architecture, parameters_cell(model, parameters), model->ctx_train, model->licence);
    (void)printf("languages     %s\nbest at       %s\nmodel card    huggingface.co/%s\n", model->languages,
                 model->best_at, model->card);
    (void)printf("pulled from   hf:%s (%s unless told otherwise)\nverified      %s\n", model->repository, model->quant,
                 model->verified);
    for (int quant = 0; quant < WEIR_QUANTS; quant++) {
        uint64_t bytes = weir_catalogue_weights_bytes(model, (enum weir_quant)quant);
        (void)printf("%s %-6s  weights %s, KV cache of 4,096 tokens %s\n", quant ? "             " : "RAM          ",
                     weir_quant_name((enum weir_quant)quant), text_bytes((double)bytes, weights, sizeof weights),
                     text_bytes((double)weir_catalogue_kv_bytes(model, CONTEXT_TOKENS), cache, sizeof cache));
    }
    installed_cell(model, installed, there, sizeof there);
    (void)printf("installed     %s\n", there[0] ? there : "no");
    return cli_flush();
}

static int run(int argc, char **argv)
{
    struct arguments args = {0};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    const struct weir_catalogue_model *model = weir_catalogue_find(args.name);
    if (args.name && !model)
        return cli_say(CLI_FAILED, "'%s': not in the catalogue ('weir models' lists it)", args.name);
    struct installed installed = {0};
    struct weir_error error = {0};
    char *folder = NULL;
    int status = models_folder(&folder);
    if (folder && weir_model_list(folder, &installed.records, &installed.count, &error)) status = cli_fail(&error);
    free(folder);
    if (status) return status;
    status = args.json ? print_json(&args, &installed) : model ? print_one(model, &installed) : print_text(&installed);
    installed_free(&installed);
    return status;
}

const struct command command_models = {"models", "List the supported and the installed models", run};
