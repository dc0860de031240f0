"""A model as a JSON file of RTNeural, in the form that its Python scripts write of Keras models."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqkit import checkpoint
from seqkit.errors import ConvertError
from seqkit.interop.dialects import find
from seqkit.interop.rtneural.schema import ACTIVATIONS
from seqkit.layer import Layer
from seqkit.model import Sequential

RECURRENT = {
    **{"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True, "return_sequences": True},
    **{"go_backwards": False, "zoneout": 0.0, "initial_state": "zeros", "precision": None},
}
"""What RTNeural's recurrent layers compute, in words of ours."""


def to_rtneural(model: Sequential | Layer, path: str | os.PathLike[str]) -> None:
    """Write a model to a JSON file that RTNeural reads.

    Parameters
    ----------
    model : Sequential or Layer
        Of LSTM, GRU (reset_after), Dense and activations, each of which gives an output for every step.  Dropout is
        left out, as it is outside training; a missing bias is written as 0.
    path : str or path-like
        Name of the file; one that exists is replaced when the new one is whole.

    Raises
    ------
    ConvertError
        If RTNeural has no such layer or option; the message names the layer.

    Notes
    -----
    Numbers are written with all their digits: :func:`from_rtneural` gives the same bits.

    Examples
    --------
    >>> import tempfile
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.LSTM(8, return_sequences=True, input_shape=(None, 1)), seqkit.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_rtneural(model, folder + "/amplifier.json")
    ...     again = seqkit.interop.from_rtneural(folder + "/amplifier.json")
    >>> bool((again.params["0.weight_hh"] == model.params["0.weight_hh"]).all())
    True
    """
    layers = [model] if isinstance(model, Layer) else getattr(model, "layers", None)
    if not layers:
        raise ConvertError(f"{type(model).__name__}: only models made of layers can be written for RTNeural.")
    written = [_written(layer, f"layer {number} ({layer.name})") for number, layer in enumerate(layers)]
    shape = [None, None, layers[0].input_size]
    document = {"in_shape": shape, "layers": [layer for layer in written if layer is not None]}
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        raise ConvertError("NaN and infinite parameters cannot be written to a JSON file.") from None
    checkpoint.replace(Path(path), text.encode())


def _written(layer: Layer, owner: str) -> dict[str, Any] | None:
    """A layer as RTNeural has it; None for one that does nothing outside training."""
    if layer.training_only:
        return None
    if layer.name not in WRITERS:
        names = ", ".join(WRITERS)
        raise ConvertError(f"{owner}: RTNeural has no such layer; it has {names}.")
    kind, activation, arrays = WRITERS[layer.name](layer, owner)
    weights = [array.astype(np.float64).tolist() for array in arrays]
    return {"type": kind, "activation": activation, "shape": [None, None, layer.output_size], "weights": weights}


Written = tuple[str, str, list[np.ndarray]]


def _dense(layer: Any, owner: str) -> Written:
    bias = layer.params["bias"] if layer.use_bias else np.zeros(layer.units)
    return "dense", _name(layer.activation, owner), [layer.params["weight"].T, bias]


def _activation(layer: Any, owner: str) -> Written:
    return "activation", _name(layer.activation, owner), []


def _prelu(layer: Any, owner: str) -> Written:
    return "prelu", "", [layer.params["alpha"][None]]


def _recurrent(layer: Any, owner: str) -> Written:
    config = layer.config()
    for option, value in RECURRENT.items():
        if not _same(config.get(option, value), value):
            raise ConvertError(
                f"{owner}: {option}={config[option]!r} cannot be represented; RTNeural's is {value!r} for every layer."
            )
    arrays = find("rtneural", layer.name).write(layer.params)
    kernel, recurrent = arrays["kernel"], arrays["recurrent"]
    zeros = np.zeros(kernel.shape[1])
    biases = [arrays.get("bias", zeros)]
    if layer.name == "gru":
        biases.append(arrays.get("recurrent_bias", zeros))
    return layer.name, "", [kernel, recurrent, np.squeeze(np.stack(biases))]


WRITERS = {"dense": _dense, "lstm": _recurrent, "gru": _recurrent, "activation": _activation, "prelu": _prelu}


def _same(given: Any, value: Any) -> bool:
    """Whether an option has this value, for all states where it may be one for each."""
    return all(one == value for one in given.values()) if isinstance(given, Mapping) else given == value


def _name(activation: str | None, owner: str) -> str:
    name = "" if activation in (None, "linear") else str(activation)
    if name not in ACTIVATIONS:
        raise ConvertError(f"{owner}: RTNeural has no activation {name!r}; it has {', '.join(ACTIVATIONS[1:])}.")
    return name
