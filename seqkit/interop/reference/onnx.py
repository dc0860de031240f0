"""LSTM, GRU and RNN of ONNX, every attribute and input of the operators (opset 1 to 22).

Legend: T time, N batch, I input features, H hidden size, D directions, G gates.

Inputs and outputs are as the specification has them: X (T, N, I), W (D, G*H, I), R (D, G*H, H), B (D, 2*G*H),
sequence_lens (N,), initial_h and initial_c (D, N, H), P (D, 3*H); Y (T, D, N, H), Y_h and Y_c (D, N, H).  With
layout 1, N comes before T and D.  What the specification leaves open is decided here, see ``docs/dialects.md``: `clip`
bounds the sums that enter the gates and not the cell state that enters h, a sequence of length 0 ends in its initial
state, and values of `activation_alpha` and `activation_beta` are taken in turn by those functions that have them.

Source: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html and onnx__RNN.html.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from seqkit.interop.reference.functions import elu, leaky_relu, relu, sigmoid, softplus, softsign
from seqkit.interop.reference.scan import Array, States, Step, scan

Given = Array | None
Function = Callable[[Array], Array]


def _affine(x: Array, alpha: float, beta: float) -> Array:
    return alpha * x + beta


def _thresholded_relu(x: Array, alpha: float) -> Array:
    return np.where(x >= alpha, x, 0)


def _scaled_tanh(x: Array, alpha: float, beta: float) -> Array:
    return alpha * np.tanh(beta * x)


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    return np.clip(alpha * x + beta, 0, 1)


FUNCTIONS: dict[str, tuple[Callable[..., Array], dict[str, float | None]]] = {
    "Relu": (relu, {}),
    "Tanh": (np.tanh, {}),
    "Sigmoid": (sigmoid, {}),
    "Affine": (_affine, {"alpha": 1.0, "beta": 0.0}),
    "LeakyRelu": (leaky_relu, {"alpha": 0.01}),
    "ThresholdedRelu": (_thresholded_relu, {"alpha": 1.0}),
    "ScaledTanh": (_scaled_tanh, {"alpha": None, "beta": None}),
    "HardSigmoid": (_hard_sigmoid, {"alpha": 0.2, "beta": 0.5}),
    "Elu": (elu, {"alpha": 1.0}),
    "Softsign": (softsign, {}),
    "Softplus": (softplus, {}),
}
"""Activations with the defaults of their alpha and beta; None is one that must be given."""


def activations_of(
    names: Sequence[str], alphas: Sequence[float] | None, betas: Sequence[float] | None
) -> list[Function]:
    """The functions; each takes the next alpha and beta if it has such."""
    values = {"alpha": iter(alphas or ()), "beta": iter(betas or ())}
    functions: list[Function] = []
    for name in names:
        function, defaults = FUNCTIONS[name]
        chosen = {key: next(values[key], default) for key, default in defaults.items()}
        if None in chosen.values():
            raise ValueError(
                f"{name} has no default for {', '.join(chosen)}; give activation_alpha and activation_beta"
            )
        functions.append(partial(function, **chosen))
    return functions


def lstm(
    X: Array,
    W: Array,
    R: Array,
    B: Given = None,
    sequence_lens: Given = None,
    initial_h: Given = None,
    initial_c: Given = None,
    P: Given = None,
    **options: Any,
) -> tuple[Array, Array, Array]:
    """Y, Y_h and Y_c.

    Attributes are direction, layout, hidden_size, activations, activation_alpha, activation_beta, clip and
    input_forget.
    """
    coupled = options.pop("input_forget", 0)

    def step_of(d: int, functions: list[Function], bound: Function) -> Step:
        f, g, h = functions
        w, r, b = _weights(d, W, R, B, gates=4)
        p_i, p_o, p_f = np.zeros((3, r.shape[1])) if P is None else np.split(_exact(P[d]), 3)

        def step(x: Array, states: States) -> States:
            old, c = states
            z_i, z_o, z_f, z_c = np.split(w @ x + r @ old + b[0] + b[1], 4)
            i = f(bound(z_i + p_i * c))
            forget = 1 - i if coupled else f(bound(z_f + p_f * c))
            c = forget * c + i * g(bound(z_c))
            o = f(bound(z_o + p_o * c))
            return o * h(c), c

        return step

    return _run(step_of, X, R, sequence_lens, [initial_h, initial_c], ("Sigmoid", "Tanh", "Tanh"), **options)


def gru(
    X: Array, W: Array, R: Array, B: Given = None, sequence_lens: Given = None, initial_h: Given = None, **options: Any
) -> tuple[Array, Array]:
    """Y and Y_h.

    Attributes are those of :func:`lstm` with linear_before_reset in place of input_forget.
    """
    after = options.pop("linear_before_reset", 0)

    def step_of(d: int, functions: list[Function], bound: Function) -> Step:
        f, g = functions
        w, r, b = _weights(d, W, R, B, gates=3)
        (r_z, r_r, r_h), (b_z, b_r, b_h) = np.split(r, 3), np.split(b[1], 3)

        def step(x: Array, states: States) -> States:
            (old,) = states
            x_z, x_r, x_h = np.split(w @ x + b[0], 3)
            z = f(bound(x_z + r_z @ old + b_z))
            reset = f(bound(x_r + r_r @ old + b_r))
            product = reset * (r_h @ old + b_h) if after else r_h @ (reset * old) + b_h
            return ((1 - z) * g(bound(x_h + product)) + z * old,)

        return step

    return _run(step_of, X, R, sequence_lens, [initial_h], ("Sigmoid", "Tanh"), **options)


def rnn(
    X: Array, W: Array, R: Array, B: Given = None, sequence_lens: Given = None, initial_h: Given = None, **options: Any
) -> tuple[Array, Array]:
    """Y and Y_h.

    Attributes are those of :func:`lstm` without input_forget.
    """

    def step_of(d: int, functions: list[Function], bound: Function) -> Step:
        w, r, b = _weights(d, W, R, B, gates=1)
        return lambda x, states: (functions[0](bound(w @ x + r @ states[0] + b[0] + b[1])),)

    return _run(step_of, X, R, sequence_lens, [initial_h], ("Tanh",), **options)


def _exact(array: Array) -> Array:
    return np.asarray(array, np.float64)


def _weights(d: int, W: Array, R: Array, B: Array | None, gates: int) -> tuple[Array, Array, Array]:
    """Weights of a direction, its biases as two rows."""
    rows = gates * R.shape[2]
    bias = np.zeros((2, rows)) if B is None else _exact(B[d]).reshape(2, rows)
    return _exact(W[d]), _exact(R[d]), bias


def _run(
    step_of: Callable[[int, list[Function], Function], Step],
    X: Array,
    R: Array,
    lengths: Array | None,
    initial: list[Array | None],
    defaults: tuple[str, ...],
    *,
    direction: str = "forward",
    layout: int = 0,
    hidden_size: int | None = None,
    activations: Sequence[str] | None = None,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    clip: float | None = None,
) -> Any:
    """Y and final states of all directions."""
    backwards = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[direction]
    D, H = len(backwards), R.shape[2]
    assert hidden_size in (None, H)
    functions = activations_of(activations or defaults * D, activation_alpha, activation_beta)
    limit = np.inf if clip is None else clip
    bound = partial(np.clip, a_min=-limit, a_max=limit)
    X = _exact(X).swapaxes(0, 1) if layout else _exact(X)
    T, N, _ = X.shape
    states = [np.zeros((D, N, H)) if state is None else _states_first(_exact(state), layout) for state in initial]
    lengths = np.full(N, T) if lengths is None else lengths
    Y = np.zeros((T, D, N, H))
    for d in range(D):
        step = step_of(d, functions[d * len(defaults) : (d + 1) * len(defaults)], bound)
        Y[:, d] = scan(step, X, lengths, [state[d] for state in states], backwards[d])
    return (Y.transpose(2, 0, 1, 3) if layout else Y), *(one.swapaxes(0, 1) if layout else one for one in states)


def _states_first(state: Array, layout: int) -> Array:
    """A copy (D, N, H)."""
    return np.array(state.swapaxes(0, 1) if layout else state)
