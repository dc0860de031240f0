"""Random recurrent layers of PyTorch, Keras and ONNX over all their options, and what the libraries compute.

Every pair of functions draws a case for a reference of ``seqkit/interop/reference`` and lets the library answer it.

Legend: T time, N batch, F input features, H units, D directions.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from foreign_cases import Case, flat, part

from seqkit.interop.reference import keras as of_keras
from seqkit.interop.reference import onnx as of_onnx

Rng = np.random.Generator

os.environ.setdefault("KERAS_BACKEND", "torch")


def sizes(rng: Rng) -> tuple[int, int, int, int]:
    """T, N, F, H, mostly different."""
    T, N, F, H = (int(size) for size in rng.integers((3, 2, 1, 2), (7, 5, 5, 6)))
    return T, N, F, H


def maybe(rng: Rng, chance: float = 0.5) -> bool:
    """True by chance."""
    return bool(rng.random() < chance)


# ---- PyTorch: kinds are lstm, gru, rnn -----------------------------------------------------


def draw_torch(rng: Rng, kind: str) -> Case:
    """A module's state dict and a call of it in float64."""
    T, N, F, H = sizes(rng)
    layers, both, first = int(rng.integers(1, 4)), maybe(rng), maybe(rng)
    P = max(1, H // 2) if kind == "lstm" and maybe(rng) else H
    gates, bias = {"lstm": 4, "gru": 3, "rnn": 1}[kind], maybe(rng, 0.7)
    arrays = {"x": rng.standard_normal((N, T, F) if first else (T, N, F))}
    for layer in range(layers):
        for suffix in (f"l{layer}", f"l{layer}_reverse")[: 1 + both]:
            width = F if layer == 0 else P * (1 + both)
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates * H, width), "weight_hh": (gates * H, P)}
            shapes |= {"bias_ih": (gates * H,), "bias_hh": (gates * H,)} if bias else {}
            shapes |= {"weight_hr": (P, H)} if P < H else {}
            arrays |= {f"state_dict/{key}_{suffix}": 0.6 * rng.standard_normal(shapes[key]) for key in shapes}
    if maybe(rng):
        shape = (layers * (1 + both), N)
        names = ("hx/0", "hx/1") if kind == "lstm" else ("hx",)
        arrays |= {name: rng.standard_normal((*shape, size)) for name, size in zip(names, (P, H), strict=False)}
    options: dict[str, Any] = {"layers": layers, "bidirectional": both, "batch_first": first}
    if kind == "rnn":
        options["nonlinearity"] = "relu" if maybe(rng) else "tanh"
    if maybe(rng, 0.6):
        options["lengths"] = [int(length) for length in rng.integers(1, T + 1, N)]
    return Case(kind, arrays, options)


def ask_torch(case: Case) -> list[np.ndarray]:
    """What the module of PyTorch answers."""
    import torch

    state = {key: torch.from_numpy(array) for key, array in part(case.arrays, "state_dict").items()}
    options = {key: value for key, value in case.options.items() if key not in ("layers", "lengths")}
    if "weight_hr_l0" in state:
        options["proj_size"] = len(state["weight_hr_l0"])
    hidden = len(state["weight_ih_l0"]) // {"lstm": 4, "gru": 3, "rnn": 1}[case.function]
    module = getattr(torch.nn, case.function.upper())(
        state["weight_ih_l0"].shape[1], hidden, case.options["layers"], bias="bias_ih_l0" in state, **options
    ).double()
    module.load_state_dict(state)
    x, hx = torch.from_numpy(case.arrays["x"]), part(case.arrays, "hx")
    hx = None if hx is None else tuple(map(torch.from_numpy, hx)) if isinstance(hx, tuple) else torch.from_numpy(hx)
    with torch.no_grad():
        return [one.numpy() for one in _flat_tensors(_call_torch(module, x, hx, case.options.get("lengths")))]


def _call_torch(module: Any, x: Any, hx: Any, lengths: list[int] | None) -> Any:
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    if lengths is None:
        return module(x, hx)
    first = module.batch_first
    y, state = module(pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False), hx)
    return pad_packed_sequence(y, batch_first=first, total_length=x.shape[1 if first else 0])[0], state


def _flat_tensors(result: Any) -> list[Any]:
    return [one for part in result for one in _flat_tensors(part)] if isinstance(result, tuple) else [result]


# ---- Keras: kinds are LSTM, GRU, SimpleRNN, or one of them with a merge mode of Bidirectional ----

MASKS = ("none", "right", "left", "interior")


def draw_keras(rng: Rng, kind: str, mask: str, merge: str = "") -> Case:
    """A layer's configuration and weights and a call of it in float32; `merge` makes it bidirectional."""
    T, N, F, H = sizes(rng)
    layer = _keras_layer(rng, kind, H, go_backwards=not merge and maybe(rng))
    states = len(layer.state_size) if isinstance(layer.state_size, list) else 1
    if merge:
        layer = _keras_bidirectional(rng, kind, layer, merge)
    elif layer.return_sequences:
        layer.zero_output_for_mask = maybe(rng)
    layer.build((N, T, F))
    shapes = [tuple(array.shape) for array in layer.get_weights()]
    arrays = {f"weights/{number}": _float32(rng, shape, 0.4) for number, shape in enumerate(shapes)}
    arrays["x"] = _float32(rng, (N, T, F), 1)
    if mask != "none":
        arrays["mask"] = _mask(rng, mask, N, T)
    if maybe(rng):
        arrays |= {f"initial/{i}": _float32(rng, (N, H), 1) for i in range(states * (2 if merge else 1))}
    name = "bidirectional" if merge else {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}[kind]
    return Case(name, arrays, {"config": _data(layer.get_config())})


def _keras_layer(rng: Rng, kind: str, units: int, **given: Any) -> Any:
    import keras

    functions = [name for name in of_keras.FUNCTIONS if name != "exponential"]  # towers of it are infinite
    options: dict[str, Any] = {"activation": "tanh" if maybe(rng) else str(rng.choice(functions))}
    if kind != "SimpleRNN":
        options["recurrent_activation"] = (
            "sigmoid" if maybe(rng) else str(rng.choice(["hard_sigmoid", "tanh", "softsign"]))
        )
    if kind == "GRU":
        options["reset_after"] = maybe(rng)
    options |= {"use_bias": maybe(rng, 0.8), "return_sequences": maybe(rng, 0.6), "return_state": maybe(rng)}
    return getattr(keras.layers, kind)(units, **options | given)


def _keras_bidirectional(rng: Rng, kind: str, layer: Any, merge: str) -> Any:
    import keras

    same = ("use_bias", "return_sequences", "return_state")
    backward = None
    if maybe(rng):
        backward = _keras_layer(rng, kind, layer.units, go_backwards=True, **{key: getattr(layer, key) for key in same})
    merge_mode = None if merge == "None" else merge
    return keras.layers.Bidirectional(layer, merge_mode=merge_mode, backward_layer=backward)


def _float32(rng: Rng, shape: tuple[int, ...], scale: float) -> np.ndarray:
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def _mask(rng: Rng, form: str, N: int, T: int) -> np.ndarray:
    lengths, steps = rng.integers(0, T + 1, N)[:, None], np.arange(T)
    if form == "interior":
        return rng.random((N, T)) < 0.6
    return steps < lengths if form == "right" else steps >= T - lengths


def _data(config: Any) -> Any:
    """What of a configuration the reference reads."""
    keys = ("class_name", "config", "layer", "backward_layer", "merge_mode", "units", "activation", "use_bias")
    keys += ("recurrent_activation", "reset_after", "return_sequences", "return_state", "go_backwards")
    keys += ("zero_output_for_mask",)
    if not isinstance(config, dict):
        return config
    return {key: _data(value) for key, value in config.items() if key in keys}


def ask_keras(case: Case) -> list[np.ndarray]:
    """What the layer of Keras answers."""
    import keras

    config = case.options["config"]
    names = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN", "bidirectional": "Bidirectional"}
    inner = {key: value for key, value in config.items() if key not in ("layer", "backward_layer")}
    for key in ("layer", "backward_layer"):
        if config.get(key):
            inner[key] = getattr(keras.layers, config[key]["class_name"])(**_constructor(config[key]["config"]))
    layer = getattr(keras.layers, names[case.function])(**_constructor(inner))
    layer.zero_output_for_mask = config.get("zero_output_for_mask", False)
    x, initial = case.arrays["x"], part(case.arrays, "initial")
    layer.build(x.shape)
    layer.set_weights(list(part(case.arrays, "weights")))
    result = layer(x, mask=case.arrays.get("mask"), initial_state=None if initial is None else list(initial))
    return flat([one.detach().cpu().numpy() for one in _flat_tensors(result)])


def _constructor(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "zero_output_for_mask"}


# ---- ONNX: kinds are lstm, gru, rnn ---------------------------------------------------------

ONNX_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
ONNX_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
WITHOUT_DEFAULTS = ("Affine", "ThresholdedRelu", "ScaledTanh")
"""Functions that ONNX Runtime gives 0 where alpha or beta is missing, whatever the specification says."""


def draw_onnx(rng: Rng, kind: str, direction: str) -> Case:
    """Inputs and attributes of an operator, some of the optional ones left out."""
    T, N, F, H = sizes(rng)
    D, G = (2 if direction == "bidirectional" else 1), ONNX_GATES[kind]
    shapes = {"X": (T, N, F), "W": (D, G * H, F), "R": (D, G * H, H), "B": (D, 2 * G * H), "initial_h": (D, N, H)}
    if kind == "lstm":
        shapes |= {"initial_c": (D, N, H), "P": (D, 3 * H)}
    kept = {name: shape for name, shape in shapes.items() if name in "XWR" or maybe(rng, 0.75)}
    arrays = {name: _float32(rng, shape, 0.4) for name, shape in kept.items()}
    if maybe(rng):
        arrays["sequence_lens"] = rng.integers(1, T + 1, N).astype(np.int32)
    return Case(kind, arrays, {"direction": direction, "hidden_size": H, **_attributes(rng, kind, D)})


def draw_function(rng: Rng, name: str) -> Case:
    """An RNN with one function, alpha and beta left out where that means the same to everybody."""
    case = draw_onnx(rng, "rnn", "forward")
    options: dict[str, Any] = {"hidden_size": case.options["hidden_size"], "activations": [name]}
    if name in WITHOUT_DEFAULTS:
        options |= {f"activation_{key}": [float(np.float32(rng.uniform()))] for key in of_onnx.FUNCTIONS[name][1]}
    return Case("rnn", case.arrays, options)


def _attributes(rng: Rng, kind: str, D: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"clip": float(np.float32(rng.uniform(0.2, 1)))} if maybe(rng, 0.4) else {}
    if kind == "gru":
        attributes["linear_before_reset"] = int(maybe(rng))
    if kind == "lstm":
        attributes["input_forget"] = int(maybe(rng, 0.3))
    if maybe(rng):
        names = [str(name) for name in rng.choice(list(of_onnx.FUNCTIONS), D * {"lstm": 3, "gru": 2, "rnn": 1}[kind])]
        attributes["activations"] = names
        for key in ("alpha", "beta"):
            count = sum(key in of_onnx.FUNCTIONS[name][1] for name in names)
            if count and (maybe(rng) or any(name in WITHOUT_DEFAULTS for name in names)):
                attributes[f"activation_{key}"] = [float(np.float32(value)) for value in rng.uniform(0.2, 0.8, count)]
    return attributes


def ask_onnx(case: Case) -> list[np.ndarray]:
    """What ONNX Runtime answers."""
    import onnx
    import onnxruntime

    helper, number = onnx.helper, onnx.TensorProto
    names = [name if name in case.arrays else "" for name in ONNX_INPUTS[: 8 if case.function == "lstm" else 6]]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if case.function == "lstm" else 2]
    node = helper.make_node(case.function.upper(), names, outputs, **case.options)
    values = [
        helper.make_tensor_value_info(key, number.INT32 if key == "sequence_lens" else number.FLOAT, array.shape)
        for key, array in case.arrays.items()
    ]
    results = [helper.make_tensor_value_info(name, number.FLOAT, None) for name in outputs]
    graph = helper.make_graph([node], "one", values, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(case.arrays)))


Drawn = Callable[[Rng], Case]
KERAS_KINDS = ("LSTM", "GRU", "SimpleRNN")
KINDS: dict[str, dict[str, Drawn]] = {
    "torch": {kind: lambda rng, kind=kind: draw_torch(rng, kind) for kind in ("lstm", "gru", "rnn")},
    "keras": {
        **{
            f"{kind}-{mask}": lambda rng, kind=kind, mask=mask: draw_keras(rng, kind, mask)
            for kind in KERAS_KINDS
            for mask in MASKS
        },
        **{
            f"{kind}-{merge}": lambda rng, kind=kind, merge=merge: draw_keras(rng, kind, str(rng.choice(MASKS)), merge)
            for kind in KERAS_KINDS
            for merge in ("concat", "sum", "mul", "ave", "None")
        },
    },
    "onnx": {
        **{
            f"{kind}-{direction}": lambda rng, kind=kind, direction=direction: draw_onnx(rng, kind, direction)
            for kind in ONNX_GATES
            for direction in ("forward", "reverse", "bidirectional")
        },
        **{name: lambda rng, name=name: draw_function(rng, name) for name in of_onnx.FUNCTIONS},
    },
}
"""Ways to draw a case, by library and name."""

ASK = {"torch": ask_torch, "keras": ask_keras, "onnx": ask_onnx}
TOLERANCE = {"torch": 1e-13, "keras": 2e-6, "onnx": 2e-6}
"""Keras is float32 in parts where it is asked for float64, ONNX Runtime has nothing else."""
