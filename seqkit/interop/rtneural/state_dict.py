"""RTNeural's other form: the state dict of a PyTorch module as JSON, ``{"lstm.weight_ih_l0": [[...]], ...}``.

Which layers there are, and in which order, is in the C++ program that loads them one by one (RTNeural/torch_helpers.h);
here it is in a mapping, as for every state dict.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError
from seqkit.interop.imported import Imported
from seqkit.interop.rtneural.schema import array, of_dtype
from seqkit.limits import LIMITS

SOURCE = "PyTorch state dict as JSON"


def is_state_dict(document: Mapping[str, Any]) -> bool:
    """Whether all there is are lists under names of tensors."""
    return bool(document) and all("." in name and isinstance(value, list) for name, value in document.items())


def read_state_dict(
    document: Mapping[str, Any],
    owner: str,
    dtype: str,
    prefix: str,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | None,
) -> Imported:
    """The model of a state dict, proven by what proves PyTorch's."""
    from seqkit.interop import torch

    arrays = {name: _tensor(value, f"{owner}: {name[:80]}", dtype) for name, value in document.items()}
    try:
        return replace(torch.read(arrays, prefix, mapping=mapping), source=SOURCE)
    except ConvertError as error:
        raise ConvertError(f"{owner}: {error}") from error


def _tensor(value: Any, owner: str, dtype: str) -> np.ndarray:
    """Nested lists as an array of the shape that their first entries have."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if len(shape) > LIMITS.rank or first is None:
        raise LoadError(f"{owner}: expected lists of numbers.")
    return of_dtype(array(value, tuple(shape), owner), dtype, owner)
