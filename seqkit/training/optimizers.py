"""Optimizers: from gradients to new weights, in place.

Formulas and defaults are those of Keras 3.  Legend: w a parameter, g its gradient, lr the
learning rate, t the number of the step (from 1); products and roots are elementwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Unpack

from seqkit.options import by_name, fraction, positive_number
from seqkit.training.optimizer import Optimizer, Rate, Shared, global_norm

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "get", "global_norm"]


class SGD(Optimizer):
    """Gradient descent: ``w -= lr g``; with momentum ``v = momentum v - lr g; w += v``.

    Sources: Robbins and Monro, "A stochastic approximation method", 1951; Sutskever et al.,
    "On the importance of initialization and momentum in deep learning", ICML 2013.

    Parameters
    ----------
    learning_rate : float or Schedule
        lr.
    momentum : float
        Share of the last change that a change goes on with, below 1.
    nesterov : bool
        Whether ``w += momentum v - lr g`` with the new v.
    **shared
        Clipping and the penalty l2, see :class:`~seqkit.training.optimizer.Optimizer`.

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
    rule = "sgd"

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self.momentum = fraction(momentum, f"{self.name}: momentum")
        self.nesterov = bool(nesterov)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "momentum": self.momentum, "nesterov": self.nesterov}

    def _numbers(self) -> tuple[float, ...]:
        ahead = (self.momentum, 1.0) if self.nesterov else (1.0, 0.0)
        return (self.learning_rate, self.momentum, *ahead)


class RMSprop(Optimizer):
    """``v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + epsilon)``.

    Source: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.

    Parameters
    ----------
    learning_rate : float or Schedule
        lr.
    rho : float
        What is kept of v at a step, below 1.
    epsilon : float
        Keeps the root away from 0.
    **shared
        Clipping and the penalty l2, see :class:`~seqkit.training.optimizer.Optimizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.parameters import Parameters
    >>> params = Parameters({"w": np.array([1.0])}, "demo")
    >>> RMSprop(learning_rate=0.1, rho=0.75).step(params, {"w": np.array([2.0])})
    >>> params["w"].round(3).tolist()  # 1 - 0.1 * 2 / sqrt(0.25 * 4)
    [0.8]
    """

    name = "rmsprop"
    slots = ("mean_square",)
    rule = "rmsprop"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self.rho = fraction(rho, f"{self.name}: rho")
        self.epsilon = positive_number(epsilon, f"{self.name}: epsilon", zero=True)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "rho": self.rho, "epsilon": self.epsilon}

    def _numbers(self) -> tuple[float, ...]:
        return self.learning_rate, self.rho, 1.0 - self.rho, self.epsilon


class Adam(Optimizer):
    """``m += (1-b1)(g - m); v += (1-b2)(g^2 - v); w -= a m / (sqrt(v) + epsilon)``.

    ``a = lr sqrt(1 - b2^t) / (1 - b1^t)`` corrects the bias of the first steps.

    Sources: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; Reddi, Kale and
    Kumar, "On the convergence of Adam and beyond", ICLR 2018.

    Parameters
    ----------
    learning_rate : float or Schedule
        lr.
    beta_1, beta_2 : float
        b1 and b2, what is kept of m and v at a step, below 1.
    epsilon : float
        Keeps the quotient finite; the "epsilon hat" of the paper, section 2.
    amsgrad : bool
        Whether the largest v so far stands for v in the last formula.
    **shared
        Clipping and the penalty l2, see :class:`~seqkit.training.optimizer.Optimizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.parameters import Parameters
    >>> params = Parameters({"w": np.array([1.0, 1.0])}, "demo")
    >>> Adam(learning_rate=0.1).step(params, {"w": np.array([2.0, -0.01])})
    >>> params["w"].round(3).tolist()  # the first step has the size of lr, whatever that of g
    [0.9, 1.1]
    """

    name = "adam"
    slots: tuple[str, ...] = ("mean", "mean_square")
    rule = "adam"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(learning_rate, **shared)
        if amsgrad:
            self.slots, self.rule = ("mean", "mean_square", "largest"), "amsgrad"
        self.amsgrad = bool(amsgrad)
        self.beta_1 = fraction(beta_1, f"{self.name}: beta_1")
        self.beta_2 = fraction(beta_2, f"{self.name}: beta_2")
        self.epsilon = positive_number(epsilon, f"{self.name}: epsilon", zero=True)

    def config(self) -> dict[str, Any]:
        own = ("beta_1", "beta_2", "epsilon", "amsgrad")
        return super().config() | {name: getattr(self, name) for name in own}

    def _numbers(self) -> tuple[float, ...]:
        correction = math.sqrt(1.0 - self.beta_2**self.iterations) / (1.0 - self.beta_1**self.iterations)
        return self.learning_rate * correction, 1.0 - self.beta_1, 1.0 - self.beta_2, self.epsilon, self._kept()

    def _kept(self) -> float:
        """What is left of a weight by decay."""
        return 1.0


class AdamW(Adam):
    """Adam after ``w -= lr weight_decay w``, for every parameter, biases too, as in Keras and PyTorch.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Parameters
    ----------
    learning_rate : float or Schedule
        lr.
    weight_decay : float
        Share of lr by which weights fade in a step.
    beta_1, beta_2, epsilon, amsgrad
        As for :class:`Adam`.
    **shared
        Clipping and the penalty l2, see :class:`~seqkit.training.optimizer.Optimizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.parameters import Parameters
    >>> params = Parameters({"w": np.array([1.0])}, "demo")
    >>> AdamW(learning_rate=0.1, weight_decay=0.5).step(params, {"w": np.array([0.0])})
    >>> params["w"].tolist()
    [0.95]
    """

    name = "adamw"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, **shared)
        self.weight_decay = positive_number(weight_decay, f"{self.name}: weight_decay", zero=True)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "weight_decay": self.weight_decay}

    def _kept(self) -> float:
        return 1.0 - self.learning_rate * self.weight_decay


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
