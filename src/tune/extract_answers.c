#include "tune/extract_answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "decide/extract_result.h"

enum { ROWS_AT_ONCE = 32 };

void extract_answers_free(struct extract_answers *a)
{
    free(a->log_probability);
    free(a->group);
    free(a->is_right);
    *a = (struct extract_answers){.rows = 0};
}

static bool answers_open(struct extract_answers *a, size_t rows, size_t columns)
{
    size_t cells;
    *a = (struct extract_answers){.columns = columns};
    if (!size_mul(rows, columns, &cells)) return false;
    a->log_probability = mem_zero(cells, sizeof *a->log_probability);
    a->group = mem_zero(cells, 1);
    a->is_right = mem_zero(cells, 1);
    return a->log_probability && a->group && a->is_right;
}

/* ---- one row ---- */

struct row {
    size_t number;            /* from 1, for errors */
    struct weir_string value; /* the right one */
    const struct weir_words *words;
    const struct weir_decision *decision;
};

static bool is_null(const struct json_value *value)
{
    return !value || value->kind == JSON_NULL;
}

/* Left out is null. */
static bool is_same(const struct json_value *a, const struct json_value *b)
{
    return is_null(a) || is_null(b) ? is_null(a) && is_null(b) : json_same(a, b);
}

static enum weir_status check_names(const struct extract_plan *plan, const struct json_value *right, size_t number,
                                    struct weir_error *error)
{
    if (right->kind != JSON_OBJECT)
        return error_set(error, WEIR_ERR_REFUSED, "row %zu: its right value is no JSON object", number);
    for (const struct json_value *m = right->first; m; m = m->next) {
        bool is_known = false;
        for (size_t f = 0; !is_known && f < plan->n_fields; f++)
            is_known =
                json_text_equal(m->key, (struct json_text){plan->fields[f].name.data, plan->fields[f].name.size});
        if (!is_known)
            return error_set(error, WEIR_ERR_REFUSED, "row %zu: the schema has no field `%.*s`", number,
                             (int)(m->key.size < 100 ? m->key.size : 100), m->key.data);
    }
    return WEIR_OK;
}

static void note_fields(struct extract_answers *a, const struct row *row, const struct json_value *right,
                        const struct json_value *found)
{
    size_t at = a->rows * a->columns, whole = at + a->columns - 1;
    a->is_right[whole] = 1;
    for (size_t f = 0; f + 1 < a->columns; f++) {
        const struct weir_field *field = &row->words->fields[f];
        struct json_text name = {field->name.data, field->name.size};
        a->log_probability[at + f] = log(field->probability);
        a->group[at + f] = (uint8_t)extract_group_of(field);
        a->is_right[at + f] = is_same(json_member_text(right, name), json_member_text(found, name));
        a->is_right[whole] &= a->is_right[at + f];
    }
}

static enum weir_status note_row(struct extract_answers *a, const struct extract_plan *plan, const struct row *row,
                                 struct weir_error *error)
{
    struct arena arena = {0};
    struct json_value *right = NULL, *found = NULL;
    size_t whole = (a->rows + 1) * a->columns - 1;
    enum weir_status status = json_read(&arena, "its right value", row->value.data, row->value.size, &right, error);
    if (status) status = error_prefix(error, status, "row %zu", row->number);
    if (!status && plan->n_fields) status = check_names(plan, right, row->number, error);
    if (!status) status = json_read(&arena, "the answer", row->words->text, row->words->size, &found, error);
    if (!status) {
        a->log_probability[whole] = log(row->decision->probability);
        a->group[whole] = EXTRACT_GROUP_OTHER;
        if (plan->n_fields)
            note_fields(a, row, right, found);
        else
            a->is_right[whole] = json_same(right, found);
        a->rows++;
    }
    arena_free(&arena);
    return status;
}

/* ---- all rows ---- */

struct answer_batch {
    struct weir_string texts[ROWS_AT_ONCE];
    struct row rows[ROWS_AT_ONCE];
    struct weir_decision decisions[ROWS_AT_ONCE];
    struct weir_words words[ROWS_AT_ONCE];
    size_t count;
};

static enum weir_status answer(struct extractor *x, struct answer_batch *b, struct extract_answers *a,
                               struct weir_error *error)
{
    for (size_t i = 0; i < b->count; i++) {
        b->decisions[i] = (struct weir_decision){.status = WEIR_OK};
        b->words[i] = (struct weir_words){.text = NULL};
    }
    enum weir_status status = extractor_answer(x, b->texts, b->count, 1, b->decisions, b->words, error);
    for (size_t i = 0; i < b->count; i++) {
        b->rows[i].words = &b->words[i];
        b->rows[i].decision = &b->decisions[i];
        if (!status && !b->decisions[i].status) status = note_row(a, extractor_plan(x), &b->rows[i], error);
        weir_words_free(&b->words[i]);
    }
    b->count = 0;
    return status;
}

static enum weir_status answer_all(struct extractor *x, const struct weir_tune_values *rows,
                                   const struct weir_tune_options *options, struct answer_batch *b,
                                   struct extract_answers *a, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < rows->count; i++) {
        if (rows->values[i].data) {
            b->texts[b->count] = rows->texts[i];
            b->rows[b->count++] = (struct row){.number = i + 1, .value = rows->values[i]};
        }
        if (b->count < ROWS_AT_ONCE && i + 1 < rows->count) continue;
        status = answer(x, b, a, error);
        if (!status && options->progress &&
            !options->progress(options->progress_context, "answers", i + 1, rows->count))
            status = error_set(error, WEIR_ERR_CANCELLED, "cancelled");
    }
    return status;
}

enum weir_status extract_answers_read(struct extractor *x, const struct weir_tune_values *rows,
                                      const struct weir_tune_options *options, struct extract_answers *out,
                                      struct weir_error *error)
{
    struct extract_answers a;
    bool has_room = answers_open(&a, rows->count, extractor_plan(x)->n_fields + 1);
    struct answer_batch *batch = mem_zero(1, sizeof *batch);
    enum weir_status status = has_room && batch ? WEIR_OK : error_nomem(error, "answers");
    if (!status) status = answer_all(x, rows, options, batch, &a, error);
    if (!status && !a.rows) status = error_set(error, WEIR_ERR_INVALID, "no row with a right value could be answered");
    free(batch);
    if (status)
        extract_answers_free(&a);
    else
        *out = a;
    return status;
}
