/* The loop over strips and panels, the same at every vector level. */
#include "kernels/tiles.h"
#include "kernels/x86/matmul_x86.h"

static unsigned lanes_left(size_t rows)
{
    return rows < TILE_ROWS ? (1u << rows) - 1 : 0xffffu;
}

/* A panel in even pieces of at most rows_max activation rows. */
static void strip_panel(const struct strip_kernels *kernels, enum weir_tensor_type type, const uint8_t *strip,
                        size_t blocks, struct panel_view p, float *y, size_t y_stride, unsigned lanes)
{
    size_t pieces = (p.width + kernels->rows_max - 1) / kernels->rows_max;
    for (size_t i = 0; i < pieces; i++) {
        size_t t = p.width * i / pieces, end = p.width * (i + 1) / pieces;
        struct panel_view piece = {p.q + t * ACT_BLOCK, p.d + t, p.offset + t, p.offset16 + t, p.width};
        kernels->by_type[type][end - t](strip, blocks, &piece, y + t * y_stride, y_stride, lanes);
    }
}

void matmul_strips(const struct strip_kernels *kernels, const struct matrix *w, const struct activations *a, float *y,
                   size_t y_stride, size_t row_begin, size_t row_end)
{
    size_t blocks = a->cols / ACT_BLOCK;
    size_t strip_bytes = tile_strip_bytes(w->type, w->cols);
    if (a->rows == 0) return;
    for (size_t row = row_begin; row < row_end; row += TILE_ROWS) {
        const uint8_t *strip = w->tiles + row / TILE_ROWS * strip_bytes;
        unsigned lanes = lanes_left(row_end - row);
        for (size_t i = 0; i < panel_count(a->rows); i++) {
            struct panel panel = panel_at(a->rows, i);
            size_t at = panel.first * blocks;
            struct panel_view view = {a->q + at * ACT_BLOCK, a->d + at, a->offset + at, a->offset16 + 2 * at,
                                      panel.width};
            strip_panel(kernels, w->type, strip, blocks, view, y + panel.first * y_stride + row, y_stride, lanes);
        }
    }
}

void matmul_float_strips(float_strip_kernel *kernel, size_t rows_max, const struct matrix *w,
                         const struct activations *a, float *y, size_t y_stride, size_t row_begin, size_t row_end)
{
    size_t strip_bytes = tile_strip_bytes(w->type, w->cols);
    for (size_t row = row_begin; row < row_end; row += TILE_ROWS) {
        const uint8_t *strip = w->tiles + row / TILE_ROWS * strip_bytes;
        unsigned lanes = lanes_left(row_end - row);
        size_t pieces = (a->rows + rows_max - 1) / rows_max;
        for (size_t i = 0; i < pieces; i++) {
            size_t t = a->rows * i / pieces, end = a->rows * (i + 1) / pieces;
            kernel(end - t, strip, w->cols, a->x + t * w->cols, y + t * y_stride + row, y_stride, lanes);
        }
    }
}
