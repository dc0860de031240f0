"""The functions that equations may use, on symbols and on NumPy arrays alike.

Every function here accepts what a ``step`` computes with: symbols while it is traced,
float64 arrays where it is the reference.  Functions that the engine has no operation for are
written with those it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.equations.symbols import Symbol, fail, operation


def _function(name: str, on_arrays: Callable[..., Any], operands: int = 1) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        if len(values) != operands:
            raise TypeError(f"{name} takes {operands} argument(s), got {len(values)}")
        if any(isinstance(value, Symbol) for value in values):
            return operation(name, *values)
        with np.errstate(over="ignore"):
            return on_arrays(*values)[()]  # a number for numbers

    call.__name__ = call.__qualname__ = name
    return call


def _reduction(name: str, on_runs: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, groups: int = 1) -> Any:
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
            fail(f"{name}: groups must be a positive integer, got {groups!r}.")
        if isinstance(x, Symbol):
            return operation(name, x, detail=groups)
        if np.ndim(x) == 0 or np.shape(x)[-1] % groups:
            fail(f"{name}: needs a vector whose units {groups} groups can share evenly, got shape {np.shape(x)}.")
        runs = np.reshape(x, (*np.shape(x)[:-1], groups, -1))
        return np.broadcast_to(on_runs(runs, axis=-1, keepdims=True), runs.shape).reshape(np.shape(x))

    call.__name__ = call.__qualname__ = name
    return call


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


sigmoid = _function("sigmoid", _sigmoid)
tanh = _function("tanh", np.tanh)
relu = _function("relu", lambda x: np.maximum(x, 0.0))
exp = _function("exp", np.exp)
log = _function("log", np.log)
softplus = _function("softplus", lambda x: np.logaddexp(x, 0.0))
sqrt = _function("sqrt", np.sqrt)
floor = _function("floor", np.floor)
absolute = _function("abs", np.abs)
maximum = _function("maximum", np.maximum, 2)
minimum = _function("minimum", np.minimum, 2)
where = _function("where", np.where, 3)
mean = _reduction("mean", np.mean)
total = _reduction("total", np.sum)
largest = _reduction("largest", np.max)

sigmoid.__doc__ = "Logistic function 1 / (1 + exp(-x))."
tanh.__doc__ = "Hyperbolic tangent."
relu.__doc__ = "max(x, 0); the derivative at 0 is 0."
exp.__doc__ = "Exponential."
log.__doc__ = "Natural logarithm; a subnormal number counts as 0."
softplus.__doc__ = "log(1 + exp(x)), without overflow."
sqrt.__doc__ = "Square root."
floor.__doc__ = "The greatest whole number not above x; the derivative is 0."
absolute.__doc__ = "Absolute value; the derivative at 0 is 0. Also ``abs(x)``."
maximum.__doc__ = "The larger of two; where equal, the derivative goes to the first."
minimum.__doc__ = "The smaller of two; where equal, the derivative goes to the first."
where.__doc__ = "where(condition, a, b): a where the condition (a comparison) holds, else b."
mean.__doc__ = "Mean over the units, or over each of `groups` equal runs of units; the same for all that share it."
total.__doc__ = "Sum over the units, or over each of `groups` equal runs of units; the same for all that share it."
largest.__doc__ = """Largest of the units, or of each of `groups` equal runs of units; the same for all that share it.
The derivative goes to the first of the largest ones."""


def linear(x: Any) -> Any:
    """The identity."""
    return x


def clip(x: Any, low: Any, high: Any) -> Any:
    """x limited to [low, high]."""
    return minimum(maximum(x, low), high)


def affine(x: Any, alpha: float = 1.0, beta: float = 0.0) -> Any:
    """alpha * x + beta."""
    return alpha * x + beta


def leaky_relu(x: Any, alpha: float = 0.01) -> Any:
    """x where it is not negative, else alpha * x (Maas et al., 2013)."""
    return where(x >= 0, x, alpha * x)


def thresholded_relu(x: Any, alpha: float = 1.0) -> Any:
    """x from alpha on, else 0 (Konda et al., 2015)."""
    return where(x >= alpha, x, 0.0)


def scaled_tanh(x: Any, alpha: float = 1.0, beta: float = 1.0) -> Any:
    """alpha * tanh(beta * x)."""
    return alpha * tanh(beta * x)


def hard_sigmoid(x: Any, alpha: float = 1 / 6, beta: float = 0.5) -> Any:
    """Piecewise linear sigmoid clip(alpha * x + beta, 0, 1), by default as Keras 3 has it."""
    return clip(alpha * x + beta, 0.0, 1.0)


def softsign(x: Any) -> Any:
    """x / (1 + abs(x))."""
    return x / (1 + absolute(x))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, else alpha * (exp(x) - 1) (Clevert et al., 2016)."""
    return where(x > 0, x, alpha * (exp(minimum(x, 0.0)) - 1))


def silu(x: Any) -> Any:
    """x * sigmoid(x), also called swish."""
    return x * sigmoid(x)


def gelu(x: Any) -> Any:
    """The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel, 2016):
    x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))."""
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def selu(x: Any) -> Any:
    """The scaled elu, 1.0507 x where positive, else 1.7581 (exp(x) - 1) (Klambauer et al., 2017)."""
    scale, alpha = SELU
    return scale * where(x > 0, x, alpha * (exp(minimum(x, 0.0)) - 1))


def relu6(x: Any) -> Any:
    """x limited to [0, 6]."""
    return clip(x, 0.0, 6.0)


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    return x * tanh(softplus(x))


def hard_silu(x: Any) -> Any:
    """x * hard_sigmoid(x), also called hard swish."""
    return x * hard_sigmoid(x)


def hard_tanh(x: Any) -> Any:
    """x limited to [-1, 1]."""
    return clip(x, -1.0, 1.0)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without overflow."""
    return -softplus(-x)


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return x - tanh(x)


def soft_shrink(x: Any) -> Any:
    """x moved towards 0 by 1/2, 0 where it is nearer."""
    return x - clip(x, -0.5, 0.5)


def hard_shrink(x: Any) -> Any:
    """x, 0 where abs(x) is at most 1/2."""
    return where(absolute(x) > 0.5, x, 0.0)


def squareplus(x: Any) -> Any:
    """(x + sqrt(x^2 + 4)) / 2 (Barron, 2021)."""
    return 0.5 * (x + sqrt(x * x + 4.0))


def sparse_plus(x: Any) -> Any:
    """0 up to -1, (x + 1)^2 / 4 up to 1, then x."""
    near = clip(x, -1.0, 1.0) + 1
    return 0.25 * near * near + maximum(x - 1, 0.0)


def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2 limited to [0, 1], the derivative of sparse_plus."""
    return clip(0.5 * x + 0.5, 0.0, 1.0)


def layer_norm(x: Any, gain: Any = 1.0, bias: Any = 0.0, epsilon: float = 1e-5) -> Any:
    """gain * (x - mean) / sqrt(variance + epsilon) + bias over the units (Ba et al., 2016)."""
    return group_norm(x, 1, gain, bias, epsilon)


def group_norm(x: Any, groups: int, gain: Any = 1.0, bias: Any = 0.0, epsilon: float = 1e-5) -> Any:
    """gain * (x - mean) / sqrt(variance + epsilon) + bias over each of `groups` equal runs of units
    (Wu and He, 2018)."""
    centred = x - mean(x, groups)
    return gain * (centred / sqrt(mean(centred * centred, groups) + epsilon)) + bias


SELU = (1.0507009873554805, 1.6732632423543772)
"""Scale and alpha with which activations keep mean 0 and variance 1."""

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    "linear": linear,
    "affine": affine,
    "leaky_relu": leaky_relu,
    "thresholded_relu": thresholded_relu,
    "scaled_tanh": scaled_tanh,
    "hard_sigmoid": hard_sigmoid,
    "softplus": softplus,
    "softsign": softsign,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "exp": exp,
    "selu": selu,
    "relu6": relu6,
    "mish": mish,
    "hard_silu": hard_silu,
    "hard_tanh": hard_tanh,
    "log_sigmoid": log_sigmoid,
    "tanh_shrink": tanh_shrink,
    "soft_shrink": soft_shrink,
    "hard_shrink": hard_shrink,
    "squareplus": squareplus,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
}
