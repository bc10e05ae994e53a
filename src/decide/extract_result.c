#include "decide/extract_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "decide/span.h"

/* ---- probabilities ---- */

/* The sum over the choices that wrote any of json[begin, end), or its end. */
static double range_log_probability(const struct extract_fill *fill, size_t begin, size_t end)
{
    double sum = 0;
    for (size_t i = 0; i < fill->n_steps; i++) {
        const struct extract_step *step = &fill->steps[i];
        bool is_end = step->begin == step->end && step->begin == end;
        if (is_end || (step->begin < end && step->end > begin)) sum += step->log_probability;
    }
    return sum;
}

/* ---- fields ---- */

/* Fields and the bytes of their names lie in one block: fields[n], then the bytes. */
struct field_list {
    struct weir_field *fields;
    size_t n, used, room;
};

static bool list_open(struct field_list *list, size_t n, size_t name_bytes)
{
    size_t head;
    if (!size_mul(n, sizeof *list->fields, &head)) return false;
    *list = (struct field_list){.fields = mem_zero(1, head + name_bytes + 1), .used = head, .room = head + name_bytes};
    return list->fields != NULL;
}

static void list_add(struct field_list *list, struct weir_string name, struct weir_string value, double log_probability)
{
    char *copy = (char *)list->fields + list->used;
    if (name.size) memcpy(copy, name.data, name.size);
    list->used += name.size;
    list->fields[list->n++] =
        (struct weir_field){.name = {copy, name.size}, .value = value, .probability = exp(log_probability)};
}

/* The plan's fields, whether written or left out. */
static bool list_filled(const struct extract_fill *fill, const struct extract_plan *plan, const char *json,
                        struct field_list *list)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_fields; i++) bytes += plan->fields[i].name.size;
    if (!list_open(list, plan->n_fields, bytes)) return false;
    for (size_t i = 0; i < plan->n_fields; i++) {
        const struct extract_filled *filled = &fill->filled[i];
        struct weir_string value = {json + filled->begin, filled->size};
        if (!filled->size) value = (struct weir_string){"null", 4};
        list_add(list, plan->fields[i].name, value, filled->log_probability);
    }
    return true;
}

/* The members of an object that was written freely. */
static bool list_members(const struct extract_fill *fill, const struct json_value *root, const char *json,
                         struct field_list *list)
{
    size_t bytes = 0;
    for (const struct json_value *m = root->first; m; m = m->next) bytes += m->key.size;
    if (!list_open(list, root->count, bytes)) return false;
    for (const struct json_value *m = root->first; m; m = m->next) {
        size_t begin = (size_t)(m->source.data - json);
        list_add(list, (struct weir_string){m->key.data, m->key.size},
                 (struct weir_string){m->source.data, m->source.size},
                 range_log_probability(fill, begin, begin + m->source.size));
    }
    return true;
}

/* ---- spans ---- */

static void find_span(struct weir_field *field, const struct json_value *value, struct weir_string text)
{
    bool is_number = value->kind == JSON_NUMBER;
    struct json_text copy = is_number ? value->source : value->string;
    if ((!is_number && value->kind != JSON_STRING) || !copy.size) return;
    field->has_span =
        span_find(text, (struct weir_string){copy.data, copy.size}, is_number, &field->span_begin, &field->span_end);
}

/* ---- calibration ---- */

enum extract_group extract_group_of(const struct weir_field *field)
{
    if (field->value.size == 4 && memcmp(field->value.data, "null", 4) == 0) return EXTRACT_GROUP_NULL;
    return field->has_span ? EXTRACT_GROUP_COPIED : EXTRACT_GROUP_OTHER;
}

/* The whole is judged by the product of its fields' calibrated probabilities, or by its own where it has no fields. */
static double calibrate(const struct profile_extract *calibration, struct field_list *list, double log_probability)
{
    double sum = calibration->n_fields ? 0 : log_probability;
    for (size_t i = 0; i < calibration->n_fields; i++) {
        struct weir_field *field = &list->fields[i];
        field->probability =
            profile_extract_probability(&calibration->fields[i], extract_group_of(field), log(field->probability));
        sum += log(field->probability);
    }
    return profile_extract_probability(&calibration->fields[calibration->n_fields], EXTRACT_GROUP_OTHER, sum);
}

/* ---- the whole ---- */

static enum weir_status make_fields(const struct extract_fill *fill, const struct extract_plan *plan, const char *json,
                                    size_t size, struct weir_string text, struct field_list *list,
                                    struct weir_error *error)
{
    struct arena arena = {0};
    struct json_value *root = NULL;
    enum weir_status status = json_read(&arena, "the answer", json, size, &root, error);
    bool good = true;
    if (!status && root->kind == JSON_OBJECT)
        good = plan->n_fields ? list_filled(fill, plan, json, list) : list_members(fill, root, json, list);
    if (!status && !good) status = error_nomem(error, "fields");
    for (size_t i = 0; !status && i < list->n; i++) {
        struct weir_string name = list->fields[i].name;
        const struct json_value *member = json_member_text(root, (struct json_text){name.data, name.size});
        if (member) find_span(&list->fields[i], member, text);
    }
    arena_free(&arena);
    return status;
}

enum weir_status extract_result(const struct extract_fill *fill, const struct extract_plan *plan,
                                const struct profile_extract *calibration, struct weir_string text,
                                struct weir_decision *decision, struct weir_words *words, struct weir_error *error)
{
    struct field_list list = {.fields = NULL};
    char *json = mem_text(fill->json.data, fill->json.size);
    if (!json) return error_nomem(error, "an answer");
    enum weir_status status = make_fields(fill, plan, json, fill->json.size, text, &list, error);
    if (status) {
        free(list.fields);
        free(json);
        return status;
    }
    *words = (struct weir_words){.text = json,
                                 .size = fill->json.size,
                                 .finish = WEIR_FINISH_STOP,
                                 .tokens = fill->written,
                                 .parts = 1,
                                 .fields = list.fields,
                                 .n_fields = list.n,
                                 .notes = plan->notes,
                                 .n_notes = plan->n_notes};
    decision->probability =
        calibration ? calibrate(calibration, &list, fill->log_probability) : exp(fill->log_probability);
    return WEIR_OK;
}
