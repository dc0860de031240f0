"""The cell against the conformance kit, a loop in NumPy, and its own kernels against the interpreter."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seqkit_indrnn_native import IndRNN

import seqkit
from seqkit.native import kernels_of
from seqkit.testing import parametrize_layer_checks

OURS = "seqkit-indrnn-native 0.1.0"
compiled = pytest.mark.skipif(kernels_of(IndRNN).table is None, reason="no compiled kernels are in use")


@parametrize_layer_checks("indrnn_native")
def test_conformance(check: Callable[[], None]) -> None:
    check()


def layer_of(units: int, dtype: str = "float64", **options: Any) -> seqkit.Recurrent:
    """A layer with random weights."""
    layer = seqkit.Recurrent(IndRNN, units, return_sequences=True, **options).build(3, seed=0, dtype=dtype)
    rng = np.random.default_rng(1)
    for name, array in layer.params.items():
        layer.params[name] = rng.uniform(-1, 1, array.shape)
    return layer


def test_against_a_loop() -> None:
    layer = layer_of(7)
    weights, bias, u = (layer.params[name] for name in ("weight_ih", "bias", "u"))
    x = np.random.default_rng(2).normal(size=(2, 9, 3))
    h, expected = np.zeros((2, 7)), []
    for t in range(9):
        h = np.maximum(x[:, t] @ weights.T + bias + u * h, 0)
        expected.append(h)
    np.testing.assert_allclose(layer(x), np.stack(expected, axis=1), rtol=0, atol=1e-14)


def test_a_unit_sees_of_the_past_only_itself() -> None:
    layer = layer_of(4)
    layer.params["bias"], layer.params["u"] = np.full(4, 9.0), np.full(4, 0.5)  # all units are active
    before, after = np.ones((1, 4)), np.ones((1, 4)) + 1e-3 * np.eye(4)[2]
    x = np.random.default_rng(3).normal(size=(1, 5, 3))
    y, nudged = (layer(x, state=(state,)) for state in (before, after))
    assert np.flatnonzero((y != nudged).any(axis=(0, 1))).tolist() == [2]


@compiled
@pytest.mark.parametrize("training", [False, True])
def test_runs_its_own_kernels(training: bool) -> None:
    plan = layer_of(20).plan((4, 6, 3), training=training)
    assert (plan.pointwise, plan.kernels) == ("compiled", f"kernels of {OURS}")
    table = kernels_of(IndRNN).table
    assert table is not None
    assert table.package == OURS


def test_another_activation_is_interpreted() -> None:
    assert layer_of(20, activation="softsign").plan((4, 6, 3)).pointwise == "interpreted"


def digest() -> str:
    """What outputs and gradients are, bit for bit, for sizes that do and do not fill panels, many rows and one."""
    found = hashlib.sha256()
    rng = np.random.default_rng(4)
    for units in (3, 16, 33, 64, 130):
        for dtype in ("float32", "float64"):
            layer = layer_of(units, dtype, recurrent_dropout=0.0)
            for lengths in ([9], [5, 0, 9, 1], [n * 5 % 9 for n in range(33)]):
                x = rng.normal(size=(len(lengths), 9, 3))
                y, cache = layer.forward(x, lengths)
                dx, dstate = layer.backward(rng.normal(size=y.shape), cache, (rng.normal(size=(len(lengths), units)),))
                step, _ = layer.step(x[:, 0].astype(dtype), cache.state)
                for array in (y, dx, *dstate, step, *layer.grads.values()):
                    found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


@compiled
def test_the_bits_are_the_interpreter_s() -> None:
    """Of the generated kernel and of the one written by hand."""
    program = "from test_indrnn_native import digest; print(digest())"
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = os.environ | {"SEQKIT_POINTWISE": "interpreted", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest()
