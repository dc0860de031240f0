"""The header of a safetensors file: everything that is said in it is checked against the bytes that are there.

The format is 8 bytes with the length of the header (little endian), a JSON object that gives the type, the shape and
the place of every array, and the arrays one after the other, without gaps, to the end of the file
(https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqkit.errors import LoadError, UnsafeFileError
from seqkit.limits import LIMITS, Limits, array_bytes, parse_json

ITEMSIZES = {
    **{"BOOL": 1, "I8": 1, "U8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2},
    **{"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8},
}
"""Bytes of a number of each type that is read."""


@dataclass(frozen=True)
class Entry:
    """Where an array lies in the file.

    Attributes
    ----------
    dtype : str
        A key of `ITEMSIZES`.
    shape : tuple of int
        Its sizes.
    start, stop : int
        Its first byte in the file, and the one after its last.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(data: bytes, owner: str, limits: Limits = LIMITS) -> tuple[dict[str, str], dict[str, Entry]]:
    """Metadata and places of the arrays of a safetensors file.

    Parameters
    ----------
    data : bytes
        The whole file.
    owner : str
        Its name, for errors.
    limits : Limits
        `text`, `depth`, `objects`, `arrays` and `rank` count.

    Raises
    ------
    LoadError
        If it is no such file, or a damaged one.
    UnsafeFileError
        If an array is not as large as its shape says, if arrays overlap or leave bytes unused, or if there is more
        of something than `limits` allow.

    Examples
    --------
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> metadata, entries = read_header(save({"w": np.ones((2, 3))}, {"format": "np"}), "w.safetensors")
    >>> metadata, entries["w"].dtype, entries["w"].shape
    ({'format': 'np'}, 'F64', (2, 3))
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise LoadError(
            f"{owner}: not a safetensors file, or cut off: it has {len(data)} bytes and its header would need "
            f"{size + 8}; use another copy of it."
        )
    header = parse_json(data[8 : 8 + size], f"{owner}: the header", limits)
    if not isinstance(header, dict):
        raise LoadError(f"{owner}: not a safetensors file: the header is no JSON object.")
    metadata = _metadata(header.pop("__metadata__", {}), owner)
    if len(header) > limits.arrays:
        raise UnsafeFileError(f"{owner}: {len(header)} arrays, expected at most {limits.arrays}.")
    entries = {name: _entry(f"{owner}: array {name!r:.80}", spec, 8 + size, limits) for name, spec in header.items()}
    _check_places(entries, 8 + size, len(data), owner)
    return metadata, entries


def _metadata(value: Any, owner: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise LoadError(f"{owner}: damaged: the metadata in the header are no object of texts.")
    return value


def _entry(owner: str, spec: Any, base: int, limits: Limits) -> Entry:
    if not isinstance(spec, dict) or set(spec) != {"dtype", "shape", "data_offsets"}:
        raise LoadError(f"{owner} is damaged: expected dtype, shape and data_offsets, got {spec!r:.80}.")
    dtype, shape, offsets = spec["dtype"], spec["shape"], spec["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEMSIZES:
        raise LoadError(f"{owner} has the type {dtype!r:.40}, which is not read; known are {', '.join(ITEMSIZES)}.")
    if not isinstance(shape, list) or not isinstance(offsets, list) or [type(place) for place in offsets] != [int] * 2:
        raise LoadError(f"{owner} is damaged: shape {shape!r:.80}, data_offsets {offsets!r:.80}.")
    size, (start, stop) = array_bytes(shape, ITEMSIZES[dtype], owner, limits.rank), offsets
    if start < 0 or stop - start != size:
        raise UnsafeFileError(f"{owner} of shape {shape} and type {dtype} has {size} bytes, not {stop - start}.")
    return Entry(dtype, tuple(shape), base + start, base + stop)


def _check_places(entries: Mapping[str, Entry], base: int, end: int, owner: str) -> None:
    """One array after the other: what is read twice or by nobody would be another file for another reader."""
    place = base
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != place:
            raise UnsafeFileError(f"{owner}: array {name!r:.80} begins at byte {entry.start}, expected {place}.")
        place = entry.stop
    if place != end:
        raise UnsafeFileError(
            f"{owner}: damaged or cut off: the arrays end at byte {place}, the file at {end}; use another copy of it."
        )
