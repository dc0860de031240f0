"""Products of whole matrices, and packing of weights for the time loop.

a. `matmul` is what every layer outside the time loop uses: the same kernel, so the same
   order of summation for any batch size and any number of threads.
b. Threads share the rows of the result, so nothing is reduced across threads.
c. A `Product` keeps one matrix packed, for a stream of few rows: the same kernel, hence the same bits.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.arrays cimport Results, data_of, is_rows, rows_of, stride_of, type_number
from seqkit._core.machine cimport (
    SK_MAX_VECTORS, Arena, Watch, address, finish, free_threads, go_on, kernels_of, new_watch, parallel, sk_kernels, sk_product, threads_for,
)
from seqkit._core.threads import num_threads

cdef struct Matmul:
    const sk_kernels *kernels
    int64_t m, n, k, vectors, groups            # vectors of a row of the product, groups of 4 of them
    int64_t a_row, a_step, b_row, b_step        # numbers
    char *a
    char *b
    char *packed                                # [group][k][vectors*lanes]
    char *product                               # (m, vectors*lanes)
    char *out                                   # (m, n)
    char **rows
    Watch watch


cdef int64_t BLOCK_ROWS = 48              # rows of a that stay in cache over all groups of b


cdef void pack_groups(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Matmul *w = <Matmul *>context
    cdef int64_t g, first, width, lanes = w.kernels.lanes, size = w.kernels.size
    for g from thread <= g < w.groups by threads:
        first = g * SK_MAX_VECTORS * lanes
        width = min(w.vectors * lanes - first, SK_MAX_VECTORS * lanes)
        w.kernels.pack(w.packed + first * w.k * size, width, w.b + first * w.b_step * size, w.b_step, w.b_row, w.k, w.n - first, width)


cdef void multiply_rows(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Matmul *w = <Matmul *>context
    cdef int64_t g, r, first, vectors, rows, lanes = w.kernels.lanes, size = w.kernels.size, line = w.vectors * lanes
    cdef int64_t begin = w.m * thread // threads, end = w.m * (thread + 1) // threads
    cdef sk_product p
    p.step, p.segments, p.length, p.segment, p.z_row = w.a_step, 1, w.k, 0, line
    p.bias = p.ahead = NULL
    memset(w.product + begin * line * size, 0, (end - begin) * line * size)
    for r in range(begin, end):
        w.rows[r] = w.a + r * w.a_row * size
    for r from begin <= r < end by BLOCK_ROWS:
        if not go_on(&w.watch, thread):
            return
        rows = min(end - r, BLOCK_ROWS)
        for g in range(w.groups):
            first = g * SK_MAX_VECTORS * lanes
            vectors = min(w.vectors - g * SK_MAX_VECTORS, <int64_t>SK_MAX_VECTORS)
            p.w_row = vectors * lanes
            w.kernels.product(&p, vectors, rows, w.rows + r, w.packed + first * w.k * size, w.product + (r * line + first) * size)
    for r in range(begin, end):
        memcpy(w.out + r * w.n * size, w.product + r * line * size, w.n * size)


def matmul(a, b):
    """Matrix product ``a @ b`` of two 2-D arrays of one type, float32 or float64, any strides.

    Element (i, j) is the sum over k, ascending, of ``a[i, k] * b[k, j]``: its bits depend on row
    i and column j alone.

    Examples
    --------
    >>> import numpy as np
    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype or not a.dtype.isnative:
        raise ValueError(f"matmul: cannot multiply {a.dtype} {a.shape} by {b.dtype} {b.shape}.")
    cdef Matmul w
    cdef Arena arena = Arena()
    cdef int64_t size, threads
    a, b = _whole_strides(a), _whole_strides(b)
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    w.kernels = kernels_of(a.dtype.name)
    size, (w.m, w.k), w.n = w.kernels.size, a.shape, b.shape[1]
    w.vectors = (w.n + w.kernels.lanes - 1) // w.kernels.lanes
    w.groups = (w.vectors + SK_MAX_VECTORS - 1) // SK_MAX_VECTORS
    w.a_row, w.a_step, w.b_row, w.b_step = (stride // size for stride in (*a.strides, *b.strides))
    line = w.vectors * w.kernels.lanes * size
    arena.reserve(line * w.k + line * w.m + w.m * sizeof(void *) + 64 * 4)
    w.packed, w.product, w.rows = arena.take(line * w.k), arena.take(line * w.m), <char **>arena.take(w.m * sizeof(void *))
    w.a, w.b, w.out = address(a), address(b), address(out, True)
    threads = threads_for(w.m * w.n * w.k, free_threads(num_threads()))
    w.watch = new_watch()
    with nogil:
        parallel(pack_groups, &w, threads)
        parallel(multiply_rows, &w, threads)
    finish(&w.watch, w.m * w.n * w.k, threads)
    return out


def _whole_strides(array):
    """The array, copied unless its strides are positive whole numbers of elements."""
    whole = array.flags.aligned and all(stride > 0 and stride % array.itemsize == 0 for stride in array.strides)
    return array if whole else array.copy()


@cython.final
cdef class Product:
    """``x @ weight.T + bias`` for a few rows at a time, `weight` packed once.

    Parameters
    ----------
    weight : ndarray (U, I)
    bias : ndarray (U,) or None
    version : int
        Of the parameters.
    """

    cdef Matmul work
    cdef Arena packed, arena
    cdef Results results
    cdef object bias
    cdef int64_t capacity
    cdef readonly int64_t version
    cdef int type

    def __cinit__(self, weight, bias, int64_t version):
        cdef Matmul *w = &self.work
        cdef int64_t size
        name = weight.dtype.name
        weight = np.ascontiguousarray(weight)
        w.kernels, self.type, self.version, self.bias = kernels_of(name), type_number(name), version, bias
        size, w.n, w.k = w.kernels.size, weight.shape[0], weight.shape[1]
        w.vectors = (w.n + w.kernels.lanes - 1) // w.kernels.lanes
        w.groups = (w.vectors + SK_MAX_VECTORS - 1) // SK_MAX_VECTORS
        w.b, w.b_row, w.b_step, w.a_step = address(weight), 1, w.k, 1
        self.packed, self.arena, self.results = Arena(), Arena(), Results(name, w.n, 0, 0)
        self.packed.reserve(w.vectors * w.kernels.lanes * size * w.k)
        w.packed = self.packed.take(self.packed.capacity)
        pack_groups(w, 0, 1)

    def __reduce__(self):
        """A copy is packed anew, when it is needed."""
        return type(None), ()

    def step(self, x, int64_t version):
        """(y, ()) with a new y, (rows, U); None where x is no (rows, I) array of this dtype with rows in
        one piece, the parameters have another version, or there is work enough for threads."""
        cdef Matmul *w = &self.work
        if version != self.version or not is_rows(x, self.type, w.k):
            return None
        w.m = rows_of(x)
        if stride_of(x) < 0 or threads_for(w.m * w.n * w.k, 2) > 1:
            return None
        self.reserve(w.m)
        result = self.results.take(w.m)
        w.a, w.a_row, w.out = data_of(x), stride_of(x) // w.kernels.size, data_of(result[0])
        w.watch = new_watch()
        parallel(multiply_rows, w, 1)
        finish(&w.watch, 0, 1)
        if self.bias is not None:   # outside the region, where subnormal numbers live
            add_rows(w, address(self.bias))
        return result

    cdef int reserve(self, int64_t rows) except -1:
        cdef int64_t line = self.work.vectors * self.work.kernels.lanes * self.work.kernels.size
        if rows > self.capacity:
            self.arena.reserve(rows * (line + sizeof(void *)) + 64 * 2)
            self.work.product, self.work.rows = self.arena.take(rows * line), <char **>self.arena.take(rows * sizeof(void *))
            self.capacity = rows
        return 0


cdef void add_rows(Matmul *w, char *bias) noexcept nogil:
    """Add the bias to every row of the result."""
    cdef int64_t r, i
    for r in range(w.m):
        for i in range(w.n):
            if w.kernels.size == 8:
                (<double *>w.out)[r * w.n + i] += (<double *>bias)[i]
            else:
                (<float *>w.out)[r * w.n + i] += (<float *>bias)[i]
