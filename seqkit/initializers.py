"""Initial values of parameters.

Every initializer takes a shape and a NumPy generator and returns float64 values.  A matrix is
``(outputs, inputs)``.  A parameter that stacks the blocks of several gates is filled block by
block, one call each, so that the scale and the orthogonality are those of a single gate.

Layers name theirs: see ``INITIALIZERS``.  Cells, which are code, may also say a number, one that
`constant`, `uniform` or `chrono` makes, or any function of a shape and a generator.

Legend: O outputs (rows), I inputs (columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from seqkit._core import matmul
from seqkit.available import require
from seqkit.errors import ConfigError, ShapeError
from seqkit.options import by_name

Shape = tuple[int, ...]
Initializer = Callable[[Shape, np.random.Generator], np.ndarray]

# Standard deviation of a standard normal distribution that is cut off at 2.
_TRUNCATED_STD = 0.87962566103423978

# Bytes that a new number of a layer takes: drawn, stacked, rounded, and its gradient.
_COPIES = 8 + 8 + 4 + 4

# Vectors that are made orthogonal to all before them at once.
_BLOCK = 32

_replaced: ContextVar[bool] = ContextVar("replaced", default=False)


@contextmanager
def replaced() -> Iterator[None]:
    """Build layers inside whose values are replaced at once: what takes long to make, orthogonal matrices, is 0.

    Examples
    --------
    >>> import numpy as np
    >>> with replaced():
    ...     orthogonal((1, 2), np.random.default_rng(0)).tolist()
    [[0.0, 0.0]]
    """
    token = _replaced.set(True)
    try:
        yield
    finally:
        _replaced.reset(token)


def zeros(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """All 0."""
    return np.zeros(shape)


def ones(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """All 1."""
    return np.ones(shape)


def random_uniform(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Uniform between -0.05 and 0.05."""
    return rng.uniform(-0.05, 0.05, shape)


def random_normal(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Normal with mean 0 and standard deviation 0.05."""
    return rng.normal(0.0, 0.05, shape)


def glorot_uniform(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Uniform between -a and a with ``a = sqrt(6 / (O + I))``.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS 2010, equation 16.
    """
    limit = np.sqrt(6.0 / sum(_matrix(shape, "glorot_uniform")))
    return rng.uniform(-limit, limit, shape)


def glorot_normal(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Normal with variance ``2 / (O + I)``, drawn again where it falls beyond two deviations.

    Source: Glorot and Bengio, 2010, equation 12; the cut is the one that Keras makes.
    """
    spread = np.sqrt(2.0 / sum(_matrix(shape, "glorot_normal"))) / _TRUNCATED_STD
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2.0).any():
        values[outside] = rng.standard_normal(np.count_nonzero(outside))
    return spread * values


def orthogonal(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Orthonormal rows or columns, whichever are fewer, uniform among all such matrices.

    Normal vectors are made orthonormal one after the other (Gram and Schmidt, each twice for
    accuracy), in blocks, with seqkit's own products: those of a linear algebra library would
    wake up its threads.

    Source: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks", ICLR 2014; why it is uniform: Mezzadri, "How to generate
    random matrices from the classical compact groups", Notices of the AMS 54, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> q = orthogonal((2, 5), np.random.default_rng(0))
    >>> np.allclose((q[:, None] * q).sum(axis=2), np.eye(2))
    True
    """
    rows, columns = _matrix(shape, "orthogonal")
    if _replaced.get():
        return np.zeros(shape)
    q = rng.standard_normal((min(rows, columns), max(rows, columns)))
    for start in range(0, len(q), _BLOCK):
        block, done = q[start : start + _BLOCK], q[:start]
        for _ in range(2 if start else 0):
            block -= matmul(matmul(block, done.T), done)
        for i, vector in enumerate(block):
            for _ in range(2):
                parts = (block[:i] * vector).sum(axis=1)
                vector -= (parts[:, None] * block[:i]).sum(axis=0)
            vector /= np.sqrt((vector * vector).sum())
    return q if rows <= columns else np.ascontiguousarray(q.T)


def constant(value: float) -> Initializer:
    """An initializer that gives `value` everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> constant(0.5)((2,), np.random.default_rng(0)).tolist()
    [0.5, 0.5]
    """
    return partial(_constant, value=float(value))


def _constant(shape: Shape, rng: np.random.Generator, value: float) -> np.ndarray:
    return np.full(shape, value)


def uniform(low: float, high: float) -> Initializer:
    """An initializer that is uniform between `low` and `high`.

    Raises
    ------
    ConfigError
        Where `low` is above `high`.

    Examples
    --------
    >>> import numpy as np
    >>> values = uniform(2, 3)((1000,), np.random.default_rng(0))
    >>> bool(values.min() >= 2 and values.max() < 3 and abs(values.mean() - 2.5) < 0.05)
    True
    """
    if not low <= high:
        raise ConfigError(f"uniform: low must not be above high, got {low!r} and {high!r}.")
    return partial(_uniform, low=float(low), high=float(high))


def _uniform(shape: Shape, rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    return rng.uniform(low, high, shape)


def chrono(longest: float) -> Initializer:
    """The bias of a forget gate for dependencies of up to `longest` steps: ``log(u)`` with u uniform
    between 1 and `longest` - 1.

    A leaky unit with forget gate sigmoid(b) remembers for about 1 + exp(b) steps, so units start
    with times that are spread over the whole range.  The input gate of an LSTM starts at
    ``OppositeOf("f")`` of :mod:`seqkit.equations`.

    Source: Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 3.

    Raises
    ------
    ConfigError
        Where `longest` is below 2.

    Examples
    --------
    >>> import numpy as np
    >>> times = 1 + np.exp(chrono(100)((1000,), np.random.default_rng(0)))
    >>> bool(times.min() >= 2 and times.max() <= 100 and abs(times.mean() - 51) < 3)
    True
    """
    if not longest >= 2:
        raise ConfigError(f"chrono: the longest dependency must be at least 2 steps, got {longest!r}.")
    return partial(_chrono, longest=float(longest))


def _chrono(shape: Shape, rng: np.random.Generator, longest: float) -> np.ndarray:
    return np.log(rng.uniform(1.0, longest - 1.0, shape))


INITIALIZERS = MappingProxyType(
    {
        function.__name__: function
        for function in (zeros, ones, random_uniform, random_normal, glorot_uniform, glorot_normal, orthogonal)
    }
)


def get(name: str) -> Initializer:
    """The initializer called `name`.

    Raises
    ------
    ConfigError
        If there is none; the message lists the names.

    Examples
    --------
    >>> import numpy as np
    >>> get("ones")((2,), np.random.default_rng(0)).tolist()
    [1.0, 1.0]
    """
    return by_name(INITIALIZERS, name, "initializer")


def values(initializer: Any, shape: Shape, rng: np.random.Generator, owner: str) -> np.ndarray:
    """What an array starts from: a number everywhere, or the values of an initializer or of the one so called.

    Those that are called by a name see an array of one dimension as a matrix of one row.

    Raises
    ------
    ConfigError
        If `initializer` is none of these; the message begins with `owner`.
    ShapeError
        If it gives an array of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> values(1.5, (2,), np.random.default_rng(0), "demo").tolist()
    [1.5, 1.5]
    >>> values(lambda shape, rng: np.zeros(3), (2,), np.random.default_rng(0), "demo")
    Traceback (most recent call last):
    seqkit.errors.ShapeError: demo: the initializer gave shape (3,), expected (2,).
    """
    require_room(shape, owner)
    if isinstance(initializer, Real) and not isinstance(initializer, bool):
        return np.full(shape, float(initializer))
    if isinstance(initializer, str):
        matrix = shape if len(shape) > 1 else (1, *shape)
        return get(initializer)(matrix, rng).reshape(shape)
    if not callable(initializer):
        raise ConfigError(
            f"{owner}: an initializer is a name, a number or a function of (shape, rng), got {initializer!r}."
        )
    found = np.asarray(initializer(shape, rng), dtype=np.float64)
    if found.shape != shape:
        raise ShapeError(f"{owner}: the initializer gave shape {found.shape}, expected {shape}.")
    return found


def require_room(shape: Shape, owner: str) -> None:
    """Raise MemoryError if parameters of a shape, and what training keeps beside them, take more than there is."""
    require(_COPIES * math.prod(shape), f"{owner}: initial values of shape {shape}")


def _matrix(shape: Shape, name: str) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise ShapeError(
            f"{name}: needs a matrix (outputs, inputs) of at least 1 x 1, got shape {shape}; "
            f"choose zeros, ones, random_normal or random_uniform for it."
        )
    return shape[0], shape[1]
