"""Models written as ONNX and run by ONNX Runtime, beside what they give here.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from checks.sized import RAW, SIZED, Decay
from checks.zoo import ZOO

import seqkit
from seqkit.interop.onnx.export.models import export
from seqkit.interop.onnx.messages import encode
from seqkit.testing.data import fill

TOLERANCE = {"float32": 2e-6, "float64": 1e-12}
LENGTHS = np.array([6, 2, 0, 1, 5, 6])
Arrays = dict[str, np.ndarray]

BUILT_IN = [
    *(("simple_rnn", {}), ("lstm", {}), ("peephole", {})),
    *(("gru", {"reset_after": True}), ("gru", {"reset_after": False})),
]


def in_onnx_runtime(model: Any, feeds: Arrays, **options: Any) -> Arrays:
    """Outputs by name of the exported model, which onnx.checker has passed."""
    import onnx
    import onnxruntime

    data = encode(export(model, **options))
    onnx.checker.check_model(data, full_check=True)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # a note that "lengths" has a default
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def drawn(model: Any, rng: np.random.Generator, spread: float = 0.4) -> Any:
    """The model with random parameters, so that nothing is hidden by one that starts at 0 or 1."""
    for layer in getattr(model, "layers", [model]):
        for name, array in layer.params.items():
            layer.params[name] = array + rng.normal(0, spread, array.shape)
    return model


def drawn_input(model: Any, rng: np.random.Generator) -> np.ndarray:
    """Sequences with NaN, or ids that do not exist, past their end."""
    first = getattr(model, "layers", [model])[0]
    past = np.arange(LENGTHS.max()) >= LENGTHS[:, None]  # (B, T)
    if first.accepts_ids:
        return np.where(past, 10**6, rng.integers(0, first.input_dim, past.shape))
    x = rng.normal(size=(*past.shape, first.input_size)).astype(first.dtype)
    x[past] = np.nan
    return x


def error(model: Any, rng: np.random.Generator, scale: float = 1.0, **options: Any) -> float:
    """How far apart ONNX Runtime and seqkit are, at most: ragged, whole, and where there are states with them.

    Numbers above `scale` are compared as shares of themselves.
    """
    x = drawn_input(model, rng)
    whole = np.where(np.isnan(x), x.dtype.type(0.5), x) if x.dtype.kind == "f" else x % model.layers[0].input_dim
    found = in_onnx_runtime(model, {"x": x, "lengths": LENGTHS}, **options)
    pairs = [(found, expected(model, x, LENGTHS))]
    pairs += [(in_onnx_runtime(model, {"x": whole}, **options), expected(model, whole, None))]
    if not hasattr(model, "layers"):
        pairs.append(with_states(model, x, rng, **options))
    return max(far(*pair, scale) for pair in pairs)


def far(found: Arrays, wanted: Arrays, scale: float = 1.0) -> float:
    """The largest difference; infinite where shapes, names or types differ or a number is NaN."""
    if found.keys() != wanted.keys():
        return np.inf
    worst = 0.0
    for name, array in wanted.items():
        if (found[name].shape, found[name].dtype) != (array.shape, array.dtype):
            return np.inf
        apart = np.abs(found[name] - array) / np.maximum(scale, np.abs(array))
        worst = max(worst, float(np.where(np.isnan(apart), np.inf, apart).max(initial=0.0)))
    return worst


def expected(model: Any, x: np.ndarray, lengths: np.ndarray | None) -> Arrays:
    """What seqkit gives, under the names of the outputs."""
    y = model.predict(x, lengths=lengths) if hasattr(model, "predict") else model(x, lengths, return_state=False)
    return {"y_forward": y[0], "y_backward": y[1]} if isinstance(y, tuple) else {"y": y}


def with_states(layer: Any, x: np.ndarray, rng: np.random.Generator, **options: Any) -> tuple[Arrays, Arrays]:
    """ONNX Runtime's and seqkit's outputs and final states from random initial states."""
    names = state_names(layer)
    state = tuple(rng.normal(0, 0.5, (len(x), size)).astype(layer.dtype) for size in names.values())
    y, cache = layer.forward(x, LENGTHS, state, training=False)
    wanted = {"y_forward": y[0], "y_backward": y[1]} if isinstance(y, tuple) else {"y": y}
    wanted |= {f"final_{name}": array for name, array in zip(names, cache.state, strict=True)}
    feeds = {f"initial_{name}": array for name, array in zip(names, state, strict=True)}
    return in_onnx_runtime(layer, {"x": x, "lengths": LENGTHS, **feeds}, states=True, **options), wanted


def state_names(layer: Any) -> dict[str, int]:
    """Names of the states of a layer, with their sizes."""
    if isinstance(layer, seqkit.Bidirectional):
        both = {"forward_": layer.forward_layer, "backward_": layer.backward_layer}
        return {start + name: size for start, one in both.items() for name, size in state_names(one).items()}
    return dict(zip(layer.cell.states, layer.state_sizes, strict=True)) if isinstance(layer, seqkit.Recurrent) else {}


def layer_of_equations(name: str, dtype: str, **options: Any) -> seqkit.Recurrent:
    """A layer of 9 units of a cell of the tests, with random parameters."""
    cell = {**ZOO, **SIZED, **RAW}[name]
    raw = sum({"features": 3, "units": 9}.get(str(size), size) for size in cell.inputs.values())  # type: ignore[misc]
    layer = seqkit.Recurrent(cell, 9, return_sequences=True, **options)
    return fill(layer.build(raw + (0 if cell is Decay else 3), seed=1, dtype=dtype))


def random_model(seed: int) -> seqkit.Sequential:
    """A stack of one to six layers of any kind."""
    draw = random.Random(seed)
    layers: list[Any] = []
    if draw.random() < 0.3:
        layers.append(seqkit.Embedding(11, draw.randint(1, 9)))
    while len(layers) < draw.randint(1, 4) or not any(isinstance(one, seqkit.Recurrent) for one in layers):
        layers.append(random_sequence_layer(draw))
    if draw.random() < 0.7:
        layers.append(draw.choice([seqkit.LastStep, lambda: random_recurrent(draw, False)])())
    if draw.random() < 0.7:
        layers.append(seqkit.Dense(draw.randint(1, 6), activation=draw.choice(["softmax", None, "relu"])))
    model = seqkit.Sequential(layers, seed=seed)
    return model if model.built else model.build(draw.randint(1, 9))  # from the seed of the model


def random_sequence_layer(draw: random.Random) -> Any:
    kind = draw.random()
    if kind < 0.15:
        return seqkit.Dropout(0.5)
    if kind < 0.3:
        return seqkit.Dense(draw.randint(1, 9), activation=draw.choice(["tanh", "sigmoid", "relu", "softmax"]))
    if kind < 0.5:
        modes = ["concat", "sum", "mul", "ave"]
        return seqkit.Bidirectional(random_recurrent(draw, True, backwards=False), draw.choice(modes))
    return random_recurrent(draw, True)


def random_recurrent(draw: random.Random, sequences: bool, backwards: bool = True) -> Any:
    name, own = draw.choice(BUILT_IN)
    options = {
        "return_sequences": sequences,
        "go_backwards": backwards and draw.random() < 0.3,
        "use_bias": draw.random() < 0.8,
        "initial_state": draw.choice(["zeros", "zeros", "learned"]),
        "zoneout": draw.choice([0.0, 0.0, 0.0, 0.1]),
        "activation": draw.choice(["tanh", "tanh", "softsign", "hard_sigmoid", "gelu"]),
    }
    return seqkit.create(name, draw.randint(1, 9), **own, **options)
