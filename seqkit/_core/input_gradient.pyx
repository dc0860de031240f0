"""The gradient of the input, after the time loop.

A row of it is made of *parts*: the features that W multiplies, and every raw input.  Each part is the sum of products of
gradient columns with transposed weights and, for raw inputs, of gradient columns themselves; that of a single number
is the sum of their numbers, in order.  Threads share the rows of the tape.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.calls cimport BatchData, Call, CallData, ProgramData, Rows, add_numbers, bind_rows, input_time, panels_of, row_at
from seqkit._core.machine cimport (
    SK_MAX_VECTORS, Arena, Watch, address, finish, free_threads, go_on, new_watch, parallel, sk_product, threads_for,
)

cdef enum:
    INPUT_ROWS = 24             # at a time

cdef struct Product:            # of adjoining gradient columns with the transposed weights of a run
    int64_t part, column, count, rows
    char *weight

cdef struct Column:             # of the gradient of a raw input, of a single number its sum
    int64_t part, column, rows

cdef struct Part:
    int64_t first, size         # features of x
    int64_t place, vectors      # where it begins in a row of `sums`
    bint masked                 # by the mask that x was multiplied by

cdef struct InputGradient:
    CallData *forward
    CallData *backward
    Part *parts
    Product *products
    Column *columns
    int64_t part_count, product_count, column_count, line, share    # numbers of a row of `sums`
    Rows dx
    char *memory
    Watch watch


cdef void add_products(InputGradient *w, int64_t r, int64_t rows, char **sources, char *sums) noexcept nogil:
    """Add the products of some rows of the tape."""
    cdef CallData *c = w.backward
    cdef ProgramData *p = c.program
    cdef int64_t n, i, g, vectors, inner, line = p.columns * p.width, size = p.kernels.size, lanes = p.kernels.lanes
    cdef Product *one
    cdef Part *part
    cdef sk_product product
    product.step, product.segment, product.z_row, product.bias, product.ahead = 1, c.batch.rows * line, w.line, NULL, NULL
    for n in range(w.product_count):
        one = &w.products[n]
        part = &w.parts[one.part]
        product.length, product.segments = one.count * p.width, panels_of(p, one.rows)
        inner = product.length * product.segments
        for i in range(rows):
            sources[i] = c.grad + ((r + i) * line + one.column * p.width) * size
        for g from 0 <= g < part.vectors by SK_MAX_VECTORS:
            vectors = min(part.vectors - g, <int64_t>SK_MAX_VECTORS)
            product.w_row = vectors * lanes
            p.kernels.product(&product, vectors, rows, sources, one.weight + g * lanes * inner * size, sums + (part.place + g * lanes) * size)


cdef void add_columns(InputGradient *w, int64_t r, char *sums) noexcept nogil:
    """Add the gradient columns of a row of the tape to the raw inputs: number by number, or all to one."""
    cdef CallData *c = w.backward
    cdef ProgramData *p = c.program
    cdef int64_t n, m, k, count, size = p.kernels.size
    cdef char *grad
    cdef char *target
    for n in range(w.column_count):
        target = sums + w.parts[w.columns[n].part].place * size
        for m in range(panels_of(p, w.columns[n].rows)):
            grad = c.grad + ((m * c.batch.rows + r) * p.columns + w.columns[n].column) * p.width * size
            count = min(w.columns[n].rows - m * p.width, p.width)
            if w.parts[w.columns[n].part].size == 1:
                add_numbers(p, target, grad, count)
                continue
            for k in range(count):
                add_numbers(p, target + (m * p.width + k) * size, grad + k * size, 1)


cdef void put_input_row(InputGradient *w, char *dx, char *sums, int64_t row) noexcept nogil:
    """One row of dx, multiplied by the mask that x was multiplied by."""
    cdef int64_t n, size = w.backward.program.kernels.size
    cdef Part *part
    for n in range(w.part_count):
        part = &w.parts[n]
        if part.masked:
            w.backward.program.kernels.multiply(dx + part.first * size, sums + part.place * size, w.forward.input_mask + row * part.size * size, part.size)
        else:
            memcpy(dx + part.first * size, sums + part.place * size, part.size * size)


cdef void input_rows(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef InputGradient *w = <InputGradient *>context
    cdef BatchData *batch = w.backward.batch
    cdef int64_t begin = batch.rows * thread // threads, end = batch.rows * (thread + 1) // threads
    cdef int64_t r, i, n, rows, t = 0, line = w.line * w.backward.program.kernels.size
    cdef char **sources = <char **>(w.memory + thread * w.share)
    cdef char *sums = w.memory + thread * w.share + 64 * sizeof(void *)
    for r from begin <= r < end by INPUT_ROWS:
        if not go_on(&w.watch, thread):
            return
        rows = min(end - r, <int64_t>INPUT_ROWS)
        memset(sums, 0, rows * line)
        add_products(w, r, rows, sources, sums)
        for i in range(rows):
            while r + i >= batch.offset[t + 1]:
                t += 1
            n = r + i - batch.offset[t]
            add_columns(w, r + i, sums + i * line)
            put_input_row(w, row_at(&w.dx, batch.order[n], input_time(w.forward, n, t)), sums + i * line, batch.order[n])


def input_gradient(Call forward, Call backward, parts, products, columns, weights, dx, int64_t threads, Arena arena):
    """Write the gradient of x, described like the x of a call.

    Parameters
    ----------
    parts : list of (int, int)
        First feature and number of features; the first part is what W multiplies.
    products : list of (int, int, int, int)
        Part, first column of the gradient tape, number of columns and their rows; `weights` are the transposed packs.
    columns : list of (int, int, int)
        Part, column and its rows, for what is read without a product.
    """
    cdef InputGradient w
    cdef int64_t n, features, operations = 0
    described = [np.zeros(len(parts) * sizeof(Part) + 8, np.uint8), np.zeros(len(products) * sizeof(Product) + 8, np.uint8),
                 np.zeros(len(columns) * sizeof(Column) + 8, np.uint8)]
    w.parts, w.products, w.columns = <Part *>address(described[0], True), <Product *>address(described[1], True), <Column *>address(described[2], True)
    w.forward, w.backward, w.line = &forward.data, &backward.data, 0
    w.part_count, w.product_count, w.column_count = len(parts), len(products), len(columns)
    cdef ProgramData *p = w.forward.program
    for n, (first, size) in enumerate(parts):
        w.parts[n].first, w.parts[n].size, w.parts[n].place, w.parts[n].vectors = first, size, w.line, (size + p.kernels.lanes - 1) // p.kernels.lanes
        w.parts[n].masked = n == 0 and w.forward.input_mask is not NULL
        w.line += w.parts[n].vectors * p.kernels.lanes
    for n, (part, column, count, rows) in enumerate(products):
        w.products[n].part, w.products[n].column, w.products[n].count, w.products[n].rows = part, column, count, rows
        w.products[n].weight = address(weights[n])
        operations += backward.data.batch.rows * w.parts[<int64_t>part].size * <int64_t>count * <int64_t>rows
    for n, (part, column, rows) in enumerate(columns):
        w.columns[n].part, w.columns[n].column, w.columns[n].rows = part, column, rows
    bind_rows(&w.dx, dx)
    w.share = (64 * sizeof(void *) + INPUT_ROWS * w.line * p.kernels.size + 63) // 64 * 64
    threads = threads_for(operations, free_threads(threads))
    arena.reserve(threads * w.share + 64)
    w.memory = arena.take(threads * w.share)
    w.watch = new_watch()
    with nogil:
        parallel(input_rows, &w, threads)
    finish(&w.watch, operations, threads)
