"""What a reader of foreign files gives: a model, and everything that proves that it is the same model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Oracle:
    """Somebody else's way to run the foreign model.

    Attributes
    ----------
    name : str
        For people: "ONNX Runtime 1.31.1", "float64 reference of Keras' equations".
    run : callable
        Inputs by name to outputs by name.
    """

    name: str
    run: Callable[[Arrays], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Imported:
    """A model that has been read, still unproven.

    Attributes
    ----------
    model : Layer, Sequential or GraphModel
    source : str
        What the file was: "PyTorch state dict", "Keras 3 model".
    run : callable
        The model on inputs by name, to outputs by name; a model with one input takes "x" (and "lengths" where it is
        given) and gives "y".
    draw : callable
        Inputs by name from a random generator: small, ragged where the model takes lengths, other at every call.
    reference : callable
        An oracle of NumPy in float64, written from the other library's equations and in its own layout of weights.
    peer : callable
        The other library itself, None where it is not installed.
    """

    model: Any
    source: str
    run: Callable[[Arrays], dict[str, np.ndarray]]
    draw: Callable[[np.random.Generator], dict[str, np.ndarray]]
    reference: Callable[[], Oracle]
    peer: Callable[[], Oracle | None]
