"""Matrices with several heads: blocks on a diagonal, and which part of an operand is multiplied by them.

A panel of columns reads a *window* of the operand, the numbers of all heads that it has rows of; on the way back a group of
vectors of the operand reads a window of panels.  All windows of a run are as long as its longest; what they have beyond
their own heads meets zeros among the weights.  With one head the window is everything.
"""

from libc.stdint cimport int64_t

from seqkit._core.calls cimport Post, ProgramData, Run

ctypedef fused Run_or_post:
    Run
    Post

cdef inline int64_t window_start(ProgramData *p, Run *run, int64_t m) noexcept nogil:
    """First number of the operand that panel m reads."""
    if run.window == run.inner:
        return 0
    return min(m * p.width // (run.rows // run.heads) * (run.inner // run.heads), run.inner - run.window)

cdef inline char **window(ProgramData *p, Run *run, int64_t m, char **rows, int64_t count, char **memory) noexcept nogil:
    """The rows of an operand from where panel m reads them; `memory` is room for their addresses."""
    cdef int64_t j, first = window_start(p, run, m) * p.kernels.size
    if first == 0:
        return rows
    for j in range(count):
        memory[j] = rows[j] + first
    return memory

cdef inline int64_t panels_together(ProgramData *p, Run *run, int64_t m, int64_t turn, int64_t most) noexcept nogil:
    """How many panels from m on, upwards or downwards, read the same window."""
    cdef int64_t count = 1
    if run.window == run.inner:
        return most
    while count < most and window_start(p, run, m + turn * count) == window_start(p, run, m):
        count += 1
    return count

cdef inline int64_t back_start(ProgramData *p, Run_or_post *one, int64_t number) noexcept nogil:
    """First panel that a group of vectors, from this number of the operand on, reads on the way back."""
    if one.back == one.panels:
        return 0
    return min(number // (one.inner // one.heads) * (one.rows // one.heads) // p.width, one.panels - one.back)
