/* Products of tall matrices for fitting; layout and order of summation in matrix.h. */
#include "tune/matrix.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { TILE = 4, GRAIN_TILES = 8 }; /* rows computed together; tiles a thread claims at once */

typedef float vec4 __attribute__((vector_size(16)));

static inline vec4 vec4_load(const float *at)
{
    vec4 v;
    memcpy(&v, at, sizeof v);
    return v;
}

static inline vec4 vec4_all(float x)
{
    return (vec4){x, x, x, x};
}

enum weir_status panels_open(struct panels *m, size_t rows, size_t cols)
{
    *m = (struct panels){.rows = rows, .cols = cols};
    size_t size;
    if (!size_mul(panels_count(m) * PANEL_WIDTH, rows, &size)) return WEIR_ERR_NOMEM;
    m->data = mem_aligned(size, sizeof *m->data);
    return m->data ? WEIR_OK : WEIR_ERR_NOMEM;
}

void panels_close(struct panels *m)
{
    free(m->data);
    *m = (struct panels){0};
}

enum weir_status dense_open(struct dense *m, size_t rows, size_t cols)
{
    *m = (struct dense){.rows = rows, .cols = cols};
    size_t size;
    if (!size_mul(rows, cols, &size)) return WEIR_ERR_NOMEM;
    m->data = mem_aligned(size, sizeof *m->data);
    return m->data ? WEIR_OK : WEIR_ERR_NOMEM;
}

enum weir_status dense_transpose(const struct dense *m, struct dense *out)
{
    enum weir_status status = dense_open(out, m->cols, m->rows);
    if (status) return status;
    enum { BLOCK = 16 };
    for (size_t r0 = 0; r0 < m->rows; r0 += BLOCK)
        for (size_t c = 0; c < m->cols; c++)
            for (size_t r = r0; r < r0 + BLOCK && r < m->rows; r++)
                out->data[c * m->rows + r] = m->data[r * m->cols + c];
    return WEIR_OK;
}

void dense_close(struct dense *m)
{
    free(m->data);
    *m = (struct dense){0};
}

enum weir_status sparse_open(struct sparse *m, size_t rows, size_t cols, size_t entries)
{
    *m = (struct sparse){.rows = rows, .cols = cols};
    m->starts = mem_zero(rows + 1, sizeof *m->starts);
    m->indexes = mem_zero(entries, sizeof *m->indexes);
    m->values = mem_zero(entries, sizeof *m->values);
    if (m->starts && m->indexes && m->values) return WEIR_OK;
    sparse_close(m);
    return WEIR_ERR_NOMEM;
}

/* Counting sort by column; within a column the rows keep their order. */
enum weir_status sparse_transpose(const struct sparse *m, struct sparse *out)
{
    size_t entries = m->starts[m->rows];
    enum weir_status status = sparse_open(out, m->cols, m->rows, entries);
    if (status) return status;
    size_t *next = mem_zero(m->cols + 1, sizeof *next);
    if (!next) {
        sparse_close(out);
        return WEIR_ERR_NOMEM;
    }
    for (size_t i = 0; i < entries; i++) out->starts[m->indexes[i] + 1]++;
    for (size_t c = 0; c < m->cols; c++) out->starts[c + 1] += out->starts[c];
    memcpy(next, out->starts, (m->cols + 1) * sizeof *next);
    for (size_t r = 0; r < m->rows; r++)
        for (size_t i = m->starts[r]; i < m->starts[r + 1]; i++) {
            size_t at = next[m->indexes[i]]++;
            out->indexes[at] = (uint32_t)r;
            out->values[at] = m->values[i];
        }
    free(next);
    return WEIR_OK;
}

void sparse_close(struct sparse *m)
{
    free(m->starts);
    free(m->indexes);
    free(m->values);
    *m = (struct sparse){0};
}

static inline void store8(float *out, vec4 low, vec4 high, float factor, bool add)
{
    low *= vec4_all(factor);
    high *= vec4_all(factor);
    if (add) {
        low += vec4_load(out);
        high += vec4_load(out + 4);
    }
    memcpy(out, &low, sizeof low);
    memcpy(out + 4, &high, sizeof high);
}

/* x: 4 rows, `stride` apart, of `cols` values; v: [cols, 8]; out: [4, 8] */
static void dense_tile(const float *x, size_t stride, size_t cols, const float *v, float factor, float *out, bool add)
{
    vec4 a0 = vec4_all(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
    for (size_t c = 0; c < cols; c++) {
        vec4 v0 = vec4_load(v + 8 * c), v1 = vec4_load(v + 8 * c + 4);
        vec4 xa = vec4_all(x[c]), xb = vec4_all(x[stride + c]);
        vec4 xc = vec4_all(x[2 * stride + c]), xd = vec4_all(x[3 * stride + c]);
        a0 += xa * v0, a1 += xa * v1, b0 += xb * v0, b1 += xb * v1;
        c0 += xc * v0, c1 += xc * v1, d0 += xd * v0, d1 += xd * v1;
    }
    store8(out, a0, a1, factor, add);
    store8(out + 8, b0, b1, factor, add);
    store8(out + 16, c0, c1, factor, add);
    store8(out + 24, d0, d1, factor, add);
}

static void dense_row(const float *x, size_t cols, const float *v, float factor, float *out, bool add)
{
    vec4 a0 = vec4_all(0), a1 = a0;
    for (size_t c = 0; c < cols; c++) {
        a0 += vec4_all(x[c]) * vec4_load(v + 8 * c);
        a1 += vec4_all(x[c]) * vec4_load(v + 8 * c + 4);
    }
    store8(out, a0, a1, factor, add);
}

static void sparse_row(const uint32_t *indexes, const float *values, size_t count, const float *v, float factor,
                       float *out, bool add)
{
    vec4 a0 = vec4_all(0), a1 = a0;
    for (size_t i = 0; i < count; i++) {
        const float *at = v + 8 * (size_t)indexes[i];
        a0 += vec4_all(values[i]) * vec4_load(at);
        a1 += vec4_all(values[i]) * vec4_load(at + 4);
    }
    store8(out, a0, a1, factor, add);
}

struct product {
    const struct dense *dense; /* one of the two */
    const struct sparse *sparse;
    float factor;
    const struct panels *v, *out;
    bool add;
};

static void dense_work(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct product *p = context;
    const struct dense *x = p->dense;
    (void)worker;
    for (size_t panel = 0; panel < panels_count(p->v); panel++) {
        const float *v = p->v->data + panel * p->v->rows * PANEL_WIDTH;
        float *out = p->out->data + panel * p->out->rows * PANEL_WIDTH;
        for (size_t tile = begin; tile < end; tile++) {
            size_t r = tile * TILE;
            if (r + TILE <= x->rows) {
                dense_tile(x->data + r * x->cols, x->cols, x->cols, v, p->factor, out + r * PANEL_WIDTH, p->add);
                continue;
            }
            for (; r < x->rows; r++)
                dense_row(x->data + r * x->cols, x->cols, v, p->factor, out + r * PANEL_WIDTH, p->add);
        }
    }
}

static void sparse_work(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct product *p = context;
    const struct sparse *x = p->sparse;
    size_t last = end * TILE < x->rows ? end * TILE : x->rows;
    (void)worker;
    for (size_t panel = 0; panel < panels_count(p->v); panel++) {
        const float *v = p->v->data + panel * p->v->rows * PANEL_WIDTH;
        float *out = p->out->data + panel * p->out->rows * PANEL_WIDTH;
        for (size_t r = begin * TILE; r < last; r++)
            sparse_row(x->indexes + x->starts[r], x->values + x->starts[r], x->starts[r + 1] - x->starts[r], v,
                       p->factor, out + r * PANEL_WIDTH, p->add);
    }
}

void dense_times(struct thread_pool *pool, const struct dense *x, float factor, const struct panels *v,
                 const struct panels *out, bool add)
{
    struct product p = {.dense = x, .factor = factor, .v = v, .out = out, .add = add};
    thread_pool_run(pool, dense_work, &p, (x->rows + TILE - 1) / TILE, GRAIN_TILES);
}

void sparse_times(struct thread_pool *pool, const struct sparse *x, float factor, const struct panels *v,
                  const struct panels *out, bool add)
{
    struct product p = {.sparse = x, .factor = factor, .v = v, .out = out, .add = add};
    thread_pool_run(pool, sparse_work, &p, (x->rows + TILE - 1) / TILE, GRAIN_TILES);
}
