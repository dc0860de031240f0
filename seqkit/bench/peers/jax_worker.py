"""JAX, which has no recurrent layers: the equations in ``lax.scan``, compiled, as its users write them.

The products with the input are taken out of the loop; differentiated by ``jax.grad``.  JAX takes
as many threads as there are processors, so the process is confined to that many.

Legend: B batch, T time, I input features, H units, G gates.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from seqkit.bench.peers.protocol import Arrays, Prepare, Run, by_direction, full_precision, serve

State = tuple[Any, ...]
Equations = Callable[[Any, Any, Any, State], State]
"""Takes JAX, parameters, W x + b of all gates (B, G*H) and the states; gives the states, the output first."""


def simple_rnn(jax: Any, p: Any, z: Any, state: State) -> State:
    """A tanh layer."""
    (h,) = state
    return (jax.numpy.tanh(z + h @ p["weight_hh"].T),)


def lstm(jax: Any, p: Any, z: Any, state: State) -> State:
    """Gates i f g o."""
    h, c = state
    i, f, g, o = jax.numpy.split(z + h @ p["weight_hh"].T, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    return jax.nn.sigmoid(o) * jax.numpy.tanh(c), c


def peephole(jax: Any, p: Any, z: Any, state: State) -> State:
    """The LSTM whose gates see the cell: i and f the old one, o the new one."""
    h, c = state
    i, f, g, o = jax.numpy.split(z + h @ p["weight_hh"].T, 4, axis=-1)
    see_i, see_f, see_o = p["weight_ch"]
    c = jax.nn.sigmoid(f + see_f * c) * c + jax.nn.sigmoid(i + see_i * c) * jax.numpy.tanh(g)
    return jax.nn.sigmoid(o + see_o * c) * jax.numpy.tanh(c), c


def gru(jax: Any, p: Any, z: Any, state: State) -> State:
    """Gates r z n, the reset after the product."""
    (h,) = state
    (r, u, n), (to_r, to_u, to_n) = (jax.numpy.split(part, 3, axis=-1) for part in (z, h @ p["weight_hh"].T))
    update = jax.nn.sigmoid(u + to_u)
    candidate = jax.numpy.tanh(n + jax.nn.sigmoid(r + to_r) * (to_n + p["bias_hn"]))
    return ((1 - update) * candidate + update * h,)


CELLS: dict[str, tuple[Equations, int]] = {
    "simple_rnn": (simple_rnn, 1), "lstm": (lstm, 2), "peephole": (peephole, 2), "gru": (gru, 1),
}  # fmt: skip
"""Equations and number of states."""


def load(threads: int) -> tuple[str, Prepare]:
    """Import JAX, confined to so many processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["JAX_PLATFORMS"] = "cpu"
    jax: Any = import_module("jax")
    jax.config.update("jax_enable_x64", True)  # allows float64; float32 stays float32
    return f"JAX {jax.__version__}", partial(prepare, jax)


def prepare(jax: Any, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time."""
    if case["cell"] not in CELLS:
        raise NotImplementedError(f"the equations of {case['cell']} are not written down for it")
    full_precision(case)
    if case["mode"] == "streams":
        raise NotImplementedError("its arrays cannot be changed in place, as states of streams must be")
    params = jax.tree.map(jax.numpy.asarray, by_direction(arrays))
    x, dy = (jax.numpy.asarray(arrays[name].transpose(1, 0, 2)) for name in ("x", "dy"))
    if case["mode"] == "step":
        return _step(jax, case, params["forward"], x)
    outputs = partial(_outputs, jax, case["cell"], inside=_inside(arrays))
    return _train(jax, outputs, params, x, dy) if case["mode"] == "train" else _infer(jax, outputs, params, x)


def _inside(arrays: Arrays) -> np.ndarray | None:
    """Which steps (T, B, 1) are inside their sequence; None where all are."""
    if "lengths" not in arrays:
        return None
    inside: np.ndarray = np.arange(arrays["x"].shape[1])[:, None, None] < arrays["lengths"][:, None]
    return inside


def _outputs(jax: Any, cell: str, params: Any, x: Any, inside: np.ndarray | None) -> Any:
    """Outputs (T, B, D*H) of all directions; JAX keeps dictionaries in alphabetical order."""
    directions = [name for name in ("forward", "backward") if name in params]
    found = [_scan(jax, cell, params[name], x, inside, name == "backward") for name in directions]
    return jax.numpy.concatenate(found, axis=-1)


def _scan(jax: Any, cell: str, p: Any, x: Any, inside: np.ndarray | None, reverse: bool) -> Any:
    """Outputs of one direction; past the end of a sequence its state stays as it is and its output is 0."""
    step, count = CELLS[cell]

    def body(state: State, now: Any) -> tuple[State, Any]:
        z, valid = now
        new = step(jax, p, z, state)
        if valid is None:
            return new, new[0]
        kept = tuple(jax.numpy.where(valid, b, a) for a, b in zip(state, new, strict=True))
        return kept, jax.numpy.where(valid, new[0], 0)

    initial = (jax.numpy.zeros((x.shape[1], p["weight_hh"].shape[1]), x.dtype),) * count
    z = x @ p["weight_ih"].T + p["bias"]
    return jax.lax.scan(body, initial, (z, inside), reverse=reverse)[1]


def _infer(jax: Any, outputs: Any, params: Any, x: Any) -> tuple[Arrays, Run]:
    compiled = jax.jit(outputs)
    return {"y": _array(compiled(params, x))}, lambda: jax.block_until_ready(compiled(params, x))


def _train(jax: Any, outputs: Any, params: Any, x: Any, dy: Any) -> tuple[Arrays, Run]:
    def loss(params: Any) -> Any:
        y = outputs(params, x)
        return (y * dy).sum(), y

    compiled = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, y), grads = compiled(params)
    named = {f"{direction}.{name}": np.asarray(g) for direction, own in grads.items() for name, g in own.items()}
    return {"y": _array(y)} | named, lambda: jax.block_until_ready(compiled(params))


def _step(jax: Any, case: dict[str, Any], p: Any, x: Any) -> tuple[Arrays, Run]:
    equations, count = CELLS[case["cell"]]
    compiled = jax.jit(lambda p, x_t, state: equations(jax, p, x_t @ p["weight_ih"].T + p["bias"], state))
    state: State = (jax.numpy.zeros((case["batch"], case["units"]), x.dtype),) * count
    outputs = []
    for x_t in x:
        state = compiled(p, x_t, state)
        outputs.append(np.asarray(state[0]))
    first = x[0]

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(p, first, state))

    return {"y": np.stack(outputs, axis=1)}, run


def _array(y: Any) -> np.ndarray:
    return np.asarray(y).transpose(1, 0, 2)


if __name__ == "__main__":
    serve(load)
