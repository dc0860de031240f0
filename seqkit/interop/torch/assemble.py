"""Layers of seqkit made of the parts of a PyTorch model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.initializers import replaced
from seqkit.interop.dialects import find
from seqkit.interop.torch.export import PLACES, Place
from seqkit.interop.torch.parts import RECURRENT, Part
from seqkit.interop.torch.stacks import Direction, RecurrentStack
from seqkit.interop.torch.tensors import Weights
from seqkit.layer import Layer
from seqkit.layers.bidirectional import Bidirectional
from seqkit.model import Sequential
from seqkit.recurrent import Recurrent
from seqkit.registry import create

CELLS = {"lstm": "lstm", "gru": "gru", "rnn": "simple_rnn"}


@dataclass(frozen=True)
class Piece:
    """A layer that is not built yet, its parameters, and the size of its input and its place in the state dict."""

    layer: Layer
    params: Mapping[str, np.ndarray] = field(default_factory=dict)
    input_size: int | None = None
    place: Place = ("", 0)


def assemble(parts: Sequence[Part], weights: Weights, dtype: str) -> Sequential:
    """The model that the parts describe.

    Raises
    ------
    ConvertError
        If the tensors of a part are not what they should be, or parts do not fit each other.
    """
    pieces = [piece for part in _checked(parts, weights) for piece in _pieces(part, weights)]
    input_size = next(piece.input_size for piece in pieces if piece.input_size is not None)
    with replaced():
        return _build(pieces, input_size, dtype)


def _build(pieces: Sequence[Piece], input_size: int, dtype: str) -> Sequential:
    model = Sequential([piece.layer for piece in pieces], seed=0, dtype=dtype).build(input_size)
    model.metadata[PLACES] = [list(piece.place) for piece in pieces]
    for piece in pieces:
        for name, array in piece.params.items():
            piece.layer.params[name] = array
    return model


def _checked(parts: Sequence[Part], weights: Weights) -> Iterator[Part]:
    """The parts, as long as each can read what the one before gives."""
    size: int | None = None
    sequences = True
    for number, part in enumerate(parts):
        given, made = _sizes(part, weights)
        if part.kind == "embedding" and number:
            raise ConvertError(f"{part.title}: an embedding reads ids, it can only be the first part.")
        if size is not None and given not in (None, size):
            raise ConvertError(f"{part.title}: it reads {given} features, the part before it gives {size}.")
        if not sequences and (part.kind in RECURRENT or part.kind == "last_step"):
            raise ConvertError(f"{part.title}: it reads sequences, the parts before it give one vector for each.")
        sequences &= part.kind != "last_step" and (part.kind not in RECURRENT or part.option("return_sequences"))
        size = made if made is not None else size
        yield part


def _sizes(part: Part, weights: Weights) -> tuple[int | None, int | None]:
    """Features that a part reads and that it gives; None where any number is given back."""
    if part.kind in RECURRENT:
        stack = part.stack(weights)
        return stack.input_size, stack.output_size
    weight = part.tensors(weights).get("weight")
    if weight is None:
        return None, None
    return (weight.shape[1], weight.shape[0]) if part.kind == "linear" else (1, weight.shape[1])


def _pieces(part: Part, weights: Weights) -> list[Piece]:
    if part.kind in RECURRENT:
        return _recurrent(part, part.stack(weights))
    params = part.tensors(weights)
    if part.kind == "embedding":
        return [Piece(create("embedding", *params["weight"].shape), params, 1, (part.prefix, 0))]
    if part.kind == "linear":
        layer = create("dense", len(params["weight"]), part.option("activation"), use_bias="bias" in params)
        return [Piece(layer, params, params["weight"].shape[1], (part.prefix, 0))]
    if part.kind == "activation":
        return [Piece(create("activation", part.option("function")))]
    if part.kind == "dropout":
        return [Piece(create("dropout", part.option("p")))]
    return [Piece(create("last_step"))]


def _recurrent(part: Part, stack: RecurrentStack) -> list[Piece]:
    """A layer for each of the stack, with dropout between them as PyTorch has it."""
    pieces = []
    for number, directions in enumerate(stack.layers):
        last = number == len(stack.layers) - 1
        layers = [
            _direction(part, stack, return_sequences=not last or part.option("return_sequences")) for _ in directions
        ]
        layer = Bidirectional(layers[0], backward_layer=layers[1]) if stack.directions == 2 else layers[0]
        pieces.append(
            Piece(layer, _params(stack, directions), directions[0]["weight_ih"].shape[1], (part.prefix, number))
        )
        if part.option("dropout") and not last:
            pieces.append(Piece(create("dropout", part.option("dropout")), place=(part.prefix, number + 1)))
    return pieces


def _direction(part: Part, stack: RecurrentStack, return_sequences: bool) -> Recurrent:
    options: dict[str, Any] = {"use_bias": stack.bias, "return_sequences": return_sequences}
    if stack.projection:
        return create("projected_lstm", stack.units, projection=stack.projection, **options)  # type: ignore[return-value]
    if stack.kind == "rnn":
        options["activation"] = _nonlinearity(part)
    return create(CELLS[stack.kind], stack.units, **options)  # type: ignore[return-value]


def _nonlinearity(part: Part) -> str:
    found = part.option("nonlinearity")
    if found is None:
        raise ConvertError(
            f"{part.title}: the weights of an nn.RNN do not tell its function; say nonlinearity='tanh' or 'relu'."
        )
    return str(found)


def _params(stack: RecurrentStack, directions: Sequence[Direction]) -> dict[str, np.ndarray]:
    """Seqkit's parameters of one layer."""
    dialect = find("torch", CELLS[stack.kind])
    found: dict[str, np.ndarray] = {}
    for name, arrays in zip(("forward.", "backward."), directions, strict=False):
        params = dialect.read(arrays["weight_ih"], arrays["weight_hh"], arrays.get("bias_ih"), arrays.get("bias_hh"))
        params |= {key: array for key, array in arrays.items() if key == "weight_hr"}
        found |= {f"{name if stack.directions == 2 else ''}{key}": array for key, array in params.items()}
    return found
