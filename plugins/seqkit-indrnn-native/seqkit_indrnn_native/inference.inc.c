/* h[t] = relu(W x[t] + b + u * h[t-1]), written by hand: each vector of u is taken into a register once for all rows
 * of a block.  The generated kernel loads it for every row, as it cannot know that no row is stored over it.
 *
 * The name of the kernel is a hash of what it must do: when the equations change, the build says that this file has
 * to be written anew.  The slots are those that `python -m seqkit.build seqkit_indrnn_native.indrnn:IndRNN` prints.
 * Training runs the same kernel: all that the gradient needs are the states.
 */
static void FN(run_1e5cedef3fc7d353)(const sk_block *block)
{
    const FN(operand) u = FN(locate)(block, 0), before = FN(locate)(block, 1);
    const FN(operand) sum = FN(locate)(block, 2), after = FN(locate)(block, 4);
    const int64_t vectors = block->vectors;
    for (int64_t v = 0; v < vectors; v++) {
        vec weight = ((vec *)u.at)[v];
        for (int64_t r = 0; r < block->rows; r++) {
            int64_t units;
            char *user = FN(user_row)(block, r, &units);
            if (block->by_panel) weight = AT(u, 0); /* of a single row, panels stand in for rows */
            const vec h = FN(muladd)(weight, AT(before, 0), AT(sum, 0));
            AT(after, 0) = FN(relu)(h, h, h);
            FN(store_units)(user, v, units, AT(after, 0));
        }
    }
}
