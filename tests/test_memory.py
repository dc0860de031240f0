"""Working memory: in place for the next call, bounded, freed on request."""

from __future__ import annotations

import resource
from collections.abc import Callable

import numpy as np
import pytest

import seqkit


def kept(layer: seqkit.Layer) -> int:
    """Bytes of working memory that a layer keeps."""
    if isinstance(layer, seqkit.Bidirectional):
        return kept(layer.forward_layer) + kept(layer.backward_layer)
    return layer.execution.pool.nbytes


def train(layer: seqkit.Layer, x: np.ndarray, dy: np.ndarray) -> None:
    _, cache = layer.forward(x, training=True)
    layer.backward(dy, cache, input_grad=False)


LAYERS: dict[str, Callable[[], seqkit.Layer]] = {
    "one direction": lambda: seqkit.LSTM(64, return_sequences=True),
    "both directions": lambda: seqkit.Bidirectional(seqkit.GRU(64, return_sequences=True)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_bounded_and_freed(name: str) -> None:
    layer = LAYERS[name]().build(32, seed=0)
    x = np.random.default_rng(0).standard_normal((16, 50, 32), dtype=np.float32)
    dy = np.ones((16, 50, layer.output_size), np.float32)
    expected = layer(x)
    sizes = []
    for _ in range(4):
        train(layer, x, dy)
        sizes.append(kept(layer))
    assert sizes[1:] == sizes[:1] * 3
    assert sizes[0] >= 16 * 50 * 64 * 4  # the tape, for one
    model = seqkit.Sequential([layer])
    model.release_memory()
    assert kept(layer) == 0
    np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("units", [64, 256])
def test_no_page_faults_once_warm(units: int) -> None:
    """A tape of 4 to 17 MB whose pages came anew with every call would be thousands of faults."""
    layer = seqkit.LSTM(units, return_sequences=True).build(units, seed=0)
    x = np.random.default_rng(0).standard_normal((32, 100, units), dtype=np.float32)
    dy = np.ones_like(x)
    for _ in range(4):
        train(layer, x, dy)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        train(layer, x, dy)
    faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5
    assert faults < 100
