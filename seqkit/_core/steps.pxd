from libc.stdint cimport int64_t

from seqkit._core.calls cimport CallData
from seqkit._core.places cimport Places
from seqkit._core.tasks cimport Task

cdef struct Scratch:        # of one thread
    Places places
    char **x_rows           # of a chunk of steps
    char **user_rows        # of y or dy at this step
    char **operands         # of the runs of a stage: [run][row]
    char *encoded           # in low precision, rows of words: of x for a chunk, then of the operands of a stage
    int64_t encoded_row
    int64_t *chunk_offset   # column row of each step of a chunk
    char *columns           # [stage][panel][chunk row][stage columns][width]
    char *temps
    int64_t chunk_rows

cdef int64_t lay_out(Scratch *s, CallData *c, int64_t rows, char *memory) noexcept nogil
cdef bint begin_task(CallData *c, Task task, Scratch *s) noexcept nogil
cdef bint load_states(CallData *c, Task task) noexcept nogil
cdef int64_t project(CallData *c, Task task, int64_t t0, Scratch *s) noexcept nogil
cdef bint run_step(CallData *c, Task task, int64_t t, int64_t n, Scratch *s, int64_t column_row) noexcept nogil
cdef void end_task(CallData *c, Task task) noexcept nogil
