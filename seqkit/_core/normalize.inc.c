/* Normalization of a row over its numbers, and the way back.
 *
 * a. Deviations are measured from a first mean; what they add up to corrects it and their squares (Chan, Golub and
 *    LeVeque, 1983).  So a row whose mean is large beside its deviation loses nothing that it had.
 * b. A sum is made of LANES sums, then of halves of these until one is left: its bits depend on the row alone.
 * c. Lanes past the end of a row are 0 when they are added.
 */
#define EACH_VECTOR for (int64_t v = 0; v * LANES < count; v++)

typedef struct {
    REAL first, rest, inverse; /* the mean is first + rest; 1 / deviation */
} FN(moments);

INLINE REAL FN(folded)(vec sum)
{
    UNROLL for (int half = LANES / 2; half > 0; half /= 2) sum += FN(shuffle)(sum, sum, FN(lane_numbers)() ^ half);
    return sum[0];
}

INLINE vec FN(deviation)(const char *x, int64_t v, int64_t count, vec mean)
{
    const vec d = FN(load_units)(x, v, count) - mean;
    const int64_t left = count - v * LANES;
    return left >= LANES ? d : FN(select)(FN(first_lanes)(left), d, (vec){});
}

INLINE FN(moments) FN(moments_of)(const char *x, int64_t count, REAL epsilon)
{
    FN(moments) m;
    vec total = {}, sum = {}, squares = {};
    EACH_VECTOR total += FN(load_units)(x, v, count);
    m.first = FN(folded)(total) / (REAL)count;
    EACH_VECTOR {
        const vec d = FN(deviation)(x, v, count, FN(splat)(m.first));
        sum += d;
        squares = FMA(d, d, squares);
    }
    m.rest = FN(folded)(sum) / (REAL)count;
    m.inverse = 1 / SQRT(FN(folded)(squares) / (REAL)count - m.rest * m.rest + epsilon);
    return m;
}

INLINE vec FN(normal)(const char *x, int64_t v, int64_t count, FN(moments) m)
{
    return (FN(load_units)(x, v, count) - m.first - m.rest) * m.inverse;
}

static void FN(normalize)(
    char *y, char *moments, const char *x, const char *gamma, const char *beta, int64_t count, double epsilon)
{
    const FN(moments) m = FN(moments_of)(x, count, (REAL)epsilon);
    memcpy(moments, &m, sizeof m);
    EACH_VECTOR {
        const vec scaled = FMA(FN(normal)(x, v, count, m), FN(load_units)(gamma, v, count), FN(load_units)(beta, v, count));
        FN(store_units)(y, v, count, scaled);
    }
}

static void FN(normalize_back)(
    char *dx, char *dgamma, char *dbeta, const char *dy, const char *moments, const char *x, const char *gamma,
    int64_t count)
{
    FN(moments) m;
    memcpy(&m, moments, sizeof m);
    vec sum = {}, along = {};
    EACH_VECTOR {
        const vec d = FN(load_units)(dy, v, count) * FN(load_units)(gamma, v, count); /* 0 past the end */
        sum += d;
        along = FMA(d, FN(normal)(x, v, count, m), along);
    }
    const REAL mean = FN(folded)(sum) / (REAL)count, slope = FN(folded)(along) / (REAL)count;
    EACH_VECTOR {
        const vec d = FN(load_units)(dy, v, count), n = FN(normal)(x, v, count, m);
        if (dx) FN(store_units)(dx, v, count, (d * FN(load_units)(gamma, v, count) - mean - n * slope) * m.inverse);
        FN(store_units)(dgamma, v, count, FMA(d, n, FN(load_units)(dgamma, v, count)));
        FN(store_units)(dbeta, v, count, FN(load_units)(dbeta, v, count) + d);
    }
}

#undef EACH_VECTOR
