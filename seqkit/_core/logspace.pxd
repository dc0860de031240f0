"""Probabilities as logarithms, rows of numbers as float64: what CTC and CRF share."""

from libc.math cimport INFINITY, exp, log
from libc.stdint cimport int64_t
from libc.string cimport memcpy


cdef inline double log_add(double a, double b, double c=-INFINITY) noexcept nogil:
    """log(exp a + exp b + exp c); -inf is the logarithm of 0."""
    cdef double high = a if a > b else b
    high = high if high > c else c
    if high == -INFINITY:
        return a + b + c            # -inf, or NaN
    return high + log(exp(a - high) + exp(b - high) + exp(c - high))


cdef inline double highest(const double *values, int64_t count) noexcept nogil:
    """The largest of some logarithms, 0 where all are -inf: what to subtract before exp."""
    cdef double high = -INFINITY
    cdef int64_t k
    for k in range(count):
        high = values[k] if values[k] > high else high
    return high if high > -INFINITY else 0.0


cdef inline double log_sum(const double *values, int64_t count) noexcept nogil:
    """log sum_k exp values[k]; NaN if one is NaN."""
    cdef double shift = highest(values, count), total = 0.0
    cdef int64_t k
    for k in range(count):
        total += exp(values[k] - shift)
    return shift + log(total)


cdef inline void read_row(double *target, const char *row, int64_t count, int64_t size) noexcept nogil:
    """A row of float32 or float64, which have `size` bytes, as float64."""
    cdef int64_t k
    if size == 8:
        memcpy(target, row, count * size)
        return
    for k in range(count):
        target[k] = (<const float *>row)[k]


cdef inline void write_row(char *row, const double *source, int64_t count, int64_t size) noexcept nogil:
    """Numbers of float64 as a row of float32 or float64."""
    cdef int64_t k
    if size == 8:
        memcpy(row, source, count * size)
        return
    for k in range(count):
        (<float *>row)[k] = <float>source[k]
