/* The task object: its memory, opening, closing and getters. Reading the keys is in task_read.c. */
#include "weir/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "task/task_internal.h"

struct task_block {
    struct task_block *next;
    max_align_t bytes[];
};

void *task_alloc(struct weir_task *task, size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || !size_add(bytes, sizeof(struct task_block), &bytes)) return NULL;
    struct task_block *block = mem_zero(bytes, 1);
    if (!block) return NULL;
    block->next = task->blocks;
    task->blocks = block;
    return block->bytes;
}

char *task_text(struct weir_task *task, const char *text, size_t size)
{
    char *copy = task_alloc(task, size + 1, 1);
    if (copy && size) memcpy(copy, text, size);
    return copy;
}

/* What holds when the file says nothing; docs/task.md lists the same. */
static void set_defaults(struct weir_task *task)
{
    task->instructions = "";
    task->gate = (struct weir_gate){.accept = WEIR_ACCEPT_CERTIFIED,
                                    .max_error = 0.05,
                                    .confidence = 0.95,
                                    .check_share = 0.02,
                                    .route = "",
                                    .max_local_tokens = 4000};
    task->budget = (struct weir_budget){.usd_e6_per_day = 5000000,
                                        .usd_e6_per_run = 1000000,
                                        .usd_e6_per_task = INT64_MAX,
                                        .when_exhausted = WEIR_EXHAUSTED_ABSTAIN};
    task->privacy = (struct weir_privacy){.egress = WEIR_EGRESS_REDACTED, .redact = WEIR_REDACT_ALL};
}

/* Name, folder and hash of the source: everything that does not depend on what the text says. */
static enum weir_status set_source(struct weir_task *task, const char *text, size_t size, const char *name)
{
    const char *slash = strrchr(name, '/');
    task->path = task_text(task, name, strlen(name));
    task->folder = task_text(task, name, slash ? (size_t)(slash - name) + 1 : 0);
    if (!task->path || !task->folder) return WEIR_ERR_NOMEM;
    return hash_bytes(text, size, task->hash);
}

enum weir_status weir_task_open_memory(const char *text, size_t size, const char *name, struct weir_task **out,
                                       struct weir_error *error)
{
    if ((!text && size) || !name || !out)
        return error_set(error, WEIR_ERR_INVALID, "weir_task_open_memory: NULL argument");
    if (size > WEIR_TASK_FILE_BYTES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%s: %zu bytes, a task file has at most %d", name, size,
                         WEIR_TASK_FILE_BYTES_MAX);
    struct weir_task *task = mem_zero(1, sizeof *task);
    if (!task) return error_nomem(error, "task");
    set_defaults(task);
    enum weir_status status = set_source(task, text, size, name);
    if (status) {
        error_set(error, status, "%s: %s", name, weir_status_text(status));
        weir_task_close(&task);
        return status;
    }
    struct task_reader reader = {.file = task->path, .task = task, .error = error};
    status = task_yaml_load(&reader, text, size);
    if (!status) {
        status = task_read_root(&reader);
        yaml_document_delete(&reader.document);
    }
    if (status) {
        weir_task_close(&task);
        return status;
    }
    *out = task;
    return WEIR_OK;
}

enum weir_status weir_task_open(const char *path, struct weir_task **out, struct weir_error *error)
{
    if (!path || !out) return error_set(error, WEIR_ERR_INVALID, "weir_task_open: NULL argument");
    struct strbuf text = STRBUF_MAX(WEIR_TASK_FILE_BYTES_MAX);
    enum weir_status status = file_read(path, &text, error);
    if (!status) status = weir_task_open_memory(text.data ? text.data : "", text.size, path, out, error);
    strbuf_free(&text);
    return status;
}

void weir_task_close(struct weir_task **task)
{
    if (!task || !*task) return;
    for (struct task_block *block = (*task)->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(*task);
    *task = NULL;
}

const char *weir_task_name(const struct weir_task *task)
{
    return task->name;
}

const char *weir_task_hash(const struct weir_task *task)
{
    return task->hash;
}

const char *weir_task_path(const struct weir_task *task)
{
    return task->path;
}

const char *weir_task_folder(const struct weir_task *task)
{
    return task->folder;
}

size_t weir_task_question_count(const struct weir_task *task)
{
    return task->n_questions;
}

const struct weir_question *weir_task_question(const struct weir_task *task, size_t index)
{
    return index < task->n_questions ? &task->questions[index] : NULL;
}

size_t weir_task_tier_count(const struct weir_task *task)
{
    return task->n_tiers;
}

const struct weir_tier_spec *weir_task_tier(const struct weir_task *task, size_t index)
{
    return index < task->n_tiers ? &task->tiers[index] : NULL;
}

const struct weir_gate *weir_task_gate(const struct weir_task *task)
{
    return &task->gate;
}

const struct weir_budget *weir_task_budget(const struct weir_task *task)
{
    return &task->budget;
}

const struct weir_privacy *weir_task_privacy(const struct weir_task *task)
{
    return &task->privacy;
}
