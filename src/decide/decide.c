/* The decider: the classifier for questions with labels, a writer for each question in words, an extractor for each schema. */
#include "weir/decide.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/classifier.h"
#include "decide/extractor.h"
#include "decide/profile.h"
#include "decide/writer.h"

enum { DECIDE_BATCH_ROWS = 32 };

struct weir_decider {
    const struct weir_task *task;
    size_t n_questions, n_probabilities;
    struct weir_classifier *classifier; /* NULL: no question has labels */
    struct writer **writers;            /* [n_questions]; NULL: the question is not in words */
    struct extractor **extractors;      /* [n_questions]; NULL: the question is no extraction */
    struct extract_model model;         /* of the extractors; zero without them */
};

static bool is_in_words(const struct weir_question *question)
{
    return question->type == WEIR_QUESTION_SUMMARIZE || question->type == WEIR_QUESTION_GENERATE;
}

static enum weir_status open_extractor(struct weir_decider *d, struct weir_engine *engine,
                                       const struct weir_profile *profile, size_t index, struct weir_error *error)
{
    enum weir_status status = d->model.vocabulary ? WEIR_OK : extract_model_open(engine, &d->model, error);
    if (!status)
        status = extractor_open(engine, &d->model, weir_task_question(d->task, index), weir_task_folder(d->task),
                                &d->extractors[index], error);
    return status || !profile ? status : extractor_calibrate(d->extractors[index], profile, error);
}

static enum weir_status open_writers(struct weir_decider *d, struct weir_engine *engine,
                                     const struct weir_profile *profile, size_t *labelled, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    *labelled = 0;
    for (size_t i = 0; !status && i < d->n_questions; i++) {
        const struct weir_question *question = weir_task_question(d->task, i);
        d->n_probabilities += question->n_labels;
        if (question->n_labels)
            ++*labelled;
        else if (is_in_words(question))
            status = writer_open(engine, question, &d->writers[i], error);
        else
            status = open_extractor(d, engine, profile, i, error);
    }
    return status;
}

enum weir_status weir_decider_open(struct weir_engine *engine, const struct weir_task *task,
                                   const struct weir_profile *profile, struct weir_decider **out,
                                   struct weir_error *error)
{
    if (!weir_engine_tokenizer(engine))
        return error_set(error, WEIR_ERR_INVALID, "the engine was opened without a tokenizer");
    struct weir_decider *d = mem_zero(1, sizeof *d);
    if (!d) return error_nomem(error, "decider");
    d->task = task;
    d->n_questions = weir_task_question_count(task);
    d->writers = mem_zero(d->n_questions, sizeof(struct writer *));
    d->extractors = mem_zero(d->n_questions, sizeof(struct extractor *));
    size_t labelled = 0;
    enum weir_status status = d->writers && d->extractors ? WEIR_OK : error_nomem(error, "decider");
    if (!status && profile) status = weir_profile_check(profile, engine, task, error);
    if (!status) status = open_writers(d, engine, profile, &labelled, error);
    if (!status && profile && !labelled && !profile->n_extracts)
        status = error_set(error, WEIR_ERR_REFUSED,
                           "the task has no question with labels or schema: there is no use for a profile");
    if (!status && labelled) status = classifier_open_labelled(engine, task, profile, &d->classifier, error);
    if (status) {
        weir_decider_close(&d);
        return status;
    }
    *out = d;
    return WEIR_OK;
}

void weir_decider_close(struct weir_decider **handle)
{
    struct weir_decider *d = *handle;
    if (!d) return;
    for (size_t i = 0; d->writers && i < d->n_questions; i++) writer_close(&d->writers[i]);
    for (size_t i = 0; d->extractors && i < d->n_questions; i++) extractor_close(&d->extractors[i]);
    extract_model_close(&d->model);
    weir_classifier_close(&d->classifier);
    free(d->writers);
    free(d->extractors);
    free(d);
    *handle = NULL;
}

enum weir_status weir_decider_set_prior(struct weir_decider *d, const struct weir_string *texts, size_t count,
                                        struct weir_error *error)
{
    return d->classifier ? weir_classifier_set_prior(d->classifier, texts, count, error) : WEIR_OK;
}

size_t weir_decider_questions(const struct weir_decider *d)
{
    return d->n_questions;
}

size_t weir_decider_probabilities(const struct weir_decider *d)
{
    return d->n_probabilities;
}

size_t weir_decider_batch(const struct weir_decider *d)
{
    return d->classifier ? weir_classifier_batch(d->classifier) : DECIDE_BATCH_ROWS;
}

void weir_words_free(struct weir_words *words)
{
    free(words->text);
    free(words->fields);
    *words = (struct weir_words){.text = NULL};
}

enum weir_status weir_decide(struct weir_decider *d, const struct weir_string *texts, size_t count,
                             struct weir_decision *decisions, struct weir_words *words, double *probabilities,
                             struct weir_error *error)
{
    struct weir_error own;
    if (!error) error = &own;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < count * d->n_questions; i++) {
        decisions[i] = (struct weir_decision){.status = WEIR_OK};
        words[i] = (struct weir_words){.text = NULL};
    }
    if (d->classifier) status = weir_classify(d->classifier, texts, count, decisions, probabilities, error);
    for (size_t q = 0; !status && q < d->n_questions; q++) {
        if (d->writers[q])
            status = writer_answer(d->writers[q], texts, count, d->n_questions, decisions + q, words + q, error);
        if (d->extractors[q])
            status = extractor_answer(d->extractors[q], texts, count, d->n_questions, decisions + q, words + q, error);
    }
    for (size_t i = 0; status && i < count * d->n_questions; i++) weir_words_free(&words[i]);
    return status;
}
