/* AVX-512 (F, BW, DQ, VL): 32 registers of 64 bytes, a tile of 6 rows by 4 vectors. */
#include <immintrin.h>
#define SET avx512
#define VECTOR_BYTES 64
#define TILE_ROWS 6
#define TALL_ROWS 8
#define LINE_PANELS 4
#define FMA_NAME "vfmadd"
#define FMA_F32(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define FMA_F64(a, b, c) ((vec)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define LESSER_F32(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define LESSER_F64(a, b) ((vec)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define GREATER_F32(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define GREATER_F64(a, b) ((vec)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#define SOME_LANES(n) ((1u << (n)) - 1)
#define LOAD_SOME_F32(x, n) ((vec)_mm512_maskz_loadu_ps((__mmask16)SOME_LANES(n), x))
#define LOAD_SOME_F64(x, n) ((vec)_mm512_maskz_loadu_pd((__mmask8)SOME_LANES(n), x))
#define STORE_SOME_F32(y, n, v) _mm512_mask_storeu_ps(y, (__mmask16)SOME_LANES(n), (__m512)(v))
#define STORE_SOME_F64(y, n, v) _mm512_mask_storeu_pd(y, (__mmask8)SOME_LANES(n), (__m512d)(v))
#define MADD_NAME "vpmaddwd"
#define MADD(a, b) ((ivec)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#define TARGET_BF16 "avx512bf16"
#define NATIVE_BF16(sum, x, w) ((vec)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(x), (__m512bh)(w)))
#define TARGET_I8 "avx512vnni"
#define NATIVE_I8(sum, x, w) ((ivec)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(w)))
#define MUL_LOW_HALVES(a, b) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#include "kernels_both.inc.c"
