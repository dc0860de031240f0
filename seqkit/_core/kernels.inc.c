/* The kernels: products, pointwise interpreter, packing.
 *
 * Included once per number type by kernels_<isa>.c, which defines VECTOR_BYTES, TILE_ROWS,
 * ISA and FMA.  This file is the only place where floating-point work of a layer happens.
 *
 * a. A tile is TILE_ROWS rows by up to 4 vectors of accumulators that must all stay in
 *    registers: functions of their own, fully unrolled.  (Inlined into a loop over tiles GCC
 *    spills them and half the speed is gone.)
 * b. k ascends and is never split, so a result does not depend on how rows are tiled.  The sum
 *    starts at 0 and z is added last: a large z would cost every partial sum its low bits.
 * c. The interpreter runs one operation over a whole block (up to SK_MAX_ROWS rows of a
 *    panel); operands are read where they lie, results go straight to where they belong.
 */
#include "vector.inc.c"
#include "operations.inc.c"
#include "noise.inc.c"
#include "reduce.inc.c"
#include "normalize.inc.c"

/* ---- products ------------------------------------------------------------------------- */

#define TILE(V, M)                                                                                        \
    static __attribute__((noinline)) void FN(tile_##V##_##M)(                                             \
        const sk_product *p, char *const *rows, const char *weights, char *result)                  \
    {                                                                                                     \
        vec acc[M][V];                                                                                    \
        const REAL *a[M], *w = (const REAL *)weights;                                                     \
        REAL *z = (REAL *)result;                                                                         \
        UNROLL for (int m = 0; m < M; m++) {                                                              \
            a[m] = (const REAL *)rows[m];                                                                 \
            UNROLL for (int v = 0; v < V; v++) acc[m][v] = (vec){};                                       \
        }                                                                                                 \
        const int64_t w_row = p->w_row, step = p->step, length = p->length * p->step;                     \
        for (int64_t s = 0; s < p->segments; s++) {                                                       \
            const int64_t begin = s * p->segment;                                                         \
            const char *ahead = p->ahead ? p->ahead + s * p->ahead_segment : weights;                     \
            for (int64_t k = begin; k < begin + length; k += step, w += w_row, ahead += SK_LINE_BYTES) {  \
                __builtin_prefetch(ahead, 0, 2);                                                          \
                vec weight[V];                                                                            \
                UNROLL for (int v = 0; v < V; v++) weight[v] = *(const vec *)(w + v * LANES);             \
                UNROLL for (int m = 0; m < M; m++) {                                                      \
                    vec x = FN(splat)(a[m][k]);                                                           \
                    UNROLL for (int v = 0; v < V; v++) acc[m][v] = FMA(x, weight[v], acc[m][v]);          \
                }                                                                                         \
            }                                                                                             \
        }                                                                                                 \
        const vec *bias = (const vec *)p->bias;                                                           \
        const int64_t z_row = p->z_row;                                                                   \
        if (bias)                                                                                         \
            UNROLL for (int m = 0; m < M; m++, z += z_row)                                                \
                UNROLL for (int v = 0; v < V; v++) ((vec *)z)[v] = bias[v] + acc[m][v];                   \
        else                                                                                              \
            UNROLL for (int m = 0; m < M; m++, z += z_row)                                                \
                UNROLL for (int v = 0; v < V; v++) ((vec *)z)[v] += acc[m][v];                            \
    }

typedef void (*FN(tile))(const sk_product *, char *const *, const char *, char *);

/* A few rows too many for a tile: all of them with half of the vectors, then with the others.  Two tiles would
 * read all weights twice. */
static void FN(by_halves)(
    const FN(tile) kernels[][SK_MAX_VECTORS + 1], const sk_product *p, int64_t rows, char *const *a, const char *w, char *z)
{
    enum { HALF = SK_MAX_VECTORS / 2, BYTES = HALF * VECTOR_BYTES };
    sk_product part = *p;
    kernels[rows][HALF](&part, a, w, z);
    if (p->bias) part.bias += BYTES;
    if (p->ahead) part.ahead += p->length * SK_LINE_BYTES;
    kernels[rows][HALF](&part, a, w + BYTES, z + BYTES);
}

static void FN(by_tiles)(
    const FN(tile) kernels[][SK_MAX_VECTORS + 1], const sk_product *p, int64_t vectors, int64_t rows, char *const *a,
    const char *w, char *z)
{
    const int64_t highest = vectors < SK_MAX_VECTORS ? TALL_ROWS : TILE_ROWS;
    if (vectors == SK_MAX_VECTORS && rows > TILE_ROWS && rows <= TALL_ROWS) {
        FN(by_halves)(kernels, p, rows, a, w, z);
        return;
    }
    if (rows <= highest) { /* nearly always, and copying the product waits for its last stores */
        kernels[rows][vectors](p, a, w, z);
        return;
    }
    sk_product part = *p;
    for (int64_t tiles = (rows + highest - 1) / highest; tiles > 0; tiles--) {
        int64_t height = (rows + tiles - 1) / tiles; /* tiles of nearly equal height */
        kernels[height][vectors](&part, a, w, z);
        if (p->ahead) part.ahead += p->length * SK_LINE_BYTES;
        rows -= height;
        a += height;
        z += height * p->z_row * (int64_t)sizeof(REAL);
    }
}

/* One row: so few accumulators that several panels are needed to keep the multipliers busy.  Weights
 * that come from L2 come faster in a single stream, and few accumulators keep up with it. */
#define LINE(V, Q)                                                                                        \
    static __attribute__((noinline)) void FN(line_##V##_##Q)(                                             \
        const sk_product *p, const REAL *a, const REAL *w, int64_t w_panel, REAL *z, int64_t z_panel,     \
        const REAL *start, int64_t start_panel)                                                           \
    {                                                                                                     \
        vec acc[Q][V];                                                                                    \
        UNROLL for (int q = 0; q < Q; q++) UNROLL for (int v = 0; v < V; v++) acc[q][v] = (vec){};        \
        const int64_t w_row = p->w_row, step = p->step, length = p->length * p->step;                     \
        for (int64_t s = 0; s < p->segments; s++) {                                                       \
            const int64_t begin = s * p->segment;                                                         \
            for (int64_t k = begin; k < begin + length; k += step, w += w_row) {                          \
                const vec x = FN(splat)(a[k]);                                                            \
                UNROLL for (int q = 0; q < Q; q++)                                                        \
                    UNROLL for (int v = 0; v < V; v++)                                                    \
                        acc[q][v] = FMA(x, *(const vec *)(w + q * w_panel + v * LANES), acc[q][v]);       \
            }                                                                                             \
        }                                                                                                 \
        UNROLL for (int q = 0; q < Q; q++)                                                                \
            UNROLL for (int v = 0; v < V; v++)                                                            \
                *(vec *)(z + q * z_panel + v * LANES) =                                                   \
                    *(const vec *)(start + q * start_panel + v * LANES) + acc[q][v];                      \
    }

typedef void (*FN(line_kernel))(
    const sk_product *, const REAL *, const REAL *, int64_t, REAL *, int64_t, const REAL *, int64_t);

static void FN(by_lines)(
    const FN(line_kernel) kernels[][SK_MAX_VECTORS + 1], const sk_product *p, int64_t vectors, int64_t panels,
    const char *a, const char *w, int64_t w_panel, char *z, int64_t z_panel, int64_t bias_panel)
{
    const int64_t size = sizeof(REAL), start_panel = p->bias ? bias_panel : z_panel;
    const char *start = p->bias ? p->bias : z;
    const int64_t bytes = panels * p->segments * p->length * vectors * VECTOR_BYTES;
    const int64_t enough = (bytes <= SK_L1_BYTES ? 1024 : 256) / VECTOR_BYTES; /* accumulators */
    while (panels > 0) {
        int log = 0;
        while (vectors << log < enough && 1 << (log + 1) <= LINE_PANELS && panels >= 1 << (log + 1)) log++;
        kernels[log][vectors](
            p, (const REAL *)a, (const REAL *)w, w_panel / size, (REAL *)z, z_panel / size, (const REAL *)start,
            start_panel / size);
        panels -= 1 << log;
        w += w_panel << log;
        z += z_panel << log;
        start += start_panel << log;
    }
}

#define NAME FN
#include "products.inc.c"

/* ---- pointwise interpreter ------------------------------------------------------------- */

static void FN(read_rows)(const sk_block *b, FN(operand) target)
{
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t units;
        const char *row = FN(user_row)(b, r, &units);
        for (int64_t v = 0; v < b->vectors; v++)
            ((vec *)(target.at + r * target.row))[v] = FN(load_units)(row, v, units);
    }
}

static void FN(write_rows)(const sk_block *b, FN(operand) source)
{
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t units;
        char *row = FN(user_row)(b, r, &units);
        for (int64_t v = 0; v < b->vectors; v++)
            FN(store_units)(row, v, units, ((const vec *)(source.at + r * source.row))[v]);
    }
}

/* What an operation does not read is not even located: the compiler leaves it out. */
#define EACH(RESULT)                                                                                        \
    {                                                                                                       \
        FN(operand) t = FN(locate)(block, i->target), a = FN(locate)(block, i->a);                          \
        FN(operand) b = FN(locate)(block, i->b), c = FN(locate)(block, i->c);                               \
        for (int64_t r = 0; r < rows; r++, t.at += t.row, a.at += a.row, b.at += b.row, c.at += c.row)      \
            for (int64_t v = 0; v < vectors; v++) {                                                         \
                const vec x = ((const vec *)a.at)[v];                                                       \
                const vec y = ((const vec *)b.at)[v], w = ((const vec *)c.at)[v];                           \
                ((vec *)t.at)[v] = (RESULT);                                                                \
            }                                                                                               \
        break;                                                                                              \
    }

INLINE void FN(interpret)(const sk_block *block, const int64_t vectors)
{
    const int64_t rows = block->rows;
    for (int64_t n = 0; n < block->count; n++) {
        const sk_instruction *i = block->code + n;
        switch (i->operation) {
#define X(name) case SK_##name: EACH(FN(name)(x, y, w))
            SK_OPERATIONS(X)
#undef X
        case SK_read_rows: FN(read_rows)(block, FN(locate)(block, i->target)); break;
        case SK_write_rows: FN(write_rows)(block, FN(locate)(block, i->a)); break;
        }
    }
}

/* Most panels are of one vector; then a row needs no loop. */
static void FN(pointwise)(const sk_block *block)
{
    if (block->vectors == 1)
        FN(interpret)(block, 1);
    else
        FN(interpret)(block, block->vectors);
}

/* ---- moving numbers between the user's layout and the kernels' ---------------------------- */

/* LANES vectors become their columns: 2x2 blocks are exchanged, of half the vectors, a quarter, ... 1. */
INLINE void FN(transpose)(vec *x)
{
    static const INTEGER lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ivec lane;
    memcpy(&lane, lanes, sizeof lane);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2) {
        const ivec low = lane + (((lane & half) != 0) & (INTEGER)(LANES - half)), high = low + half;
        UNROLL for (int n = 0; n < LANES; n++)
            if (!(n & half)) {
                const vec first = x[n], second = x[n + half];
                x[n] = FN(shuffle)(first, second, low);
                x[n + half] = FN(shuffle)(first, second, high);
            }
    }
}

static void FN(pack)(
    char *packed, int64_t p_row, const char *weights, int64_t w_row, int64_t w_step, int64_t k, int64_t valid, int64_t width)
{
    REAL *p = (REAL *)packed;
    const REAL *w = (const REAL *)weights;
    if (valid > width) valid = width;
    for (int64_t j = 0; j < k; j++) memset(p + j * p_row + valid, 0, (width - valid) * sizeof(REAL));
    if (w_row == 1) {
        for (int64_t j = 0; j < k; j++) memcpy(p + j * p_row, w + j * w_step, valid * sizeof(REAL));
        return;
    }
    for (int64_t lane = 0; lane < valid; lane += LANES)
        for (int64_t j = 0; j < k; j += LANES) {
            if (w_step == 1 && lane + LANES <= valid && j + LANES <= k) {
                vec x[LANES];
                UNROLL for (int n = 0; n < LANES; n++) memcpy(&x[n], w + (lane + n) * w_row + j, sizeof(vec));
                FN(transpose)(x);
                UNROLL for (int n = 0; n < LANES; n++) memcpy(p + (j + n) * p_row + lane, &x[n], sizeof(vec));
                continue;
            }
            for (int64_t n = lane; n < valid && n < lane + LANES; n++)
                for (int64_t i = j; i < k && i < j + LANES; i++) p[i * p_row + n] = w[n * w_row + i * w_step];
        }
}

static void FN(unpack_add)(char *weights, int64_t w_row, const char *packed, int64_t p_row, int64_t k, int64_t valid)
{
    const REAL *p = (const REAL *)packed;
    REAL *w = (REAL *)weights;
    for (int64_t lane = 0; lane < valid; lane += LANES)
        for (int64_t j = 0; j < k; j += LANES) {
            if (lane + LANES <= valid && j + LANES <= k) {
                vec x[LANES], y;
                UNROLL for (int n = 0; n < LANES; n++) memcpy(&x[n], p + (j + n) * p_row + lane, sizeof(vec));
                FN(transpose)(x);
                UNROLL for (int n = 0; n < LANES; n++) {
                    memcpy(&y, w + (lane + n) * w_row + j, sizeof(vec));
                    y += x[n];
                    memcpy(w + (lane + n) * w_row + j, &y, sizeof(vec));
                }
                continue;
            }
            for (int64_t n = lane; n < valid && n < lane + LANES; n++)
                for (int64_t i = j; i < k && i < j + LANES; i++) w[n * w_row + i] += p[i * p_row + n];
        }
}

static void FN(gather)(
    char *dst, int64_t dst_tile, char *const *rows, int64_t count, int64_t first, int64_t last, int64_t k)
{
    for (int64_t r = 0; r < count; r++, dst += TILE_ROWS * sizeof(REAL)) {
        const REAL *row = (const REAL *)rows[r];
        char *d = dst;
        int64_t i = first;
        for (; i < last && (i + 1) * TILE_ROWS <= k; i++, d += dst_tile)
            memcpy(d, row + i * TILE_ROWS, TILE_ROWS * sizeof(REAL)); /* of constant size: one or two moves */
        if (i < last) memcpy(d, row + i * TILE_ROWS, (k - i * TILE_ROWS) * sizeof(REAL));
    }
}

/* ---- the limits of the machine ------------------------------------------------------------- */

static double FN(peak)(int64_t repeats)
{
    vec sum[SK_PEAK_CHAINS];
    const vec half = FN(splat)((REAL)0.5), one = FN(splat)(1);
    UNROLL for (int n = 0; n < SK_PEAK_CHAINS; n++) sum[n] = FN(splat)((REAL)n); /* unlike, or they would be merged */
    for (; repeats > 0; repeats--)
        UNROLL for (int n = 0; n < SK_PEAK_CHAINS; n++) sum[n] = FMA(sum[n], half, one);
    double total = 0; /* returned, or nothing would be computed */
    UNROLL for (int n = 0; n < SK_PEAK_CHAINS; n++) total += sum[n][0];
    return total;
}

/* Independent sums, so that loads alone take time. */
static double FN(read)(const char *memory, int64_t bytes, int64_t repeats)
{
    vec sum[SK_READ_SUMS] = {};
    const vec *end = (const vec *)(memory + bytes);
    for (; repeats > 0; repeats--)
        for (const vec *at = (const vec *)memory; at < end; at += SK_READ_SUMS)
            UNROLL for (int n = 0; n < SK_READ_SUMS; n++) sum[n] += at[n];
    double total = 0; /* returned, or nothing would be read */
    UNROLL for (int n = 0; n < SK_READ_SUMS; n++) total += sum[n][0];
    return total;
}

const sk_kernels FN(sk) = {
    ISA, NUMBER, FMA_NAME, sizeof(REAL), LANES, TILE_ROWS, TALL_ROWS, 0, 1, NULL,
    FN(product), FN(line), FN(pointwise), FN(reduce), FN(pack), FN(unpack_add), FN(gather), FN(peak),
    FN(read), FN(numbers), FN(factors), FN(multiply), FN(normalize), FN(normalize_back),
};

#undef EACH
