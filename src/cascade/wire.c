#include "cascade/wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"

enum { REPEATED_BYTES_MAX = 4096 };

const struct wire *wire_of(enum weir_tier_kind kind)
{
    switch (kind) {
    case WEIR_TIER_OPENAI:
        return &WIRE_OPENAI;
    case WEIR_TIER_ANTHROPIC:
        return &WIRE_ANTHROPIC;
    case WEIR_TIER_DECISIONS:
        return &WIRE_DECISIONS;
    case WEIR_TIER_SYSTEMONE:
        return &WIRE_SYSTEMONE;
    case WEIR_TIER_GGUF:
        break;
    }
    return NULL;
}

const char *wire_name(const struct form *form, size_t index, size_t label, char name[WIRE_NAME_BYTES_MAX])
{
    char member[FORM_MEMBER_BYTES_MAX + 1];
    form_member(form, index, member);
    if (form_question(form, index)->multi)
        (void)snprintf(name, WIRE_NAME_BYTES_MAX, "%s/%zu", member, label + 1);
    else
        (void)snprintf(name, WIRE_NAME_BYTES_MAX, "%s", member);
    return name;
}

bool wire_set(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value); /* takes `value` also when it fails; NULL is a failure */
}

static bool add_turn(json_t *turns, const char *role, const char *text, size_t size)
{
    return !json_array_append_new(turns, json_pack("{s:s, s:s%}", "role", role, "content", text, size));
}

/* At most REPEATED_BYTES_MAX bytes, cut between characters. */
static size_t cut_size(const char *text)
{
    size_t size = strlen(text);
    if (size <= REPEATED_BYTES_MAX) return size;
    size = REPEATED_BYTES_MAX;
    while (size && ((unsigned char)text[size] & 0xc0) == 0x80) size--;
    return size;
}

static bool add_repeat(json_t *turns, const struct wire_repeat *repeat)
{
    if (*repeat->content && !add_turn(turns, "assistant", repeat->content, cut_size(repeat->content))) return false;
    json_t *text =
        json_sprintf("That reply does not fit: %s. Reply again as asked, and with nothing else.", repeat->error);
    bool good = text && add_turn(turns, "user", json_string_value(text), json_string_length(text));
    json_decref(text);
    return good;
}

json_t *wire_turns(const struct strbuf *user, const struct wire_repeat *repeat)
{
    json_t *turns = json_array();
    if (turns && add_turn(turns, "user", user->data, user->size) && (!repeat || add_repeat(turns, repeat)))
        return turns;
    json_decref(turns);
    return NULL;
}

json_t *wire_label_question(const struct weir_question *question, const struct weir_label *label)
{
    return json_sprintf("%s\nDoes \"%s\" apply?%s%s", question->instructions, label->name,
                        *label->description ? " " : "", label->description);
}

bool wire_is_distribution(const double *p, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(p[i] >= 0 && p[i] <= 1)) return false;
        sum += p[i];
    }
    return fabs(sum - 1) <= 0.02;
}

static int add_bytes(const char *bytes, size_t size, void *buffer)
{
    return strbuf_add(buffer, bytes, size) ? -1 : 0;
}

enum weir_status wire_body(const struct form *form, const struct wire *wire, const char *text, size_t size,
                           const struct wire_repeat *repeat, struct strbuf *out, struct weir_error *error)
{
    struct strbuf system = STRBUF_MAX(FORM_BODY_BYTES_MAX), user = STRBUF_MAX(FORM_BODY_BYTES_MAX);
    json_t *body = NULL;
    enum weir_status status = form_system(form, &system, error);
    if (!status) status = form_user(form, text, size, &user, error);
    if (!status) {
        body = wire->body(form, system.data ? system.data : "", &user, repeat);
        if (!body)
            status = error_set(error, WEIR_ERR_INVALID, "tier %s: the text is not UTF-8 (or there is no memory)",
                               form->tier->name);
        else if (json_dump_callback(body, add_bytes, out, JSON_COMPACT))
            status = error_nomem(error, "request");
    }
    json_decref(body);
    strbuf_free(&system);
    strbuf_free(&user);
    return status;
}
