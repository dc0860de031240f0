"""Linear-chain conditional random field: likelihood, gradient, and the best path.

Legend: B batch, T time, K tags; A (K, K) transitions, from and to.

a. Everything is computed in float64.  ahead[t][j] holds log of the weight of all ways to tag j at
   step t, step t included; behind[t][i] of all ways from tag i at step t to the end, step t excluded.
b. A sum of logarithms over the transitions to tag j is a sum of products, log sum_i exp(a_i - m)
   exp(A_ij - top_j) + m + top_j, with top_j the largest transition to j: K exponentials a step
   instead of K * K.  Where that sum nearly underflows (a transition that is all but forbidden, and
   no other way), the sum of logarithms itself is taken.
c. Threads take whole samples.  Each sample has its own gradient of the parameters; they are added
   in the order of the samples, so that bits do not depend on threads.
"""

from libc.math cimport INFINITY, exp, log
from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

from seqkit._core.logspace cimport highest, log_sum, read_row, write_row
from seqkit._core.machine cimport (
    Arena, Watch, address, end_share, finish, free_threads, go_on, new_watch, parallel, threads_for,
)
from seqkit._core.threads import num_threads

cdef int64_t EXPONENTIALS = 1000      # multiply-adds that take as long as the exponentials of one tag of one step
cdef double LOG_TINY = -660.0       # of what is too near to the least float64
cdef double HUGE = 1e280                 # and to the largest

cdef struct Chains:
    void (*each)(Chains *, int64_t, double *, int64_t) noexcept nogil     # what is done with a sample
    int64_t batch, time, tags, size     # bytes of a number
    const char *emissions               # (B, T, K)
    char *gradient                      # (B, T, K)
    const int64_t *lengths              # (B,)
    const double *transitions           # (K, K)
    const double *start                 # (K,)
    const double *end                   # (K,)
    const double *ratios                # (K, K) exp(A - top)
    const double *top                   # (K,)
    const double *scale                 # (B,)
    int64_t *path                       # (B, T) the true tags, or the best ones
    double *values                      # (B,)
    double *slopes                      # (B, K, K), of A
    double *edges                       # (B, 2, K), of start and end
    double *memory
    int64_t share                       # numbers in memory of a thread
    Watch watch


cdef void read_sample(const Chains *w, int64_t b, double *emissions) noexcept nogil:
    cdef int64_t t
    for t in range(w.lengths[b]):
        read_row(emissions + t * w.tags, w.emissions + (b * w.time + t) * w.tags * w.size, w.tags, w.size)


cdef double weigh(double *weights, const double *logarithms, int64_t count) noexcept nogil:
    """weights = exp(logarithms - shift); gives the shift."""
    cdef double shift = highest(logarithms, count)
    cdef int64_t k
    for k in range(count):
        weights[k] = exp(logarithms[k] - shift)
    return shift


cdef void go_ahead(const Chains *w, const double *before, double *ahead, double *scratch) noexcept nogil:
    """ahead[j] = log sum_i exp(before[i] + A_ij)."""
    cdef int64_t i, j, tags = w.tags
    cdef double shift = weigh(scratch, before, tags)
    memset(ahead, 0, tags * sizeof(double))
    for i in range(tags):
        for j in range(tags):
            ahead[j] += scratch[i] * w.ratios[i * tags + j]
    for j in range(tags):
        ahead[j] = log(ahead[j])
        if ahead[j] < LOG_TINY:
            for i in range(tags):
                scratch[i] = before[i] + w.transitions[i * tags + j]
            ahead[j] = log_sum(scratch, tags)
        else:
            ahead[j] += shift + w.top[j]


cdef double weigh_later(const Chains *w, const double *later, double *weights) noexcept nogil:
    """The same for what follows: weights = exp(top + later - shift)."""
    cdef int64_t k
    for k in range(w.tags):
        weights[k] = w.top[k] + later[k]
    return weigh(weights, weights, w.tags)


cdef void go_behind(const Chains *w, const double *later, double *behind, double *scratch) noexcept nogil:
    """behind[i] = log sum_j exp(A_ij + later[j])."""
    cdef int64_t i, j, tags = w.tags
    cdef double total, shift = weigh_later(w, later, scratch)
    for i in range(tags):
        total = 0.0
        for j in range(tags):
            total += scratch[j] * w.ratios[i * tags + j]
        behind[i] = shift + log(total)
    for i in range(tags):
        if behind[i] < shift + LOG_TINY:
            for j in range(tags):
                scratch[j] = w.transitions[i * tags + j] + later[j]
            behind[i] = log_sum(scratch, tags)


cdef void add_pairs(const Chains *w, double log_z, const double *ahead, const double *later, double *slopes, double *scratch) noexcept nogil:
    """Add the probability of every pair of neighbouring tags."""
    cdef int64_t i, j, tags = w.tags
    cdef double left, shift = weigh_later(w, later, scratch)
    for i in range(tags):
        left = exp(ahead[i] + shift - log_z)
        for j in range(tags):
            if left < HUGE:
                slopes[i * tags + j] += left * w.ratios[i * tags + j] * scratch[j]
            else:
                slopes[i * tags + j] += exp(ahead[i] + w.transitions[i * tags + j] + later[j] - log_z)


cdef double score(const Chains *w, int64_t b, const double *emissions) noexcept nogil:
    """Of the true tags."""
    cdef int64_t t, steps = w.lengths[b], tags = w.tags
    cdef const int64_t *path = w.path + b * w.time
    cdef double total = w.start[path[0]] + w.end[path[steps - 1]]
    for t in range(steps):
        total += emissions[t * tags + path[t]]
        if t > 0:
            total += w.transitions[path[t - 1] * tags + path[t]]
    return total


cdef void give(Chains *w, int64_t b, int64_t t, double log_z, const double *ahead, const double *behind, double *edges, double *scratch) noexcept nogil:
    """The gradient of step t: the probability of each tag, less 1 for the true one."""
    cdef int64_t k, tags = w.tags
    for k in range(tags):
        scratch[k] = exp(ahead[k] + behind[k] - log_z)
    scratch[w.path[b * w.time + t]] -= 1.0
    for k in range(tags):
        scratch[k] *= w.scale[b]
        if t == 0:
            edges[k] = scratch[k]
        if t == w.lengths[b] - 1:
            edges[tags + k] = scratch[k]
    write_row(w.gradient + (b * w.time + t) * tags * w.size, scratch, tags, w.size)


cdef void differentiate(Chains *w, int64_t b, double log_z, const double *emissions, const double *ahead, double *scratch, int64_t thread) noexcept nogil:
    cdef int64_t t, k, tags = w.tags
    cdef const int64_t *path = w.path + b * w.time
    cdef double *behind = scratch + tags
    cdef double *later = scratch + 2 * tags
    cdef double *slopes = w.slopes + b * tags * tags
    cdef double *edges = w.edges + b * 2 * tags
    for k in range(tags):
        behind[k] = w.end[k]
    for t in range(w.lengths[b] - 1, -1, -1):
        if not go_on(&w.watch, thread):
            return
        give(w, b, t, log_z, ahead + t * tags, behind, edges, scratch)
        if t > 0:
            for k in range(tags):
                later[k] = emissions[t * tags + k] + behind[k]
            add_pairs(w, log_z, ahead + (t - 1) * tags, later, slopes, scratch)
            slopes[path[t - 1] * tags + path[t]] -= 1.0
            go_behind(w, later, behind, scratch)
    for k in range(tags * tags):
        slopes[k] *= w.scale[b]


cdef void measure(Chains *w, int64_t b, double *memory, int64_t thread) noexcept nogil:
    """Value and gradients of one sample."""
    cdef int64_t t, k, steps = w.lengths[b], tags = w.tags
    cdef double *emissions = memory
    cdef double *ahead = memory + w.time * tags
    cdef double *scratch = memory + 2 * w.time * tags
    cdef double log_z
    if steps == 0:
        w.values[b] = 0.0
        return
    read_sample(w, b, emissions)
    for k in range(tags):
        ahead[k] = w.start[k] + emissions[k]
    for t in range(1, steps):
        if not go_on(&w.watch, thread):
            return
        go_ahead(w, ahead + (t - 1) * tags, ahead + t * tags, scratch)
        for k in range(tags):
            ahead[t * tags + k] += emissions[t * tags + k]
    for k in range(tags):
        scratch[k] = ahead[(steps - 1) * tags + k] + w.end[k]
    log_z = log_sum(scratch, tags)
    w.values[b] = log_z - score(w, b, emissions)
    differentiate(w, b, log_z, emissions, ahead, scratch, thread)


cdef void find_best(Chains *w, int64_t b, double *memory, int64_t thread) noexcept nogil:
    """The best path of one sample (Viterbi); of equal ones, that with the least tag last."""
    cdef int64_t t, i, j, steps = w.lengths[b], tags = w.tags
    cdef int64_t *path = w.path + b * w.time
    cdef double *best = memory + w.time * tags
    cdef double *other = best + tags
    cdef int64_t *came = <int64_t *>(best + 2 * tags)       # (T, K) the tag before
    if steps == 0:
        return
    read_sample(w, b, memory)
    for j in range(tags):
        best[j] = w.start[j] + memory[j]
    for t in range(1, steps):
        if not go_on(&w.watch, thread):
            return
        for j in range(tags):
            came[t * tags + j] = 0
            for i in range(1, tags):
                if best[i] + w.transitions[i * tags + j] > best[came[t * tags + j]] + w.transitions[came[t * tags + j] * tags + j]:
                    came[t * tags + j] = i
            i = came[t * tags + j]
            other[j] = best[i] + w.transitions[i * tags + j] + memory[t * tags + j]
        best, other = other, best
    path[steps - 1] = 0
    for j in range(1, tags):
        if best[j] + w.end[j] > best[path[steps - 1]] + w.end[path[steps - 1]]:
            path[steps - 1] = j
    for t in range(steps - 1, 0, -1):
        path[t - 1] = came[t * tags + path[t]]


cdef void run_share(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Chains *w = <Chains *>context
    cdef int64_t b
    for b from thread <= b < w.batch by threads:
        if not go_on(&w.watch, thread):
            break
        w.each(w, b, w.memory + thread * w.share, thread)
    end_share(&w.watch, thread, threads)


cdef int run(Chains *w) except -1:
    """Share the samples among threads."""
    cdef Arena arena = Arena()
    cdef int64_t operations = w.batch * w.time * w.tags * (4 * w.tags + EXPONENTIALS)
    cdef int64_t threads = threads_for(operations, min(free_threads(num_threads()), max(w.batch, <int64_t>1)))
    w.share = 2 * w.time * w.tags + 3 * w.tags
    arena.reserve(int(threads) * int(w.share) * sizeof(double))
    w.memory = <double *>arena.take(arena.capacity)
    w.watch = new_watch()
    with nogil:
        parallel(run_share, w, threads)
    return finish(&w.watch, operations, threads)


cdef Chains chains(emissions, lengths, path, parameters) except *:
    """What both functions need; the caller keeps the arrays alive."""
    cdef Chains w
    w.batch, w.time, w.tags = emissions.shape
    w.size, w.emissions = emissions.itemsize, address(emissions)
    w.lengths, w.path = <int64_t *>address(lengths), <int64_t *>address(path)
    transitions, start, end = parameters
    w.transitions, w.start, w.end = <double *>address(transitions), <double *>address(start), <double *>address(end)
    return w


def crf(emissions, lengths, path, transitions, start, end, scale):
    """-log p of the true tags of every sample, and its gradients.

    Parameters
    ----------
    emissions : ndarray (B, T, K)
        C-contiguous, float32 or float64.
    lengths : ndarray of int64 (B,)
    path : ndarray of int64 (B, T)
        The true tags.
    transitions, start, end : ndarray of float64 (K, K), (K,), (K,)
    scale : ndarray of float64 (B,)
        Factor of each sample's gradient.

    Returns
    -------
    values : ndarray of float64 (B,)
    gradient : ndarray (B, T, K)
        Of the dtype of `emissions`; 0 past the end.
    slopes : ndarray of float64 (K, K)
        Gradient of the transitions, all samples added in their order.
    edges : ndarray of float64 (2, K)
        Gradients of start and end.
    """
    top = transitions.max(axis=0)
    ratios = np.exp(transitions - np.where(top > -np.inf, top, 0.0))
    cdef Chains w = chains(emissions, lengths, path, (transitions, start, end))
    values, gradient = np.empty(w.batch), np.zeros_like(emissions)
    slopes, edges = np.zeros((w.batch, w.tags, w.tags)), np.zeros((w.batch, 2, w.tags))
    w.ratios, w.top, w.scale = <double *>address(ratios), <double *>address(top), <double *>address(scale)
    w.gradient, w.values = address(gradient, True), <double *>address(values, True)
    w.slopes, w.edges = <double *>address(slopes, True), <double *>address(edges, True)
    w.each = measure
    run(&w)
    return values, gradient, slopes.sum(axis=0), edges.sum(axis=0)


def viterbi(emissions, lengths, transitions, start, end):
    """The most probable tags, (B, T) int64, -1 past the end; arguments as for :func:`crf`."""
    path = np.full(emissions.shape[:2], -1, np.int64)
    cdef Chains w = chains(emissions, lengths, path, (transitions, start, end))
    w.each = find_best
    run(&w)
    return path
