"""Files of PyTorch: safetensors, and pickles in zip files, written here opcode by opcode (F25)."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from functools import cache
from random import Random

import numpy as np
from safetensors.numpy import save

from hostile_files import native, zips
from hostile_files.cases import Case, Format
from hostile_files.mutate import corrupt, corrupt_json
from hostile_files.pickles import (
    called,
    corrupt_pickle,
    gadgets,
    group,
    mapping,
    named,
    number,
    pickled,
    storage,
    tensor,
    word,
)

Arrays = dict[str, np.ndarray]


def packed(content: bytes, data: dict[str, bytes] | None = None) -> bytes:
    """A file of torch.save."""
    members = {"archive/data.pkl": pickled(content), "archive/byteorder": b"little", "archive/version": b"3\n"}
    return zips.pack(members | {f"archive/data/{key}": value for key, value in (data or {}).items()})


def _arrays(gates: int, units: int, inputs: int, seed: int, ending: str = "l0", bias: bool = True) -> Arrays:
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {f"weight_ih_{ending}": (gates * units, inputs)}
    shapes[f"weight_hh_{ending}"] = (gates * units, units)
    if bias:
        shapes |= {f"bias_ih_{ending}": (gates * units,), f"bias_hh_{ending}": (gates * units,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _dicts() -> list[Arrays]:
    layers = (("l0", 3), ("l0_reverse", 3), ("l1", 4), ("l1_reverse", 4))
    both = [_arrays(4, 2, inputs, seed, ending) for seed, (ending, inputs) in enumerate(layers)]
    return [both[0] | both[1] | both[2] | both[3], _arrays(3, 3, 2, 4, bias=False), _arrays(4, 2, 3, 5)]


def _saved(arrays: Arrays, ordered: bool) -> bytes:
    """As torch.save writes a state dict."""
    items = [(name, tensor(a.shape, str(n), a.size)) for n, (name, a) in enumerate(arrays.items())]
    data = {str(n): a.tobytes() for n, a in enumerate(arrays.values())}
    if not ordered:
        return packed(mapping(("epoch", number(3)), ("state_dict", mapping(*items))), data)
    content = b"(" + b"".join(word(key) + value for key, value in items) + b"u"
    return packed(called(named("collections", "OrderedDict")) + content, data)


@cache
def _seeds() -> tuple[bytes, ...]:
    return tuple(_saved(arrays, ordered) for arrays in _dicts() for ordered in (True, False))


# ---- corrupted -----------------------------------------------------------------------------------


def damaged(rng: Random, seeds: list[bytes]) -> bytes:
    """The zip file, or its pickle, or its numbers."""
    way = rng.random()
    if way < 0.3:
        return corrupt(rng, seeds)
    members = zips.unpack(rng.choice(seeds))
    name = "archive/data.pkl" if way < 0.8 else rng.choice(list(members))
    change = corrupt_pickle if name.endswith(".pkl") and rng.random() < 0.8 else lambda rng, data: corrupt(rng, [data])
    members[name] = change(rng, members[name])
    if rng.random() < 0.05:
        del members[rng.choice(list(members))]
    return zips.pack(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


# ---- made by hand --------------------------------------------------------------------------------


def made() -> Iterator[Case]:
    for name, data in zips.lies(zips.unpack(_seeds()[0])):
        yield Case(f"zip, {name}", data, refused=True)
    for name, content in _pickles().items():
        yield Case(name, packed(content, {"0": bytes(24)}), refused=True)
    good = _seeds()[0]
    members = zips.unpack(good)
    for name, extra in {
        "TorchScript": {"archive/code/__torch__.py": b"def f(): pass", "archive/constants.pkl": pickled(b")")},
        "big-endian": {"archive/byteorder": b"big"},
        "no such byte order": {"archive/byteorder": b"x" * 100},
        "two folders": {"other/data.pkl": pickled(mapping())},
        "no pickle": {"archive/data.pkl": b""},
        "storages that are missing": {"archive/data.pkl": members["archive/data.pkl"].replace(word("0"), word("9"))},
        "a storage that is too short": {"archive/data/0": bytes(4)},
        "a storage that is too long": {"archive/data/0": bytes(1 << 20)},
    }.items():
        yield Case(name, zips.pack(members | extra), refused=True)
    pickle = members["archive/data.pkl"]
    for size in range(0, len(pickle), 29):
        yield Case(f"pickle cut off at {size}", zips.pack(members | {"archive/data.pkl": pickle[:size]}), refused=True)
    for protocol in (0, 1, 3, 4, 5, 255):
        other = b"\x80" + bytes([protocol]) + pickle[2:]
        yield Case(f"protocol {protocol}", zips.pack(members | {"archive/data.pkl": other}), refused=protocol > 3)
    yield Case("a plain pickle", pickle, refused=True)
    yield Case("tar", b"x" * 257 + b"ustar" + bytes(250), refused=True)


def _pickles() -> dict[str, bytes]:
    def one(value: bytes) -> bytes:
        return mapping(("weight_ih_l0", value))

    deep = {
        "deep tuples": b")" + b"\x85" * 100_000,
        "deep lists": b"]" * 100_000 + b"a" * 99_999,
        "deep dicts": (b"}" + word("a")) * 50_000 + b"N" + b"s" * 50_000,
        "many marks": b"(" * 400_000,
        "many opcodes": b"N0" * 1_000_000,
        "a million Nones": b"(" + b"N" * 1_000_000 + b"t",
        "a memo of many": b"N" + b"".join(b"r" + struct.pack("<I", n) for n in range(300_000)),
        "a memo far away": b"Nr\xff\xff\xff\xff",
        "laughs": b")q\x00" + b"h\x00h\x00\x86q\x00" * 60,
        "keys that collide": b"}(" + b"".join(number(n * (2**61 - 1)) + b"N" for n in range(1, 60_000)) + b"u",
        "a list in itself": b"]q\x00h\x00a",
        "a dict in itself": b"}q\x00" + word("state_dict") + b"h\x00s",
    }
    laughs, rebuild = deep["laughs"], named("torch._utils", "_rebuild_tensor_v2")
    values = {
        **dict(gadgets()),
        **deep,
        **{f"{name}, in a dict": one(value) for name, value in deep.items()},
        "laughs in a call": one(called(rebuild, laughs)),
        "laughs called": one(laughs + b")R"),
        "laughs outside": one(laughs + b"Q"),
        "laughs as a shape": one(
            called(
                named("torch._utils", "_rebuild_tensor_v2"), storage("0", 6), number(0), laughs, laughs, b"\x89", b"}"
            )
        ),
        "laughs as a key": b"}" + laughs + b"Ns",
        "deep tuples in a call": one(called(rebuild, deep["deep tuples"])),
        "deep tuples outside": one(deep["deep tuples"] + b"Q"),
        "deep tuples as attributes": one(called(named("collections", "OrderedDict")) + deep["deep tuples"] + b"b"),
        "something else outside": one(group(word("file"), word("/etc/passwd")) + b"Q"),
        "a storage outside": one(tensor((2, 3), "../../../etc/passwd", 6)),
        "a storage without a name": one(tensor((2, 3), "", 6)),
        "a storage of a long name": one(tensor((2, 3), "0" * 100_000, 6)),
        "a storage of no type": one(tensor((2, 3), "0", 6, kind="ObjectStorage")),
        "a storage of many": one(tensor((2, 3), "0", 2**60)),
        "a storage of less than none": one(tensor((2, 3), "0", -6)),
        "a storage of two sizes": mapping(("weight_ih_l0", tensor((2, 3), "0", 6)), ("x", tensor((2, 3), "0", 12))),
        "a shape beyond the storage": one(tensor((2, 4), "0", 6)),
        "strides beyond the storage": one(tensor((2, 3), "0", 6, strides=(1000, 1))),
        "negative strides": one(tensor((2, 3), "0", 6, strides=(-3, 1))),
        "strides of nothing": one(tensor((2**40, 3), "0", 6, strides=(0, 0))),
        "strides that overflow": one(tensor((2, 3), "0", 6, strides=(2**63, 1))),
        "a negative offset": one(tensor((2, 3), "0", 6, offset=-1)),
        "an offset beyond": one(tensor((2, 3), "0", 6, offset=1)),
        "a shape that overflows": one(tensor((2**62, 4), "0", 6)),
        "a shape of nothing": one(tensor((0, 2**62, 2**62), "0", 6)),
        "a negative shape": one(tensor((-2, -3), "0", 6)),
        "many dimensions": one(tensor((1,) * 1000, "0", 6)),
        "strides of another number": one(tensor((2, 3), "0", 6, strides=(1,))),
        "an item set in a tensor": tensor((2, 3), "0", 6) + word("a") + b"Ns",
        "items set in a number": number(1) + b"(" + word("a") + b"Nu",
        "nothing remembered": b"h\x07",
        "a long integer": b"\x8a\xff" + b"\x7f" * 255,
        "a longer integer": b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000,
        "an integer of negative length": b"\x8b\xff\xff\xff\xff",
        "a text that is too long": b"X\xff\xff\xff\xff",
        "a text of protocol 4": b"\x8d" + b"\xff" * 8,
        "a frame": b"\x95" + b"\xff" * 8 + b"N",
        "digits": b"L" + b"9" * 100_000 + b"L\n",
        "an empty dict": mapping(),
        "nothing": b"",
        "a number": number(3),
        "names that are none": b"}(" + b"N" + tensor((2, 3), "0", 6) + b"u",
        "names of other things": mapping(("foo", tensor((2, 3), "0", 6))),
        "a name that is long": mapping(("weight_ih_l0" * 1000, tensor((2, 3), "0", 6))),
        "a layer far away": mapping(("weight_ih_l999999999", tensor((2, 3), "0", 6))),
        "units that are many": mapping(
            ("weight_ih_l0", tensor((2, 3), "0", 6)), ("weight_hh_l0", tensor((2, 3), "0", 6))
        ),
    }
    return values


PICKLES = Format("torch", ".pt", "seqkit.interop:load", lambda: list(_seeds()), damaged, made)


# ---- safetensors ---------------------------------------------------------------------------------


def _damaged_header(rng: Random, seeds: list[bytes]) -> bytes:
    if rng.random() < 0.5:
        return corrupt(rng, seeds)
    header, numbers = native.split(rng.choice(seeds))
    return native.joined(corrupt_json(rng, header), numbers)


SAFETENSORS = Format(
    "safetensors",
    ".safetensors",
    "seqkit.interop:load",
    lambda: [bytes(save(arrays, {"format": "pt"})) for arrays in _dicts()],
    _damaged_header,
    native.headers,
)
