/* What a profile knows about extractions: calibrations of fields, in memory and in the file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decide/profile_out.h"

enum { CLASSES = 2 }; /* right, wrong */

/* ---- in memory ---- */

void profile_extract_free(struct profile_extract *extract)
{
    for (size_t f = 0; extract->fields && f <= extract->n_fields; f++) {
        free(extract->fields[f].name);
        for (int group = 0; group < EXTRACT_GROUPS; group++) calibration_free(&extract->fields[f].groups[group]);
    }
    free(extract->fields);
    free(extract->name);
    *extract = (struct profile_extract){.name = NULL};
}

const struct profile_extract *profile_find_extract(const struct weir_profile *profile, const char *question)
{
    for (size_t i = 0; i < profile->n_extracts; i++)
        if (strcmp(profile->extracts[i].name, question) == 0) return &profile->extracts[i];
    return NULL;
}

void weir_profile_extract(const struct weir_profile *profile, size_t index, struct weir_profile_extract *out)
{
    const struct profile_extract *extract = &profile->extracts[index];
    *out = (struct weir_profile_extract){.name = extract->name, .rows = extract->rows, .n_fields = extract->n_fields};
}

void weir_profile_extract_field(const struct weir_profile *profile, size_t index, size_t field,
                                struct weir_extract_info *out)
{
    *out = profile->extracts[index].fields[field].info;
    out->field = profile->extracts[index].fields[field].name;
}

double profile_extract_logit(double log_probability)
{
    const double most = 50;
    double rest = -expm1(log_probability); /* 1 - p */
    double logit = rest > 0 ? log_probability - log(rest) : most;
    return logit > most ? most : logit < -most ? -most : logit;
}

double profile_extract_probability(const struct profile_extract_field *field, enum extract_group group,
                                   double log_probability)
{
    const double z[CLASSES] = {profile_extract_logit(log_probability), 0};
    double p[CLASSES] = {exp(log_probability), 0};
    (void)calibration_apply(&field->groups[group], z, CLASSES, p); /* the logits are finite */
    return p[0];
}

/* ---- the file: weir.xN.name, .schema, .rows, .fields; for field F and group G: weir.xN.fF.gG.temperature and its calibration ---- */

struct number {
    const char *name;
    double max;
    double *value;
};

enum { NUMBERS = 5 };

static void numbers_of(struct weir_extract_info *info, struct number out[NUMBERS])
{
    const struct number numbers[NUMBERS] = {{"accuracy", 1, &info->accuracy},
                                            {"raw_log_loss", 1e30, &info->raw_log_loss},
                                            {"raw_ece", 1, &info->raw_ece},
                                            {"log_loss", 1e30, &info->log_loss},
                                            {"ece", 1, &info->ece}};
    memcpy(out, numbers, sizeof numbers);
}

static enum weir_status read_field(const struct in *in, size_t index, struct profile_extract_field *field)
{
    char rest[64], name[NAME_MAX_BYTES];
    struct number numbers[NUMBERS];
    enum weir_status status = WEIR_OK;
    numbers_of(&field->info, numbers);
    for (size_t i = 0; i < NUMBERS && !status; i++) {
        (void)snprintf(rest, sizeof rest, "f%zu.%s", index, numbers[i].name);
        status = in_f64(in, in_key(name, in, rest), 0, numbers[i].max, numbers[i].value);
    }
    for (int group = 0; group < EXTRACT_GROUPS && !status; group++) {
        double temperature = 1;
        (void)snprintf(rest, sizeof rest, "f%zu.g%d.temperature", index, group);
        status = in_f64(in, in_key(name, in, rest), 1e-6, 1e6, &temperature);
        (void)snprintf(rest, sizeof rest, "f%zu.g%d", index, group);
        if (!status) status = profile_read_calibration(in, rest, CLASSES, temperature, &field->groups[group]);
    }
    return status;
}

static enum weir_status read_names(const struct in *in, struct profile_extract *extract)
{
    char name[NAME_MAX_BYTES];
    const struct weir_gguf_value *value = weir_gguf_find(in->gguf, in_key(name, in, "fields"));
    size_t count = value ? weir_gguf_array_count(value) : 0; /* no fields: no key */
    if (count > PROFILE_FIELDS_MAX) return in_bad(in, name, "too many fields");
    extract->fields = mem_zero(count + 1, sizeof *extract->fields);
    if (!extract->fields) return in_no_memory(in);
    extract->n_fields = count;
    for (size_t f = 0; f < count; f++) {
        struct weir_string text;
        if (!weir_gguf_array_string(value, f, &text)) return in_bad(in, name, "not an array of texts");
        if (text.size > PROFILE_FIELD_BYTES_MAX || (text.size && memchr(text.data, 0, text.size)))
            return in_bad(in, name, "not a valid text");
        if (!(extract->fields[f].name = mem_text(text.size ? text.data : "", text.size))) return in_no_memory(in);
    }
    extract->fields[count].name = mem_text("", 0);
    return extract->fields[count].name ? WEIR_OK : in_no_memory(in);
}

static enum weir_status read_extract(struct in *in, size_t index, struct profile_extract *extract)
{
    char name[NAME_MAX_BYTES];
    uint64_t rows = 0;
    (void)snprintf(in->question, sizeof in->question, "x%zu", index);
    enum weir_status status = in_text(in, in_key(name, in, "name"), WEIR_TASK_NAME_BYTES_MAX, &extract->name);
    if (!status) status = in_fingerprint(in, in_key(name, in, "schema"), extract->schema_hash);
    if (!status) status = in_u64(in, in_key(name, in, "rows"), 1, SIZE_MAX, &rows);
    if (!status) status = read_names(in, extract);
    for (size_t f = 0; !status && f <= extract->n_fields; f++) status = read_field(in, f, &extract->fields[f]);
    extract->rows = (size_t)rows;
    return status;
}

enum weir_status profile_read_extracts(struct in *in, struct weir_profile *profile)
{
    uint64_t count = 0;
    if (!weir_gguf_find(in->gguf, "weir.extracts")) return WEIR_OK;
    enum weir_status status = in_u64(in, "weir.extracts", 1, PROFILE_QUESTIONS_MAX, &count);
    if (status) return status;
    profile->extracts = mem_zero((size_t)count, sizeof *profile->extracts);
    if (!profile->extracts) return in_no_memory(in);
    profile->n_extracts = (size_t)count;
    for (size_t i = 0; !status && i < profile->n_extracts; i++) status = read_extract(in, i, &profile->extracts[i]);
    return status;
}

static void write_field(const struct out *out, size_t index, const struct profile_extract_field *field)
{
    char rest[64], name[NAME_MAX_BYTES];
    struct number numbers[NUMBERS];
    struct weir_extract_info info = field->info;
    numbers_of(&info, numbers);
    for (size_t i = 0; i < NUMBERS; i++) {
        (void)snprintf(rest, sizeof rest, "f%zu.%s", index, numbers[i].name);
        gguf_write_f64(out->w, out_key(name, out, rest), *numbers[i].value);
    }
    for (int group = 0; group < EXTRACT_GROUPS; group++) {
        (void)snprintf(rest, sizeof rest, "f%zu.g%d.temperature", index, group);
        gguf_write_f64(out->w, out_key(name, out, rest), field->groups[group].temperature);
        (void)snprintf(rest, sizeof rest, "f%zu.g%d", index, group);
        profile_write_calibration(out, rest, &field->groups[group], CLASSES);
    }
}

static enum weir_status write_extract(struct gguf_writer *w, size_t index, const struct profile_extract *extract)
{
    struct out out = {.w = w};
    char name[NAME_MAX_BYTES];
    struct weir_string *names = mem_zero(extract->n_fields, sizeof *names);
    if (!names) return WEIR_ERR_NOMEM;
    for (size_t f = 0; f < extract->n_fields; f++)
        names[f] = (struct weir_string){extract->fields[f].name, strlen(extract->fields[f].name)};
    (void)snprintf(out.question, sizeof out.question, "x%zu", index);
    gguf_write_string(w, out_key(name, &out, "name"), extract->name, strlen(extract->name));
    gguf_write_string(w, out_key(name, &out, "schema"), extract->schema_hash, 64);
    gguf_write_u64(w, out_key(name, &out, "rows"), extract->rows);
    if (extract->n_fields) gguf_write_strings(w, out_key(name, &out, "fields"), names, extract->n_fields);
    for (size_t f = 0; f <= extract->n_fields; f++) write_field(&out, f, &extract->fields[f]);
    free(names);
    return WEIR_OK;
}

enum weir_status profile_write_extracts(struct gguf_writer *w, const struct weir_profile *profile)
{
    enum weir_status status = WEIR_OK;
    if (profile->n_extracts) gguf_write_u32(w, "weir.extracts", (uint32_t)profile->n_extracts);
    for (size_t i = 0; !status && i < profile->n_extracts; i++) status = write_extract(w, i, &profile->extracts[i]);
    return status;
}
