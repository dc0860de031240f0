"""Which variable of a file belongs to which layer: every one to exactly one.

Keras 3 files variables by the place of their layer, as ``layers/lstm_1/cell/vars/0``; older HDF5 files have a group
for each layer, which lists its variables in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from seqkit.errors import ConvertError, LoadError
from seqkit.interop.keras.config import Block, Chain
from seqkit.interop.keras.hdf5 import Hdf5

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
Shape = tuple[int, ...]


def filled(chain: Chain, file: Hdf5, owner: str) -> Chain:
    """The chain with its weights.

    Raises
    ------
    LoadError
        If a variable is missing or has another shape than its layer, or one belongs to no layer.
    ConvertError
        If weights are of another type than the model computes in.
    """
    old = _lists(file, "layer_names", "model_weights") or _lists(file, "layer_names", "")
    places = _listed(chain, file, owner) if old else _filed(chain)
    used: set[str] = set()
    features, blocks = _features(chain, file, places), []
    for block, paths in zip(chain.blocks, places, strict=True):
        filler = _Filler(file, iter(paths), chain.dtype, f"{owner}: layer {block.name!r}")
        blocks.append(filler.fill(block, features))
        features = width(block, features)
        left = next(filler.paths, None)
        if left is not None:
            raise LoadError(f"{owner}: layer {block.name!r} has no use for the variable {left!r:.200} of the file.")
        used.update(paths)
    extra = [name for name in file.arrays if name not in used and not _of_training(name)]
    if extra:
        raise LoadError(f"{owner}: the variable {extra[0]!r:.200} belongs to no layer of the model.")
    return replace(chain, blocks=tuple(blocks))


def _of_training(name: str) -> bool:
    """Whether a variable is one that only training uses."""
    return name.startswith(("optimizer/", "optimizer_weights/")) or "seed_generator" in name.split("/")


# ---- places --------------------------------------------------------------------------------------


def _filed(chain: Chain) -> list[list[str]]:
    """For each block, where Keras 3 files its variables."""
    names = unique(block.slug for block in chain.blocks)
    return [list(_paths(block, f"layers/{name}")) for block, name in zip(chain.blocks, names, strict=True)]


def unique(slugs: Iterator[str]) -> Iterator[str]:
    """Names as Keras numbers them.

    Examples
    --------
    >>> list(unique(iter(["lstm", "dense", "lstm", "lstm"])))
    ['lstm', 'dense', 'lstm_1', 'lstm_2']
    """
    seen: Counter[str] = Counter()
    for slug in slugs:
        yield f"{slug}_{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1


def _paths(block: Block, place: str) -> Iterator[str]:
    """Where the variables of a block and of its parts are, in order."""
    own = f"{place}/cell/vars" if block.kind in GATES else f"{place}/vars"
    yield from (f"{own}/{number}" for number in range(_count(block)))
    names: Sequence[str] = ()
    if block.kind == "Bidirectional":
        names = ("forward_layer", "backward_layer")
    elif block.kind == "StackedRNNCells":
        names = [f"cells/{name}" for name in unique(part.slug for part in block.parts)]
    elif block.parts:
        names = ("cell",) if block.kind == "RNN" else ("layer",)
    for part, name in zip(block.parts, names, strict=True):
        yield from _paths(part, f"{place}/{name}")


def _count(block: Block) -> int:
    """How many variables a block has without its parts."""
    return len(shapes(block, 1))


def _listed(chain: Chain, file: Hdf5, owner: str) -> list[list[str]]:
    """For each block, the variables that an older file lists."""
    root = "model_weights" if "model_weights" in file.texts else ""
    known = {block.name for block in chain.blocks}
    if len(known) < len(chain.blocks):
        raise ConvertError(f"{owner}: two layers have one name.")
    found = {}
    for name in _lists(file, "layer_names", root):
        group = f"{root}/{name}" if root else name
        found[name] = [f"{group}/{variable}" for variable in _lists(file, "weight_names", group)]
    stranger = next((name for name, paths in found.items() if paths and name not in known), None)
    if stranger is not None:
        raise LoadError(f"{owner}: the file has weights of the layer {stranger!r:.80}, which the model has not.")
    return [found.get(block.name, []) for block in chain.blocks]


def _lists(file: Hdf5, name: str, group: str) -> list[str]:
    """Names that an attribute lists; a long list goes on in attributes with numbers."""
    texts = file.texts.get(group, {})
    found: list[str] = []
    for key in [name, *(f"{name}{number}" for number in range(len(texts)))]:
        value = texts.get(key, [])
        found += [value] if isinstance(value, str) else value
    return found


# ---- shapes --------------------------------------------------------------------------------------


def shapes(block: Block, features: int) -> list[Shape]:
    """The shapes of a block's own variables, in Keras' order."""
    options, kind = block.options, block.kind.removesuffix("Cell")
    if kind == "Embedding":
        return [(options["input_dim"], options["output_dim"])]
    if kind == "Dense":
        bias: list[Shape] = [(options["units"],)]
        return [(features, options["units"]), *(bias if options["use_bias"] else [])]
    if kind not in GATES:
        return []
    units, columns = options["units"], GATES[kind] * options["units"]
    bias = [(2, columns) if options.get("reset_after") else (columns,)]
    return [(features, columns), (units, columns), *(bias if options["use_bias"] else [])]


def width(block: Block, features: int) -> int:
    """How many features a block gives for so many."""
    if block.kind == "Embedding":
        return block.options["output_dim"]
    if "units" in block.options:
        return block.options["units"]
    widths = [width(part, features) for part in block.parts]
    if block.kind == "Bidirectional":
        return sum(widths) if block.options["merge_mode"] == "concat" else widths[0]
    return widths[-1] if widths else features


def _features(chain: Chain, file: Hdf5, places: list[list[str]]) -> int:
    """Number of input features: what the input layer says, else what the first kernel has rows for."""
    if chain.blocks[0].kind == "Embedding":
        return 1
    if chain.shape is not None and len(chain.shape) > 1 and chain.shape[-1] is not None:
        return chain.shape[-1]
    kernel = next((file.arrays.get(paths[0]) for paths in places if paths), None)
    return kernel.shape[0] if kernel is not None and kernel.ndim == 2 else 1


class _Filler:
    """Hands the variables of a layer to it and its parts."""

    def __init__(self, file: Hdf5, paths: Iterator[str], dtype: str, where: str) -> None:
        self.file, self.paths, self.dtype, self.where = file, paths, dtype, where

    def fill(self, block: Block, features: int) -> Block:
        """The block with its weights and those of its parts."""
        weights = tuple(self._take(shape) for shape in shapes(block, features))
        parts = []
        for part in block.parts:
            parts.append(self.fill(part, features))
            features = width(part, features) if block.kind == "StackedRNNCells" else features
        return replace(block, weights=weights, parts=tuple(parts))

    def _take(self, shape: Shape) -> np.ndarray:
        path = next(self.paths, None)
        if path is None or path not in self.file.arrays:
            missing = "a variable" if path is None else f"the variable {path!r:.200}"
            raise LoadError(f"{self.where}: {missing} of shape {shape} is missing in the file.")
        array = self.file.arrays[path]
        if array.shape != shape:
            raise LoadError(f"{self.where}: {path!r:.200} has shape {array.shape}, expected {shape}.")
        if array.dtype.name != self.dtype:
            raise ConvertError(
                f"{self.where}: {path!r:.200} is of {array.dtype}, but the model computes in {self.dtype}."
            )
        return array
