"""Finding a likely sequence, given what says how likely each next id is.

A *step* is called with the ids that come next in some sequences, the numbers of their sources, and the state that
the call before gave, of which rows were taken; it gives the logarithms of the probabilities of what follows, and a
new state.

Legend: B sources, R sequences that are not over, V ids, W width of the beam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

State = tuple[np.ndarray, ...]
Step = Callable[[np.ndarray, np.ndarray, Any], tuple[np.ndarray, State]]


@dataclass
class Found:
    """The best sequence of a source so far.

    Attributes
    ----------
    ids : list of int
        Without the end.
    log_p : float
        Logarithm of its probability, that of the end with it.
    score : float
        What it is compared by.
    """

    ids: list[int] = field(default_factory=list)
    log_p: float = 0.0
    score: float = -np.inf


def greedy(step: Step, state: State | None, sources: int, start: int, end: int, limit: int) -> list[Found]:
    """The likeliest next id, until it is the end or there are `limit` ids."""
    found = [Found() for _ in range(sources)]
    alive, ids = np.arange(sources), np.full(sources, start, np.int64)
    for _ in range(limit):
        log_p, state = step(ids, alive, state)  # (R, V)
        ids = log_p.argmax(axis=1)
        for source, following, value in zip(alive, ids, log_p[np.arange(len(ids)), ids], strict=True):
            found[source].log_p += float(value)
            if following != end:
                found[source].ids.append(int(following))
        going = ids != end
        if not going.any():
            break
        alive, ids, state = alive[going], ids[going], tuple(array[going] for array in state)
    return found


@dataclass
class Beam:
    """Sequences that are not over, R of them, those of a source beside each other."""

    sources: np.ndarray
    log_p: np.ndarray
    ids: np.ndarray
    """(R, steps so far)"""


def beam(
    step: Step,
    state: State | None,
    sources: int,
    start: int,
    end: int,
    limit: int,
    width: int,
    length_penalty: float = 1.0,
) -> list[Found]:
    """The best of the sequences that a beam finds: those of the greatest log p / n ** length_penalty, of n ids.

    At every step the `width` likeliest continuations of a source's sequences are kept; those that end are candidates
    for the result, as are those that have `limit` ids.  A source is done when none of its sequences can become better
    than the best candidate.
    """
    found = [Found() for _ in range(sources)]
    alive = Beam(np.arange(sources), np.zeros(sources), np.empty((sources, 0), np.int64))
    ids = np.full(sources, start, np.int64)
    for length in range(1, limit + 1):
        log_p, state = step(ids, alive.sources, state)
        totals = alive.log_p[:, None] + log_p  # (R, V)
        rows, ids = _best(totals, alive.sources, width)
        values = totals[rows, ids]
        alive = Beam(alive.sources[rows], values, np.column_stack([alive.ids[rows], ids]))
        over = (ids == end) | (length == limit)
        for row in np.flatnonzero(over).tolist():
            _offer(found[alive.sources[row]], alive, row, end, length**length_penalty)
        best = np.array([found[source].score for source in alive.sources])
        # A sequence only loses probability: divided by the greatest length this is the most it can reach.
        going = ~over & (values / limit**length_penalty > best)
        if not going.any():
            break
        alive = Beam(alive.sources[going], alive.log_p[going], alive.ids[going])
        ids, state = ids[going], tuple(array[rows[going]] for array in state)
    return found


def _best(totals: np.ndarray, sources: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and id of the `width` greatest totals of every source; of equal ones, the first."""
    rows, ids = [], []
    starts = np.flatnonzero(np.diff(sources, prepend=-1))
    for begin, stop in zip(starts, [*starts[1:], len(sources)], strict=True):
        flat = totals[begin:stop].ravel()
        count = min(width, flat.size)
        least = np.partition(flat, flat.size - count)[flat.size - count]
        candidates = np.flatnonzero(flat >= least)
        chosen = candidates[np.argsort(-flat[candidates], kind="stable")[:count]]
        rows.append(begin + chosen // totals.shape[1])
        ids.append(chosen % totals.shape[1])
    return np.concatenate(rows), np.concatenate(ids)


def _offer(found: Found, beam: Beam, row: int, end: int, divisor: float) -> None:
    """Take a sequence that is over, if it is better than what was found."""
    score = float(beam.log_p[row]) / divisor
    if score > found.score:
        ids = beam.ids[row].tolist()
        found.ids, found.log_p, found.score = ids[:-1] if ids[-1] == end else ids, float(beam.log_p[row]), score
