"""Gradients of weights, after the time loop.

Legend: K inner size of a product (features or units), R rows of the tape; for runs and how weights are packed see
``packing.pyx``.

a. A weight gradient is the product of operand rows and gradient columns over all tape rows, a
   bias being the weight of an operand that is 1.  Threads share its rows (the K side), so each
   number is summed by one thread: over the blocks of the tape, the last block first.
b. Rows of the operand are gathered into tiles first, so the kernel reads contiguous memory.  A
   block's gradient columns stay in L1 while all products with them are added.
c. A tape can be made piece by piece, the last one first.  Packed sums go on from piece to piece
   and are added to the user's gradients once, after the first piece of the sequence.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

from seqkit._core.calls cimport (
    BLOCK_ROWS, OPERAND_INPUT, OPERAND_STATE, OPERAND_X, BatchData, Call, CallData, ProgramData, Run, add_numbers, input_row,
    panels_of, time_slot,
)
from seqkit._core.heads cimport window_start
from seqkit._core.machine cimport (
    SK_LINE_BYTES, SK_MAX_ROWS, Arena, Watch, address, finish, free_threads, go_on, new_watch, parallel, sk_kernels, sk_product, threads_for,
)

cdef enum:
    OPERAND_ONE = -1            # whose rows are all 1

cdef float ONE = 1
cdef double DOUBLE_ONE = 1


cdef struct Gradient:           # of one run
    CallData *forward
    CallData *backward
    Run run
    int64_t column              # of the gradient tape
    int64_t before, tiles       # tiles of the runs before it, and its own
    char *packed                # [panel][tiles*tile_rows][count*width]
    char *target[4]             # (rows, K) of the user, one per column; added to
    bint total                  # targets are single numbers, to which all rows are added

cdef struct Gradients:
    Gradient *list
    int64_t count, tiles, share # tiles of all runs; bytes of a thread
    int64_t masked              # bytes of masked rows of a block
    char *memory
    Watch watch

cdef struct Share:              # of one thread: tiles [begin, end) of all runs
    int64_t begin, end
    char **sources              # operand rows of a block
    char **tile                 # gathered rows of a tile
    char *masked                # rows of x times their mask, of a block
    char *gathered              # [tile][row of a block][tile_rows], tiles `tile_bytes` apart
    int64_t tile_bytes


cdef char *operand_row(Gradient *g, int64_t t, int64_t b) noexcept nogil:
    cdef CallData *c = g.forward
    cdef int64_t row = c.program.padded * c.program.kernels.size
    if g.run.operand == OPERAND_ONE:
        return <char *>&ONE if c.program.kernels.size == sizeof(float) else <char *>&DOUBLE_ONE
    if g.run.operand == OPERAND_X or g.run.operand == OPERAND_INPUT:
        return input_row(c, b, t, g.run.index if g.run.operand == OPERAND_INPUT else 0)
    if g.run.operand == OPERAND_STATE:
        return c.state[g.run.index] + (time_slot(c, t - 1) + b) * row
    return c.vector[g.run.index] + (c.batch.offset[t] + b) * row


cdef void find_rows(Gradient *g, int64_t t, int64_t start, int64_t rows, char **sources) noexcept nogil:
    """Where the operand's rows of a block lie, which begins in step t."""
    cdef BatchData *batch = g.forward.batch
    cdef int64_t i, b = start - batch.offset[t]
    for i in range(rows):
        sources[i] = operand_row(g, t, b)
        b += 1
        if b == batch.active[t]:
            t, b = t + 1, 0


cdef void mask_rows(Gradient *g, int64_t t, int64_t start, int64_t rows, char **sources, char *memory) noexcept nogil:
    """Have these rows of x lead to copies that are multiplied by the mask of the input."""
    cdef CallData *c = g.forward
    cdef int64_t i, b = start - c.batch.offset[t], line = g.run.inner * c.program.kernels.size
    for i in range(rows):
        c.program.kernels.multiply(memory + i * line, sources[i], c.input_mask + c.batch.order[b] * line, g.run.inner)
        sources[i] = memory + i * line
        b += 1
        if b == c.batch.active[t]:
            t, b = t + 1, 0


cdef int64_t first_tile(Gradient *g, Share *part) noexcept nogil:
    return max(part.begin - g.before, <int64_t>0)


cdef int64_t last_tile(Gradient *g, Share *part) noexcept nogil:
    """One past the last tile of a run that belongs to the part."""
    return min(part.end - g.before, g.tiles)


cdef void gather_block(Gradient *runs, int64_t count, Share *part, int64_t t, int64_t start, int64_t rows) noexcept nogil:
    """Gather the operands of a block, which begins in step t."""
    cdef int64_t n, first, last
    for n in range(count):
        first, last = first_tile(&runs[n], part), last_tile(&runs[n], part)
        if first < last:
            find_rows(&runs[n], t, start, rows, part.sources)
            if runs[n].run.operand == OPERAND_X and runs[n].forward.input_mask is not NULL:
                mask_rows(&runs[n], t, start, rows, part.sources, part.masked)
            runs[n].backward.program.kernels.gather(
                part.gathered + (runs[n].before + first - part.begin) * part.tile_bytes, part.tile_bytes, part.sources, rows,
                first, last, runs[n].run.inner)


cdef void multiply_block(Gradient *g, Share *part, int64_t m, int64_t start, int64_t rows, char **ahead) noexcept nogil:
    """Add a block's products to the tiles of one run and panel.

    Meanwhile sums that are next are fetched, and in turn with them the columns that are next.
    """
    cdef ProgramData *p = g.backward.program
    cdef const sk_kernels *kernels = p.kernels
    cdef int64_t size = kernels.size, height = kernels.tile_rows, line = g.run.count * p.width
    cdef int64_t i, k, tile_bytes = height * line * size
    cdef char *columns = g.backward.grad + ((m * g.backward.batch.rows + start) * p.columns + g.column) * p.width * size
    cdef char *sums
    cdef sk_product product
    product.step, product.segments, product.segment, product.length = height, 1, 0, rows
    product.w_row, product.z_row, product.bias = p.columns * p.width, line, NULL
    cdef int64_t start_of = window_start(p, &g.run, m)      # of what the panel reads of the operand
    cdef int64_t first = max(first_tile(g, part), start_of // height), last = (start_of + g.run.window + height - 1) // height
    for i in range(first, min(last, last_tile(g, part))):
        for k in range(height):
            part.tile[k] = part.gathered + (g.before + i - part.begin) * part.tile_bytes + k * size
        sums = g.packed + (m * g.tiles + i) * tile_bytes
        product.ahead = sums + tile_bytes
        if i & 1:
            product.ahead = ahead[0]
            ahead[0] += rows * SK_LINE_BYTES
        kernels.product(&product, g.run.count * p.vectors, min(height, g.run.inner - i * height), part.tile, columns, sums)


cdef void add_tape(Gradient *runs, int64_t count, Share *part, Watch *watch, int64_t thread) noexcept nogil:
    """Add the sums over the blocks of one tape to a part of its runs' gradients."""
    cdef CallData *c = runs.backward
    cdef BatchData *batch = c.batch
    cdef int64_t n, m, k, start, rows, t = batch.time
    cdef char *ahead
    for n in range(batch.blocks - 1, -1, -1):
        if not go_on(watch, thread):
            return
        start, rows = batch.block[n], batch.block[n + 1] - batch.block[n]
        while batch.offset[t] > start:
            t -= 1
        gather_block(runs, count, part, t, start, rows)
        for m in range(c.program.panels):
            ahead = c.grad + ((m + 1) * batch.rows + start) * c.program.columns * c.program.width * c.program.kernels.size
            for k in range(count):
                if m < runs[k].run.panels:
                    multiply_block(&runs[k], part, m, start, rows, &ahead)


cdef void unpack_panel(Gradient *g, int64_t m, int64_t n, int64_t k_first, int64_t k_last) noexcept nogil:
    """Add numbers [k_first, k_last) of the rows of a panel and column to the user's gradients, head by head."""
    cdef ProgramData *p = g.backward.program
    cdef int64_t size = p.kernels.size, line = g.run.count * p.width, high = g.run.rows // g.run.heads, wide = g.run.inner // g.run.heads
    cdef int64_t first = m * p.width, last, k, end, head
    cdef char *sums = g.packed + (m * g.tiles * p.kernels.tile_rows * line + n * p.width - first) * size
    while first < min((m + 1) * p.width, g.run.rows):
        head = first // high
        last = min(min((m + 1) * p.width, g.run.rows), (head + 1) * high)
        k, end = max(k_first, head * wide), min(k_last, (head + 1) * wide)
        if k < end:
            p.kernels.unpack_add(g.target[n] + (first * wide + k - head * wide) * size, wide, sums + (k * line + first) * size, line,
                                 end - k, last - first)
        first = last


cdef void unpack(Gradient *g, int64_t first, int64_t last) noexcept nogil:
    """Add tiles [first, last) to the user's gradients."""
    cdef ProgramData *p = g.backward.program
    cdef int64_t m, n, size = p.kernels.size, height = p.kernels.tile_rows, line = g.run.count * p.width, k = g.run.inner
    cdef int64_t count = min(last * height, k) - first * height
    for m in range(g.run.panels):
        for n in range(g.run.count):
            if g.total:
                if count > 0:
                    add_numbers(p, g.target[n], g.packed + (m * g.tiles * height * line + n * p.width) * size, min(g.run.rows - m * p.width, p.width))
                continue
            unpack_panel(g, m, n, first * height, min(last * height, k))


cdef void weight_gradients(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """A thread's share of the tiles; all runs that read one tape go through it together."""
    cdef Gradients *w = <Gradients *>context
    cdef int64_t n = 0, count
    cdef Share part
    part.begin, part.end = w.tiles * thread // threads, w.tiles * (thread + 1) // threads
    part.sources, part.tile_bytes = <char **>(w.memory + thread * w.share), gathered_bytes(w.list.backward.program.kernels)
    part.tile = part.sources + BLOCK_ROWS
    part.masked = <char *>(part.tile + SK_MAX_ROWS)
    part.gathered = part.masked + w.masked
    while n < w.count:
        count = 1
        while n + count < w.count and w.list[n + count].backward == w.list[n].backward:
            count += 1
        if part.begin < w.list[n + count - 1].before + w.list[n + count - 1].tiles and w.list[n].before < part.end:
            add_tape(&w.list[n], count, &part, &w.watch, thread)
        n += count


cdef int64_t gathered_bytes(const sk_kernels *kernels) noexcept nogil:
    """Bytes from tile to tile of gathered operands; a line more than they need, so that tiles differ in their places in a cache."""
    return BLOCK_ROWS * kernels.tile_rows * kernels.size + SK_LINE_BYTES


cdef void unpack_gradients(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """Runs that share a target (one matrix, several vectors) have as many tiles, so that each
    number is added to by one thread, run after run."""
    cdef Gradients *w = <Gradients *>context
    cdef int64_t n
    for n in range(w.count):
        unpack(&w.list[n], w.list[n].tiles * thread // threads, w.list[n].tiles * (thread + 1) // threads)


cdef void describe(Gradient *g, Call forward, Call backward, number, int64_t column, int64_t rows, list targets) except *:
    """One run's gradient; `number` None is that of biases."""
    cdef int64_t n
    g.forward, g.backward, g.column = &forward.data, &backward.data, column
    if number is None:
        g.run.operand, g.run.inner, g.run.count, g.run.rows = OPERAND_ONE, 1, len(targets), rows
        g.run.panels = panels_of(forward.data.program, rows)
        g.run.heads = g.run.window = 1
        g.total = rows > 1 and targets[0].size == 1
    else:
        g.run, g.total = forward.data.program.runs[<int64_t>number], False
    g.tiles = (g.run.inner + g.forward.program.kernels.tile_rows - 1) // g.forward.program.kernels.tile_rows
    for n, target in enumerate(targets):
        g.target[n] = address(target, True)


def add_weight_gradients(list runs, int64_t threads, Arena arena, Arena sums, bint first=True, bint last=True):
    """Add weight gradients; each run is (forward call, backward call, run index, grad column, rows,
    target arrays (rows, K), one per column), or has no run index: then K is 1, and targets get the
    sums of their columns, those of one number the sum of it all.

    Where the tape is one of several pieces, `sums` holds the sums from piece to piece: the `first`
    call starts them at 0, the `last` adds them to the targets.
    """
    cdef int64_t n, size, line, packed = 0, operations = 0
    cdef Gradients w
    cdef Gradient *g
    described = np.zeros(len(runs) * sizeof(Gradient) + 64, np.uint8)
    w.list, w.count, w.tiles, w.masked = <Gradient *>address(described, True), len(runs), 0, 0
    sizes = []
    for n, (forward, backward, number, column, rows, targets) in enumerate(runs):
        g = &w.list[n]
        describe(g, forward, backward, number, column, rows, targets)
        size = g.tiles * g.forward.program.kernels.tile_rows * g.forward.program.kernels.size
        if g.forward.input_mask is not NULL:
            w.masked = max(w.masked, (BLOCK_ROWS * g.forward.program.features * g.forward.program.kernels.size + 63) // 64 * 64)
        g.before = w.tiles
        w.tiles += g.tiles
        line = g.run.panels * g.forward.program.width * g.run.count
        operations += g.backward.batch.rows * g.run.window * line
        sizes.append(line * size)
        packed += sizes[n] + 64
    threads = threads_for(operations, free_threads(threads))
    size = (w.tiles + threads - 1) // threads * gathered_bytes(w.list.backward.program.kernels)
    w.share = ((BLOCK_ROWS + SK_MAX_ROWS) * sizeof(void *) + w.masked + size + 63) // 64 * 64
    arena.reserve(threads * w.share + 64)
    w.memory = arena.take(threads * w.share)
    sums.reserve(packed)
    for n in range(w.count):
        w.list[n].packed = sums.take(sizes[n])
        if first:
            memset(w.list[n].packed, 0, sizes[n])
    w.watch = new_watch()
    with nogil:
        parallel(weight_gradients, &w, threads)
        if last and not w.watch.stopped:
            parallel(unpack_gradients, &w, threads)
    finish(&w.watch, operations, threads)
