/* Tiles: a model's matrices repacked for the CPU level, in one block of pages.
 *
 * A matrix is read from the file once, a range of strips at a time on every thread, and each range's pages leave this process's memory
 * as soon as it is repacked: while loading, the tiles and a few megabytes of the file are resident, never both copies. The system maps
 * more than what is read (Linux 6.18: the whole folio of a page, up to 2 MiB), so each matrix is released once more when it is done, and
 * all of them at the end. The embedding keeps no tiles of its own: its rows are read one by one from the file. */
#include "base/error.h"
#include "base/memory.h"
#include "gguf/residency.h"
#include "model/model.h"

enum {
    RANGE_FILE_BYTES = 512 * 1024, /* of the file for one claim of a thread: what is resident twice, for each thread */
    RANGES_PER_THREAD = 8          /* at least, where a matrix is small */
};

static size_t strip_file_bytes(const struct matrix *m)
{
    return TILE_ROWS * matrix_file_bytes(m) / m->rows;
}

static size_t matrix_tiles_bytes(const struct model *model, const struct matrix *m)
{
    if (!m->rows) return 0;
    return (model->kernels.tiles_bytes(m->type, m->rows, m->cols) + 63) & ~(size_t)63;
}

/* Matrix `index` of those that get tiles: the output matrix, then each layer's in turn. NULL: there is none with this index or beyond. */
static struct matrix *matrix_at(struct model *model, size_t index)
{
    if (index == 0) return &model->output;
    size_t layer = (index - 1) / MODEL_LAYER_MATRICES;
    if (layer >= model->shape.n_layers) return NULL;
    struct model_layer *l = &model->layers[layer];
    struct matrix *all[MODEL_LAYER_MATRICES] = {&l->wq, &l->wk, &l->wv, &l->wo, &l->w_gate, &l->w_up, &l->w_down};
    return all[(index - 1) % MODEL_LAYER_MATRICES];
}

void model_measure(struct model *model)
{
    size_t tiles = 0, mapped = gguf_metadata_bytes(model->gguf);
    const struct matrix *m;
    for (size_t i = 0; (m = matrix_at(model, i)) != NULL; i++) {
        size_t bytes = matrix_tiles_bytes(model, m);
        tiles += bytes;
        if (!bytes && m->rows) mapped += matrix_file_bytes(m);
    }
    model->tiles_bytes = tiles;
    model->mapped_bytes = mapped;
    model->index_bytes = gguf_index_bytes(model->gguf);
}

struct repack_work {
    const struct model *model;
    const struct matrix *matrix;
    uint8_t *tiles;
};

static void repack_strips(void *context, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct repack_work *work = context;
    const struct matrix *m = work->matrix;
    work->model->kernels.repack(m, work->tiles, begin, end);
    size_t strip = strip_file_bytes(m), from = begin * strip, to = end * strip, all = matrix_file_bytes(m);
    gguf_release(work->model->gguf, m->blocks + from, (to < all ? to : all) - from);
}

static void place_tiles(struct model *model, struct matrix *m, uint8_t *tiles, struct thread_pool *pool)
{
    struct repack_work work = {model, m, tiles};
    size_t strips = (m->rows + TILE_ROWS - 1) / TILE_ROWS, grain = RANGE_FILE_BYTES / strip_file_bytes(m) + 1;
    size_t fair = strips / (thread_pool_size(pool) * RANGES_PER_THREAD) + 1;
    thread_pool_run(pool, repack_strips, &work, strips, grain < fair ? grain : fair);
    m->tiles = tiles;
}

static void release_matrix(const struct model *model, const struct matrix *m)
{
    if (m->tiles) gguf_release(model->gguf, m->blocks, matrix_file_bytes(m));
}

static void expect_matrix(struct model *model, size_t index)
{
    const struct matrix *m = matrix_at(model, index);
    if (m && m->rows) gguf_expect(model->gguf, m->blocks, matrix_file_bytes(m));
}

enum weir_status model_load(struct model *model, struct thread_pool *pool, struct weir_error *error)
{
    if (!model->tiles_bytes) return WEIR_OK;
    model->tiles = mem_pages(model->tiles_bytes);
    if (!model->tiles)
        return error_set(error, WEIR_ERR_NOMEM, "out of memory: %zu bytes of repacked weights", model->tiles_bytes);
    mem_pages_huge(model->tiles, model->tiles_bytes);
    size_t used = 0;
    struct matrix *m;
    expect_matrix(model, 0);
    for (size_t i = 0; (m = matrix_at(model, i)) != NULL; i++) {
        size_t bytes = matrix_tiles_bytes(model, m);
        expect_matrix(model, i + 1); /* the system reads the next one while this one is repacked */
        if (bytes) place_tiles(model, m, model->tiles + used, pool);
        release_matrix(model, m);
        used += bytes;
    }
    for (size_t i = 0; (m = matrix_at(model, i)) != NULL; i++) release_matrix(model, m);
    return WEIR_OK;
}

void model_release_embedding(const struct model *model)
{
    bool is_used = model->output.blocks == model->embd.blocks && !model->output.tiles;
    if (!is_used) gguf_release(model->gguf, model->embd.blocks, matrix_file_bytes(&model->embd));
}
