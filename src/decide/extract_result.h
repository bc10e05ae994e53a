/* A filled answer as the caller gets it: the value, its fields with probabilities, and where in the text each stands. */
#ifndef WEIR_DECIDE_EXTRACT_RESULT_H
#define WEIR_DECIDE_EXTRACT_RESULT_H

#include "decide/extract_fill.h"
#include "decide/profile.h"
#include "weir/decide.h"

/* `text`: the row's. `calibration` may be NULL. Sets value, fields, tokens and notes of *words and probability of *decision. WEIR_ERR_FORMAT: an object with a key twice, which
 * a schema that allows any keys cannot rule out. On failure *words is untouched. */
enum weir_status extract_result(const struct extract_fill *fill, const struct extract_plan *plan,
                                const struct profile_extract *calibration, struct weir_string text,
                                struct weir_decision *decision, struct weir_words *words,
                                struct weir_error *error) WEIR_MUST_USE;

/* Which kind of answer a field has. */
enum extract_group extract_group_of(const struct weir_field *field);

#endif
