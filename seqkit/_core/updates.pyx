"""Passes over all weights of a model: steps of optimizers, norms, checks.

a. A pass takes a table of arrays, wherever they lie, and cuts each into blocks; threads share the
   blocks.  What is done to a number depends on nothing beside it, so its bits do not depend on threads.
b. Squares are summed block by block, and the sums of blocks in their order, by one thread.
"""

cimport cython
cimport numpy as np
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

import numpy as np

from seqkit._core.machine cimport free_threads, parallel, sk_work, threads_for

from seqkit._core.machine import isa
from seqkit._core.threads import num_threads
from seqkit.errors import ShapeError

np.import_array()

cdef extern from "training.h" nogil:
    enum: SK_MEMORIES
    enum: SK_NUMBERS
    enum: SK_RULE_COUNT
    ctypedef struct sk_clip:
        double ridge, scale, limit
    ctypedef void (*sk_rule)(char *, const char *, char **, int64_t, const sk_clip *, const double *) noexcept nogil
    ctypedef struct sk_training:
        const char *isa
        int64_t size
        sk_rule rules[SK_RULE_COUNT]
        double (*square_sum)(const char *, const char *, int64_t, double) noexcept nogil
        int (*finite)(const char *, int64_t) noexcept nogil
    const char *sk_rule_names[]
    const sk_training *sk_trainings[]

cdef int64_t BLOCK = 4096               # numbers: with their gradient and memory they stay in L1
cdef int64_t OPERATIONS = 16            # multiply-adds that take as long as the update of a number

RULES = {(<bytes>sk_rule_names[n]).decode(): n for n in range(SK_RULE_COUNT)}

cdef struct Array:                      # of a parameter
    const sk_training *kernels
    char *weights
    char *gradient
    char *memory[SK_MEMORIES]
    int64_t count, blocks
    sk_clip clip

cdef struct Pass:
    Array *arrays
    int64_t count, blocks               # of all arrays
    int rule
    double numbers[SK_NUMBERS]
    double *sums                        # of squares, of every block


cdef const sk_training *kernels_for(int64_t size) except NULL:
    cdef int64_t n = 0
    while sk_trainings[n] is not NULL:
        if sk_trainings[n].isa == isa.encode() and sk_trainings[n].size == size:
            return sk_trainings[n]
        n += 1
    raise ValueError(f"there are no kernels that train numbers of {size} bytes.")


cdef const sk_training *FLOAT = kernels_for(4)
cdef const sk_training *DOUBLE = kernels_for(8)


cdef void update_blocks(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Pass *w = <Pass *>context
    cdef int64_t n, first, last, offset, size, before = 0
    cdef int64_t begin = w.blocks * thread // threads, end = w.blocks * (thread + 1) // threads
    cdef char *memory[SK_MEMORIES]
    cdef Array *a
    for n in range(w.count):
        a = &w.arrays[n]
        first, last = max(begin - before, <int64_t>0) * BLOCK, min(min(end - before, a.blocks) * BLOCK, a.count)
        before += a.blocks
        if first < last:
            size = a.kernels.size
            offset = first * size
            for k in range(SK_MEMORIES):
                memory[k] = a.memory[k] + offset
            a.kernels.rules[w.rule](a.weights + offset, a.gradient + offset, memory, last - first, &a.clip, w.numbers)


cdef void sum_blocks(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Pass *w = <Pass *>context
    cdef int64_t n, k, place, offset, before = 0
    cdef int64_t begin = w.blocks * thread // threads, end = w.blocks * (thread + 1) // threads
    cdef Array *a
    for n in range(w.count):
        a = &w.arrays[n]
        for k in range(max(begin - before, <int64_t>0), min(end - before, a.blocks)):
            offset = k * BLOCK * a.kernels.size
            w.sums[before + k] = a.kernels.square_sum(a.gradient + offset, a.weights + offset, min(BLOCK, a.count - k * BLOCK), a.clip.ridge)
        before += a.blocks


@cython.final
cdef class Update:
    """The weights of a model beside their gradients and what an optimizer keeps for them, for any number of steps.

    `weights` are contiguous arrays by name, `memories` arrays by slot for each of them, or none; `ridge`
    times a matrix is added to its gradient.
    """

    cdef Pass work
    cdef list keep              # weight, gradient and memory of every parameter
    cdef double ridge

    def __cinit__(self, dict weights, grads, memories=None, double ridge=0.0):
        cdef int64_t n = 0, k, blocks = 0
        cdef Array *a
        cdef np.ndarray weight, gradient, array
        self.work.sums, self.keep, self.ridge = NULL, [], ridge
        self.work.count = len(weights)
        self.work.arrays = <Array *>malloc(max(1, len(weights)) * sizeof(Array))
        if self.work.arrays is NULL:
            raise MemoryError()
        for name, weight in weights.items():
            gradient = fitting(grads[name], weight, name)
            memory = () if memories is None else tuple((<dict>memories[n]).values())
            self.keep.append((weight, gradient, memory))
            a = &self.work.arrays[n]
            for k, array in enumerate(memory):
                a.memory[k] = <char *>np.PyArray_DATA(array)
            a.kernels = DOUBLE if np.PyArray_TYPE(weight) == np.NPY_DOUBLE else FLOAT
            a.weights, a.gradient, a.count = <char *>np.PyArray_DATA(weight), <char *>np.PyArray_DATA(gradient), np.PyArray_SIZE(weight)
            a.clip.ridge, a.clip.scale, a.clip.limit = ridge if np.PyArray_NDIM(weight) > 1 else 0.0, 1.0, INFINITY
            a.blocks = (a.count + BLOCK - 1) // BLOCK
            blocks += a.blocks
            n += 1
        self.work.blocks = blocks

    def __dealloc__(self):
        free(self.work.arrays)
        free(self.work.sums)

    def __reduce__(self):
        """A copy is bound anew, when it is needed."""
        return type(None), ()

    def holds(self, dict weights, grads, double ridge):
        """Whether these very arrays are bound."""
        cdef tuple kept
        cdef int64_t n = 0
        if len(weights) != self.work.count or ridge != self.ridge:
            return False
        for name, weight in weights.items():
            kept = self.keep[n]
            if kept[0] is not weight or kept[1] is not grads[name]:
                return False
            n += 1
        return True

    def square_sums(self):
        """Sum of the squares of every gradient, in float64."""
        cdef int64_t n, k, place = 0
        cdef double total
        sums = []
        if self.work.sums is NULL:
            self.work.sums = <double *>malloc(max(1, self.work.blocks) * sizeof(double))
        if self.work.sums is NULL:
            raise MemoryError()
        self.run(sum_blocks)
        for n in range(self.work.count):
            total = 0.0
            for k in range(self.work.arrays[n].blocks):
                total += self.work.sums[place]
                place += 1
            sums.append(total)
        return sums

    def step(self, str rule, tuple numbers, list scales, double limit):
        """Change weights and memories.  Gradients are scaled by `scales`, one for each, and cut off at `limit` first."""
        cdef int64_t n, k
        self.work.rule = RULES[rule]
        for k, number in enumerate(numbers):
            self.work.numbers[k] = number
        for n in range(self.work.count):
            self.work.arrays[n].clip.scale, self.work.arrays[n].clip.limit = scales[n], limit
        self.run(update_blocks)

    cdef void run(self, sk_work work) noexcept:
        cdef int64_t threads = threads_for(self.work.blocks * BLOCK * OPERATIONS, free_threads(num_threads()))
        with nogil:
            parallel(work, &self.work, threads)


cdef np.ndarray fitting(gradient, np.ndarray weight, str name):
    """The gradient as a contiguous array like its weight."""
    cdef np.ndarray found
    if np.PyArray_CheckExact(gradient) and np.PyArray_TYPE(gradient) == np.PyArray_TYPE(weight) and np.PyArray_ISCARRAY_RO(gradient):
        found = gradient
    else:
        found = np.ascontiguousarray(gradient, weight.dtype)
    if np.PyArray_SIZE(found) != np.PyArray_SIZE(weight):
        raise ShapeError(f"the gradient of {name!r} has shape {np.shape(found)}, its parameter {np.shape(weight)}.")
    return found


def first_non_finite(arrays):
    """Name of the first of some named arrays that holds NaN or infinity, or None."""
    for name, array in arrays.items():
        if not finite(array):
            return name
    return None


cdef bint finite(object array) except -1:
    cdef np.ndarray numbers
    if np.PyArray_CheckExact(array) and np.PyArray_ISCARRAY_RO(array):
        numbers = array
        if np.PyArray_TYPE(numbers) == np.NPY_FLOAT:
            return FLOAT.finite(<char *>np.PyArray_DATA(numbers), np.PyArray_SIZE(numbers))
        if np.PyArray_TYPE(numbers) == np.NPY_DOUBLE:
            return DOUBLE.finite(<char *>np.PyArray_DATA(numbers), np.PyArray_SIZE(numbers))
    return np.asarray(array).dtype.kind != "f" or bool(np.isfinite(array).all())
