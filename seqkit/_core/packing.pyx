"""Weights in the engine's layout: packed when they have changed, in memory that is used again.

Legend: K inner size of a product (features or units).

a. A *run* is up to four vectors of adjoining columns of one stage that multiply one operand.
   Its weights are packed [panel][K][column][width]; for the way back, transposed, in groups of
   up to four vectors of K: [group][panel][column][unit][lanes].  In low precision the rows of
   weights are encoded first, and K counts words.
   Of a matrix with several heads only the blocks on its diagonal are kept: a panel of rows reads one
   window of the operand, a group one window of panels, and what of them is not in a block is 0.
b. A call holds the arrays that it reads.  Weights that nobody else holds any part of are packed over;
   else, as where a forward pass waits to be differentiated, new ones are made.
c. Threads share the panels of all columns.
"""

cimport cython
cimport numpy as np
from cpython.object cimport PyObject
from cython cimport floating
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.calls cimport Program, ProgramData, Run, words
from seqkit._core.heads cimport back_start, window_start
from seqkit._core.machine cimport SK_MAX_VECTORS, Arena, address, free_threads, parallel, threads_for

from seqkit._core.threads import num_threads

np.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *thing) noexcept

cdef int64_t OPERATIONS = 8             # multiply-adds that take as long as packing a number

cdef struct Column:                     # of a run
    char *source                        # (rows, K)
    char *weights                       # of the run, packed
    char *transposed                    # the same for the way back, or NULL
    Run *run
    int64_t place                       # in the run

cdef struct Job:
    ProgramData *program
    Column *columns
    int64_t count, share                # columns, bytes of memory of a thread
    char *memory                        # for encoded rows


cdef object aligned(int64_t count, str dtype):
    """Zeros at a 64-byte boundary."""
    size = np.dtype(dtype).itemsize
    memory = np.zeros(count * size + 64, np.uint8)
    cdef size_t start = (64 - <size_t>address(memory) % 64) % 64
    return memory[start : start + count * size].view(dtype)


cdef void pack_panel(ProgramData *p, Column *c, int64_t m, char *memory) noexcept nogil:
    """Pack a panel of a column, head by head; in low precision by way of encoded rows in `memory`."""
    cdef Run *run = c.run
    cdef int64_t high = run.rows // run.heads, wide = run.inner // run.heads, start = window_start(p, run, m)
    cdef int64_t size = p.kernels.size, line = run.count * p.width, begin = m * p.width, end = min(begin + p.width, run.rows), first, last
    cdef char *target = c.weights + (m * words(p, run.window) * line + c.place * p.width) * size
    if p.kernels.encode is not NULL:
        encode_panel(p, c, begin, end, memory)
        p.kernels.pack(target, line, memory, words(p, run.inner), 1, words(p, run.inner), end - begin, p.width)
        return
    first = begin
    while first < end:
        last = min(end, (first // high + 1) * high)
        p.kernels.pack(target + ((first // high * wide - start) * line + first - begin) * size, line, c.source + first * wide * size,
                       wide, 1, wide, last - first, last - first)
        first = last


cdef void encode_panel(ProgramData *p, Column *c, int64_t begin, int64_t end, char *memory) noexcept nogil:
    """Encode rows of a column, with the zeros beside the blocks of its heads."""
    cdef int64_t row, k = words(p, c.run.inner), size = p.kernels.size, wide = c.run.inner // c.run.heads
    cdef char *whole = memory + p.width * k * size
    for row in range(begin, end):
        memset(whole, 0, c.run.inner * size)
        memcpy(whole + row // (c.run.rows // c.run.heads) * wide * size, c.source + row * wide * size, wide * size)
        p.kernels.encode(memory + (row - begin) * k * size, whole, c.run.inner, True)


cdef void transpose_panel(ProgramData *p, Column *c, int64_t m) noexcept nogil:
    """Pack a panel of a column for the product of gradient columns with the transposed weights, head by head."""
    cdef Run *run = c.run
    cdef int64_t high = run.rows // run.heads, wide = run.inner // run.heads
    cdef int64_t begin = m * p.width, end = min(begin + p.width, run.rows), first = begin, last
    while first < end:
        last = min(end, (first // high + 1) * high)
        transpose_head(p, c, m, first, last, first // high * wide, (first // high + 1) * wide)
        first = last


cdef void transpose_head(ProgramData *p, Column *c, int64_t m, int64_t first, int64_t last, int64_t k_first, int64_t k_last) noexcept nogil:
    """Pack rows [first, last) of panel m, of a head that multiplies numbers [k_first, k_last) of the operand."""
    cdef Run *run = c.run
    cdef int64_t size = p.kernels.size, lanes = p.kernels.lanes, group = SK_MAX_VECTORS * lanes, wide = k_last - k_first
    cdef int64_t inner = run.back * run.count * p.width, g = k_first // group * group, k, width, panel
    while g < k_last:
        width, k = min(up(run.inner, lanes) - g, group), max(g, k_first)
        panel = m - back_start(p, run, g)
        p.kernels.pack(
            c.transposed + (g * inner + ((panel * run.count + c.place - m) * p.width + first) * width + k - g) * size, width,
            c.source + (first * wide + k - k_first) * size, 1, wide, last - first, min(g + width, k_last) - k, min(g + width, k_last) - k)
        g += group


cdef int64_t up(int64_t number, int64_t unit) noexcept nogil:
    return (number + unit - 1) // unit * unit


cdef void pack_panels(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Job *w = <Job *>context
    cdef int64_t i, panels = w.program.panels, total = w.count * panels
    for i in range(total * thread // threads, total * (thread + 1) // threads):
        if i % panels >= w.columns[i // panels].run.panels:
            continue
        pack_panel(w.program, &w.columns[i // panels], i % panels, w.memory + thread * w.share)
        if w.columns[i // panels].transposed is not NULL:
            transpose_panel(w.program, &w.columns[i // panels], i % panels)


cdef void sum_terms(floating *out, const floating *bias, const int64_t *places, int64_t terms, int64_t count) noexcept nogil:
    """What columns start from: sums of numbers of the bias, whose places count from 1; 0 is none."""
    cdef int64_t i, term, place
    for i in range(count):
        out[i] = 0
        for term in range(terms):
            place = places[term * count + i]
            if place:
                out[i] += bias[place - 1]


@cython.final
cdef class Weights:
    """Packed weights of one version of the parameters; see `Packing`.

    Attributes
    ----------
    version : int
    runs, transposed : list of ndarray
        The products of the forward program, and the same blocks for the way back where both ways were asked for.
    bias, parameters : ndarray
        What every column starts from; rows of the cell's own parameters.
    """

    cdef readonly int64_t version
    cdef readonly list runs, transposed
    cdef readonly object bias, parameters
    cdef Program program
    cdef object described
    cdef Column *columns
    cdef int64_t count
    cdef bint both                      # ways are packed

    def __cinit__(self, Program program, int64_t columns, int64_t biases, int64_t rows):
        self.program, self.count, self.both = program, columns, False
        self.described = np.zeros(columns * sizeof(Column) + 64, np.uint8)
        self.columns = <Column *>address(self.described, True)
        self.runs, self.transposed = self.room(False), []
        self.bias = aligned(biases, program.tables["dtype"])
        self.parameters = aligned(rows * program.data.padded, program.tables["dtype"])

    cdef list room(self, bint back):
        """An array for every run."""
        cdef ProgramData *p = &self.program.data
        cdef int64_t n, k
        arrays = []
        for n in range(p.run_count):
            k = p.runs[n].back * up(p.runs[n].inner, p.kernels.lanes) if back else p.runs[n].panels * words(p, p.runs[n].window)
            arrays.append(aligned(k * p.runs[n].count * p.width, self.program.tables["dtype"]))
        return arrays

    cdef bint idle(self) noexcept:
        """Whether nobody holds any of the arrays."""
        if Py_REFCNT(<PyObject *>self.runs) > 1 or Py_REFCNT(<PyObject *>self.transposed) > 1:
            return False
        return unshared(self.runs) and unshared(self.transposed) and unshared([self.bias, self.parameters], 1)

    cdef int pack(self, arrays, list runs, int64_t version, bint both) except -1:
        """Pack arrays by name, forth or both ways."""
        cdef ProgramData *p = &self.program.data
        cdef int64_t n = 0, place
        cdef Column *c
        if both and not self.transposed:
            self.transposed = self.room(True)
        for run, columns in enumerate(runs):
            for place, (name, first) in enumerate(columns):
                c = &self.columns[n]
                c.run, c.place = &p.runs[<int64_t>run], place
                c.source = address(arrays[name]) + <int64_t>first * (c.run.inner // c.run.heads) * p.kernels.size
                c.weights = address(self.runs[run], True)
                c.transposed = address(self.transposed[run], True) if both else NULL
                n += 1
        self.version, self.both = version, both
        return self.run()

    cdef int pack_rows(self, arrays, list rows, places) except -1:
        """The bias and the cell's own parameters."""
        cdef ProgramData *p = &self.program.data
        cdef int64_t n, k, row, numbers, size = p.kernels.size, terms = places.shape[0], count = places.shape[1]
        cdef char *source
        cdef char *target = address(self.parameters, True)
        cdef char *bias = address(arrays["bias"]) if "bias" in arrays else NULL
        if bias is not NULL and p.kernels.size == sizeof(double):
            sum_terms(<double *>address(self.bias, True), <double *>bias, <int64_t *>address(places), terms, count)
        elif bias is not NULL:
            sum_terms(<float *>address(self.bias, True), <float *>bias, <int64_t *>address(places), terms, count)
        for n, (name, row, numbers) in enumerate(rows):
            source = address(arrays[name]) + row * numbers * size
            memcpy(target, source, numbers * size)
            for k in range(1, p.padded if numbers == 1 else 0):     # a single number is there for every unit
                memcpy(target + k * size, source, size)
            target += p.padded * size
        return 0

    cdef int run(self) except -1:
        cdef Job job
        cdef int64_t n, k, numbers = 0, threads
        cdef Arena arena = Arena()
        job.program, job.columns, job.count, job.share = &self.program.data, self.columns, self.count, 0
        for n in range(job.count):
            k = self.columns[n].run.inner
            numbers += k // self.columns[n].run.heads * job.program.padded * (2 if self.both else 1)
            if job.program.kernels.encode is not NULL:
                job.share = max(job.share, up((job.program.width * words(job.program, k) + k) * job.program.kernels.size, 64))
        threads = threads_for(numbers * OPERATIONS, free_threads(num_threads()))
        arena.reserve(threads * job.share)
        job.memory = arena.take(threads * job.share)
        with nogil:
            parallel(pack_panels, &job, threads)
        return 0


cdef bint unshared(list arrays, int known=0) noexcept:
    """Whether nobody but the list, and `known` others, holds its arrays, or other views of their memory."""
    for array in arrays:
        if Py_REFCNT(<PyObject *>array) > 2 + known:        # the list, and this loop
            return False
        if Py_REFCNT(<PyObject *>np.PyArray_BASE(array)) > 1:
            return False
    return True


@cython.final
cdef class Packing:
    """Where the parameters of a layer go, and the weights that were packed last.

    Parameters
    ----------
    program : Program
        The forward program.
    runs : list of list of (str, int)
        The columns of every run: a parameter, and the first of its rows that the column takes.
    places : ndarray of int64, (terms, columns * padded units)
        Of the bias, see :func:`seqkit.packing.bias_places`.
    rows : list of (str, int, int)
        Rows of the cell's own parameters: the name, which row, and its numbers: one for every unit, or one for all.
    """

    cdef Program program
    cdef list runs, rows
    cdef object places
    cdef int64_t columns
    cdef Weights latest

    def __cinit__(self, Program program, list runs, places, list rows):
        self.program, self.runs, self.places, self.rows = program, runs, np.ascontiguousarray(places), rows
        self.columns = sum([len(columns) for columns in runs])

    def known(self, int64_t version, bint both):
        """The weights that were packed last, if they are of this version and, where asked, packed `both` ways; else None."""
        cdef Weights weights = self.latest
        return weights if weights is not None and weights.version == version and weights.both >= both else None

    def pack(self, arrays, int64_t version, bint both):
        """Packed weights of arrays by name, contiguous ones of the program's dtype; nobody changes them while they are held."""
        cdef Weights weights = self.latest
        self.latest = None                      # another thread must not find them while they change
        if weights is None or Py_REFCNT(<PyObject *>weights) > 1 or not weights.idle():
            weights = Weights(self.program, self.columns, self.places.shape[1], len(self.rows))
        weights.pack(arrays, self.runs, version, both)
        weights.pack_rows(arrays, self.rows, self.places)
        self.latest = weights
        return weights
