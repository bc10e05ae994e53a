/* One answer of an extraction in the making. The matcher holds what the schema says about the value so far; the model sees the same text,
 * with one difference: a field that may be left out and is not null by its schema can be answered `null`; the model then sees "name":null,
 * and the value goes on as if the field had never been begun. So the value is valid under the schema as it stands, to the last keyword.
 *
 *   fields:   { --key--> value ... value --key--> ... } done        keys, and whatever else is forced, are appended without asking the model
 *   no fields, or members that the schema wants beside its fields: the value is written under the mask until it ends
 *
 *   open --> pending ids to evaluate --> choose with the logits behind them --> pending ids ... --> is_done */
#ifndef WEIR_DECIDE_EXTRACT_FILL_H
#define WEIR_DECIDE_EXTRACT_FILL_H

#include "base/strbuf.h"
#include "decide/extract_choose.h"
#include "decide/extract_plan.h"

/* What the answers to one question share. */
struct extract_form {
    struct weir_engine *engine;
    const struct extract_tokens *tokens;
    const struct extract_plan *plan;
    const char *lead;    /* what stands before the value */
    bool continues_text; /* the prompt ends in plain text, not in a special token */
    uint32_t max_tokens;
};

struct extract_filled {
    size_t begin, size; /* of the value in `json`; size 0: left out, which is null */
    double log_probability;
};

/* Bytes of `json` that one choice wrote. */
struct extract_step {
    size_t begin, end;
    double log_probability;
};

enum extract_stage { EXTRACT_FIELDS, EXTRACT_REST };

struct extract_fill {
    const struct extract_form *form; /* not owned */
    struct strbuf json;              /* the value so far; valid when done */
    struct weir_tokens pending;      /* what the model has still to see; owned */
    size_t written;                  /* tokens that it was given after the prompt */
    bool is_done;
    double log_probability;        /* of all choices */
    struct extract_filled *filled; /* [n_fields of the plan], owned */
    struct extract_step *steps;    /* [n_steps] choices without fields, owned */
    size_t n_steps;

    enum weir_status status; /* of the last choice */
    struct weir_error error;

    /* private */
    enum extract_stage stage;
    size_t field;                          /* the one being filled */
    struct weir_matcher *matcher, *before; /* owned; `before` the field's key, while it can be left out */
    size_t before_size;                    /* of json */
    bool has_members;                      /* the model has seen one */
    struct json_scan scan;                 /* of the field's value, or of the whole */
    struct strbuf lead;                    /* bytes that follow, not yet tokens */
    struct extract_scratch scratch;
    size_t steps_room;
};

enum weir_status extract_fill_open(const struct extract_form *form, struct extract_fill *out,
                                   struct weir_error *error) WEIR_MUST_USE;
void extract_fill_close(struct extract_fill *fill); /* accepts a zeroed one */

/* Chooses by the logits ([n_vocab], changed) behind all pending ids, and sets `pending` anew, or is_done. Sets `status`: WEIR_ERR_LIMIT when
 * the answer does not end within max_tokens. Any thread. */
void extract_fill_choose(struct extract_fill *fill, float *logits);

#endif
