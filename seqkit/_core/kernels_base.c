/* 16-byte vectors without a fused multiply-add: every x86-64, and the fallback elsewhere. */
#define SET base
#define VECTOR_BYTES 16
#define TILE_ROWS 2
#define LINE_PANELS 2
#define FMA_F32(a, b, c) ((a) * (b) + (c))
#define FMA_F64(a, b, c) ((a) * (b) + (c))
#include "kernels_both.inc.c"
