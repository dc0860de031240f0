"""Optimizers: from gradients to new weights, in place.

Formulas and defaults are those of Keras 3.  Legend: w a parameter, g its gradient, lr the
learning rate, t the number of the step (from 1); products and roots are elementwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from seqkit.errors import ConfigError, LoadError
from seqkit.options import by_name, fraction, positive_number
from seqkit.parameters import JoinedParameters, Parameters


class Optimizer(ABC):
    """Base class: `step` changes parameters by their gradients.

    Parameters
    ----------
    learning_rate : float
        Size of a step; may be changed between steps.
    global_clipnorm : float, optional
        Largest norm of all gradients taken together.  Where it is exceeded all are scaled by
        ``global_clipnorm / norm`` (Pascanu, Mikolov and Bengio, "On the difficulty of training
        recurrent neural networks", ICML 2013).

    Attributes
    ----------
    iterations : int
        Steps taken so far.
    slots : tuple of str
        Names of the arrays kept for every parameter, of its shape, at first 0.
    """

    name: ClassVar[str]
    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: float, global_clipnorm: float | None = None) -> None:
        self.learning_rate = positive_number(learning_rate, f"{self.name}: learning_rate", zero=True)
        self.global_clipnorm = global_clipnorm
        if global_clipnorm is not None:
            self.global_clipnorm = positive_number(global_clipnorm, f"{self.name}: global_clipnorm")
        self.iterations = 0
        self._memory: dict[str, dict[str, np.ndarray]] = {}

    def step(self, params: Parameters | JoinedParameters, grads: Mapping[str, np.ndarray]) -> None:
        """Change every parameter once, in place; `grads` has the keys of `params`."""
        scale = self._clip_scale(grads)
        self.iterations += 1
        with params.editing() as arrays:
            for key, weight in arrays.items():
                grad = grads[key] if scale == 1.0 else grads[key] * weight.dtype.type(scale)
                self._update(weight, grad, self._memory_of(key, weight))

    @abstractmethod
    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        """Change `weight` and `memory` in place; `grad` is only read."""

    def _clip_scale(self, grads: Mapping[str, np.ndarray]) -> float:
        if self.global_clipnorm is None:
            return 1.0
        return self.global_clipnorm / max(global_norm(grads), self.global_clipnorm)

    def _memory_of(self, key: str, weight: np.ndarray) -> dict[str, np.ndarray]:
        if key not in self._memory:
            self._memory[key] = {slot: np.zeros_like(weight) for slot in self.slots}
        memory = self._memory[key]
        if any(array.shape != weight.shape for array in memory.values()):
            raise ConfigError(
                f"{self.name}: {key!r} has shape {weight.shape}, but this optimizer has served a model where it has "
                f"another; make a new optimizer for every model."
            )
        return memory

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return {"learning_rate": self.learning_rate, "global_clipnorm": self.global_clipnorm}

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `step` remembers, as named arrays; `restore` takes it back."""
        arrays = {f"{slot}/{key}": array for key, memory in self._memory.items() for slot, array in memory.items()}
        return {"iterations": np.array(self.iterations, dtype=np.int64), **arrays}

    def restore(self, state: Mapping[str, np.ndarray], params: Mapping[str, np.ndarray]) -> None:
        """Continue from what :meth:`state` gave, for the same parameters.

        Raises
        ------
        LoadError
            If an array is missing, is not one of this optimizer's, or does not fit its parameter.
        """
        known = {key for key in params if any(f"{slot}/{key}" in state for slot in self.slots)}
        shapes = {f"{slot}/{key}": params[key].shape for key in known for slot in self.slots}
        if {"iterations": (), **shapes} != {name: array.shape for name, array in state.items()}:
            raise LoadError(f"{self.name}: the saved state does not fit the parameters of the model.")
        self.iterations = int(state["iterations"])
        self._memory = {key: {slot: np.array(state[f"{slot}/{key}"]) for slot in self.slots} for key in sorted(known)}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


class SGD(Optimizer):
    """Gradient descent: ``w -= lr g``; with momentum ``v = momentum v - lr g; w += v``.

    With `nesterov`, ``w += momentum v - lr g`` with the new v.

    Sources: Robbins and Monro, "A stochastic approximation method", 1951; Sutskever et al.,
    "On the importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.parameters import Parameters
    >>> params = Parameters({"w": np.array([1.0])}, "demo")
    >>> SGD(learning_rate=0.5).step(params, {"w": np.array([1.0])})
    >>> params["w"].tolist()
    [0.5]
    """

    name = "sgd"
    slots = ("velocity",)

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        self.momentum = fraction(momentum, f"{self.name}: momentum")
        self.nesterov = bool(nesterov)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "momentum": self.momentum, "nesterov": self.nesterov}

    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        velocity = memory["velocity"]
        velocity *= self.momentum
        velocity -= self.learning_rate * grad
        weight += self.momentum * velocity - self.learning_rate * grad if self.nesterov else velocity


class RMSprop(Optimizer):
    """``v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + epsilon)``.

    Source: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.
    """

    name = "rmsprop"
    slots = ("mean_square",)

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        self.rho = fraction(rho, f"{self.name}: rho")
        self.epsilon = positive_number(epsilon, f"{self.name}: epsilon", zero=True)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "rho": self.rho, "epsilon": self.epsilon}

    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        mean_square = memory["mean_square"]
        mean_square *= self.rho
        mean_square += (1.0 - self.rho) * np.square(grad)
        weight -= self.learning_rate * grad / np.sqrt(mean_square + self.epsilon)


class Adam(Optimizer):
    """``m += (1-b1)(g - m); v += (1-b2)(g^2 - v); w -= a m / (sqrt(v) + epsilon)``.

    ``a = lr sqrt(1 - b2^t) / (1 - b1^t)`` corrects the bias of the first steps; `epsilon` is
    the "epsilon hat" of the paper, section 2.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    name = "adam"
    slots = ("mean", "mean_square")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        self.beta_1 = fraction(beta_1, f"{self.name}: beta_1")
        self.beta_2 = fraction(beta_2, f"{self.name}: beta_2")
        self.epsilon = positive_number(epsilon, f"{self.name}: epsilon", zero=True)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}

    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        mean, mean_square = memory["mean"], memory["mean_square"]
        mean += (1.0 - self.beta_1) * (grad - mean)
        mean_square += (1.0 - self.beta_2) * (np.square(grad) - mean_square)
        correction = np.sqrt(1.0 - self.beta_2**self.iterations) / (1.0 - self.beta_1**self.iterations)
        weight -= float(self.learning_rate * correction) * mean / (np.sqrt(mean_square) + self.epsilon)


class AdamW(Adam):
    """Adam after ``w -= lr weight_decay w``, for every parameter, biases too, as in Keras.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    name = "adamw"

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, global_clipnorm)
        self.weight_decay = positive_number(weight_decay, f"{self.name}: weight_decay", zero=True)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "weight_decay": self.weight_decay}

    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        weight *= 1.0 - self.learning_rate * self.weight_decay
        super()._update(weight, grad, memory)


OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {cls.name: cls for cls in (SGD, RMSprop, Adam, AdamW)}
)


def get(optimizer: str | Optimizer) -> Optimizer:
    """An optimizer by name, with its defaults, or the object itself.

    Raises
    ------
    ConfigError
        If no optimizer has the name; the message lists them.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    return optimizer if isinstance(optimizer, Optimizer) else by_name(OPTIMIZERS, optimizer, "optimizer")()


def global_norm(grads: Mapping[str, np.ndarray]) -> float:
    """Euclidean norm of all gradients taken together, summed in float64."""
    return float(np.sqrt(sum(np.sum(np.square(grad, dtype=np.float64)) for grad in grads.values())))
