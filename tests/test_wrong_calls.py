"""Calls that cannot be: the error names the layer, and the layer is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checks.subjects import maker

import seqkit
from seqkit.errors import ConfigError, DTypeError, SeqkitError, ShapeError
from seqkit.testing.data import Data, assert_same_bits, named, run

X = np.zeros((2, 4, 3), "f4")
H = np.zeros((2, 5), "f4")

WRONG: list[tuple[Callable[[Any], Any], type[SeqkitError], str]] = [
    (lambda layer: layer(X[0]), ShapeError, r"gru: x has shape \(4, 3\), expected \(batch, time, features\)"),
    (lambda layer: layer(X[None]), ShapeError, r"gru: x has shape \(1, 2, 4, 3\)"),
    (lambda layer: layer(X[..., :2]), ShapeError, "gru: x has 2 features but input_size is 3"),
    (lambda layer: layer([X[0], X[0, :, :2]]), ShapeError, r"gru: a sequence of the list has shape \(4, 2\)"),
    (lambda layer: layer([[1.0], [1.0, 2.0]]), ShapeError, "gru: x is not a rectangular array"),
    (lambda layer: layer(X.astype(complex)), DTypeError, "gru: x must hold real numbers, got dtype complex128"),
    (lambda layer: layer(X.astype("U")), DTypeError, "gru: x must hold real numbers"),
    (lambda layer: layer(X, lengths=[5, 1]), ShapeError, r"gru: lengths\[0\] is 5, expected 0 to 4"),
    (lambda layer: layer(X, lengths=[1, -1]), ShapeError, r"gru: lengths\[1\] is -1"),
    (lambda layer: layer(X, lengths=[1]), ShapeError, r"gru: lengths has shape \(1,\), expected \(2,\)"),
    (lambda layer: layer(X, lengths=[1.0, 2.0]), DTypeError, "gru: lengths must be integers, got dtype float64"),
    (lambda layer: layer(X, state=H), ShapeError, r"gru: state must be a tuple \(h,\)"),
    (lambda layer: layer(X, state=(H, H)), ShapeError, "got 2 arrays"),
    (lambda layer: layer(X, state=(H[:1],)), ShapeError, r"gru: state 'h' has shape \(1, 5\), expected \(2, 5\)"),
    (lambda layer: layer.step(X[0, 0]), ShapeError, r"gru: x_t has shape \(3,\), expected \(batch, 3\)"),
    (lambda layer: layer.step(X[:, 0], (H[:1],)), ShapeError, r"expected \(2, 5\)"),
    (
        lambda layer: layer.backward(H, layer.forward(X)[1]),
        ShapeError,
        r"gru: dy has shape \(2, 5\), expected \(2, 4, 5\)",
    ),
    (lambda layer: layer.backward(None, layer.forward(X)[1], (H[:1],)), ShapeError, "has shape"),
    (
        lambda layer: layer.backward(None, layer.forward(X, training=False)[1]),
        SeqkitError,
        "gru: this cache has no tape",
    ),
    (lambda layer: layer.trace(X, ["q"]), SeqkitError, "no value named 'q'; there are .*r, z"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_wrong_calls_say_so_and_change_nothing(
    call: Callable[[Any], Any], error: type[SeqkitError], message: str
) -> None:
    layer = maker("gru", 5, 3)("float32")
    data = Data.draw(layer)
    expected = run(layer, data)
    with pytest.raises(error, match=message):
        call(layer)
    assert_same_bits({f"grad {name}": grad for name, grad in layer.grads.items()}, grads(expected), "gradients")
    assert_same_bits(run(layer, data), expected, "after an error")


def grads(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in found.items() if name.startswith("grad")}


def test_a_cache_is_good_for_one_backward_pass() -> None:
    layer = maker("gru", 5, 3)("float32")
    y, cache = layer.forward(X)
    layer.backward(y, cache)
    with pytest.raises(SeqkitError, match="this cache has no tape"):
        layer.backward(y, cache)


def test_a_tape_keeps_the_weights_it_was_made_with() -> None:
    """Parameters may change between forward and backward: the gradient is that of the call that was made."""
    layer = maker("lstm", 6, 3)("float64")
    data = Data.draw(layer)
    expected = run(layer, data)
    layer.zero_grads()
    layer.params["bias"] = layer.params["bias"]  # a new version: nothing is packed yet
    _, cache = layer.forward(data.x, data.lengths, data.state)
    layer.params["weight_hh"] = layer.params["weight_hh"] * 2
    layer.forward(data.x, data.lengths, data.state)
    dx, dinitial = layer.backward(data.dy, cache, data.dstate)
    found = {"dx": dx} | named("dinitial", dinitial)
    assert_same_bits(found, {name: expected[name] for name in found}, "old tape")


def test_dropout_goes_on_as_if_a_wrong_call_had_not_been() -> None:
    """The generator of the masks is moved by calls that run, not by those that raise."""
    first, second = (seqkit.LSTM(5, dropout=0.5, recurrent_dropout=0.5).build(3, seed=0) for _ in range(2))
    with pytest.raises(ShapeError):
        first.forward(X, state=(H, H[:1]))
    found, expected = first.forward(X + 1)[0], second.forward(X + 1)[0]
    assert_same_bits({"y": found}, {"y": expected}, "dropout after an error")


def test_directions_that_cannot_be() -> None:
    layer = seqkit.GRU(3)
    with pytest.raises(ConfigError, match="bidirectional: one layer cannot be both directions"):
        seqkit.Bidirectional(layer, backward_layer=layer)
    with pytest.raises(
        ConfigError, match="bidirectional: merge_mode is 'max', expected one of concat, sum, mul, ave, None"
    ):
        seqkit.Bidirectional(layer, merge_mode="max")
    with pytest.raises(ConfigError, match="'sum' needs equal units, got 3 and 4"):
        seqkit.Bidirectional(layer, merge_mode="sum", backward_layer=seqkit.GRU(4))
    with pytest.raises(ConfigError, match="return_sequences must be equal in both"):
        seqkit.Bidirectional(layer, backward_layer=seqkit.GRU(3, return_sequences=True))
    with pytest.raises(ConfigError, match="must be new and not stateful"):
        seqkit.Bidirectional(seqkit.GRU(3, stateful=True))
    with pytest.raises(ConfigError, match="each direction must be a recurrent layer such as LSTM"):
        seqkit.Bidirectional(seqkit.Dense(3))


@pytest.mark.parametrize("first", ["array", "list", "step", "trace", "plan"])
def test_a_layer_is_built_by_its_first_call(first: str) -> None:
    """Whatever the first call is, it tells the number of features."""
    layer = seqkit.GRU(5, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    {
        "array": lambda: layer(x),
        "list": lambda: layer([x[0], x[1, :2]]),
        "step": lambda: layer.step(x[:, 0]),
        "trace": lambda: layer.trace(x, ["r"]),
        "plan": lambda: layer.plan(x.shape),
    }[first]()
    assert layer.input_size == 3
    assert layer(x).dtype == np.float32
    with pytest.raises(ShapeError, match="gru: x has 2 features but input_size is 3"):
        layer(x[..., :2])


def test_a_layer_is_not_built_by_a_call_that_is_wrong() -> None:
    for wrong in (3.0, [1.0, 2.0]):
        layer = seqkit.GRU(5)
        with pytest.raises(ShapeError, match=r"gru: x has shape .*, expected \(batch, time, features\)"):
            layer(wrong)
        assert not layer.built
