"""ONNX Runtime: the operators RNN, LSTM (with peepholes too) and GRU; it does not train.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from seqkit.bench.peers.protocol import Arrays, Prepare, Run, by_direction, serve

OPERATORS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "peephole": "LSTM"}
GATES = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""ONNX's order of gates, LSTM i o f c and GRU z r h, as places in seqkit's i f g o and r z n."""
STATES = {"RNN": ("h",), "LSTM": ("h", "c"), "GRU": ("h",)}
OPSET, IR_VERSION = 14, 8


def load(threads: int) -> tuple[str, Prepare]:
    """Import ONNX Runtime, and onnx to write models."""
    runtime: Any = import_module("onnxruntime")
    onnx: Any = import_module("onnx")
    return f"ONNX Runtime {runtime.__version__}", partial(prepare, runtime, onnx, threads)


def prepare(runtime: Any, onnx: Any, threads: int, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time."""
    if case["cell"] not in OPERATORS:
        raise NotImplementedError(f"there is no operator for {case['cell']}")
    if case["mode"] == "train" or case["dtype"] != "float32":
        raise NotImplementedError("it does not train, and its operators are float32 only")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    model = write_model(onnx, case, arrays)
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = np.ascontiguousarray(arrays["x"].transpose(1, 0, 2))
    if case["mode"] == "step":
        return _step(session, x, case)
    (y,) = session.run(None, {"X": x})  # (T, D, B, H)
    return {"y": y.transpose(2, 0, 1, 3).reshape(*arrays["dy"].shape)}, lambda: session.run(None, {"X": x})


def _step(session: Any, x: np.ndarray, case: dict[str, Any]) -> tuple[Arrays, Run]:
    names = [f"initial_{name}" for name in STATES[OPERATORS[case["cell"]]]]
    state = [np.zeros((1, case["batch"], case["units"]), np.float32) for _ in names]
    outputs = []
    for x_t in x:
        state = session.run(None, {"X": x_t[None], **dict(zip(names, state, strict=True))})
        outputs.append(state[0][0])
    x_0 = x[:1]

    def run() -> None:
        nonlocal state
        state = session.run(None, {"X": x_0, **dict(zip(names, state, strict=True))})

    return {"y": np.stack(outputs, axis=1)}, run


def write_model(onnx: Any, case: dict[str, Any], arrays: Arrays) -> bytes:
    """A model of one node that holds the weights; in "step", states go in and out."""
    operator = OPERATORS[case["cell"]]
    states = STATES[operator] if case["mode"] == "step" else ()
    weights = to_onnx(operator, arrays)
    inputs = {"X": (None, case["batch"], case["features"])}
    inputs |= {f"initial_{name}": (None, case["batch"], case["units"]) for name in states}
    outputs = [f"Y_{name}" for name in states] or ["Y"]
    places = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
    node = onnx.helper.make_node(
        operator,
        _in_place(places, inputs.keys() | weights.keys()),
        _in_place(("Y", "Y_h", "Y_c"), outputs),
        hidden_size=case["units"],
        direction="bidirectional" if case["bidirectional"] else "forward",
        **({"linear_before_reset": 1} if operator == "GRU" else {}),
    )
    number = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        case["cell"],
        [onnx.helper.make_tensor_value_info(name, number, shape) for name, shape in inputs.items()],
        [onnx.helper.make_tensor_value_info(name, number, None) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
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


if __name__ == "__main__":
    serve(load)
