/* Reductions over the units of a row, or over groups of them that follow each other.
 *
 * a. The result stands at every unit of its group, so that pointwise operations read it like any vector.
 * b. A sum is made of LANES sums, then of these in order, then of what is left: its bits depend on the numbers of the
 *    group and on nothing else.
 */

INLINE vec FN(load)(const REAL *x) { return *(const FN(loose) *)x; }

static REAL FN(sum_of)(const REAL *x, int64_t count)
{
    vec sum = {};
    int64_t k = 0;
    for (; k + LANES <= count; k += LANES) sum += FN(load)(x + k);
    REAL total = 0;
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    for (; k < count; k++) total += x[k];
    return total;
}

/* NaN if there is one. */
static REAL FN(largest_of)(const REAL *x, int64_t count)
{
    REAL best = x[0];
    int64_t k = 0;
    if (count >= LANES) {
        vec many = FN(load)(x);
        for (k = LANES; k + LANES <= count; k += LANES) {
            const vec y = FN(load)(x + k);
            many = FN(select)((y > many) | (y != y), y, many);
        }
        best = many[0];
        for (int lane = 1; lane < LANES; lane++)
            if (many[lane] > best || many[lane] != many[lane]) best = many[lane];
    }
    for (; k < count; k++)
        if (x[k] > best || x[k] != x[k]) best = x[k];
    return best;
}

static int64_t FN(place_of)(REAL number, const REAL *x, int64_t count)
{
    int64_t k = 0;
    while (k < count - 1 && x[k] != number) k++;
    return k;
}

static void FN(reduce)(
    char *dst, int64_t dst_row, const char *src, int64_t src_row, int64_t rows, int64_t kind, int64_t groups, int64_t units,
    int64_t padded)
{
    const int64_t count = units / groups;
    for (int64_t r = 0; r < rows; r++) {
        const REAL *x = (const REAL *)(src + r * src_row);
        REAL *y = (REAL *)(dst + r * dst_row);
        for (int64_t begin = 0; begin < units; begin += count) {
            const int64_t end = begin + count < units ? begin + count : padded;
            REAL result = 0;
            if (kind == SK_reduce_mean) result = FN(sum_of)(x + begin, count) / (REAL)count;
            if (kind == SK_reduce_total) result = FN(sum_of)(x + begin, count);
            if (kind == SK_reduce_largest) result = FN(largest_of)(x + begin, count);
            for (int64_t k = begin; k < end; k++) y[k] = result;
            if (kind == SK_reduce_first_largest)
                y[begin + FN(place_of)(FN(largest_of)(x + begin, count), x + begin, count)] = 1;
        }
    }
}
