"""Kernels of the built-in cells, made when the package is built (seqkit.build)."""

kernels: object  # a capsule, see pointwise.h
