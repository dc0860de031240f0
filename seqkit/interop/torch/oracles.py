"""Two ways to run the parts of a model that are not seqkit's: float64 NumPy, and PyTorch itself.

Legend: B batch, T time, F features.

Both take a padded batch x (B, T, F), or ids (B, T), with lengths (B,) and give what ``pack_padded_sequence`` means:
what follows the end of a sequence is never read, and 0 in the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from seqkit.interop.imported import Arrays, Oracle
from seqkit.interop.torch.parts import Part
from seqkit.interop.torch.tensors import Weights


class Library(Protocol):
    """What runs single parts."""

    def embedding(self, weight: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Rows of `weight`."""

    def linear(self, arrays: Arrays, x: np.ndarray) -> np.ndarray:
        """x W^T + b."""

    def activation(self, name: str, x: np.ndarray) -> np.ndarray:
        """A function of every number, or of all features."""

    def recurrent(self, part: Part, weights: Weights, x: np.ndarray, lengths: np.ndarray) -> tuple[Any, Any]:
        """Outputs (B, T, D*P) and final h (D*L, B, P)."""


def reference(parts: Sequence[Part], weights: Weights) -> Oracle:
    """PyTorch's equations in float64."""
    return Oracle("float64 reference of PyTorch's equations", _runner(_Reference(), parts, weights))


def peer(parts: Sequence[Part], weights: Weights) -> Oracle | None:
    """PyTorch itself, with modules made of the checked arrays; None where it is not installed."""
    if find_spec("torch") is None:
        return None
    library = import_module("seqkit.interop.torch.peer").PyTorch()
    return Oracle(f"PyTorch {library.version}", _runner(library, parts, weights))


def _runner(library: Library, parts: Sequence[Part], weights: Weights) -> Callable[[Arrays], dict[str, np.ndarray]]:
    def run(inputs: Arrays) -> dict[str, np.ndarray]:
        y, sequences = inputs["x"], True
        lengths = inputs.get("lengths", np.full(y.shape[0], y.shape[1]))
        for part in parts:
            y = _run_part(library, part, weights, y, lengths)
            sequences = sequences and y.ndim == 3
            if sequences:
                y = np.where(np.arange(y.shape[1])[:, None] < lengths[:, None, None], y, 0)
        return {"y": y}

    return run


def _run_part(library: Library, part: Part, weights: Weights, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    arrays = part.tensors(weights)
    if part.kind == "embedding":
        return library.embedding(arrays["weight"], x)
    if part.kind == "linear":
        return library.activation(part.option("activation"), library.linear(arrays, x))
    if part.kind == "activation":
        return library.activation(part.option("function"), x)
    if part.kind == "last_step":
        return x[np.arange(len(x)), lengths - 1]
    if part.kind == "dropout":
        return x
    y, h = library.recurrent(part, weights, x, lengths)
    return y if part.option("return_sequences") else np.concatenate(list(h[-part.stack(weights).directions :]), axis=1)


class _Reference:
    """The float64 reference."""

    def embedding(self, weight: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return np.asarray(weight, np.float64)[ids]

    def linear(self, arrays: Arrays, x: np.ndarray) -> np.ndarray:
        return x @ np.asarray(arrays["weight"], np.float64).T + np.asarray(arrays.get("bias", 0.0), np.float64)

    def activation(self, name: str, x: np.ndarray) -> np.ndarray:
        if name == "softmax":
            powers = np.exp(x - x.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        functions = import_module("seqkit.interop.reference.functions")
        known = {"linear": np.asarray, "tanh": np.tanh, "relu": functions.relu, "sigmoid": functions.sigmoid}
        return known[name](x)

    def recurrent(self, part: Part, weights: Weights, x: np.ndarray, lengths: np.ndarray) -> tuple[Any, Any]:
        equations, stack = import_module("seqkit.interop.reference.torch"), part.stack(weights)
        options: dict[str, Any] = {"layers": len(stack.layers), "bidirectional": stack.directions == 2}
        if part.kind == "rnn":
            options["nonlinearity"] = part.option("nonlinearity")
        y, state = getattr(equations, part.kind)(x, stack.state_dict(), batch_first=True, lengths=lengths, **options)
        return y, state[0] if part.kind == "lstm" else state
