/* The promise of weir/engine.h and weir/classify.h: no result depends on threads, batches or how a prefix was computed. */
#include <math.h>
#include <stdlib.h>

#include "model/tiny_engine.h"
#include "weir/classify.h"

enum { IDS = 300, VOCABULARY_MAX = 512, TEST_THREADS = 3 }; /* 300 ids: more than one forward pass takes */

static size_t vocabulary(const struct weir_engine *engine)
{
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    assert_in_range(info.n_vocab, 1, VOCABULARY_MAX);
    return info.n_vocab;
}

static void check_bits(const void *found, const void *expected, size_t count, size_t item, const char *what)
{
    const uint8_t *a = found, *b = expected;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(a + i * item, b + i * item, item) == 0) continue;
        double x, y;
        float fx, fy;
        if (item == sizeof(float)) {
            memcpy(&fx, a + i * item, item);
            memcpy(&fy, b + i * item, item);
            x = (double)fx;
            y = (double)fy;
        } else {
            memcpy(&x, a + i * item, item);
            memcpy(&y, b + i * item, item);
        }
        fail_msg("%s: value %zu: expected %a, found %a", what, i, y, x);
    }
}

static double relative_rms(const float *found, const float *expected, size_t count)
{
    double mean = 0, spread = 0, error = 0;
    for (size_t i = 0; i < count; i++) mean += (double)expected[i] / (double)count;
    for (size_t i = 0; i < count; i++) {
        double off = (double)expected[i] - mean, difference = (double)found[i] - (double)expected[i];
        spread += off * off;
        error += difference * difference;
    }
    return sqrt(error / spread);
}

/* Logits of every position, ids fed `piece` at a time. Caller frees. */
static float *logits_in_pieces(struct weir_engine *engine, const int32_t *ids, size_t count, size_t piece)
{
    struct weir_error error = {0};
    struct weir_session *session = NULL;
    size_t n_vocab = vocabulary(engine);
    float *logits = calloc(count * n_vocab, sizeof *logits);
    assert_non_null(logits);
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    for (size_t done = 0; done < count; done += piece) {
        size_t n = count - done < piece ? count - done : piece;
        check_status(weir_session_eval(session, ids + done, n, true, logits + done * n_vocab, &error), WEIR_OK, &error);
    }
    assert_int_equal(weir_session_length(session), count);
    weir_session_close(&session);
    return logits;
}

/* Every number of threads and pieces gives the same logits, which are returned. Caller frees. */
static float *logits_of_every_way(const struct tiny_model *model, enum weir_kv_type kv_type, size_t *values)
{
    static const size_t pieces[] = {IDS, 7, 1};
    int32_t ids[IDS];
    float *expected = NULL;
    tiny_ids(ids, IDS);
    for (unsigned threads = 1; threads <= TEST_THREADS; threads++) {
        struct weir_engine *engine = tiny_engine_kv(model, threads, kv_type);
        *values = IDS * vocabulary(engine);
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            char what[80];
            (void)snprintf(what, sizeof what, "%s, %s, %u threads, pieces of %zu", model->architecture,
                           weir_kv_type_name(kv_type), threads, pieces[p]);
            float *logits = logits_in_pieces(engine, ids, IDS, pieces[p]);
            if (!expected) {
                expected = logits;
                continue;
            }
            check_bits(logits, expected, *values, sizeof(float), what);
            free(logits);
        }
        weir_engine_close(&engine);
    }
    return expected;
}

static void pieces_and_threads(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++)
        for (int kv_type = 0; kv_type < WEIR_KV_TYPES; kv_type++) {
            size_t values = 0;
            float *logits = logits_of_every_way(&tiny_models[m], (enum weir_kv_type)kv_type, &values);
            for (size_t i = 0; i < values; i++) assert_true(isfinite(logits[i]));
            assert_true(logits[0] != logits[1]);
            free(logits);
        }
}

/* How far f16 and q8_0 keys and values may move the logits from f32: RMS of the difference over the standard deviation. The
 * activations' rounding to int8 makes most of it; the bounds are twice what these two models measure. */
static void kv_types_stay_close(void **state)
{
    static const double bounds[WEIR_KV_TYPES] = {[WEIR_KV_F16] = 4e-2, [WEIR_KV_F32] = 0, [WEIR_KV_Q8_0] = 6e-2};
    int32_t ids[IDS];
    (void)state;
    tiny_ids(ids, IDS);
    for (size_t m = 0; m < TINY_MODELS; m++) {
        float *logits[WEIR_KV_TYPES];
        size_t values = 0;
        for (int type = 0; type < WEIR_KV_TYPES; type++) {
            struct weir_engine *engine = tiny_engine_kv(&tiny_models[m], 2, (enum weir_kv_type)type);
            values = IDS * vocabulary(engine);
            logits[type] = logits_in_pieces(engine, ids, IDS, IDS);
            weir_engine_close(&engine);
        }
        for (int type = 0; type < WEIR_KV_TYPES; type++) {
            double difference = relative_rms(logits[type], logits[WEIR_KV_F32], values);
            print_message("%s, kv %s: %g from f32\n", tiny_models[m].architecture,
                          weir_kv_type_name((enum weir_kv_type)type), difference);
            if (difference > bounds[type])
                fail_msg("%s, kv %s: expected at most %g, found %g", tiny_models[m].architecture,
                         weir_kv_type_name((enum weir_kv_type)type), bounds[type], difference);
            if (type != WEIR_KV_F32) assert_true(difference > 0);
        }
        for (int type = 0; type < WEIR_KV_TYPES; type++) free(logits[type]);
    }
}

static void last_position_alone(void **state)
{
    int32_t ids[IDS];
    float last[VOCABULARY_MAX];
    (void)state;
    tiny_ids(ids, IDS);
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_error error = {0};
        struct weir_session *session = NULL;
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 2, 0);
        size_t n_vocab = vocabulary(engine);
        float *every = logits_in_pieces(engine, ids, IDS, IDS);
        check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
        check_status(weir_session_eval(session, ids, 10, false, NULL, &error), WEIR_OK, &error);
        weir_session_reset(session);
        check_status(weir_session_eval(session, ids, IDS, false, last, &error), WEIR_OK, &error);
        check_bits(last, every + (IDS - 1) * n_vocab, n_vocab, sizeof(float), tiny_models[m].architecture);
        weir_session_close(&session);
        free(every);
        weir_engine_close(&engine);
    }
}

/* Two children of one prefix node of `cut` tokens, the second after the first, against a session over the same tokens. */
static void check_shared_prefix(struct weir_engine *engine, const int32_t *ids, uint32_t cut, const float *expected)
{
    const struct model_shape *shape = &engine->model->shape;
    size_t n_vocab = vocabulary(engine);
    float found[VOCABULARY_MAX];
    struct weir_error error = {0};
    struct kv *prefix = NULL;
    engine_lock(engine);
    check_status(kv_open(shape, engine->kv_type, cut, false, NULL, &prefix, &error), WEIR_OK, &error);
    check_status(engine_append(engine, prefix, ids, cut, false, NULL, &error), WEIR_OK, &error);
    for (uint32_t count = IDS - cut; count; count /= 4) {
        struct kv *child = NULL;
        check_status(kv_open(shape, engine->kv_type, count, false, prefix, &child, &error), WEIR_OK, &error);
        check_status(engine_append(engine, child, ids + cut, count, false, found, &error), WEIR_OK, &error);
        assert_int_equal(kv_end(child), cut + count);
        check_bits(found, expected + (cut + count - 1) * n_vocab, n_vocab, sizeof(float), "shared prefix");
        kv_close(&child);
    }
    assert_int_equal(prefix->references, 1);
    kv_close(&prefix);
    engine_unlock(engine);
}

static void shared_prefix(void **state)
{
    static const uint32_t cuts[] = {1, 16, 21, 64, 270};
    int32_t ids[IDS];
    (void)state;
    tiny_ids(ids, IDS);
    for (size_t m = 0; m < TINY_MODELS; m++)
        for (int kv_type = 0; kv_type < WEIR_KV_TYPES; kv_type++) {
            struct weir_engine *engine = tiny_engine_kv(&tiny_models[m], 2, (enum weir_kv_type)kv_type);
            float *expected = logits_in_pieces(engine, ids, IDS, IDS);
            for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) check_shared_prefix(engine, ids, cuts[c], expected);
            free(expected);
            weir_engine_close(&engine);
        }
}

/* Children that continue one prefix at different places, some before its end, in one forward pass. */
static void forked_prefix(void **state)
{
    static const uint32_t starts[] = {70, 64, 69, 69, 33, 16, 0};
    enum { CUT = 70, FORKS = sizeof starts / sizeof *starts, FRESH = 11 };
    int32_t ids[IDS], fresh[FORKS * FRESH];
    (void)state;
    tiny_ids(ids, IDS);
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 2, 0);
        const struct model_shape *shape = &engine->model->shape;
        size_t n_vocab = vocabulary(engine);
        float *expected = logits_in_pieces(engine, ids, IDS, IDS), *found = calloc(FORKS * n_vocab, sizeof *found);
        struct weir_error error = {0};
        struct kv *prefix = NULL;
        struct batch_sequence sequences[FORKS];
        uint32_t outputs[FORKS];
        assert_non_null(found);
        engine_lock(engine);
        check_status(kv_open(shape, engine->kv_type, CUT, false, NULL, &prefix, &error), WEIR_OK, &error);
        check_status(engine_append(engine, prefix, ids, CUT, false, NULL, &error), WEIR_OK, &error);
        for (uint32_t i = 0; i < FORKS; i++) {
            sequences[i] = (struct batch_sequence){.first = i * FRESH, .count = FRESH};
            check_status(kv_fork(shape, FRESH, true, prefix, starts[i], &sequences[i].kv, &error), WEIR_OK, &error);
            memcpy(fresh + (size_t)i * FRESH, ids + starts[i], FRESH * sizeof *ids);
            outputs[i] = i * FRESH + FRESH - 1;
        }
        struct batch batch = {fresh, FORKS * FRESH, sequences, FORKS, outputs, FORKS, NULL, 0, NULL};
        check_status(forward_run(engine->forward, &batch, &error), WEIR_OK, &error);
        forward_logits(engine->forward, &engine->model->output, found);
        for (uint32_t i = 0; i < FORKS; i++) {
            check_bits(found + i * n_vocab, expected + (starts[i] + FRESH - 1) * n_vocab, n_vocab, sizeof(float),
                       "forked prefix");
            kv_close(&sequences[i].kv);
        }
        assert_int_equal(prefix->references, 1);
        kv_close(&prefix);
        engine_unlock(engine);
        free(expected);
        free(found);
        weir_engine_close(&engine);
    }
}

/* ---- classify ---- */

enum { TEXTS = 40, TEXT_BYTES_MAX = 500, LABELS_MAX = 8 };

/* Texts of 1 to 500 bytes of words, so that some take a forward pass of their own. */
static void make_texts(char bytes[TEXTS][TEXT_BYTES_MAX + 1], struct weir_string texts[TEXTS])
{
    static const char words[] = "card the transfer in a car other PIN late? ";
    for (size_t i = 0; i < TEXTS; i++) {
        size_t size = i % 13 == 5 ? TEXT_BYTES_MAX - i : 1 + i * i % 120;
        for (size_t j = 0; j < size; j++) bytes[i][j] = words[(i * 7 + j * (1 + i % 3)) % (sizeof words - 1)];
        bytes[i][0] = 'x';
        texts[i] = (struct weir_string){bytes[i], size};
    }
}

/* Classifies texts[order[i]] in calls of `rows`; probabilities [TEXTS, labels] end up in the order of `texts`. */
static void classify(struct weir_classifier *classifier, const struct weir_string *texts, const size_t *order,
                     size_t rows, double *probabilities)
{
    size_t labels = weir_classifier_probabilities(classifier);
    for (size_t done = 0; done < TEXTS; done += rows) {
        struct weir_error error = {0};
        struct weir_string batch[TEXTS];
        struct weir_decision decisions[TEXTS];
        double found[TEXTS * LABELS_MAX];
        size_t n = TEXTS - done < rows ? TEXTS - done : rows;
        for (size_t i = 0; i < n; i++) batch[i] = texts[order[done + i]];
        check_status(weir_classify(classifier, batch, n, decisions, found, &error), WEIR_OK, &error);
        for (size_t i = 0; i < n; i++) {
            const struct weir_decision *d = &decisions[i];
            double sum = 0, highest = 0;
            if (d->status) fail_msg("text %zu: %s", order[done + i], d->error);
            assert_ptr_equal(d->probabilities, found + i * labels);
            for (size_t l = 0; l < labels; l++) {
                sum += d->probabilities[l];
                if (d->probabilities[l] > highest) highest = d->probabilities[l];
            }
            if (fabs(sum - 1) > 1e-9) fail_msg("probabilities sum to %.17g, expected 1", sum);
            check_bits(&d->probability, &highest, 1, sizeof highest, "probability of the answer");
            check_bits(&d->probabilities[d->label], &highest, 1, sizeof highest, "probability of its label");
            memcpy(probabilities + order[done + i] * labels, d->probabilities, labels * sizeof *probabilities);
        }
    }
}

/* One task under every thread count: all at once, seven at a time, one at a time, backwards. */
static void classify_task(const struct tiny_model *model, const char *task_path)
{
    static char bytes[TEXTS][TEXT_BYTES_MAX + 1];
    static const size_t rows[] = {TEXTS, 7, 1};
    struct weir_string texts[TEXTS];
    size_t forward[TEXTS], backward[TEXTS];
    double expected[TEXTS * LABELS_MAX], found[TEXTS * LABELS_MAX];
    struct weir_error error = {0};
    struct weir_task *task = NULL;
    make_texts(bytes, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        forward[i] = i;
        backward[i] = TEXTS - 1 - i;
    }
    check_status(weir_task_open(task_path, &task, &error), WEIR_OK, &error);
    for (unsigned threads = 1; threads <= TEST_THREADS; threads++) {
        struct weir_engine *engine = tiny_engine(model, threads, 0);
        struct weir_classifier *classifier = NULL;
        check_status(weir_classifier_open(engine, task, NULL, &classifier, &error), WEIR_OK, &error);
        size_t values = TEXTS * weir_classifier_probabilities(classifier);
        assert_in_range(values, TEXTS * 2, TEXTS * LABELS_MAX);
        if (threads == 1) classify(classifier, texts, forward, TEXTS, expected);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            classify(classifier, texts, forward, rows[r], found);
            check_bits(found, expected, values, sizeof(double), "in order");
            classify(classifier, texts, backward, rows[r], found);
            check_bits(found, expected, values, sizeof(double), "backwards");
        }
        weir_classifier_close(&classifier);
        weir_engine_close(&engine);
    }
    weir_task_close(&task);
}

static void classify_by_codes(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++) classify_task(&tiny_models[m], WEIR_TEST_DATA "/e2e/tiny.yaml");
}

static void classify_by_names(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++) classify_task(&tiny_models[m], WEIR_TEST_DATA "/e2e/names.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_and_threads),  cmocka_unit_test(kv_types_stay_close),
        cmocka_unit_test(last_position_alone), cmocka_unit_test(shared_prefix),
        cmocka_unit_test(forked_prefix),       cmocka_unit_test(classify_by_codes),
        cmocka_unit_test(classify_by_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
