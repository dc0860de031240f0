"""What attention layers look at.

Legend: B batch, H heads, Q steps of the query, M steps of the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.attention import AttentionLayer
from seqkit.explain.batch import Batch
from seqkit.explain.subject import Subject, layers_of
from seqkit.layer import Layer, State
from seqkit.model import Sequential


def attention_weights(model: Sequential | Layer, x: Any, *, lengths: Any = None) -> dict[str, np.ndarray]:
    """The weights of every attention layer of a model, wherever it stands.

    Parameters
    ----------
    model : Sequential or Layer
    x, lengths
        As for :func:`~seqkit.explain.tape`; of a ``Seq2Seq``, sources and what the decoder reads.

    Returns
    -------
    dict of str to ndarray (B, H, Q, M)
        By place; how much each step of the query takes of each step of the memory.  The weights of a step add up to 1;
        they are 0 past the ends.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layers = [seqkit.GRU(4, return_sequences=True), seqkit.MultiHeadAttention(2, 3), seqkit.MeanPool()]
    >>> model = seqkit.Sequential(layers, seed=0).build(2)
    >>> found = attention_weights(model, [np.ones((5, 2)), np.ones((3, 2))])
    >>> found["1"].shape, bool(np.allclose(found["1"][1, 0, :3, :3].sum(axis=1), 1))
    ((2, 2, 5, 5), True)
    """
    subject = Subject(model)
    found: dict[str, np.ndarray] = {}
    for place, layer in layers_of(subject.model):
        if isinstance(layer, AttentionLayer):
            _watch(layer, place, found)
    subject.output(Batch.of(subject.model, x, lengths))
    return found


def _watch(layer: AttentionLayer, place: str, found: dict[str, np.ndarray]) -> None:
    """Keep the weights of what a layer is given from now on."""
    forward = layer.forward

    def forward_and_note(
        x: Any, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        found[place] = layer.weights(x, lengths)
        return forward(x, lengths, state, training)

    layer.forward = forward_and_note  # type: ignore[method-assign]
