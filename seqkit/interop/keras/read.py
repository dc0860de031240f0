"""Files of Keras to models here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError
from seqkit.interop.archive import Archive
from seqkit.interop.imported import Imported
from seqkit.interop.keras.config import Chain, chain_of
from seqkit.interop.keras.convert import model_of
from seqkit.interop.keras.hdf5 import SIGNATURE, Hdf5, read_hdf5
from seqkit.interop.keras.inputs import Inputs
from seqkit.interop.keras.weights import filled
from seqkit.limits import LIMITS, parse_json, read_file
from seqkit.model import Sequential

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
Path = str | os.PathLike[str]


def from_keras(path: Path, config: Path | Mapping[str, Any] | None = None) -> Sequential:
    r"""A model that Keras has saved, to run and train here.

    Sequential models, and Functional models that are a chain, of the layers InputLayer, LSTM, GRU, SimpleRNN, RNN of
    their cells, Bidirectional, Dense, Embedding, Masking, TimeDistributed, RepeatVector, Activation, ReLU, ELU,
    Softmax, and those that act in training only.  Masks do what they do in Keras, see
    :class:`seqkit.layers.masked.Masked`.  Everything else is refused, with the reason.

    Parameters
    ----------
    path : str or path-like
        A ``.keras`` file of Keras 3, or an HDF5 file: a whole model, or weights alone.
    config : path-like or dict, optional
        For weights alone: what ``model.to_json()`` or ``model.get_config()`` gave, as a file or as a value.

    Returns
    -------
    Sequential

    Raises
    ------
    LoadError
        If the file cannot be read, or weights and layers do not belong together.
    UnsafeFileError
        If it is made to do harm.
    ConvertError
        If the model cannot be represented exactly; the message says what of it.
    ConfigError
        If h5py is not installed.

    Examples
    --------
    ::

        model = seqkit.interop.from_keras("sentiment.keras")
        model.predict(ids)
    """
    return read(path, config).model


def read(path: Path, config: Path | Mapping[str, Any] | None = None) -> Imported:
    """The model of a file of Keras, with what proves that it is the same; arguments as for :func:`from_keras`."""
    owner, data = str(path), read_file(path)
    chain, source = _chain(data, owner, config)
    model = model_of(chain, owner)
    inputs = Inputs.of(chain)

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        model.reset_states()
        return {"y": np.asarray(model.predict(arrays["x"], batch_size=len(arrays["x"])))}

    def reference() -> Any:
        from seqkit.interop.keras.oracle import reference_of

        return reference_of(chain)

    def peer() -> Any:
        from seqkit.interop.keras.peer import peer_of

        return peer_of(chain)

    return Imported(model, source, run, inputs.draw, reference, peer)


def _chain(data: bytes, owner: str, config: Path | Mapping[str, Any] | None) -> tuple[Chain, str]:
    """The layers of a file with their weights, and what the file is."""
    if data.startswith(SIGNATURE):
        file = read_hdf5(data, owner)
        description, version = _description(file, owner, config)
        kind = "Keras weights" if config is not None else "Keras HDF5 model"
    else:
        description, version, file = _archived(data, owner)
        kind = "Keras model"
    chain = chain_of(description, owner, version)
    return filled(chain, file, owner), f"{kind} ({version})" if version else kind


def _archived(data: bytes, owner: str) -> tuple[Any, str, Hdf5]:
    """Configuration, version and weights of a ``.keras`` file."""
    archive = Archive(data, owner)
    others = [name for name in archive.names if name not in (CONFIG, METADATA, WEIGHTS)]
    if others or CONFIG not in archive or WEIGHTS not in archive:
        raise LoadError(
            f"{owner}: not a .keras file: {CONFIG} and {WEIGHTS} were expected in it, got {archive.names!r:.200}."
        )
    description = parse_json(archive.read(CONFIG, LIMITS.text), f"{owner}: {CONFIG}")
    metadata = parse_json(archive.read(METADATA, LIMITS.text), f"{owner}: {METADATA}") if METADATA in archive else {}
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    weights = archive.read(WEIGHTS, LIMITS.file)
    return description, _version(version), read_hdf5(weights, f"{owner}: {WEIGHTS}")


def _description(file: Hdf5, owner: str, config: Path | Mapping[str, Any] | None) -> tuple[Any, str]:
    """Configuration and version of an HDF5 file; of weights alone, the one that is given with it."""
    texts = file.texts.get("", {})
    version = _version(texts.get("keras_version") or file.texts.get("model_weights", {}).get("keras_version"))
    if config is not None:
        return _given(config, owner), version
    text = texts.get("model_config")
    if not isinstance(text, str):
        raise ConvertError(
            f"{owner}: the file holds weights without the layers they belong to; give the model's configuration "
            f"(model.to_json()) as config."
        )
    return parse_json(text.encode(), f"{owner}: model_config"), version


def _given(config: Path | Mapping[str, Any], owner: str) -> Any:
    if isinstance(config, Mapping):
        description: Any = parse_json(json.dumps(config).encode(), f"{owner}: config")
    else:
        description = parse_json(read_file(config, LIMITS.text), str(config))
    if isinstance(description, dict) and "class_name" not in description:  # of get_config() alone
        kind = "Functional" if "input_layers" in description else "Sequential"
        return {"class_name": kind, "config": description}
    return description


def _version(text: Any) -> str:
    return text[:40] if isinstance(text, str) and text.isascii() and text.isprintable() else ""
