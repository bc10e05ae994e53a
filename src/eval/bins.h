/* Bins of equal width that calibration errors are summed in. */
#ifndef WEIR_EVAL_BINS_H
#define WEIR_EVAL_BINS_H

#include <math.h>
#include <stddef.h>

#include "weir/eval.h"

/* Bin m holds probabilities in (m/15, (m+1)/15]; the first also 0. */
static inline size_t ece_bin(double p)
{
    const double bins = WEIR_EVAL_ECE_BINS;
    double at = ceil(p * bins) - 1;
    if (at < 0) return 0;
    return at < bins ? (size_t)at : WEIR_EVAL_ECE_BINS - 1;
}

#endif
