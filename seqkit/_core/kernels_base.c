/* 16-byte vectors without a fused multiply-add: every x86-64, and the fallback elsewhere. */
#define SET base
#define VECTOR_BYTES 16
#define TILE_ROWS 2
#define LINE_PANELS 2
#define FMA_F32(a, b, c) ((a) * (b) + (c))
#define FMA_F64(a, b, c) ((a) * (b) + (c))
#define LESSER_F32(a, b) FN(select)((a) < (b), a, b)
#define LESSER_F64(a, b) FN(select)((a) < (b), a, b)
#define GREATER_F32(a, b) FN(select)((a) > (b), a, b)
#define GREATER_F64(a, b) FN(select)((a) > (b), a, b)
#include "kernels_both.inc.c"
