/* From labelled rows to a profile. For each question: search on a part of the rows, then fit on all of them. */
#include "tune/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/features.h"
#include "decide/profile.h"
#include "tune/finish.h"
#include "tune/folds.h"
#include "tune/search.h"

enum { EXTRACT_ROWS = 128 }; /* texts between two calls of the progress callback */

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
    uint32_t *texts; /* [rows], rising */
    int32_t *labels; /* [rows] */
    size_t classes;
};

/* Hidden states of some texts at some depths. */
struct states {
    float *values; /* [count, n_depths, FEATURE_POOLS, n_embd], owned */
    uint32_t depths[SEARCH_DEPTHS_MAX];
    size_t n_depths;
};

static int32_t label_of(const struct learn *l, size_t row, size_t question)
{
    return l->rows->labels[row * weir_task_question_count(l->task) + question];
}

static size_t count_labelled(const struct learn *l, size_t question)
{
    size_t count = 0;
    for (size_t row = 0; row < l->rows->count; row++) count += label_of(l, row, question) >= 0;
    return count;
}

static enum weir_status check_labels(const struct learn *l, size_t index)
{
    const struct weir_question *question = weir_task_question(l->task, index);
    size_t count = count_labelled(l, index);
    int32_t first = -1;
    bool varied = false;
    if (!count) return WEIR_OK;
    if (question->n_labels < 2 || question->multi)
        return error_set(l->error, WEIR_ERR_UNSUPPORTED, "question %s: only one-of-several labels can be tuned",
                         question->name);
    for (size_t row = 0; row < l->rows->count; row++) {
        int32_t label = label_of(l, row, index);
        if (label < -1 || label >= (int32_t)question->n_labels)
            return error_set(l->error, WEIR_ERR_INVALID, "row %zu, question %s: label %d of %zu", row + 1,
                             question->name, label, question->n_labels);
        if (label >= 0 && first >= 0) varied = varied || label != first;
        if (first < 0) first = label;
    }
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
    *set = (struct labelled){0};
}

static enum weir_status labelled_open(const struct learn *l, size_t question, struct labelled *set)
{
    size_t room = count_labelled(l, question);
    *set = (struct labelled){.classes = weir_task_question(l->task, question)->n_labels};
    set->texts = mem_zero(room, sizeof *set->texts);
    set->labels = mem_zero(room, sizeof *set->labels);
    if (!set->texts || !set->labels) return error_nomem(l->error, "labelled rows");
    for (size_t row = 0; row < l->rows->count; row++) {
        if (label_of(l, row, question) < 0) continue;
        set->texts[set->rows] = (uint32_t)row;
        set->labels[set->rows++] = label_of(l, row, question);
    }
    return WEIR_OK;
}

/* A stratified part of `all`, all of it when it is small. */
static enum weir_status labelled_part(const struct learn *l, const struct labelled *all, struct labelled *part)
{
    size_t wanted = all->rows < LEARN_SEARCH_ROWS_MAX ? all->rows : LEARN_SEARCH_ROWS_MAX;
    *part = (struct labelled){.classes = all->classes};
    part->texts = mem_zero(wanted, sizeof *part->texts);
    part->labels = mem_zero(wanted, sizeof *part->labels);
    if (!part->texts || !part->labels ||
        folds_part(all->labels, all->rows, all->classes, wanted, l->options->seed, part->texts, &part->rows))
        return error_nomem(l->error, "labelled rows");
    for (size_t i = 0; i < part->rows; i++) { /* rows of `all` become texts */
        part->labels[i] = all->labels[part->texts[i]];
        part->texts[i] = all->texts[part->texts[i]];
    }
    return WEIR_OK;
}

/* Hidden states of the set's texts at states->depths. */
static enum weir_status read_states(struct learn *l, const struct labelled *set, struct states *states)
{
    const struct learn_source *source = l->source;
    size_t floats = states->n_depths * FEATURE_POOLS * source->n_embd;
    states->values = mem_zero(set->rows, floats * sizeof(float));
    if (!states->values) return error_nomem(l->error, "hidden states");
    l->steps.stage = "reading hidden states";
    for (size_t done = 0; done < set->rows; done += EXTRACT_ROWS) {
        struct weir_string texts[EXTRACT_ROWS];
        size_t count = set->rows - done < EXTRACT_ROWS ? set->rows - done : EXTRACT_ROWS;
        for (size_t i = 0; i < count; i++) texts[i] = l->rows->texts[set->texts[done + i]];
        enum weir_status status = source->hidden(source->context, texts, count, states->depths, states->n_depths,
                                                 states->values + done * floats, l->error);
        if (!status) status = tune_step(&l->steps, l->error);
        if (status) return status;
    }
    return WEIR_OK;
}

static size_t extract_steps(size_t rows)
{
    return (rows + EXTRACT_ROWS - 1) / EXTRACT_ROWS;
}

/* All steps of all questions, so that progress runs from 0 to 1 once. */
static size_t count_steps(const struct learn *l)
{
    size_t steps = 0;
    for (size_t q = 0; q < weir_task_question_count(l->task); q++) {
        size_t rows = count_labelled(l, q);
        if (!rows) continue;
        if (rows > LEARN_SEARCH_ROWS_MAX)
            steps += extract_steps(rows) + extract_steps(LEARN_SEARCH_ROWS_MAX);
        else
            steps += extract_steps(rows);
        steps += search_steps(l->options->folds) + finish_steps(l->options->folds);
    }
    return steps;
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

static struct tune_table table_of(const struct learn *l, const struct labelled *set, const struct ngram_bag *bags,
                                  const struct states *states)
{
    return (struct tune_table){.rows = set->rows,
                               .classes = set->classes,
                               .labels = set->labels,
                               .bags = bags,
                               .ngram = l->ngram,
                               .hidden = states->values,
                               .n_depths = states->n_depths,
                               .n_embd = l->source->n_embd};
}

static enum weir_status search(struct learn *l, const struct labelled *part, const struct states *states,
                               struct search_result *choice)
{
    struct ngram_bag *bags = NULL;
    enum weir_status status = gather_bags(l, part, &bags);
    if (status) return status;
    struct tune_table table = table_of(l, part, bags, states);
    struct cross cross;
    l->steps.stage = "choosing by cross-validation";
    status = cross_open(&cross, l->pool, &table, l->options->folds, l->options->seed, &l->steps, l->error);
    if (!status) {
        status = search_run(&cross, l->source->n_layers, choice, l->error);
        cross_close(&cross);
    }
    free(bags);
    return status;
}

static enum weir_status finish(struct learn *l, const struct labelled *all, const struct states *states,
                               const struct search_result *choice, struct profile_question *question)
{
    struct ngram_bag *bags = NULL;
    enum weir_status status = gather_bags(l, all, &bags);
    if (status) return status;
    struct tune_table table = table_of(l, all, bags, states);
    struct cross cross;
    l->steps.stage = "fitting";
    status = cross_open(&cross, l->pool, &table, l->options->folds, l->options->seed, &l->steps, l->error);
    if (!status) {
        status = finish_question(&cross, choice, question, l->error);
        cross_close(&cross);
    }
    free(bags);
    return status;
}

/* Narrows `states->depths` to those that the chosen blocks read and renumbers the blocks. */
static void keep_chosen_depths(struct states *states, struct tune_blocks *blocks)
{
    uint32_t place[SEARCH_DEPTHS_MAX] = {0};
    size_t kept = 0;
    for (uint32_t d = 0; d < states->n_depths; d++) {
        bool used = false;
        for (size_t b = 0; b < blocks->count; b++) used = used || blocks->items[b].depth_index == d;
        if (!used) continue;
        place[d] = (uint32_t)kept;
        states->depths[kept++] = states->depths[d];
    }
    states->n_depths = kept;
    for (size_t b = 0; b < blocks->count; b++) blocks->items[b].depth_index = place[blocks->items[b].depth_index];
}

/* Searches on a part of the rows. When that part is not all, `states` are read again, at the chosen depths, for all rows. */
static enum weir_status search_and_finish(struct learn *l, const struct labelled *all, const struct labelled *part,
                                          struct states *states, struct profile_question *question)
{
    struct search_result choice;
    states->n_depths = search_depths(l->source->n_layers, states->depths);
    enum weir_status status = read_states(l, part, states);
    if (!status) status = search(l, part, states, &choice);
    if (!status && part->rows < all->rows) {
        free(states->values);
        states->values = NULL;
        keep_chosen_depths(states, &choice.blocks);
        status = read_states(l, all, states);
    }
    return status ? status : finish(l, all, states, &choice, question);
}

static enum weir_status copy_names(const struct learn *l, const struct weir_question *from, struct profile_question *to)
{
    to->name = mem_text(from->name, strlen(from->name));
    to->labels = mem_zero(from->n_labels, sizeof *to->labels);
    if (!to->name || !to->labels) return error_nomem(l->error, "profile");
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

/* depths: [SEARCH_DEPTHS_MAX], what question->blocks[].depth_index points into afterwards. */
static enum weir_status learn_question(struct learn *l, size_t index, struct profile_question *question,
                                       uint32_t *depths)
{
    struct labelled all = {0}, part = {0};
    struct states states = {0};
    enum weir_status status = copy_names(l, weir_task_question(l->task, index), question);
    if (!status) status = labelled_open(l, index, &all);
    if (!status) status = labelled_part(l, &all, &part);
    if (!status) status = search_and_finish(l, &all, &part, &states, question);
    if (!status) status = keep_seen(l, &all, &question->unseen);
    memcpy(depths, states.depths, sizeof states.depths);
    free(states.values);
    labelled_close(&all);
    labelled_close(&part);
    return status;
}

/* profile->depths becomes the union of what the questions read; their blocks are renumbered. depths: [questions, SEARCH_DEPTHS_MAX] */
static void unite_depths(struct weir_profile *profile, uint32_t (*depths)[SEARCH_DEPTHS_MAX])
{
    for (uint32_t depth = 1; depth; depth++) { /* rising; ends after the deepest */
        bool used = false, deeper = false;
        for (size_t q = 0; q < profile->n_questions; q++)
            for (size_t b = 0; b < profile->questions[q].n_blocks; b++) {
                uint32_t read = depths[q][profile->questions[q].blocks[b].depth_index];
                used = used || read == depth;
                deeper = deeper || read > depth;
            }
        if (used) profile->depths[profile->n_depths++] = depth;
        if (!deeper) break;
    }
    for (size_t q = 0; q < profile->n_questions; q++) {
        struct profile_question *question = &profile->questions[q];
        for (size_t b = 0; b < question->n_blocks; b++) {
            uint32_t depth = depths[q][question->blocks[b].depth_index], place = 0;
            while (profile->depths[place] != depth) place++;
            question->blocks[b].depth_index = place;
        }
        profile_question_depths(profile, question);
    }
}

static enum weir_status learn_questions(struct learn *l, struct weir_profile *profile)
{
    size_t n = weir_task_question_count(l->task);
    uint32_t(*depths)[SEARCH_DEPTHS_MAX] = mem_zero(n, sizeof *depths);
    profile->questions = mem_zero(n, sizeof *profile->questions);
    enum weir_status status = depths && profile->questions ? WEIR_OK : error_nomem(l->error, "profile");
    for (size_t q = 0; q < n && !status; q++) {
        if (!count_labelled(l, q)) continue;
        size_t place = profile->n_questions++;
        status = learn_question(l, q, &profile->questions[place], depths[place]);
        if (profile->rows < profile->questions[place].rows) profile->rows = profile->questions[place].rows;
    }
    if (!status) unite_depths(profile, depths);
    free(depths);
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
        l.steps = (struct tune_steps){
            .call = options->progress, .context = options->progress_context, .total = count_steps(&l)};
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
