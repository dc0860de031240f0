"""Ways to read an ONNX LSTM, GRU or RNN node wrongly: random nodes tell every one of them from the reference."""

from __future__ import annotations

import types
from functools import cache

import numpy as np
import pytest
from onnx_nodes import GATES, TOLERANCE, Case, draws, error
from test_mutants import changed

from seqkit.errors import SeqkitError
from seqkit.interop.onnx import recurrent as run
from seqkit.interop.onnx import recurrent_form as form
from seqkit.interop.onnx import recurrent_layers as layers

MODELS = 80
ALPHA_OF_ALL = "ours, defaults = FUNCTIONS[name]\n    values['alpha'] = iter([*values['alpha']][not defaults:])"

MUTANTS: dict[str, tuple[types.ModuleType, str, str]] = {
    "the clip reaches the cell state": (form, 'None if place == "output_activation" else clip', "clip"),
    "no clip": (form, "numbers if clip is None else numbers |", "numbers or"),
    "functions without alpha take one": (form, "ours, defaults = FUNCTIONS[name]", ALPHA_OF_ALL),
    "beta is alpha": (form, "next(values[key], default)", 'next(values["alpha"], default)'),
    "f and g swapped": (form, '("recurrent_activation", "activation")', '("activation", "recurrent_activation")'),
    "g and h swapped": (form, '"activation", "output_activation")', '"output_activation", "activation")'),
    "functions of the first direction for both": (form, "chosen[first : first + count]", "chosen[:count]"),
    "no coupled gate": (form, 'operator.cell == "lstm" and switch else', "False else"),
    "switches the other way": (form, "bool(given.get(operator.switch))", "not given.get(operator.switch)"),
    "layout 1 is layout 0": (form, 'bool(given.get("layout"))', "False"),
    "reverse is forward": (form, '"reverse": (True,)', '"reverse": (False,)'),
    "the backward direction first": (form, "(False, True)", "(True, False)"),
    "HardSigmoid as Keras has it": (form, '{"alpha": 0.2, "beta": 0.5}', '{"alpha": 1 / 6, "beta": 0.5}'),
    "LeakyRelu as Keras has it": (form, '{"alpha": 0.01}', '{"alpha": 0.2}'),
    "h is the sigmoid": (form, '("Sigmoid", "Tanh", "Tanh")', '("Sigmoid", "Tanh", "Sigmoid")'),
    "half of B": (layers, 'np.split(own["B"], 2) if', '(np.split(own["B"], 2)[0], None) if'),
    "the halves of B swapped": (layers, "bias, recurrent_bias = np", "recurrent_bias, bias = np"),
    "no bias": (layers, 'np.split(own["B"], 2) if', 'np.split(0 * own["B"], 2) if'),
    "weights of the first direction for both": (layers, "array[d] for name", "array[0] for name"),
    "peepholes of 0": (layers, 'own.get("P"), reset', 'None if "P" not in own else 0 * own["P"], reset'),
    "outputs of the reverse direction not turned round": (run, "aligned=True", "aligned=False"),
    "lengths ignored": (run, "    return given\n", "    return None\n"),
    "h and c swapped": (run, "for array in by_direction)", "for array in by_direction[::-1])"),
    "states of the first direction for both": (run, "tuple(array[d] for", "tuple(array[0] for"),
    "c starts at 1": (run, "np.zeros(shape, dtype)", "np.ones(shape, dtype)"),
    "Y_h and Y_c swapped": (run, "state[n - 1]", "state[-n]"),
    "directions of Y swapped": (run, "batch_first[:, :, d]", "batch_first[:, :, count - 1 - d]"),
    "a single step starts from 0": (run, "layer.step(x, state)", "layer.step(x)"),
    "padding is not 0": (run, "else np.zeros(shape, rows", "else np.ones(shape, rows"),
}


@cache
def cases() -> list[tuple[Case, dict[str, np.ndarray]]]:
    """Nodes of all operators with what is to come out of them."""
    return [(case, case.expected()) for operator in GATES for case in draws(operator, MODELS, seed=4)]


def wrong(case: Case, expected: dict[str, np.ndarray]) -> bool:
    """Whether a node is refused or gives other numbers."""
    try:
        got = case.run()
    except SeqkitError:
        return True
    return error(got, expected) >= TOLERANCE[case.arrays["X"].dtype.name]


def put(copy: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nodes be read by what a changed module has."""
    for name in ("read_form", "make_layers", "bind"):
        monkeypatch.setattr(run, name, getattr(copy, name, getattr(run, name)))


@pytest.mark.parametrize("module", [form, layers, run])
def test_an_unchanged_copy_is_right(module: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    put(changed(module, "def ", "def "), monkeypatch)
    assert not any(wrong(*case) for case in cases())


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(changed(*MUTANTS[mutant]), monkeypatch)
    assert any(wrong(*case) for case in cases())
