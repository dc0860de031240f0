"""A closed interpreter of the pickle opcodes that torch.save writes.

Python's own unpickler imports what a file names and calls what it says.  This one builds numbers, strings, tuples,
lists and dicts, and nothing else: a global is looked up in a table of a `World` and gives an inert tag, a call of a tag
is answered by the same World, and every other opcode ends the reading.  The number of opcodes is limited, because each
makes at most one small object: neither time nor memory can grow beyond that.

Source: CPython, Lib/pickletools.py, where every opcode is described.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

from seqkit.errors import LoadError, UnsafeFileError

OPCODES = 500_000
"""Opcodes that a pickle may have; a state dict has about 30 for a tensor."""
PROTOCOL = 2
LONGEST_NUMBER = 16
"""Bytes of an integer; those of sizes and counters have 8."""


class World(Protocol):
    """What the names in a pickle mean."""

    def find(self, name: str) -> Any:
        """An inert tag for a global such as "collections OrderedDict"; raises for one that is not known."""

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """What a pickle gets for calling something; raises unless that is a tag with fitting arguments."""

    def persistent(self, identity: Any) -> Any:
        """What lies outside the pickle under this identity."""


class Machine:
    """Runs one pickle.

    Parameters
    ----------
    data : bytes
        The whole pickle.
    world : World
        Meaning of its names.
    owner : str
        Name of the file, for errors.

    Examples
    --------
    >>> import pickle
    >>> Machine(pickle.dumps({"a": (1, 2.5)}, protocol=2), world=None, owner="a.pt").run()
    {'a': (1, 2.5)}
    """

    def __init__(self, data: bytes, world: World, owner: str) -> None:
        self._data, self._at, self._world, self._owner = data, 0, world, owner
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle describes.

        Raises
        ------
        LoadError
            If it is damaged.
        UnsafeFileError
            If it has an opcode or a name that a state dict does not need, or too many opcodes.
        """
        for _ in range(OPCODES):
            opcode = self._take(1)
            if opcode == b".":
                return self._result()
            if opcode not in OPERATIONS:
                raise UnsafeFileError(
                    f"{self._owner}: the pickle has the opcode {opcode!r}, which a state dict does not need; it is not "
                    f"run. Save model.state_dict() with torch.save as it is, or as safetensors."
                )
            OPERATIONS[opcode](self)
        raise UnsafeFileError(f"{self._owner}: the pickle has more than {OPCODES} opcodes.")

    def _result(self) -> Any:
        value = self.pop()
        if self._stack or self._marked or self._at != len(self._data):
            raise self.damaged("something is left over at its end")
        return value

    # ---- what operations are made of --------------------------------------------------------

    def _take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) != count:
            raise self.damaged("it is cut off")
        self._at += count
        return piece

    def number(self, form: str) -> Any:
        """The next number, as :mod:`struct` describes it."""
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def text(self, size: int, encoding: str = "utf-8") -> str:
        """The next `size` bytes as text."""
        try:
            return self._take(size).decode(encoding)
        except UnicodeDecodeError:
            raise self.damaged("a text is not UTF-8") from None

    def line(self) -> str:
        """The bytes up to the end of the line."""
        end = self._data.find(b"\n", self._at)
        if end < 0:
            raise self.damaged("it is cut off")
        text = self.text(end - self._at)
        self._at = end + 1
        return text

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the last value from the stack."""
        if not self._stack:
            raise self.damaged("its stack is empty")
        return self._stack.pop()

    def mark(self) -> None:
        """Begin a new stack, whose values belong together."""
        self._marked.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Any]:
        """The values since the last mark."""
        if not self._marked:
            raise self.damaged("a mark is missing")
        values, self._stack = self._stack, self._marked.pop()
        return values

    def top(self, kind: type) -> Any:
        """The last value, which stays on the stack and must be of this kind."""
        if not self._stack or type(self._stack[-1]) is not kind:
            raise UnsafeFileError(f"{self._owner}: the pickle changes something that is not a {kind.__name__}.")
        return self._stack[-1]

    def damaged(self, what: str) -> LoadError:
        """An error for a pickle that cannot be right."""
        return LoadError(f"{self._owner}: the pickle is damaged: {what}; use another copy of the file.")

    # ---- operations -------------------------------------------------------------------------

    def protocol(self) -> None:
        """The version, which torch.save leaves at 2."""
        version = self.number("<B")
        if version != PROTOCOL:
            raise LoadError(
                f"{self._owner}: the pickle has protocol {version}, {PROTOCOL} is read; save it with torch.save as it "
                f"is, without pickle_protocol."
            )

    def find(self) -> None:
        """A name of a module and one in it."""
        self.push(self._world.find(f"{self.line()} {self.line()}"))

    def call(self) -> None:
        """A call, answered by the World."""
        arguments, function = self.pop(), self.pop()
        if type(arguments) is not tuple:
            raise self.damaged("the arguments of a call are not a tuple")
        self.push(self._world.call(function, arguments))

    def persistent(self) -> None:
        """Something outside of the pickle."""
        self.push(self._world.persistent(self.pop()))

    def attributes(self) -> None:
        """Attributes of an OrderedDict, such as the versions of modules; nothing needs them."""
        if type(self.pop()) is not dict:
            raise self.damaged("attributes are not a dict")
        self.top(dict)

    def put(self, place: int) -> None:
        """Remember the last value."""
        value = self.pop()
        self._memo[place] = value
        self.push(value)

    def get(self, place: int) -> None:
        """A value that was remembered."""
        if place not in self._memo:
            raise self.damaged(f"nothing was remembered as {place}")
        self.push(self._memo[place])

    def long(self) -> None:
        """A long integer, little-endian with a sign."""
        size = self.number("<B")
        if size > LONGEST_NUMBER:
            raise UnsafeFileError(f"{self._owner}: the pickle has an integer of {size} bytes.")
        self.push(int.from_bytes(self._take(size), "little", signed=True))

    def tuple_of(self, count: int) -> None:
        """The last values as a tuple."""
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def append(self, values: list[Any]) -> None:
        """Values at the end of a list."""
        self.top(list).extend(values)

    def set_items(self, items: list[Any]) -> None:
        """Keys and values into a dict; only keys that are cheap to compare and cannot be made to collide."""
        if len(items) % 2 or not all(map(_is_key, items[::2])):
            raise self.damaged("a dict has a key that is neither a text nor a small whole number, or no value")
        self.top(dict).update(zip(items[::2], items[1::2], strict=True))


def _is_key(value: Any) -> bool:
    """Whether a dict may have this key: larger numbers can be chosen so that their hashes are all equal."""
    return type(value) is str or (type(value) is int and abs(value) < 1 << 32)


OPERATIONS: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": Machine.protocol,
    b"c": Machine.find,
    b"R": Machine.call,
    b"Q": Machine.persistent,
    b"b": Machine.attributes,
    b"(": Machine.mark,
    b"t": lambda machine: machine.push(tuple(machine.since_mark())),
    b")": lambda machine: machine.push(()),
    b"\x85": lambda machine: machine.tuple_of(1),
    b"\x86": lambda machine: machine.tuple_of(2),
    b"\x87": lambda machine: machine.tuple_of(3),
    b"]": lambda machine: machine.push([]),
    b"}": lambda machine: machine.push({}),
    b"a": lambda machine: machine.append([machine.pop()]),
    b"e": lambda machine: machine.append(machine.since_mark()),
    b"s": lambda machine: machine.set_items([machine.pop(), machine.pop()][::-1]),
    b"u": lambda machine: machine.set_items(machine.since_mark()),
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"K": lambda machine: machine.push(machine.number("<B")),
    b"M": lambda machine: machine.push(machine.number("<H")),
    b"J": lambda machine: machine.push(machine.number("<i")),
    b"G": lambda machine: machine.push(machine.number(">d")),
    b"\x8a": Machine.long,
    b"X": lambda machine: machine.push(machine.text(machine.number("<I"))),
    b"U": lambda machine: machine.push(machine.text(machine.number("<B"), "latin-1")),
    b"q": lambda machine: machine.put(machine.number("<B")),
    b"r": lambda machine: machine.put(machine.number("<I")),
    b"h": lambda machine: machine.get(machine.number("<B")),
    b"j": lambda machine: machine.get(machine.number("<I")),
}
"""The opcodes that are run, each with what it does."""
