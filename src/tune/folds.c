/* Both choices rest on one order of the rows: by label, within a label shuffled. Dealing that order out in turn gives
 * every hand its share of each label. */
#include "tune/folds.h"

#include <stdlib.h>

#include "base/memory.h"

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Fisher-Yates; the modulo's bias is below rows / 2^64. */
static void shuffle(uint32_t *items, size_t count, uint64_t *state)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(random_next(state) % i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}

/* order: [rows], rows sorted by label, shuffled within each. */
static enum weir_status order_rows(const int32_t *labels, size_t rows, size_t classes, uint64_t seed, uint32_t *order)
{
    size_t *next = mem_zero(classes + 1, sizeof *next);
    if (!next) return WEIR_ERR_NOMEM;
    for (size_t i = 0; i < rows; i++) next[(size_t)labels[i] + 1]++;
    for (size_t k = 0; k < classes; k++) next[k + 1] += next[k];
    for (size_t i = 0; i < rows; i++) order[next[labels[i]]++] = (uint32_t)i;
    size_t begin = 0; /* next[k] is now the end of label k */
    for (size_t k = 0; k < classes; k++) {
        shuffle(order + begin, next[k] - begin, &seed);
        begin = next[k];
    }
    free(next);
    return WEIR_OK;
}

enum weir_status folds_assign(const int32_t *labels, size_t rows, size_t classes, unsigned folds, uint64_t seed,
                              uint8_t *fold_of_row)
{
    uint32_t *order = mem_zero(rows, sizeof *order);
    enum weir_status status = order ? order_rows(labels, rows, classes, seed, order) : WEIR_ERR_NOMEM;
    for (size_t i = 0; i < rows && !status; i++) fold_of_row[order[i]] = (uint8_t)(i % folds);
    free(order);
    return status;
}

static int compare_rows(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

enum weir_status folds_part(const int32_t *labels, size_t rows, size_t classes, size_t wanted, uint64_t seed,
                            uint32_t *chosen, size_t *count)
{
    uint32_t *order = mem_zero(rows, sizeof *order);
    enum weir_status status = order ? order_rows(labels, rows, classes, seed, order) : WEIR_ERR_NOMEM;
    size_t taken = 0;
    if (wanted > rows) wanted = rows;
    /* Row i of the order is taken when floor((i + 1) * wanted / rows) steps up: evenly spread. */
    for (size_t i = 0; i < rows && !status; i++)
        if ((i + 1) * wanted / rows > i * wanted / rows) chosen[taken++] = order[i];
    if (!status) {
        qsort(chosen, taken, sizeof *chosen, compare_rows);
        *count = taken;
    }
    free(order);
    return status;
}
