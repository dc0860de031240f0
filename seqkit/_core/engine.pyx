"""Calls on threads: tasks, how a call is split into them.

a. A *task* is one direction of one layer and every n-th row of the sorted batch (row = first +
   j*stride).  It runs its whole time loop by itself: no barrier, no neighbour.  Because rows
   are sorted by length and dealt like cards, the tasks of a call have nearly equal work.
b. The units of a single row, or of a few rows of a layer whose weights are larger than a near cache, are shared by a
   team of threads that meets after every stage.
   Layers one after the other are shared out whole, where their weights stay in the cache of a
   core: a pipeline in which each layer follows some steps behind the one it reads.
c. Threads look now and then whether Ctrl-C was pressed.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from seqkit._core.calls cimport OPERAND_X, Call, CallData, ProgramData, words
from seqkit._core.machine cimport (
    SK_L2_BYTES, SK_TASK_ROWS, Arena, Watch, end_share, finish, free_threads, go_on, in_succession, new_watch, parallel, sk_progress, sk_publish, sk_work, threads_for,
)
from seqkit._core.steps cimport Scratch, begin_task, end_task, lay_out, project, run_step
from seqkit._core.tasks cimport Task, Team, task_rows

cdef int64_t TEAM_OPERATIONS = 32_768       # multiply-adds of a step that are worth a meeting of threads
cdef int64_t TEAM_ROWS = 4                  # rows for each thread up to which a team shares the units of a large layer
cdef int64_t LOOK_OPERATIONS = 4_000_000    # multiply-adds between two looks whether to go on: below 1 ms


cdef struct Work:
    CallData **calls
    Task *tasks
    int64_t count
    Scratch *scratch            # one per thread
    char *memory                # `share` bytes per thread
    int64_t share
    sk_progress *progress       # of the members of a team, or of the calls of a pipeline
    Watch watch


cdef void run_task(Work *work, Task task, int64_t thread) noexcept nogil:
    cdef CallData *c = work.calls[task.call]
    cdef Scratch *s = &work.scratch[thread]
    lay_out(s, c, task_rows(c.batch, task, c.batch.size), work.memory + thread * work.share)
    cdef int64_t k, t, n, end = 0, start = 0, each = row_operations(c.program), since = LOOK_OPERATIONS
    if not begin_task(c, task, s):
        return
    for k in range(c.batch.time):
        t = c.batch.time - 1 - k if c.program.backward else k
        n = task_rows(c.batch, task, c.batch.active[t])
        if n == 0:
            continue
        since += n * each
        if since >= LOOK_OPERATIONS:
            since = 0
            if not go_on(&work.watch, thread):
                return
        if not c.program.backward and t >= end:
            start, end = t, project(c, task, t, s)
            if work.watch.stopped:
                return
        if not run_step(c, task, t, n, s, 0 if c.program.backward else s.chunk_offset[t - start]):
            return
        if task.done is not NULL:
            sk_publish(task.done, t + 1)
    if task.done is not NULL:                   # who reads backwards waits for the whole
        sk_publish(task.done, c.batch.time)
    end_task(c, task)


cdef Task whole_task(CallData *c, int64_t call, int64_t first, int64_t stride, Watch *watch) noexcept nogil:
    """A task of all panels that waits for nobody."""
    cdef Task task
    task.call, task.first, task.stride, task.stopped = call, first, stride, &watch.stopped
    task.panel, task.panel_end, task.team, task.member = 0, c.program.panels, NULL, 0
    task.source = task.done = NULL
    return task


cdef void run_tasks(void *context, int64_t thread, int64_t threads) noexcept nogil:
    cdef Work *work = <Work *>context
    cdef int64_t i
    for i from thread <= i < work.count by threads:
        if not work.watch.stopped:
            run_task(work, work.tasks[i], thread)
    end_share(&work.watch, thread, threads)


cdef void run_team(void *context, int64_t thread, int64_t threads) noexcept nogil:
    """All threads on the only task, each on panels of its own."""
    cdef Work *work = <Work *>context
    cdef Task task = work.tasks[0]
    cdef int64_t panels = work.calls[0].program.panels
    cdef Team team
    team.progress, team.members = work.progress, threads
    task.team, task.member = &team, thread
    task.panel, task.panel_end = panels * thread // threads, panels * (thread + 1) // threads
    run_task(work, task, thread)


cdef int64_t row_operations(ProgramData *p) noexcept nogil:
    """Rough number of multiply-adds of one step of one sequence."""
    cdef int64_t k, total = p.columns * p.padded * p.panels if p.backward else 0
    for k in range(p.run_count):
        total += p.runs[k].count * words(p, p.runs[k].window) * p.runs[k].panels
    return p.width * total


cdef int64_t operations_of(list calls):
    """Rough number of multiply-adds of all calls, to see whether threads pay."""
    cdef Call call
    cdef int64_t total = 0
    for call in calls:
        total += call.data.batch.rows * row_operations(call.data.program)
    return total


cdef int64_t parts_of(CallData *c, int64_t threads):
    """Into how many tasks a call is split: one per thread, none above SK_TASK_ROWS."""
    cdef int64_t parts = threads
    while c.batch.size > parts * SK_TASK_ROWS:
        parts += threads
    return max(1, min(parts, c.batch.size))


cdef int64_t recurrent_operations(ProgramData *p) noexcept nogil:
    """Multiply-adds of one step of one sequence that wait for the step before; as many weights are read for them."""
    cdef int64_t k, operations = p.padded * p.columns * p.padded if p.backward else 0
    for k in range(p.run_count):
        operations += p.runs[k].count * p.runs[k].panels * p.width * words(p, p.runs[k].window) if p.runs[k].operand != OPERAND_X else 0
    return operations


cdef bint by_units(list calls, int64_t threads):
    """Whether a team of threads should share the units: of an only row, where a step is long enough; of a few, where
    the weights are too large for one near cache."""
    cdef CallData *c = &(<Call>calls[0]).data
    cdef ProgramData *p = c.program
    if len(calls) > 1 or p.reduction_count > 0 or c.batch.size > threads * TEAM_ROWS:
        return False
    if c.batch.size == 1:
        return recurrent_operations(p) >= TEAM_OPERATIONS
    return recurrent_operations(p) * p.kernels.size > SK_L2_BYTES


def pipeline_pays(list calls, int64_t threads):
    """Whether layers, each reading the output of the one before, should run as a pipeline.

    Rows of a batch are better shared out than layers; and two threads that share the units of a
    row have twice the near cache for the weights.
    """
    cdef Call call
    for call in calls:
        if call.data.batch.size >= threads or recurrent_operations(call.data.program) * call.data.program.kernels.size >= SK_L2_BYTES:
            return False
    return len(calls) > 1 and threads_for(operations_of(calls), threads) > 1


def plan(list calls, int64_t threads, bint pipeline=False, bint awake=False):
    """How `run` would go: (threads, tasks of each call, bytes of scratch memory per thread, what is shared).

    Directions (or the layers of a pipeline) get threads of their own, then "rows" of the batch
    are shared, or the "units" of few rows; what is tiny stays on one thread, less of it where the
    threads are `awake`.
    """
    cdef Call call
    cdef Scratch scratch
    cdef int64_t share = 0, rows
    threads = threads_for(operations_of(calls), threads, awake)
    units = not pipeline and by_units(calls, threads)
    parts = [1 if pipeline or units else parts_of(&(<Call>c).data, (threads + len(calls) - 1) // len(calls)) for c in calls]
    for call, n in zip(calls, parts):
        rows = (call.data.batch.size + n - 1) // n
        share = max(share, lay_out(&scratch, &call.data, rows, NULL))
    share = (share + 127) // 64 * 64
    if units:
        return min(threads, (<Call>calls[0]).data.program.panels), parts, share, "units"
    return min(threads, sum(parts)), parts, share, "layers" if pipeline else "rows"


def run(list calls, int64_t threads, Arena arena, bint pipeline=False):
    """Run calls to their end, thread-parallel, without the GIL: the directions of one layer, or layers
    one after the other, each reading the output of the one before (`pipeline`).

    Raises whatever a signal handler raised meanwhile (KeyboardInterrupt on Ctrl-C).
    """
    cdef int64_t i, part, counters, k = 0
    cdef Call call
    cdef Work work
    cdef sk_work work_on
    threads, parts, work.share, shared = plan(calls, free_threads(threads), pipeline, in_succession())
    work.count, work.watch, counters = sum(parts), new_watch(), max(threads, <int64_t>len(calls))
    arena.reserve(threads * (work.share + sizeof(Scratch)) + work.count * sizeof(Task) + len(calls) * sizeof(void *) + counters * sizeof(sk_progress) + 64 * 8)
    work.memory = arena.take(threads * work.share)
    work.scratch = <Scratch *>arena.take(threads * sizeof(Scratch))
    work.tasks = <Task *>arena.take(work.count * sizeof(Task))
    work.calls = <CallData **>arena.take(len(calls) * sizeof(void *))
    work.progress = <sk_progress *>arena.take(counters * sizeof(sk_progress))
    memset(work.progress, 0, counters * sizeof(sk_progress))
    for i, call in enumerate(calls):
        work.calls[i] = &call.data
        for part in range(parts[i]):
            work.tasks[k] = whole_task(&call.data, i, part, parts[i], &work.watch)
            if pipeline:
                work.tasks[k].source, work.tasks[k].done = &work.progress[i - 1] if i else NULL, &work.progress[i]
            k += 1
    work_on = run_team if shared == "units" and threads > 1 else run_tasks
    with nogil:
        parallel(work_on, &work, threads)
    finish(&work.watch, operations_of(calls), threads)
