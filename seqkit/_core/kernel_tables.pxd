from seqkit._core.pointwise cimport sk_compiled, sk_pointwise

cdef class KernelTable:
    cdef object keep
    cdef readonly str package
    cdef readonly dict kernels      # (dtype, name): address
    cdef int take(self, str dtype, const sk_compiled *kernel) except -1
    cdef sk_pointwise find(self, str dtype, str name) noexcept
