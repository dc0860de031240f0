"""The float64 references of other libraries give what the libraries give, on random models over all their options.

Legend: T time, N batch, F input features, H units, D directions.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from seqkit.interop.reference import keras as of_keras
from seqkit.interop.reference import onnx as of_onnx
from seqkit.interop.reference import torch as of_torch

pytestmark = pytest.mark.peers
os.environ.setdefault("KERAS_BACKEND", "torch")


def sizes_of(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """T, N, F, H, mostly different."""
    T, N, F, H = rng.integers((3, 2, 1, 2), (8, 5, 6, 8))
    return int(T), int(N), int(F), int(H)


def maybe(rng: np.random.Generator, chance: float = 0.5) -> bool:
    return bool(rng.random() < chance)


# ---- PyTorch --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("seed", range(20))
def test_torch(kind: str, seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    T, N, F, H = sizes_of(rng)
    layers, bidirectional, batch_first = int(rng.integers(1, 4)), maybe(rng), maybe(rng)
    own = {"proj_size": H // 2} if kind == "LSTM" and maybe(rng) else {}
    if kind == "RNN":
        own = {"nonlinearity": ("tanh", "relu")[seed % 2]}
    options = {"num_layers": layers, "bidirectional": bidirectional, "batch_first": batch_first}
    module = getattr(torch.nn, kind)(F, H, bias=maybe(rng, 0.7), dtype=torch.float64, **options, **own)
    x = torch.randn(N, T, F, dtype=torch.float64) if batch_first else torch.randn(T, N, F, dtype=torch.float64)
    lengths = rng.integers(1, T + 1, N) if maybe(rng) else None
    states = [torch.randn(layers * (1 + bidirectional), N, H, dtype=torch.float64) for _ in range(2)]
    if own.get("proj_size"):
        states[0] = states[0][..., : H // 2]
    hx = (tuple(states) if kind == "LSTM" else states[0]) if maybe(rng) else None
    with torch.no_grad():
        expected, final = _torch_call(torch, module, x, hx, lengths, T)

    got, got_final = getattr(of_torch, kind.lower())(
        x.numpy(),
        {f"a.{key}": value.numpy() for key, value in module.state_dict().items()},
        hx=None if hx is None else tuple(one.numpy() for one in hx) if kind == "LSTM" else hx.numpy(),
        layers=layers,
        bidirectional=bidirectional,
        batch_first=batch_first,
        lengths=lengths,
        prefix="a.",
        **({"nonlinearity": own["nonlinearity"]} if kind == "RNN" else {}),
    )
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-13)
    for one, other in zip(*((got_final, final) if kind == "LSTM" else ((got_final,), (final,))), strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-13)


def _torch_call(torch: Any, module: Any, x: Any, hx: Any, lengths: np.ndarray | None, time: int) -> tuple[Any, Any]:
    if lengths is None:
        return module(x, hx)
    rnn, first = torch.nn.utils.rnn, module.batch_first
    packed = rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=first, enforce_sorted=False)
    y, final = module(packed, hx)
    return rnn.pad_packed_sequence(y, batch_first=first, total_length=time)[0], final


# ---- Keras ----------------------------------------------------------------------------------

MASKS = ("none", "right", "left", "interior")
keras_itself = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, for what Keras does with it


def keras_mask(rng: np.random.Generator, form: str, N: int, T: int) -> np.ndarray | None:
    lengths = rng.integers(0, T + 1, N)[:, None]
    steps = np.arange(T)
    if form == "interior":
        return rng.random((N, T)) < 0.6
    return {"none": None, "right": steps < lengths, "left": steps >= T - lengths}[form]


def keras_layer(rng: np.random.Generator, kind: str, units: int, **given: Any) -> Any:
    keras = pytest.importorskip("keras")
    functions = list(of_keras.FUNCTIONS)
    options: dict[str, Any] = {"activation": "tanh" if maybe(rng) else str(rng.choice(functions))}
    if kind != "SimpleRNN":
        options["recurrent_activation"] = "sigmoid" if maybe(rng) else str(rng.choice(["hard_sigmoid", "tanh", "relu"]))
    if kind == "GRU":
        options["reset_after"] = maybe(rng)
    options |= {"use_bias": maybe(rng, 0.8), "return_sequences": maybe(rng), "return_state": maybe(rng)}
    return getattr(keras.layers, kind)(units, **options | given)


def with_random_weights(rng: np.random.Generator, layer: Any) -> list[np.ndarray]:
    weights = [(0.3 * rng.standard_normal(array.shape)).astype(np.float32) for array in layer.get_weights()]
    layer.set_weights(weights)
    return weights


def assert_same(got: Any, expected: Any) -> None:
    """Arrays, or tuples of arrays, as near as float32 allows (in Keras' float64 some parts stay float32)."""
    if not isinstance(expected, (tuple, list)):
        got, expected = (got,), (expected,)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        other = other.detach().cpu().numpy()
        np.testing.assert_allclose(one, other, atol=2e-6 * max(1, np.abs(other).max(initial=0)))


@keras_itself
@pytest.mark.parametrize("form", MASKS)
@pytest.mark.parametrize("kind", list(of_keras.LAYERS))
@pytest.mark.parametrize("seed", range(8))
def test_keras(kind: str, form: str, seed: int) -> None:
    rng = np.random.default_rng(100 * seed + MASKS.index(form))
    T, N, F, H = sizes_of(rng)
    layer = keras_layer(rng, kind, H, go_backwards=maybe(rng))
    layer.zero_output_for_mask = maybe(rng) and layer.return_sequences
    layer.build((N, T, F))
    weights = with_random_weights(rng, layer)
    x, mask = rng.standard_normal((N, T, F), dtype=np.float32), keras_mask(rng, form, N, T)
    initial = tuple(rng.standard_normal((N, H), dtype=np.float32) for _ in layer.state_size) if maybe(rng) else None
    states = None if initial is None else list(initial)
    expected = layer(x, mask=mask, initial_state=states)
    assert_same(of_keras.LAYERS[kind](layer.get_config(), weights, x, mask, initial), expected)


@keras_itself
@pytest.mark.parametrize("form", MASKS)
@pytest.mark.parametrize("kind", list(of_keras.LAYERS))
@pytest.mark.parametrize("merge", [*of_keras.MERGES, None])
def test_keras_bidirectional(merge: str | None, kind: str, form: str) -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng([len(str(merge)), len(kind), MASKS.index(form)])
    T, N, F, H = sizes_of(rng)
    inner = keras_layer(rng, kind, H)
    options = {"return_sequences": inner.return_sequences, "return_state": inner.return_state}
    backward = keras_layer(rng, kind, H, go_backwards=True, use_bias=inner.use_bias, **options) if maybe(rng) else None
    layer = keras.layers.Bidirectional(inner, merge_mode=merge, backward_layer=backward)
    layer.build((N, T, F))
    weights = with_random_weights(rng, layer)
    x, mask = rng.standard_normal((N, T, F), dtype=np.float32), keras_mask(rng, form, N, T)
    count = len(inner.state_size) if isinstance(inner.state_size, list) else 1
    initial = tuple(rng.standard_normal((N, H), dtype=np.float32) for _ in range(2 * count)) if maybe(rng) else None
    expected = layer(x, mask=mask, initial_state=None if initial is None else list(initial))
    assert_same(of_keras.bidirectional(layer.get_config(), weights, x, mask, initial), expected)


# ---- ONNX -----------------------------------------------------------------------------------

ONNX_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
FREE = ("Affine", "ThresholdedRelu", "ScaledTanh")
"""Functions that ONNX Runtime gives 0 where alpha or beta is missing, whatever the specification says."""


def onnx_inputs(rng: np.random.Generator, op: str, D: int) -> dict[str, np.ndarray]:
    """Random inputs, some of the optional ones left out."""
    T, N, F, H = sizes_of(rng)
    G = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    shapes = {"X": (T, N, F), "W": (D, G * H, F), "R": (D, G * H, H), "B": (D, 2 * G * H), "initial_h": (D, N, H)}
    if op == "LSTM":
        shapes |= {"initial_c": (D, N, H), "P": (D, 3 * H)}
    inputs = {
        name: (0.3 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
        if name in "XWR" or maybe(rng, 0.7)
    }
    if maybe(rng):
        inputs["sequence_lens"] = rng.integers(1, T + 1, N).astype(np.int32)
    return inputs


def onnx_attributes(rng: np.random.Generator, op: str, direction: str, D: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"direction": direction}
    if maybe(rng):
        attributes["clip"] = float(rng.uniform(0.1, 1))
    if op == "GRU":
        attributes["linear_before_reset"] = int(maybe(rng))
    if op == "LSTM":
        attributes["input_forget"] = int(maybe(rng, 0.3))
    if maybe(rng):
        names = [str(name) for name in rng.choice(list(of_onnx.FUNCTIONS), D * {"LSTM": 3, "GRU": 2, "RNN": 1}[op])]
        attributes["activations"] = names
        for key in ("alpha", "beta"):
            count = sum(key in of_onnx.FUNCTIONS[name][1] for name in names)
            if count and (maybe(rng) or any(name in FREE for name in names)):
                attributes[f"activation_{key}"] = [float(value) for value in rng.uniform(0.2, 0.8, count)]
    return attributes


def onnxruntime_outputs(op: str, inputs: dict[str, np.ndarray], attributes: dict[str, Any]) -> list[np.ndarray]:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    helper, types = (
        onnx.helper,
        {np.dtype(np.float32): onnx.TensorProto.FLOAT, np.dtype(np.int32): onnx.TensorProto.INT32},
    )
    names = [name if name in inputs else "" for name in ONNX_INPUTS[: 8 if op == "LSTM" else 6]]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if op == "LSTM" else 2]
    node = helper.make_node(op, names, outputs, hidden_size=inputs["R"].shape[2], **attributes)
    values = [helper.make_tensor_value_info(key, types[array.dtype], array.shape) for key, array in inputs.items()]
    results = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph([node], "one", values, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("seed", range(20))
def test_onnx(op: str, direction: str, seed: int) -> None:
    rng = np.random.default_rng([seed, len(op), len(direction)])
    D = 2 if direction == "bidirectional" else 1
    inputs, attributes = onnx_inputs(rng, op, D), onnx_attributes(rng, op, direction, D)
    got = getattr(of_onnx, op.lower())(**inputs, **attributes)
    for one, other in zip(got, onnxruntime_outputs(op, inputs, attributes), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6 * max(1, np.abs(one).max()))


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_onnx_layout(op: str, direction: str) -> None:
    """Layout 1, which ONNX Runtime lacks, is layout 0 with other axes."""
    rng = np.random.default_rng(len(op) + len(direction))
    D = 2 if direction == "bidirectional" else 1
    inputs, attributes = onnx_inputs(rng, op, D), onnx_attributes(rng, op, direction, D)
    turned = {
        key: array.swapaxes(0, 1) if key in ("X", "initial_h", "initial_c") else array for key, array in inputs.items()
    }
    function = getattr(of_onnx, op.lower())
    y, *states = function(**turned, **attributes, layout=1)
    expected, *finals = onnxruntime_outputs(op, inputs, attributes)
    np.testing.assert_allclose(y, expected.transpose(2, 0, 1, 3), rtol=2e-6, atol=2e-6)
    for one, other in zip(states, finals, strict=True):
        np.testing.assert_allclose(one, other.swapaxes(0, 1), rtol=2e-6, atol=2e-6)
