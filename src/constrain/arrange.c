/* Writing a value compactly with its members in an order that a constraint accepts.
 *
 * A search along the machine: at each object the members are tried in the order they stand, then the others; a choice that leads to no accepted
 * end is taken back. What failed is remembered by the machine's state and what was left to write: the orders inside a member that make no
 * difference to the machine are tried once, not in every combination. Steps are bounded. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "constrain/constrain_internal.h"

enum {
    ARRANGE_STEPS_MAX = 10000,
    ARRANGE_DEPTH_MAX = 4000 /* of the search, on the C stack */,
    ARRANGE_BYTES_MAX = 64 << 20,
    FAILED_SLOTS = 2 * 16384 /* above ARRANGE_STEPS_MAX: the table is never full */
};

/* What is still to be written after the current value: a stack, shared between tries. */
struct rest {
    enum { REST_ITEMS, REST_MEMBERS } kind;
    const struct json_value *value; /* ITEMS: the next item; MEMBERS: the object */
    uint8_t *written;               /* MEMBERS: [count] */
    bool first;
    const struct rest *below;
};

struct arrange {
    struct machine machine;
    struct strbuf out;
    size_t steps, depth;
    struct arena arena;
    enum weir_status status;
    uint64_t *
        failed; /* [FAILED_SLOTS] hashes, 0: free; NULL until something failed. Two among 10^4 agree by chance once in 10^11 searches */
};

static bool go_on(struct arrange *a, const struct thread_set *at, const struct rest *rest);

/* Writes text and moves; false, nothing written: it cannot stand here. */
static bool write_text(struct arrange *a, struct json_text text, struct thread_set *at)
{
    struct thread_set next = {0};
    size_t before = a->out.size;
    bool good = true;
    for (size_t i = 0; i < text.size && good; i++) {
        machine_step(&a->machine, at, (uint8_t)text.data[i], &next);
        good = next.count != 0;
        struct thread_set old = *at;
        *at = next;
        next = old;
    }
    if (good && strbuf_add(&a->out, text.data, text.size)) {
        a->status = WEIR_ERR_NOMEM;
        good = false;
    }
    if (!good) a->out.size = before;
    thread_set_free(&next);
    return good;
}

static bool write_byte(struct arrange *a, char byte, struct thread_set *at)
{
    return write_text(a, (struct json_text){&byte, 1}, at);
}

/* A member's key as it was written: it ends where the colon before the value begins. */
static struct json_text key_source(const struct json_value *member, const struct json_value *object)
{
    const char *end = member->source.data - 1;
    const char *start = object->source.data + 1;
    if (member->index) {
        const struct json_value *before = object->first;
        while (before->next != member) before = before->next;
        start = before->source.data + before->source.size;
    }
    while (*start != '"') start++;
    while (*end != '"') end--;
    return (struct json_text){start, (size_t)(end - start) + 1};
}

static bool write_value(struct arrange *a, const struct json_value *value, struct thread_set *at,
                        const struct rest *rest)
{
    struct rest inner = {.value = value, .first = true, .below = rest};
    if (value->kind == JSON_ARRAY) {
        inner.kind = REST_ITEMS;
        inner.value = value->first;
        return write_byte(a, '[', at) && go_on(a, at, &inner);
    }
    if (value->kind != JSON_OBJECT) return write_text(a, value->source, at) && go_on(a, at, rest);
    inner.kind = REST_MEMBERS;
    inner.written = arena_zero(&a->arena, (size_t)value->count + 1, 1);
    if (!inner.written) a->status = WEIR_ERR_NOMEM;
    return inner.written && write_byte(a, '{', at) && go_on(a, at, &inner);
}

static bool next_item(struct arrange *a, struct thread_set *at, const struct rest *rest)
{
    if (!rest->value) return write_byte(a, ']', at) && go_on(a, at, rest->below);
    struct rest after = *rest;
    after.value = rest->value->next;
    after.first = false;
    return (rest->first || write_byte(a, ',', at)) && write_value(a, rest->value, at, &after);
}

static bool try_member(struct arrange *a, const struct thread_set *at, const struct rest *rest,
                       const struct json_value *member)
{
    struct thread_set own = {0};
    struct rest after = *rest;
    size_t before = a->out.size;
    after.first = false;
    after.written = arena_copy(&a->arena, rest->written, rest->value->count);
    bool good = after.written && thread_set_copy(&own, at);
    if (!good) a->status = WEIR_ERR_NOMEM;
    if (good) {
        after.written[member->index] = 1;
        good = (rest->first || write_byte(a, ',', &own)) && write_text(a, key_source(member, rest->value), &own) &&
               write_byte(a, ':', &own) && write_value(a, member, &own, &after);
    }
    if (!good) a->out.size = before;
    thread_set_free(&own);
    return good;
}

static bool next_member(struct arrange *a, struct thread_set *at, const struct rest *rest)
{
    bool left = false;
    for (const struct json_value *m = rest->value->first; m && !a->status; m = m->next) {
        if (rest->written[m->index]) continue;
        left = true;
        if (try_member(a, at, rest, m)) return true;
    }
    return !left && write_byte(a, '}', at) && go_on(a, at, rest->below);
}

/* ---- what failed ---- */

/* FNV-1a over words. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 0x100000001b3;
    return hash;
}

static uint64_t state_hash(const struct thread_set *at, const struct rest *rest)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (uint32_t i = 0; i < at->count; i++) {
        hash = mix(hash, &at->threads[i].top, sizeof at->threads[i].top);
        for (const struct link *l = at->threads[i].below; l; l = l->below) hash = mix(hash, &l->frame, sizeof l->frame);
        hash = mix(hash, "|", 1);
    }
    for (const struct rest *r = rest; r; r = r->below) {
        hash = mix(hash, &r->value, sizeof r->value);
        if (r->kind == REST_MEMBERS) hash = mix(hash, r->written, r->value->count);
        hash = mix(hash, r->first ? "f" : "n", 1);
    }
    return hash | 1;
}

/* The slot of the hash, or the free one where it belongs. */
static uint64_t *failed_slot(const struct arrange *a, uint64_t hash)
{
    size_t i = hash % FAILED_SLOTS;
    while (a->failed[i] && a->failed[i] != hash) i = (i + 1) % FAILED_SLOTS;
    return &a->failed[i];
}

static bool has_failed(const struct arrange *a, uint64_t hash)
{
    return a->failed && *failed_slot(a, hash);
}

static void note_failed(struct arrange *a, uint64_t hash)
{
    if (!a->failed) a->failed = arena_zero(&a->arena, FAILED_SLOTS, sizeof *a->failed);
    if (a->failed)
        *failed_slot(a, hash) = hash;
    else
        a->status = WEIR_ERR_NOMEM;
}

/* What follows a finished value. `at` is the caller's and is left as it is. */
static bool go_on(struct arrange *a, const struct thread_set *at, const struct rest *rest)
{
    if (!rest) return machine_is_complete(at);
    if (a->status || a->machine.status || a->steps >= ARRANGE_STEPS_MAX || a->depth == ARRANGE_DEPTH_MAX) return false;
    uint64_t hash = rest->kind == REST_MEMBERS ? state_hash(at, rest) : 0;
    if (hash && has_failed(a, hash)) return false;
    a->steps++;
    a->depth++;
    struct thread_set own = {0};
    bool good = thread_set_copy(&own, at);
    if (!good) a->status = WEIR_ERR_NOMEM;
    if (good) good = rest->kind == REST_ITEMS ? next_item(a, &own, rest) : next_member(a, &own, rest);
    thread_set_free(&own);
    a->depth--;
    if (!good && hash) note_failed(a, hash);
    return good;
}

static bool write_plain(struct strbuf *out, const struct json_value *value)
{
    bool object = value->kind == JSON_OBJECT, good = true;
    if (!object && value->kind != JSON_ARRAY) return !strbuf_add(out, value->source.data, value->source.size);
    good = !strbuf_text(out, object ? "{" : "[");
    for (const struct json_value *child = value->first; child && good; child = child->next) {
        if (child->index) good = !strbuf_text(out, ",");
        struct json_text key = object ? key_source(child, value) : (struct json_text){"", 0};
        if (good && object) good = !strbuf_add(out, key.data, key.size) && !strbuf_text(out, ":");
        if (good) good = write_plain(out, child);
    }
    return good && !strbuf_text(out, object ? "}" : "]");
}

static enum weir_status arrange(struct arrange *a, const struct json_value *root, bool *found, struct weir_error *error)
{
    struct thread_set at = {0};
    *found = machine_start(&a->machine, &at) && write_value(a, root, &at, NULL);
    thread_set_free(&at);
    if (a->status) return error_nomem(error, "a value");
    if (*found) return WEIR_OK;
    a->out.size = 0;
    return write_plain(&a->out, root) ? WEIR_OK : error_nomem(error, "a value");
}

enum weir_status weir_constraint_arrange(struct weir_constraint *constraint, const char *json, size_t size, char **out,
                                         size_t *out_size, bool *found, struct weir_error *error)
{
    struct arrange a = {
        .machine = {.program = &constraint->program, .compact = true, .links = ARENA_MAX(MACHINE_LINK_BYTES_MAX)},
        .out = STRBUF_MAX(ARRANGE_BYTES_MAX)};
    struct json_value *root;
    enum weir_status status = json_read(&a.arena, "instance", json, size, &root, error);
    if (!status) status = arrange(&a, root, found, error);
    if (!status) {
        *out = a.out.data;
        *out_size = a.out.size;
    } else {
        strbuf_free(&a.out);
    }
    arena_free(&a.arena);
    arena_free(&a.machine.links);
    return status;
}
