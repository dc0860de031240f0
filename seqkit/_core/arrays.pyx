"""NumPy arrays where microseconds count: checks without Python calls, results that are used again."""

cimport cython
cimport numpy as np
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

np.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *thing) noexcept
    PyObject *PyTuple_GET_ITEM(PyObject *items, Py_ssize_t n) noexcept


cdef int type_number(str dtype) except -1:
    return np.NPY_DOUBLE if dtype == "float64" else np.NPY_FLOAT


cdef bint is_rows(object array, int type, int64_t features) noexcept:
    """Whether this is a (rows, features) array whose rows the engine can read where they lie."""
    if not np.PyArray_CheckExact(array) or np.PyArray_NDIM(array) != 2 or np.PyArray_TYPE(array) != type:
        return False
    if np.PyArray_DIM(array, 1) != features or not np.PyArray_ISBEHAVED_RO(array):
        return False
    return features < 2 or np.PyArray_DIM(array, 0) == 0 or np.PyArray_STRIDE(array, 1) == np.PyArray_ITEMSIZE(array)


cdef bint is_matrix(object array, int type, int64_t rows, int64_t columns) noexcept:
    """Whether this is a contiguous (rows, columns) array."""
    if not np.PyArray_CheckExact(array) or np.PyArray_NDIM(array) != 2 or np.PyArray_TYPE(array) != type:
        return False
    return np.PyArray_DIM(array, 0) == rows and np.PyArray_DIM(array, 1) == columns and np.PyArray_ISCARRAY_RO(array)


cdef int64_t rows_of(object array) noexcept:
    return np.PyArray_DIM(array, 0)


cdef int64_t stride_of(object array) noexcept:
    """Bytes from row to row."""
    return np.PyArray_STRIDE(array, 0)


cdef char *data_of(object array) noexcept:
    return <char *>np.PyArray_DATA(array)


@cython.final
cdef class Results:
    """Tuples (y, (state, ...)) of new arrays; one that nobody else holds any part of is given again.

    Two are kept: while the user holds the result of one step, the next is written to the other.
    A view holds the array it belongs to, so the counts of references tell the truth.
    """

    def __cinit__(self, str dtype, int64_t features, tuple sizes):
        """Outputs of so many features, states of these sizes."""
        self.type, self.features, self.states, self.sizes = type_number(dtype), features, len(sizes), sizes
        for i, size in enumerate(sizes):
            self.size[<int64_t>i] = size

    cdef tuple take(self, int64_t rows):
        """A result of so many rows, with arrays that hold anything."""
        if not self.free(<PyObject *>self.older, rows):
            if self.free(<PyObject *>self.newer, rows):
                return self.newer
            self.older = self.make(rows)
        self.older, self.newer = self.newer, self.older
        return self.newer

    cdef bint free(self, PyObject *result, int64_t rows) noexcept:
        if result == <PyObject *>None or Py_REFCNT(result) != 1:
            return False
        cdef PyObject *state = PyTuple_GET_ITEM(result, 1)
        cdef int64_t i
        if self.states > 0 and Py_REFCNT(state) != 1:  # without states it is the one empty tuple
            return False
        for i in range(self.states):
            if not self.free_array(PyTuple_GET_ITEM(state, i), rows, self.size[i]):
                return False
        return self.free_array(PyTuple_GET_ITEM(result, 0), rows, self.features)

    cdef bint free_array(self, PyObject *array, int64_t rows, int64_t columns) noexcept:
        """Whether nobody else holds the array, nor has changed what it is."""
        if Py_REFCNT(array) != 1:
            return False
        return is_matrix(<object>array, self.type, rows, columns) and np.PyArray_ISWRITEABLE(<object>array)

    cdef tuple make(self, int64_t rows):
        state = tuple([new_matrix(rows, size, self.type) for size in self.sizes])
        return new_matrix(rows, self.features, self.type), state


cdef object new_matrix(int64_t rows, int64_t columns, int type):
    cdef np.npy_intp[2] shape = [rows, columns]
    return np.PyArray_SimpleNew(2, shape, type)
