/* Speed of the kernels around the matrix products, one core, one line a case:
 *   ops level=L kernel=K kv=T rows=R keys=N head_dim=D gmac_s=X peak=P%       attention; P: of the FMA peak of this run
 *   ops level=L kernel=K n=N gb_s=X ns=Y                                      the others; bytes read and written
 * WEIR_CPU chooses the level. Each number is the best of RUNS runs: the machine's other work only ever slows one down. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fma_peak.h"

enum { RUNS = 25, KEYS = 545 };

/* One kernel call and what it is given. */
struct work {
    const struct kernels *k;
    enum weir_kv_type kv_type;
    size_t rows, keys, head_dim, n;
    float *a, *b, *c;
    void *kv;
};

typedef void (*work_fn)(const struct work *w);

static void run_scores(const struct work *w)
{
    w->k->attn_scores(w->kv_type, w->a, w->head_dim, w->rows, w->head_dim, w->kv, w->keys, 0.125f, w->b, w->keys);
}

static void run_values(const struct work *w)
{
    w->k->attn_values(w->kv_type, w->b, w->keys, w->rows, w->kv, w->keys, w->head_dim, w->a, w->head_dim);
}

static void run_rmsnorm(const struct work *w)
{
    w->k->rmsnorm(w->c, w->a, w->b, w->n, 1e-5f);
}
static void run_add(const struct work *w)
{
    w->k->add(w->a, w->b, w->n);
}
static void run_silu(const struct work *w)
{
    w->k->silu_mul(w->a, w->b, w->n);
}
static void run_gelu(const struct work *w)
{
    w->k->gelu_tanh_mul(w->a, w->b, w->n);
}
static void run_softcap(const struct work *w)
{
    w->k->softcap(w->a, w->n, 50.0f);
}
static void run_softmax(const struct work *w)
{
    w->k->softmax(w->a, w->n);
}
static void run_adjacent(const struct work *w)
{
    w->k->rope_adjacent(w->a, w->b, w->n);
}
static void run_halves(const struct work *w)
{
    w->k->rope_halves(w->a, w->b, w->n);
}

static void run_store(const struct work *w)
{
    w->k->kv_store(w->kv_type, w->kv, (float *)w->kv + w->n * 16, 5, w->a, w->b, w->n);
}

/* Seconds of one call, the best of RUNS runs of `calls` calls each. */
static double best_seconds(work_fn run, const struct work *w, size_t calls)
{
    double best = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = clock_seconds();
        for (size_t c = 0; c < calls; c++) run(w);
        double seconds = (clock_seconds() - start) / (double)calls;
        if (seconds < best) best = seconds;
    }
    return best;
}

static float *numbers(size_t n)
{
    float *x = mem_aligned(n, sizeof *x);
    if (!x) {
        fprintf(stderr, "bench_ops: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < n; i++) x[i] = (float)(i % 13) * 0.125f - 0.75f;
    return x;
}

static void bench_attention(const struct kernels *k, enum weir_kv_type type, size_t rows, size_t head_dim, double peak)
{
    float *a = numbers(rows * head_dim), *b = numbers(rows * KEYS), *kv = numbers((KEYS + 15) * head_dim);
    const struct work w = {k, type, rows, KEYS, head_dim, 0, a, b, NULL, kv};
    static const struct {
        const char *name;
        work_fn run;
    } kernels[] = {{"attn_scores", run_scores}, {"attn_values", run_values}};
    double products = (double)(rows * KEYS * head_dim);
    size_t calls = 1 + (size_t)((k->level == CPU_REF ? 1e5 : 3e7) / products);
    for (size_t i = 0; i < 2; i++) {
        double rate = products / best_seconds(kernels[i].run, &w, calls);
        printf("ops level=%s kernel=%s kv=%s rows=%zu keys=%d head_dim=%zu gmac_s=%.2f", cpu_level_name(k->level),
               kernels[i].name, weir_kv_type_name(type), rows, KEYS, head_dim, 1e-9 * rate);
        if (peak > 0.0) printf(" peak=%.0f%%", 100.0 * rate / peak);
        printf("\n");
    }
    free(a);
    free(b);
    free(kv);
}

static void bench_rows(const struct kernels *k)
{
    static const struct {
        const char *name;
        work_fn run;
        size_t n, bytes; /* bytes of memory read and written an element */
    } cases[] = {
        {"rmsnorm", run_rmsnorm, 576, 16},       {"add", run_add, 576, 12},
        {"silu_mul", run_silu, 1536, 12},        {"gelu_tanh_mul", run_gelu, 2048, 12},
        {"softcap", run_softcap, 560, 8},        {"softmax", run_softmax, 560, 24},
        {"rope_adjacent", run_adjacent, 64, 12}, {"rope_halves", run_halves, 256, 12},
        {"kv_store", run_store, 64, 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = cases[i].n;
        float *a = numbers(n), *b = numbers(n), *c = numbers(n), *kv = numbers(n * 32);
        const struct work w = {k, WEIR_KV_F16, 0, 0, 0, n, a, b, c, kv};
        for (size_t j = 0; cases[i].run == run_add && j < n; j++) b[j] = 0.0f; /* so that the sum stays small */
        double seconds = best_seconds(cases[i].run, &w, 2000);
        printf("ops level=%s kernel=%s n=%zu gb_s=%.1f ns=%.0f\n", cpu_level_name(k->level), cases[i].name, n,
               1e-9 * (double)(n * cases[i].bytes) / seconds, 1e9 * seconds);
        free(a);
        free(b);
        free(c);
        free(kv);
    }
}

int main(void)
{
    enum cpu_level level;
    struct weir_error error;
    if (cpu_level_choose(getenv("WEIR_CPU"), &level, &error) != WEIR_OK) {
        fprintf(stderr, "bench_ops: %s\n", error.text);
        return 2;
    }
    struct kernels k;
    kernels_init(&k, level);
    double peak = fma_peak(level);
    printf("ops level=%s fp32_fma_peak_gmac_s=%.1f\n", cpu_level_name(level), 1e-9 * peak);
    static const size_t shapes[][2] = {{57, 64}, {456, 64}, {16, 64}, {3, 64}, {1, 64}, {76, 256}, {4, 256}};
    for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            bench_attention(&k, type, shapes[i][0], shapes[i][1], peak);
    bench_rows(&k);
    return 0;
}
