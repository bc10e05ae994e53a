/* From rows to a profile, with hidden states made here: no model is needed. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "decide/features.h"
#include "decide/head.h"
#include "decide/profile.h"
#include "tune/learn.h"
#include "tune/numbers.h"

enum { LAYERS = 8, EMBD = 6, ROWS_MAX = 2600, KINDS = 3, SET_OFFSET = 5 };

static const char task_text[] = "task: mail\n"
                                "instructions: Sort the mail.\n"
                                "questions:\n"
                                "  kind:\n"
                                "    type: choice\n"
                                "    labels: [card, money, rate]\n"
                                "  urgent:\n"
                                "    type: yesno\n"
                                "  tags:\n"
                                "    type: choice\n"
                                "    multi: true\n"
                                "    labels: [a, b]\n";

/* Rows of the task: label of `kind` is i % 3, `urgent` and `tags` are not labelled unless a test does so. */
struct rows {
    struct weir_task *task;
    char texts[ROWS_MAX][48];
    struct weir_string strings[ROWS_MAX];
    int32_t labels[ROWS_MAX][3];
    uint8_t sets[ROWS_MAX][SET_OFFSET + 2]; /* the last two are of `tags` */
    struct weir_tune_rows rows;
    struct learn_source source;
    size_t asked; /* texts that hidden states were asked for */
};

/* The state depends on the text alone: its first letter decides direction (c, m, r), a hash of the text is noise. Deeper is
 * clearer. */
static enum weir_status hidden_of(void *context, const struct weir_string *texts, size_t count, const uint32_t *depths,
                                  size_t n_depths, float *out, struct weir_error *error)
{
    struct rows *rows = context;
    (void)error;
    rows->asked += count;
    for (size_t i = 0; i < count; i++) {
        uint64_t random = 88172645463325252u;
        for (size_t c = 0; c < texts[i].size; c++) random = random * 31 + (unsigned char)texts[i].data[c] + 1;
        size_t direction = texts[i].data[0] == 'c' ? 0 : texts[i].data[0] == 'm' ? 1 : 2;
        if (memcmp(texts[i].data, "skip", 4) == 0) fail_msg("hidden states of a row without labels were read");
        for (size_t d = 0; d < n_depths; d++)
            for (size_t e = 0; e < FEATURE_POOLS * EMBD; e++)
                *out++ = random_float(&random) + (e % EMBD == direction ? 1 + 0.1f * (float)depths[d] : 0);
    }
    return WEIR_OK;
}

static struct rows *rows_open(size_t count, uint64_t seed)
{
    static const char *const words[KINDS] = {"card", "money", "rate"};
    struct rows *rows = mem_zero(1, sizeof *rows);
    struct weir_error error = {0};
    uint64_t random = seed;
    assert_non_null(rows);
    check_status(weir_task_open_memory(task_text, strlen(task_text), "task", &rows->task, &error), WEIR_OK, &error);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(rows->texts[i], sizeof rows->texts[i], "%s or %s, %u", words[i % KINDS],
                       words[random_bits(&random) % KINDS], (unsigned)(random_bits(&random) % 100));
        rows->strings[i] = (struct weir_string){rows->texts[i], strlen(rows->texts[i])};
        rows->labels[i][0] = (int32_t)(i % KINDS);
        rows->labels[i][1] = rows->labels[i][2] = -1;
    }
    rows->rows = (struct weir_tune_rows){.texts = rows->strings, .labels = &rows->labels[0][0], .count = count};
    rows->source = (struct learn_source){.n_layers = LAYERS, .n_embd = EMBD, .hidden = hidden_of, .context = rows};
    memset(rows->source.model_fingerprint, 'a', 64);
    return rows;
}

static void rows_close(struct rows *rows)
{
    weir_task_close(&rows->task);
    free(rows);
}

static struct weir_tune_options options_of(unsigned folds, unsigned threads, uint64_t seed)
{
    struct weir_tune_options options = weir_tune_options_default();
    options.folds = folds;
    options.threads = threads;
    options.seed = seed;
    return options;
}

static struct weir_profile *learn(struct rows *rows, struct weir_tune_options options)
{
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    check_status(learn_profile(&rows->source, rows->task, &rows->rows, &options, &profile, &error), WEIR_OK, &error);
    return profile;
}

static void a_learned_profile_answers_its_rows(void **state)
{
    (void)state;
    struct rows *rows = rows_open(90, random_seed());
    struct weir_profile *profile = learn(rows, options_of(5, 1, 1));
    struct weir_error error = {0};
    assert_int_equal(rows->asked, 90); /* once a row */
    check_status(profile_check(profile, rows->source.model_fingerprint, LAYERS, EMBD, rows->task, &error), WEIR_OK,
                 &error);
    assert_int_equal(profile->n_questions, 1);
    assert_int_equal(profile->questions[0].rows, 90);
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
        struct weir_head_info info;
        weir_profile_head(profile, 0, (enum weir_head_kind)kind, &info);
        if (info.accuracy < 0.6) fail_msg("head %d: out-of-fold accuracy %g", kind, info.accuracy);
        assert_true(info.log_loss < log(3) && info.ece < 0.5);
        assert_true((info.hidden_weight > 0) == (kind != WEIR_HEAD_NGRAM));
        assert_true((info.ngram_weight > 0) == (kind != WEIR_HEAD_HIDDEN));
    }
    struct weir_eval_rows unseen; /* the predictions that the measures of the head in use were taken on */
    struct weir_eval_summary measured;
    struct weir_head_info used;
    weir_profile_unseen(profile, 0, &unseen);
    assert_int_equal(unseen.count, 90);
    check_status(weir_eval_measure(&unseen, &measured, NULL, &error), WEIR_OK, &error);
    weir_profile_head(profile, 0, profile->questions[0].head, &used);
    assert_true(measured.accuracy == used.accuracy && measured.ece == used.ece);
    for (size_t i = 0; i < 90; i++) assert_true(weir_profile_has_seen(profile, 0, rows->strings[i]));
    assert_false(weir_profile_has_seen(profile, 0, (struct weir_string){"card", 4}));
    struct head_scratch scratch = {0};
    size_t right = 0;
    for (size_t i = 0; i < 90; i++) {
        float hidden[PROFILE_DEPTHS_MAX * FEATURE_POOLS * EMBD];
        double p[KINDS];
        hidden_of(rows, &rows->strings[i], 1, profile->depths, profile->n_depths, hidden, &error);
        check_status(head_decide(profile, 0, WEIR_HEAD_BOTH, rows->strings[i], hidden, &scratch, p, &error), WEIR_OK,
                     &error);
        size_t label = i % KINDS;
        right += p[label] >= p[(label + 1) % KINDS] && p[label] >= p[(label + 2) % KINDS];
    }
    if (right < 85) fail_msg("%zu of 90 training rows right", right);
    head_scratch_free(&scratch);
    weir_profile_close(&profile);
    rows_close(rows);
}

/* `tags`: a where the text is of a card or of money, b where its number is even, which nothing tells but chance. */
static void independent_labels_are_learned(void **state)
{
    (void)state;
    enum { COUNT = 1200 }; /* enough for a scale and shift of each label to be considered */
    struct rows *rows = rows_open(COUNT, random_seed());
    for (size_t i = 0; i < COUNT; i++) {
        rows->labels[i][0] = -1;
        rows->labels[i][2] = 0;
        rows->sets[i][SET_OFFSET] = i % KINDS != 2;
        rows->sets[i][SET_OFFSET + 1] = i / KINDS % 2 == 0;
    }
    rows->rows.sets = &rows->sets[0][0];
    struct weir_profile *profile = learn(rows, options_of(3, 2, 1));
    struct weir_profile_question question;
    struct weir_head_info info;
    struct weir_eval_rows unseen;
    struct weir_error error = {0};
    weir_profile_question(profile, 0, &question);
    assert_true(question.is_multi);
    assert_int_equal(question.n_labels, 2);
    weir_profile_head(profile, 0, question.head, &info);
    if (info.accuracy < 0.4 || info.accuracy > 0.62) fail_msg("whole sets right out of fold: %g", info.accuracy);
    if (info.ece > 0.06) fail_msg("mean ECE of the labels: %g", info.ece);
    weir_profile_unseen(profile, 0, &unseen);
    assert_int_equal(unseen.count, 0); /* nothing to plan a certificate on */
    struct head_scratch scratch = {0};
    size_t right = 0;
    double sum = 0;
    for (size_t i = 0; i < 90; i++) {
        float hidden[PROFILE_DEPTHS_MAX * FEATURE_POOLS * EMBD];
        double p[2];
        hidden_of(rows, &rows->strings[i], 1, profile->depths, profile->n_depths, hidden, &error);
        check_status(head_decide(profile, 0, WEIR_HEAD_BOTH, rows->strings[i], hidden, &scratch, p, &error), WEIR_OK,
                     &error);
        right += (p[0] >= 0.5) == (i % KINDS != 2);
        sum += p[0] + p[1];
    }
    if (right < 85) fail_msg("%zu of 90 training rows right about a", right);
    if (sum < 95) fail_msg("the probabilities of 90 rows add up to %g: are they those of one answer?", sum);
    head_scratch_free(&scratch);
    struct strbuf bytes = STRBUF_MAX(1 << 26); /* a profile file keeps what it is */
    struct weir_profile *again = NULL;
    check_status(profile_bytes(profile, &bytes, &error), WEIR_OK, &error);
    check_status(weir_profile_open_memory(bytes.data, bytes.size, "p", &again, &error), WEIR_OK, &error);
    weir_profile_question(again, 0, &question);
    assert_true(question.is_multi);
    strbuf_free(&bytes);
    weir_profile_close(&again);
    weir_profile_close(&profile);
    rows_close(rows);
}

static struct strbuf bytes_of(struct rows *rows, struct weir_tune_options options)
{
    struct weir_profile *profile = learn(rows, options);
    struct strbuf bytes = STRBUF_MAX(1 << 24);
    struct weir_error error = {0};
    check_status(profile_bytes(profile, &bytes, &error), WEIR_OK, &error);
    weir_profile_close(&profile);
    return bytes;
}

static void the_same_rows_give_the_same_bytes_for_any_number_of_threads(void **state)
{
    (void)state;
    struct rows *rows = rows_open(75, random_seed());
    struct strbuf one = bytes_of(rows, options_of(3, 1, 5)), again = bytes_of(rows, options_of(3, 1, 5));
    struct strbuf three = bytes_of(rows, options_of(3, 3, 5)), other_seed = bytes_of(rows, options_of(3, 1, 6));
    assert_int_equal(one.size, again.size);
    assert_memory_equal(one.data, again.data, one.size);
    assert_int_equal(one.size, three.size);
    assert_memory_equal(one.data, three.data, one.size);
    assert_true(one.size != other_seed.size || memcmp(one.data, other_seed.data, one.size) != 0);
    strbuf_free(&one);
    strbuf_free(&again);
    strbuf_free(&three);
    strbuf_free(&other_seed);
    rows_close(rows);
}

static void rows_without_labels_are_left_out(void **state)
{
    (void)state;
    struct rows *rows = rows_open(80, random_seed());
    for (size_t i = 60; i < 80; i++) {
        memcpy(rows->texts[i], "skip", 4);
        rows->labels[i][0] = -1;
    }
    struct weir_profile *profile = learn(rows, options_of(3, 1, 1));
    assert_int_equal(profile->rows, 60);
    weir_profile_close(&profile);
    rows_close(rows);
}

static void each_labelled_question_gets_its_heads(void **state)
{
    (void)state;
    struct rows *rows = rows_open(60, random_seed());
    for (size_t i = 0; i < 40; i++) rows->labels[i][1] = rows->texts[i][0] == 'c';
    for (size_t i = 20; i < 30; i++) rows->labels[i][0] = -1;
    struct weir_profile *profile = learn(rows, options_of(2, 1, 1));
    struct weir_error error = {0};
    check_status(profile_check(profile, rows->source.model_fingerprint, LAYERS, EMBD, rows->task, &error), WEIR_OK,
                 &error);
    struct weir_profile_question kind, urgent;
    assert_int_equal(profile->n_questions, 2);
    weir_profile_question(profile, 0, &kind);
    weir_profile_question(profile, 1, &urgent);
    assert_string_equal(kind.name, "kind");
    assert_int_equal(kind.rows, 50);
    assert_string_equal(urgent.name, "urgent");
    assert_int_equal(urgent.rows, 40);
    assert_int_equal(urgent.n_labels, 2);
    /* The depths asked for are the union, rising; a question's blocks point at its own among them. */
    for (size_t d = 1; d < profile->n_depths; d++) assert_true(profile->depths[d] > profile->depths[d - 1]);
    for (size_t q = 0; q < 2; q++)
        for (size_t b = 0; b < profile->questions[q].n_blocks; b++)
            assert_true(profile->questions[q].blocks[b].depth_index < profile->n_depths);
    weir_profile_close(&profile);
    rows_close(rows);
}

static void check_same_question(const struct weir_profile *a, size_t qa, const struct weir_profile *b, size_t qb)
{
    const struct profile_question *x = &a->questions[qa], *y = &b->questions[qb];
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->head, y->head);
    assert_int_equal(x->n_blocks, y->n_blocks);
    for (size_t i = 0; i < x->n_blocks; i++) {
        assert_int_equal(a->depths[x->blocks[i].depth_index], b->depths[y->blocks[i].depth_index]);
        assert_int_equal(x->blocks[i].pool, y->blocks[i].pool);
        assert_memory_equal(x->blocks[i].mean, y->blocks[i].mean, EMBD * sizeof(float));
        assert_memory_equal(x->blocks[i].scale, y->blocks[i].scale, EMBD * sizeof(float));
    }
    const struct profile_head *p = &x->heads[WEIR_HEAD_BOTH], *q = &y->heads[WEIR_HEAD_BOTH];
    assert_memory_equal(p->bias, q->bias, x->n_labels * sizeof(float));
    assert_memory_equal(p->hidden, q->hidden, x->n_blocks * EMBD * x->n_labels * sizeof(float));
    assert_memory_equal(p->ngram, q->ngram, x->ngram.count * x->n_labels * sizeof(float));
}

/* A text is read once, and each question learns what it would learn alone. */
static void questions_share_the_hidden_states(void **state)
{
    (void)state;
    struct rows *rows = rows_open(60, random_seed());
    for (size_t i = 0; i < 40; i++) rows->labels[i][1] = rows->texts[i][0] == 'c';
    for (size_t i = 20; i < 30; i++) rows->labels[i][0] = -1; /* 50 rows have one label or two */
    for (size_t i = 50; i < 60; i++) rows->labels[i][0] = -1;
    struct weir_profile *both = learn(rows, options_of(2, 1, 1));
    assert_int_equal(rows->asked, 50);
    int32_t urgent[60];
    for (size_t i = 0; i < 60; i++) {
        urgent[i] = rows->labels[i][1];
        rows->labels[i][1] = -1;
    }
    struct weir_profile *first = learn(rows, options_of(2, 1, 1));
    for (size_t i = 0; i < 60; i++) {
        rows->labels[i][0] = -1;
        rows->labels[i][1] = urgent[i];
    }
    struct weir_profile *second = learn(rows, options_of(2, 1, 1));
    check_same_question(both, 0, first, 0);
    check_same_question(both, 1, second, 0);
    weir_profile_close(&both);
    weir_profile_close(&first);
    weir_profile_close(&second);
    rows_close(rows);
}

/* More rows than the search looks at: the part is read at the candidate depths, then all rows at the chosen ones. A question
 * with few rows reads none of its own. */
static void many_rows_are_searched_in_part_and_fitted_whole(void **state)
{
    (void)state;
    struct rows *rows = rows_open(ROWS_MAX, random_seed());
    struct weir_profile *alone = learn(rows, options_of(2, 2, 1));
    assert_int_equal(rows->asked, LEARN_SEARCH_ROWS_MAX + ROWS_MAX);
    rows->asked = 0;
    for (size_t i = 0; i < 30; i++) rows->labels[i][1] = rows->texts[i][0] == 'c';
    struct weir_profile *profile = learn(rows, options_of(2, 2, 1));
    assert_in_range(rows->asked, LEARN_SEARCH_ROWS_MAX + ROWS_MAX, LEARN_SEARCH_ROWS_MAX + ROWS_MAX + 30);
    assert_int_equal(profile->questions[1].rows, 30);
    check_same_question(profile, 0, alone, 0);
    weir_profile_close(&alone);
    assert_int_equal(profile->questions[0].rows, ROWS_MAX);
    struct weir_head_info info;
    weir_profile_head(profile, 0, WEIR_HEAD_BOTH, &info);
    if (info.accuracy < 0.9) fail_msg("out-of-fold accuracy %g", info.accuracy);
    weir_profile_close(&profile);
    rows_close(rows);
}

struct listener {
    size_t calls, done, total, stop_at;
};

static bool listen(void *context, const char *stage, size_t done, size_t total)
{
    struct listener *listener = context;
    assert_true(stage[0] != 0);
    assert_int_equal(done, listener->done + 1);
    if (listener->calls) assert_int_equal(total, listener->total);
    listener->done = done;
    listener->total = total;
    return ++listener->calls != listener->stop_at;
}

static void progress_runs_to_its_total_and_can_stop_the_work(void **state)
{
    (void)state;
    struct rows *rows = rows_open(40, random_seed());
    struct listener listener = {0};
    struct weir_tune_options options = options_of(2, 1, 1);
    options.progress = listen;
    options.progress_context = &listener;
    struct weir_profile *profile = learn(rows, options);
    assert_int_equal(listener.done, listener.total);
    weir_profile_close(&profile);
    size_t steps = listener.total;
    for (size_t stop = 1; stop <= steps; stop++) {
        struct weir_error error = {0};
        listener = (struct listener){.stop_at = stop};
        check_status(learn_profile(&rows->source, rows->task, &rows->rows, &options, &profile, &error),
                     WEIR_ERR_CANCELLED, &error);
        assert_null(profile);
        assert_int_equal(listener.calls, stop);
    }
    rows_close(rows);
}

static void check_refused(struct rows *rows, unsigned folds, enum weir_status expected, const char *reason)
{
    struct weir_tune_options options = options_of(folds, 1, 1);
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    check_status(learn_profile(&rows->source, rows->task, &rows->rows, &options, &profile, &error), expected, &error);
    check_contains(error.text, reason);
    assert_null(profile);
}

static void rows_that_cannot_be_learned_from_are_refused(void **state)
{
    (void)state;
    struct rows *rows = rows_open(30, random_seed());
    check_refused(rows, 1, WEIR_ERR_INVALID, "1 folds");
    check_refused(rows, 21, WEIR_ERR_INVALID, "21 folds");
    check_refused(rows, 20, WEIR_ERR_INVALID, "30 labelled rows");
    rows->labels[3][0] = 3;
    check_refused(rows, 3, WEIR_ERR_INVALID, "row 4, question kind: label 3 of 3");
    rows->labels[3][0] = -2;
    check_refused(rows, 3, WEIR_ERR_INVALID, "label -2");
    rows->labels[3][0] = 0;
    rows->labels[5][2] = 0;
    check_refused(rows, 3, WEIR_ERR_INVALID, "question tags: rows are labelled, but there are no sets");
    rows->sets[5][SET_OFFSET] = 2;
    rows->rows.sets = &rows->sets[0][0];
    check_refused(rows, 3, WEIR_ERR_INVALID, "row 6, question tags, label 1: 2 is neither 0 nor 1");
    rows->labels[5][2] = -1;
    rows->rows.sets = NULL;
    rows->texts[7][2] = (char)0xff;
    check_refused(rows, 3, WEIR_ERR_FORMAT, "row 8: text is not UTF-8");
    rows->texts[7][2] = ' ';
    for (size_t i = 0; i < 30; i++) rows->labels[i][0] = 1;
    check_refused(rows, 3, WEIR_ERR_INVALID, "all alike");
    for (size_t i = 0; i < 30; i++) rows->labels[i][0] = -1;
    check_refused(rows, 3, WEIR_ERR_INVALID, "no row carries a label");
    for (size_t i = 0; i < 30; i++) {
        rows->labels[i][0] = (int32_t)(i % KINDS);
        rows->strings[i].size = 0;
    }
    check_refused(rows, 3, WEIR_ERR_INVALID, "no text");
    rows_close(rows);
}

/* The first 200 allocations one by one, then in growing steps. */
static void allocations_may_fail_anywhere(void **state)
{
    (void)state;
    struct rows *rows = rows_open(24, random_seed());
    struct weir_tune_options options = options_of(2, 1, 1);
    enum weir_status status = WEIR_ERR_NOMEM;
    for (size_t i = 0; i < 24; i++) { /* a question with one label a row, and one with any number */
        rows->labels[i][2] = 0;
        rows->sets[i][SET_OFFSET + i % 2] = 1;
    }
    rows->rows.sets = &rows->sets[0][0];
    for (size_t n = 1; status; n += n < 200 ? 1 : n / 3) {
        struct weir_profile *profile = NULL;
        struct weir_error error = {0};
        assert_true(n < 10000000);
        mem_fail_after(n);
        status = learn_profile(&rows->source, rows->task, &rows->rows, &options, &profile, &error);
        mem_fail_after(0);
        if (status) {
            check_status(status, WEIR_ERR_NOMEM, &error);
            assert_null(profile);
        }
        weir_profile_close(&profile);
    }
    rows_close(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learned_profile_answers_its_rows),
        cmocka_unit_test(independent_labels_are_learned),
        cmocka_unit_test(the_same_rows_give_the_same_bytes_for_any_number_of_threads),
        cmocka_unit_test(rows_without_labels_are_left_out),
        cmocka_unit_test(each_labelled_question_gets_its_heads),
        cmocka_unit_test(questions_share_the_hidden_states),
        cmocka_unit_test(many_rows_are_searched_in_part_and_fitted_whole),
        cmocka_unit_test(progress_runs_to_its_total_and_can_stop_the_work),
        cmocka_unit_test(rows_that_cannot_be_learned_from_are_refused),
        cmocka_unit_test(allocations_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
