"""Products of whole matrices, and packing of weights for the time loop.

a. `matmul` is what every layer outside the time loop uses: the same kernel, so the same
   order of summation for any batch size and any number of threads.
b. Threads share the rows of the result, so nothing is reduced across threads.
c. A few rows of the result are computed at a time, in memory that stays in cache, and then stored
   with a bias or added to what is there: no pass over the whole result beside that one.
d. A `Product` keeps one matrix packed, for a stream of few rows: the same kernel, hence the same bits.
"""

cimport cython
cimport numpy as np
from cython cimport floating
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.arrays cimport Results, data_of, is_matrix, is_rows, rows_of, stride_of, type_number
from seqkit._core.machine cimport (
    SK_MAX_VECTORS, Arena, Watch, address, finish, free_threads, go_on, kernels_of, new_watch, parallel, sk_kernels, sk_product, threads_for,
)
from seqkit._core.threads import num_threads

np.import_array()

cdef struct Matmul:
    const sk_kernels *kernels
    int64_t m, n, k, vectors, groups            # vectors of a row of the product, groups of 4 of them
    int64_t a_row, a_step, b_row, b_step        # numbers
    char *a
    char *b
    char *packed                                # [group][k][vectors*lanes]
    char *product                               # of each thread (BLOCK_ROWS, vectors*lanes)
    char *out                                   # (m, n)
    char *bias                                  # (n) that rows begin with, or NULL
    bint add                                    # to what out holds
    Watch watch


cdef enum:
    BLOCK_ROWS = 48                        # rows of a that stay in cache over all groups of b


cdef void pack_groups(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Matmul *w = <Matmul *>context
    cdef int64_t g, first, width, lanes = w.kernels.lanes, size = w.kernels.size
    for g from thread <= g < w.groups by threads:
        first = g * SK_MAX_VECTORS * lanes
        width = min(w.vectors * lanes - first, SK_MAX_VECTORS * lanes)
        w.kernels.pack(w.packed + first * w.k * size, width, w.b + first * w.b_step * size, w.b_step, w.b_row, w.k, w.n - first, width)


cdef void multiply_rows(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Matmul *w = <Matmul *>context
    cdef int64_t g, r, i, first, vectors, rows, lanes = w.kernels.lanes, size = w.kernels.size, line = w.vectors * lanes
    cdef int64_t begin = w.m * thread // threads, end = w.m * (thread + 1) // threads
    cdef char *product = w.product + thread * BLOCK_ROWS * line * size
    cdef char *sources[BLOCK_ROWS]
    cdef sk_product p
    p.step, p.segments, p.length, p.segment, p.z_row = w.a_step, 1, w.k, 0, line
    p.bias = p.ahead = NULL
    for r from begin <= r < end by BLOCK_ROWS:
        if not go_on(&w.watch, thread):
            return
        rows = min(end - r, <int64_t>BLOCK_ROWS)
        memset(product, 0, rows * line * size)
        for i in range(rows):
            sources[i] = w.a + (r + i) * w.a_row * size
        for g in range(w.groups):
            first = g * SK_MAX_VECTORS * lanes
            vectors = min(w.vectors - g * SK_MAX_VECTORS, <int64_t>SK_MAX_VECTORS)
            p.w_row = vectors * lanes
            w.kernels.product(&p, vectors, rows, sources, w.packed + first * w.k * size, product + first * size)
        for i in range(rows):
            if size == 8:
                put_row(<double *>w.out + (r + i) * w.n, <double *>product + i * line, <double *>w.bias, w.n, w.add)
            else:
                put_row(<float *>w.out + (r + i) * w.n, <float *>product + i * line, <float *>w.bias, w.n, w.add)


cdef void put_row(floating *out, const floating *row, const floating *bias, int64_t n, bint add) noexcept nogil:
    """Store a row, with a bias, or add it."""
    cdef int64_t i
    if add:
        for i in range(n):
            out[i] += row[i]
    elif bias is not NULL:
        for i in range(n):
            out[i] = row[i] + bias[i]
    else:
        memcpy(out, row, n * sizeof(floating))


def matmul(a, b, bias=None, out=None):
    """Matrix product ``a @ b`` of two 2-D arrays of one type, float32 or float64, any strides.

    Element (i, j) is the sum over k, ascending, of ``a[i, k] * b[k, j]``: its bits depend on row
    i and column j alone.  With `bias` (columns of b,) that is added to every row; with `out`, a
    contiguous array, the product is added to it and it is returned.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
    >>> matmul(a, b).tolist(), matmul(a, b, bias=np.ones(1)).tolist(), matmul(a, b, out=np.ones((1, 1))).tolist()
    ([[11.0]], [[12.0]], [[12.0]])
    """
    a, b = np.asarray(a), np.asarray(b)
    if not fit(a, b):
        raise ValueError(f"matmul: cannot multiply {a.dtype} {a.shape} by {b.dtype} {b.shape}.")
    cdef Matmul w
    cdef Arena arena = _idle.pop() if _idle else Arena()
    cdef int64_t size, line, threads
    a, b = whole_strides(a), whole_strides(b)
    w.kernels = kernels_like(a)
    size, w.m, w.k, w.n, w.add = w.kernels.size, np.PyArray_DIM(a, 0), np.PyArray_DIM(a, 1), np.PyArray_DIM(b, 1), out is not None
    out = new_matrix(w.m, w.n, np.PyArray_TYPE(a)) if out is None else out
    if not is_matrix(out, np.PyArray_TYPE(a), w.m, w.n) or bias is not None and not is_row(bias, np.PyArray_TYPE(a), w.n):
        raise ValueError(f"matmul: out and bias must be contiguous {a.dtype} of {w.m} rows and {w.n} columns.")
    w.vectors = (w.n + w.kernels.lanes - 1) // w.kernels.lanes
    w.groups = (w.vectors + SK_MAX_VECTORS - 1) // SK_MAX_VECTORS
    w.a_row, w.a_step = np.PyArray_STRIDE(a, 0) // size, np.PyArray_STRIDE(a, 1) // size
    w.b_row, w.b_step = np.PyArray_STRIDE(b, 0) // size, np.PyArray_STRIDE(b, 1) // size
    threads = threads_for(w.m * w.n * w.k, free_threads(num_threads()))
    line = w.vectors * w.kernels.lanes * size
    arena.reserve(line * (w.k + threads * BLOCK_ROWS) + 64 * 4)
    w.packed, w.product = arena.take(line * w.k), arena.take(line * threads * BLOCK_ROWS)
    w.a, w.b, w.out, w.bias = address(a), address(b), address(out, True), NULL if bias is None else address(bias)
    w.watch = new_watch()
    with nogil:
        parallel(pack_groups, &w, threads)
        parallel(multiply_rows, &w, threads)
    if arena.capacity <= KEPT_BYTES:
        _idle.append(arena)
    finish(&w.watch, w.m * w.n * w.k, threads)
    return out


_idle = []                              # working memory for the next product: no page faults in steady state
cdef int64_t KEPT_BYTES = 1 << 24


cdef const sk_kernels *kernels_like(object array) except NULL:
    return FLOAT if np.PyArray_TYPE(array) == np.NPY_FLOAT else DOUBLE if np.PyArray_TYPE(array) == np.NPY_DOUBLE else kernels_of(array.dtype.name)


cdef const sk_kernels *FLOAT = kernels_of("float32")
cdef const sk_kernels *DOUBLE = kernels_of("float64")


def add_column_sums(sums, rows):
    """Add the sums over rows, ascending, of a matrix to a contiguous array."""
    if not is_matrix(rows, np.PyArray_TYPE(sums), rows.shape[0], sums.shape[0]) or not sums.flags.carray:
        raise ValueError(f"add_column_sums: cannot add {rows.dtype} {rows.shape} to {sums.dtype} {sums.shape}.")
    cdef int64_t r, n = sums.shape[0], count = rows.shape[0]
    cdef char *source = address(rows)
    cdef char *target = address(sums, True)
    for r in range(count):
        if np.PyArray_TYPE(sums) == np.NPY_DOUBLE:
            put_row(<double *>target, <double *>source + r * n, NULL, n, True)
        else:
            put_row(<float *>target, <float *>source + r * n, NULL, n, True)


cdef bint fit(np.ndarray a, np.ndarray b) noexcept:
    """Whether two arrays can be multiplied."""
    if np.PyArray_NDIM(a) != 2 or np.PyArray_NDIM(b) != 2 or np.PyArray_DIM(a, 1) != np.PyArray_DIM(b, 0):
        return False
    return np.PyArray_TYPE(a) == np.PyArray_TYPE(b) and np.PyArray_ISNOTSWAPPED(a) and np.PyArray_ISNOTSWAPPED(b)


cdef bint is_row(object array, int type, int64_t count) noexcept:
    """Whether this is a contiguous array of so many numbers."""
    if not np.PyArray_Check(array) or np.PyArray_NDIM(array) != 1 or np.PyArray_TYPE(array) != type:
        return False
    return np.PyArray_DIM(array, 0) == count and np.PyArray_ISCARRAY_RO(array)


cdef object new_matrix(int64_t rows, int64_t columns, int type):
    cdef np.npy_intp[2] shape = [rows, columns]
    return np.PyArray_SimpleNew(2, shape, type)


cdef object whole_strides(np.ndarray array):
    """The array, copied unless its strides are positive whole numbers of elements."""
    cdef int64_t axis, size = np.PyArray_ITEMSIZE(array)
    for axis in range(2):
        if np.PyArray_STRIDE(array, axis) <= 0 or np.PyArray_STRIDE(array, axis) % size:
            return array.copy()
    return array if np.PyArray_ISALIGNED(array) else array.copy()


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
        self.packed, self.arena, self.results = Arena(), Arena(), Results(name, w.n, ())
        w.add, w.bias = False, NULL if bias is None else address(bias)
        self.packed.reserve(w.vectors * w.kernels.lanes * size * w.k)
        self.arena.reserve(w.vectors * w.kernels.lanes * size * BLOCK_ROWS)
        w.packed, w.product = self.packed.take(self.packed.capacity), self.arena.take(self.arena.capacity)
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
        result = self.results.take(w.m)
        w.a, w.a_row, w.out = data_of(x), stride_of(x) // w.kernels.size, data_of(result[0])
        w.watch = new_watch()
        parallel(multiply_rows, w, 1)
        finish(&w.watch, 0, 1)
        return result
