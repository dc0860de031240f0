"""Connectionist temporal classification: likelihood and gradient.

Legend: B batch, T time, K classes, L labels of a sample, S = 2 L + 1 states: blank, label 0,
blank, label 1, ..., blank.

a. Everything is computed in float64 and with logarithms, so that no length underflows.
b. Threads take whole samples; a sample's numbers depend on nothing but the sample.
c. forward[t][s] holds log p of all ways to be in state s at step t, step t included; what goes
   backward excludes step t, so that their sum is the share of the state in log p(labels).
"""

from libc.math cimport INFINITY, exp
from libc.stdint cimport int64_t

import numpy as np

from seqkit._core.logspace cimport log_add, log_sum, read_row, write_row
from seqkit._core.machine cimport (
    Arena, Watch, address, end_share, finish, free_threads, go_on, new_watch, parallel, threads_for,
)
from seqkit._core.threads import num_threads

cdef int64_t OPERATIONS = 1000   # multiply-adds that take as long as one state or class of one step

cdef struct Samples:
    int64_t batch, time, classes, blank, states, size   # states of the sample with most labels; bytes of a number
    const char *logits          # (B, T, K)
    char *gradient              # (B, T, K)
    const int64_t *lengths      # (B,)
    const int64_t *labels       # of all samples
    const int64_t *first        # (B + 1,) where each sample's labels begin
    const double *scale         # (B,)
    double *values              # (B,)
    double *memory
    int64_t share               # numbers in memory of a thread
    Watch watch


cdef inline int64_t symbol(const Samples *w, const int64_t *labels, int64_t s) noexcept nogil:
    return labels[s // 2] if s % 2 else w.blank


cdef inline bint skips(const int64_t *labels, int64_t s) noexcept nogil:
    """Whether state s can follow s - 2: the blank between two different labels may be left out."""
    return s % 2 == 1 and s > 1 and labels[s // 2] != labels[s // 2 - 1]


cdef void log_softmax(const Samples *w, int64_t b, double *log_p) noexcept nogil:
    """log p of the steps of sample b, (T, K); a step with a NaN or without finite logits is all NaN."""
    cdef int64_t t, k, count = w.classes
    cdef double total
    for t in range(w.lengths[b]):
        read_row(log_p + t * count, w.logits + (b * w.time + t) * count * w.size, count, w.size)
        total = log_sum(log_p + t * count, count)
        for k in range(count):
            log_p[t * count + k] -= total


cdef void go_forward(Samples *w, const int64_t *labels, int64_t steps, int64_t states, const double *log_p, double *forward, int64_t thread) noexcept nogil:
    cdef int64_t t, s
    cdef double total
    cdef double *before
    for s in range(states):
        forward[s] = log_p[symbol(w, labels, s)] if s < 2 else -INFINITY
    for t in range(1, steps):
        if not go_on(&w.watch, thread):
            return
        before = forward
        forward += states
        for s in range(states):
            total = before[s]
            if s > 0:
                total = log_add(total, before[s - 1], before[s - 2] if skips(labels, s) else -INFINITY)
            forward[s] = total + log_p[t * w.classes + symbol(w, labels, s)]


cdef void go_backward(const Samples *w, const int64_t *labels, int64_t states, const double *log_p, double *backward) noexcept nogil:
    """From step t, with log_p of step t, to step t - 1, in place."""
    cdef int64_t s
    cdef double skipped
    for s in range(states):
        backward[s] += log_p[symbol(w, labels, s)]
    for s in range(states - 1):  # upwards, so that what follows is not yet overwritten
        skipped = backward[s + 2] if s + 2 < states and skips(labels, s + 2) else -INFINITY
        backward[s] = log_add(backward[s], backward[s + 1], skipped)


cdef void differentiate(Samples *w, int64_t b, const int64_t *labels, int64_t states, const double *log_p, const double *forward, double *scratch, int64_t thread) noexcept nogil:
    """Gradient of -log p: softmax minus the share of each symbol in log p(labels)."""
    cdef int64_t t, s, k, steps = w.lengths[b], count = w.classes
    cdef double *backward = scratch
    cdef double *slopes = scratch + w.states
    for s in range(states):
        backward[s] = 0.0 if s >= states - 2 else -INFINITY
    for t in range(steps - 1, -1, -1):
        if not go_on(&w.watch, thread):
            return
        for k in range(count):
            slopes[k] = exp(log_p[t * count + k])
        for s in range(states):
            slopes[symbol(w, labels, s)] -= exp(forward[t * states + s] + backward[s] + w.values[b])
        for k in range(count):
            slopes[k] *= w.scale[b]
        write_row(w.gradient + (b * w.time + t) * count * w.size, slopes, count, w.size)
        go_backward(w, labels, states, log_p + t * count, backward)


cdef void measure(Samples *w, int64_t b, double *memory, int64_t thread) noexcept nogil:
    """Value and gradient of one sample."""
    cdef int64_t states = 2 * (w.first[b + 1] - w.first[b]) + 1, steps = w.lengths[b]
    cdef const int64_t *labels = w.labels + w.first[b]
    cdef double *forward = memory + w.time * w.classes
    cdef double *last = forward + (steps - 1) * states
    if steps == 0:
        w.values[b] = 0.0 if states == 1 else INFINITY
        return
    log_softmax(w, b, memory)
    go_forward(w, labels, steps, states, memory, forward, thread)
    w.values[b] = -(last[0] if states == 1 else log_add(last[states - 1], last[states - 2]))
    if w.values[b] < INFINITY:
        differentiate(w, b, labels, states, memory, forward, forward + w.time * w.states, thread)


cdef void measure_share(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Samples *w = <Samples *>context
    cdef int64_t b
    for b from thread <= b < w.batch by threads:
        if not go_on(&w.watch, thread):
            break
        measure(w, b, w.memory + thread * w.share, thread)
    end_share(&w.watch, thread, threads)


def ctc(logits, lengths, labels, first, scale, int64_t blank):
    """-log p(labels) of every sample, and its gradient.

    Parameters
    ----------
    logits : ndarray (B, T, K)
        C-contiguous, float32 or float64.
    lengths : ndarray of int64 (B,)
        Steps of each sample.
    labels : ndarray of int64
        Labels of all samples, one after the other; none is `blank`.
    first : ndarray of int64 (B + 1,)
        Where each sample's labels begin.
    scale : ndarray of float64 (B,)
        Factor of each sample's gradient.

    Returns
    -------
    values : ndarray of float64 (B,)
        inf where the steps do not suffice for the labels, NaN where logits are not finite; the
        gradient of both is 0.
    gradient : ndarray (B, T, K)
        Of the dtype of `logits`; 0 past the end.
    """
    cdef Samples w
    cdef Arena arena = Arena()
    cdef int64_t threads
    values, gradient = np.empty(len(logits)), np.zeros_like(logits)
    w.batch, w.time, w.classes = logits.shape
    w.size, w.blank, w.states = logits.itemsize, blank, 2 * int(np.diff(first).max(initial=0)) + 1
    w.logits, w.gradient, w.values = address(logits), address(gradient, True), <double *>address(values, True)
    w.lengths, w.labels, w.first = <int64_t *>address(lengths), <int64_t *>address(labels), <int64_t *>address(first)
    w.scale = <double *>address(scale)
    operations = OPERATIONS * w.batch * w.time * (w.states + w.classes)
    threads = threads_for(operations, min(free_threads(num_threads()), max(w.batch, 1)))
    w.share = w.time * (w.classes + w.states) + w.states + w.classes
    arena.reserve(int(threads) * int(w.share) * sizeof(double))
    w.memory = <double *>arena.take(arena.capacity)
    w.watch = new_watch()
    with nogil:
        parallel(measure_share, &w, threads)
    finish(&w.watch, operations, threads)
    return values, gradient
