"""Masks of numbers from a counter-based generator (see noise.inc.c).

Legend: F features or units.

a. What a number is multiplied by depends on a key, on the number of its row, on its time and on its unit: masks
   need not be kept, and do not depend on how rows are batched, padded, sorted or shared out to threads.
b. Masks of the time loop are drawn by the loop itself (steps.pyx).
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

import numpy as np

from seqkit._core.machine cimport address, kernels_of, sk_kernels, sk_noise


cdef class Noise:
    """The masks of one stream: what is dropped with probability `rate`.

    The key is drawn from the `seed` and the number of the `stream`.  What is kept is multiplied by `scale`, by
    default ``1 / (1 - rate)``.
    """

    def __cinit__(self, uint64_t seed, int64_t stream, double rate, scale=None):
        cdef uint32_t[64] numbers
        self.data.key[0], self.data.key[1] = <uint32_t>seed, <uint32_t>(seed >> 32)
        kernels_of("float32").numbers(numbers, &self.data, stream, 0, 0)
        self.data.key[0], self.data.key[1] = numbers[0], numbers[16]  # of one block
        self.data.threshold = <uint32_t>min(round(rate * 2.0**32), 2.0**32 - 1)
        self.data.scale = 1 / (1 - rate) if scale is None else scale


def numbers(uint64_t key, int64_t row, int64_t time, int64_t group):
    """The 64 numbers of a group of units, for tests: what the generator gives for a key and a counter."""
    cdef sk_noise noise
    noise.key[0], noise.key[1] = <uint32_t>key, <uint32_t>(key >> 32)
    out = np.empty(64, np.uint32)
    kernels_of("float32").numbers(<uint32_t *>address(out, True), &noise, row, time, group)
    return out


def draw(Noise noise, int64_t row, int64_t time, shape, str dtype):
    """Factors (rows, F) of rows `row`, `row` + 1, ... at one time."""
    out = np.empty(shape, dtype)
    cdef const sk_kernels *kernels = kernels_of(dtype)
    cdef int64_t n, count = out.shape[0], features = out.shape[1]
    cdef char *at = address(out, True)
    for n in range(count):
        kernels.factors(at + n * features * kernels.size, &noise.data, row + n, time, 0, features)
    return out
