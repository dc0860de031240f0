"""Mapping files: which parts a model has, in which order, and which tensors belong to them.

A state dict has names and numbers; what is done with them, in which order, is in the program that wrote it.  A mapping
says so, as TOML, JSON or a dict::

    ignore = ["epoch_counter"]

    [[layers]]
    kind = "embedding"
    prefix = "embed"

    [[layers]]
    kind = "lstm"
    prefix = "encoder"

    [[layers]]
    kind = "last_step"

    [[layers]]
    kind = "linear"
    prefix = "head"
    activation = "softmax"

Every tensor must belong to a layer or be named under `ignore`, a name with ``*`` for any letters.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from seqkit.errors import ConvertError, LoadError
from seqkit.interop.torch.parts import Part
from seqkit.interop.torch.tensors import Weights
from seqkit.limits import parse_json, read_file

LONGEST = 1 << 20
"""Bytes of a mapping file."""
MOST = 1000
"""Layers of a mapping."""


def parts_of(mapping: str | os.PathLike[str] | Mapping[str, Any], weights: Weights) -> list[Part]:
    """The parts that a mapping lists, which use or ignore every tensor.

    Raises
    ------
    ConvertError
        If a key is unknown or a tensor belongs to no part, or to two.
    LoadError
        If the file is neither TOML nor JSON.
    """
    described, owner = (mapping, "mapping") if isinstance(mapping, Mapping) else (_read(mapping), os.fspath(mapping))
    unknown = set(described) - {"layers", "ignore"}
    layers, ignore = described.get("layers"), described.get("ignore", [])
    if unknown or not isinstance(layers, list) or not 0 < len(layers) <= MOST:
        raise ConvertError(f"{owner}: expected a list 'layers' and perhaps 'ignore', got {', '.join(described)[:200]}.")
    if not isinstance(ignore, list) or not all(isinstance(name, str) for name in ignore):
        raise ConvertError(f"{owner}: 'ignore' must be a list of names.")
    parts = [_part(layer, f"{owner}: layer {number}") for number, layer in enumerate(layers)]
    _check_use(parts, ignore, weights, owner)
    return parts


def _read(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    data, owner = read_file(path, LONGEST), os.fspath(path)
    if Path(path).suffix == ".json":
        value = parse_json(data, owner)
    else:
        try:
            value = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise LoadError(f"{owner}: not a TOML file ({error!s:.200}); see the documentation of mappings.") from None
    if not isinstance(value, dict):
        raise ConvertError(f"{owner}: expected a table with 'layers'.")
    return value


def _part(described: Any, title: str) -> Part:
    if not isinstance(described, Mapping) or not isinstance(described.get("kind"), str):
        raise ConvertError(f"{title}: expected a table with a kind.")
    options = {name: value for name, value in described.items() if name not in ("kind", "prefix")}
    prefix = described.get("prefix", "")
    if not isinstance(prefix, str):
        raise ConvertError(f"{title}: prefix must be a name, got {prefix!r:.80}.")
    return Part(described["kind"], prefix.removesuffix("."), options, f"{title} ({described['kind']:.40})")


def _check_use(parts: list[Part], ignore: list[str], weights: Weights, owner: str) -> None:
    """Every tensor belongs to one part or is ignored, and every name that is ignored is there."""
    users: dict[str, str] = {}
    for part in parts:
        for name in weights.names(part.prefix) if part.tensors(weights) else ():
            if users.setdefault(name, part.title) != part.title:
                raise ConvertError(f"{part.title}: {name!r} belongs to {users[name]} already.")
    for pattern in ignore:
        matched = [name for name in weights.arrays if fnmatchcase(name, pattern)]
        if not matched or any(name in users for name in matched):
            raise ConvertError(f"{owner}: ignore names {pattern!r:.80}, which is no tensor, or one that a layer has.")
    left = [
        name
        for name in weights.arrays
        if name not in users and not any(fnmatchcase(name, pattern) for pattern in ignore)
    ]
    if left:
        raise ConvertError(
            f"{owner}: no layer has {', '.join(left)[:300]}; add layers, or name what is not needed under 'ignore'."
        )
