from libc.stdint cimport int64_t

from seqkit._core.calls cimport BatchData
from seqkit._core.machine cimport sk_progress

cdef struct Team:           # threads that share the units of a row, or of a few
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
