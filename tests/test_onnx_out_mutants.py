"""Ways to be wrong when a model is written to ONNX, each of which the comparison with ONNX Runtime sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from checks.random_cells import RandomCell
from checks.sized import Mixed, Shared
from checks.written import cell_of
from checks.zoo import ZOO, Kinks
from onnx_out import TOLERANCE, drawn, error

import seqkit
from seqkit.equations import maximum, mean, minimum, tanh, trace, vector, where
from seqkit.equations.symbols import Node
from seqkit.interop import dialects
from seqkit.interop.onnx.export import layers, operators, scan
from seqkit.interop.onnx.export.builder import Builder
from seqkit.interop.onnx.export.graph import ModelGraph
from seqkit.interop.onnx.export.step import OPERATORS, Step
from seqkit.interop.onnx.export.times import MaskedTimes, Times
from seqkit.interop.onnx.export.ways import Outcome, Way
from seqkit.recurrent import Recurrent

for module in ("onnx", "onnxruntime"):
    pytest.importorskip(module, reason=f"{module} is not installed")
pytestmark = pytest.mark.peers

ALL = {"return_sequences": True}
HARD = {"activation": "elu", "recurrent_activation": "hard_sigmoid"}
CLIPPED, SIGMOID = {"name": "tanh", "clip": 0.3}, {"name": "sigmoid", "clip": 0.3}
Patch = pytest.MonkeyPatch


def recurrent(cell: Any, **options: Any) -> Recurrent:
    layer = seqkit.Recurrent(cell, 6, **ALL, **options)
    raw = {"Mixed": 1 + 3 + 3 + 6}.get(type(layer.cell).__name__, 0)
    return layer.build(3 + raw, seed=1)


def chosen(x: Any, U: Any, s: Any, p: Any) -> Any:
    a = x.f + U.f @ s.h
    return {"h": tanh(where(a > s.h, a, 0.3 * s.h) + maximum(a, 0.1) - minimum(p.v.one, a) + p.v.two)}


def groups(x: Any, U: Any, s: Any, p: Any) -> Any:
    return {"h": tanh(mean(x.f + U.f @ s.h, 3) + x.f)}


def masked(layer: Any) -> seqkit.Sequential:
    """A quarter of the steps is masked."""
    layers = [seqkit.Dense(2, "relu"), seqkit.Masked([layer])]
    return seqkit.Sequential(layers).build(3, seed=0)


SUBJECTS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: seqkit.LSTM(6, **ALL).build(3, seed=0),
    "last": lambda: seqkit.LSTM(6, initial_state="learned").build(3, seed=0),
    "learned": lambda: seqkit.LSTM(6, initial_state="learned", **ALL).build(3, seed=0),
    "hard": lambda: seqkit.LSTM(6, **ALL, **HARD).build(3, seed=0),
    "coupled": lambda: seqkit.LSTM(6, forget_gate="coupled", **ALL).build(3, seed=0),
    "clipped": lambda: seqkit.GRU(6, activation=CLIPPED, recurrent_activation=SIGMOID, **ALL).build(3, seed=0),
    "output function": lambda: seqkit.LSTM(6, output_activation="softsign", **ALL).build(3, seed=0),
    "peephole": lambda: seqkit.PeepholeLSTM(6, **ALL).build(3, seed=0),
    "gru": lambda: seqkit.GRU(6, **ALL).build(3, seed=0),
    "backwards": lambda: seqkit.GRU(6, go_backwards=True, **ALL).build(3, seed=0),
    "both": lambda: seqkit.Bidirectional(seqkit.LSTM(6, **ALL)).build(3, seed=0),
    "both loops": lambda: seqkit.Bidirectional(seqkit.GRU(6, zoneout=0.2, **ALL)).build(3, seed=0),
    "mean of both": lambda: seqkit.Bidirectional(seqkit.LSTM(6), "ave").build(3, seed=0),
    "loop": lambda: recurrent(ZOO["ThreeStates"]),
    "loop backwards": lambda: recurrent(ZOO["ThreeStates"], go_backwards=True),
    "zoneout": lambda: seqkit.LSTM(6, zoneout=0.2, **ALL).build(3, seed=0),
    "raw": lambda: recurrent(Mixed),
    "sizes": lambda: recurrent(Shared),
    "heads": lambda: recurrent(RandomCell, seed=2, groups=3),
    "kinks": lambda: recurrent(Kinks),
    "chosen": lambda: recurrent(cell_of(chosen, v=vector("one", "two"))),
    "groups": lambda: recurrent(cell_of(groups)),
    "norm": lambda: recurrent(ZOO["LayerNorm"]),
    "few biases": lambda: recurrent(RandomCell, seed=4),
    "ids": lambda: seqkit.Sequential([seqkit.Embedding(9, 4), seqkit.GRU(5)], seed=0),
    "last step": lambda: seqkit.Sequential([seqkit.GRU(5, **ALL), seqkit.LastStep()]).build(3, seed=0),
    "masked": lambda: masked(seqkit.GRU(5, **ALL)),
    "masked both": lambda: masked(seqkit.Bidirectional(seqkit.GRU(5, **ALL))),
    "dense": lambda: seqkit.Sequential([seqkit.GRU(5, **ALL), seqkit.Dense(4, activation="softmax")]).build(3, seed=0),
}


def found(name: str) -> float:
    rng = np.random.default_rng([*name.encode()])
    try:
        return error(drawn(SUBJECTS[name](), rng), rng)
    except Exception as problem:
        if "onnxruntime" not in type(problem).__module__:
            raise
        return np.inf  # ids that are not there


@pytest.mark.parametrize("name", SUBJECTS)
def test_subjects_are_right(name: str) -> None:
    assert found(name) <= TOLERANCE["float32"]


# ---- mutants: (subject, what is changed) ---------------------------------------------------------

Mutant = tuple[str, Callable[[Patch], None]]
find = dialects.find


def dialect(patch: Patch, **changes: Any) -> None:
    patch.setattr(operators.dialects, "find", lambda *which: replace(find(*which), **changes))


def changed(patch: Patch, owner: Any, name: str, change: Callable[..., Any]) -> None:
    """`change` is called with the original in front of the arguments."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *arguments, **options: change(original, *arguments, **options))


def attribute(patch: Patch, name: str, value: Callable[[Any], Any]) -> None:
    """Change an attribute of every node that has it."""

    def ops(original: Any, builder: Builder, op_type: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        attributes |= {key: value(old) for key, old in attributes.items() if key == name}
        return original(builder, op_type, *inputs, outputs=outputs, **attributes)

    changed(patch, Builder, "ops", ops)


def rewired(patch: Patch, op_type: str, change: Callable[[list[str]], list[str]]) -> None:
    """Change the inputs of every node of a kind."""

    def ops(original: Any, builder: Builder, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        new = change(list(inputs)) if kind == op_type else inputs
        return original(builder, kind, *new, outputs=outputs, **attributes)

    changed(patch, Builder, "ops", ops)


def swapped(at: int, to: int) -> Callable[[list[str]], list[str]]:
    def change(inputs: list[str]) -> list[str]:
        inputs[at], inputs[to] = inputs[to], inputs[at]
        return inputs

    return change


def another(name: str) -> Callable[[Patch], None]:
    """The operator of one name in place of another."""
    old, new = name.split(" as ")
    return lambda patch: patch.setitem(OPERATORS, old, new)


def no_mask(patch: Patch) -> None:
    def ops(original: Any, builder: Builder, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        if kind == "Where" and builder.outer:
            return [inputs[1]]
        return original(builder, kind, *inputs, outputs=outputs, **attributes)

    changed(patch, Builder, "ops", ops)


def without_zoneout(patch: Patch) -> None:
    def step(original: Any, self: Step, builder: Any, way: Way, *rest: Any) -> None:
        original(self, builder, way, *rest)
        self.program = trace(way.layer.cell)

    changed(patch, Step, "__init__", step)


def weights(patch: Patch, change: Callable[[np.ndarray], np.ndarray], key: str) -> None:
    def write(original: Any, self: Any, params: Any, **options: Any) -> Any:
        written = original(self, params, **options)
        return written | {key: change(written[key])}

    changed(patch, dialects.Dialect, "write", write)


def last_axis(array: np.ndarray, count: int) -> np.ndarray:
    """Blocks of rows (count, H, H), each transposed."""
    return np.concatenate([block.T for block in np.split(array, count)])


def exchanged(outcomes: list[Outcome]) -> list[Outcome]:
    return [Outcome(one.steps, other.states) for one, other in zip(outcomes, outcomes[::-1], strict=True)]


MUTANTS: dict[str, Mutant] = {
    "gates i f o g": ("lstm", lambda p: dialect(p, gates=("i", "f", "o", "g"))),
    "gates o i f g": ("lstm", lambda p: dialect(p, gates=("o", "i", "f", "g"))),
    "gates i o g f": ("lstm", lambda p: dialect(p, gates=("i", "o", "g", "f"))),
    "gates r z n": ("gru", lambda p: dialect(p, gates=("r", "z", "n"))),
    "gates z n r": ("gru", lambda p: dialect(p, gates=("z", "n", "r"))),
    "peepholes i f o": ("peephole", lambda p: dialect(p, peepholes=("i", "f", "o"))),
    "peepholes o i f": ("peephole", lambda p: dialect(p, peepholes=("o", "i", "f"))),
    "recurrent bias left out": ("gru", lambda p: weights(p, np.zeros_like, "recurrent_bias")),
    "biases summed": ("gru", lambda p: halves(p)),
    "bias left out": ("lstm", lambda p: rewired(p, "LSTM", lambda i: [*i[:3], "", *i[4:]])),
    "R transposed": ("lstm", lambda p: weights(p, lambda a: last_axis(a, 4), "recurrent")),
    "reset before for after": ("gru", lambda p: attribute(p, "linear_before_reset", lambda v: 1 - v)),
    "functions exchanged": ("hard", lambda p: attribute(p, "activations", lambda v: [v[1], v[0], v[2]])),
    "functions left out": ("hard", lambda p: p.setattr(operators, "activations", lambda _: {})),
    "alpha of another function": ("hard", lambda p: attribute(p, "activation_alpha", lambda v: [0.2, *v[1:]])),
    "beta of another function": ("hard", lambda p: attribute(p, "activation_beta", lambda v: [0.4])),
    "coupled gates are not": ("coupled", lambda p: attribute(p, "input_forget", lambda _: 0)),
    "limit left out": ("clipped", lambda p: attribute(p, "clip", lambda _: 50.0)),
    "output function is that of g": (
        "output function",
        lambda p: attribute(p, "activations", lambda v: [*v[:2], v[1]]),
    ),
    "lengths ignored": ("lstm", lambda p: rewired(p, "LSTM", lambda i: [*i[:4], "", *i[5:]])),
    "lengths ignored, of both": ("both", lambda p: rewired(p, "LSTM", lambda i: [*i[:4], "", *i[5:]])),
    "direction ignored": ("backwards", lambda p: attribute(p, "direction", lambda _: "forward")),
    "order of reading ignored": ("backwards", lambda p: p.setattr(Times, "reversed", lambda _, x: x)),
    "turned in the padding": (
        "backwards",
        lambda p: p.setattr(Times, "reversed", lambda times, x: times.builder.slice(x, 0, -1, -(2**63) + 1, -1)),
    ),
    "initial h and c exchanged": ("lstm", lambda p: rewired(p, "LSTM", swap_initial)),
    "initial state left out": ("lstm", lambda p: rewired(p, "LSTM", lambda i: i[:5])),
    "learned state left out": ("learned", lambda p: p.setattr(Way, "initial", lambda way, graph: none(way, graph))),
    "final h and c exchanged": (
        "lstm",
        lambda p: changed(p, Way, "final", lambda original, way, graph, states: original(way, graph, states[::-1])),
    ),
    "final states of the other direction": (
        "both",
        lambda p: changed(p, layers, "_run_both", lambda original, *given: exchanged(original(*given))),
    ),
    "directions exchanged": (
        "both",
        lambda p: changed(p, layers, "_merged", lambda original, g, mode, both: original(g, mode, both[::-1])),
    ),
    "second direction of one node is the first": (
        "both",
        lambda p: changed(p, operators, "_direction", lambda f, g, v, number, count, axis: f(g, v, 0, count, axis)),
    ),
    "empty sequences end with 0": ("lstm", lambda p: p.setattr(operators, "_of_empty_sequences", lambda g, t, s, i: s)),
    "empty sequences give their initial state": (
        "last",
        lambda p: p.setattr(layers, "_output", lambda graph, times, outcome, layer: outcome.states[0]),
    ),
    "mean is a sum": ("mean of both", lambda p: changed(p, layers, "_merged", lambda f, g, _, both: f(g, "sum", both))),
    "steps past the end change states": ("loop", no_mask),
    "a loop's direction is ignored": ("both loops", lambda p: attribute(p, "scan_input_directions", zeros)),
    "a loop's output is turned": ("both loops", lambda p: attribute(p, "scan_output_directions", zeros)),
    "only the last loop input is turned": (
        "loop backwards",
        lambda p: attribute(p, "scan_input_directions", lambda v: [0] * (len(v) - 1) + v[-1:]),
    ),
    "zoneout left out": ("zoneout", without_zoneout),
    "raw inputs in another order": ("raw", lambda p: changed(p, scan, "_read", lambda f, *given: turned(f(*given)))),
    "gates in another order": (
        "loop",
        lambda p: changed(p, Builder, "split", lambda f, b, x, n: f(b, x, n[::-1])[::-1]),
    ),
    "biases of other gates": (
        "few biases",
        lambda p: changed(
            p, Builder, "parameter", lambda f, b, a, name: f(b, np.roll(a, 6 * (name[-5:] == ".bias")), name)
        ),
    ),
    "heads in another order": ("heads", lambda p: changed(p, Step, "_matrix", lambda f, s, term: f(s, term)[::-1])),
    "groups ignored": ("groups", lambda p: changed(p, Step, "_reduction", ungrouped)),
    "mean is a total": ("norm", lambda p: changed(p, Step, "_reduced", lambda f, s, _, x, n: f(s, "total", x, n))),
    "a narrow vector stays narrow": (
        "sizes",
        lambda p: p.setattr(Step, "_whole", lambda s, n: s._number(s.vectors[n])),
    ),
    "branches exchanged": ("chosen", lambda p: rewired(p, "Where", lambda i: [i[0], i[2], i[1]] if body(i) else i)),
    "rows of parameters exchanged": (
        "chosen",
        lambda p: changed(p, Step, "_parameter", lambda f, s, name, row, label: f(s, name, 1 - row, label)),
    ),
    "operands exchanged": ("kinks", lambda p: rewired(p, "Sub", lambda i: i[::-1])),
    "greater is less": ("chosen", another("greater as Less")),
    "maximum is minimum": ("chosen", another("maximum as Min")),
    "minimum is maximum": ("chosen", another("minimum as Max")),
    "ids past the end are looked up": ("ids", lambda p: unguarded(p)),
    "last step of the array": (
        "last step",
        lambda p: p.setattr(Times, "last", last_of_array),
    ),
    "dense past the end": ("dense", lambda p: p.setattr(Times, "zeroed", lambda _, x: x)),
    "masked steps are read": ("masked", lambda p: p.setattr(MaskedTimes, "read", Times.read)),
    "masked steps give 0": ("masked", lambda p: p.setattr(scan, "MaskedTimes", str)),
    "masked steps of both directions are read": ("masked both", lambda p: p.setattr(MaskedTimes, "read", Times.read)),
    "masked layers of both directions are operators": (
        "masked both",
        lambda p: p.setattr(layers, "MaskedTimes", Unmasked),
    ),
    "softmax over time": ("dense", lambda p: attribute(p, "axis", lambda v: 0 if v == -1 else v)),
}


class Unmasked:
    """Nothing is one of these."""


def halves(patch: Patch) -> None:
    """The second half of the bias is added to the first one."""

    def write(original: Any, self: Any, params: Any, **options: Any) -> Any:
        written = original(self, params, **options)
        total = written["bias"] + written["recurrent_bias"]
        return written | {"bias": total, "recurrent_bias": np.zeros_like(total)}

    changed(patch, dialects.Dialect, "write", write)


def zeros(value: list[int]) -> list[int]:
    return [0] * len(value)


def turned(read: dict[str, str]) -> dict[str, str]:
    """Two raw inputs of one size in each other's place."""
    return read | {"raw_other": read["raw_hint"], "raw_hint": read["raw_other"]}


def ungrouped(original: Any, step: Step, node: Any) -> Any:
    return original(step, Node(node.operation, node.operands, 1, size=node.size))


def swap_initial(inputs: list[str]) -> list[str]:
    return swapped(5, 6)(inputs) if len(inputs) > 6 else inputs


def none(way: Way, graph: ModelGraph) -> list[str]:
    return [graph.initial_state(f"{way.states}{name}", 6) for name in "hc"] if graph.states else []


def body(inputs: list[str]) -> bool:
    return inputs[0].startswith("greater")


def unguarded(patch: Patch) -> None:
    patch.setattr(Times, "inside_steps", property(lambda times: times.builder.array(np.array(True))))


def last_of_array(times: Times, x: str, features: int) -> str:
    return times.builder.op("Gather", x, times.builder.array(np.array(-1)), axis=0)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, change = MUTANTS[name]
    change(monkeypatch)
    assert found(subject) > 1e-3
