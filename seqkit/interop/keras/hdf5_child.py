"""The process that reads an HDF5 file of a stranger: run as a script, it gets bytes and gives numbers.

The HDF5 library is large, written in C, and has had many holes.  So nothing of it runs where the user's program does:
this script gets the file through a pipe, gives up what it may do (no files, no processes, bounded time and memory)
and writes what it found to another pipe, a line of JSON and the bytes of the arrays, which the parent checks anew.

Before anything is opened it is asked what it is: only hard links to groups and data sets of plain numbers are
followed, each once; data that lie in other files, are made of other data sets, or go through other filters than gzip
and shuffle are refused.  It imports nothing of seqkit.
"""

from __future__ import annotations

import io
import json
import math
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

TEXTS = ("model_config", "keras_version")
"""Attributes that hold a text."""
LISTS = ("layer_names", "weight_names")
"""Attributes that hold a list of names; a long one goes on in those with a number behind the name."""

MEGABYTE = 1 << 20
FORBIDDEN = ("open", "import", "subprocess", "socket", "os.", "shutil", "ctypes", "urllib")
"""Audit events that end the process."""
ERRORS = (OSError, RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError)
"""What h5py raises for damaged files; memory and processor time run out in other ways."""


class Refused(Exception):
    """The file asks for what no model needs."""


class Damaged(Exception):
    """The file cannot be read."""


class Contents:
    """What a file holds: texts of its groups, and arrays.

    Parameters
    ----------
    data : bytes
        The file.
    limits : dict of str to int
        Budgets, as in :class:`seqkit.limits.Limits`.
    """

    def __init__(self, data: bytes, limits: dict[str, int]) -> None:
        self.limits, self._seen, self._text = limits, set[Any](), 0
        self.room = MEGABYTE + limits["ratio"] * len(data)
        self.texts: dict[str, dict[str, Any]] = {}
        self.arrays: dict[str, Any] = {}

    def walk(self, group: Any, path: str = "", depth: int = 0) -> None:
        """Take what a group holds, and the groups in it."""
        from h5py import h5d, h5g, h5l, h5o

        if depth > self.limits["depth"]:
            raise Refused(f"groups lie in each other deeper than {self.limits['depth']}")
        self.texts[path] = self._attributes(group, path)
        for name in self._names(group):
            place = f"{path}/{name}" if path else name
            if group.links.get_info(name.encode()).type != h5l.TYPE_HARD:
                raise Refused(f"{place!r} is a link to another place or file")
            found = h5o.open(group, name.encode())
            self._count(found, place)
            if isinstance(found, h5g.GroupID):
                self.walk(found, place, depth + 1)
            elif isinstance(found, h5d.DatasetID):
                self.arrays[place] = self._checked(found, place)
            else:
                raise Refused(f"{place!r} is neither a group nor a data set")

    def _names(self, group: Any) -> Iterator[str]:
        if group.get_num_objs() > self.limits["arrays"]:
            raise Refused(f"a group has more than {self.limits['arrays']} entries")
        for name in list(group):
            yield name.decode()

    def _count(self, found: Any, place: str) -> None:
        """Refuse what was seen before, which is how circles are made, and too many things."""
        from h5py import h5o

        address = h5o.get_info(found).addr
        if address in self._seen:
            raise Refused(f"{place!r} is there under another name, too")
        self._seen.add(address)
        if len(self._seen) > self.limits["arrays"]:
            raise Refused(f"there are more than {self.limits['arrays']} groups and data sets")

    # ---- data sets -------------------------------------------------------------------------------

    def _checked(self, found: Any, place: str) -> Any:
        """A data set whose numbers can be read: they are there, and not much more than there is."""
        from h5py import h5d, h5s

        plan, space = found.get_create_plist(), found.get_space()
        if plan.get_external_count() or plan.get_layout() == h5d.VIRTUAL:
            raise Refused(f"the numbers of {place!r} lie in other files or data sets")
        if (
            space.get_simple_extent_type() not in (h5s.SIMPLE, h5s.SCALAR)
            or space.get_simple_extent_ndims() > (self.limits["rank"])
        ):
            raise Refused(f"{place!r} has more than {self.limits['rank']} dimensions, or none at all")
        self._check_type(found, place)
        size = math.prod(found.shape) * found.dtype.itemsize
        stored = found.get_storage_size()
        if plan.get_layout() == h5d.CHUNKED:
            self._check_chunks(plan, size, stored, found.dtype.itemsize, place)
        elif stored != size:
            raise Refused(f"{place!r} declares {size} bytes and has {stored}")
        self.room -= size
        if self.room < 0:
            raise Refused(f"the data sets grow to more than {self.limits['ratio']} times the file")
        return found

    def _check_type(self, found: Any, place: str) -> None:
        from h5py import h5t

        kind = found.get_type()
        if kind.committed() or kind.get_class() not in (h5t.FLOAT, h5t.INTEGER):
            raise Refused(f"{place!r} does not hold plain numbers")
        if found.dtype.kind not in "fiu" or found.dtype.itemsize > 8 or found.dtype.itemsize != kind.get_size():
            raise Refused(f"{place!r} holds numbers of an unusual form ({found.dtype})")

    def _check_chunks(self, plan: Any, size: int, stored: int, itemsize: int, place: str) -> None:
        from h5py import h5z

        known = {h5z.FILTER_DEFLATE: "gzip", h5z.FILTER_SHUFFLE: "shuffle"}
        if any(plan.get_filter(number)[0] not in known for number in range(plan.get_nfilters())):
            raise Refused(f"{place!r} is packed with a filter other than gzip and shuffle")
        chunk = math.prod(plan.get_chunk()) * itemsize
        if (size and not stored) or size > max(MEGABYTE, self.limits["ratio"] * stored):
            raise Refused(f"{place!r} declares {size} bytes and has {stored}")
        if chunk > max(MEGABYTE, 2 * size):
            raise Refused(f"{place!r} is cut into pieces of {chunk} bytes")

    # ---- texts -----------------------------------------------------------------------------------

    def _attributes(self, group: Any, path: str) -> dict[str, Any]:
        """The attributes that Keras writes, by name; others are not looked at."""
        import h5py

        own = h5py.Group(group)
        if len(own.attrs) > self.limits["arrays"]:
            raise Refused(f"{path!r} has more than {self.limits['arrays']} attributes")
        names = [name for name in own.attrs if name in TEXTS or name.rstrip("0123456789") in LISTS]
        return {name: self._attribute(own.attrs, name, f"{path}@{name}") for name in names}

    def _attribute(self, attributes: Any, name: str, place: str) -> Any:
        from h5py import h5t

        kind = attributes.get_id(name)
        if kind.shape == (0,):  # a list without names, of any type
            return []
        if kind.get_type().get_class() != h5t.STRING or len(kind.shape) > 1:
            raise Refused(f"{place!r} is no text")
        if kind.get_storage_size() > self.limits["text"]:
            raise Refused(f"the texts are longer than {self.limits['text']}")
        value = attributes[name]
        parts = [_decoded(part) for part in ([value] if isinstance(value, (str, bytes)) else list(value))]
        self._text += sum(map(len, parts))
        if self._text > self.limits["text"]:
            raise Refused(f"the texts are longer than {self.limits['text']}")
        return parts if kind.shape else parts[0]


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode()


def read(data: bytes, limits: dict[str, int]) -> Contents:
    """What is in a file, its arrays still unread."""
    import h5py

    try:
        file = h5py.File(io.BytesIO(data), "r")
    except ERRORS as error:
        raise Damaged(str(error)) from None
    contents = Contents(data, limits)
    root = h5py.h5g.open(file.id, b"/")
    contents._count(root, "/")
    contents.walk(root)
    return contents


def answer(data: bytes, limits: dict[str, int], out: BinaryIO) -> None:
    """Write what is in a file: one line of JSON, then the bytes of all arrays in its order, little-endian."""
    import numpy as np

    try:
        contents = read(data, limits)
        arrays = {name: (found.dtype.newbyteorder("<").str, found.shape) for name, found in contents.arrays.items()}
        _line(out, {"texts": contents.texts, "arrays": arrays})
        for found in contents.arrays.values():
            array = np.empty(found.shape, found.dtype.newbyteorder("<"))
            found.read(*_all(found), array)
            out.write(array.data.cast("B") if array.size else b"")
    except Refused as error:
        _line(out, {"refused": str(error)})
    except (Damaged, *ERRORS) as error:
        _line(out, {"damaged": str(error)})


def _all(found: Any) -> tuple[Any, Any]:
    from h5py import h5s

    return h5s.ALL, h5s.ALL


def _line(out: BinaryIO, value: Any) -> None:
    out.write(json.dumps(value).encode() + b"\n")


def rehearse(limits: dict[str, int]) -> None:
    """Read a file of every kind once, so that whatever is imported on the way is there when nothing can be opened."""
    import h5py
    import numpy as np

    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        group = file.create_group("a")
        group.attrs["keras_version"], group.attrs["weight_names"] = "3", [b"b"]
        group.attrs["layer_names"] = np.array([b"c"])
        group.create_dataset("b", data=np.zeros((2, 2)), compression="gzip", shuffle=True)
        group["c"] = h5py.SoftLink("/a/b")
    for data in (memory.getvalue(), b""):
        answer(data, limits, io.BytesIO())


def confine(nbytes: int, ratio: int) -> None:
    """Give up, for good, whatever reading does not need."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    seconds = math.ceil(used.ru_utime + used.ru_stime) + 1 + nbytes // (50 * MEGABYTE)
    memory = mapped + 64 * MEGABYTE + min(ratio, 4) * nbytes
    for what, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),  # standard input and output are open: nothing else can be
    ):
        resource.setrlimit(what, (value, value))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: Any) -> None:
    if event.startswith(FORBIDDEN):
        os._exit(99)


def main() -> None:
    """Read a file from standard input; the limits are the first argument, the rest is where modules are found."""
    limits, sys.path[:] = json.loads(sys.argv[1]), sys.argv[2:]
    rehearse(limits)
    data = sys.stdin.buffer.read()
    confine(len(data), limits["ratio"])
    answer(data, limits, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
