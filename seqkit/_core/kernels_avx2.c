/* AVX2 with FMA: 16 registers of 32 bytes, a tile of 3 rows by 4 vectors. */
#include <immintrin.h>
#define SET avx2
#define VECTOR_BYTES 32
#define TILE_ROWS 3
#define TALL_ROWS TILE_ROWS
#define LINE_PANELS 2
#define FMA_NAME "vfmadd"
#define FMA_F32(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define FMA_F64(a, b, c) ((vec)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define LESSER_F32(a, b) ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define LESSER_F64(a, b) ((vec)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define GREATER_F32(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define GREATER_F64(a, b) ((vec)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define LOAD_SOME_F32(x, n) ((vec)_mm256_maskload_ps(x, (__m256i)FN(first_lanes)(n)))
#define LOAD_SOME_F64(x, n) ((vec)_mm256_maskload_pd(x, (__m256i)FN(first_lanes)(n)))
#define STORE_SOME_F32(y, n, v) _mm256_maskstore_ps(y, (__m256i)FN(first_lanes)(n), (__m256)(v))
#define STORE_SOME_F64(y, n, v) _mm256_maskstore_pd(y, (__m256i)FN(first_lanes)(n), (__m256d)(v))
#define MADD_NAME "vpmaddwd"
#define MADD(a, b) ((ivec)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
#include "kernels.h"
#ifdef SK_AVX_VNNI
#define TARGET_I8 "avxvnni"
#define NATIVE_I8(sum, x, w) ((ivec)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(x), (__m256i)(w)))
#endif
#define MUL_LOW_HALVES(a, b) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#include "kernels_both.inc.c"
