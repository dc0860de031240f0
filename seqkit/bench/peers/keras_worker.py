"""Keras on TensorFlow: ``SimpleRNN``, ``LSTM`` and ``GRU`` as graphs (``tf.function``), their cells for streams.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from seqkit.bench.peers.protocol import Arrays, Prepare, Run, by_direction, full_precision, serve

LAYERS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
GATES = {"simple_rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}
"""Keras' order of gates, LSTM i f c o and GRU z r h, as places in seqkit's i f g o and r z n, and the other way."""


def load(threads: int) -> tuple[str, Prepare]:
    """Import Keras and TensorFlow."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    tensorflow: Any = import_module("tensorflow")
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    keras: Any = import_module("keras")
    version = f"Keras {keras.__version__} on TensorFlow {tensorflow.__version__}"
    return version, partial(prepare, tensorflow, keras)


def prepare(tf: Any, keras: Any, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time."""
    if case["cell"] not in LAYERS:
        raise NotImplementedError(f"there is no layer for {case['cell']}")
    full_precision(case)
    if case["mode"] == "streams":
        raise NotImplementedError("its arrays cannot be changed in place, as states of streams must be")
    layer = getattr(keras.layers, LAYERS[case["cell"]])(case["units"], return_sequences=True, dtype=case["precision"])
    if case["mode"] == "step":
        return _step(tf, layer, case, arrays)
    if case["directions"] == 2:
        layer = keras.layers.Bidirectional(layer, dtype=case["precision"])
    x, dy = (tf.constant(arrays[name]) for name in ("x", "dy"))
    inside = _inside(tf, arrays)
    layer(x, mask=inside)
    layer.set_weights(to_keras(case["cell"], arrays))
    if case["mode"] == "train":
        return _train(tf, layer, case["cell"], x, dy, inside)
    compiled = tf.function(lambda x: layer(x, mask=inside))
    return {"y": _array(compiled(x), inside)}, lambda: compiled(x)


def _inside(tf: Any, arrays: Arrays) -> Any:
    """Which steps (B, T) are inside their sequence; None where all are."""
    return tf.sequence_mask(arrays["lengths"], arrays["x"].shape[1]) if "lengths" in arrays else None


def _array(y: Any, inside: Any) -> np.ndarray:
    """Outputs, 0 past the end of a sequence, where Keras repeats the last one."""
    array: np.ndarray = y.numpy()
    return array if inside is None else array * inside.numpy()[..., None]


def _train(tf: Any, layer: Any, cell: str, x: Any, dy: Any, inside: Any) -> tuple[Arrays, Run]:
    @tf.function
    def run(x: Any, dy: Any) -> Any:
        with tf.GradientTape() as tape:
            y = layer(x, mask=inside, training=True)
            loss = tf.reduce_sum(y * dy)  # dy is 0 past the end of a sequence
        return y, tape.gradient(loss, layer.trainable_weights)

    y, grads = run(x, dy)
    return {"y": _array(y, inside)} | from_keras(cell, [grad.numpy() for grad in grads]), lambda: run(x, dy)


def _step(tf: Any, layer: Any, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    x = tf.constant(arrays["x"].transpose(1, 0, 2))
    layer.build(arrays["x"].shape)
    layer.set_weights(to_keras(case["cell"], arrays))
    compiled = tf.function(lambda x_t, state: layer.cell(x_t, state)[1])
    state = [tf.zeros((case["batch"], case["units"]), x.dtype) for _ in range(2 if case["cell"] == "lstm" else 1)]
    outputs = []
    for x_t in x:
        state = compiled(x_t, state)
        outputs.append(state[0].numpy())
    first = x[0]

    def run() -> None:
        nonlocal state
        state = compiled(first, state)

    return {"y": np.stack(outputs, axis=1)}, run


def to_keras(cell: str, arrays: Arrays) -> list[np.ndarray]:
    """seqkit's parameters as kernel (I, G*H), recurrent kernel (H, G*H) and bias of each direction.

    The GRU has a second row of biases, 0 except for ``bias_hn``: its last third.
    """
    given = []
    for own in by_direction(arrays).values():
        kernel, recurrent, bias = (_reorder(own[name], cell) for name in ("weight_ih", "weight_hh", "bias"))
        if cell == "gru":
            second = np.zeros_like(bias)
            second[-len(own["bias_hn"]) :] = own["bias_hn"]
            bias = np.stack([bias, second])
        given += [kernel.T, recurrent.T, bias]
    return given


def from_keras(cell: str, grads: Sequence[np.ndarray]) -> Arrays:
    """Keras' gradients under seqkit's names."""
    found: Arrays = {}
    for direction, place in zip(("forward", "backward"), range(0, len(grads), 3), strict=False):
        kernel, recurrent, bias = grads[place : place + 3]
        own = {"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias": bias[0] if cell == "gru" else bias}
        found |= {f"{direction}.{name}": _reorder(grad, cell) for name, grad in own.items()}
        if cell == "gru":
            found[f"{direction}.bias_hn"] = np.split(bias[1], 3)[2]
    return found


def _reorder(array: np.ndarray, cell: str) -> np.ndarray:
    """Blocks of gates (G*H, ...) in the other library's order."""
    blocks = np.split(array, len(GATES[cell]))
    return np.concatenate([blocks[gate] for gate in GATES[cell]])


if __name__ == "__main__":
    serve(load)
