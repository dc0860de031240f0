/* Random masks from a counter-based generator: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011).  Included by kernels.inc.c.
 *
 * a. Block l of 128 bits is a function of the key and of the counter (l, time, row): nothing is kept from number to
 *    number, so a mask depends on neither threads nor on the rows and steps beside it, and can be drawn again.
 * b. 16 blocks hold the numbers of 64 units: word w of block 16*g + l is that of unit 64*g + 16*w + l.  So whole
 *    words come out as neighbours, whatever the vector width.
 * c. A word is kept in 64 bits whose upper half is of no account: a product of lower halves is one instruction
 *    and leaves both of its halves where the next round wants them.  Even and odd blocks join in the end.
 */
typedef uint64_t FN(wide) __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef uint64_t FN(loose_wide) __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(1)));

enum { FN(WIDE_LANES) = VECTOR_BYTES / sizeof(uint64_t), FN(GROUP) = 64, FN(BLOCKS) = 16, FN(ROUNDS) = 10 };

static const uint64_t FN(evens)[8] __attribute__((aligned(64))) = {0, 2, 4, 6, 8, 10, 12, 14};

INLINE FN(wide) FN(same)(uint64_t x) { return x - (FN(wide)){}; }

INLINE void FN(philox_round)(FN(wide) c[4], uint32_t key0, uint32_t key1)
{
    const FN(wide) a = (FN(wide))MUL_LOW_HALVES(c[0], FN(same)(0xD2511F53)), b = (FN(wide))MUL_LOW_HALVES(c[2], FN(same)(0xCD9E8D57));
    c[0] = (b >> 32) ^ c[1] ^ FN(same)(key0);
    c[2] = (a >> 32) ^ c[3] ^ FN(same)(key1);
    c[1] = b;
    c[3] = a;
}

/* The 64 numbers of a group. */
static void FN(numbers)(uint32_t *out, const sk_noise *noise, int64_t row, int64_t time, int64_t group)
{
    for (int64_t first = 0; first < FN(BLOCKS); first += 2 * FN(WIDE_LANES)) {
        FN(wide) even[4], odd[4];
        even[0] = *(const FN(wide) *)FN(evens) + (uint64_t)(FN(BLOCKS) * group + first);
        odd[0] = even[0] + 1;
        even[1] = odd[1] = FN(same)((uint64_t)time);
        even[2] = odd[2] = FN(same)((uint64_t)row);
        even[3] = odd[3] = FN(same)((uint64_t)row >> 32);
        uint32_t key0 = noise->key[0], key1 = noise->key[1];
        UNROLL for (int n = 0; n < FN(ROUNDS); n++, key0 += 0x9E3779B9, key1 += 0xBB67AE85) {
            FN(philox_round)(even, key0, key1);
            FN(philox_round)(odd, key0, key1);
        }
        UNROLL for (int w = 0; w < 4; w++)
            *(FN(loose_wide) *)(out + FN(BLOCKS) * w + first) = (even[w] & 0xFFFFFFFF) | odd[w] << 32;
    }
}

/* out[0:end - first] = 0 where the unit is dropped at this row and time, else the scale. */
static void FN(factors)(char *out, const sk_noise *noise, int64_t row, int64_t time, int64_t first, int64_t end)
{
    uint32_t numbers[FN(GROUP)] __attribute__((aligned(64)));
    const REAL scale = (REAL)noise->scale;
    const uint32_t threshold = noise->threshold;
    REAL *y = (REAL *)out - first;
    for (int64_t group = first / FN(GROUP); group * FN(GROUP) < end; group++) {
        FN(numbers)(numbers, noise, row, time, group);
        const int64_t start = group * FN(GROUP);
        const int64_t from = first > start ? first - start : 0, to = end - start < FN(GROUP) ? end - start : FN(GROUP);
        if (from == 0 && to == FN(GROUP)) /* of constant size */
            for (int64_t n = 0; n < FN(GROUP); n++) y[start + n] = numbers[n] < threshold ? 0 : scale;
        else
            for (int64_t n = from; n < to; n++) y[start + n] = numbers[n] < threshold ? 0 : scale;
    }
}

static void FN(multiply)(char *out, const char *x, const char *y, int64_t count)
{
    for (int64_t n = 0; n < count; n++) ((REAL *)out)[n] = ((const REAL *)x)[n] * ((const REAL *)y)[n];
}
