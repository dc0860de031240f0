"""Equations: what tracing makes of a step, what the derived program needs, and both as text."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import pytest
from checks.written import cell_of
from checks.zoo import ZOO

import seqkit
from seqkit._core import OPERATIONS, REDUCTIONS
from seqkit.equations import (
    ACTIVATIONS,
    Cell,
    Program,
    clip,
    derive,
    describe_equations,
    describe_program,
    exp,
    layer_norm,
    matrix,
    mean,
    sigmoid,
    softsign,
    tanh,
    trace,
    vector,
    where,
)
from seqkit.equations.activation import activation
from seqkit.equations.derive import RULES
from seqkit.errors import ConfigError

# ---- programs ------------------------------------------------------------------------------------


def columns_of(program: Program) -> list[tuple[int, tuple[tuple[str, str], ...]]]:
    """Stage and terms of every column, without the places of the operands."""
    stages = program.stages
    return [(stages[column], tuple(term[:2] for term in column.detail)) for column in program.columns]


def folded(gate: str) -> tuple[tuple[str, str], ...]:
    return (("x", gate), ("U", gate))


def test_every_gate_of_an_lstm_is_one_column() -> None:
    program = trace(seqkit.LSTM(1).cell)
    assert columns_of(program) == [(0, folded(gate)) for gate in "ifgo"]
    assert [node.name for node in program.results.values()] == ["h", "c"]
    assert set(program.names) == {"i", "f", "g", "o", "c", "h"}


def test_columns_of_both_grus() -> None:
    after, before = trace(seqkit.GRU(1).cell), trace(seqkit.GRU(1, reset_after=False).cell)
    assert columns_of(after) == [(0, (("x", "n"),)), (0, folded("r")), (0, folded("z")), (0, (("U", "n"),))]
    assert columns_of(before) == [(0, folded("r")), (0, folded("z")), (1, folded("n"))]


def test_a_sum_that_is_read_twice_stays_apart() -> None:
    program = trace(ZOO["SharedColumn"]())
    assert columns_of(program) == [
        (0, (("x", "f"),)),
        (0, (("x", "n"),)),
        (0, (("U", "f"),)),
        (1, (("U", "n"),)),
    ]


def test_at_most_one_input_part_and_any_products_are_one_column() -> None:
    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        return {"h": x.a + U.a @ s.h + (p.V @ s.h + U.b @ s.h) + x.b}

    program = trace(cell_of(step, gates=("a", "b"), V=matrix()))
    terms = (("x", "a"), ("U", "a"), ("matrix", "V"), ("U", "b"))
    assert sorted(columns_of(program), key=len) == [(0, (("x", "b"),)), (0, terms)]
    assert [node.operation for node in program.nodes] == ["state", "column", "column", "add"]


def test_a_product_that_is_a_difference_stays_apart() -> None:
    program = trace(ZOO["Linear"]())
    assert columns_of(program) == [(0, (("x", "h"),)), (0, (("U", "h"),))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ManyProducts", [0, 0, 1, 2]),
        ("ExtraMatrices", [0, 1]),
        ("NewState", [0, 1]),
        ("LayerNorm", [0, 0, 0]),
        ("ProductsOfLeaves", [0, 0, 1]),
        ("Delay", [0]),
    ],
)
def test_stages_of_columns(name: str, expected: list[int]) -> None:
    """A product of a computed vector waits for it; one of a state does not."""
    assert [stage for stage, _ in columns_of(trace(ZOO[name]()))] == expected


def test_a_mean_waits_for_all_units() -> None:
    program = trace(cell_of(lambda x, U, s, p: {"h": tanh(mean(x.f + U.f @ s.h)) + mean(mean(s.h))}))
    assert [program.stages[node] for node in program.nodes if node.operation == "mean"] == [1, 1, 2]
    assert program.stages[program.results["h"]] == 2


def test_recurrent_dropout_masks_states_where_they_are_multiplied() -> None:
    program = trace(seqkit.LSTM(1).cell, masked=True)
    assert [node.detail for node in program.nodes if node.operation == "mask"] == ["h"]
    assert {stage for stage, _ in columns_of(program)} == {1}
    assert [n.operation for n in trace(ZOO["NoMatrix"](), masked=True).nodes if n.operation == "mask"] == []


def test_equal_operations_are_one_node() -> None:
    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        return {"h": tanh(x.f) * tanh(x.f) + 2 * tanh(x.f) + U.f @ s.h + U.f @ s.h}

    operations = [node.operation for node in trace(cell_of(step)).nodes]
    assert operations.count("tanh") == 1
    assert operations.count("column") == 2


def test_numbers_of_any_kind_are_constants() -> None:
    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        return {"h": np.float32(0.5) * x.f + np.int64(2) - np.float64(0.25) + 3 + sigmoid(0.0) + U.f @ s.h}

    constants = [node.detail for node in trace(cell_of(step)).nodes if node.operation == "constant"]
    assert constants == [0.5, 2.0, 0.25, 3.0]  # the sigmoid of 0 is 0.5 again


# ---- derived programs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (seqkit.LSTM(1).cell, "fgio"),
        (seqkit.PeepholeLSTM(1).cell, "fgio"),
        (seqkit.GRU(1).cell, ["n", "r", "recurrent", "z"]),
        (seqkit.GRU(1, reset_after=False).cell, "nrz"),
        (seqkit.SimpleRNN(1).cell, ""),
        (ZOO["BareColumn"](), ""),
        (ZOO["NoMatrix"](), ["tanh"]),
    ],
    ids=["lstm", "peephole", "gru", "gru-reset_before", "simple_rnn", "bare column", "no matrix"],
)
def test_what_is_saved_for_the_gradient(cell: Cell, expected: Any) -> None:
    """Activations only: states are kept anyway, tanh(c) is computed again."""
    assert sorted(node.name or node.operation for node in derive(trace(cell)).saved) == list(expected)


def test_gradients_that_no_result_depends_on_are_zero() -> None:
    program = trace(ZOO["OnlyCompared"]())
    gradient = derive(program)
    zero = {node.detail for parts in gradient.parameter_grads.values() for node in parts}
    assert zero == {0.0}


def test_every_operation_has_a_rule_and_an_instruction() -> None:
    internal = {"copy", "read_rows", "write_rows", "sigmoid_grad", "tanh_grad", "relu_grad"}
    internal |= {"muladd", "mulsub", "negmuladd"}  # made when a derived program is lowered
    internal |= {"mul_sigmoid_grad", "mul_tanh_grad"}
    assert set(RULES) - set(REDUCTIONS) == set(OPERATIONS) - internal
    assert set(REDUCTIONS) - set(RULES) == {"first_largest"}  # made when a program is derived


# ---- text ------------------------------------------------------------------------------------------

LSTM_TEXT = """\
i[t] = sigmoid(W_i x[t] + b_i + U_i h[t-1])
f[t] = sigmoid(W_f x[t] + b_f + U_f h[t-1])
g[t] = tanh(W_g x[t] + b_g + U_g h[t-1])
o[t] = sigmoid(W_o x[t] + b_o + U_o h[t-1])
c[t] = f[t] * c[t-1] + i[t] * g[t]
h[t] = o[t] * tanh(c[t])"""

PEEPHOLE_TEXT = """\
i[t] = sigmoid(W_i x[t] + b_i + U_i h[t-1] + weight_ch.i * c[t-1])
f[t] = sigmoid(W_f x[t] + b_f + U_f h[t-1] + weight_ch.f * c[t-1])
g[t] = tanh(W_g x[t] + b_g + U_g h[t-1])
c[t] = f[t] * c[t-1] + i[t] * g[t]
o[t] = sigmoid(W_o x[t] + b_o + U_o h[t-1] + weight_ch.o * c[t])
h[t] = o[t] * tanh(c[t])"""

GRU_BEFORE_TEXT = """\
r[t] = sigmoid(W_r x[t] + b_r + U_r h[t-1])
z[t] = sigmoid(W_z x[t] + b_z + U_z h[t-1])
n[t] = tanh(W_n x[t] + b_n + U_n (r[t] * h[t-1]))
h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]"""

DELAY_TEXT = """\
h[t] = tanh(W_n x[t] + b_n + U_n two[t-1] + 0.5 * same[t-1])
one[t] = h[t-1]
two[t] = one[t-1]
same[t] = h[t]"""


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (seqkit.LSTM(1).cell, LSTM_TEXT),
        (seqkit.PeepholeLSTM(1).cell, PEEPHOLE_TEXT),
        (seqkit.GRU(1, reset_after=False).cell, GRU_BEFORE_TEXT),
        (seqkit.SimpleRNN(1).cell, "h[t] = tanh(W_h x[t] + b_h + U_h h[t-1])"),
        (ZOO["OldOutput"](), "c[t] = tanh(W_n x[t] + b_n + U_n h[t-1])\nh[t] = c[t-1]"),
        (ZOO["Delay"](), DELAY_TEXT),
    ],
    ids=["lstm", "peephole", "gru", "simple_rnn", "old output", "delay"],
)
def test_equations_as_text(cell: Cell, text: str) -> None:
    assert describe_equations(cell) == text


def test_parentheses_say_what_is_computed() -> None:
    """The printed right-hand side, read by Python, has the value of the step."""

    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        a, b = x.a - 0.0, p.v * 1.0
        odd = a - (b - s.h) - (a + b) / (a * (b / s.h)) + -(a + b) * -(a * s.h)
        even = where(a > b, clip(a, b, s.h), a - -b) / (a / b) - (s.h - a / (b - s.h))
        return {"h": odd * even - (odd >= even) * (U.a @ (odd + s.h))}

    cell = cell_of(step, gates=("a",), v=vector())
    lines = dict(line.split(" = ", 1) for line in describe_equations(cell).splitlines())
    values = {"x_": 1.3, "h_": -0.7, "v": 0.4, "U_a": 2.0}
    scope: dict[str, Any] = values | {"where": lambda c, a, b: a if c else b, "maximum": max, "minimum": min}
    for name, text in lines.items():
        text = text.replace("W_a x[t] + b_a", "x_").replace("h[t-1]", "h_").replace("U_a (", "U_a * (")
        scope[name.removesuffix("[t]")] = eval(text.replace("[t]", ""), scope)
    x, s, p = ({"a": np.float64(1.3)}, {"h": np.float64(-0.7)}, {"v": np.float64(0.4)})

    class Names:
        def __init__(self, values: dict[str, Any]) -> None:
            self.__dict__.update(values)

    class Two:
        def __matmul__(self, other: Any) -> Any:
            return 2.0 * other

    expected = step(Names(x), Names({"a": Two()}), Names(s), Names(p))["h"]
    assert scope["h"] == pytest.approx(expected, rel=1e-14)


def test_columns_inside_of_expressions() -> None:
    """A sum stands in parentheses where something is done with it; a single product needs none."""

    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        return {"h": 2 * (x.f + U.f @ s.h) - s.h * (U.g @ tanh(s.h)) + U.g @ (U.f @ s.h)}

    text = "h[t] = 2 * (W_f x[t] + b_f + U_f h[t-1]) - h[t-1] * U_g tanh(h[t-1]) + U_g U_f h[t-1]"
    assert describe_equations(cell_of(step, gates=("f", "g"))) == text


def test_programs_as_text() -> None:
    text = describe_program(seqkit.GRU(1, reset_after=False).cell)
    forward, backward = text.split("\n\n")
    assert forward.startswith("gru\nstage 0\n")
    assert "stage 1\n  v3       = W_n x[t] + b_n + U_n v2\n  n        = tanh(v3)" in forward
    assert backward.startswith("gradient of gru\nstage 0\n")
    assert "sum of n^T d column 2" in backward
    assert backward.endswith("saved by the forward pass: z, n, r")
    assert "\nd u[0] += v" in describe_program(ZOO["NoMatrix"]())


# ---- functions on arrays ---------------------------------------------------------------------------


def test_functions_on_arrays_are_their_definitions() -> None:
    x = np.random.default_rng(0).normal(size=(3, 7)) * 3
    np.testing.assert_allclose(sigmoid(x), 1 / (1 + np.exp(-x)), rtol=1e-15)
    np.testing.assert_allclose(softsign(x), x / (1 + np.abs(x)), rtol=1e-15)
    np.testing.assert_allclose(mean(x), np.tile(x.mean(axis=1, keepdims=True), 7), rtol=1e-15)
    normal = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(layer_norm(x, 2.0, 0.5, epsilon=1e-3), 2 * normal + 0.5, rtol=1e-12)
    definitions = {
        "linear": x,
        "affine": x,
        "leaky_relu": np.where(x > 0, x, x / 100),
        "thresholded_relu": np.where(x < 1, 0, x),
        "scaled_tanh": np.sinh(x) / np.cosh(x),
        "relu": np.where(x > 0, x, 0),
        "exp": np.exp(x),
        "softplus": np.log1p(np.exp(x)),
        "hard_sigmoid": np.clip(x / 6 + 0.5, 0, 1),
        "elu": np.where(x > 0, x, np.exp(x) - 1),
        "silu": x / (1 + np.exp(-x)),
        "gelu": x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        "tanh": np.sinh(x) / np.cosh(x),
        "selu": 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
        "relu6": np.where(x > 6, 6, np.where(x > 0, x, 0)),
        "mish": x * np.tanh(np.log1p(np.exp(x))),
        "hard_silu": x * np.clip((x + 3) / 6, 0, 1),
        "hard_tanh": np.sign(x) * np.minimum(np.abs(x), 1),
        "log_sigmoid": -np.log1p(np.exp(-x)),
        "tanh_shrink": x - np.sinh(x) / np.cosh(x),
        "soft_shrink": np.where(np.abs(x) > 0.5, x - 0.5 * np.sign(x), 0),
        "hard_shrink": np.where(np.abs(x) > 0.5, x, 0),
        "squareplus": (x + np.sqrt(x**2 + 4)) / 2,
        "sparse_plus": np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
        "sparse_sigmoid": np.where(x <= -1, 0, np.where(x < 1, (x + 1) / 2, 1)),
    }
    assert set(definitions) == set(ACTIVATIONS) - {"sigmoid", "softsign"}
    for name, expected in definitions.items():
        np.testing.assert_allclose(ACTIVATIONS[name](x), expected, rtol=1e-13, atol=1e-15, err_msg=name)


def test_activations_with_numbers_of_their_own() -> None:
    x = np.random.default_rng(1).normal(size=(3, 7)) * 3
    numbers = {"alpha": 1.7, "beta": 0.3}
    definitions = {
        "affine": 1.7 * x + 0.3,
        "leaky_relu": np.where(x > 0, x, 1.7 * x),
        "thresholded_relu": np.where(x < 1.7, 0, x),
        "scaled_tanh": 1.7 * np.sinh(0.3 * x) / np.cosh(0.3 * x),
        "hard_sigmoid": np.clip(1.7 * x + 0.3, 0, 1),
        "elu": np.where(x > 0, x, 1.7 * np.expm1(x)),
    }
    for name, expected in definitions.items():
        takes = {key: value for key, value in numbers.items() if key in signature(ACTIVATIONS[name]).parameters}
        np.testing.assert_allclose(activation({"name": name, **takes}, "")(x), expected, rtol=1e-13, err_msg=name)
    limited = activation({"name": "affine", "alpha": 2.0, "clip": 0.5}, "")
    np.testing.assert_allclose(limited(x), 2 * np.clip(x, -0.5, 0.5), rtol=1e-15)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("tangent", "activation is 'tangent', expected one of tanh, sigmoid"),
        ({"alpha": 1.0}, "activation is None, expected one of"),
        ({"name": ["tanh"]}, "activation is \\['tanh'\\], expected one of"),
        ({"name": "tanh", "alpha": 1.0}, "tanh takes no 'alpha', only clip"),
        ({"name": "elu", "beta": 1.0}, "elu takes no 'beta', only alpha, clip"),
        ({"name": "elu", "alpha": "1"}, "alpha of elu must be a finite number, got '1'"),
        ({"name": "elu", "alpha": float("nan")}, "alpha of elu must be a finite number, got nan"),
        ({"name": "tanh", "clip": 0}, "clip of tanh must be positive, got 0"),
    ],
)
def test_activations_that_are_none(choice: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seqkit.LSTM(3, activation=choice)


def test_functions_of_numbers_are_numbers() -> None:
    for value in (sigmoid(0.3), tanh(0.3), exp(0.3), where(True, 1.0, 2.0), clip(0.3, 0.0, 0.2)):
        assert isinstance(value, float)
    assert sigmoid(-1000.0) == 0.0
    assert sigmoid(1000.0) == 1.0
