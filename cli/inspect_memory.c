#include "inspect_memory.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "table.h"
#include "text.h"

struct prediction {
    struct weir_memory memory;
    size_t process, total, available;
    bool is_available_known, is_cgroup;
};

static int predict(const struct weir_gguf *gguf, const struct weir_engine_options *options, struct prediction *p)
{
    struct weir_error error = {0};
    if (weir_memory_predict(gguf, options, &p->memory, &error)) return cli_fail(&error);
    p->total = p->memory.total_bytes + p->process;
    p->is_available_known = weir_memory_available(&p->available, &p->is_cgroup);
    return CLI_DONE;
}

static int print_json(const struct weir_gguf *gguf, const struct prediction *p)
{
    const struct weir_memory *m = &p->memory;
    const char *path = weir_gguf_name(gguf);
    json_t *object = json_pack(
        "{s:o, s:I, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file",
        text_json((struct weir_string){path, strlen(path)}), "ctx_tokens", (json_int_t)m->ctx_tokens, "kv_type",
        weir_kv_type_name(m->kv_type), "threads", (json_int_t)m->threads, "cpu_level", m->cpu_level, "weights_bytes",
        (json_int_t)m->weights_bytes, "tiles_bytes", (json_int_t)m->tiles_bytes, "kv_bytes", (json_int_t)m->kv_bytes,
        "scratch_bytes", (json_int_t)m->scratch_bytes, "tokenizer_bytes", (json_int_t)m->tokenizer_bytes,
        "process_bytes", (json_int_t)p->process, "total_bytes", (json_int_t)p->total);
    if (p->is_available_known) {
        (void)json_object_set_new(object, "available_bytes", json_integer((json_int_t)p->available));
        (void)json_object_set_new(object, "available_from", json_string(p->is_cgroup ? "cgroup" : "machine"));
        (void)json_object_set_new(object, "fits", json_boolean(m->total_bytes <= p->available));
    }
    if (!object) return cli_nomem();
    bool good = json_dumpf(object, stdout, JSON_INDENT(1)) == 0;
    json_decref(object);
    (void)putchar('\n');
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

static void add_part(struct table *table, const char *name, size_t bytes, const char *what)
{
    char size[24];
    const char *cells[] = {name, text_bytes((double)bytes, size, sizeof size), what};
    table_add(table, cells);
}

static void print_verdict(const struct prediction *p)
{
    char size[24];
    if (!p->is_available_known) return;
    const char *from = p->is_cgroup ? " (limit of the control group)" : "";
    (void)printf("Available: %s%s: ", text_bytes((double)p->available, size, sizeof size), from);
    if (p->memory.total_bytes <= p->available)
        (void)printf("it fits\n");
    else
        (void)printf("%s are missing\n", text_bytes((double)(p->memory.total_bytes - p->available), size, sizeof size));
}

static int print_text(const struct prediction *p)
{
    static const struct table_column columns[] = {{"MEMORY", false}, {"SIZE", true}, {"", false}};
    const struct weir_memory *m = &p->memory;
    char kv[96], scratch[96];
    (void)snprintf(kv, sizeof kv, "keys and values of %u tokens, %s", (unsigned)m->ctx_tokens,
                   weir_kv_type_name(m->kv_type));
    (void)snprintf(scratch, sizeof scratch, "a forward pass on %u threads", m->threads);
    struct table *table = table_open(columns, 3);
    add_part(table, "weights", m->weights_bytes, "what stays mapped of the file");
    add_part(table, "tiles", m->tiles_bytes, m->tiles_bytes ? "weights repacked for the CPU" : "none at CPU level ref");
    add_part(table, "kv", m->kv_bytes, kv);
    add_part(table, "scratch", m->scratch_bytes, scratch);
    add_part(table, "tokenizer", m->tokenizer_bytes, "and the index of the file");
    add_part(table, "process", p->process, "the program itself");
    add_part(table, "total", p->total, "at most resident, also while loading");
    bool good = table_print(table);
    print_verdict(p);
    int status = cli_flush();
    return status || good ? status : cli_nomem();
}

int inspect_memory(const struct weir_gguf *gguf, const struct weir_engine_options *options, size_t process_bytes,
                   bool is_json)
{
    struct prediction p = {.process = process_bytes};
    int status = predict(gguf, options, &p);
    if (status) return status;
    return is_json ? print_json(gguf, &p) : print_text(&p);
}
