"""Training within a memory budget: measured, with the same bits, and a clear word where it cannot be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from memory_peak import MODELS

import seqkit
from seqkit.errors import ConfigError
from seqkit.training import memory

SHAPES = {"last": (128, 32, 1000), "steps": (128, 32, 500), "both": (96, 16, 600)}  # units, batch, time


def model_of(kind: str, units: int) -> seqkit.Sequential:
    model = seqkit.Sequential(MODELS[kind](units), seed=0).build(4)
    model.compile("adam", "mse")
    return model


def least(kind: str) -> int:
    """MiB that the message names where the budget is too small."""
    units, batch, time = SHAPES[kind]
    with pytest.raises(ConfigError, match="needs a memory of at least") as caught:
        memory.planned(model_of(kind, units), 1, memory.Load(batch, time, 2 * batch * time * 16))
    return int(re.search(r"at least (\d+)MiB", str(caught.value))[1])


def peak(kind: str, budget: str) -> float:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "memory_peak.py"), kind, *map(str, SHAPES[kind]), budget],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")
@pytest.mark.parametrize("kind", SHAPES)
def test_measured_peak(kind: str) -> None:
    """The least budget is kept, and is well below what training takes without one."""
    budget = least(kind)
    assert peak(kind, f"{budget}MiB") <= budget
    assert peak(kind, "-") > 1.5 * budget


@pytest.mark.parametrize("kind", SHAPES)
def test_same_weights(kind: str) -> None:
    """The least budget changes no bit of what is learned, and nothing of the model is left changed."""
    _, batch, _ = SHAPES[kind]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2 * batch, 60, 4), dtype=np.float32)
    models = [model_of(kind, 24) for _ in range(2)]
    y = rng.standard_normal((2 * batch, *((60, 1) if kind == "steps" else (models[0].layers[-1].output_size,))))
    lengths = rng.integers(0, 61, 2 * batch)
    with pytest.raises(ConfigError) as caught:
        memory.planned(models[0], 1, memory.Load(batch, 60, 2 * batch * 60 * 16))
    budget = re.search(r"at least (\d+MiB)", str(caught.value))[1]
    config = [layer.config() for layer in models[0].layers]
    models[0].fit(x, y, batch, 3, lengths=lengths, seed=1)
    models[1].fit(x, y, batch, 3, lengths=lengths, seed=1, memory=budget)
    for name, array in models[0].params.items():
        np.testing.assert_array_equal(models[1].params[name], array, err_msg=name)
    assert [layer.config() for layer in models[1].layers] == config


def test_largest_tapes_are_cut_first() -> None:
    """No more than the budget asks for: a large one leaves all tapes whole, a smaller one cuts the largest."""
    model = seqkit.Sequential([seqkit.LSTM(32, return_sequences=True), seqkit.LSTM(128)]).build(4)
    large, small = 2**30, 2**20 * 90
    assert [tape.steps for tape in memory.planned(model, large, memory.Load(16, 1000))] == [1000, 1000]
    small_layer, large_layer = memory.planned(model, small, memory.Load(16, 1000))
    assert small_layer.steps == 1000
    assert large_layer.steps in (250, 500)
    with memory.limited(model, small, memory.Load(16, 1000)):
        x = np.zeros((16, 1000, 4), np.float32)
        assert model.layers[0].forward(x)[1].direction.segments == 1
        assert model.layers[1].forward(np.zeros((16, 1000, 32), np.float32))[1].direction.segments > 1
    assert model.layers[1].forward(np.zeros((16, 1000, 32), np.float32))[1].direction.segments == 1


@pytest.mark.parametrize("wrong", ["", "512 apples", "-1MB", None, True, 1.5, "MiB"])
def test_no_number_of_bytes(wrong: object) -> None:
    with pytest.raises(ConfigError, match="expected bytes or text such as '512MiB'"):
        memory.number_of_bytes(wrong)  # type: ignore[arg-type]


def test_numbers_of_bytes() -> None:
    assert memory.number_of_bytes("2GB") == 2 * 10**9
    assert memory.number_of_bytes(" 0.5 gib ") == 2**29
    assert memory.number_of_bytes("100") == memory.number_of_bytes(100) == 100
    assert memory.number_of_bytes("3kB") == 3000
