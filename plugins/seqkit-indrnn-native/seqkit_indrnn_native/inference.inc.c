/* h[t] = relu(W x[t] + b + u * h[t-1]), written by hand: u is taken into registers once for all rows of a block.  The
 * generated kernel loads it for every row, as no compiler can know that no row is stored over it.
 *
 * The name of the kernel is a hash of what it must do: when the equations change, the build says that this file has
 * to be written anew.  The slots are those that `python -m seqkit.build seqkit_indrnn_native.indrnn:IndRNN` prints.
 * Training runs the same kernel: all that the gradient needs are the states.
 */
INLINE void FN(independent_rows)(const sk_block *block, const int64_t vectors)
{
    const FN(operand) u = FN(locate)(block, 0), before = FN(locate)(block, 1);
    const FN(operand) sum = FN(locate)(block, 2), after = FN(locate)(block, 4);
    vec weight[4] = {}; /* the most vectors that a panel has */
    UNROLL for (int64_t v = 0; v < vectors; v++) weight[v] = ((vec *)u.at)[v];
    for (int64_t r = 0; r < block->rows; r++) {
        int64_t units;
        char *user = FN(user_row)(block, r, &units);
        UNROLL for (int64_t v = 0; v < vectors; v++) {
            if (block->by_panel) weight[v] = AT(u, 0); /* of a single row, panels stand in for rows */
            const vec z = FN(muladd)(weight[v], AT(before, 0), AT(sum, 0)), h = FN(relu)(z, z, z);
            AT(after, 0) = h;
            FN(store_units)(user, v, units, h);
        }
    }
}

static void FN(run_1e5cedef3fc7d353)(const sk_block *block)
{
    if (block->vectors == 4) /* all layers but the smallest; a constant, so that the loops are unrolled */
        FN(independent_rows)(block, 4);
    else
        FN(independent_rows)(block, block->vectors);
}
