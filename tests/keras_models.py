"""Random Keras models over all options that can be represented, with random distinct weights; needs Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.interop.keras.schema import ACTIVATIONS

IN_CELLS = sorted(set(ACTIVATIONS) - {"gelu", "softmax", "log_softmax", "exponential", "linear", "relu"})
GATES = ("sigmoid", "hard_sigmoid", "tanh", "sparse_sigmoid", "softsign")


class RandomModel:
    """A model of a seed.

    Attributes
    ----------
    model : keras.Model
    sequences : bool
        Whether what the last layer gave is a sequence.
    """

    def __init__(self, keras: Any, seed: int, dropout: bool = True) -> None:
        self.keras, self.layers, self.rng = keras, keras.layers, np.random.default_rng(seed)
        self.dtype = "float64" if seed % 5 == 4 else "float32"
        keras.config.set_dtype_policy(self.dtype)
        self.functional = seed // 4 % 2 == 1
        self.masked, self.sequences = False, True
        self.rate = 0.3 if dropout else 0.0
        parts = [*self.first(seed % 4)]
        for _ in range(self.rng.integers(1, 4)):
            parts += self.recurrent()
            if self.sequences and self.chance(0.6):
                parts += self.between()
        if not self.sequences and self.chance(0.3):
            self.sequences, self.masked = True, False
            parts += [self.layers.RepeatVector(3), *self.recurrent()]
        parts += [self.dense() for _ in range(self.rng.integers(0, 3))]
        self.model = self.made(parts)
        self.model.set_weights([self.weights(array.shape) for array in self.model.get_weights()])

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.normal(size=shape) * (0.8 / np.sqrt(shape[0]) if len(shape) == 2 else 0.3)

    def made(self, parts: list[Any]) -> Any:
        if not self.functional:
            return self.keras.Sequential([self.input, *parts])
        x = self.input
        for part in parts:
            x = part(x)
        return self.keras.Model(self.input, x)

    def first(self, kind: int) -> list[Any]:
        layers, time = self.layers, self.pick(None, 9)
        if kind < 2:
            self.input, self.masked = layers.Input((time,)), kind == 0
            return [layers.Embedding(7, int(self.rng.integers(1, 6)), mask_zero=self.masked, dtype=self.dtype)]
        self.input, self.masked = layers.Input((time, int(self.rng.integers(1, 6))), dtype=self.dtype), kind == 2
        return [layers.Masking(self.pick(0.0, -1.0), dtype=self.dtype)] if self.masked else []

    def cell_options(self, kind: str) -> dict[str, Any]:
        activation = "tanh" if self.chance(0.4) else self.pick(*IN_CELLS)
        options = {"units": int(self.rng.integers(1, 8)), "activation": activation, "use_bias": self.chance(0.8)}
        options |= {"dropout": self.pick(0.0, self.rate), "recurrent_dropout": self.pick(0.0, self.rate)}
        options["dtype"] = self.dtype
        if kind != "SimpleRNN":
            options["recurrent_activation"] = self.pick(*GATES)
        return options | ({"reset_after": self.chance(0.5)} if kind == "GRU" else {})

    def layer(self, **options: Any) -> Any:
        kind = self.pick("LSTM", "GRU", "SimpleRNN")
        return getattr(self.layers, kind)(**self.cell_options(kind), **options)

    def recurrent(self) -> list[Any]:
        if not self.sequences:
            return []
        self.sequences = self.chance(0.7)
        way = self.rng.random()
        if way < 0.3:
            return [self.bidirectional()]
        if way < 0.5:
            return [self.cells()]
        return [self.layer(return_sequences=self.sequences, go_backwards=self.chance(0.3))]

    def bidirectional(self) -> Any:
        forward, merge = self.layer(return_sequences=self.sequences), self.pick("concat", "sum", "mul", "ave")
        backward = None
        if self.chance(0.5):
            backward = self.layer(return_sequences=self.sequences, go_backwards=True)
            config = backward.get_config() | {"units": forward.units}
            backward = type(backward).from_config(config)
        options = {"backward_layer": backward} if backward else {}
        return self.layers.Bidirectional(forward, merge_mode=merge, dtype=self.dtype, **options)

    def cells(self) -> Any:
        made = []
        for _ in range(self.rng.integers(1, 4)):
            kind = self.pick("LSTM", "GRU", "SimpleRNN")
            made.append(getattr(self.layers, f"{kind}Cell")(**self.cell_options(kind)))
        backwards = self.chance(0.3) and not (self.masked and len(made) > 1)
        cell = made[0] if len(made) == 1 and self.chance(0.5) else made
        if isinstance(cell, list):
            cell = self.layers.StackedRNNCells(cell, dtype=self.dtype)
            backwards = backwards and not self.masked
        return self.layers.RNN(cell, return_sequences=self.sequences, go_backwards=backwards, dtype=self.dtype)

    def dense(self) -> Any:
        units, activation = int(self.rng.integers(1, 6)), self.pick(*ACTIVATIONS)
        return self.layers.Dense(units, activation, use_bias=self.chance(0.8), dtype=self.dtype)

    def between(self) -> list[Any]:
        layers = self.layers
        return [
            self.pick(
                lambda: layers.Dropout(self.rate, dtype=self.dtype),
                lambda: layers.SpatialDropout1D(self.rate, dtype=self.dtype),
                lambda: layers.GaussianNoise(0.3, dtype=self.dtype),
                lambda: layers.Activation(self.pick(*ACTIVATIONS), dtype=self.dtype),
                lambda: layers.ReLU(dtype=self.dtype),
                lambda: layers.LeakyReLU(self.pick(0.1, 0.3), dtype=self.dtype),
                lambda: layers.ELU(1.5, dtype=self.dtype),
                lambda: layers.TimeDistributed(self.dense(), dtype=self.dtype),
                lambda: layers.TimeDistributed(layers.Dropout(self.rate, dtype=self.dtype), dtype=self.dtype),
                self.dense,
            )()
        ]
