/* What a reply says: its content, its usage, its answers; filled by the reader of each wire format, then checked against the form.
 *
 * It begins zeroed but for its limits (said_init) and ends in said_free, which the answers do not outlive. While a
 * stream comes it grows; `is_whole` says that the provider ended the message. */
#ifndef WEIR_CASCADE_SAID_H
#define WEIR_CASCADE_SAID_H

#include "base/arena.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cascade/form.h"
#include "weir/provider.h"

enum { SAID_TEXT_MAX = 256, SAID_MEMORY_MAX = 256 << 20 };

/* A piece of the content and its log-probability. */
struct said_token {
    size_t end; /* of the content, after this piece */
    double logprob;
};

struct said {
    enum weir_outcome outcome; /* ANSWERED until something else is found */
    char text[SAID_TEXT_MAX];  /* why not */
    bool is_whole;
    struct strbuf content; /* openai, anthropic: what the model wrote */
    struct strbuf tokens;  /* of struct said_token; the pieces' bytes are those of the content */
    bool has_token_gap;    /* pieces and content differ: the log-probabilities say nothing */
    struct strbuf refusal;
    struct weir_usage usage;
    struct arena arena;                   /* answers and parsed JSON */
    struct weir_provider_answer *answers; /* [form->n_questions] once answered */
};

void said_init(struct said *said);
void said_free(struct said *said);

/* The first failure stands. `text` may hold bytes of a stranger: control characters are replaced. */
void said_fail(struct said *said, enum weir_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A count of tokens: a whole number below 2^53; false: absent (0) when `is_optional`, else nonsense. */
bool said_count(const struct json_value *object, const char *key, bool is_optional, int64_t *out);
/* A finite number. */
bool said_number(const struct json_value *value, double *out);

/* The strings of a provider's error: {"error": {"type", "code", "message"}} or {"detail": ...}. "" when it has none. */
struct said_error {
    struct json_text kind, message;
};
struct said_error said_error_of(const struct json_value *root);

/* Turns the content into answers, or fails with WRONG_SHAPE and what is wrong. */
void said_finish(struct said *said, const struct form *form);

/* For formats that answer with probabilities. NULL without memory (outcome set). */
struct weir_provider_answer *said_begin_answers(struct said *said, const struct form *form);
double *said_probabilities(struct said *said, const struct weir_question *question);

/* One labelled answer: the label with the highest of the probabilities, which live in `said`. */
void said_set_distribution(struct weir_provider_answer *answer, const struct weir_question *question, const double *p);

#endif
