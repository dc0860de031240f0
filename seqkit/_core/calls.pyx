"""What the engine is given: programs, batches and calls, with every address bound.

a. Python makes the tables and arrays and checks them; here they become C structures whose
   sizes are computed once, in Python integers, which do not overflow.
b. Where an inference call alternates two time slots of state, a taped call keeps them all: the
   tape is the state buffer.  The tape row of (t, sorted row b) is offset[t] + b.
c. What backward needs lies in the tape arena, everything else in the working arena, which the
   next call uses again.
d. The pointwise part of a stage has a compiled kernel, where a table of the cell's package or of seqkit
   (`kernel_tables.pyx`) knows its name; else it is interpreted, to the same bits.
   SEQKIT_POINTWISE=interpreted does without compiled kernels, for tests.
e. Sums over the tape are made of sums over *blocks*, the last block first: as many whole steps as
   have BLOCK_ROWS rows together, or a part of a longer step.  Where blocks begin depends on nothing
   but the lengths, so a tape that is made piece by piece, at bounds of blocks, has the same sums.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from seqkit._core.kernel_tables cimport KernelTable
from seqkit._core.machine cimport Arena, address, kernels_of, sk_aligned
from seqkit._core.noise cimport Noise
from seqkit._core.pointwise cimport sk_instruction, sk_pointwise

from seqkit._core.kernel_tables import BUILT_IN

SLOTS = {
    name: kind
    for kind, name in enumerate(
        ["temp", "constant", "parameter", "column", "previous", "next", "vector", "saved", "grad", "carry_in", "carry_out", "mask", "input"]
    )
}
OPERANDS = {name: kind for kind, name in enumerate(["x", "state", "vector", "carry", "input"])}
LIMITS = {"states": 8, "vector_count": 64, "masks": 16, "inputs": 16, "weights": 64}  # sizes of the arrays in CallData


cdef class Program:
    """Tables of a lowered program; seqkit.equations.lower makes and documents them.

    Kernels are looked for in `own`, the table of the cell's package, and then in that of seqkit; `problem` says
    why a package that should have a table has none.
    """

    def __cinit__(self, dict tables, KernelTable own=None, str problem=""):
        cdef ProgramData *d = &self.data
        self.tables, self.problem = tables, problem  # the tables keep the arrays below alive
        d.kernels = kernels_of(tables["precision"])
        d.features, d.vectors = tables["features"], tables["vectors"]
        d.width = d.vectors * d.kernels.lanes
        d.panels = panels_of(d, tables["widest"])
        d.padded = d.panels * d.width
        d.backward, d.columns, d.saved, d.states = tables["backward"], tables["columns"], tables["saved"], tables["states"]
        d.temps, d.vector_count, d.masks, d.reduction_count = tables["temps"], tables["vector_count"], tables["masks"], len(tables["reductions"])
        d.noises = tables["noises"]
        d.slot_count, d.stage_count, d.run_count = len(tables["slots"]), len(tables["stages"]), len(tables["runs"])
        d.slots, d.stages = <Slot *>address(tables["slots"]), <Stage *>address(tables["stages"])
        d.runs, d.reductions = <Run *>address(tables["runs"]), <Reduction *>address(tables["reductions"])
        d.posts, d.clears = <Post *>address(tables["posts"]), <Clear *>address(tables["clears"])
        d.inputs, d.input_count = <Input *>address(tables["inputs"]), len(tables["inputs"])
        d.state_size = <int64_t *>address(tables["state_sizes"])
        d.code = <sk_instruction *>address(tables["code"])
        cdef int64_t nbytes = tables["constants"].nbytes
        d.constants = <char *>sk_aligned(nbytes + 64)
        if d.constants is NULL:
            raise MemoryError()
        memcpy(d.constants, address(tables["constants"]), nbytes)
        self.bind_pointwise([table for table in (own, BUILT_IN) if table is not None])

    cdef int bind_pointwise(self, list tables) except -1:
        """Find the kernel of every stage, and who provides it."""
        cdef ProgramData *d = &self.data
        cdef KernelTable table
        cdef sk_pointwise found
        cdef int64_t stage
        self.providers = ()
        d.pointwise = <sk_pointwise *>malloc(max(1, d.stage_count) * sizeof(sk_pointwise))
        if d.pointwise is NULL:
            raise MemoryError()
        for stage, name in enumerate(self.tables["kernels"]):
            d.pointwise[stage], provider = d.kernels.pointwise, None
            for table in tables:
                found = table.find(self.tables["dtype"], name)
                if found is not NULL:
                    d.pointwise[stage], provider = found, table.package
                    break
            self.providers += (provider,)

    def __dealloc__(self):
        free(self.data.constants)
        free(self.data.pointwise)


cdef class Batch:
    """The sorted rows of a batch, from int64 arrays; `offset[-1]` is the sum of lengths."""

    def __cinit__(self, int64_t size, int64_t time, object order, object length, object active, object offset):
        cdef BatchData *d = &self.data
        self.keep = (order, length, active, offset)
        d.size, d.time = size, time
        d.order, d.length = <int64_t *>address(order), <int64_t *>address(length)
        d.active, d.offset = <int64_t *>address(active), <int64_t *>address(offset)
        d.rows = d.offset[time]
        self.cut()

    cdef void cut(self):
        """Find where the blocks of the tape begin."""
        cdef BatchData *d = &self.data
        cdef int64_t t = 0, part, parts
        bounds = np.empty(d.time + d.rows // BLOCK_ROWS + 1, np.int64)
        self.keep += (bounds,)
        d.blocks, d.block = 0, <int64_t *>address(bounds)
        while d.offset[t] < d.rows:
            parts = (d.active[t] + BLOCK_ROWS - 1) // BLOCK_ROWS
            for part in range(parts):
                d.block[d.blocks + part] = d.offset[t] + d.active[t] * part // parts
            d.blocks += parts
            t += 1
            while parts == 1 and d.offset[t] < d.rows and d.offset[t + 1] - d.block[d.blocks - 1] <= BLOCK_ROWS:
                t += 1
        d.block[d.blocks] = d.rows

    def segments(self, int64_t steps):
        """First step of every segment, and the end: blocks that have at most `steps` whole steps together, or one."""
        cdef BatchData *d = &self.data
        cdef int64_t n, t = 0, begin = 0, before = 0
        bounds = [0]
        for n in range(1, d.blocks + 1):
            while d.offset[t] < d.block[n]:
                t += 1
            if d.offset[t] == d.block[n]:           # else a part of a step
                if t - begin > steps and before > begin:
                    begin = before
                    bounds.append(begin)
                before = t
        return [*bounds, d.time]


cdef int bind_rows(Rows *rows, object description) except -1:
    rows.base, rows.start, rows.along = NULL, NULL, 0
    if description is not None:
        array, start, rows.along = description
        rows.base, rows.start = address(array), <int64_t *>address(start)
    return 0


cdef class Call:
    """One direction of one layer on one batch.

    `x` and `y` are (array, int64 byte offset of every row, bytes between steps); `initial` and `final` are
    (size, numbers of a state) arrays; `noises` are drawn at every step for the rows and steps counted from `first_row` and `first_step`; a backward call names the `forward` call whose tape it reads.
    """

    def __cinit__(self, Program program, Batch batch, Arena tape, Arena work, *, bint taped, bint reverse=False,
                  bint reverse_output=False, bint last_only=False, x=None, y=None, initial=(), final=(), weights=(),
                  bias=None, parameters=None, masks=(), input_mask=None, noises=(), int64_t first_row=0,
                  int64_t first_step=0, taped_vectors=(), Call forward=None):
        cdef CallData *d = &self.data
        cdef int64_t i
        self.program, self.batch = program, batch
        self.keep = (x, y, initial, final, weights, bias, parameters, tape, work, forward, input_mask)
        memset(d, 0, sizeof(CallData))
        d.program, d.batch = &program.data, &batch.data
        d.taped, d.reverse, d.reverse_output, d.last_only = taped, reverse, reverse_output, last_only
        bind_rows(&d.x, x)
        bind_rows(&d.y, y)
        for i, array in enumerate(initial):
            d.initial[i] = NULL if array is None else address(array)
        for i, array in enumerate(final):
            d.final[i] = address(array, True)
        for i, array in enumerate(weights):
            d.weight[i] = address(array)
        d.bias = NULL if bias is None else address(bias)
        d.parameters = NULL if parameters is None else address(parameters)
        self.place(tape, work, set(taped_vectors), forward)
        if forward is None:
            for i, array in enumerate(masks):
                place_mask(d, d.mask[i], address(array), array.shape[1])
            for i, noise in enumerate(noises):
                d.noise[i] = (<Noise>noise).data
            d.first_row, d.first_step = first_row, first_step
            d.input_mask = NULL if input_mask is None else address(input_mask)
        else:
            d.noise, d.first_row, d.first_step = forward.data.noise, forward.data.first_row, forward.data.first_step
            d.input_mask = forward.data.input_mask
            d.x, d.reverse = forward.data.x, forward.data.reverse

    cdef void place(self, Arena tape, Arena work, set taped_vectors, Call forward) except *:
        """Lay the buffers out."""
        cdef CallData *d = &self.data
        cdef ProgramData *p = d.program
        cdef int64_t i, row = p.padded * p.kernels.size, rows = d.batch.rows, size = d.batch.size
        if d.taped and not p.backward:
            tape.reserve(tape_bytes(p, d.batch, len(taped_vectors)))
        work.reserve(work_bytes(p, d.batch))
        for i in range(p.states):
            if p.backward:
                d.state[i], d.carry[i] = forward.data.state[i], work.take(2 * size * row)
            else:
                d.state[i] = tape.take((rows + size) * row) if d.taped else work.take(2 * size * row)
        for i in range(p.vector_count):
            d.vector_taped[i] = i in taped_vectors
            d.vector[i] = tape.take(rows * row) if d.vector_taped[i] else work.take(size * row)
        for i in range(p.input_count):
            d.raw[i] = work.take(size * row)
        for i in range(p.masks):
            d.mask[i] = forward.data.mask[i] if p.backward else (tape if d.taped else work).take(size * row)
        if p.backward:
            d.saved, d.grad = forward.data.saved, work.take(p.columns * rows * row)
        elif d.taped:
            d.saved = tape.take(p.saved * rows * row)

    def nbytes(self):
        """(bytes of tape, bytes of working memory)."""
        cdef int64_t i, taped = sum([self.data.vector_taped[i] for i in range(self.data.program.vector_count)])
        tape = tape_bytes(self.data.program, self.data.batch, taped) if self.data.taped else 0
        return tape, work_bytes(self.data.program, self.data.batch)

    def copy_saved(self, out):
        """Copy the saved values of a taped call into `out` (panels, tape rows, saved, width)."""
        cdef ProgramData *p = self.data.program
        cdef int64_t nbytes = p.saved * self.data.batch.rows * p.padded * p.kernels.size
        if out.nbytes != nbytes:
            raise ValueError(f"copy_saved: {nbytes} bytes expected, got {out.nbytes}.")
        memcpy(address(out, True), self.data.saved, nbytes)


cdef void place_mask(CallData *c, char *target, char *source, int64_t numbers) noexcept:
    """Copy a mask, (size, numbers), into rows of padded width, in sorted order."""
    cdef int64_t row, line = numbers * c.program.kernels.size, step = c.program.padded * c.program.kernels.size
    for row in range(c.batch.size):
        memset(target + row * step, 0, step)
        memcpy(target + row * step, source + c.batch.order[row] * line, line)


cdef object tape_bytes(ProgramData *p, BatchData *b, int64_t vectors):
    cdef object row = p.padded * p.kernels.size
    return ((p.states + p.saved + vectors) * b.rows + (p.states + p.masks) * b.size) * row + 64 * 128


cdef object work_bytes(ProgramData *p, BatchData *b):
    cdef object row = p.padded * p.kernels.size
    cdef object total = (2 * p.states + p.vector_count + p.masks + p.input_count) * b.size * row
    return total + (p.columns * b.rows * row if p.backward else 0) + 64 * 128
