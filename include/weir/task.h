/* The task file: what to ask about each text, who may answer, and under which gate, budget and privacy policy.
 *
 * Order: weir_task_open (a file) or weir_task_open_memory (its text), any number of look-ups, weir_task_close. A task is
 * immutable after open and may be read by many threads. Everything a getter returns points into the task and lives until
 * close; texts end in NUL, are valid UTF-8 and are never NULL unless a field says so.
 * The file is YAML, not trusted: every problem is an error that names file, line and column. All keys, with their
 * defaults: docs/task.md. */
#ifndef WEIR_TASK_H
#define WEIR_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits: a file beyond one of them is refused with WEIR_ERR_LIMIT. */
enum {
    WEIR_TASK_FILE_BYTES_MAX = 1 << 20,
    WEIR_TASK_NODES_MAX = 20000, /* scalars, lists and mappings of the YAML text */
    WEIR_TASK_DEPTH_MAX = 8,
    WEIR_TASK_TEXT_BYTES_MAX = 1 << 16, /* one text: instructions, a description */
    WEIR_TASK_NAME_BYTES_MAX = 128,     /* a name: of a task, question, label, tier, level */
    WEIR_TASK_QUESTIONS_MAX = 32,
    WEIR_TASK_LABELS_MIN = 2,
    WEIR_TASK_LABELS_MAX = 255,
    WEIR_TASK_LEVELS_MAX = 10,
    WEIR_TASK_TIERS_MAX = 8,
    WEIR_TASK_CONCURRENCY_MAX = 1024
};

enum weir_question_type {
    WEIR_QUESTION_CHOICE,    /* one of the labels, or with `multi` each label on its own */
    WEIR_QUESTION_SCORE,     /* one of 2..10 ordered levels */
    WEIR_QUESTION_YESNO,     /* the labels are "yes" and "no" */
    WEIR_QUESTION_ROUTE,     /* a choice whose labels carry a destination */
    WEIR_QUESTION_EXTRACT,   /* fields of a JSON Schema; no labels */
    WEIR_QUESTION_SUMMARIZE, /* no labels */
    WEIR_QUESTION_GENERATE   /* no labels */
};

/* How a zero-shot answer is read from the model. */
enum weir_scoring {
    WEIR_SCORING_AUTO,  /* names, or codes where the names take too many tokens */
    WEIR_SCORING_CODES, /* a short code before each label (A, B, C ...) */
    WEIR_SCORING_NAMES  /* the tokens of the label's own name */
};

enum weir_too_long { WEIR_TOO_LONG_ERROR, WEIR_TOO_LONG_MAP_REDUCE };

/* One possible answer. A level of a `score` question is a label too. */
struct weir_label {
    const char *name;
    const char *description; /* "" when the file gives none */
    const char *to;          /* destination of a `route` label; "" otherwise */
    double value;            /* of a `score` level: its number, or 1, 2, ... when levels are words; 0 otherwise */
};

struct weir_question {
    const char *name; /* a question at the top level bears the task's name */
    enum weir_question_type type;
    const char *instructions; /* the task's, then the question's own, a line feed between them */
    size_t n_labels;          /* 0 for extract, summarize and generate; includes none_of_these */
    const struct weir_label *labels;
    bool none_of_these; /* the last label is "none_of_these" */
    bool multi;         /* labels are independent of each other */
    enum weir_scoring scoring;
    uint32_t
        rotations; /* zero-shot: orders of the labels that an answer is averaged over, 1..n_labels; 0 without labels */
    const char *schema;          /* extract: path of the JSON Schema as written (see weir_task_folder); "" otherwise */
    bool lenient;                /* extract: what the schema says and cannot be enforced is noted instead of refused */
    uint32_t max_tokens;         /* extract, summarize, generate: longest answer; 0 otherwise */
    enum weir_too_long too_long; /* summarize: what to do with a text beyond the context */
    const char *
        template_text; /* summarize, generate: the user's turn in Jinja, of `text` and `instructions`; "": the usual one */
};

enum weir_tier_kind { WEIR_TIER_GGUF, WEIR_TIER_OPENAI, WEIR_TIER_ANTHROPIC, WEIR_TIER_DECISIONS, WEIR_TIER_SYSTEMONE };

/* Micro-dollars per million tokens, so that $0.042 is 42000: whole numbers from file to bill. */
struct weir_price_rates {
    int64_t input;
    int64_t cached;      /* input that the provider reads from its cache */
    int64_t cache_write; /* input that it also writes there */
    int64_t output;
};

struct weir_price {
    struct weir_price_rates rates;
    uint32_t long_above_tokens;         /* more tokens of input than this are billed, with all the rest, at ... */
    struct weir_price_rates long_rates; /* ... these rates; 0: there are no such */
};

/* Where a tier's key is. */
enum weir_key_source {
    WEIR_KEY_DEFAULT,   /* the environment variable that the provider's own client reads; none on a loopback address */
    WEIR_KEY_ENV,       /* an environment variable */
    WEIR_KEY_FILE,      /* a file that only its owner may read */
    WEIR_KEY_CREDENTIAL /* a file of that name in $CREDENTIALS_DIRECTORY (systemd) */
};

/* The fields from `url` on are of tiers asked over HTTP and keep their defaults for gguf. */
struct weir_tier_spec {
    const char *name;
    enum weir_tier_kind kind;
    const char *model;   /* a path or a model's name, as written */
    const char *profile; /* gguf: path of the profile as written; "" when there is none */
    uint32_t timeout_ms; /* of a request, all its attempts together */
    uint32_t concurrency;
    const char *url; /* what the provider's own client calls its base URL; "" for the provider's own */
    enum weir_key_source key_source;
    const char *key_name; /* of the variable, file (as written) or credential; "" for WEIR_KEY_DEFAULT */
    bool has_price;
    struct weir_price price;
    uint32_t requests_per_minute; /* 0: not limited here */
    uint32_t tokens_per_minute;   /* 0: not limited here */
    uint32_t max_tokens;          /* of an answer */
    bool stream;
    bool logprobs; /* openai: ask for log-probabilities as confidence */
    const char
        *effort; /* openai, anthropic: how much to reason, in the provider's words; "" to leave it to the provider */
};

enum weir_gate_accept {
    WEIR_ACCEPT_CERTIFIED, /* at or above the threshold that the profile's certificate gives */
    WEIR_ACCEPT_ALL,
    WEIR_ACCEPT_CHEAPEST, /* where the expected cost of an error is at most that of asking the next tier */
    WEIR_ACCEPT_THRESHOLD /* at or above `threshold`, or the label's own */
};

/* What to do with a row whose next tier cannot be reached. */
enum weir_when_down { WEIR_DOWN_NEXT_TIER, WEIR_DOWN_ABSTAIN, WEIR_DOWN_QUEUE };

/* A number that belongs to a label; one of the two fields is used. */
struct weir_label_number {
    const char *label;
    double probability; /* 0..1 */
    int64_t usd_e6;     /* micro-dollars */
};

struct weir_gate {
    enum weir_gate_accept accept;
    double threshold; /* WEIR_ACCEPT_THRESHOLD: 0..1, for labels without one of their own */
    size_t n_thresholds;
    const struct weir_label_number *thresholds;
    double max_error;  /* above 0, below 1 */
    double confidence; /* above 0, below 1 */
    bool per_class;
    size_t n_never_escalate, n_always_escalate;
    const char *const *never_escalate; /* label names, each of some question of the task */
    const char *const *always_escalate;
    int64_t error_cost_usd_e6; /* WEIR_ACCEPT_CHEAPEST: of answering a label wrongly that has no cost of its own */
    size_t n_error_costs;
    const struct weir_label_number *error_costs;
    double escalated_error; /* 0..1: how often the next tier is expected to be wrong */
    double check_share;     /* 0..1 */
    uint32_t max_local_tokens;
    const char *route; /* name of the route question whose labels may send a row straight to a tier; "" for none */
    enum weir_when_down when_down;
};

enum weir_when_exhausted { WEIR_EXHAUSTED_ABSTAIN, WEIR_EXHAUSTED_QUEUE };

struct weir_budget {
    int64_t usd_e6_per_day; /* micro-dollars */
    int64_t usd_e6_per_run;
    int64_t usd_e6_per_task; /* over all runs of this task's file; INT64_MAX for no such limit */
    enum weir_when_exhausted when_exhausted;
};

enum weir_egress { WEIR_EGRESS_NEVER, WEIR_EGRESS_REDACTED, WEIR_EGRESS_ALLOW };

enum weir_redact { /* bits of weir_privacy.redact */
                   WEIR_REDACT_EMAIL = 1,
                   WEIR_REDACT_PHONE = 2,
                   WEIR_REDACT_CARD = 4,
                   WEIR_REDACT_IBAN = 8,
                   WEIR_REDACT_IP = 16,
                   WEIR_REDACT_URL_CREDENTIALS = 32,
                   WEIR_REDACT_ALL = 63
};

struct weir_privacy {
    enum weir_egress egress;
    unsigned redact; /* enum weir_redact bits */
    bool store_bodies;
};

struct weir_task;

/* Reads and checks the file; `path` "-" is standard input. */
WEIR_API enum weir_status weir_task_open(const char *path, struct weir_task **out,
                                         struct weir_error *error) WEIR_MUST_USE;

/* The same from `size` bytes in memory, which are copied; `name` stands for the file in errors and in weir_task_path. */
WEIR_API enum weir_status weir_task_open_memory(const char *text, size_t size, const char *name, struct weir_task **out,
                                                struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_task_close(struct weir_task **task); /* accepts NULL and a NULL task */

WEIR_API const char *weir_task_name(const struct weir_task *task);
WEIR_API const char *
weir_task_hash(const struct weir_task *task); /* SHA-256 of the file's bytes, 64 hexadecimal digits */
WEIR_API const char *weir_task_path(const struct weir_task *task);
/* The folder that relative paths inside the task start from: the file's, ending in '/', or "" for the current one. */
WEIR_API const char *weir_task_folder(const struct weir_task *task);

WEIR_API size_t weir_task_question_count(const struct weir_task *task);                              /* at least 1 */
WEIR_API const struct weir_question *weir_task_question(const struct weir_task *task, size_t index); /* NULL beyond */
WEIR_API size_t weir_task_tier_count(const struct weir_task *task); /* 0: the file names no tiers */
WEIR_API const struct weir_tier_spec *weir_task_tier(const struct weir_task *task, size_t index); /* NULL beyond */
WEIR_API const struct weir_gate *weir_task_gate(const struct weir_task *task);
WEIR_API const struct weir_budget *weir_task_budget(const struct weir_task *task);
WEIR_API const struct weir_privacy *weir_task_privacy(const struct weir_task *task);

/* The name of a question type as the file and the answers spell it ("choice"). */
WEIR_API const char *weir_question_type_name(enum weir_question_type type);

#ifdef __cplusplus
}
#endif
#endif
