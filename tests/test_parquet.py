"""Parquet files are read as the same table as CSV."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqkit.data import parquet_file
from seqkit.data.files import Columns, read_sequences, read_series
from seqkit.errors import DataError

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet")

RNG = np.random.default_rng(5)
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=n) for n in range(90)]
VALUES = {"day": DAYS, "sales": RNG.normal(size=90).tolist(), "shop": [f"s{n // 9}" for n in range(90)]}


def written(path: Path, **columns: Any) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.fixture(params=parquet_file.LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(request.param)
    monkeypatch.setattr(parquet_file, "LIBRARIES", (request.param,))


def test_series_and_sequences(tmp_path: Path, library: None) -> None:
    path = written(tmp_path / "sales.parquet", **VALUES)
    series = read_series(path)
    assert (series.column, series.index[:2]) == ("sales", ("2024-01-01", "2024-01-02"))
    assert series.values.tolist() == VALUES["sales"]
    groups, _ = read_sequences(path, Columns(id="shop"))
    assert groups.ids == tuple(f"s{n}" for n in range(10))
    np.testing.assert_array_equal(np.concatenate(groups.x)[:, 0], VALUES["sales"])


def test_what_cannot_be_read(tmp_path: Path, library: None) -> None:
    bad = tmp_path / "bad.parquet"
    for columns, message in (
        ({"a": [1.0, None, 3.0]}, r"line 2, column 'a': the value is missing \(''\)"),
        ({"a": [1.0, float("nan")]}, r"line 2, column 'a': the value is missing"),
        ({"a": [1.0], "b": [[1, 2]]}, r"there are lists in b"),
        ({"a": pyarrow.array([], pyarrow.float64())}, "there are no rows"),
    ):
        with pytest.raises(DataError, match=message):
            read_series(written(bad, **columns))
    bad.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="no Parquet file that can be read"):
        read_series(bad)


def test_the_command(run: Any, tmp_path: Path) -> None:
    written(tmp_path / "sales.parquet", **VALUES)
    run("fit", "sales.parquet", "--units", "2", "--epochs", "1", "--threads", "1", "--quiet")
    assert run("predict", "sales.safetensors", "sales.parquet").stdout.startswith("time,sales,forecast\n")


def test_without_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "LIBRARIES", ("no_such_library",))
    with pytest.raises(DataError, match="need pyarrow or Polars"):
        read_series(written(tmp_path / "a.parquet", a=[1.0]))
