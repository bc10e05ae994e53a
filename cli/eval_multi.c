#include "eval_multi.h"

#include <stdlib.h>

#include "cli.h"

void multi_settle(const struct labelled *rows, size_t n_labels, struct answers *answers)
{
    for (size_t row = 0; row < rows->count; row++) {
        int32_t wrong = 0;
        if (answers->predicted[row] < 0) continue;
        for (size_t k = 0; k < n_labels; k++)
            wrong |= (answers->probabilities[row * n_labels + k] >= 0.5) != rows->sets[row * n_labels + k];
        answers->predicted[row] = wrong;
    }
}

struct weir_eval_rows multi_rows(const struct answers *answers, const struct labelled *rows)
{
    return (struct weir_eval_rows){.count = rows->count + rows->errors,
                                   .n_classes = 2,
                                   .gold = rows->gold,
                                   .predicted = answers->predicted,
                                   .probability = answers->probability};
}

int multi_measure(const struct labelled *rows, size_t n_labels, const struct answers *answers,
                  struct weir_eval_multi_summary *out, struct weir_eval_class *classes)
{
    size_t count = rows->count + rows->errors;
    struct weir_error error = {0};
    uint8_t *answered = calloc(count, sizeof *answered);
    if (!answered) return cli_nomem();
    for (size_t i = 0; i < count; i++) answered[i] = answers->predicted[i] >= 0;
    const struct weir_eval_multi_rows given = {.count = count,
                                               .n_labels = n_labels,
                                               .gold = rows->sets,
                                               .answered = answered,
                                               .probabilities = answers->probabilities};
    int status = weir_eval_multi(&given, out, classes, &error) ? cli_fail(&error) : CLI_DONE;
    free(answered);
    return status;
}

void multi_majority(const struct labelled *rows, size_t n_labels, struct answers *answers)
{
    for (size_t k = 0; k < n_labels; k++) {
        size_t with = 0;
        for (size_t row = 0; row < rows->count; row++) with += rows->sets[row * n_labels + k];
        for (size_t row = 0; row < rows->count; row++)
            answers->probabilities[row * n_labels + k] = 2 * with >= rows->count ? 1 : 0;
    }
    for (size_t row = 0; row < rows->count; row++) answers->predicted[row] = 0;
    multi_settle(rows, n_labels, answers);
}
