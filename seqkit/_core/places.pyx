"""Where the values of a program lie in memory, for the rows of one task.

a. Addresses are worked out once per task.  From step to step only a few values move, each with
   one of few clocks: the time slot of the states, the row of the tape, the row of the columns.
b. A task that is down to a single row treats its panels as rows (`by_panel`).
"""

from libc.stdint cimport int64_t

from seqkit._core.calls cimport (
    CARRY_IN, CARRY_OUT, COLUMN, CONSTANT, GRAD, INPUT, NEXT, PARAMETER, PREVIOUS, SAVED, TEMP, VECTOR, CallData, ProgramData, Slot,
    time_slot,
)
from seqkit._core.machine cimport SK_MAX_ROWS
from seqkit._core.pointwise cimport sk_slot


cdef int64_t lay_out_places(Places *places, CallData *c, char *memory) noexcept nogil:
    """Cut memory for the places; returns the bytes they take."""
    cdef int64_t count = c.program.stage_count * c.program.slot_count
    places.slots = <sk_slot *>memory
    places.movers = <Mover *>(places.slots + count)
    return count * (sizeof(sk_slot) + sizeof(Mover))


cdef void place_all(Places *places, CallData *c, int64_t first, int64_t stride, bint by_panel, char *columns, char *temps,
                    int64_t chunk_rows) noexcept nogil:
    """Work out all places for rows first, first + stride, ... of the batch."""
    cdef ProgramData *p = c.program
    cdef int64_t stage, k, vector = p.width * p.kernels.size
    cdef Mover *mover = places.movers
    cdef sk_slot *slot = places.slots
    places.by_panel = by_panel
    for stage in range(p.stage_count):
        for k in range(p.slot_count):
            mover.slot, mover.clock = slot, STILL
            place(mover, c, p.slots[k], first, stride, temps)
            if p.slots[k].kind == COLUMN:
                mover.clock, mover.stride = COLUMN_ROW, p.stages[stage].columns * vector
                mover.origin = columns + p.slots[k].index * vector
                slot.row = slot.block = mover.stride
                slot.panel = chunk_rows * mover.stride
            if by_panel and p.slots[k].kind != TEMP:
                slot.row = slot.block = slot.panel
                slot.panel = 0
            slot.base = mover.origin
            mover += mover.clock != STILL
            slot += 1
        columns += p.panels * chunk_rows * p.stages[stage].columns * vector
    places.count = mover - places.movers


cdef void place(Mover *mover, CallData *c, Slot slot, int64_t first, int64_t stride, char *temps) noexcept nogil:
    """The place of one value, columns excepted."""
    cdef ProgramData *p = c.program
    cdef int64_t size = p.kernels.size, vector = p.width * size, row = p.padded * size
    cdef int64_t kind = slot.kind, i = slot.index
    cdef sk_slot *out = mover.slot
    out.panel, out.row, out.block = vector, row * stride, row * stride
    mover.stride = row
    if kind == TEMP:
        mover.origin, out.panel, out.row, out.block = temps + i * SK_MAX_ROWS * vector, 0, vector, 0
    elif kind == CONSTANT:
        mover.origin, out.panel, out.row, out.block = p.constants + i * vector, 0, 0, 0
    elif kind == PARAMETER:
        mover.origin, out.row, out.block = c.parameters + i * row, 0, 0
    elif kind == PREVIOUS or kind == NEXT:
        mover.origin, mover.clock = c.state[i] + first * row, STATE_BEFORE if kind == PREVIOUS else STATE_AFTER
    elif kind == VECTOR:
        mover.origin, mover.clock = c.vector[i] + first * row, TAPE_ROW if c.vector_taped[i] else STILL
    elif kind == SAVED or kind == GRAD:
        mover.stride, mover.clock = slot.columns * vector, TAPE_ROW
        mover.origin = (c.saved if kind == SAVED else c.grad) + (first * slot.columns + i) * vector
        out.row = out.block = mover.stride * stride
        out.panel = c.batch.rows * mover.stride
    elif kind == CARRY_IN or kind == CARRY_OUT:
        mover.origin, mover.clock = c.carry[i] + first * row, CARRY_BEFORE if kind == CARRY_IN else CARRY_AFTER
    elif kind == INPUT:
        mover.origin = c.raw[i] + first * row
    else:
        mover.origin = c.mask[i] + first * row


cdef void move_all(Places *places, CallData *c, int64_t t, int64_t column_row) noexcept nogil:
    """Move what lies elsewhere at step t."""
    cdef int64_t k
    cdef int64_t clocks[CLOCKS]
    cdef Mover *mover
    clocks[STATE_BEFORE], clocks[STATE_AFTER] = time_slot(c, t - 1), time_slot(c, t)
    clocks[COLUMN_ROW], clocks[TAPE_ROW] = column_row, c.batch.offset[t]
    clocks[CARRY_BEFORE], clocks[CARRY_AFTER] = ((t + 1) & 1) * c.batch.size, (t & 1) * c.batch.size
    for k in range(places.count):
        mover = &places.movers[k]
        mover.slot.base = mover.origin + clocks[mover.clock] * mover.stride
