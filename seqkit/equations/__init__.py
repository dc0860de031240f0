"""Equations: a cell's ``step``, traced into a program from which the gradient is derived.

``cell`` is what authors subclass, ``functions`` what they write with; ``trace`` makes a
:class:`Program` of a step, ``derive`` the program of its gradient, ``lower`` the tables that
the engine runs; ``reference`` runs a step as it is written, in NumPy.
"""

from seqkit.equations.cell import Cell, OppositeOf, Parameter, make_cell, matrix, scalar, vector
from seqkit.equations.derive import derive
from seqkit.equations.functions import (
    ACTIVATIONS,
    absolute,
    affine,
    clip,
    elu,
    exp,
    floor,
    gelu,
    group_norm,
    hard_sigmoid,
    largest,
    layer_norm,
    leaky_relu,
    linear,
    log,
    maximum,
    mean,
    minimum,
    relu,
    scaled_tanh,
    sigmoid,
    silu,
    softplus,
    softsign,
    sqrt,
    tanh,
    thresholded_relu,
    total,
    where,
)
from seqkit.equations.program import Program
from seqkit.equations.reference import run_reference
from seqkit.equations.text import describe_equations, describe_program
from seqkit.equations.trace import trace

__all__ = [
    "ACTIVATIONS",
    "Cell",
    "OppositeOf",
    "Parameter",
    "Program",
    "absolute",
    "affine",
    "clip",
    "derive",
    "describe_equations",
    "describe_program",
    "elu",
    "exp",
    "floor",
    "gelu",
    "group_norm",
    "hard_sigmoid",
    "largest",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log",
    "make_cell",
    "matrix",
    "maximum",
    "mean",
    "minimum",
    "relu",
    "run_reference",
    "scalar",
    "scaled_tanh",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "sqrt",
    "tanh",
    "thresholded_relu",
    "total",
    "trace",
    "vector",
    "where",
]
