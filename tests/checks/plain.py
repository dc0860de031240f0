"""A plain recurrent layer in NumPy, one sequence and one step at a time.

It passes every check; ``test_mutants.py`` changes a line of this file's text and expects the
check that is named there to fail.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from seqkit import _core
from seqkit.cells.simple_rnn import SimpleRNNCell
from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_lengths, as_sequences, as_state


class Cache:
    """What backward needs: one entry for every step taken, and the final state."""

    def __init__(self, x: np.ndarray, tape: list[Any], state: State) -> None:
        self.x, self.tape, self.state = x, tape, state


class PlainRNN(Layer):
    """h_t = tanh(W x_t + b + U h_{t-1})."""

    name = "simple_rnn"
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, units: int, return_sequences: bool = True, go_backwards: bool = False) -> None:
        self.units, self.return_sequences, self.go_backwards = units, return_sequences, go_backwards
        self.cell = SimpleRNNCell()
        self.threads = _core.num_threads  # of which nothing may depend

    def config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("units", "return_sequences", "go_backwards")}

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return (self.units,)

    @property
    def output_size(self) -> int:
        return self.units

    @property
    def reads_backwards(self) -> bool:
        return self.go_backwards

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        shapes = {
            "weight_ih": (self.units, self.input_size),
            "weight_hh": (self.units, self.units),
            "bias": (self.units,),
        }
        return {name: rng.normal(size=shape) for name, shape in shapes.items()}

    def order(self, length: int) -> Any:
        """Times in the order of reading."""
        return range(length)[::-1] if self.go_backwards else range(length)

    def one_step(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        w, u, bias = (self.params[name] for name in ("weight_ih", "weight_hh", "bias"))
        return np.tanh((w * x).sum(axis=1) + (u * h).sum(axis=1) + bias)

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, _ = x.shape
        ends = as_lengths(lengths, batch, time, self.name)
        ends = np.full(batch, time) if ends is None else ends
        initial = as_state(state, ("h",), (batch, self.units), self.dtype, self.name)
        final = np.zeros((batch, self.units), self.dtype) if initial is None else initial[0].copy()
        y, last = np.zeros((batch, time, self.units), self.dtype), np.zeros((batch, self.units), self.dtype)
        tape = []
        for b in range(batch):
            for k, t in enumerate(self.order(ends[b])):
                before = final[b].copy()
                final[b] = last[b] = y[b, k] = after = self.one_step(x[b, t], before)
                tape.append((b, k, t, before, after, k == ends[b] - 1))
        return (y if self.return_sequences else last), Cache(x, tape, (final,))

    def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, State]:
        x = cache.x
        shape = (*x.shape[:2], self.units) if self.return_sequences else (len(x), self.units)
        dy = np.zeros(shape) if dy is None else as_gradient(dy, shape, self.dtype, self.name)
        dh = np.zeros((len(x), self.units), self.dtype) if dstate is None else np.array(dstate[0], self.dtype)
        dx = np.zeros_like(x) if input_grad else None
        totals = {name: np.zeros_like(grad) for name, grad in self.grads.items()}
        for b, k, t, before, after, last in reversed(cache.tape):
            upstream = dy[b, k] if self.return_sequences else dy[b] * last
            dz = (upstream + dh[b]) * (1 - after * after)
            totals["weight_ih"] += np.outer(dz, x[b, t])
            totals["weight_hh"] += np.outer(dz, before)
            totals["bias"] += dz
            dh[b] = (dz[:, None] * self.params["weight_hh"]).sum(axis=0)
            if dx is not None:
                dx[b, t] = (dz[:, None] * self.params["weight_ih"]).sum(axis=0)
        for name, total in totals.items():
            self.grads[name] += total
        return dx, (dh,)

    def step(self, x_t: Any, state: Any = None) -> tuple[np.ndarray, State]:
        before = np.zeros((len(x_t), self.units), self.dtype) if state is None else state[0]
        after = np.array([self.one_step(x, h) for x, h in zip(x_t, before, strict=True)])
        return after, (after,)

    def trace(self, x: Any, names: Any, lengths: Any = None, state: Any = None) -> dict[str, np.ndarray]:
        """The states at the time of their input."""
        _, cache = self.forward(x, lengths, state)
        found = np.zeros((*np.shape(x)[:2], self.units), self.dtype)
        for b, _, t, _, after, _ in cache.tape:
            found[b, t] = after
        return {"h": found}
