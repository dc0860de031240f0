"""Training in segments of time: the same bits as with a whole tape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checks.subjects import maker, registered
from checks.zoo import ZOO

import seqkit
from seqkit.errors import ConfigError
from seqkit.rows import Rows
from seqkit.testing.data import Data, Make, assert_same_bits, fill, run

RNG = np.random.default_rng(7)
BATCHES = {
    "ragged": np.array([0, 61, *RNG.integers(1, 61, 28), 60]),
    "full": np.full(20, 45),
    "many rows": np.array([0, 9, *RNG.integers(1, 9, 300)]),  # a step has several blocks
    "one": np.array([700]),
    "two": np.array([400, 90]),
}
CELLS = {name: maker(name, 20, 3) for name in registered()} | {
    name: maker(ZOO[name], 20, 3) for name in ("OneMatrixTwice", "LayerNorm", "ThreeStates", "NewState", "Delay")
}


def both(name: str, **fixed: Any) -> Make:
    def make(dtype: str, **options: Any) -> Any:
        layer = seqkit.create(name, 12, **{"return_sequences": True, **fixed, **options})
        return fill(seqkit.Bidirectional(layer).build(3, seed=0, dtype=dtype))

    return make


SUBJECTS = {name: (make, {}) for name, make in CELLS.items()} | {
    "backwards": (CELLS["lstm"], {"go_backwards": True}),
    "last": (CELLS["lstm"], {"return_sequences": False}),
    "last, backwards": (CELLS["gru"], {"return_sequences": False, "go_backwards": True}),
    "dropout": (CELLS["gru"], {"dropout": 0.4, "recurrent_dropout": 0.3}),
    "both": (both("lstm"), {}),
    "both, last": (both("gru"), {"return_sequences": False}),
    "both, dropout": (both("lstm"), {"dropout": 0.4, "recurrent_dropout": 0.3}),
}


def results(make: Make, options: dict[str, Any], lengths: np.ndarray, dtype: str, checkpoint: int | None) -> Any:
    layer = make(dtype, checkpoint=checkpoint, **options)
    return run(layer, Data.draw(layer, lengths))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_same_bits(subject: str, batch: str) -> None:
    """Outputs, final states and all gradients, whatever the length of the segments."""
    make, options = SUBJECTS[subject]
    dtype = "float64" if len(subject + batch) % 2 else "float32"
    expected = results(make, options, BATCHES[batch], dtype, None)
    for steps in (1, 7, 130):
        assert_same_bits(results(make, options, BATCHES[batch], dtype, steps), expected, f"segments of {steps}")


@pytest.mark.parametrize("threads", [1, 3])
def test_threads(threads: int) -> None:
    make = maker("lstm", 70, 40)
    expected = results(make, {}, BATCHES["ragged"], "float32", None)
    with seqkit.threads(threads):
        assert_same_bits(results(make, {}, BATCHES["ragged"], "float32", 9), expected, f"{threads} threads")


def test_a_list_and_a_view() -> None:
    """Flat rows, and rows that lie apart, are cut like an array."""
    layer = CELLS["gru"]("float32", checkpoint=5)
    data = Data.draw(layer, BATCHES["ragged"])
    expected = run(layer, data)
    wide = np.full((len(data.x), data.x.shape[1] + 4, 7), np.nan, np.float32)
    wide[:, 2:-2, 1:4] = data.x
    view = Data(wide[:, 2:-2, 1:4], data.lengths, data.state, data.dy, data.dstate)
    assert_same_bits(run(layer, view), expected, "view")
    rows = Rows.of_list([x[:n] for x, n in zip(data.x, data.lengths, strict=True)], layer.dtype, "test", 3)
    y, _ = layer.run(rows, data.state, training=True)
    for part, whole, n in zip(y.split(), expected["y"], data.lengths, strict=True):
        np.testing.assert_array_equal(part, whole[:n])


def test_bounds_are_whole_blocks() -> None:
    """About 128 rows (steps times sequences that are as long); a longer step is not cut."""
    x = np.zeros((32, 20, 1), np.float32)
    rows = Rows.of_array(x, None, x.dtype, "test", 1)
    assert rows.segments(None) == rows.segments(20) == [0, 20]
    assert rows.segments(9) == [0, 8, 16, 20]
    assert rows.segments(1) == [0, 4, 8, 12, 16, 20]
    lengths = np.where(np.arange(32) < 16, 4, 18)
    assert Rows.of_array(x, lengths, x.dtype, "test", 1).segments(5) == [0, 4, 12, 20]
    many = np.zeros((129, 3, 1), np.float32)
    assert Rows.of_array(many, None, x.dtype, "test", 1).segments(1) == [0, 1, 2, 3]
    assert Rows.of_array(many, np.zeros(129, np.int64), x.dtype, "test", 1).segments(1) == [0, 3]


def test_less_memory_is_kept() -> None:
    """The tape and the gradient tape of 32 x 400 steps in 10 segments are a tenth."""
    sizes = {}
    for steps in (None, 40):
        layer = seqkit.LSTM(64, checkpoint=steps).build(16, seed=0)
        x = np.random.default_rng(0).standard_normal((32, 400, 16), dtype=np.float32)
        for _ in range(2):
            y, cache = layer.forward(x)
            layer.backward(np.ones_like(y), cache, input_grad=False)
        sizes[steps] = layer.execution.pool.nbytes
    assert sizes[None] > 32 * 400 * 64 * 4 * 10
    assert sizes[40] < sizes[None] / 7


def test_config_and_errors() -> None:
    layer = seqkit.LSTM(4, checkpoint=100)
    assert layer.config()["checkpoint"] == 100
    assert seqkit.Bidirectional(layer).backward_layer.checkpoint == 100
    with pytest.raises(ConfigError, match="lstm: checkpoint"):
        seqkit.LSTM(4, checkpoint=0)
    with pytest.raises(ConfigError, match="so must checkpoint"):
        seqkit.Bidirectional(seqkit.LSTM(4, checkpoint=3), backward_layer=seqkit.LSTM(4))
