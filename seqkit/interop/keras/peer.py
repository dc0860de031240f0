"""The same chain in Keras itself, made of what has been checked: the file is not shown to Keras."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from seqkit.interop.imported import Oracle
from seqkit.interop.keras.config import Block, Chain
from seqkit.interop.keras.convert import slope_of

BACKENDS = ("torch", "tensorflow", "jax")
OWN = frozenset(
    [
        *("units", "activation", "recurrent_activation", "use_bias", "reset_after", "merge_mode", "return_sequences"),
        *("go_backwards", "stateful", "input_dim", "output_dim", "mask_zero", "mask_value", "n", "rate", "stddev"),
    ]
)
"""Options that constructors are given; the others are what they are without them."""


def peer_of(chain: Chain) -> Oracle | None:
    """Keras with the model of a chain, None where it is not installed or has no backend."""
    backend = os.environ.get("KERAS_BACKEND") or next((name for name in BACKENDS if find_spec(name)), None)
    if find_spec("keras") is None or backend is None:
        return None
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", backend)
    keras = import_module("keras")
    with _computing_in(keras, chain.dtype):
        model = _model(keras, chain)

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for layer in model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()
        return {"y": keras.ops.convert_to_numpy(model(np.asarray(arrays["x"]), training=False))}

    return Oracle(f"Keras {keras.__version__} ({keras.backend.backend()})", run)


@contextmanager
def _computing_in(keras: Any, dtype: str) -> Iterator[None]:
    """Keras' global type, which models themselves take; with PyTorch some products are of float32 all the same."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _model(keras: Any, chain: Chain) -> Any:
    model = keras.Sequential([_layer(keras, block, chain.dtype) for block in chain.blocks])
    model.build(chain.shape or _open_shape(chain))
    model.set_weights(list(_weights(chain.blocks)))
    return model


def _open_shape(chain: Chain) -> tuple[int | None, ...]:
    if chain.blocks[0].kind == "Embedding":
        return None, None
    kernel = next(_weights(chain.blocks), None)
    return None, None, None if kernel is None else len(kernel)


def _layer(keras: Any, block: Block, dtype: str) -> Any:
    """A Keras layer of a block."""
    options: dict[str, Any] = {name: value for name, value in block.options.items() if name in OWN}
    if block.options.get("zero_output_for_mask"):
        options["zero_output_for_mask"] = True
    if block.kind == "ELU":
        options["alpha"] = block.options["alpha"]
    if block.kind == "LeakyReLU":
        options["negative_slope"] = slope_of(block)
    parts = [_layer(keras, part, dtype) for part in block.parts]
    if block.kind == "StackedRNNCells":
        return keras.layers.StackedRNNCells(parts, dtype=dtype)
    if block.kind == "Bidirectional":
        options["backward_layer"] = parts.pop()
    return getattr(keras.layers, block.kind)(*parts, **options, dtype=dtype)


def _weights(blocks: Sequence[Block]) -> Iterator[np.ndarray]:
    """All variables in Keras' order."""
    for block in blocks:
        yield from block.weights
        yield from _weights(block.parts)
