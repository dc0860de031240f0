from libc.stdint cimport int32_t, int64_t

from seqkit._core.machine cimport Arena, sk_kernels, sk_noise
from seqkit._core.pointwise cimport sk_instruction, sk_pointwise

cdef struct Slot:       # where a value of the program lies, before addresses are known
    int64_t kind, index, columns

cdef struct Stage:      # half-open ranges into the program's lists
    int64_t columns, first_column
    int64_t code, code_end
    int64_t reduction, reduction_end
    int64_t run, run_end
    int64_t post, post_end
    int64_t clear, clear_end
    int64_t panels          # that its pointwise part computes

cdef struct Run:        # `count` adjoining columns += operand @ packed weight
    int64_t operand, index, column, count, inner, rows, panels, weight      # inner: of the operand; rows: of each column
    int64_t heads, window, back     # numbers of the operand that a panel reads, panels that a group reads on the way back

cdef struct Reduction:  # vectors[target] = what `kind` makes of the first `size` numbers of vectors[source], group by group
    int64_t target, source, kind, groups, size

cdef struct Post:       # target rows += grad columns @ packed transposed weight
    int64_t target, index, column, count, inner, panels, weight     # numbers of the target, panels of each column
    int64_t rows, heads, back       # see Run

cdef struct Clear:      # a gradient column that products read whole: its last panel, and how many numbers that has
    int64_t column, panel, numbers

cdef struct Input:      # a raw input: `size` features of x that the pointwise part reads, or one for all units
    int64_t first, size

cdef struct ProgramData:
    const sk_kernels *kernels
    int64_t features, vectors, width, panels, padded, columns       # panels of the largest vector
    int64_t states, saved, temps, vector_count, reduction_count, masks, noises
    int64_t slot_count, stage_count, run_count, input_count
    int64_t *state_size         # the first is that of the output
    bint backward
    Slot *slots
    Stage *stages
    Run *runs
    Reduction *reductions
    Post *posts
    Clear *clears
    Input *inputs
    sk_instruction *code
    sk_pointwise *pointwise     # of every stage: a compiled kernel or the interpreter
    char *constants

cdef struct BatchData:      # rows of a batch in the order the engine works in: longest first
    int64_t size, time, rows
    int64_t *order          # (size) user row of a sorted row
    int64_t *length         # (size) of a sorted row, descending
    int64_t *active         # (time) how many rows are longer than t
    int64_t *offset         # (time + 1) tape row of (t, 0)
    int64_t blocks
    int64_t *block          # (blocks + 1) first tape row of every block, and the number of rows

cdef struct Rows:           # of a user's array: (user row, t) is at base + start[row] + t*along
    char *base
    int64_t *start
    int64_t along

cdef struct CallData:       # one direction of one layer on one batch, every address bound
    ProgramData *program
    BatchData *batch
    bint taped, reverse, reverse_output, last_only
    Rows x, y               # y: output, or dy in a backward call
    char *state[8]          # [time slot][row][padded]
    char *carry[8]          # [2][row][padded]
    char *vector[64]        # [row or tape row][padded]
    bint vector_taped[64]
    char *raw[16]           # [row][padded] of this step
    char *mask[16]          # [row][padded]; the last ones are drawn at every step:
    sk_noise noise[8]
    int64_t first_row, first_step   # numbers of the batch's first row and of its first step, for what is drawn
    char *input_mask        # (size, features) of the user: what x is multiplied by, or NULL
    char *saved             # [panel][tape row][saved][width]
    char *grad              # [panel][tape row][columns][width]
    char *initial[8]        # (size, numbers of the state) of the user, or NULL
    char *final[8]
    char *parameters
    char *bias
    char *weight[64]

cdef class Program:
    cdef ProgramData data
    cdef readonly object tables
    cdef readonly str problem
    cdef readonly tuple providers   # of the kernel of every stage: name and version of a package; None: interpreted
    cdef int bind_pointwise(self, list tables) except -1

cdef class Batch:
    cdef BatchData data
    cdef object keep
    cdef void cut(self)

cdef class Call:
    cdef CallData data
    cdef readonly Program program
    cdef readonly Batch batch
    cdef object keep
    cdef void place(self, Arena tape, Arena work, set taped_vectors, Call forward) except *

cdef int bind_rows(Rows *rows, object description) except -1

cdef enum:  # kinds of slots, in the order of calls.SLOTS
    TEMP, CONSTANT, PARAMETER, COLUMN, PREVIOUS, NEXT, VECTOR, SAVED, GRAD, CARRY_IN, CARRY_OUT, MASK, INPUT

cdef enum:  # operands of runs and targets of posts, in the order of calls.OPERANDS
    OPERAND_X, OPERAND_STATE, OPERAND_VECTOR, TARGET_CARRY, OPERAND_INPUT

cdef enum:
    BLOCK_ROWS = 128            # whose gradient columns fit into L1

cdef inline int64_t words(ProgramData *p, int64_t numbers) noexcept nogil:
    """Numbers or, in low precision, words of a row of `numbers` as a product reads it."""
    return p.kernels.head + (numbers + p.kernels.group - 1) // p.kernels.group

cdef inline int64_t panels_of(ProgramData *p, int64_t numbers) noexcept nogil:
    """Panels that hold the first `numbers` of a vector."""
    return (numbers + p.width - 1) // p.width

cdef inline int64_t input_time(CallData *c, int64_t row, int64_t t) noexcept nogil:
    """Where in the user's x the row's step t lies."""
    return c.batch.length[row] - 1 - t if c.reverse else t

cdef inline char *row_at(Rows *rows, int64_t row, int64_t t) noexcept nogil:
    return rows.base + rows.start[row] + t * rows.along

cdef inline char *input_row(CallData *c, int64_t row, int64_t t, int64_t first) noexcept nogil:
    """The features of x from `first` on, of a sorted row at step t."""
    return row_at(&c.x, c.batch.order[row], input_time(c, row, t)) + first * c.program.kernels.size

cdef inline int64_t time_slot(CallData *c, int64_t t) noexcept nogil:
    """Row of the state buffer where step t begins; t = -1 is the initial state."""
    if not c.taped:
        return ((t + 1) & 1) * c.batch.size
    return 0 if t < 0 else c.batch.size + c.batch.offset[t]

cdef inline void add_numbers(ProgramData *p, char *total, char *numbers, int64_t count) noexcept nogil:
    """Add numbers to one, in their order."""
    cdef int64_t k
    for k in range(count):
        if p.kernels.size == sizeof(double):
            (<double *>total)[0] += (<double *>numbers)[k]
        else:
            (<float *>total)[0] += (<float *>numbers)[k]
