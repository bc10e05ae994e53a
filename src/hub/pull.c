/* Pulling a model from its name to an installed, checked and recorded file.
 *
 *   lock NAME -> list the repository -> choose -> HEAD each file -> installed already? -> room on the disk?
 *        -> each file to NAME.gguf.part -> rename -> record -> unlock
 *
 * The name is locked first when it is known (catalogue, --as), otherwise as soon as the file is chosen. Nothing of an installed model is
 * touched before the first rename. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "hub/hub_internal.h"

enum { DISK_MARGIN_BYTES = 64 << 20 };

struct weir_pull_options weir_pull_options_defaults(void)
{
    return (struct weir_pull_options){.retries = 6, .retry_wait_s = 1, .stall_s = 30};
}

void weir_pull_result_free(struct weir_pull_result *result)
{
    free(result->path);
    weir_model_record_free(&result->record);
    *result = (struct weir_pull_result){0};
}

/* What the pull has found out; `model` is what will be recorded: paths, hashes and sizes of its files. */
struct job {
    struct pull pull;
    struct hub_tree tree;
    struct hub_choice choice;
    struct hub_facts *facts; /* [choice.count], owned */
    struct weir_model_record model;
    int lock; /* -1: none */
};

/* ---- the lock ------------------------------------------------------------------------------------------------------ */

/* FOLDER/.NAME.lock, held through flock(2): it goes with the process, and the file stays (removing it would let two in). */
static enum weir_status lock_wait(struct job *job, const char *path, struct weir_error *error)
{
    while (flock(job->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return error_set(error, WEIR_ERR_IO, "%s: cannot lock: %s", path, strerror(errno));
        job->pull.now.stage = WEIR_PULL_WAITING;
        if (!pull_tick(&job->pull)) return pull_cancelled(error);
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    job->pull.now.stage = WEIR_PULL_ASKING;
    return WEIR_OK;
}

static enum weir_status lock_name(struct job *job, struct weir_error *error)
{
    struct strbuf path = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    job->pull.now.file = job->pull.spec.name;
    enum weir_status status = strbuf_printf(&path, "%s/.%s.lock", job->pull.options->folder, job->pull.spec.name);
    if (status) return error_set(error, status, "path of the lock: %s", weir_status_text(status));
    job->lock = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (job->lock < 0)
        status = error_set(error, WEIR_ERR_IO, "%s: cannot open: %s", path.data, strerror(errno));
    else
        status = lock_wait(job, path.data, error);
    strbuf_free(&path);
    return status;
}

/* ---- choosing ------------------------------------------------------------------------------------------------------ */

/* A name from a file's: what a name may not have becomes '-'. */
static enum weir_status name_from_stem(const char *stem, char out[WEIR_MODEL_NAME_BYTES_MAX + 1],
                                       struct weir_error *error)
{
    size_t size = strlen(stem);
    bool fits = size <= WEIR_MODEL_NAME_BYTES_MAX;
    for (size_t i = 0; fits && i <= size; i++) {
        bool is_kept = isalnum((unsigned char)stem[i]) || strchr("._-", stem[i]); /* the NUL too */
        out[i] = (char)(is_kept ? stem[i] : '-');
    }
    if (fits && model_name_is_safe(out)) return WEIR_OK;
    return error_set(error, WEIR_ERR_INVALID, "%.200s: no name can be made of it; give one (--as NAME)", stem);
}

static enum weir_status choose(struct job *job, struct weir_error *error)
{
    struct pull_spec *spec = &job->pull.spec;
    enum weir_status status = spec->file[0] ? choose_path(&job->tree, spec->file, &job->choice, error)
                                            : choose_quant(&job->tree, spec->quant, &job->choice, error);
    if (status) return error_prefix(error, status, "hf:%s", spec->repository);
    if (spec->name[0]) return WEIR_OK;
    status = name_from_stem(job->choice.stem, spec->name, error);
    return status ? status : lock_name(job, error);
}

/* ---- what will be recorded ----------------------------------------------------------------------------------------- */

static char *text_printf(const char *before, const char *text)
{
    struct strbuf out = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    if (!strbuf_printf(&out, "%s%s", before, text)) return out.data;
    strbuf_free(&out);
    return NULL;
}

static char *time_text(void)
{
    char text[32];
    struct tm utc;
    time_t now = time(NULL);
    if (!gmtime_r(&now, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)) return NULL;
    return text_printf("", text);
}

static bool model_file(struct job *job, unsigned index)
{
    struct strbuf path = STRBUF_MAX(MODEL_PATH_BYTES_MAX);
    if (model_path(&path, job->pull.options->folder, job->pull.spec.name, index + 1, (unsigned)job->choice.count)) {
        strbuf_free(&path);
        return false;
    }
    struct weir_model_file *file = &job->model.files[index];
    *file = (struct weir_model_file){
        .path = path.data, .source = text_printf("", job->choice.files[index]->path), .size = job->facts[index].size};
    memcpy(file->sha256, job->facts[index].sha256, sizeof file->sha256);
    job->model.n_files = index + 1;
    return file->source;
}

static enum weir_status describe(struct job *job, struct weir_error *error)
{
    struct weir_model_record *model = &job->model;
    model->files = mem_zero(job->choice.count, sizeof *model->files);
    model->name = text_printf("", job->pull.spec.name);
    model->source = text_printf("hf:", job->pull.spec.repository);
    model->revision = text_printf("", job->facts[0].commit);
    model->time = time_text();
    model->is_recorded = true;
    bool good = model->files && model->name && model->source && model->revision && model->time;
    for (unsigned i = 0; good && i < job->choice.count; i++) good = model_file(job, i);
    return good ? WEIR_OK : error_nomem(error, "model record");
}

/* All files at the commit that the first one is at. */
static enum weir_status stat_files(struct job *job, struct weir_error *error)
{
    job->facts = mem_zero(job->choice.count, sizeof *job->facts);
    if (!job->facts) return error_nomem(error, "file facts");
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < job->choice.count; i++)
        status = hub_stat(&job->pull, job->choice.files[i], i ? job->facts[0].commit : NULL, &job->facts[i], error);
    return status;
}

/* ---- what is there already ----------------------------------------------------------------------------------------- */

static bool files_have_sizes(const struct weir_model_record *model)
{
    for (size_t i = 0; i < model->n_files; i++) {
        struct stat info;
        if (stat(model->files[i].path, &info) != 0 || (uint64_t)info.st_size != model->files[i].size) return false;
    }
    return true;
}

static bool records_agree(const struct weir_model_record *a, const struct weir_model_record *b)
{
    if (a->n_files != b->n_files) return false;
    for (size_t i = 0; i < a->n_files; i++) {
        if (a->files[i].size != b->files[i].size || strcmp(a->files[i].sha256, b->files[i].sha256) != 0) return false;
    }
    return true;
}

/* A file without a record that lies where the model would: ours when its hash says so. */
static enum weir_status adopt(struct job *job, bool *is_there, struct weir_error *error)
{
    const struct weir_model_file *file = &job->model.files[0];
    char found[65] = "";
    uint64_t size = 0;
    job->pull.now.stage = WEIR_PULL_CHECKING;
    enum weir_status status = model_hash(file->path, NULL, NULL, found, &size, error);
    job->pull.now.stage = WEIR_PULL_ASKING;
    if (status) return status;
    *is_there = job->model.n_files == 1 && strcmp(found, file->sha256) == 0;
    if (*is_there) return record_save(job->pull.options->folder, &job->model, error);
    return error_set(
        error, WEIR_ERR_REFUSED,
        "%s: is there without a record and is another file; remove it, or install under another name (--as NAME)",
        file->path);
}

static enum weir_status look(struct job *job, bool *is_there, struct weir_error *error)
{
    struct weir_model_record old = {0};
    const char *folder = job->pull.options->folder;
    *is_there = false;
    enum weir_status status = record_load(folder, job->model.name, &old, error);
    if (status == WEIR_ERR_NOT_FOUND) return WEIR_OK;
    if (status == WEIR_ERR_FORMAT || status == WEIR_ERR_UNSUPPORTED)
        return error_prefix(error, status, "remove this record, or install under another name (--as NAME)");
    if (status) return status;
    if (!old.is_recorded)
        status = adopt(job, is_there, error);
    else if (records_agree(&old, &job->model))
        *is_there = files_have_sizes(&job->model);
    else if (strcmp(old.source, job->model.source) != 0 && files_have_sizes(&old))
        status = error_set(error, WEIR_ERR_REFUSED,
                           "model '%s' is installed from %s; install this one under another name (--as NAME)", old.name,
                           old.source);
    weir_model_record_free(&old);
    return status;
}

/* ---- bringing it --------------------------------------------------------------------------------------------------- */

static enum weir_status check_room(const struct job *job, uint64_t missing, struct weir_error *error)
{
    struct statvfs disk;
    const char *folder = job->pull.options->folder;
    if (statvfs(folder, &disk) != 0)
        return error_set(error, WEIR_ERR_IO, "%s: cannot read its free space: %s", folder, strerror(errno));
    uint64_t need = missing + DISK_MARGIN_BYTES, room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (!missing || room >= need) return WEIR_OK;
    return error_set(error, WEIR_ERR_LIMIT,
                     "%s: expected %" PRIu64 " bytes free (%" PRIu64 " to download, and a margin), found %" PRIu64,
                     folder, need, missing, room);
}

static enum weir_status bring_files(struct job *job, struct weir_error *error)
{
    uint64_t missing = 0, total = 0;
    for (size_t i = 0; i < job->choice.count; i++) {
        const struct weir_model_file *file = &job->model.files[i];
        missing += file->size - part_kept_bytes(file->path, file->sha256, file->size);
        total += file->size;
    }
    enum weir_status status = check_room(job, missing, error);
    job->pull.now = (struct weir_pull_progress){.stage = WEIR_PULL_DOWNLOADING, .total_bytes = total, .text = ""};
    for (size_t i = 0; !status && i < job->choice.count; i++)
        status = hub_download(&job->pull, job->choice.files[i], &job->facts[i], job->model.files[i].path, error);
    if (!status) {
        status = hub_check_model(job->pull.options->folder, &job->model, error);
        if (status) error_prefix(error, status, "%s: what was downloaded", job->model.source);
    }
    for (size_t i = 0; !status && i < job->choice.count; i++) status = part_install(job->model.files[i].path, error);
    return status ? status : record_save(job->pull.options->folder, &job->model, error);
}

static bool http_tick(void *context)
{
    return pull_tick(context);
}

static enum weir_status job_open(struct job *job, struct weir_error *error)
{
    struct pull *pull = &job->pull;
    enum weir_status status = spec_read(pull->options, &pull->spec, error);
    const struct http_options http = {.endpoint = pull->endpoint,
                                      .token = pull->options->token,
                                      .stall_s = pull->options->stall_s,
                                      .is_wanted = http_tick,
                                      .context = pull};
    if (!status) status = http_open(&http, &pull->http, error);
    if (!status) status = file_make_folder(pull->options->folder, error);
    if (!status && pull->spec.name[0]) status = lock_name(job, error);
    return status;
}

static enum weir_status job_run(struct job *job, bool *was_installed, struct weir_error *error)
{
    enum weir_status status = job_open(job, error);
    job->pull.now =
        (struct weir_pull_progress){.stage = WEIR_PULL_ASKING, .file = job->pull.spec.repository, .text = ""};
    if (!status) status = hub_list(&job->pull, &job->tree, error);
    if (!status) status = choose(job, error);
    if (!status) status = stat_files(job, error);
    if (!status) status = describe(job, error);
    if (!status) status = look(job, was_installed, error);
    if (!status && !*was_installed) status = bring_files(job, error);
    return status;
}

static void job_close(struct job *job)
{
    if (job->lock >= 0) close(job->lock);
    http_close(&job->pull.http);
    tree_free(&job->tree);
    weir_model_record_free(&job->model);
    free(job->facts);
    free(job);
}

/* The endpoint without slashes at its end; owned by the caller. */
static char *endpoint_copy(const char *endpoint)
{
    const char *text = endpoint && *endpoint ? endpoint : "https://huggingface.co";
    size_t size = strlen(text);
    while (size && text[size - 1] == '/') size--;
    return mem_text(text, size);
}

static enum weir_status pull_into(struct job *job, struct weir_pull_result *out, struct weir_error *error)
{
    struct weir_pull_result result = {0};
    enum weir_status status = job_run(job, &result.was_installed, error);
    if (!status) result.path = text_printf("", job->model.files[0].path);
    if (!status && !result.path) status = error_nomem(error, "model path");
    if (status) return status;
    result.record = job->model;
    job->model = (struct weir_model_record){0};
    *out = result;
    return WEIR_OK;
}

enum weir_status weir_pull(const struct weir_pull_options *options, struct weir_pull_result *out,
                           struct weir_error *error)
{
    if (!options || !options->model || !options->folder || !out || !(options->retry_wait_s >= 0))
        return error_set(error, WEIR_ERR_INVALID,
                         "weir_pull: expected a model, a folder, a wait of 0 s or more, and a place for the result");
    struct job *job = mem_zero(1, sizeof *job);
    char *endpoint = endpoint_copy(options->endpoint);
    if (!job || !endpoint) {
        free(job);
        free(endpoint);
        return error_nomem(error, "pull");
    }
    job->lock = -1;
    job->pull.options = options;
    job->pull.endpoint = endpoint;
    job->pull.now = (struct weir_pull_progress){.stage = WEIR_PULL_ASKING, .file = options->model, .text = ""};
    enum weir_status status = pull_into(job, out, error);
    job_close(job);
    free(endpoint);
    return status;
}
