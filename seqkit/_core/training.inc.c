/* Passes over weights and gradients, once for each instruction set and type (see training.h).
 *
 * a. Loops are plain C that the compiler turns into vectors.  Contraction is off and every operation is
 *    correctly rounded, so all instruction sets give the same bits.
 * b. Squares are summed as doubles in eight lanes, whatever the width of a vector, for the same reason.
 */
#include "training.h"

/* ---- rules of optimizers; their formulas are in seqkit/training/optimizers.py -------------------- */

#define RULE(name)                                                                                        \
    static void FN(name)(                                                                                 \
        char *weights, const char *gradient, char *const *memory, int64_t count, const sk_clip *clip,     \
        const double *n)
#define ARRAY(name, at) REAL *restrict name = (REAL *)(at);
#define EACH                                                                                              \
    const REAL ridge = (REAL)clip->ridge, scale = (REAL)clip->scale, limit = (REAL)clip->limit;           \
    for (int64_t i = 0; i < count; i++)

static inline REAL FN(clipped)(REAL g, REAL w, REAL ridge, REAL scale, REAL limit)
{
    g = scale * (g + ridge * w);
    return g > limit ? limit : g < -limit ? -limit : g; /* NaN stays */
}
#define GRADIENT FN(clipped)(((const REAL *)gradient)[i], w[i], ridge, scale, limit)

RULE(sgd)
{
    const REAL rate = (REAL)n[0], momentum = (REAL)n[1], ahead = (REAL)n[2], now = (REAL)n[3];
    ARRAY(w, weights) ARRAY(velocity, memory[0])
    EACH {
        REAL step = rate * GRADIENT;
        velocity[i] = momentum * velocity[i] - step;
        w[i] += ahead * velocity[i] - now * step; /* momentum and 1 with Nesterov's method, else 1 and 0 */
    }
}

RULE(rmsprop)
{
    const REAL rate = (REAL)n[0], keep = (REAL)n[1], take = (REAL)n[2], epsilon = (REAL)n[3];
    ARRAY(w, weights) ARRAY(mean_square, memory[0])
    EACH {
        REAL g = GRADIENT;
        mean_square[i] = keep * mean_square[i] + take * (g * g);
        w[i] -= rate * g / SQRT(mean_square[i] + epsilon);
    }
}

RULE(adam)
{
    const REAL rate = (REAL)n[0], first = (REAL)n[1], second = (REAL)n[2], epsilon = (REAL)n[3], kept = (REAL)n[4];
    ARRAY(w, weights) ARRAY(mean, memory[0]) ARRAY(mean_square, memory[1])
    EACH {
        REAL g = GRADIENT;
        mean[i] += first * (g - mean[i]);
        mean_square[i] += second * (g * g - mean_square[i]);
        w[i] = kept * w[i] - rate * mean[i] / (SQRT(mean_square[i]) + epsilon);
    }
}

RULE(amsgrad)
{
    const REAL rate = (REAL)n[0], first = (REAL)n[1], second = (REAL)n[2], epsilon = (REAL)n[3], kept = (REAL)n[4];
    ARRAY(w, weights) ARRAY(mean, memory[0]) ARRAY(mean_square, memory[1]) ARRAY(largest, memory[2])
    EACH {
        REAL g = GRADIENT;
        mean[i] += first * (g - mean[i]);
        mean_square[i] += second * (g * g - mean_square[i]);
        largest[i] = largest[i] > mean_square[i] ? largest[i] : mean_square[i];
        w[i] = kept * w[i] - rate * mean[i] / (SQRT(largest[i]) + epsilon);
    }
}

/* ---- checks and norms ------------------------------------------------------------------------------ */

enum { FN(LANES_OF_SUM) = 8 };

static double FN(square_sum)(const char *gradient, const char *weights, int64_t count, double ridge)
{
    const REAL *g = (const REAL *)gradient, *w = (const REAL *)weights, factor = (REAL)ridge;
    double sum[FN(LANES_OF_SUM)] = {0}, total = 0;
    int64_t i = 0;
    for (; i + FN(LANES_OF_SUM) <= count; i += FN(LANES_OF_SUM))
        for (int lane = 0; lane < FN(LANES_OF_SUM); lane++) {
            double x = g[i + lane] + factor * w[i + lane];
            sum[lane] += x * x;
        }
    for (int lane = 0; i < count; i++, lane++) {
        double x = g[i] + factor * w[i];
        sum[lane] += x * x;
    }
    for (int lane = 0; lane < FN(LANES_OF_SUM); lane++) total += sum[lane];
    return total;
}

static int FN(finite)(const char *numbers, int64_t count)
{
    const INTEGER *bits = (const INTEGER *)numbers, exponent = (INTEGER)(sizeof(REAL) == 4 ? 0x7f800000 : 0x7ff0000000000000);
    INTEGER wrong = 0;
    for (int64_t i = 0; i < count; i++) wrong |= (bits[i] & exponent) == exponent;
    return !wrong;
}

const sk_training FN(sk_training) = {
    ISA, sizeof(REAL),
#define X(name) FN(name),
    {SK_RULES(X)},
#undef X
    FN(square_sum), FN(finite),
};

#undef RULE
#undef ARRAY
#undef EACH
#undef GRADIENT
