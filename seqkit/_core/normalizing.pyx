"""Layer normalization of whole batches, one pass each way.

Legend: B batch, N valid steps of all sequences, F features.

a. Threads share blocks of valid steps, counted over all sequences; a row depends on nothing beside it.
b. Gradients of gamma and beta are summed over the rows of a block, then the sums of the blocks in their order, by one
   thread: padding and threads change no bit.
"""

cimport numpy as np
from libc.stdint cimport int64_t

import numpy as np

from seqkit._core.arrays cimport data_of, is_rows, rows_of, stride_of
from seqkit._core.calls cimport Rows, bind_rows, row_at
from seqkit._core.machine cimport (
    Watch, address, finish, free_threads, go_on, kernels_of, new_watch, parallel, sk_kernels, threads_for,
)
from seqkit._core.products import add_column_sums
from seqkit._core.threads import num_threads

np.import_array()

cdef enum:
    BLOCK = 64                  # rows whose gradients are summed first
    MOMENTS = 3                 # numbers that are kept of a row

cdef int64_t OPERATIONS = 44    # multiply-adds that take as long as one number

cdef struct Norm:
    const sk_kernels *kernels
    Rows x, y, dy               # the last two in a backward call: dx, if wanted, and dy
    const int64_t *lengths
    int64_t steps, features     # N, F
    double epsilon
    char *gamma
    char *beta
    char *moments               # (N, MOMENTS), or NULL
    char *sums                  # (blocks, 2, F): gradients of gamma and beta
    bint back
    Watch watch


cdef void run_row(Norm *w, int64_t n, int64_t row, int64_t t) noexcept nogil:
    """Valid step n, which is step t of a sequence."""
    cdef int64_t size = w.kernels.size, line = w.features * size
    cdef double[MOMENTS] unwanted
    cdef char *moments = <char *>unwanted if w.moments is NULL else w.moments + n * MOMENTS * size
    cdef char *sums = w.sums + n // BLOCK * 2 * line
    cdef char *y = NULL if w.y.base is NULL else row_at(&w.y, row, t)
    if w.back:
        w.kernels.normalize_back(y, sums, sums + line, row_at(&w.dy, row, t), moments, row_at(&w.x, row, t), w.gamma, w.features)
    else:
        w.kernels.normalize(y, moments, row_at(&w.x, row, t), w.gamma, w.beta, w.features, w.epsilon)


cdef void run_blocks(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Norm *w = <Norm *>context
    cdef int64_t blocks = (w.steps + BLOCK - 1) // BLOCK, n, row = 0
    cdef int64_t begin = blocks * thread // threads * BLOCK, end = min(blocks * (thread + 1) // threads * BLOCK, w.steps)
    cdef int64_t t = begin              # counted from the begin of the first sequence, at first
    for n in range(begin, end):
        if n % BLOCK == 0 and not go_on(&w.watch, thread):
            return
        while t >= w.lengths[row]:
            t -= w.lengths[row]
            row += 1
        run_row(w, n, row, t)
        t += 1


cdef int run(Norm *w) except -1:
    cdef int64_t operations = w.steps * w.features * OPERATIONS
    cdef int64_t threads = threads_for(operations, free_threads(num_threads()))
    w.watch = new_watch()
    with nogil:
        parallel(run_blocks, w, threads)
    return finish(&w.watch, operations, threads)


cdef Norm norm_of(gamma, x, lengths, moments) except *:
    cdef Norm w
    w.kernels, w.features, w.steps = kernels_of(gamma.dtype.name), gamma.shape[0], moments.shape[0]
    w.lengths, w.gamma, w.moments = <int64_t *>address(lengths), address(gamma), address(moments, True)
    w.beta = w.sums = w.dy.base = w.y.base = NULL
    w.epsilon, w.back = 0, False
    bind_rows(&w.x, x)
    return w


def normalize(x, y, lengths, gamma, beta, double epsilon):
    """Write y; what the way back needs of every row, (N, 3).  x and y are described like those of a call."""
    moments = np.empty((lengths.sum(), MOMENTS), gamma.dtype)
    cdef Norm w = norm_of(gamma, x, lengths, moments)
    w.beta, w.epsilon = address(beta), epsilon
    bind_rows(&w.y, y)
    run(&w)
    return moments


def normalize_back(x, dy, dx, lengths, moments, gamma, dgamma=None, dbeta=None):
    """Write dx, unless it is None; add the gradients of gamma and beta to arrays (F,)."""
    cdef Norm w = norm_of(gamma, x, lengths, moments)
    sums = np.zeros(((w.steps + BLOCK - 1) // BLOCK, 2 * w.features), gamma.dtype)
    both = np.zeros(2 * w.features, gamma.dtype)
    w.sums, w.back = address(sums, True), True
    bind_rows(&w.y, dx)
    bind_rows(&w.dy, dy)
    run(&w)
    add_column_sums(both, sums)
    for total, part in ((dgamma, both[:w.features]), (dbeta, both[w.features:])):
        if total is not None:
            total += part


def normalize_rows(x, np.ndarray gamma, np.ndarray beta, double epsilon):
    """y for the few rows (B, F) of a stream, or None where x is no such array of gamma's type."""
    cdef Norm w
    cdef np.ndarray y
    cdef int64_t start = 0
    w.features = np.PyArray_DIM(gamma, 0)
    if not is_rows(x, np.PyArray_TYPE(gamma), w.features):
        return None
    y = np.PyArray_SimpleNew(2, np.PyArray_DIMS(x), np.PyArray_TYPE(x))
    w.kernels = DOUBLE if np.PyArray_TYPE(x) == np.NPY_DOUBLE else FLOAT
    w.steps, w.gamma, w.beta, w.epsilon = rows_of(x), data_of(gamma), data_of(beta), epsilon
    w.moments, w.back, w.lengths = NULL, False, &w.steps       # one sequence of B steps
    w.x.base, w.x.start, w.x.along = data_of(x), &start, stride_of(x)
    w.y.base, w.y.start, w.y.along = data_of(y), &start, stride_of(y)
    w.watch = new_watch()
    parallel(run_blocks, &w, 1)
    finish(&w.watch, 0, 1)
    return y


cdef const sk_kernels *FLOAT = kernels_of("float32")
cdef const sk_kernels *DOUBLE = kernels_of("float64")
