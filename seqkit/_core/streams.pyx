"""One step of many sequences, bound once and run again and again.

a. What a step needs is found out once: a step of few rows costs no Python call, and no memory
   once its results come back (see `arrays.Results`).
b. The rows of a step are cut into blocks.  A *worker* has buffers for one block, so that memory
   does not grow with the number of streams; workers take blocks, or share the units of a single row.
c. Row j of x starts from row `sources[j]` of the arrays of initial states and ends in row
   `targets[j]` of the final ones: j itself, or any rows of a pool of streams, which is how the
   states of a pool are gathered and scattered.
d. A step keeps the GIL, so that threads that share a layer take turns; a long one releases it, and
   the stepper is `busy` meanwhile.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

from seqkit._core.arrays cimport Results, data_of, is_matrix, is_rows, rows_of, stride_of, type_number
from seqkit._core.calls cimport Batch, BatchData, Call, CallData, Program, ProgramData
from seqkit._core.machine cimport (
    SK_TASK_ROWS, Arena, Watch, finish, free_threads, go_on, in_succession, new_watch, parallel, sk_progress, sk_work, threads_for,
)
from seqkit._core.engine cimport row_operations, whole_task
from seqkit._core.places cimport place_all
from seqkit._core.steps cimport Scratch, end_task, lay_out, load_states, project, run_step
from seqkit._core.tasks cimport Task, Team
from seqkit._core.threads import num_threads


cdef struct Worker:             # one thread's buffers
    CallData *call
    Scratch scratch
    BatchData batch             # of the block at hand
    int64_t active
    int64_t[2] offset


cdef struct StepWork:
    Worker *workers
    int64_t rows, block         # of this step; of a block
    int64_t *index              # 0, 1, 2, ...
    int64_t *sources
    int64_t *targets
    sk_progress *progress
    Watch watch


cdef void set_rows(Worker *w, int64_t rows) noexcept nogil:
    """Prepare the worker for a block of so many rows."""
    w.batch.size = w.batch.rows = w.active = w.offset[1] = rows


cdef void count_up(int64_t *numbers, int64_t count, int64_t step) noexcept nogil:
    cdef int64_t n
    for n in range(count):
        numbers[n] = n * step


cdef void step_blocks(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """Every worker on blocks of its own."""
    cdef StepWork *work = <StepWork *>context
    cdef Worker *w = &work.workers[thread]
    cdef Task task = whole_task(w.call, 0, 0, 1, &work.watch)
    cdef int64_t first, rows
    for first from thread * work.block <= first < work.rows by threads * work.block:
        if not go_on(&work.watch, thread):
            return
        rows = min(work.block, work.rows - first)
        set_rows(w, rows)
        w.batch.order = work.sources + first
        load_states(w.call, task)
        w.batch.order = work.index + first
        project(w.call, task, 0, &w.scratch)
        run_step(w.call, task, 0, rows, &w.scratch, 0)
        w.batch.order = work.targets + first
        end_task(w.call, task)


cdef void step_units(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """All workers on panels of the only row."""
    cdef StepWork *work = <StepWork *>context
    cdef Worker *w = work.workers
    cdef Scratch *scratch = &work.workers[thread].scratch
    cdef Task task = whole_task(w.call, 0, 0, 1, &work.watch)
    cdef Team team
    if threads > 1:
        team.progress, team.members = work.progress, threads
        task.team, task.member = &team, thread
        task.panel, task.panel_end = task.panel_end * thread // threads, task.panel_end * (thread + 1) // threads
    project(w.call, task, 0, scratch)
    if load_states(w.call, task) and run_step(w.call, task, 0, 1, scratch, 0):
        end_task(w.call, task)


@cython.final
cdef class Stepper:
    """Steps of one layer with one version of its weights.

    Parameters
    ----------
    program : Program
        The forward program without a tape.
    features : int
        Number of input features.
    version : int
        Of the weights.
    weights, bias, parameters
        As packed for a `Call`.
    """

    cdef Program program
    cdef object packed          # weights, bias, parameters
    cdef int type
    cdef int64_t features, row_operations
    cdef readonly int64_t version
    cdef bint busy
    cdef Results results
    cdef list calls             # of the workers
    cdef Arena arena
    cdef StepWork work
    cdef int64_t capacity       # rows that there is room for
    cdef int64_t laid_out       # rows of a block that workers are laid out for
    cdef int64_t stride         # bytes between rows of x in x_start
    cdef int64_t *x_start
    cdef int64_t *y_start

    def __cinit__(self, Program program, int64_t features, int64_t version, weights, bias, parameters):
        dtype = program.tables["dtype"]
        self.program, self.features, self.version, self.type = program, features, version, type_number(dtype)
        self.packed = weights, bias, parameters
        sizes = tuple([program.data.state_size[i] for i in range(program.data.states)])
        self.results = Results(dtype, sizes[0], sizes)
        self.calls, self.arena = [], Arena()
        self.reserve(1, 1)
        self.row_operations = row_operations(&program.data)

    def step(self, x, state, int64_t version):
        """(y, state) after one step, new arrays; None where the caller must look at its arguments first.

        That is where x is no (rows, features) array of this dtype with rows in one piece, a state no
        contiguous (rows, numbers of the state) array, the weights have another version, or another thread is in a step.
        """
        if version != self.version or self.busy or not is_rows(x, self.type, self.features):
            return None
        cdef int64_t rows = rows_of(x)
        if state is not None and not self.fits(state, rows):
            return None
        result = self.results.take(rows)
        if rows:
            self.run(x, result[0], state, result[1], NULL, NULL)
        return result

    cdef bint fits(self, state, int64_t rows):
        if type(state) is not tuple or len(state) != self.program.data.states:
            return False
        cdef int64_t i
        for i in range(self.program.data.states):
            if not is_matrix((<tuple>state)[i], self.type, rows, self.program.data.state_size[i]):
                return False
        return True

    def feed(self, x, y, tuple states, sources, targets):
        """One step from rows `sources` of the arrays `states` to their rows `targets`; all checked by the caller.

        x (rows, features), y (rows, output features), sources and targets (rows,) of int64.
        """
        if rows_of(x):
            self.run(x, y, states, states, <int64_t *>data_of(sources), <int64_t *>data_of(targets))

    # ---- memory ------------------------------------------------------------------------------

    cdef int reserve(self, int64_t rows, int64_t threads) except -1:
        """Have buffers for a step of so many rows on so many threads."""
        cdef int64_t n, share, block
        cdef Scratch scratch
        cdef Call call
        if rows <= self.capacity and threads <= len(self.calls):
            return 0
        if rows > self.capacity:    # seldom, even where every step has more rows than the one before
            rows = max(rows, 2 * self.capacity)
        rows, threads = max(rows, self.capacity), max(threads, <int64_t>len(self.calls))
        block = min(rows, SK_TASK_ROWS)
        self.capacity, self.calls = 0, []           # until all memory is there
        calls = [self.make_call(block) for _ in range(threads)]
        call = calls[0]
        share = lay_out(&scratch, &call.data, block, NULL)
        self.arena.reserve(threads * (share + sizeof(Worker) + sizeof(sk_progress) + 64) + 3 * rows * 8 + 64 * 8)
        self.work.workers = <Worker *>self.arena.take(threads * sizeof(Worker))
        self.work.progress = <sk_progress *>self.arena.take(threads * sizeof(sk_progress))
        self.work.index, self.x_start, self.y_start = self.take_numbers(rows), self.take_numbers(rows), self.take_numbers(rows)
        count_up(self.work.index, rows, 1)
        count_up(self.y_start, rows, self.program.data.state_size[0] * self.program.data.kernels.size)
        count_up(self.x_start, rows, 0)
        for n, call in enumerate(calls):
            self.bind(&self.work.workers[n], &call.data, self.arena.take(share))
        self.capacity, self.calls, self.stride, self.laid_out = rows, calls, 0, -1
        return 0

    cdef int64_t *take_numbers(self, int64_t count):
        return <int64_t *>self.arena.take(count * 8)

    cdef Call make_call(self, int64_t rows):
        """One step of `rows` sequences."""
        index = np.arange(rows)
        batch = Batch(rows, 1, index, np.ones_like(index), np.array([rows]), np.array([0, rows]))
        weights, bias, parameters = self.packed
        return Call(self.program, batch, Arena(), Arena(), taped=False, last_only=True, weights=weights, bias=bias, parameters=parameters)

    cdef void bind(self, Worker *w, CallData *c, char *memory):
        """Give a call its worker's rows and memory."""
        w.call, w.batch = c, c.batch[0]
        w.batch.active, w.batch.offset, w.offset[0] = &w.active, w.offset, 0
        c.batch, c.x.start, c.y.start = &w.batch, self.x_start, self.y_start
        w.scratch.columns = memory

    # ---- one step ----------------------------------------------------------------------------

    cdef int run(self, x, y, initial, tuple final, int64_t *sources, int64_t *targets) except -1:
        self.busy = True            # from here on: Python code may let another thread in
        try:
            return self.run_alone(x, y, initial, final, sources, targets)
        finally:
            self.busy = False

    cdef int run_alone(self, x, y, initial, tuple final, int64_t *sources, int64_t *targets) except -1:
        cdef int64_t rows = rows_of(x), operations = rows * self.row_operations, n
        cdef int64_t threads = self.choose_threads(rows, operations)
        self.reserve(rows, threads)
        self.cut_blocks(rows, threads)
        self.set_stride(stride_of(x))
        self.work.sources, self.work.targets = sources or self.work.index, targets or self.work.index
        if rows == 1:               # its place in the arrays, so that all workers can share it as row 0
            self.work.workers.batch.order = self.work.index
            self.set_arrays(self.work.workers[0].call, x, y, initial, final, self.work.sources[0], self.work.targets[0])
            self.start(step_units, operations, threads)
        else:
            for n in range(threads):
                self.set_arrays(self.work.workers[n].call, x, y, initial, final, 0, 0)
            self.start(step_blocks, operations, threads)
        return 0

    cdef int64_t choose_threads(self, int64_t rows, int64_t operations) except -1:
        """Few microseconds are worth threads that still spin after a region, not threads that must be woken."""
        cdef ProgramData *p = &self.program.data
        if threads_for(operations, 2, True) == 1 or (rows == 1 and p.reduction_count > 0):
            return 1
        return min(threads_for(operations, free_threads(num_threads()), in_succession()), p.panels if rows == 1 else rows)

    cdef void cut_blocks(self, int64_t rows, int64_t threads):
        """Cut the rows into blocks of nearly equal size, a multiple of the threads if there are several."""
        cdef int64_t rounds = (rows + threads * SK_TASK_ROWS - 1) // (threads * SK_TASK_ROWS)
        self.work.rows, self.work.block = rows, (rows + threads * rounds - 1) // (threads * rounds)
        self.lay_out_workers(self.work.block if rows > 1 else 0)

    cdef void lay_out_workers(self, int64_t block):
        """Cut the memory of every worker for blocks of so many rows; 0: all on the call of the first."""
        cdef int64_t n
        cdef Worker *w
        cdef CallData *c
        for n in range(len(self.calls) if block != self.laid_out else 0):
            w = &self.work.workers[n]
            c = w.call if block else self.work.workers[0].call
            set_rows(w, max(block, 1))
            lay_out(&w.scratch, c, max(block, 1), w.scratch.columns)
            place_all(&w.scratch.places, c, 0, 1, block < 2, w.scratch.columns, w.scratch.temps, w.scratch.chunk_rows)
        self.laid_out = block

    cdef void set_stride(self, int64_t stride):
        if stride != self.stride:
            count_up(self.x_start, self.capacity, stride)
        self.stride = stride

    cdef void set_arrays(self, CallData *c, x, y, initial, tuple final, int64_t source, int64_t target):
        """Tell a call where the user's arrays are."""
        cdef int64_t i, line
        c.x.base, c.y.base = data_of(x), data_of(y)
        for i in range(self.program.data.states):
            line = self.program.data.state_size[i] * self.program.data.kernels.size
            c.initial[i] = NULL if initial is None else data_of((<tuple>initial)[i]) + source * line
            c.final[i] = data_of(final[i]) + target * line

    cdef int start(self, sk_work work, int64_t operations, int64_t threads) except -1:
        if work == step_units and threads == 1:     # waits for nobody, so that no clock is needed
            parallel(work, &self.work, 1)
            return 0
        self.work.watch = new_watch()
        memset(self.work.progress, 0, threads * sizeof(sk_progress))
        if threads_for(operations, 2) == 1:
            parallel(work, &self.work, threads)
        else:
            with nogil:
                parallel(work, &self.work, threads)
        return finish(&self.work.watch, operations, threads)


def rows_of_streams(ids, turn, sources):
    """Write the row where each stream is, ``2*id + turn[id]``, to `sources`; all are contiguous int64.

    Returns the place in `ids` of the first that is not open (outside `turn`, or its turn is -1) or has come
    before; -1 where there is none.
    """
    cdef int64_t *stream = <int64_t *>data_of(ids)
    cdef int64_t *turns = <int64_t *>data_of(turn)
    cdef int64_t *source = <int64_t *>data_of(sources)
    cdef int64_t capacity = rows_of(turn), count = rows_of(ids), n, marked = 0
    for n in range(count):
        if not 0 <= stream[n] < capacity or not 0 <= turns[stream[n]] <= 1:
            break
        source[n] = 2 * stream[n] + turns[stream[n]]
        turns[stream[n]] += 2       # marked as seen
        marked += 1
    for n in range(marked):
        turns[stream[n]] -= 2
    return -1 if marked == count else marked
