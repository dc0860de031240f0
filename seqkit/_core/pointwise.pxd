"""Declarations of pointwise.h, for the engine and for packages that write kernels in Cython."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "pointwise.h" nogil:
    int64_t SK_ABI
    const char *SK_CAPSULE
    ctypedef struct sk_instruction:
        int32_t operation, target, a, b, c
    ctypedef struct sk_slot:
        char *base
        int64_t panel, row, block
    ctypedef struct sk_block:
        const sk_instruction *code
        int64_t count
        const sk_slot *slots
        int64_t panel, first_row, rows, vectors, units
        char **user_rows
        int64_t by_panel
    ctypedef void (*sk_pointwise)(const sk_block *) noexcept nogil
    ctypedef struct sk_compiled:
        const char *name
        sk_pointwise run
    ctypedef struct sk_kernel_set:
        const char *isa
        const sk_compiled *f32
        const sk_compiled *f64
    ctypedef struct sk_kernel_module:
        int64_t abi
        const char *package
        const char *built_against
        const sk_kernel_set *sets
