/* IEEE 754 binary16 conversion in integer arithmetic; the vector levels use the CPU's own. */
#include "base/bytes.h"
#include "kernels/kernels.h"

float f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = (bits >> 10) & 0x1fu;
    uint32_t fraction = bits & 0x3ffu;
    if (exponent == 31) { /* infinity; NaN becomes quiet, as F16C does it */
        uint32_t quiet = fraction ? 0x400000u : 0;
        return float_from_bits(sign | 0x7f800000u | quiet | fraction << 13);
    }
    if (exponent == 0) { /* zero and subnormals: fraction * 2^-24, exact */
        float magnitude = (float)fraction * 0x1p-24f;
        return float_from_bits(sign | float_to_bits(magnitude));
    }
    return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/* value / 2^shift, rounded to nearest, ties to even; shift in 1..31. */
static uint32_t shift_round_even(uint32_t value, unsigned shift)
{
    uint32_t half = 1u << (shift - 1);
    uint32_t rest = value & ((1u << shift) - 1);
    uint32_t result = value >> shift;
    if (rest > half || (rest == half && (result & 1))) result++;
    return result;
}

uint16_t f32_to_f16(float value)
{
    uint32_t bits = float_to_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t exponent = (bits >> 23) & 0xffu;
    uint32_t fraction = bits & 0x7fffffu;
    if (exponent == 255) return (uint16_t)(sign | 0x7c00u | (fraction ? 0x200u | fraction >> 13 : 0));
    if (exponent >= 113) { /* normal in binary16, or too large; a carry out of the fraction steps the exponent */
        uint32_t magnitude = shift_round_even((exponent - 112) << 23 | fraction, 13);
        return (uint16_t)(sign | (magnitude > 0x7c00u || exponent > 142 ? 0x7c00u : magnitude));
    }
    if (exponent < 102) return (uint16_t)sign; /* below half of the smallest subnormal */
    return (uint16_t)(sign | shift_round_even(0x800000u | fraction, 126 - exponent));
}
