/* Is what was downloaded a model, before it gets its name?
 *
 * A split GGUF model is opened by the name of its first part, and finds the others by theirs. So the .part files are given their final
 * names in a folder of their own, as symbolic links, and opened there. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "hub/hub_internal.h"
#include "weir/gguf.h"

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Appends FOLDER/ and the file name of `path`. */
static enum weir_status add_name(struct strbuf *out, const char *folder, const char *path)
{
    return strbuf_printf(out, "%s/%s", folder, file_name(path));
}

/* PLACE/NAME -> ../NAME.part */
static enum weir_status link_part(const char *place, const char *path, struct weir_error *error)
{
    struct strbuf link = STRBUF_MAX(MODEL_PATH_BYTES_MAX), target = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    enum weir_status status = add_name(&link, place, path);
    if (!status) status = add_name(&target, "..", path);
    if (!status) status = strbuf_text(&target, ".part");
    if (status)
        error_set(error, status, "%s: path of a link: %s", path, weir_status_text(status));
    else if (symlink(target.data, link.data) != 0)
        status = error_set(error, WEIR_ERR_IO, "%s: cannot link: %s", link.data, strerror(errno));
    strbuf_free(&link);
    strbuf_free(&target);
    return status;
}

/* Needs no memory: nothing stays behind when there is none. */
static void place_remove(const char *place, const struct weir_model_record *model)
{
    int folder = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; folder >= 0 && i < model->n_files; i++)
        (void)unlinkat(folder, file_name(model->files[i].path), 0);
    if (folder >= 0) (void)close(folder);
    (void)rmdir(place);
}

static enum weir_status open_first(const char *place, const struct weir_model_record *model, bool *is_spoiled,
                                   struct weir_error *error)
{
    struct strbuf first = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    struct weir_gguf *gguf = NULL;
    enum weir_status status = add_name(&first, place, model->files[0].path);
    if (status) {
        error_set(error, status, "path of a model: %s", weir_status_text(status));
    } else {
        status = weir_gguf_open(first.data, &gguf, error);
        *is_spoiled = status && status != WEIR_ERR_NOMEM && status != WEIR_ERR_IO;
    }
    weir_gguf_close(&gguf);
    strbuf_free(&first);
    return status;
}

enum weir_status hub_check_model(const char *folder, const struct weir_model_record *model, struct weir_error *error)
{
    struct strbuf place = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    bool is_spoiled = false;
    enum weir_status status = strbuf_printf(&place, "%s/.check.XXXXXX", folder);
    if (status) {
        error_set(error, status, "%s: path of the check: %s", folder, weir_status_text(status));
    } else if (!mkdtemp(place.data)) {
        status = error_set(error, WEIR_ERR_IO, "%s: cannot make folder: %s", place.data, strerror(errno));
    } else {
        for (size_t i = 0; !status && i < model->n_files; i++)
            status = link_part(place.data, model->files[i].path, error);
        if (!status) status = open_first(place.data, model, &is_spoiled, error);
        place_remove(place.data, model);
    }
    for (size_t i = 0; is_spoiled && i < model->n_files; i++) part_remove(model->files[i].path);
    strbuf_free(&place);
    return status;
}
