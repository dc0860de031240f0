/* Vectors of REAL and their elementary functions.  Included by kernels.inc.c.
 *
 * a. GCC and Clang vector extensions carry the arithmetic; only the fused multiply-add is an
 *    intrinsic (FMA, defined by the file of the instruction set), because contraction is
 *    switched off: every rounding is written down, so all code paths give the same bits.
 * b. Series are Taylor series: their coefficients are 1/k! and 1/(2k+1), no tables.  A few more
 *    terms than a minimax fit cost nothing beside memory traffic.
 * c. Comparisons select, so NaN passes through every function.
 */
typedef REAL vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef INTEGER ivec __attribute__((vector_size(VECTOR_BYTES), may_alias));

#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))
#define UNROLL _Pragma("GCC unroll 16")

static inline vec FN(splat)(REAL x) { return x - (vec){}; } /* x - 0 is x, also for -0 */
static inline vec FN(select)(ivec mask, vec a, vec b) { return (vec)(((ivec)a & mask) | ((ivec)b & ~mask)); }
static inline vec FN(vabs)(vec x) { return (vec)((ivec)x & ~(ivec)FN(splat)(-(REAL)0)); }
static inline vec FN(vmin)(vec a, vec b) { return FN(select)((a > b) | (b != b), b, a); }
static inline vec FN(vmax)(vec a, vec b) { return FN(select)((a < b) | (b != b), b, a); }

/* exp(x) = (1 + p) * scale with p = e^r - 1, |r| <= ln(2)/2 and scale = 2^n, n in [-BIAS, BIAS + 1] */
static inline vec FN(exp_parts)(vec x, vec *scale)
{
    vec shifted = FMA(x, FN(splat)((REAL)1.4426950408889634), FN(splat)(ROUNDING)); /* n in the low bits */
    vec n = shifted - ROUNDING;
    vec r = FMA(n, FN(splat)(-LN2_LOW), FMA(n, FN(splat)(-LN2_HIGH), x));
    REAL factor = 1;
    REAL coefficient[EXP_TERMS];
    UNROLL for (int k = 0; k < EXP_TERMS; k++) coefficient[k] = factor /= (REAL)(k + 2);
    vec q = FN(splat)(coefficient[EXP_TERMS - 1]);
    UNROLL for (int k = EXP_TERMS - 2; k >= 0; k--) q = FMA(q, r, FN(splat)(coefficient[k]));
    *scale = (vec)(((ivec)shifted + BIAS) << MANTISSA_BITS);
    return FMA(q, r * r, r);
}

static inline vec FN(vexp)(vec x)
{
    vec scale, half = FN(vmin)(FN(vmax)(x, FN(splat)(-EXP_LIMIT)), FN(splat)(EXP_LIMIT)) * (REAL)0.5;
    vec p = FN(exp_parts)(half, &scale) + 1;
    vec root = p * scale;
    return root * root;
}

static inline vec FN(vsigmoid)(vec x)
{
    vec scale, a = FN(vmin)(FN(vmax)(-x, FN(splat)(1 - SIGMOID_LIMIT)), FN(splat)(SIGMOID_LIMIT));
    vec p = FN(exp_parts)(a, &scale) + 1; /* beyond the limit scale is 0 or infinite, the result 1 or 0 */
    return 1 / (1 + p * scale);
}

static inline vec FN(vtanh)(vec x)
{
    vec scale, a = FN(vmin)(2 * FN(vabs)(x), FN(splat)(TANH_LIMIT));
    vec p = FN(exp_parts)(a, &scale);
    vec e = FMA(p, scale, scale - 1); /* expm1(2|x|): accurate near 0, where p is r */
    vec t = e / (e + 2);
    ivec sign = (ivec)FN(splat)(-(REAL)0);
    return (vec)((ivec)t | ((ivec)x & sign));
}

/* 2 * atanh(s) by its series, |s| <= 1/3 (terms = LOG1P_TERMS) or |s| <= 0.172 (LOG_TERMS) */
static inline vec FN(log_series)(vec s, int terms)
{
    vec square = s * s, q = FN(splat)((REAL)2 / (2 * terms - 1));
    UNROLL for (int k = terms - 2; k >= 0; k--) q = FMA(q, square, FN(splat)((REAL)2 / (2 * k + 1)));
    return q * s;
}

static inline vec FN(vlog)(vec x)
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

static inline vec FN(vsoftplus)(vec x) /* max(x, 0) + log1p(exp(-|x|)) */
{
    vec u = FN(vexp)(-FN(vabs)(x));
    return FN(vmax)(x, (vec){}) + FN(log_series)(u / (u + 2), LOG1P_TERMS);
}

static inline vec FN(vsqrt)(vec x)
{
    vec y;
    UNROLL for (int lane = 0; lane < LANES; lane++) y[lane] = SQRT(x[lane]);
    return y;
}
