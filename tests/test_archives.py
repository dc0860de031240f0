"""NumPy archives and the UCR/UEA archive's files: what comes out, and what a broken file is told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from seqkit.data.files import companion
from seqkit.data.npz_file import read_npz
from seqkit.data.ts_file import read_ts
from seqkit.errors import DataError

SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))


# npz


def test_npz_cuts_padding_off(tmp_path, jagged):
    x = np.full((4, 6, 3), np.nan)
    for padded, row in zip(x, jagged, strict=True):
        padded[: len(row)] = row
    lengths = [len(row) for row in jagged]
    test = {"x_test": x[:2, :, :2], "lengths_test": [2, 1], "y_test": [0.5, 1]}
    np.savez(tmp_path / "a.npz", x=x, lengths=lengths, y=[3, 1, 3, 0], **test)
    train, test = read_npz(tmp_path / "a.npz")
    assert all(np.array_equal(a, b) for a, b in zip(train.x, jagged, strict=True))
    assert train.labels == ("3", "1", "3", "0")
    assert (test.labels, test.targets.tolist()) == (None, [[0.5], [1.0]])
    assert [row.shape for row in test.x] == [(2, 2), (1, 2)]


def test_npz_of_one_feature_and_two_targets(tmp_path):
    x = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(6.0).reshape(3, 2))
    data, test = read_npz(tmp_path / "a.npz")
    assert test is None
    assert np.array_equal(np.stack(data.x), x[:, :, None])
    assert data.target_names == ("y1", "y2")
    assert data.targets.tolist() == [[0, 1], [2, 3], [4, 5]]


BROKEN_ARCHIVES = {
    "has no key 'x'": {"y": np.zeros(2)},
    "unknown key 'z'": {"x": np.ones((2, 3, 1)), "z": 1},
    r"x has shape \(4,\), expected": {"x": np.ones(4)},
    r"x has shape \(0, 3, 1\), expected": {"x": np.ones((0, 3, 1))},
    r"x\[1, 2, 0\] is nan": {"x": np.array([[1, 2, 3], [4, 5, np.nan]])},
    "x has dtype <U1": {"x": np.array([["a"]])},
    "x has dtype complex128": {"x": np.ones((2, 2)) * 1j},
    r"lengths\[1\] is 4, expected 1 to 3": {"x": np.ones((2, 3)), "lengths": [3, 4]},
    r"lengths\[0\] is 0, expected 1 to 3": {"x": np.ones((2, 3)), "lengths": [0, 3]},
    "lengths is float64": {"x": np.ones((2, 3)), "lengths": [1.0, 2.0]},
    r"y has shape \(3,\)": {"x": np.ones((2, 3)), "y": [1, 2, 3]},
    r"y has classes in shape \(2, 2\)": {"x": np.ones((2, 3)), "y": [[1, 2], [3, 4]]},
    r"y\[1\] is inf": {"x": np.ones((2, 3)), "y": [1.0, np.inf]},
    r"y\[0\] is -1e\+200": {"x": np.ones((2, 3)), "y": [-1e200, 2.0]},
    r"x\[1, 0, 0\] is 1e\+200": {"x": np.array([[1.0], [1e200]])},
    "Python objects": {"x": np.array([[1, None]], dtype=object)},
}


@pytest.mark.parametrize("phrase", BROKEN_ARCHIVES)
def test_broken_archives(tmp_path, phrase):
    np.savez(tmp_path / "a.npz", **BROKEN_ARCHIVES[phrase])
    with pytest.raises(DataError, match=phrase):
        read_npz(tmp_path / "a.npz")


def test_npz_that_is_none(write, tmp_path):
    with pytest.raises(DataError, match=r"not an \.npz archive"):
        read_npz(write("a.npz", b"hello"))
    np.savez(tmp_path / "b.npz", x=np.random.default_rng(0).normal(size=(50, 3)))
    content = bytearray((tmp_path / "b.npz").read_bytes())
    content[200:300] = bytes(100)
    with pytest.raises(DataError, match="it is damaged"):
        read_npz(write("b.npz", bytes(content)))


# ts

TS = "# a remark\n@problemName Demo\n@timeStamps false\n@classLabel true up down\n@data\n"


def test_ts_reads_dimensions_lengths_and_classes(write):
    data = read_ts(write("a.ts", TS + "1,2,3:-4,5e1,6:up\r\n\n7:8:down\n"))
    assert [row.tolist() for row in data.x] == [[[1, -4], [2, 50], [3, 6]], [[7, 8]]]
    assert data.labels == ("up", "down")
    assert data.features == ("dim1", "dim2")


def test_ts_with_a_target(write):
    data = read_ts(write("a.ts", "@problemname D\n@targetLabel true\n@data\n1,2:0.5\n3:1.5\n"))
    assert data.labels is None
    assert data.targets.tolist() == [[0.5], [1.5]]


def test_ts_without_answers(write):
    data = read_ts(write("a.ts", "@classLabel false\n@data\n1,2:3,4\n"))
    assert (data.labels, data.targets) == (None, None)
    assert data.x[0].tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("1,2:up\n", "line 1: expected a tag"),
        ("@classLabel true a\n", "no @data line"),
        (TS, "no case below @data"),
        (TS + "1,2:3,4:up\n1,?:3,4:up\n", r"line 7, dimension 1: a value is missing \('\?'\)"),
        (TS + "1,2:3,NaN:up\n", r"line 6, dimension 2: a value is missing \('NaN'\)"),
        (TS + "1,2:3,:up\n", r"line 6, dimension 2: a value is missing \(''\)"),
        (TS + "1,2:3,x:up\n", "line 6, dimension 2: 'x' is not a finite number"),
        (TS + "1,2:3,inf:up\n", "line 6, dimension 2: 'inf' is not a finite number"),
        (TS + "1,2:3,-2e100:up\n", "line 6, dimension 2: '-2e100' is not a finite number of at most"),
        (TS + "1,2:3,4:up\n1,2:up\n", "line 7: the case has 1 dimensions, expected 2"),
        (TS + "1,2:3,4,5:up\n", "line 6: the dimensions of the case have 2 to 3 values"),
        (TS + "1,2:3,4:left\n", "line 6: class 'left' is not declared; @classLabel has up, down"),
        (TS + "1,2,3\n", "line 6: there is no colon"),
        ("@timeStamps true\n@data\n(0,1):a\n", "line 1: time stamps are not supported"),
        ("@targetLabel true\n@data\n1,2:high\n", "line 3: 'high' is not a finite number"),
        (b"@data\n\x00\n", "binary data"),
    ],
)
def test_broken_ts(write, text, phrase):
    with pytest.raises(DataError, match=phrase):
        read_ts(write("a.ts", text))


@pytest.mark.skipif(not SHARED.exists(), reason="the archive's files are not here; set SEQKIT_DATA")
def test_japanese_vowels_against_a_plain_parser():
    path = SHARED / "JapaneseVowels" / "JapaneseVowels_TRAIN.ts"
    data = read_ts(path)
    body = path.read_text().split("@data\n")[1].splitlines()
    assert len(data) == 270
    assert len(data.features) == 12
    assert (min(map(len, data.x)), max(map(len, data.x))) == (7, 26)
    for line, row, label in zip(body, data.x, data.labels, strict=True):
        *dimensions, last = line.split(":")
        assert last == label
        assert row.T.tolist() == [[float(word) for word in dimension.split(",")] for dimension in dimensions]
    assert companion(path) == path.with_name("JapaneseVowels_TEST.ts")
