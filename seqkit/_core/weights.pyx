"""Gradients of weights and of the input, after the time loop.

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
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.calls cimport (
    BLOCK_ROWS, OPERAND_STATE, OPERAND_X, BatchData, Call, CallData, ProgramData, Rows, Run, bind_rows, input_time, row_at,
    time_slot,
)
from seqkit._core.machine cimport (
    SK_LINE_BYTES, SK_MAX_ROWS, SK_MAX_VECTORS, Arena, Watch, address, finish, free_threads, go_on, new_watch, parallel, sk_kernels, sk_product, threads_for,
)

cdef enum:
    OPERAND_ONE = -1            # whose rows are all 1
    INPUT_ROWS = 24             # of the gradient of the input, at a time

cdef float ONE = 1
cdef double DOUBLE_ONE = 1


# ---- gradients of weights ----------------------------------------------------------------

cdef struct Gradient:           # of one run
    CallData *forward
    CallData *backward
    Run run
    int64_t column              # of the gradient tape
    int64_t before, tiles       # tiles of the runs before it, and its own
    char *packed                # [panel][tiles*tile_rows][count*width]
    char *target[4]             # (units, K) of the user, one per column; added to

cdef struct Gradients:
    Gradient *list
    int64_t count, tiles, share # tiles of all runs; bytes of a thread
    int64_t masked              # bytes of masked rows of a block
    char *memory
    Watch watch

cdef struct Part:               # of one thread: tiles [begin, end) of all runs
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
    if g.run.operand == OPERAND_X:
        return row_at(&c.x, c.batch.order[b], input_time(c, b, t))
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


cdef int64_t first_tile(Gradient *g, Part *part) noexcept nogil:
    return max(part.begin - g.before, <int64_t>0)


cdef int64_t last_tile(Gradient *g, Part *part) noexcept nogil:
    """One past the last tile of a run that belongs to the part."""
    return min(part.end - g.before, g.tiles)


cdef void gather_block(Gradient *runs, int64_t count, Part *part, int64_t t, int64_t start, int64_t rows) noexcept nogil:
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


cdef void multiply_block(Gradient *g, Part *part, int64_t m, int64_t start, int64_t rows, char **ahead) noexcept nogil:
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
    for i in range(first_tile(g, part), last_tile(g, part)):
        for k in range(height):
            part.tile[k] = part.gathered + (g.before + i - part.begin) * part.tile_bytes + k * size
        sums = g.packed + (m * g.tiles + i) * tile_bytes
        product.ahead = sums + tile_bytes
        if i & 1:
            product.ahead = ahead[0]
            ahead[0] += rows * SK_LINE_BYTES
        kernels.product(&product, g.run.count * p.vectors, min(height, g.run.inner - i * height), part.tile, columns, sums)


cdef void add_tape(Gradient *runs, int64_t count, Part *part, Watch *watch, int64_t thread) noexcept nogil:
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
                multiply_block(&runs[k], part, m, start, rows, &ahead)


cdef void unpack(Gradient *g, int64_t first, int64_t last) noexcept nogil:
    """Add tiles [first, last) to the user's gradients."""
    cdef ProgramData *p = g.backward.program
    cdef int64_t m, n, size = p.kernels.size, height = p.kernels.tile_rows, line = g.run.count * p.width, k = g.run.inner
    cdef int64_t count = min(last * height, k) - first * height
    for m in range(p.panels):
        for n in range(g.run.count):
            p.kernels.unpack_add(g.target[n] + (m * p.width * k + first * height) * size, k,
                                 g.packed + ((m * g.tiles + first) * height * line + n * p.width) * size, line,
                                 count, min(p.units - m * p.width, p.width))


cdef void weight_gradients(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """A thread's share of the tiles; all runs that read one tape go through it together."""
    cdef Gradients *w = <Gradients *>context
    cdef int64_t n = 0, count
    cdef Part part
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


cdef void describe(Gradient *g, Call forward, Call backward, number, int64_t column, list targets) except *:
    """One run's gradient; `number` None is that of biases."""
    cdef int64_t n
    g.forward, g.backward, g.column = &forward.data, &backward.data, column
    if number is None:
        g.run.operand, g.run.inner, g.run.count = OPERAND_ONE, 1, len(targets)
    else:
        g.run = forward.data.program.runs[<int64_t>number]
    g.tiles = (g.run.inner + g.forward.program.kernels.tile_rows - 1) // g.forward.program.kernels.tile_rows
    for n, target in enumerate(targets):
        g.target[n] = address(target, True)


def add_weight_gradients(list runs, int64_t threads, Arena arena, Arena sums, bint first=True, bint last=True):
    """Add weight gradients; each run is (forward call, backward call, run index, grad column,
    target arrays (units, K), one per column), or has no run index: then K is 1, and targets get the
    sums of their columns.

    Where the tape is one of several pieces, `sums` holds the sums from piece to piece: the `first`
    call starts them at 0, the `last` adds them to the targets.
    """
    cdef int64_t n, size, packed = 0, operations = 0
    cdef Gradients w
    cdef Gradient *g
    described = np.zeros(len(runs) * sizeof(Gradient) + 64, np.uint8)
    w.list, w.count, w.tiles, w.masked = <Gradient *>address(described, True), len(runs), 0, 0
    sizes = []
    for n, (forward, backward, number, column, targets) in enumerate(runs):
        g = &w.list[n]
        describe(g, forward, backward, number, column, targets)
        size = g.tiles * g.forward.program.kernels.tile_rows * g.forward.program.kernels.size
        if g.forward.input_mask is not NULL:
            w.masked = max(w.masked, (BLOCK_ROWS * g.forward.program.features * g.forward.program.kernels.size + 63) // 64 * 64)
        g.before = w.tiles
        w.tiles += g.tiles
        operations += g.backward.batch.rows * g.run.inner * g.run.count * g.forward.program.padded
        sizes.append(g.forward.program.padded * g.run.count * size)
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


# ---- gradient of the input ----------------------------------------------------------------

cdef struct InputGradient:
    CallData *forward
    CallData *backward
    int64_t *runs               # (column, count) pairs
    int64_t count, features, vectors, share
    char *weight[64]
    Rows dx
    char *memory
    Watch watch


cdef void put_input_row(InputGradient *w, char *dx, char *z, int64_t row) noexcept nogil:
    """One row of dx, multiplied by the mask that x was multiplied by."""
    cdef int64_t line = w.features * w.backward.program.kernels.size
    if w.forward.input_mask is NULL:
        memcpy(dx, z, line)
    else:
        w.backward.program.kernels.multiply(dx, z, w.forward.input_mask + row * line, w.features)


cdef void input_rows(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef InputGradient *w = <InputGradient *>context
    cdef CallData *c = w.backward
    cdef ProgramData *p = c.program
    cdef BatchData *batch = c.batch
    cdef const sk_kernels *kernels = p.kernels
    cdef int64_t size = kernels.size, lanes = kernels.lanes, line = p.columns * p.width, total = w.vectors * lanes
    cdef int64_t begin = batch.rows * thread // threads, end = batch.rows * (thread + 1) // threads
    cdef int64_t r, i, n, g, rows, vectors, inner, t = 0
    cdef char **sources = <char **>(w.memory + thread * w.share)
    cdef char *z = w.memory + thread * w.share + 64 * sizeof(void *)
    cdef sk_product product
    product.step, product.segments, product.segment, product.z_row = 1, p.panels, batch.rows * line, total
    product.bias = product.ahead = NULL
    for r from begin <= r < end by INPUT_ROWS:
        if not go_on(&w.watch, thread):
            return
        rows = min(end - r, <int64_t>INPUT_ROWS)
        memset(z, 0, rows * total * size)
        for n in range(w.count):
            product.length = w.runs[2 * n + 1] * p.width
            inner = product.length * p.panels
            for i in range(rows):
                sources[i] = c.grad + ((r + i) * line + w.runs[2 * n] * p.width) * size
            for g from 0 <= g < w.vectors by SK_MAX_VECTORS:
                vectors = min(w.vectors - g, <int64_t>SK_MAX_VECTORS)
                product.w_row = vectors * lanes
                kernels.product(&product, vectors, rows, sources, w.weight[n] + g * lanes * inner * size, z + g * lanes * size)
        for i in range(rows):
            while r + i >= batch.offset[t + 1]:
                t += 1
            n = r + i - batch.offset[t]
            put_input_row(w, row_at(&w.dx, batch.order[n], input_time(w.forward, n, t)), z + i * total * size, batch.order[n])


def input_gradient(Call forward, Call backward, runs, weights, dx, int64_t features, int64_t threads, Arena arena):
    """Write the gradient of x: `runs` are (column, count) of the gradient tape, `weights` their
    transposed packs, `dx` is described like the x of a call."""
    cdef InputGradient w
    cdef int64_t n
    pairs = np.array(runs, np.int64)
    w.forward, w.backward, w.runs, w.count, w.features = &forward.data, &backward.data, <int64_t *>address(pairs), len(runs), features
    w.vectors = (features + w.forward.program.kernels.lanes - 1) // w.forward.program.kernels.lanes
    for n, weight in enumerate(weights):
        w.weight[n] = address(weight)
    bind_rows(&w.dx, dx)
    w.share = 64 * sizeof(void *) + INPUT_ROWS * w.vectors * w.forward.program.kernels.lanes * w.forward.program.kernels.size
    w.share = (w.share + 63) // 64 * 64
    cdef int64_t operations = backward.data.batch.rows * features * backward.data.program.columns * backward.data.program.padded
    threads = threads_for(operations, free_threads(threads))
    arena.reserve(threads * w.share + 64)
    w.memory = arena.take(threads * w.share)
    w.watch = new_watch()
    with nogil:
        parallel(input_rows, &w, threads)
    finish(&w.watch, operations, threads)
