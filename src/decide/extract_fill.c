#include "decide/extract_fill.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/resume.h"

enum {
    JSON_BYTES_MAX = 64 << 20,
    LEAD_BYTES_MAX = 64 << 10, /* forced at once; the rest is forced behind it */
    STEPS_FIRST = 64
};

/* ---- two texts: what the model sees, what the value is ---- */

static enum weir_status say(struct extract_fill *f, const char *bytes, size_t size, struct weir_error *error)
{
    return size && strbuf_add(&f->lead, bytes, size) ? error_nomem(error, "an answer") : WEIR_OK;
}

/* Appends to the value what can stand there; *fits false: it cannot, and nothing changed. */
static enum weir_status try_write(struct extract_fill *f, const char *bytes, size_t size, bool *fits,
                                  struct weir_error *error)
{
    size_t done = 0;
    enum weir_status status = weir_matcher_accept_bytes(f->matcher, bytes, size, &done, error);
    if (status) return status;
    *fits = done == size;
    if (*fits && strbuf_add(&f->json, bytes, size)) return error_nomem(error, "an answer");
    return WEIR_OK;
}

static enum weir_status write_bytes(struct extract_fill *f, const char *bytes, size_t size, struct weir_error *error)
{
    bool fits = true;
    enum weir_status status = size ? try_write(f, bytes, size, &fits, error) : WEIR_OK;
    if (status || fits) return status;
    return error_set(error, WEIR_ERR_INVALID, "the schema allows a token, but not its bytes");
}

/* Appends what must come next whatever the model says, up to the end of the value that is scanned. */
static enum weir_status force(struct extract_fill *f, struct weir_error *error)
{
    while (f->scan.state != JSON_SCAN_DONE && f->lead.size < LEAD_BYTES_MAX) {
        struct weir_string forced;
        enum weir_status status = weir_matcher_forced(f->matcher, &forced, error);
        if (status || !forced.size) return status;
        size_t n = json_scan(&f->scan, forced.data, forced.size);
        status = say(f, forced.data, n, error); /* before the matcher moves on: the bytes are its own */
        if (!status) status = write_bytes(f, f->lead.data + f->lead.size - n, n, error);
        if (status) return status;
    }
    return WEIR_OK;
}

/* What is to be said, as tokens. */
static enum weir_status flush(struct extract_fill *f, struct weir_error *error)
{
    const struct extract_form *form = f->form;
    struct resume_point here = {.continues = f->written || f->pending.count || form->continues_text};
    struct weir_text_piece piece = {f->lead.data, f->lead.size, false};
    enum weir_status status = WEIR_OK;
    if (piece.size) status = resume_point_tokenize(form->tokens->tokenizer, &here, &piece, 1, &f->pending, error);
    strbuf_clear(&f->lead);
    if (status) return status;
    f->written += f->pending.count;
    if (f->written <= form->max_tokens) return WEIR_OK;
    bool in_field = f->stage == EXTRACT_FIELDS && f->field < form->plan->n_fields;
    struct weir_string name = in_field ? form->plan->fields[f->field].name : (struct weir_string){"", 0};
    return error_set(error, WEIR_ERR_LIMIT, "the answer does not end within %u tokens (`max_tokens`)%s%.*s%s",
                     form->max_tokens, in_field ? "; it stands in field `" : "", (int)(name.size < 60 ? name.size : 60),
                     name.data, in_field ? "`" : "");
}

/* ---- fields ---- */

static enum weir_status accepts(const struct weir_matcher *matcher, const char *bytes, size_t size, bool *yes,
                                struct weir_error *error)
{
    struct weir_matcher *copy = NULL;
    size_t done = 0;
    enum weir_status status = weir_matcher_copy(matcher, &copy, error);
    if (!status) status = weir_matcher_accept_bytes(copy, bytes, size, &done, error);
    weir_matcher_close(&copy);
    if (!status) *yes = done == size;
    return status;
}

/* Whether another member than the field can come next; names come in the schema's order, so then the field is left out. */
static enum weir_status can_go_on(const struct extract_fill *f, bool *yes, struct weir_error *error)
{
    struct weir_string key = f->form->plan->fields[f->field].key, forced = {NULL, 0};
    const char *start = f->before_size > 1 ? ",\"" : "\"";
    struct weir_matcher *copy = NULL;
    size_t done = 0;
    enum weir_status status = weir_matcher_copy(f->before, &copy, error);
    if (!status) status = weir_matcher_accept_bytes(copy, start, strlen(start), &done, error);
    if (!status && done == strlen(start)) status = weir_matcher_forced(copy, &forced, error);
    if (!status && done == strlen(start)) {
        size_t same = 0;
        while (same < forced.size && same + 1 < key.size && forced.data[same] == key.data[same + 1]) same++;
        *yes = same + 1 < key.size;
    }
    weir_matcher_close(&copy);
    return status;
}

/* Whether the value can go on from `before` without the field: with another member, or its end. */
static enum weir_status can_leave_out(const struct extract_fill *f, bool *yes, struct weir_error *error)
{
    enum weir_status status = accepts(f->before, "}", 1, yes, error);
    return status || *yes ? status : can_go_on(f, yes, error);
}

/* Keeps `before` only where null means to leave the field out. */
static enum weir_status settle_null(struct extract_fill *f, struct weir_error *error)
{
    bool is_null = false, is_optional = false;
    enum weir_status status = accepts(f->matcher, "null", 4, &is_null, error);
    if (!status && !is_null) status = can_leave_out(f, &is_optional, error);
    if (status || is_null || !is_optional) weir_matcher_close(&f->before);
    return status;
}

/* Writes the field's key. *opened false: the schema does not let it stand here, and nothing changed. */
static enum weir_status open_field(struct extract_fill *f, bool *opened, struct weir_error *error)
{
    struct weir_string key = f->form->plan->fields[f->field].key;
    f->before_size = f->json.size;
    enum weir_status status = weir_matcher_copy(f->matcher, &f->before, error);
    *opened = true;
    if (!status && f->json.size > 1) status = try_write(f, ",", 1, opened, error);
    if (!status && *opened) status = try_write(f, key.data, key.size, opened, error);
    if (status) return status;
    if (!*opened) {
        weir_matcher_close(&f->matcher);
        f->matcher = f->before;
        f->before = NULL;
        f->json.size = f->before_size;
        return WEIR_OK;
    }
    if (f->has_members) status = say(f, ",", 1, error);
    if (!status) status = say(f, key.data, key.size, error);
    f->has_members = true;
    f->scan = (struct json_scan){.state = JSON_SCAN_START};
    f->filled[f->field].begin = f->json.size;
    return status ? status : settle_null(f, error);
}

/* Members that the schema wants beside the fields: the whole object is scanned from here on. */
static enum weir_status begin_rest(struct extract_fill *f, struct weir_error *error)
{
    f->stage = EXTRACT_REST;
    f->scan = (struct json_scan){.state = JSON_SCAN_INSIDE, .depth = 1};
    enum weir_status status = f->has_members && f->json.size == 1 ? say(f, ",", 1, error) : WEIR_OK;
    if (!status) status = force(f, error);
    f->is_done = f->scan.state == JSON_SCAN_DONE;
    return status;
}

/* On to the next value that the model has a say in, or to the end. */
static enum weir_status next_field(struct extract_fill *f, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (; !status && f->field < f->form->plan->n_fields; f->field++) {
        bool opened = false;
        status = open_field(f, &opened, error);
        if (!status && opened && !f->before) status = force(f, error);
        if (!status && opened && f->scan.state != JSON_SCAN_DONE) return WEIR_OK;
        if (opened) f->filled[f->field].size = f->json.size - f->filled[f->field].begin;
    }
    if (!status) status = try_write(f, "}", 1, &f->is_done, error);
    return status || f->is_done ? status : begin_rest(f, error);
}

/* The model said null to a field that may be left out. */
static enum weir_status leave_out(struct extract_fill *f, struct weir_error *error)
{
    weir_matcher_close(&f->matcher);
    f->matcher = f->before;
    f->before = NULL;
    f->json.size = f->before_size;
    f->filled[f->field++].size = 0;
    enum weir_status status = say(f, "null", 4, error);
    return status ? status : next_field(f, error);
}

static enum weir_status end_value(struct extract_fill *f, struct weir_error *error)
{
    if (f->stage == EXTRACT_REST) {
        f->is_done = true;
        return WEIR_OK;
    }
    f->filled[f->field].size = f->json.size - f->filled[f->field].begin;
    f->field++;
    return next_field(f, error);
}

/* ---- choices ---- */

static enum weir_status note_step(struct extract_fill *f, const struct extract_choice *choice, struct weir_error *error)
{
    f->log_probability += choice->log_probability;
    if (f->stage == EXTRACT_FIELDS) {
        f->filled[f->field].log_probability += choice->log_probability;
        return WEIR_OK;
    }
    if (f->n_steps == f->steps_room) {
        size_t room = f->steps_room ? 2 * f->steps_room : STEPS_FIRST;
        struct extract_step *steps = mem_resize(f->steps, room, sizeof *steps);
        if (!steps) return error_nomem(error, "an answer");
        f->steps = steps;
        f->steps_room = room;
    }
    f->steps[f->n_steps++] =
        (struct extract_step){f->json.size, f->json.size + choice->bytes.size, choice->log_probability};
    return WEIR_OK;
}

static enum weir_status take(struct extract_fill *f, const struct extract_choice *choice, struct weir_error *error)
{
    enum weir_status status = note_step(f, choice, error);
    if (status) return status;
    if (f->before && choice->is_end && choice->bytes.size && choice->bytes.data[0] == 'n') return leave_out(f, error);
    weir_matcher_close(&f->before);
    status = write_bytes(f, choice->bytes.data, choice->bytes.size, error);
    if (status) return status;
    if (choice->token >= 0)
        status = tokens_append(&f->pending, &choice->token, 1, error);
    else
        status = say(f, choice->bytes.data, choice->bytes.size, error);
    if (choice->is_end) return status ? status : end_value(f, error);
    (void)json_scan(&f->scan, choice->bytes.data, choice->bytes.size);
    if (!status) status = force(f, error);
    return status || f->scan.state != JSON_SCAN_DONE ? status : end_value(f, error);
}

static enum weir_status choose(struct extract_fill *f, float *logits, struct weir_error *error)
{
    struct extract_place place = {.scan = f->scan, .or_null = f->before != NULL};
    struct extract_choice choice;
    enum weir_status status = weir_matcher_mask(f->matcher, &place.mask, error);
    if (!status) status = extract_choose(f->form->engine, f->form->tokens, &place, logits, &f->scratch, &choice, error);
    f->pending.count = 0;
    if (!status) status = take(f, &choice, error);
    return status || f->is_done ? status : flush(f, error);
}

void extract_fill_choose(struct extract_fill *f, float *logits)
{
    f->status = choose(f, logits, &f->error);
}

/* ---- open and close ---- */

static enum weir_status begin(struct extract_fill *f, struct weir_error *error)
{
    const struct extract_plan *plan = f->form->plan;
    bool is_object = false;
    enum weir_status status = say(f, f->form->lead, strlen(f->form->lead), error);
    if (!status && plan->n_fields) status = try_write(f, "{", 1, &is_object, error);
    if (status) return status;
    if (!is_object) {
        f->stage = EXTRACT_REST;
        status = force(f, error);
        f->is_done = f->scan.state == JSON_SCAN_DONE;
        return status;
    }
    status = say(f, "{", 1, error);
    return status ? status : next_field(f, error);
}

enum weir_status extract_fill_open(const struct extract_form *form, struct extract_fill *out, struct weir_error *error)
{
    *out = (struct extract_fill){.form = form,
                                 .json = STRBUF_MAX(JSON_BYTES_MAX),
                                 .lead = STRBUF_MAX(JSON_BYTES_MAX),
                                 .filled = mem_zero(form->plan->n_fields, sizeof *out->filled)};
    if (!out->filled) return error_nomem(error, "an answer");
    enum weir_status status = weir_matcher_open(form->plan->constraint, &out->matcher, error);
    if (!status) status = begin(out, error);
    return status || out->is_done ? status : flush(out, error);
}

void extract_fill_close(struct extract_fill *f)
{
    weir_matcher_close(&f->matcher);
    weir_matcher_close(&f->before);
    weir_tokens_free(&f->pending);
    strbuf_free(&f->json);
    strbuf_free(&f->lead);
    extract_scratch_free(&f->scratch);
    free(f->filled);
    free(f->steps);
    *f = (struct extract_fill){.form = NULL};
}
