"""Heads: block-diagonal matrices against full ones that hold zeros beside the blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checks.language import Heads

import seqkit
from seqkit import _core
from seqkit.equations import Cell, describe_equations, matrix, run_reference, sigmoid, tanh
from seqkit.errors import EquationError
from seqkit.recurrent import Recurrent
from seqkit.testing.data import Data, assert_close, assert_same_bits, fill, run


class Gated(Cell):
    """Two products with U, in two stages, and one with a matrix."""

    gates, states = ("f", "n"), ("h",)

    def __init__(self, heads: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def parameters(self) -> Any:
        return {"V": matrix(heads=self.heads)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
        f = sigmoid(x.f + U.f @ s.h)
        return {"h": (1 - f) * s.h + f * tanh(x.n + U.n @ (f * s.h) + p.V @ s.h)}


def blocks_of(array: np.ndarray, units: int, heads: int, gates: int = 1) -> np.ndarray:
    """The blocks on the diagonals of the gates' full matrices, (gates * units, units / heads)."""
    size = units // heads
    cut = array.reshape(gates, heads, size, heads, size)
    return np.concatenate([cut[gate, head, :, head] for gate in range(gates) for head in range(heads)])


def full_of(array: np.ndarray, units: int, heads: int, gates: int = 1) -> np.ndarray:
    """The full matrices that have these blocks."""
    full = np.zeros((gates, heads, units // heads, heads, units // heads), array.dtype)
    for gate, rows in enumerate(np.split(array, gates)):
        for head, block in enumerate(np.split(rows, heads)):
            full[gate, head, :, head] = block
    return full.reshape(gates * units, units)


def both(units: int, heads: int, dtype: str, **options: Any) -> tuple[Any, Any]:
    """A layer with heads, and the layer with full matrices that computes the same."""
    layer = fill(Recurrent(Gated, units, heads=heads, return_sequences=True, **options).build(3, dtype=dtype))
    full = Recurrent(Gated, units, return_sequences=True, **options).build(3, dtype=dtype)
    for name, value in layer.params.items():
        gates = {"weight_hh": 2, "V": 1}.get(name)
        full.params[name] = full_of(value, units, heads, gates) if gates else value
    return layer, full


@pytest.mark.parametrize(("units", "heads"), [(6, 2), (12, 12), (48, 3), (64, 2), (66, 11), (128, 4), (150, 3)])
def test_blocks_are_a_full_matrix_with_zeros(units: int, heads: int) -> None:
    for dtype, tolerance in (("float64", 1e-13), ("float32", 2e-5)):
        layer, full = both(units, heads, dtype)
        for lengths in ([1, 5, 0, 3, 5, 2], [7], [4] * 40):
            data = Data.draw(layer, lengths)
            found, expected = run(layer, data), run(full, data)
            for name, array in found.items():
                wanted = expected[name]
                if name in ("grad weight_hh", "grad V"):
                    wanted = blocks_of(wanted, units, heads, 2 if name.endswith("hh") else 1)
                assert_close(array, wanted, tolerance, f"{name} of {len(lengths)} sequences in {dtype}")


class Beside(Cell):
    """Products of one state with matrices of several heads and of one, in columns beside each other."""

    gates, states = ("a", "b", "c"), ("h",)
    heads = 4

    def parameters(self) -> Any:
        return {"full": matrix(), "two": matrix(heads=2)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
        a, b = sigmoid(x.a + p.full @ s.h), tanh(x.b + U.b @ s.h)
        return {"h": a * s.h + (1 - a) * b * tanh(x.c + p.two @ s.h)}


@pytest.mark.parametrize("units", [8, 48, 128])
def test_heads_beside_each_other(units: int) -> None:
    layer = fill(Recurrent(Beside, units, return_sequences=True).build(3, dtype="float64"))
    data = Data.draw(layer)
    expected, _ = run_reference(layer.cell, layer.params, data.x, data.lengths, data.state)
    assert_close(layer(data.x, lengths=data.lengths, state=data.state), expected, 1e-13, "y")
    assert [run_.heads for run_ in layer.execution.layout.runs if run_.operand == "state"] == [1, 4, 2]


@pytest.mark.parametrize(("units", "heads"), [(6, 2), (48, 3), (128, 4), (150, 3)])
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_blocks_in_low_precision(precision: str, units: int, heads: int) -> None:
    """The very bits of the full matrix: a row is encoded as a whole, zeros included."""
    layer, full = (one.quantize(precision) for one in both(units, heads, "float32"))
    data = Data.draw(layer)
    for rows in (data, data.rows([1])):
        found, expected = (one(rows.x, lengths=rows.lengths, state=rows.state) for one in (layer, full))
        assert_same_bits({"y": found}, {"y": expected}, precision)


@pytest.mark.parametrize(("units", "heads"), [(64, 2), (128, 4), (1024, 4), (60, 5)])
def test_work_is_that_of_the_blocks(units: int, heads: int) -> None:
    """Where blocks are whole panels, a panel multiplies its own block and nothing else, and the way back likewise."""
    execution = Recurrent(Gated, units, heads=heads).build(3, seed=0).execution
    width = execution.layout.vectors * _core.lanes("float32")
    for run_ in execution.layout.runs:
        if run_.operand != "x":
            assert run_.window >= units // heads
            assert run_.window <= min(units, 2 * width + units // heads)
            if (units // heads) % width == 0:
                assert run_.window == units // heads
            if (units // heads) % (4 * _core.lanes("float32")) == 0:
                assert run_.back == units // heads // width


def test_every_block_starts_from_values_of_its_own() -> None:
    layer = Recurrent(Gated, 12, heads=3).build(2, seed=0, dtype="float64")
    for name, gates in (("weight_hh", 2), ("V", 1)):
        assert layer.params[name].shape == (gates * 12, 4)
        blocks = layer.params[name].reshape(-1, 4, 4)
        for n, block in enumerate(blocks):
            np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-14)
            assert all(np.abs(block - other).max() > 0.1 for other in blocks[:n])


def test_heads_keep_to_themselves() -> None:
    """NaN in the state of one head stays there, where its block is whole panels."""
    layer = fill(Recurrent(Gated, 128, heads=2, return_sequences=True).build(3))
    h = np.zeros((2, 128), np.float32)
    h[0, 5] = np.nan
    y = layer(np.ones((2, 4, 3), np.float32), state=(h,))
    assert np.isnan(y[0, :, :64]).any()
    assert np.isfinite(y[0, :, 64:]).all()
    assert np.isfinite(y[1]).all()


@pytest.mark.parametrize("options", [{"weight_dropout": 0.4}, {"recurrent_dropout": 0.4, "zoneout": 0.2}])
def test_dropout_with_heads(options: dict[str, float]) -> None:
    """Masks of states are those of the full layer; weights are dropped among those that there are."""
    layer, full = both(12, 3, "float64", **options)
    data = Data.draw(layer)
    for one in (layer, full):
        one.restore_random_state({"seed": 5, "row": 0})
    y, cache = layer.forward(data.x, data.lengths, data.state, training=True)
    layer.backward(data.dy, cache, data.dstate)
    if "weight_dropout" in options:
        dropped = layer.grads["weight_hh"] == 0
        assert dropped.shape == (24, 4)
        assert 0.2 < dropped.mean() < 0.6
    else:
        expected, _ = full.forward(data.x, data.lengths, data.state, training=True)
        assert_close(y, expected, 1e-13, "y")


def test_equations_print_heads() -> None:
    text = describe_equations(Heads(heads=2, others=3, wide=4))
    assert text.endswith(
        "\nwhere U_f, U_k, U_n, down, up with 2 blocks on the diagonal; V with 3 blocks on the diagonal"
    )
    assert "blocks" not in describe_equations(seqkit.LSTM(1).cell)
    program = str(Recurrent(Gated, 4, heads=2).build(2).execution.program)
    assert program.endswith("where U_f, U_n, V with 2 blocks on the diagonal")


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        (4, r"Gated: .* has 4 heads, which must divide its rows and its columns; it has 6 and 6"),
        (0, r"Gated: heads of the cell must be a positive integer, got 0"),
        (2.0, r"Gated: heads of the cell must be a positive integer, got 2\.0"),
    ],
)
def test_wrong_heads(heads: Any, message: str) -> None:
    with pytest.raises(EquationError, match=message):
        Recurrent(Gated, 6, heads=heads).build(2)
    with pytest.raises(EquationError, match=r"down has 3 heads, .* it has 6 and 4"):
        Recurrent(Heads, 6, heads=3, wide=4).build(2)
