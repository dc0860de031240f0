"""Functions of single numbers, or of the features of a step, as nodes: the activations of feed-forward layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.builder import Builder

Write = Callable[..., str]

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "exp": ("Exp", {}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "tanh": ("Tanh", {}),
}
"""Functions that are an operator, in ONNX Runtime of every dtype, with its attributes."""


def activation(builder: Builder, choice: str | Mapping[str, Any] | None, x: str, owner: str) -> str:
    """An activation of :mod:`seqkit.activations`, None for none, as nodes.

    Raises
    ------
    ConvertError
        If nobody has said how it is written.
    """
    options = dict(choice) if isinstance(choice, Mapping) else {"name": choice or "linear"}
    name = options.pop("name")
    if name == "linear":
        return x
    if name in OPERATORS:
        op_type, attributes = OPERATORS[name]
        return builder.op(op_type, x, **attributes)
    if name not in WRITTEN:
        raise ConvertError(f"{owner}: activation {name!r} has no form in ONNX that is known here.")
    return WRITTEN[name](builder, x, **options)


def softplus(b: Builder, x: str) -> str:
    """max(x, 0) + log(1 + exp(-|x|)): ONNX Runtime has no Softplus of float64, and no overflow may happen."""
    small = b.op("Exp", b.op("Neg", b.op("Abs", x)))
    return b.op("Add", b.op("Relu", x), b.op("Log", b.op("Add", small, b.number(1.0))))


def limited(b: Builder, x: str, low: float, high: float) -> str:
    """x, not below `low` and not above `high`."""
    return b.op("Min", b.op("Max", x, b.number(low)), b.number(high))


def line(b: Builder, x: str, slope: float, offset: float) -> str:
    """slope * x + offset."""
    return b.op("Add", b.op("Mul", x, b.number(slope)), b.number(offset))


def where_positive(b: Builder, x: str, below: str) -> str:
    """x where it is above 0, else `below`."""
    return b.op("Where", b.op("Greater", x, b.number(0.0)), x, below)


def elu(b: Builder, x: str, alpha: float = 1.0) -> str:
    """alpha * (exp(x) - 1) below 0."""
    powers = b.op("Exp", b.op("Min", x, b.number(0.0)))
    return where_positive(b, x, b.op("Mul", b.op("Sub", powers, b.number(1.0)), b.number(alpha)))


def leaky_relu(b: Builder, x: str, alpha: float = 0.01) -> str:
    """alpha * x below 0."""
    return where_positive(b, x, b.op("Mul", x, b.number(alpha)))


def selu(b: Builder, x: str) -> str:
    """The ELU whose outputs keep mean and variance (Klambauer et al., 2017)."""
    return b.op("Mul", elu(b, x, 1.6732632423543772), b.number(1.0507009873554805))


def hard_sigmoid(b: Builder, x: str) -> str:
    """x / 6 + 1/2 between 0 and 1."""
    return limited(b, b.op("Add", b.op("Div", x, b.number(6.0)), b.number(0.5)), 0.0, 1.0)


def sparse_sigmoid(b: Builder, x: str) -> str:
    """x / 2 + 1/2 between 0 and 1."""
    return limited(b, line(b, x, 0.5, 0.5), 0.0, 1.0)


def exact_gelu(b: Builder, x: str) -> str:
    """x times the normal distribution's probability of a number below x."""
    share = line(b, b.op("Erf", b.op("Div", x, b.number(math.sqrt(2)))), 0.5, 0.5)
    return b.op("Mul", x, share)


def squareplus(b: Builder, x: str) -> str:
    """(x + sqrt(x^2 + 4)) / 2."""
    root = b.op("Sqrt", b.op("Add", b.op("Mul", x, x), b.number(4.0)))
    return b.op("Mul", b.op("Add", x, root), b.number(0.5))


def sparse_plus(b: Builder, x: str) -> str:
    """0 up to -1, x from 1 on, ((x + 1) / 2)^2 between them."""
    share = sparse_sigmoid(b, x)
    return b.op("Add", b.op("Mul", share, share), b.op("Relu", b.op("Sub", x, b.number(1.0))))


def hard_shrink(b: Builder, x: str) -> str:
    """x where it is more than 1/2 away from 0, else 0."""
    return b.op("Where", b.op("Greater", b.op("Abs", x), b.number(0.5)), x, b.number(0.0))


WRITTEN: dict[str, Write] = {
    "elu": elu,
    "exact_gelu": exact_gelu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": lambda b, x: b.op("Mul", x, hard_sigmoid(b, x)),
    "hard_tanh": lambda b, x: limited(b, x, -1.0, 1.0),
    "leaky_relu": leaky_relu,
    "log_sigmoid": lambda b, x: b.op("Neg", softplus(b, b.op("Neg", x))),
    "mish": lambda b, x: b.op("Mul", x, b.op("Tanh", softplus(b, x))),
    "relu6": lambda b, x: limited(b, x, 0.0, 6.0),
    "selu": selu,
    "silu": lambda b, x: b.op("Mul", x, b.op("Sigmoid", x)),
    "soft_shrink": lambda b, x: b.op("Sub", x, limited(b, x, -0.5, 0.5)),
    "softplus": softplus,
    "softsign": lambda b, x: b.op("Div", x, b.op("Add", b.op("Abs", x), b.number(1.0))),  # there is none of float64
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "squareplus": squareplus,
    "tanh_shrink": lambda b, x: b.op("Sub", x, b.op("Tanh", x)),
}
"""All others."""
