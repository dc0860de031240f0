"""Dropout of whole batches, in one pass over them.

Legend: F features.

a. Threads share the steps of all rows; nothing depends on how, see noise.pyx.
"""

from libc.stdint cimport int64_t

from seqkit._core.calls cimport Rows, bind_rows, row_at
from seqkit._core.machine cimport (
    Watch, address, finish, free_threads, go_on, kernels_of, new_watch, parallel, sk_kernels, sk_noise, threads_for,
)
from seqkit._core.noise cimport Noise
from seqkit._core.threads import num_threads

cdef enum:
    PIECE = 1024                # features that are drawn at a time: their mask stays in L1

cdef int64_t DRAW_OPERATIONS = 16           # multiply-adds that take as long as one number

cdef struct Drop:
    const sk_kernels *kernels
    const sk_noise *noise
    Rows x, y
    int64_t *lengths
    int64_t size, time, features, first_row
    bint same_steps, same_features
    Watch watch


cdef void drop_piece(Drop *w, int64_t row, int64_t t, int64_t first, int64_t end, char *mask) noexcept nogil:
    """Features [first, end) of one step."""
    cdef int64_t time = 0 if w.same_steps else t, n, size = w.kernels.size
    if not w.same_features:
        w.kernels.factors(mask, w.noise, w.first_row + row, time, first, end)
    elif size == sizeof(float):
        w.kernels.factors(mask, w.noise, w.first_row + row, time, 0, 1)
        for n in range(1, end - first):
            (<float *>mask)[n] = (<float *>mask)[0]
    else:
        w.kernels.factors(mask, w.noise, w.first_row + row, time, 0, 1)
        for n in range(1, end - first):
            (<double *>mask)[n] = (<double *>mask)[0]
    w.kernels.multiply(row_at(&w.y, row, t) + first * size, row_at(&w.x, row, t) + first * size, mask, end - first)


cdef void drop_steps(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """Threads share the steps of all rows, padding included."""
    cdef Drop *w = <Drop *>context
    cdef double[PIECE] mask
    cdef int64_t begin = w.size * w.time * thread // threads, end = w.size * w.time * (thread + 1) // threads
    cdef int64_t n, row, t, first
    for n in range(begin, end):
        row, t = n // w.time, n % w.time
        if t >= w.lengths[row]:
            continue
        if not go_on(&w.watch, thread):
            return
        for first from 0 <= first < w.features by PIECE:
            drop_piece(w, row, t, first, min(first + PIECE, w.features), <char *>mask)


def drop(Noise noise, int64_t first_row, x, y, lengths, int64_t time, int64_t features, str dtype,
         bint same_steps=False, bint same_features=False):
    """y = x times factors, for the valid steps of a batch; x and y are described like those of a call.

    With `same_steps` all steps of a row share the factors of its features, with `same_features` all
    features of a step share one.
    """
    cdef Drop w
    w.kernels, w.noise, w.lengths = kernels_of(dtype), &noise.data, <int64_t *>address(lengths)
    w.size, w.time, w.features, w.first_row = len(lengths), time, features, first_row
    w.same_steps, w.same_features = same_steps, same_features
    bind_rows(&w.x, x)
    bind_rows(&w.y, y)
    cdef int64_t operations = w.size * time * features * DRAW_OPERATIONS
    cdef int64_t threads = threads_for(operations, free_threads(num_threads()))
    w.watch = new_watch()
    with nogil:
        parallel(drop_steps, &w, threads)
    finish(&w.watch, operations, threads)
