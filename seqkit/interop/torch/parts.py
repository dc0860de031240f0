"""The parts of a PyTorch model, one after the other, wherever their description comes from.

A bare state dict is one recurrent part, a mapping file lists parts, a module is walked through for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.torch.stacks import RecurrentStack, recurrent_stack
from seqkit.interop.torch.tensors import Weights

OPTIONS: dict[str, dict[str, Any]] = {
    "embedding": {},
    "linear": {"activation": "linear"},
    "lstm": {"dropout": 0.0, "return_sequences": True},
    "gru": {"dropout": 0.0, "return_sequences": True},
    "rnn": {"dropout": 0.0, "return_sequences": True, "nonlinearity": None},
    "activation": {"function": "relu"},
    "dropout": {"p": 0.5},
    "last_step": {},
}
"""Kinds of parts with their options and what those are where nothing is said."""
RECURRENT = ("lstm", "gru", "rnn")
WITH_WEIGHTS = (*RECURRENT, "embedding", "linear")
NONLINEARITIES = ("tanh", "relu")
ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "softmax")


@dataclass(frozen=True)
class Part:
    """One part of a model.

    Attributes
    ----------
    kind : str
        A key of `OPTIONS`.
    prefix : str
        What the names of its tensors begin with, before a dot; empty for none.
    options : mapping
        Values for the options of its kind.
    title : str
        What it is called in errors.
    """

    kind: str
    prefix: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self) -> None:
        if self.kind not in OPTIONS:
            raise ConvertError(f"{self.title}: kind must be one of {', '.join(OPTIONS)}, got {self.kind!r:.80}.")
        unknown = [name for name in self.options if name not in OPTIONS[self.kind]]
        if unknown:
            known = ", ".join(OPTIONS[self.kind]) or "none"
            raise ConvertError(f"{self.title}: {self.kind} has no option {unknown[0]!r:.80}; it has {known}.")
        _check_options(self)

    def option(self, name: str) -> Any:
        """The value of an option."""
        return self.options.get(name, OPTIONS[self.kind][name])

    def tensors(self, weights: Weights) -> dict[str, np.ndarray]:
        """Its arrays by their names without the prefix.

        Raises
        ------
        ConvertError
            If there are none, or others than it should have.
        """
        if self.kind not in WITH_WEIGHTS:
            return {}
        found = weights.part(self.prefix)
        if not found:
            raise ConvertError(
                f"{self.title}: no tensor begins with {self.prefix + '.'!r}; there are "
                f"{', '.join(list(weights.arrays)[:12]) or 'none'}."
            )
        if self.kind not in RECURRENT:
            _check_names(self, found)
        return found

    def stack(self, weights: Weights) -> RecurrentStack:
        """The layers of a recurrent part."""
        stack = recurrent_stack(self.tensors(weights), self.title)
        if stack.kind != self.kind:
            raise ConvertError(f"{self.title}: the tensors are those of nn.{stack.kind.upper()}, not of {self.kind}.")
        return stack


def _check_names(part: Part, found: Mapping[str, np.ndarray]) -> None:
    """A weight (units, features) or (ids, features) and, of a linear part, perhaps a bias (units,)."""
    names = {"weight", "bias"} & set(found) if part.kind == "linear" else {"weight"}
    ranks = {name: array.ndim for name, array in found.items()}
    if ranks != {name: 2 - (name == "bias") for name in names | {"weight"}}:
        raise ConvertError(
            f"{part.title}: {part.kind} needs a matrix 'weight'{', perhaps a bias' * (part.kind == 'linear')} and "
            f"nothing else, got {', '.join(f'{name} {array.shape}' for name, array in found.items())[:300]}."
        )
    if len(found["weight"]) != len(found.get("bias", found["weight"])) or 0 in found["weight"].shape:
        raise ConvertError(f"{part.title}: weight {found['weight'].shape} and bias do not fit, or are empty.")


def _check_options(part: Part) -> None:
    checks = {
        "dropout": _is_rate,
        "p": _is_rate,
        "return_sequences": lambda value: isinstance(value, bool),
        "nonlinearity": lambda value: value is None or value in NONLINEARITIES,
        "activation": lambda value: value in ACTIVATIONS,
        "function": lambda value: value in ACTIVATIONS,
    }
    for name, value in part.options.items():
        if not (value is None or isinstance(value, (str, int, float))) or not checks[name](value):
            raise ConvertError(f"{part.title}: option {name} cannot be {value!r:.80}.")


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1
