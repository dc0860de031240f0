"""A chain of Keras layers in float64 NumPy, masks included, from Keras' equations and in its layout of weights.

Legend: N batch, T time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seqkit.interop.imported import Oracle
from seqkit.interop.keras.config import Block, Chain
from seqkit.interop.keras.convert import slope_of
from seqkit.interop.reference import functions
from seqkit.interop.reference import keras as reference

Array = np.ndarray
Result = tuple[Array, Array | None]
"""Numbers, and which steps of them are not masked, (N, T); None where all are not."""


def reference_of(chain: Chain) -> Oracle:
    """The oracle of a chain."""

    def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
        x = np.asarray(arrays["x"])
        y: Array = x if x.dtype.kind in "iu" else x.astype(np.float64)
        mask: Array | None = None
        for block in chain.blocks:
            y, mask = LAYERS.get(block.kind, _same)(block, y, mask)
        return {"y": y}

    return Oracle("float64 reference of Keras' equations", run)


def _same(block: Block, x: Array, mask: Array | None) -> Result:
    """A layer that acts in training only."""
    return x, mask


def _config(block: Block, **changes: Any) -> dict[str, Any]:
    return {"return_state": False, **block.options, **changes}


def _recurrent(block: Block, x: Array, mask: Array | None) -> Result:
    y = reference.LAYERS[block.kind](_config(block), block.weights, x, mask)
    return y, mask if block.options["return_sequences"] else None


def _cells(block: Block, x: Array, mask: Array | None) -> Result:
    """Cells on top of each other: what is read backwards is turned around once, before the first of them."""
    cells = block.parts[0].parts or block.parts
    turned = x[:, ::-1] if block.options["go_backwards"] else x
    counts = mask[:, ::-1] if mask is not None and block.options["go_backwards"] else mask
    for number, cell in enumerate(cells):
        sequences = number < len(cells) - 1 or block.options["return_sequences"]
        layer = reference.LAYERS[cell.kind.removesuffix("Cell")]
        turned = layer(_config(cell, return_sequences=sequences), cell.weights, turned, counts)
    return turned, mask if block.options["return_sequences"] else None


def _bidirectional(block: Block, x: Array, mask: Array | None) -> Result:
    """Both directions give 0 for masked steps where they return sequences, whatever they say."""
    outputs = []
    for part in block.parts:
        config = _config(part, zero_output_for_mask=part.options["return_sequences"])
        outputs.append(reference.LAYERS[part.kind](config, part.weights, x, mask))
    forward, backward = outputs
    if not block.parts[0].options["return_sequences"]:
        return reference.MERGES[block.options["merge_mode"]](forward, backward), None
    return reference.MERGES[block.options["merge_mode"]](forward, backward[:, ::-1]), mask


def _time_distributed(block: Block, x: Array, mask: Array | None) -> Result:
    return LAYERS.get(block.parts[0].kind, _same)(block.parts[0], x, mask)


def _dense(block: Block, x: Array, mask: Array | None) -> Result:
    kernel, *bias = (array.astype(np.float64) for array in block.weights)
    return _function(block.options["activation"])(x @ kernel + sum(bias)), mask


def _embedding(block: Block, x: Array, mask: Array | None) -> Result:
    return block.weights[0].astype(np.float64)[x], (x != 0 if block.options["mask_zero"] else None)


def _masking(block: Block, x: Array, mask: Array | None) -> Result:
    counts = (x != block.options["mask_value"]).any(axis=-1)
    return np.where(counts[..., None], x, 0.0), counts


def _repeat(block: Block, x: Array, mask: Array | None) -> Result:
    return np.repeat(x[:, None], block.options["n"], axis=1), None


def _slope(block: Block, x: Array, mask: Array | None) -> Result:
    """ELU and LeakyReLU with a number of their own."""
    if block.kind == "ELU":
        return functions.elu(x, block.options["alpha"]), mask
    return functions.leaky_relu(x, slope_of(block)), mask


def _activation(block: Block, x: Array, mask: Array | None) -> Result:
    return _function(block.options.get("activation", block.kind.lower()))(x), mask


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _log_softmax(x: Array) -> Array:
    return np.log(_softmax(x))


def _function(name: str) -> Callable[[Array], Array]:
    of_vectors = {"softmax": _softmax, "log_softmax": _log_softmax}
    return of_vectors.get(name) or reference.FUNCTIONS[name]


LAYERS: Mapping[str, Callable[[Block, Array, Array | None], Result]] = {
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _recurrent),
    "RNN": _cells,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "Dense": _dense,
    "Embedding": _embedding,
    "Masking": _masking,
    "RepeatVector": _repeat,
    **dict.fromkeys(("Activation", "ReLU", "Softmax"), _activation),
    **dict.fromkeys(("ELU", "LeakyReLU"), _slope),
}
