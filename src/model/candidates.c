#include "model/candidates.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static bool copy_rows(const struct matrix *from, const int32_t *ids, size_t count, struct candidates *made)
{
    size_t row = from->cols / weir_tensor_type_block_weights(from->type) * weir_tensor_type_block_bytes(from->type);
    made->blocks = mem_zero(count, row);
    if (!made->blocks) return false;
    for (size_t i = 0; i < count; i++) {
        assert(ids[i] >= 0 && (size_t)ids[i] < from->rows);
        memcpy(made->blocks + i * row, from->blocks + (size_t)ids[i] * row, row);
    }
    made->matrix = (struct matrix){.type = from->type, .rows = count, .cols = from->cols, .blocks = made->blocks};
    return true;
}

static bool repack(const struct kernels *kernels, struct candidates *made)
{
    const struct matrix *m = &made->matrix;
    size_t bytes = kernels->tiles_bytes(m->type, m->rows, m->cols);
    if (!bytes) return true;
    made->tiles = mem_aligned(bytes, 1);
    if (!made->tiles) return false;
    kernels->repack(m, made->tiles, 0, (m->rows + TILE_ROWS - 1) / TILE_ROWS);
    made->matrix.tiles = made->tiles;
    return true;
}

enum weir_status candidates_open(const struct model *model, const int32_t *ids, size_t count, struct candidates *out,
                                 struct weir_error *error)
{
    struct candidates made = {0};
    if (!copy_rows(&model->output, ids, count, &made) || !repack(&model->kernels, &made)) {
        candidates_free(&made);
        return error_nomem(error, "rows of the output matrix");
    }
    *out = made;
    return WEIR_OK;
}

void candidates_free(struct candidates *candidates)
{
    free(candidates->blocks);
    free(candidates->tiles);
    *candidates = (struct candidates){0};
}
