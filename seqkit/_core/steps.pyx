"""One step of a task: stages of products and pointwise operations, and what begins and ends a task.

Legend: t time, j row of a task, m panel of units, r row of a block.

a. Forward and backward run the same step: per stage, panels; per panel the products into the
   accumulator columns and the interpreter on the block while it is in L1.  A backward program
   ends its stages with products of the gradients it has just written (see `posts.pyx`).
b. The input projection of a few steps is computed at once, by the thread that consumes it,
   into columns that stay in its L2.
c. A task of a single row takes several panels at a time, as if they were rows; a team of
   threads can share its panels, and then meets after every stage and before its posts.
d. Panels are taken upwards and downwards in turn: the weights that one step has used last are
   still in a near cache when the next step begins with them.
e. In low precision the operands of a product are encoded once for all its panels.
f. Vectors have room for the largest one; products and pointwise operations stop at the last panel of what they
   compute.  Raw inputs are copied at every step to where the pointwise part finds them, like masks.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from seqkit._core.calls cimport (
    OPERAND_INPUT, OPERAND_STATE, OPERAND_X, CallData, Input, ProgramData, Reduction, Run, Stage, input_row, input_time,
    row_at, time_slot, words,
)
from seqkit._core.heads cimport panels_together, window, window_start
from seqkit._core.machine cimport SK_L2_BYTES, SK_MAX_ROWS, sk_await, sk_product, sk_publish
from seqkit._core.places cimport lay_out_places, move_all, place_all
from seqkit._core.pointwise cimport sk_block
from seqkit._core.posts cimport clear_padding, run_posts
from seqkit._core.tasks cimport Task, task_rows

cdef int64_t CHUNK_BYTES = 384 * 1024   # columns of an input projection: a part of L2
cdef int64_t CHUNK_ROWS = 192
cdef int64_t PIPELINE_STEPS = 16        # how far a layer lags behind the one it reads


cdef int64_t chunk_rows_of(CallData *c, int64_t rows) noexcept nogil:
    """Rows of the input projection that stay in L2; at least one step of the task."""
    cdef ProgramData *p = c.program
    cdef int64_t k, columns = 1
    for k in range(p.stage_count):
        columns += p.stages[k].columns
    return max(rows, min(CHUNK_ROWS, c.batch.rows, CHUNK_BYTES // (columns * p.padded * p.kernels.size)))


cdef int64_t lay_out(Scratch *s, CallData *c, int64_t rows, char *memory) noexcept nogil:
    """Cut a thread's memory for tasks of `rows` rows; returns the bytes they take."""
    cdef ProgramData *p = c.program
    cdef int64_t k, runs = 1, columns = 0, longest = 0
    s.chunk_rows = chunk_rows_of(c, rows)
    for k in range(p.stage_count):
        columns += p.stages[k].columns
        runs = max(runs, p.stages[k].run_end - p.stages[k].run)
    cdef char *begin = memory
    s.columns = memory
    s.temps = s.columns + columns * s.chunk_rows * p.padded * p.kernels.size
    memory = s.temps + p.temps * SK_MAX_ROWS * p.width * p.kernels.size
    s.x_rows = <char **>(memory + lay_out_places(&s.places, c, memory))
    s.user_rows = s.x_rows + s.chunk_rows
    s.chunk_offset = <int64_t *>(s.user_rows + s.chunk_rows)
    s.operands = <char **>(s.chunk_offset + s.chunk_rows)
    s.encoded = <char *>(s.operands + runs * s.chunk_rows)
    for k in range(p.run_count):
        longest = max(longest, words(p, p.runs[k].inner))
    s.encoded_row = 0 if p.kernels.encode is NULL else longest * p.kernels.size
    if c.input_mask is not NULL:                # in training, where nothing is encoded
        return s.encoded + s.chunk_rows * p.features * p.kernels.size - begin
    return s.encoded + runs * s.chunk_rows * s.encoded_row - begin


cdef void set_user_rows(CallData *c, Task task, int64_t t, int64_t n, Scratch *s) noexcept nogil:
    cdef int64_t j, row, length, when
    for j in range(n):
        row = task.first + j * task.stride
        length = c.batch.length[row]
        if c.y.base is NULL or (c.last_only and t != length - 1):
            s.user_rows[j] = NULL
        else:
            when = 0 if c.last_only else (length - 1 - t if c.reverse_output else t)
            s.user_rows[j] = row_at(&c.y, c.batch.order[row], when)


cdef void encode(ProgramData *p, Scratch *s, char *memory, char **rows, int64_t count, int64_t numbers) noexcept nogil:
    """Have `rows` lead to what a product reads: themselves or, in low precision, their words."""
    cdef int64_t j
    if p.kernels.encode is not NULL:
        for j in range(count):
            p.kernels.encode(memory + j * s.encoded_row, rows[j], numbers, False)
            rows[j] = memory + j * s.encoded_row


cdef void start_products(ProgramData *p, Stage *stage, char *bias, char *columns, int64_t rows) noexcept nogil:
    """Start the columns that x has no part in, which are the last ones, at 0 (or the bias)."""
    cdef int64_t k, r, first = 0, size = p.width * p.kernels.size
    for k in range(stage.run, stage.run_end):
        if p.runs[k].operand == OPERAND_X:
            first = max(first, p.runs[k].column + p.runs[k].count)
    if first < stage.columns:
        for r in range(rows):
            memcpy(columns + (r * stage.columns + first) * size, bias + first * size, (stage.columns - first) * size)


cdef char *weights_ahead(ProgramData *p, Task task, sk_product *product, char *weights, int64_t panels, int64_t panel, int64_t turn) noexcept nogil:
    """The weights of the panel that is next, where they are too far away to be waited for; else NULL."""
    cdef int64_t size = product.length * product.w_row * p.kernels.size
    if size * panels <= SK_L2_BYTES or not task.panel <= panel + turn < min(task.panel_end, panels):
        return NULL
    return weights + turn * size


cdef void project_stage(CallData *c, Task task, Stage *stage, int64_t rows, Scratch *s, char *columns, char *bias) noexcept nogil:
    """Start the columns of one stage: bias and products with x."""
    cdef ProgramData *p = c.program
    cdef int64_t k, m, size = p.kernels.size, line = stage.columns * p.width
    cdef sk_product product
    cdef char *weights
    cdef Run run
    product.step, product.segments, product.segment, product.z_row, product.ahead = 1, 1, 0, line, NULL
    for m in range(task.panel, task.panel_end):
        start_products(p, stage, bias + m * line * size, columns + m * s.chunk_rows * line * size, rows)
        for k in range(stage.run, stage.run_end):
            run = p.runs[k]
            if run.operand != OPERAND_X or m >= run.panels:
                continue
            product.length, product.w_row = words(p, run.inner), run.count * p.width
            product.bias = bias + (m * line + run.column * p.width) * size
            weights = c.weight[run.weight] + m * product.length * product.w_row * size
            if rows > 1:
                product.ahead = weights_ahead(p, task, &product, weights, run.panels, m, 1)
                p.kernels.product(&product, run.count * p.vectors, rows, s.x_rows, weights,
                                  columns + (m * s.chunk_rows * line + run.column * p.width) * size)
            elif m == task.panel:               # a single row: all panels at once
                p.kernels.line(
                    &product, run.count * p.vectors, min(task.panel_end, run.panels) - m, s.x_rows[0], weights, product.length * product.w_row * size,
                    columns + (m * s.chunk_rows * line + run.column * p.width) * size, s.chunk_rows * line * size, line * size)


cdef void mask_input(CallData *c, Task task, int64_t t0, int64_t end, Scratch *s) noexcept nogil:
    """Have the rows of steps [t0, end) of x lead to copies that are multiplied by the mask."""
    cdef int64_t t, j, r, line = c.program.features * c.program.kernels.size
    for t in range(t0, end):
        for j in range(task_rows(c.batch, task, c.batch.active[t])):
            r = s.chunk_offset[t - t0] + j
            c.program.kernels.multiply(s.encoded + r * line, s.x_rows[r], c.input_mask + c.batch.order[task.first + j * task.stride] * line,
                                       c.program.features)
            s.x_rows[r] = s.encoded + r * line


cdef int64_t project(CallData *c, Task task, int64_t t0, Scratch *s) noexcept nogil:
    """Start the columns of the steps from t0 on: bias, and the product with x; returns the end.

    Where x is being written by another thread, it waits for it (or for a stop).
    """
    cdef ProgramData *p = c.program
    cdef int64_t t = t0, rows = 0, n = 0, j, row, line, stage
    cdef char *columns = s.columns
    cdef char *bias = c.bias
    while t < c.batch.time:
        n = task_rows(c.batch, task, c.batch.active[t])
        if n == 0 or (t > t0 and rows + n > s.chunk_rows) or (task.source is not NULL and t - t0 == PIPELINE_STEPS):
            break
        s.chunk_offset[t - t0] = rows
        for j in range(n):
            row = task.first + j * task.stride
            s.x_rows[rows + j] = row_at(&c.x, c.batch.order[row], input_time(c, row, t))
        rows += n
        t += 1
    if task.source is not NULL and not sk_await(task.source, 1, c.batch.time if c.reverse else t, task.stopped):
        return t
    if c.input_mask is not NULL:
        mask_input(c, task, t0, t, s)
    encode(p, s, s.encoded, s.x_rows, rows, p.features)
    for stage in range(p.stage_count):
        line = p.stages[stage].columns * p.width
        project_stage(c, task, &p.stages[stage], rows, s, columns, bias)
        columns += p.panels * s.chunk_rows * line * p.kernels.size
        bias += p.panels * line * p.kernels.size
    return t


cdef char *vector_rows(CallData *c, Task task, int64_t t, int64_t vector) noexcept nogil:
    """Where the rows of a task begin in a vector, at step t."""
    cdef int64_t row = (c.batch.offset[t] if c.vector_taped[vector] else 0) + task.first
    return c.vector[vector] + row * c.program.padded * c.program.kernels.size


cdef void set_operands(CallData *c, Task task, int64_t t, int64_t n, Run run, char **rows) noexcept nogil:
    """Where the rows of a state, a vector or a raw input begin."""
    cdef int64_t j, size = c.program.padded * c.program.kernels.size
    cdef char *base
    if run.operand == OPERAND_INPUT:
        for j in range(n):
            rows[j] = input_row(c, task.first + j * task.stride, t, run.index)
        return
    base = vector_rows(c, task, t, run.index) if run.operand != OPERAND_STATE else c.state[run.index] + (time_slot(c, t - 1) + task.first) * size
    for j in range(n):
        rows[j] = base + j * task.stride * size


cdef void reduce(CallData *c, Task task, int64_t t, int64_t n, Stage *stage) noexcept nogil:
    """The reductions that a stage begins with."""
    cdef ProgramData *p = c.program
    cdef int64_t k, row = p.padded * p.kernels.size * task.stride
    cdef Reduction one
    for k in range(stage.reduction, stage.reduction_end):
        one = p.reductions[k]
        p.kernels.reduce(vector_rows(c, task, t, one.target), row, vector_rows(c, task, t, one.source), row, n, one.kind,
                         one.groups, one.size, p.padded)


cdef void run_stage(CallData *c, Task task, int64_t t, int64_t n, int64_t number, Scratch *s, char *columns) noexcept nogil:
    """One stage; `columns` are those of this step."""
    cdef ProgramData *p = c.program
    cdef Stage *stage = &p.stages[number]
    cdef int64_t k, first
    cdef sk_block block
    reduce(c, task, t, n, stage)
    for k in range(stage.run, stage.run_end):
        if p.runs[k].operand != OPERAND_X:
            first = (k - stage.run) * s.chunk_rows
            set_operands(c, task, t, n, p.runs[k], s.operands + first)
            encode(p, s, s.encoded + first * s.encoded_row, s.operands + first, n, p.runs[k].inner)
    block.code, block.count, block.slots = p.code + stage.code, stage.code_end - stage.code, s.places.slots + number * p.slot_count
    block.vectors, block.units, block.user_rows, block.by_panel = p.vectors, p.state_size[0], s.user_rows, n == 1
    if n == 1:
        run_line(c, task, stage, s, columns, &block, t & 1)
    else:
        run_rows(c, task, n, stage, s, columns, &block, t & 1)


cdef void run_rows(CallData *c, Task task, int64_t n, Stage *stage, Scratch *s, char *columns, sk_block *block, bint down) noexcept nogil:
    """Products and interpreter, panel by panel, on blocks that stay in L1."""
    cdef ProgramData *p = c.program
    cdef int64_t i, k, m, r0, size = p.kernels.size, line = stage.columns * p.width, capacity = s.chunk_rows
    cdef int64_t end = min(task.panel_end, stage.panels)
    cdef sk_product product
    cdef char *windows[SK_MAX_ROWS]
    cdef char **rows
    cdef char *weights
    cdef char *z
    product.step, product.segments, product.segment, product.z_row, product.bias = 1, 1, 0, line, NULL
    for i in range(end - task.panel):
        m = block.panel = end - 1 - i if down else task.panel + i
        for r0 from 0 <= r0 < n by SK_MAX_ROWS:
            block.first_row = r0
            block.rows = min(n - r0, <int64_t>SK_MAX_ROWS)
            z = columns + (m * capacity + r0) * line * size
            for k in range(stage.run, stage.run_end):
                if p.runs[k].operand != OPERAND_X and m < p.runs[k].panels:
                    product.length, product.w_row = words(p, p.runs[k].window), p.runs[k].count * p.width
                    weights = c.weight[p.runs[k].weight] + m * product.length * product.w_row * size
                    product.ahead = weights_ahead(p, task, &product, weights, p.runs[k].panels, m, -1 if down else 1)
                    rows = window(p, &p.runs[k], m, s.operands + (k - stage.run) * capacity + r0, block.rows, windows)
                    p.kernels.product(&product, p.runs[k].count * p.vectors, block.rows, rows, weights, z + p.runs[k].column * p.width * size)
            p.pointwise[stage - p.stages](block)


cdef void run_line(CallData *c, Task task, Stage *stage, Scratch *s, char *columns, sk_block *block, bint down) noexcept nogil:
    """The same for a single row: several panels at a time, as if they were rows."""
    cdef ProgramData *p = c.program
    cdef int64_t k, m, size = p.kernels.size, line = stage.columns * p.width * size, panel, start, end, done, count, turn = -1 if down else 1
    cdef sk_product product
    cdef char *a
    product.step, product.segments, product.segment = 1, 1, 0
    product.bias = product.ahead = NULL
    for k in range(stage.run, stage.run_end):
        if p.runs[k].operand != OPERAND_X:
            product.length, product.w_row = words(p, p.runs[k].window), p.runs[k].count * p.width
            panel, end = product.length * product.w_row * size, min(task.panel_end, p.runs[k].panels)
            done = 0
            while done < end - task.panel:
                start = (end - 1 if down else task.panel) + turn * done
                count = panels_together(p, &p.runs[k], start, turn, end - task.panel - done)
                a = s.operands[(k - stage.run) * s.chunk_rows] + window_start(p, &p.runs[k], start) * size
                p.kernels.line(
                    &product, p.runs[k].count * p.vectors, count, a, c.weight[p.runs[k].weight] + start * panel, turn * panel,
                    columns + start * s.chunk_rows * line + p.runs[k].column * p.width * size, turn * s.chunk_rows * line, 0)
                done += count
    block.panel, end = 0, min(task.panel_end, stage.panels)
    for m from task.panel <= m < end by SK_MAX_ROWS:
        block.first_row = m
        block.rows = min(end - m, <int64_t>SK_MAX_ROWS)
        p.pointwise[stage - p.stages](block)


cdef bint meet(Task task, int64_t count) noexcept nogil:
    """Wait until all of the team have come this far; False if the call was stopped."""
    if task.team is NULL:
        return True
    sk_publish(&task.team.progress[task.member], count)
    return sk_await(task.team.progress, task.team.members, count, task.stopped)


cdef bint post_stage(CallData *c, Task task, int64_t t, int64_t n, Stage *stage, Scratch *s, int64_t count) noexcept nogil:
    """The products of what a stage has written, once all of the team have; False if the call was stopped."""
    clear_padding(c, task, t, n, stage)
    if not meet(task, count):
        return False
    run_posts(c, task, t, n, stage, s.operands)
    return True


cdef void draw(CallData *c, Task task, int64_t t, int64_t n) noexcept nogil:
    """The masks that are others at every step; backward draws them again."""
    cdef ProgramData *p = c.program
    cdef int64_t i, j, row, first = task.panel * p.width, end = task.panel_end * p.width
    cdef char *mask
    for i in range(p.noises):
        mask = c.mask[p.masks - p.noises + i]
        for j in range(n):
            row = task.first + j * task.stride
            p.kernels.factors(mask + (row * p.padded + first) * p.kernels.size, &c.noise[i],
                              c.first_row + c.batch.order[row], c.first_step + t, first, end)


cdef void load_inputs(CallData *c, Task task, int64_t t, int64_t n) noexcept nogil:
    """Copy the raw inputs of a step to where the pointwise part reads them, a single number to every unit."""
    cdef ProgramData *p = c.program
    cdef int64_t i, j, k, row, size = p.kernels.size, first = task.panel * p.width, end = task.panel_end * p.width
    cdef Input input
    cdef char *source
    cdef char *target
    for i in range(p.input_count):
        input = p.inputs[i]
        for j in range(n):
            row = task.first + j * task.stride
            source, target = input_row(c, row, t, input.first), c.raw[i] + row * p.padded * size
            if input.size > 1:
                memcpy(target + first * size, source + first * size, max(<int64_t>0, min(end, input.size) - first) * size)
            else:
                for k in range(first, end):
                    memcpy(target + k * size, source, size)


cdef bint run_step(CallData *c, Task task, int64_t t, int64_t n, Scratch *s, int64_t column_row) noexcept nogil:
    """One step of a task; False if the call was stopped."""
    cdef ProgramData *p = c.program
    cdef int64_t stage, line, count = 2 + 2 * (c.batch.time - 1 - t if p.backward else t) * p.stage_count
    cdef char *columns = s.columns
    if s.places.by_panel != (n == 1):
        place_rows(c, task, s, n == 1)
    draw(c, task, t, n)
    load_inputs(c, task, t, n)
    move_all(&s.places, c, t, column_row)
    set_user_rows(c, task, t, n, s)
    for stage in range(p.stage_count):
        line = p.stages[stage].columns * p.width * p.kernels.size
        run_stage(c, task, t, n, stage, s, columns + column_row * line)
        if p.backward and not post_stage(c, task, t, n, &p.stages[stage], s, count + 2 * stage):
            return False
        columns += p.panels * s.chunk_rows * line
        if not meet(task, count + 2 * stage + 1):
            return False
    return True


cdef void copy_rows(CallData *c, Task task, char *buffer, char *user, int64_t numbers) noexcept nogil:
    """Rows (sorted, padded) of the engine from (batch, numbers) of the user; NULL is zero."""
    cdef ProgramData *p = c.program
    cdef int64_t row, line = numbers * p.kernels.size, padded = p.padded * p.kernels.size
    for row from task.first <= row < c.batch.size by task.stride:
        memset(buffer + row * padded, 0, padded)
        if user is not NULL:
            memcpy(buffer + row * padded, user + c.batch.order[row] * line, line)


cdef void place_rows(CallData *c, Task task, Scratch *s, bint by_panel) noexcept nogil:
    place_all(&s.places, c, task.first, task.stride, by_panel, s.columns, s.temps, s.chunk_rows)


cdef bint begin_task(CallData *c, Task task, Scratch *s) noexcept nogil:
    place_rows(c, task, s, False)
    return load_states(c, task)


cdef bint load_states(CallData *c, Task task) noexcept nogil:
    """Copy the initial states; False if the call was stopped."""
    cdef int64_t i, half = c.batch.size * c.program.padded * c.program.kernels.size
    for i in range(c.program.states if task.member == 0 else 0):
        if c.program.backward:
            copy_rows(c, task, c.carry[i], c.initial[i], c.program.state_size[i])
            copy_rows(c, task, c.carry[i] + half, c.initial[i], c.program.state_size[i])
        else:
            copy_rows(c, task, c.state[i], c.initial[i], c.program.state_size[i])
    return meet(task, 1)


cdef void end_task(CallData *c, Task task) noexcept nogil:
    cdef ProgramData *p = c.program
    cdef int64_t i, row, slot, line, padded = p.padded * p.kernels.size
    for i in range(p.states if task.member == 0 else 0):
        if c.final[i] is NULL:
            continue
        line = p.state_size[i] * p.kernels.size
        for row from task.first <= row < c.batch.size by task.stride:
            slot = 0 if p.backward else time_slot(c, c.batch.length[row] - 1)
            memcpy(c.final[i] + c.batch.order[row] * line, (c.carry[i] if p.backward else c.state[i]) + (slot + row) * padded, line)
