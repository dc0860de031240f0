from libc.stdint cimport int64_t

from seqkit._core.calls cimport CallData, ProgramData
from seqkit._core.machine cimport Watch
from seqkit._core.steps cimport Task

cdef Task whole_task(CallData *c, int64_t call, int64_t first, int64_t stride, Watch *watch) noexcept nogil
cdef int64_t row_operations(ProgramData *p) noexcept nogil
