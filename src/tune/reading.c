#include "tune/reading.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/features.h"

enum { READING_TEXTS = 128 }; /* between two calls of the progress callback */

size_t reading_steps(size_t texts)
{
    return (texts + READING_TEXTS - 1) / READING_TEXTS;
}

static bool allocate(struct reading *r, const bool *wanted, size_t rows)
{
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) count += wanted[row];
    r->texts = mem_zero(count, sizeof *r->texts);
    r->values = mem_zero(count, r->n_depths * FEATURE_POOLS * r->n_embd * sizeof(float));
    if (!r->texts || !r->values) return false;
    for (size_t row = 0; row < rows; row++)
        if (wanted[row]) r->texts[r->count++] = (uint32_t)row;
    return true;
}

enum weir_status reading_run(struct reading *r, const struct learn_source *source, const struct weir_tune_rows *rows,
                             const bool *wanted, struct tune_steps *steps, struct weir_error *error)
{
    r->n_embd = source->n_embd;
    if (!allocate(r, wanted, rows->count)) return error_nomem(error, "hidden states");
    size_t floats = r->n_depths * FEATURE_POOLS * r->n_embd;
    steps->stage = "reading hidden states";
    for (size_t done = 0; done < r->count; done += READING_TEXTS) {
        struct weir_string texts[READING_TEXTS];
        size_t count = r->count - done < READING_TEXTS ? r->count - done : READING_TEXTS;
        for (size_t i = 0; i < count; i++) texts[i] = rows->texts[r->texts[done + i]];
        enum weir_status status =
            source->hidden(source->context, texts, count, r->depths, r->n_depths, r->values + done * floats, error);
        if (!status) status = tune_step(steps, error);
        if (status) return status;
    }
    return WEIR_OK;
}

void reading_free(struct reading *r)
{
    free(r->texts);
    free(r->values);
    *r = (struct reading){0};
}

/* The states of one text at some of the depths read. */
static void copy_text(const struct reading *r, size_t place, const uint32_t *depths, size_t n_depths, float *out)
{
    size_t floats = FEATURE_POOLS * r->n_embd;
    const float *from = r->values + place * r->n_depths * floats;
    for (size_t d = 0, read = 0; d < n_depths; d++) {
        while (r->depths[read] != depths[d]) read++;
        assert(read < r->n_depths);
        memcpy(out + d * floats, from + read * floats, floats * sizeof(float));
    }
}

enum weir_status reading_take(const struct reading *r, const uint32_t *texts, size_t count, const uint32_t *depths,
                              size_t n_depths, float **owned, const float **values, struct weir_error *error)
{
    *owned = NULL;
    if (count == r->count && n_depths == r->n_depths) {
        *values = r->values;
        return WEIR_OK;
    }
    size_t floats = n_depths * FEATURE_POOLS * r->n_embd;
    float *taken = mem_zero(count, floats * sizeof(float));
    if (!taken) return error_nomem(error, "hidden states");
    for (size_t i = 0, place = 0; i < count; i++) {
        while (r->texts[place] != texts[i]) place++;
        assert(place < r->count);
        copy_text(r, place, depths, n_depths, taken + i * floats);
    }
    *owned = taken;
    *values = taken;
    return WEIR_OK;
}
