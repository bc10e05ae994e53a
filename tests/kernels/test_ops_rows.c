/* Norms, activation functions, rope and softmax: every level this machine has against the reference, to the bit. */
#include "kernels/ops_test.h"

#include <float.h>
#include <math.h>

#include "kernels/exp_constants.h"

static const size_t lengths[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 48, 64, 545, 576, 1000, 1536};
enum { LENGTHS = sizeof lengths / sizeof *lengths, LONGEST = 1536 };

/* Kinds of input: ordinary, tiny, huge, denormal, all equal, special values scattered in. */
enum { KINDS = 7 };

static void fill(struct rng *rng, float *x, size_t n, int kind)
{
    static const float ranges[KINDS] = {1.0f, 1e-20f, 1e30f, 1e-39f, 20.0f, 100.0f, 3e38f};
    static const float special[] = {0.0f,     -0.0f,     FLT_MIN,     -FLT_MIN, FLT_MAX,
                                    -FLT_MAX, 0x1p-149f, -87.336541f, 88.375f,  88.376f};
    rng_fill(rng, x, n, ranges[kind]);
    for (size_t i = 0; i < n; i++) {
        if (kind == 4) x[i] = 20.0f;
        if (kind == 5 && rng_next(rng) % 4 == 0) x[i] = special[rng_next(rng) % (sizeof special / sizeof *special)];
    }
}

/* What a check is given: inputs a and b of n floats, the reference's and a level's kernels, and a buffer each for the results. */
struct case_of_n {
    const struct kernels *ref, *level;
    const float *a, *b;
    float *expected, *found;
    size_t n;
};

typedef void (*run_fn)(const struct kernels *k, const struct case_of_n *c, float *out);

static void run_rmsnorm(const struct kernels *k, const struct case_of_n *c, float *out)
{
    k->rmsnorm(out, c->a, c->b, c->n, 1e-5f);
}

static void run_rmsnorm_in_place(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->rmsnorm(out, out, c->b, c->n, 1e-5f);
}

static void run_add(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->add(out, c->b, c->n);
}

static void run_silu(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->silu_mul(out, c->b, c->n);
}

static void run_gelu(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->gelu_tanh_mul(out, c->b, c->n);
}

static void run_softcap(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->softcap(out, c->n, 30.0f);
}

static void run_softcap_of_one(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->softcap(out, c->n, 1.0f);
}

/* The last quarter stays beyond n_rot. */
static void run_rope_adjacent(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->rope_adjacent(out, c->b, c->n * 3 / 4 & ~(size_t)1);
}

static void run_rope_halves(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->rope_halves(out, c->b, c->n * 3 / 4 & ~(size_t)1);
}

static void run_softmax(const struct kernels *k, const struct case_of_n *c, float *out)
{
    memcpy(out, c->a, c->n * sizeof *out);
    k->softmax(out, c->n);
}

/* Results that are not numbers (overflowed sums) need only be so at both levels. */
static void compare(const char *what, const struct case_of_n *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (!(isnan(c->expected[i]) && isnan(c->found[i]))) assert_same_bits(what, i, c->expected[i], c->found[i]);
}

static void check_lengths(const char *what, run_fn run, const struct kernels *level, struct rng *rng, int kind)
{
    const struct kernels ref = ops_of_level(CPU_REF);
    for (size_t l = 0; l < LENGTHS; l++) {
        size_t n = lengths[l];
        float *a = fenced(n), *b = fenced(n), *expected = fenced(n), *found = fenced(n);
        fill(rng, a, n, kind);
        rng_fill(rng, b, n, 2.0f);
        const struct case_of_n c = {&ref, level, a, b, expected, found, n};
        run(&ref, &c, expected);
        run(level, &c, found);
        compare(what, &c);
        free_fenced(a, n);
        free_fenced(b, n);
        free_fenced(expected, n);
        free_fenced(found, n);
    }
}

static void levels_equal_the_reference(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        run_fn run;
    } runs[] = {
        {"rmsnorm", run_rmsnorm},
        {"rmsnorm in place", run_rmsnorm_in_place},
        {"add", run_add},
        {"silu_mul", run_silu},
        {"gelu_tanh_mul", run_gelu},
        {"softcap", run_softcap},
        {"softcap of 1", run_softcap_of_one},
        {"rope_adjacent", run_rope_adjacent},
        {"rope_halves", run_rope_halves},
        {"softmax", run_softmax},
    };
    struct rng rng = rng_open("rows");
    for (enum cpu_level at = CPU_AVX2; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++)
            for (int kind = 0; kind < KINDS; kind++) {
                char what[80];
                snprintf(what, sizeof what, "%s %s, kind %d", cpu_level_name(at), runs[r].name, kind);
                check_lengths(what, runs[r].run, &level, &rng, kind);
            }
    }
}

/* Every 9973rd float, through silu with up = 1: the exponential of each level over its whole range. */
static void every_exponent_agrees(void **state)
{
    (void)state;
    enum { batch = 1000 };
    for (enum cpu_level at = CPU_AVX2; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        float expected[batch], found[batch], up[batch];
        for (size_t i = 0; i < batch; i++) up[i] = 1.0f;
        for (uint64_t next = 0; next <= UINT32_MAX;) {
            for (size_t i = 0; i < batch; i++, next += 9973) {
                uint32_t bits = (uint32_t)next;
                memcpy(&expected[i], &bits, sizeof bits);
                if (!isfinite(expected[i])) expected[i] = 0.0f;
            }
            memcpy(found, expected, sizeof found);
            silu_mul_ref(expected, up, batch);
            level.silu_mul(found, up, batch);
            assert_rows_same(cpu_level_name(at), expected, found, batch);
        }
    }
}

/* The same for tanh. */
static void every_tanh_agrees(void **state)
{
    (void)state;
    enum { batch = 1000 };
    for (enum cpu_level at = CPU_AVX2; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        float expected[batch], found[batch];
        for (uint64_t next = 0; next <= UINT32_MAX;) {
            for (size_t i = 0; i < batch; i++, next += 9973) {
                uint32_t bits = (uint32_t)next;
                memcpy(&expected[i], &bits, sizeof bits);
                if (!isfinite(expected[i])) expected[i] = 0.0f;
            }
            memcpy(found, expected, sizeof found);
            softcap_ref(expected, batch, 1.0f);
            level.softcap(found, batch, 1.0f);
            assert_rows_same(cpu_level_name(at), expected, found, batch);
        }
    }
}

/* The last exponentials that are not 0 and the first that are, as softmax sees them. */
static void least_exponentials_agree(void **state)
{
    (void)state;
    enum { n = 40, middle = 20 };
    for (enum cpu_level at = CPU_REF; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        float expected[n], found[n];
        expected[middle] = EXP_MIN;
        for (size_t i = middle; i > 1; i--) expected[i - 1] = nextafterf(expected[i], 0.0f);
        for (size_t i = middle; i + 1 < n; i++) expected[i + 1] = nextafterf(expected[i], -INFINITY);
        expected[0] = 0.0f;
        memcpy(found, expected, sizeof found);
        softmax_ref(expected, n);
        level.softmax(found, n);
        assert_rows_same(cpu_level_name(at), expected, found, n);
        assert_true(found[middle] >= FLT_MIN);
        for (size_t i = middle + 1; i < n; i++) assert_same_bits("below", i, 0.0f, found[i]);
    }
}

/* Masked entries, at the end or between the others, leave what the row without them gives. */
static void masked_entries_change_nothing(void **state)
{
    (void)state;
    struct rng rng = rng_open("masked");
    for (enum cpu_level at = CPU_REF; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        for (size_t n = 1; n < 80; n++) {
            float plain[80], masked[180];
            rng_fill(&rng, plain, n, 30.0f);
            memcpy(masked, plain, n * sizeof *masked);
            for (size_t i = n; i < 180; i++) masked[i] = -INFINITY;
            level.softmax(plain, n);
            for (size_t total = n + 1; total <= 180; total += 13) {
                float row[180];
                memcpy(row, masked, total * sizeof *row);
                level.softmax(row, total);
                assert_rows_same("softmax of a longer row", plain, row, n);
                for (size_t i = n; i < total; i++) assert_same_bits("masked", i, 0.0f, row[i]);
            }
        }
    }
}

/* An entry's value does not depend on its place: equal entries get equal results in every lane and tail. */
static void equal_entries_stay_equal(void **state)
{
    (void)state;
    struct rng rng = rng_open("equal");
    for (enum cpu_level at = CPU_REF; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        for (size_t l = 1; l < LENGTHS; l++) {
            float row[LONGEST], gate[LONGEST], up[LONGEST], value = rng_float(&rng, 10.0f);
            for (size_t i = 0; i < lengths[l]; i++) {
                row[i] = gate[i] = i % 3 ? value : 10.0f;
                up[i] = 0.75f;
            }
            level.softmax(row, lengths[l]);
            level.gelu_tanh_mul(gate, up, lengths[l]);
            for (size_t i = 3; i < lengths[l]; i++) {
                assert_same_bits("softmax", i, row[i - 3], row[i]);
                assert_same_bits("gelu", i, gate[i - 3], gate[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_equal_the_reference),
        cmocka_unit_test(every_exponent_agrees),
        cmocka_unit_test(every_tanh_agrees),
        cmocka_unit_test(least_exponentials_agree),
        cmocka_unit_test(masked_entries_change_nothing),
        cmocka_unit_test(equal_entries_stay_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
