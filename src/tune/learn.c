/* From labelled rows to a profile. For each question: search on a part of the rows, then fit on all of them. The hidden states of a
 * text are read once for all questions (again, at the chosen depths, where a question's part is not all of its rows). */
#include "tune/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/profile.h"
#include "tune/finish.h"
#include "tune/folds.h"
#include "tune/reading.h"
#include "tune/search.h"

struct weir_tune_options weir_tune_options_default(void)
{
    return (struct weir_tune_options){.seed = 1, .folds = 5};
}

struct learn {
    const struct learn_source *source;
    const struct weir_task *task;
    const struct weir_tune_rows *rows;
    const struct weir_tune_options *options;
    struct thread_pool *pool;
    struct ngram_bag *bags; /* [rows] */
    struct ngram_settings ngram;
    struct tune_steps steps;
    struct weir_error *error;
};

/* The labelled rows of one question. */
struct labelled {
    size_t rows;
    uint32_t *texts;  /* [rows], rising */
    int32_t *labels;  /* [rows]; of a `multi` question the rarest label of each */
    uint8_t *targets; /* `multi`: [rows, classes], else NULL */
    size_t classes;
};

/* A question on its way into the profile. */
struct lesson {
    size_t question;                    /* index in the task */
    struct labelled all, part;          /* what it is fitted on, and the part that the search sees */
    uint32_t depths[SEARCH_DEPTHS_MAX]; /* what the blocks of `choice` count in */
    size_t n_depths;
    struct search_result choice;
};

static int32_t label_of(const struct learn *l, size_t row, size_t question)
{
    return l->rows->labels[row * weir_task_question_count(l->task) + question];
}

/* [n_labels] of a `multi` question. */
static const uint8_t *set_of(const struct learn *l, size_t row, size_t question)
{
    size_t offset = 0, all = 0;
    for (size_t q = 0; q < weir_task_question_count(l->task); q++) {
        if (q == question) offset = all;
        all += weir_task_question(l->task, q)->n_labels;
    }
    return l->rows->sets + row * all + offset;
}

static size_t count_labelled(const struct learn *l, size_t question)
{
    size_t count = 0;
    for (size_t row = 0; row < l->rows->count; row++) count += label_of(l, row, question) >= 0;
    return count;
}

/* Whether some label tells rows apart; WEIR_ERR_INVALID for a set that is none. */
static enum weir_status check_sets(const struct learn *l, size_t index, bool *varied)
{
    const struct weir_question *question = weir_task_question(l->task, index);
    const uint8_t *first = NULL;
    if (!l->rows->sets)
        return error_set(l->error, WEIR_ERR_INVALID, "question %s: rows are labelled, but there are no sets",
                         question->name);
    for (size_t row = 0; row < l->rows->count; row++) {
        if (label_of(l, row, index) < 0) continue;
        const uint8_t *set = set_of(l, row, index);
        for (size_t k = 0; k < question->n_labels; k++)
            if (set[k] > 1)
                return error_set(l->error, WEIR_ERR_INVALID, "row %zu, question %s, label %zu: %d is neither 0 nor 1",
                                 row + 1, question->name, k + 1, set[k]);
        if (first) *varied = *varied || memcmp(first, set, question->n_labels) != 0;
        first = first ? first : set;
    }
    return WEIR_OK;
}

/* Whether two labels are in use; WEIR_ERR_INVALID for one out of range. */
static enum weir_status check_indices(const struct learn *l, size_t index, bool *varied)
{
    const struct weir_question *question = weir_task_question(l->task, index);
    int32_t first = -1;
    for (size_t row = 0; row < l->rows->count; row++) {
        int32_t label = label_of(l, row, index);
        if (label < -1 || label >= (int32_t)question->n_labels)
            return error_set(l->error, WEIR_ERR_INVALID, "row %zu, question %s: label %d of %zu", row + 1,
                             question->name, label, question->n_labels);
        if (label >= 0 && first >= 0) *varied = *varied || label != first;
        if (first < 0) first = label;
    }
    return WEIR_OK;
}

static enum weir_status check_labels(const struct learn *l, size_t index)
{
    const struct weir_question *question = weir_task_question(l->task, index);
    size_t count = count_labelled(l, index);
    bool varied = false;
    if (!count) return WEIR_OK;
    if (question->n_labels < 2)
        return error_set(l->error, WEIR_ERR_UNSUPPORTED, "question %s: only labels can be tuned", question->name);
    enum weir_status status = question->multi ? check_sets(l, index, &varied) : check_indices(l, index, &varied);
    if (status) return status;
    if (!varied || count < 2 * l->options->folds)
        return error_set(l->error, WEIR_ERR_INVALID,
                         "question %s: %zu labelled rows%s; tuning with %u folds needs %u rows and two labels in use",
                         question->name, count, varied ? "" : ", all alike", l->options->folds, 2 * l->options->folds);
    return WEIR_OK;
}

static enum weir_status check_input(const struct learn *l)
{
    size_t tuned = 0;
    if (l->options->folds < 2 || l->options->folds > WEIR_TUNE_FOLDS_MAX)
        return error_set(l->error, WEIR_ERR_INVALID, "%u folds, expected 2..%d", l->options->folds,
                         WEIR_TUNE_FOLDS_MAX);
    if (l->rows->count > WEIR_TUNE_ROWS_MAX)
        return error_set(l->error, WEIR_ERR_LIMIT, "%zu rows, at most %d", l->rows->count, WEIR_TUNE_ROWS_MAX);
    for (size_t q = 0; q < weir_task_question_count(l->task); q++) {
        enum weir_status status = check_labels(l, q);
        if (status) return status;
        tuned += count_labelled(l, q) > 0;
    }
    return tuned ? WEIR_OK : error_set(l->error, WEIR_ERR_INVALID, "no row carries a label of the task");
}

static enum weir_status fill_bags(struct learn *l)
{
    size_t ngrams = 0;
    l->ngram = ngram_settings_default();
    l->bags = mem_zero(l->rows->count, sizeof *l->bags);
    if (!l->bags) return error_nomem(l->error, "n-grams");
    for (size_t row = 0; row < l->rows->count; row++) {
        enum weir_status status = ngram_bag_fill(&l->ngram, l->rows->texts[row], &l->bags[row], l->error);
        if (status) return error_prefix(l->error, status, "row %zu", row + 1);
        ngrams += l->bags[row].count;
    }
    return ngrams ? WEIR_OK : error_set(l->error, WEIR_ERR_INVALID, "the rows have no text");
}

static void labelled_close(struct labelled *set)
{
    free(set->texts);
    free(set->labels);
    free(set->targets);
    *set = (struct labelled){0};
}

/* What folds are stratified by where rows have any number of labels: the rarest that a row has, 0 where it has none. */
static enum weir_status set_strata(const struct learn *l, struct labelled *set)
{
    size_t *counts = mem_zero(set->classes, sizeof *counts);
    if (!counts) return error_nomem(l->error, "labelled rows");
    for (size_t i = 0; i < set->rows * set->classes; i++) counts[i % set->classes] += set->targets[i];
    for (size_t row = 0; row < set->rows; row++) {
        const uint8_t *targets = set->targets + row * set->classes;
        int32_t rarest = -1;
        for (size_t k = 0; k < set->classes; k++)
            if (targets[k] && (rarest < 0 || counts[k] < counts[rarest])) rarest = (int32_t)k;
        set->labels[row] = rarest < 0 ? 0 : rarest;
    }
    free(counts);
    return WEIR_OK;
}

static enum weir_status labelled_open(const struct learn *l, size_t question, struct labelled *set)
{
    size_t room = count_labelled(l, question);
    *set = (struct labelled){.classes = weir_task_question(l->task, question)->n_labels};
    set->texts = mem_zero(room, sizeof *set->texts);
    set->labels = mem_zero(room, sizeof *set->labels);
    bool multi = weir_task_question(l->task, question)->multi;
    if (multi) set->targets = mem_zero(room, set->classes);
    if (!set->texts || !set->labels || (multi && !set->targets)) return error_nomem(l->error, "labelled rows");
    for (size_t row = 0; row < l->rows->count; row++) {
        if (label_of(l, row, question) < 0) continue;
        if (multi) memcpy(set->targets + set->rows * set->classes, set_of(l, row, question), set->classes);
        set->texts[set->rows] = (uint32_t)row;
        set->labels[set->rows++] = label_of(l, row, question);
    }
    return multi ? set_strata(l, set) : WEIR_OK;
}

/* A stratified part of `all`, all of it when it is small. */
static enum weir_status labelled_part(const struct learn *l, const struct labelled *all, struct labelled *part)
{
    size_t wanted = all->rows < LEARN_SEARCH_ROWS_MAX ? all->rows : LEARN_SEARCH_ROWS_MAX;
    *part = (struct labelled){.classes = all->classes};
    part->texts = mem_zero(wanted, sizeof *part->texts);
    part->labels = mem_zero(wanted, sizeof *part->labels);
    if (all->targets) part->targets = mem_zero(wanted, part->classes);
    if (!part->texts || !part->labels || (all->targets && !part->targets) ||
        folds_part(all->labels, all->rows, all->classes, wanted, l->options->seed, part->texts, &part->rows))
        return error_nomem(l->error, "labelled rows");
    for (size_t i = 0; i < part->rows; i++) { /* rows of `all` become texts */
        if (all->targets)
            memcpy(part->targets + i * all->classes, all->targets + (size_t)part->texts[i] * all->classes,
                   all->classes);
        part->labels[i] = all->labels[part->texts[i]];
        part->texts[i] = all->texts[part->texts[i]];
    }
    return WEIR_OK;
}

/* The set's bags side by side: shallow copies, the caller frees the array only. */
static enum weir_status gather_bags(const struct learn *l, const struct labelled *set, struct ngram_bag **out)
{
    struct ngram_bag *bags = mem_zero(set->rows, sizeof *bags);
    if (!bags) return error_nomem(l->error, "n-grams");
    for (size_t i = 0; i < set->rows; i++) bags[i] = l->bags[set->texts[i]];
    *out = bags;
    return WEIR_OK;
}

static struct tune_table table_of(const struct learn *l, const struct lesson *lesson, const struct labelled *set,
                                  const struct ngram_bag *bags, const float *states)
{
    return (struct tune_table){.rows = set->rows,
                               .classes = set->classes,
                               .labels = set->labels,
                               .targets = set->targets,
                               .bags = bags,
                               .ngram = l->ngram,
                               .hidden = states,
                               .n_depths = lesson->n_depths,
                               .n_embd = l->source->n_embd};
}

static enum weir_status search(struct learn *l, struct lesson *lesson, const float *states)
{
    struct ngram_bag *bags = NULL;
    enum weir_status status = gather_bags(l, &lesson->part, &bags);
    if (status) return status;
    struct tune_table table = table_of(l, lesson, &lesson->part, bags, states);
    struct cross cross;
    l->steps.stage = "choosing by cross-validation";
    status = cross_open(&cross, l->pool, &table, l->options->folds, l->options->seed, &l->steps, l->error);
    if (!status) {
        status = search_run(&cross, l->source->n_layers, &lesson->choice, l->error);
        cross_close(&cross);
    }
    free(bags);
    return status;
}

static enum weir_status finish(struct learn *l, struct lesson *lesson, const float *states,
                               struct profile_question *question)
{
    struct ngram_bag *bags = NULL;
    enum weir_status status = gather_bags(l, &lesson->all, &bags);
    if (status) return status;
    struct tune_table table = table_of(l, lesson, &lesson->all, bags, states);
    struct cross cross;
    l->steps.stage = "fitting";
    status = cross_open(&cross, l->pool, &table, l->options->folds, l->options->seed, &l->steps, l->error);
    if (!status) {
        status = finish_question(&cross, &lesson->choice, question, l->error);
        cross_close(&cross);
    }
    free(bags);
    return status;
}

/* Narrows the lesson's depths to those that the chosen blocks read and renumbers the blocks. */
static void keep_chosen_depths(struct lesson *lesson)
{
    struct tune_blocks *blocks = &lesson->choice.blocks;
    uint32_t place[SEARCH_DEPTHS_MAX] = {0};
    size_t kept = 0;
    for (uint32_t d = 0; d < lesson->n_depths; d++) {
        bool used = false;
        for (size_t b = 0; b < blocks->count; b++) used = used || blocks->items[b].depth_index == d;
        if (!used) continue;
        place[d] = (uint32_t)kept;
        lesson->depths[kept++] = lesson->depths[d];
    }
    lesson->n_depths = kept;
    for (size_t b = 0; b < blocks->count; b++) blocks->items[b].depth_index = place[blocks->items[b].depth_index];
}

/* ---- reading for all lessons ---- */

static bool is_searched_in_part(const struct lesson *lesson)
{
    return lesson->part.rows < lesson->all.rows;
}

/* Adds the texts of `set` to those wanted ([rows]). */
static void want(const struct labelled *set, bool *wanted)
{
    for (size_t i = 0; i < set->rows; i++) wanted[set->texts[i]] = true;
}

/* What the search reads: every lesson's part. */
static void want_parts(const struct lesson *lessons, size_t count, bool *wanted)
{
    for (size_t i = 0; i < count; i++) want(&lessons[i].part, wanted);
}

/* What is read again: all rows of the lessons that were searched in part. false: nothing. */
static bool want_rest(const struct lesson *lessons, size_t count, size_t rows, bool *wanted)
{
    bool any = false;
    memset(wanted, 0, rows);
    for (size_t i = 0; i < count; i++) {
        if (!is_searched_in_part(&lessons[i])) continue;
        want(&lessons[i].all, wanted);
        any = true;
    }
    return any;
}

static size_t count_wanted(const bool *wanted, size_t rows)
{
    size_t count = 0;
    for (size_t i = 0; i < rows; i++) count += wanted[i];
    return count;
}

/* All steps of all questions, so that progress runs from 0 to 1 once. */
static size_t count_steps(const struct learn *l, const struct lesson *lessons, size_t count, bool *wanted)
{
    size_t rows = l->rows->count, steps = count * (search_steps(l->options->folds) + finish_steps(l->options->folds));
    if (want_rest(lessons, count, rows, wanted)) steps += reading_steps(count_wanted(wanted, rows));
    memset(wanted, 0, rows);
    want_parts(lessons, count, wanted);
    return steps + reading_steps(count_wanted(wanted, rows));
}

/* The chosen depths of the lessons that were searched in part, rising. */
static void unite_chosen(const struct lesson *lessons, size_t count, const struct reading *searched,
                         struct reading *out)
{
    for (size_t d = 0; d < searched->n_depths; d++) {
        bool used = false;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; is_searched_in_part(&lessons[i]) && k < lessons[i].n_depths; k++)
                used = used || lessons[i].depths[k] == searched->depths[d];
        if (used) out->depths[out->n_depths++] = searched->depths[d];
    }
}

static enum weir_status search_lesson(struct learn *l, struct lesson *lesson, const struct reading *reading)
{
    float *owned;
    const float *states;
    memcpy(lesson->depths, reading->depths, sizeof lesson->depths);
    lesson->n_depths = reading->n_depths;
    enum weir_status status = reading_take(reading, lesson->part.texts, lesson->part.rows, lesson->depths,
                                           lesson->n_depths, &owned, &states, l->error);
    if (!status) status = search(l, lesson, states);
    free(owned);
    return status;
}

static enum weir_status finish_lesson(struct learn *l, struct lesson *lesson, const struct reading *reading,
                                      struct profile_question *question)
{
    float *owned;
    const float *states;
    enum weir_status status = reading_take(reading, lesson->all.texts, lesson->all.rows, lesson->depths,
                                           lesson->n_depths, &owned, &states, l->error);
    if (!status) status = finish(l, lesson, states, question);
    free(owned);
    return status;
}

/* Searches every lesson and finishes those whose rows were all read. */
static enum weir_status search_lessons(struct learn *l, struct lesson *lessons, size_t count, const bool *wanted,
                                       struct reading *reading, struct profile_question *questions)
{
    reading->n_depths = search_depths(l->source->n_layers, reading->depths);
    enum weir_status status = reading_run(reading, l->source, l->rows, wanted, &l->steps, l->error);
    for (size_t i = 0; !status && i < count; i++) {
        status = search_lesson(l, &lessons[i], reading);
        if (status) break;
        if (is_searched_in_part(&lessons[i]))
            keep_chosen_depths(&lessons[i]);
        else
            status = finish_lesson(l, &lessons[i], reading, &questions[i]);
    }
    return status;
}

/* Reads at the chosen depths what the search did not see, and finishes the lessons that are left. */
static enum weir_status finish_rest(struct learn *l, struct lesson *lessons, size_t count, const bool *wanted,
                                    struct reading *reading, struct profile_question *questions)
{
    enum weir_status status = reading_run(reading, l->source, l->rows, wanted, &l->steps, l->error);
    for (size_t i = 0; !status && i < count; i++)
        if (is_searched_in_part(&lessons[i])) status = finish_lesson(l, &lessons[i], reading, &questions[i]);
    return status;
}

static enum weir_status learn_lessons(struct learn *l, struct lesson *lessons, size_t count,
                                      struct profile_question *questions)
{
    struct reading searched = {0}, rest = {0};
    bool *wanted = mem_zero(l->rows->count, sizeof *wanted);
    if (!wanted) return error_nomem(l->error, "rows to read");
    l->steps.total = count_steps(l, lessons, count, wanted);
    enum weir_status status = search_lessons(l, lessons, count, wanted, &searched, questions);
    unite_chosen(lessons, count, &searched, &rest);
    reading_free(&searched);
    if (!status && want_rest(lessons, count, l->rows->count, wanted))
        status = finish_rest(l, lessons, count, wanted, &rest, questions);
    reading_free(&rest);
    free(wanted);
    return status;
}

/* ---- into the profile ---- */

static enum weir_status copy_names(const struct learn *l, const struct weir_question *from, struct profile_question *to)
{
    to->name = mem_text(from->name, strlen(from->name));
    to->labels = mem_zero(from->n_labels, sizeof *to->labels);
    if (!to->name || !to->labels) return error_nomem(l->error, "profile");
    to->is_multi = from->multi;
    to->n_labels = from->n_labels;
    for (size_t k = 0; k < from->n_labels; k++) {
        to->labels[k] = mem_text(from->labels[k].name, strlen(from->labels[k].name));
        if (!to->labels[k]) return error_nomem(l->error, "profile");
    }
    return WEIR_OK;
}

/* Which texts were learned from: they certify nothing. */
static enum weir_status keep_seen(const struct learn *l, const struct labelled *all, struct profile_unseen *unseen)
{
    unseen->seen = mem_zero(all->rows, sizeof *unseen->seen);
    if (!unseen->seen) return error_nomem(l->error, "profile");
    for (size_t i = 0; i < all->rows; i++) {
        enum weir_status status = profile_text_key(l->rows->texts[all->texts[i]], &unseen->seen[i]);
        if (status) return error_set(l->error, status, "SHA-256 of a text: %s", weir_status_text(status));
    }
    unseen->n_seen = all->rows;
    profile_unseen_sort(unseen);
    return WEIR_OK;
}

/* profile->depths becomes the union of what the questions read; their blocks, which count in the lessons' depths, are renumbered. */
static void unite_depths(struct weir_profile *profile, const struct lesson *lessons)
{
    for (uint32_t depth = 1; depth; depth++) { /* rising; ends after the deepest */
        bool used = false, deeper = false;
        for (size_t q = 0; q < profile->n_questions; q++)
            for (size_t b = 0; b < profile->questions[q].n_blocks; b++) {
                uint32_t read = lessons[q].depths[profile->questions[q].blocks[b].depth_index];
                used = used || read == depth;
                deeper = deeper || read > depth;
            }
        if (used) profile->depths[profile->n_depths++] = depth;
        if (!deeper) break;
    }
    for (size_t q = 0; q < profile->n_questions; q++) {
        struct profile_question *question = &profile->questions[q];
        for (size_t b = 0; b < question->n_blocks; b++) {
            uint32_t depth = lessons[q].depths[question->blocks[b].depth_index], place = 0;
            while (profile->depths[place] != depth) place++;
            question->blocks[b].depth_index = place;
        }
        profile_question_depths(profile, question);
    }
}

/* One lesson and one question of the profile for every question that rows are labelled for. */
static enum weir_status open_lessons(struct learn *l, struct weir_profile *profile, struct lesson *lessons)
{
    enum weir_status status = WEIR_OK;
    for (size_t q = 0; !status && q < weir_task_question_count(l->task); q++) {
        if (!count_labelled(l, q)) continue;
        struct profile_question *question = &profile->questions[profile->n_questions];
        struct lesson *lesson = &lessons[profile->n_questions++];
        lesson->question = q;
        status = copy_names(l, weir_task_question(l->task, q), question);
        if (!status) status = labelled_open(l, q, &lesson->all);
        if (!status) status = labelled_part(l, &lesson->all, &lesson->part);
        if (!status) status = keep_seen(l, &lesson->all, &question->unseen);
        if (profile->rows < lesson->all.rows) profile->rows = lesson->all.rows;
    }
    return status;
}

static enum weir_status learn_questions(struct learn *l, struct weir_profile *profile)
{
    size_t n = weir_task_question_count(l->task);
    struct lesson *lessons = mem_zero(n, sizeof *lessons);
    profile->questions = mem_zero(n, sizeof *profile->questions);
    enum weir_status status = lessons && profile->questions ? WEIR_OK : error_nomem(l->error, "profile");
    if (!status) status = open_lessons(l, profile, lessons);
    if (!status) status = learn_lessons(l, lessons, profile->n_questions, profile->questions);
    if (!status) unite_depths(profile, lessons);
    for (size_t i = 0; lessons && i < n; i++) {
        labelled_close(&lessons[i].all);
        labelled_close(&lessons[i].part);
    }
    free(lessons);
    return status;
}

static enum weir_status make_profile(struct learn *l, struct weir_profile *profile)
{
    const char *name = weir_task_name(l->task);
    memcpy(profile->model_fingerprint, l->source->model_fingerprint, sizeof profile->model_fingerprint);
    profile->seed = l->options->seed;
    profile->folds = l->options->folds;
    profile->n_embd = l->source->n_embd;
    profile->task_name = mem_text(name, strlen(name));
    if (!profile->task_name) return error_nomem(l->error, "profile");
    enum weir_status status = weir_task_fingerprint(l->task, profile->task_fingerprint, l->error);
    return status ? status : learn_questions(l, profile);
}

enum weir_status learn_profile(const struct learn_source *source, const struct weir_task *task,
                               const struct weir_tune_rows *rows, const struct weir_tune_options *options,
                               struct weir_profile **out, struct weir_error *error)
{
    struct learn l = {.source = source, .task = task, .rows = rows, .options = options, .error = error};
    struct weir_profile *profile = NULL;
    enum weir_status status = check_input(&l);
    if (!status) status = fill_bags(&l);
    if (!status) status = thread_pool_open(options->threads, &l.pool, error);
    if (!status) {
        l.steps = (struct tune_steps){.call = options->progress, .context = options->progress_context};
        profile = mem_zero(1, sizeof *profile);
        status = profile ? make_profile(&l, profile) : error_nomem(error, "profile");
    }
    if (status)
        weir_profile_close(&profile);
    else
        *out = profile;
    for (size_t row = 0; l.bags && row < rows->count; row++) ngram_bag_free(&l.bags[row]);
    free(l.bags);
    thread_pool_close(&l.pool);
    return status;
}
