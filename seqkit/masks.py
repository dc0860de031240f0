"""What a recurrent layer drops in training, and the masks of one call.

Masks are drawn from a counter-based generator: a number depends on the seed of the layer, on what is dropped, on the
number of its row since the layer was built, on time and unit, and on nothing else.

Legend: B batch, T time, F features that W multiplies, N numbers of a state; R, S the shape of ``weight_hh``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.counter import Counter
from seqkit.errors import ConfigError
from seqkit.options import fraction

# Numbers of streams: what is dropped.  Those of states are followed by one for each other state.
INPUT, WEIGHT, RECURRENT, ZONEOUT = 0, 1, 16, 32


@dataclass(frozen=True)
class Masks:
    """The masks of one forward call, and what those of each step are drawn from.

    Attributes
    ----------
    input : ndarray (B, F), optional
        What x is multiplied by, raw inputs excepted.
    recurrent : tuple of ndarray (B, N)
        What each state that enters a product is multiplied by.
    weight : ndarray (R, S), optional
        What ``weight_hh`` is multiplied by.
    noises : tuple of Noise
        For each state that is zoned out, the stream of its masks.
    first_row : int
        Number of the first row since the layer was built.
    """

    input: np.ndarray | None = None
    recurrent: tuple[np.ndarray, ...] = ()
    weight: np.ndarray | None = None
    noises: tuple[_core.Noise, ...] = ()
    first_row: int = 0


@dataclass(frozen=True)
class Rates:
    """Fractions that a layer drops in training.

    Attributes
    ----------
    states : tuple of str
        The states of the cell.
    input, recurrent, weight : float
        Of x, of states where they enter a product, of ``weight_hh``.
    zoneout : dict of str to float
        Of the units of a state that keep their old value; states that are not zoned out are left out.
    """

    states: tuple[str, ...]
    input: float
    recurrent: float
    weight: float
    zoneout: dict[str, float]

    def __bool__(self) -> bool:
        """Whether anything is dropped."""
        return bool(self.input or self.recurrent or self.weight or self.zoneout)

    def draw(
        self,
        counter: Counter,
        batch: int,
        params: Mapping[str, np.ndarray],
        masked: Mapping[str, int],
        dtype: str,
    ) -> Masks:
        """The masks of a call on `batch` rows.

        `masked` gives the sizes of the states that are masked where they enter a product.
        """

        def drawn(stream: int, rate: float, shape: tuple[int, int]) -> np.ndarray:
            return _core.draw(_core.Noise(counter.seed, stream, rate), counter.row, 0, shape, dtype)

        def zoned_out(state: str, rate: float) -> _core.Noise:
            return _core.Noise(counter.seed, ZONEOUT + self.states.index(state), rate, scale=1.0)

        inputs, recurrent = params["weight_ih"].shape, params["weight_hh"].shape
        whole = (1, recurrent[0] * recurrent[1])  # the weights have one mask for a call: that of its first row
        return Masks(
            drawn(INPUT, self.input, (batch, inputs[1])) if self.input and inputs[0] else None,
            tuple(
                drawn(RECURRENT + self.states.index(state), self.recurrent, (batch, size))
                for state, size in masked.items()
            ),
            drawn(WEIGHT, self.weight, whole).reshape(recurrent) if self.weight else None,
            tuple(zoned_out(state, rate) for state, rate in self.zoneout.items()),
            counter.row,
        )


def zoneout_of(value: Any, states: Sequence[str], owner: str) -> dict[str, float]:
    """The states that are zoned out, with their rates, from one number for all states or one for each named state.

    Examples
    --------
    >>> zoneout_of(0.1, ("h", "c"), "lstm"), zoneout_of({"c": 0.5, "h": 0.0}, ("h", "c"), "lstm")
    ({'h': 0.1, 'c': 0.1}, {'c': 0.5})
    >>> zoneout_of({"z": 0.5}, ("h", "c"), "lstm")
    Traceback (most recent call last):
    seqkit.errors.ConfigError: lstm: zoneout names 'z', which is no state of the cell; it has h, c.
    """
    given = dict(value) if isinstance(value, Mapping) else dict.fromkeys(states, value)
    unknown = next((name for name in given if name not in states), None)
    if unknown is not None:
        raise ConfigError(
            f"{owner}: zoneout names {unknown!r}, which is no state of the cell; it has {', '.join(states)}."
        )
    rates = {state: fraction(given[state], f"{owner}: zoneout") for state in states if state in given}
    return {state: rate for state, rate in rates.items() if rate}
