"""Recurrent layers in state dicts, found by PyTorch's names and told apart by their shapes.

Legend: G gates, H hidden size, I input features, P numbers of the output (proj_size, or H), D directions.

``nn.LSTM``, ``nn.GRU`` and ``nn.RNN`` call the arrays of layer k ``weight_ih_lk`` (G*H, I), ``weight_hh_lk`` (G*H, P),
``bias_ih_lk`` and ``bias_hh_lk`` (G*H,), with a projection ``weight_hr_lk`` (P, H), and add ``_reverse`` for the
direction from the end.  Layers after the first read D*P features.  ``nn.LSTMCell`` and its kin leave ``_lk`` out.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html, section Variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqkit.errors import ConvertError

NAME = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(?:_l(0|[1-9]\d{0,3})(_reverse)?)?")
KINDS = {4: "lstm", 3: "gru", 1: "rnn"}
"""Kinds of layers by their number of gates."""

Direction = dict[str, np.ndarray]
"""Arrays of one direction of one layer by their names without the number of the layer."""


@dataclass(frozen=True)
class RecurrentStack:
    """What one ``nn.LSTM``, ``nn.GRU``, ``nn.RNN`` or cell of them holds.

    Attributes
    ----------
    kind : {"lstm", "gru", "rnn"}
    units : int
        H.
    layers : tuple of tuple of dict
        For each layer the arrays of its one or two directions.
    """

    kind: str
    units: int
    layers: tuple[tuple[Direction, ...], ...]

    @property
    def first(self) -> Direction:
        """The forward direction of the first layer."""
        return self.layers[0][0]

    @property
    def input_size(self) -> int:
        """I."""
        return self.first["weight_ih"].shape[1]

    @property
    def projection(self) -> int | None:
        """P, None where the output is not projected."""
        return len(self.first["weight_hr"]) if "weight_hr" in self.first else None

    @property
    def bias(self) -> bool:
        """Whether there are biases."""
        return "bias_ih" in self.first

    @property
    def directions(self) -> int:
        """D."""
        return len(self.layers[0])

    @property
    def output_size(self) -> int:
        """D*P."""
        return self.directions * (self.projection or self.units)

    def state_dict(self) -> dict[str, np.ndarray]:
        """The arrays by the names that ``nn.LSTM`` and so on use, those of a cell too."""
        return {
            f"{name}_l{number}{'_reverse' * reverse}": array
            for number, layer in enumerate(self.layers)
            for reverse, direction in enumerate(layer)
            for name, array in direction.items()
        }


def is_recurrent(name: str) -> bool:
    """Whether a tensor of this name, without its prefix, belongs to a recurrent layer.

    Examples
    --------
    >>> is_recurrent("weight_ih_l0_reverse"), is_recurrent("weight")
    (True, False)
    """
    return NAME.fullmatch(name) is not None


def recurrent_stack(arrays: Mapping[str, np.ndarray], owner: str) -> RecurrentStack:
    """The recurrent layers that all these arrays make up.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        By names without a prefix.
    owner : str
        What they are, for errors.

    Raises
    ------
    ConvertError
        If an array is too many, missing, or has a shape that does not fit.
    """
    layers = _layers(arrays, owner)
    first = layers[0][0]
    units = first["weight_hr" if "weight_hr" in first else "weight_hh"].shape[-1]
    gates = len(first["weight_ih"]) // max(units, 1)
    if gates not in KINDS or ("weight_hr" in first and gates != 4):
        raise ConvertError(
            f"{owner}: weight_ih of shape {first['weight_ih'].shape} for {units} units is no LSTM (4 gates), "
            f"GRU (3) or RNN (1)."
        )
    stack = RecurrentStack(KINDS[gates], units, layers)
    _check_shapes(stack, gates, owner)
    return stack


def _layers(arrays: Mapping[str, np.ndarray], owner: str) -> tuple[tuple[Direction, ...], ...]:
    """The arrays sorted into layers and directions, all with the same names."""
    found: dict[tuple[int, bool], Direction] = {}
    cell = [bool(match and match[2] is None) for match in map(NAME.fullmatch, arrays)]
    for name, array in arrays.items():
        match = NAME.fullmatch(name)
        if match is None or any(cell) != all(cell):
            raise ConvertError(
                f"{owner}: {name!r:.80} is not a tensor of nn.LSTM, nn.GRU, nn.RNN or of one of their cells beside the "
                f"others; say with prefix=... which layer is meant, or describe the model in a mapping."
            )
        if array.ndim != (2 if match[1].startswith("weight") else 1):
            raise ConvertError(f"{owner}: {name} has shape {array.shape}, expected a matrix, or a vector for a bias.")
        found.setdefault((int(match[2] or 0), match[3] is not None), {})[match[1]] = array
    count, both = max((number for number, _ in found), default=-1) + 1, any(reverse for _, reverse in found)
    expected = [(number, reverse) for number in range(count) for reverse in ((False, True) if both else (False,))]
    names = set(next(iter(found.values()), {}))
    complete = {"weight_ih", "weight_hh"} <= names and ("bias_ih" in names) == ("bias_hh" in names)
    if sorted(found) != expected or not complete or any(set(direction) != names for direction in found.values()):
        raise ConvertError(f"{owner}: tensors of a recurrent layer are missing; there are {', '.join(arrays)[:300]}.")
    directions = [found[place] for place in expected]
    step = 1 + both
    return tuple(tuple(directions[start : start + step]) for start in range(0, len(directions), step))


def _check_shapes(stack: RecurrentStack, gates: int, owner: str) -> None:
    rows, state = gates * stack.units, stack.projection or stack.units
    for number, layer in enumerate(stack.layers):
        size = stack.output_size if number else stack.input_size
        shapes = {
            **{"weight_ih": (rows, size), "weight_hh": (rows, state), "weight_hr": (state, stack.units)},
            **{"bias_ih": (rows,), "bias_hh": (rows,)},
        }
        for direction in layer:
            for name, array in direction.items():
                if array.shape != shapes[name] or 0 in array.shape:
                    raise ConvertError(
                        f"{owner}: {name} of layer {number} has shape {array.shape}, expected {shapes[name]}."
                    )
