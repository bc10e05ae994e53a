/* binary16 conversions for these tests, by the compiler's arithmetic-only route. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

float f16_to_f32(uint16_t bits)
{
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float magnitude = exponent == 31 ? (mantissa ? NAN : INFINITY)
                      : exponent     ? ldexpf((float)(mantissa + 1024), exponent - 25)
                                     : ldexpf((float)mantissa, -24);
    return bits >> 15 ? -magnitude : magnitude;
}

uint16_t f32_to_f16(float value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    float magnitude = fabsf(value);
    if (isnan(value)) return sign | 0x7e00;
    if (magnitude >= 65520.0f) return sign | 0x7c00;
    int exponent = magnitude < 0x1p-14f ? -14 : ilogbf(magnitude);
    long steps = lrintf(ldexpf(magnitude, 10 - exponent)); /* round to nearest even */
    return (uint16_t)(sign | (uint16_t)(steps + ((exponent + 14) << 10)));
}
