"""Run a case of ``peer_cases.py`` through seqkit's public layers and compare.

The measure is the largest absolute difference of an array, of gradients relative to max(1, |expected|)
element by element.  float64 stands against float64; float32 stands against the peer's float64 and,
where there is one, its float32.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from peer_cases import Arrays, Case, Spec

import seqkit

TOLERANCE = {"float64": 1e-12, "float32": 2e-6}


def check(case: Case, dtype: str) -> None:
    """Assert that seqkit's layers give every expected array of a case, and no other."""
    got = run_layers(case.spec, case.given, dtype)
    assert got.keys() == case.expected["float64"].keys()
    compare(case, got, dtype)


def check_sequential(case: Case, dtype: str) -> None:
    """Assert y, and the gradients of its loss, of a Sequential; it takes no initial state."""
    assert not case.spec.initial
    got = run_sequential(case.spec, case.given, dtype)
    first = {
        precision: {name: array[0] if name.startswith("grad/") else array for name, array in expected.items()}
        for precision, expected in case.expected.items()
    }
    compare(replace(case, expected=first), got, dtype)


def compare(case: Case, got: Arrays, dtype: str) -> None:
    """Assert that all of `got` is as expected, within the tolerance of the precision."""
    peers = case.expected if dtype == "float32" else {"float64": case.expected["float64"]}
    lines = []
    for precision, expected in peers.items():
        for name in got.keys() & expected.keys():
            assert got[name].dtype == dtype, f"{name} is {got[name].dtype}, expected {dtype}"
            assert got[name].shape == expected[name].shape, f"{name}: {got[name].shape}, not {expected[name].shape}"
            error = difference(name, got[name], expected[name])
            if not error <= TOLERANCE[dtype]:  # NaN is wrong too
                lines.append(f"{name}: {error:.2e} from {case.source[precision]}")
    assert not lines, "\n".join([f"{case.spec}, {dtype}: beyond {TOLERANCE[dtype]:.0e}", *sorted(lines)])


def difference(name: str, got: np.ndarray, expected: np.ndarray) -> float:
    """The measure of the module's text."""
    scale = np.maximum(1.0, abs(expected)) if name.startswith("grad/") else 1.0
    return float(np.max(abs(got.astype(np.float64) - expected) / scale))


def run_layers(spec: Spec, given: Arrays, dtype: str) -> Arrays:
    """What seqkit's layers make of a case, under the names of its `expected` arrays."""
    given = {name: array.astype(dtype) for name, array in given.items()}
    layers = [_layer(spec, k, given, dtype) for k in range(spec.layers)]
    rows: list[Arrays] = []
    for loss in spec.losses:
        values, caches = _forward(spec, layers, given)
        rows.append(_backward(spec, layers, caches, given, loss))
    return {**values, **{f"grad/{name}": np.stack([row[name] for row in rows]) for name in rows[0]}}


def run_sequential(spec: Spec, given: Arrays, dtype: str) -> Arrays:
    """y, and the gradients of x and the parameters for the loss of y."""
    given = {name: array.astype(dtype) for name, array in given.items()}
    layers = [_layer(spec, k, given, dtype) for k in range(spec.layers)]
    model = seqkit.Sequential(layers, dtype=dtype)
    y, caches = model.forward(given["x"], _lengths(spec))
    dx = model.backward(given["upstream/y"], caches, input_grad=True)
    grads = [_grads(spec, k, layer) for k, layer in enumerate(layers)]
    return {"y": y, "grad/x": dx, **{f"grad/{name}": grad for part in grads for name, grad in part.items()}}


def _layer(spec: Spec, k: int, given: Arrays, dtype: str) -> Any:
    """Layer `k` of the stack with the parameters of the case."""
    both = len(spec.directions) == 2
    layer = _cell(spec, go_backwards=spec.directions == ("reverse",))
    if both:
        layer = seqkit.Bidirectional(layer, merge_mode="concat")
    layer.build(spec.units * len(spec.directions) if k else spec.inputs, dtype=dtype)
    for at, cell in _cells(spec, k, layer).items():
        prefix = f"params/{at}/"
        params = {name.removeprefix(prefix): array for name, array in given.items() if name.startswith(prefix)}
        assert set(cell.params) == set(params)
        for name, array in params.items():
            cell.params[name] = array
    return layer


def _cell(spec: Spec, **options: Any) -> Any:
    options["return_sequences"] = True
    match spec.cell.split("_"):
        case ["lstm"]:
            return seqkit.LSTM(spec.units, **options)
        case ["peephole"]:
            return seqkit.PeepholeLSTM(spec.units, **options)
        case ["gru", *before]:
            return seqkit.GRU(spec.units, reset_after=not before, **options)
        case ["rnn", activation]:
            return seqkit.SimpleRNN(spec.units, activation=activation, **options)
    raise ValueError(spec.cell)


def _cells(spec: Spec, k: int, layer: Any) -> dict[str, Any]:
    """The cells of layer `k` by place."""
    both = len(spec.directions) == 2
    cells = [layer.forward_layer, layer.backward_layer] if both else [layer]
    return dict(zip(_places(spec, k), cells, strict=True))


def _places(spec: Spec, k: int) -> list[str]:
    return [f"{k}/{direction}" for direction in spec.directions]


def _lengths(spec: Spec) -> np.ndarray | None:
    return None if spec.lengths is None else np.array(spec.lengths)


def _grads(spec: Spec, k: int, layer: Any) -> Arrays:
    """A copy of the gradients of the parameters of layer `k`."""
    cells = _cells(spec, k, layer).items()
    return {f"params/{at}/{name}": grad.copy() for at, cell in cells for name, grad in cell.grads.items()}


def _state(spec: Spec, k: int, given: Arrays, prefix: str) -> tuple[np.ndarray, ...]:
    """State of layer `k`: (h, c), and of both directions (h, c, h, c)."""
    return tuple(given[f"{prefix}/{at}/{state}"] for at in _places(spec, k) for state in spec.states)


def _named_state(spec: Spec, k: int, arrays: tuple[np.ndarray, ...], prefix: str) -> Arrays:
    names = [f"{prefix}/{at}/{state}" for at in _places(spec, k) for state in spec.states]
    return dict(zip(names, arrays, strict=True))


def _forward(spec: Spec, layers: list[Any], given: Arrays) -> tuple[Arrays, list[Any]]:
    """Output and final states of the stack, and the caches of its layers."""
    y, caches = given["x"], []
    finals: Arrays = {}
    for k, layer in enumerate(layers):
        y, cache = layer.forward(y, _lengths(spec), _state(spec, k, given, "state") if spec.initial else None)
        caches.append(cache)
        finals |= _named_state(spec, k, cache.state, "final")
    return {"y": _turn(spec, y), **finals}, caches


def _turn(spec: Spec, y: np.ndarray) -> np.ndarray:
    """Between the order of reading, in which `go_backwards` gives its outputs, and that of time."""
    if spec.directions != ("reverse",):
        return y
    turned = y.copy()
    for row, length in enumerate(spec.inside.sum(axis=1)):
        turned[row, :length] = y[row, :length][::-1]
    return turned


def _backward(spec: Spec, layers: list[Any], caches: list[Any], given: Arrays, loss: str) -> Arrays:
    """Gradients of the loss that looks at `loss` alone."""
    dy = _turn(spec, given["upstream/y"]) if loss == "y" else np.zeros_like(given["upstream/y"])
    upstream = {name: array * name.endswith(f"/{loss}") for name, array in given.items() if name != "upstream/y"}
    grads: Arrays = {}
    for k, layer in reversed(list(enumerate(layers))):
        layer.zero_grads()
        dstate = None if loss == "y" else _state(spec, k, upstream, "upstream")
        dy, initial = layer.backward(dy, caches[k], dstate=dstate)
        grads |= _named_state(spec, k, initial, "state")
        grads |= _grads(spec, k, layer)
    return {"x": dy, **grads}
