/* The inside of an extractor, for extractor.c and its tests. */
#ifndef WEIR_DECIDE_EXTRACTOR_INTERNAL_H
#define WEIR_DECIDE_EXTRACTOR_INTERNAL_H

#include "decide/extract_fill.h"
#include "decide/extractor.h"
#include "decide/prompt_tokens.h"

struct extractor {
    struct weir_engine *engine;           /* not owned */
    const struct weir_question *question; /* not owned */
    struct extract_plan plan;
    struct extract_form form;
    const struct profile_extract *calibration; /* the profile's; NULL: the model's own probabilities */
    struct prompt prompt;
    struct prompt_tokens tokens;
    struct weir_session *root; /* holds what all prompts share */
};

#endif
