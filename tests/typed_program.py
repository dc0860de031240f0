"""What a user writes, for ``mypy --strict`` against the installed package: the types are those of the assertions."""

from typing import assert_type

import numpy as np

import seqkit
from seqkit.equations import sigmoid, tanh
from seqkit.training.history import History


class Minimal(seqkit.Cell):
    """A cell as in README.md."""

    gates, states = ("f", "n"), ("h",)

    def step(self, x: object, U: object, s: object, p: object) -> dict[str, object]:
        """One step."""
        return {"h": tanh(sigmoid(x))}


x = np.zeros((4, 10, 3))
layer = seqkit.LSTM(8, return_sequences=True, dropout=0.1)
assert_type(layer.build(3, seed=0), seqkit.LSTM)
model = seqkit.Sequential([layer, seqkit.Bidirectional(seqkit.GRU(4)), seqkit.Dense(1)], seed=0)
model.compile(optimizer=seqkit.Adam(0.01, global_clipnorm=1.0), loss="mse", metrics=["mae"])
assert_type(model.fit(x, np.zeros(4), epochs=1, callbacks=[seqkit.EarlyStopping("loss")]), History)
assert_type(seqkit.num_threads(), int)
assert_type(seqkit.label_error_rate([[1]], [[1]]), float)
with seqkit.threads(1):
    y = model.predict(x)
assert_type(seqkit.Recurrent(Minimal, 8), seqkit.Recurrent)
seqkit.LTSM(8)  # type: ignore[attr-defined]  # a name that is not there is found
seqkit.num_threads(3)  # type: ignore[call-arg]  # and so is a wrong call
