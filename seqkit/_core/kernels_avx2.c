/* AVX2 with FMA: 16 registers of 32 bytes, a tile of 3 rows by 4 vectors. */
#include <immintrin.h>
#define SET avx2
#define VECTOR_BYTES 32
#define TILE_ROWS 3
#define LINE_PANELS 2
#define FMA_F32(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define FMA_F64(a, b, c) ((vec)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define LESSER_F32(a, b) ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define LESSER_F64(a, b) ((vec)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define GREATER_F32(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define GREATER_F64(a, b) ((vec)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#include "kernels_both.inc.c"
