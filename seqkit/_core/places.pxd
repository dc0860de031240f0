from libc.stdint cimport int64_t

from seqkit._core.calls cimport CallData
from seqkit._core.pointwise cimport sk_slot

cdef enum:      # what the place of a value moves with
    STILL, STATE_BEFORE, STATE_AFTER, COLUMN_ROW, TAPE_ROW, CARRY_BEFORE, CARRY_AFTER, CLOCKS

cdef struct Mover:
    sk_slot *slot
    char *origin
    int64_t clock, stride       # base = origin + clocks[clock] * stride

cdef struct Places:             # of all values of a program, for one task
    sk_slot *slots              # [stage][slot]
    Mover *movers
    int64_t count               # of movers
    bint by_panel

cdef int64_t lay_out_places(Places *places, CallData *c, char *memory) noexcept nogil
cdef void place_all(Places *places, CallData *c, int64_t first, int64_t stride, bint by_panel, char *columns, char *temps,
                    int64_t chunk_rows) noexcept nogil
cdef void move_all(Places *places, CallData *c, int64_t t, int64_t column_row) noexcept nogil
