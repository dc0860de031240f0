"""What an ONNX LSTM, GRU or RNN node says in its attributes, in words of seqkit's cells.

What ONNX leaves open is read as ``docs/dialects.md`` says: values of activation_alpha and activation_beta go to those
functions that take such, in order, and `clip` bounds what enters the gates, not the cell state that enters h.

Source: the operators LSTM, GRU and RNN, versions 7 to 22, docs/Operators.md and docs/Changelog.md of ONNX
(github.com/onnx/onnx).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seqkit.equations.activation import Choice
from seqkit.errors import ConvertError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import label, options

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
"""Arguments by their places; GRU and RNN have the first six."""

REVERSED = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction starts at the end of its sequence."""

FUNCTIONS: dict[str, tuple[str, dict[str, float | None]]] = {
    "Relu": ("relu", {}),
    "Tanh": ("tanh", {}),
    "Sigmoid": ("sigmoid", {}),
    "Affine": ("affine", {"alpha": 1.0, "beta": 0.0}),
    "LeakyRelu": ("leaky_relu", {"alpha": 0.01}),
    "ThresholdedRelu": ("thresholded_relu", {"alpha": 1.0}),
    "ScaledTanh": ("scaled_tanh", {"alpha": None, "beta": None}),
    "HardSigmoid": ("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
    "Elu": ("elu", {"alpha": 1.0}),
    "Softsign": ("softsign", {}),
    "Softplus": ("softplus", {}),
}
"""ONNX's activations: seqkit's name, and its numbers with their defaults, None where the specification has none."""


@dataclass(frozen=True)
class Operator:
    """One of the three operators: the cell, its options that the activations are, and what else differs."""

    cell: str
    gates: int
    states: tuple[str, ...]
    places: tuple[str, ...]
    """Options of the cell that the activations f, g, h are, in their order."""
    defaults: tuple[str, ...]
    switch: str = ""
    """The attribute that only this operator has."""


RECURRENT = {
    "LSTM": Operator(
        "lstm",
        4,
        ("initial_h", "initial_c"),
        ("recurrent_activation", "activation", "output_activation"),
        ("Sigmoid", "Tanh", "Tanh"),
        "input_forget",
    ),
    "GRU": Operator(
        "gru",
        3,
        ("initial_h",),
        ("recurrent_activation", "activation"),
        ("Sigmoid", "Tanh"),
        "linear_before_reset",
    ),
    "RNN": Operator("simple_rnn", 1, ("initial_h",), ("activation",), ("Tanh",)),
}


@dataclass(frozen=True)
class Form:
    """A node without its weights.

    Attributes
    ----------
    label : str
        How errors call the node.
    operator : Operator
    reversed : tuple of bool
        For each direction, whether it starts at the end.
    cells : tuple of dict
        For each direction, options of its cell that are not the defaults.
    batch_first : bool
        Layout 1.
    units : int or None
        `hidden_size`, where it is given.
    reset_after : bool
        Of a GRU.
    """

    label: str
    operator: Operator
    reversed: tuple[bool, ...]
    cells: tuple[dict[str, Any], ...]
    batch_first: bool
    units: int | None
    reset_after: bool


def read_form(node: Node, opset: int) -> Form:
    """All attributes of a node.

    Raises
    ------
    ConvertError
        If one is not known in this version, or has a value that the specification does not have.
    LoadError
        If one has another type, or inputs are missing.

    Examples
    --------
    >>> node = Node("GRU", ["x", "w", "r"], ["y"], {"activations": ["HardSigmoid", "Tanh"], "hidden_size": 3})
    >>> read_form(node, 14).cells
    ({'recurrent_activation': {'name': 'hard_sigmoid', 'alpha': 0.2, 'beta': 0.5}, 'reset_after': False},)
    """
    operator, owner = RECURRENT[node.op_type], label(node)
    most = len(INPUTS) if operator.cell == "lstm" else 6
    given = vars(options(node, (3, most), (1, 1 + len(operator.states)), **_known(operator, opset)))
    if given["direction"] not in REVERSED:
        raise ConvertError(f"{owner}: direction must be one of {', '.join(REVERSED)}, got {given['direction']!r:.50}.")
    for name in {"layout", operator.switch} & given.keys():
        if given[name] not in (0, 1):
            raise ConvertError(f"{owner}: {name} must be 0 or 1, got {given[name]}.")
    directions, switch = REVERSED[given["direction"]], bool(given.get(operator.switch))
    return Form(
        owner,
        operator,
        directions,
        tuple(_cells(operator, _activations(given, operator, len(directions), owner), switch)),
        bool(given.get("layout")),
        given["hidden_size"],
        reset_after=operator.cell == "gru" and switch,
    )


def _known(operator: Operator, opset: int) -> dict[str, tuple[str, Any]]:
    """Attributes of an operator in a version of the operator set."""
    known: dict[str, tuple[str, Any]] = {
        "direction": ("text", "forward"),
        "hidden_size": ("int", None),
        "activations": ("texts", None),
        "activation_alpha": ("floats", []),
        "activation_beta": ("floats", []),
        "clip": ("float", None),
    }
    if operator.switch:
        known[operator.switch] = ("int", 0)
    if opset >= 14:
        known["layout"] = ("int", 0)
    return known


def _cells(operator: Operator, chosen: Sequence[Choice], switch: bool) -> Iterator[dict[str, Any]]:
    """Options of the cell of each direction."""
    count = len(operator.places)
    for first in range(0, len(chosen), count):
        own: dict[str, Any] = dict(zip(operator.places, chosen[first : first + count], strict=True))
        if own.get("output_activation") == own["activation"]:
            del own["output_activation"]
        usual = {"recurrent_activation": "sigmoid", "activation": "tanh"}
        cell = {place: choice for place, choice in own.items() if choice != usual.get(place)}
        if operator.cell == "gru":
            cell["reset_after"] = switch
        yield cell | ({"forget_gate": "coupled"} if operator.cell == "lstm" and switch else {})


def _activations(given: dict[str, Any], operator: Operator, directions: int, owner: str) -> list[Choice]:
    """The functions of all directions."""
    places, defaults = operator.places * directions, operator.defaults * directions
    names, clip = given["activations"] or defaults, given["clip"]
    unknown = [name for name in names if name not in FUNCTIONS]
    if unknown or len(names) != len(places):
        raise ConvertError(f"{owner}: activations must be {len(places)} of {', '.join(FUNCTIONS)}; got {names!r:.200}.")
    if clip is not None and not 0 < clip < math.inf:
        raise ConvertError(f"{owner}: clip must be positive, got {clip}; leave it out where nothing is clipped.")
    values = {key: _values(given[f"activation_{key}"], key, names, owner) for key in ("alpha", "beta")}
    return [
        _choice(name, values, None if place == "output_activation" else clip, owner)
        for place, name in zip(places, names, strict=True)
    ]


def _values(given: list[float], key: str, names: Sequence[str], owner: str) -> Iterator[float]:
    """The values for the functions that take such; more of them than there are functions could mean two things."""
    takers = sum(key in FUNCTIONS[name][1] for name in names)
    if takers and len(given) > takers:
        raise ConvertError(
            f"{owner}: activation_{key} has {len(given)} values for the {takers} of its activations that take one; "
            f"give each of those its own."
        )
    return iter(given)


def _choice(name: str, values: dict[str, Iterator[float]], clip: float | None, owner: str) -> Choice:
    ours, defaults = FUNCTIONS[name]
    numbers = {key: next(values[key], default) for key, default in defaults.items()}
    if None in numbers.values():
        raise ConvertError(
            f"{owner}: {name} needs {' and '.join(f'activation_{key}' for key in defaults)}; ONNX has no defaults."
        )
    settings = numbers if clip is None else numbers | {"clip": clip}
    return {"name": ours, **settings} if settings else ours
