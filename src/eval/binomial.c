/* Exact binomial intervals through the incomplete beta function.
 *
 * P(X >= k) for X ~ Bin(n, p) is I_p(k, n - k + 1), so the Clopper-Pearson limits are quantiles of beta distributions. The function
 * is the continued fraction of Abramowitz & Stegun 26.5.8 (DLMF 8.17.22), evaluated by the modified method of Lentz; the quantile is
 * found by bisection, which cannot fail and needs about 60 evaluations. */
#include <math.h>

#include "weir/eval.h"

/* The coefficient d_j of DLMF 8.17.22, j from 1. */
static double fraction_coefficient(double a, double b, double x, unsigned j)
{
    double m = floor(j / 2.0);
    if (j % 2) return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
}

static double away_from_zero(double value)
{
    return fabs(value) < 1e-300 ? 1e-300 : value;
}

/* 1 + d1/(1 + d2/(1 + ...)): I_x(a,b) = x^a (1-x)^b / (a B(a,b)) divided by it. Converges fast for x < (a+1)/(a+b+2). */
static double beta_fraction(double a, double b, double x)
{
    double value = 1, ahead = 1,
           behind = 0; /* of Lentz: C_j and 1/D_j are the ratios of successive numerators, denominators */
    for (unsigned j = 1; j < 100000; j++) {
        double d = fraction_coefficient(a, b, x, j);
        behind = 1 / away_from_zero(1 + d * behind);
        ahead = away_from_zero(1 + d / ahead);
        value *= ahead * behind;
        if (fabs(ahead * behind - 1) < 1e-15) break;
    }
    return value;
}

/* ln Gamma(x) without lgamma, whose sign lives in a global. Stirling's series (DLMF 5.11.1), below 10 after the recurrence. */
static double log_gamma(double x)
{
    double shift = 0;
    while (x < 10) shift += log(x++);
    double r = 1 / x, r2 = r * r;
    double series = r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 * (1.0 / 1680 - r2 / 1188))));
    return (x - 0.5) * log(x) - x + 0.91893853320467274178 + series - shift;
}

double weir_eval_beta(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front / (a * beta_fraction(a, b, x));
    return 1 - front / (b * beta_fraction(b, a, 1 - x));
}

/* The x with I_x(a, b) = probability. */
static double beta_quantile(double a, double b, double probability)
{
    double low = 0, high = 1;
    for (int i = 0; i < 200; i++) {
        double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) break;
        if (weir_eval_beta(a, b, middle) < probability)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

void weir_eval_interval(size_t successes, size_t trials, double confidence, double *low, double *high)
{
    double tail = 0.5 * (1 - confidence);
    double k = (double)successes, n = (double)trials;
    *low = successes ? beta_quantile(k, n - k + 1, tail) : 0;
    *high = successes < trials ? beta_quantile(k + 1, n - k, 1 - tail) : 1;
}

double weir_eval_upper_bound(size_t failures, size_t trials, double confidence)
{
    if (failures >= trials) return 1;
    return beta_quantile((double)failures + 1, (double)(trials - failures), confidence);
}
