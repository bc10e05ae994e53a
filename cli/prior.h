/* --prior FILE: the label prior of zero-shot answers, measured on texts of the user's. */
#ifndef WEIR_CLI_PRIOR_H
#define WEIR_CLI_PRIOR_H

#include "source.h"
#include "weir/decide.h"

#define PRIOR_DOC                                                                                                \
    "Zero-shot: divide by the mean answer to the texts of FILE (may be the input itself; no labels are needed) " \
    "instead "                                                                                                   \
    "of that to content-free texts; `none': do not divide"

/* FILE is read as the source is, but its format goes by its name. Complains; returns enum cli_exit. */
int prior_set(struct weir_classifier *classifier, const struct source *source, const char *file);
int prior_set_decider(struct weir_decider *decider, const struct source *source, const char *file);

#endif
