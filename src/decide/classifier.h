/* Inside of the classifier, for decide.c. */
#ifndef WEIR_DECIDE_CLASSIFIER_H
#define WEIR_DECIDE_CLASSIFIER_H

#include "weir/classify.h"

/* As weir_classifier_open, but questions without labels are left out: their decisions are not touched. */
enum weir_status classifier_open_labelled(struct weir_engine *engine, const struct weir_task *task,
                                          const struct weir_profile *profile, struct weir_classifier **out,
                                          struct weir_error *error) WEIR_MUST_USE;

#endif
