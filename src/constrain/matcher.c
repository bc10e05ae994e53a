/* One timeline: where the output stands in the program. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "constrain/constrain_internal.h"

static enum weir_status machine_error(const struct machine *m, struct weir_error *error)
{
    if (m->status == WEIR_ERR_NOMEM) return error_nomem(error, "a matcher");
    return error_set(error, m->status,
                     "the output is nested deeper than %d, or fits the schema in more than %d ways at once",
                     MACHINE_DEPTH_MAX, MACHINE_THREADS_MAX);
}

static struct weir_matcher *matcher_new(struct weir_constraint *constraint)
{
    struct weir_matcher *matcher = mem_zero(1, sizeof *matcher);
    if (!matcher) return NULL;
    matcher->constraint = constraint;
    matcher->machine = (struct machine){.program = &constraint->program,
                                        .compact = constraint->options.compact,
                                        .links = ARENA_MAX(MACHINE_LINK_BYTES_MAX)};
    return matcher;
}

enum weir_status weir_matcher_open(struct weir_constraint *constraint, struct weir_matcher **out,
                                   struct weir_error *error)
{
    struct weir_matcher *matcher = matcher_new(constraint);
    if (!matcher) return error_nomem(error, "a matcher");
    if (!machine_start(&matcher->machine, &matcher->threads)) {
        enum weir_status status = machine_error(&matcher->machine, error);
        weir_matcher_close(&matcher);
        return status;
    }
    *out = matcher;
    return WEIR_OK;
}

struct link_pair {
    const struct link *old, *fresh;
};

/* A chain of links in another arena. Links that two threads share stay shared: pairs[0..*n) are those already copied. */
static const struct link *copy_chain(struct arena *arena, const struct link *link, struct link_pair *pairs, size_t *n)
{
    struct link *first = NULL, **place = &first;
    struct link *last = NULL;
    for (; link; link = link->below) {
        for (size_t i = 0; i < *n; i++) {
            if (pairs[i].old != link) continue;
            if (!last) return pairs[i].fresh;
            last->below = pairs[i].fresh;
            return first;
        }
        struct link *fresh = arena_zero(arena, 1, sizeof *fresh);
        if (!fresh) return NULL;
        *fresh = *link;
        fresh->below = NULL;
        if (last)
            last->below = fresh;
        else
            *place = fresh;
        last = fresh;
        pairs[(*n)++] = (struct link_pair){link, fresh};
    }
    return first;
}

static bool copy_threads(struct weir_matcher *to, const struct weir_matcher *from)
{
    size_t most = 0, n = 0;
    for (uint32_t i = 0; i < from->threads.count; i++) {
        const struct link *below = from->threads.threads[i].below; /* NULL: at the end */
        most += below ? (size_t)below->depth + 1 : 0;
    }
    struct link_pair *pairs = mem_zero(most + 1, sizeof *pairs);
    bool good = pairs && thread_set_copy(&to->threads, &from->threads);
    for (uint32_t i = 0; good && i < to->threads.count; i++) {
        struct thread *t = &to->threads.threads[i];
        if (!t->below) continue;
        t->below = copy_chain(&to->machine.links, t->below, pairs, &n);
        good = t->below != NULL;
    }
    free(pairs);
    return good;
}

enum weir_status weir_matcher_copy(const struct weir_matcher *matcher, struct weir_matcher **out,
                                   struct weir_error *error)
{
    struct weir_matcher *copy = matcher_new(matcher->constraint);
    if (!copy || !copy_threads(copy, matcher)) {
        weir_matcher_close(&copy);
        return error_nomem(error, "a matcher");
    }
    copy->machine.status = matcher->machine.status;
    *out = copy;
    return WEIR_OK;
}

void weir_matcher_close(struct weir_matcher **matcher)
{
    if (!matcher || !*matcher) return;
    thread_set_free(&(*matcher)->threads);
    thread_set_free(&(*matcher)->next);
    mask_walk_free(&(*matcher)->walk);
    arena_free(&(*matcher)->machine.links);
    free((*matcher)->forced);
    free(*matcher);
    *matcher = NULL;
}

static void swap_sets(struct thread_set *a, struct thread_set *b)
{
    struct thread_set c = *a;
    *a = *b;
    *b = c;
}

enum weir_status weir_matcher_accept_bytes(struct weir_matcher *matcher, const char *bytes, size_t size,
                                           size_t *accepted, struct weir_error *error)
{
    struct thread_set before = {0};
    struct machine *m = &matcher->machine;
    if (accepted) *accepted = 0;
    if (m->status) return machine_error(m, error);
    if (size == 0) return WEIR_OK;
    if (!thread_set_copy(&before, &matcher->threads)) {
        thread_set_free(&before);
        return error_nomem(error, "a matcher");
    }
    size_t done = 0;
    while (done < size && !m->status) {
        machine_step(m, &matcher->threads, (uint8_t)bytes[done], &matcher->next);
        if (matcher->next.count == 0) break;
        swap_sets(&matcher->threads, &matcher->next);
        done++;
    }
    if (done < size) swap_sets(&matcher->threads, &before);
    thread_set_free(&before);
    if (m->status) return machine_error(m, error);
    if (accepted) *accepted = done;
    return WEIR_OK;
}

enum weir_status weir_matcher_accept(struct weir_matcher *matcher, int32_t token, struct weir_error *error)
{
    const struct weir_vocabulary *v = matcher->constraint->vocabulary;
    if (!v) return error_set(error, WEIR_ERR_INVALID, "the constraint was opened without a vocabulary");
    if (token == v->end && token >= 0)
        return weir_matcher_is_complete(matcher)
                   ? WEIR_OK
                   : error_set(error, WEIR_ERR_REFUSED, "the end, before the output is complete");
    struct json_text text = vocabulary_text(v, token);
    size_t done;
    if (text.size == 0) return error_set(error, WEIR_ERR_REFUSED, "token %d has no text", (int)token);
    enum weir_status status = weir_matcher_accept_bytes(matcher, text.data, text.size, &done, error);
    if (status || done == text.size) return status;
    return error_set(error, WEIR_ERR_REFUSED, "token %d is not allowed here, from its byte %zu on", (int)token, done);
}

bool weir_matcher_is_complete(const struct weir_matcher *matcher)
{
    return machine_is_complete(&matcher->threads);
}

enum weir_status weir_matcher_mask(struct weir_matcher *matcher, const uint32_t **mask, struct weir_error *error)
{
    struct weir_constraint *c = matcher->constraint;
    if (!c->vocabulary) return error_set(error, WEIR_ERR_INVALID, "the constraint was opened without a vocabulary");
    if (matcher->machine.status) return machine_error(&matcher->machine, error);
    enum weir_status status =
        mask_find(&matcher->walk, &c->cache, c->vocabulary, &matcher->machine, &matcher->threads, mask);
    if (status == WEIR_ERR_NOMEM) return error_nomem(error, "a mask");
    return status ? error_set(error, status, "an allowed token fits the schema in too many ways at once") : WEIR_OK;
}

/* The only byte that can come next; -1: none, or several. */
static int only_byte(struct weir_matcher *matcher, struct thread_set *from, struct thread_set *to)
{
    int found = -1;
    if (machine_is_complete(from)) return -1;
    for (int byte = 0; byte < 256; byte++) {
        machine_step(&matcher->machine, from, (uint8_t)byte, to);
        if (to->count == 0) continue;
        if (found >= 0) return -1;
        found = byte;
    }
    return found;
}

/* The only character that can come next in a string, as it is written without an escape: the other spellings of one character
 * are no choice. 0 bytes: not in a string, or a choice. */
static size_t only_character(const struct thread_set *at, char *bytes)
{
    uint32_t only = UINT32_MAX;
    for (uint32_t i = 0; i < at->count; i++) {
        uint32_t code = frame_in_text(&at->threads[i].top) ? frame_only_code(&at->threads[i].top) : UINT32_MAX;
        if (code == UINT32_MAX || (i && code != only)) return 0;
        only = code;
    }
    if (only == UINT32_MAX || only < 0x20 || only == '"' || only == '\\') return 0;
    return only >= 0xD800 && only < 0xE000 ? 0 : json_utf8(only, bytes);
}

static size_t look_ahead(struct weir_matcher *matcher, struct thread_set *at)
{
    size_t n = 0;
    while (n + 4 <= FORCED_BYTES_MAX && !matcher->machine.status) {
        size_t bytes = only_character(at, matcher->forced + n);
        if (!bytes) {
            int byte = only_byte(matcher, at, &matcher->next);
            if (byte < 0) break;
            matcher->forced[n] = (char)byte;
            bytes = 1;
        }
        for (; bytes; bytes--) {
            machine_step(&matcher->machine, at, (uint8_t)matcher->forced[n++], &matcher->next);
            swap_sets(at, &matcher->next);
        }
    }
    return n;
}

enum weir_status weir_matcher_forced(struct weir_matcher *matcher, struct weir_string *bytes, struct weir_error *error)
{
    struct machine *m = &matcher->machine;
    struct thread_set at = {0};
    if (m->status) return machine_error(m, error);
    if (!matcher->forced) matcher->forced = mem_zero(FORCED_BYTES_MAX, 1);
    if (!matcher->forced || !thread_set_copy(&at, &matcher->threads)) {
        thread_set_free(&at);
        return error_nomem(error, "a matcher");
    }
    struct arena_mark mark = arena_mark(&m->links);
    *bytes = (struct weir_string){matcher->forced, look_ahead(matcher, &at)};
    thread_set_free(&at);
    arena_wind_back(&m->links, mark);
    if (!m->status) return WEIR_OK;
    enum weir_status status = machine_error(m, error);
    m->status = WEIR_OK; /* looking ahead has failed, not the output */
    return status;
}
