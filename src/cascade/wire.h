/* The wire formats: one file each, one table entry each. Bodies go out, what was said comes back; nothing here knows of connections. */
#ifndef WEIR_CASCADE_WIRE_H
#define WEIR_CASCADE_WIRE_H

#include "cascade/form.h"

/* jansson builds requests, base/json.h reads replies (it keeps numbers as they were written); a file includes one of them. */
struct json_t;
struct json_value;
struct said;

enum wire_auth { WIRE_AUTH_BEARER, WIRE_AUTH_X_API_KEY };

/* What went before, when a reply of a wrong shape is asked for again. */
struct wire_repeat {
    const char *content, *error; /* as they came; the content may be empty */
};

struct wire {
    const char *base_url; /* where the provider itself is */
    const char *path;     /* after the base URL */
    const char *key_env;  /* the variable its own client reads */
    enum wire_auth auth;
    const char *header;   /* one more header; NULL: none */
    bool is_labels_only;  /* it knows no questions without labels */
    size_t questions_max; /* of a request, a label of a question with `multi` being one; 0: not limited */

    /* The body as JSON: a new reference, NULL without memory or for bytes that are not UTF-8. `user` is the user's turn. `repeat` NULL: the first time. */
    struct json_t *(*body)(const struct form *form, const char *system, const struct strbuf *user,
                           const struct wire_repeat *repeat);
    /* A whole body of status 200. */
    void (*read)(struct said *said, const struct form *form, const struct json_value *root);
    /* An event of a stream; NULL: this format does not stream. `root` is NULL when the data is no JSON. */
    void (*event)(struct said *said, const char *name, const char *data, size_t size, const struct json_value *root);
};

const struct wire *wire_of(enum weir_tier_kind kind); /* NULL for gguf */

/* The body of a request for `text`, as bytes. `repeat` NULL: the first time. */
enum weir_status wire_body(const struct form *form, const struct wire *wire, const char *text, size_t size,
                           const struct wire_repeat *repeat, struct strbuf *out,
                           struct weir_error *error) WEIR_MUST_USE;

extern const struct wire WIRE_OPENAI, WIRE_ANTHROPIC, WIRE_DECISIONS, WIRE_SYSTEMONE;

/* Shared by the formats that hold a conversation: the turns after the system's. A new reference, NULL without memory. */
struct json_t *wire_turns(const struct strbuf *user, const struct wire_repeat *repeat);

/* Sets object[key] = value, a new reference that is taken; false without memory. */
bool wire_set(struct json_t *object, const char *key, struct json_t *value);

/* What decisions and systemone ask about one label of a question with `multi`. */
struct json_t *wire_label_question(const struct weir_question *question, const struct weir_label *label);

/* The name of a question of systemone: the whole one, or one label of a question with `multi`. */
enum { WIRE_NAME_BYTES_MAX = FORM_MEMBER_BYTES_MAX + 24 };
const char *wire_name(const struct form *form, size_t index, size_t label, char name[WIRE_NAME_BYTES_MAX]);

void read_openai(struct said *said, const struct form *form, const struct json_value *root);
void read_openai_event(struct said *said, const char *name, const char *data, size_t size,
                       const struct json_value *root);
void read_anthropic(struct said *said, const struct form *form, const struct json_value *root);
void read_anthropic_event(struct said *said, const char *name, const char *data, size_t size,
                          const struct json_value *root);
void read_decisions(struct said *said, const struct form *form, const struct json_value *root);
void read_systemone(struct said *said, const struct form *form, const struct json_value *root);

/* Probabilities of `count` answers that should sum to 1, give or take rounding. */
bool wire_is_distribution(const double *p, size_t count);

#endif
