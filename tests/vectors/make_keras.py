"""Writes the files of ``tests/vectors/keras``: models that Keras has saved, inputs, and what Keras makes of them.

    KERAS_BACKEND=torch python tests/vectors/make_keras.py

needs Keras 3 with a backend. Weights are random and distinct; inputs are padded on the left, on the right, and with
gaps, and one row is masked altogether.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

FOLDER = Path(__file__).with_name("keras")
L = keras.layers


def sentiment() -> Any:
    """Text with masks, both directions, a layer of cells; the layers that act in training are left out."""
    layers = [
        L.Input((None,)),
        L.Embedding(9, 4, mask_zero=True),
        L.SpatialDropout1D(0.2),
        L.Bidirectional(L.LSTM(3, return_sequences=True, dropout=0.1), merge_mode="concat"),
        L.TimeDistributed(L.Dense(4, "relu")),
        L.GRU(3, return_sequences=True, go_backwards=True),
        L.RNN([L.GRUCell(3, reset_after=False), L.LSTMCell(2, use_bias=False)]),
        L.Dropout(0.3),
        L.Dense(2, "softmax"),
    ]
    return keras.Sequential(layers)


def sensor() -> Any:
    """A chain of the functional interface, whose masks are operations of its graph."""
    inputs = L.Input((7, 3))
    x = L.Masking(-1.0)(inputs)
    x = L.SimpleRNN(4, activation="mish", return_sequences=True)(x)
    backward = L.GRU(3, go_backwards=True, return_sequences=True, recurrent_activation="hard_sigmoid")
    x = L.Bidirectional(L.LSTM(3, return_sequences=True), "mul", backward_layer=backward)(x)
    return keras.Model(inputs, L.Dense(2, "gelu")(x))


def autoencoder() -> Any:
    """A vector between two sequences."""
    layers = [L.Input((None, 2)), L.LSTM(4), L.RepeatVector(3), L.LSTM(3, return_sequences=True), L.LeakyReLU(0.3)]
    return keras.Sequential([*layers, L.TimeDistributed(L.Dense(2))])


def padded(x: np.ndarray, value: float) -> np.ndarray:
    """The rows of a batch of five, padded in different ways."""
    x[0, :3], x[1, 4:], x[2, [1, 4]], x[3] = value, value, value, value
    return x


def main() -> None:
    rng = np.random.default_rng(0)
    cases = {
        "sentiment.keras": (sentiment(), padded(rng.integers(1, 9, (5, 7)), 0)),
        "sensor.h5": (sensor(), padded(rng.normal(size=(5, 7, 3)).astype(np.float32), -1)),
        "autoencoder.weights.h5": (autoencoder(), rng.normal(size=(5, 6, 2)).astype(np.float32)),
    }
    FOLDER.mkdir(exist_ok=True)
    for name, (model, x) in cases.items():
        model.set_weights([rng.normal(size=array.shape) * 0.5 for array in model.get_weights()])
        if name.endswith(".weights.h5"):
            model.save_weights(FOLDER / name)
            (FOLDER / f"{name}.json").write_text(model.to_json())
        else:
            model.save(FOLDER / name)
        y = keras.ops.convert_to_numpy(model(x, training=False))
        np.savez_compressed(FOLDER / f"{name}.npz", x=x, y=y)


if __name__ == "__main__":
    main()
