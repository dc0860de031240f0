"""Model files of seqkit's own: what a converted model is kept in.

A model of layers is saved as :meth:`seqkit.Sequential.save` does it, in format version 1.  Version 2 is version 1 with
a "kind" in the description, which says whose `rebuild` makes a model of the description and the arrays.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from seqkit import checkpoint, registry
from seqkit.errors import ConvertError, LoadError, SeqkitError, words
from seqkit.initializers import replaced
from seqkit.interop.imported import Imported, Oracle
from seqkit.interop.layered import drawer, runner
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.stack import known_input_size

SOURCE = "seqkit model"
KINDS = {"graph": "seqkit.interop.onnx.graph_model:GraphModel", "seq2seq": "seqkit.seq2seq:Seq2Seq"}
"""Models that are more than layers one after the other: classes with `rebuild`."""


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model of any kind to a native file.

    Parameters
    ----------
    model : Sequential, Layer or GraphModel
        A single layer is saved as a model of one layer.
    path : str or path-like
        Name of the file; one that exists is replaced when the new one is whole.

    Raises
    ------
    ConvertError
        If it is no model.
    """
    kinds = {home: kind for kind, home in KINDS.items()}
    kind = kinds.get(f"{type(model).__module__}:{type(model).__qualname__}")
    if isinstance(model, (Sequential, Layer)):
        (model if isinstance(model, Sequential) else _of_layer(model)).save(path)
    elif kind is not None:
        description, arrays = model.describe()
        checkpoint.write(path, {"kind": kind, **description}, arrays)
    else:
        raise ConvertError(f"{type(model).__name__} is not a model: expected a Sequential, a layer or a graph model.")


def _of_layer(layer: Layer) -> Sequential:
    """A model of one layer."""
    return Sequential([layer], dtype=layer.dtype.name if layer.built else "float32")


def load(path: str | os.PathLike[str]) -> Any:
    """The model in a file that ``model.save`` or ``seqkit convert`` wrote; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like
        A ``.safetensors`` file.

    Returns
    -------
    Sequential, Seq2Seq or GraphModel
        What was saved, with its weights, and with its optimizer where it had one.

    Raises
    ------
    LoadError
        If the file is damaged, too new, or not a seqkit model.
    UnknownLayerError
        If it holds a layer of a package that is not loaded.

    Examples
    --------
    >>> import tempfile
    >>> import seqkit
    >>> path = tempfile.mkdtemp() + "/model.safetensors"
    >>> seqkit.Sequential([seqkit.LSTM(4, input_shape=(None, 3)), seqkit.Dense(1)], seed=0).save(path)
    >>> seqkit.load(path).predict([[[1.0, 2.0, 3.0]]]).shape
    (1, 1)
    """
    description, arrays = checkpoint.read(path)
    kind = description.get("kind")
    if kind is None:
        return Sequential.rebuild(description, arrays, path)
    if not isinstance(kind, str) or kind not in KINDS:
        raise LoadError(f"{path}: a model of the kind {kind!r:.80} is not known here; update seqkit.")
    try:
        return _class(KINDS[kind]).rebuild(description, arrays)
    except (SeqkitError, LookupError, TypeError, ValueError) as error:
        raise LoadError(f"{path}: the model cannot be rebuilt: {words(error)}.") from error


def read(path: str | os.PathLike[str]) -> Imported:
    """The model in a native file, beside itself in float64: there is nobody else who could read it."""
    model = load(path)
    if not isinstance(model, Sequential):
        return model.imported(SOURCE)
    return Imported(model, SOURCE, runner(model), drawer(model), lambda: _in_float64(model), lambda: None)


def _in_float64(model: Sequential) -> Oracle:
    wide = Sequential([registry.from_spec(registry.spec(layer)) for layer in model.layers], dtype="float64")
    with replaced():
        wide.build(known_input_size(model.layers[0]))
    for name in wide.params:
        wide.params[name] = model.params[name]
    return Oracle("the same model in float64", runner(wide))


def _class(home: str) -> Any:
    module, _, name = home.partition(":")
    return getattr(import_module(module), name)
