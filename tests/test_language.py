"""What the equations have beyond gates, states and vectors: biases of some gates, scalars, reductions, first values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from checks.language import LANGUAGE, Groups

from seqkit import initializers
from seqkit.equations import (
    Cell,
    OppositeOf,
    describe_equations,
    describe_program,
    group_norm,
    largest,
    mean,
    sigmoid,
    tanh,
    total,
    vector,
)
from seqkit.errors import ConfigError, EquationError, SeqkitError, ShapeError
from seqkit.recurrent import Recurrent

# ---- biases of some gates ------------------------------------------------------------------------


def test_only_gates_that_are_named_have_a_bias() -> None:
    layer = Recurrent(LANGUAGE["SomeBiases"], 5).build(3, seed=0)
    assert layer.params["weight_ih"].shape == (15, 3)
    assert layer.params["bias"].shape == (10,)
    assert "bias" not in Recurrent(LANGUAGE["NoBiases"], 5).build(3, seed=0).params
    assert "bias" not in Recurrent(LANGUAGE["SomeBiases"], 5, use_bias=False).build(3, seed=0).params


def test_every_number_of_the_bias_goes_to_its_gate() -> None:
    """Without weights the output is made of the biases alone."""
    layer = Recurrent(LANGUAGE["SomeBiases"], 3).build(2, seed=0, dtype="float64")
    for name in ("weight_ih", "weight_hh"):
        layer.params[name] = np.zeros_like(layer.params[name])
    layer.params["bias"] = [0.1, 0.2, 0.3, -1.0, -2.0, -3.0]
    b, d = np.array([0.1, 0.2, 0.3]), np.array([-1.0, -2.0, -3.0])
    np.testing.assert_allclose(layer(np.ones((1, 1, 2)))[0], 0.5 * np.tanh(b), rtol=1e-15)
    layer.params["weight_hh"] = np.tile(np.eye(3), (2, 1)) * np.repeat([0.0, 1.0], 3)[:, None]
    h = np.array([0.5, -0.5, 1.0])
    expected = 0.5 * np.tanh(b) + np.tanh(h) / (1 + np.exp(-d - b))
    np.testing.assert_allclose(layer(np.ones((1, 1, 2)), state=(h[None],))[0], expected, rtol=1e-14)


def test_equations_print_the_biases_that_there_are() -> None:
    assert describe_equations(LANGUAGE["SomeBiases"]()) == (
        "a[t] = sigmoid(W_a x[t] + U_a h[t-1])\n"
        "b[t] = tanh(W_b x[t] + b_b)\n"
        "h[t] = a[t] * b[t] + tanh(U_c h[t-1]) * sigmoid(W_d x[t] + b_d + W_b x[t] + b_b)"
    )
    assert describe_equations(LANGUAGE["NoBiases"]()) == "h[t] = tanh(W_a x[t] + U_a h[t-1])"


@pytest.mark.parametrize(
    ("biases", "message"),
    [
        (("z",), r"biases must be a tuple of gates, of a, b, c, d, or None for all; got \('z',\)"),
        ("bd", r"biases must be a tuple of gates, .* got 'bd'"),
        (("c", "d"), r"bias of gate 'c' declared but no new state depends on it"),
    ],
)
def test_wrong_biases(biases: Any, message: str) -> None:
    wrong = type("Wrong", (LANGUAGE["SomeBiases"],), {"biases": biases})
    with pytest.raises(EquationError, match=message):
        Recurrent(wrong, 4).build(3)


# ---- one number for all units ----------------------------------------------------------------------


def test_scalars_are_one_number_each() -> None:
    params = Recurrent(LANGUAGE["Scalars"], 5).build(3, seed=0).params
    assert (params["zeta"].shape, params["v"].shape, params["scales"].shape) == ((1,), (5,), (3,))
    np.testing.assert_array_equal(params["scales"], [0.5, 0.5, 0.5])


@pytest.mark.parametrize("units", [1, 7, 40])
def test_a_scalar_is_a_vector_of_one_number(units: int) -> None:
    """The layer whose vectors hold the scalar everywhere gives the same; gradients are sums over units."""

    class Vectors(LANGUAGE["Scalars"]):  # type: ignore[misc]
        def parameters(self) -> Any:
            return {"zeta": vector(), "v": vector(), "scales": vector("one", "two", "three")}

    layers = [Recurrent(cell, units).build(3, seed=0, dtype="float64") for cell in (LANGUAGE["Scalars"], Vectors)]
    x = np.random.default_rng(0).normal(size=(4, 6, 3))
    found = []
    for layer in layers:
        wide = layer.cell.__class__ is Vectors
        layer.params["zeta"] = np.full(units if wide else 1, 0.3)
        layer.params["v"] = np.linspace(-1, 1, units)
        scales = np.array([0.7, -1.2, 0.4])
        layer.params["scales"] = np.repeat(scales[:, None], units, axis=1) if wide else scales
        y, cache = layer.forward(x, [6, 2, 0, 3])
        layer.backward(np.cos(y), cache)
        found.append((y, layer.grads))
    (y, one), (expected, many) = found
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(one["zeta"], [many["zeta"].sum()], rtol=1e-13)
    np.testing.assert_allclose(one["scales"], many["scales"].sum(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(one["v"], many["v"])


def test_equations_print_scalars_by_their_names() -> None:
    text = describe_equations(LANGUAGE["Scalars"]())
    assert "b[t] = sigmoid(scales.one * (W_b x[t] + b_b) + v) * scales.two" in text
    assert "c[t] = zeta + 0.5 * c[t-1]" in text


# ---- reductions ----------------------------------------------------------------------------------------


def of_one_step(function: Any, x: Any, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """What the engine makes of a vector, and the gradient of its weighted sum, weights 1, 2, 3, ..."""

    class Memoryless(Cell):
        gates, states, biases = ("n",), ("h",), ()

        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            return {"h": function(x.n)}

    x = np.asarray(x, dtype)
    layer = Recurrent(Memoryless, x.shape[-1]).build(x.shape[-1], seed=0, dtype=dtype)
    layer.params["weight_ih"] = np.eye(x.shape[-1])
    y, cache = layer.forward(x.reshape(-1, 1, x.shape[-1]))
    dx, _ = layer.backward(np.tile(np.arange(1.0, x.shape[-1] + 1), (len(y), 1)).astype(dtype), cache)
    assert dx is not None
    return y, dx[:, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reductions_by_hand(dtype: str) -> None:
    x = [3.0, -1.0, 4.0, 8.0, -2.0, -6.0]
    y, dx = of_one_step(lambda x: total(x, 2), [x], dtype)
    assert y.tolist() == [[6, 6, 6, 0, 0, 0]]
    assert dx.tolist() == [[6, 6, 6, 15, 15, 15]]
    y, dx = of_one_step(lambda x: mean(x, 3), [x], dtype)
    assert y.tolist() == [[1, 1, 6, 6, -4, -4]]
    assert dx.tolist() == [[1.5, 1.5, 3.5, 3.5, 5.5, 5.5]]
    y, dx = of_one_step(lambda x: largest(x, 2), [x], dtype)
    assert y.tolist() == [[4, 4, 4, 8, 8, 8]]
    assert dx.tolist() == [[0, 0, 6, 15, 0, 0]]
    y, dx = of_one_step(largest, [x], dtype)
    assert y.tolist() == [[8] * 6]
    assert dx.tolist() == [[0, 0, 0, 21, 0, 0]]


@pytest.mark.parametrize("units", [5, 16, 37])
def test_the_gradient_of_the_largest_goes_to_the_first(units: int) -> None:
    x = np.zeros((3, units))
    x[1, [3, 4]] = 2.0
    x[2] = -np.arange(units)[::-1]
    x[2, -2] = 0.0
    _, dx = of_one_step(largest, x)
    expected = np.zeros((3, units))
    expected[[0, 1, 2], [0, 3, units - 2]] = units * (units + 1) / 2
    np.testing.assert_array_equal(dx, expected)


def of_state(function: Any, values: np.ndarray) -> np.ndarray:
    """What the engine makes of a state."""

    class OfState(Cell):
        gates, states = ("n",), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            return {"h": function(s.h) + 0 * x.n}

    layer = Recurrent(OfState, len(values)).build(1, seed=0, dtype="float64")
    return layer(np.ones((1, 1, 1)), state=(values[None],))[0]


@pytest.mark.parametrize("units", [3, 16, 40])
def test_nan_and_infinity_in_reductions(units: int) -> None:
    for place in range(units):
        x = np.linspace(-1, 1, units)
        x[place] = np.inf
        assert (of_state(largest, x) == np.inf).all()
        assert (of_state(largest, -x) == np.delete(-x, place).max()).all()
        x[place] = np.nan
        assert np.isnan(of_state(largest, x)).all()
        alone = of_state(lambda x: total(x, units), x)  # groups of one unit
        np.testing.assert_array_equal(alone, x)
    assert (of_state(largest, np.full(units, -np.inf)) == -np.inf).all()


def test_sums_do_not_depend_on_where_their_group_lies() -> None:
    x = np.random.default_rng(0).normal(size=37)
    many, _ = of_one_step(lambda x: total(x, 3), [np.tile(x, 3)], "float32")
    alone, _ = of_one_step(total, [x], "float32")
    assert many.tobytes() == np.tile(alone, 3).tobytes()


def test_group_norm_is_its_definition() -> None:
    x = np.random.default_rng(0).normal(size=(2, 12)) + 3
    y, _ = of_one_step(lambda x: group_norm(x, 3, 2.0, 0.5, epsilon=0.1), x)
    runs = x.reshape(2, 3, 4)
    expected = 2 * (runs - runs.mean(2, keepdims=True)) / np.sqrt(runs.var(2, keepdims=True) + 0.1) + 0.5
    np.testing.assert_allclose(y, expected.reshape(2, 12), rtol=1e-13)
    np.testing.assert_allclose(group_norm(x, 3, 2.0, 0.5, epsilon=0.1), y, rtol=1e-13)


def test_reductions_on_arrays_are_their_definitions() -> None:
    x = np.random.default_rng(0).normal(size=(3, 8))
    runs = x.reshape(3, 2, 4)
    for function, definition in ((mean, np.mean), (total, np.sum), (largest, np.max)):
        np.testing.assert_allclose(function(x, 2), np.repeat(definition(runs, axis=2), 4, axis=1), rtol=1e-14)
        np.testing.assert_allclose(function(x), np.tile(definition(x, axis=1)[:, None], 8), rtol=1e-14)


def test_equations_print_groups() -> None:
    cell = Groups(groups=2)
    assert "b[t] = sigmoid(W_b x[t] + b_b + U_b mean(a[t], groups=2)) * mean(largest(c[t-1], groups=4), groups=2)" in (
        describe_equations(cell)
    )
    assert "total(v" in describe_program(cell)
    assert "first_largest(c[t-1], groups=4)" in describe_program(cell)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: mean(x, 0), r"mean: groups must be a positive integer, got 0\.\n .*test_language"),
        (lambda x: total(x, True), r"total: groups must be a positive integer, got True"),
        (lambda x: group_norm(x, 2.0), r"mean: groups must be a positive integer, got 2\.0\.\n .*test_language"),
        (
            lambda x: largest(x, 4),
            r"largest over 4 groups needs a number of units that is a multiple of 4, got 6\.\n .*",
        ),
        (lambda x: mean(2.0, 1) * x, r"needs a vector whose units 1 groups can share evenly, got shape \(\)"),
    ],
)
def test_wrong_groups(function: Any, message: str) -> None:
    with pytest.raises(EquationError, match=message):
        of_one_step(function, np.ones((1, 6)))


# ---- first values --------------------------------------------------------------------------------


def starting_from(initial: Any, initializer: Any = "zeros") -> Recurrent:
    """A built layer whose biases and own parameter start as they are told to."""

    class Starting(Cell):
        gates, states, name = ("i", "f", "g"), ("h",), "starting"

        def parameters(self) -> Any:
            return {"v": vector("one", "two", initializer=initializer)}

        def initial_bias(self, gate: str) -> Any:
            return initial.get(gate, 0.0)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            kept = sigmoid(x.f + p.v.one) * s.h
            return {"h": kept + sigmoid(x.i + p.v.two) * tanh(x.g + U.g @ s.h)}

    return Recurrent(Starting, 400).build(2, seed=3, dtype="float64")


def test_chrono_with_its_opposite_is_that_of_the_paper() -> None:
    """b_f is log(u), u uniform in [1, T - 1], and b_i is -b_f (Tallec and Ollivier, 2018, equation 16)."""
    i, f, g = starting_from({"i": OppositeOf("f"), "f": initializers.chrono(30)}).params["bias"].reshape(3, 400)
    u = np.sort(np.exp(f))
    np.testing.assert_array_equal(i, -f)
    np.testing.assert_array_equal(g, np.zeros(400))
    assert np.abs(u - np.linspace(1, 29, 400)).max() < 28 * 1.63 / np.sqrt(400)  # Kolmogorov and Smirnov, 1 %


def test_every_kind_of_first_value() -> None:
    counted = np.arange(400.0)
    layer = starting_from({"i": lambda shape, rng: counted, "f": 2, "g": "ones"}, initializers.uniform(-3, -2))
    np.testing.assert_array_equal(layer.params["bias"], np.concatenate([counted, np.full(400, 2.0), np.ones(400)]))
    v = layer.params["v"]
    assert v.shape == (2, 400)
    assert -3 <= v.min() < -2.98 < -2.02 < v.max() < -2
    assert not np.array_equal(v[0], v[1])
    np.testing.assert_array_equal(starting_from({}, initializers.constant(0.25)).params["v"], np.full((2, 400), 0.25))
    glorot = starting_from({}, "glorot_uniform").params["v"]
    assert 0.98 < np.abs(glorot).max() / np.sqrt(6 / 402) <= 1


def test_first_values_come_from_the_seed() -> None:
    first, second = (starting_from({"f": initializers.chrono(9)}, initializers.uniform(0, 1)) for _ in range(2))
    for name, value in first.params.items():
        np.testing.assert_array_equal(value, second.params[name])


def test_bias_initializer_is_added_to_what_the_cell_says() -> None:
    cell = starting_from({"f": 2.0}).cell
    bias = Recurrent(cell, 2, bias_initializer="ones").build(1, seed=0).params["bias"]
    np.testing.assert_array_equal(bias, [1, 1, 3, 3, 1, 1])


def test_initializers_can_be_pickled() -> None:
    for initializer in (initializers.constant(2), initializers.uniform(0, 3), initializers.chrono(5)):
        copy = pickle.loads(pickle.dumps(initializer))
        found, expected = (one((4,), np.random.default_rng(1)) for one in (copy, initializer))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("initial", "initializer", "error", "message"),
    [
        ({"f": "chrono"}, 0, ConfigError, "no initializer named 'chrono'"),
        ({"f": None}, 0, ConfigError, "starting: bias of gate f: an initializer is a name, a number or a function"),
        (
            {"f": OppositeOf("q")},
            0,
            ConfigError,
            "bias, to be the opposite of for gate f, named 'q'.* Choose one of",
        ),
        (
            {"i": lambda shape, rng: np.ones(3)},
            0,
            ShapeError,
            r"bias of gate i: the initializer gave shape \(3,\)",
        ),
        ({}, lambda shape, rng: np.ones(400), ShapeError, r"starting: v: .* \(400,\), expected \(2, 400\)"),
    ],
)
def test_wrong_first_values(initial: Any, initializer: Any, error: type[SeqkitError], message: str) -> None:
    with pytest.raises(error, match=message):
        starting_from(initial, initializer)


def test_wrong_arguments_of_initializers() -> None:
    with pytest.raises(ConfigError, match=r"uniform: low must not be above high, got 2 and 1"):
        initializers.uniform(2, 1)
    with pytest.raises(ConfigError, match=r"chrono: the longest dependency must be at least 2 steps, got 1"):
        initializers.chrono(1)
