from seqkit._core.machine cimport sk_noise

cdef class Noise:
    cdef sk_noise data
