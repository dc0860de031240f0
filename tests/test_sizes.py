"""Vectors of different sizes, rectangular matrices, raw inputs.

Legend: B batch, T time, F features that W multiplies, I features of x, H units, P size of the output.
"""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks import CHECKS
from checks.sized import RAW, SIZED, Attention, Decay, Mixed, Projected
from checks.subjects import maker, repeatable
from checks.written import cell_of

import seqkit
import seqkit.equations.derive
import seqkit.equations.layout
from seqkit import execution, recurrent
from seqkit.equations import Cell, describe_equations, matrix, run_reference, scalar, sigmoid, tanh, trace, vector
from seqkit.errors import EquationError, ShapeError
from seqkit.testing.data import Data, Make, fill, run

derive, layout = sys.modules["seqkit.equations.derive"], sys.modules["seqkit.equations.layout"]

F = 3
UNITS = (5, 33)  # below one vector, across panels
CELLS = {**SIZED, **RAW}


def input_size(cell: type[Cell], units: int) -> int:
    """Features for W, where there is one, and for raw inputs."""
    raw = sum({"features": F, "units": units}.get(str(size), size) for size in cell.inputs.values())  # type: ignore[misc]
    return raw + (0 if cell is Decay else F)


def sized(name: str, units: int, **options: Any) -> Make:
    cell = CELLS[name]
    return maker(cell, units, input_size(cell, units), go_backwards=units == 33, **options)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", CELLS)
def test_cell(name: str, check: str) -> None:
    CHECKS[check](sized(name, 33))


@pytest.mark.parametrize("check", ["check_reference", "check_gradients", "check_nan_in_padding", "check_steps"])
@pytest.mark.parametrize("name", CELLS)
def test_small_cell(name: str, check: str) -> None:
    CHECKS[check](sized(name, 5))


@pytest.mark.parametrize("name", CELLS)
def test_everything_that_is_dropped(name: str) -> None:
    """Dropout of input, state and weights, zoneout, and learned initial states, all at once."""
    options = {"dropout": 0.3, "recurrent_dropout": 0.4, "weight_dropout": 0.25, "zoneout": 0.3}
    make = repeatable(sized(name, 18, initial_state="learned", **options))
    for check in ("check_gradients", "check_threads", "check_nan_in_padding", "check_more_padding"):
        CHECKS[check](make)


@pytest.mark.parametrize("name", CELLS)
def test_segments_have_the_bits_of_a_whole_tape(name: str) -> None:
    lengths = [40, 31, 7, 0, 40, 25, 40]
    whole, cut = (sized(name, 18, checkpoint=steps)("float32") for steps in (None, 3))
    expected = run(whole, Data.draw(whole, lengths))
    for key, array in run(cut, Data.draw(cut, lengths)).items():
        assert array.tobytes() == expected[key].tobytes(), key


@pytest.mark.parametrize("name", [name for name in CELLS if name != "NothingPastTheEnd"])
def test_both_directions(name: str) -> None:
    """A bidirectional layer is one layer each way, values and gradients."""
    cell, merged = CELLS[name], {}
    ways = [seqkit.Recurrent(cell, 7, return_sequences=True) for _ in range(2)]
    both = seqkit.Bidirectional(ways[0], backward_layer=ways[1]).build(input_size(cell, 7), seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(3, 6, both.input_size))
    y, cache = both.forward(x, [6, 2, 0])
    dx, _ = both.backward(np.ones_like(y), cache)
    total = np.zeros_like(x)
    for layer, reverse in ((both.forward_layer, False), (both.backward_layer, True)):
        merged[reverse], _ = run_reference(layer.cell, layer.params, x, np.array([6, 2, 0]), reverse=reverse)
        one = seqkit.Recurrent(cell, 7, return_sequences=True, go_backwards=reverse)
        one.build(both.input_size, dtype="float64")
        for key in one.params:
            one.params[key] = layer.params[key]
        out, alone = one.forward(x, [6, 2, 0])
        total += one.backward(np.ones_like(out), alone)[0]
    np.testing.assert_allclose(y, np.concatenate([merged[False], merged[True]], axis=2), atol=1e-13)
    np.testing.assert_allclose(dx, total, atol=1e-13)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@pytest.mark.parametrize("name", CELLS)
def test_low_precision(name: str, precision: str) -> None:
    """Near the values of float32: what lies past the end of a vector would be far away."""
    layer = sized(name, 33)("float32")
    x, state = Data.draw(layer).x, Data.draw(layer).state
    y, low = layer(x, state=state), layer.quantize(precision)(x, state=state)
    assert 0 < np.abs(low - y).max() < 0.1 * np.abs(y).max()


@pytest.mark.parametrize("name", CELLS)
def test_copies(name: str) -> None:
    layer = sized(name, 5)("float32")
    x = Data.draw(layer).x
    assert pickle.loads(pickle.dumps(layer))(x).tobytes() == layer(x).tobytes()
    assert layer.output_size == layer.state_sizes[0] == layer(x).shape[-1]


# ---- what sizes mean -----------------------------------------------------------------------------


def test_shapes_of_a_projected_lstm() -> None:
    """PyTorch's: weight_hh (4H, P), weight_hr (P, H), states h (P) and c (H)."""
    layer = seqkit.Recurrent(Projected, 8, projection=3, return_state=True).build(5, seed=0)
    shapes = {name: array.shape for name, array in layer.params.items()}
    assert shapes == {"weight_ih": (32, 5), "weight_hh": (32, 3), "bias": (32,), "weight_hr": (3, 8)}
    y, state = layer(np.zeros((2, 4, 5)))
    assert (y.shape, [part.shape for part in state]) == ((2, 3), [(2, 3), (2, 8)])
    assert layer.trace(np.zeros((2, 4, 5)), ["h", "c"])["h"].shape == (2, 4, 3)


@pytest.mark.peers
@pytest.mark.parametrize(("units", "projection"), [(5, 3), (40, 17), (33, 32)])
def test_projection_is_that_of_pytorch(units: int, projection: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer = fill(
        seqkit.Recurrent(Projected, units, projection=projection, return_sequences=True).build(4, dtype="float64")
    )
    peer = torch.nn.LSTM(4, units, proj_size=projection, batch_first=True, dtype=torch.float64)
    arrays = {f"{name}_l0": name for name in ("weight_ih", "weight_hh", "weight_hr")} | {"bias_ih_l0": "bias"}
    with torch.no_grad():
        peer.bias_hh_l0.zero_()
        for theirs, ours in arrays.items():
            getattr(peer, theirs).copy_(torch.tensor(layer.params[ours]))
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(3, 7, 4)), rng.normal(size=(3, 7, projection))
    state = rng.normal(size=(3, projection)), rng.normal(size=(3, units))
    given = [torch.tensor(array, requires_grad=True) for array in (x, *state)]
    theirs_y, (h, c) = peer(given[0], (given[1][None], given[2][None]))
    y, cache = layer.forward(x, state=state)
    theirs_y.backward(torch.tensor(dy))
    dx, dstate = layer.backward(dy, cache)
    for found, expected in zip(
        (y, *cache.state, dx, *dstate), (theirs_y, h[0], c[0], *(one.grad for one in given)), strict=True
    ):
        np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-12)
    for theirs, ours in arrays.items():
        np.testing.assert_allclose(layer.grads[ours], getattr(peer, theirs).grad.numpy(), atol=1e-11)


def test_attention_of_one_is_the_plain_update_gate() -> None:
    """Where sigmoid(attention) is 1, what is left is a GRU."""
    layer, gru = (
        seqkit.Recurrent(Attention, 6, return_sequences=True).build(4, seed=0, dtype="float64"),
        seqkit.GRU(6, return_sequences=True).build(3, dtype="float64"),
    )
    gru.params["weight_ih"], gru.params["weight_hh"] = layer.params["weight_ih"], layer.params["weight_hh"]
    gru.params["weight_hh"] = gru.params["weight_hh"] * np.repeat([1.0, -1.0, 1.0], 6)[:, None]  # ours keeps with 1 - z
    gru.params["weight_ih"] = gru.params["weight_ih"] * np.repeat([1.0, -1.0, 1.0], 6)[:, None]
    x = np.random.default_rng(0).normal(size=(2, 5, 4))
    x[..., 3] = 50.0
    np.testing.assert_allclose(layer(x), gru(x[..., :3]), atol=1e-14)


def test_input_dropout_leaves_raw_inputs_alone() -> None:
    """With all of x dropped but the raw inputs, the output is that of x = 0 there."""
    layer = repeatable(sized("Mixed", 5, dropout=0.999))("float64")
    x = np.random.default_rng(0).normal(size=(3, 4, layer.input_size))
    y, _ = layer.forward(x)
    x[..., :F] = 0
    np.testing.assert_array_equal(y, layer(x))
    assert np.abs(y - layer(0 * x)).max() > 0.01


def test_features_of_the_input() -> None:
    layer = seqkit.Recurrent(Mixed, 5).build(1 + 3 + 5 + 2 * 4, seed=0)
    assert layer.params["weight_ih"].shape == (5 + 5 + 19, 4)
    assert layer.execution.shapes.inputs == {"gap": (4, 1), "hint": (5, 3), "other": (8, 4), "each": (12, 5)}


def test_a_stage_of_small_vectors_computes_no_more_panels_than_it_needs() -> None:
    layer = seqkit.Recurrent(Projected, 130, projection=5).build(4)
    tables = layer.execution.inference.tables
    panels = layer.execution.layout.panels(130)
    assert tables["stages"][:, 12].tolist() == [panels, 1]
    assert tables["runs"][:, 4:7].tolist() == [[4, 130, panels], [5, 130, panels], [130, 5, 1]]


# ---- text ------------------------------------------------------------------------------------------


def test_equations_of_raw_inputs_as_text() -> None:
    text = describe_equations(Decay())
    assert "keep[t] = exp(-relu(gamma_x.w * gap[t] + gamma_x.b))" in text
    assert "z[t] = sigmoid(W_z value_t[t]" not in text
    assert "V_z seen[t]" in text


# ---- errors ----------------------------------------------------------------------------------------


def small(step: Any, **parameters: Any) -> Cell:
    """A cell whose gate `b` and state `c` have 2 numbers, with a raw input `gap` of 3."""
    cell = cell_of(step, gates=("a", "b"), states=("h", "c"), **parameters)
    type(cell).sizes = lambda self: {"b": 2, "c": 2}  # type: ignore[method-assign]
    type(cell).inputs = {"gap": 3}
    return cell


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda x, U, s, p: {"h": x.a + x.b, "c": s.c}, "add: a vector of one number per unit and one of size 2"),
        (lambda x, U, s, p: {"h": tanh(x.a + U.b @ s.h), "c": s.c}, "one number per unit and one of size 2"),
        (lambda x, U, s, p: {"h": x.a + U.a @ s.c, "c": x.b}, "multiplies vectors of one number per unit, got one of"),
        (lambda x, U, s, p: {"h": x.b, "c": s.c}, "state 'h' is a vector of one number per unit, but step returns"),
        (lambda x, U, s, p: {"h": x.a * x.gap, "c": s.c}, "one number per unit and one of size 3"),
        (lambda x, U, s, p: {"h": x.a * p.w, "c": s.c}, "one number per unit and one of size 5"),
        (lambda x, U, s, p: {"h": p.M @ x.b, "c": s.c}, "multiplies vectors of size 4, got one of size 2"),
        (
            lambda x, U, s, p: {"h": x.a, "c": x.b},
            "parameter 'w', matrix 'M', input 'gap' declared but no new state depends",
        ),
    ],
)
def test_sizes_that_do_not_fit(step: Any, message: str) -> None:
    with pytest.raises(EquationError, match=message) as caught:
        trace(small(step, w=vector(size=5), M=matrix("units", 4)))
    whole = message.startswith(("state", "parameter"))  # nothing that a single line is to blame for
    assert ("written.py" if whole else "test_sizes.py") in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "inputs", "message"),
    [
        ({"m": 2}, {}, "sizes names 'm', which is none of f, h"),
        ({"h": 0}, {}, "the size of 'h' must be a positive integer"),
        ({"h": "unit"}, {}, "'units' or 'features', got 'unit'"),
        ({"h": 2.0}, {}, "got 2.0"),
        ({}, {"gap": True}, "the size of 'gap' must be"),
        ({}, {"f": 1}, "'f' is a gate and a raw input"),
        ({}, ["gap"], "inputs must be a dict of sizes by name"),
    ],
)
def test_wrong_declarations(sizes: Any, inputs: Any, message: str) -> None:
    cell = cell_of(lambda x, U, s, p: {"h": x.f})
    type(cell).sizes = lambda self: sizes  # type: ignore[method-assign]
    type(cell).inputs = inputs
    with pytest.raises(EquationError, match=message):
        trace(cell)


@pytest.mark.parametrize(("cell", "features"), [(Decay, 8), (Decay, 2), (Mixed, 9), (Mixed, 10), (Attention, 1)])
def test_features_that_cannot_be_shared_out(cell: type[Cell], features: int) -> None:
    with pytest.raises(ShapeError, match=f"{features} features do not make"):
        seqkit.Recurrent(cell, 5).build(features)


def test_states_of_wrong_sizes() -> None:
    layer = seqkit.Recurrent(Projected, 5, projection=3).build(2)
    with pytest.raises(ShapeError, match=r"state 'c' has shape \(4, 3\), expected \(4, 5\)"):
        layer(np.zeros((4, 1, 2)), state=(np.zeros((4, 3)), np.zeros((4, 3))))


def test_single_numbers_go_with_every_size() -> None:
    """A scalar that meets vectors of two sizes gets the sum of both gradients (checked in `Mixed` for inputs)."""

    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        share = sigmoid(p.share)
        return {"h": tanh(share * x.a + U.a @ s.h), "c": share * x.b + U.b @ s.h + 0.1 * (p.V @ x.gap)}

    cell = small(step, share=scalar(), V=matrix(2, 3))
    for units in UNITS:
        CHECKS["check_gradients"](
            lambda dtype, **options: fill(
                seqkit.Recurrent(cell, units, return_sequences=True).build(5, dtype=dtype)  # noqa: B023
            )
        )


# ---- mutants -----------------------------------------------------------------------------------------


def no_clears(tables: Any) -> None:
    tables["clears"] = tables["clears"][:0]
    tables["stages"][:, 10:12] = 0


def reductions_of_all_room(tables: Any) -> None:
    tables["reductions"][:, 4] = tables["widest"]


def one_panel(tables: Any) -> None:
    tables["stages"][:, 12] = 1


def first_features(tables: Any) -> None:
    tables["inputs"][:, 0] = 0


TABLES: dict[str, tuple[Any, str, str]] = {
    "the ends of gradients are not cleared": (no_clears, "NothingPastTheEnd", "check_gradients"),
    "reductions read on": (reductions_of_all_room, "WiderState", "check_reference"),
    "stages stop after a panel": (one_panel, "Projected", "check_reference"),
    "raw inputs are the first features": (first_features, "Attention", "check_reference"),
}


@pytest.mark.parametrize("mutant", TABLES)
def test_tables_that_are_wrong(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, name, check = TABLES[mutant]
    forward, backward = execution.forward_tables, execution.backward_tables

    def wrong_forward(*arguments: Any) -> Any:
        tables = forward(*arguments)
        change(tables)
        return tables

    def wrong_backward(*arguments: Any) -> Any:
        lowered = backward(*arguments)
        change(lowered.tables)
        return lowered

    monkeypatch.setattr(execution, "forward_tables", wrong_forward)
    monkeypatch.setattr(execution, "backward_tables", wrong_backward)
    with pytest.raises(AssertionError):
        CHECKS[check](sized(name, 130 if name == "Projected" else 18))


LINES: dict[str, tuple[Any, str, str, str]] = {
    "gradients by vectors of two sizes are added": (
        derive,
        "size = gradient.size if node.size == 1 else node.size",
        "size = node.size",
        "Mixed",
    ),
    "a number takes the gradient of its own unit": (
        derive,
        's.recorder.node("total", d, detail=1, size=1)',
        "d",
        "Shared",
    ),
    "products give raw inputs no gradient": (execution, 'run.operand in ("x", "input")', 'run.operand == "x"', "Mixed"),
    "the gradient of a raw input is its first part": (
        execution,
        "for name, columns in self.input_columns.items() for column in columns",
        "for name, columns in self.input_columns.items() for column in columns[:1]",
        "Mixed",
    ),
    "what is only multiplied has no place in x": (layout, "shapes.inputs[node.detail][0]", "0", "Mixed"),
}


@pytest.mark.parametrize("mutant", LINES)
def test_line_that_is_wrong(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, before, after, name = LINES[mutant]
    text = Path(module.__file__).read_text()
    assert before in text
    copy = types.ModuleType(module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, copy)  # where dataclasses look for names
    exec(compile(text.replace(before, after), module.__file__, "exec"), vars(copy))
    if module is execution:
        monkeypatch.setattr(recurrent, "Execution", copy.Execution)
    else:
        function = {derive: "derive", layout: "lay_out"}[module]
        monkeypatch.setattr(execution, function, getattr(copy, function))
    with pytest.raises(AssertionError):
        CHECKS["check_gradients"](sized(name, 18))
