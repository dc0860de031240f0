"""Posts: products of the gradients that a backward step has written with transposed weights.

Legend: t time, j row of a task, n rows of a task at this step.

a. target[row] += gradient columns @ weights, over all panels that the gradient has at once; targets are
   the gradients of states (which the step before reads) or of vectors (which the next stage reads).
b. Groups of up to four vectors of the target, upwards and downwards in turn: what a step has read last is
   still near; a team of threads shares the groups.
c. The tape is far larger than the caches, and a step finds nothing of it there: what the step
   before will read and write is fetched while the products run.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from seqkit._core.calls cimport TARGET_CARRY, CallData, Clear, Post, ProgramData, Stage
from seqkit._core.heads cimport back_start
from seqkit._core.machine cimport SK_MAX_VECTORS, sk_product
from seqkit._core.tasks cimport Task

cdef void clear_padding(CallData *c, Task task, int64_t t, int64_t n, Stage *stage) noexcept nogil:
    """Zero what lies past the end of gradients in their last panels, which products read whole."""
    cdef ProgramData *p = c.program
    cdef int64_t k, j, size = p.kernels.size
    cdef char *grad
    cdef Clear clear
    for k in range(stage.clear, stage.clear_end):
        clear = p.clears[k]
        if task.panel <= clear.panel < task.panel_end:
            grad = c.grad + (clear.panel * c.batch.rows + c.batch.offset[t] + task.first) * p.columns * p.width * size
            for j in range(n):
                memset(grad + ((j * task.stride * p.columns + clear.column) * p.width + clear.numbers) * size, 0, (p.width - clear.numbers) * size)


cdef void fetch_step(CallData *c, Task task, int64_t t, sk_product *product, char *tape, int64_t columns) noexcept nogil:
    """Have a product fetch a step's rows of a tape, piece by piece what lies in one panel."""
    cdef int64_t row = columns * c.program.width * c.program.kernels.size
    product.ahead = tape + (c.batch.offset[t] + task.first) * row if t >= 0 else NULL
    product.ahead_segment = c.batch.rows * row


cdef int64_t tiles_of(ProgramData *p, int64_t rows) noexcept nogil:
    return (rows + p.kernels.tile_rows - 1) // p.kernels.tile_rows


cdef void multiply_rows(CallData *c, Task task, int64_t t, int64_t n, sk_product *product, int64_t vectors, char **rows,
                        char *weights, char *target) noexcept nogil:
    """The product of one group; half of it fetches what the step before will read, half where it will write."""
    cdef ProgramData *p = c.program
    cdef int64_t size = p.kernels.size, half = n * (tiles_of(p, n) // 2) // tiles_of(p, n), first = vectors - vectors // 2
    fetch_step(c, task, t - 1, product, c.saved, p.saved)
    if p.kernels.tile_rows < n <= p.kernels.tall_rows and vectors > 1:   # one tall tile: half of the vectors
        p.kernels.product(product, first, n, rows, weights, target)
        fetch_step(c, task, t - 1, product, c.grad, p.columns)
        first *= p.kernels.lanes * size
        p.kernels.product(product, vectors // 2, n, rows, weights + first, target + first)
        return
    p.kernels.product(product, vectors, n - half, rows, weights, target)
    if half > 0:
        fetch_step(c, task, t - 1, product, c.grad, p.columns)
        p.kernels.product(product, vectors, half, rows + n - half, weights, target + (n - half) * product.z_row * size)


cdef void run_post(CallData *c, Task task, int64_t t, int64_t n, Post post, sk_product *product, char **rows) noexcept nogil:
    """The groups of one post that belong to this member of a team."""
    cdef ProgramData *p = c.program
    cdef int64_t lanes = p.kernels.lanes, size = p.kernels.size, total = (post.inner + lanes - 1) // lanes
    cdef int64_t groups = (total + SK_MAX_VECTORS - 1) // SK_MAX_VECTORS, members = 1 if task.team is NULL else task.team.members
    cdef int64_t g = groups * task.member // members * SK_MAX_VECTORS, whole, vectors
    cdef int64_t end = min(total, groups * (task.member + 1) // members * SK_MAX_VECTORS)
    cdef int64_t inner = product.length * product.segments * lanes * size       # bytes of weights of one vector
    cdef char *weight = c.weight[post.weight]
    cdef char *target = c.vector[post.index]
    if post.target == TARGET_CARRY:
        target = c.carry[post.index] + (t & 1) * c.batch.size * p.padded * size
    target += task.first * p.padded * size
    if n == 1 and post.back == post.panels:     # whole groups at once, then what is left
        whole = (end - g) // SK_MAX_VECTORS
        product.w_row = SK_MAX_VECTORS * lanes
        p.kernels.line(product, SK_MAX_VECTORS, whole, rows[0], weight + g * inner, SK_MAX_VECTORS * inner,
                       target + g * lanes * size, product.w_row * size, 0)
        g += whole * SK_MAX_VECTORS
    cdef int64_t first = g, count = (end - g + SK_MAX_VECTORS - 1) // SK_MAX_VECTORS, i, j, panel, panel_before = 0
    for i in range(count):
        g = first + (count - 1 - i if t & 1 else i) * SK_MAX_VECTORS
        vectors = min(total - g, <int64_t>SK_MAX_VECTORS)
        panel = back_start(p, &post, g * lanes)
        for j in range(n if panel != panel_before else 0):
            rows[j] += (panel - panel_before) * product.segment * size
        panel_before = panel
        product.w_row = vectors * lanes
        multiply_rows(c, task, t, n, product, vectors, rows, weight + g * inner, target + g * lanes * size)


cdef void run_posts(CallData *c, Task task, int64_t t, int64_t n, Stage *stage, char **rows) noexcept nogil:
    """All posts of a stage; `rows` is room for the addresses of n rows."""
    cdef ProgramData *p = c.program
    cdef int64_t k, j, line = p.columns * p.width
    cdef char *grad = c.grad + (c.batch.offset[t] + task.first) * line * p.kernels.size
    cdef sk_product product
    product.step, product.segment = 1, c.batch.rows * line
    product.z_row, product.bias, product.ahead = p.padded * task.stride, NULL, NULL
    for k in range(stage.post, stage.post_end):
        for j in range(n):
            rows[j] = grad + (j * task.stride * line + p.posts[k].column * p.width) * p.kernels.size
        product.length, product.segments = p.posts[k].count * p.width, p.posts[k].back
        run_post(c, task, t, n, p.posts[k], &product, rows)
