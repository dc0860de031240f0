"""The base class of cells: equations, and what they are made of."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from seqkit.equations.activation import Choice, activation
from seqkit.equations.sizes import Size
from seqkit.errors import ConfigError

Initializer = str | float | Callable[[tuple[int, ...], np.random.Generator], np.ndarray]
"""What an array starts from: the name of an initializer, one number, or ``(shape, rng) -> array``."""


@dataclass(frozen=True)
class OppositeOf:
    """For :meth:`Cell.initial_bias`: minus what the bias of another gate starts from.

    So Tallec and Ollivier (2018) tie an input gate to its forget gate, which starts from
    :func:`seqkit.initializers.chrono`.
    """

    gate: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of a cell beside the gate weights.

    Use :func:`vector`, :func:`scalar` or :func:`matrix` to make one.
    """

    kind: Literal["vector", "scalar", "matrix"]
    rows: tuple[str, ...] = ()
    size: Size = "units"
    columns: Size = "units"
    initializer: Initializer = "zeros"
    heads: int = 1

    @property
    def dimensions(self) -> tuple[Size, ...]:
        """Shape of the array, as sizes."""
        if self.kind == "matrix":
            return (self.size, self.columns)
        if self.kind == "scalar":
            return (len(self.rows) or 1,)
        return (len(self.rows), self.size) if self.rows else (self.size,)


def vector(*rows: str, size: Size = "units", initializer: Initializer = "zeros") -> Parameter:
    """One number per unit, shape (units,); or, with names, one row for each, (rows, units).

    With `size`, so many numbers in place of one per unit.
    """
    return Parameter("vector", rows, size, initializer=initializer)


def scalar(*rows: str, initializer: Initializer = "zeros") -> Parameter:
    """One number for all units, shape (1,); or, with names, one for each of them, (rows,)."""
    return Parameter("scalar", rows, 1, initializer=initializer)


def matrix(
    rows: Size = "units", columns: Size = "units", initializer: Initializer = "orthogonal", heads: int = 1
) -> Parameter:
    """An extra matrix (rows, columns), written ``p.name @ vector`` in the equations.

    Sizes are numbers, "units", or "features" for the number of input features.  With `heads`, the matrix has so many
    equal blocks on its diagonal and zeros elsewhere; the array (rows, columns / heads) holds the blocks on top of each
    other, and each of them starts from values of its own.
    """
    return Parameter("matrix", (), rows, columns, initializer, heads)


class Cell:
    """A recurrent cell: its equations for one step, written once.

    A subclass names its `gates` and `states` and writes ``step(self, x, U, s, p)``, where

    * ``x.f`` is :math:`W_f x_t + b_f`, the input's part of gate ``f``;
    * ``U.f @ v`` is :math:`U_f v` for a state or another vector of the step;
    * ``s.h`` is the state ``h`` of the step before;
    * ``p.name`` is a parameter declared in ``parameters()`` (``p.name.row`` where it has rows);
    * ``x.name`` is a raw input declared in `inputs`: features of x that no W multiplies.

    ``step`` returns the new states as a dict; the first state is the output of the layer.  It
    runs unchanged on float64 NumPy arrays, and is traced once for the engine.

    More attributes, of the class or of the object, are optional:

    * ``biases`` names the gates whose :math:`W x_t` has a bias, all of them unless it is given;
    * ``heads`` cuts the units into so many groups that see only themselves through U, which then has so many
      blocks on its diagonal: ``weight_hh`` is (G*H, H / heads);
    * ``api_version`` is the version of this interface that the cell was written for.

    Parameters
    ----------
    activation, recurrent_activation : str or mapping
        The functions available to ``step`` as ``self.activation`` and ``self.recurrent_activation``: tanh, sigmoid,
        relu, linear, affine, leaky_relu, thresholded_relu, scaled_tanh, hard_sigmoid, softplus, softsign, elu, gelu,
        silu, exp, selu, relu6, mish, hard_silu, hard_tanh, log_sigmoid, tanh_shrink, soft_shrink, hard_shrink,
        squareplus, sparse_plus, sparse_sigmoid; or ``{"name": "leaky_relu", "alpha": 0.2, "clip": 3.0}`` for one with
        numbers of its own, or with a limit to what enters it.
    use_bias : bool
        Whether ``x.<gate>`` has a bias; a cell may use it for biases of its own.

    Examples
    --------
    >>> import seqkit
    >>> from seqkit.equations import sigmoid, tanh
    >>> class MGU(seqkit.Cell):
    ...     gates, states = ("f", "n"), ("h",)
    ...     def step(self, x, U, s, p):
    ...         f = sigmoid(x.f + U.f @ s.h)
    ...         n = tanh(x.n + U.n @ (f * s.h))
    ...         return {"h": (1 - f) * s.h + f * n}
    >>> seqkit.Recurrent(MGU, 8).build(3, seed=0).params["weight_hh"].shape
    (16, 8)
    """

    name: str = ""
    gates: tuple[str, ...]
    states: ClassVar[tuple[str, ...]]
    biases: ClassVar[tuple[str, ...] | None] = None
    inputs: ClassVar[dict[str, Size]] = {}
    heads: int = 1
    api_version: ClassVar[int] = 1
    kernels: ClassVar[str] = ""
    """Name of the extension module with compiled kernels of the cell's package, see :mod:`seqkit.build`."""

    arguments: dict[str, Any]
    """What the constructor was given, by name, so that a file can say how to make the cell again."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        cell = super().__new__(cls)
        names = list(inspect.signature(cls.__init__).parameters)[1:]
        cell.arguments = dict(zip(names, arguments, strict=False)) | options
        return cell

    def __init__(
        self, activation: Choice = "tanh", recurrent_activation: Choice = "sigmoid", use_bias: bool = True
    ) -> None:
        self.activation = self._function("activation", activation)
        self.recurrent_activation = self._function("recurrent_activation", recurrent_activation)
        self.use_bias = bool(use_bias)

    def _function(self, option: str, choice: Choice) -> Callable[[Any], Any]:
        return activation(choice, f"{type(self).__name__}: {option}")

    def parameters(self) -> dict[str, Parameter]:
        """Parameters beside the gate weights and biases, by name."""
        return {}

    def sizes(self) -> dict[str, Size]:
        """Sizes of the gates and states that are not one number per unit: a number, or "features"."""
        return {}

    def initial_bias(self, gate: str) -> Initializer | OppositeOf:
        """Where the bias of a gate starts: 0 unless a cell gives another number, an initializer, or OppositeOf.

        :mod:`seqkit.initializers` has ``uniform``, ``constant`` and ``chrono``, and those that have names.
        """
        return 0.0

    def has_bias(self, gate: str) -> bool:
        """Whether ``x.<gate>`` has a bias."""
        return self.use_bias and (self.biases is None or gate in self.biases)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """New states from the input's parts, the recurrent matrices, the old states and parameters."""
        raise NotImplementedError(f"{type(self).__name__} must define step(self, x, U, s, p).")


def make_cell(cell: type[Cell] | Cell, options: dict[str, Any]) -> Cell:
    """A cell of this class; an option that it does not take is an error that names those it does."""
    if isinstance(cell, Cell):
        if options:
            raise ConfigError(f"Recurrent: {', '.join(options)} belong to the constructor of the cell that was given.")
        return cell
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise ConfigError(
            f"Recurrent: cell must be a Cell class or instance, got {cell!r}; use seqkit.create for names."
        )
    known = _options(cell)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(
            f"{cell.name or cell.__name__}: unknown option {unknown[0]!r}; the cell takes {', '.join(known)}."
        )
    return cell(**options)


def _options(cell: type[Cell]) -> list[str]:
    """Names of constructor arguments, its own and those it passes on as ``**options``."""
    names: list[str] = []
    for base in cell.__mro__:
        if "__init__" in vars(base):
            parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
            names += [p.name for p in parameters if p.kind != p.VAR_KEYWORD and p.name not in names]
            if all(p.kind != p.VAR_KEYWORD for p in parameters):
                break
    return names
