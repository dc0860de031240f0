/* What the engine (engine.pyx) and the kernels (kernels.inc.c) agree on.
 *
 * Legend: a "vector" is one SIMD register of `lanes` numbers; a "panel" is `width` = n * lanes
 * units, the block of a layer that the kernels work on at a time; strides are in bytes.
 */
#ifndef SEQKIT_KERNELS_H
#define SEQKIT_KERNELS_H
#include "pointwise.h"

#if defined SK_X86 && (__GNUC__ >= 11 || __clang_major__ >= 12) /* compilers that know it */
#define SK_AVX_VNNI
#endif

#define SK_MAX_ROWS 24     /* rows of a block of the interpreter: its registers must stay in L1 */
#define SK_MAX_VECTORS 4   /* vectors that one product writes per row */
#define SK_LINE_BYTES 64   /* of a cache line */
#define SK_L1_BYTES 32768  /* what surely stays in the first cache, beside what else is in use */
#define SK_L2_BYTES 786432 /* and in the second one */
#define SK_TASK_ROWS 96    /* rows of a batch that one thread takes at a time: more gain nothing and cost memory */
#define SK_PEAK_CHAINS 12  /* independent sums of `peak`: enough to hide latency, few enough for registers */
#define SK_READ_SUMS 8     /* independent sums of `read` */

/* Pointwise operations (operations.inc.c says what each is).  The order is the opcode;
 * seqkit.equations.lower reads the names through the engine. */
#define SK_OPERATIONS(X)                                                                            \
    X(copy) X(neg) X(abs) X(sqrt) X(exp) X(log) X(softplus) X(sigmoid) X(tanh) X(relu) X(add)       \
    X(sub) X(mul) X(div) X(maximum) X(minimum) X(greater) X(greater_equal) X(sigmoid_grad)          \
    X(tanh_grad) X(relu_grad) X(where) X(muladd) X(mulsub) X(negmuladd) X(floor)                    \
    X(mul_sigmoid_grad) X(mul_tanh_grad)
#define SK_ROW_OPERATIONS(X) X(read_rows) X(write_rows) /* between a slot and rows of the user */

#define SK_REDUCTIONS(X) X(mean) X(total) X(largest) X(first_largest) /* over the units of a row (reduce.inc.c) */

enum {
#define X(name) SK_##name,
    SK_OPERATIONS(X) SK_ROW_OPERATIONS(X)
#undef X
    SK_OPERATION_COUNT
};
enum {
#define X(name) SK_reduce_##name,
    SK_REDUCTIONS(X)
#undef X
    SK_REDUCTION_COUNT
};

/* A mask: which units are dropped, and what the others are multiplied by (noise.inc.c). */
typedef struct {
    uint32_t key[2];
    uint32_t threshold; /* a number below it drops */
    double scale;
} sk_noise;

/* z[row][0:n] += sum over k of a[row][k] * w[k][0:n], k ascending and never split.
 * k runs over `segments` pieces of `length`; element k of a piece is k*step numbers further on. */
typedef struct {
    int64_t step, segments, length, segment; /* of a: numbers, not bytes */
    int64_t w_row, z_row;                    /* numbers between rows of w and of z */
    const char *bias;                        /* what every row of z starts from; NULL: from what it holds */
    const char *ahead;                       /* lines to fetch into L2 meanwhile, one for every k, or NULL */
    int64_t ahead_segment;                   /* bytes from where fetching begins in a piece to where in the next */
} sk_product;

/* The kernels of one instruction set and one precision of products.  In low precision the operand and the
 * weights of a product are rows of words, see lowprec.inc.c: `head` words, then a word for every `group`
 * numbers along k.  sk_product then counts words, and everything beside the products is float32. */
typedef struct {
    const char *isa, *precision, *instruction; /* the last is the multiply-add of the products */
    int64_t size, lanes, tile_rows, tall_rows; /* bytes of a number or word, numbers of a vector, rows of a tile; of one of fewer vectors */
    int64_t head, group;                       /* 0 and 1 for floats */
    /* words = a row of k numbers, as an operand or as weights; NULL: floats are multiplied as they are */
    void (*encode)(char *words, const char *x, int64_t k, int weights);
    void (*product)(const sk_product *p, int64_t vectors, int64_t rows, char *const *a, const char *w, char *z);
    /* the same for one row and several panels; w, z and the bias of the next panel are so many bytes further on */
    void (*line)(const sk_product *p, int64_t vectors, int64_t panels, const char *a, const char *w, int64_t w_panel,
                 char *z, int64_t z_panel, int64_t bias_panel);
    sk_pointwise pointwise; /* the interpreter */
    /* dst[row][unit] = what a reduction makes of the unit's group of src[row]; `padded` numbers are written */
    void (*reduce)(
        char *dst, int64_t dst_row, const char *src, int64_t src_row, int64_t rows, int64_t kind, int64_t groups,
        int64_t units, int64_t padded);
    /* p[k][0:columns][lane] = w[column*block + lane][k], zero where lane >= valid */
    void (*pack)(char *p, int64_t p_row, const char *w, int64_t w_row, int64_t w_step, int64_t k, int64_t valid, int64_t width);
    void (*unpack_add)(char *w, int64_t w_row, const char *p, int64_t p_row, int64_t k, int64_t valid);
    /* dst[i - first][r][m] = rows[r][i*tile_rows + m] for tiles first <= i < last, as far as rows of k numbers go:
     * what the weight gradient reads */
    void (*gather)(char *dst, int64_t dst_tile, char *const *rows, int64_t count, int64_t first, int64_t last, int64_t k);
    /* SK_PEAK_CHAINS multiply-adds of vectors in registers, `repeats` times: the limit to compare products with */
    double (*peak)(int64_t repeats);
    /* sum of `bytes` of memory, a multiple of SK_READ_SUMS vectors, read `repeats` times: the limit where weights are used once */
    double (*read)(const char *memory, int64_t bytes, int64_t repeats);
    /* the 64 numbers of a group of units */
    void (*numbers)(uint32_t *out, const sk_noise *noise, int64_t row, int64_t time, int64_t group);
    /* what units [first, end) of a row are multiplied by at one time: 0 or the scale */
    void (*factors)(char *out, const sk_noise *noise, int64_t row, int64_t time, int64_t first, int64_t end);
    void (*multiply)(char *out, const char *x, const char *y, int64_t count); /* out = x * y */
    /* y = gamma * (x - mean) / deviation + beta over a row; `moments` are three numbers for the way back */
    void (*normalize)(
        char *y, char *moments, const char *x, const char *gamma, const char *beta, int64_t count, double epsilon);
    /* the gradient of x, unless dx is NULL; what the row adds to those of gamma and beta is added */
    void (*normalize_back)(
        char *dx, char *dgamma, char *dbeta, const char *dy, const char *moments, const char *x, const char *gamma,
        int64_t count);
} sk_kernels;

extern const sk_kernels sk_base_f32, sk_base_f64, sk_base_bf16, sk_base_i8;
#ifdef SK_X86
extern const sk_kernels sk_avx2_f32, sk_avx2_f64, sk_avx2_bf16, sk_avx2_i8;
#ifdef SK_AVX_VNNI
extern const sk_kernels sk_avx2_i8_native;
#endif
extern const sk_kernels sk_avx512_f32, sk_avx512_f64, sk_avx512_bf16, sk_avx512_bf16_native;
extern const sk_kernels sk_avx512_i8, sk_avx512_i8_native;
#endif

#endif
