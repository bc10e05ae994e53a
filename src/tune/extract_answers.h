/* What a model says about rows whose right extraction is known: for each field how sure it was, what kind of answer it gave and whether it was right. */
#ifndef WEIR_TUNE_EXTRACT_ANSWERS_H
#define WEIR_TUNE_EXTRACT_ANSWERS_H

#include "decide/extractor.h"
#include "weir/tune.h"

struct extract_answers {
    size_t rows, columns; /* answered rows; the fields, and the whole as the last column */
    double *
        log_probability; /* [rows, columns], owned; of the whole the product of its fields or, without fields, its own */
    uint8_t *group;      /* [rows, columns], owned: enum extract_group */
    uint8_t *is_right;   /* [rows, columns], owned */
};

/* Answers those of the rows that have a value. `options` for progress. */
enum weir_status extract_answers_read(struct extractor *extractor, const struct weir_tune_values *rows,
                                      const struct weir_tune_options *options, struct extract_answers *out,
                                      struct weir_error *error) WEIR_MUST_USE;
void extract_answers_free(struct extract_answers *answers);

#endif
