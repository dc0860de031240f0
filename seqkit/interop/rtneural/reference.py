r"""RTNeural's equations in float64 NumPy, on the arrays of its files: what the model made of them is compared with.

Written from the forward functions of RTNeural's layers without a backend (dense.h, lstm.h, gru.h, activation.h),
and in its order of gates.  A layer sees one sample at a time and gives an output for each.

Legend: B batch, T time, H units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seqkit.interop.rtneural.schema import Spec


def run(specs: Sequence[Spec], x: np.ndarray) -> np.ndarray:
    """Outputs (B, T, H) of all layers for sequences (B, T, I) that each begin after a reset."""
    y = np.asarray(x, dtype=np.float64)
    for spec in specs:
        y = LAYERS[spec.kind](y, *spec.weights)
        y = _activated(y, spec.activation)
    return y


def _dense(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return x @ weights + bias


def _lstm(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Columns are those of i, f, c and o; :math:`c' = i \tanh(W_c x + U_c h + b_c) + f c`, :math:`h' = o \tanh c'`."""
    h = c = np.zeros((len(x), len(U)))
    outputs = np.empty((*x.shape[:2], len(U)))
    for t in range(x.shape[1]):
        i, f, candidate, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=-1)
        c = _sigmoid(i) * np.tanh(candidate) + _sigmoid(f) * c
        outputs[:, t] = h = _sigmoid(o) * np.tanh(c)
    return outputs


def _gru(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Columns: z, r and c; :math:`c = \tanh(W_c x + b_{0c} + r (U_c h + b_{1c}))`, :math:`h' = (1 - z) c + z h`.

    Row 0 of b is added to the input's part, row 1 to the state's.
    """
    h = np.zeros((len(x), len(U)))
    outputs = np.empty((*x.shape[:2], len(U)))
    for t in range(x.shape[1]):
        zx, rx, cx = np.split(x[:, t] @ W + b[0], 3, axis=-1)
        zh, rh, ch = np.split(h @ U + b[1], 3, axis=-1)
        z, r = _sigmoid(zx + zh), _sigmoid(rx + rh)
        outputs[:, t] = h = (1 - z) * np.tanh(cx + r * ch) + z * h
    return outputs


def _prelu(x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, x, x * slopes[0])


def _unchanged(x: np.ndarray) -> np.ndarray:
    return x


LAYERS: dict[str, Callable[..., np.ndarray]] = {
    **{"dense": _dense, "lstm": _lstm, "gru": _gru},
    **{"activation": _unchanged, "prelu": _prelu},
}


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _activated(x: np.ndarray, name: str) -> np.ndarray:
    if name == "softmax":
        powers = np.exp(x - x.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    if name == "elu":
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    if name == "relu":
        return np.maximum(x, 0)
    if name == "tanh":
        return np.tanh(x)
    return _sigmoid(x) if name == "sigmoid" else x
