"""A dense (fully connected) layer.

Legend: B batch, T time, I input features, U units, N valid steps (or vectors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqkit import activations, initializers
from seqkit._core import Product, add_column_sums, matmul
from seqkit.layer import Layer, State
from seqkit.options import positive_integer
from seqkit.sequences import as_vectors
from seqkit.steps import Steps


class Dense(Layer):
    """``y = activation(W x + b)``, for every step of a sequence or for a vector.

    Parameters
    ----------
    units : int
        Number of output features.
    activation : str or mapping, optional
        Function of the pre-activation, "relu", "softmax" and so on, see :mod:`seqkit.activations`, or
        ``{"name": "leaky_relu", "alpha": 0.3}``; None is "linear".
    use_bias : bool
        Whether there is a b.
    kernel_initializer, bias_initializer : str
        Names of the initial values of W and b, see :mod:`seqkit.initializers`.
    input_shape : tuple of int, optional
        ``(time, features)`` or ``(features,)`` of one sample; builds the model it is added to.

    Attributes
    ----------
    params : Parameters
        ``weight`` (U, I) and, with a bias, ``bias`` (U,).

    Raises
    ------
    ConfigError
        If `units` is not a positive integer or a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> dense = Dense(1).build(2, seed=0, dtype="float64")
    >>> dense.params["weight"], dense.params["bias"] = [[2.0, 3.0]], [1.0]
    >>> dense(np.array([[1.0, 1.0], [0.0, 1.0]])).tolist()
    [[6.0], [4.0]]
    """

    name = "dense"
    _product: Product | None = None

    def __init__(
        self,
        units: int,
        activation: str | Mapping[str, Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: str = "glorot_uniform",
        bias_initializer: str = "zeros",
        input_shape: Sequence[int | None] | None = None,
    ) -> None:
        self.units = positive_integer(units, f"{self.name}: units")
        self.activation = dict(activation) if isinstance(activation, Mapping) else activation
        self.use_bias = bool(use_bias)
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self._activation = activations.get(activation)
        self._initialize_weight = initializers.get(kernel_initializer)
        self._initialize_bias = initializers.get(bias_initializer)

    def config(self) -> dict[str, Any]:
        return {
            "units": self.units,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer,
            "input_shape": self.input_shape and list(self.input_shape),
        }

    @property
    def output_size(self) -> int:
        return self.units

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        initializers.require_room((self.units, self.input_size), self.name)
        arrays = {"weight": self._initialize_weight((self.units, self.input_size), rng)}
        if self.use_bias:
            arrays["bias"] = self._initialize_bias((self.units,), rng)
        return arrays

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        rows = steps.rows(x, self.input_size)  # (N, I)
        params = self.params.reading()
        z = matmul(rows, params["weight"].T, bias=params.get("bias"))  # (N, U)
        y = self._activation.forward(z)
        return steps.spread(y), ((steps, rows, self._activation.kept(z, y)) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        steps, rows, kept = cache
        dz = np.ascontiguousarray(self._activation.backward(steps.rows(dy, self.units, "dy"), kept))  # (N, U)
        matmul(dz.T, rows, out=self.grads["weight"])
        if self.use_bias:
            add_column_sums(self.grads["bias"], dz)
        dx = steps.spread(matmul(dz, self.params.reading()["weight"])) if input_grad else None
        return dx, ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream, (B, I) to (B, U); few rows on a weight that stays packed for the next."""
        self._require_built()
        version = self.params.version
        if self._product is None or self._product.version != version:
            self._product = Product(self.params["weight"], self.params.get("bias"), version)
        found = self._product.step(x_t, version) or self._product.step(
            as_vectors(x_t, self.dtype, self.name, self.input_size), version
        )
        if found is None:
            return super().step(x_t)
        return found if self.activation in (None, "linear") else (self._activation.forward(found[0]), ())
