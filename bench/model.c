/* How much of the machine's int8 peak reading a prompt reaches, a line a model:
 *
 *   bench_model [-t THREADS] [-p TOKENS] [-r ROUNDS] MODEL.gguf...
 *
 *   model level threads tokens  tokens/s  GMAC/s  peak GMAC/s  percent
 *
 * A round measures the peak on all threads at once and then one prompt; the percent is the median of the rounds' own ratios, so that
 * a neighbour who slows the machine slows both. Counted are the multiply-adds of the weight matrices alone: attention, norms and
 * the rest take their time but add nothing, and the output matrix counts for the one token that needs it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "peak.h"

enum { ROUNDS_MAX = 100, PEAK_THREADS_MAX = 256, TOKENS_MAX = 4096, PEAK_SAMPLES = 30 };

struct options {
    unsigned threads;
    size_t tokens, rounds;
};

/* ---- the peak of all threads ---- */

struct peak_thread {
    pthread_t thread;
    pthread_barrier_t *start;
    double rate;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

static void *measure_peak(void *context)
{
    struct peak_thread *t = context;
    double rates[PEAK_SAMPLES];
    (void)pthread_barrier_wait(t->start);
    for (size_t i = 0; i < PEAK_SAMPLES; i++) rates[i] = peak_int8_macs();
    t->rate = median(rates, PEAK_SAMPLES);
    return NULL;
}

/* Multiply-adds a second of all threads together; 0 when a thread cannot be started. */
static double peak_of(unsigned threads)
{
    static struct peak_thread all[PEAK_THREADS_MAX];
    pthread_barrier_t start;
    double sum = 0;
    if (pthread_barrier_init(&start, NULL, threads)) return 0;
    for (unsigned i = 0; i < threads; i++) {
        all[i].start = &start;
        if (pthread_create(&all[i].thread, NULL, measure_peak, &all[i])) {
            (void)fputs("bench_model: cannot start a thread\n", stderr);
            exit(1);
        }
    }
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(all[i].thread, NULL);
        sum += all[i].rate;
    }
    (void)pthread_barrier_destroy(&start);
    return sum;
}

/* ---- a model ---- */

static double macs_of(const struct matrix *w)
{
    return (double)w->rows * (double)w->cols;
}

static double macs_of_prompt(const struct model *model, size_t tokens)
{
    double layers = 0;
    for (uint32_t i = 0; i < model->shape.n_layers; i++) {
        const struct model_layer *l = &model->layers[i];
        layers += macs_of(&l->wq) + macs_of(&l->wk) + macs_of(&l->wv) + macs_of(&l->wo) + macs_of(&l->w_gate) +
                  macs_of(&l->w_up) + macs_of(&l->w_down);
    }
    return layers * (double)tokens + macs_of(&model->output);
}

/* Seconds one prompt takes; negative when it fails. */
static double time_prompt(struct weir_engine *engine, size_t tokens, float *logits, struct weir_error *error)
{
    int32_t ids[TOKENS_MAX];
    struct weir_session *session = NULL;
    uint64_t state = 42;
    for (size_t i = 0; i < tokens; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int32_t)((state >> 33) % engine->model->shape.n_vocab);
    }
    if (weir_session_open(engine, &session, error)) return -1;
    double begin = clock_seconds();
    enum weir_status status = weir_session_eval(session, ids, tokens, false, logits, error);
    double seconds = clock_seconds() - begin;
    weir_session_close(&session);
    return status ? -1 : seconds;
}

static int measure(const char *path, struct weir_engine *engine, const struct options *o, float *logits)
{
    double rates[ROUNDS_MAX], peaks[ROUNDS_MAX], shares[ROUNDS_MAX];
    double macs = macs_of_prompt(engine->model, o->tokens);
    struct weir_error error = {0};
    unsigned threads = thread_pool_size(engine->pool);
    if (threads > PEAK_THREADS_MAX) threads = PEAK_THREADS_MAX;
    for (size_t i = 0; i <= o->rounds; i++) { /* round 0 warms up; round 1 takes its place */
        size_t at = i ? i - 1 : 0;
        peaks[at] = peak_of(threads);
        double seconds = time_prompt(engine, o->tokens, logits, &error);
        if (seconds < 0) {
            (void)fprintf(stderr, "bench_model: %s: %s\n", path, error.text);
            return 1;
        }
        rates[at] = (double)o->tokens / seconds;
        shares[at] = peaks[at] > 0 ? macs / seconds / peaks[at] : 0;
    }
    double rate = median(rates, o->rounds);
    (void)printf("%s %s %u %zu %9.1f tokens/s %8.1f GMAC/s %8.1f peak %6.1f %%\n", path,
                 cpu_level_name(engine->model->kernels.level), threads, o->tokens, rate,
                 rate / (double)o->tokens * macs * 1e-9, median(peaks, o->rounds) * 1e-9,
                 100 * median(shares, o->rounds));
    (void)fflush(stdout);
    return 0;
}

static int bench_model(const char *path, const struct options *o)
{
    struct weir_engine_options options = weir_engine_options_default();
    struct weir_engine *engine = NULL;
    struct weir_error error = {0};
    options.threads = o->threads;
    options.no_tokenizer = true;
    if (weir_engine_open(path, &options, &engine, &error)) {
        (void)fprintf(stderr, "bench_model: %s\n", error.text);
        return 1;
    }
    float *logits = calloc(engine->model->shape.n_vocab, sizeof *logits);
    int result = logits ? measure(path, engine, o, logits) : 1;
    free(logits);
    weir_engine_close(&engine);
    return result;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    int option;
    while ((option = getopt(argc, argv, "t:p:r:")) != -1) {
        unsigned long value = option == '?' ? 0 : strtoul(optarg, NULL, 10);
        if (option == 't')
            o->threads = (unsigned)value;
        else if (option == 'p')
            o->tokens = value;
        else if (option == 'r')
            o->rounds = value;
        else
            return false;
    }
    return optind < argc && o->tokens >= 1 && o->tokens <= TOKENS_MAX && o->rounds >= 1 && o->rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
    struct options o = {.tokens = 256, .rounds = 15};
    if (!read_options(argc, argv, &o)) {
        (void)fputs("usage: bench_model [-t THREADS] [-p TOKENS] [-r ROUNDS] MODEL.gguf...\n", stderr);
        return 2;
    }
    int result = 0;
    for (int i = optind; i < argc; i++) result |= bench_model(argv[i], &o);
    return result;
}
