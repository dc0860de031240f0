/* AVX2 with FMA: 16 registers of 32 bytes, a tile of 3 rows by 4 vectors. */
#include <immintrin.h>
#define SET avx2
#define VECTOR_BYTES 32
#define TILE_ROWS 3
#define LINE_PANELS 2
#define FMA_F32(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define FMA_F64(a, b, c) ((vec)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#include "kernels_both.inc.c"
