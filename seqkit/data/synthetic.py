"""Made-up tasks on which recurrent networks have been measured since the nineties.

Every function draws as many samples as asked for from a seed; what it gives goes into
:meth:`seqkit.Sequential.fit` as it is: ``model.fit(data.x, data.y, lengths=data.lengths)``.

Legend: S samples, T time, F features, K outputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqkit.errors import ConfigError

SYMBOLS = "BTPSXVE"
"""Symbols of the embedded Reber grammar, in the order of the features."""

# The Reber grammar: state -> {symbol: next state}.  State 5 has none: the string ends there with E.
_REBER: tuple[dict[str, int], ...] = (
    {"T": 1, "P": 2},
    {"S": 1, "X": 3},
    {"T": 2, "V": 4},
    {"X": 2, "S": 5},
    {"P": 3, "V": 5},
    {},
)


class Synthetic(NamedTuple):
    """Samples of a made-up task.

    Attributes
    ----------
    x : ndarray, (S, T, F), float32
        Sequences, padded with zeros.
    y : ndarray
        Targets: (S, 1), class ids (S,), or one per step, (S, T, K).
    lengths : ndarray of int64, (S,)
        True lengths.
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray


def adding_problem(samples: int, shortest: int, seed: int | np.random.Generator | None = None) -> Synthetic:
    """Remember two numbers that were marked long ago, and give their sum.

    A step is a number from -1 to 1 and a mark.  Two steps are marked with 1, one of the first ten
    and another of the first ``shortest / 2 - 1``; the marks of the first and the last step are -1,
    all others 0.  The target is ``0.5 + (X1 + X2) / 4``; where the very first step was chosen, its
    number counts as 0 (it keeps the mark -1).  Lengths are uniform in ``shortest`` to ``1.1 shortest``.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997,
    section 5.4.

    Parameters
    ----------
    samples : int
        S.
    shortest : int
        Least number of steps, at least 22.
    seed : int or Generator, optional
        Source of the samples.

    Returns
    -------
    Synthetic
        x (S, T, 2), y (S, 1).

    Examples
    --------
    >>> data = adding_problem(4, 100, seed=0)
    >>> data.x.shape[2], data.y.shape, bool((data.lengths >= 100).all())
    (2, (4, 1), True)
    """
    if shortest < 22:
        raise ConfigError(f"adding_problem: shortest must be at least 22 to have room for two marks, got {shortest}.")
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, shortest + shortest // 10 + 1, size=samples)
    rows = np.arange(samples)
    first = rng.integers(10, size=samples)
    second = rng.integers(shortest // 2 - 2, size=samples)
    second += second >= first  # any but the first one
    x = np.zeros((samples, int(lengths.max(initial=0)), 2), dtype=np.float32)
    x[..., 0] = rng.uniform(-1.0, 1.0, size=x.shape[:2])
    chosen = [np.where(step == 0, 0.0, x[rows, step, 0]) for step in (first, second)]
    x[rows, first, 1] = x[rows, second, 1] = 1.0
    x[:, :1, 1] = x[rows, lengths - 1, 1] = -1.0
    x[np.arange(x.shape[1]) >= lengths[:, None]] = 0.0
    return Synthetic(x, (0.5 + sum(chosen)[:, None] / 4.0).astype(np.float32), lengths)  # type: ignore[index]


def temporal_order(samples: int, marks: int = 2, seed: int | np.random.Generator | None = None) -> Synthetic:
    """Classify sequences by the order of a few symbols that are far from each other.

    Sequences of 100 to 110 symbols start with E, end with B and hold a, b, c, d at random but for
    `marks` symbols X or Y: the first between steps 10 and 20, then between 50 and 60 or, with
    three marks, between 33 and 43 and between 66 and 76.  The class is which of them are Y, read
    as a binary number.  Features are ``a b c d X Y E B``.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997,
    section 5.6, tasks 6a (two marks, 4 classes) and 6b (three marks, 8 classes).

    Parameters
    ----------
    samples : int
        S.
    marks : {2, 3}
        Symbols whose order counts.
    seed : int or Generator, optional
        Source of the samples.

    Returns
    -------
    Synthetic
        x (S, T, 8) one-hot, y (S,) class ids.

    Examples
    --------
    >>> data = temporal_order(3, seed=0)
    >>> data.x.shape[2], data.x[:, 0].argmax(axis=1).tolist()
    (8, [6, 6, 6])
    """
    starts = {2: (10, 50), 3: (10, 33, 66)}.get(marks)
    if starts is None:
        raise ConfigError(f"temporal_order: marks must be 2 or 3, got {marks!r}.")
    rng = np.random.default_rng(seed)
    lengths = rng.integers(100, 111, size=samples)
    rows = np.arange(samples)
    symbols = rng.integers(4, size=(samples, int(lengths.max(initial=0))))
    late = rng.integers(2, size=(samples, marks))  # 1 for Y
    for n, start in enumerate(starts):
        symbols[rows, rng.integers(start, start + 11, size=samples)] = 4 + late[:, n]
    symbols[:, :1], symbols[rows, lengths - 1] = 6, 7
    x = np.eye(8, dtype=np.float32)[symbols]
    x[np.arange(x.shape[1]) >= lengths[:, None]] = 0.0
    return Synthetic(x, late @ (1 << np.arange(marks)[::-1]), lengths)


def reber_string(rng: np.random.Generator) -> str:
    """A string of the embedded Reber grammar, as ``BTBPVVETE``: the second symbol comes back as the last but one.

    Source: Smith and Zipser, "Learning sequential structure with the real-time recurrent learning
    algorithm", International Journal of Neural Systems 1, 1989; the grammar is Reber's of 1967.

    Examples
    --------
    >>> reber_string(np.random.default_rng(0))
    'BPBTXSEPE'
    """
    outer, inner, state = "TP"[rng.integers(2)], "", 0
    while _REBER[state]:
        symbol = sorted(_REBER[state])[rng.integers(2)]
        inner, state = inner + symbol, _REBER[state][symbol]
    return f"B{outer}B{inner}E{outer}E"


def legal_successors(string: str) -> list[str]:
    """Symbols that may follow each symbol but the last of a string of the embedded Reber grammar.

    Examples
    --------
    >>> legal_successors("BPBPVVEPE")
    ['PT', 'B', 'PT', 'TV', 'PV', 'E', 'P', 'E']
    """
    found, state = ["PT", "B", "PT"], 0
    for symbol in string[3:-3]:
        state = _REBER[state][symbol]
        found.append("".join(sorted(_REBER[state])) or "E")
    return [*found, string[1], "E"]


def embedded_reber(samples: int, seed: int | np.random.Generator | None = None) -> Synthetic:
    """Which symbols may come next, in distinct strings of the embedded Reber grammar.

    Only the last but one prediction needs a long memory: it is the second symbol of the string.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997,
    section 5.1.

    Parameters
    ----------
    samples : int
        S.
    seed : int or Generator, optional
        Source of the strings.

    Returns
    -------
    Synthetic
        x (S, T, 7) the symbols but the last, one-hot in the order of `SYMBOLS`;
        y (S, T, 7) 1 for each symbol that may come next, else 0.

    Examples
    --------
    >>> data = embedded_reber(2, seed=0)
    >>> data.lengths.tolist(), data.y[0, 0].tolist()
    ([8, 11], [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    """
    rng = np.random.default_rng(seed)
    strings: dict[str, None] = {}  # a set that keeps its order
    while len(strings) < samples:
        strings[reber_string(rng)] = None
    lengths = np.array([len(string) - 1 for string in strings], dtype=np.int64)
    x = np.zeros((samples, int(lengths.max(initial=0)), len(SYMBOLS)), dtype=np.float32)
    y = np.zeros_like(x)
    for row, string in enumerate(strings):
        for step, (symbol, successors) in enumerate(zip(string, legal_successors(string), strict=False)):
            x[row, step, SYMBOLS.index(symbol)] = 1.0
            y[row, step, [SYMBOLS.index(successor) for successor in successors]] = 1.0
    return Synthetic(x, y, lengths)


def timed_spikes(samples: int, steps: int, periods: tuple[int, ...] = (10,)) -> Synthetic:
    """Generate a spike train of a given period out of nothing but its number.

    The only feature is constant: n for the n-th of the periods.  The target is 1 at steps
    ``period - 1, 2 period - 1, ...`` and else 0; sample s has period ``s mod len(periods)``.

    Source: Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent
    networks", Journal of Machine Learning Research 3, 2002: the task of generating timed spikes.

    Parameters
    ----------
    samples : int
        S.
    steps : int
        T.
    periods : tuple of int
        Steps from spike to spike.

    Returns
    -------
    Synthetic
        x (S, T, 1), y (S, T, 1).

    Examples
    --------
    >>> timed_spikes(1, 7, (3,)).y[0, :, 0].tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    """
    if not periods or min(periods) < 2:
        raise ConfigError(f"timed_spikes: periods must be integers of at least 2, got {periods!r}.")
    which = np.arange(samples) % len(periods)
    x = np.broadcast_to(which[:, None, None], (samples, steps, 1)).astype(np.float32)
    spikes = (np.arange(1, steps + 1) % np.array(periods)[which][:, None] == 0)[..., None]
    return Synthetic(x, spikes.astype(np.float32), np.full(samples, steps, dtype=np.int64))


def spike_intervals(
    samples: int, gaps: tuple[int, int] = (49, 50), spikes: int = 3, seed: int | np.random.Generator | None = None
) -> Synthetic:
    """Tell spike trains of two periods apart, at their last spike.

    The first of `spikes` spikes (1, else 0) comes at step 0 to 9, the others after equal gaps, of
    the first or the second length; the sequence ends with the last.

    Source: Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent
    networks", Journal of Machine Learning Research 3, 2002: spikes 49 or 50 steps apart.

    Parameters
    ----------
    samples : int
        S.
    gaps : tuple of int
        Steps from spike to spike.
    spikes : int
        Spikes of a sequence, at least 2.
    seed : int or Generator, optional
        Source of the samples.

    Returns
    -------
    Synthetic
        x (S, T, 1), y (S, 1): 1 where it is the second gap, else 0.

    Examples
    --------
    >>> data = spike_intervals(1, (2, 3), seed=0)
    >>> np.flatnonzero(data.x[0]).tolist(), data.y[0].tolist()
    ([6, 9, 12], [1.0])
    """
    if min(gaps) < 1 or spikes < 2:
        raise ConfigError(f"spike_intervals: gaps must be 1 or more and spikes 2 or more, got {gaps!r} and {spikes!r}.")
    rng = np.random.default_rng(seed)
    second = rng.integers(2, size=samples)
    first, gap = rng.integers(10, size=samples), np.asarray(gaps, dtype=np.int64)[second]
    at = first[:, None] + gap[:, None] * np.arange(spikes)
    lengths = at[:, -1] + 1
    x = np.zeros((samples, int(lengths.max(initial=0)), 1), dtype=np.float32)
    x[np.arange(samples)[:, None], at] = 1.0
    return Synthetic(x, second[:, None].astype(np.float32), lengths)
