"""LSTM, GRU, SimpleRNN and Bidirectional of Keras 3, from their configurations and weights.

Legend: N batch, T time, I input features, U units, G gates.

x is (N, T, I) and `mask` (N, T), True where a step counts.  Weights are those of ``get_weights()``: kernel (I, G*U),
recurrent kernel (U, G*U), bias (G*U,), of a GRU with `reset_after` (2, G*U).  A masked step keeps the state, wherever
it is; its output is the one before it, or 0 with `zero_output_for_mask`.  `go_backwards` reads from the end of the
array, padding included, and gives outputs in the order of reading.

Source: https://keras.io/api/layers/recurrent_layers/, and for masks ``keras.backend.rnn``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqkit.interop.reference.functions import elu, erf, leaky_relu, relu, sigmoid, softplus, softsign

Array = np.ndarray
Config = Mapping[str, Any]
States = tuple[Array, ...]
Step = Callable[[Array, States], States]
"""x_t (N, I) and states (N, U) to the new states, whose first is the output."""


def _linear(x: Array) -> Array:
    return x


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def _silu(x: Array) -> Array:
    return x * sigmoid(x)


def _selu(x: Array) -> Array:
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def _leaky_relu(x: Array) -> Array:
    return leaky_relu(x, 0.2)


def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


def _mish(x: Array) -> Array:
    return x * np.tanh(softplus(x))


def _hard_tanh(x: Array) -> Array:
    return np.clip(x, -1, 1)


def _log_sigmoid(x: Array) -> Array:
    return -softplus(-x)


def _tanh_shrink(x: Array) -> Array:
    return x - np.tanh(x)


def _soft_shrink(x: Array) -> Array:
    return np.where(np.abs(x) > 0.5, x - np.sign(x) / 2, 0)


def _hard_shrink(x: Array) -> Array:
    return np.where(np.abs(x) > 0.5, x, 0)


def _squareplus(x: Array) -> Array:
    return (x + np.sqrt(x**2 + 4)) / 2


def _sparse_plus(x: Array) -> Array:
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x))


def _sparse_sigmoid(x: Array) -> Array:
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) / 2, 1))


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    **{"linear": _linear, "tanh": np.tanh, "sigmoid": sigmoid, "hard_sigmoid": _hard_sigmoid, "relu": relu},
    **{"softplus": softplus, "softsign": softsign, "elu": elu, "gelu": _gelu, "silu": _silu, "swish": _silu},
    **{"selu": _selu, "leaky_relu": _leaky_relu, "relu6": _relu6, "mish": _mish},
    **{"hard_tanh": _hard_tanh, "log_sigmoid": _log_sigmoid, "tanh_shrink": _tanh_shrink, "celu": elu},
    **{"soft_shrink": _soft_shrink, "hard_shrink": _hard_shrink, "squareplus": _squareplus},
    **{"sparse_plus": _sparse_plus, "sparse_sigmoid": _sparse_sigmoid},
    **{"exponential": np.exp, "hard_silu": lambda x: x * _hard_sigmoid(x)},
}
"""Activations by their names in a configuration."""


def lstm(
    config: Config, weights: Sequence[Array], x: Array, mask: Array | None = None, initial: States | None = None
) -> Any:
    """Output of an ``LSTM``; with `return_state`, (output, h, c)."""
    activation, recurrent_activation = _functions(config)
    kernel, recurrent, bias = _weights(weights)

    def step(x_t: Array, states: States) -> States:
        h, c = states
        i, f, g, o = np.split(x_t @ kernel + h @ recurrent + bias, 4, axis=1)
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        return recurrent_activation(o) * activation(c), c

    return _run(step, 2, config, x, mask, initial)


def gru(
    config: Config, weights: Sequence[Array], x: Array, mask: Array | None = None, initial: States | None = None
) -> Any:
    """Output of a ``GRU``; with `return_state`, (output, h)."""
    activation, recurrent_activation = _functions(config)
    kernel, recurrent, bias = _weights(weights)
    after = config["reset_after"]
    input_bias, recurrent_bias = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    (u_z, u_r, u_n), (b_z, b_r, b_n) = np.split(recurrent, 3, axis=1), np.split(recurrent_bias, 3)

    def step(x_t: Array, states: States) -> States:
        (h,) = states
        x_z, x_r, x_n = np.split(x_t @ kernel + input_bias, 3, axis=1)
        z = recurrent_activation(x_z + h @ u_z + b_z)
        r = recurrent_activation(x_r + h @ u_r + b_r)
        product = r * (h @ u_n + b_n) if after else (r * h) @ u_n
        return (z * h + (1 - z) * activation(x_n + product),)

    return _run(step, 1, config, x, mask, initial)


def simple_rnn(
    config: Config, weights: Sequence[Array], x: Array, mask: Array | None = None, initial: States | None = None
) -> Any:
    """Output of a ``SimpleRNN``; with `return_state`, (output, h)."""
    activation, _ = _functions(config)
    kernel, recurrent, bias = _weights(weights)
    return _run(
        lambda x_t, states: (activation(x_t @ kernel + bias + states[0] @ recurrent),), 1, config, x, mask, initial
    )


LAYERS = {"LSTM": lstm, "GRU": gru, "SimpleRNN": simple_rnn}
"""Layers by their class names in a configuration."""

MERGES: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": np.add,
    "mul": np.multiply,
    "ave": lambda a, b: (a + b) / 2,
}


def bidirectional(
    config: Config, weights: Sequence[Array], x: Array, mask: Array | None = None, initial: States | None = None
) -> Any:
    """Output of a ``Bidirectional``; with `return_state`, followed by the states of both directions.

    Both directions give 0 for masked steps where they return sequences, whatever their configuration says.
    """
    forward, half = config["layer"], len(weights) // 2
    backward = config.get("backward_layer") or {**forward, "config": {**forward["config"], "go_backwards": True}}
    results = []
    for layer, part, states in zip(
        (forward, backward), (weights[:half], weights[half:]), _halves(initial), strict=True
    ):
        options = {**layer["config"], "zero_output_for_mask": layer["config"]["return_sequences"]}
        result = LAYERS[layer["class_name"]](options, part, x, mask, states)
        results.append(result if isinstance(result, tuple) else (result,))
    (a, *first), (b, *second) = results
    b = b[:, ::-1] if forward["config"]["return_sequences"] else b
    merged = (a, b) if config["merge_mode"] is None else (MERGES[config["merge_mode"]](a, b),)
    outputs = (*merged, *first, *second)
    return outputs if len(outputs) > 1 else outputs[0]


def _halves(initial: States | None) -> tuple[States | None, States | None]:
    if initial is None:
        return None, None
    half = len(initial) // 2
    return initial[:half], initial[half:]


def _functions(config: Config) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    return FUNCTIONS[config["activation"]], FUNCTIONS[config.get("recurrent_activation", "sigmoid")]


def _weights(weights: Sequence[Array]) -> tuple[Array, Array, Array]:
    kernel, recurrent, *bias = (np.asarray(array, np.float64) for array in weights)
    return kernel, recurrent, bias[0] if bias else np.zeros(kernel.shape[1])


def _run(step: Step, count: int, config: Config, x: Array, mask: Array | None, initial: States | None) -> Any:
    """What the layer gives out, from `count` states."""
    x = np.asarray(x, np.float64)
    N, T, _ = x.shape
    mask = np.ones((N, T), bool) if mask is None else np.asarray(mask, bool)
    if config.get("go_backwards"):
        x, mask = x[:, ::-1], mask[:, ::-1]
    states = tuple(np.zeros((N, config["units"])) if initial is None else initial[i] for i in range(count))
    output = np.zeros((N, config["units"]))
    outputs = []
    for t in range(T):
        counts = mask[:, t, None]
        new = step(x[:, t], states)
        states = tuple(np.where(counts, fresh, old) for fresh, old in zip(new, states, strict=True))
        output = np.where(counts, new[0], 0 if config.get("zero_output_for_mask") else output)
        outputs.append(output)
    result = np.stack(outputs, axis=1) if config["return_sequences"] else output
    return (result, *states) if config["return_state"] else result
