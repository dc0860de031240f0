"""Made-up tasks have the properties that define them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from seqkit.data.synthetic import (
    SYMBOLS,
    Synthetic,
    adding_problem,
    embedded_reber,
    legal_successors,
    reber_string,
    spike_intervals,
    temporal_order,
    timed_spikes,
)
from seqkit.errors import ConfigError


def test_adding_problem() -> None:
    data = adding_problem(500, 60, seed=1)
    assert set(data.lengths) == set(range(60, 67))
    positions = []
    for x, y, length in zip(data.x, data.y, data.lengths, strict=True):
        marks, inside = x[:length, 1], x[:length, 0]
        assert not x[length:].any()
        assert (marks[0], marks[-1]) == (-1, -1)
        assert set(marks[1:-1]) <= {0, 1}
        assert (np.abs(inside) <= 1).all()
        chosen = np.flatnonzero(marks == 1)
        assert len(chosen) in (1, 2)  # the first step keeps its mark, and counts as 0
        assert y[0] == pytest.approx(0.5 + inside[chosen].sum() / 4, abs=1e-6)
        assert len(chosen) == 1 or chosen[0] < 10
        positions.extend(chosen)
    assert max(positions) == 60 // 2 - 2  # the first T / 2 - 1 steps, counted from 0
    assert np.std(data.x[:, 1:50, 0]) == pytest.approx(np.sqrt(1 / 3), rel=0.02)


@pytest.mark.parametrize(("marks", "spans"), [(2, [(10, 20), (50, 60)]), (3, [(10, 20), (33, 43), (66, 76)])])
def test_temporal_order(marks: int, spans: list[tuple[int, int]]) -> None:
    data = temporal_order(600, marks, seed=2)
    assert set(data.lengths) == set(range(100, 111))
    places = []
    for x, y, length in zip(data.x, data.y, data.lengths, strict=True):
        assert (x[:length].sum(axis=1) == 1).all()
        assert not x[length:].any()
        symbols = x[:length].argmax(axis=1)
        assert (symbols[0], symbols[-1]) == (6, 7)
        found = np.flatnonzero((symbols == 4) | (symbols == 5))
        places.append(found)
        assert int("".join(str(symbol - 4) for symbol in symbols[found]), 2) == y
        assert (np.delete(symbols[1:-1], found - 1) < 4).all()
    assert [(low, high) for low, high in zip(np.min(places, axis=0), np.max(places, axis=0), strict=True)] == spans
    assert set(data.y) == set(range(2**marks))


def accepts(string: str) -> bool:
    """Whether the embedded grammar makes the string, by its diagram: nodes 1 to 6, edges with symbols."""
    edges = {(1, "T"): 2, (1, "P"): 3, (2, "S"): 2, (2, "X"): 4, (3, "T"): 3, (3, "V"): 5}
    edges |= {(4, "X"): 3, (4, "S"): 6, (5, "P"): 4, (5, "V"): 6}
    if len(string) < 9 or string[0] + string[2] + string[-3] + string[-1] != "BBEE" or string[1] != string[-2]:
        return False
    node: int | None = 1
    for symbol in string[3:-3]:
        node = edges.get((node, symbol)) if node else None
    return string[1] in "TP" and node == 6


def test_reber_strings_follow_the_grammar() -> None:
    rng = np.random.default_rng(3)
    strings = [reber_string(rng) for _ in range(400)]
    assert all(accepts(string) for string in strings)
    assert not any(accepts(string[:4] + "B" + string[5:]) for string in strings)
    following: dict[str, set[str]] = {}
    for string in strings:
        for n, legal in enumerate(legal_successors(string)):
            assert string[n + 1] in legal
            following.setdefault(string[: n + 1], set()).add(string[n + 1])
    seen = [(set(legal_successors(s)[n]), following[s[: n + 1]]) for s in strings for n in range(6)]
    assert all(found <= legal for legal, found in seen)
    assert sum(found == legal for legal, found in seen) > 0.9 * len(seen)  # nothing is called legal that never comes


def test_embedded_reber() -> None:
    data = embedded_reber(100, seed=4)
    found = set()
    for x, y, length in zip(data.x, data.y, data.lengths, strict=True):
        string = "".join(SYMBOLS[n] for n in x[:length].argmax(axis=1)) + "E"
        assert accepts(string)
        assert [set(np.flatnonzero(row)) for row in y[:length]] == [
            {SYMBOLS.index(symbol) for symbol in legal} for legal in legal_successors(string)
        ]
        assert not x[length:].any()
        assert not y[length:].any()
        found.add(string)
    assert len(found) == 100


def test_timed_spikes() -> None:
    data = timed_spikes(3, 25, periods=(10, 4))
    assert [np.flatnonzero(row).tolist() for row in data.y[:, :, 0]] == [[9, 19], [3, 7, 11, 15, 19, 23], [9, 19]]
    assert data.x[:, :, 0].tolist() == [[0] * 25, [1] * 25, [0] * 25]


def test_spike_intervals() -> None:
    data = spike_intervals(200, (7, 4), spikes=4, seed=1)
    starts = set()
    for x, y, length in zip(data.x, data.y, data.lengths, strict=True):
        at = np.flatnonzero(x)
        assert set(np.diff(at)) == {4 if y[0] else 7}
        assert (len(at), at[-1], x.max()) == (4, length - 1, 1)
        starts.add(at[0])
    assert starts == set(range(10))
    assert set(data.y[:, 0]) == {0, 1}
    with pytest.raises(ConfigError, match="spikes 2 or more"):
        spike_intervals(1, spikes=1)


@pytest.mark.parametrize("draw", [lambda seed: adding_problem(3, 50, seed), lambda seed: temporal_order(3, seed=seed)])
def test_seeds(draw: Callable[[int], Synthetic]) -> None:
    for one, other in zip(draw(5), draw(5), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (draw(5).y != draw(6).y).any()


def test_wrong_sizes() -> None:
    with pytest.raises(ConfigError, match="shortest must be at least 22"):
        adding_problem(1, 21)
    with pytest.raises(ConfigError, match="marks must be 2 or 3"):
        temporal_order(1, 4)
    with pytest.raises(ConfigError, match="periods must be"):
        timed_spikes(1, 10, (1,))
