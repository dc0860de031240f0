from libc.stdint cimport int64_t, uint32_t

from seqkit._core.pointwise cimport sk_pointwise

cdef extern from "kernels.h" nogil:
    enum:
        SK_MAX_ROWS
    int SK_MAX_VECTORS
    int SK_LINE_BYTES
    int64_t SK_L2_BYTES
    int64_t SK_TASK_ROWS
    int SK_PEAK_CHAINS
    int SK_READ_SUMS
    ctypedef struct sk_noise:
        uint32_t[2] key
        uint32_t threshold
        double scale
    ctypedef struct sk_product:
        int64_t step, segments, length, segment, w_row, z_row
        const char *bias
        const char *ahead
        int64_t ahead_segment
    ctypedef struct sk_kernels:
        const char *isa
        const char *precision
        const char *instruction
        int64_t size, lanes, tile_rows, tall_rows, head, group
        void (*encode)(char *, const char *, int64_t, int) noexcept nogil
        void (*product)(const sk_product *, int64_t, int64_t, char **, const char *, char *) noexcept nogil
        void (*line)(const sk_product *, int64_t, int64_t, const char *, const char *, int64_t, char *, int64_t, int64_t) noexcept nogil
        sk_pointwise pointwise
        void (*reduce)(char *, int64_t, const char *, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        void (*pack)(char *, int64_t, const char *, int64_t, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        void (*unpack_add)(char *, int64_t, const char *, int64_t, int64_t, int64_t) noexcept nogil
        void (*gather)(char *, int64_t, char **, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        double (*peak)(int64_t) noexcept nogil
        double (*read)(const char *, int64_t, int64_t) noexcept nogil
        void (*numbers)(uint32_t *, const sk_noise *, int64_t, int64_t, int64_t) noexcept nogil
        void (*factors)(char *, const sk_noise *, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        void (*multiply)(char *, const char *, const char *, int64_t) noexcept nogil
        void (*normalize)(char *, char *, const char *, const char *, const char *, int64_t, double) noexcept nogil
        void (*normalize_back)(char *, char *, char *, const char *, const char *, const char *, const char *, int64_t) noexcept nogil

cdef extern from "threads.h" nogil:
    ctypedef void (*sk_work)(void *context, int64_t thread, int64_t threads) noexcept nogil
    ctypedef struct sk_progress:
        int64_t count
    void sk_publish(sk_progress *own, int64_t count)
    int sk_await(sk_progress *team, int64_t members, int64_t count, const int *stopped)
    double sk_seconds()
    void *sk_aligned(int64_t bytes)

cdef const sk_kernels *kernels_of(str precision) except NULL
cdef void parallel(sk_work work, void *context, int64_t threads) noexcept nogil
cdef struct Watch:      # of a parallel region
    int stopped         # it should not go on
    int64_t ended       # threads that have ended their share
    double began
    double asked        # when Ctrl-C was last looked for

cdef inline int64_t threads_for(int64_t operations, int64_t threads, bint awake=False) noexcept nogil:
    """`threads`, or 1 where there is less work than they pay for: 8 million multiply-adds, some 80 us, or
    5 us if the threads are `awake`, spinning since the last region."""
    return threads if operations >= (250_000 if awake else 8_000_000) else 1

cdef int64_t free_threads(int64_t threads) noexcept nogil
cdef bint in_succession() noexcept nogil
cdef Watch new_watch() noexcept nogil
cdef bint go_on(Watch *watch, int64_t thread) noexcept nogil
cdef void end_share(Watch *watch, int64_t thread, int64_t threads) noexcept nogil
cdef int finish(Watch *watch, int64_t operations, int64_t threads) except -1
cdef char *address(object array, bint writable=*) except? NULL

cdef class Arena:
    cdef char *memory
    cdef readonly int64_t capacity
    cdef int64_t used
    cdef char *take(self, int64_t bytes) noexcept nogil
