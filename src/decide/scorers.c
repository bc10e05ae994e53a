#include "decide/scorers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "decide/row.h"
#include "task/prompt.h"

void rotation_order(size_t n_labels, size_t rotations, size_t index, bool reversed, size_t *order)
{
    size_t start = index * n_labels / rotations;
    for (size_t i = 0; i < n_labels; i++) {
        size_t at = (start + i) % n_labels;
        order[i] = reversed ? n_labels - 1 - at : at;
    }
}

static enum weir_status open_rotations(struct scorers *s, struct weir_engine *engine,
                                       const struct weir_question *question, struct weir_error *error)
{
    size_t order[WEIR_TASK_LABELS_MAX];
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < s->count; i++) {
        rotation_order(s->n_labels, s->count, i, false, order);
        status = zeroshot_open_ordered(engine, question, order, &s->items[i], error);
    }
    return status;
}

/* Each label is asked for as a question of its own: other labels and their order cannot touch its answer. */
static enum weir_status open_label(struct scorers *s, struct weir_engine *engine, const struct weir_question *question,
                                   size_t index, struct weir_error *error)
{
    static const struct weir_label yesno[] = {{.name = "yes", .description = "", .to = ""},
                                              {.name = "no", .description = "", .to = ""}};
    const struct weir_label *label = &question->labels[index];
    struct strbuf text = STRBUF_MAX(4 * WEIR_TASK_TEXT_BYTES_MAX);
    enum weir_status status =
        strbuf_printf(&text, "%s\n\nCategory: %s%s%s\nDoes this category apply to the message?", question->instructions,
                      label->name, *label->description ? ": " : "", label->description);
    if (status) {
        strbuf_free(&text);
        return error_set(error, status, "question %s, label %s: the prompt: %s", question->name, label->name,
                         weir_status_text(status));
    }
    const struct weir_question asked = {.name = question->name,
                                        .type = WEIR_QUESTION_YESNO,
                                        .instructions = text.data,
                                        .n_labels = 2,
                                        .labels = yesno,
                                        .scoring = WEIR_SCORING_NAMES,
                                        .schema = "",
                                        .template_text = ""};
    status = zeroshot_open(engine, &asked, &s->items[index], error);
    strbuf_free(&text);
    return status;
}

static enum weir_status open_labels(struct scorers *s, struct weir_engine *engine, const struct weir_question *question,
                                    struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < s->count; i++) status = open_label(s, engine, question, i, error);
    return status;
}

enum weir_status scorers_open(struct weir_engine *engine, const struct weir_question *question, struct scorers *scorers,
                              struct weir_error *error)
{
    struct scorers s = {.n_labels = question->n_labels, .is_multi = question->multi};
    s.count = s.is_multi ? s.n_labels : question->rotations ? question->rotations : 1;
    s.items = mem_zero(s.count, sizeof *s.items);
    enum weir_status status = s.items ? WEIR_OK : error_nomem(error, "zero-shot question");
    if (!status)
        status = s.is_multi ? open_labels(&s, engine, question, error) : open_rotations(&s, engine, question, error);
    if (status)
        scorers_close(&s);
    else
        *scorers = s;
    return status;
}

void scorers_close(struct scorers *scorers)
{
    for (size_t i = 0; scorers->items && i < scorers->count; i++) zeroshot_close(&scorers->items[i]);
    free(scorers->items);
    *scorers = (struct scorers){0};
}

void scorers_add(const struct scorers *s, size_t index, const double *p, double *sum)
{
    const double least = 1e-300; /* a probability that was rounded to nothing */
    if (s->is_multi)
        sum[index] = p[0];
    else if (s->count == 1)
        memcpy(sum, p, s->n_labels * sizeof *sum);
    else
        for (size_t k = 0; k < s->n_labels; k++) sum[k] += log(p[k] > least ? p[k] : least);
}

void scorers_finish(const struct scorers *s, double *sum)
{
    double highest = -INFINITY, total = 0;
    if (s->is_multi || s->count == 1) return;
    for (size_t k = 0; k < s->n_labels; k++) {
        sum[k] /= (double)s->count;
        if (sum[k] > highest) highest = sum[k];
    }
    for (size_t k = 0; k < s->n_labels; k++) total += sum[k] = exp(sum[k] - highest);
    for (size_t k = 0; k < s->n_labels; k++) sum[k] /= total;
}

/* ---- the prior ---- */

/* Tokens of the texts that this prompt can take: rows [count], the first *n of them. */
static enum weir_status tokenize_texts(const struct zeroshot *z, const struct weir_string *texts, size_t count,
                                       struct weir_tokens *rows, size_t *n, struct weir_error *error)
{
    *n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!text_is_utf8(texts[i])) continue;
        enum weir_status status = zeroshot_tokenize(z, prompt_trim(texts[i]), &rows[*n], error);
        if (status == WEIR_ERR_NOMEM) return status;
        if (!status) ++*n;
    }
    return *n ? WEIR_OK
              : error_set(error, WEIR_ERR_INVALID, "the label prior: none of the %zu texts can be read", count);
}

static enum weir_status set_prior(struct zeroshot *z, const struct weir_string *texts, size_t count,
                                  struct weir_error *error)
{
    size_t n = 0;
    struct weir_tokens *rows = mem_zero(count, sizeof *rows);
    if (!rows) return error_nomem(error, "label prior");
    enum weir_status status = tokenize_texts(z, texts, count, rows, &n, error);
    if (!status) {
        engine_lock(z->engine);
        status = zeroshot_measure_prior(z, rows, n, error);
        engine_unlock(z->engine);
    }
    for (size_t i = 0; i < count; i++) weir_tokens_free(&rows[i]);
    free(rows);
    return status;
}

enum weir_status scorers_set_prior(struct scorers *scorers, const struct weir_string *texts, size_t count,
                                   struct weir_error *error)
{
    struct weir_error own;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; !status && i < scorers->count; i++) {
        if (count)
            status = set_prior(scorers->items[i], texts, count, error ? error : &own);
        else
            zeroshot_drop_prior(scorers->items[i]);
    }
    return status;
}
