from libc.stdint cimport int64_t

from seqkit._core.calls cimport BatchData, CallData
from seqkit._core.machine cimport sk_progress
from seqkit._core.places cimport Places

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

cdef struct Team:           # threads that share the units of a single row
    sk_progress *progress
    int64_t members

cdef struct Task:           # rows first, first + stride, ... and panels [panel, panel_end)
    int64_t call, first, stride, panel, panel_end
    Team *team              # NULL: alone
    int64_t member
    sk_progress *source     # steps done by the layer whose output is read; NULL: the input is there
    sk_progress *done       # steps done, for the layer that reads the output; NULL: nobody
    const int *stopped

cdef inline int64_t task_rows(BatchData *b, Task task, int64_t count) noexcept nogil:
    """How many of the first `count` sorted rows belong to the task."""
    return 0 if count <= task.first else (count - task.first + task.stride - 1) // task.stride

cdef int64_t lay_out(Scratch *s, CallData *c, int64_t rows, char *memory) noexcept nogil
cdef bint begin_task(CallData *c, Task task, Scratch *s) noexcept nogil
cdef bint load_states(CallData *c, Task task) noexcept nogil
cdef int64_t project(CallData *c, Task task, int64_t t0, Scratch *s) noexcept nogil
cdef bint run_step(CallData *c, Task task, int64_t t, int64_t n, Scratch *s, int64_t column_row) noexcept nogil
cdef void end_task(CallData *c, Task task) noexcept nogil
