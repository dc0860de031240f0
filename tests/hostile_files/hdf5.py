"""HDF5 files: edited through h5py, and what such a file can hold that no model needs (F27)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import h5py
import numpy as np

from hostile_files.mutate import corrupt_json

REFUSALS = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError)
"""What h5py raises where something cannot be done to a file, which is left as it is then."""
Edit = Callable[[h5py.File], Any]


def edited(data: bytes, edit: Edit) -> bytes:
    """A file with something changed in it."""
    file = io.BytesIO(data)
    with h5py.File(file, "r+") as opened:
        edit(opened)
    return file.getvalue()


def written(edit: Edit, **options: Any) -> bytes:
    """A new file with what `edit` puts into it."""
    file = io.BytesIO()
    with h5py.File(file, "w", **options) as opened:
        edit(opened)
    return file.getvalue()


def places(file: h5py.Group, kind: type = h5py.Dataset) -> list[str]:
    """Paths of all data sets, or groups."""
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, kind) else None)
    return found


# ---- random changes ------------------------------------------------------------------------------


def damaged(rng: Random, data: bytes) -> bytes:
    """One or a few places changed as a program could."""

    def edit(file: h5py.File) -> None:
        for _ in range(rng.choice((1, 1, 2))):
            found = places(file)
            if found:
                with suppress(*REFUSALS):
                    rng.choice(_EDITS)(rng, file, rng.choice(found))

    return edited(data, edit)


def _other_array(rng: Random, file: h5py.File, place: str) -> None:
    """Another shape, type or filter."""
    old = file[place][()]
    kind = rng.choice(("f2", "f4", "f8", ">f4", "i1", "i8", "u2", "?", "c8", "S3"))
    shape = rng.choice((old.shape, old.shape[::-1], (*old.shape, 1), (), (0,), (old.size,), (1,) * 9))
    array = np.resize(np.real(old), shape).astype(kind)
    options = rng.choice(
        (
            {},
            {},
            {"compression": "gzip"},
            {"compression": "lzf"},
            {"shuffle": True},
            {"fletcher32": True},
            {"chunks": True},
        )
    )
    del file[place]
    file.create_dataset(place, data=array, **(options if array.ndim and array.size else {}))


def _other_numbers(rng: Random, file: h5py.File, place: str) -> None:
    file[place][()] = rng.choice((np.nan, np.inf, 0, -1e38))


def _delete(rng: Random, file: h5py.File, place: str) -> None:
    del file[rng.choice((place, place.rpartition("/")[0] or place))]


def _rename(rng: Random, file: h5py.File, place: str) -> None:
    file.move(place, place[:-1] + rng.choice(("x", "9", "é", "\u2603" * 200)))


def _link(rng: Random, file: h5py.File, place: str) -> None:
    target = rng.choice((place, "/", "nowhere", "/" + place.partition("/")[0]))
    del file[place]
    links = (h5py.SoftLink(target), h5py.ExternalLink("other.h5", target), h5py.ExternalLink("/etc/hostname", "/"))
    file[place] = rng.choice(links)


def _attribute(rng: Random, file: h5py.File, place: str) -> None:
    """A name, a configuration, or something of its name that is none."""
    holders = [file, *(file[group] for group in places(file, h5py.Group))]
    named = [(holder, name) for holder in holders for name in holder.attrs]
    holder, name = rng.choice(named) if named else (file, "model_config")
    old = holder.attrs.get(name)
    if isinstance(old, str) and old.startswith("{") and rng.random() < 0.7:
        holder.attrs[name] = corrupt_json(rng, old.encode()).decode("utf-8", "replace")
    else:
        holder.attrs[name] = rng.choice((0, 1.5, "x", b"x", "x" * 10_000, [], [b"a", b"a"], np.zeros((2, 2)), "../.."))


def _extra(rng: Random, file: h5py.File, place: str) -> None:
    rng.choice(list(strange().values()))(file)


_EDITS = (
    _other_array,
    _other_array,
    _other_numbers,
    _delete,
    _rename,
    _link,
    _attribute,
    _attribute,
    _attribute,
    _extra,
)


# ---- what no model needs -------------------------------------------------------------------------


def strange() -> dict[str, Edit]:
    """Things to put into a file, by name."""
    return {
        "a link to another file": lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")),
        "a link": lambda file: file.__setitem__("x", h5py.SoftLink("/etc")),
        "a link in a circle": lambda file: file.__setitem__("x", h5py.SoftLink("/x")),
        "a group in itself": _circle,
        "a data set of two names": _two_names,
        "numbers in another file": _external,
        "numbers of other data sets": _virtual,
        "numbers that are not there": lambda file: file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 20,)),
        "a large fill value": lambda file: file.create_dataset(
            "x", (1 << 20, 1 << 20), "f4", fillvalue=1.0, chunks=True
        ),
        "contiguous numbers that are not there": lambda file: file.create_dataset("x", (1 << 38,), "f4"),
        "texts": lambda file: file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype()),
        "sequences": lambda file: file.create_dataset("x", (3,), dtype=h5py.vlen_dtype(np.int32)),
        "compounds": lambda file: file.create_dataset("x", (3,), dtype=[("a", "f4"), ("b", "i4")]),
        "references": lambda file: file.create_dataset("x", (3,), dtype=h5py.ref_dtype),
        "enumerations": lambda file: file.create_dataset("x", (3,), dtype=h5py.enum_dtype({"A": 1})),
        "a named type": lambda file: file.__setitem__("x", np.dtype("f4")),
        "opaque bytes": lambda file: file.create_dataset("x", data=np.void(b"abc")),
        "complex numbers": lambda file: file.create_dataset("x", data=np.ones(2) * 1j),
        "long floats": lambda file: file.create_dataset("x", data=np.ones(2, np.longdouble)),
        "lzf": lambda file: file.create_dataset("x", data=np.ones(100), compression="lzf"),
        "rounded numbers": lambda file: file.create_dataset("x", data=np.arange(100), scaleoffset=4),
        "nothing": lambda file: file.create_dataset("x", data=h5py.Empty("f4")),
        "many dimensions": lambda file: file.create_dataset("x", data=np.ones((1,) * 20)),
        "deep groups": lambda file: file.create_group("/".join("x" * 200)),
    }


def _circle(file: h5py.File) -> None:
    file.create_group("x")["y"] = file["/"]


def _two_names(file: h5py.File) -> None:
    file["x"] = np.ones(3)
    file["y"] = file["x"]


def _external(file: h5py.File) -> None:
    file.create_dataset("x", (10,), "u1", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("x", layout)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Files that grow."""
    zeros = np.zeros(1 << 24, np.float32)
    yield "a bomb", written(lambda file: file.create_dataset("x", data=zeros, compression="gzip", compression_opts=1))
    small = np.zeros(1 << 18, np.float32)

    def many(file: h5py.File) -> None:
        for number in range(80):
            file.create_dataset(f"{number}", data=small, compression="gzip", compression_opts=1)

    yield "a bomb of small bombs", written(many)
    yield (
        "a piece that is too large",
        written(
            lambda file: file.create_dataset(
                "x", data=np.ones(3), chunks=(1 << 22,), maxshape=(None,), compression="gzip"
            )
        ),
    )
    yield "many groups", written(lambda file: [file.create_group(f"{number}") for number in range(5_000)])
    yield "a long attribute", written(lambda file: file.attrs.__setitem__("keras_version", "x" * 60_000))
    text = b"[" * 60_000
    yield "a deep configuration", written(lambda file: file.attrs.__setitem__("model_config", text))
    yield "a user block", written(lambda file: file.create_group("x"), userblock_size=512)
