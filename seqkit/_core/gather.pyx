"""Rows of a data set, gathered into the array of a batch, and gradients scattered back to rows.

a. Rows are runs of bytes, so one gather serves numbers of any type.
b. Threads share the sequences of the batch, or the columns of a table: every number is written, or summed
   in the order of the batch, by one thread.
"""

from cython cimport floating
cimport numpy as np
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.machine cimport free_threads, parallel

from seqkit._core.threads import num_threads

np.import_array()

cdef int64_t THREAD_BYTES = 4_000_000   # from which on copying pays for waking threads
cdef int64_t COLUMN_BYTES = 128         # of a row for each thread: no two write to one cache line


cdef struct Gather:
    const char *values
    const int64_t *starts                       # of the sequences, in steps
    const int64_t *lengths
    const int64_t *rows                         # sequences of the batch
    int64_t count, time, step                   # sequences, steps of the batch, bytes of a step
    char *out


cdef void gather_rows(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Gather *w = <Gather *>context
    cdef int64_t b, row, filled
    cdef char *target
    for b in range(w.count * thread // threads, w.count * (thread + 1) // threads):
        row, target = w.rows[b], w.out + b * w.time * w.step
        filled = w.lengths[row] * w.step
        memcpy(target, w.values + w.starts[row] * w.step, filled)
        memset(target + filled, 0, w.time * w.step - filled)


def gather_padded(np.ndarray values, np.ndarray starts, np.ndarray lengths, np.ndarray rows):
    """Sequences `rows` of those that lie one behind the other in `values` (steps, ...): an array
    (rows, longest, ...) with zeros on the right.  Starts, lengths and rows are contiguous int64."""
    cdef Gather w
    cdef np.ndarray out
    for array in (starts, lengths, rows):
        if not np.PyArray_ISCARRAY_RO(array) or np.PyArray_TYPE(array) != np.NPY_INT64:
            raise ValueError("gather_padded: starts, lengths and rows must be contiguous int64 arrays.")
    if not np.PyArray_IS_C_CONTIGUOUS(values) or values.dtype.hasobject:
        raise ValueError("gather_padded: values must be a contiguous array of numbers.")
    w.count = np.PyArray_SIZE(rows)
    w.time = lengths[rows].max(initial=0)
    out = np.empty((w.count, w.time, *(<object>values).shape[1:]), values.dtype)
    w.step = np.PyArray_ITEMSIZE(values)
    for size in (<object>values).shape[1:]:
        w.step *= size
    w.values, w.out = <char *>np.PyArray_DATA(values), <char *>np.PyArray_DATA(out)
    w.starts, w.lengths, w.rows = <int64_t *>np.PyArray_DATA(starts), <int64_t *>np.PyArray_DATA(lengths), <int64_t *>np.PyArray_DATA(rows)
    cdef int64_t threads = free_threads(num_threads()) if w.count * w.time * w.step > THREAD_BYTES else 1
    with nogil:
        parallel(gather_rows, &w, threads)
    return out


cdef struct Scatter:
    char *table
    const char *values
    const int64_t *ids
    int64_t count, features, size               # rows, numbers of a row, bytes of a number


cdef void scatter_columns(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Scatter *w = <Scatter *>context
    cdef int64_t begin = w.features * thread // threads, end = w.features * (thread + 1) // threads
    if w.size == 8:
        add_to_rows(<double *>w.table, <double *>w.values, w, begin, end)
    else:
        add_to_rows(<float *>w.table, <float *>w.values, w, begin, end)


cdef void add_to_rows(floating *table, const floating *values, Scatter *w, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t n, i
    cdef floating *target
    cdef const floating *source
    for n in range(w.count):
        target, source = table + w.ids[n] * w.features, values + n * w.features
        for i in range(begin, end):
            target[i] += source[i]


def scatter_add(np.ndarray table, np.ndarray ids, np.ndarray values):
    """``table[ids[n]] += values[n]``, n ascending, for contiguous (ids, F) and (N, F) arrays; ids are int64
    inside the table."""
    cdef Scatter w
    if np.PyArray_TYPE(ids) != np.NPY_INT64 or not np.PyArray_ISCARRAY_RO(ids) or not np.PyArray_ISCARRAY(table):
        raise ValueError("scatter_add: ids must be contiguous int64, the table contiguous.")
    if np.PyArray_TYPE(table) != np.PyArray_TYPE(values) or not np.PyArray_ISCARRAY_RO(values):
        raise ValueError(f"scatter_add: values must be a contiguous array of {table.dtype}, got {values.dtype}.")
    w.count, w.features, w.size = np.PyArray_SIZE(ids), np.PyArray_DIM(table, 1), np.PyArray_ITEMSIZE(table)
    if np.PyArray_SIZE(values) != w.count * w.features:
        raise ValueError(f"scatter_add: {w.count} rows of {w.features} numbers expected, got {np.shape(values)}.")
    w.table, w.values, w.ids = <char *>np.PyArray_DATA(table), <char *>np.PyArray_DATA(values), <int64_t *>np.PyArray_DATA(ids)
    cdef int64_t threads = free_threads(num_threads()) if w.count * w.features * w.size > THREAD_BYTES else 1
    threads = max(1, min(threads, w.features * w.size // COLUMN_BYTES))
    with nogil:
        parallel(scatter_columns, &w, threads)
