"""A model from a JSON file of RTNeural."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqkit import activations
from seqkit.errors import ConvertError
from seqkit.initializers import replaced
from seqkit.interop.dialects import find
from seqkit.interop.imported import Arrays, Imported, Oracle
from seqkit.interop.layered import drawer, runner
from seqkit.interop.rtneural.schema import Spec, of_dtype, parse, specs_of
from seqkit.interop.rtneural.state_dict import is_state_dict, read_state_dict
from seqkit.layer import Layer
from seqkit.limits import read_file
from seqkit.model import Sequential
from seqkit.registry import create

SOURCE = "RTNeural model"


Mapped = str | os.PathLike[str] | Mapping[str, Any]


def from_rtneural(
    path: str | os.PathLike[str], dtype: str = "float32", *, prefix: str = "", mapping: Mapped | None = None
) -> Sequential:
    """A model from a JSON file of RTNeural.

    Parameters
    ----------
    path : str or path-like
        What RTNeural's Python scripts write of Keras and PyTorch models, or :func:`to_rtneural` here.
    dtype : {"float32", "float64"}
        Type of parameters and results.
    prefix, mapping
        Of a file that is a state dict of PyTorch, see :func:`seqkit.interop.from_torch`.

    Returns
    -------
    Sequential
        Like RTNeural it gives an output for every step, (batch, time, features); ``model.step`` and
        ``model.streams`` run it sample by sample.

    Raises
    ------
    LoadError
        If the file is damaged; the message names the layer.
    ConvertError
        If it has layers or options that there is nothing for; the message lists them.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> layer = '{"type": "dense", "activation": "relu", "shape": [null, null, 1], "weights": [[[2.0]], [-1.0]]}'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "amplifier.json")
    ...     _ = path.write_text('{"in_shape": [null, null, 1], "layers": [' + layer + ']}')
    ...     model = from_rtneural(path)
    >>> model.predict(np.array([[[0.0], [1.0], [2.0]]])).tolist()
    [[[0.0], [1.0], [3.0]]]
    """
    return read(path, dtype, prefix=prefix, mapping=mapping).model


def read(
    path: str | os.PathLike[str], dtype: str = "float32", *, prefix: str = "", mapping: Mapped | None = None
) -> Imported:
    """The model with its proof: RTNeural's equations in float64, on the numbers of the file."""
    owner = os.fspath(path)
    document = parse(read_file(path), owner)
    if is_state_dict(document):
        return read_state_dict(document, owner, dtype, prefix, mapping)
    if prefix or mapping is not None:
        raise ConvertError(
            f"{owner}: prefix and mapping are for state dicts; this file says itself what its layers are."
        )
    features, specs = specs_of(document, owner)
    return _imported(features, specs, owner, dtype)


def _imported(features: int, specs: list[Spec], owner: str, dtype: str) -> Imported:
    model = Sequential([_layer(spec, f"{owner}: layer {number}") for number, spec in enumerate(specs)], dtype=dtype)
    with replaced():
        model.build(features)
    for number, (layer, spec) in enumerate(zip(model.layers, specs, strict=True)):
        _fill(layer, spec, f"{owner}: layer {number}")
    return Imported(
        model,
        SOURCE,
        run=runner(model),
        draw=drawer(model, ragged=False),
        reference=lambda: _reference(specs),
        peer=lambda: None,
    )


def _reference(specs: list[Spec]) -> Oracle:
    from seqkit.interop.rtneural import reference

    def run(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": reference.run(specs, inputs["x"])}

    return Oracle("RTNeural's equations in float64", run)


def _layer(spec: Spec, owner: str) -> Layer:
    """The layer of a spec, not built."""
    if spec.activation and spec.activation not in activations.ACTIVATIONS:
        raise ConvertError(f"{owner}: there is no activation {spec.activation!r} here.")
    if spec.kind == "dense":
        return create("dense", spec.units, spec.activation or None)
    if spec.kind == "activation":
        return create("activation", spec.activation or "linear")
    if spec.kind == "prelu":
        return create("prelu")
    return create(spec.kind, spec.units, return_sequences=True)


def _fill(layer: Layer, spec: Spec, owner: str) -> None:
    for name, numbers in _params(spec).items():
        layer.params[name] = of_dtype(numbers, layer.dtype.name, f"{owner}: {name}")


def _params(spec: Spec) -> dict[str, np.ndarray]:
    """Seqkit's parameters of a layer's arrays."""
    if spec.kind == "dense":
        kernel, bias = spec.weights
        return {"weight": kernel.T, "bias": bias}
    if spec.kind == "prelu":
        return {"alpha": np.broadcast_to(spec.weights[0][0], (spec.units,))}
    if spec.kind == "activation":
        return {}
    kernel, recurrent, bias = spec.weights
    biases = dict(zip(("bias", "recurrent_bias"), np.atleast_2d(bias), strict=False))
    return find("rtneural", spec.kind).read(kernel, recurrent, **biases)
