"""What a JSON file of RTNeural says, checked before anything is made of it.

A file is ``{"in_shape": [..., I], "layers": [...]}``; a layer is ``{"type", "activation", "shape": [..., H],
"weights"}``, with its arrays as lists in Keras' order (RTNeural/model_loader.h, python/model_utils.py).  RTNeural
itself passes over what it does not know; here that is an error.

Legend: I input features, H units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError
from seqkit.limits import LIMITS, parse_json

TEXT = 128 << 20
"""Bytes of a file, which is all text here."""

MOST = 1000
"""Layers of a file."""

MODEL_KEYS = {"in_shape", "layers"}
LAYER_KEYS = {"type", "shape", "weights"}
OPTIONAL_KEYS = {"activation", "name"}

ACTIVATIONS = ("", "tanh", "relu", "sigmoid", "softmax", "elu")
KINDS = ("dense", "lstm", "gru", "activation", "prelu")
ALIASES = {"time-distributed-dense": "dense"}
REFUSED = {
    **dict.fromkeys(("conv1d", "conv1d_stateless", "conv2d"), "there is no such layer here"),
    **dict.fromkeys(("batchnorm", "batchnorm2d"), "there is no such layer here; fold it into its neighbour"),
    "unknown": "the program that wrote the file did not know it either",
}


@dataclass(frozen=True)
class Spec:
    """A layer of a file.

    Attributes
    ----------
    kind : str
        "dense", "lstm", "gru", "activation" or "prelu".
    units : int
        Number of outputs, H.
    activation : str
        One of `ACTIVATIONS`; of recurrent layers it is "".
    weights : tuple of ndarray
        In the file's order and layout, float64.
    """

    kind: str
    units: int
    activation: str
    weights: tuple[np.ndarray, ...]


def parse(data: bytes, owner: str) -> dict[str, Any]:
    """The JSON object in a file.

    A number takes up to 16 times as much memory as text; files with so many are refused beyond the usual limit.
    """
    limits = replace(LIMITS, text=TEXT, objects=LIMITS.objects + len(data))
    document = parse_json(data, owner, limits)
    if not isinstance(document, dict):
        raise LoadError(f"{owner}: not an RTNeural model: expected an object with in_shape and layers.")
    return document


def specs_of(document: dict[str, Any], owner: str) -> tuple[int, list[Spec]]:
    """Number of input features, and the layers.

    Raises
    ------
    LoadError
        If something is missing, of another type, or of another size than the rest of the file says.
    ConvertError
        If a layer cannot be represented here; the message lists all of them.
    """
    _check_keys(document, MODEL_KEYS, set(), owner)
    layers = document["layers"]
    if not isinstance(layers, list) or not 0 < len(layers) <= MOST:
        raise LoadError(f"{owner}: layers must be a list of 1 to {MOST} layers.")
    _refuse(layers, owner)
    features = size = _last(document["in_shape"], f"{owner}: in_shape")
    specs = []
    for number, layer in enumerate(layers):
        specs.append(_spec(layer, size, f"{owner}: layer {number}"))
        size = specs[-1].units
    return features, specs


def _refuse(layers: list[Any], owner: str) -> None:
    """Name everything at once that there is nothing for."""
    found = []
    for number, layer in enumerate(layers):
        kind = layer.get("type") if isinstance(layer, dict) else None
        if isinstance(kind, str) and kind in REFUSED:
            found.append(f"layer {number} is a {kind!r}, {REFUSED[kind]}")
    if found:
        raise ConvertError(f"{owner}: cannot be represented: {'; '.join(found)}.")


def _spec(layer: Any, features: int, owner: str) -> Spec:
    if not isinstance(layer, dict):
        raise LoadError(f"{owner}: expected an object with type, shape and weights.")
    kind = ALIASES.get(layer["type"], layer["type"]) if isinstance(layer.get("type"), str) else None
    if kind not in KINDS:
        known = ", ".join([*KINDS, *ALIASES])
        raise ConvertError(f"{owner}: the type {layer.get('type')!r:.80} is not known; expected one of {known}.")
    owner = f"{owner} ({kind})"
    _check_keys(layer, LAYER_KEYS, OPTIONAL_KEYS, owner)
    units, weights = _last(layer["shape"], f"{owner}: shape"), layer["weights"]
    shapes = _shapes(kind, features, units, weights)
    if not isinstance(weights, list) or len(weights) != len(shapes):
        raise LoadError(f"{owner}: expected {len(shapes)} arrays in weights.")
    arrays = [array(weights[place], shapes[place], f"{owner}: weights {place}") for place in range(len(shapes))]
    if kind in ("activation", "prelu") and units != features:
        raise LoadError(f"{owner}: shape says {units} outputs for {features} inputs, which must be as many.")
    return Spec(kind, units, _activation(kind, layer.get("activation", ""), owner), tuple(arrays))


def _shapes(kind: str, features: int, units: int, weights: Any) -> tuple[tuple[int, ...], ...]:
    """Shapes of the arrays of a layer."""
    match kind:
        case "dense":
            return (features, units), (units,)
        case "lstm":
            return (features, 4 * units), (units, 4 * units), (4 * units,)
        case "gru":
            return (features, 3 * units), (units, 3 * units), (2, 3 * units)
        case "prelu":
            match weights:
                case [[[_]]]:  # one slope for all
                    return ((1, 1),)
            return ((1, units),)
    return ()


def _activation(kind: str, name: Any, owner: str) -> str:
    if name not in ACTIVATIONS:
        names = ", ".join(repr(known) for known in ACTIVATIONS)
        raise ConvertError(f"{owner}: the activation {name!r:.80} is not known; expected one of {names}.")
    if kind in ("lstm", "gru"):
        if name not in ("", "tanh"):  # written by Keras, and passed over by RTNeural
            raise ConvertError(f"{owner}: the activation is {name!r}, but RTNeural always computes tanh.")
        return ""
    return str(name)


def _check_keys(value: dict[str, Any], needed: set[str], optional: set[str], owner: str) -> None:
    missing, unknown = needed - set(value), set(value) - needed - optional
    if missing:
        raise LoadError(f"{owner}: not what RTNeural writes: {', '.join(sorted(missing))} is missing.")
    if unknown:
        names = ", ".join(sorted(repr(name)[:40] for name in unknown)[:10])
        raise ConvertError(f"{owner}: {names} cannot be represented: RTNeural's format gives it no meaning.")


def _last(shape: Any, owner: str) -> int:
    """Features, which a shape (batch, time, features) or (batch, features) ends with."""
    match shape:
        case [*axes, int(size)] if size > 0 and len(axes) < 3 and type(size) is int:
            return size
        case [_, _, _, _]:
            raise ConvertError(f"{owner}: four axes are those of images, and there are only sequences here.")
    raise LoadError(f"{owner}: expected axes such as [null, null, 8], got {shape!r:.80}.")


def array(value: Any, shape: tuple[int, ...], owner: str) -> np.ndarray:
    """Lists of lists of numbers as an array, if they have this shape."""
    entries = [value]
    for size in shape:
        if any(not isinstance(entry, list) or len(entry) != size for entry in entries):
            raise LoadError(f"{owner}: expected numbers of the shape {shape}; the file is damaged or not RTNeural's.")
        entries = [inner for entry in entries for inner in entry]
    if any(type(entry) not in (int, float) for entry in entries):
        raise LoadError(f"{owner}: expected numbers alone.")
    return np.array(entries, dtype=np.float64).reshape(shape)


def of_dtype(numbers: np.ndarray, dtype: str, owner: str) -> np.ndarray:
    """Numbers of a file in the type of the model.

    Raises
    ------
    LoadError
        If one of them is too large for it.
    """
    with np.errstate(over="ignore"):
        converted = numbers.astype(dtype)
    if not np.isfinite(converted).all():
        raise LoadError(f"{owner} has numbers that are too large for {dtype}.")
    return converted
