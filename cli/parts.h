/* What classify and tune work with: a task, the model that its local tier names, and a profile. */
#ifndef WEIR_CLI_PARTS_H
#define WEIR_CLI_PARTS_H

#include <stdbool.h>

#include "weir/engine.h"
#include "weir/input.h"
#include "weir/profile.h"
#include "weir/task.h"

struct parts {
    struct weir_task *task;
    struct weir_engine *engine;
    struct weir_profile *profile; /* NULL: zero-shot */
    char *profile_path;           /* of `profile`, owned; NULL without one */
    const char *tier;             /* name of the task's first gguf tier; "local" when it has none */
};

struct parts_request {
    const char *task;                  /* path */
    const char *model;                 /* path or name; NULL: the tier's */
    const char *profile;               /* path; NULL: the tier's, if it names one */
    bool no_profile;                   /* leave profiles alone */
    bool no_engine;                    /* open the task alone */
    struct weir_engine_options engine; /* start from weir_engine_options_default */
};

/* Complains; returns enum cli_exit. parts_close accepts what is left after a failure. */
int parts_open(struct parts *parts, const struct parts_request *request);
void parts_close(struct parts *parts);

/* Index of the question of that name (NULL: the first) into *index. Complains about one that the task does not have. */
int parts_question(const struct parts *parts, const char *name, size_t *index);

/* Index of the question of that name among the profile's tuned ones, or -1. */
int parts_profile_question(const struct weir_profile *profile, const char *name);

/* Index of the label of that name, or -1. */
int32_t parts_label(const struct weir_question *question, struct weir_string name);

/* What a labelled row says about a question: the label's index, with `multi` 0 and the labels that apply as 1 in set [n_labels] (else not
 * touched, may be NULL). -1: *problem says which label the question does not have; it is never empty. */
struct label_problem {
    char text[160];
};
int32_t parts_row_label(const struct weir_question *question, const struct weir_row *row, uint8_t *set,
                        struct label_problem *problem);

#endif
