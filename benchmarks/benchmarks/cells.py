"""Every built-in cell: outputs, training and streams, and how exact they are.

Only what is public from the start is used, so that old versions can be measured too; what is
not is imported where it is needed.
"""

import numpy as np

import seqkit

from .common import CELLS, SEQUENCES, STREAMS, sizes


class Sequences:
    """Whole sequences, every output asked for."""

    params = (CELLS, SEQUENCES)
    param_names = ("cell", "shape")

    def setup(self, cell, shape):
        batch, time, units = sizes(shape)
        rng = np.random.default_rng(0)
        self.layer = seqkit.create(cell, units, return_sequences=True).build(units, seed=0)
        self.x, self.dy = rng.standard_normal((2, batch, time, units)).astype(np.float32)

    def time_forward(self, cell, shape):
        self.layer(self.x)

    def time_train(self, cell, shape):
        with self.layer.params.editing():
            pass  # as an optimizer would: weights must be packed anew
        self.layer.zero_grads()
        _, cache = self.layer.forward(self.x, training=True)
        self.layer.backward(self.dy, cache, input_grad=False)

    def peakmem_train(self, cell, shape):
        self.time_train(cell, shape)

    def track_max_error(self, cell, shape):
        from seqkit.equations import run_reference

        y, _ = run_reference(self.layer.cell, self.layer.params, self.x[:1])
        return float(np.abs(self.layer(self.x)[:1] - y).max())

    track_max_error.unit = "absolute difference from float64"


class Streams:
    """One step of a stream, the state carried along."""

    params = (CELLS, STREAMS)
    param_names = ("cell", "shape")

    def setup(self, cell, shape):
        batch, units = sizes(shape)
        self.layer = seqkit.create(cell, units).build(units, seed=0)
        self.x = np.random.default_rng(0).standard_normal((batch, units)).astype(np.float32)
        self.state = None

    def time_step(self, cell, shape):
        _, self.state = self.layer.step(self.x, self.state)
