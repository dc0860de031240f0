"""Random LSTM, GRU and RNN nodes of ONNX over all attributes and inputs, and what is to come out of them.

Legend: T time, B batch, I input features, H units, D directions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.interop.onnx import recurrent
from seqkit.interop.onnx.messages import Graph, Model, Node, Value
from seqkit.interop.reference import onnx as reference

OPSET, IR_VERSION = 14, 8
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FUNCTIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = ("Y", "Y_h", "Y_c")
REFERENCES: dict[str, Callable[..., tuple[np.ndarray, ...]]] = {
    "LSTM": reference.lstm,
    "GRU": reference.gru,
    "RNN": reference.rnn,
}
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
"""Of a number up to 1, and of larger ones in proportion."""
LARGEST = 5


@dataclass
class Case:
    """A node, its arrays by name, and whether its weights are constants."""

    node: Node
    arrays: dict[str, np.ndarray]
    fixed: bool

    @property
    def names(self) -> list[str]:
        """Outputs that the node gives."""
        return [name for name in self.node.outputs if name]

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """Weights that lie in the file."""
        return {name: self.arrays[name] for name in self.arrays if self.fixed and name in ("W", "R", "B", "P")}

    @property
    def lengths(self) -> np.ndarray | None:
        return self.arrays.get("sequence_lens")

    def model(self) -> Model:
        """The file of the node."""
        fed = {name: array for name, array in self.arrays.items() if name not in self.constants}
        inputs = [Value(name, array.dtype, array.shape) for name, array in fed.items()]
        outputs = [Value(name, self.arrays["X"].dtype, None) for name in self.names]
        return Model(Graph("g", [self.node], inputs, outputs, self.constants), {"": OPSET}, IR_VERSION)

    def run(self) -> dict[str, np.ndarray]:
        """What seqkit makes of it."""
        function = recurrent.bind(self.node, self.constants, OPSET)
        results = function([self.arrays.get(name) for name in self.node.inputs])
        return {name: result for name, result in zip(self.node.outputs, results, strict=True) if name}

    def reference(self) -> tuple[np.ndarray, ...]:
        """All outputs by the reference, in float64."""
        given = dict(zip(INPUTS, (self.arrays.get(name) for name in self.node.inputs), strict=False))
        with np.errstate(all="ignore"):
            return REFERENCES[self.node.op_type](**given, **self.node.attributes)

    def expected(self) -> dict[str, np.ndarray]:
        """Those that the node gives."""
        return {name: result for name, result in zip(self.node.outputs, self.reference(), strict=False) if name}


def error(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference, of numbers above 1 in proportion; infinite where shapes are others."""
    if [(name, array.shape) for name, array in got.items()] != [(n, a.shape) for n, a in expected.items()]:
        return np.inf
    largest = 0.0
    for name, array in expected.items():
        difference = np.abs(got[name] - array) / np.maximum(1, np.abs(array))
        largest = max(largest, float(difference.max(initial=0)) if np.isfinite(got[name]).all() else np.inf)
    return largest


def maybe(rng: np.random.Generator, chance: float = 0.5) -> bool:
    return bool(rng.random() < chance)


def draw(rng: np.random.Generator, operator: str, runtime: bool = False) -> Case:
    """A node; with `runtime`, one that ONNX Runtime runs as the specification has it."""
    T, B, I, H = (int(n) for n in rng.integers((1, 1, 1, 1), (9, 6, 7, 20)))  # noqa: E741
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    D = 1 + (direction == "bidirectional")
    attributes: dict[str, Any] = {"direction": direction, "hidden_size": H, **functions(rng, operator, D, runtime)}
    if operator == "GRU":
        attributes["linear_before_reset"] = int(rng.integers(2))
    if operator == "LSTM" and maybe(rng, 0.3):
        attributes["input_forget"] = int(rng.integers(2))
    if maybe(rng, 0.4):
        attributes["clip"] = float(np.float32(rng.uniform(0.1, 1.0)))
    layout = int(not runtime and rng.integers(2))
    if layout or maybe(rng):
        attributes["layout"] = layout
    dtype = "float32" if runtime or maybe(rng) else "float64"
    arrays = numbers(rng, operator, (T, B, I, H, D), layout, dtype)
    inputs = [name if name in arrays else "" for name in INPUTS[: 8 if operator == "LSTM" else 6]]
    while not inputs[-1]:
        inputs.pop()
    outputs = [name if maybe(rng, 0.8) else "" for name in OUTPUTS[: 3 if operator == "LSTM" else 2]]
    if not any(outputs):
        outputs[0] = "Y"
    while not outputs[-1]:
        outputs.pop()
    return Case(Node(operator, inputs, outputs, attributes), arrays, fixed=maybe(rng, 0.7))


def numbers(
    rng: np.random.Generator, operator: str, sizes: tuple[int, ...], layout: int, dtype: str
) -> dict[str, np.ndarray]:
    """Arrays of a node, the optional ones now and then."""
    T, B, I, H, D = sizes  # noqa: E741
    G = GATES[operator]
    state = (B, D, H) if layout else (D, B, H)
    arrays = {
        "X": rng.normal(size=(B, T, I) if layout else (T, B, I)),
        "W": rng.normal(size=(D, G * H, I)) / np.sqrt(I),
        "R": rng.normal(size=(D, G * H, H)) / np.sqrt(H),
        "B": rng.normal(size=(D, 2 * G * H)) / 2,
        "initial_h": rng.normal(size=state) / 2,
        "initial_c": rng.normal(size=state) / 2,
        "P": rng.normal(size=(D, 3 * H)),
    }
    optional = ("B", "initial_h", "initial_c", "P") if operator == "LSTM" else ("B", "initial_h")
    kept = {name for name in optional if maybe(rng)} | {"X", "W", "R"}
    found = {name: array.astype(dtype) for name, array in arrays.items() if name in kept}
    if maybe(rng):
        lengths = rng.integers(0, T + 1, B)
        lengths[rng.integers(B)], lengths[rng.integers(B)] = T, rng.choice([0, T])
        found["sequence_lens"] = lengths.astype(np.int32)
    return found


def functions(rng: np.random.Generator, operator: str, directions: int, runtime: bool) -> dict[str, Any]:
    """Activations with some of their alphas and betas; ONNX Runtime has other defaults for some."""
    if maybe(rng, 0.3):
        return {}
    count = FUNCTIONS[operator] * directions
    names = [str(name) for name in rng.choice(list(reference.FUNCTIONS), count)]
    attributes: dict[str, Any] = {"activations": names}
    for key in ("alpha", "beta"):
        takers = [name for name in names if key in reference.FUNCTIONS[name][1]]
        needed = takers if runtime else [name for name in takers if name == "ScaledTanh"]
        least = max((n + 1 for n, name in enumerate(takers) if name in needed), default=0)
        values = rng.uniform(0.2, 0.9, int(rng.integers(least, len(takers) + 1)))
        if len(values):
            attributes[f"activation_{key}"] = [float(np.float32(value)) for value in values]
    return attributes


def draws(operator: str, count: int, runtime: bool = False, seed: int = 0) -> Iterator[Case]:
    """So many random nodes, of those whose numbers stay small: gates that are not bounded let states grow."""
    rng = np.random.default_rng([seed, GATES[operator]])
    while count:
        case = draw(rng, operator, runtime)
        if all(np.abs(array).max(initial=0) < LARGEST for array in case.reference()):
            count -= 1
            yield case


def coverage(cases: Iterator[Case]) -> Counter[str]:
    """How often each choice came."""
    seen: Counter[str] = Counter()
    for case in cases:
        attributes = case.node.attributes
        seen.update(attributes.get("activations", ["default"]))
        seen.update(f"{name}={attributes[name]}" for name in ("direction", "layout", *SWITCHES) if name in attributes)
        seen.update(name for name in ("clip", "activation_alpha", "activation_beta") if name in attributes)
        seen.update([*case.arrays, *case.names, str(case.arrays["X"].dtype), "fixed" if case.fixed else "fed"])
        if case.lengths is not None and 0 in case.lengths:
            seen["empty"] += 1
    return seen


SWITCHES = ("linear_before_reset", "input_forget")
