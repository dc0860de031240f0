/* Vectors of REAL and their elementary functions.  Included by kernels.inc.c and by the
 * compiled pointwise kernels.
 *
 * a. GCC and Clang vector extensions carry the arithmetic.  The file of the instruction set defines
 *    what they lack: FMA, because contraction is switched off (every rounding is written down, so
 *    all code paths give the same bits), and LESSER and GREATER, for which they compare and blend.
 * b. Series are Taylor series: their coefficients are 1/k! and 1/(2k+1), no tables.  A few more
 *    terms than a minimax fit cost nothing beside memory traffic.
 * c. Comparisons select, so NaN passes through every function.
 */
typedef REAL vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef INTEGER ivec __attribute__((vector_size(VECTOR_BYTES), may_alias));

#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))
#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline)) /* a call would cost all vector registers */

INLINE vec FN(splat)(REAL x) { return x - (vec){}; } /* x - 0 is x, also for -0 */
INLINE vec FN(select)(ivec mask, vec a, vec b) { return (vec)(((ivec)a & mask) | ((ivec)b & ~mask)); }
INLINE vec FN(shuffle)(vec a, vec b, ivec from) /* lanes of a and b, joined */
{
#ifdef __clang__
    vec result;
    UNROLL for (int lane = 0; lane < LANES; lane++) result[lane] = from[lane] < LANES ? a[from[lane]] : b[from[lane] - LANES];
    return result;
#else
    return __builtin_shuffle(a, b, from);
#endif
}
INLINE ivec FN(lane_numbers)(void)
{
    static const INTEGER numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ivec lane;
    memcpy(&lane, numbers, sizeof lane);
    return lane;
}
INLINE ivec FN(first_lanes)(int64_t count) { return FN(lane_numbers)() < (INTEGER)count; }
INLINE vec FN(copied)(const REAL *x, int64_t count) /* the first numbers, then zeros */
{
    vec y = {};
    memcpy(&y, x, (size_t)count * sizeof(REAL));
    return y;
}
INLINE vec FN(vabs)(vec x) { return (vec)((ivec)x & ~(ivec)FN(splat)(-(REAL)0)); }
INLINE vec FN(vmin)(vec a, vec b) { return FN(select)(b != b, b, LESSER(b, a)); }
INLINE vec FN(vmax)(vec a, vec b) { return FN(select)(b != b, b, GREATER(b, a)); }
INLINE vec FN(clip)(vec x, REAL low, REAL high) { return LESSER(FN(splat)(high), GREATER(FN(splat)(low), x)); }

INLINE vec FN(pair)(vec x, const REAL *c) { return FMA(x, FN(splat)(c[1]), FN(splat)(c[0])); }

/* exp(x) = e^r * scale with |r| <= ln(2)/2 and scale = 2^n, from 0 to infinity.  Returns e^r - 1, to its
 * last bits, or e^r itself, one operation sooner than by adding 1.
 * Pairs of terms, then Horner's scheme in r^2: half as long a chain of dependent operations. */
INLINE vec FN(exp_parts)(vec x, int minus_one, vec *scale)
{
    vec shifted = FMA(x, FN(splat)((REAL)1.4426950408889634), FN(splat)(ROUNDING)); /* n in the low bits */
    vec n = shifted - ROUNDING;
    vec r = FMA(n, FN(splat)(-LN2_LOW), FMA(n, FN(splat)(-LN2_HIGH), x)), square = r * r;
    REAL factor = 1;
    REAL coefficient[EXP_TERMS];
    UNROLL for (int k = 0; k < EXP_TERMS; k++) coefficient[k] = factor /= (REAL)(k + 2);
    vec q = FN(pair)(r, coefficient + EXP_TERMS - 2);
    UNROLL for (int k = EXP_TERMS - 4; k >= 0; k -= 2) q = FMA(q, square, FN(pair)(r, coefficient + k));
    *scale = (vec)((ivec)shifted << MANTISSA_BITS);
    return minus_one ? FMA(q, square, r) : FMA(q, square, r + 1);
}

INLINE vec FN(vexp)(vec x)
{
    vec scale, half = FN(clip)(x, -EXP_LIMIT, EXP_LIMIT) * (REAL)0.5;
    vec p = FN(exp_parts)(half, 1, &scale), root = (p + 1) * scale;
    return root * root;
}

INLINE vec FN(vsigmoid)(vec x) /* e^x / (1 + e^x); at the lower limit scale is 0 */
{
    vec scale, p = FN(exp_parts)(FN(clip)(x, -SIGMOID_LIMIT, SIGMOID_LIMIT), 0, &scale);
    return p * scale / FMA(p, scale, FN(splat)(1));
}

INLINE vec FN(vtanh)(vec x) /* expm1(2|x|) / (expm1(2|x|) + 2): accurate near 0, where p is r */
{
    vec scale, p = FN(exp_parts)(LESSER(FN(splat)(TANH_LIMIT), 2 * FN(vabs)(x)), 1, &scale);
    vec t = FMA(p, scale, scale - 1) / FMA(p, scale, scale + 1);
    ivec sign = (ivec)FN(splat)(-(REAL)0);
    return (vec)((ivec)t | ((ivec)x & sign));
}

/* 2 * atanh(s) by its series, |s| <= 1/3 (terms = LOG1P_TERMS) or |s| <= 0.172 (LOG_TERMS) */
INLINE vec FN(log_series)(vec s, int terms)
{
    vec square = s * s, q = FN(splat)((REAL)2 / (2 * terms - 1));
    UNROLL for (int k = terms - 2; k >= 0; k--) q = FMA(q, square, FN(splat)((REAL)2 / (2 * k + 1)));
    return q * s;
}

INLINE vec FN(vlog)(vec x)
{
    ivec offset = (ivec)x - (ivec)FN(splat)((REAL)0.70710678118654752); /* x = m * 2^e, m in [sqrt(1/2), sqrt(2)) */
    ivec exponent = offset >> MANTISSA_BITS;
    vec m = (vec)((ivec)x - (exponent << MANTISSA_BITS));
    vec e = __builtin_convertvector(exponent, vec);
    vec log_m = FN(log_series)((m - 1) / (m + 1), LOG_TERMS);
    vec y = FMA(e, FN(splat)(LN2_HIGH), FMA(e, FN(splat)(LN2_LOW), log_m));
    vec infinity = FN(splat)((REAL)__builtin_inf());
    y = FN(select)(x < SMALLEST_NORMAL, -infinity, y);
    y = FN(select)(x < 0, FN(splat)((REAL)__builtin_nan("")), y);
    return FN(select)((x == infinity) | (x != x), x, y);
}

INLINE vec FN(vsoftplus)(vec x) /* max(x, 0) + log1p(exp(-|x|)) */
{
    vec u = FN(vexp)(-FN(vabs)(x));
    return FN(vmax)(x, (vec){}) + FN(log_series)(u / (u + 2), LOG1P_TERMS);
}

INLINE vec FN(vfloor)(vec x) /* the greatest whole number not above x */
{
    const REAL whole = (REAL)1 / (sizeof(REAL) == 4 ? (REAL)0x1p-23 : (REAL)0x1p-52); /* has no places after the point */
    ivec sign = (ivec)FN(splat)(-(REAL)0);
    vec nearest = (vec)((ivec)(FN(vabs)(x) + whole - whole) | ((ivec)x & sign));
    return FN(select)(FN(vabs)(x) < whole, nearest - FN(select)(nearest > x, FN(splat)(1), (vec){}), x);
}

INLINE vec FN(vsqrt)(vec x)
{
    vec y;
    UNROLL for (int lane = 0; lane < LANES; lane++) y[lane] = SQRT(x[lane]);
    return y;
}
