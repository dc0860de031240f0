"""Batches: sequences gathered from one array, and batches of similar length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import _core
from seqkit.errors import ShapeError
from seqkit.layers.last_step import LastStep
from seqkit.training.batches import Part, Samples
from seqkit.training.losses import MeanSquaredError

RNG = np.random.default_rng(4)
LENGTHS = RNG.integers(0, 40, 103)
ROWS = [RNG.normal(size=(length, 3)).astype("float32") for length in LENGTHS]


def part(lengths: np.ndarray = LENGTHS) -> Part:
    """Sequences whose target is their number."""
    rows = [np.full((length, 1), number + 1.0) for number, length in enumerate(lengths)]
    return Part.whole(Samples(rows, np.arange(len(rows))))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "bool"])
def test_lists_become_padded_arrays(dtype: str) -> None:
    samples = Samples([row.astype(dtype) for row in ROWS], np.arange(len(ROWS)))
    chosen = np.array([100, 3, 3, 57, 0])
    batch = samples.take(chosen)
    assert batch.lengths is not None
    assert batch.x.dtype == dtype
    assert batch.x.shape == (5, LENGTHS[chosen].max(), 3)
    for x, length, number in zip(batch.x, batch.lengths, chosen, strict=True):
        assert length == LENGTHS[number]
        np.testing.assert_array_equal(x[:length], ROWS[number].astype(dtype))
        assert not x[length:].any()
    assert batch.y is not None
    np.testing.assert_array_equal(batch.y, chosen)


def test_a_value_for_every_step() -> None:
    weights = [np.arange(len(row)) + 0.5 for row in ROWS]
    samples = Samples(ROWS, [row * 2 for row in ROWS], weights, per_step=True)
    batch = samples.take([1, 99])
    assert batch.y is not None
    assert batch.sample_weight is not None
    np.testing.assert_array_equal(batch.y, 2 * batch.x)
    for row, number in zip(batch.sample_weight, (1, 99), strict=True):
        np.testing.assert_array_equal(row[: LENGTHS[number]], weights[number])
        assert not row[LENGTHS[number] :].any()


def test_large_batches_are_gathered_by_threads_to_the_same_numbers() -> None:
    rows = [np.random.default_rng(n).normal(size=(200 + n % 7, 40)) for n in range(90)]
    samples = Samples(rows)
    with seqkit.threads(1):
        one = samples.take(np.arange(90))
    with seqkit.threads(2):
        two = samples.take(np.arange(90))
    np.testing.assert_array_equal(one.x, two.x)
    assert one.x.nbytes > 4_000_000  # where threads begin
    for x, row in zip(one.x, rows, strict=True):
        np.testing.assert_array_equal(x[: len(row)], row)


def test_a_list_is_checked_when_it_is_given() -> None:
    with pytest.raises(ShapeError, match="equal features, got"):
        Samples([np.zeros((2, 3)), np.zeros((2, 4))])


class TestShuffled:
    def numbers(self, pool: int, seed: int = 0, size: int = 8, lengths: np.ndarray = LENGTHS) -> list[list[int]]:
        shuffled = part(lengths).shuffled(np.random.default_rng(seed), size, pool)
        return [batch.y.tolist() for batch in shuffled.batches(size) if batch.y is not None]

    def spread(self, batches: list[list[int]]) -> float:
        return float(np.mean([np.ptp(LENGTHS[batch]) for batch in batches[:-1]]))

    @pytest.mark.parametrize("pool", [1, 2, 5, 1000])
    @pytest.mark.parametrize("size", [1, 8, 103, 200])
    def test_every_sample_once(self, pool: int, size: int) -> None:
        batches = self.numbers(pool, size=size)
        assert sorted(np.concatenate(batches)) == list(range(103))
        assert [len(batch) for batch in batches[:-1]] == [size] * (-(-103 // size) - 1)

    def test_lengths_are_similar(self) -> None:
        mixed, some, sorted_ = (self.spread(self.numbers(pool)) for pool in (1, 4, 1000))
        assert sorted_ < 4 < some < 14 < mixed

    def test_the_order_of_batches_is_drawn_too(self) -> None:
        means = [np.mean(LENGTHS[batch]) for batch in self.numbers(1000)[:-1]]
        assert means != sorted(means)
        assert means != sorted(means)[::-1]

    def test_what_is_left_over_is_drawn_from_all(self) -> None:
        rest = [LENGTHS[self.numbers(1000, seed)[-1]].mean() for seed in range(30)]
        assert 15 < np.mean(rest) < 25  # LENGTHS.mean() is about 20

    def test_seeds(self) -> None:
        assert self.numbers(4, 1) == self.numbers(4, 1)
        assert self.numbers(4, 1) != self.numbers(4, 2)

    def test_the_same_batches_everywhere(self) -> None:
        """Frozen: a seed means these batches on every machine."""
        lengths = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
        assert self.numbers(2, 0, 3, lengths) == [[3, 6, 2], [9, 0, 8], [4, 7, 5], [1]]

    def test_lists_and_padded_arrays_alike(self) -> None:
        array = Part.whole(Samples(np.zeros((103, 40, 1)), lengths=LENGTHS))
        rows = [p.shuffled(np.random.default_rng(2), 2).rows for p in (part(), array)]
        np.testing.assert_array_equal(*rows)

    def test_fit_says_how(self) -> None:
        def seen(**options: int) -> list[np.ndarray]:
            batches: list[np.ndarray] = []

            class Noted(MeanSquaredError):
                def __call__(self, y_true: Any, *others: Any) -> Any:
                    batches.append(np.array(y_true))
                    return super().__call__(y_true, *others)

            model = seqkit.Sequential([LastStep(), seqkit.Dense(1)], seed=1)
            model.compile("sgd", Noted())
            model.fit([np.ones((length, 1)) for length in LENGTHS], LENGTHS / 100, batch_size=8, seed=5, **options)
            return batches[:-1]

        spreads = [np.mean([np.ptp(batch) for batch in seen(**options)]) for options in ({}, {"bucket": 1})]
        assert spreads[0] < 0.05 < 0.25 < spreads[1]

    def test_equal_lengths_are_only_shuffled(self) -> None:
        whole = Part.whole(Samples(np.zeros((9, 2)), np.arange(9)))
        rows = whole.shuffled(np.random.default_rng(3), 2, 50).rows
        np.testing.assert_array_equal(rows, np.random.default_rng(3).permutation(9))


class TestScatter:
    def test_sums_by_id(self) -> None:
        rng = np.random.default_rng(0)
        for dtype in ("float32", "float64"):
            ids, values = rng.integers(0, 7, 50), rng.normal(size=(50, 5)).astype(dtype)
            table = rng.normal(size=(7, 5)).astype(dtype)
            expected = table.astype(float)
            np.add.at(expected, ids, values.astype(float))
            _core.scatter_add(table, ids, values)
            np.testing.assert_allclose(table, expected, rtol=1e-4 if dtype == "float32" else 1e-13)

    def test_threads_give_the_same_bits(self) -> None:
        rng = np.random.default_rng(1)
        ids, values = rng.integers(0, 50, 20_000), rng.normal(size=(20_000, 100)).astype("float32")
        tables = []
        for threads in (1, 2):
            tables.append(np.zeros((50, 100), "float32"))
            with seqkit.threads(threads):
                _core.scatter_add(tables[-1], ids, values)
        np.testing.assert_array_equal(*tables)
        assert tables[0].any()
