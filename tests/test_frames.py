"""Sequences out of tables: the same of pandas, Polars and Arrow, and what a loop over the rows gives."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.data.dataset import Sequences
from seqkit.errors import ConfigError, DataError

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")

Columns = dict[str, list[Any]]
MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}
each_library = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def random_rows(seed: int) -> Columns:
    """Rows of five sequences, mixed; times repeat."""
    rng = np.random.default_rng(seed)
    rows = 40
    group = [f"g{number}" for number in rng.integers(5, size=rows)]
    load = {name: float(value) for name, value in zip(sorted(set(group)), rng.standard_normal(5), strict=False)}
    return {
        "id": group,
        "hour": [int(hour) for hour in rng.integers(12, size=rows)],
        "a": [float(value) for value in rng.standard_normal(rows)],
        "b": [int(value) for value in rng.integers(-9, 9, size=rows)],
        "on": [bool(value) for value in rng.integers(2, size=rows)],
        "load": [load[name] for name in group],
        "class": [f"c{name[-1]}" for name in group],
    }


def by_hand(rows: Columns, features: list[str], time: str | None) -> dict[str, np.ndarray]:
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(rows["id"]):
        groups.setdefault(name, []).append(row)
    if time is not None:
        groups = {name: sorted(places, key=lambda row: rows[time][row]) for name, places in groups.items()}
    return {
        name: np.array([[float(rows[feature][row]) for feature in features] for row in places])
        for name, places in groups.items()
    }


def assert_sequences(data: Sequences, expected: dict[str, np.ndarray]) -> None:
    assert data.ids == tuple(expected)
    for got, other in zip(data.x, expected.values(), strict=True):
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, other)


@each_library
@pytest.mark.parametrize("time", [None, "hour"])
@pytest.mark.parametrize("seed", range(4))
def test_groups(make: Any, time: str | None, seed: int) -> None:
    rows = random_rows(seed)
    data = seqkit.sequences_from_frame(make(rows), "id", ["b", "on", "a"], time=time, target="load", label="class")
    expected = by_hand(rows, ["b", "on", "a"], time)
    assert_sequences(data, expected)
    first = [rows["id"].index(name) for name in expected]
    assert data.targets is not None
    assert data.targets.tolist() == [[rows["load"][row]] for row in first]
    assert data.labels == tuple(rows["class"][row] for row in first)
    assert data.features == ("b", "on", "a")
    assert data.target_names == ("load",)


@each_library
def test_all_other_columns_are_features(make: Any) -> None:
    rows = random_rows(9)
    data = seqkit.sequences_from_frame(make(rows), "id", time="hour", target=["load"], label="class")
    assert data.features == ("a", "b", "on")
    assert_sequences(data, by_hand(rows, ["a", "b", "on"], "hour"))


@each_library
def test_one_sequence_without_a_group(make: Any) -> None:
    data = seqkit.sequences_from_frame(make({"a": [3, 1, 2], "t": [2, 0, 1]}), time="t")
    assert [x.tolist() for x in data.x] == [[[1.0], [2.0], [3.0]]]


@each_library
def test_times_of_any_kind_that_sorts(make: Any) -> None:
    days = [datetime.date(2024, 1, day) for day in (3, 1, 2)]
    for times in (days, ["c", "a", "b"], [0.3, -0.1, 0.2]):
        data = seqkit.sequences_from_frame(make({"id": [1, 1, 1], "t": times, "a": [3, 1, 2]}), "id", time="t")
        assert data.x[0].ravel().tolist() == [1.0, 2.0, 3.0]
        assert data.ids == ("1",)


@each_library
def test_a_model_learns_from_them(make: Any) -> None:
    rows = random_rows(3)
    data = seqkit.sequences_from_frame(make(rows), "id", ["a", "b"], target="load")
    model = seqkit.Sequential([seqkit.GRU(3), seqkit.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(data.x, data.targets, epochs=1, batch_size=2)
    alone = np.concatenate([model.predict([x]) for x in by_hand(rows, ["a", "b"], None).values()])
    np.testing.assert_array_equal(model.predict(data.x), alone)


NAN = float("nan")


@each_library
@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"id": ["x", "y"], "a": [1.0, None]}, {"group": "id"}, "column 'a', row 1: nan is missing or not a finite"),
        ({"id": ["x", "y"], "a": [NAN, 1.0]}, {"group": "id"}, "column 'a', row 0: nan is missing or not a finite"),
        ({"id": ["x", "y"], "a": [1.0, np.inf]}, {"group": "id"}, "column 'a', row 1: inf is missing or not a finite"),
        ({"id": ["x", None], "a": [1.0, 2.0]}, {"group": "id"}, "column 'id', row 1: the value is missing"),
        ({"t": [NAN, 2.0], "a": [1.0, 2.0]}, {"time": "t"}, "column 't', row 0: the value is missing"),
        ({"a": [1.0, 2.0], "note": ["p", "q"]}, {}, "column 'note' holds String, not numbers"),
        ({"a": [1.0, 2.0]}, {"features": ["b"]}, "column 'b' does not exist; there are a"),
        ({"a": [1.0, 2.0]}, {"group": "id"}, "column 'id' does not exist"),
        ({"id": ["x", "x"]}, {"group": "id"}, "no column is left to learn from"),
        (
            {"id": ["x", "y", "x"], "a": [1.0, 2.0, 3.0], "y": [0.0, 1.0, 2.0]},
            {"group": "id", "target": "y"},
            "column 'y', row 2: 2.0 here and 0.0 in row 0 of the same sequence",
        ),
        (
            {"id": ["x", "y"], "a": [1.0, 2.0], "y": ["p", "q"]},
            {"group": "id", "target": "y"},
            "column 'y' holds String",
        ),
        ({"a": []}, {}, "the table has no rows"),
    ],
)
def test_complaints(make: Any, columns: Columns, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        seqkit.sequences_from_frame(make(columns), **options)


@pytest.mark.parametrize("frame", [np.ones((2, 2)), [1, 2], None, pl.DataFrame({"a": [1.0]}).lazy()])
def test_what_is_no_table(frame: Any) -> None:
    with pytest.raises(DataError, match=r"is no table that can be read .* collect\(\) what is lazy"):
        seqkit.sequences_from_frame(frame)


def test_times_that_do_not_sort() -> None:
    with pytest.raises(DataError, match="column 't' has values without an order"):
        seqkit.sequences_from_frame(pd.DataFrame({"a": [1.0, 2.0], "t": ["x", 1]}), time="t")
    with pytest.raises(DataError, match="column 'id' has values without an order or a hash"):
        seqkit.sequences_from_frame(pl.DataFrame({"a": [1.0], "id": [[1]]}), "id")


def test_columns_without_names_and_a_single_feature() -> None:
    data = seqkit.sequences_from_frame(pd.DataFrame([[1.0, 2.0], [3.0, 4.0]]))
    assert data.x[0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    named = seqkit.sequences_from_frame(pd.DataFrame({"load": [1.0], "b": [2.0]}), features="load")
    assert named.features == ("load",)


def test_narwhals_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqkit\[frames\]'"):
        seqkit.sequences_from_frame(pd.DataFrame({"a": [1.0]}))
