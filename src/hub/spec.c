/* "phi-4-mini" or "hf:owner/repo[:file]" into a repository, a file and a name. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "hub/hub_internal.h"

/* One half of a repository's name, as the hub allows it: letters, digits, '.', '_', '-'; at most 96. */
static bool repo_word_is_good(const char *word, size_t size)
{
    if (!size || size > 96 || word[0] == '.' || word[0] == '-') return false;
    for (size_t i = 0; i < size; i++) {
        bool is_dots = word[i] == '.' && i + 1 < size && word[i + 1] == '.';
        if (is_dots || !(isalnum((unsigned char)word[i]) || strchr("._-", word[i]))) return false;
    }
    return true;
}

static bool repository_is_good(const char *text, size_t size)
{
    const char *slash = memchr(text, '/', size);
    return slash && repo_word_is_good(text, (size_t)(slash - text)) &&
           repo_word_is_good(slash + 1, size - (size_t)(slash - text) - 1);
}

/* `text` is what follows "hf:". */
static enum weir_status read_hub(const char *text, struct pull_spec *out, struct weir_error *error)
{
    const char *colon = strchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : strlen(text);
    if (size >= sizeof out->repository || !repository_is_good(text, size))
        return error_set(error, WEIR_ERR_INVALID, "hf:%.300s: expected hf:OWNER/REPO[:FILE]", text);
    memcpy(out->repository, text, size);
    out->repository[size] = 0;
    if (!colon) return WEIR_OK;
    size_t file_size = strlen(colon + 1);
    if (!hub_path_is_safe(colon + 1, file_size))
        return error_set(error, WEIR_ERR_INVALID,
                         "hf:%.300s: expected a path inside the repository after the second ':'", text);
    memcpy(out->file, colon + 1, file_size + 1);
    return WEIR_OK;
}

/* NAME, or NAME-q8_0 when another type than the catalogue's own was asked for. */
static void catalogue_name(const struct weir_catalogue_model *model, const char *quant, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", model->name);
    if (!quant || strcasecmp(quant, model->quant) == 0) return;
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "-%s", quant);
    for (char *at = out + used; *at; at++) *at = (char)tolower((unsigned char)*at);
}

static bool quant_is_good(const char *quant)
{
    size_t size = strlen(quant);
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)quant[i]) && quant[i] != '_') return false;
    }
    return size > 0 && size <= 16;
}

static enum weir_status read_model(const struct weir_pull_options *options, struct pull_spec *out,
                                   struct weir_error *error)
{
    if (strncmp(options->model, "hf:", 3) == 0) return read_hub(options->model + 3, out, error);
    const struct weir_catalogue_model *model = weir_catalogue_find(options->model);
    if (!model)
        return error_set(
            error, WEIR_ERR_NOT_FOUND,
            "'%.200s': not in the catalogue ('weir models' lists it; other models of the hub: hf:OWNER/REPO[:FILE])",
            options->model);
    (void)snprintf(out->repository, sizeof out->repository, "%s", model->repository);
    if (!out->quant) out->quant = model->quant;
    catalogue_name(model, options->quant, out->name, sizeof out->name);
    return WEIR_OK;
}

enum weir_status spec_read(const struct weir_pull_options *options, struct pull_spec *out, struct weir_error *error)
{
    *out = (struct pull_spec){.quant = options->quant};
    if (options->quant && !quant_is_good(options->quant))
        return error_set(error, WEIR_ERR_INVALID, "'%.100s': expected a file type such as Q4_K_M", options->quant);
    enum weir_status status = read_model(options, out, error);
    if (status) return status;
    if (out->file[0] && options->quant)
        return error_set(error, WEIR_ERR_INVALID, "a file and a type were given; give one of them");
    if (!options->as) return WEIR_OK;
    if (!model_name_is_safe(options->as))
        return error_set(error, WEIR_ERR_INVALID,
                         "'%.200s': expected a name of letters, digits, '.', '_' and '-', at most %d", options->as,
                         WEIR_MODEL_NAME_BYTES_MAX);
    (void)snprintf(out->name, sizeof out->name, "%s", options->as);
    return WEIR_OK;
}
