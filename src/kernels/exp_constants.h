/* The exponential of every level: e^x = 2^n * p(r), n = round to nearest even(x / ln 2), r = x - n ln 2.
 *
 *   t = fma(x, EXP_LOG2E, EXP_SHIFT)            the low mantissa bits of t hold n
 *   n = t - EXP_SHIFT
 *   r = fma(n, -EXP_LN2_HI, x); r = fma(n, -EXP_LN2_LO, r)
 *   p = 1 + r + r^2 (C2 + r (C3 + r (C4 + r (C5 + r C6))))     Horner's scheme, one fma a step
 *
 * Below EXP_MIN (the least float whose exponential is not below FLT_MIN) the result is 0, above EXP_MAX it is infinity, so 2^n
 * is always a normal number and the product is rounded once. The polynomial is a minimax fit of the relative error on
 * |r| <= 1.0005 ln 2 / 2 with the first two coefficients held at 1 and the others rounded to float one by one: 2^-28.2.
 * The whole is within 1 ulp of the exact value (tests/kernels/test_ops_ref.c). */
#ifndef WEIR_KERNELS_EXP_CONSTANTS_H
#define WEIR_KERNELS_EXP_CONSTANTS_H

#define EXP_MIN (-0x1.5d589ep+6f)
#define EXP_MAX 0x1.618p+6f
#define EXP_LOG2E 0x1.715476p+0f
#define EXP_SHIFT 0x1.8p+23f
#define EXP_LN2_HI 0x1.62e43p-1f
#define EXP_LN2_LO (-0x1.05c61p-29f)
#define EXP_C2 0x1.fffffcp-2f
#define EXP_C3 0x1.555492p-3f
#define EXP_C4 0x1.5558bp-5f
#define EXP_C5 0x1.123988p-7f
#define EXP_C6 0x1.6a4ce4p-10f

/* gelu_tanh(x) = x / 2 (1 + tanh(u)) = x / (1 + exp(-2u)), 2u = x (GELU_LINEAR + GELU_CUBIC x^2):
 * 2 sqrt(2/pi) and 0.044715 times that. */
#define GELU_LINEAR 0x1.988454p+0f
#define GELU_CUBIC 0x1.2444f2p-4f

/* tanh(x) for |x| < TANH_SMALL: x + x^3 (C1 + z (C2 + z (C3 + z (C4 + z C5)))), z = x^2, a minimax fit of the relative error (2^-27.7);
 * above: sign(x) (1 - 2 / (exp(2 |x|) + 1)), |x| taken as at most TANH_MAX, where the result rounds to 1. */
#define TANH_SMALL 0.625f
#define TANH_MAX 10.0f
#define TANH_C1 (-0x1.555532p-2f)
#define TANH_C2 0x1.110726p-3f
#define TANH_C3 (-0x1.b83c5ap-5f)
#define TANH_C4 0x1.52269ap-6f
#define TANH_C5 (-0x1.75e1cap-8f)

#endif
