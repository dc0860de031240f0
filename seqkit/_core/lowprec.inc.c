/* Products in low precision: bfloat16 and int8.  Included by kernels_both.inc.c for float32, once
 * per instruction set; the sums, what they are added to and everything else stay float32.
 *
 * a. Operand and weights are rows of 32-bit words.  A word holds what adjoins along k: two
 *    bfloat16 or four int8; so a tile is that of the floats with another multiply-add, and k
 *    ascends and is never split here as there.
 * b. bfloat16: rounded to nearest even; the odd number of a pair is added first, each with one
 *    rounding.  This is what the instruction vdpbf16ps computes.
 * c. int8: each row is divided by its scale, the largest magnitude over 127, and rounded to
 *    nearest even.  The sum is exact in 32 bits, then multiplied by both scales.  The processors'
 *    multiply-add takes unsigned by signed: the operand is kept 128 higher, and the sum starts at
 *    -128 times the sum of the weights, which are all known when they are packed.
 * d. Two words before the numbers of an int8 row hold its scale and that start.
 * e. A row with NaN or infinity has a NaN for its scale, so NaN goes everywhere that it would go;
 *    a row of numbers below TINY counts as 0, for 127 / TINY must be finite.
 */
#define TINY 1e-30f
#define NEAREST 12582912.0f /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
#define LARGEST_NUMBER 3.40282347e+38f
typedef REAL FN(loose) __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias)); /* at any number */
typedef INTEGER FN(integer) __attribute__((may_alias));
typedef int16_t FN(pairs) __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef int16_t FN(ints16) __attribute__((vector_size(VECTOR_BYTES / 2), aligned(4), may_alias));
typedef int8_t FN(ints8) __attribute__((vector_size(VECTOR_BYTES / 4), aligned(4), may_alias));

INLINE ivec FN(word)(int32_t x) { return x - (ivec){}; }

/* The next numbers of a row, and zeros behind the last of `count`. */
INLINE vec FN(next)(const REAL *x, int64_t count)
{
    if (count >= LANES) return *(const FN(loose) *)x;
    vec v = {};
    memcpy(&v, x, (size_t)count * sizeof(REAL));
    return v;
}

INLINE FN(ints16) FN(to_bf16)(vec v)
{
    const ivec bits = (ivec)v, odd = (bits >> 16) & 1;
    const vec rounded = FN(select)(v != v, (vec)(bits | 0x400000), (vec)(bits + 0x7fff + odd)); /* a NaN stays one */
    return __builtin_convertvector((ivec)rounded >> 16, FN(ints16));
}

static void FN(encode_bf16)(char *words, const char *row, int64_t k, int weights)
{
    (void)weights; /* are kept like an operand */
    const REAL *x = (const REAL *)row;
    for (int64_t j = 0; j < k; j += LANES) {
        const FN(ints16) half = FN(to_bf16)(FN(next)(x + j, k - j));
        if (k - j >= LANES) *(FN(ints16) *)(words + j * 2) = half;
        else memcpy(words + j * 2, &half, (size_t)(k - j + 1) / 2 * 4);
    }
}

/* The largest magnitude of a row; NaN where it holds one, for the bits of a NaN are above all others. */
static REAL FN(largest)(const char *row, int64_t k)
{
    const FN(integer) *bits = (const FN(integer) *)row;
    int32_t most = 0;
    for (int64_t j = 0; j < k; j++) most = (bits[j] & 0x7fffffff) > most ? bits[j] & 0x7fffffff : most;
    REAL largest;
    memcpy(&largest, &most, sizeof largest);
    return largest;
}

static void FN(encode_i8)(char *words, const char *row, int64_t k, int weights)
{
    const REAL *x = (const REAL *)row, largest = FN(largest)(row, k);
    const int finite = largest <= LARGEST_NUMBER, counts = finite && largest >= TINY;
    const REAL factor = counts ? 127 / largest : 0;
    const REAL scale = counts ? largest / 127 : finite ? 0 : __builtin_nanf("");
    const ivec raise = FN(word)(weights ? 0 : 128);
    int8_t *bytes = (int8_t *)words + 2 * 4;
    for (int64_t j = 0; j < k; j += LANES) {
        const ivec q = (ivec)(FN(next)(x + j, k - j) * factor + NEAREST); /* the nearest integer in its low bits */
        const FN(ints8) low = __builtin_convertvector(q + raise, FN(ints8));
        if (k - j >= LANES) *(FN(ints8) *)(bytes + j) = low;
        else memcpy(bytes + j, &low, (size_t)(k - j + 3) / 4 * 4);
    }
    int32_t start = 0;
    for (int64_t j = 0; weights && j < k; j++) start -= 128 * bytes[j];
    memcpy(words, &scale, 4);
    memcpy(words + 4, &start, 4);
}

/* ---- formats ------------------------------------------------------------------------------
 * DOT(sum, x, w) is sum + the products of the numbers of two words; BEGIN is where it starts, FINISH adds
 * it to `start`; a and head are the words before the numbers of the operand and of the weights. */

#define PRECISION "bfloat16"
#define GROUP 2
#define HEAD 0
#define ENCODE FN(encode_bf16)
#define SUM vec
#define BEGIN(head, line, v) ((vec){})
#define FINISH(start, sum, a, head, v) ((start) + (sum))
#define FORMAT bf16
#define INSTRUCTION FMA_NAME
#define TARGET
#define DOT(sum, x, w) FMA((vec)((x) << 16), (vec)((w) << 16), FMA((vec)((x) & ~0xffff), (vec)((w) & ~0xffff), sum))
#include "dot.inc.c"
#ifdef TARGET_BF16
#define FORMAT bf16_native
#define INSTRUCTION "vdpbf16ps"
#define TARGET __attribute__((target(TARGET_BF16)))
#define DOT NATIVE_BF16
#include "dot.inc.c"
#endif
#undef PRECISION
#undef GROUP
#undef HEAD
#undef ENCODE
#undef SUM
#undef BEGIN
#undef FINISH

#ifndef MADD /* sums of two products of 16-bit integers */
#define MADD_NAME "multiply, add"
#define MADD(a, b) (((a) << 16 >> 16) * ((b) << 16 >> 16) + ((a) >> 16) * ((b) >> 16))
#endif
#define EVEN_BYTES(w) ((ivec)((FN(pairs))(w) << 8 >> 8)) /* as 16-bit integers, with their sign */
#define ODD_BYTES(w) ((ivec)((FN(pairs))(w) >> 8))

#define PRECISION "int8"
#define GROUP 4
#define HEAD 2
#define ENCODE FN(encode_i8)
#define SUM ivec
#define BEGIN(head, line, v) ((head)[(line) + (v)])
#define FINISH(start, sum, a, head, v) \
    FMA(__builtin_convertvector(sum, vec), FN(splat)(*(const float *)(a)) * ((const vec *)(head))[v], start)
#define FORMAT i8
#define INSTRUCTION MADD_NAME
#define TARGET
#define DOT(sum, x, w) \
    ((sum) + MADD((x) & 0xff00ff, EVEN_BYTES(w)) + MADD(((x) >> 8) & 0xff00ff, ODD_BYTES(w)))
#include "dot.inc.c"
#ifdef TARGET_I8
#define FORMAT i8_native
#define INSTRUCTION "vpdpbusd"
#define TARGET __attribute__((target(TARGET_I8)))
#define DOT NATIVE_I8
#include "dot.inc.c"
#endif
#undef PRECISION
#undef GROUP
#undef HEAD
#undef ENCODE
#undef SUM
#undef BEGIN
#undef FINISH
