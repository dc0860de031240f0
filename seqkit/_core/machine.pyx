"""The machine: instruction set, threads, memory.

a. The kernels exist once per instruction set; the best one that the processor has is chosen
   when this module is imported.  SEQKIT_ISA forces another one, for tests; SEQKIT_PLAIN_DOT=1
   does without the multiply-adds of low precision that not all of its processors have.
b. Threads are only ever started by `parallel`, so that the one memory of who started the pool
   (see threads.h) is shared by all compiled modules.
c. Work in a parallel region comes in slices of at most some ms, with a look at `go_on` between.
d. Threads of a region wait for each other.  Where other programs keep the processors busy, each
   such wait costs a time slice, many times the work of a small call: a call that took far too
   long sends the next ones to one thread, for a moment at first, for longer and up to half a
   second when it happens again soon after.  Results do not depend on it.
e. Every size handed to an Arena has been computed with overflow checks by its caller.
"""

import os

from cpython.buffer cimport PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer, Py_buffer
from libc.stdlib cimport free
from libc.string cimport memset

from seqkit.errors import BuildError

cdef double POLL_SECONDS = 0.05
cdef double SLOW_SECONDS = 4e-10    # per multiply-add: slower than any processor that has one to itself
cdef double CROWDED_SECONDS = 0.016     # how long to do without threads that would wait for each other, at first
cdef double MOST_CROWDED_SECONDS = 0.5  # and at most
cdef double crowded_until = 0.0, crowded_seconds = 0.0
cdef double AWAKE_SECONDS = 0.001       # so long after a parallel region its threads still spin, ready for the next
cdef double asked = 0.0                 # when threads were last asked for
cdef int64_t READ_BYTES = 16_000_000        # that a thread reads in a run: some 0.1 ms, so that no other program comes between
cdef double READ_SECONDS = 0.15             # for all runs: longer than other programs keep a processor

cdef extern from "isa.c":
    const char *sk_isa_name(int n)
    const sk_kernels *sk_isa_kernels(const char *name, const char *precision, int features)
    const char *sk_operation_names[]
    const char *sk_reduction_names[]
    int SK_OPERATION_COUNT, SK_REDUCTION_COUNT

cdef extern from "Python.h":
    int check_signals "PyErr_CheckSignals"() noexcept  # leaves the exception set, which `finish` raises

cdef extern from "threads.h" nogil:
    int sk_openmp()
    void sk_end(int64_t *ended)
    int sk_ended(const int64_t *ended, int64_t threads)
    void sk_yield()
    void sk_parallel(sk_work work, void *context, int64_t threads)
    void *sk_huge_pages(int64_t bytes)


def supported_isas():
    """Instruction sets that this processor can use, the best first."""
    found = []
    while sk_isa_name(len(found)) is not NULL:
        found.append((<bytes>sk_isa_name(len(found))).decode())
    return found


def _choose_isa():
    wanted = os.environ.get("SEQKIT_ISA", "")
    found = supported_isas()
    if wanted and wanted not in found:
        raise BuildError(f"SEQKIT_ISA={wanted!r} cannot be used on this processor; it has {', '.join(found)}.")
    return wanted or found[0]


isa = _choose_isa()
openmp = sk_openmp()
OPERATIONS = {(<bytes>sk_operation_names[n]).decode(): n for n in range(SK_OPERATION_COUNT)}
REDUCTIONS = {(<bytes>sk_reduction_names[n]).decode(): n for n in range(SK_REDUCTION_COUNT)}


cdef bint features = os.environ.get("SEQKIT_PLAIN_DOT", "0") in ("", "0")


def lanes(str dtype):
    """How many numbers of `dtype` one vector holds."""
    return kernels_of(dtype).lanes


def instruction(str precision):
    """The multiply-add of products in this precision."""
    return (<bytes>kernels_of(precision).instruction).decode()


def tile(str precision, int64_t rows, int64_t vectors):
    """(rows, vectors) of the largest tile of a product, which `by_tiles` in kernels.inc.c cuts so."""
    cdef const sk_kernels *kernels = kernels_of(precision)
    cdef int64_t highest = kernels.tall_rows if vectors < SK_MAX_VECTORS else kernels.tile_rows
    if vectors == SK_MAX_VECTORS and kernels.tile_rows < rows <= kernels.tall_rows:
        return rows, vectors // 2
    tiles = (rows + highest - 1) // highest
    return (rows + tiles - 1) // tiles, vectors


cdef const sk_kernels *kernels_of(str precision) except NULL:
    cdef const sk_kernels *kernels = sk_isa_kernels(isa.encode(), precision.encode(), features)
    if kernels is NULL:
        raise BuildError(f"there are no kernels for {precision}; use float32 or float64, or bfloat16 or int8 for inference.")
    return kernels


cdef void parallel(sk_work work, void *context, int64_t threads) noexcept nogil:
    sk_parallel(work, context, threads)


cdef struct PeakProbe:
    const sk_kernels *kernels
    int64_t repeats, threads                    # threads that ran


cdef void probe_peak(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef PeakProbe *w = <PeakProbe *>context
    if thread == 0:
        w.threads = threads
    w.kernels.peak(w.repeats)


def fma_peak(str precision, int64_t threads):
    """GFLOP/s of multiply-adds on registers alone, on `threads` threads at once: the best of many runs of 0.3 ms."""
    cdef PeakProbe probe
    cdef double began, best = 1e30
    probe.kernels, probe.repeats = kernels_of(precision), 200_000  # short: no other program comes between
    for _ in range(500):
        with nogil:
            began = sk_seconds()
            parallel(probe_peak, &probe, threads)
            best = min(best, sk_seconds() - began)
    return 2e-9 * SK_PEAK_CHAINS * probe.kernels.lanes * probe.kernels.group * probe.repeats * probe.threads / best


cdef struct ReadProbe:
    const sk_kernels *kernels
    char *memory
    int64_t share, repeats, threads             # bytes of each thread, threads that ran


cdef void probe_read(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef ReadProbe *w = <ReadProbe *>context
    if thread == 0:
        w.threads = threads
    w.kernels.read(w.memory + thread * w.share, w.share, w.repeats)


cdef void touch(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef ReadProbe *w = <ReadProbe *>context
    memset(w.memory + thread * w.share, 0, w.share)


def read_bandwidth(str dtype, int64_t nbytes, int64_t threads):
    """GB/s of vectors read from `nbytes` that `threads` threads share, over and over: the best of many short runs."""
    cdef ReadProbe probe
    cdef double end, began, best = 1e30
    probe.kernels = kernels_of(dtype)
    cdef int64_t block = SK_READ_SUMS * probe.kernels.lanes * probe.kernels.size
    probe.share = max(1, nbytes // (threads * block)) * block
    probe.repeats = max(1, READ_BYTES // probe.share)
    probe.memory = <char *>sk_huge_pages(probe.share * threads)
    if probe.memory is NULL:
        raise MemoryError(f"seqkit: {nbytes / 2**20:.1f} MiB to read are not to be had; use fewer units.")
    with nogil:
        parallel(touch, &probe, threads)
        end = sk_seconds() + READ_SECONDS
        while sk_seconds() < end:
            began = sk_seconds()
            parallel(probe_read, &probe, threads)
            best = min(best, sk_seconds() - began)
        free(probe.memory)
    return 1e-9 * probe.share * probe.repeats * probe.threads / best


cdef int64_t free_threads(int64_t threads) noexcept nogil:
    """`threads`, or 1 where they have just been seen waiting for a processor."""
    return 1 if threads > 1 and sk_seconds() < crowded_until else threads


cdef bint in_succession() noexcept nogil:
    """Whether calls follow each other so closely that their threads still spin from one to the next."""
    global asked
    cdef double now = sk_seconds(), before = asked
    asked = now
    return now - before < AWAKE_SECONDS


cdef Watch new_watch() noexcept nogil:
    cdef Watch watch
    watch.stopped = 0
    watch.ended = 0
    watch.began = watch.asked = sk_seconds()
    return watch


cdef bint go_on(Watch *watch, int64_t thread) noexcept nogil:
    """Whether to go on.  Thread 0, the one that called into the core, looks for Ctrl-C now and
    then; the exception that a signal handler raised stays set for `finish`."""
    cdef double now
    if thread == 0 and not watch.stopped:
        now = sk_seconds()
        if now - watch.asked > POLL_SECONDS:
            watch.asked = now
            with gil:
                watch.stopped = check_signals() != 0
    return not watch.stopped


cdef void end_share(Watch *watch, int64_t thread, int64_t threads) noexcept nogil:
    """What a thread does last.  Thread 0 goes on looking for Ctrl-C until all others have ended."""
    sk_end(&watch.ended)
    while thread == 0 and not sk_ended(&watch.ended, threads):
        go_on(watch, thread)
        sk_yield()


cdef int finish(Watch *watch, int64_t operations, int64_t threads) except -1:
    """Raise what a signal handler raised meanwhile; note whether the threads had processors."""
    global crowded_until, crowded_seconds
    cdef double now = sk_seconds()
    cdef bint again
    if threads > 1 and now - watch.began > 0.002 + SLOW_SECONDS * operations:
        again = now < crowded_until + crowded_seconds
        crowded_seconds = min(2 * crowded_seconds, MOST_CROWDED_SECONDS) if again else CROWDED_SECONDS
        crowded_until = now + crowded_seconds
    return -1 if watch.stopped else 0


cdef char *address(object array, bint writable=False) except? NULL:
    """Address of the first element; the caller keeps the array alive."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_STRIDED if writable else PyBUF_STRIDED_RO)
    cdef char *found = <char *>view.buf
    PyBuffer_Release(&view)
    return found


cdef class Arena:
    """Memory that is reused from call to call, so that steady state has no page faults."""

    def __cinit__(self):
        self.memory = NULL
        self.capacity = self.used = 0

    def __dealloc__(self):
        free(self.memory)

    def reserve(self, int64_t nbytes):
        """Make room for `nbytes` and forget what was in use."""
        self.used = 0
        if nbytes > self.capacity:
            free(self.memory)
            self.capacity = 0
            self.memory = <char *>(sk_huge_pages(nbytes) if nbytes >= 4 << 20 else sk_aligned(nbytes))
            if self.memory is NULL:
                raise MemoryError(f"seqkit: {nbytes / 2**20:.1f} MiB of working memory are not to be had; use a smaller batch.")
            self.capacity = nbytes

    cdef char *take(self, int64_t nbytes) noexcept nogil:
        cdef char *block = self.memory + self.used
        self.used += (nbytes + 63) // 64 * 64
        return block
