"""nn.LSTM, nn.GRU and nn.RNN of PyTorch, from their state dicts.

Legend: T time, N batch, I input features, H hidden size, P size of the output (proj_size or H), D directions, L layers.

x is (T, N, I), or (N, T, I) with `batch_first`; outputs (T, N, D*P) likewise; states (D*L, N, P) and (D*L, N, H),
always batch second, layer after layer and in each of them forward before backward.  With `lengths` the batch is as if
packed: every direction runs inside the length, a final state is that of the last step read, and outputs after the end
are 0.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html, torch.nn.GRU.html and torch.nn.RNN.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqkit.interop.reference.functions import relu, sigmoid
from seqkit.interop.reference.scan import Array, States, Step, scan


class _Weights:
    """The arrays of one direction of one layer; biases that are not there are 0."""

    def __init__(self, state_dict: Mapping[str, Any], prefix: str, layer: int, direction: int) -> None:
        suffix = f"l{layer}{'_reverse' * direction}"
        arrays = {
            name: np.asarray(state_dict[key], np.float64)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            if (key := f"{prefix}{name}_{suffix}") in state_dict
        }
        self.w, self.u = arrays["weight_ih"], arrays["weight_hh"]
        self.b_w, self.b_u = (arrays.get(name, np.zeros(len(self.w))) for name in ("bias_ih", "bias_hh"))
        self.projection = arrays.get("weight_hr")


def _lstm(weights: _Weights) -> Step:
    def step(x: Array, states: States) -> States:
        h, c = states
        i, f, g, o = np.split(weights.w @ x + weights.b_w + weights.u @ h + weights.b_u, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        return h if weights.projection is None else weights.projection @ h, c

    return step


def _gru(weights: _Weights) -> Step:
    def step(x: Array, states: States) -> States:
        (h,) = states
        x_r, x_z, x_n = np.split(weights.w @ x + weights.b_w, 3)
        h_r, h_z, h_n = np.split(weights.u @ h + weights.b_u, 3)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        return ((1 - z) * np.tanh(x_n + r * h_n) + z * h,)

    return step


def _rnn(nonlinearity: str) -> Callable[[_Weights], Step]:
    function: Callable[[Array], Array] = np.tanh if nonlinearity == "tanh" else relu

    def step_of(weights: _Weights) -> Step:
        return lambda x, states: (function(weights.w @ x + weights.b_w + weights.u @ states[0] + weights.b_u),)

    return step_of


def lstm(
    x: Array, state_dict: Mapping[str, Any], *, hx: Sequence[Array] | None = None, **options: Any
) -> tuple[Array, tuple[Array, Array]]:
    """Output and (h, c), as ``nn.LSTM`` gives them; `hx` is the pair (h_0, c_0).  With ``weight_hr`` h is projected.

    Options are layers, bidirectional, batch_first, lengths, and a prefix of the names in `state_dict`.
    """
    y, (h, c) = _run(_lstm, x, state_dict, (None, None) if hx is None else hx, **options)
    return y, (h, c)


def gru(x: Array, state_dict: Mapping[str, Any], *, hx: Array | None = None, **options: Any) -> tuple[Array, Array]:
    """Output and h, as ``nn.GRU`` gives them; options as for :func:`lstm`."""
    y, (h,) = _run(_gru, x, state_dict, (hx,), **options)
    return y, h


def rnn(
    x: Array,
    state_dict: Mapping[str, Any],
    *,
    nonlinearity: str = "tanh",
    hx: Array | None = None,
    **options: Any,
) -> tuple[Array, Array]:
    """Output and h, as ``nn.RNN`` gives them; options as for :func:`lstm`."""
    y, (h,) = _run(_rnn(nonlinearity), x, state_dict, (hx,), **options)
    return y, h


def _run(
    step_of: Callable[[_Weights], Step],
    x: Array,
    state_dict: Mapping[str, Any],
    initial: Sequence[Array | None],
    *,
    layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    lengths: Sequence[int] | None = None,
    prefix: str = "",
) -> tuple[Array, list[Array]]:
    """Output of the last layer, final states of all."""
    y = np.asarray(x, np.float64)
    y = y.swapaxes(0, 1) if batch_first else y
    lengths = [len(y)] * y.shape[1] if lengths is None else lengths
    finals: list[list[Array]] = [[] for _ in initial]
    for layer in range(layers):
        outputs = []
        for direction in range(1 + bidirectional):
            weights = _Weights(state_dict, prefix, layer, direction)
            index = len(finals[0])
            sizes = (weights.u.shape[1], len(weights.w) // 4)  # of the state that is given out, and of the LSTM's c
            states = [
                np.zeros((y.shape[1], size)) if one is None else np.array(one[index], np.float64)
                for one, size in zip(initial, sizes, strict=False)
            ]
            outputs.append(scan(step_of(weights), y, lengths, states, backwards=direction == 1))
            for final, state in zip(finals, states, strict=True):
                final.append(state)
        y = np.concatenate(outputs, axis=2)
    return y.swapaxes(0, 1) if batch_first else y, [np.stack(final) for final in finals]
