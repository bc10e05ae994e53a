/* Any bytes, opened as a profile: refused with a text, or usable for every question and head. */
#include <math.h>
#include <stdlib.h>

#include "decide/features.h"
#include "decide/head.h"
#include "fuzz/fuzz.h"

enum { HIDDEN_MAX = 1 << 20 };

static void check(int holds)
{
    if (!holds) abort();
}

static void decide(const struct weir_profile *profile, size_t question, enum weir_head_kind kind, const float *hidden)
{
    const struct weir_string text = {"hello free world", 16};
    struct head_scratch scratch = {0};
    double p[PROFILE_LABELS_MAX], sum = 0;
    if (!head_decide(profile, question, kind, text, hidden, &scratch, p, NULL)) {
        for (size_t k = 0; k < profile->questions[question].n_labels; k++) sum += p[k];
        check(fabs(sum - 1) < 1e-9);
    }
    head_scratch_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_profile_open_memory(bytes, size, "fuzz", &profile, &error);
    if (status) {
        check(profile == NULL && error.status == status && error.text[0] != 0);
        return 0;
    }
    size_t floats = profile->n_depths * FEATURE_POOLS * profile->n_embd;
    float *hidden = floats <= HIDDEN_MAX ? calloc(floats, sizeof *hidden) : NULL;
    for (size_t q = 0; q < profile->n_questions; q++)
        for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++)
            if (hidden || kind == WEIR_HEAD_NGRAM) decide(profile, q, (enum weir_head_kind)kind, hidden);
    free(hidden);
    weir_profile_close(&profile);
    return 0;
}
