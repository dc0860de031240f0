/* AVX-512 (F, BW, DQ, VL): 32 registers of 64 bytes, a tile of 6 rows by 4 vectors. */
#include <immintrin.h>
#define SET avx512
#define VECTOR_BYTES 64
#define TILE_ROWS 6
#define LINE_PANELS 4
#define FMA_F32(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define FMA_F64(a, b, c) ((vec)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define LESSER_F32(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define LESSER_F64(a, b) ((vec)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define GREATER_F32(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define GREATER_F64(a, b) ((vec)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#include "kernels_both.inc.c"
