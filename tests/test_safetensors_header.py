"""Headers of safetensors files: what the library writes is read; what it would read two ways, or never, is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from seqkit.errors import LoadError, UnsafeFileError
from seqkit.limits import LIMITS, Limits
from seqkit.safetensors_header import read_header


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def spec(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_what_the_library_writes_is_read() -> None:
    rng, kinds = (
        np.random.default_rng(0),
        "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool",
    )
    arrays = {
        f"{kind} {rank}": rng.integers(0, 2, rng.integers(0, 4, rank)).astype(kind)
        for kind in kinds.split()
        for rank in range(4)
    }
    data = save(arrays, {"a": "b", "": "\n"})
    metadata, entries = read_header(data, "f")
    assert metadata == {"a": "b", "": "\n"}
    assert set(entries) == set(arrays)
    for name, array in arrays.items():
        assert entries[name].shape == array.shape
        assert data[entries[name].start : entries[name].stop] == array.tobytes()


def test_every_truncation_and_what_follows_the_end_is_refused() -> None:
    data = save({"w": np.arange(6.0), "v": np.arange(3)}, {"a": "b"})
    for damaged in (*(data[:size] for size in range(len(data))), data + b"\0"):
        with pytest.raises(LoadError):
            read_header(damaged, "f")


REFUSED = {
    "not a safetensors file, or cut off": (b"", b"\0" * 7, b"\xff" * 8, (100_000_001).to_bytes(8, "little") + b"{}"),
    "the header is no JSON object": (file_of([]), file_of("x"), file_of(3)),
    "nested deeper": (file_of(b"[" * 100_000),),
    "the key 'a' stands twice": (file_of(b'{"a": 1, "a": 2}'), file_of(b'{"__metadata__": {"a": "", "a": ""}}')),
    "metadata in the header": (file_of({"__metadata__": {"a": 1}}), file_of({"__metadata__": []})),
    "expected dtype, shape and data_offsets": (file_of({"a": []}), file_of({"a": {"dtype": "F32", "shape": [1]}})),
    "which is not read": (file_of({"a": spec(dtype="F8_E4M3")}), file_of({"a": spec(dtype=["F32"])})),
    "is damaged: shape": (
        *(file_of({"a": spec(shape)}) for shape in (None, {}, "12", 2)),
        *(file_of({"a": spec((2,), offsets)}) for offsets in (None, [0], [0, 8, 9], [0, True], [0.0, 8.0], "08")),
    ),
    "an array cannot have the shape": tuple(file_of({"a": spec([s])}, b"\0" * 8) for s in (-1, 1.0, 1e3, True, "1")),
    "an array of 9 dimensions": (file_of({"a": spec([1] * 9, [0, 4])}, b"\0" * 4),),
    "bytes, not": (
        file_of({"a": spec((3,))}, b"\0" * 8),
        file_of({"a": spec((2**62, 4), [0, 0])}),
        file_of({"a": spec((2,), [8, 0])}, b"\0" * 8),
        file_of({"a": spec((2,), [-8, 0])}, b"\0" * 8),
    ),
    "begins at byte": (
        file_of({"a": spec(offsets=(8, 16))}, b"\0" * 16),
        file_of({"a": spec(), "b": spec()}, b"\0" * 8),
        file_of({"a": spec(), "b": spec(offsets=(4, 12))}, b"\0" * 12),
        file_of({"a": spec(), "b": spec(offsets=(16, 24))}, b"\0" * 24),
        file_of({"a": spec(), "e": spec((0, 2**63), [4, 4])}, b"\0" * 8),
    ),
    "the arrays end at byte": (
        file_of({"a": spec()}, b"\0" * 9),
        file_of({"a": spec()}, b"\0" * 7),
        file_of({}, b"PK"),
    ),
}


@pytest.mark.parametrize("match", REFUSED)
def test_refused(match: str) -> None:
    for data in REFUSED[match]:
        with pytest.raises(LoadError, match=rf"^f: .*{re.escape(match)}"):
            read_header(data, "f")


def test_limits() -> None:
    data = file_of({str(place): spec((0,), (0, 0)) for place in range(1000)})
    assert len(read_header(data, "f")[1]) == 1000
    with pytest.raises(UnsafeFileError, match="1000 arrays, expected at most 999"):
        read_header(data, "f", Limits(arrays=999))
    long = file_of(b" " * (LIMITS.text + 1))
    with pytest.raises(UnsafeFileError, match="expected at most"):
        read_header(long, "f")


def test_whatever_is_taken_the_library_takes_too() -> None:
    """Bit flips in a header: no file that is read here has other arrays there."""
    rng = np.random.default_rng(1)
    data, taken = save({"ab": np.arange(6.0).reshape(2, 3), "c": np.arange(2)}), 0
    header = 8 + int.from_bytes(data[:8], "little")
    for _ in range(3000):
        damaged = bytearray(data)
        damaged[rng.integers(header)] ^= 1 << rng.integers(8)
        try:
            entries = read_header(bytes(damaged), "f")[1]
        except LoadError:
            continue
        taken += 1
        arrays = load(bytes(damaged))
        assert {name: array.shape for name, array in arrays.items()} == {name: e.shape for name, e in entries.items()}
        for name, entry in entries.items():
            assert arrays[name].tobytes() == damaged[entry.start : entry.stop]
    assert taken > 50
