from cpython.object cimport PyObject
from libc.stdint cimport int64_t

cdef int type_number(str dtype) except -1
cdef bint is_rows(object array, int type, int64_t features) noexcept
cdef bint is_matrix(object array, int type, int64_t rows, int64_t columns) noexcept
cdef int64_t rows_of(object array) noexcept
cdef int64_t stride_of(object array) noexcept
cdef char *data_of(object array) noexcept

cdef class Results:
    cdef int type
    cdef int64_t features, states
    cdef tuple sizes
    cdef int64_t size[8]
    cdef tuple older, newer
    cdef tuple take(self, int64_t rows)
    cdef bint free(self, PyObject *result, int64_t rows) noexcept
    cdef bint free_array(self, PyObject *array, int64_t rows, int64_t columns) noexcept
    cdef tuple make(self, int64_t rows)
