"""Parameters: arrays that cannot change unnoticed, and layers that are copied with them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checks.subjects import maker, registered

import seqkit
from seqkit.errors import ConfigError, DTypeError, SeqkitError, ShapeError
from seqkit.parameters import JoinedParameters, Parameters
from seqkit.testing.data import Data, assert_same_bits, fill, run


def some() -> Parameters:
    return Parameters({"weight": np.arange(6.0).reshape(2, 3), "bias": np.zeros(2)}, owner="demo")


def joined() -> tuple[Parameters, Parameters, JoinedParameters]:
    """Two parts, one of them inside another joined one: "outer.inner.weight" and "plain.bias"."""
    inner, plain = some(), Parameters({"bias": np.ones(2)}, owner="plain")
    return inner, plain, JoinedParameters({"outer": JoinedParameters({"inner": inner}), "plain": plain})


def test_what_is_read_cannot_be_written() -> None:
    params = some()
    with pytest.raises(ValueError, match="read-only"):
        params["weight"][0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        params["bias"] += 1.0
    assert params.version == 0


def test_assignment_copies_and_counts() -> None:
    params = some()
    seen, new = params["weight"], np.full((2, 3), 7, np.float32)
    params["weight"] = new
    new[:] = 0
    assert params.version == 1
    assert (seen == 7.0).all()  # the same array, with new numbers
    assert params["weight"].dtype == np.float64
    params["bias"] = [1, 2]
    assert params.version == 2
    assert params["bias"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.ones((3, 2)), ShapeError, r"demo: parameter 'weight' has shape \(2, 3\), got \(3, 2\)"),
        (np.ones((2, 1)), ShapeError, r"got \(2, 1\)"),
        (1.0, ShapeError, r"got \(\)"),
        (np.ones((2, 3), complex), DTypeError, "demo: parameter 'weight' must hold real numbers, got dtype complex128"),
        (np.full((2, 3), "1"), DTypeError, "must hold real numbers"),
        (np.full((2, 3), None), DTypeError, "must hold real numbers"),
    ],
)
def test_wrong_values_change_nothing(value: Any, error: type[SeqkitError], message: str) -> None:
    params = some()
    with pytest.raises(error, match=message):
        params["weight"] = value
    assert params["weight"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert params.version == 0


def test_names_are_fixed() -> None:
    params = some()
    assert list(params) == ["weight", "bias"]
    assert len(params) == 2
    with pytest.raises(SeqkitError, match="demo: no parameter 'wieght'; it has weight, bias"):
        params["wieght"] = np.zeros((2, 3))
    with pytest.raises(SeqkitError, match="demo: parameter 'bias' cannot be removed"):
        del params["bias"]
    with pytest.raises(KeyError):
        params["wieght"]
    assert params.get("wieght") is None


def test_editing_counts_even_where_it_fails() -> None:
    params = some()
    with params.editing() as arrays:
        arrays["bias"] += 3.0
    assert params.version == 1
    assert params["bias"].tolist() == [3.0, 3.0]
    with pytest.raises(IndexError), params.editing() as arrays:
        arrays["bias"][0], arrays["bias"][7] = 9.0, 9.0
    assert params.version == 2
    assert params["bias"].tolist() == [9.0, 3.0]


def test_joined_parameters_are_those_of_their_parts() -> None:
    inner, plain, both = joined()
    assert list(both) == ["outer.inner.weight", "outer.inner.bias", "plain.bias"]
    assert len(both) == 3
    both["outer.inner.bias"] = [5.0, 6.0]
    assert inner["bias"].tolist() == [5.0, 6.0]
    assert (inner.version, plain.version, both.version) == (1, 0, 1)
    with both.editing() as arrays:
        arrays["plain.bias"][:] = 4.0
        arrays["outer.inner.weight"][:] = 8.0
    assert plain["bias"].tolist() == [4.0, 4.0]
    assert (inner["weight"] == 8.0).all()
    assert both.version == 3
    plain["bias"] = [0.0, 0.0]
    assert both.version == 4
    with pytest.raises(ValueError, match="read-only"):
        both["plain.bias"][0] = 1.0


def test_joined_parameters_know_their_names() -> None:
    _, _, both = joined()
    with pytest.raises(SeqkitError, match=r"no parameter 'other.bias'; there are outer.inner.weight"):
        both["other.bias"] = [0.0, 0.0]
    with pytest.raises(SeqkitError, match="no parameter 'weight'; it has bias"):
        both["plain.weight"] = [0.0, 0.0]
    with pytest.raises(SeqkitError, match=r"'plain.bias' cannot be removed"):
        del both["plain.bias"]
    assert both.get("other.bias") is None
    assert both.get("plain") is None


# ---- of layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registered())
def test_shapes_and_keys(name: str) -> None:
    """One block for every gate, in order; gradients have the same keys, shapes and type."""
    layer = maker(name, 6, 4)("float32")
    gates = len(layer.cell.gates)
    assert layer.params["weight_ih"].shape == (gates * 6, 4)
    assert layer.params["weight_hh"].shape == (gates * 6, layer.state_sizes[0])
    assert layer.params["bias"].shape == (gates * 6,)
    assert {key: grad.shape for key, grad in layer.grads.items()} == {key: p.shape for key, p in layer.params.items()}
    assert {array.dtype for array in [*layer.params.values(), *layer.grads.values()]} == {np.dtype("float32")}


def test_initial_values() -> None:
    """Every gate is drawn by itself; the bias of the forget gate is 1; a seed decides everything."""
    layer = seqkit.LSTM(40).build(30, seed=3)
    blocks = layer.params["weight_hh"].astype(float).reshape(4, 40, 40)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(40), atol=1e-5)
    assert not np.allclose(blocks[0], blocks[1])
    limit = np.sqrt(6 / 70)
    for block in layer.params["weight_ih"].reshape(4, 40, 30):
        assert 0.98 * limit < np.abs(block).max() <= limit
    assert layer.params["bias"].reshape(4, 40).tolist() == [[float(gate == "f")] * 40 for gate in "ifgo"]
    same, other = seqkit.LSTM(40).build(30, seed=3), seqkit.LSTM(40).build(30, seed=4)
    assert_same_bits(dict(same.params), dict(layer.params), "seed 3")
    assert (other.params["weight_ih"] != layer.params["weight_ih"]).any()
    wide = seqkit.LSTM(40).build(30, seed=3, dtype="float64")
    assert_same_bits({"w": wide.params["weight_ih"].astype("f4")}, {"w": layer.params["weight_ih"]}, "float64")
    assert not seqkit.LSTM(3, unit_forget_bias=False).build(2).params["bias"].any()
    assert seqkit.GRU(3, use_bias=False).build(2).params.keys() == {"weight_ih", "weight_hh"}


def test_a_layer_is_built_once() -> None:
    layer = seqkit.GRU(3).build(2, seed=0)
    before = layer.params["weight_ih"].copy()
    assert layer.build(2, seed=1) is layer
    assert_same_bits({"w": layer.params["weight_ih"]}, {"w": before}, "a second build")
    with pytest.raises(ConfigError, match="gru: already built for 2 features of float32"):
        layer.build(3)
    with pytest.raises(ConfigError, match="cannot be rebuilt for 2 of float64"):
        layer.build(2, dtype="float64")
    for wrong in (0, -1, 2.0, "2", None):
        with pytest.raises(ConfigError, match="gru: input_size must be a positive integer"):
            seqkit.GRU(3).build(wrong)
    with pytest.raises(ConfigError, match="gru: dtype must be float32 or float64"):
        seqkit.GRU(3).build(2, dtype="float16")


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "bidirectional"])
def test_copies(kind: str, built: bool, copied: Callable[[Any], Any]) -> None:
    """A copy computes the same and shares nothing, whether the layer has run or not."""
    layer = (
        seqkit.Bidirectional(seqkit.GRU(5, return_sequences=True))
        if kind == "bidirectional"
        else seqkit.create(kind, 5)
    )
    if not built:
        assert copied(layer).config() == layer.config()
        return
    fill(layer.build(3, seed=0))
    if not layer.returns_sequences:
        layer.return_sequences = True
    data = Data.draw(layer)
    expected = run(layer, data)
    twin = copied(layer)
    assert_same_bits(run(twin, data), expected, "copy")
    for name in twin.params:
        twin.params[name] = 0 * twin.params[name]
    run(twin, data)
    assert_same_bits(run(layer, data), expected, "the first after a change of its copy")
