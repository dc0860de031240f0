"""What a unit follows: the correlation of its state with what could explain it.

Legend: N steps, U units, E explanations, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seqkit._core import matmul
from seqkit.explain.batch import Batch

LEAST = 8
"""Steps, or sequences, below which a correlation says nothing."""


WORTH_TELLING = 0.1
"""Least magnitude of a correlation."""
LAGS = (0, 1, 2, 4, 8)
"""Steps between an input and the state."""


@dataclass(frozen=True)
class Following:
    """One explanation of the state of a unit.

    Attributes
    ----------
    what : str
        A feature, an id, "position" or "target".
    lag : int
        How many steps before; negative is after.
    correlation : float
        Pearson's, from -1 to 1.
    """

    what: str
    lag: int
    correlation: float

    def __str__(self) -> str:
        if not self.lag:
            return f"{self.what} ({self.correlation:+.2f})"
        steps = "1 step" if abs(self.lag) == 1 else f"{abs(self.lag)} steps"
        return f"{self.what} ({steps} {'before' if self.lag > 0 else 'after'}, {self.correlation:+.2f})"


@dataclass(frozen=True)
class Explanation:
    """Numbers that a state may follow, at some of the steps.

    Attributes
    ----------
    names : sequence of str
    values : list of ndarray (n_i, E)
        Of every sequence.
    steps : list of ndarray of int (n_i,)
        The steps of the states that they are compared with.
    lag : int
        How many steps before those the values are from.
    """

    names: Sequence[str]
    values: list[np.ndarray]
    steps: list[np.ndarray]
    lag: int = 0


def following(
    states: Sequence[np.ndarray], explanations: Sequence[Explanation], best: int = 3
) -> list[list[Following]]:
    """The best explanations of every unit, by the magnitude of the correlation; those below 0.1 are none.

    Parameters
    ----------
    states : sequence of ndarray (T_i, U)
        The states of every sequence.
    explanations : sequence of Explanation
    best : int
        How many.

    Returns
    -------
    list of list of Following
        For each unit.
    """
    found: list[list[Following]] = [[] for _ in range(states[0].shape[1])] if len(states) else []
    for explanation in explanations:
        rows = [state[steps] for state, steps in zip(states, explanation.steps, strict=True)]
        table = correlations(np.concatenate(rows), np.concatenate(explanation.values))
        for unit, row in enumerate(table):
            found[unit] += [
                Following(name, explanation.lag, float(r)) for name, r in zip(explanation.names, row, strict=True)
            ]
    return [_best(candidates, best) for candidates in found]


def explanations(
    batch: Batch,
    names: Sequence[str],
    target: np.ndarray | None = None,
    target_names: Sequence[str] | None = None,
    backwards: bool = False,
) -> Iterator[Explanation]:
    """What is there for all data: features (or ids) of now and before, the position, the target.

    Parameters
    ----------
    batch : Batch
    names : sequence of str
        Of the features, or of the ids.
    target : ndarray, (B,), (B, K) or (B, T, K), optional
        One of a sequence is compared with the state that it ends with; NaN is unknown.
    target_names : sequence of str, optional
        Names of its K numbers.
    backwards : bool
        Whether the states are those of a direction that reads from the end: what it has read comes after.
    """
    rows = [row[:length] for row, length in zip(batch.x, batch.lengths, strict=True)]
    inputs = [np.eye(len(names))[row] if batch.ids else row for row in rows]
    for lag in LAGS:
        counts = [max(0, len(row) - lag) for row in rows]
        early, late = ([row[:count] for row, count in zip(inputs, counts, strict=True)], [row[lag:] for row in inputs])
        steps = [np.arange(count) + (0 if backwards else lag) for count in counts]
        yield Explanation(names, late if backwards else early, steps, -lag if backwards else lag)
    steps = [np.arange(len(row)) for row in rows]
    yield Explanation(["position"], [step[:, None] for step in steps], steps)
    if target is not None:
        yield _target(np.asarray(target, np.float64), target_names, batch.lengths, backwards)


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the columns of a (N, U) and b (N, E), (U, E); 0 where one does not vary or N is small.

    Examples
    --------
    >>> steps = np.arange(10.0)[:, None]
    >>> correlations(steps, np.hstack([2 - steps, steps**0])).round(12).tolist()
    [[-1.0, 0.0]]
    """
    if len(a) < LEAST:
        return np.zeros((a.shape[1], b.shape[1]))
    u, v = (_standardized(np.asarray(values, np.float64)) for values in (a, b))
    return matmul(np.ascontiguousarray(u.T), v)


def _standardized(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=0)
    size = np.sqrt(np.square(centred).sum(axis=0))
    varies = size > 1e-12 * np.sqrt(len(values)) * np.maximum(np.abs(values).max(axis=0), 1e-300)
    return np.where(varies, centred / np.where(varies, size, 1.0), 0.0)


def _target(target: np.ndarray, names: Sequence[str] | None, lengths: np.ndarray, backwards: bool) -> Explanation:
    """Targets of steps, or those of sequences at the last step that was read; NaN is unknown."""
    per_step = target.ndim == 3
    table = target if per_step else target.reshape(len(target), 1, -1)
    count = table.shape[2]
    default = ["target"] if count == 1 else [f"target {k}" for k in range(count)]
    ends = slice(None, 1) if backwards else slice(-1, None)
    steps = [np.arange(length)[slice(None) if per_step else ends] for length in lengths]
    known = [np.isfinite(row[: len(step)]).all(axis=1) for row, step in zip(table, steps, strict=True)]
    rows = [row[: len(k)][k] for row, k in zip(table, known, strict=True)]
    return Explanation(names or default, rows, [step[k] for step, k in zip(steps, known, strict=True)])


def _best(candidates: list[Following], count: int) -> list[Following]:
    """The strongest of each name: a feature at two lags is one explanation."""
    strongest: dict[str, Following] = {}
    told = [one for one in candidates if abs(one.correlation) >= WORTH_TELLING]  # NaN, where an input is, tells nothing
    for one in sorted(told, key=lambda one: -abs(one.correlation)):
        strongest.setdefault(one.what, one)
    return list(strongest.values())[:count]
