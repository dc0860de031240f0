"""What authors of cells are told: every error points at their line."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks import written
from checks.written import Step, cell_of

import seqkit
from seqkit.equations import Cell, derive, matrix, mean, tanh, trace, vector, where
from seqkit.errors import ConfigError, EquationError
from seqkit.recurrent import Recurrent

A = np.array([1.0, 2.0])


def _branch(x: Any, U: Any, s: Any, p: Any) -> Any:
    if x.f > 0:  # here
        return {"h": x.f}
    return {"h": U.f @ s.h}


def _unpack(x: Any, U: Any, s: Any, p: Any) -> Any:
    one, two = x.f  # here
    return {"h": one + two}


def _helper(value: Any) -> Any:
    return np.sqrt(value)  # here


# Steps that are wrong in the line that ends with "here", and what the message says.
WRONG_LINES: list[tuple[Step, str]] = [
    (_branch, "write where"),
    (_unpack, "cannot be iterated"),
    (lambda x, U, s, p: {"h": _helper(x.f)}, "does not support ufuncs"),
    (lambda x, U, s, p: {"h": x.f and U.f @ s.h}, "write where"),  # here
    (lambda x, U, s, p: {"h": max(x.f, U.f @ s.h)}, "write where"),  # here
    (lambda x, U, s, p: {"h": 1 if x.f == 0 else U.f @ s.h}, "== or !="),  # here
    (lambda x, U, s, p: {"h": 1 if x.f != 0 else U.f @ s.h}, "== or !="),  # here
    (lambda x, U, s, p: {"h": x.f if s.h in (0, 1) else 1}, "== or !="),  # here
    (lambda x, U, s, p: {"h": np.tanh(x.f)}, "does not support ufuncs"),  # here
    (lambda x, U, s, p: {"h": np.where(x.f > 0, x.f, 1)}, "not NumPy's"),  # here
    (lambda x, U, s, p: {"h": np.sum(x.f)}, "no attribute 'sum'"),  # here
    (lambda x, U, s, p: {"h": math.exp(x.f)}, "instead of math's"),  # here
    (lambda x, U, s, p: {"h": x.f.mean()}, "no attribute 'mean'"),  # here
    (lambda x, U, s, p: {"h": x.f[0]}, "cannot be indexed"),  # here
    (lambda x, U, s, p: {"h": sum(v for v in x.f)}, "cannot be iterated"),  # here
    (lambda x, U, s, p: {"h": undefined(x.f)}, "NameError: name 'undefined'"),  # type: ignore[name-defined]  # noqa: F821  # here
    (lambda x, U, s, p: {"h": x.g}, "no gate 'g'; declared: f"),  # here
    (lambda x, U, s, p: {"h": U.g @ s.h}, "no gate 'g'; declared: f"),  # here
    (lambda x, U, s, p: {"h": x.f + s.c}, "no state 'c'; declared: h"),  # here
    (lambda x, U, s, p: {"h": x.f + p.w}, "no parameter 'w'; declared: V, rows"),  # here
    (lambda x, U, s, p: {"h": x.f + p.rows.three}, "no row 'three'; declared: one, two"),  # here
    (lambda x, U, s, p: {"h": x.f + A}, "got ndarray; declare arrays in parameters"),  # here
    (lambda x, U, s, p: {"h": A * x.f}, "got ndarray; declare arrays in parameters"),  # here
    (lambda x, U, s, p: {"h": x.f + "1"}, "got str"),  # here
    (lambda x, U, s, p: {"h": x.f + 1j}, "got complex"),  # here
    (lambda x, U, s, p: {"h": x.f * True}, "got bool"),  # here
    (lambda x, U, s, p: {"h": x.f * 10**400}, "OverflowError"),  # here
    (lambda x, U, s, p: {"h": x.f**0.5}, "exponent must be an integer from -16 to 16 and not 0, got 0.5"),  # here
    (lambda x, U, s, p: {"h": x.f**0}, "got 0"),  # here
    (lambda x, U, s, p: {"h": x.f**17}, "got 17"),  # here
    (lambda x, U, s, p: {"h": x.f**True}, "got True"),  # here
    (lambda x, U, s, p: {"h": 2**x.f}, "unsupported operand"),  # here
    (lambda x, U, s, p: {"h": x.f % 2}, "unsupported operand"),  # here
    (lambda x, U, s, p: {"h": U.f * s.h}, "Matrix"),  # here
    (lambda x, U, s, p: {"h": U.f.T @ s.h}, "write f @ vector"),  # here
    (lambda x, U, s, p: {"h": s.h @ U.f}, "from the left"),  # here
    (lambda x, U, s, p: {"h": U.f @ 2.0}, "got float"),  # here
    (lambda x, U, s, p: {"h": A @ s.h}, "declare a matrix in parameters"),  # here
    (lambda x, U, s, p: {"h": p.V * s.h}, "Matrix"),  # here
    (lambda x, U, s, p: {"h": tanh(x.f, x.f)}, "tanh takes 1 argument"),  # here
    (lambda x, U, s, p: {"h": where(x.f > 0, x.f)}, "where takes 3 argument"),  # here
    (lambda x, U, s, p: {"h": int(x.f)}, "int()"),  # here
]


@pytest.mark.parametrize(("step", "message"), WRONG_LINES, ids=[message for _, message in WRONG_LINES])
def test_a_wrong_line_is_named(step: Step, message: str) -> None:
    """The error says what is wrong, and its last line is the author's: file, number and text."""
    with pytest.raises(EquationError) as caught:
        trace(cell_of(step, V=matrix(), rows=vector("one", "two")))
    text = str(caught.value)
    assert message in text
    path, number, line = re.fullmatch(r"\s*(.+?):(\d+): (.*)", text.splitlines()[-1]).groups()  # type: ignore[union-attr]
    assert Path(path) == Path(__file__)
    assert line == Path(__file__).read_text().splitlines()[int(number) - 1].strip()
    assert line.endswith("# here")


def good(x: Any, U: Any, s: Any, p: Any) -> Any:
    return {"h": tanh(x.f + U.f @ s.h)}


# What the whole step or the declarations lack; the message names where the step is defined.
WRONG_WHOLES: list[tuple[Step, dict[str, Any], str]] = [
    (lambda x, U, s, p: {"c": tanh(x.f)}, {}, "step must return {'h': ...}, got keys 'c'"),
    (lambda x, U, s, p: {"h": x.f, "c": x.f}, {}, "got keys 'h', 'c'"),
    (good, {"states": ("h", "c")}, "step must return {'h': ..., 'c': ...}, got keys 'h'"),
    (lambda x, U, s, p: tanh(x.f), {}, "got Symbol"),
    (lambda x, U, s, p: None, {}, "got NoneType"),
    (lambda x, U, s, p: {"h": 0.5}, {}, "state 'h' must be a value of the step, got float"),
    (good, {"gates": ("f", "g")}, "gate 'g' declared but no new state depends on it"),
    (good, {"v": vector()}, "parameter 'v' declared but no new state depends on it"),
    (good, {"V": matrix()}, "matrix 'V' declared but no new state depends on it"),
    (lambda x, U, s, p: {"h": x.f + p.v.a}, {"v": vector("a", "b")}, "parameter 'v.b' declared"),
    (lambda x, U, s, p: [x.f, {"h": s.h}][1], {}, "gate 'f' declared but no new state depends on it"),
    (lambda x, U, s, p: {"h": U.f @ s.h}, {}, "step never reads the input"),
]


def definition_line() -> int:
    """Where the step of `cell_of` is defined."""
    return type(cell_of(good)).step.__code__.co_firstlineno


@pytest.mark.parametrize(("step", "options", "message"), WRONG_WHOLES, ids=[message for *_, message in WRONG_WHOLES])
def test_a_wrong_step_is_named(step: Step, options: dict[str, Any], message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)) as caught:
        trace(cell_of(step, **options))
    text = str(caught.value)
    assert text.startswith("Written: ")
    assert "never reads" in text or text.endswith(f"{written.__file__}:{definition_line()}: step")


@pytest.mark.parametrize("names", [["f"], ("f", "f"), ("f g",), (), "f", None, (1,)], ids=repr)
@pytest.mark.parametrize("what", ["gates", "states"])
def test_wrong_declarations(what: str, names: Any) -> None:
    with pytest.raises(EquationError, match=f"Written: {what} must be a tuple of distinct names"):
        trace(cell_of(good, **{what: names}))


def test_a_symbol_cannot_be_kept_for_another_call() -> None:
    kept: list[Any] = []

    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        kept.append(x.f)
        return {"h": kept[0] + U.f @ s.h}

    cell = cell_of(step)
    trace(cell)
    with pytest.raises(EquationError, match="a symbol of another cell or of an earlier call"):
        trace(cell)


def test_an_error_of_seqkit_in_a_step_comes_through() -> None:
    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        raise ConfigError("mine")

    with pytest.raises(ConfigError, match="mine"):
        trace(cell_of(step))


def test_wrong_arguments_of_step() -> None:
    class Short(Cell):
        gates, states = ("f",), ("h",)

        def step(self, x: Any) -> Any:  # type: ignore[override]
            return {"h": x.f}

    with pytest.raises(EquationError, match=r"takes 2 positional arguments but 5 were given") as caught:
        trace(Short())
    assert f"{__file__}:" in str(caught.value)


def test_tracing_leaves_the_profiler_as_it_was() -> None:
    before = sys.getprofile()
    trace(seqkit.LSTM(1).cell)
    with pytest.raises(EquationError):
        trace(cell_of(_branch))
    assert sys.getprofile() is before


def test_unknown_activation() -> None:
    with pytest.raises(ConfigError, match="GRUCell: activation is 'tan', expected one of tanh, sigmoid"):
        seqkit.GRU(3, activation="tan")


def test_unknown_option_names_those_of_the_cell() -> None:
    with pytest.raises(
        ConfigError, match=r"gru: unknown option 'reset'.*reset_after, activation, recurrent_activation"
    ):
        seqkit.GRU(3, reset=True)


# ---- the limits of the engine ------------------------------------------------------------------


def test_too_many_states() -> None:
    states = tuple(f"s{i}" for i in range(9))

    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        return {name: tanh(x.f + U.f @ s.s0) * (i + 1) for i, name in enumerate(states)}

    Recurrent(cell_of(step, states=states), 3)  # the cell is fine; the engine has no room for it
    with pytest.raises(EquationError, match="9 states are more than the engine's 8; simplify the cell"):
        Recurrent(cell_of(step, states=states), 3).build(2)


@pytest.mark.parametrize("repeat", [lambda v, U: U.f @ tanh(v), lambda v, U: mean(v) + v], ids=["products", "means"])
def test_too_many_rounds(repeat: Callable[..., Any]) -> None:
    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        value = x.f
        for _ in range(80):
            value = repeat(value, U)
        return {"h": tanh(value + U.f @ s.h)}

    with pytest.raises(EquationError, match=r"\d+ vector_count are more than the engine's 64; simplify the cell"):
        Recurrent(cell_of(step), 3).build(2)


def test_long_chains_are_traced_and_derived_in_time() -> None:
    """Every value is looked at once; twice would be 2**60 times here."""

    def step(x: Any, U: Any, s: Any, p: Any) -> Any:
        value = s.h
        for _ in range(60):
            value = tanh(value * value - 0.5 * value)
        return {"h": tanh(value + x.f + U.f @ s.h)}

    gradient = derive(trace(cell_of(step)))
    assert gradient.saved == []
    assert len(gradient.nodes) < 1000
