"""Layers side by side on one input.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqkit.errors import ConfigError
from seqkit.graph import Graph
from seqkit.layer import Layer
from seqkit.options import by_name
from seqkit.parts import sequence_of
from seqkit.registry import create, from_spec, spec

MERGES = {"concat": "concatenate", "add": "add", "mul": "multiply", "ave": "average"}
"""Names of layers that make one output of several."""


class Branch(Graph):
    r"""Several layers that read the same input, their outputs merged: :math:`y = merge(f_1(x), f_2(x), \dots)`.

    Parameters
    ----------
    layers : sequence of Layer
        At least two, which all give sequences or all give vectors.
    merge : {"concat", "add", "mul", "ave"}
        Side by side, or the sum, product or mean, for which all outputs must have the same number of features.

    Attributes
    ----------
    layers : tuple of Layer
    params : JoinedParameters
        Parameters of all layers, called ``branch1.name`` and so on.

    Raises
    ------
    ConfigError
        If there are fewer than two layers or `merge` is unknown.

    Examples
    --------
    Short and long dependences of one sequence:

    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.Branch([seqkit.GRU(4, return_sequences=True), seqkit.Dense(2)])
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 5, 6)
    """

    name = "branch"

    def __init__(self, layers: Sequence[Layer], merge: str = "concat") -> None:
        self.layers, self.merge = sequence_of(layers, self.name), merge
        if len(self.layers) < 2:
            raise ConfigError(f"{self.name}: at least two layers were expected, got {list(self.layers)!r}.")
        merged = create(by_name(MERGES, merge, f"{self.name} merge"))
        names = [f"branch{number}" for number in range(1, len(self.layers) + 1)]
        branches = {name: (layer, "x") for name, layer in zip(names, self.layers, strict=True)}
        super().__init__({**branches, "merge": (merged, *names)})

    def config(self) -> dict[str, Any]:
        """The layers by name and configuration."""
        return {"layers": [spec(layer) for layer in self.layers], "merge": self.merge}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Branch:
        """An unbuilt layer with this configuration."""
        return cls(**(config | {"layers": [from_spec(layer) for layer in config["layers"]]}))

    def __repr__(self) -> str:
        return f"Branch({list(self.layers)!r}, merge={self.merge!r})"
