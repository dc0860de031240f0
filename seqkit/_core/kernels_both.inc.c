/* The kernels of one instruction set, for float32 and float64.
 * The including file defines SET (its name), VECTOR_BYTES, TILE_ROWS and, for F32 and F64, FMA,
 * LESSER and GREATER (of two; the second where they are equal or one is NaN), LOAD_SOME and STORE_SOME (of the first
 * n numbers at an address, fewer than a vector has; the lanes behind them are 0, or not stored).
 * SK_BODY is what is compiled: the kernels, or the pointwise kernels that a build generates. */
#include "kernels.h"
#include <stddef.h>
#include <string.h>

#ifndef SK_BODY
#define SK_BODY "kernels.inc.c"
#define SK_BODY_F32 "lowprec.inc.c" /* products whose sums are float32 */
#endif

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
#define LESSER LESSER_F32
#define GREATER GREATER_F32
#define LOAD_SOME LOAD_SOME_F32
#define STORE_SOME STORE_SOME_F32
#define SQRT __builtin_sqrtf
#define ROUNDING 12583039.0f /* 1.5 * 2^23 + 127: adding it leaves the nearest integer, biased as an exponent is, in the low bits */
#define LN2_HIGH 0.693359375f /* 355/512: n * LN2_HIGH is exact */
#define LN2_LOW -2.12194440e-4f
#define MANTISSA_BITS 23
#define EXP_TERMS 6
#define LOG_TERMS 5
#define LOG1P_TERMS 8
#define EXP_LIMIT 176.0f
#define SIGMOID_LIMIT 87.8f
#define TANH_LIMIT 20.0f
#define SMALLEST_NORMAL 1.17549435e-38f
#include SK_BODY
#ifdef SK_BODY_F32
#include SK_BODY_F32
#endif
#undef KIND
#undef NUMBER
#undef REAL
#undef INTEGER
#undef FMA
#undef LESSER
#undef GREATER
#undef LOAD_SOME
#undef STORE_SOME
#undef SQRT
#undef ROUNDING
#undef LN2_HIGH
#undef LN2_LOW
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
#define LESSER LESSER_F64
#define GREATER GREATER_F64
#define LOAD_SOME LOAD_SOME_F64
#define STORE_SOME STORE_SOME_F64
#define SQRT __builtin_sqrt
#define ROUNDING 6755399441056767.0 /* 1.5 * 2^52 + 1023 */
#define LN2_HIGH 0.693147180369123816490 /* 32 bits of ln(2) */
#define LN2_LOW 1.90821492927058770002e-10
#define MANTISSA_BITS 52
#define EXP_TERMS 12
#define LOG_TERMS 11
#define LOG1P_TERMS 17
#define EXP_LIMIT 1418.0
#define SIGMOID_LIMIT 708.9
#define TANH_LIMIT 40.0
#define SMALLEST_NORMAL 2.2250738585072014e-308
#include SK_BODY
