/* Speed of the matrix product on one thread, a line a case:
 *
 *   bench_kernels [-l LEVEL] [-t TYPE] [-s ROWSxCOLS] [-n TOKENS]
 *
 *   type level rows cols tokens GMAC/s GB/s percent-of-peak
 *
 * GB/s counts the bytes of weights a call reads once. The peak is measured beside every repetition; both numbers are the best
 * of the repetitions, so that a neighbour on the machine disturbs them less. The weights of a case are several copies of the
 * matrix, taken in turn, when it is small: as in a model, they do not stay in the second-level cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/kernels.h"
#include "kernels/quant_formats.h"
#include "peak.h"

struct shape {
    size_t rows, cols;
};

/* SmolLM2-135M, Gemma 3 270M, Phi-4 mini. */
static const struct shape shapes[] = {{576, 576}, {1536, 576}, {576, 1536}, {2048, 640}, {640, 2048}, {8192, 3072}};
static const size_t token_counts[] = {1, 19, 64, 256};

struct options {
    const char *level, *type, *shape;
    size_t tokens;
};

enum { SPREAD_BYTES = 24 << 20, REPETITIONS = 7 };
static const double seconds_min = 0.02;

/* Copies of a matrix's tiles (or blocks), and the room for a product. */
struct bench_case {
    struct matrix w;
    uint8_t *blocks, *weights;
    size_t weight_bytes, copies;
    struct activations a;
    float *x, *y;
};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void *get(size_t count, size_t size)
{
    void *memory = mem_aligned(count, size);
    if (memory) return memory;
    (void)fputs("bench_kernels: out of memory\n", stderr);
    exit(1);
}

static void case_activations(struct bench_case *c, const struct kernels *k, size_t tokens)
{
    size_t cols = c->w.cols, blocks = tokens * cols / ACT_BLOCK;
    c->x = get(tokens * cols, sizeof *c->x);
    for (size_t i = 0; i < tokens * cols; i++) c->x[i] = (float)(int16_t)random_next() * 1e-4f;
    c->y = get(tokens * c->w.rows, sizeof *c->y);
    c->a = (struct activations){.rows = tokens, .cols = cols, .x = c->x};
    c->a.q = get(tokens * cols, 1);
    c->a.d = get(blocks, sizeof *c->a.d);
    c->a.offset = get(blocks, sizeof *c->a.offset);
    c->a.offset16 = get(2 * blocks, sizeof *c->a.offset16);
    k->quantize(&c->a, 0, tokens);
}

/* Zero bytes are valid weights of every type; the speed does not depend on the values. */
static void case_open(struct bench_case *c, const struct kernels *k, enum weir_tensor_type type, struct shape s,
                      size_t tokens)
{
    size_t bytes = s.rows * (s.cols / weir_tensor_type_block_weights(type)) * weir_tensor_type_block_bytes(type);
    *c = (struct bench_case){.w = {.type = type, .rows = s.rows, .cols = s.cols}};
    c->blocks = get(bytes, 1);
    c->w.blocks = c->blocks;
    size_t tiles = k->tiles_bytes(type, s.rows, s.cols);
    c->weight_bytes = tiles ? tiles : bytes;
    c->copies = SPREAD_BYTES / c->weight_bytes + 1;
    c->weights = get(c->copies, c->weight_bytes);
    for (size_t i = 0; i < c->copies; i++) {
        uint8_t *copy = c->weights + i * c->weight_bytes;
        if (tiles && i == 0)
            k->repack(&c->w, copy, 0, (s.rows + TILE_ROWS - 1) / TILE_ROWS);
        else
            memcpy(copy, i ? c->weights : c->blocks, c->weight_bytes);
    }
    case_activations(c, k, tokens);
}

static void case_close(struct bench_case *c)
{
    free(c->blocks);
    free(c->weights);
    free(c->x);
    free(c->y);
    free(c->a.q);
    free(c->a.d);
    free(c->a.offset);
    free(c->a.offset16);
}

/* Seconds a product, over at least seconds_min. */
static double time_products(struct bench_case *c, const struct kernels *k, size_t *next)
{
    bool tiled = k->tiles_bytes(c->w.type, c->w.rows, c->w.cols) != 0;
    size_t count = 0;
    double begin = clock_seconds(), seconds;
    do {
        const uint8_t *weights = c->weights + (*next)++ % c->copies * c->weight_bytes;
        if (tiled)
            c->w.tiles = weights;
        else
            c->w.blocks = weights;
        k->matmul(&c->w, &c->a, c->y, c->w.rows, 0, c->w.rows);
        count++;
        seconds = clock_seconds() - begin;
    } while (seconds < seconds_min);
    return seconds / (double)count;
}

static void bench_one(const struct kernels *k, enum weir_tensor_type type, struct shape s, size_t tokens)
{
    struct bench_case c;
    case_open(&c, k, type, s, tokens);
    double best = 1e9, peak = 0;
    size_t next = 0;
    for (int i = 0; i < REPETITIONS; i++) {
        double rate = peak_int8_macs();
        if (rate > peak) peak = rate;
        double seconds = time_products(&c, k, &next);
        if (seconds < best) best = seconds;
    }
    double macs = (double)s.rows * (double)s.cols * (double)tokens / best;
    (void)printf("%-7s %-10s %5zu %5zu %4zu %8.1f GMAC/s %7.2f GB/s %6.1f %%\n", weir_tensor_type_name(type),
                 cpu_level_name(k->level), s.rows, s.cols, tokens, macs * 1e-9, (double)c.weight_bytes / best * 1e-9,
                 peak > 0 ? 100 * macs / peak : 0);
    (void)fflush(stdout);
    case_close(&c);
}

static bool fits_type(const struct options *o, enum weir_tensor_type type)
{
    return matrix_type_supported(type) && (!o->type || strcmp(o->type, weir_tensor_type_name(type)) == 0);
}

static void bench_type(const struct options *o, const struct kernels *k, enum weir_tensor_type type)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%zux%zu", shapes[i].rows, shapes[i].cols);
        if (o->shape && strcmp(o->shape, name) != 0) continue;
        if (shapes[i].cols % weir_tensor_type_block_weights(type)) continue;
        if (o->tokens)
            bench_one(k, type, shapes[i], o->tokens);
        else
            for (size_t j = 0; j < sizeof token_counts / sizeof *token_counts; j++)
                bench_one(k, type, shapes[i], token_counts[j]);
    }
}

static bool read_options(int argc, char **argv, struct options *o)
{
    int option;
    while ((option = getopt(argc, argv, "l:t:s:n:")) != -1) {
        if (option == 'l')
            o->level = optarg;
        else if (option == 't')
            o->type = optarg;
        else if (option == 's')
            o->shape = optarg;
        else if (option == 'n')
            o->tokens = strtoul(optarg, NULL, 10);
        else
            return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct options o = {.level = getenv("WEIR_CPU")};
    if (!read_options(argc, argv, &o)) {
        (void)fputs("usage: bench_kernels [-l LEVEL] [-t TYPE] [-s ROWSxCOLS] [-n TOKENS]\n", stderr);
        return 2;
    }
    enum cpu_level level;
    struct weir_error error;
    if (cpu_level_choose(o.level, &level, &error)) {
        (void)fprintf(stderr, "bench_kernels: %s\n", error.text);
        return 1;
    }
    struct kernels k;
    kernels_init(&k, level);
    for (unsigned type = 0; type <= WEIR_TENSOR_BF16; type++)
        if (fits_type(&o, (enum weir_tensor_type)type)) bench_type(&o, &k, (enum weir_tensor_type)type);
    return 0;
}
