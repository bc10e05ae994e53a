/* Reading a head's calibration from a profile that is not trusted. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decide/profile_in.h"

static const char *rest_of(char rest[64], const char *head, const char *name)
{
    (void)snprintf(rest, 64, "%s.calibration%s", head, name);
    return rest;
}

/* Missing: the temperature alone. */
static enum weir_status read_kind(const struct in *in, const char *head, enum weir_calibration *out)
{
    char rest[64], name[NAME_MAX_BYTES];
    struct weir_string text;
    const struct weir_gguf_value *value = weir_gguf_find(in->gguf, in_key(name, in, rest_of(rest, head, "")));
    *out = WEIR_CALIBRATION_TEMPERATURE;
    if (!value) return WEIR_OK;
    if (!weir_gguf_as_string(value, &text)) return in_bad(in, name, "no text");
    for (int kind = 0; kind < WEIR_CALIBRATIONS; kind++) {
        const char *word = weir_calibration_name((enum weir_calibration)kind);
        if (text.size != strlen(word) || memcmp(text.data, word, text.size) != 0) continue;
        *out = (enum weir_calibration)kind;
        return WEIR_OK;
    }
    return in_bad(in, name, "not temperature, vector or isotonic");
}

/* Rising within each class; y in (0, 1]. */
static bool are_knots_good(const struct calibration_knot *knots, size_t classes)
{
    for (size_t i = 0; i < classes * CALIBRATION_KNOTS; i++) {
        if (!(knots[i].x >= 0 && knots[i].x <= 1 && knots[i].y > 0 && knots[i].y <= 1)) return false;
        if (i % CALIBRATION_KNOTS && (knots[i].x < knots[i - 1].x || knots[i].y < knots[i - 1].y)) return false;
    }
    return true;
}

static enum weir_status read_knots(const struct in *in, const char *head, size_t classes, struct calibration_knot **out)
{
    char rest[64];
    float *values = NULL;
    enum weir_status status =
        in_floats(in, rest_of(rest, head, ".knots"), (size_t)2 * CALIBRATION_KNOTS, classes, &values);
    if (!status) {
        *out = mem_zero(classes * CALIBRATION_KNOTS, sizeof **out);
        if (!*out) status = in_no_memory(in);
    }
    for (size_t i = 0; !status && i < classes * CALIBRATION_KNOTS; i++)
        (*out)[i] = (struct calibration_knot){values[2 * i], values[2 * i + 1]};
    free(values);
    if (!status && !are_knots_good(*out, classes)) status = in_bad(in, rest, "knots that do not rise or leave 0..1");
    return status;
}

enum weir_status profile_read_calibration(const struct in *in, const char *head, size_t classes, double temperature,
                                          struct calibration *out)
{
    char rest[64];
    out->temperature = temperature;
    enum weir_status status = read_kind(in, head, &out->kind);
    if (!status && out->kind == WEIR_CALIBRATION_VECTOR) {
        status = in_floats(in, rest_of(rest, head, ".scale"), classes, 1, &out->scale);
        if (!status) status = in_floats(in, rest_of(rest, head, ".shift"), classes, 1, &out->shift);
    }
    if (!status && out->kind == WEIR_CALIBRATION_ISOTONIC) status = read_knots(in, head, classes, &out->knots);
    return status;
}
