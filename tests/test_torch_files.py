"""Files of torch.save: what comes out, and that nothing in a pickle is run, imported or believed."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pickles import Raw, call, name, pickled, saved, storage, tensor, value

from seqkit.errors import ConvertError, LoadError, SeqkitError, UnsafeFileError
from seqkit.interop.torch import from_torch, machine
from seqkit.interop.torch.files import read_weights
from seqkit.interop.torch.records import Records

RNG = np.random.default_rng(7)
ARRAY = RNG.standard_normal((3, 4)).astype(np.float32)


def stored(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a.pt"
    path.write_bytes(data)
    return path


def with_pickle(item: Any, **members: bytes) -> bytes:
    """A file whose pickle is this, with a storage "0" of 12 numbers."""
    return saved(pickle=pickled(item), members={"data/0": ARRAY.tobytes(), **members})


def of_tensor(*arguments: Any) -> bytes:
    return with_pickle({"w": tensor(*arguments)})


# ---- what comes out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "<i8", "|u1", "|b1"])
def test_numbers_of_every_type(tmp_path: Path, dtype: str) -> None:
    array = (RNG.standard_normal((2, 3)) * 3).astype(dtype)
    weights = read_weights(stored(tmp_path, saved({"a.b": array, "scalar": array[0, 0]})))
    assert weights.arrays["a.b"].dtype == array.dtype
    assert np.array_equal(weights.arrays["a.b"], array)
    assert np.array_equal(weights.arrays["scalar"], array[0, 0])


def test_bfloat16_is_the_upper_half_of_float32(tmp_path: Path) -> None:
    bits = RNG.standard_normal(50).astype(np.float32).view(np.uint32) >> 16
    weights = read_weights(stored(tmp_path, saved({"a": bits.astype(np.uint16)}, bits="BFloat16")))
    assert weights.dtypes == {"a": "bfloat16"}
    assert np.array_equal(weights.arrays["a"].view(np.uint32), bits << 16)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (3, 4), (4, 1)),
        (1, (2, 3), (4, 1)),
        (0, (4, 3), (1, 4)),
        (2, (), ()),
        (12, (0, 5), (5, 1)),
        (11, (1,), (2**70,)),
    ],
)
def test_views_of_a_storage(tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    data = of_tensor(storage("0", "Float", 12), offset, shape, strides)
    found = read_weights(stored(tmp_path, data)).arrays["w"]
    expected = np.zeros(shape, np.float32)
    for place in np.ndindex(shape):
        expected[place] = ARRAY.ravel()[offset + sum(i * stride for i, stride in zip(place, strides, strict=True))]
    assert found.shape == shape
    assert np.array_equal(found, expected)
    assert not found.flags.writeable


def test_parameters_and_what_checkpoints_have_besides(tmp_path: Path) -> None:
    where = storage("0", "Float", 12)
    parameter = call(name("torch._utils", "_rebuild_parameter"), tensor(where, 0, (12,), (1,)), True, Raw(b"}"))
    epoch = {"epoch": 3, "lr": 1e-3, "none": None, "flags": [True, False], "big": 2**70, 0: (1, 2, 3)}
    inert = {"size": call(name("torch", "Size"), (2,)), "device": call(name("torch", "device"), "cpu")}
    kinds = {"dtype": name("torch", "float32"), "set": call(name("__builtin__", "set"), [1, 2])}
    text = {"bytes": call(name("_codecs", "encode"), "ab", "latin1")}
    data = with_pickle({**epoch, **inert, **kinds, **text, "model": {"w": parameter}})
    assert np.array_equal(read_weights(stored(tmp_path, data)).arrays["w"], ARRAY.ravel())


def test_ordered_dicts_with_attributes(tmp_path: Path) -> None:
    ordered = call(name("collections", "OrderedDict"))
    where = tensor(storage("0", "Float", 12), 0, (12,), (1,))
    item = Raw(ordered + b"(" + value("w") + where + b"u" + value({"_metadata": {"": {"version": 1}}}) + b"b")
    assert list(read_weights(stored(tmp_path, with_pickle(item))).arrays) == ["w"]


def test_values() -> None:
    item = {"a": [1, -1, 300, -(2**40), 2**70, 0.1, None, True, ("x", ("y",)), {"b": {}}], 7: (), "ü": "\n"}
    assert machine.Machine(pickled(item), Records("a.pt"), "a.pt").run() == item


def test_memo(tmp_path: Path) -> None:
    where = tensor(storage("0", "Float", 12), 0, (12,), (1,))
    item = Raw(b"}q\x00(" + value("v") + where + b"r\x01\x00\x01\x00" + value("w") + b"j\x01\x00\x01\x00" + b"u")
    assert set(read_weights(stored(tmp_path, with_pickle(item))).arrays) == {"v", "w"}


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "module", "net", "weights"])
def test_the_usual_names_in_checkpoints(tmp_path: Path, key: str) -> None:
    loss = tensor(storage("0", "Float", 12), 0, (), ())
    item = {"epoch": 1, "loss": loss, key: {"w": tensor(storage("0", "Float", 12), 0, (12,), (1,))}}
    assert list(read_weights(stored(tmp_path, with_pickle(item))).arrays) == ["w"]


def test_a_key_leads_into_dicts(tmp_path: Path) -> None:
    item = {"ema": {"shadow": {"w": tensor(storage("0", "Float", 12), 0, (12,), (1,))}}}
    path = stored(tmp_path, with_pickle(item))
    assert list(read_weights(path, "ema.shadow").arrays) == ["w"]
    with pytest.raises(ConvertError, match=r"a.pt: no state dict is found; the file holds ema. Say key="):
        read_weights(path)
    with pytest.raises(ConvertError, match=r"key 'ema.other' leads nowhere; there is shadow"):
        read_weights(path, "ema.other")


# ---- what is refused -------------------------------------------------------------------------------------

WHERE = storage("0", "Float", 12)


def deep(opcode: bytes) -> Raw:
    return Raw(value("x") + opcode * 100_000)


GADGETS: dict[str, Any] = {
    "os.system": call(name("os", "system"), "touch canary"),
    "posix.system": call(name("posix", "system"), "touch canary"),
    "builtins.eval": call(name("builtins", "eval"), "open('canary', 'w')"),
    "builtins.exec": call(name("__builtin__", "exec"), "open('canary', 'w')"),
    "getattr chain": call(call(name("builtins", "getattr"), name("os", "path"), "os"), "x"),
    "torch.load": call(name("torch", "load"), "canary"),
    "torch._utils gadget": call(name("torch._utils", "_import_dotted_name"), "os.system"),
    "numpy scalar of objects": call(name("numpy.core.multiarray", "scalar"), "O", "x"),
    "a name with dots": name("collections", "OrderedDict.__init__"),
    "a module of a name": name("torch.nn.modules.rnn", "LSTM"),
    "a trailing space": name("collections ", "OrderedDict"),
    "a call of a dict": call(value({}), 1),
    "a call of a storage type": call(name("torch", "FloatStorage"), 10**12),
    "a call of a string": call(value("os.system"), "touch canary"),
    "persistent id, no storage": Raw(value("/etc/passwd") + b"Q"),
    "persistent id of another kind": Raw(value(("module", name("torch", "FloatStorage"), "0", "cpu", 12)) + b"Q"),
    "persistent id of six": Raw(value(("storage", name("torch", "FloatStorage"), "0", "cpu", 12, 0)) + b"Q"),
    "storage of a type that is a string": Raw(value(("storage", "FloatStorage", "0", "cpu", 12)) + b"Q"),
    "storage of a function": Raw(value(("storage", name("torch", "Size"), "0", "cpu", 12)) + b"Q"),
    "items into a tensor": Raw(tensor(WHERE, 0, (12,), (1,)) + value("a") + value(1) + b"s"),
    "items into a list": Raw(b"]" + value("a") + value(1) + b"s"),
    "appending to a dict": Raw(b"}" + value(1) + b"a"),
    "attributes of a tensor": Raw(tensor(WHERE, 0, (12,), (1,)) + b"}b"),
    "a long of 255 bytes": Raw(b"\x8a\xff" + b"\x7f" * 255),
    "too many opcodes": Raw(b"N" + b"\x85" * (machine.OPCODES + 1)),
    "too many dicts": Raw(b"(" + b"}" * (machine.OPCODES + 1) + b"t"),
    "offset outside": {"w": tensor(WHERE, 1, (12,), (1,))},
    "strides outside": {"w": tensor(WHERE, 0, (3, 4), (5, 1))},
    "huge strides": {"w": tensor(WHERE, 0, (2, 2), (2**62, 2**62))},
    "a negative offset": {"w": tensor(WHERE, -1, (2,), (1,))},
    "a negative stride": {"w": tensor(WHERE, 11, (12,), (-1,))},
    "a negative shape": {"w": tensor(WHERE, 0, (-3, -4), (4, 1))},
    "a shape of bools": {"w": tensor(WHERE, 0, (True, 4), (4, 1))},
    "a shape of floats": {"w": tensor(WHERE, 0, (3.0, 4), (4, 1))},
    "a shape of a shape": {"w": tensor(WHERE, 0, ((3,), 4), (4, 1))},
    "a deep shape": {"w": tensor(WHERE, 0, (deep(b"\x85"),), (1,))},
    "an overflowing shape": {"w": tensor(WHERE, 0, (2**62, 4, 0), (4, 1, 1))},
    "fewer strides than sizes": {"w": tensor(WHERE, 0, (3, 4), (4,))},
    "nine dimensions": {"w": tensor(WHERE, 0, (1,) * 9, (1,) * 9)},
    "numbers expanded from one": {"w": tensor(WHERE, 0, (10**12,), (0,))},
    "many views of one storage": {f"w{number}": tensor(WHERE, 0, (12, 1000), (1, 0)) for number in range(100)},
    "a storage that is missing": {"w": tensor(storage("1", "Float", 12), 0, (12,), (1,))},
    "a storage outside": {"w": tensor(storage("../../version", "Byte", 2), 0, (2,), (1,))},
    "a storage of more": {"w": tensor(storage("0", "Float", 13), 0, (12,), (1,))},
    "a storage of fewer": {"w": tensor(storage("0", "Float", 11), 0, (11,), (1,))},
    "a storage of two types": {
        "v": tensor(WHERE, 0, (12,), (1,)),
        "w": tensor(storage("0", "Double", 12), 0, (12,), (1,)),
    },
    "a huge storage": {"w": tensor(storage("0", "Float", 2**61), 0, (2,), (1,))},
}
OPCODES = {
    "frame": b"\x95" + bytes(8),
    "STACK_GLOBAL": value("os") + value("system") + b"\x93",
    "MEMOIZE": b"\x94",
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "INST": b"(ios\nsystem\n",
    "OBJ": b"(" + name("os", "system") + b"o",
    "NEWOBJ": name("collections", "OrderedDict") + b")\x81",
    "NEWOBJ_EX": name("collections", "OrderedDict") + b")}\x92",
    "PERSID": b"P0\n",
    "LONG4": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "LONG": b"L12L\n",
    "INT": b"I01\n",
    "STRING": b"S'a'\n",
    "UNICODE": b"Va\n",
    "BINBYTES": b"B" + struct.pack("<I", 1) + b"a",
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2**60),
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**60),
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 2**60),
    "NEXT_BUFFER": b"\x97",
    "EMPTY_SET": b"\x8f",
    "FROZENSET": b"(\x91",
    "DUP": b"N2",
    "POP": b"NN0",
    "POP_MARK": b"(1",
    "DICT": b"(d",
    "LIST": b"(l",
    "GET": b"g0\n",
    "PUT": b"Np0\n",
    "zero": b"\x00",
}
DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "no stop": b"\x80\x02N",
    "nothing to give": b"\x80\x02.",
    "two values": b"\x80\x02NN.",
    "an open mark": b"\x80\x02(N.",
    "something behind": b"\x80\x02N.N",
    "undefined memo": b"\x80\x02h\x05.",
    "a tuple without values": b"\x80\x02\x87.",
    "a tuple without mark": b"\x80\x02Nt.",
    "an item without value": b"\x80\x02}(X\x01\x00\x00\x00au.",
    "a key that is a list": b"\x80\x02}]Ns.",
    "a key that is a deep tuple": b"\x80\x02}" + deep(b"\x85") + b"Ns.",
    "keys of equal hashes": b"\x80\x02}(" + b"".join(value(n * (2**61 - 1)) + b"N" for n in range(1, 60_000)) + b"u.",
    "cut number": b"\x80\x02J\x00\x00",
    "cut string": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "cut name": b"\x80\x02ccollections\nOrdered",
    "no UTF-8": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
    "protocol 4": b"\x80\x04N.",
    "arguments that are no tuple": b"\x80\x02" + name("collections", "OrderedDict") + b"]R.",
    "an OrderedDict of something": pickled(call(name("collections", "OrderedDict"), [])),
    "a tensor of three": pickled(call(name("torch._utils", "_rebuild_tensor_v2"), WHERE, 0, (1,))),
    "a tensor of a string": pickled(tensor("0", 0, (12,), (1,))),
    "a shape that is a list": pickled(tensor(WHERE, 0, [12], (1,))),
    "hooks": pickled(call(name("torch._utils", "_rebuild_tensor_v2"), WHERE, 0, (1,), (1,), False, [1])),
    "attributes that are no dict": b"\x80\x02" + call(name("collections", "OrderedDict")) + b"Nb.",
    "a parameter of a number": pickled(call(name("torch._utils", "_rebuild_parameter"), 1, True, Raw(b"}"))),
    "a storage of -1": pickled(tensor(storage("0", "Float", -1), 0, (1,), (1,))),
    "a storage of a float": pickled(tensor(storage("0", "Float", 12.0), 0, (1,), (1,))),
}
NO_STATE_DICT: dict[str, tuple[Any, str]] = {
    "a number": (1, "no state dict"),
    "a list": ([1], "no state dict"),
    "an empty dict": ({}, "no state dict"),
    "a dict in itself": (Raw(b"}q\x00" + value("a") + b"h\x00s"), "no state dict"),
    "a deep tuple": (deep(b"\x85"), "no state dict"),
    "a deep dict": (Raw(b"}" + (value("a") + b"}") * 10_000 + b"s" * 10_000), "no state dict"),
    "a sparse tensor": (call(name("torch._utils", "_rebuild_sparse_tensor"), 1), "a sparse tensor"),
    "a quantized tensor": (call(name("torch._utils", "_rebuild_qtensor"), 1), "a quantized tensor"),
    "a conjugate": ({"w": tensor(WHERE, 0, (1,), (1,), {"conj": True})}, "lazy negative or conjugate"),
}


def refused(path: Path, kind: type[SeqkitError]) -> SeqkitError:
    """The error of reading; nothing was imported and no file made."""
    before, files = set(sys.modules), sorted(path.parent.iterdir())
    with pytest.raises(kind, match=r"a.pt: ") as caught:
        from_torch(path)
    assert set(sys.modules) == before
    assert sorted(path.parent.iterdir()) == files
    assert len(str(caught.value)) < 1000
    return caught.value


@pytest.mark.parametrize("kind", GADGETS)
def test_what_is_made_to_do_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    refused(stored(tmp_path, with_pickle(GADGETS[kind])), UnsafeFileError)


@pytest.mark.parametrize("opcode", OPCODES)
def test_opcodes_that_no_state_dict_needs(tmp_path: Path, opcode: str) -> None:
    data = saved(pickle=b"\x80\x02" + OPCODES[opcode] + b".")
    assert "opcode" in str(refused(stored(tmp_path, data), UnsafeFileError))


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_pickles(tmp_path: Path, kind: str) -> None:
    assert type(refused(stored(tmp_path, saved(pickle=DAMAGED[kind])), LoadError)) is LoadError


def test_a_name_is_one_object_however_often_it_comes() -> None:
    """So that each opcode costs little."""
    tags = machine.Machine(pickled([name("torch", "Size")] * 3), Records("a.pt"), "a.pt").run()
    assert tags[0] is tags[1] is tags[2]


@pytest.mark.parametrize("kind", NO_STATE_DICT)
def test_what_is_no_state_dict(tmp_path: Path, kind: str) -> None:
    item, words = NO_STATE_DICT[kind]
    assert words in str(refused(stored(tmp_path, with_pickle(item)), ConvertError))


OTHER_FILES: dict[str, tuple[Callable[[], bytes], type[SeqkitError], str]] = {
    "TorchScript": (lambda: saved(members={"constants.pkl": b""}), ConvertError, "TorchScript"),
    "code": (lambda: saved(members={"code/__torch__.py": b"import os"}), ConvertError, "TorchScript"),
    "big-endian": (lambda: saved(members={"byteorder": b"big"}), ConvertError, "big-endian"),
    "before 1.6": (lambda: b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", LoadError, "before 1.6"),
    "a plain pickle": (lambda: b"\x80\x04\x95" + bytes(20), LoadError, "pickle outside of a zip file"),
    "tar": (lambda: b"sys_info".ljust(257, b"\0") + b"ustar" + bytes(300), LoadError, "before 0.4"),
    "empty": (lambda: b"", LoadError, "neither safetensors nor"),
    "text": (lambda: b"hello world", LoadError, "neither safetensors nor"),
    "no pickle": (lambda: zipped({"a/b": b""}), LoadError, "not one of torch.save"),
    "two folders": (lambda: zipped({"a/data.pkl": b"N.", "b/data.pkl": b"N."}), LoadError, "not one of torch.save"),
    "safetensors cut off": (lambda: struct.pack("<Q", 10**6) + b"{}", LoadError, "cut off"),
    "safetensors of 2**63": (lambda: struct.pack("<Q", 2**63) + b"{}", LoadError, "cut off"),
}


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        for member, data in members.items():
            writer.writestr(member, data)
    return file.getvalue()


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_files_of_other_kinds(tmp_path: Path, kind: str) -> None:
    data, error, words = OTHER_FILES[kind]
    assert words in str(refused(stored(tmp_path, data()), error))


def test_a_storage_that_is_deflated_beyond_the_file(tmp_path: Path) -> None:
    """Half a megabyte of zeros, which deflates to a thousandth."""
    item = {"w": tensor(storage("0", "Byte", 1 << 19), 0, (1 << 19,), (1,))}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("a/data.pkl", pickled(item))
        writer.writestr("a/data/0", bytes(1 << 19))
    refused(stored(tmp_path, file.getvalue()), UnsafeFileError)


def test_every_cut_and_many_changes_are_typed_errors(tmp_path: Path) -> None:
    data = saved({"weight_ih_l0": ARRAY[:, :2], "weight_hh_l0": np.ones((3, 1), np.float32)})
    rng = np.random.default_rng(0)
    path = tmp_path / "a.pt"
    changed = [data[:cut] for cut in range(0, len(data), 7)]
    for _ in range(300):
        new = bytearray(data)
        new[rng.integers(len(new))] ^= 1 << rng.integers(8)
        changed.append(bytes(new))
    for one in changed:
        path.write_bytes(one)
        with contextlib.suppress(SeqkitError):
            from_torch(path)
