"""The built-in cells as their papers have them: loops over single sequences in NumPy.

They share nothing with seqkit but the layout of the parameters, so that an equation that is
wrong in a cell is found, and not only the engine's disagreement with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from seqkit.testing.checks.values import assert_values
from seqkit.testing.data import Data, Make

Results = tuple[np.ndarray, tuple[np.ndarray, ...]]


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _run(layer: Any, data: Data, step: Callable[..., tuple[np.ndarray, ...]]) -> Results:
    """Outputs at the time of their input, and final states."""
    y = np.zeros((*data.x.shape[:2], data.state[0].shape[1]))
    finals = [np.array(s) for s in data.state]
    for row, n in enumerate(data.lengths):
        state = [s[row] for s in data.state]
        for t in range(n)[:: -1 if layer.go_backwards else 1]:
            state = list(step(data.x[row, t], *state))
            y[row, t] = state[0]
        for final, s in zip(finals, state, strict=True):
            final[row] = s
    return y, tuple(finals)


def _gates(layer: Any) -> tuple[Iterator[np.ndarray], ...]:
    """W, U and b of every gate in order."""
    bias = layer.params.get("bias", np.zeros(len(layer.params["weight_ih"])))
    blocks = (layer.params["weight_ih"], layer.params["weight_hh"], bias)
    return tuple(block.reshape(-1, layer.units, *block.shape[1:]) for block in blocks)  # type: ignore[return-value]


def simple_rnn(layer: Any, data: Data) -> Results:
    """Elman, 1990."""
    (w,), (u,), (b,) = _gates(layer)
    return _run(layer, data, lambda x, h: (np.tanh(w @ x + u @ h + b),))


def lstm(layer: Any, data: Data) -> Results:
    """Gers, Schmidhuber and Cummins, 2000."""
    (wi, wf, wg, wo), (ui, uf, ug, uo), (bi, bf, bg, bo) = _gates(layer)

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
        c = logistic(wf @ x + uf @ h + bf) * c + logistic(wi @ x + ui @ h + bi) * np.tanh(wg @ x + ug @ h + bg)
        return logistic(wo @ x + uo @ h + bo) * np.tanh(c), c

    return _run(layer, data, step)


def projected_lstm(layer: Any, data: Data) -> Results:
    """Sak, Senior and Beaufays, 2014, without peepholes: what recurs is projected, the cell is not."""
    (wi, wf, wg, wo), (ui, uf, ug, uo), (bi, bf, bg, bo) = _gates(layer)
    projection = layer.params["weight_hr"]

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
        c = logistic(wf @ x + uf @ h + bf) * c + logistic(wi @ x + ui @ h + bi) * np.tanh(wg @ x + ug @ h + bg)
        return projection @ (logistic(wo @ x + uo @ h + bo) * np.tanh(c)), c

    return _run(layer, data, step)


def peephole(layer: Any, data: Data) -> Results:
    """Gers, Schraudolph and Schmidhuber, 2002: the output gate sees the new cell."""
    (wi, wf, wg, wo), (ui, uf, ug, uo), (bi, bf, bg, bo) = _gates(layer)
    pi, pf, po = layer.params["weight_ch"]

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
        i, f = logistic(wi @ x + ui @ h + pi * c + bi), logistic(wf @ x + uf @ h + pf * c + bf)
        new = f * c + i * np.tanh(wg @ x + ug @ h + bg)
        return logistic(wo @ x + uo @ h + po * new + bo) * np.tanh(new), new

    return _run(layer, data, step)


def gru(layer: Any, data: Data) -> Results:
    """Cho et al., 2014, with the reset before the product as there, or after it as in CuDNN."""
    (wr, wz, wn), (ur, uz, un), (br, bz, bn) = _gates(layer)
    bias = layer.params.get("bias_hn", 0.0)

    def step(x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
        r, z = logistic(wr @ x + ur @ h + br), logistic(wz @ x + uz @ h + bz)
        recurrent = r * (un @ h + bias) if layer.cell.reset_after else un @ (r * h)
        return (z * h + (1 - z) * np.tanh(wn @ x + recurrent + bn),)

    return _run(layer, data, step)


OTHER_EQUATIONS = {"activation", "recurrent_activation", "output_activation", "forget_gate"}
PAPERS: dict[str, Callable[[Any, Data], Results]] = {
    "simple_rnn": simple_rnn,
    "lstm": lstm,
    "projected_lstm": projected_lstm,
    "peephole": peephole,
    "gru": gru,
}


def check_paper(make: Make) -> None:
    """Outputs and final states are those of the paper's formulas."""
    layer = make("float64")
    if layer.name in PAPERS and not OTHER_EQUATIONS & set(layer.options):
        data = Data.draw(layer)
        y, final = PAPERS[layer.name](layer, data)
        assert_values(layer, data, y, final, "paper")
