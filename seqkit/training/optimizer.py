"""What optimizers have in common.

A step is one compiled pass over all parameters (`seqkit/_core/updates.pyx`), to the same bits whatever
the number of threads; an optimizer written in NumPy is called for one parameter after the other.

Legend: w a parameter, g its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

import numpy as np

from seqkit import _core
from seqkit.errors import ConfigError, LoadError
from seqkit.options import positive_number
from seqkit.parameters import JoinedParameters, Parameters
from seqkit.training import schedules
from seqkit.training.schedules import Schedule

Rate = float | Schedule | Mapping[str, Any]


class Shared(TypedDict, total=False):
    """Arguments that every optimizer takes, see :class:`Optimizer`."""

    global_clipnorm: float | None
    clipnorm: float | None
    clipvalue: float | None
    l2: float


class Optimizer:
    """Base class: `step` changes parameters by their gradients.

    An optimizer of your own defines `slots` and `_update`.

    Parameters
    ----------
    learning_rate : float or Schedule
        Size of a step, or a rule for it, see :mod:`seqkit.training.schedules`; may be changed
        between steps.
    global_clipnorm : float, optional
        Largest norm of all gradients taken together.  Where it is exceeded all are scaled by
        ``global_clipnorm / norm`` (Pascanu, Mikolov and Bengio, "On the difficulty of training
        recurrent neural networks", ICML 2013); PyTorch's ``clip_grad_norm_``.
    clipnorm : float, optional
        Largest norm of the gradient of each parameter, scaled likewise.
    clipvalue : float, optional
        Largest magnitude of each number of a gradient; larger ones are cut off.
    l2 : float
        Weight of the penalty ``l2 sum(w^2)`` over all matrices; vectors, such as biases, are free.
        Its gradient ``2 l2 w`` joins g before anything is clipped, as that of Keras' regularizer
        ``L2(l2)`` does (PyTorch's ``weight_decay`` is 2 l2, for vectors too).  The losses that
        training reports are without it.

    Attributes
    ----------
    iterations : int
        Steps taken so far.
    slots : tuple of str
        Names of the arrays kept for every parameter, of its shape, at first 0.

    Raises
    ------
    ConfigError
        If an argument is out of its range or more than one kind of clipping is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.parameters import Parameters
    >>> class SignDescent(Optimizer):
    ...     name = "sign"
    ...     def _update(self, weight, grad, memory):
    ...         weight -= self.learning_rate * np.sign(grad)
    >>> params = Parameters({"w": np.array([1.0, 2.0])}, "demo")
    >>> SignDescent(0.5).step(params, {"w": np.array([7.0, -0.1])})
    >>> params["w"].tolist()
    [0.5, 2.5]
    """

    name: ClassVar[str]
    slots: tuple[str, ...] = ()
    iterations: int = 0
    rule: str | None = None
    """Name of the compiled update that takes `_numbers` and the slots; None where `_update` is the update."""

    def __init__(
        self,
        learning_rate: Rate,
        global_clipnorm: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        l2: float = 0.0,
    ) -> None:
        self.learning_rate = learning_rate
        clips = {"global_clipnorm": global_clipnorm, "clipnorm": clipnorm, "clipvalue": clipvalue}
        given = {key: positive_number(clip, f"{self.name}: {key}") for key, clip in clips.items() if clip is not None}
        if len(given) > 1:
            raise ConfigError(f"{self.name}: expected one kind of clipping, got {' and '.join(given)}; choose one.")
        self.global_clipnorm, self.clipnorm, self.clipvalue = map(given.get, clips)
        self.l2 = positive_number(l2, f"{self.name}: l2", zero=True)
        self._memory: dict[str, dict[str, np.ndarray]] = {}
        self._bound: _core.Update | None = None  # all arrays of the last step, by their addresses

    @property
    def learning_rate(self) -> float:
        """Size of the step that is being taken or was taken last; a schedule counts steps from 0."""
        return self._rate(max(self.iterations - 1, 0)) if isinstance(self._rate, Schedule) else self._rate

    @learning_rate.setter
    def learning_rate(self, rate: Rate) -> None:
        if isinstance(rate, Mapping):  # as in a file
            rate = schedules.from_spec(rate)
        if not isinstance(rate, Schedule):
            rate = positive_number(rate, f"{self.name}: learning_rate", zero=True)
        self._rate: float | Schedule = rate

    @property
    def schedule(self) -> Schedule | None:
        """The rule for the learning rate, where there is one."""
        return self._rate if isinstance(self._rate, Schedule) else None

    def step(self, params: Parameters | JoinedParameters, grads: Mapping[str, np.ndarray]) -> None:
        """Change every parameter once, in place; `grads` has the keys of `params`."""
        with params.editing() as weights:
            update = self._bind(weights, grads)
            scales = self._scales(update, len(weights))
            self.iterations += 1
            if self._compiled:
                update.step(self._compiled, self._numbers(), scales, self.clipvalue or math.inf)
                return
            for (key, weight), scale in zip(weights.items(), scales, strict=True):
                self._update(weight, self._clipped(grads[key], weight, scale), self._memory[key])

    def _bind(self, weights: dict[str, np.ndarray], grads: Mapping[str, np.ndarray]) -> _core.Update:
        """The table of all arrays; it serves the next step, too, if that is given the very same ones."""
        ridge = 2.0 * self.l2
        if self._bound is None or not self._bound.holds(weights, grads, ridge):
            memories = [self._memory_of(key, weight) for key, weight in weights.items()]
            self._bound = _core.Update(weights, grads, memories if self._compiled else None, ridge)
        return self._bound

    @property
    def _compiled(self) -> str | None:
        """The rule, where the update is compiled and not a method in NumPy."""
        return self.rule if type(self)._update is Optimizer._update else None

    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        """Change `weight` and `memory` in place; `grad` is only read."""
        if self.rule is None:
            raise ConfigError(f"{self.name}: an optimizer needs a method _update(weight, grad, memory); define it.")
        _core.Update({"": weight}, {"": grad}, [memory]).step(self.rule, self._numbers(), [1.0], math.inf)

    def _numbers(self) -> tuple[float, ...]:
        """What the compiled update is told, in the order of `training.inc.c`."""
        return ()

    def _scales(self, update: _core.Update, count: int) -> list[float]:
        """By how much the gradient of every parameter is scaled."""
        if self.clipnorm is not None:
            return [self.clipnorm / max(math.sqrt(square), self.clipnorm) for square in update.square_sums()]
        if self.global_clipnorm is not None:
            norm = math.sqrt(sum(update.square_sums()))
            return [self.global_clipnorm / max(norm, self.global_clipnorm)] * count
        return [1.0] * count

    def _clipped(self, grad: np.ndarray, weight: np.ndarray, scale: float) -> np.ndarray:
        """What the compiled update makes of a gradient, for one that is written in NumPy."""
        if self.l2 and weight.ndim > 1:
            grad = grad + 2.0 * self.l2 * weight
        if scale != 1.0:
            grad = grad * weight.dtype.type(scale)
        return grad if self.clipvalue is None else np.clip(grad, -self.clipvalue, self.clipvalue)

    def _memory_of(self, key: str, weight: np.ndarray) -> dict[str, np.ndarray]:
        memory = self._memory.get(key)
        if memory is None:
            memory = self._memory[key] = {slot: np.zeros_like(weight) for slot in self.slots}
        for array in memory.values():
            if array.shape != weight.shape:
                raise ConfigError(
                    f"{self.name}: {key!r} has shape {weight.shape}, but this optimizer has served a model where it "
                    f"has another; make a new optimizer for every model."
                )
        return memory

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        rate = self.learning_rate if self.schedule is None else self.schedule.spec()
        return {"learning_rate": rate, **{name: getattr(self, name) for name in Shared.__annotations__}}

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
        self.iterations, self._bound = int(state["iterations"]), None
        self._memory = {key: {slot: np.array(state[f"{slot}/{key}"]) for slot in self.slots} for key in sorted(known)}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


def global_norm(grads: Mapping[str, np.ndarray]) -> float:
    """Euclidean norm of all gradients taken together, summed in float64."""
    arrays = {key: np.ascontiguousarray(grad) for key, grad in grads.items()}
    return math.sqrt(sum(_core.Update(arrays, arrays).square_sums()))
