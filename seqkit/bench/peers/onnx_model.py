"""Models in the ONNX format, for the peers that read it: RNN, LSTM (with peepholes too) and GRU.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from seqkit.bench.peers.protocol import Arrays, Run, by_direction, play_streams

OPERATORS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "peephole": "LSTM"}
GATES = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""ONNX's order of gates, LSTM i o f c and GRU z r h, as places in seqkit's i f g o and r z n."""
STATES = {"RNN": ("h",), "LSTM": ("h", "c"), "GRU": ("h",)}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = ("Y", "Y_h", "Y_c")
"""Arguments of the operators by their places."""
OPSET, IR_VERSION = 14, 8

Call = Callable[[Arrays], Sequence[np.ndarray]]
"""Runs a model on inputs by name and gives its outputs in order."""


def operator_of(case: dict[str, Any]) -> str:
    """The operator of a case; NotImplementedError where the format has none."""
    if case["cell"] not in OPERATORS:
        raise NotImplementedError(f"there is no operator for {case['cell']}")
    if case["mode"] == "train" or case["precision"] == "float64":
        raise NotImplementedError("it does not train, and its operators have no float64")
    return OPERATORS[case["cell"]]


def results_and_run(call: Call, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time, from a library that runs its model."""
    if case["mode"] == "streams":
        return _streams(call, case, arrays)
    x = np.ascontiguousarray(arrays["x"].transpose(1, 0, 2))
    if case["mode"] == "step":
        return _step(call, x, case)
    feeds = {"X": x} | _lengths(arrays)
    (y,) = call(feeds)  # (T, D, B, H)
    return {"y": y.transpose(2, 0, 1, 3).reshape(arrays["dy"].shape)}, lambda: call(feeds)


def _step(call: Call, x: np.ndarray, case: dict[str, Any]) -> tuple[Arrays, Run]:
    names = _initial(case)
    state: Sequence[np.ndarray] = [np.zeros((1, case["batch"], case["units"]), np.float32) for _ in names]
    outputs = []
    for x_t in x:
        state = call({"X": x_t[None], **dict(zip(names, state, strict=True))})
        outputs.append(state[0][0])
    x_0 = x[:1]

    def run() -> None:
        nonlocal state
        state = call({"X": x_0, **dict(zip(names, state, strict=True))})

    return {"y": np.stack(outputs, axis=1)}, run


def _streams(call: Call, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """States of all streams in one array each; those of a tick are taken out and put back."""
    states = {name: np.zeros((1, case["batch"], case["units"]), np.float32) for name in _initial(case)}

    def advance(ids: np.ndarray, x: np.ndarray) -> np.ndarray:
        after = call({"X": x[None], **{name: state[:, ids] for name, state in states.items()}})
        for state, new in zip(states.values(), after, strict=True):
            state[:, ids] = new
        return after[0][0]

    return play_streams(advance, arrays)


def _initial(case: dict[str, Any]) -> list[str]:
    """Inputs that are states, in the order of the outputs."""
    return [f"initial_{name}" for name in STATES[operator_of(case)]] if case["mode"] in ("step", "streams") else []


def _lengths(arrays: Arrays) -> Arrays:
    ragged = "lengths" in arrays and "ticks" not in arrays
    return {"sequence_lens": arrays["lengths"].astype(np.int32)} if ragged else {}


def write_model(onnx: Any, case: dict[str, Any], arrays: Arrays) -> bytes:
    """A model of one node that holds the weights; in "step", states go in and out."""
    operator, states = operator_of(case), _initial(case)
    weights = to_onnx(operator, arrays)
    batch = arrays["ticks"].shape[1] if "ticks" in arrays else case["batch"]
    sizes = {"X": (case["time"], batch, case["features"])}
    sizes |= dict.fromkeys(states, (case["directions"], batch, case["units"]))
    number, integer = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    describe = onnx.helper.make_tensor_value_info
    inputs = [describe(name, number, size) for name, size in sizes.items()]
    inputs += [describe(name, integer, lengths.shape) for name, lengths in _lengths(arrays).items()]
    outputs = [name.replace("initial", "Y") for name in states] or ["Y"]
    node = onnx.helper.make_node(
        operator,
        _in_place(INPUTS, weights.keys() | {given.name for given in inputs}),
        _in_place(OUTPUTS, outputs),
        hidden_size=case["units"],
        direction="bidirectional" if case["directions"] == 2 else "forward",
        **({"linear_before_reset": 1} if operator == "GRU" else {}),
    )
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    results = [describe(name, number, None) for name in outputs]
    graph = onnx.helper.make_graph([node], case["cell"], inputs, results, constants)
    opset = onnx.helper.make_opsetid("", OPSET)
    return bytes(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION).SerializeToString())


def _in_place(places: Sequence[str], given: Collection[str]) -> list[str]:
    """Arguments of an operator by their places: those that aren't given are empty, or omitted at the end."""
    last = max(place for place, name in enumerate(places) if name in given)
    return [name if name in given else "" for name in places[: last + 1]]


def to_onnx(operator: str, arrays: Arrays) -> Arrays:
    """seqkit's parameters as W, R, B = [Wb, Rb] and P, directions first."""
    each = [_of_direction(operator, own) for own in by_direction(arrays).values()]
    return {name: np.stack([given[name] for given in each]) for name in each[0]}


def _of_direction(operator: str, own: Arrays) -> Arrays:
    """One direction; Rb is 0 except for ``bias_hn`` of the GRU, peepholes come as i o f."""
    w, r, b = (_reorder(own[name], GATES[operator]) for name in ("weight_ih", "weight_hh", "bias"))
    recurrent = np.zeros_like(b)
    if "bias_hn" in own:
        recurrent[-len(own["bias_hn"]) :] = own["bias_hn"]
    given = {"W": w, "R": r, "B": np.concatenate([b, recurrent])}
    return given | ({"P": own["weight_ch"][[0, 2, 1]].ravel()} if "weight_ch" in own else {})


def _reorder(array: np.ndarray, gates: Sequence[int]) -> np.ndarray:
    blocks = np.split(array, len(gates))
    return np.concatenate([blocks[gate] for gate in gates])
