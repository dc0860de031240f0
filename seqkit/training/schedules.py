"""Learning rates that change while a model is trained.

A schedule is a function of a number that counts from 0.  Given to an optimizer as
``learning_rate=`` it counts updates of the weights; given to the callback
:class:`~seqkit.training.callbacks.LearningRateScheduler` it counts epochs.  It remembers
nothing, so training that is resumed goes on with the right rate.

Legend: t the number of the update or epoch, lr the learning rate.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from seqkit.options import by_name, fraction, positive_integer, positive_number


class Schedule(ABC):
    """Base class; one of your own defines `__call__`."""

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, t: int) -> float:
        """The learning rate at `t`."""

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return dict(vars(self))

    def spec(self) -> dict[str, Any]:
        """Name and configuration for a file."""
        return {"name": self.name, "config": self.config()}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


class StepDecay(Schedule):
    """``lr = learning_rate factor^floor(t / every)``.

    Parameters
    ----------
    learning_rate : float
        The first.
    factor : float
        What each fall multiplies it by.
    every : int
        Updates, or epochs, from one fall to the next.

    Examples
    --------
    >>> schedule = StepDecay(0.1, factor=0.5, every=10)
    >>> schedule(9), schedule(10), schedule(20)
    (0.1, 0.05, 0.025)
    """

    name = "step_decay"

    def __init__(self, learning_rate: float, factor: float = 0.1, every: int = 10) -> None:
        self.learning_rate = positive_number(learning_rate, f"{self.name}: learning_rate")
        self.factor = positive_number(factor, f"{self.name}: factor")
        self.every = positive_integer(every, f"{self.name}: every")

    def __call__(self, t: int) -> float:
        return self.learning_rate * self.factor ** (t // self.every)


class ExponentialDecay(Schedule):
    """``lr = learning_rate factor^(t / every)``.

    Parameters
    ----------
    learning_rate : float
        The first.
    factor, every
        In `every` updates, or epochs, it falls by `factor`.

    Examples
    --------
    >>> rate = ExponentialDecay(0.1, factor=0.25, every=2)
    >>> [rate(t) for t in (0, 1, 2)]
    [0.1, 0.05, 0.025]
    """

    name = "exponential_decay"

    def __init__(self, learning_rate: float, factor: float = 0.1, every: int = 10) -> None:
        self.learning_rate = positive_number(learning_rate, f"{self.name}: learning_rate")
        self.factor = positive_number(factor, f"{self.name}: factor")
        self.every = positive_integer(every, f"{self.name}: every")

    def __call__(self, t: int) -> float:
        return self.learning_rate * float(self.factor ** (t / self.every))


class CosineDecay(Schedule):
    """Half a cosine from `learning_rate` at 0 to `final` at `steps`, and `final` after that.

    ``lr = final + (learning_rate - final) (1 + cos(pi t / steps)) / 2``

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts",
    ICLR 2017, equation 5, without the restarts.

    Parameters
    ----------
    learning_rate : float
        The first.
    steps : int
        Updates, or epochs, until it is `final`.
    final : float
        The last.

    Examples
    --------
    >>> schedule = CosineDecay(0.5, steps=10)
    >>> schedule(0), schedule(5), schedule(10), schedule(11)
    (0.5, 0.25, 0.0, 0.0)
    """

    name = "cosine_decay"

    def __init__(self, learning_rate: float, steps: int, final: float = 0.0) -> None:
        self.learning_rate = positive_number(learning_rate, f"{self.name}: learning_rate")
        self.steps = positive_integer(steps, f"{self.name}: steps")
        self.final = positive_number(final, f"{self.name}: final", zero=True)

    def __call__(self, t: int) -> float:
        return _half_cosine(self.learning_rate, self.final, t / self.steps)


class OneCycle(Schedule):
    """Half a cosine up from `peak / divide` to `peak`, and another down to nearly 0 at the last of `steps`.

    The peak is at ``warm_share steps - 1`` and the end, ``peak / divide / final_divide``, at
    ``steps - 1``, as in PyTorch's OneCycleLR.

    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using
    large learning rates", 2018.

    Parameters
    ----------
    peak : float
        The largest rate.
    steps : int
        Updates, or epochs, of the whole cycle.
    warm_share : float
        Share of them until the peak.
    divide, final_divide : float
        What the peak is divided by at first, and that once more at the end.
    """

    name = "one_cycle"

    def __init__(
        self, peak: float, steps: int, warm_share: float = 0.3, divide: float = 25.0, final_divide: float = 1e4
    ) -> None:
        self.peak = positive_number(peak, f"{self.name}: peak")
        self.steps = positive_integer(steps, f"{self.name}: steps")
        self.warm_share = fraction(warm_share, f"{self.name}: warm_share")
        self.divide = positive_number(divide, f"{self.name}: divide")
        self.final_divide = positive_number(final_divide, f"{self.name}: final_divide")

    def __call__(self, t: int) -> float:
        low, top, end = self.peak / self.divide, self.warm_share * self.steps - 1.0, self.steps - 1.0
        if t <= top:
            return _half_cosine(low, self.peak, t / top if top > 0 else 1.0)
        return _half_cosine(self.peak, low / self.final_divide, (t - top) / (end - top))


class Warmup(Schedule):
    """A straight line from nearly 0 up to what follows it.

    ``lr = after(0) (t + 1) / (steps + 1)`` for t < `steps`, then ``after(t - steps)``.

    Parameters
    ----------
    after : float or Schedule
        A learning rate, or the schedule that begins when the line ends.
    steps : int
        Length of the line.

    Examples
    --------
    >>> schedule = Warmup(0.4, steps=3)
    >>> schedule(0), schedule(1), schedule(3), schedule(99)
    (0.1, 0.2, 0.4, 0.4)
    """

    name = "warmup"

    def __init__(self, after: float | Schedule | Mapping[str, Any], steps: int) -> None:
        if isinstance(after, Mapping):  # as in a file
            after = from_spec(after)
        self.after = after if isinstance(after, Schedule) else positive_number(after, f"{self.name}: after")
        self.steps = positive_integer(steps, f"{self.name}: steps")

    def config(self) -> dict[str, Any]:
        return {"after": self.after.spec() if isinstance(self.after, Schedule) else self.after, "steps": self.steps}

    def __call__(self, t: int) -> float:
        later = self.after(max(t - self.steps, 0)) if isinstance(self.after, Schedule) else self.after
        return later * min((t + 1) / (self.steps + 1), 1.0)


SCHEDULES: Mapping[str, Callable[..., Schedule]] = MappingProxyType(
    {cls.name: cls for cls in (StepDecay, ExponentialDecay, CosineDecay, OneCycle, Warmup)}
)


def built_in(schedule: Schedule | None) -> bool:
    """Whether a file can name the schedule; none at all needs no name."""
    if isinstance(schedule, Warmup) and isinstance(schedule.after, Schedule):
        return built_in(schedule.after)
    return schedule is None or type(schedule) in SCHEDULES.values()


def from_spec(description: Mapping[str, Any]) -> Schedule:
    """The schedule that :meth:`Schedule.spec` described."""
    return by_name(SCHEDULES, description["name"], "schedule")(**description["config"])


def _half_cosine(start: float, end: float, share: float) -> float:
    """From `start` at a share of 0 to `end` at 1 and beyond."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))
