/* The kernels of one instruction set, for float32 and float64.
 * The including file defines SET (its name), VECTOR_BYTES, TILE_ROWS, FMA_F32 and FMA_F64. */
#include "kernels.h"
#include <stddef.h>
#include <string.h>

#define JOIN_(a, b, c) a##_##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define ISA TEXT(SET)
#define FN(name) JOIN(name, SET, KIND)
#define vec FN(vec)
#define ivec FN(ivec)

#define KIND f32
#define NUMBER "float32"
#define REAL float
#define INTEGER int32_t
#define FMA FMA_F32
#define SQRT __builtin_sqrtf
#define ROUNDING 12582912.0f /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
#define LN2_HIGH 0.693359375f /* 355/512: n * LN2_HIGH is exact */
#define LN2_LOW -2.12194440e-4f
#define BIAS 127
#define MANTISSA_BITS 23
#define EXP_TERMS 6
#define LOG_TERMS 5
#define LOG1P_TERMS 8
#define EXP_LIMIT 176.0f
#define SIGMOID_LIMIT 88.8f
#define TANH_LIMIT 20.0f
#define SMALLEST_NORMAL 1.17549435e-38f
#include "kernels.inc.c"
#include "lowprec.inc.c"
#undef KIND
#undef NUMBER
#undef REAL
#undef INTEGER
#undef FMA
#undef SQRT
#undef ROUNDING
#undef LN2_HIGH
#undef LN2_LOW
#undef BIAS
#undef MANTISSA_BITS
#undef EXP_TERMS
#undef LOG_TERMS
#undef LOG1P_TERMS
#undef EXP_LIMIT
#undef SIGMOID_LIMIT
#undef TANH_LIMIT
#undef SMALLEST_NORMAL

#define KIND f64
#define NUMBER "float64"
#define REAL double
#define INTEGER int64_t
#define FMA FMA_F64
#define SQRT __builtin_sqrt
#define ROUNDING 6755399441055744.0 /* 1.5 * 2^52 */
#define LN2_HIGH 0.693147180369123816490 /* 32 bits of ln(2) */
#define LN2_LOW 1.90821492927058770002e-10
#define BIAS 1023
#define MANTISSA_BITS 52
#define EXP_TERMS 12
#define LOG_TERMS 11
#define LOG1P_TERMS 17
#define EXP_LIMIT 1418.0
#define SIGMOID_LIMIT 709.9
#define TANH_LIMIT 40.0
#define SMALLEST_NORMAL 2.2250738585072014e-308
#include "kernels.inc.c"
