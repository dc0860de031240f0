"""Pickles, written opcode by opcode: those of torch.save, and what unpicklers have been led to do."""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np

from hostile_files.mutate import corrupt


def word(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def group(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def named(module: str, name: str) -> bytes:
    """What a module calls so."""
    return b"c" + f"{module}\n{name}\n".encode()


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + group(*arguments) + b"R"


def mapping(*items: tuple[str, bytes]) -> bytes:
    return b"}(" + b"".join(word(key) + value for key, value in items) + b"u"


def storage(key: str, count: int, kind: str = "FloatStorage", place: str = "cpu") -> bytes:
    return group(word("storage"), named("torch", kind), word(key), word(place), number(count)) + b"Q"


def tensor(
    shape: tuple[int, ...], key: str, count: int, *, offset: int = 0, strides: Any = None, kind: str = "FloatStorage"
) -> bytes:
    """A call of _rebuild_tensor_v2."""
    steps = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))] if strides is None else strides
    return called(
        named("torch._utils", "_rebuild_tensor_v2"),
        storage(key, count, kind),
        number(offset),
        group(*map(number, shape)),
        group(*map(number, steps)),
        b"\x89",
        called(named("collections", "OrderedDict")),
    )


def pickled(content: bytes) -> bytes:
    return b"\x80\x02" + content + b"."


OPCODES = tuple(b"( t ) ] } a e s u N 0 1 2 R Q b . \x81 \x85 \x87 \x93 \x94 i o".split())
PIECES = (
    *OPCODES,
    *(named("os", "system"), named("torch", "FloatStorage"), named("collections", "OrderedDict")),
    *(word("x"), number(0), number(-1), number(2**63), b"q\x00", b"h\x00", b"h\xff", b"J\xff\xff\xff\xff", b"P1\n"),
    *(
        b"\x8b\xff\xff\xff\x7f",
        b"X\xff\xff\xff\xff",
        b"\x8a\xff",
        b"G\x7f\xf0\0\0\0\0\0\0",
        b"I1\n",
        b"L9\n",
        b"V\\ud800\n",
    ),
)
"""What is put between the opcodes of a pickle."""


def _operations(data: bytes) -> list[bytes]:
    starts = [place for _, _, place in pickletools.genops(data) if place is not None]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def corrupt_pickle(rng: Random, data: bytes) -> bytes:
    """Opcodes left out, repeated, exchanged, put in, or changed."""
    operations = _operations(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, other = rng.randrange(len(operations)), rng.randrange(len(operations))
        way = rng.randrange(6)
        if way == 0 and len(operations) > 1:
            del operations[at]
        elif way == 1:
            operations[at:at] = operations[at : at + rng.choice((1, 5, 20))] * rng.choice((1, 3))
        elif way == 2:
            operations[at], operations[other] = operations[other], operations[at]
        elif way == 3:
            operations[at] = rng.choice(PIECES)
        elif way == 4:
            operations.insert(at, rng.choice(PIECES))
        else:
            operations[at] = operations[at][:1] + corrupt(rng, [operations[at][1:]])
    return b"".join(operations)


GADGETS = """
os:system posix:system nt:system builtins:eval __builtin__:eval builtins:exec builtins:getattr builtins:__import__
subprocess:Popen runpy:_run_code torch:load torch.serialization:load torch.hub:load torch._utils:_import_dotted_name
numpy.core.multiarray:scalar numpy:load numpy.testing._private.utils:runstring
torch._utils:_rebuild_tensor_v2.__globals__ torch:FloatStorage.__class__ pip:main pdb:run importlib:import_module
operator:attrgetter functools:partial webbrowser:open torch.nn:Linear torch.nn.modules.rnn:LSTM torch:device
seqkit.model:load torch._utils:_rebuild_tensor_v3 torch:Storage collections:defaultdict
"""


def gadgets() -> Iterator[tuple[str, bytes]]:
    """Calls of what runs code, reads files, or leads on to it; each would leave a file behind."""
    command = word("touch canary")
    pairs = [tuple(gadget.split(":")) for gadget in GADGETS.split()]
    for module, name in (*pairs, ("", ""), ("x" * 5000, "y")):
        yield f"{module[:20]}.{name}", called(named(module, name), command)
        yield f"{module[:20]}.{name} in a dict", mapping(("weight_ih_l0", called(named(module, name), command)))
    yield "INST", b"(" + command + b"ios\nsystem\n"
    yield "OBJ", b"(" + named("os", "system") + command + b"o"
    yield "NEWOBJ", named("os", "system") + group(command) + b"\x81"
    yield "STACK_GLOBAL", word("os") + word("system") + b"\x93" + group(command) + b"R"
    yield "EXT1", b"\x82\x01" + group(command) + b"R"
    yield "BUILD", called(named("collections", "OrderedDict")) + mapping(("__class__", named("os", "system"))) + b"b"
    yield "BUILD of a tag", named("torch", "FloatStorage") + mapping(("__call__", named("os", "system"))) + b"b"
