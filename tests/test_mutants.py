"""The checks themselves: every one of them finds layers that are wrong on purpose.

A mutant is a change in the text of a plain NumPy layer or of a cell, a subclass with one wrong
method, a broken part of the engine or a wrong rule of differentiation.  Each names the check
that must fail, with an AssertionError; the layer that was not changed passes it.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
from checks import CHECKS, plain
from checks.language import LANGUAGE, Groups
from checks.plain import PlainRNN
from checks.subjects import maker
from checks.zoo import ZOO
from mutation import changed

import seqkit
import seqkit.cells.gru
import seqkit.cells.lstm
import seqkit.cells.peephole
from seqkit.equations.derive import RULES
from seqkit.parameters import Parameters
from seqkit.sequences import as_sequences
from seqkit.testing.data import Make, fill

Change = tuple[str, str, str]


def make_of(layer_class: Any, units: int = 6, **fixed: Any) -> Make:
    def make(dtype: str, **options: Any) -> Any:
        options = {"return_sequences": True, **fixed, **options}
        return fill(layer_class(units, **options).build(3, seed=0, dtype=dtype))

    return make


def assert_caught(check: str, make: Make) -> None:
    with pytest.raises(AssertionError):
        CHECKS[check](make)


# ---- a plain layer with a line changed -----------------------------------------------------------

OF_DSTATE = "if dstate is None else np.array(dstate[0], self.dtype)"

# What is wrong: the check that must fail, the text, what it becomes.
LINES: dict[str, Change] = {
    "first step skipped": ("check_reference", "self.order(ends[b]))", "list(self.order(ends[b]))[1:])"),
    "direction not reversed": ("check_reference", "range(length)[::-1] if self.go_backwards else", ""),
    "initial state ignored": ("check_reference", "if initial is None else initial[0].copy()", ""),
    "steps past the end": ("check_reference", "self.order(ends[b])", "self.order(time)"),
    "float32 throughout": ("check_reference", "+ bias)", "+ bias).astype('f4')"),
    "bias twice": ("check_paper", "+ bias)", "+ 2 * bias)"),
    "old weights": (
        "check_new_parameters",
        "self.params[name] for",
        "vars(self).setdefault(name, self.params[name] * 1) for",
    ),
    "trace in the order of reading": ("check_trace", "for b, _, t, _, after, _ in", "for b, t, _, _, after, _ in"),
    "last output of the longest": ("check_last_output", "k == ends[b] - 1", "k == ends.max() - 1"),
    "h[t] for h[t-1] in dU": ("check_gradients", "np.outer(dz, before)", "np.outer(dz, after)"),
    "derivative of tanh": ("check_gradients", "(1 - after * after)", "(1 - after)"),
    "gradient of the final state ignored": ("check_gradients", OF_DSTATE, ""),
    "gradient of the output ignored": ("check_gradients", "(upstream + dh[b])", "dh[b]"),
    "recurrent matrix not transposed": (
        "check_gradients",
        '(dz[:, None] * self.params["weight_hh"])',
        '(dz * self.params["weight_hh"]).T',
    ),
    "dx in the order of reading": ("check_gradients", "dx[b, t] =", "dx[b, k] ="),
    "no gradient of the bias": ("check_gradients", 'totals["bias"] += dz', "pass"),
    "no gradient of the initial state": ("check_gradients", "return dx, (dh,)", "return dx, (0 * dh,)"),
    "half precision": (
        "check_gradients_in_single_precision",
        "+= total",
        "+= total.astype('f2') if self.dtype == 'f4' else total",
    ),
    "double results of single": (
        "check_gradients_in_single_precision",
        "return dx, (dh,)",
        "return dx.astype('f8'), (dh,)",
    ),
    "gradient overwritten": (
        "check_gradients_accumulate",
        "self.grads[name] += total",
        "self.grads[name][...] = total",
    ),
    "dx all the same": ("check_without_input_gradient", "if input_grad else None", ""),
    "gradient by padded time": ("check_more_padding", "+= total", "+= total / x.shape[1]"),
    "number of threads": ("check_threads", "+ bias)", "+ bias * (1 + 1e-7 * self.threads()))"),
    "carried state rounded": ("check_split_in_time", "tape, (final,))", "tape, (final.astype('f2'),))"),
    "stream without memory": ("check_steps", "if state is None else state[0]", ""),
}
BACKWARDS = ("direction not reversed", "dx in the order of reading", "trace in the order of reading")


@pytest.mark.parametrize("mutant", LINES)
def test_plain_layer_with_a_line_changed(mutant: str) -> None:
    check, before, after = LINES[mutant]
    wrong = changed(plain, before, after).PlainRNN
    assert_caught(check, make_of(wrong, go_backwards=mutant in BACKWARDS))


# ---- a plain layer with a method changed ---------------------------------------------------------


class PaddingTimesZero(PlainRNN):
    """Reads the padding and multiplies it by 0, which NaN survives."""

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *args, **options)
        return y + 0 * np.sum(x), cache


class RepeatsTheLastOutput(PlainRNN):
    """Outputs past the end are those of the last step."""

    def forward(self, *args: Any, **options: Any) -> Any:
        y, cache = super().forward(*args, **options)
        return np.where(y.any(axis=2, keepdims=True), y, cache.state[0][:, None]), cache


class CentresTheBatch(PlainRNN):
    """A sequence feels its neighbours, by little."""

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        x = np.asarray(x, self.dtype)
        return super().forward(x - self.dtype.type(1e-6) * x.sum(axis=(0, 1)), *args, **options)


class ListsAreLonger(PlainRNN):
    """A list of sequences comes out with its padding."""

    def __call__(self, x: Any, *args: Any, **options: Any) -> Any:
        y = super().__call__(x, *args, **options)
        return [np.concatenate([part, part]) for part in y] if isinstance(x, list) else y


class MemoryOrder(PlainRNN):
    """Reads x as it lies in memory, whatever its strides."""

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        x = as_sequences(x, self.dtype, self.name)
        return super().forward(x.ravel("K").reshape(x.shape), *args, **options)


class RoughInference(PlainRNN):
    """Less precise where no gradient is wanted."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        y, cache = super().forward(x, lengths, state, training)
        return (y if training else y * self.dtype.type(1 + 1e-6)), cache


class OneBuffer(PlainRNN):
    """All outputs are written to the same memory."""

    def forward(self, *args: Any, **options: Any) -> Any:
        y, cache = super().forward(*args, **options)
        memory = vars(self).setdefault("memory", np.zeros(9999, self.dtype))[: y.size].reshape(y.shape)
        memory[...] = y
        return memory, cache


class ScalesItsInput(PlainRNN):
    """Works on the caller's array."""

    def forward(self, x: Any, *args: Any, **options: Any) -> Any:
        x *= 1.5
        return super().forward(x, *args, **options)


class StepWritesToItsState(PlainRNN):
    """Keeps the state of a stream in the caller's array."""

    def step(self, x_t: Any, state: Any = None) -> Any:
        after, _ = super().step(x_t, state)
        if state is not None:
            state[0][...] = after
        return after, (after,)


class StatesChangePlaces(PlainRNN):
    """The states of a batch of streams come out in another order."""

    def step(self, x_t: Any, state: Any = None) -> Any:
        y, after = super().step(x_t, state)
        return y, (np.roll(after[0], 1, axis=0),)


METHODS: dict[type[PlainRNN], str] = {
    PaddingTimesZero: "check_nan_in_padding",
    RepeatsTheLastOutput: "check_nan_in_padding",
    CentresTheBatch: "check_batch",
    ListsAreLonger: "check_list",
    MemoryOrder: "check_layout",
    RoughInference: "check_inference",
    OneBuffer: "check_calls_are_independent",
    ScalesItsInput: "check_inputs_are_kept",
    StepWritesToItsState: "check_steps",
    StatesChangePlaces: "check_streams",
}


@pytest.mark.parametrize("mutant", METHODS, ids=lambda mutant: mutant.__name__)
def test_plain_layer_with_a_method_changed(mutant: type[PlainRNN]) -> None:
    assert_caught(METHODS[mutant], make_of(mutant))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("check", CHECKS)
def test_the_plain_layer_is_right(check: str, backwards: bool) -> None:
    CHECKS[check](make_of(PlainRNN, go_backwards=backwards))


def test_every_check_has_its_mutant() -> None:
    assert {check for check, *_ in LINES.values()} | set(METHODS.values()) == set(CHECKS)


# ---- cells with wrong equations ------------------------------------------------------------------

LSTM, GRU, PEEPHOLE = seqkit.cells.lstm, seqkit.cells.gru, seqkit.cells.peephole

CELLS: dict[str, tuple[types.ModuleType, str, str]] = {
    "LSTM: i and f swapped": (LSTM, "c = f * s.c + i * g", "c = i * s.c + f * g"),
    "LSTM: gates in another order": (LSTM, "def step", 'gates = ("i", "f", "o", "g")\n\n    def step'),
    "LSTM: o outside of the new cell": (LSTM, "o * self.output_activation(c)", "self.output_activation(o * c)"),
    "LSTM: the old cell comes out": (LSTM, "o * self.output_activation(c)", "o * self.output_activation(s.c)"),
    "LSTM: a sigmoid for g": (LSTM, "g = self.activation", "g = self.recurrent_activation"),
    "LSTM: the state without its gate": (LSTM, '"c": c}', '"c": s.c}'),
    "GRU: z swapped": (GRU, "(1 - z) * n + z * s.h", "z * n + (1 - z) * s.h"),
    "GRU: r and z swapped": (GRU, '("r", "z", "n")', '("z", "r", "n")'),
    "GRU: reset before the product": (GRU, "x.n + r * recurrent", "x.n + U.n @ (r * s.h) + r * p.bias_hn"),
    "GRU: recurrent bias outside of the reset": (GRU, "x.n + r * recurrent", "x.n + r * (U.n @ s.h) + p.bias_hn"),
    "peephole: o sees the old cell": (PEEPHOLE, "p.weight_ch.o * c)", "p.weight_ch.o * s.c)"),
    "peephole: rows swapped": (PEEPHOLE, 'else ("i", "f", "o")', 'else ("f", "i", "o")'),
    "peephole: g sees the cell": (PEEPHOLE, "x.g + U.g @ s.h", "x.g + U.g @ s.h + p.weight_ch.i * s.c"),
}
LAYER_OF = {LSTM: "LSTM", GRU: "GRU", PEEPHOLE: "PeepholeLSTM"}


@pytest.mark.parametrize("mutant", CELLS)
def test_cell_with_wrong_equations(mutant: str) -> None:
    """Self-consistent, with exact gradients, and yet another cell: only the paper tells."""
    module, before, after = CELLS[mutant]
    make = make_of(getattr(changed(module, before, after), LAYER_OF[module]))
    assert_caught("check_paper", make)
    CHECKS["check_gradients"](make)


# ---- wrong rules of differentiation --------------------------------------------------------------

# A cell of the zoo for every operation that has a gradient.
USED_BY = {
    "abs": "Kinks",
    "add": "NoMatrix",
    "div": "Smooth",
    "exp": "Smooth",
    "largest": "Reductions",
    "log": "Smooth",
    "maximum": "Kinks",
    "mean": "Means",
    "minimum": "Kinks",
    "mul": "Delay",
    "neg": "Smooth",
    "relu": "Kinks",
    "sigmoid": "ExtraMatrices",
    "softplus": "Smooth",
    "sqrt": "Smooth",
    "sub": "ExtraMatrices",
    "tanh": "Delay",
    "total": "Reductions",
    "where": "Kinks",
}


def test_every_rule_is_listed() -> None:
    assert set(USED_BY) == set(RULES) - {"greater", "greater_equal", "floor"}


@pytest.mark.parametrize("operation", USED_BY)
def test_rule_that_is_wrong_by_a_thousandth(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = RULES[operation]

    def wrong(derivation: Any, node: Any, d: Any) -> None:
        right(derivation, node, derivation.op("mul", d, derivation.recorder.constant(1.001)))

    make = maker((ZOO | LANGUAGE)[USED_BY[operation]], 5, 3)
    CHECKS["check_gradients"](make)
    monkeypatch.setitem(RULES, operation, wrong)
    assert_caught("check_gradients", make)


DERIVE: dict[str, tuple[str, str, str]] = {
    "gradients of one value overwrite each other": (
        "LSTM",
        'self.op("add", parts[size], gradient) if size in parts else',
        "",
    ),
    "a product of a vector gives it no gradient": ("ManyProducts", "if terms and node", "if not terms and node"),
    "a difference has the sign of a sum": (
        "ExtraMatrices",
        's._add(node.operands[1], s.op("neg", d))',
        "s._add(node.operands[1], d)",
    ),
    "a quotient by its numerator only": ("Smooth", 's._add(b, s.op("neg", s.op("mul", share, s.value(node))))', "pass"),
    "the mean of a gradient is the gradient": (
        "Means",
        "s.recorder.node(node.operation, d, detail=node.detail)",
        "d",
    ),
    "a sum gives its gradient to the unit alone": (
        "Reductions",
        "s.recorder.node(node.operation, d, detail=node.detail)",
        "d",
    ),
    "the largest gives its gradient to all": (
        "Reductions",
        's.op("mul", s.recorder.node("total", d, detail=node.detail), chosen)',
        "d",
    ),
    "the largest takes the gradient of its own unit": (
        "Reductions",
        's.recorder.node("total", d, detail=node.detail)',
        "d",
    ),
    "sums of gradients over all groups": (
        "Groups",
        "node(node.operation, d, detail=node.detail)",
        "node(node.operation, d, detail=1)",
    ),
    "the largest of all groups": (
        "Groups",
        '"first_largest", s.value(node.operands[0]), detail=node.detail',
        '"first_largest", s.value(node.operands[0]), detail=1',
    ),
    "where the wrong way": (
        "Kinks",
        's._add(a, s.op("where", chosen, d, zero))',
        's._add(a, s.op("where", chosen, zero, d))',
    ),
    "the old state for the new": ("LSTM", 'self.recorder.node("next"', 'self.recorder.node("state"'),
}

DERIVED = {"LSTM": maker("lstm", 5, 3), "Groups": maker(Groups, 12, 3, groups=2)}


@pytest.mark.parametrize("mutant", DERIVE)
def test_derivation_with_a_line_changed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, before, after = DERIVE[mutant]
    make = DERIVED[name] if name in DERIVED else maker((ZOO | LANGUAGE)[name], 5, 3)
    wrong = changed(sys.modules["seqkit.equations.derive"], before, after)
    monkeypatch.setattr("seqkit.execution.derive", wrong.derive)
    assert_caught("check_gradients", make)


# ---- broken parts between the layer and the engine -----------------------------------------------


def test_weights_that_are_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_quietly(params: Parameters, name: str, value: Any) -> None:
        params._arrays[name][...] = value

    monkeypatch.setattr(Parameters, "__setitem__", set_quietly)
    assert_caught("check_new_parameters", maker("lstm", 5, 3))


@pytest.mark.parametrize("check", ["check_reference", "check_split_in_time", "check_steps"])
def test_states_that_are_dropped(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqkit.recurrent.as_state", lambda state, *rest: None)
    assert_caught(check, maker("gru", 5, 3))


@pytest.mark.parametrize("check", ["check_reference", "check_nan_in_padding", "check_last_output"])
def test_lengths_that_are_dropped(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqkit.rows.as_lengths", lambda lengths, *rest: None)
    assert_caught(check, maker("gru", 5, 3))


def test_strides_that_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    right = as_sequences

    def by_memory(x: Any, *rest: Any) -> np.ndarray:
        array = right(x, *rest)
        return array.ravel("K").reshape(array.shape)

    monkeypatch.setattr("seqkit.rows.as_sequences", by_memory)
    assert_caught("check_layout", maker("gru", 5, 3))
