/* 16-byte vectors without a fused multiply-add: every x86-64, and the fallback elsewhere. */
#define SET base
#define VECTOR_BYTES 16
#define TILE_ROWS 2
#define TALL_ROWS TILE_ROWS
#define LINE_PANELS 2
#define FMA_NAME "multiply, add"
#define FMA_F32(a, b, c) ((a) * (b) + (c))
#define FMA_F64(a, b, c) ((a) * (b) + (c))
#define LESSER_F32(a, b) FN(select)((a) < (b), a, b)
#define LESSER_F64(a, b) FN(select)((a) < (b), a, b)
#define GREATER_F32(a, b) FN(select)((a) > (b), a, b)
#define GREATER_F64(a, b) FN(select)((a) > (b), a, b)
#define LOAD_SOME_F32(x, n) FN(copied)(x, n)
#define LOAD_SOME_F64(x, n) FN(copied)(x, n)
#define STORE_SOME_F32(y, n, v) memcpy(y, &(v), (size_t)(n) * sizeof(REAL))
#define STORE_SOME_F64(y, n, v) memcpy(y, &(v), (size_t)(n) * sizeof(REAL))
#ifdef __SSE2__
#include <immintrin.h>
#define MADD_NAME "pmaddwd"
#define MADD(a, b) ((ivec)_mm_madd_epi16((__m128i)(a), (__m128i)(b)))
#define MUL_LOW_HALVES(a, b) _mm_mul_epu32((__m128i)(a), (__m128i)(b))
#else
#define MUL_LOW_HALVES(a, b) (((a) & 0xFFFFFFFF) * ((b) & 0xFFFFFFFF))
#endif
#include "kernels_both.inc.c"
