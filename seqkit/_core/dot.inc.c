/* The products of one format: operand and weights are rows of words, see lowprec.inc.c, which
 * includes this file for every multiply-add DOT.  Tiles and lines are those of kernels.inc.c.
 */
#define DOT_FN(name) JOIN(name, SET, FORMAT)

#define TILE(V, M)                                                                                        \
    static TARGET __attribute__((noinline)) void DOT_FN(tile_##V##_##M)(                                  \
        const sk_product *p, char *const *rows, const char *weights, char *result)                        \
    {                                                                                                     \
        SUM sum[M][V];                                                                                    \
        const int32_t *a[M];                                                                              \
        const int64_t line = p->w_row / LANES;                                                            \
        const ivec *head = (const ivec *)weights, *w = head + HEAD * line;                                \
        UNROLL for (int m = 0; m < M; m++) {                                                              \
            a[m] = (const int32_t *)rows[m];                                                              \
            UNROLL for (int v = 0; v < V; v++) sum[m][v] = BEGIN(head, line, v);                          \
        }                                                                                                 \
        for (int64_t k = HEAD; k < p->length; k++, w += line) {                                           \
            ivec weight[V];                                                                               \
            UNROLL for (int v = 0; v < V; v++) weight[v] = w[v];                                          \
            UNROLL for (int m = 0; m < M; m++) {                                                          \
                const ivec x = FN(word)(a[m][k]);                                                         \
                UNROLL for (int v = 0; v < V; v++) sum[m][v] = DOT(sum[m][v], x, weight[v]);              \
            }                                                                                             \
        }                                                                                                 \
        REAL *z = (REAL *)result;                                                                         \
        const vec *bias = (const vec *)p->bias;                                                           \
        const int64_t z_row = p->z_row;                                                                   \
        if (bias)                                                                                         \
            UNROLL for (int m = 0; m < M; m++, z += z_row)                                                \
                UNROLL for (int v = 0; v < V; v++) ((vec *)z)[v] = FINISH(bias[v], sum[m][v], a[m], head, v); \
        else                                                                                              \
            UNROLL for (int m = 0; m < M; m++, z += z_row)                                                \
                UNROLL for (int v = 0; v < V; v++) ((vec *)z)[v] = FINISH(((vec *)z)[v], sum[m][v], a[m], head, v); \
    }

#define LINE(V, Q)                                                                                        \
    static TARGET __attribute__((noinline)) void DOT_FN(line_##V##_##Q)(                                  \
        const sk_product *p, const REAL *row, const REAL *weights, int64_t w_panel, REAL *z, int64_t z_panel, \
        const REAL *start, int64_t start_panel)                                                           \
    {                                                                                                     \
        SUM sum[Q][V];                                                                                    \
        const int32_t *a = (const int32_t *)row;                                                          \
        const int64_t line = p->w_row / LANES, panel = w_panel / LANES;                                   \
        const ivec *head = (const ivec *)weights, *w = head + HEAD * line;                                \
        UNROLL for (int q = 0; q < Q; q++)                                                                \
            UNROLL for (int v = 0; v < V; v++) sum[q][v] = BEGIN(head + q * panel, line, v);              \
        for (int64_t k = HEAD; k < p->length; k++, w += line) {                                           \
            const ivec x = FN(word)(a[k]);                                                                \
            UNROLL for (int q = 0; q < Q; q++)                                                            \
                UNROLL for (int v = 0; v < V; v++) sum[q][v] = DOT(sum[q][v], x, w[q * panel + v]);       \
        }                                                                                                 \
        UNROLL for (int q = 0; q < Q; q++)                                                                \
            UNROLL for (int v = 0; v < V; v++)                                                            \
                *(vec *)(z + q * z_panel + v * LANES) = FINISH(                                           \
                    *(const vec *)(start + q * start_panel + v * LANES), sum[q][v], a, head + q * panel, v); \
    }

#define NAME DOT_FN
#include "products.inc.c"

/* `peak` of kernels.inc.c; the weights change, or what a multiply-add does with both could be done once. */
static TARGET double DOT_FN(peak)(int64_t repeats)
{
    static const volatile int32_t one = 0x3f803f80;
    ivec x[SK_PEAK_CHAINS];
    SUM sum[SK_PEAK_CHAINS];
    UNROLL for (int n = 0; n < SK_PEAK_CHAINS; n++) {
        x[n] = FN(word)(one + n);
        sum[n] = (SUM)x[n];
    }
    for (; repeats > 0; repeats--) {
        const ivec w = FN(word)(one);
        UNROLL for (int n = 0; n < SK_PEAK_CHAINS; n++) sum[n] = DOT(sum[n], x[n], w);
    }
    double total = 0;
    UNROLL for (int n = 0; n < SK_PEAK_CHAINS; n++) total += (double)sum[n][0];
    return total;
}

const sk_kernels DOT_FN(sk) = {
    ISA, PRECISION, INSTRUCTION, sizeof(REAL), LANES, TILE_ROWS, TALL_ROWS, HEAD, GROUP, ENCODE,
    DOT_FN(product), DOT_FN(line), FN(pointwise), FN(reduce), FN(pack), FN(unpack_add), FN(gather), DOT_FN(peak),
    FN(read), FN(numbers), FN(factors), FN(multiply),
};

#undef DOT_FN
#undef FORMAT
#undef INSTRUCTION
#undef TARGET
#undef DOT
