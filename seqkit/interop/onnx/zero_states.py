"""Initial states of zeros, left out.

Exporters write zeros of the shape of the batch as nodes, some ten for each layer; a recurrent layer that is given no
state begins with zeros anyway, and at batch 1 these nodes would take as long as a step of the layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from seqkit.interop.onnx.messages import Node

STATES = {"GRU": (5,), "LSTM": (5, 6), "RNN": (5,)}
"""Inputs that are initial states."""
KEEP_ZEROS = {"Cast", "Expand", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose"}
KEEP_ZEROS |= {"Unsqueeze"}
"""Operators whose results are zeros where their first input is."""


def without_zero_states(nodes: list[Node], constants: Mapping[str, np.ndarray]) -> list[Node]:
    """The nodes, the recurrent ones without initial states that are zeros whatever the model is given.

    Examples
    --------
    >>> zeros = Node("ConstantOfShape", ["shape"], ["h0"])
    >>> rnn = Node("RNN", ["x", "w", "r", "", "", "h0"], ["y"])
    >>> without_zero_states([zeros, rnn], {})[1].inputs
    ['x', 'w', 'r', '', '', '']
    """
    with np.errstate(invalid="ignore"):  # NumPy warns of NaNs that signal
        zeros = {name for name, array in constants.items() if not array.any()}
    found = []
    for node in nodes:
        if _gives_zeros(node, zeros):
            zeros.update(node.outputs)
        states = [k for k in STATES.get(node.op_type, ()) if k < len(node.inputs) and node.inputs[k] in zeros]
        inputs = ["" if k in states else name for k, name in enumerate(node.inputs)]
        found.append(replace(node, inputs=inputs) if states else node)
    return found


def _gives_zeros(node: Node, zeros: set[str]) -> bool:
    if node.op_type in ("Constant", "ConstantOfShape"):
        value = node.attributes.get("value", np.zeros(1) if node.op_type == "ConstantOfShape" else np.ones(1))
        return isinstance(value, np.ndarray) and not value.any()
    if node.op_type == "Concat":
        return all(name in zeros for name in node.inputs)
    return node.op_type in KEEP_ZEROS and node.inputs[:1] != [] and node.inputs[0] in zeros
