"""What a table of dialects must do: read every format's weights so that the layer computes what the format says.

Legend: N batch, T time, F input features, H units, G gates.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

import seqkit
from seqkit.interop.reference import keras, onnx, torch

Arrays = dict[str, np.ndarray]
N, T, F, H = 4, 6, 3, 5
LENGTHS = np.array([6, 1, 4, 3])
GATES = {"lstm": 4, "peephole": 4, "gru": 3, "simple_rnn": 1}
BY_ROWS = ("torch", "onnx")
BIASES = {
    "one": ((), ("bias",)),
    "two": ((), ("bias", "recurrent_bias")),
    "any": ((), ("bias", "recurrent_bias"), ("bias",), ("recurrent_bias",)),
}


def prove(dialects: ModuleType) -> None:
    """Every row, read and written, with every form of biases."""
    for row in dialects.DIALECTS:
        for reset_after in row.resets or (True,):
            for number, biases in enumerate(BIASES[_biases(row.format, row.kind, reset_after)]):
                rng = np.random.default_rng([number, len(row.format), len(row.kind), reset_after])
                directions = [_draw(rng, row.format, row.kind, biases) for _ in range(2)]
                _prove_read(dialects, row, reset_after, directions, rng)
                for arrays in directions:
                    _prove_write(dialects.find(row.format, row.kind), reset_after, arrays)


def _biases(format: str, kind: str, reset_after: bool) -> str:
    """How many biases a layer of the format has."""
    if format in BY_ROWS:
        return "any"
    return "two" if kind == "gru" and reset_after else "one"


def _draw(rng: np.random.Generator, format: str, kind: str, biases: tuple[str, ...]) -> Arrays:
    """One direction's arrays in the shapes of the format."""
    rows = GATES[kind] * H
    shapes: dict[str, tuple[int, ...]] = {"kernel": (rows, F), "recurrent": (rows, H)}
    if format not in BY_ROWS:
        shapes = {name: shape[::-1] for name, shape in shapes.items()}
    shapes |= dict.fromkeys(biases, (rows,))
    if kind == "peephole":
        shapes["peepholes"] = (3 * H,)
    return {name: 0.7 * rng.standard_normal(shape) for name, shape in shapes.items()}


def _prove_read(
    dialects: ModuleType, row: Any, reset_after: bool, directions: list[Arrays], rng: np.random.Generator
) -> None:
    """Both directions of a layer, ragged, from random states, against the format's own equations."""
    read = [dialects.find(row.format, row.kind).read(**arrays, reset_after=reset_after) for arrays in directions]
    options: dict[str, Any] = {"reset_after": reset_after} if row.kind == "gru" else {}
    options |= {"use_bias": "bias" in read[0], "return_sequences": True, "return_state": True}
    layer = seqkit.Bidirectional(seqkit.create(row.kind, H, **options)).build(F, seed=0, dtype="float64")
    for name, params in zip(("forward", "backward"), read, strict=True):
        for key, array in params.items():
            layer.params[f"{name}.{key}"] = array
    x = rng.standard_normal((N, T, F))
    state = tuple(rng.standard_normal((N, H)) for _ in range(4 if row.kind in ("lstm", "peephole") else 2))
    y, final = layer(x, lengths=LENGTHS, state=state)
    for got, expected in zip(
        (y, *final), ANSWERS[row.format](row.kind, reset_after, directions, x, state), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def _prove_write(dialect: Any, reset_after: bool, arrays: Arrays) -> None:
    """Written is what was read, except that biases may be one sum."""
    params = dialect.read(**arrays, reset_after=reset_after)
    written = dialect.write(params, reset_after=reset_after)
    again = dialect.read(**written, reset_after=reset_after)
    assert again.keys() == params.keys()
    for name, array in params.items():
        np.testing.assert_array_equal(again[name], array)
    for name in arrays.keys() - {"bias", "recurrent_bias"}:
        np.testing.assert_array_equal(written[name], arrays[name])
    given, back = (sum(one.get(name, 0) for name in ("bias", "recurrent_bias")) for one in (arrays, written))
    np.testing.assert_allclose(back, given, rtol=0, atol=1e-15)
    if "bias" in params:
        has_second = dialect.format in BY_ROWS or (dialect.kind == "gru" and reset_after)
        assert ("recurrent_bias" in written) == has_second


# ---- the formats' own equations, given the arrays of both directions -------------------------


def _bias(arrays: Arrays, name: str) -> np.ndarray:
    rows = max(arrays["kernel"].shape[0], arrays["recurrent"].shape[0])
    return arrays.get(name, np.zeros(rows))


def _of_onnx(
    kind: str, reset_after: bool, directions: list[Arrays], x: np.ndarray, state: tuple[np.ndarray, ...]
) -> Iterator[np.ndarray]:
    count = len(state) // 2
    inputs: dict[str, Any] = {
        "X": x.swapaxes(0, 1),
        "W": np.stack([one["kernel"] for one in directions]),
        "R": np.stack([one["recurrent"] for one in directions]),
        "B": np.stack([np.concatenate([_bias(one, "bias"), _bias(one, "recurrent_bias")]) for one in directions]),
        "sequence_lens": LENGTHS,
        **{name: np.stack([state[i], state[count + i]]) for i, name in enumerate(("initial_h", "initial_c")[:count])},
        **({"P": np.stack([one["peepholes"] for one in directions])} if kind == "peephole" else {}),
        **({"linear_before_reset": int(reset_after)} if kind == "gru" else {}),
    }
    function = {"lstm": onnx.lstm, "peephole": onnx.lstm, "gru": onnx.gru, "simple_rnn": onnx.rnn}[kind]
    y, *finals = function(**inputs, direction="bidirectional")
    yield y.transpose(2, 0, 1, 3).reshape(N, T, 2 * H)
    yield from (final[d] for d in range(2) for final in finals)


def _of_torch(
    kind: str, reset_after: bool, directions: list[Arrays], x: np.ndarray, state: tuple[np.ndarray, ...]
) -> Iterator[np.ndarray]:
    names = {"kernel": "weight_ih", "recurrent": "weight_hh", "bias": "bias_ih", "recurrent_bias": "bias_hh"}
    weights = {
        f"{names[key]}_l0{suffix}": array
        for suffix, arrays in zip(("", "_reverse"), directions, strict=True)
        for key, array in arrays.items()
    }
    count = len(state) // 2
    initial = tuple(np.stack([state[i], state[count + i]]) for i in range(count))
    function = {"lstm": torch.lstm, "gru": torch.gru, "simple_rnn": torch.rnn}[kind]
    hx = initial if kind == "lstm" else initial[0]
    y, finals = function(x, weights, hx=hx, bidirectional=True, batch_first=True, lengths=LENGTHS)
    yield y
    yield from (final[d] for d in range(2) for final in (finals if kind == "lstm" else (finals,)))


def _of_keras(
    kind: str, reset_after: bool, directions: list[Arrays], x: np.ndarray, state: tuple[np.ndarray, ...]
) -> Iterator[np.ndarray]:
    name = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}[kind]
    config: dict[str, Any] = {"units": H, "activation": "tanh", "recurrent_activation": "sigmoid"}
    config |= {"return_sequences": True, "return_state": True, "go_backwards": False, "reset_after": reset_after}
    weights = []
    for arrays in directions:
        biases = [arrays[key] for key in ("bias", "recurrent_bias") if key in arrays]
        weights += [arrays["kernel"], arrays["recurrent"], *([np.stack(biases)] if len(biases) == 2 else biases)]
    layer = {"layer": {"class_name": name, "config": config}, "merge_mode": "concat"}
    yield from keras.bidirectional(layer, weights, x, np.arange(T) < LENGTHS[:, None], state)


ANSWERS = {"onnx": _of_onnx, "torch": _of_torch, "keras": _of_keras, "rtneural": _of_keras}
"""A format's equations: arrays of both directions to the output and the final states."""
