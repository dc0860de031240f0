/* What the interpreter and the compiled kernels (seqkit/equations/emit.py) share, so that both give
 * the same bits: the operations, where operands lie, and rows of user arrays.
 */
#include "pointwise.h"
#include <string.h>

/* ---- operations: on as many of x, y and w as they have operands ------------------------------ */

#define OPERATION(name, result)                                                                            \
    INLINE vec FN(name)(vec x, vec y __attribute__((unused)), vec w __attribute__((unused)))        \
    {                                                                                                      \
        return result;                                                                                     \
    }

OPERATION(copy, x)
OPERATION(neg, -x)
OPERATION(abs, FN(vabs)(x))
OPERATION(sqrt, FN(vsqrt)(x))
OPERATION(exp, FN(vexp)(x))
OPERATION(log, FN(vlog)(x))
OPERATION(softplus, FN(vsoftplus)(x))
OPERATION(sigmoid, FN(vsigmoid)(x))
OPERATION(tanh, FN(vtanh)(x))
OPERATION(relu, GREATER((vec){}, x))
OPERATION(add, x + y)
OPERATION(sub, x - y)
OPERATION(mul, x * y)
OPERATION(div, x / y)
OPERATION(maximum, FN(vmax)(x, y))
OPERATION(minimum, FN(vmin)(x, y))
OPERATION(greater, FN(select)(x > y, FN(splat)(1), (vec){}))
OPERATION(greater_equal, FN(select)(x >= y, FN(splat)(1), (vec){}))
OPERATION(sigmoid_grad, x * (y * (1 - y)))
OPERATION(tanh_grad, x * FMA(-y, y, FN(splat)(1)))
OPERATION(relu_grad, FN(select)(y > 0, x, (vec){}))
OPERATION(where, FN(select)(x != 0, y, w))
OPERATION(muladd, FMA(x, y, w))
OPERATION(mulsub, FMA(x, y, -w))
OPERATION(negmuladd, FMA(-x, y, w))
OPERATION(floor, FN(vfloor)(x))
OPERATION(mul_sigmoid_grad, (x * y) * (w * (1 - w)))
OPERATION(mul_tanh_grad, (x * y) * FMA(-w, w, FN(splat)(1)))
#undef OPERATION

/* ---- where operands lie ---------------------------------------------------------------------- */

typedef struct {
    char *at;
    int64_t row;
} FN(operand);

INLINE FN(operand) FN(locate)(const sk_block *b, int32_t index)
{
    const sk_slot *s = b->slots + index;
    return (FN(operand)){s->base + b->panel * s->panel + b->first_row * s->block, s->row};
}

/* Where row r of the block lies in the user's array, and how many numbers of the panel are units; 0: nowhere. */
INLINE char *FN(user_row)(const sk_block *b, int64_t r, int64_t *units)
{
    int64_t start = (b->by_panel ? b->first_row + r : b->panel) * b->vectors * LANES;
    char *row = b->user_rows[b->by_panel ? 0 : b->first_row + r];
    *units = row ? b->units - start : 0;
    return row + start * sizeof(REAL);
}

typedef REAL FN(loose) __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(1)));

/* Vector v of a user's row; what lies past its units is 0. */
INLINE vec FN(load_units)(const char *row, int64_t v, int64_t units)
{
    int64_t left = units - v * LANES;
    if (left >= LANES) return ((const FN(loose) *)row)[v];
    return left > 0 ? LOAD_SOME((const REAL *)(row + v * VECTOR_BYTES), left) : (vec){};
}

INLINE void FN(store_units)(char *row, int64_t v, int64_t units, vec x)
{
    int64_t left = units - v * LANES;
    if (left >= LANES)
        ((FN(loose) *)row)[v] = x;
    else if (left > 0)
        STORE_SOME((REAL *)(row + v * VECTOR_BYTES), left, x);
}
