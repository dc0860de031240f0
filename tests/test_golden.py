"""Files that earlier versions wrote are read, and give what they gave then; ``golden/make_golden.py`` made them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import checkpoint
from seqkit.errors import LoadError

FOLDER = Path(__file__).parent / "golden"
PAGE = Path(__file__).parent.parent / "docs" / "interop.md"
FILES = sorted(path.stem for path in FOLDER.glob("*.safetensors"))
LAYERS = [name for name in FILES if name.startswith("1-") and name != "1-checkpoint"]
CLOSE = {"float32": 2e-6, "float64": 1e-13}
"""Instruction sets round differently."""


def load(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    return seqkit.load(FOLDER / f"{name}.safetensors"), dict(np.load(FOLDER / f"{name}.npz"))


def assert_close(given: np.ndarray, expected: np.ndarray) -> None:
    assert (given.dtype, given.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(given, expected, rtol=0, atol=CLOSE[str(expected.dtype)])


def test_every_version_has_files_and_a_line_in_the_table() -> None:
    versions = {str(number) for number in range(1, checkpoint.FORMAT_VERSION + 1)}
    assert {name.split("-")[0] for name in FILES} == versions
    assert set(re.findall(r"^\| (\d+) \|", PAGE.read_text(), flags=re.MULTILINE)) == versions
    for name in FILES:
        description, _ = checkpoint.read(FOLDER / f"{name}.safetensors")
        assert str(description["format_version"]) == name.split("-")[0]


@pytest.mark.parametrize("name", LAYERS)
def test_outputs(name: str) -> None:
    model, kept = load(name)
    assert_close(model.predict(kept["x"], lengths=kept["lengths"]), kept["y"])
    assert np.abs(np.diff(kept["y"], axis=0)).max() > 0.01  # of sequences that differ


@pytest.mark.parametrize("name", LAYERS)
def test_saved_again(name: str, tmp_path: Path) -> None:
    """What was read is written as it is written now, and loses nothing."""
    model, kept = load(name)
    seqkit.interop.save(model, tmp_path / "again.safetensors")
    again = seqkit.load(tmp_path / "again.safetensors")
    np.testing.assert_array_equal(again.predict(kept["x"]), model.predict(kept["x"]))
    assert again.metadata == model.metadata
    assert checkpoint.read(tmp_path / "again.safetensors")[0]["format_version"] == 1  # older versions read it, too


def test_graph(tmp_path: Path) -> None:
    model, kept = load("2-graph")
    seqkit.interop.save(model, tmp_path / "again.safetensors")
    for one in (model, seqkit.load(tmp_path / "again.safetensors")):
        for case, inputs in {"default": ["ids"], "scaled": ["ids", "scale"]}.items():
            for name, output in one.run({name: kept[name] for name in inputs}).items():
                assert_close(output, kept[f"{case} {name}"])
        assert one.model.metadata == {"author": "somebody"}
    assert checkpoint.read(tmp_path / "again.safetensors")[0]["format_version"] == 2
    assert np.abs(kept["default y"] - kept["scaled y"]).max() > 0.01
    with pytest.raises(LoadError, match=r"not a model of layers but a 'graph'; load it with seqkit\.load"):
        seqkit.Sequential.load(FOLDER / "2-graph.safetensors")


def test_a_kind_that_is_not_known(tmp_path: Path) -> None:
    for kind in ("tree", ["graph"], {}, 3):
        checkpoint.write(tmp_path / "m.safetensors", {"kind": kind}, {})
        with pytest.raises(
            LoadError, match=re.escape(f"a model of the kind {kind!r} is not known here; update seqkit")
        ):
            seqkit.load(tmp_path / "m.safetensors")
    checkpoint.write(tmp_path / "m.safetensors", {"kind": "graph"}, {})
    with pytest.raises(LoadError, match=r"the model cannot be rebuilt: .*no graph"):
        seqkit.load(tmp_path / "m.safetensors")


def test_training_goes_on() -> None:
    model, kept = load("1-training")
    assert model.metadata == {"task": "forecast", "notes": ["ä", 1.5, None]}
    model.fit(kept["x"], kept["targets"], epochs=2, batch_size=2)
    assert_close(model.predict(kept["x"]), kept["later"])


def test_interrupted_training_goes_on() -> None:
    kept = dict(np.load(FOLDER / "1-checkpoint.npz"))
    model = seqkit.Sequential([seqkit.LSTM(3, zoneout=0.1, input_shape=(None, 3)), seqkit.Dense(2)], 5)
    model.compile(seqkit.Adam(0.01), "mse")
    resumed = FOLDER / "1-checkpoint.safetensors"
    model.fit(kept["x"], kept["targets"], epochs=4, batch_size=2, seed=6, resume=resumed)
    assert_close(model.predict(kept["x"]), kept["later"])
