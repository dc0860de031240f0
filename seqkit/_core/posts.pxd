from libc.stdint cimport int64_t

from seqkit._core.calls cimport CallData, Stage
from seqkit._core.tasks cimport Task

cdef void clear_padding(CallData *c, Task task, int64_t t, int64_t n, Stage *stage) noexcept nogil
cdef void run_posts(CallData *c, Task task, int64_t t, int64_t n, Stage *stage, char **rows) noexcept nogil
