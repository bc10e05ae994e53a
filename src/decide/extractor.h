/* Answers to one question of type extract: instructions and schema are evaluated once, each text forks from them, and several are filled in
 * at once, a pass for all of them. */
#ifndef WEIR_DECIDE_EXTRACTOR_H
#define WEIR_DECIDE_EXTRACTOR_H

#include "decide/extract_choose.h"
#include "decide/extract_plan.h"
#include "decide/profile.h"
#include "weir/decide.h"

struct extractor;

/* What all extract questions of a decider share: made once for a model. */
struct extract_model {
    struct weir_vocabulary *vocabulary;
    struct extract_tokens tokens;
};
enum weir_status extract_model_open(const struct weir_engine *engine, struct extract_model *out,
                                    struct weir_error *error) WEIR_MUST_USE;
void extract_model_close(struct extract_model *model); /* accepts a zeroed one */

/* `folder`: where the schema's path starts from. `model` must outlive the extractor. */
enum weir_status extractor_open(struct weir_engine *engine, const struct extract_model *model,
                                const struct weir_question *question, const char *folder, struct extractor **out,
                                struct weir_error *error) WEIR_MUST_USE;

/* What it asks for. */
const struct extract_plan *extractor_plan(const struct extractor *extractor);

/* Calibrates answers by what the profile learned about the question, if it did. The profile must outlive the extractor. WEIR_ERR_REFUSED: learned with
 * another schema. */
enum weir_status extractor_calibrate(struct extractor *extractor, const struct weir_profile *profile,
                                     struct weir_error *error) WEIR_MUST_USE;
void extractor_close(struct extractor **extractor);

/* As writer_answer (writer.h). */
enum weir_status extractor_answer(struct extractor *extractor, const struct weir_string *texts, size_t count,
                                  size_t stride, struct weir_decision *decisions, struct weir_words *words,
                                  struct weir_error *error) WEIR_MUST_USE;

#endif
